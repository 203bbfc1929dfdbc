/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a principal and a table's name to a verdict, and reading with it. The order of the steps is contract 3.6; a
 * requester without any right is refused before a row is looked up. */
#include "firmware/data/access.h"

#include <string.h>

#include "firmware/data/audit_int.h"
#include "firmware/data/invitations_int.h"
#include "firmware/data/list.h"
#include "firmware/data/outbox_int.h"
#include "firmware/data/people_int.h"
#include "firmware/data/plan.h"
#include "firmware/data/read_log.h"
#include "firmware/data/row_json.h"
#include "hal/base/fault.h"
#include "net/http.h"

#define SCAN_STEPS_A_CALL 1024u /* rows between two returns to the loop even if the clock stood still */

const struct catalog *data_catalog(struct data_reader *reader)
{
    reader->held = snapshot_refresh(reader->data->cell, reader->slot, reader->held);
    return catalog_from_snapshot(reader->held);
}

static enum data_built_in built_in_of(struct span name)
{
    if (span_equal(name, span_lit("users"))) {
        return DATA_BUILT_IN_USERS;
    }
    if (span_equal(name, span_lit("accounts"))) {
        return DATA_BUILT_IN_ACCOUNTS;
    }
    return span_equal(name, span_lit("sessions")) ? DATA_BUILT_IN_SESSIONS : DATA_BUILT_IN_EMPTY;
}

/* Steps 6 to 8. */
enum err data_access_bind(const struct catalog *catalog, const struct auth_principal *principal, struct span name,
                          enum rls_op op, struct data_access *out, struct refusal *refusal)
{
    const struct auth_key *key = principal->key;
    const struct catalog_project *project = catalog_project(catalog, key->project_id);

    if (!rls_table_name_valid(name)) {
        return refuse(refusal, REFUSAL_DATA_TABLE_NOT_FOUND, NULL);
    }
    TRY(auth_check_scope(key, name, op, refusal));
    out->table = catalog_table(catalog, key->environment_id, name);
    out->op = op;
    if (out->table == NULL && !rls_table_is_built_in(name)) {
        return refuse(refusal, REFUSAL_DATA_TABLE_NOT_FOUND, NULL);
    }
    out->place = catalog_environment(catalog, key->environment_id);
    out->built_in = out->table == NULL ? built_in_of(name) : DATA_BUILT_IN_NONE;
    const struct rls_table table = {.name = name,
                                    .policy = out->table == NULL ? NULL : out->table->policy,
                                    .preset = project == NULL ? RLS_HARDENED : project->preset};
    rls_bind(&table, &principal->who, &out->rls);
    return ERR_OK;
}

static enum err refuse_decision(struct rls_decision decision, struct refusal *refusal)
{
    switch (decision.reason) {
    case RLS_REASON_SYSTEM_TABLE:
        return refuse(refusal, REFUSAL_DATA_SYSTEM_TABLE_ACCESS, NULL);
    case RLS_REASON_PERMISSION:
        return refuse(refusal, REFUSAL_DATA_PERMISSION_DENIED, NULL);
    }
    return refuse(refusal, REFUSAL_DATA_PERMISSION_DENIED, NULL);
}

/* Nobody writes the built-in tables here; an administrator may read them: contract 4.1. The access then has no table. */
static enum err check_built_in(const struct data_access *access, struct refusal *refusal)
{
    if (access->table != NULL || access->op == RLS_READ || access->op == RLS_LIST) {
        return ERR_OK;
    }
    return refuse(refusal, REFUSAL_DATA_SYSTEM_TABLE_ACCESS, NULL);
}

enum err data_access_open(const struct catalog *catalog, const struct auth_principal *principal, struct span table,
                          enum rls_op op, struct data_access *out_access, struct refusal *out_refusal)
{
    struct data_access access = {0};

    TRY(data_access_bind(catalog, principal, table, op, &access, out_refusal));
    const struct rls_decision decision = rls_decide(&access.rls, op);
    if (decision.verdict != RLS_ALLOW && decision.verdict != RLS_OWNER) {
        return refuse_decision(decision, out_refusal);
    }
    TRY(check_built_in(&access, out_refusal));
    access.verdict = decision.verdict;
    *out_access = access;
    return ERR_OK;
}

enum err data_access_open_users(const struct catalog *catalog, const struct auth_principal *principal,
                                struct data_access *out_access, struct refusal *out_refusal)
{
    *out_access = (struct data_access){.op = RLS_LIST,
                                       .verdict = RLS_ALLOW,
                                       .place = catalog_environment(catalog, principal->key->environment_id),
                                       .built_in = DATA_BUILT_IN_USERS,
                                       .brief = principal->who.group != RLS_ADMIN};
    if (out_access->place == NULL) {
        return refuse(out_refusal, REFUSAL_DATA_ENVIRONMENT_NOT_FOUND, NULL);
    }
    const struct auth_settings settings = catalog_auth_settings(catalog, principal->key->environment_id);
    const bool closed = settings.users_list_admin_only || settings.enumeration_protection;
    return closed && out_access->brief ? refuse(out_refusal, REFUSAL_USER_FORBIDDEN, NULL) : ERR_OK;
}

enum err data_access_open_description(const struct catalog *catalog, const struct auth_principal *principal,
                                      struct span table, struct data_access *out_access, struct refusal *out_refusal)
{
    TRY(data_access_open(catalog, principal, table, RLS_READ, out_access, out_refusal));
    return out_access->built_in != DATA_BUILT_IN_EMPTY ? ERR_OK
                                                       : refuse(out_refusal, REFUSAL_DATA_TABLE_NOT_FOUND, NULL);
}

/* The writer publishes a catalogue before it begins the next transaction, so if none was published by the time the
 * snapshot stands, no row in it was written under a later policy. */
enum err data_snapshot(struct data_reader *reader, const struct catalog *catalog, struct store_snap **out_snap)
{
    SCOPED_SNAP struct store_snap *snap = NULL;

    TRY(store_snap_begin(reader->store, &snap));
    ENSURE(data_catalog(reader) == catalog, ERR_CONFLICT, "the catalogue changed meanwhile");
    *out_snap = TAKE(snap);
    return ERR_OK;
}

/* The same for whoever asks: no row in it was written after they lost a right. */
static enum err request_snapshot(const struct data_request *request, struct store_snap **out_snap)
{
    SCOPED_SNAP struct store_snap *snap = NULL;

    TRY(data_snapshot(request->reader, request->catalog, &snap));
    ENSURE(request->people == NULL || data_people_unchanged(request->people), ERR_CONFLICT, "users changed meanwhile");
    *out_snap = TAKE(snap);
    return ERR_OK;
}

/* Was the table dropped already? Between the commit of that and the next catalogue a request still finds it named. */
static bool is_dropped(struct store_snap *snap, struct table_id table)
{
    const struct store_index *indexes = NULL;
    size_t count = 0;

    return store_indexes(snap, table, &indexes, &count) == ERR_NOT_FOUND;
}

/* --- one row --- */

enum err data_access_refuse_hidden(const struct data_access *access, struct refusal *refusal)
{
    return access->rls.settings.forbidden_is_absent ? refuse(refusal, REFUSAL_DATA_NOT_FOUND, NULL)
                                                    : refuse(refusal, REFUSAL_DATA_PERMISSION_DENIED, NULL);
}

struct row_gate data_access_gate(const struct data_access *access, struct regex_work *work)
{
    const struct row_gate_input input = {.bound = &access->rls,
                                         .filters = access->table == NULL ? NULL : access->table->filters,
                                         .op = access->op,
                                         .verdict = access->verdict,
                                         .work = work};

    return row_gate_of(&input);
}

/* Where a hidden row must look absent, one that is absent costs what a hidden one does: another row is opened in its
 * place, and asked the same. */
enum err data_access_row(const struct data_access *access, struct store_snap *snap, struct span id,
                         struct regex_work *work, struct row *out_row, struct refusal *refusal)
{
    const struct row_gate gate = data_access_gate(access, work);
    const bool alike = access->rls.settings.forbidden_is_absent && row_gate_may_hide(&gate);
    struct row_id row_id;
    bool passes = false;

    if (access->table == NULL || row_id_parse(id, &row_id) != ERR_OK) {
        fault_clear();
        return refuse(refusal, REFUSAL_DATA_NOT_FOUND, NULL);
    }
    const enum err err = alike ? store_get_near(snap, access->table->store, row_id, out_row)
                               : store_get(snap, access->table->store, row_id, out_row);
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return refuse(refusal,
                      is_dropped(snap, access->table->store) ? REFUSAL_DATA_TABLE_NOT_FOUND : REFUSAL_DATA_NOT_FOUND,
                      NULL);
    }
    TRY(err);
    TRY(row_gate_passes(&gate, out_row, &passes));
    if (!row_id_equal(out_row->id, row_id)) {
        return refuse(refusal, REFUSAL_DATA_NOT_FOUND, NULL);
    }
    return passes ? ERR_OK : data_access_refuse_hidden(access, refusal);
}

static enum err refuse_parameters(const struct filter_problem *problem, enum refusal_code code, struct refusal *refusal)
{
    return REFUSE_TEXT(refusal, code, span_of(problem->field, problem->field_len),
                       problem->field_len == 0 ? SPAN_NONE : span_lit(": "),
                       problem->why == NULL ? SPAN_NONE : span_str(problem->why));
}

/* What filters and plans answer, as a refusal; any other error stays what it is. */
static enum err refuse_plan(enum err err, const struct filter_problem *problem, struct refusal *refusal)
{
    if (err == ERR_MALFORMED) {
        return refuse_parameters(problem, REFUSAL_COMMON_INVALID_PARAMETERS, refusal);
    }
    if (err == ERR_DENIED) {
        return refuse_parameters(problem, REFUSAL_DATA_PERMISSION_DENIED, refusal);
    }
    return err;
}

enum err data_read(const struct data_request *request, struct span id)
{
    const struct data_access *access = request->access;
    struct row_select select = {.all = true};
    struct filter_problem problem = {0};
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct json_out out;
    struct row row;

    INVARIANT(access->op == RLS_READ);
    TRY(request_snapshot(request, &snap));
    if (access->table == NULL) {
        return people_read(access, snap, id, request->out, request->refusal);
    }
    TRY(data_access_row(access, snap, id, request->reader->policy_work, &row, request->refusal));
    if (request->query.len != 0) {
        const enum err err = plan_select(request->arena, request->query, &select, &problem);
        if (err != ERR_OK) {
            return refuse_plan(err, &problem, request->refusal);
        }
    }
    const struct row_view view = {.schema = access->table->schema,
                                  .column_rules = access->table->column_rules,
                                  .rls = &access->rls,
                                  .select = &select};
    json_out_init(&out, request->out);
    TRY(row_json_write(&out, &view, &row));
    read_log_row(&access->rls, &row);
    return json_out_finish(&out);
}

/* --- lists --- */

struct data_list {
    struct data_reader *reader;
    struct catalog *catalog; /* what the access borrows from */
    struct store_snap *snap;
    struct list_query *query; /* one of the three; or none: empty, and answered already */
    struct outbox_list *mails;
    struct audit_check *check;
    struct refusal *refusal;
};

static void list_free_scoped(struct data_list **list)
{
    data_list_free(*list);
}

void data_list_free(struct data_list *list)
{
    if (list == NULL) {
        return;
    }
    list_query_free(list->query);
    outbox_list_free(list->mails);
    audit_check_free(list->check);
    store_snap_end(list->snap);
    catalog_unref(list->catalog);
    list->reader->lists--;
    mem_free(list);
}

static enum err make_plan(const struct data_request *request, const struct plan **out_plan)
{
    const struct data_access *access = request->access;
    struct filter_problem problem = {0};
    void *memory = NULL;

    TRY(arena_alloc(request->arena, sizeof(struct row_gate), &memory));
    struct row_gate *gate = memory;
    *gate = data_access_gate(access, request->reader->policy_work);
    const struct plan_input input = {.arena = request->arena,
                                     .schema = access->table->schema,
                                     .column_rules = access->table->column_rules,
                                     .gate = gate,
                                     .query = request->query};

    const enum err err = plan_new(&input, out_plan, &problem);
    return err == ERR_OK ? ERR_OK : refuse_plan(err, &problem, request->refusal);
}

static enum err write_empty_list(const struct data_request *request)
{
    struct data_page page;
    struct json_out out;

    TRY(data_page_read(request->arena, request->query, PLAN_LIMIT_DEFAULT, &page, request->refusal));
    json_out_init(&out, request->out);
    json_out_object(&out);
    json_out_name(&out, span_lit("items"));
    json_out_array(&out);
    json_out_array_end(&out);
    data_write_pagination(&out, page, 0);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

static enum err start_people(const struct data_request *request, struct data_list *list)
{
    const struct data_access *access = request->access;
    struct people_list_input input = {
        .arena = request->arena, .query = request->query, .out = request->out, .refusal = request->refusal};

    if (access->built_in == DATA_BUILT_IN_EMPTY) {
        return write_empty_list(request);
    }
    TRY(request_snapshot(request, &list->snap));
    input.view = people_view_of(access);
    input.snap = list->snap;
    input.where = &access->place->people;
    return people_list_new(&input, &list->query);
}

static enum err start_query(const struct data_request *request, struct data_list *list)
{
    const struct plan *plan = NULL;

    TRY(make_plan(request, &plan));
    TRY(request_snapshot(request, &list->snap));
    if (is_dropped(list->snap, request->access->table->store)) {
        return refuse(request->refusal, REFUSAL_DATA_TABLE_NOT_FOUND, NULL);
    }
    const struct list_input input = {
        .plan = plan, .snap = list->snap, .table = request->access->table->store, .out = request->out};
    return list_query_new(&input, &list->query);
}

static enum err new_list(struct data_reader *reader, const struct catalog *catalog, struct refusal *refusal,
                         struct data_list **out_list)
{
    void *memory = NULL;

    ENSURE(reader->lists < DATA_LISTS_MAX, ERR_LIMIT, "this reader has no room for one more list");
    TRY(mem_alloc(sizeof **out_list, &memory));
    *out_list = memory;
    (*out_list)->reader = reader;
    (*out_list)->reader->lists++;
    (*out_list)->catalog = catalog_ref(catalog);
    (*out_list)->refusal = refusal;
    return ERR_OK;
}

enum err data_list_new(const struct data_request *request, struct data_list **out_list)
{
    SCOPED(list_free_scoped) struct data_list *list = NULL;

    INVARIANT(request->access->op == RLS_LIST);
    TRY(new_list(request->reader, request->catalog, request->refusal, &list));
    TRY(request->access->table == NULL ? start_people(request, list) : start_query(request, list));
    *out_list = TAKE(list);
    return ERR_OK;
}

enum err data_list_outbox(const struct data_admin *admin, struct wall_time now, struct data_list **out_list)
{
    const struct catalog_environment *place = catalog_environment(admin->catalog, admin->key->environment_id);
    SCOPED(list_free_scoped) struct data_list *list = NULL;
    struct outbox_list_input input = {.now = now, .out = admin->out};

    TRY(data_page_read(admin->arena, admin->query, PLAN_LIMIT_DEFAULT, &input.page, admin->refusal));
    TRY(outbox_filter_read(admin->arena, admin->query, &input.filter, admin->refusal));
    if (place == NULL) {
        return refuse(admin->refusal, REFUSAL_DATA_ENVIRONMENT_NOT_FOUND, NULL);
    }
    TRY(new_list(admin->reader, admin->catalog, admin->refusal, &list));
    TRY(data_snapshot(admin->reader, admin->catalog, &list->snap));
    input.snap = list->snap;
    input.outbox = place->people.outbox;
    input.environment = place->record.id;
    TRY(outbox_list_new(&input, &list->mails));
    *out_list = TAKE(list);
    return ERR_OK;
}

enum err data_list_invitations(const struct data_invitations_request *asked, struct data_list **out_list)
{
    const struct data_request *request = asked->request;
    SCOPED(list_free_scoped) struct data_list *list = NULL;
    struct invitation_list_input input = {.asked = asked};
    struct catalog_people where;

    TRY(new_list(request->reader, request->catalog, request->refusal, &list));
    TRY(request_snapshot(request, &list->snap));
    TRY(people_of(request->catalog, asked->principal->key->environment_id, &where));
    input.snap = list->snap;
    input.table = where.invitations;
    TRY(invitation_list_new(&input, &list->query));
    *out_list = TAKE(list);
    return ERR_OK;
}

enum err data_list_audit(const struct data_admin *admin, struct data_list **out_list)
{
    SCOPED(list_free_scoped) struct data_list *list = NULL;

    TRY(new_list(admin->reader, admin->catalog, admin->refusal, &list));
    TRY(data_snapshot(admin->reader, admin->catalog, &list->snap));
    TRY(audit_list_new(admin, list->snap, &list->query));
    *out_list = TAKE(list);
    return ERR_OK;
}

enum err data_verify_audit(const struct data_admin *admin, struct data_list **out_list)
{
    SCOPED(list_free_scoped) struct data_list *list = NULL;
    struct audit_check_input input = {.out = admin->out};

    TRY(audit_range_read(admin, &input.from, &input.to));
    TRY(new_list(admin->reader, admin->catalog, admin->refusal, &list));
    TRY(data_snapshot(admin->reader, admin->catalog, &list->snap));
    input.snap = list->snap;
    TRY(audit_check_new(&input, &list->check));
    *out_list = TAKE(list);
    return ERR_OK;
}

static enum err step(struct data_list *list, struct store_budget *budget)
{
    if (list->mails != NULL) {
        return outbox_list_step(list->mails, budget);
    }
    if (list->check != NULL) {
        return audit_check_step(list->check, budget);
    }
    return list_query_step(list->query, budget);
}

enum err data_list_step(struct data_list *list, struct mono_time (*now)(void *context), void *context,
                        struct mono_time until)
{
    struct store_budget budget = {.steps = SCAN_STEPS_A_CALL, .now = now, .context = context, .deadline = until};

    if (list->query == NULL && list->mails == NULL && list->check == NULL) {
        return ERR_OK;
    }
    const enum err err = step(list, &budget);

    if (err == ERR_BUDGET) {
        return refuse(list->refusal, REFUSAL_COMMON_INVALID_PARAMETERS, "The filters or the search take too much work");
    }
    if (err == ERR_RANGE) {
        return refuse(list->refusal, REFUSAL_COMMON_INVALID_PARAMETERS,
                      "limit: the page is larger than a response may be");
    }
    return err;
}
