/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compiling and asking the row filters of a policy. A filter's text and tree lie in one arena with what was compiled from
 * them. Whatever does not fit together (filters of another policy, a verdict that is none) shows no row. */
#include "firmware/data/policy_filters.h"

#include <stdio.h>
#include <string.h>

#include "firmware/data/filter.h"
#include "firmware/data/filter_int.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "net/json.h"

/* The text of a policy as a tree takes 40 bytes for one of it; 96 regular expressions are met before they are counted. */
#define ARENA_KEEP 1024
#define ARENA_MAX  ((size_t)24 << 20)

struct policy_filters {
    struct arena *arena;
    size_t count;
    const struct filter *items[RLS_FILTERS_MAX];
};

static enum err refuse(struct rls_problem *out_problem, size_t at, struct span field, const char *why)
{
    char head[48];
    const int len = snprintf(head, sizeof head, "rowFilters.%zu.filter%s", at, field.len > 0 ? "." : "");
    const size_t room = RLS_WHERE_MAX - (size_t)len;

    *out_problem = (struct rls_problem){.why = why};
    memcpy(out_problem->where, head, (size_t)len);
    out_problem->where_len = (size_t)len;
    if (field.len > 0) {
        memcpy(out_problem->where + len, field.data, num_min(field.len, room));
        out_problem->where_len += num_min(field.len, room);
    }
    return ERR_MALFORMED;
}

static enum err compile_one(const struct rls_policy *policy, const struct schema *schema,
                            struct policy_filters *filters, size_t at, struct rls_problem *out_problem)
{
    const struct filter_scope scope = {.kind = FILTER_OF_POLICY, .arena = filters->arena, .schema = schema};
    const struct json_value *object = NULL;
    struct filter_problem problem = {.why = NULL};
    struct span text = rls_filter_text(policy, at);

    if (text.len > FILTER_TEXT_MAX) {
        return refuse(out_problem, at, SPAN_NONE, "is longer than 16 KiB");
    }
    TRY(arena_copy(filters->arena, text, &text));
    const enum err parsed = json_parse(text, filters->arena, &object);
    if (parsed == ERR_MALFORMED || parsed == ERR_RANGE || (parsed == ERR_OK && object->type != JSON_OBJECT)) {
        return refuse(out_problem, at, SPAN_NONE, "must be an object");
    }
    TRY(parsed);
    const enum err err = filter_new(&scope, object, NULL, &filters->items[at], &problem);
    if (err == ERR_MALFORMED) {
        return refuse(out_problem, at, span_of(problem.field, problem.field_len), problem.why);
    }
    return err;
}

static size_t count_regexes(const struct filter *filter)
{
    size_t count = 0;
    for (size_t i = 0; i < filter->clause_count; i++) {
        count += filter->clauses[i].regex != NULL;
    }
    return count;
}

static enum err compile_all(const struct rls_policy *policy, const struct schema *schema,
                            struct policy_filters *filters, struct rls_problem *out_problem)
{
    size_t regexes = 0;

    filters->count = num_min(rls_filter_count(policy), RLS_FILTERS_MAX);
    for (size_t i = 0; i < filters->count; i++) {
        const enum err err = compile_one(policy, schema, filters, i, out_problem);
        if (err != ERR_OK) {
            return err;
        }
        regexes += count_regexes(filters->items[i]);
        if (regexes > POLICY_REGEX_MAX) {
            return refuse(out_problem, i, SPAN_NONE, "is one too many with $regex: a policy may have 32");
        }
    }
    return ERR_OK;
}

enum err policy_filters_new(const struct rls_policy *policy, const struct schema *schema,
                            struct policy_filters **out_filters, struct rls_problem *out_problem)
{
    SCOPED_POLICY_FILTERS struct policy_filters *filters = NULL;
    struct rls_problem problem = {.why = NULL};
    void *memory = NULL;

    if (rls_filter_count(policy) == 0) {
        *out_filters = NULL;
        return ERR_OK;
    }
    TRY(mem_alloc(sizeof *filters, &memory));
    filters = memory;
    TRY(arena_new(ARENA_KEEP, ARENA_MAX, &filters->arena));
    const enum err err = compile_all(policy, schema, filters, &problem);
    if (err == ERR_MALFORMED) {
        *out_problem = problem;
    }
    TRY(err);
    *out_filters = TAKE(filters);
    return ERR_OK;
}

void policy_filters_free(struct policy_filters *filters)
{
    if (filters != NULL) {
        arena_free(filters->arena);
        mem_free(filters);
    }
}

/* --- asking --- */

_Static_assert(RLS_FILTERS_MAX <= 32, "a bit for each row filter");

struct policy_filters_bound policy_filters_bind(const struct policy_filters *filters, const struct rls_bound *bound)
{
    const size_t count = rls_filter_count(bound->table.policy);
    struct policy_filters_bound found = {.reach = POLICY_REACH_NONE};

    if (!rls_filters_apply(bound)) {
        found.reach = POLICY_REACH_ALL;
        return found;
    }
    for (size_t i = 0; i < num_min(count, RLS_FILTERS_MAX); i++) {
        const enum rls_verdict verdict = rls_filter(bound, i);
        found.any |= (uint32_t)(verdict == RLS_ALLOW) << i;
        found.owned |= (uint32_t)(verdict == RLS_OWNER) << i;
    }
    if ((found.any | found.owned) == 0) {
        found.reach = bound->settings.no_match_allows ? POLICY_REACH_ALL : POLICY_REACH_NONE;
        return found;
    }
    if (filters == NULL || filters->count != count) {
        return (struct policy_filters_bound){.reach = POLICY_REACH_NONE}; /* not the filters of this policy */
    }
    found.reach = found.any != 0 ? POLICY_REACH_ALL : POLICY_REACH_OWNED;
    found.filters = filters;
    return found;
}

/* Does any of these filters hold for the row? */
static enum err any_holds(const struct policy_filters *filters, uint32_t asked, const struct filter_subject *subject,
                          bool *out_holds)
{
    bool holds = false;

    for (size_t i = 0; !holds && i < filters->count; i++) {
        if ((asked >> i & 1) != 0) {
            TRY(filter_match(filters->items[i], subject, &holds));
        }
    }
    *out_holds = holds;
    return ERR_OK;
}

/* Asks those of the filters `among` that contribute this row to the requester. */
static enum err match_among(const struct policy_filters_bound *bound, uint32_t among,
                            const struct filter_subject *subject, bool *out_match)
{
    const uint32_t contributing = bound->any | (subject->owns ? bound->owned : 0);

    *out_match = false;
    regex_work_refill(subject->work, CONFIG_DATA_POLICY_STEPS);
    const enum err err = any_holds(bound->filters, contributing & among, subject, out_match);
    if (err == ERR_BUDGET) {
        fault_clear();
        return ERR_OK;
    }
    return err;
}

enum err policy_filters_match(const struct policy_filters_bound *bound, const struct filter_subject *subject,
                              bool *out_match)
{
    if (bound->filters == NULL) {
        *out_match = bound->reach == POLICY_REACH_ALL;
        return ERR_OK;
    }
    return match_among(bound, UINT32_MAX, subject, out_match);
}

enum err policy_filters_contribute(const struct policy_filters_bound *bound, size_t filter,
                                   const struct filter_subject *subject, bool *out_match)
{
    if (bound->filters == NULL || filter >= RLS_FILTERS_MAX) {
        *out_match = false;
        return ERR_OK;
    }
    return match_among(bound, UINT32_C(1) << filter, subject, out_match);
}

/* --- what they ask about --- */

bool policy_filters_field(const struct policy_filters *filters, size_t filter, size_t condition, struct span *out_name)
{
    if (filters == NULL || filter >= filters->count || condition >= filters->items[filter]->clause_count) {
        return false;
    }
    *out_name = filters->items[filter]->clauses[condition].field.name;
    return true;
}

size_t policy_filters_naming(const struct policy_filters *filters, const struct rls_policy *policy, struct span field)
{
    const size_t count = rls_filter_count(policy);

    for (size_t i = 0; i < count; i++) {
        struct span name = SPAN_NONE;
        for (size_t at = 0; policy_filters_field(filters, i, at, &name); at++) {
            if (span_equal(name, field)) {
                return i;
            }
        }
    }
    return count;
}
