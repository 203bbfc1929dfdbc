/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A decision explained: the question is read, the request that it describes is decided as any other, and what came of it
 * is written down. */
#include "firmware/data/explain.h"

#include "firmware/data/data_int.h"
#include "firmware/data/explain_int.h"
#include "firmware/data/people_int.h"
#include "firmware/data/policy_who.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"

/* --- the question --- */

static enum err refuse_question(struct explain *explain, const char *member, const char *why)
{
    return refuse_at(explain->admin->refusal, REFUSAL_COMMON_INVALID_PARAMETERS, span_str(member), why);
}

static enum err read_table(struct explain *explain, const struct json_value *id)
{
    const struct data_admin *admin = explain->admin;

    if (id == NULL || id->type != JSON_STRING) {
        return refuse_question(explain, "tableId", "must be a string");
    }
    if (rls_table_is_built_in(id->as.text)) {
        explain->name = id->as.text;
        return ERR_OK;
    }
    return admin_table(admin, id->as.text, &explain->table);
}

static enum err read_op(struct explain *explain, const struct json_value *op)
{
    if (op == NULL || op->type != JSON_STRING || !rls_op_named(op->as.text, &explain->op)) {
        return refuse_question(explain, "op", "must be create, read, update, delete or list");
    }
    return ERR_OK;
}

static enum err read_row_id(struct explain *explain, const struct json_value *id)
{
    if (id == NULL || id->type == JSON_NULL) {
        return ERR_OK;
    }
    if (id->type != JSON_STRING || explain->op == RLS_CREATE) {
        return refuse_question(explain, "rowId", "must be a string, and is not for create");
    }
    explain->has_row = true;
    explain->row_text = id->as.text;
    return ERR_OK;
}

static enum err read_question(struct explain *explain, const struct json_value *body)
{
    static const char *const members[] = {"tableId", "op", "requester", "rowId"};
    struct rls_problem problem = {.why = NULL};

    if (!policy_members_known(body, members, ARRAY_LENGTH(members))) {
        return refuse_question(explain, "", "The body must be an object of tableId, op, requester and rowId");
    }
    TRY(read_table(explain, json_find(body, span_lit("tableId"))));
    TRY(read_op(explain, json_find(body, span_lit("op"))));
    TRY(read_row_id(explain, json_find(body, span_lit("rowId"))));
    if (explain->table != NULL) {
        explain->name = explain->table->record.name;
    }
    const enum err err = policy_who_read(explain->admin->arena, json_find(body, span_lit("requester")), "requester",
                                         &explain->who, &problem);
    if (err == ERR_MALFORMED) {
        return refuse_at(explain->admin->refusal, REFUSAL_COMMON_INVALID_PARAMETERS,
                         span_of(problem.where, problem.where_len), problem.why);
    }
    return err;
}

/* --- what comes of it --- */

static enum err plan_list(struct explain *explain)
{
    struct filter_problem problem = {.why = NULL};
    void *memory = NULL;

    TRY(arena_alloc(explain->admin->arena, sizeof(struct row_gate), &memory));
    struct row_gate *gate = memory;
    *gate = data_access_gate(&explain->access, explain->admin->reader->policy_work);
    const struct plan_input input = {.arena = explain->admin->arena,
                                     .schema = explain->table->schema,
                                     .column_rules = explain->table->column_rules,
                                     .gate = gate};
    return plan_new(&input, &explain->plan, &problem);
}

/* The row of a list: would it be listed, with no filter of the client's? */
static enum err find_listed(struct explain *explain, bool *out_passes)
{
    const struct row_gate gate = data_access_gate(&explain->access, explain->admin->reader->policy_work);

    return row_gate_passes(&gate, &explain->row, out_passes);
}

/* The row again, for the parts: what data_access_row refused, it does not hand out. */
static enum err view_row(struct explain *explain)
{
    struct row_id id;

    if (explain->table == NULL || row_id_parse(explain->row_text, &id) != ERR_OK) {
        fault_clear();
        return ERR_OK;
    }
    const enum err err = store_get(explain->snap, explain->table->store, id, &explain->row);
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return ERR_OK;
    }
    TRY(err);
    explain->has_row_view = true;
    return ERR_OK;
}

/* A row of a built-in table: whoever gets so far may read all of them, so what is left is whether it is there. */
static enum err look_for_person(struct explain *explain)
{
    struct buf *out = explain->admin->out;
    const size_t before = buf_len(out);

    const enum err err = people_read(&explain->access, explain->snap, explain->row_text, out, &explain->refusal);
    buf_truncate(out, before);
    if (err != ERR_DENIED) {
        TRY(err);
    }
    fault_clear();
    explain->fate = err == ERR_OK ? ROW_SHOWN : ROW_ABSENT;
    return ERR_OK;
}

static enum err look_at_row(struct explain *explain)
{
    bool passes = false;

    TRY(data_snapshot(explain->admin->reader, explain->admin->catalog, &explain->snap));
    if (explain->table == NULL) {
        return look_for_person(explain);
    }
    if (explain->op != RLS_LIST) {
        const enum err err = data_access_row(&explain->access, explain->snap, explain->row_text,
                                             explain->admin->reader->policy_work, &explain->row, &explain->refusal);
        if (err != ERR_DENIED) {
            TRY(err);
            passes = true;
        }
        fault_clear();
    }
    TRY(view_row(explain));
    if (explain->op == RLS_LIST && explain->has_row_view) {
        TRY(find_listed(explain, &passes));
    }
    explain->fate = !explain->has_row_view ? ROW_ABSENT : passes ? ROW_SHOWN : ROW_HELD_BACK;
    return ERR_OK;
}

static enum err decide(struct explain *explain)
{
    const struct data_admin *admin = explain->admin;
    const struct auth_principal principal = {.who = explain->who, .key = admin->key};

    TRY(data_access_bind(admin->catalog, &principal, explain->name, explain->op, &explain->access, admin->refusal));
    explain->decision = rls_decide(&explain->access.rls, explain->op);
    const enum err err =
        data_access_open(admin->catalog, &principal, explain->name, explain->op, &explain->access, &explain->refusal);
    if (err == ERR_DENIED) {
        fault_clear();
        return ERR_OK;
    }
    TRY(err);
    explain->opened = true;
    if (explain->op == RLS_LIST && explain->table != NULL) {
        TRY(plan_list(explain));
    }
    return explain->has_row ? look_at_row(explain) : ERR_OK;
}

static void end_snap_scoped(struct explain **explain)
{
    if (*explain != NULL) {
        store_snap_end((*explain)->snap);
    }
}

enum err data_explain(const struct data_admin *admin, const struct json_value *body, explain_code_of *code_of)
{
    SCOPED(end_snap_scoped) struct explain *explain = NULL;
    void *memory = NULL;

    TRY(arena_alloc(admin->arena, sizeof *explain, &memory));
    explain = memory;
    *explain = (struct explain){.admin = admin, .code_of = code_of};
    TRY(read_question(explain, body));
    TRY(decide(explain));
    LOG(LOG_INFO, "policy_explained", LOG_TEXT("key", admin->key->id), LOG_TEXT("table", explain->name),
        LOG_LITERAL("op", rls_op_name(explain->op)), LOG_LITERAL("group", policy_group_name(explain->who.group)));
    return explain_write(explain);
}
