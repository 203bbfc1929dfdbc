/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing rows: the steps of contract 3.6 for create, update and delete, inside the write transaction. Nothing that the
 * reactor found out is used: key, table, policy and row are read again here, so a key revoked, a policy changed or a row
 * given away while the request waited in the queue counts. Everything is decided before the first change. */
#include "firmware/data/access.h"
#include "firmware/data/call.h"
#include "firmware/data/data_int.h"
#include "firmware/data/read_log.h"
#include "firmware/data/row_gate.h"
#include "firmware/data/row_json.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"

#define WRITE_CREATED 201

static enum schema_additional additional_of(enum rls_additional fields)
{
    switch (fields) {
    case RLS_FIELDS_ALLOW:
        return SCHEMA_EXTRA_ALLOW;
    case RLS_FIELDS_STRIP:
        return SCHEMA_EXTRA_STRIP;
    case RLS_FIELDS_REJECT:
        return SCHEMA_EXTRA_REJECT;
    }
    return SCHEMA_EXTRA_REJECT;
}

/* Step "column write check": a key of the body that the requester may not write refuses the whole request. */
static enum err check_columns(const struct data_access *access, const struct json_value *body, bool owns,
                              struct refusal *refusal)
{
    return row_gate_writable(&access->rls, body, owns) ? ERR_OK : refuse(refusal, REFUSAL_DATA_PERMISSION_DENIED, NULL);
}

enum err refuse_report(struct refusal *refusal, const struct schema_report *report)
{
    char text[SCHEMA_MESSAGE_MAX];
    const size_t len = report->count == 0 ? 0 : schema_violation_message(&report->items[0], text);
    const enum err err = REFUSE_TEXT(refusal, REFUSAL_DATA_VALIDATION_ERROR, span_of(text, len));

    refusal->report = report;
    return err;
}

/* Steps "drop system fields", "defaults" and "schema validation". */
static enum err check_body(struct data_txn *txn, struct data_call *call, const struct data_access *access,
                           enum schema_mode mode, struct json_value *out_row)
{
    const struct schema_check check = {.schema = access->table->schema,
                                       .mode = mode,
                                       .additional = additional_of(access->rls.settings.fields),
                                       .arena = call->arena,
                                       .matcher_work = txn->data->regex};
    void *memory = NULL;

    TRY(arena_alloc(call->arena, sizeof(struct schema_report), &memory));
    regex_work_refill(txn->data->regex, CONFIG_DATA_REGEX_STEPS);
    const enum err err = schema_check(&check, call->body, out_row, memory);
    if (err == ERR_MALFORMED) {
        return refuse_report(&call->refusal, memory);
    }
    if (err == ERR_BUDGET) {
        return refuse(&call->refusal, REFUSAL_DATA_VALIDATION_ERROR, "The patterns of the schema take too much work");
    }
    return err;
}

static bool may_read(const struct data_access *access, struct span field)
{
    const enum rls_verdict verdict =
        rls_column(&access->rls, span_of(field.data, span_find(field, '.')), RLS_COLUMN_READ);

    return verdict == RLS_ALLOW || verdict == RLS_OWNER;
}

/* Names the fields of the index, never values or ids (contract 4.6), and none that the writer may not read. */
static enum err refuse_duplicate(const struct data_access *access, struct index_id id, struct refusal *refusal)
{
    struct span parts[1 + 2 * INDEX_FIELDS_MAX] = {span_lit("A row with the same value already exists")};
    size_t count = 1;

    for (size_t i = 0; i < access->table->index_count; i++) {
        const struct catalog_index *index = &access->table->indexes[i];
        for (size_t at = 0; index->id.value == id.value && at < index->def.field_count; at++) {
            if (may_read(access, index->fields[at])) {
                parts[count] = count == 1 ? span_lit(": ") : span_lit(", ");
                parts[count + 1] = index->fields[at];
                count += 2;
            }
        }
    }
    return refuse_parts(refusal, REFUSAL_DATA_DUPLICATE_VALUE, parts, count);
}

static enum err refuse_store(enum err err, const struct data_access *access, struct index_id index,
                             struct refusal *refusal)
{
    if (err == ERR_EXISTS && index.value != 0) {
        return refuse_duplicate(access, index, refusal);
    }
    return err;
}

/* For a row that storage does not take, and for one that no answer could carry: it could never be read again. */
static enum err refuse_large(enum err err, struct refusal *refusal)
{
    if (err == ERR_RANGE) {
        return refuse(refusal, REFUSAL_DATA_VALIDATION_ERROR, "The row is larger or deeper than a row may be");
    }
    return err;
}

/* May whoever wrote the row read it, as it is now? */
static enum err is_readable(struct data_txn *txn, const struct data_access *access, const struct row *row,
                            bool *out_may)
{
    const struct row_gate_input input = {.bound = &access->rls,
                                         .filters = access->table->filters,
                                         .op = RLS_READ,
                                         .verdict = rls_decide(&access->rls, RLS_READ).verdict,
                                         .work = txn->data->policy_work};
    const struct row_gate gate = row_gate_of(&input);

    return row_gate_passes(&gate, row, out_may);
}

/* Could an answer carry the row with all its columns? One that hides some does not show it, and the row has to stay
 * readable for those who may read them. ERR_RANGE. */
static enum err check_whole(struct data_call *call, const struct data_access *access, const struct row *row)
{
    const struct rls_who administrator = {.group = RLS_ADMIN};
    const size_t before = buf_len(call->out);
    struct rls_bound all;
    struct json_out out;

    rls_bind(&access->rls.table, &administrator, &all);
    const struct row_view view = {
        .schema = access->table->schema, .column_rules = access->table->column_rules, .rls = &all, .select = NULL};
    json_out_init(&out, call->out);
    TRY(row_json_write(&out, &view, row));
    const enum err err = json_out_finish(&out);
    buf_truncate(call->out, before);
    return err;
}

/* The answer to a write: the row, or with writeResponse "minimal" only its system fields if it may not be read. */
static enum err write_answer(struct data_txn *txn, struct data_call *call, const struct data_access *access,
                             const struct row *row, bool *out_shown)
{
    const struct row_view view = {.schema = access->table->schema,
                                  .column_rules = access->table->column_rules,
                                  .rls = &access->rls,
                                  .select = NULL};
    struct json_out out;
    bool readable = true;

    if (access->rls.settings.write_minimal) {
        TRY(is_readable(txn, access, row, &readable));
    }
    if (!readable || rls_columns_any(access->rls.table.policy)) {
        TRY(check_whole(call, access, row));
    }
    json_out_init(&out, call->out);
    if (readable) {
        TRY(row_json_write(&out, &view, row));
    } else {
        row_json_write_system(&out, row);
    }
    *out_shown = readable;
    return json_out_finish(&out);
}

/* The row is encoded: writes the answer, then stores it, in place of the stored one or as a new one. */
static enum err answer_and_store(struct data_txn *txn, struct data_call *call, const struct data_access *access,
                                 struct row_id id, struct span encoded)
{
    const struct table_id table = access->table->store;
    struct index_id index = {0};
    bool shown = false;
    struct row row;

    TRY(row_read(id, encoded, &row));
    const enum err written = write_answer(txn, call, access, &row, &shown);
    if (written != ERR_OK) {
        return refuse_large(written, &call->refusal);
    }
    const enum err err = access->op == RLS_CREATE ? store_insert(txn->store, table, id, encoded, &index)
                                                  : store_replace(txn->store, table, id, encoded, &index);
    if (err != ERR_OK) {
        return refuse_store(err, access, index, &call->refusal);
    }
    if (shown) {
        read_log_row(&access->rls, &row);
    }
    return ERR_OK;
}

/* maxRowsPerOwner: contract 9.1. Rows without an owner are nobody's share. */
static enum err check_share(struct data_txn *txn, const struct data_access *access, struct refusal *refusal)
{
    const uint32_t most = access->rls.settings.max_rows_per_owner;
    uint64_t rows = 0;

    if (most == 0 || access->rls.who.id.len == 0) {
        return ERR_OK;
    }
    TRY(store_count_owned(store_txn_snap(txn->store), access->table->store, access->rls.who.id, &rows));
    return rows < most ? ERR_OK
                       : refuse(refusal, REFUSAL_DATA_PERMISSION_DENIED, "No more rows of one owner are allowed");
}

enum err data_row_create(struct data_txn *txn, struct data_call *call)
{
    const struct json_value *body = NULL;
    struct data_access access;
    struct json_value row;
    struct span encoded = SPAN_NONE;

    TRY(data_access_open(data_txn_catalog(txn), &txn->principal, call->table, RLS_CREATE, &access, &call->refusal));
    TRY(data_txn_body(call, REFUSAL_DATA_VALIDATION_ERROR, &body));
    TRY(check_columns(&access, body, access.rls.who.id.len != 0, &call->refusal));
    TRY(check_body(txn, call, &access, SCHEMA_CREATE, &row));
    TRY(check_share(txn, &access, &call->refusal));
    const struct row_write write = {
        .arena = call->arena, .schema = access.table->schema, .now = txn->now, .out = txn->data->row};
    const enum err coded = row_json_create(&write, &row, access.rls.who.id, &encoded);
    if (coded != ERR_OK) {
        return refuse_large(coded, &call->refusal);
    }
    const struct row_id id = store_txn_row_id(txn->store, txn->now);
    TRY(answer_and_store(txn, call, &access, id, encoded));
    call->status = WRITE_CREATED;
    return ERR_OK;
}

enum err data_row_update(struct data_txn *txn, struct data_call *call)
{
    const struct json_value *body = NULL;
    struct data_access access;
    struct json_value patch;
    struct span encoded = SPAN_NONE;
    struct row stored;

    TRY(data_access_open(data_txn_catalog(txn), &txn->principal, call->table, RLS_UPDATE, &access, &call->refusal));
    TRY(data_access_row(&access, store_txn_snap(txn->store), call->id, txn->data->policy_work, &stored,
                        &call->refusal));
    TRY(data_txn_body(call, REFUSAL_DATA_VALIDATION_ERROR, &body));
    TRY(check_columns(&access, body, rls_owns(&access.rls.who, stored.created_by), &call->refusal));
    TRY(check_body(txn, call, &access, SCHEMA_PATCH, &patch));
    const struct row_write write = {
        .arena = call->arena, .schema = access.table->schema, .now = txn->now, .out = txn->data->row};
    const enum err coded = row_json_update(&write, &stored, &patch, &encoded);
    if (coded != ERR_OK) {
        return refuse_large(coded, &call->refusal);
    }
    return answer_and_store(txn, call, &access, stored.id, encoded);
}

enum err data_row_delete(struct data_txn *txn, struct data_call *call)
{
    struct data_access access;
    struct json_out out;
    struct row stored;

    TRY(data_access_open(data_txn_catalog(txn), &txn->principal, call->table, RLS_DELETE, &access, &call->refusal));
    TRY(data_access_row(&access, store_txn_snap(txn->store), call->id, txn->data->policy_work, &stored,
                        &call->refusal));
    json_out_init(&out, call->out);
    json_out_object(&out);
    json_out_member_bool(&out, span_lit("success"), true);
    json_out_object_end(&out);
    TRY(json_out_finish(&out));
    return store_delete(txn->store, access.table->store, stored.id);
}
