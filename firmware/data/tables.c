/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables: made, shown, changed, dropped. Contract 6. A change of the schema is in fields.c, of indexes in indexes.c. The
 * stored table behind one has its own key, which is destroyed with it. */
#include "firmware/data/access.h"
#include "firmware/data/data_int.h"
#include "firmware/data/doc.h"
#include "firmware/data/schema_json.h"
#include "hal/base/fault.h"

#define CREATED          201
#define DISPLAY_NAME_MAX 200
#define DESCRIPTION_MAX  1024
#define TABLE_NAME_MAX   64

/* --- showing --- */

static void write_indexes(struct json_out *out, const struct catalog_table *table)
{
    json_out_name(out, span_lit("indexes"));
    json_out_array(out);
    for (size_t i = 0; i < table->index_count; i++) {
        const struct catalog_index *index = &table->indexes[i];
        json_out_object(out);
        index_write_definition(out, index, span_lit("fields"));
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

static void write_policy(struct json_out *out, const struct catalog_table *table)
{
    json_out_name(out, span_lit("permissions"));
    policy_json_write_permissions(out, table->policy, POLICY_JSON_NULL);
    policy_json_write_rules(out, table->policy);
    json_out_name(out, span_lit("security"));
    policy_json_write_security(out, table->policy);
    json_out_name(out, span_lit("tests"));
    if (rls_policy_tests(table->policy).len > 0) {
        json_out_raw(out, rls_policy_tests(table->policy));
    } else {
        json_out_null(out);
    }
}

enum err table_write_members(struct json_out *out, struct store_snap *snap, const struct catalog_table *table,
                             enum table_detail detail)
{
    const struct json_value *doc = table->record.doc;
    uint64_t rows = 0;

    const enum err counted = store_count(snap, table->store, &rows);
    if (counted != ERR_NOT_FOUND) { /* dropped after the catalogue was read: shown once more, with no rows */
        TRY(counted);
    }
    admin_write_head(out, &table->record);
    json_out_member_text(out, span_lit("projectId"), doc_text(doc, span_lit("projectId")));
    json_out_member_text(out, span_lit("environment"), doc_text(doc, span_lit("environment")));
    json_out_member_text(out, span_lit("tableName"), table->record.name);
    admin_write_text(out, span_lit("displayName"), doc_text(doc, span_lit("displayName")));
    admin_write_text(out, span_lit("description"), doc_text(doc, span_lit("description")));
    json_out_member_text(out, span_lit("status"), span_lit("deployed"));
    json_out_member_int(out, span_lit("rowCount"), (int64_t)rows);
    json_out_name(out, span_lit("schema"));
    schema_json_write(out, table->schema, NULL);
    json_out_member_int(out, span_lit("schemaVersion"), table->schema_version);
    json_out_member_int(out, span_lit("indexVersion"), table->index_version);
    json_out_member_bool(out, span_lit("system"), table->system);
    if (detail == TABLE_WHOLE) {
        write_policy(out, table);
        write_indexes(out, table);
    }
    admin_write_times(out, &table->record);
    return ERR_OK;
}

static enum err table_write(struct json_out *out, struct store_snap *snap, const struct catalog_table *table,
                            enum table_detail detail)
{
    json_out_object(out);
    TRY(table_write_members(out, snap, table, detail));
    json_out_object_end(out);
    return ERR_OK;
}

static bool of_environment(const struct data_admin *admin, const struct catalog_record *record)
{
    return span_equal(record->parent, admin->key->environment_id);
}

/* Each item counts its rows in a snapshot of its own: an exact number each, of moments close together. */
static enum err write_in_snapshot(const struct data_admin *admin, struct json_out *out,
                                  const struct catalog_table *table, enum table_detail detail)
{
    SCOPED_SNAP struct store_snap *snap = NULL;

    TRY(store_snap_begin(admin->reader->store, &snap));
    return table_write(out, snap, table, detail);
}

static enum err write_item(const struct data_admin *admin, struct json_out *out, const struct catalog_record *record)
{
    return write_in_snapshot(admin, out, (const struct catalog_table *)record, TABLE_BRIEF);
}

enum err data_list_tables(const struct data_admin *admin)
{
    const struct admin_lister lister = {CATALOG_TABLE, of_environment, write_item};

    return admin_list(admin, &lister);
}

enum err admin_table(const struct data_admin *admin, struct span id, const struct catalog_table **out_table)
{
    const struct catalog_record *record = catalog_find(admin->catalog, CATALOG_TABLE, id);

    if (record == NULL || !of_environment(admin, record)) {
        return refuse(admin->refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such table");
    }
    *out_table = (const struct catalog_table *)record;
    return ERR_OK;
}

enum err data_get_table(const struct data_admin *admin, struct span id)
{
    const struct catalog_table *table = NULL;
    struct json_out out;

    TRY(admin_table(admin, id, &table));
    json_out_init(&out, admin->out);
    TRY(write_in_snapshot(admin, &out, table, TABLE_WHOLE));
    return json_out_finish(&out);
}

/* --- storing --- */

void table_edit_of(const struct catalog_table *table, struct data_index_list *indexes, struct data_table_edit *out)
{
    indexes->count = table->index_count;
    for (size_t i = 0; i < table->index_count; i++) {
        indexes->items[i] = table->indexes[i];
    }
    *out = (struct data_table_edit){.table = table,
                                    .id = table->record.id,
                                    .environment_id = table->record.parent,
                                    .name = table->record.name,
                                    .display_name = doc_text(table->record.doc, span_lit("displayName")),
                                    .description = doc_text(table->record.doc, span_lit("description")),
                                    .system = table->system,
                                    .store = table->store,
                                    .schema_version = table->schema_version,
                                    .index_version = table->index_version,
                                    .schema = table->schema,
                                    .policy = table->policy,
                                    .indexes = indexes};
}

#define HEX_MAX HEX_BYTES(RLS_POLICY_BYTES) /* of a policy; the schema_ids() of the largest schema are shorter */

static enum err write_hex(struct json_out *out, struct span name, struct span bytes)
{
    char text[1024];

    if (bytes.len <= sizeof text / 2) {
        hex_encode(bytes, text);
        json_out_member_text(out, name, span_of(text, HEX_BYTES(bytes.len)));
        return ERR_OK;
    }
    void *memory = NULL;
    ENSURE(HEX_BYTES(bytes.len) <= HEX_MAX, ERR_RANGE, "longer than a policy or the ids of a schema can be");
    TRY(mem_alloc(HEX_BYTES(bytes.len), &memory));
    hex_encode(bytes, memory);
    json_out_member_text(out, name, span_of(memory, HEX_BYTES(bytes.len)));
    mem_free(memory);
    return ERR_OK;
}

static enum err write_policy_hex(struct json_out *out, const struct rls_policy *policy)
{
    SCOPED_BUF struct buf *bytes = NULL;

    if (policy == NULL) {
        return ERR_OK;
    }
    TRY(buf_new(RLS_POLICY_BYTES, &bytes));
    TRY(rls_policy_encode(policy, bytes));
    return write_hex(out, span_lit("policy"), buf_all(bytes));
}

enum err table_edit_store(struct data_txn *txn, const struct data_table_edit *edit,
                          const struct catalog_table **out_table)
{
    const struct catalog_record *record = NULL;
    struct json_out out;

    record_begin(txn->data, &out);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("id"), edit->id);
    json_out_member_text(&out, span_lit("projectId"), txn->project->record.id);
    json_out_member_text(&out, span_lit("environmentId"), edit->environment_id);
    json_out_member_text(&out, span_lit("environment"), txn->environment->record.name);
    json_out_member_text(&out, span_lit("tableName"), edit->name);
    json_out_member_text(&out, span_lit("displayName"), edit->display_name);
    json_out_member_text(&out, span_lit("description"), edit->description);
    json_out_member_bool(&out, span_lit("system"), edit->system);
    json_out_member_int(&out, span_lit("store"), edit->store.value);
    json_out_member_int(&out, span_lit("schemaVersion"), edit->schema_version);
    json_out_member_int(&out, span_lit("indexVersion"), edit->index_version);
    json_out_name(&out, span_lit("schema"));
    schema_json_write(&out, edit->schema, NULL);
    TRY(write_hex(&out, span_lit("schemaIds"), schema_ids(edit->schema)));
    TRY(write_policy_hex(&out, edit->policy));
    json_out_name(&out, span_lit("indexes"));
    json_out_array(&out);
    for (size_t i = 0; i < edit->indexes->count; i++) {
        index_write_record(&out, &edit->indexes->items[i]);
    }
    json_out_array_end(&out);
    json_out_object_end(&out);
    TRY(edit->table == NULL ? record_insert(txn, CATALOG_TABLE, &out, &record)
                            : record_replace(txn, &edit->table->record, &out, &record));
    *out_table = (const struct catalog_table *)record;
    return ERR_OK;
}

/* --- operations --- */

struct new_table {
    struct span name, display_name, description;
    bool system;
    struct schema *schema;
    struct rls_policy *policy;
    struct data_index_list indexes;
};

static void new_table_done(struct new_table **table)
{
    if (*table != NULL) {
        schema_free((*table)->schema);
        rls_policy_free((*table)->policy);
        mem_free(*table);
    }
}

enum err refuse_schema(enum err err, const struct schema_problem *problem, struct refusal *refusal)
{
    if (err == ERR_MALFORMED) {
        return refuse_at(refusal, REFUSAL_DATA_VALIDATION_ERROR, span_of(problem->where, problem->where_len),
                         problem->why == NULL ? "is not a valid schema" : problem->why);
    }
    if (err == ERR_RANGE) {
        return refuse(refusal, REFUSAL_DATA_VALIDATION_ERROR, "The schema is too large");
    }
    return err;
}

static enum err read_schema(const struct json_value *definition, struct schema **out_schema, struct refusal *refusal)
{
    struct schema_problem problem = {0};
    const enum err err = schema_new(definition, SPAN_NONE, &schema_json_matcher, out_schema, &problem);

    return err == ERR_OK ? ERR_OK : refuse_schema(err, &problem, refusal);
}

static enum err read_new(const struct json_value *body, struct arena *arena, struct new_table *out,
                         struct refusal *refusal)
{
    const struct text_rule name = {span_lit("tableName"), 1, TABLE_NAME_MAX, true};
    const struct text_rule display = {span_lit("displayName"), 0, DISPLAY_NAME_MAX, false};
    const struct text_rule description = {span_lit("description"), 0, DESCRIPTION_MAX, false};
    const struct json_value *system = json_find(body, span_lit("system"));

    TRY(admin_text(body, &name, &out->name, refusal));
    TRY(admin_text(body, &display, &out->display_name, refusal));
    TRY(admin_text(body, &description, &out->description, refusal));
    if (system != NULL && system->type != JSON_BOOL) {
        return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, span_lit("system"), "must be a boolean");
    }
    out->system = system != NULL && system->as.boolean;
    if (!schema_table_name_valid(out->name, out->system)) {
        return refuse_at(refusal, REFUSAL_DATA_VALIDATION_ERROR, name.name, "is not a name that a table may have");
    }
    TRY(read_schema(json_find(body, span_lit("schema")), &out->schema, refusal));
    TRY(index_read_list(json_find(body, span_lit("indexes")), out->schema, &out->indexes, refusal));
    return index_follow_schema(out->schema, &out->indexes, arena, refusal);
}

static enum err store_new(struct data_txn *txn, struct data_call *call, struct new_table *new_table,
                          const struct catalog_table **out_table)
{
    char id[AUTH_UUID_BYTES];
    struct data_table_edit edit = {.table = NULL,
                                   .environment_id = txn->environment->record.id,
                                   .name = new_table->name,
                                   .display_name = new_table->display_name,
                                   .description = new_table->description,
                                   .system = new_table->system,
                                   .schema_version = 1,
                                   .index_version = 1,
                                   .schema = new_table->schema,
                                   .policy = new_table->policy,
                                   .indexes = &new_table->indexes};

    auth_uuid_make(txn->data->random, id);
    edit.id = span_array(id);
    TRY(store_table_new(txn->store, &edit.store));
    TRY(index_make_new(txn, edit.store, NULL, &new_table->indexes, &call->refusal));
    TRY(table_edit_store(txn, &edit, out_table));
    TRY(version_note_schema(txn, &edit));
    return version_note_indexes(txn, &edit);
}

/* As PUT of a policy does, which refuses what is no member of one. */
static enum err check_new_members(const struct json_value *body, struct refusal *refusal)
{
    static const char *const names[] = {"projectId",         "environment", "tableName",   "schema",
                                        "displayName",       "description", "permissions", "expressionPermissions",
                                        "columnPermissions", "rowFilters",  "security",    "tests",
                                        "indexes",           "system"};
    const struct member_rule rule = {names, ARRAY_LENGTH(names), REFUSAL_DATA_VALIDATION_ERROR,
                                     "is not a member of a table"};

    return admin_members(body, &rule, refusal);
}

enum err data_table_create(struct data_txn *txn, struct data_call *call)
{
    SCOPED(new_table_done) struct new_table *new_table = NULL;
    const struct catalog_table *table = NULL;
    const struct json_value *body = NULL;
    void *memory = NULL;

    TRY(data_txn_admin_body(txn, call, &body));
    TRY(check_new_members(body, &call->refusal));
    TRY(mem_alloc(sizeof *new_table, &memory));
    new_table = memory;
    TRY(read_new(body, call->arena, new_table, &call->refusal));
    TRY(policy_read(body, POLICY_AMONG_OTHERS, call->arena, &new_table->policy, &call->refusal));
    TRY(policy_check(txn, call, new_table->name, new_table->schema, new_table->policy));
    if (catalog_table(data_txn_catalog(txn), txn->environment->record.id, new_table->name) != NULL) {
        return refuse(&call->refusal, REFUSAL_COMMON_CONFLICT, "The environment has a table of this name");
    }
    TRY(store_new(txn, call, new_table, &table));
    call->status = CREATED;
    return policy_answer(txn, call, table);
}

/* What names the table may be there and changes nothing. */
static enum err check_changed_members(const struct json_value *body, struct refusal *refusal)
{
    static const char *const names[] = {"displayName", "description", "permissions", "id",
                                        "tableName",   "projectId",   "environment"};
    const struct member_rule rule = {names, ARRAY_LENGTH(names), REFUSAL_COMMON_INVALID_PARAMETERS,
                                     "is not a member of a table that can be changed here"};

    TRY(policy_refuse_all_but(body, span_lit("permissions"), refusal));
    return admin_members(body, &rule, refusal);
}

enum err data_table_update(struct data_txn *txn, struct data_call *call)
{
    const struct text_rule display = {span_lit("displayName"), 0, DISPLAY_NAME_MAX, false};
    const struct text_rule description = {span_lit("description"), 0, DESCRIPTION_MAX, false};
    SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
    const struct catalog_table *table = NULL;
    const struct json_value *body = NULL;
    struct rls_problem problem = {0};
    struct data_table_edit edit;
    void *memory = NULL;

    TRY(data_txn_admin(txn, call));
    TRY(data_txn_table(txn, call, &table));
    TRY(data_txn_body(call, REFUSAL_COMMON_INVALID_PARAMETERS, &body));
    TRY(arena_alloc(call->arena, sizeof(struct data_index_list), &memory));
    table_edit_of(table, memory, &edit);
    TRY(admin_text_change(body, &display, &edit.display_name, &call->refusal));
    TRY(admin_text_change(body, &description, &edit.description, &call->refusal));
    TRY(check_changed_members(body, &call->refusal));
    const struct json_value *permissions = json_find(body, span_lit("permissions"));
    if (permissions != NULL) {
        const enum err err = rls_policy_with_permissions(table->policy, permissions, &policy, &problem);
        if (err != ERR_OK) {
            return policy_refuse(err, &problem, &call->refusal);
        }
        TRY(policy_check(txn, call, table->record.name, table->schema, policy));
        edit.policy = policy;
    }
    TRY(table_edit_store(txn, &edit, &table));
    return policy_answer(txn, call, table);
}

enum err table_forget(struct data_txn *txn, const struct catalog_table *table)
{
    TRY(version_forget(txn, table->record.id));
    TRY(store_table_drop(txn->store, table->store));
    return record_delete(txn, &table->record);
}

enum err data_table_delete(struct data_txn *txn, struct data_call *call)
{
    const struct catalog_table *table = NULL;

    TRY(data_txn_admin(txn, call));
    TRY(data_txn_table(txn, call, &table));
    TRY(data_txn_confirm(call, table->record.name));
    TRY(table_forget(txn, table));
    return data_txn_answer_success(call);
}
