/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A body against its schema: finds every violation (up to a bound) and builds the row that is stored.
 *
 * The body is walked together with the schema, on an explicit stack no deeper than a schema can nest. A declared object
 * or array is built anew; what the schema says nothing about is shared with the body. In each object the members of the
 * body come first, then the declared fields that are missing: they are required, have a default, or stay away. */
#include "firmware/schema/schema.h"

#include <stdio.h>
#include <string.h>

#include "firmware/schema/schema_int.h"
#include "hal/base/fault.h"
#include "hal/base/num.h"

#define EXTRA_NAME_MAX 255 /* bytes of an undeclared name: longer than any a program uses */

struct frame {
    const struct schema_field *field;
    const struct json_value *source;
    struct json_member *members; /* of the object being built */
    struct json_value *items;    /* of the array being built */
    size_t count;                /* built so far */
    size_t next;                 /* of the source, then of the declared fields */
    size_t where_len;            /* of the path to this frame */
    struct json_value *target;   /* where the finished value goes */
};

struct walk {
    const struct schema_check *check;
    struct schema_report *report;
    struct frame frames[SCHEMA_DEPTH_MAX + 2];
    size_t depth;
    char where[SCHEMA_WHERE_MAX];
    size_t where_len;
};

static const char *const rule_names[] = {"required", "type",  "pattern", "minLength", "maxLength", "minimum", "maximum",
                                         "enum",     "items", "unknown", "name",      "json",      "test"};
_Static_assert(ARRAY_LENGTH(rule_names) == SCHEMA_RULE_TEST + 1, "every rule has a name");

const char *schema_rule_name(enum schema_rule rule)
{
    INVARIANT((size_t)rule < ARRAY_LENGTH(rule_names));
    return rule_names[rule];
}

static void report(struct walk *walk, const struct schema_finding *finding)
{
    if (walk->report->count == SCHEMA_VIOLATIONS_MAX) {
        return;
    }
    struct schema_violation *violation = &walk->report->items[walk->report->count];
    walk->report->count++;
    violation->rule = finding->rule;
    memcpy(violation->field, walk->where, walk->where_len);
    violation->field_len = walk->where_len;
    const int len = finding->has_number
                        ? snprintf(violation->reason, SCHEMA_REASON_MAX, "%s %.15g", finding->reason, finding->number)
                        : snprintf(violation->reason, SCHEMA_REASON_MAX, "%s", finding->reason);
    violation->reason_len = len < 0 ? 0 : num_min((size_t)len, SCHEMA_REASON_MAX - 1);
}

static void report_rule(struct walk *walk, enum schema_rule rule, const char *reason)
{
    const struct schema_finding finding = {.broken = true, .rule = rule, .reason = reason};
    report(walk, &finding);
}

static bool is_system(const struct walk *walk, struct span name)
{
    return walk->depth == 1 && schema_is_system_field(name);
}

/* Makes room for what a container will hold and puts it on the stack. */
static enum err descend(struct walk *walk, const struct schema_field *field, const struct json_value *source,
                        struct json_value *target)
{
    struct frame *frame = &walk->frames[walk->depth];
    void *memory = NULL;
    INVARIANT(walk->depth < ARRAY_LENGTH(walk->frames)); /* schema_new bounds the nesting */
    *frame = (struct frame){.field = field, .source = source, .where_len = walk->where_len, .target = target};
    if (source->type == JSON_OBJECT) {
        const size_t most = source->as.object.count + field->field_count;
        TRY(arena_alloc_array(walk->check->arena, most, sizeof(struct json_member), &memory));
        frame->members = memory;
    } else {
        TRY(arena_alloc_array(walk->check->arena, source->as.array.count, sizeof(struct json_value), &memory));
        frame->items = memory;
    }
    walk->depth++;
    return ERR_OK;
}

static bool has_inside(const struct schema_field *field)
{
    return (field->type == SCHEMA_OBJECT && field->has_fields) || (field->type == SCHEMA_ARRAY && field->items != NULL);
}

/* One value of a declared field or item, not null: checks it and stores it at `target`. */
static enum err take_value(struct walk *walk, const struct schema_field *field, const struct json_value *value,
                           struct json_value *target)
{
    const struct schema_scalar scalar = {
        .field = field, .matcher = walk->check->schema->matcher, .matcher_work = walk->check->matcher_work};
    struct schema_finding finding = {.broken = false};
    TRY(schema_check_value(&scalar, value, &finding, target));
    if (finding.broken) {
        /* A list whose element is of the wrong type breaks the list's rule. */
        finding.rule = field->name.len == 0 && finding.rule == SCHEMA_RULE_TYPE ? SCHEMA_RULE_ITEMS : finding.rule;
        report(walk, &finding);
        return ERR_OK;
    }
    if (value->type == JSON_OBJECT && field->has_fields && value->as.object.count > SCHEMA_MEMBERS_MAX) {
        report_rule(walk, SCHEMA_RULE_JSON, "has too many members");
        return ERR_OK;
    }
    return has_inside(field) ? descend(walk, field, value, target) : ERR_OK;
}

static struct json_value *append_member(struct frame *frame, struct span name)
{
    struct json_member *member = &frame->members[frame->count];
    frame->count++;
    member->name = name;
    member->value.type = JSON_NULL;
    return &member->value;
}

static bool extra_name_valid(struct span name)
{
    return name.len > 0 && name.len <= EXTRA_NAME_MAX && name.data[0] != '$' && span_find(name, '.') == name.len;
}

static void take_extra(struct walk *walk, struct frame *frame, const struct json_member *member)
{
    if (!extra_name_valid(member->name)) {
        report_rule(walk, SCHEMA_RULE_NAME, "is not a name that a field can have");
        return;
    }
    switch (walk->check->additional) {
    case SCHEMA_EXTRA_ALLOW:
        *append_member(frame, member->name) = member->value;
        return;
    case SCHEMA_EXTRA_STRIP:
        return;
    case SCHEMA_EXTRA_REJECT:
        report_rule(walk, SCHEMA_RULE_UNKNOWN, "is not a declared field");
        return;
    }
}

/* The next member of the body. */
static enum err take_member(struct walk *walk, struct frame *frame, const struct json_member *member)
{
    const struct schema_field *field = schema_child(frame->field, member->name);
    if (is_system(walk, member->name)) {
        return ERR_OK;
    }
    schema_where_name(walk->where, &walk->where_len, member->name);
    if (field == NULL) {
        take_extra(walk, frame, member);
        return ERR_OK;
    }
    if (member->value.type != JSON_NULL) {
        return take_value(walk, field, &member->value, append_member(frame, member->name));
    }
    if (field->required) {
        report_rule(walk, SCHEMA_RULE_REQUIRED, "is required");
    } else {
        (void)append_member(frame, member->name);
    }
    return ERR_OK;
}

/* A declared field that the body may lack. A patch does not look for what it did not send. */
static enum err take_absent(struct walk *walk, struct frame *frame, const struct schema_field *field)
{
    const bool patch_root = walk->check->mode == SCHEMA_PATCH && walk->depth == 1;
    if (patch_root || json_find(frame->source, field->name) != NULL) {
        return ERR_OK;
    }
    schema_where_name(walk->where, &walk->where_len, field->name);
    const bool use_default = walk->check->mode == SCHEMA_CREATE && field->default_value != NULL;
    if (use_default && field->default_value->type != JSON_NULL) {
        return take_value(walk, field, field->default_value, append_member(frame, field->name));
    }
    if (field->required) {
        report_rule(walk, SCHEMA_RULE_REQUIRED, "is required");
    } else if (use_default) {
        (void)append_member(frame, field->name);
    }
    return ERR_OK;
}

static void put_index(struct walk *walk, size_t index)
{
    char digits[24];
    const int len = snprintf(digits, sizeof(digits), "%zu", index);
    schema_where_name(walk->where, &walk->where_len, span_of(digits, len < 0 ? 0 : (size_t)len));
}

/* The next step of the innermost container; out_done when there is none. */
static enum err step(struct walk *walk, bool *out_done)
{
    struct frame *frame = &walk->frames[walk->depth - 1];
    const size_t at = frame->next;
    walk->where_len = frame->where_len;
    frame->next++;
    *out_done = false;
    if (frame->items != NULL || frame->source->type == JSON_ARRAY) {
        if (at < frame->source->as.array.count) {
            put_index(walk, at);
            frame->count++;
            return take_value(walk, frame->field->items, &frame->source->as.array.items[at], &frame->items[at]);
        }
    } else if (at < frame->source->as.object.count) {
        return take_member(walk, frame, &frame->source->as.object.members[at]);
    } else if (at - frame->source->as.object.count < frame->field->field_count) {
        return take_absent(walk, frame, &frame->field->fields[at - frame->source->as.object.count]);
    }
    *out_done = true;
    return ERR_OK;
}

static void finish(struct walk *walk)
{
    struct frame *frame = &walk->frames[walk->depth - 1];
    walk->depth--;
    if (frame->source->type == JSON_ARRAY) {
        *frame->target = (struct json_value){.type = JSON_ARRAY};
        frame->target->as.array.items = frame->items;
        frame->target->as.array.count = frame->count;
    } else {
        *frame->target = (struct json_value){.type = JSON_OBJECT};
        frame->target->as.object.members = frame->members;
        frame->target->as.object.count = frame->count;
    }
}

static enum err walk_body(struct walk *walk, const struct json_value *body, struct json_value *row)
{
    if (body->type != JSON_OBJECT) {
        schema_where_put(walk->where, &walk->where_len, span_lit("body"));
        report_rule(walk, SCHEMA_RULE_JSON, "must be a JSON object");
        return ERR_OK;
    }
    if (body->as.object.count > SCHEMA_MEMBERS_MAX) {
        schema_where_put(walk->where, &walk->where_len, span_lit("body"));
        report_rule(walk, SCHEMA_RULE_JSON, "has too many members");
        return ERR_OK;
    }
    TRY(descend(walk, &walk->check->schema->root, body, row));
    while (walk->depth > 0 && walk->report->count < SCHEMA_VIOLATIONS_MAX) {
        bool done = false;
        TRY(step(walk, &done));
        if (done) {
            finish(walk);
        }
    }
    return ERR_OK;
}

enum err schema_check(const struct schema_check *check, const struct json_value *body, struct json_value *out_row,
                      struct schema_report *out_report)
{
    void *memory = NULL;
    struct json_value row = {.type = JSON_NULL};
    TRY(arena_alloc(check->arena, sizeof(struct walk), &memory));
    struct walk *walk = memory;
    TRY(arena_alloc(check->arena, sizeof(struct schema_report), &memory));
    walk->report = memory;
    walk->check = check;
    TRY(walk_body(walk, body, &row));
    if (walk->report->count > 0) {
        *out_report = *walk->report;
        FAIL(ERR_MALFORMED, "the body breaks the schema", walk->report->count);
    }
    *out_row = row;
    return ERR_OK;
}

static size_t put_text(char *out_text, size_t at, struct span text)
{
    memcpy(out_text + at, text.data, text.len);
    return at + text.len;
}

size_t schema_violation_detail(const struct schema_violation *violation, char out_text[SCHEMA_MESSAGE_MAX])
{
    size_t len = put_text(out_text, 0, span_of(violation->field, violation->field_len));
    len = put_text(out_text, len, span_lit(" "));
    return put_text(out_text, len, span_of(violation->reason, violation->reason_len));
}

size_t schema_violation_message(const struct schema_violation *violation, char out_text[SCHEMA_MESSAGE_MAX])
{
    const size_t prefix = put_text(out_text, 0, span_lit("Validation failed: "));
    size_t len = put_text(out_text, prefix, span_of(violation->field, violation->field_len));
    len = put_text(out_text, len, span_lit(" "));
    return put_text(out_text, len, span_of(violation->reason, violation->reason_len));
}
