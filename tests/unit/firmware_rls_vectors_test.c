/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The numbered vectors of contract 3.9 and 9.1 (tests/data/policy_vectors.json), answered by firmware/rls alone: each
 * request is carried out on the rows of the file with the plainest means, every decision in it asked of the evaluator.
 * The black box sends the same vectors through the API. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "firmware/rls/rls.h"
#include "firmware/rls/scope.h"
#include "hal/base/fault.h"
#include "tests/lib/json_box.h"

#define VECTORS "tests/data/policy_vectors.json"

/* One vector being carried out. */
struct run {
    struct json_box *box;
    const struct json_value *file;
    const struct json_value *vector;
    struct rls_policy *policy;
    struct rls_bound bound;
    bool spec;
    enum rls_op op;
    struct rls_decision decision;
    const struct json_value *row; /* NULL: there is none */
};

struct outcome {
    int64_t status;
    const char *code;
};
static const struct outcome fine = {200, ""};
static const struct outcome made = {201, ""};
static const struct outcome denied = {403, "data/permission-denied"};
static const struct outcome absent = {404, "data/not-found"};

/* --- reading the file --- */

static struct span text_of(const struct json_value *object, const char *name)
{
    const struct json_value *value = json_find(object, span_str(name));
    return value == NULL || value->type != JSON_STRING ? SPAN_NONE : value->as.text;
}

static const struct json_value *member(const struct run *run, const char *name)
{
    return json_find(run->vector, span_str(name));
}

static const struct json_value *query(const struct run *run, const char *name)
{
    return json_find(member(run, "query"), span_str(name));
}

static struct rls_who who_of(const struct json_value *file, struct span label)
{
    static struct span roles[4];
    const struct json_value *entry = json_find(json_find(file, span_lit("who")), label);
    const struct json_value *list = json_find(entry, span_lit("roles"));
    const struct span group = text_of(entry, "group");
    struct rls_who who = {.group = RLS_GUEST, .id = text_of(entry, "id"), .roles = roles};
    assert_non_null(entry);
    if (span_equal(group, span_lit("user"))) {
        who.group = RLS_USER;
    } else if (span_equal(group, span_lit("admin"))) {
        who.group = RLS_ADMIN;
    }
    who.role_count = list == NULL ? 0 : list->as.array.count;
    for (size_t i = 0; i < who.role_count; i++) {
        roles[i] = list->as.array.items[i].as.text;
    }
    return who;
}

static enum rls_op op_of(struct span name)
{
    unsigned int op = 0;
    while (op < RLS_OPS && !span_equal(span_str(rls_op_name((enum rls_op)op)), name)) {
        op++;
    }
    assert_true(op < RLS_OPS);
    return (enum rls_op)op;
}

/* The rows, or the schema, of the vector. */
static const struct json_value *of_data(const struct run *run, const char *section)
{
    const struct json_value *named = member(run, "data");
    const struct json_value *found =
        json_find(json_find(run->file, span_str(section)), named == NULL ? span_lit("plain") : named->as.text);
    assert_non_null(found);
    return found;
}

static struct span created_by_of(const struct run *run, const struct json_value *row)
{
    const struct span owner = text_of(row, "createdBy");
    return span_equal(owner, span_lit("$self")) ? run->bound.who.id : owner;
}

static bool owns(const struct run *run, const struct json_value *row)
{
    return rls_owns(&run->bound.who, created_by_of(run, row));
}

/* --- rows --- */

static bool holds(const struct run *run, enum rls_verdict verdict, const struct json_value *row)
{
    return verdict == RLS_ALLOW || (verdict == RLS_OWNER && owns(run, row));
}

static struct span cell_of(const struct run *run, const struct json_value *row, struct span field)
{
    const struct json_value *cell = json_find(row, field);
    if (span_equal(field, span_lit("createdBy"))) {
        return created_by_of(run, row);
    }
    return cell == NULL || cell->type != JSON_STRING ? SPAN_NONE : cell->as.text;
}

/* Does a member of a filter hold? All filters of the vectors compare texts. */
static bool clause_holds(const struct run *run, const struct json_member *clause, const struct json_value *row,
                         bool of_policy)
{
    const struct span wanted = clause->value.as.text;
    const struct span cell = cell_of(run, row, clause->name);
    if (of_policy && span_equal(wanted, span_lit("$userId"))) {
        return run->bound.who.id.len > 0 && span_equal(cell, run->bound.who.id);
    }
    return span_equal(cell, wanted) &&
           (of_policy || holds(run, rls_column(&run->bound, clause->name, RLS_COLUMN_QUERY), row));
}

static bool filter_holds(const struct run *run, const struct json_value *filter, const struct json_value *row,
                         bool of_policy)
{
    bool all = true;
    for (size_t i = 0; i < filter->as.object.count; i++) {
        all = all && clause_holds(run, &filter->as.object.members[i], row, of_policy);
    }
    return all;
}

/* Contract 3.8. */
static bool row_filters_show(const struct run *run, const struct json_value *row)
{
    bool shown = false;
    bool any = false;
    for (size_t i = 0; i < rls_filter_count(run->policy); i++) {
        const enum rls_verdict verdict = rls_filter(&run->bound, i);
        const struct json_value *filter = NULL;
        assert_int_equal(json_parse(rls_filter_text(run->policy, i), run->box->arena, &filter), ERR_OK);
        any = any || verdict != RLS_DENY;
        shown = shown || (holds(run, verdict, row) && filter_holds(run, filter, row, true));
    }
    return !rls_filters_apply(&run->bound) || shown || (!any && run->bound.settings.no_match_allows);
}

static bool contains(struct span text, struct span part)
{
    bool found = false;
    for (size_t at = 0; at + part.len <= text.len; at++) {
        found = found || span_equal_nocase(span_of(text.data + at, part.len), part);
    }
    return found;
}

static bool search_holds(const struct run *run, struct span text, const struct json_value *row)
{
    bool found = text.len == 0;
    for (size_t i = 0; i < row->as.object.count; i++) {
        const struct json_member *cell = &row->as.object.members[i];
        const bool named =
            query(run, "searchType") == NULL || span_equal(text_of(member(run, "query"), "searchType"), cell->name);
        const bool may = holds(run, rls_column(&run->bound, cell->name, RLS_COLUMN_QUERY), row);
        found = found || (named && may && contains(cell->value.as.text, text));
    }
    return found;
}

static bool is_listed(const struct run *run, const struct json_value *row)
{
    const struct json_value *all = query(run, "andFilters");
    const struct json_value *some = query(run, "orFilters");
    bool shown = holds(run, run->decision.verdict, row) && row_filters_show(run, row) &&
                 search_holds(run, text_of(member(run, "query"), "search"), row);
    bool any = some == NULL;
    for (size_t i = 0; some != NULL && i < some->as.object.count; i++) {
        any = any || clause_holds(run, &some->as.object.members[i], row, false);
    }
    shown = shown && any;
    return shown && (all == NULL || filter_holds(run, all, row, false));
}

/* --- steps of contract 3.6 --- */

static bool query_refused(const struct run *run)
{
    static const char *const filters[] = {"andFilters", "orFilters"};
    bool refused = false;
    for (size_t f = 0; f < ARRAY_LENGTH(filters); f++) {
        const struct json_value *filter = query(run, filters[f]);
        for (size_t i = 0; filter != NULL && i < filter->as.object.count; i++) {
            refused =
                refused || rls_column(&run->bound, filter->as.object.members[i].name, RLS_COLUMN_QUERY) == RLS_DENY;
        }
    }
    const struct span sort = text_of(member(run, "query"), "sortBy");
    const struct span typed = text_of(member(run, "query"), "searchType");
    refused = refused || (sort.len > 0 && rls_column(&run->bound, sort, RLS_COLUMN_QUERY) != RLS_ALLOW);
    return refused || (typed.len > 0 && rls_column(&run->bound, typed, RLS_COLUMN_QUERY) == RLS_DENY);
}

static bool is_system(struct span field)
{
    return rls_column_rule(NULL, field) == RLS_SYSTEM_FIELD;
}

static struct outcome write_outcome(const struct run *run, bool own)
{
    const struct json_value *body = member(run, "body");
    bool undeclared = false;
    for (size_t i = 0; body != NULL && i < body->as.object.count; i++) {
        const struct span name = body->as.object.members[i].name;
        const enum rls_verdict verdict = rls_column(&run->bound, name, RLS_COLUMN_WRITE);
        undeclared = undeclared || json_find(of_data(run, "schemas"), name) == NULL;
        if (!is_system(name) && verdict != RLS_ALLOW && !(verdict == RLS_OWNER && own)) {
            return denied;
        }
    }
    if (undeclared && run->bound.settings.fields == RLS_FIELDS_REJECT) {
        return (struct outcome){400, "data/validation-error"};
    }
    return run->op == RLS_CREATE ? made : fine;
}

static bool filters_cover(const struct run *run)
{
    const enum rls_filter_scope scope = run->bound.settings.row_filter_scope;
    return scope == RLS_FILTER_ALL || (scope == RLS_FILTER_READ && run->op == RLS_READ);
}

static struct outcome outcome_of(const struct run *run)
{
    if (run->decision.verdict != RLS_ALLOW && run->decision.verdict != RLS_OWNER) {
        return run->decision.reason == RLS_REASON_SYSTEM_TABLE ? (struct outcome){403, "data/system-table-access"}
                                                               : denied;
    }
    if (run->spec) {
        return fine;
    }
    if (run->op == RLS_LIST) {
        return query_refused(run) ? denied : fine;
    }
    if (run->op == RLS_CREATE) {
        return write_outcome(run, run->bound.who.id.len > 0);
    }
    if (run->row == NULL) {
        return absent;
    }
    if (!holds(run, run->decision.verdict, run->row) || (filters_cover(run) && !row_filters_show(run, run->row))) {
        return run->bound.settings.forbidden_is_absent ? absent : denied;
    }
    return run->op == RLS_UPDATE ? write_outcome(run, owns(run, run->row)) : fine;
}

/* --- what the answer shows --- */

static bool is_labelled(const struct json_value *labels, struct span label)
{
    bool found = false;
    for (size_t i = 0; labels->type == JSON_ARRAY && i < labels->as.array.count; i++) {
        found = found || span_equal(labels->as.array.items[i].as.text, label);
    }
    return found || (labels->type == JSON_STRING && span_equal(labels->as.text, span_lit("all")));
}

static int number_of(const struct run *run)
{
    return (int)member(run, "n")->as.integer;
}

static void check_list(const struct run *run)
{
    const struct json_value *rows = of_data(run, "data");
    const struct json_value *wanted = member(run, "rows");
    const struct json_value *shown_on = member(run, "shown_on");
    const bool own = wanted->type == JSON_STRING && span_equal(wanted->as.text, span_lit("own"));
    for (size_t i = 0; i < rows->as.object.count; i++) {
        const struct span label = rows->as.object.members[i].name;
        const struct json_value *row = &rows->as.object.members[i].value;
        if (is_listed(run, row) != (own ? owns(run, row) : is_labelled(wanted, label))) {
            fail_msg("vector %d, row %.*s", number_of(run), (int)label.len, (const char *)label.data);
        }
        for (size_t f = 0; shown_on != NULL && f < shown_on->as.object.count; f++) {
            const struct json_member *field = &shown_on->as.object.members[f];
            const bool shown = holds(run, rls_column(&run->bound, field->name, RLS_COLUMN_READ), row);
            assert_int_equal(shown, is_labelled(&field->value, label));
        }
    }
}

static bool is_shown(const struct run *run, struct span field)
{
    const bool own = run->op == RLS_CREATE ? run->bound.who.id.len > 0 : owns(run, run->row);
    const enum rls_verdict verdict = rls_column(&run->bound, field, RLS_COLUMN_READ);
    const enum rls_verdict read = rls_decide(&run->bound, RLS_READ).verdict;
    const bool readable = read == RLS_ALLOW || (read == RLS_OWNER && own);
    const bool declared = json_find(of_data(run, "schemas"), field) != NULL;
    const bool system = is_system(field);
    const struct span select = text_of(member(run, "query"), "select");
    bool shown = verdict == RLS_ALLOW || (verdict == RLS_OWNER && own);
    if (run->op != RLS_READ && run->bound.settings.write_minimal && !readable) {
        shown = shown && system;
    }
    shown = shown && (select.len == 0 || system || span_equal(select, field));
    return shown && (declared || system || run->bound.settings.fields == RLS_FIELDS_ALLOW);
}

static void check_fields(const struct run *run, const char *name, bool shown)
{
    const struct json_value *fields = member(run, name);
    for (size_t i = 0; fields != NULL && i < fields->as.array.count; i++) {
        const struct span field = fields->as.array.items[i].as.text;
        if (is_shown(run, field) != shown) {
            fail_msg("vector %d: %.*s", number_of(run), (int)field.len, (const char *)field.data);
        }
    }
}

/* `exact`: nothing else of the table's fields. */
static void check_exact(const struct run *run)
{
    const struct json_value *fields = of_data(run, "schemas");
    for (size_t i = 0; member(run, "exact") != NULL && i < fields->as.object.count; i++) {
        assert_int_equal(is_shown(run, fields->as.object.members[i].name),
                         is_labelled(member(run, "exact"), fields->as.object.members[i].name));
    }
    check_fields(run, "exact", true);
}

static void check_vector(const struct run *run)
{
    const struct outcome got = outcome_of(run);
    if (member(run, "status")->as.integer != got.status ||
        !span_equal(text_of(run->vector, "code"), span_str(got.code))) {
        fail_msg("vector %d: %d %s", number_of(run), (int)got.status, got.code);
    }
    if (got.status >= 300) {
        return;
    }
    if (run->spec) {
        assert_false(run->bound.settings.policy_in_spec);
    } else if (run->op == RLS_LIST) {
        check_list(run);
    } else {
        check_fields(run, "shown", true);
        check_fields(run, "hidden", false);
        check_exact(run);
    }
}

static struct run run_of(struct json_box *box, const struct json_value *file, const struct json_value *vector)
{
    struct run run = {.box = box, .file = file, .vector = vector};
    struct rls_problem problem;
    const struct json_value *policy = json_find(json_find(file, span_lit("policies")), text_of(vector, "policy"));
    assert_non_null(policy);
    assert_int_equal(rls_compile(policy, policy_json_text, &run.policy, &problem), ERR_OK);
    const struct rls_table table = {.name = text_of(vector, "table"), .policy = run.policy, .preset = RLS_COMPAT};
    const struct rls_who who = who_of(file, text_of(vector, "who"));
    rls_bind(&table, &who, &run.bound);
    run.spec = span_equal(text_of(vector, "op"), span_lit("spec"));
    run.op = run.spec ? RLS_READ : op_of(text_of(vector, "op"));
    run.decision = rls_decide(&run.bound, run.op);
    run.row = json_find(of_data(&run, "data"), text_of(vector, "row"));
    return run;
}

static void rls_agrees_with_every_vector_of_the_contract(void **state)
{
    struct json_box *box = *state;
    const struct json_value *file = json_box_file(box, VECTORS);
    const struct json_value *vectors = json_find(file, span_lit("vectors"));
    assert_true(vectors->as.array.count >= 151);
    for (size_t i = 0; i < vectors->as.array.count; i++) {
        struct run run = run_of(box, file, &vectors->as.array.items[i]);
        check_vector(&run);
        rls_policy_free(run.policy);
    }
}

static void scope_check_agrees_with_every_scope_vector_of_the_contract(void **state)
{
    struct json_box *box = *state;
    const struct json_value *file = json_box_file(box, VECTORS);
    const struct json_value *vectors = json_find(file, span_lit("scopes"));
    assert_true(vectors->as.array.count >= 11);
    for (size_t i = 0; i < vectors->as.array.count; i++) {
        SCOPED_BUF struct buf *scopes = NULL;
        struct run run = run_of(box, file, &vectors->as.array.items[i]);
        const struct span table = run.bound.table.name;
        const int64_t wanted = member(&run, "status")->as.integer;
        assert_int_equal(buf_new(SCOPE_BYTES_MAX, &scopes), ERR_OK);
        assert_int_equal(scope_compile(member(&run, "scopes"), scopes), ERR_OK);

        if (scope_check(buf_all(scopes), table, run.op) != RLS_ALLOW) {
            assert_int_equal(wanted, 403);
            assert_true(span_equal(text_of(run.vector, "code"), span_lit("data/scope-insufficient")));
        } else if (span_equal(table, span_lit("nosuch"))) {
            assert_int_equal(wanted, 404); /* no such table: nothing for the evaluator */
        } else {
            check_vector(&run);
        }
        rls_policy_free(run.policy);
    }
}

static void rls_compile_refuses_what_the_contract_refuses(void **state)
{
    struct json_box *box = *state;
    const struct json_value *rejected = json_find(json_box_file(box, VECTORS), span_lit("rejected"));
    assert_true(rejected->as.array.count >= 8);
    for (size_t i = 0; i < rejected->as.array.count; i++) {
        const struct json_value *policy = json_find(&rejected->as.array.items[i], span_lit("policy"));
        struct rls_policy *compiled = NULL;
        struct rls_problem problem;

        assert_int_equal(rls_compile(policy, policy_json_text, &compiled, &problem), ERR_MALFORMED);

        assert_null(compiled);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, json_box_set_up, json_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rls_agrees_with_every_vector_of_the_contract),
        TEST(scope_check_agrees_with_every_scope_vector_of_the_contract),
        TEST(rls_compile_refuses_what_the_contract_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
