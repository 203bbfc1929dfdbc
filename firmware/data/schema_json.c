/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Schemas, policies and scopes written as JSON, in one canonical order. A schema is walked with a stack no deeper than a
 * schema nests. */
#include "firmware/data/schema_json.h"

#include "firmware/data/regex.h"
#include "hal/base/fault.h"

/* --- the matcher of schemas --- */

static enum err matcher_compile(struct arena *arena, struct span pattern, const void **out_program)
{
    const struct regex *regex = NULL;
    TRY(regex_compile(arena, pattern, REGEX_CASE_SENSITIVE, &regex));
    *out_program = regex;
    return ERR_OK;
}

static enum err matcher_match(const void *program, struct span text, void *work, bool *out_match)
{
    return regex_match(program, text, work, out_match);
}

const struct schema_matcher schema_json_matcher = {.compile = matcher_compile, .match = matcher_match};

/* --- schemas --- */

enum dialect { BSON, OPENAPI };

/* A schema that is being written: for whom (NULL: everybody who asks may read all of it), and in whose words. */
struct schema_writer {
    struct json_out *out;
    const struct rls_bound *reader;
    enum dialect dialect;
};

/* The name that the type is emitted by; mixed has none. Contract 4.5. */
static const char *bson_name(enum schema_type type)
{
    switch (type) {
    case SCHEMA_MIXED:
        return NULL;
    case SCHEMA_STRING:
        return "string";
    case SCHEMA_DOUBLE:
        return "double";
    case SCHEMA_INT:
        return "int";
    case SCHEMA_LONG:
        return "long";
    case SCHEMA_BOOL:
        return "bool";
    case SCHEMA_DATE:
        return "date";
    case SCHEMA_OBJECT:
        return "object";
    case SCHEMA_ARRAY:
        return "array";
    }
    return NULL;
}

static const char *openapi_name(enum schema_type type)
{
    switch (type) {
    case SCHEMA_MIXED:
        return NULL;
    case SCHEMA_STRING:
    case SCHEMA_DATE:
        return "string";
    case SCHEMA_DOUBLE:
        return "number";
    case SCHEMA_INT:
    case SCHEMA_LONG:
        return "integer";
    case SCHEMA_BOOL:
        return "boolean";
    case SCHEMA_OBJECT:
        return "object";
    case SCHEMA_ARRAY:
        return "array";
    }
    return NULL;
}

static void write_type(const struct schema_writer *writer, enum schema_type type)
{
    const bool bson = writer->dialect == BSON;
    const char *name = bson ? bson_name(type) : openapi_name(type);
    if (name != NULL) {
        json_out_member_text(writer->out, bson ? span_lit("bsonType") : span_lit("type"), span_str(name));
    }
    if (!bson && type == SCHEMA_DATE) {
        json_out_member_text(writer->out, span_lit("format"), span_lit("date-time"));
    }
}

/* A bound as the shortest number: an integer where it is one. */
static void write_number(struct json_out *out, const char *name, double number)
{
    json_out_name(out, span_str(name));
    json_out_double(out, number);
}

static void write_limits(struct json_out *out, const struct schema_field *field)
{
    if (field->has_min_length) {
        json_out_member_int(out, span_lit("minLength"), (int64_t)field->min_length);
    }
    if (field->has_max_length) {
        json_out_member_int(out, span_lit("maxLength"), (int64_t)field->max_length);
    }
    if (field->has_minimum) {
        write_number(out, "minimum", field->minimum);
    }
    if (field->has_maximum) {
        write_number(out, "maximum", field->maximum);
    }
    if (field->pattern.len > 0) {
        json_out_member_text(out, span_lit("pattern"), field->pattern);
    }
}

/* Everything of a field but its children. */
static void write_plain(const struct schema_writer *writer, const struct schema_field *field)
{
    struct json_out *out = writer->out;
    write_type(writer, field->type);
    if (field->reference.len > 0 && writer->dialect == BSON) {
        json_out_member_text(out, span_lit("reference"), field->reference);
    }
    write_limits(out, field);
    if (field->enumeration != NULL) {
        json_out_name(out, span_lit("enum"));
        json_out_value(out, field->enumeration);
    }
    if (field->default_value != NULL) {
        json_out_name(out, span_lit("default"));
        json_out_value(out, field->default_value);
    }
    if (field->unique && writer->dialect == BSON) {
        json_out_member_bool(out, span_lit("unique"), true);
    }
    if (field->description.len > 0) {
        json_out_member_text(out, span_lit("description"), field->description);
    }
}

/* Fields inside others go with the column that they are in. */
static bool is_shown(const struct rls_bound *reader, const struct schema_field *field)
{
    if (reader == NULL || field->column == 0) {
        return true;
    }
    const enum rls_verdict verdict = rls_column(reader, field->name, RLS_COLUMN_READ);
    return verdict == RLS_ALLOW || verdict == RLS_OWNER;
}

static void write_required(const struct schema_writer *writer, const struct schema_field *fields, size_t count)
{
    bool any = writer->dialect == BSON; /* OpenAPI 3.0 has no empty list of them */
    for (size_t i = 0; i < count; i++) {
        any = any || (fields[i].required && is_shown(writer->reader, &fields[i]));
    }
    if (!any) {
        return;
    }
    json_out_name(writer->out, span_lit("required"));
    json_out_array(writer->out);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].required && is_shown(writer->reader, &fields[i])) {
            json_out_text(writer->out, fields[i].name);
        }
    }
    json_out_array_end(writer->out);
}

/* Fields that are being written: of an object, or the items of an array. */
struct level {
    const struct schema_field *fields;
    size_t count;
    size_t next;
    bool items;
};

/* Opens the children of a field, if it has any. */
static bool open_children(const struct schema_writer *writer, const struct schema_field *field, struct level *out_level)
{
    struct json_out *out = writer->out;
    if (field->items != NULL) {
        json_out_name(out, span_lit("items"));
        *out_level = (struct level){.fields = field->items, .count = 1, .items = true};
        return true;
    }
    if (field->has_fields) {
        write_required(writer, field->fields, field->field_count);
        json_out_name(out, span_lit("properties"));
        json_out_object(out);
        *out_level = (struct level){.fields = field->fields, .count = field->field_count};
        return true;
    }
    if (field->type == SCHEMA_ARRAY && writer->dialect == OPENAPI) { /* which knows no list without them */
        json_out_name(out, span_lit("items"));
        json_out_object(out);
        json_out_object_end(out);
    }
    return false;
}

static void write_levels(const struct schema_writer *writer, struct level *levels)
{
    struct json_out *out = writer->out;
    size_t depth = 1;
    while (depth > 0) {
        struct level *level = &levels[depth - 1];
        if (level->next == level->count) {
            if (!level->items) {
                json_out_object_end(out);
            }
            json_out_object_end(out); /* of the field that has these children */
            depth--;
            continue;
        }
        const struct schema_field *field = &level->fields[level->next];
        level->next++;
        if (!is_shown(writer->reader, field)) {
            continue;
        }
        if (!level->items) {
            json_out_name(out, field->name);
        }
        json_out_object(out);
        write_plain(writer, field);
        INVARIANT(depth < SCHEMA_DEPTH_MAX + 2); /* schema_new bounds the nesting */
        if (open_children(writer, field, &levels[depth])) {
            depth++;
        } else {
            json_out_object_end(out);
        }
    }
}

static void write_system_field(struct json_out *out, struct span name, bool instant)
{
    json_out_name(out, name);
    json_out_object(out);
    json_out_member_text(out, span_lit("type"), span_lit("string"));
    if (instant) {
        json_out_member_text(out, span_lit("format"), span_lit("date-time"));
    }
    json_out_member_bool(out, span_lit("readOnly"), true);
    json_out_object_end(out);
}

static void write_root(const struct schema_writer *writer, const struct schema *schema)
{
    struct level levels[SCHEMA_DEPTH_MAX + 2];
    struct schema_field root = {.type = SCHEMA_OBJECT, .has_fields = true};
    root.fields = schema_fields(schema, &root.field_count);
    json_out_object(writer->out);
    write_plain(writer, &root);
    (void)open_children(writer, &root, &levels[0]);
    if (writer->dialect == OPENAPI) {
        write_system_field(writer->out, span_lit("id"), false);
        write_system_field(writer->out, span_lit("createdBy"), false);
        write_system_field(writer->out, span_lit("createdAt"), true);
        write_system_field(writer->out, span_lit("updatedAt"), true);
    }
    write_levels(writer, levels);
}

void schema_json_write(struct json_out *out, const struct schema *schema, const struct rls_bound *reader)
{
    write_root(&(struct schema_writer){out, reader, BSON}, schema);
}

void schema_json_write_openapi(struct json_out *out, const struct schema *schema, const struct rls_bound *reader)
{
    write_root(&(struct schema_writer){out, reader, OPENAPI}, schema);
}

/* --- policies and scopes --- */

static enum rls_right shown_right(const struct rls_policy *policy, enum rls_subject subject, enum rls_op op)
{
    return rls_policy_configured(policy) ? rls_policy_right(policy, subject, op) : rls_default_right(subject, op);
}

static bool shown_subject(const struct rls_policy *policy, enum rls_subject subject)
{
    return rls_policy_configured(policy) ? rls_policy_has_subject(policy, subject) : subject != RLS_SUBJECT_SELF;
}

void policy_json_write_permissions(struct json_out *out, const struct rls_policy *policy, enum policy_json_unset unset)
{
    if (!rls_policy_configured(policy) && unset == POLICY_JSON_NULL) {
        json_out_null(out);
        return;
    }
    json_out_object(out);
    for (unsigned int s = 0; s < RLS_SUBJECTS; s++) {
        const enum rls_subject subject = (enum rls_subject)s;
        if (!shown_subject(policy, subject)) {
            continue;
        }
        json_out_name(out, span_str(rls_subject_name(subject)));
        json_out_object(out);
        for (unsigned int op = 0; op < RLS_OPS; op++) {
            const enum rls_right right = shown_right(policy, subject, (enum rls_op)op);
            if (right != RLS_UNSET) {
                json_out_member_bool(out, span_str(rls_op_name((enum rls_op)op)), right == RLS_YES);
            }
        }
        json_out_object_end(out);
    }
    json_out_object_end(out);
}

static void write_expressions(struct json_out *out, const struct rls_policy *policy)
{
    json_out_name(out, span_lit("expressionPermissions"));
    if (!rls_policy_has_expressions(policy)) {
        json_out_null(out);
        return;
    }
    json_out_object(out);
    for (unsigned int op = 0; op < RLS_OPS; op++) {
        const struct span source = rls_policy_expression(policy, (enum rls_op)op);
        if (source.len > 0) {
            json_out_member_text(out, span_str(rls_op_name((enum rls_op)op)), source);
        }
    }
    json_out_object_end(out);
}

static void write_columns(struct json_out *out, const struct rls_policy *policy)
{
    json_out_name(out, span_lit("columnPermissions"));
    if (!rls_policy_has_columns(policy)) {
        json_out_null(out);
        return;
    }
    json_out_object(out);
    for (size_t i = 0; i < rls_column_count(policy); i++) {
        const struct span read = rls_column_source(policy, i, RLS_COLUMN_READ);
        const struct span write = rls_column_source(policy, i, RLS_COLUMN_WRITE);
        json_out_name(out, rls_column_name(policy, i));
        json_out_object(out);
        if (read.len > 0) {
            json_out_member_text(out, span_lit("read"), read);
        }
        if (write.len > 0) {
            json_out_member_text(out, span_lit("write"), write);
        }
        json_out_object_end(out);
    }
    json_out_object_end(out);
}

static void write_filters(struct json_out *out, const struct rls_policy *policy)
{
    json_out_name(out, span_lit("rowFilters"));
    if (!rls_policy_has_filters(policy)) {
        json_out_null(out);
        return;
    }
    json_out_array(out);
    for (size_t i = 0; i < rls_filter_count(policy); i++) {
        json_out_object(out);
        json_out_member_text(out, span_lit("expression"), rls_filter_source(policy, i));
        json_out_name(out, span_lit("filter"));
        json_out_raw(out, rls_filter_text(policy, i));
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

void policy_json_write_rules(struct json_out *out, const struct rls_policy *policy)
{
    write_expressions(out, policy);
    write_columns(out, policy);
    write_filters(out, policy);
}

enum err policy_json_text(struct buf *out, const struct json_value *value)
{
    struct json_out text;
    json_out_init(&text, out);
    json_out_value(&text, value);
    return json_out_finish(&text);
}

static void write_word(struct json_out *out, const char *name, const char *word)
{
    json_out_member_text(out, span_str(name), span_str(word));
}

static const char *filter_scope_word(enum rls_filter_scope scope)
{
    return scope == RLS_FILTER_LIST ? "list" : scope == RLS_FILTER_READ ? "read" : "all";
}

static const char *additional_word(enum rls_additional fields)
{
    return fields == RLS_FIELDS_ALLOW ? "allow" : fields == RLS_FIELDS_STRIP ? "strip" : "reject";
}

static void write_flags(struct json_out *out, const struct rls_settings *settings, uint32_t set)
{
    if (set & RLS_SET_REQUIRE_EXPLICIT) {
        json_out_member_bool(out, span_lit("requireExplicitPolicy"), settings->require_explicit);
    }
    if (set & RLS_SET_POLICY_IN_SPEC) {
        json_out_member_bool(out, span_lit("policyInSpec"), settings->policy_in_spec);
    }
    if (set & RLS_SET_AUDIT_READS) {
        json_out_member_bool(out, span_lit("auditReads"), settings->audit_reads);
    }
    if ((set & RLS_SET_MAX_ROWS_PER_OWNER) && settings->max_rows_per_owner == 0) {
        json_out_member_null(out, span_lit("maxRowsPerOwner"));
    } else if (set & RLS_SET_MAX_ROWS_PER_OWNER) {
        json_out_member_int(out, span_lit("maxRowsPerOwner"), settings->max_rows_per_owner);
    }
}

void policy_json_write_security(struct json_out *out, const struct rls_policy *policy)
{
    const uint32_t set = rls_policy_settings_set(policy);
    const struct rls_settings settings = rls_policy_settings(policy, RLS_COMPAT);
    json_out_object(out);
    if (set & RLS_SET_ROW_FILTER_SCOPE) {
        write_word(out, "rowFilterScope", filter_scope_word(settings.row_filter_scope));
    }
    if (set & RLS_SET_NO_MATCH) {
        write_word(out, "rowFilterNoMatch", settings.no_match_allows ? "allow" : "deny");
    }
    if (set & RLS_SET_FORBIDDEN_ROWS) {
        write_word(out, "forbiddenRows", settings.forbidden_is_absent ? "404" : "403");
    }
    if (set & RLS_SET_GUEST_ACCESS) {
        write_word(out, "guestAccess", settings.guest_off ? "off" : "policy");
    }
    if (set & RLS_SET_ADDITIONAL_FIELDS) {
        write_word(out, "additionalFields", additional_word(settings.fields));
    }
    if (set & RLS_SET_WRITE_RESPONSE) {
        write_word(out, "writeResponse", settings.write_minimal ? "minimal" : "full");
    }
    write_flags(out, &settings, set);
    json_out_object_end(out);
}

void scope_json_write(struct json_out *out, struct span compiled)
{
    char text[SCOPE_TEXT_MAX];
    size_t cursor = 0;
    size_t len = 0;
    if (scope_is_null(compiled)) {
        json_out_null(out);
        return;
    }
    json_out_array(out);
    while (scope_next(compiled, &cursor, text, &len)) {
        json_out_text(out, span_of(text, len));
    }
    json_out_array_end(out);
}
