/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spec and openapi of a table: contract 4.7. Both are written from the schema as it is now; what the requester may not
 * read even on own rows is in neither, and a policy of other kinds than permissions is for administrators alone. */
#include "firmware/data/access.h"
#include "firmware/data/data_int.h"
#include "firmware/data/schema_json.h"
#include "hal/base/fault.h"

static bool is_admin(const struct data_access *access)
{
    return access->rls.who.group == RLS_ADMIN;
}

static bool is_readable(const struct data_access *access, struct span field)
{
    const struct span top = span_of(field.data, span_find(field, '.'));
    const enum rls_verdict verdict = rls_column(&access->rls, top, RLS_COLUMN_READ);

    return verdict == RLS_ALLOW || verdict == RLS_OWNER;
}

/* --- spec --- */

static void write_index(struct json_out *out, struct span name, struct span key, int64_t direction)
{
    json_out_object(out);
    json_out_member_text(out, span_lit("name"), name);
    json_out_name(out, span_lit("key"));
    json_out_object(out);
    json_out_member_int(out, key, direction);
    json_out_object_end(out);
    json_out_member_bool(out, span_lit("unique"), span_equal(key, span_lit("id")));
    json_out_member_bool(out, span_lit("sparse"), false);
    json_out_object_end(out);
}

static bool index_is_readable(const struct data_access *access, const struct catalog_index *index)
{
    for (size_t i = 0; i < index->def.field_count; i++) {
        if (!is_readable(access, index->fields[i])) {
            return false;
        }
    }
    return true;
}

static void write_indexes(struct json_out *out, const struct data_access *access)
{
    const struct catalog_table *table = access->table;

    json_out_name(out, span_lit("indexes"));
    json_out_array(out);
    write_index(out, span_lit("_id_"), span_lit("id"), 1);
    write_index(out, span_lit("idx_createdAt_desc"), span_lit("createdAt"), -1);
    write_index(out, span_lit("idx_updatedAt_desc"), span_lit("updatedAt"), -1);
    write_index(out, span_lit("idx_createdBy"), span_lit("createdBy"), 1);
    for (size_t i = 0; i < table->index_count; i++) {
        const struct catalog_index *index = &table->indexes[i];
        if (!index_is_readable(access, index)) {
            continue;
        }
        json_out_object(out);
        index_write_definition(out, index, span_lit("key"));
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

static void write_schema(struct json_out *out, const struct data_access *access)
{
    schema_json_write(out, access->table->schema, is_admin(access) ? NULL : &access->rls);
}

enum err data_write_spec(const struct data_request *request)
{
    const struct data_access *access = request->access;
    struct json_out out;

    json_out_init(&out, request->out);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("tableName"), access->table->record.name);
    json_out_name(&out, span_lit("schema"));
    write_schema(&out, access);
    write_indexes(&out, access);
    if (access->rls.settings.policy_in_spec || is_admin(access)) {
        json_out_name(&out, span_lit("permissions"));
        policy_json_write_permissions(&out, access->rls.table.policy, POLICY_JSON_DEFAULT);
    }
    if (is_admin(access)) {
        policy_json_write_rules(&out, access->rls.table.policy);
    }
    json_out_object_end(&out);
    return json_out_finish(&out);
}

/* --- openapi --- */

static const char *openapi_type(enum schema_type type)
{
    switch (type) {
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
    case SCHEMA_MIXED:
        return NULL;
    }
    return NULL;
}

/* One level: what lies inside objects is described as "object", so that this stays a loop. */
static void write_property(struct json_out *out, const struct schema_field *field)
{
    const char *type = openapi_type(field->type);

    json_out_name(out, field->name);
    json_out_object(out);
    if (type != NULL) {
        json_out_member_text(out, span_lit("type"), span_str(type));
    }
    if (field->type == SCHEMA_DATE) {
        json_out_member_text(out, span_lit("format"), span_lit("date-time"));
    }
    if (field->type == SCHEMA_ARRAY) {
        const char *items = field->items == NULL ? NULL : openapi_type(field->items->type);
        json_out_name(out, span_lit("items"));
        json_out_object(out);
        if (items != NULL) {
            json_out_member_text(out, span_lit("type"), span_str(items));
        }
        json_out_object_end(out);
    }
    if (field->description.len != 0) {
        json_out_member_text(out, span_lit("description"), field->description);
    }
    if (field->enumeration != NULL) {
        json_out_name(out, span_lit("enum"));
        json_out_value(out, field->enumeration);
    }
    json_out_object_end(out);
}

static void write_system_property(struct json_out *out, struct span name, const char *format)
{
    json_out_name(out, name);
    json_out_object(out);
    json_out_member_text(out, span_lit("type"), span_lit("string"));
    if (format != NULL) {
        json_out_member_text(out, span_lit("format"), span_str(format));
    }
    json_out_member_bool(out, span_lit("readOnly"), true);
    json_out_object_end(out);
}

static void write_component(struct json_out *out, const struct data_access *access)
{
    size_t count = 0;
    size_t required = 0;
    const struct schema_field *fields = schema_fields(access->table->schema, &count);

    json_out_name(out, access->table->record.name);
    json_out_object(out);
    json_out_member_text(out, span_lit("type"), span_lit("object"));
    json_out_name(out, span_lit("properties"));
    json_out_object(out);
    write_system_property(out, span_lit("id"), NULL);
    write_system_property(out, span_lit("createdBy"), NULL);
    write_system_property(out, span_lit("createdAt"), "date-time");
    write_system_property(out, span_lit("updatedAt"), "date-time");
    for (size_t i = 0; i < count; i++) {
        if (is_admin(access) || is_readable(access, fields[i].name)) {
            write_property(out, &fields[i]);
            required += fields[i].required;
        }
    }
    json_out_object_end(out);
    if (required > 0) { /* an empty list is not allowed in OpenAPI 3.0 */
        json_out_name(out, span_lit("required"));
        json_out_array(out);
        for (size_t i = 0; i < count; i++) {
            if (fields[i].required && (is_admin(access) || is_readable(access, fields[i].name))) {
                json_out_text(out, fields[i].name);
            }
        }
        json_out_array_end(out);
    }
    json_out_object_end(out);
}

struct operation {
    const char *method, *id, *success;
    bool has_body;
};

static void write_reference(struct json_out *out, struct span reference)
{
    json_out_name(out, span_lit("content"));
    json_out_object(out);
    json_out_name(out, span_lit("application/json"));
    json_out_object(out);
    json_out_name(out, span_lit("schema"));
    json_out_object(out);
    json_out_member_text(out, span_lit("$ref"), reference);
    json_out_object_end(out);
    json_out_object_end(out);
    json_out_object_end(out);
}

static void write_operation(struct json_out *out, const struct operation *operation, struct span reference)
{
    json_out_name(out, span_str(operation->method));
    json_out_object(out);
    json_out_member_text(out, span_lit("operationId"), span_str(operation->id));
    if (operation->has_body) {
        json_out_name(out, span_lit("requestBody"));
        json_out_object(out);
        write_reference(out, reference);
        json_out_object_end(out);
    }
    json_out_name(out, span_lit("responses"));
    json_out_object(out);
    json_out_name(out, span_str(operation->success));
    json_out_object(out);
    json_out_member_text(out, span_lit("description"), span_lit("Success"));
    if (operation->has_body) {
        write_reference(out, reference);
    }
    json_out_object_end(out);
    json_out_object_end(out);
    json_out_object_end(out);
}

static void write_id_parameter(struct json_out *out)
{
    json_out_name(out, span_lit("parameters"));
    json_out_array(out);
    json_out_object(out);
    json_out_member_text(out, span_lit("name"), span_lit("id"));
    json_out_member_text(out, span_lit("in"), span_lit("path"));
    json_out_member_bool(out, span_lit("required"), true);
    json_out_name(out, span_lit("schema"));
    json_out_object(out);
    json_out_member_text(out, span_lit("type"), span_lit("string"));
    json_out_object_end(out);
    json_out_object_end(out);
    json_out_array_end(out);
}

static enum err text_of(struct arena *arena, const struct span *parts, size_t count, struct span *out_text)
{
    SCOPED_BUF struct buf *text = NULL;

    TRY(buf_new(256, &text));
    for (size_t i = 0; i < count; i++) {
        TRY(buf_put(text, parts[i]));
    }
    return arena_copy(arena, buf_all(text), out_text);
}

static enum err write_paths(const struct data_request *request, struct json_out *out)
{
    static const struct operation collection[] = {{"get", "list", "200", false}, {"post", "create", "201", true}};
    static const struct operation item[] = {
        {"get", "read", "200", false}, {"patch", "update", "200", true}, {"delete", "delete", "200", false}};
    const struct span name = request->access->table->record.name;
    const struct span base[] = {span_lit("/v1/data/"), name};
    const struct span with_id[] = {span_lit("/v1/data/"), name, span_lit("/{id}")};
    const struct span pointer[] = {span_lit("#/components/schemas/"), name};
    struct span reference = SPAN_NONE;
    struct span path = SPAN_NONE;

    TRY(text_of(request->arena, pointer, ARRAY_LENGTH(pointer), &reference));
    json_out_name(out, span_lit("paths"));
    json_out_object(out);
    TRY(text_of(request->arena, base, ARRAY_LENGTH(base), &path));
    json_out_name(out, path);
    json_out_object(out);
    for (size_t i = 0; i < ARRAY_LENGTH(collection); i++) {
        write_operation(out, &collection[i], reference);
    }
    json_out_object_end(out);
    TRY(text_of(request->arena, with_id, ARRAY_LENGTH(with_id), &path));
    json_out_name(out, path);
    json_out_object(out);
    write_id_parameter(out);
    for (size_t i = 0; i < ARRAY_LENGTH(item); i++) {
        write_operation(out, &item[i], reference);
    }
    json_out_object_end(out);
    json_out_object_end(out);
    return ERR_OK;
}

enum err data_write_openapi(const struct data_request *request)
{
    const struct span name = request->access->table->record.name;
    const struct span title_parts[] = {name, span_lit(" API")};
    struct span title = SPAN_NONE;
    struct json_out out;

    TRY(text_of(request->arena, title_parts, ARRAY_LENGTH(title_parts), &title));
    json_out_init(&out, request->out);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("openapi"), span_lit("3.0.0"));
    json_out_name(&out, span_lit("info"));
    json_out_object(&out);
    json_out_member_text(&out, span_lit("title"), title);
    json_out_member_text(&out, span_lit("version"), span_lit("1.0.0"));
    json_out_member_text(&out, span_lit("description"), span_lit("Rows of one table"));
    json_out_object_end(&out);
    TRY(write_paths(request, &out));
    json_out_name(&out, span_lit("components"));
    json_out_object(&out);
    json_out_name(&out, span_lit("schemas"));
    json_out_object(&out);
    write_component(&out, request->access);
    json_out_object_end(&out);
    json_out_object_end(&out);
    json_out_object_end(&out);
    return json_out_finish(&out);
}
