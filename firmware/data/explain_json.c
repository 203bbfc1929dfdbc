/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An explanation as JSON. The numbers of steps are those of contract 3.6, and of rules those of 3.5. */
#include "firmware/data/explain_int.h"

#include "firmware/data/data_int.h"
#include "firmware/data/policy_who.h"
#include "firmware/data/row_json.h"
#include "hal/base/fault.h"

/* Steps of contract 3.6. */
#define STEP_NAME   6
#define STEP_SCOPE  7
#define STEP_TABLE  8
#define STEP_DECIDE 9
#define STEP_FETCH  10
#define STEP_OWNER  11
#define STEP_LISTED 12 /* the predicate of a list; the row filters of a read */

static void member_literal(struct explain *explain, struct span name, const char *text)
{
    json_out_member_text(&explain->out, name, span_str(text));
}

static const char *verdict_name(enum rls_verdict verdict)
{
    if (verdict == RLS_ALLOW) {
        return "allow";
    }
    return verdict == RLS_OWNER ? "owner" : "deny";
}

static void write_outcome(struct explain *explain, struct span name, const struct refusal *refusal)
{
    struct explain_code seen = {explain->op == RLS_CREATE ? 201 : 200, NULL};

    if (refusal->code != REFUSAL_NONE) {
        seen = explain->code_of(refusal->code);
    }
    json_out_name(&explain->out, name);
    json_out_object(&explain->out);
    json_out_member_int(&explain->out, span_lit("status"), seen.status);
    if (seen.code == NULL) {
        json_out_member_null(&explain->out, span_lit("code"));
    } else {
        member_literal(explain, span_lit("code"), seen.code);
    }
    json_out_object_end(&explain->out);
}

static void write_question(struct explain *explain)
{
    struct json_out *out = &explain->out;

    if (explain->table != NULL) {
        json_out_member_text(out, span_lit("tableId"), explain->table->record.id);
    }
    json_out_member_text(out, span_lit("tableName"), explain->name);
    member_literal(explain, span_lit("op"), rls_op_name(explain->op));
    json_out_name(out, span_lit("requester"));
    json_out_object(out);
    member_literal(explain, span_lit("group"), policy_group_name(explain->who.group));
    admin_write_text(out, span_lit("userId"), explain->who.id);
    json_out_name(out, span_lit("roles"));
    json_out_array(out);
    for (size_t i = 0; i < explain->who.role_count; i++) {
        json_out_text(out, explain->who.roles[i]);
    }
    json_out_array_end(out);
    json_out_object_end(out);
}

/* What the rule of contract 3.5 that answered found. */
static void write_expression(struct explain *explain)
{
    const struct rls_decision *decision = &explain->decision;

    member_literal(explain, span_lit("by"), "expression");
    member_literal(explain, span_lit("op"), rls_op_name(decision->by));
    admin_write_text(&explain->out, span_lit("expression"),
                     rls_policy_expression(explain->access.rls.table.policy, decision->by));
    json_out_member_bool(&explain->out, span_lit("self"), decision->self);
}

static void write_matrix(struct explain *explain)
{
    const struct rls_decision *decision = &explain->decision;
    const bool configured = rls_policy_configured(explain->access.rls.table.policy);

    if (!configured && explain->access.rls.settings.require_explicit) {
        member_literal(explain, span_lit("by"), "setting");
        member_literal(explain, span_lit("setting"), "requireExplicitPolicy");
        return;
    }
    member_literal(explain, span_lit("by"), configured ? "permissions" : "default permissions");
    member_literal(explain, span_lit("subject"), rls_subject_name(decision->subject));
    member_literal(explain, span_lit("op"), rls_op_name(decision->by));
    if (decision->unset) {
        json_out_member_null(&explain->out, span_lit("right"));
    } else {
        json_out_member_bool(&explain->out, span_lit("right"), decision->verdict != RLS_DENY);
    }
}

static const char *rule_name(uint8_t rule)
{
    static const char *const names[] = {
        "none", "group admin", "built-in table", "system table without a policy", "guestAccess", "expression", "matrix",
    };
    return rule < ARRAY_LENGTH(names) ? names[rule] : names[0];
}

static void write_rule(struct explain *explain)
{
    struct json_out *out = &explain->out;
    const uint8_t rule = explain->decision.step;

    json_out_member_int(out, span_lit("step"), STEP_DECIDE);
    json_out_member_int(out, span_lit("rule"), rule);
    if (!explain->opened && explain->decision.verdict != RLS_DENY) {
        member_literal(explain, span_lit("by"), "built-in table: nobody writes it here");
        return;
    }
    switch (rule) {
    case 4:
        member_literal(explain, span_lit("by"), "setting");
        member_literal(explain, span_lit("setting"), "guestAccess");
        break;
    case 5:
        write_expression(explain);
        break;
    case 6:
        write_matrix(explain);
        break;
    default: /* a number of the contract, not an enum */
        member_literal(explain, span_lit("by"), rule_name(rule));
        break;
    }
}

static bool is_owner_short(const struct explain *explain)
{
    return explain->access.verdict == RLS_OWNER &&
           !(explain->has_row_view && rls_owns(&explain->who, explain->row.created_by));
}

static int filter_step(const struct explain *explain)
{
    return explain->op == RLS_READ || explain->op == RLS_LIST ? STEP_LISTED : STEP_OWNER;
}

static void write_decided_by(struct explain *explain)
{
    struct json_out *out = &explain->out;

    json_out_name(out, span_lit("decidedBy"));
    json_out_object(out);
    if (explain->fate == ROW_ABSENT) {
        json_out_member_int(out, span_lit("step"), STEP_FETCH);
        member_literal(explain, span_lit("by"), "absent row");
    } else if (explain->fate == ROW_HELD_BACK && is_owner_short(explain)) {
        json_out_member_int(out, span_lit("step"), explain->op == RLS_LIST ? STEP_LISTED : STEP_OWNER);
        member_literal(explain, span_lit("by"), "owner");
    } else if (explain->fate == ROW_HELD_BACK) {
        json_out_member_int(out, span_lit("step"), filter_step(explain));
        member_literal(explain, span_lit("by"), "row filters");
    } else {
        write_rule(explain);
    }
    json_out_object_end(out);
}

static void write_step(struct explain *explain, int step, const char *name, const char *result)
{
    json_out_object(&explain->out);
    json_out_member_int(&explain->out, span_lit("step"), step);
    member_literal(explain, span_lit("name"), name);
    member_literal(explain, span_lit("result"), result);
    json_out_object_end(&explain->out);
}

static void write_rules(struct explain *explain)
{
    struct json_out *out = &explain->out;

    json_out_object(out);
    json_out_member_int(out, span_lit("step"), STEP_DECIDE);
    member_literal(explain, span_lit("name"), "decide");
    member_literal(explain, span_lit("result"), explain->opened ? verdict_name(explain->decision.verdict) : "deny");
    json_out_name(out, span_lit("rules"));
    json_out_array(out);
    for (uint8_t rule = 1; rule <= explain->decision.step; rule++) {
        if (rule == 5 && explain->decision.step == 6) {
            continue; /* one or the other: there are no expressions */
        }
        const bool last = rule == explain->decision.step;
        json_out_object(out);
        json_out_member_int(out, span_lit("rule"), rule);
        member_literal(explain, span_lit("name"), rule_name(rule));
        member_literal(explain, span_lit("result"), last ? verdict_name(explain->decision.verdict) : "pass");
        json_out_object_end(out);
    }
    json_out_array_end(out);
    json_out_object_end(out);
}

static void write_row_steps(struct explain *explain, const struct row_gate *gate)
{
    const bool held_by_filter = explain->fate == ROW_HELD_BACK && !is_owner_short(explain);
    const int owner_step = explain->op == RLS_LIST ? STEP_LISTED : STEP_OWNER;

    if (explain->op != RLS_LIST) {
        write_step(explain, STEP_FETCH, "row", explain->fate == ROW_ABSENT ? "absent" : "present");
    }
    if (explain->fate == ROW_ABSENT) {
        return;
    }
    if (explain->access.verdict == RLS_OWNER) {
        write_step(explain, owner_step, "owner", is_owner_short(explain) ? "refused" : "pass");
    }
    if (row_gate_filters(gate) && !is_owner_short(explain)) {
        write_step(explain, filter_step(explain), "row filters", held_by_filter ? "refused" : "pass");
    }
}

static void write_steps(struct explain *explain, const struct row_gate *gate)
{
    json_out_name(&explain->out, span_lit("steps"));
    json_out_array(&explain->out);
    write_step(explain, STEP_NAME, "table name", "pass");
    write_step(explain, STEP_SCOPE, "key scope", "pass, taken to be unrestricted");
    write_step(explain, STEP_TABLE, "table", "pass");
    write_rules(explain);
    if (explain->fate != ROW_NOT_ASKED) {
        write_row_steps(explain, gate);
    }
    json_out_array_end(&explain->out);
}

static void write_columns(struct explain *explain)
{
    static const struct {
        const char *name;
        enum rls_access access;
        enum rls_verdict verdict;
    } kinds[] = {
        {"hidden", RLS_COLUMN_READ, RLS_DENY},        {"ownRowsOnly", RLS_COLUMN_READ, RLS_OWNER},
        {"notWritable", RLS_COLUMN_WRITE, RLS_DENY},  {"writableOnOwnRows", RLS_COLUMN_WRITE, RLS_OWNER},
        {"notInQueries", RLS_COLUMN_QUERY, RLS_DENY}, {"queriesOfOwnRows", RLS_COLUMN_QUERY, RLS_OWNER},
    };
    const struct rls_bound *bound = &explain->access.rls;
    struct json_out *out = &explain->out;

    json_out_name(out, span_lit("columns"));
    json_out_object(out);
    for (size_t kind = 0; kind < ARRAY_LENGTH(kinds); kind++) {
        json_out_name(out, span_str(kinds[kind].name));
        json_out_array(out);
        for (size_t i = 0; i < rls_column_count(bound->table.policy); i++) {
            if (rls_column_at(bound, i, kinds[kind].access) == kinds[kind].verdict) {
                json_out_text(out, rls_column_name(bound->table.policy, i));
            }
        }
        json_out_array_end(out);
    }
    json_out_object_end(out);
}

static void write_filter(struct explain *explain, size_t filter)
{
    const struct rls_policy *policy = explain->access.rls.table.policy;
    struct json_out *out = &explain->out;
    const enum rls_verdict verdict = rls_filter(&explain->access.rls, filter);

    json_out_object(out);
    json_out_member_text(out, span_lit("expression"), rls_filter_source(policy, filter));
    member_literal(explain, span_lit("contributes"),
                   verdict == RLS_ALLOW   ? "filter"
                   : verdict == RLS_OWNER ? "filter AND createdBy"
                                          : "nothing");
    json_out_name(out, span_lit("filter"));
    json_out_raw(out, rls_filter_text(policy, filter));
    json_out_object_end(out);
}

/* Which rows: owner AND (filter OR filter ...). */
static void write_predicate(struct explain *explain, const struct row_gate *gate)
{
    const struct rls_bound *bound = &explain->access.rls;
    struct json_out *out = &explain->out;

    json_out_name(out, span_lit("predicate"));
    if (!explain->opened || explain->op == RLS_CREATE) {
        json_out_null(out);
        return;
    }
    json_out_object(out);
    json_out_name(out, span_lit("createdBy"));
    if (explain->access.verdict == RLS_OWNER) {
        json_out_text(out, explain->who.id);
    } else {
        json_out_null(out);
    }
    json_out_name(out, span_lit("rowFilters"));
    if (row_gate_filters(gate)) {
        json_out_array(out);
        for (size_t i = 0; i < rls_filter_count(bound->table.policy); i++) {
            write_filter(explain, i);
        }
        json_out_array_end(out);
        member_literal(explain, span_lit("rowFilterNoMatch"), bound->settings.no_match_allows ? "allow" : "deny");
    } else {
        json_out_null(out);
    }
    json_out_object_end(out);
}

static void write_plan(struct explain *explain)
{
    struct json_out *out = &explain->out;

    if (explain->plan == NULL) {
        return;
    }
    json_out_name(out, span_lit("plan"));
    json_out_object(out);
    member_literal(explain, span_lit("rows"),
                   explain->plan->no_rows    ? "none"
                   : explain->plan->by_owner ? "own"
                                             : "all that the predicate takes");
    if (explain->plan->by_owner) {
        member_literal(explain, span_lit("index"), "idx_createdBy");
    } else {
        json_out_member_null(out, span_lit("index"));
    }
    json_out_member_bool(out, span_lit("scan"), !explain->plan->by_owner && !explain->plan->no_rows);
    json_out_object_end(out);
}

/* Which row filters let this row pass. */
static enum err write_matches(struct explain *explain, const struct row_gate *gate)
{
    json_out_name(&explain->out, span_lit("matches"));
    json_out_array(&explain->out);
    for (size_t i = 0; row_gate_filters(gate) && i < rls_filter_count(gate->bound->table.policy); i++) {
        bool match = false;
        TRY(row_gate_filter_passes(gate, i, &explain->row, &match));
        if (match) {
            json_out_int(&explain->out, (int64_t)i);
        }
    }
    json_out_array_end(&explain->out);
    return ERR_OK;
}

/* The columns that the row has and the answer has not. */
static enum err write_hidden(struct explain *explain)
{
    const struct row_view view = {
        .schema = explain->table->schema, .column_rules = explain->table->column_rules, .rls = &explain->access.rls};
    const bool owns = rls_owns(&explain->who, explain->row.created_by);
    struct row_iter iter = row_iter_columns(&explain->row);
    struct row_member member;
    enum err err = ERR_OK;

    json_out_name(&explain->out, span_lit("hidden"));
    json_out_array(&explain->out);
    while ((err = row_iter_next(&iter, &member)) == ERR_OK) {
        if (!row_json_shows(&view, &member, owns)) {
            json_out_text(&explain->out, row_json_name(view.schema, &member));
        }
    }
    ENSURE(err == ERR_NOT_FOUND, ERR_DAMAGED, "a row is damaged");
    fault_clear();
    json_out_array_end(&explain->out);
    return ERR_OK;
}

static enum err write_row(struct explain *explain, const struct row_gate *gate)
{
    static const char *const fates[] = {"not looked at", "absent", "held back", "passes"};
    struct json_out *out = &explain->out;

    if (!explain->has_row) {
        return ERR_OK;
    }
    json_out_name(out, span_lit("row"));
    json_out_object(out);
    json_out_member_text(out, span_lit("id"), explain->row_text);
    member_literal(explain, span_lit("fate"), fates[explain->fate]);
    if (explain->has_row_view) {
        json_out_member_bool(out, span_lit("owned"), rls_owns(&explain->who, explain->row.created_by));
        TRY(write_matches(explain, gate));
        TRY(write_hidden(explain));
    }
    json_out_object_end(out);
    return ERR_OK;
}

/* What other rows answer than those that the request is for, where no row was named. */
static enum err write_others(struct explain *explain, const struct row_gate *gate)
{
    struct refusal refusal = {.code = REFUSAL_NONE};

    if (!explain->opened || explain->op == RLS_CREATE || explain->op == RLS_LIST || !row_gate_may_hide(gate)) {
        return ERR_OK;
    }
    const enum err err = data_access_refuse_hidden(&explain->access, &refusal);
    ENSURE(err == ERR_DENIED, ERR_BUG, "a row that is held back is refused");
    fault_clear();
    write_outcome(explain, span_lit("otherRows"), &refusal);
    return ERR_OK;
}

enum err explain_write(struct explain *explain)
{
    const struct row_gate gate = data_access_gate(&explain->access, explain->admin->reader->policy_work);

    json_out_init(&explain->out, explain->admin->out);
    json_out_object(&explain->out);
    write_question(explain);
    member_literal(explain, span_lit("decision"), explain->opened ? verdict_name(explain->decision.verdict) : "deny");
    write_outcome(explain, span_lit("outcome"), &explain->refusal);
    TRY(write_others(explain, &gate));
    write_decided_by(explain);
    write_steps(explain, &gate);
    write_columns(explain);
    write_predicate(explain, &gate);
    write_plan(explain);
    TRY(write_row(explain, &gate));
    json_out_object_end(&explain->out);
    return json_out_finish(&explain->out);
}
