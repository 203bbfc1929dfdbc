/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Changes of a table's schema: contract 6, fields and rollback. A field that goes takes its data with it, in the same
 * transaction; a rollback is a change to an older definition and brings no data back. */
#include "firmware/data/data_int.h"
#include "firmware/data/doc.h"
#include "firmware/data/schema_json.h"
#include "hal/base/fault.h"
#include "net/json.h"

/* --- erasing --- */

struct erase {
    const struct schema *schema; /* before */
    const struct schema *next;
};

/* Is this column one of a field that goes? Its values may lie under its id or, if older, under its name. */
static bool goes(const struct erase *erase, const struct row_member *member)
{
    const struct schema_field *field = member->column == ROW_COLUMN_EXTRA
                                           ? schema_find(erase->schema, member->name)
                                           : schema_find_column(erase->schema, member->column);

    return field != NULL && schema_find_column(erase->next, field->column) == NULL;
}

static enum err next_member(struct row_iter *iter, struct row_member *out_member, bool *out_more)
{
    const enum err err = row_iter_next(iter, out_member);

    *out_more = err == ERR_OK;
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return ERR_OK;
    }
    return err;
}

static enum err has_gone_field(void *context, const struct row *row, bool *out_take)
{
    struct row_iter iter = row_iter_columns(row);
    struct row_member member;
    bool more = true;

    *out_take = false;
    for (;;) {
        TRY(next_member(&iter, &member, &more));
        if (!more || *out_take) {
            return ERR_OK;
        }
        *out_take = goes(context, &member);
    }
}

static enum err encode_without(struct data *data, const struct erase *erase, const struct row *row,
                               struct span *out_encoded)
{
    struct row_iter iter = row_iter_columns(row);
    struct row_builder builder;
    struct row_member member;
    bool more = true;

    TRY(row_build_begin(&builder, data->row, row->created_at, row->updated_at, row->created_by));
    for (;;) {
        TRY(next_member(&iter, &member, &more));
        if (!more) {
            break;
        }
        if (!goes(erase, &member)) {
            const struct row_key key = {.column = member.column, .name = member.name};
            TRY(row_build_value(&builder, key, &member.value));
        }
    }
    return row_build_end(&builder, out_encoded);
}

static bool any_goes(const struct erase *erase)
{
    size_t count = 0;
    const struct schema_field *fields = schema_fields(erase->schema, &count);

    for (size_t i = 0; i < count; i++) {
        if (schema_find_column(erase->next, fields[i].column) == NULL) {
            return true;
        }
    }
    return false;
}

/* Rewrites one row behind *after that has a field which goes. */
static enum err erase_one(struct data_txn *txn, struct table_id store, struct erase *erase, struct row_id *after,
                          bool *out_done)
{
    const struct store_scan scan = {.table = store, .after = after, .filter = has_gone_field, .filter_context = erase};
    struct span encoded = SPAN_NONE;
    struct row row;

    TRY(store_scan_begin(store_txn_snap(txn->store), &scan));
    const enum err err = walk_next(store_txn_snap(txn->store), &row);
    *out_done = err == ERR_NOT_FOUND;
    if (*out_done) {
        fault_clear();
        return ERR_OK;
    }
    TRY(err);
    *after = row.id;
    TRY(encode_without(txn->data, erase, &row, &encoded));
    return store_replace(txn->store, store, *after, encoded, NULL);
}

enum err fields_erase(struct data_txn *txn, struct table_id store, const struct schema *schema,
                      const struct schema *next)
{
    struct erase erase = {schema, next};
    struct row_id after = {{0}};
    bool done = !any_goes(&erase);

    while (!done) { /* ends: each round goes on behind the row before */
        TRY(erase_one(txn, store, &erase, &after, &done));
    }
    return ERR_OK;
}

/* --- operations --- */

/* Makes `next` the schema of the table: indexes, rows, record, version. Indexes that lose a field are dropped before the
 * rows change, and new ones are made after, so that they see what is there then. */
static enum err store_schema(struct data_txn *txn, struct data_call *call, const struct catalog_table *table,
                             const struct schema *next)
{
    struct data_index_list *from = NULL;
    struct data_index_list *to = NULL;
    SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
    struct data_table_edit edit;
    void *memory = NULL;

    TRY(arena_alloc(call->arena, sizeof *from, &memory));
    from = memory;
    TRY(arena_alloc(call->arena, sizeof *to, &memory));
    to = memory;
    table_edit_of(table, from, &edit);
    *to = *from;
    TRY(index_follow_schema(next, to, call->arena, &call->refusal));
    TRY(policy_follow_schema(txn, call, table, next, &policy));
    TRY(index_drop_gone(txn, table->store, from, to));
    TRY(fields_erase(txn, table->store, table->schema, next));
    TRY(index_make_new(txn, table->store, from, to, &call->refusal));
    edit.schema = next;
    edit.policy = policy == NULL ? edit.policy : policy;
    edit.schema_version++;
    edit.indexes = to;
    const struct catalog_table *stored = NULL;
    TRY(table_edit_store(txn, &edit, &stored));
    TRY(version_note_schema(txn, &edit));
    return policy_answer(txn, call, stored);
}

enum err data_table_change_fields(struct data_txn *txn, struct data_call *call)
{
    SCOPED_SCHEMA struct schema *next = NULL;
    const struct catalog_table *table = NULL;
    const struct json_value *body = NULL;
    struct schema_problem problem = {0};

    TRY(data_txn_admin(txn, call));
    TRY(data_txn_table(txn, call, &table));
    TRY(data_txn_body(call, REFUSAL_DATA_VALIDATION_ERROR, &body));
    const enum err err = schema_apply_change(table->schema, body, &next, &problem);
    if (err != ERR_OK) {
        return refuse_schema(err, &problem, &call->refusal);
    }
    return store_schema(txn, call, table, next);
}

enum err data_table_rollback_schema(struct data_txn *txn, struct data_call *call)
{
    SCOPED_SCHEMA struct schema *next = NULL;
    const struct catalog_table *table = NULL;
    const struct json_value *body = NULL;
    const struct json_value *document = NULL;
    struct schema_problem problem = {0};
    struct span text = SPAN_NONE;
    struct wall_time created = {0};

    TRY(data_txn_admin(txn, call));
    TRY(data_txn_table(txn, call, &table));
    TRY(data_txn_body(call, REFUSAL_COMMON_INVALID_PARAMETERS, &body));
    const int64_t version = doc_int(body, span_lit("version"), 0);
    if (version < 1 || version >= (int64_t)table->schema_version) {
        return refuse_at(&call->refusal, REFUSAL_COMMON_INVALID_PARAMETERS, span_lit("version"),
                         "must be an older version of the schema");
    }
    TRY(version_find(store_txn_snap(txn->store), DATA_TABLE_SCHEMA_VERSIONS, table->record.id,
                     (uint64_t)table->schema_version - (uint64_t)version, &text, &created));
    TRY(json_parse(text, call->arena, &document));
    const enum err err = schema_new(json_find(document, span_lit("schema")), schema_ids(table->schema),
                                    &schema_json_matcher, &next, &problem);
    if (err != ERR_OK) {
        return refuse_schema(err, &problem, &call->refusal);
    }
    return store_schema(txn, call, table, next);
}
