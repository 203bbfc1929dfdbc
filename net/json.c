/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads JSON with jansson and copies the result into our own tree.
 *
 * Before jansson, which recurses, sees the text, one pass over its bytes bounds depth and number of values and finds
 * the integers that jansson would refuse as too large; those get ".0" appended in a copy, which makes them doubles.
 * jansson then decides what is JSON: duplicate keys, U+0000, lone surrogates, invalid UTF-8 and trailing bytes are
 * refused there. The copy into the arena walks with an explicit stack. The tree of jansson lives only during the call. */
#include "net/json.h"

#include <stdbool.h>
#include <string.h>

/* jansson and we have the same names for types; its own get another for the length of its header. */
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_STRING JANSSON_STRING
#define JSON_NULL JANSSON_NULL
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_NULL

#include "hal/base/fault.h"
#include "hal/base/num.h"

#define INT64_DIGITS 18 /* as many digits always fit an int64_t */

/* What the first pass finds. */
struct survey {
    size_t long_integers;
};

static bool is_number_byte(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || byte == '-' || byte == '+' || byte == '.' || byte == 'e' || byte == 'E';
}

/* The end of the string that starts at the quote at `at`; text.len if it does not end. */
static size_t string_end(struct span text, size_t at)
{
    for (size_t i = at + 1; i < text.len; i++) {
        if (text.data[i] == '"') {
            return i + 1;
        }
        if (text.data[i] == '\\') {
            i++;
        }
    }
    return text.len;
}

static size_t number_end(struct span text, size_t at)
{
    size_t end = at;

    while (end < text.len && is_number_byte(text.data[end])) {
        end++;
    }
    return end;
}

/* An integer (no point, no exponent) that does not fit int64_t. */
static bool is_long_integer(struct span number)
{
    const struct span digits = number.data[0] == '-' ? span_of(number.data + 1, number.len - 1) : number;
    uint64_t value = 0;

    if (digits.len <= INT64_DIGITS) {
        return false;
    }
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') {
            return false;
        }
    }
    return span_to_u64(digits, (uint64_t)INT64_MAX + (digits.len < number.len ? 1 : 0), &value) != ERR_OK;
}

static enum err survey_text(struct span text, struct survey *out_survey)
{
    size_t depth = 0;
    size_t values = 1;
    size_t at = 0;
    struct survey survey = {0};

    /* jansson takes a NUL for the end of what it has read so far and passes over it. */
    ENSURE(span_find(text, 0) == text.len, ERR_MALFORMED, "a NUL in JSON");
    while (at < text.len) {
        const uint8_t byte = text.data[at];
        size_t next = at + 1;

        if (byte == '"') {
            next = string_end(text, at);
        } else if (byte == '-' || (byte >= '0' && byte <= '9')) {
            next = number_end(text, at);
            survey.long_integers += is_long_integer(span_of(text.data + at, next - at)) ? 1 : 0;
        } else if (byte == '{' || byte == '[') {
            depth++;
            values++;
            ENSURE(depth <= JSON_DEPTH_MAX, ERR_RANGE, "JSON nests too deep");
        } else if (byte == '}' || byte == ']') {
            ENSURE(depth > 0, ERR_MALFORMED, "JSON closes what is not open");
            depth--;
        } else if (byte == ',') {
            values++;
        }
        at = next;
    }
    ENSURE(values <= JSON_VALUES_MAX, ERR_RANGE, "JSON has too many values");
    *out_survey = survey;
    return ERR_OK;
}

/* The same text with ".0" after each integer that does not fit. */
static enum err widen_integers(struct span text, size_t long_integers, struct arena *arena, struct span *out_text)
{
    void *memory = NULL;
    size_t bytes = 0;
    size_t at = 0;
    size_t len = 0;

    TRY(num_mul(long_integers, 2, &bytes));
    TRY(num_add(bytes, text.len, &bytes));
    TRY(arena_alloc(arena, bytes, &memory));
    uint8_t *const copy = memory;

    while (at < text.len) {
        const uint8_t byte = text.data[at];
        const bool number = byte == '-' || (byte >= '0' && byte <= '9');
        const size_t end = byte == '"' ? string_end(text, at) : number ? number_end(text, at) : at + 1;

        memcpy(copy + len, text.data + at, end - at);
        len += end - at;
        if (number && is_long_integer(span_of(text.data + at, end - at))) {
            INVARIANT(len + 2 <= bytes);
            memcpy(copy + len, ".0", 2);
            len += 2;
        }
        at = end;
    }
    *out_text = span_of(copy, len);
    return ERR_OK;
}

/* --- the copy --- */

/* A container whose items are being copied, as long as it is on the stack. */
struct level {
    json_t *from;
    void *iterator; /* of an object */
    struct json_member *members;
    struct json_value *items;
    size_t count;
    size_t done;
};

static struct level level_of(json_t *from)
{
    struct level level = {.from = from};

    if (json_typeof(from) == JANSSON_OBJECT) {
        level.count = json_object_size(from);
        level.iterator = json_object_iter(from);
    } else {
        level.count = json_array_size(from);
    }
    return level;
}

/* Room for the items of a container that was just met. */
static enum err open_container(struct level *level, struct arena *arena, struct json_value *out_value)
{
    const bool object = json_typeof(level->from) == JANSSON_OBJECT;
    void *memory = NULL;
    size_t bytes = 0;

    TRY(num_mul(level->count, object ? sizeof(struct json_member) : sizeof(struct json_value), &bytes));
    TRY(arena_alloc(arena, bytes, &memory));
    if (object) {
        level->members = memory;
        *out_value = (struct json_value){.type = JSON_OBJECT}; /* analyzer: never NULL */
        out_value->as.object.members = level->members;
        out_value->as.object.count = level->count;
    } else {
        level->items = memory;
        *out_value = (struct json_value){.type = JSON_ARRAY}; /* analyzer: never NULL */
        out_value->as.array.items = level->items;
        out_value->as.array.count = level->count;
    }
    return ERR_OK;
}

/* A value that holds no others. */
static enum err copy_scalar(json_t *from, struct arena *arena, struct json_value *out_value)
{
    struct json_value value = {.type = JSON_NULL};

    if (json_typeof(from) == JANSSON_STRING) {
        value.type = JSON_STRING;
        TRY(arena_copy(arena, span_of(json_string_value(from), json_string_length(from)), &value.as.text));
    } else if (json_typeof(from) == JSON_INTEGER) {
        value.type = JSON_INT;
        value.as.integer = json_integer_value(from);
    } else if (json_typeof(from) == JSON_REAL) {
        value.type = JSON_DOUBLE;
        value.as.real = json_real_value(from);
    } else if (json_typeof(from) == JSON_TRUE || json_typeof(from) == JSON_FALSE) {
        value.type = JSON_BOOL;
        value.as.boolean = json_typeof(from) == JSON_TRUE;
    }
    *out_value = value; /* analyzer: never NULL */
    return ERR_OK;
}

/* The next item of a level, and where its copy goes. */
static enum err next_item(struct level *level, struct arena *arena, json_t **out_from, struct json_value **out_to)
{
    if (level->members == NULL) {
        *out_from = json_array_get(level->from, level->done);
        *out_to = &level->items[level->done];
    } else {
        struct json_member *const member = &level->members[level->done];
        const struct span name = span_of(json_object_iter_key(level->iterator),
                                         json_object_iter_key_len(level->iterator));

        TRY(arena_copy(arena, name, &member->name));
        *out_from = json_object_iter_value(level->iterator);
        *out_to = &member->value;
        level->iterator = json_object_iter_next(level->from, level->iterator);
    }
    level->done++;
    return ERR_OK;
}

static bool is_container(const json_t *value)
{
    return json_typeof(value) == JANSSON_OBJECT || json_typeof(value) == JANSSON_ARRAY;
}

static enum err copy_tree(json_t *root, struct arena *arena, struct json_value *out_value)
{
    struct level levels[JSON_DEPTH_MAX];
    size_t depth = 0;
    json_t *from = root;
    struct json_value *to = out_value;

    for (;;) {
        if (is_container(from)) {
            INVARIANT(depth < JSON_DEPTH_MAX); /* the survey counted */
            levels[depth] = level_of(from);
            TRY(open_container(&levels[depth], arena, to));
            depth++;
        } else {
            TRY(copy_scalar(from, arena, to));
        }
        while (depth > 0 && levels[depth - 1].done == levels[depth - 1].count) {
            depth--;
        }
        if (depth == 0) {
            return ERR_OK;
        }
        TRY(next_item(&levels[depth - 1], arena, &from, &to));
    }
}

static void drop_tree(json_t **root)
{
    json_decref(*root);
}

void json_seed(uint32_t seed)
{
    json_object_seed(seed == 0 ? 1 : seed); /* 0 would let jansson look for /dev/urandom */
}

enum err json_parse(struct span text, struct arena *arena, const struct json_value **out_value)
{
    struct survey survey = {0};
    struct span wide = text;
    json_error_t error = {0};
    void *memory = NULL;
    SCOPED(drop_tree) json_t *root = NULL;

    TRY(survey_text(text, &survey));
    if (survey.long_integers > 0) {
        TRY(widen_integers(text, survey.long_integers, arena, &wide));
    }
    TRY(arena_alloc(arena, sizeof(struct json_value), &memory));
    root = json_loadb(wide.len == 0 ? "" : (const char *)wide.data, wide.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                      &error);
    if (root == NULL && json_error_code(&error) == json_error_out_of_memory) {
        FAIL(ERR_NO_MEMORY, "jansson has no memory", 0);
    }
    if (root == NULL) {
        FAIL(ERR_MALFORMED, "not JSON", error.position);
    }
    TRY(copy_tree(root, arena, memory));

    *out_value = memory;
    return ERR_OK;
}
