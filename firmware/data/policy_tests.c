/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading and running the tests of a policy. Each test is read whole and checked before it is run, so a misspelt member
 * cannot make one that always holds. */
#include "firmware/data/policy_tests.h"

#include <stdio.h>
#include <string.h>

#include "firmware/data/policy_who.h"
#include "firmware/data/row_gate.h"
#include "firmware/data/row_json.h"
#include "firmware/data/value.h"
#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "net/json.h"

struct test {
    size_t at;
    struct rls_who who;
    enum rls_op op;
    const struct json_value *row;  /* NULL: none */
    const struct json_value *body; /* NULL: the row's fields */
    const struct json_value *hidden;
    bool allow;
    struct span name;
};

/* The run of one test. */
struct policy_test_run {
    const struct policy_tests *tests;
    struct test test;
    struct rls_bound bound;
    struct schema_report *report; /* of a row that the schema refuses */
    struct schema_report *failed; /* the tests that do not hold */
    const struct json_value *list;
    size_t next;
    struct rls_problem problem;
};

static enum err refuse(struct policy_test_run *run, const char *member, const char *why)
{
    const int len = snprintf(run->problem.where, sizeof run->problem.where, "tests.%zu%s%s", run->test.at,
                             member[0] == '\0' ? "" : ".", member);

    run->problem.where_len = num_min((size_t)len, sizeof run->problem.where - 1);
    run->problem.why = why;
    return ERR_MALFORMED;
}

/* --- reading --- */

static enum err read_requester(struct policy_test_run *run, const struct json_value *as)
{
    char where[RLS_WHERE_MAX];

    (void)snprintf(where, sizeof where, "tests.%zu.as", run->test.at);
    return policy_who_read(run->tests->arena, as, where, &run->test.who, &run->problem);
}

static enum err read_op(struct policy_test_run *run, const struct json_value *op)
{
    if (op == NULL || op->type != JSON_STRING || !rls_op_named(op->as.text, &run->test.op)) {
        return refuse(run, "op", "must be create, read, update, delete or list");
    }
    return ERR_OK;
}

static bool is_list_of_texts(const struct json_value *list)
{
    bool texts = list != NULL && list->type == JSON_ARRAY;
    for (size_t i = 0; texts && i < list->as.array.count; i++) {
        texts = list->as.array.items[i].type == JSON_STRING;
    }
    return texts;
}

static enum err read_expected(struct policy_test_run *run, const struct json_value *expect)
{
    static const char *const members[] = {"allow", "hidden"};
    const struct json_value *allow = json_find(expect, span_lit("allow"));
    const bool word = expect != NULL && expect->type == JSON_STRING;

    if (word && (span_equal(expect->as.text, span_lit("allow")) || span_equal(expect->as.text, span_lit("deny")))) {
        run->test.allow = span_equal(expect->as.text, span_lit("allow"));
        return ERR_OK;
    }
    if (allow == NULL || allow->type != JSON_BOOL || !policy_members_known(expect, members, ARRAY_LENGTH(members))) {
        return refuse(run, "expect", "must be allow, deny or an object of allow and hidden");
    }
    run->test.allow = allow->as.boolean;
    run->test.hidden = json_find(expect, span_lit("hidden"));
    const bool reads = run->test.op == RLS_READ || run->test.op == RLS_LIST;
    if (run->test.hidden != NULL && !(is_list_of_texts(run->test.hidden) && run->test.allow && reads)) {
        return refuse(run, "expect.hidden", "must be a list of columns, of a read or list that is allowed");
    }
    return ERR_OK;
}

static enum err read_object(struct policy_test_run *run, const struct json_value *test, const char *member,
                            const struct json_value **out_object)
{
    *out_object = json_find(test, span_str(member));
    if (*out_object != NULL && (*out_object)->type != JSON_OBJECT) {
        return refuse(run, member, "must be an object");
    }
    return ERR_OK;
}

static enum err read_test(struct policy_test_run *run, const struct json_value *test)
{
    static const char *const members[] = {"as", "op", "row", "body", "expect", "name"};
    const struct json_value *name = json_find(test, span_lit("name"));

    if (test->type != JSON_OBJECT || !policy_members_known(test, members, ARRAY_LENGTH(members))) {
        return refuse(run, "", "must be an object of as, op, row, body, expect and name");
    }
    TRY(read_requester(run, json_find(test, span_lit("as"))));
    TRY(read_op(run, json_find(test, span_lit("op"))));
    TRY(read_object(run, test, "row", &run->test.row));
    TRY(read_object(run, test, "body", &run->test.body));
    if (run->test.body != NULL && run->test.op != RLS_CREATE && run->test.op != RLS_UPDATE) {
        return refuse(run, "body", "is for create and update alone");
    }
    TRY(read_expected(run, json_find(test, span_lit("expect"))));
    if (name != NULL && (name->type != JSON_STRING || name->as.text.len > POLICY_TEST_NAME_MAX)) {
        return refuse(run, "name", "must be a text of at most 64 bytes");
    }
    run->test.name = name == NULL ? SPAN_NONE : name->as.text;
    return ERR_OK;
}

/* --- rows --- */

static enum err bind_text(struct policy_test_run *run, const char *member, struct json_value *value)
{
    if (!value_is_user(value)) {
        return ERR_OK;
    }
    if (run->test.who.id.len == 0) {
        return refuse(run, member, "has $userId, but whoever asks has no id");
    }
    value->as.text = run->test.who.id;
    return ERR_OK;
}

static enum err bind_items(struct policy_test_run *run, const char *member, struct json_value *list)
{
    void *memory = NULL;

    TRY(arena_alloc_array(run->tests->arena, list->as.array.count, sizeof *list, &memory));
    struct json_value *items = memory;
    for (size_t i = 0; i < list->as.array.count; i++) {
        items[i] = list->as.array.items[i];
        TRY(bind_text(run, member, &items[i]));
    }
    list->as.array.items = items;
    return ERR_OK;
}

/* A copy of the object with the requester's id in place of $userId; NULL is an object without members. */
static enum err bind_object(struct policy_test_run *run, const char *member, const struct json_value *object,
                            struct json_value *out_object)
{
    const size_t count = object == NULL ? 0 : object->as.object.count;
    void *memory = NULL;

    TRY(arena_alloc_array(run->tests->arena, count, sizeof(struct json_member), &memory));
    struct json_member *members = memory;
    for (size_t i = 0; i < count; i++) {
        members[i] = object->as.object.members[i];
        TRY(bind_text(run, member, &members[i].value));
        if (members[i].value.type == JSON_ARRAY) {
            TRY(bind_items(run, member, &members[i].value));
        }
    }
    *out_object = (struct json_value){.type = JSON_OBJECT, .as.object = {members, count}};
    return ERR_OK;
}

static enum err refuse_row(struct policy_test_run *run, const char *member)
{
    const struct schema_violation *first = &run->report->items[0];
    char where[RLS_WHERE_MAX];

    (void)snprintf(where, sizeof where, "%s.%.*s", member, (int)num_min(first->field_len, 64), first->field);
    return refuse(run, where, "is not what the schema allows");
}

/* Held against the schema, so that dates become instants and a value that no row can have is found. */
static enum err check_object(struct policy_test_run *run, const char *member, const struct json_value *object,
                             struct json_value *out_object)
{
    const struct schema_check check = {.schema = run->tests->schema,
                                       .mode = SCHEMA_PATCH,
                                       .additional = SCHEMA_EXTRA_ALLOW,
                                       .arena = run->tests->arena,
                                       .matcher_work = run->tests->schema_work};
    struct json_value bound;

    TRY(bind_object(run, member, object, &bound));
    const enum err err = schema_check(&check, &bound, out_object, run->report);
    return err == ERR_MALFORMED ? refuse_row(run, member) : err;
}

static enum err created_by(struct policy_test_run *run, struct span *out_owner)
{
    const struct json_value *given = json_find(run->test.row, span_lit("createdBy"));
    struct json_value owner = {.type = JSON_STRING, .as.text = SPAN_NONE};

    if (given != NULL) {
        owner = *given;
    }
    if (owner.type != JSON_STRING || owner.as.text.len > ROW_CREATED_BY_MAX) {
        return refuse(run, "row.createdBy", "must be a text of at most 64 bytes");
    }
    TRY(bind_text(run, "row", &owner));
    *out_owner = owner.as.text;
    return ERR_OK;
}

/* The row as storage would give it. */
static enum err make_row(struct policy_test_run *run, struct row *out_row)
{
    const struct row_write write = {
        .arena = run->tests->arena, .schema = run->tests->schema, .now = run->tests->now, .out = run->tests->row};
    const struct row_id id = {{0}};
    struct json_value fields;
    struct span owner = SPAN_NONE;
    struct span encoded = SPAN_NONE;

    TRY(created_by(run, &owner));
    TRY(check_object(run, "row", run->test.row, &fields));
    const enum err err = row_json_create(&write, &fields, owner, &encoded);
    if (err == ERR_RANGE) {
        return refuse(run, "row", "is larger or deeper than a row may be");
    }
    TRY(err);
    return row_read(id, encoded, out_row);
}

/* --- running --- */

static enum err decide(struct policy_test_run *run, const struct row *row, bool *out_allowed)
{
    const struct rls_decision decision = rls_decide(&run->bound, run->test.op);
    const struct row_gate_input input = {.bound = &run->bound,
                                         .filters = run->tests->filters,
                                         .op = run->test.op,
                                         .verdict = decision.verdict,
                                         .work = run->tests->work};
    const struct row_gate gate = row_gate_of(&input);
    const bool creates = run->test.op == RLS_CREATE;
    const bool owns = creates ? run->bound.who.id.len > 0 : rls_owns(&run->bound.who, row->created_by);
    bool allowed = decision.verdict == RLS_ALLOW;

    if (!creates) {
        TRY(row_gate_passes(&gate, row, &allowed));
    }
    if (allowed && (creates || run->test.op == RLS_UPDATE)) {
        struct json_value body;
        const struct json_value *sent = run->test.body != NULL ? run->test.body : run->test.row;
        TRY(check_object(run, run->test.body != NULL ? "body" : "row", sent, &body));
        allowed = row_gate_writable(&run->bound, &body, owns);
    }
    *out_allowed = allowed;
    return ERR_OK;
}

static bool names(const struct json_value *list, struct span name)
{
    bool found = false;
    for (size_t i = 0; !found && i < list->as.array.count; i++) {
        found = span_equal(list->as.array.items[i].as.text, name);
    }
    return found;
}

/* Are exactly the expected columns left out? */
static enum err hidden_as_expected(const struct policy_test_run *run, const struct row *row, bool *out_same)
{
    const struct row_view view = {.schema = run->tests->schema, .rls = &run->bound};
    const bool owns = rls_owns(&run->bound.who, row->created_by);
    struct row_iter iter = row_iter_columns(row);
    struct row_member member;
    enum err err = ERR_OK;
    size_t hidden = 0;
    bool same = true;

    while ((err = row_iter_next(&iter, &member)) == ERR_OK) {
        const struct span name = row_json_name(view.schema, &member);
        if (!row_json_shows(&view, &member, owns)) {
            hidden++;
            same = same && names(run->test.hidden, name);
        }
    }
    ENSURE(err == ERR_NOT_FOUND, ERR_DAMAGED, "a row is damaged");
    *out_same = same && hidden == run->test.hidden->as.array.count;
    return ERR_OK;
}

static void reason_put(struct schema_violation *item, struct span text)
{
    INVARIANT(text.len <= SCHEMA_REASON_MAX - item->reason_len);
    if (text.len > 0) {
        memcpy(item->reason + item->reason_len, text.data, text.len);
        item->reason_len += text.len;
    }
}

static void report_failure(const struct policy_test_run *run, bool allowed, struct schema_report *report)
{
    if (report->count == SCHEMA_VIOLATIONS_MAX) {
        return;
    }
    struct schema_violation *item = &report->items[report->count];
    const bool columns = allowed && run->test.allow;
    const char *why = columns   ? "hides other columns"
                      : allowed ? "is allow where deny is expected"
                                : "is deny where allow is expected";

    *item = (struct schema_violation){.rule = SCHEMA_RULE_TEST};
    item->field_len = (size_t)snprintf(item->field, sizeof item->field, "tests.%zu", run->test.at);
    reason_put(item, span_str(why));
    reason_put(item, run->test.name.len > 0 ? span_lit(": ") : SPAN_NONE);
    reason_put(item, run->test.name);
    report->count++;
}

static enum err run_test(struct policy_test_run *run, const struct json_value *value, struct schema_report *report)
{
    struct row row;
    bool allowed = false;
    bool hidden = true;

    TRY(read_test(run, value));
    rls_bind(&run->tests->table, &run->test.who, &run->bound);
    TRY(make_row(run, &row));
    TRY(decide(run, &row, &allowed));
    if (allowed && run->test.hidden != NULL) {
        TRY(hidden_as_expected(run, &row, &hidden));
    }
    if (allowed != run->test.allow || !hidden) {
        report_failure(run, allowed, report);
    }
    return ERR_OK;
}

static enum err parse(struct arena *arena, const struct rls_policy *policy, const struct json_value **out_tests)
{
    const struct span text = rls_policy_tests(policy);

    *out_tests = NULL;
    if (text.len == 0) {
        return ERR_OK;
    }
    const enum err err = json_parse(text, arena, out_tests);
    ENSURE(err != ERR_MALFORMED && err != ERR_RANGE, ERR_DAMAGED, "the tests of a policy are no JSON");
    TRY(err);
    ENSURE((*out_tests)->type == JSON_ARRAY, ERR_DAMAGED, "the tests of a policy are no list");
    return ERR_OK;
}

enum err policy_tests_begin(const struct policy_tests *tests, struct schema_report *report,
                            struct policy_test_run **out_run)
{
    const struct json_value *list = NULL;
    void *memory = NULL;

    report->count = 0;
    *out_run = NULL;
    TRY(parse(tests->arena, tests->table.policy, &list));
    if (list == NULL) {
        return ERR_OK;
    }
    TRY(arena_alloc(tests->arena, sizeof(struct policy_test_run), &memory));
    struct policy_test_run *run = memory;
    TRY(arena_alloc(tests->arena, sizeof(struct schema_report), &memory));
    *run = (struct policy_test_run){.tests = tests, .report = memory, .failed = report, .list = list};
    *out_run = run;
    return ERR_OK;
}

enum err policy_tests_next(struct policy_test_run *run, struct rls_problem *out_problem)
{
    const size_t at = run->next;

    if (at >= run->list->as.array.count) {
        return ERR_NOT_FOUND;
    }
    run->next++;
    run->test = (struct test){.at = at};
    const enum err err = run_test(run, &run->list->as.array.items[at], run->failed);
    if (err == ERR_MALFORMED) {
        *out_problem = run->problem;
    }
    return err;
}

enum err policy_tests_run(const struct policy_tests *tests, struct schema_report *out_report,
                          struct rls_problem *out_problem)
{
    struct policy_test_run *run = NULL;
    enum err err = ERR_OK;

    TRY(policy_tests_begin(tests, out_report, &run));
    while (run != NULL && err == ERR_OK) {
        err = policy_tests_next(run, out_problem);
    }
    if (err == ERR_OK || err == ERR_NOT_FOUND) {
        return out_report->count == 0 ? ERR_OK : ERR_DENIED;
    }
    TRY(err);
    return ERR_OK;
}

/* --- what they name --- */

static bool test_names(const struct json_value *test, struct span field)
{
    const struct json_value *hidden = json_find(json_find(test, span_lit("expect")), span_lit("hidden"));

    return json_find(json_find(test, span_lit("row")), field) != NULL ||
           json_find(json_find(test, span_lit("body")), field) != NULL ||
           (is_list_of_texts(hidden) && names(hidden, field));
}

enum err policy_tests_naming(struct arena *arena, const struct rls_policy *policy, struct span field, bool *out_named,
                             size_t *out_test)
{
    const struct json_value *list = NULL;

    TRY(parse(arena, policy, &list));
    *out_named = false;
    for (size_t i = 0; list != NULL && !*out_named && i < list->as.array.count; i++) {
        *out_named = test_names(&list->as.array.items[i], field);
        *out_test = i;
    }
    return ERR_OK;
}
