/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs a proposed policy beside the stored one. Rows come newest first; for each, every kind of requester is asked every
 * operation under both, and what differs is counted. Between two decisions it may pause: the row's view stays. */
#include "firmware/data/simulate.h"

#include "firmware/data/data_int.h"
#include "firmware/data/simulate_int.h"
#include "firmware/data/policy_who.h"
#include "firmware/data/row_gate.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"

#define SAMPLE_DEFAULT 100
#define STEPS_A_CALL   1024u /* between two returns to the loop even if the clock stood still */

/* --- kinds of requester --- */

static void add_kind(struct data_simulation *simulation, enum rls_group group, struct span role, bool owner)
{
    simulation->kinds[simulation->kind_count] = (struct simulate_kind){.group = group, .role = role, .owner = owner};
    simulation->kind_count++;
}

static bool has_role(const struct data_simulation *simulation, struct span role)
{
    bool found = false;
    for (size_t i = 0; !found && i < simulation->kind_count; i++) {
        found = span_equal(simulation->kinds[i].role, role);
    }
    return found;
}

static void add_role(struct data_simulation *simulation, struct span role)
{
    if (!has_role(simulation, role)) {
        add_kind(simulation, RLS_USER, role, false);
        add_kind(simulation, RLS_USER, role, true);
    }
}

/* Guests, users who own nothing, owners, and the same two with each role that either policy names. A role that neither
 * names is met by role:* alone. */
static enum err make_kinds(struct data_simulation *simulation)
{
    size_t roles = 1; /* any other */
    void *memory = NULL;

    for (size_t side = 0; side < ARRAY_LENGTH(simulation->sides); side++) {
        roles += rls_role_count(simulation->sides[side].policy);
    }
    TRY(mem_alloc_array(3 + 2 * roles, sizeof(struct simulate_kind), &memory));
    simulation->kinds = memory;
    add_kind(simulation, RLS_GUEST, SPAN_NONE, false);
    add_kind(simulation, RLS_USER, SPAN_NONE, false);
    add_kind(simulation, RLS_USER, SPAN_NONE, true);
    for (size_t side = 0; side < ARRAY_LENGTH(simulation->sides); side++) {
        const struct rls_policy *policy = simulation->sides[side].policy;
        for (size_t i = 0; i < rls_role_count(policy); i++) {
            add_role(simulation, rls_role_name(policy, i));
        }
    }
    add_role(simulation, span_lit(SIMULATE_OTHER));
    return ERR_OK;
}

void simulate_bind(struct data_simulation *simulation, const struct simulate_kind *kind, struct span owner)
{
    const struct rls_who who = {.group = kind->group,
                                .id = kind->owner               ? owner
                                      : kind->group == RLS_USER ? span_lit(POLICY_WHO_USER)
                                                                : SPAN_NONE,
                                .roles = &kind->role,
                                .role_count = kind->role.len == 0 ? 0 : 1};

    for (size_t i = 0; i < ARRAY_LENGTH(simulation->sides); i++) {
        struct simulate_side *side = &simulation->sides[i];
        const struct rls_table table = {
            .name = simulation->table->record.name, .policy = side->policy, .preset = simulation->preset};
        rls_bind(&table, &who, &side->bound);
    }
}

/* --- rows --- */

static enum err allows(const struct data_simulation *simulation, enum simulate_which which, enum rls_op op,
                       bool *out_allows)
{
    const struct simulate_side *side = &simulation->sides[which];
    const struct row_gate_input input = {.bound = &side->bound,
                                         .filters = side->filters,
                                         .op = op,
                                         .verdict = rls_decide(&side->bound, op).verdict,
                                         .work = simulation->reader->policy_work};
    const struct row_gate gate = row_gate_of(&input);

    return row_gate_passes(&gate, &simulation->row, out_allows);
}

static void note(struct simulate_rows *rows, struct row_id id)
{
    if (rows->count < SIMULATE_IDS_MAX) {
        rows->ids[rows->count] = id;
    }
    rows->count++;
}

/* One decision on the row, under both policies. */
static enum err compare(struct data_simulation *simulation, struct simulate_kind *kind, enum rls_op op)
{
    struct simulate_change *change = &kind->changes[op];
    bool before = false;
    bool after = false;

    TRY(allows(simulation, SIMULATE_STORED, op, &before));
    TRY(allows(simulation, SIMULATE_PROPOSED, op, &after));
    change->before += before;
    change->after += after;
    if (after && !before) {
        note(&change->allowed, simulation->row.id);
    }
    if (before && !after) {
        note(&change->denied, simulation->row.id);
    }
    return ERR_OK;
}

/* The next operation, kind or row. Rows without an owner have none to ask. */
static enum err advance(struct data_simulation *simulation)
{
    struct simulate_kind *kind = &simulation->kinds[simulation->kind];
    const bool asked = !kind->owner || simulation->row.created_by.len > 0;

    if (asked && simulation->op < RLS_OPS) {
        if (simulation->op == 0) {
            simulate_bind(simulation, kind, simulation->row.created_by);
            kind->rows++;
        }
        const enum rls_op op = (enum rls_op)simulation->op;
        simulation->op++;
        return op == RLS_CREATE ? ERR_OK : compare(simulation, kind, op);
    }
    simulation->op = 0;
    simulation->kind++;
    if (simulation->kind == simulation->kind_count) {
        simulation->kind = 0;
        simulation->has_row = false;
        simulation->sampled++;
    }
    return ERR_OK;
}

static enum err next_row(struct data_simulation *simulation, struct store_budget *budget)
{
    const enum err err = simulation->sampled == simulation->sample
                             ? ERR_NOT_FOUND
                             : store_scan_next(simulation->snap, budget, &simulation->row);

    if (err == ERR_NOT_FOUND) {
        fault_clear();
        simulation->writing = true;
        return simulate_write_begin(simulation);
    }
    if (err == ERR_OK) {
        simulation->has_row = true;
    }
    return err;
}

/* A policy whose tests cannot be run could not be saved; one whose tests do not hold could not either, and is told so. */
static enum err run_test(struct data_simulation *simulation)
{
    struct rls_problem problem = {.why = NULL};

    const enum err err = policy_tests_next(simulation->testing, &problem);
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        simulation->testing = NULL;
        return ERR_OK;
    }
    if (err == ERR_BUDGET) {
        return refuse(simulation->refusal, REFUSAL_DATA_VALIDATION_ERROR, "The tests of the policy take too much work");
    }
    return policy_refuse(err, &problem, simulation->refusal);
}

static enum err step_once(struct data_simulation *simulation, struct store_budget *budget)
{
    if (simulation->testing != NULL) {
        return run_test(simulation);
    }
    if (simulation->writing) {
        simulate_write_kind(simulation, &simulation->kinds[simulation->kind]);
        simulation->kind++;
        return ERR_OK;
    }
    return simulation->has_row ? advance(simulation) : next_row(simulation, budget);
}

enum err data_simulation_step(struct data_simulation *simulation, struct mono_time (*now)(void *context), void *context,
                              struct mono_time until)
{
    struct store_budget budget = {.steps = UINT32_MAX, .now = now, .context = context, .deadline = until};

    for (uint32_t steps = 0; !simulation->writing || simulation->kind < simulation->kind_count; steps++) {
        if (steps == STEPS_A_CALL) {
            return ERR_AGAIN;
        }
        const enum err err = step_once(simulation, &budget);
        if (err != ERR_OK) {
            return err; /* ERR_AGAIN is no fault */
        }
        if (now(context).ns >= until.ns) {
            return ERR_AGAIN;
        }
    }
    return simulate_write_end(simulation);
}

/* --- starting --- */

static enum err refuse_body(const struct data_admin *admin, const char *member, const char *why)
{
    return refuse_at(admin->refusal, REFUSAL_COMMON_INVALID_PARAMETERS, span_str(member), why);
}

static enum err read_sample(const struct data_admin *admin, const struct json_value *sample, uint32_t *out_rows)
{
    if (sample == NULL) {
        *out_rows = CONFIG_DATA_SIMULATE_ROWS < SAMPLE_DEFAULT ? CONFIG_DATA_SIMULATE_ROWS : SAMPLE_DEFAULT;
        return ERR_OK;
    }
    if (sample->type != JSON_INT || sample->as.integer < 1 || sample->as.integer > CONFIG_DATA_SIMULATE_ROWS) {
        return refuse_body(admin, "sample", "must be an integer from 1, and no more than this box samples");
    }
    *out_rows = (uint32_t)sample->as.integer;
    return ERR_OK;
}

static enum err read_body(const struct data_admin *admin, const struct json_value *body,
                          struct data_simulation *simulation)
{
    static const char *const members[] = {"tableId", "policy", "sample"};
    const struct json_value *id = json_find(body, span_lit("tableId"));
    const struct json_value *policy = json_find(body, span_lit("policy"));

    if (!policy_members_known(body, members, ARRAY_LENGTH(members))) {
        return refuse_body(admin, "", "The body must be an object of tableId, policy and sample");
    }
    if (id == NULL || id->type != JSON_STRING) {
        return refuse_body(admin, "tableId", "must be a string");
    }
    TRY(admin_table(admin, id->as.text, &simulation->table));
    if (policy == NULL || policy->type != JSON_OBJECT) {
        return refuse_body(admin, "policy", "must be an object");
    }
    TRY(read_sample(admin, json_find(body, span_lit("sample")), &simulation->sample));
    return policy_read(policy, POLICY_ALONE, admin->arena, &simulation->policy, admin->refusal);
}

/* As policy_check does for a policy that is saved, but with what this thread has, and in slices. */
static enum err begin_tests(const struct data_admin *admin, struct data_simulation *simulation)
{
    struct regex_work *work = NULL;
    void *memory = NULL;

    TRY(buf_new(ROW_BYTES_MAX, &simulation->row_bytes));
    TRY(regex_work_new(admin->arena, CONFIG_DATA_REGEX_STEPS, &work));
    TRY(arena_alloc(admin->arena, sizeof(struct schema_report), &memory));
    simulation->failed = memory;
    simulation->tests = (struct policy_tests){
        .arena = admin->arena,
        .table = {.name = simulation->table->record.name, .policy = simulation->policy, .preset = simulation->preset},
        .schema = simulation->table->schema,
        .filters = simulation->filters,
        .work = admin->reader->policy_work,
        .schema_work = work,
        .row = simulation->row_bytes,
        .now = hal_clock_wall(admin->reader->data->clock)};
    return policy_tests_begin(&simulation->tests, simulation->failed, &simulation->testing);
}

static enum err check_policy(const struct data_admin *admin, struct data_simulation *simulation)
{
    struct rls_problem problem = {.why = NULL};

    const enum err err =
        policy_filters_new(simulation->policy, simulation->table->schema, &simulation->filters, &problem);
    if (err != ERR_OK) {
        return policy_refuse(err, &problem, admin->refusal);
    }
    return begin_tests(admin, simulation);
}

static enum err check_work(const struct data_admin *admin, const struct data_simulation *simulation)
{
    const uint64_t decisions = (uint64_t)simulation->sample * simulation->kind_count * (RLS_OPS - 1) * 2;

    if (decisions > CONFIG_DATA_SIMULATE_DECISIONS) {
        return refuse_body(admin, "sample", "is too large for so many roles: ask about fewer rows");
    }
    return ERR_OK;
}

static enum err start_scan(const struct data_admin *admin, struct data_simulation *simulation)
{
    const struct store_scan scan = {.table = simulation->table->store, .backward = true};

    TRY(data_snapshot(admin->reader, admin->catalog, &simulation->snap));
    const enum err err = store_scan_begin(simulation->snap, &scan);
    if (err == ERR_NOT_FOUND) {
        return refuse(admin->refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such table");
    }
    return err;
}

static enum err start(const struct data_admin *admin, const struct json_value *body, struct data_simulation *simulation)
{
    const struct catalog_project *project = catalog_project(admin->catalog, admin->key->project_id);

    simulation->preset = project == NULL ? RLS_HARDENED : project->preset;
    TRY(read_body(admin, body, simulation));
    TRY(check_policy(admin, simulation));
    simulation->sides[SIMULATE_STORED].policy = simulation->table->policy;
    simulation->sides[SIMULATE_STORED].filters = simulation->table->filters;
    simulation->sides[SIMULATE_PROPOSED].policy = simulation->policy;
    simulation->sides[SIMULATE_PROPOSED].filters = simulation->filters;
    TRY(make_kinds(simulation));
    TRY(check_work(admin, simulation));
    return start_scan(admin, simulation);
}

static void simulation_free_scoped(struct data_simulation **simulation)
{
    data_simulation_free(*simulation);
}

enum err data_simulation_new(const struct data_admin *admin, const struct json_value *body,
                             struct data_simulation **out_simulation)
{
    SCOPED(simulation_free_scoped) struct data_simulation *simulation = NULL;
    void *memory = NULL;

    ENSURE(admin->reader->lists < DATA_LISTS_MAX, ERR_LIMIT, "this reader has no room for one more scan");
    TRY(mem_alloc(sizeof *simulation, &memory));
    simulation = memory;
    simulation->reader = admin->reader;
    simulation->reader->lists++;
    simulation->catalog = catalog_ref(admin->catalog);
    simulation->out = admin->out;
    simulation->refusal = admin->refusal;
    TRY(start(admin, body, simulation));
    LOG(LOG_INFO, "policy_simulated", LOG_TEXT("key", admin->key->id),
        LOG_TEXT("table", simulation->table->record.name), LOG_NUMBER("sample", simulation->sample));
    *out_simulation = TAKE(simulation);
    return ERR_OK;
}

void data_simulation_free(struct data_simulation *simulation)
{
    if (simulation == NULL) {
        return;
    }
    store_snap_end(simulation->snap);
    buf_free(simulation->row_bytes);
    policy_filters_free(simulation->filters);
    rls_policy_free(simulation->policy);
    catalog_unref(simulation->catalog);
    mem_free(simulation->kinds);
    simulation->reader->lists--;
    mem_free(simulation);
}
