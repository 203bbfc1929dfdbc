/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Filters of policies: the requester's id in them, which rows they let through for whom, their own budget, and what is
 * refused when a policy is saved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/filter.h"
#include "firmware/data/policy_filters.h"
#include "firmware/data/row_gate.h"
#include "firmware/data/row_json.h"
#include "firmware/data/schema_json.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "tests/lib/json_box.h"

#define SCHEMA "{\"s\":{\"type\":\"string\"},\"d\":{\"type\":\"date\"},\"tags\":{\"type\":\"array\"}}"

struct fixture {
    struct json_box *box;
    struct schema *schema;
    struct buf *buf;
    struct filter_problem problem;
    struct rls_policy *policy;
    struct policy_filters *filters;
    struct rls_problem refused;
};

static int setup(void **state)
{
    static struct fixture f;
    void *box = NULL;

    memset(&f, 0, sizeof f);
    (void)json_box_set_up(&box);
    f.box = box;
    f.schema = json_box_schema(f.box, SCHEMA);
    assert_int_equal(buf_new(ROW_BYTES_MAX, &f.buf), ERR_OK);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    void *box = f->box;

    policy_filters_free(f->filters);
    rls_policy_free(f->policy);
    schema_free(f->schema);
    buf_free(f->buf);
    return json_box_tear_down(&box);
}

/* A row of uA. */
static struct row row_of(struct fixture *f, const char *body)
{
    const struct row_write write = {.arena = f->box->arena, .schema = f->schema, .now = {1767323045678}, .out = f->buf};
    struct span encoded;
    struct row row;

    assert_int_equal(row_json_create(&write, json_box_value(f->box, body), span_lit("uA"), &encoded), ERR_OK);
    assert_int_equal(row_read((struct row_id){{1}}, encoded, &row), ERR_OK);
    return row;
}

static enum err compile(struct fixture *f, const char *text, const struct filter **out)
{
    const struct filter_scope scope = {.kind = FILTER_OF_POLICY, .arena = f->box->arena, .schema = f->schema};

    return filter_new(&scope, json_box_value(f->box, text), NULL, out, &f->problem);
}

/* --- one filter --- */

struct user_case {
    const char *filter;
    const char *row; /* createdBy is uA */
    const char *user;
    bool match;
};

/* clang-format off */
static const struct user_case of_user[] = {
    {"{\"s\":\"$userId\"}", "{\"s\":\"uA\"}", "uA", true}, {"{\"s\":\"$userId\"}", "{\"s\":\"uB\"}", "uA", false},
    {"{\"s\":\"$userId\"}", "{\"s\":\"$userId\"}", "uA", false}, {"{\"s\":\"$userId\"}", "{}", "uA", false},
    {"{\"createdBy\":\"$userId\"}", "{}", "uA", true}, {"{\"createdBy\":\"$userId\"}", "{}", "uB", false},
    {"{\"createdBy\":{\"$ne\":\"$userId\"}}", "{}", "uA", false}, {"{\"createdBy\":{\"$ne\":\"$userId\"}}", "{}", "uB", true},
    {"{\"createdBy\":{\"$ne\":\"$userId\"}}", "{}", "", false}, {"{\"createdBy\":{\"$lte\":\"$userId\"}}", "{}", "uB", true},
    {"{\"createdBy\":{\"$in\":[\"$userId\"]}}", "{}", "uA", true}, {"{\"createdBy\":{\"$eq\":[\"$userId\"]}}", "{}", "uA", false},
    {"{\"s\":{\"$eq\":\"$userId\"}}", "{\"s\":\"uA\"}", "uA", true}, {"{\"s\":{\"$ne\":\"$userId\"}}", "{\"s\":\"uA\"}", "uA", false},
    {"{\"s\":{\"$ne\":\"$userId\"}}", "{\"s\":\"x\"}", "uA", true}, {"{\"s\":{\"$gte\":\"$userId\"}}", "{\"s\":\"uA\"}", "uA", true},
    {"{\"s\":{\"$gt\":\"$userId\"}}", "{\"s\":\"uA\"}", "uA", false}, {"{\"s\":{\"$lt\":\"$userId\"}}", "{\"s\":\"$zzz\"}", "uA", true},
    {"{\"s\":{\"$in\":[\"$userId\",\"x\"]}}", "{\"s\":\"uA\"}", "uA", true}, {"{\"s\":{\"$in\":[\"$userId\",\"x\"]}}", "{\"s\":\"x\"}", "uA", true},
    {"{\"s\":{\"$in\":[\"$userId\"]}}", "{\"s\":\"x\"}", "uA", false}, {"{\"s\":{\"$nin\":[\"$userId\"]}}", "{\"s\":\"uA\"}", "uA", false},
    {"{\"s\":{\"$nin\":[\"$userId\"]}}", "{\"s\":\"x\"}", "uA", true}, {"{\"tags\":\"$userId\"}", "{\"tags\":[\"x\",\"uA\"]}", "uA", true},
    {"{\"tags\":{\"$in\":[\"$userId\"]}}", "{\"tags\":[\"uA\"]}", "uA", true}, {"{\"tags\":[\"x\",\"$userId\"]}", "{\"tags\":[\"x\",\"uA\"]}", "uA", true},
    {"{\"x\":{\"by\":{\"id\":\"$userId\"}}}", "{\"x\":{\"by\":{\"id\":\"uA\"}}}", "uA", true},
    {"{\"x\":{\"by\":{\"id\":\"$userId\"}}}", "{\"x\":{\"by\":{\"id\":\"uB\"}}}", "uA", false},
    {"{\"x.by.id\":\"$userId\"}", "{\"x\":{\"by\":{\"id\":\"uA\"}}}", "uA", true},
    {"{\"s\":\"$userId \"}", "{\"s\":\"uA\"}", "uA", false}, {"{\"s\":\"x$userId\"}", "{\"s\":\"xuA\"}", "uA", false}, /* whole values alone */
    {"{\"s\":\"$userid\"}", "{\"s\":\"uA\"}", "uA", false}, {"{\"s\":\"$userid\"}", "{\"s\":\"$userid\"}", "uA", true},
    /* nobody: no comparison with $userId holds, also none that negates, and none with the empty text */
    {"{\"s\":\"$userId\"}", "{\"s\":\"\"}", "", false}, {"{\"s\":\"$userId\"}", "{}", "", false}, {"{\"s\":\"$userId\"}", "{\"s\":\"$userId\"}", "", false},
    {"{\"s\":{\"$ne\":\"$userId\"}}", "{\"s\":\"x\"}", "", false}, {"{\"s\":{\"$nin\":[\"$userId\"]}}", "{\"s\":\"x\"}", "", false},
    {"{\"s\":{\"$in\":[\"$userId\",\"x\"]}}", "{\"s\":\"x\"}", "", false}, {"{\"s\":{\"$gte\":\"$userId\"}}", "{\"s\":\"x\"}", "", false},
    {"{\"tags\":{\"$ne\":\"$userId\"}}", "{\"tags\":[]}", "", false}, {"{\"x\":{\"id\":\"$userId\"}}", "{\"x\":{\"id\":\"\"}}", "", false},
    {"{\"s\":\"x\"}", "{\"s\":\"x\"}", "", true}, {"{}", "{}", "", true},
};
/* clang-format on */

static void attack_01_the_requesters_id_in_a_policy_is_a_value_and_nobody_equals_nothing(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(of_user); i++) {
        const struct user_case *c = &of_user[i];
        const struct filter *filter = NULL;
        const struct row row = row_of(f, c->row);
        const struct filter_subject subject = {.row = &row, .user = span_str(c->user), .work = f->box->work};
        bool match = !c->match;

        assert_int_equal(compile(f, c->filter, &filter), ERR_OK);
        assert_int_equal(filter_match(filter, &subject, &match), ERR_OK);

        if (match != c->match) {
            fail_msg("%s on %s for %s", c->filter, c->row, c->user);
        }
    }
}

static void attack_08_the_requesters_id_is_a_plain_text_in_a_clients_filter(void **state)
{
    static const struct user_case cases[] = {
        {"{\"s\":\"$userId\"}", "{\"s\":\"$userId\"}", "uA", true},
        {"{\"s\":{\"$in\":[\"$userId\"]}}", "{\"s\":\"$userId\"}", "uA", true},
        {"{\"s\":{\"$ne\":\"$userId\"}}", "{\"s\":\"uA\"}", "uA", true},
        {"{\"s\":{\"$contains\":\"$userId\"}}", "{\"s\":\"x$userIdx\"}", "", true},
        {"{\"s\":\"$userId\"}", "{\"s\":\"uA\"}", "uA", false},
        {"{\"createdBy\":\"$userId\"}", "{}", "uA", false},
    };
    struct fixture *f = *state;
    const struct rls_table table = {.name = span_lit("t")};
    const struct rls_who who = {.group = RLS_USER, .id = span_lit("uA")};
    struct rls_bound rls;
    rls_bind(&table, &who, &rls);
    const struct filter_scope scope = {
        .kind = FILTER_OF_CLIENT, .arena = f->box->arena, .schema = f->schema, .rls = &rls, .work = f->box->work};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct filter *filter = NULL;
        const struct row row = row_of(f, cases[i].row);
        const struct filter_subject subject = {.row = &row, .user = span_str(cases[i].user), .work = f->box->work};
        bool match = !cases[i].match;

        assert_int_equal(filter_new(&scope, json_box_value(f->box, cases[i].filter), NULL, &filter, &f->problem),
                         ERR_OK);
        assert_int_equal(filter_match(filter, &subject, &match), ERR_OK);

        assert_int_equal(match, cases[i].match);
    }
}

static void filter_new_refuses_the_requesters_id_where_it_cannot_be_compared(void **state)
{
    static const char *const filters[] = {"{\"s\":{\"$regex\":\"$userId\"}}",
                                          "{\"s\":{\"$contains\":\"$userId\"}}",
                                          "{\"d\":\"$userId\"}",
                                          "{\"s\":{\"$exists\":\"$userId\"}}",
                                          "{\"s\":{\"$in\":\"$userId\"}}",
                                          "{\"s\":{\"$in\":[[\"$userId\"]]}}"};
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(filters); i++) {
        const struct filter *filter = NULL;

        assert_int_equal(compile(f, filters[i], &filter), ERR_MALFORMED);

        assert_null(filter);
    }
}

/* --- the filters of a policy --- */

/* Makes the policy whose rowFilters are this text, and its filters. */
static enum err load(struct fixture *f, const char *row_filters)
{
    static char text[70000];
    struct rls_problem problem;

    (void)snprintf(text, sizeof text, "{\"permissions\":{},\"rowFilters\":%s}", row_filters);
    policy_filters_free(TAKE(f->filters));
    rls_policy_free(TAKE(f->policy));
    assert_int_equal(rls_compile(json_box_value(f->box, text), policy_json_text, &f->policy, &problem), ERR_OK);
    return policy_filters_new(f->policy, f->schema, &f->filters, &f->refused);
}

static struct rls_bound bound_of(const struct fixture *f, enum rls_group group, const char *id)
{
    const struct rls_table table = {.name = span_lit("t"), .policy = f->policy};
    const struct rls_who who = {.group = group, .id = span_str(id)};
    struct rls_bound bound;

    rls_bind(&table, &who, &bound);
    return bound;
}

/* What filters say of a row to one who may list every row. */
static bool shown_by(struct fixture *f, const struct policy_filters *filters, const struct rls_bound *bound,
                     const struct row *row)
{
    const struct row_gate_input input = {
        .bound = bound, .filters = filters, .op = RLS_LIST, .verdict = RLS_ALLOW, .work = f->box->work};
    const struct row_gate gate = row_gate_of(&input);
    bool passes = false;

    assert_int_equal(row_gate_passes(&gate, row, &passes), ERR_OK);
    return passes;
}

static bool shows(struct fixture *f, enum rls_group group, const char *id, const char *body)
{
    const struct rls_bound bound = bound_of(f, group, id);
    const struct row row = row_of(f, body);

    return shown_by(f, f->filters, &bound, &row);
}

static void the_filters_that_contribute_are_joined_and_an_owners_is_for_own_rows(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, "[{\"expression\":\"user\",\"filter\":{\"s\":\"x\"}},"
                             "{\"expression\":\"self\",\"filter\":{\"s\":\"mine\"}},"
                             "{\"expression\":\"admin\",\"filter\":{}}]"),
                     ERR_OK);

    assert_true(shows(f, RLS_USER, "uB", "{\"s\":\"x\"}"));
    assert_false(shows(f, RLS_USER, "uB", "{\"s\":\"mine\"}"));
    assert_true(shows(f, RLS_USER, "uA", "{\"s\":\"mine\"}"));
    assert_true(shows(f, RLS_GUEST, "uA", "{\"s\":\"mine\"}"));
    assert_false(shows(f, RLS_GUEST, "uA", "{\"s\":\"x\"}"));
    assert_false(shows(f, RLS_GUEST, "", "{\"s\":\"mine\"}"));
    assert_false(shows(f, RLS_GUEST, "", "{\"s\":\"x\"}"));
    assert_true(shows(f, RLS_ADMIN, "", "{\"s\":\"anything\"}"));
}

static void the_reach_says_which_rows_can_pass(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, "[{\"expression\":\"user\",\"filter\":{}},{\"expression\":\"self\",\"filter\":{}}]"),
                     ERR_OK);
    const struct rls_bound user = bound_of(f, RLS_USER, "uA");
    const struct rls_bound owner = bound_of(f, RLS_GUEST, "uA");
    const struct rls_bound nobody = bound_of(f, RLS_GUEST, "");
    const struct rls_bound admin = bound_of(f, RLS_ADMIN, "");

    assert_int_equal(policy_filters_bind(f->filters, &user).reach, POLICY_REACH_ALL);
    assert_int_equal(policy_filters_bind(f->filters, &owner).reach, POLICY_REACH_OWNED);
    assert_int_equal(policy_filters_bind(f->filters, &nobody).reach, POLICY_REACH_NONE);
    assert_int_equal(policy_filters_bind(f->filters, &admin).reach, POLICY_REACH_ALL);
    assert_int_equal(policy_filters_bind(NULL, &user).reach, POLICY_REACH_NONE);
    assert_int_equal((struct policy_filters_bound){0}.reach, POLICY_REACH_NONE);
    assert_int_equal(load(f, "[]"), ERR_OK);
    assert_null(f->filters);
    const struct rls_bound unrestricted = bound_of(f, RLS_GUEST, "");
    assert_int_equal(policy_filters_bind(NULL, &unrestricted).reach, POLICY_REACH_ALL);
}

#define TEXT_MAX ((size_t)CONFIG_DATA_POLICY_STEPS * 16) /* a step looks through 16 bytes */

static const char *long_text(size_t len)
{
    static char body[TEXT_MAX];

    const int head = snprintf(body, sizeof body, "{\"s\":\"");
    memset(body + head, 'a', len);
    (void)snprintf(body + head + len, sizeof body - (size_t)head - len, "yz\"}");
    return body;
}

static void a_row_shows_only_when_its_filters_are_decided_within_their_steps(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, "[{\"expression\":\"public\",\"filter\":{\"s\":{\"$contains\":\"y\",\"$regex\":\"z\"}}},"
                             "{\"expression\":\"public\",\"filter\":{\"s\":{\"$contains\":\"y\"}}}]"),
                     ERR_OK);
    regex_work_refill(f->box->work, 0); /* what is left of a client's steps is none of its business */

    assert_true(shows(f, RLS_GUEST, "", long_text(TEXT_MAX / 4)));
    assert_false(shows(f, RLS_GUEST, "", "{\"s\":\"x\"}"));
    assert_int_equal(load(f, "[{\"expression\":\"public\",\"filter\":{\"s\":{\"$contains\":\"w\"}}},"
                             "{\"expression\":\"public\",\"filter\":{\"s\":{\"$contains\":\"y\"}}}]"),
                     ERR_OK);
    assert_true(shows(f, RLS_GUEST, "", long_text(TEXT_MAX / 2 - 64)));
    assert_false(shows(f, RLS_GUEST, "", long_text(TEXT_MAX / 2)));
}

static void attack_03_the_filters_of_another_policy_show_nothing(void **state)
{
    struct fixture *f = *state;
    struct rls_problem problem;
    SCOPED_RLS_POLICY struct rls_policy *other = NULL;
    assert_int_equal(load(f, "[{\"expression\":\"public\",\"filter\":{}}]"), ERR_OK);
    assert_int_equal(
        rls_compile(json_box_value(f->box, "{\"permissions\":{},\"rowFilters\":[{\"expression\":\"public\","
                                           "\"filter\":{}},{\"expression\":\"user\",\"filter\":{}}]}"),
                    policy_json_text, &other, &problem),
        ERR_OK);
    const struct rls_table table = {.name = span_lit("t"), .policy = other};
    const struct rls_who who = {.group = RLS_USER, .id = span_lit("uA")};
    struct rls_bound bound;
    rls_bind(&table, &who, &bound);
    const struct row row = row_of(f, "{}");

    assert_false(shown_by(f, f->filters, &bound, &row));
    assert_false(shown_by(f, NULL, &bound, &row));
}

struct refused_case {
    const char *filters;
    const char *where;
};

static void policy_filters_new_names_the_place_of_what_it_refuses(void **state)
{
    static const struct refused_case cases[] = {
        {"[{\"expression\":\"user\",\"filter\":{\"s\":{\"$no\":1}}}]", "rowFilters.0.filter.s"},
        {"[{\"expression\":\"user\",\"filter\":{}},{\"expression\":\"user\",\"filter\":{\"$and\":[]}}]",
         "rowFilters.1.filter.$and"},
        {"[{\"expression\":\"user\",\"filter\":{\"d\":{\"$gt\":\"soon\"}}}]", "rowFilters.0.filter.d"},
        {"[{\"expression\":\"user\",\"filter\":{\"x\":{\"a\":[[[1]]]}}}]", "rowFilters.0.filter"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_int_equal(load(f, cases[i].filters), ERR_MALFORMED);
        assert_null(f->filters);
        assert_true(span_equal(span_of(f->refused.where, f->refused.where_len), span_str(cases[i].where)));
        assert_non_null(f->refused.why);
    }
}

static void attack_13_a_policy_has_32_regular_expressions_and_not_one_more(void **state)
{
    struct fixture *f = *state;
    static char text[8192];
    for (size_t count = POLICY_REGEX_MAX; count <= POLICY_REGEX_MAX + 1; count++) {
        size_t len = (size_t)snprintf(text, sizeof text, "[{\"expression\":\"user\",\"filter\":{\"s\":\"x\"");
        for (size_t i = 0; i < count; i++) {
            const char *next = i == 16 ? "}},{\"expression\":\"user\",\"filter\":{\"t\":1" : "";
            len +=
                (size_t)snprintf(text + len, sizeof text - len, "%s,\"f%zu\":{\"$regex\":\"[a-z]{1,1000}\"}", next, i);
        }
        (void)snprintf(text + len, sizeof text - len, "}}]");

        assert_int_equal(load(f, text), count <= POLICY_REGEX_MAX ? ERR_OK : ERR_MALFORMED);
    }
    assert_true(span_equal(span_of(f->refused.where, f->refused.where_len), span_lit("rowFilters.1.filter")));
}

static void policy_filters_naming_finds_a_column_by_its_first_part(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, "[{\"expression\":\"user\",\"filter\":{\"s\":1}},"
                             "{\"expression\":\"user\",\"filter\":{\"x\":1,\"o.a.b\":2}}]"),
                     ERR_OK);

    assert_int_equal(policy_filters_naming(f->filters, f->policy, span_lit("s")), 0);
    assert_int_equal(policy_filters_naming(f->filters, f->policy, span_lit("o")), 1);
    assert_int_equal(policy_filters_naming(f->filters, f->policy, span_lit("a")), 2);
    assert_int_equal(policy_filters_naming(f->filters, f->policy, span_lit("S")), 2);
}

/* --- the gate --- */

struct gate_case {
    const char *scope;
    bool read, update, delete;
};

static void attack_04_the_gate_asks_the_filters_where_the_scope_says(void **state)
{
    static const struct gate_case cases[] = {
        {"list", true, true, true}, {"read", false, true, true}, {"all", false, false, false}};
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const bool expected[RLS_OPS] = {[RLS_CREATE] = true,
                                        [RLS_READ] = cases[i].read,
                                        [RLS_UPDATE] = cases[i].update,
                                        [RLS_DELETE] = cases[i].delete,
                                        [RLS_LIST] = false};
        char text[256];
        (void)snprintf(
            text, sizeof text,
            "[{\"expression\":\"public\",\"filter\":{\"s\":\"x\"}}],\"security\":{\"rowFilterScope\":\"%s\"}",
            cases[i].scope);
        assert_int_equal(load(f, text), ERR_OK);
        const struct rls_bound bound = bound_of(f, RLS_USER, "uB");
        const struct row row = row_of(f, "{\"s\":\"hidden\"}");

        for (unsigned int op = 0; op < RLS_OPS; op++) {
            const struct row_gate_input input = {.bound = &bound,
                                                 .filters = f->filters,
                                                 .op = (enum rls_op)op,
                                                 .verdict = RLS_ALLOW,
                                                 .work = f->box->work};
            const struct row_gate gate = row_gate_of(&input);
            bool passes = !expected[op];
            assert_int_equal(row_gate_passes(&gate, &row, &passes), ERR_OK);
            assert_int_equal(passes, expected[op]);
            assert_int_equal(row_gate_may_hide(&gate), !expected[op]);
        }
    }
}

static void the_gate_denies_every_verdict_that_is_none(void **state)
{
    static const int verdicts[] = {RLS_DENY, 1, -1, RLS_ALLOW ^ 1, RLS_OWNER ^ 1, RLS_ALLOW | RLS_OWNER};
    struct fixture *f = *state;
    const struct rls_bound bound = bound_of(f, RLS_USER, "uA");
    const struct row row = row_of(f, "{}");
    for (size_t i = 0; i < ARRAY_LENGTH(verdicts); i++) {
        const struct row_gate_input input = {.bound = &bound, .op = RLS_READ, .verdict = (enum rls_verdict)verdicts[i]};
        const struct row_gate gate = row_gate_of(&input);
        bool passes = true;

        assert_int_equal(row_gate_passes(&gate, &row, &passes), ERR_OK);

        assert_false(passes);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(attack_01_the_requesters_id_in_a_policy_is_a_value_and_nobody_equals_nothing),
        TEST(attack_08_the_requesters_id_is_a_plain_text_in_a_clients_filter),
        TEST(filter_new_refuses_the_requesters_id_where_it_cannot_be_compared),
        TEST(the_filters_that_contribute_are_joined_and_an_owners_is_for_own_rows),
        TEST(the_reach_says_which_rows_can_pass),
        TEST(a_row_shows_only_when_its_filters_are_decided_within_their_steps),
        TEST(attack_03_the_filters_of_another_policy_show_nothing),
        TEST(policy_filters_new_names_the_place_of_what_it_refuses),
        TEST(attack_13_a_policy_has_32_regular_expressions_and_not_one_more),
        TEST(policy_filters_naming_finds_a_column_by_its_first_part),
        TEST(attack_04_the_gate_asks_the_filters_where_the_scope_says),
        TEST(the_gate_denies_every_verdict_that_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
