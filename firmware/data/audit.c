/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing the audit log: which operations are recorded under what name, and the record of a call. */
#include "firmware/data/audit.h"

#include "firmware/data/audit_int.h"
#include "firmware/data/email_settings.h"
#include "firmware/data/network.h"
#include "firmware/data/oidc.h"
#include "firmware/data/operators.h"
#include "firmware/data/people.h"
#include "firmware/data/providers.h"
#include "firmware/data/templates.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"

#define RESOURCE_MAX 256 /* bytes of its text; the record cuts it off where it says */

/* What users do with what is theirs alone (profile, preferences, sessions, sign-in) is not in it. */
static const struct {
    data_operation *operation;
    const char *action;
} actions[] = {
    {data_table_create, "table.create"},
    {data_table_update, "table.update"},
    {data_table_set_policy, "policy.set"},
    {data_table_delete, "table.delete"},
    {data_table_change_fields, "schema.change"},
    {data_table_rollback_schema, "schema.rollback"},
    {data_table_change_indexes, "index.change"},
    {data_key_create, "key.create"},
    {data_key_revoke, "key.revoke"},
    {data_key_delete, "key.delete"},
    {data_organization_update, "organization.update"},
    {data_project_create, "project.create"},
    {data_project_update, "project.update"},
    {data_project_delete, "project.delete"},
    {data_project_set_cors, "cors.set"},
    {data_environment_create, "environment.create"},
    {data_environment_delete, "environment.delete"},
    {data_network_set, "network.set"},
    {data_keys_rotate, "token-key.rotate"},
    {data_operator_setup, "operator.setup"},
    {data_operator_create, "operator.create"},
    {data_operator_update, "operator.update"},
    {data_operator_delete, "operator.delete"},
    {data_email_provider_set, "auth-provider.set"},
    {data_oidc_set, "auth-provider.set"},
    {data_oidc_delete, "auth-provider.delete"},
    {data_email_settings_set, "mail-settings.set"},
    {data_template_set, "mail-template.set"},
    {data_password_change, "password.change"},
    {data_reset_confirm, "password.reset"},
    {data_mfa_enable, "mfa.begin"},
    {data_mfa_confirm, "mfa.enable"},
    {data_mfa_disable, "mfa.disable"},
    {data_user_create, "user.create"},
    {data_user_update, "user.update"},
    {data_user_set_role, "user.set-role"},
    {data_user_set_ban, "user.set-ban"},
    {data_user_delete, "user.delete"},
    {data_withdraw, "user.withdraw"},
};

const char *data_audit_action(data_operation *operation)
{
    for (size_t i = 0; i < ARRAY_LENGTH(actions); i++) {
        if (actions[i].operation == operation) {
            return actions[i].action;
        }
    }
    return NULL;
}

/* --- where the log stands --- */

struct row_id audit_row_of(uint64_t seq)
{
    struct row_id id = {{0}};

    for (size_t i = 0; i < sizeof seq; i++) {
        id.bytes[ROW_ID_BYTES - 1 - i] = (uint8_t)(seq >> (8 * i));
    }
    return id;
}

uint64_t audit_seq_of(struct row_id id)
{
    uint64_t seq = 0;

    for (size_t i = ROW_ID_BYTES - sizeof seq; i < ROW_ID_BYTES; i++) {
        seq = seq << 8 | id.bytes[i];
    }
    return seq;
}

enum err audit_end_row(struct store_snap *snap, bool newest, struct row *out_row)
{
    const struct store_scan scan = {.table = {DATA_TABLE_AUDIT}, .backward = newest};

    TRY(store_scan_begin(snap, &scan));
    return walk_next(snap, out_row);
}

static enum err read_log(struct store_snap *snap, struct data_audit *out)
{
    struct data_audit audit = {.first = 1};
    struct audit_head before;
    struct span text = SPAN_NONE;
    struct row row;

    const enum err err = audit_end_row(snap, true, &row);
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        *out = audit;
        return ERR_OK;
    }
    TRY(err);
    TRY(record_row_text(&row, &text));
    ENSURE(audit_read(text, &before, &audit.head) == ERR_OK && audit.head.seq == audit_seq_of(row.id), ERR_DAMAGED,
           "the newest record of the audit log");
    TRY(audit_end_row(snap, false, &row));
    audit.first = audit_seq_of(row.id);
    *out = audit;
    return ERR_OK;
}

static void reader_free_scoped(struct store_reader **reader)
{
    store_reader_free(*reader);
}

enum err audit_open(struct data *data)
{
    SCOPED(reader_free_scoped) struct store_reader *reader = NULL;
    SCOPED_SNAP struct store_snap *snap = NULL;

    TRY(buf_new(ROW_BYTES_MAX, &data->audit_row));
    TRY(store_reader_new(data->store, &reader));
    TRY(store_snap_begin(reader, &snap));
    TRY(read_log(snap, &data->audit));
    data->audit_committed = data->audit;
    data->audit_max = CONFIG_DATA_AUDIT_MAX;
    return ERR_OK;
}

void audit_close(struct data *data)
{
    buf_free(data->audit_row);
}

void audit_committed(struct data *data)
{
    data->audit_committed = data->audit;
}

void audit_aborted(struct data *data)
{
    data->audit = data->audit_committed;
}

/* --- one record --- */

static enum err drop_oldest(struct data_txn *txn)
{
    struct data_audit *audit = &txn->data->audit;

    while (audit->head.seq + 1 - audit->first >= txn->data->audit_max) {
        TRY(store_delete(txn->store, (struct table_id){DATA_TABLE_AUDIT}, audit_row_of(audit->first)));
        audit->first++;
    }
    return ERR_OK;
}

static void take_actor(const struct data_txn *txn, const struct data_call *call, struct audit_record *record)
{
    if (txn->principal.user.len != 0) {
        record->actor_type = call->operators ? span_lit("operator") : span_lit("user");
        record->actor_id = txn->principal.user;
    } else if (txn->principal.key != NULL) {
        record->actor_type = span_lit("key");
        record->actor_id = txn->principal.key->id;
    } else {
        record->actor_type = call->operation == data_operator_setup ? span_lit("setup") : span_lit("code");
    }
}

/* What it was done to: named by the path, or, when it is new, by the answer, whose first member is its id. */
static struct span take_target(const struct data_call *call)
{
    const struct span begins = span_lit("{\"id\":\"");
    const struct span whole = buf_all(call->out);

    if (call->table.len != 0) {
        return call->table;
    }
    const struct span answer = span_of(whole.data + call->out_at, whole.len - call->out_at);
    if (!span_starts_with(answer, begins)) {
        return SPAN_NONE;
    }
    const struct span id = span_of(answer.data + begins.len, answer.len - begins.len);
    return span_of(id.data, span_find(id, '"'));
}

/* "table/<id>", of "table.create"; the kind alone where there is but one. */
static enum err put_resource(struct buf *out, const char *action, struct span target)
{
    const struct span kind = span_of(action, span_find(span_str(action), '.'));

    TRY(buf_put(out, kind));
    if (target.len == 0) {
        return ERR_OK;
    }
    TRY(buf_put_u8(out, '/'));
    return buf_put(out, target);
}

enum err audit_put(struct data_txn *txn, uint64_t seq, struct span text)
{
    const struct row_key key = {.column = DATA_COLUMN_DOC, .name = SPAN_NONE};
    struct span encoded = SPAN_NONE;
    struct row_builder builder;

    TRY(row_build_begin(&builder, txn->data->audit_row, txn->now, txn->now, SPAN_NONE));
    TRY(row_build_string(&builder, key, text));
    TRY(row_build_end(&builder, &encoded));
    return store_insert(txn->store, (struct table_id){DATA_TABLE_AUDIT}, audit_row_of(seq), encoded, NULL);
}

static enum err insert(struct data_txn *txn, const struct audit_record *record, const struct audit_head *head)
{
    struct data *data = txn->data;
    struct audit_head made;

    TRY(audit_write(record, head, data->text, &made));
    TRY(drop_oldest(txn));
    TRY(audit_put(txn, made.seq, buf_all(data->text)));
    data->audit.head = made;
    return ERR_OK;
}

enum err audit_call(struct data_txn *txn, const struct data_call *call)
{
    const char *action = call->origin == NULL ? NULL : data_audit_action(call->operation);
    SCOPED_BUF struct buf *resource = NULL;

    if (action == NULL) {
        return ERR_OK;
    }
    struct audit_record record = {.at = txn->now,
                                  .action = span_str(action),
                                  .ip = call->origin->ip,
                                  .user_agent = call->origin->user_agent,
                                  .request_id = call->origin->request_id,
                                  .outcome = span_lit("success")};
    if (call->refusal.code != REFUSAL_NONE) {
        record.outcome = span_lit("denied");
        record.code = call->origin->code_of(call->refusal.code);
    }
    take_actor(txn, call, &record);
    if (txn->project != NULL) {
        record.project_id = txn->project->record.id;
    }
    if (txn->environment != NULL && txn->project != NULL) {
        record.environment = txn->environment->record.name;
    }
    TRY(buf_new(RESOURCE_MAX, &resource));
    TRY(put_resource(resource, action, take_target(call)));
    record.resource = buf_all(resource);
    buf_reset(txn->data->text);
    return insert(txn, &record, &txn->data->audit.head);
}
