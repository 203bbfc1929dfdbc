/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Policies of tables: read from a body, checked against the schema, tried by their own tests, stored, answered with
 * warnings. Whatever changes a policy or the schema under it comes through policy_check before anything is changed.
 * Contract 3.2, 6, 9.1. */
#include "firmware/data/access.h"
#include "firmware/data/data_int.h"
#include "firmware/data/policy_filters.h"
#include "firmware/data/policy_lint.h"
#include "firmware/data/policy_tests.h"
#include "firmware/data/schema_json.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"

static const struct span policy_members[] = {
    {(const uint8_t *)"permissions", 11},       {(const uint8_t *)"expressionPermissions", 21},
    {(const uint8_t *)"columnPermissions", 17}, {(const uint8_t *)"rowFilters", 10},
    {(const uint8_t *)"security", 8},           {(const uint8_t *)"tests", 5},
};

enum err policy_refuse(enum err err, const struct rls_problem *problem, struct refusal *refusal)
{
    if (err != ERR_MALFORMED) {
        return err;
    }
    return refuse_at(refusal, REFUSAL_DATA_VALIDATION_ERROR, span_of(problem->where, problem->where_len),
                     problem->why == NULL ? "is not valid" : problem->why);
}

/* The members of a policy among those of a body. */
static enum err pick_members(const struct json_value *body, struct arena *arena, struct json_value *out_policy)
{
    struct json_member *members = NULL;
    size_t count = 0;
    void *memory = NULL;

    TRY(arena_alloc(arena, ARRAY_LENGTH(policy_members) * sizeof *members, &memory));
    members = memory;
    for (size_t i = 0; i < ARRAY_LENGTH(policy_members); i++) {
        const struct json_value *value = json_find(body, policy_members[i]);
        if (value != NULL) {
            members[count++] = (struct json_member){policy_members[i], *value};
        }
    }
    *out_policy = (struct json_value){.type = JSON_OBJECT, .as.object = {members, count}};
    return ERR_OK;
}

enum err policy_refuse_all_but(const struct json_value *body, struct span allowed, struct refusal *refusal)
{
    for (size_t i = 0; i < ARRAY_LENGTH(policy_members); i++) {
        const struct span name = policy_members[i];

        if (!span_equal(name, allowed) && json_find(body, name) != NULL) {
            return refuse_at(refusal, REFUSAL_COMMON_INVALID_PARAMETERS, name,
                             "is changed with the whole policy: PUT /v1/admin/tables/:tableId/policy");
        }
    }
    return ERR_OK;
}

enum err policy_read(const struct json_value *body, enum policy_body kind, struct arena *arena,
                     struct rls_policy **out_policy, struct refusal *refusal)
{
    SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
    struct rls_problem problem = {.why = NULL};
    struct json_value members = *body;

    if (kind == POLICY_AMONG_OTHERS) {
        TRY(pick_members(body, arena, &members));
    }
    const enum err err = rls_compile(&members, policy_json_text, &policy, &problem);
    if (err != ERR_OK) {
        return policy_refuse(err, &problem, refusal);
    }
    *out_policy = TAKE(policy);
    return ERR_OK;
}

static enum err run_tests(struct data_txn *txn, struct data_call *call, const struct rls_table *table,
                          const struct schema *schema, const struct policy_filters *filters)
{
    const struct policy_tests tests = {.arena = call->arena,
                                       .table = *table,
                                       .schema = schema,
                                       .filters = filters,
                                       .work = txn->data->policy_work,
                                       .schema_work = txn->data->regex,
                                       .row = txn->data->row,
                                       .now = txn->now};
    struct rls_problem problem = {.why = NULL};
    void *memory = NULL;

    TRY(arena_alloc(call->arena, sizeof(struct schema_report), &memory));
    regex_work_refill(txn->data->regex, CONFIG_DATA_REGEX_STEPS);
    const enum err err = policy_tests_run(&tests, memory, &problem);
    if (err == ERR_DENIED) {
        return refuse_report(&call->refusal, memory);
    }
    if (err == ERR_BUDGET) {
        return refuse(&call->refusal, REFUSAL_DATA_VALIDATION_ERROR, "The tests of the policy take too much work");
    }
    return policy_refuse(err, &problem, &call->refusal);
}

enum err policy_check(struct data_txn *txn, struct data_call *call, struct span name, const struct schema *schema,
                      const struct rls_policy *policy)
{
    SCOPED_POLICY_FILTERS struct policy_filters *filters = NULL;
    const struct rls_table table = {.name = name, .policy = policy, .preset = txn->project->preset};
    struct rls_problem problem = {.why = NULL};

    const enum err err = policy_filters_new(policy, schema, &filters, &problem);
    if (err != ERR_OK) {
        return policy_refuse(err, &problem, &call->refusal);
    }
    return run_tests(txn, call, &table, schema, filters);
}

/* --- fields that go --- */

static enum err refuse_named(struct refusal *refusal, const char *list, size_t at, struct span field)
{
    char number[SPAN_U64_TEXT_MAX];

    return REFUSE_TEXT(refusal, REFUSAL_DATA_VALIDATION_ERROR, span_str(list), span_lit("."),
                       span_from_u64(at, number), span_lit(" names the field "), field,
                       span_lit(", which can go only after the policy was changed"));
}

/* A row filter without its column would show other rows than it was written for, so it holds the column. */
static enum err check_unnamed(struct data_call *call, const struct catalog_table *table, struct span field)
{
    const size_t filter = policy_filters_naming(table->filters, table->policy, field);
    size_t test = 0;
    bool named = false;

    if (filter < rls_filter_count(table->policy)) {
        return refuse_named(&call->refusal, "rowFilters", filter, field);
    }
    TRY(policy_tests_naming(call->arena, table->policy, field, &named, &test));
    return named ? refuse_named(&call->refusal, "tests", test, field) : ERR_OK;
}

enum err policy_follow_schema(struct data_txn *txn, struct data_call *call, const struct catalog_table *table,
                              const struct schema *next, struct rls_policy **out_policy)
{
    SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
    size_t count = 0;
    size_t gone = 0;
    void *memory = NULL;
    const struct schema_field *fields = schema_fields(table->schema, &count);

    TRY(arena_alloc_array(call->arena, count, sizeof(struct span), &memory));
    struct span *names = memory;
    for (size_t i = 0; i < count; i++) {
        if (schema_find_column(next, fields[i].column) == NULL) {
            TRY(check_unnamed(call, table, fields[i].name));
        }
        if (schema_find(next, fields[i].name) == NULL) { /* one that comes back under its name keeps its rule */
            names[gone] = fields[i].name;
            gone++;
        }
    }
    if (rls_columns_any(table->policy) && gone > 0) {
        TRY(rls_policy_without_columns(table->policy, names, gone, &policy));
    }
    TRY(policy_check(txn, call, table->record.name, next, policy == NULL ? table->policy : policy));
    *out_policy = TAKE(policy);
    return ERR_OK;
}

/* --- answers --- */

static void write_warnings(struct json_out *out, const struct data_txn *txn, const struct catalog_table *table)
{
    json_out_name(out, span_lit("warnings"));
    json_out_array(out);
    policy_lint_write(out, table, txn->project->preset);
    /* Web clients read a body with both members as an envelope: contract 8.1. */
    if (schema_find(table->schema, span_lit("success")) != NULL &&
        schema_find(table->schema, span_lit("data")) != NULL) {
        json_out_text(out,
                      span_lit("envelope-names: columns named success and data together are misread by web clients"));
    }
    json_out_array_end(out);
}

enum err policy_answer(struct data_txn *txn, struct data_call *call, const struct catalog_table *table)
{
    struct json_out out;

    json_out_init(&out, call->out);
    json_out_object(&out);
    TRY(table_write_members(&out, store_txn_snap(txn->store), table, TABLE_WHOLE));
    write_warnings(&out, txn, table);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

enum err data_table_set_policy(struct data_txn *txn, struct data_call *call)
{
    SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
    const struct catalog_table *table = NULL;
    const struct json_value *body = NULL;
    struct data_table_edit edit;
    void *memory = NULL;

    TRY(data_txn_admin(txn, call));
    TRY(data_txn_table(txn, call, &table));
    TRY(data_txn_body(call, REFUSAL_DATA_VALIDATION_ERROR, &body));
    TRY(policy_read(body, POLICY_ALONE, call->arena, &policy, &call->refusal));
    TRY(policy_check(txn, call, table->record.name, table->schema, policy));
    TRY(arena_alloc(call->arena, sizeof(struct data_index_list), &memory));
    table_edit_of(table, memory, &edit);
    edit.policy = policy;
    TRY(table_edit_store(txn, &edit, &table));
    return policy_answer(txn, call, table);
}
