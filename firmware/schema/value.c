/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One value against one field: its type and its limits. And copies of trees, for what a schema keeps of its definition.
 *
 * Numbers are compared as doubles: a limit is one, and an int is at most 2^53, where doubles are exact. */
#include "firmware/schema/schema.h"

#include "firmware/schema/schema_int.h"
#include "hal/base/fault.h"

#define INTEGER_MAX   9007199254740992.0 /* 2^53, contract 1.7 */
#define REFERENCE_MAX 64

static void broken(struct schema_finding *finding, enum schema_rule rule, const char *reason)
{
    *finding = (struct schema_finding){.broken = true, .rule = rule, .reason = reason};
}

static void broken_at(struct schema_finding *finding, enum schema_rule rule, const char *reason, double number)
{
    *finding =
        (struct schema_finding){.broken = true, .rule = rule, .reason = reason, .has_number = true, .number = number};
}

static double number_of(const struct json_value *value)
{
    return value->type == JSON_INT ? (double)value->as.integer : value->as.real;
}

static bool is_number(const struct json_value *value)
{
    return value->type == JSON_INT || value->type == JSON_DOUBLE;
}

/* |v| <= 2^53 and no fraction. */
static bool is_integral(const struct json_value *value)
{
    if (value->type == JSON_INT) { /* not by way of a double: 2^53 + 1 would round down to 2^53 */
        return value->as.integer <= (int64_t)INTEGER_MAX && value->as.integer >= -(int64_t)INTEGER_MAX;
    }
    if (value->type != JSON_DOUBLE) {
        return false;
    }
    const double number = value->as.real;
    if (number > INTEGER_MAX || number < -INTEGER_MAX) {
        return false;
    }
    const double fraction = number - (double)(int64_t)number;
    return !(fraction > 0) && !(fraction < 0);
}

static bool scalar_equal(const struct json_value *a, const struct json_value *b)
{
    if (is_number(a) && is_number(b)) {
        const double x = number_of(a);
        const double y = number_of(b);
        return !(x < y) && !(x > y);
    }
    if (a->type != b->type) {
        return false;
    }
    if (a->type == JSON_STRING) {
        return span_equal(a->as.text, b->as.text);
    }
    return a->type == JSON_NULL || (a->type == JSON_BOOL && a->as.boolean == b->as.boolean);
}

static bool in_enumeration(const struct json_value *enumeration, const struct json_value *value)
{
    bool found = false;
    for (size_t i = 0; i < enumeration->as.array.count; i++) {
        found = found || scalar_equal(&enumeration->as.array.items[i], value);
    }
    return found;
}

static void check_reference(struct span text, struct schema_finding *finding)
{
    if (text.len == 0 || text.len > REFERENCE_MAX) {
        broken(finding, SCHEMA_RULE_TYPE, "must be the id of a row: a text of 1 to 64 bytes");
    }
}

/* Type alone; also makes the value that is stored. */
static void check_type(const struct schema_field *field, const struct json_value *value, struct schema_finding *finding,
                       struct json_value *stored)
{
    *stored = *value;
    switch (field->type) {
    case SCHEMA_MIXED:
        return;
    case SCHEMA_STRING:
        if (value->type != JSON_STRING) {
            broken(finding, SCHEMA_RULE_TYPE, "must be a string");
        } else if (field->reference.len > 0) {
            check_reference(value->as.text, finding);
        }
        return;
    case SCHEMA_DOUBLE:
        if (!is_number(value)) {
            broken(finding, SCHEMA_RULE_TYPE, "must be a number");
        }
        return;
    case SCHEMA_INT:
    case SCHEMA_LONG:
        if (!is_integral(value)) {
            broken(finding, SCHEMA_RULE_TYPE, "must be an integer");
        } else {
            const double number = number_of(value);
            *stored = (struct json_value){.type = JSON_INT, .as.integer = (int64_t)number};
        }
        return;
    case SCHEMA_BOOL:
        if (value->type != JSON_BOOL) {
            broken(finding, SCHEMA_RULE_TYPE, "must be true or false");
        }
        return;
    case SCHEMA_DATE:
        stored->type = JSON_DATE;
        if (value->type != JSON_STRING || time_parse_iso(value->as.text, &stored->as.date) != ERR_OK) {
            broken(finding, SCHEMA_RULE_TYPE, "must be an ISO 8601 date");
        }
        return;
    case SCHEMA_OBJECT:
        if (value->type != JSON_OBJECT) {
            broken(finding, SCHEMA_RULE_TYPE, "must be an object");
        }
        return;
    case SCHEMA_ARRAY:
        if (value->type != JSON_ARRAY) {
            broken(finding, SCHEMA_RULE_TYPE, "must be an array");
        }
        return;
    }
}

static void check_number(const struct schema_field *field, double number, struct schema_finding *finding)
{
    if (field->has_minimum && number < field->minimum) {
        broken_at(finding, SCHEMA_RULE_MINIMUM, "must be at least", field->minimum);
    } else if (field->has_maximum && number > field->maximum) {
        broken_at(finding, SCHEMA_RULE_MAXIMUM, "must be at most", field->maximum);
    }
}

/* may_skip: an optional text that is empty, which forms submit for "nothing". */
static enum err check_text(const struct schema_scalar *check, struct span text, bool may_skip,
                           struct schema_finding *finding)
{
    const struct schema_field *field = check->field;
    const uint64_t length = span_code_points(text);
    if (field->has_max_length && length > field->max_length) {
        broken_at(finding, SCHEMA_RULE_MAX_LENGTH, "must have no more characters than", (double)field->max_length);
    } else if (!may_skip && field->has_min_length && length < field->min_length) {
        broken_at(finding, SCHEMA_RULE_MIN_LENGTH, "must have no fewer characters than", (double)field->min_length);
    } else if (!may_skip && field->pattern.len > 0) {
        bool match = false;
        TRY(check->matcher->match(field->program, text, check->matcher_work, &match));
        if (!match) {
            broken(finding, SCHEMA_RULE_PATTERN, "does not match its pattern");
        }
    }
    return ERR_OK;
}

enum err schema_check_value(const struct schema_scalar *check, const struct json_value *value,
                            struct schema_finding *out_finding, struct json_value *out_value)
{
    const struct schema_field *field = check->field;
    const bool may_skip = value->type == JSON_STRING && value->as.text.len == 0 && !field->required;
    struct schema_finding finding = {.broken = false};
    struct json_value stored;

    check_type(field, value, &finding, &stored);
    if (!finding.broken && field->type == SCHEMA_STRING) {
        TRY(check_text(check, value->as.text, may_skip, &finding));
    }
    if (!finding.broken && is_number(value)) {
        check_number(field, number_of(value), &finding);
    }
    if (!finding.broken && field->enumeration != NULL && !may_skip && !in_enumeration(field->enumeration, value)) {
        broken(&finding, SCHEMA_RULE_ENUM, "must be one of the allowed values");
    }
    *out_finding = finding;
    if (!finding.broken) {
        *out_value = stored;
    }
    return ERR_OK;
}

/* --- copies --- */

struct copy_frame {
    const struct json_value *from;
    struct json_value *items;    /* of an array */
    struct json_member *members; /* of an object */
    size_t next;
};

/* Copies what a value holds itself; for a filled container makes room and a frame for its content. */
static enum err copy_one(struct arena *arena, const struct json_value *from, struct json_value *to,
                         struct copy_frame *out_frame, bool *out_descend)
{
    void *memory = NULL;
    *to = *from;
    *out_descend = false;
    *out_frame = (struct copy_frame){.from = from};
    if (from->type == JSON_STRING) {
        return arena_copy(arena, from->as.text, &to->as.text);
    }
    if (from->type == JSON_ARRAY && from->as.array.count > 0) {
        TRY(arena_alloc_array(arena, from->as.array.count, sizeof(struct json_value), &memory));
        out_frame->items = memory;
        to->as.array.items = memory;
        *out_descend = true;
    }
    if (from->type == JSON_OBJECT && from->as.object.count > 0) {
        TRY(arena_alloc_array(arena, from->as.object.count, sizeof(struct json_member), &memory));
        out_frame->members = memory;
        to->as.object.members = memory;
        *out_descend = true;
    }
    return ERR_OK;
}

/* The next pair of values to copy, or false when the frame is done. */
static enum err copy_next(struct arena *arena, struct copy_frame *frame, const struct json_value **out_from,
                          struct json_value **out_to)
{
    const size_t at = frame->next;
    *out_from = NULL;
    if (frame->items != NULL && at < frame->from->as.array.count) {
        *out_from = &frame->from->as.array.items[at];
        *out_to = &frame->items[at];
    } else if (frame->members != NULL && at < frame->from->as.object.count) {
        TRY(arena_copy(arena, frame->from->as.object.members[at].name, &frame->members[at].name));
        *out_from = &frame->from->as.object.members[at].value;
        *out_to = &frame->members[at].value;
    }
    frame->next++;
    return ERR_OK;
}

enum err schema_copy_value(struct arena *arena, const struct json_value *value, struct json_value *out_copy)
{
    struct copy_frame frames[JSON_DEPTH_MAX];
    const struct json_value *from = value;
    struct json_value *to = out_copy;
    size_t depth = 0;
    for (;;) {
        bool descend = false;
        struct copy_frame frame;
        TRY(copy_one(arena, from, to, &frame, &descend));
        if (descend) {
            ENSURE(depth < JSON_DEPTH_MAX, ERR_RANGE, "a value nests too deep");
            frames[depth] = frame;
            depth++;
        }
        from = NULL;
        while (depth > 0 && from == NULL) {
            TRY(copy_next(arena, &frames[depth - 1], &from, &to));
            depth -= from == NULL;
        }
        if (from == NULL) {
            return ERR_OK;
        }
    }
}
