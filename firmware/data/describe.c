/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spec and openapi of a table: contract 4.7. Both are written from the schema as it is now; what the requester may not
 * read even on own rows is in neither, and a policy of other kinds than permissions is for administrators alone. */
#include "firmware/data/access.h"
#include "firmware/data/data_int.h"
#include "firmware/data/schema_json.h"
#include "hal/base/fault.h"
#include "net/json.h"

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

static bool is_built_in(const struct data_access *access)
{
    return access->built_in != DATA_BUILT_IN_NONE;
}

static void write_indexes(struct json_out *out, const struct data_access *access)
{
    const struct catalog_table *table = access->table;

    json_out_name(out, span_lit("indexes"));
    json_out_array(out);
    write_index(out, span_lit("_id_"), span_lit("id"), 1);
    if (is_built_in(access)) {
        json_out_array_end(out);
        return;
    }
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

static const struct rls_bound *asker_of(const struct data_access *access)
{
    return is_admin(access) ? NULL : &access->rls;
}

/* Of a built-in table nobody but an administrator has a right. */
static void write_permissions(struct json_out *out, const struct data_access *access)
{
    json_out_name(out, span_lit("permissions"));
    if (is_built_in(access)) {
        json_out_object(out);
        json_out_object_end(out);
        return;
    }
    policy_json_write_permissions(out, access->rls.table.policy, POLICY_JSON_DEFAULT);
}

static enum err write_spec(const struct data_request *request)
{
    const struct data_access *access = request->access;
    struct json_out out;

    json_out_init(&out, request->out);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("tableName"), access->table->record.name);
    json_out_name(&out, span_lit("schema"));
    schema_json_write(&out, access->table->schema, asker_of(access));
    write_indexes(&out, access);
    if (access->rls.settings.policy_in_spec || is_admin(access)) {
        write_permissions(&out, access);
    }
    if (is_admin(access)) {
        policy_json_write_rules(&out, access->rls.table.policy);
    }
    json_out_object_end(&out);
    return json_out_finish(&out);
}

/* --- openapi --- */

enum answer { ANSWER_ROW, ANSWER_PAGE, ANSWER_SUCCESS };

struct operation {
    const char *method, *id, *status;
    bool has_body;
    enum answer answer;
};

static void write_reference(struct json_out *out, struct span reference)
{
    json_out_object(out);
    json_out_member_text(out, span_lit("$ref"), reference);
    json_out_object_end(out);
}

static void open_content(struct json_out *out)
{
    json_out_name(out, span_lit("content"));
    json_out_object(out);
    json_out_name(out, span_lit("application/json"));
    json_out_object(out);
    json_out_name(out, span_lit("schema"));
}

static void close_content(struct json_out *out)
{
    json_out_object_end(out);
    json_out_object_end(out);
}

static void write_typed(struct json_out *out, const char *name, const char *type)
{
    json_out_name(out, span_str(name));
    json_out_object(out);
    json_out_member_text(out, span_lit("type"), span_str(type));
    json_out_object_end(out);
}

/* Contract 1.8. */
static void write_pagination(struct json_out *out)
{
    static const char *const numbers[] = {"total", "page", "limit", "totalPages"};

    json_out_name(out, span_lit("pagination"));
    json_out_object(out);
    json_out_member_text(out, span_lit("type"), span_lit("object"));
    json_out_name(out, span_lit("properties"));
    json_out_object(out);
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        write_typed(out, numbers[i], "integer");
    }
    write_typed(out, "hasNext", "boolean");
    write_typed(out, "hasPrev", "boolean");
    json_out_object_end(out);
    json_out_object_end(out);
}

static void write_page(struct json_out *out, struct span reference)
{
    json_out_name(out, span_lit("items"));
    json_out_object(out);
    json_out_member_text(out, span_lit("type"), span_lit("array"));
    json_out_name(out, span_lit("items"));
    write_reference(out, reference);
    json_out_object_end(out);
    write_pagination(out);
}

static void write_answer(struct json_out *out, enum answer answer, struct span reference)
{
    open_content(out);
    if (answer == ANSWER_ROW) {
        write_reference(out, reference);
    } else {
        json_out_object(out);
        json_out_member_text(out, span_lit("type"), span_lit("object"));
        json_out_name(out, span_lit("properties"));
        json_out_object(out);
        if (answer == ANSWER_PAGE) {
            write_page(out, reference);
        } else {
            write_typed(out, "success", "boolean");
        }
        json_out_object_end(out);
        json_out_object_end(out);
    }
    close_content(out);
}

static void write_parameter(struct json_out *out, const char *name, const char *type, bool in_path)
{
    json_out_object(out);
    json_out_member_text(out, span_lit("name"), span_str(name));
    json_out_member_text(out, span_lit("in"), in_path ? span_lit("path") : span_lit("query"));
    json_out_member_bool(out, span_lit("required"), in_path);
    write_typed(out, "schema", type);
    json_out_object_end(out);
}

/* Contract 4.3. */
static void write_list_parameters(struct json_out *out)
{
    static const char *const texts[] = {"sortBy",     "sortDirection", "search", "searchType",
                                        "andFilters", "orFilters",     "select"};

    json_out_name(out, span_lit("parameters"));
    json_out_array(out);
    write_parameter(out, "page", "integer", false);
    write_parameter(out, "limit", "integer", false);
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        write_parameter(out, texts[i], "string", false);
    }
    json_out_array_end(out);
}

static void write_operation(struct json_out *out, const struct operation *operation, struct span reference)
{
    json_out_name(out, span_str(operation->method));
    json_out_object(out);
    json_out_member_text(out, span_lit("operationId"), span_str(operation->id));
    if (operation->answer == ANSWER_PAGE) {
        write_list_parameters(out);
    }
    if (operation->has_body) {
        json_out_name(out, span_lit("requestBody"));
        json_out_object(out);
        open_content(out);
        write_reference(out, reference);
        close_content(out);
        json_out_object_end(out);
    }
    json_out_name(out, span_lit("responses"));
    json_out_object(out);
    json_out_name(out, span_str(operation->status));
    json_out_object(out);
    json_out_member_text(out, span_lit("description"), span_lit("Success"));
    write_answer(out, operation->answer, reference);
    json_out_object_end(out);
    json_out_object_end(out);
    json_out_object_end(out);
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
    static const struct operation collection[] = {{"get", "list", "200", false, ANSWER_PAGE},
                                                  {"post", "create", "201", true, ANSWER_ROW}};
    static const struct operation item[] = {{"get", "read", "200", false, ANSWER_ROW},
                                            {"patch", "update", "200", true, ANSWER_ROW},
                                            {"delete", "delete", "200", false, ANSWER_SUCCESS}};
    const struct span name = request->access->table->record.name;
    const struct span base[] = {span_lit("/v1/data/"), name};
    const struct span with_id[] = {span_lit("/v1/data/"), name, span_lit("/{id}")};
    const struct span pointer[] = {span_lit("#/components/schemas/"), name};
    const bool reads_alone = is_built_in(request->access);
    struct span reference = SPAN_NONE;
    struct span path = SPAN_NONE;

    TRY(text_of(request->arena, pointer, ARRAY_LENGTH(pointer), &reference));
    json_out_name(out, span_lit("paths"));
    json_out_object(out);
    TRY(text_of(request->arena, base, ARRAY_LENGTH(base), &path));
    json_out_name(out, path);
    json_out_object(out);
    for (size_t i = 0; i < (reads_alone ? 1 : ARRAY_LENGTH(collection)); i++) {
        write_operation(out, &collection[i], reference);
    }
    json_out_object_end(out);
    TRY(text_of(request->arena, with_id, ARRAY_LENGTH(with_id), &path));
    json_out_name(out, path);
    json_out_object(out);
    json_out_name(out, span_lit("parameters"));
    json_out_array(out);
    write_parameter(out, "id", "string", true);
    json_out_array_end(out);
    for (size_t i = 0; i < (reads_alone ? 1 : ARRAY_LENGTH(item)); i++) {
        write_operation(out, &item[i], reference);
    }
    json_out_object_end(out);
    json_out_object_end(out);
    return ERR_OK;
}

static enum err write_openapi(const struct data_request *request)
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
    json_out_name(&out, name);
    schema_json_write_openapi(&out, request->access->table->schema, asker_of(request->access));
    json_out_object_end(&out);
    json_out_object_end(&out);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

/* --- built-in tables --- */

/* The members of contract 5.1, 5.4 and 5.8 that are no system fields. */
static const char *const built_in_schemas[] = {
    [DATA_BUILT_IN_USERS] =
        "{\"email\":{\"bsonType\":\"string\"},\"name\":{\"bsonType\":\"string\"},\"role\":{\"bsonType\":\"string\","
        "\"enum\":[\"admin\",\"user\",\"guest\"]},\"emailVerified\":{\"bsonType\":\"date\"},\"image\":{\"bsonType\":"
        "\"string\"},\"onboardingStatus\":{\"bsonType\":\"string\"},\"nickname\":{\"bsonType\":\"string\"},\"roles\":"
        "{\"bsonType\":\"array\",\"items\":{\"bsonType\":\"string\"}},\"mfaEnabled\":{\"bsonType\":\"bool\"},"
        "\"banned\":{\"bsonType\":\"bool\"}}",
    [DATA_BUILT_IN_SESSIONS] =
        "{\"userId\":{\"bsonType\":\"string\"},\"userAgent\":{\"bsonType\":\"string\"},\"ipAddress\":{\"bsonType\":"
        "\"string\"},\"deviceInfo\":{\"bsonType\":\"string\"},\"lastActivityAt\":{\"bsonType\":\"date\"},\"current\":"
        "{\"bsonType\":\"bool\"}}",
    [DATA_BUILT_IN_ACCOUNTS] = "{\"userId\":{\"bsonType\":\"string\"},\"provider\":{\"bsonType\":\"string\"},"
                               "\"providerAccountId\":{\"bsonType\":"
                               "\"string\"},\"connectedAt\":{\"bsonType\":\"date\"}}",
};
static const char *const built_in_names[] = {
    [DATA_BUILT_IN_USERS] = "users", [DATA_BUILT_IN_SESSIONS] = "sessions", [DATA_BUILT_IN_ACCOUNTS] = "accounts"};

/* A table of this request alone, of the shape that the built-in one shows. */
static enum err describe(const struct data_request *request, enum err (*write)(const struct data_request *request))
{
    struct data_access access = *request->access;
    struct data_request as_table = *request;
    const struct json_value *definition = NULL;
    struct schema_problem problem;
    SCOPED_SCHEMA struct schema *schema = NULL;

    if (!is_built_in(&access)) {
        return write(request);
    }
    TRY(json_parse(span_str(built_in_schemas[access.built_in]), request->arena, &definition));
    TRY(schema_new(definition, SPAN_NONE, &schema_json_matcher, &schema, &problem));
    const struct catalog_table table = {.record = {.name = span_str(built_in_names[access.built_in])},
                                        .schema = schema};
    access.table = &table;
    as_table.access = &access;
    return write(&as_table);
}

enum err data_write_spec(const struct data_request *request)
{
    return describe(request, write_spec);
}

enum err data_write_openapi(const struct data_request *request)
{
    return describe(request, write_openapi);
}
