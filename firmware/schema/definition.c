/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the JSON definition of a schema to its compiled form.
 *
 * Fields are worked through as a queue: a field that declares properties or items puts them at its end. So nesting costs
 * no stack, and its depth and number are counted where a field is added. Every keyword must be known and fit the type:
 * a misspelt limit is refused, because it would silently not be kept. What the schema needs later (names, enum values,
 * defaults, patterns) is copied into its own arena. */
#include "firmware/schema/schema.h"

#include <string.h>

#include "firmware/schema/schema_int.h"
#include "hal/base/fault.h"

struct pending {
    const struct json_value *definition;
    struct schema_field *field;
    size_t parent; /* position in the queue; SIZE_MAX for the table itself */
    size_t depth;
};

struct builder {
    struct arena *arena;
    const struct schema_matcher *matcher;
    struct pending queue[SCHEMA_NODES_MAX + 1];
    size_t count;
    size_t at; /* being worked on */
    struct schema_problem problem;
};

static void builder_free_scoped(struct builder **builder)
{
    mem_free(*builder);
}

/* Names the field at `at` by walking up: at most SCHEMA_DEPTH_MAX + 1 steps. */
static void put_where(struct builder *b)
{
    const struct schema_field *chain[SCHEMA_DEPTH_MAX + 2];
    size_t count = 0;
    for (size_t at = b->at; at != SIZE_MAX && count < ARRAY_LENGTH(chain); at = b->queue[at].parent) {
        chain[count] = b->queue[at].field;
        count++;
    }
    b->problem.where_len = 0;
    /* The last one is the table itself, which has no name. */
    for (size_t i = count - 1; i > 0; i--) {
        const struct span name = chain[i - 1]->name;
        schema_where_name(b->problem.where, &b->problem.where_len, name.len > 0 ? name : span_lit("items"));
    }
}

static enum err refuse(struct builder *b, const char *why)
{
    put_where(b);
    b->problem.why = why;
    return ERR_MALFORMED;
}

/* Refuses with the name of a member that is not a field (yet). */
static enum err refuse_name(struct builder *b, struct span name, const char *why)
{
    put_where(b);
    schema_where_name(b->problem.where, &b->problem.where_len, name);
    b->problem.why = why;
    return ERR_MALFORMED;
}

static enum err add_pending(struct builder *b, const struct json_value *definition, struct schema_field *field)
{
    const size_t depth = b->queue[b->at].depth + 1;
    if (b->count > SCHEMA_NODES_MAX) {
        return refuse(b, "has too many fields");
    }
    if (depth > SCHEMA_DEPTH_MAX + 1) {
        return refuse(b, "nests too deep");
    }
    b->queue[b->count] = (struct pending){definition, field, b->at, depth};
    b->count++;
    return ERR_OK;
}

/* --- types --- */

struct type_name {
    const char *name;
    enum schema_type type;
};

static const struct type_name type_names[] = {
    {"string", SCHEMA_STRING}, {"number", SCHEMA_DOUBLE}, {"double", SCHEMA_DOUBLE}, {"int", SCHEMA_INT},
    {"integer", SCHEMA_INT},   {"long", SCHEMA_LONG},     {"boolean", SCHEMA_BOOL},  {"bool", SCHEMA_BOOL},
    {"date", SCHEMA_DATE},     {"object", SCHEMA_OBJECT}, {"array", SCHEMA_ARRAY},   {"reference", SCHEMA_STRING},
    {"mixed", SCHEMA_MIXED},
};

static enum err parse_type(struct builder *b, const struct json_value *definition, struct schema_field *field)
{
    const struct json_value *bson = json_find(definition, span_lit("bsonType"));
    const struct json_value *type = bson != NULL ? bson : json_find(definition, span_lit("type"));
    const struct json_value *reference = json_find(definition, span_lit("reference"));
    field->type = SCHEMA_MIXED;
    if (type == NULL) {
        return reference == NULL ? ERR_OK : refuse(b, "has a reference, so its type must be string");
    }
    if (type->type != JSON_STRING) {
        return refuse(b, "must have a text as its type");
    }
    size_t i = 0;
    while (i < ARRAY_LENGTH(type_names) && !span_equal(span_str(type_names[i].name), type->as.text)) {
        i++;
    }
    if (i == ARRAY_LENGTH(type_names)) {
        return refuse(b, "has a type that does not exist");
    }
    field->type = type_names[i].type;
    if (span_equal(type->as.text, span_lit("reference")) && reference == NULL) {
        return refuse(b, "is a reference and must name its table");
    }
    return ERR_OK;
}

/* --- keywords that set a limit --- */

static enum err parse_length(struct builder *b, const struct json_value *value, bool *out_has, uint64_t *out_length)
{
    if (value->type != JSON_INT || value->as.integer < 0) {
        return refuse(b, "must have a length that is a number from 0");
    }
    *out_has = true;
    *out_length = (uint64_t)value->as.integer;
    return ERR_OK;
}

static enum err parse_bound(struct builder *b, const struct json_value *value, bool *out_has, double *out_bound)
{
    if (value->type != JSON_INT && value->type != JSON_DOUBLE) {
        return refuse(b, "must have a number as minimum and maximum");
    }
    *out_has = true;
    *out_bound = value->type == JSON_INT ? (double)value->as.integer : value->as.real;
    return ERR_OK;
}

static enum err parse_flag(struct builder *b, const struct json_value *value, bool *out_flag)
{
    if (value->type != JSON_BOOL) {
        return refuse(b, "must have true or false as its flag");
    }
    *out_flag = value->as.boolean;
    return ERR_OK;
}

static enum err parse_text(struct builder *b, const struct json_value *value, size_t max, struct span *out_text)
{
    if (value->type != JSON_STRING || value->as.text.len > max) {
        return refuse(b, "has a text that is no text or too long");
    }
    return arena_copy(b->arena, value->as.text, out_text);
}

static enum err parse_pattern(struct builder *b, const struct json_value *value, struct schema_field *field)
{
    if (value->type != JSON_STRING || value->as.text.len == 0 || value->as.text.len > SCHEMA_PATTERN_MAX) {
        return refuse(b, "must have a pattern of 1 to 256 bytes");
    }
    TRY(arena_copy(b->arena, value->as.text, &field->pattern));
    const enum err err = b->matcher->compile(b->arena, field->pattern, &field->program);
    if (err == ERR_MALFORMED || err == ERR_UNSUPPORTED || err == ERR_RANGE) {
        return refuse(b, "has a pattern that is not supported");
    }
    return err;
}

static enum err parse_enum(struct builder *b, const struct json_value *value, struct schema_field *field)
{
    if (value->type != JSON_ARRAY || value->as.array.count == 0 || value->as.array.count > SCHEMA_ENUM_MAX) {
        return refuse(b, "must have 1 to 256 values in its enum");
    }
    for (size_t i = 0; i < value->as.array.count; i++) {
        const enum json_type type = value->as.array.items[i].type;
        if (type == JSON_ARRAY || type == JSON_OBJECT) {
            return refuse(b, "must have plain values in its enum");
        }
    }
    void *memory = NULL;
    TRY(arena_alloc(b->arena, sizeof(struct json_value), &memory));
    struct json_value *copy = memory;
    TRY(schema_copy_value(b->arena, value, copy));
    field->enumeration = copy;
    return ERR_OK;
}

static enum err parse_default(struct builder *b, const struct json_value *value, struct schema_field *field)
{
    void *memory = NULL;
    TRY(arena_alloc(b->arena, sizeof(struct json_value), &memory));
    struct json_value *copy = memory;
    TRY(schema_copy_value(b->arena, value, copy));
    field->default_value = copy;
    return ERR_OK;
}

static enum err parse_reference(struct builder *b, const struct json_value *value, struct schema_field *field)
{
    if (value->type != JSON_STRING || value->as.text.len == 0 || value->as.text.len > SCHEMA_NAME_MAX) {
        return refuse(b, "must name a table as its reference");
    }
    return arena_copy(b->arena, value->as.text, &field->reference);
}

/* --- children --- */

/* Adds the fields of a properties object. Names are checked at every level; only the system names are free below the
 * first. */
static enum err parse_properties(struct builder *b, const struct json_value *properties, struct schema_field *field)
{
    void *memory = NULL;
    if (properties->type != JSON_OBJECT) {
        return refuse(b, "must have an object as its properties");
    }
    const size_t count = properties->as.object.count;
    if (count > SCHEMA_FIELDS_MAX) {
        return refuse(b, "has too many fields");
    }
    TRY(arena_alloc_array(b->arena, count, sizeof(struct schema_field), &memory));
    struct schema_field *fields = memory;
    for (size_t i = 0; i < count; i++) {
        const struct json_member *member = &properties->as.object.members[i];
        const bool nested_system = b->at > 0 && schema_is_system_field(member->name);
        if (!schema_field_name_valid(member->name) && !nested_system) {
            return refuse_name(b, member->name, "is not a name that a field can have");
        }
        TRY(arena_copy(b->arena, member->name, &fields[i].name));
        TRY(add_pending(b, &member->value, &fields[i]));
    }
    field->has_fields = true;
    field->fields = fields;
    field->field_count = count;
    return ERR_OK;
}

static struct schema_field *find_new_field(struct builder *b, struct span name)
{
    for (size_t i = b->at + 1; i < b->count; i++) {
        if (b->queue[i].parent == b->at && span_equal(b->queue[i].field->name, name)) {
            return b->queue[i].field;
        }
    }
    return NULL;
}

/* A list of names of the properties beside it. */
static enum err parse_required_list(struct builder *b, const struct json_value *required)
{
    for (size_t i = 0; i < required->as.array.count; i++) {
        const struct json_value *name = &required->as.array.items[i];
        struct schema_field *field = name->type == JSON_STRING ? find_new_field(b, name->as.text) : NULL;
        if (field == NULL) {
            return refuse(b, "requires a field that is not declared");
        }
        field->required = true;
    }
    return ERR_OK;
}

static enum err parse_items(struct builder *b, const struct json_value *items, struct schema_field *field)
{
    void *memory = NULL;
    TRY(arena_alloc(b->arena, sizeof(struct schema_field), &memory));
    field->items = memory;
    return add_pending(b, items, memory);
}

/* --- one field --- */

static enum err parse_keyword(struct builder *b, struct span name, const struct json_value *value,
                              struct schema_field *field)
{
    if (span_equal(name, span_lit("bsonType")) || span_equal(name, span_lit("type")) ||
        span_equal(name, span_lit("properties")) || span_equal(name, span_lit("required"))) {
        return ERR_OK; /* done by parse_type and parse_shape */
    }
    if (span_equal(name, span_lit("items"))) {
        return parse_items(b, value, field);
    }
    if (span_equal(name, span_lit("minLength"))) {
        return parse_length(b, value, &field->has_min_length, &field->min_length);
    }
    if (span_equal(name, span_lit("maxLength"))) {
        return parse_length(b, value, &field->has_max_length, &field->max_length);
    }
    if (span_equal(name, span_lit("minimum")) || span_equal(name, span_lit("min"))) {
        return parse_bound(b, value, &field->has_minimum, &field->minimum);
    }
    if (span_equal(name, span_lit("maximum")) || span_equal(name, span_lit("max"))) {
        return parse_bound(b, value, &field->has_maximum, &field->maximum);
    }
    if (span_equal(name, span_lit("pattern"))) {
        return parse_pattern(b, value, field);
    }
    if (span_equal(name, span_lit("enum"))) {
        return parse_enum(b, value, field);
    }
    if (span_equal(name, span_lit("default"))) {
        return parse_default(b, value, field);
    }
    if (span_equal(name, span_lit("unique"))) {
        return parse_flag(b, value, &field->unique);
    }
    if (span_equal(name, span_lit("description"))) {
        return parse_text(b, value, SCHEMA_TEXT_MAX, &field->description);
    }
    if (span_equal(name, span_lit("reference"))) {
        return parse_reference(b, value, field);
    }
    return refuse_name(b, name, "is not a keyword of a schema");
}

/* properties and required. `required` may also be a flag of the field itself, as the flat form has no list. */
static enum err parse_shape(struct builder *b, const struct json_value *definition, struct schema_field *field)
{
    const struct json_value *properties = json_find(definition, span_lit("properties"));
    const struct json_value *required = json_find(definition, span_lit("required"));
    if (properties != NULL) {
        TRY(parse_properties(b, properties, field));
    }
    if (required != NULL && required->type == JSON_ARRAY) {
        return parse_required_list(b, required);
    }
    if (required != NULL && b->at > 0 && required->type == JSON_BOOL) {
        field->required = field->required || required->as.boolean;
        return ERR_OK;
    }
    return required == NULL ? ERR_OK : refuse(b, "must have a list of names as required");
}

/* Do the keywords fit the type? */
static enum err check_fit(struct builder *b, const struct schema_field *field)
{
    const bool text =
        field->pattern.len > 0 || field->has_min_length || field->has_max_length || field->reference.len > 0;
    const bool number = field->has_minimum || field->has_maximum;
    const bool numeric = field->type == SCHEMA_DOUBLE || field->type == SCHEMA_INT || field->type == SCHEMA_LONG;
    const bool container = field->type == SCHEMA_OBJECT || field->type == SCHEMA_ARRAY;
    if ((text && field->type != SCHEMA_STRING) || (number && !numeric) ||
        (field->has_fields && field->type != SCHEMA_OBJECT) || (field->items != NULL && field->type != SCHEMA_ARRAY) ||
        (field->enumeration != NULL && (container || field->type == SCHEMA_DATE))) {
        return refuse(b, "has a keyword that does not fit its type");
    }
    if (field->unique && (b->queue[b->at].parent != 0 || container || field->name.len == 0)) {
        return refuse(b, "cannot be unique");
    }
    if ((field->has_min_length && field->has_max_length && field->min_length > field->max_length) ||
        (field->has_minimum && field->has_maximum && field->minimum > field->maximum)) {
        return refuse(b, "has limits that no value can keep");
    }
    return ERR_OK;
}

/* Would the default and the values of the enum be accepted in a row? Patterns are left to the row: they need steps. */
static enum err check_own_values(struct builder *b, const struct schema_field *field)
{
    struct schema_field plain = *field;
    const struct schema_scalar check = {.field = &plain, .matcher = b->matcher};
    struct schema_finding finding = {.broken = false};
    struct json_value stored;
    plain.pattern = SPAN_NONE;
    if (field->default_value != NULL && field->default_value->type != JSON_NULL) {
        TRY(schema_check_value(&check, field->default_value, &finding, &stored));
        if (finding.broken) {
            return refuse(b, "has a default that it would not accept");
        }
    }
    plain.enumeration = NULL;
    for (size_t i = 0; field->enumeration != NULL && i < field->enumeration->as.array.count; i++) {
        const struct json_value *value = &field->enumeration->as.array.items[i];
        if (value->type == JSON_NULL) {
            continue;
        }
        TRY(schema_check_value(&check, value, &finding, &stored));
        if (finding.broken) {
            return refuse(b, "has an enum value that it would not accept");
        }
    }
    return ERR_OK;
}

static enum err parse_field(struct builder *b)
{
    const struct json_value *definition = b->queue[b->at].definition;
    struct schema_field *field = b->queue[b->at].field;
    if (definition->type != JSON_OBJECT) {
        return refuse(b, "must be described by an object");
    }
    TRY(parse_type(b, definition, field));
    TRY(parse_shape(b, definition, field));
    for (size_t i = 0; i < definition->as.object.count; i++) {
        const struct json_member *member = &definition->as.object.members[i];
        TRY(parse_keyword(b, member->name, &member->value, field));
    }
    TRY(check_fit(b, field));
    return check_own_values(b, field);
}

/* The full form has members that are no descriptions of fields. */
static bool is_full_form(const struct json_value *definition)
{
    const struct json_value *bson = json_find(definition, span_lit("bsonType"));
    const struct json_value *type = json_find(definition, span_lit("type"));
    const struct json_value *required = json_find(definition, span_lit("required"));
    const struct json_value *properties = json_find(definition, span_lit("properties"));
    const bool typed = (bson != NULL && bson->type == JSON_STRING) || (type != NULL && type->type == JSON_STRING);
    const bool listed = required != NULL && required->type == JSON_ARRAY;
    const bool alone = properties != NULL && definition->as.object.count == 1 &&
                       json_find(properties, span_lit("bsonType")) == NULL &&
                       json_find(properties, span_lit("type")) == NULL;
    return typed || listed || alone;
}

static enum err parse_root(struct builder *b, const struct json_value *definition, struct schema_field *root)
{
    root->type = SCHEMA_OBJECT;
    root->has_fields = true;
    if (definition == NULL || definition->type == JSON_NULL) {
        return ERR_OK;
    }
    if (definition->type != JSON_OBJECT) {
        return refuse(b, "must be an object");
    }
    if (!is_full_form(definition)) {
        return parse_properties(b, definition, root);
    }
    TRY(parse_type(b, definition, root));
    if (root->type != SCHEMA_OBJECT && root->type != SCHEMA_MIXED) {
        return refuse(b, "must describe an object");
    }
    root->type = SCHEMA_OBJECT;
    for (size_t i = 0; i < definition->as.object.count; i++) {
        const struct span name = definition->as.object.members[i].name;
        if (!span_equal(name, span_lit("bsonType")) && !span_equal(name, span_lit("type")) &&
            !span_equal(name, span_lit("required")) && !span_equal(name, span_lit("properties"))) {
            return refuse_name(b, name, "is not a keyword of a schema");
        }
    }
    return parse_shape(b, definition, root);
}

/* Keeps the definitions of the table's own fields, which stand at the front of the queue. */
static enum err keep_definitions(struct builder *b, struct schema *schema)
{
    void *memory = NULL;
    TRY(arena_alloc_array(b->arena, schema->root.field_count, sizeof(struct json_value), &memory));
    struct json_value *definitions = memory;
    for (size_t i = 0; i < schema->root.field_count; i++) {
        TRY(schema_copy_value(b->arena, b->queue[i + 1].definition, &definitions[i]));
    }
    schema->definitions = definitions;
    return ERR_OK;
}

static enum err build(struct builder *b, const struct json_value *definition, struct span ids, struct schema *schema)
{
    b->queue[0] = (struct pending){definition, &schema->root, SIZE_MAX, 0};
    b->count = 1;
    TRY(parse_root(b, definition, &schema->root));
    for (b->at = 1; b->at < b->count; b->at++) {
        TRY(parse_field(b));
    }
    b->at = 0;
    TRY(keep_definitions(b, schema));
    struct schema_field *fields =
        b->count > 1 ? b->queue[1].field : NULL; /* the table's fields come first, in one array */
    return schema_assign_ids(b->arena, ids, fields, schema->root.field_count, &schema->ids);
}

enum err schema_new(const struct json_value *definition, struct span ids, const struct schema_matcher *matcher,
                    struct schema **out_schema, struct schema_problem *out_problem)
{
    SCOPED_ARENA struct arena *arena = NULL;
    SCOPED(builder_free_scoped) struct builder *b = NULL;
    void *memory = NULL;

    TRY(arena_new(0, SCHEMA_BYTES_MAX, &arena));
    TRY(mem_alloc(sizeof(*b), &memory));
    b = memory;
    b->arena = arena;
    b->matcher = matcher;
    TRY(arena_alloc(arena, sizeof(struct schema), &memory));
    struct schema *schema = memory;
    schema->matcher = matcher;
    const enum err err = build(b, definition, ids, schema);
    if (err == ERR_MALFORMED) {
        *out_problem = b->problem;
    }
    TRY(err);
    schema->arena = TAKE(arena);
    *out_schema = schema;
    return ERR_OK;
}
