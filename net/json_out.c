/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The JSON writer. Text is copied in runs: bytes that need no escape go out together. Doubles are tried at growing
 * precision until one reads back the same. */
#include "net/json_out.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hal/base/fault.h"

#define INTEGRAL_MAX 9007199254740992.0 /* 2^53; contract 1.7 */
#define NUMBER_TEXT 40                  /* the longest "%.17g", with room */
#define DOUBLE_DIGITS_KEPT 15 /* any decimal number of so many digits survives the way into a double and back */
#define DOUBLE_DIGITS_MOST 17 /* always reads back the same */

void json_out_init(struct json_out *out, struct buf *buf)
{
    *out = (struct json_out){.buf = buf, .err = ERR_OK};
}

static void put(struct json_out *out, struct span bytes)
{
    if (out->err == ERR_OK) {
        out->err = buf_put(out->buf, bytes);
    }
}

/* What stands before a value: a comma, unless it is the first or a name has just been written. */
static void before_value(struct json_out *out)
{
    if (out->named) {
        out->named = false;
        return;
    }
    if (out->depth > 0 && out->more[out->depth - 1]) {
        put(out, span_lit(","));
    }
    if (out->depth > 0) {
        out->more[out->depth - 1] = true;
    }
}

static void open_level(struct json_out *out, struct span bracket)
{
    before_value(out);
    INVARIANT(out->depth < JSON_OUT_DEPTH_MAX);
    out->more[out->depth] = false;
    out->depth++;
    put(out, bracket);
}

static void close_level(struct json_out *out, struct span bracket)
{
    INVARIANT(out->depth > 0 && !out->named);
    out->depth--;
    put(out, bracket);
}

void json_out_object(struct json_out *out)
{
    open_level(out, span_lit("{"));
}

void json_out_object_end(struct json_out *out)
{
    close_level(out, span_lit("}"));
}

void json_out_array(struct json_out *out)
{
    open_level(out, span_lit("["));
}

void json_out_array_end(struct json_out *out)
{
    close_level(out, span_lit("]"));
}

/* --- text --- */

static void put_escape(struct json_out *out, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};
    size_t len = 6;
    const char *const named = "\"\\\b\f\n\r\t";
    const char *const letters = "\"\\bfnrt";
    const char *const found = strchr(named, byte);

    if (found != NULL) {
        text[1] = letters[found - named];
        len = 2;
    }
    put(out, span_of(text, len));
}

/* How many bytes the well-formed UTF-8 sequence at the front has; 0 if there is none. */
static size_t sequence_bytes(struct span text)
{
    const uint8_t first = text.data[0];
    const size_t len = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    return len <= text.len && span_is_utf8(span_of(text.data, len)) ? len : 0;
}

/* Text that is known to be UTF-8. */
static void put_text(struct json_out *out, struct span text)
{
    size_t from = 0;

    for (size_t i = 0; i < text.len; i++) {
        const uint8_t byte = text.data[i];

        if (byte >= 0x20 && byte != '"' && byte != '\\') {
            continue;
        }
        put(out, span_of(text.data + from, i - from));
        if (byte == 0) {
            put(out, span_lit("\\u0000"));
        } else {
            put_escape(out, byte);
        }
        from = i + 1;
    }
    if (from < text.len) {
        put(out, span_of(text.data + from, text.len - from));
    }
}

/* Text with bytes that are no UTF-8: each of them becomes U+FFFD. Should never be needed. */
static void put_damaged_text(struct json_out *out, struct span text)
{
    size_t at = 0;

    while (at < text.len) {
        const size_t len = sequence_bytes(span_of(text.data + at, text.len - at));

        if (len == 0) {
            put(out, span_lit("\xef\xbf\xbd"));
            at++;
        } else {
            put_text(out, span_of(text.data + at, len));
            at += len;
        }
    }
}

/* The usual text: printable ASCII that stands for itself. */
static bool is_plain(struct span text)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t tops = ones << 7;
    uint64_t found = 0;
    size_t at = 0;

    for (; text.len - at >= sizeof(ones); at += sizeof(ones)) { /* eight bytes at a time */
        uint64_t eight = 0;

        memcpy(&eight, text.data + at, sizeof(eight));
        const uint64_t quote = eight ^ (ones * '"');
        const uint64_t slash = eight ^ (ones * '\\');

        /* A top bit in (x - ones * n) & ~x: some byte of x is below n. */
        found |= eight | ((eight - ones * 0x20) & ~eight) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash);
    }
    for (; at < text.len; at++) {
        const uint8_t byte = text.data[at];

        found |= byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\' ? tops : 0;
    }
    return (found & tops) == 0;
}

static void put_plain(struct json_out *out, struct span text)
{
    uint8_t *at = NULL;

    if (out->err != ERR_OK || text.len > SIZE_MAX - 2) {
        out->err = out->err != ERR_OK ? out->err : ERR_RANGE;
        return;
    }
    out->err = buf_reserve(out->buf, text.len + 2, &at);
    if (out->err != ERR_OK) {
        return;
    }
    at[0] = '"';
    if (text.len > 0) {
        memcpy(at + 1, text.data, text.len);
    }
    at[text.len + 1] = '"';
    buf_commit(out->buf, text.len + 2);
}

static void put_string(struct json_out *out, struct span text)
{
    if (is_plain(text)) {
        put_plain(out, text);
        return;
    }
    put(out, span_lit("\""));
    if (span_is_utf8(text)) {
        put_text(out, text);
    } else {
        put_damaged_text(out, text);
    }
    put(out, span_lit("\""));
}

void json_out_name(struct json_out *out, struct span name)
{
    INVARIANT(out->depth > 0 && !out->named);
    before_value(out);
    put_string(out, name);
    put(out, span_lit(":"));
    out->named = true;
}

void json_out_text(struct json_out *out, struct span text)
{
    before_value(out);
    put_string(out, text);
}

/* --- numbers and constants --- */

static void put_int(struct json_out *out, int64_t value)
{
    char digits[SPAN_U64_TEXT_MAX];

    if (value < 0) {
        put(out, span_lit("-"));
    }
    put(out, span_from_u64(value < 0 ? (uint64_t)0 - (uint64_t)value : (uint64_t)value, digits));
}

void json_out_int(struct json_out *out, int64_t value)
{
    before_value(out);
    put_int(out, value);
}

static bool same_double(double a, double b)
{
    return memcmp(&a, &b, sizeof(a)) == 0; /* analyzer: the bits are what must come back */
}

static void put_shortest(struct json_out *out, double value)
{
    char text[NUMBER_TEXT];
    int len = 0;

    /* A denormal number has fewer digits than any other; its shortest form must be looked for from the first. */
    for (int digits = fabs(value) < DBL_MIN ? 1 : DOUBLE_DIGITS_KEPT; digits <= DOUBLE_DIGITS_MOST; digits++) {
        len = snprintf(text, sizeof(text), "%.*g", digits, value);
        if (same_double(strtod(text, NULL), value)) {
            break;
        }
    }
    INVARIANT(len > 0 && (size_t)len < sizeof(text));
    put(out, span_of(text, (size_t)len));
}

void json_out_double(struct json_out *out, double value)
{
    before_value(out);
    if (!isfinite(value)) {
        put(out, span_lit("null"));
    } else if (fabs(value) <= INTEGRAL_MAX && same_double(trunc(value) + 0.0, value + 0.0)) {
        put_int(out, (int64_t)value);
    } else {
        put_shortest(out, value);
    }
}

void json_out_bool(struct json_out *out, bool value)
{
    before_value(out);
    put(out, value ? span_lit("true") : span_lit("false"));
}

void json_out_null(struct json_out *out)
{
    before_value(out);
    put(out, span_lit("null"));
}

void json_out_time(struct json_out *out, struct wall_time time)
{
    char text[TIME_ISO_BYTES];

    time_format_iso(time, text);
    before_value(out);
    put(out, span_lit("\""));
    put(out, span_of(text, sizeof(text)));
    put(out, span_lit("\""));
}

void json_out_raw(struct json_out *out, struct span json)
{
    before_value(out);
    put(out, json);
}

/* --- trees --- */

static void put_scalar(struct json_out *out, const struct json_value *value)
{
    switch (value->type) {
    case JSON_NULL:
        json_out_null(out);
        break;
    case JSON_BOOL:
        json_out_bool(out, value->as.boolean);
        break;
    case JSON_INT:
        json_out_int(out, value->as.integer);
        break;
    case JSON_DOUBLE:
        json_out_double(out, value->as.real);
        break;
    case JSON_STRING:
        json_out_text(out, value->as.text);
        break;
    case JSON_DATE:
        json_out_time(out, value->as.date);
        break;
    case JSON_ARRAY:
        json_out_array(out);
        break;
    case JSON_OBJECT:
        json_out_object(out);
        break;
    }
}

static size_t items_in(const struct json_value *value)
{
    return value->type == JSON_ARRAY ? value->as.array.count : value->type == JSON_OBJECT ? value->as.object.count : 0;
}

void json_out_value(struct json_out *out, const struct json_value *value)
{
    struct {
        const struct json_value *value;
        size_t done;
    } levels[JSON_DEPTH_MAX];
    size_t depth = 0;
    const struct json_value *next = value;

    for (;;) {
        put_scalar(out, next);
        if (next->type == JSON_ARRAY || next->type == JSON_OBJECT) {
            INVARIANT(depth < JSON_DEPTH_MAX);
            levels[depth].value = next;
            levels[depth].done = 0;
            depth++;
        }
        while (depth > 0 && levels[depth - 1].done == items_in(levels[depth - 1].value)) {
            depth--;
            close_level(out, levels[depth].value->type == JSON_ARRAY ? span_lit("]") : span_lit("}"));
        }
        if (depth == 0) {
            return;
        }
        const struct json_value *const in = levels[depth - 1].value;
        const size_t i = levels[depth - 1].done++;

        if (in->type == JSON_OBJECT) {
            json_out_name(out, in->as.object.members[i].name);
            next = &in->as.object.members[i].value;
        } else {
            next = &in->as.array.items[i];
        }
    }
}

void json_out_members_without(struct json_out *out, const struct json_value *object, const struct span *names,
                              size_t count)
{
    for (size_t i = 0; i < object->as.object.count; i++) {
        const struct json_member *member = &object->as.object.members[i];
        bool goes = false;

        for (size_t n = 0; n < count; n++) {
            goes = goes || span_equal(member->name, names[n]);
        }
        if (!goes) {
            json_out_name(out, member->name);
            json_out_value(out, &member->value);
        }
    }
}

/* --- members --- */

void json_out_member_text(struct json_out *out, struct span name, struct span text)
{
    json_out_name(out, name);
    json_out_text(out, text);
}

void json_out_member_int(struct json_out *out, struct span name, int64_t value)
{
    json_out_name(out, name);
    json_out_int(out, value);
}

void json_out_member_bool(struct json_out *out, struct span name, bool value)
{
    json_out_name(out, name);
    json_out_bool(out, value);
}

void json_out_member_null(struct json_out *out, struct span name)
{
    json_out_name(out, name);
    json_out_null(out);
}

void json_out_member_time(struct json_out *out, struct span name, struct wall_time time)
{
    json_out_name(out, name);
    json_out_time(out, time);
}

enum err json_out_finish(const struct json_out *out)
{
    if (out->err != ERR_OK) {
        FAIL(out->err, "JSON does not fit", buf_len(out->buf));
    }
    ENSURE(out->depth == 0 && !out->named, ERR_BUG, "JSON left open");
    return ERR_OK;
}
