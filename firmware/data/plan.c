/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From query parameters to a plan.
 *
 * First every parameter is collected by name (a second one of the same name is refused), then each is checked in turn, so
 * what one means never depends on the order in which they came. Unknown parameters are ignored. */
#include "firmware/data/plan.h"

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "net/http.h"
#include "net/json.h"

enum param {
    PARAM_PAGE,
    PARAM_LIMIT,
    PARAM_OFFSET,
    PARAM_SORT_BY,
    PARAM_SORT_DIRECTION,
    PARAM_SEARCH,
    PARAM_SEARCH_TYPE,
    PARAM_AND_FILTERS,
    PARAM_OR_FILTERS,
};
#define PARAMS 9

static const char *const param_names[PARAMS] = {"page",   "limit",      "offset",     "sortBy",   "sortDirection",
                                                "search", "searchType", "andFilters", "orFilters"};

struct params {
    bool given[PARAMS];
    struct span values[PARAMS];
};

struct planner {
    const struct plan_input *input;
    struct plan *plan;
    struct params params;
    struct regex_work *work;
    struct filter_scope *scope; /* kept by filter and search */
    struct filter_problem problem;
    struct filter_problem denied; /* the first thing that may not be asked */
};

static enum err refuse_name(struct filter_problem *problem, struct span name, const char *why, enum err err)
{
    *problem = (struct filter_problem){.why = why};
    for (; problem->field_len < name.len && problem->field_len < FILTER_PROBLEM_MAX; problem->field_len++) {
        problem->field[problem->field_len] = (char)name.data[problem->field_len];
    }
    return err;
}

static enum err refuse(struct planner *p, enum param param, const char *why)
{
    return refuse_name(&p->problem, span_str(param_names[param]), why, ERR_MALFORMED);
}

/* --- select --- */

static enum err add_names(struct row_select *select, struct span *names, struct span list)
{
    struct span rest = list;
    while (rest.len > 0) {
        const size_t comma = span_find(rest, ',');
        if (comma > 0) {
            ENSURE(select->count < PLAN_SELECT_MAX, ERR_MALFORMED, "too many fields are selected");
            names[select->count] = span_of(rest.data, comma);
            select->count++;
        }
        const size_t used = comma < rest.len ? comma + 1 : comma;
        rest = span_of(rest.data + used, rest.len - used);
    }
    return ERR_OK;
}

/* Takes one select parameter; the first makes the list. An empty one selects the system fields alone. */
static enum err take_select(struct arena *arena, struct span list, struct row_select *select, struct span **names)
{
    void *memory = NULL;
    if (*names == NULL) {
        TRY(arena_alloc_array(arena, PLAN_SELECT_MAX, sizeof(struct span), &memory));
        *names = memory;
        *select = (struct row_select){.all = false, .names = *names};
    }
    return add_names(select, *names, list);
}

static bool is_select(struct span name)
{
    return span_equal(name, span_lit("select")) || span_equal(name, span_lit("fields"));
}

bool row_selects(const struct row_select *select, struct span name)
{
    bool found = select->all;
    for (size_t i = 0; !found && i < select->count; i++) {
        found = span_equal(select->names[i], name);
    }
    return found;
}

/* --- collecting --- */

/* The form andFilters[field]=value, which contract 4.3 leaves open. Were it ignored, as unknown parameters are, the answer
 * would have all the rows that the client asked not to see. */
static enum err refuse_brackets(struct span name, struct filter_problem *problem)
{
    static const enum param filters[] = {PARAM_AND_FILTERS, PARAM_OR_FILTERS};

    for (size_t i = 0; i < ARRAY_LENGTH(filters); i++) {
        const struct span filter = span_str(param_names[filters[i]]);

        if (span_starts_with(name, filter) && name.len > filter.len && name.data[filter.len] == '[') {
            return refuse_name(problem, filter, "must be one JSON object; the form with brackets is not read",
                               ERR_MALFORMED);
        }
    }
    return ERR_OK;
}

static enum err take_param(struct params *params, struct span name, struct span value, struct filter_problem *problem)
{
    for (size_t i = 0; i < PARAMS; i++) {
        if (!span_equal(span_str(param_names[i]), name)) {
            continue;
        }
        if (params->given[i]) {
            return refuse_name(problem, name, "may be given once only", ERR_MALFORMED);
        }
        params->given[i] = true;
        params->values[i] = value;
        return ERR_OK;
    }
    return refuse_brackets(name, problem);
}

/* params may be NULL: only select is wanted. */
static enum err collect(struct arena *arena, struct span query, struct params *params, struct row_select *select,
                        struct filter_problem *problem)
{
    struct http_query walk = http_query_of(query);
    struct span name = SPAN_NONE;
    struct span value = SPAN_NONE;
    struct span *names = NULL;
    enum err err = ERR_OK;
    *select = (struct row_select){.all = true};
    while ((err = http_query_next(&walk, arena, &name, &value)) == ERR_OK) {
        if (is_select(name)) {
            err = take_select(arena, value, select, &names);
            if (err == ERR_MALFORMED) {
                return refuse_name(problem, name, "names too many fields", err);
            }
            TRY(err);
        } else if (params != NULL) {
            TRY(take_param(params, name, value, problem));
        }
    }
    if (err == ERR_MALFORMED) {
        return refuse_name(problem, span_lit("query"), "is not well-formed", err);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err plan_select(struct arena *arena, struct span query, struct row_select *out_select,
                     struct filter_problem *out_problem)
{
    struct row_select select;
    struct filter_problem problem = {.why = NULL};
    const enum err err = collect(arena, query, NULL, &select, &problem);
    if (err == ERR_MALFORMED) {
        *out_problem = problem;
    }
    TRY(err);
    *out_select = select;
    return ERR_OK;
}

/* --- paging --- */

enum err plan_number(struct span text, uint64_t *out_number)
{
    uint64_t number = 0;

    ENSURE(text.len > 0, ERR_MALFORMED, "no digits");
    for (size_t i = 0; i < text.len; i++) {
        ENSURE(text.data[i] >= '0' && text.data[i] <= '9', ERR_MALFORMED, "not a digit");
        if (number <= PLAN_NUMBER_MAX) {
            number = number * 10 + (uint64_t)(text.data[i] - '0');
        }
    }
    *out_number = number > PLAN_NUMBER_MAX ? PLAN_NUMBER_MAX + 1 : number;
    return ERR_OK;
}

static enum err read_number(struct planner *p, enum param param, uint64_t least, uint64_t *out_number)
{
    uint64_t number = 0;

    if (plan_number(p->params.values[param], &number) != ERR_OK || number < least) {
        return refuse(p, param, least == 0 ? "must be an integer from 0" : "must be an integer from 1");
    }
    *out_number = number;
    return ERR_OK;
}

static enum err plan_page(struct planner *p)
{
    struct plan *plan = p->plan;
    uint64_t offset = 0;
    plan->page = 1;
    plan->limit = PLAN_LIMIT_DEFAULT;
    if (p->params.given[PARAM_LIMIT]) {
        TRY(read_number(p, PARAM_LIMIT, 1, &plan->limit));
        plan->limit = plan->limit > PLAN_LIMIT_MAX ? PLAN_LIMIT_MAX : plan->limit;
    }
    if (p->params.given[PARAM_PAGE]) {
        TRY(read_number(p, PARAM_PAGE, 1, &plan->page));
        if (plan->page > PLAN_NUMBER_MAX) {
            return refuse(p, PARAM_PAGE, "is too large");
        }
        plan->skip = (plan->page - 1) * plan->limit; /* below 2^53 * 100 */
        return ERR_OK;
    }
    if (p->params.given[PARAM_OFFSET]) {
        TRY(read_number(p, PARAM_OFFSET, 0, &offset));
        if (offset > PLAN_NUMBER_MAX) {
            return refuse(p, PARAM_OFFSET, "is too large");
        }
        plan->skip = offset;
        plan->page = offset / plan->limit + 1;
    }
    return ERR_OK;
}

/* --- fields --- */

/* A field to sort or search by: a system field, a declared one or a path below one. A table that declares nothing takes
 * any name. */
static enum err plan_field(struct planner *p, enum param param, struct row_field *out_field)
{
    size_t declared = 0;
    if (filter_field(p->input->schema, p->params.values[param], out_field) != ERR_OK) {
        return refuse(p, param, "is not a field name");
    }
    (void)schema_fields(p->input->schema, &declared);
    if (out_field->column == ROW_COLUMN_NONE && declared > 0) {
        return refuse(p, param, "is not a field of this table");
    }
    return ERR_OK;
}

static enum err plan_sort(struct planner *p)
{
    struct plan *plan = p->plan;
    plan->sort = (struct row_field){.column = ROW_COLUMN_ID, .name = span_lit("id")};
    plan->descending = true;
    if (p->params.given[PARAM_SORT_DIRECTION]) {
        const struct span direction = p->params.values[PARAM_SORT_DIRECTION];
        plan->descending = span_equal_nocase(direction, span_lit("desc"));
        if (!plan->descending && !span_equal_nocase(direction, span_lit("asc"))) {
            return refuse(p, PARAM_SORT_DIRECTION, "must be asc or desc");
        }
    }
    if (!p->params.given[PARAM_SORT_BY]) {
        return ERR_OK;
    }
    TRY(plan_field(p, PARAM_SORT_BY, &plan->sort));
    const enum rls_verdict verdict = rls_column(p->plan->rls, plan->sort.name, RLS_COLUMN_QUERY);
    if (verdict != RLS_ALLOW) {
        return refuse_name(&p->problem, plan->sort.name, "may not be used in a query", ERR_DENIED);
    }
    return ERR_OK;
}

/* --- filters and search --- */

/* What filters and searches share; made when the first one needs it. */
static enum err need_scope(struct planner *p)
{
    void *memory = NULL;
    if (p->scope != NULL) {
        return ERR_OK;
    }
    TRY(regex_work_new(p->input->arena, CONFIG_DATA_REGEX_STEPS, &p->work));
    p->plan->work = p->work;
    TRY(arena_alloc(p->input->arena, sizeof(struct filter_scope), &memory));
    p->scope = memory;
    *p->scope = (struct filter_scope){
        .arena = p->input->arena, .schema = p->input->schema, .rls = p->plan->rls, .work = p->work};
    return ERR_OK;
}

static enum err parse_filter(struct planner *p, enum param param, const struct json_value **out_filter)
{
    if (!p->params.given[param]) {
        *out_filter = NULL;
        return ERR_OK;
    }
    if (p->params.values[param].len > FILTER_TEXT_MAX) {
        return refuse(p, param, "is longer than 16 KiB");
    }
    const enum err err = json_parse(p->params.values[param], p->input->arena, out_filter);
    if (err == ERR_MALFORMED || err == ERR_RANGE) {
        return refuse(p, param, "is not valid JSON");
    }
    return err;
}

static enum err plan_filter(struct planner *p)
{
    const struct json_value *and_filters = NULL;
    const struct json_value *or_filters = NULL;
    TRY(parse_filter(p, PARAM_AND_FILTERS, &and_filters));
    TRY(parse_filter(p, PARAM_OR_FILTERS, &or_filters));
    if (and_filters == NULL && or_filters == NULL) {
        return ERR_OK;
    }
    TRY(need_scope(p));
    return filter_new(p->scope, and_filters, or_filters, &p->plan->filter, &p->problem);
}

static enum err plan_search(struct planner *p)
{
    struct row_field field;
    const struct span text = p->params.values[PARAM_SEARCH];
    if (!p->params.given[PARAM_SEARCH] || text.len == 0) {
        return ERR_OK;
    }
    const bool typed = p->params.given[PARAM_SEARCH_TYPE];
    if (typed) {
        TRY(plan_field(p, PARAM_SEARCH_TYPE, &field));
    }
    TRY(need_scope(p));
    return search_new(p->scope, text, typed ? &field : NULL, &p->plan->search, &p->problem);
}

/* What may not be asked is told only when nothing is malformed: contract 3.6, steps 10 and 11 of a list. */
static enum err defer_denial(struct planner *p, enum err err)
{
    if (err != ERR_DENIED) {
        return err;
    }
    fault_clear();
    if (p->denied.why == NULL) {
        p->denied = p->problem;
    }
    return ERR_OK;
}

static enum err plan_all(struct planner *p)
{
    const struct row_gate *gate = p->input->gate;
    if (gate->verdict != RLS_ALLOW && gate->verdict != RLS_OWNER) {
        return refuse_name(&p->problem, SPAN_NONE, "may not be listed", ERR_DENIED);
    }
    const enum policy_reach reach = gate->filters.reach;
    p->plan->by_owner = gate->verdict == RLS_OWNER || reach == POLICY_REACH_OWNED;
    p->plan->no_rows = reach == POLICY_REACH_NONE;
    TRY(collect(p->input->arena, p->input->query, &p->params, &p->plan->select, &p->problem));
    TRY(plan_page(p));
    TRY(defer_denial(p, plan_sort(p)));
    TRY(defer_denial(p, plan_filter(p)));
    TRY(defer_denial(p, plan_search(p)));
    if (p->denied.why != NULL) {
        p->problem = p->denied;
        return ERR_DENIED;
    }
    return ERR_OK;
}

enum err plan_new(const struct plan_input *input, const struct plan **out_plan, struct filter_problem *out_problem)
{
    void *memory = NULL;
    struct planner p = {.input = input};
    TRY(arena_alloc(input->arena, sizeof(struct plan), &memory));
    p.plan = memory;
    *p.plan = (struct plan){
        .gate = input->gate, .rls = input->gate->bound, .schema = input->schema, .column_rules = input->column_rules};
    const enum err err = plan_all(&p);
    if (err == ERR_MALFORMED || err == ERR_DENIED) {
        *out_problem = p.problem;
    }
    TRY(err);
    *out_plan = p.plan;
    return ERR_OK;
}
