/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Explaining and simulating through the API: that they say what requests are answered, hold nobody up, keep one version of
 * the policy, and tell nobody who may not know. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/api_box.h"
#include "tests/lib/api_user.h"

#define ROWS 300

#define GUESTS "{\"group\":\"guest\"}"

static const struct api_answer *explain(struct api_box *box, const char *table, const char *op, const char *row)
{
    char body[512];
    (void)snprintf(body, sizeof body, "{\"tableId\":\"%s\",\"op\":\"%s\",\"requester\":" GUESTS "%s%s%s}", table, op,
                   row == NULL ? "" : ",\"rowId\":\"", row == NULL ? "" : row, row == NULL ? "" : "\"");

    return api_box_send(box, "POST", box->secret, "/v1/admin/explain", body);
}

static void add_row(struct api_box *box, const char *body, char out_id[32])
{
    const struct api_answer *made = api_box_send(box, "POST", box->secret, "/v1/data/posts", body);

    assert_int_equal(made->status, 201);
    assert_true(api_answer_member(made, "id", out_id, 32));
}

/* --- explain --- */

struct question {
    const char *security;
    const char *op;
    const char *method;
    bool shown; /* the row that the filter shows, or the one that it does not */
};

static const struct question questions[] = {
    {"{}", "read", "GET", true},
    {"{}", "read", "GET", false},
    {"{\"rowFilterScope\":\"read\"}", "read", "GET", false},
    {"{\"rowFilterScope\":\"read\"}", "update", "PATCH", false},
    {"{\"rowFilterScope\":\"all\"}", "update", "PATCH", false},
    {"{\"rowFilterScope\":\"all\",\"forbiddenRows\":\"404\"}", "read", "GET", false},
    {"{\"rowFilterScope\":\"all\",\"forbiddenRows\":\"404\"}", "update", "PATCH", true},
    {"{\"guestAccess\":\"off\"}", "read", "GET", true},
};

static void explain_says_what_a_request_is_answered(void **state)
{
    struct api_box *box = *state;
    char table[64];
    char policy_path[128];
    char rows[2][32];
    api_box_table(box, "{\"tableName\":\"posts\"}", table);
    (void)snprintf(policy_path, sizeof policy_path, "/v1/admin/tables/%s/policy", table);
    add_row(box, "{\"shown\":false}", rows[0]);
    add_row(box, "{\"shown\":true}", rows[1]);

    for (size_t i = 0; i < ARRAY_LENGTH(questions); i++) {
        const struct question *asked = &questions[i];
        char policy[512];
        char target[96];
        char told[16];
        (void)snprintf(policy, sizeof policy,
                       "{\"permissions\":{\"guest\":{\"read\":true,\"update\":true}},\"rowFilters\":[{\"expression\":"
                       "\"public\",\"filter\":{\"shown\":true}}],\"security\":%s}",
                       asked->security);
        assert_int_equal(api_box_send(box, "PUT", box->secret, policy_path, policy)->status, 200);
        (void)snprintf(target, sizeof target, "/v1/data/posts/%s", rows[asked->shown]);

        assert_true(
            api_answer_member(explain(box, table, asked->op, rows[asked->shown]), "outcome.status", told, sizeof told));
        const unsigned int answered =
            api_box_send(box, asked->method, box->publishable, target, asked->method[0] == 'G' ? NULL : "{}")->status;

        assert_int_equal(strtoul(told, NULL, 10), answered);
    }
}

static void explain_of_a_key_that_may_not_manage_tells_nothing(void **state)
{
    struct api_box *box = *state;
    static const char body[] = "{\"tableId\":\"users\",\"op\":\"read\",\"requester\":" GUESTS "}";

    assert_refused(api_box_send(box, "POST", box->publishable, "/v1/admin/explain", body), 403, "auth/forbidden");
    assert_refused(api_box_send(box, "POST", box->publishable, "/v1/admin/simulate", body), 403, "auth/forbidden");
    assert_refused(api_box_send(box, "POST", NULL, "/v1/admin/explain", body), 401, "auth/unauthorized");
}

static void explain_names_the_rule_of_built_in_tables(void **state)
{
    struct api_box *box = *state;

    const struct api_answer *guest = explain(box, "users", "list", NULL);

    assert_string_equal(api_answer_text(guest, "outcome.code"), "data/system-table-access");
    assert_string_equal(api_answer_text(guest, "decidedBy.rule"), "2");
    const struct api_answer *admin =
        api_box_send(box, "POST", box->secret, "/v1/admin/explain",
                     "{\"tableId\":\"users\",\"op\":\"delete\",\"requester\":{\"group\":\"admin\"},\"rowId\":\"x\"}");
    assert_string_equal(api_answer_text(admin, "outcome.code"), "data/system-table-access");
    assert_string_equal(api_answer_text(admin, "decision"), "deny");
    assert_string_equal(api_answer_text(admin, "row.fate"), "not looked at");
}

static void explain_knows_which_rows_a_built_in_table_has(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    const struct {
        const char *id;
        const char *status;
        const char *fate;
    } rows[] = {{user.id, "200", "passes"}, {"6f1c2d3e-0000-4000-8000-000000000001", "404", "absent"}};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char body[256];
        char path[128];
        (void)snprintf(body, sizeof body,
                       "{\"tableId\":\"users\",\"op\":\"read\",\"requester\":{\"group\":\"admin\"},\"rowId\":\"%s\"}",
                       rows[i].id);
        (void)snprintf(path, sizeof path, "/v1/data/users/%s", rows[i].id);

        const struct api_answer *told = api_box_send(box, "POST", box->secret, "/v1/admin/explain", body);

        assert_int_equal(told->status, 200);
        assert_string_equal(api_answer_text(told, "outcome.status"), rows[i].status);
        assert_string_equal(api_answer_text(told, "row.fate"), rows[i].fate);
        const struct api_answer *asked = api_box_send(box, "GET", box->secret, path, NULL);
        assert_int_equal(asked->status, strtol(rows[i].status, NULL, 10));
    }
}

/* --- simulate --- */

static void fill(struct api_box *box)
{
    struct api_box_pending *pending[30];
    const struct api_ask ask = {.method = "POST", .target = "/v1/data/posts", .key = box->secret, .body = "{\"n\":5}"};

    for (size_t made = 0; made < ROWS; made += ARRAY_LENGTH(pending)) {
        for (size_t i = 0; i < ARRAY_LENGTH(pending); i++) {
            pending[i] = api_box_begin(box, &ask);
        }
        for (size_t i = 0; i < ARRAY_LENGTH(pending); i++) {
            assert_int_equal(api_box_finish(box, pending[i])->status, 201);
        }
    }
}

static struct api_box_pending *begin_simulation(struct api_box *box, const char *table)
{
    static char body[256]; /* read until the simulation is over */
    (void)snprintf(body, sizeof body, "{\"tableId\":\"%s\",\"policy\":{\"permissions\":{}},\"sample\":1000}", table);
    const struct api_ask ask = {.method = "POST", .target = "/v1/admin/simulate", .key = box->secret, .body = body};

    return api_box_begin(box, &ask);
}

static void a_simulation_goes_on_in_slices_and_keeps_its_version(void **state)
{
    struct api_box *box = *state;
    char table[64];
    char policy_path[128];
    api_box_table(box, "{\"tableName\":\"posts\"}", table);
    (void)snprintf(policy_path, sizeof policy_path, "/v1/admin/tables/%s/policy", table);
    fill(box);

    struct api_box_pending *simulation = begin_simulation(box, table);
    assert_false(api_box_is_done(simulation));
    assert_int_equal(api_box_get(box, box->publishable, "/v1/data/posts")->status, 200);
    assert_int_equal(api_box_send(box, "PUT", box->secret, policy_path, "{\"permissions\":{}}")->status, 200);
    const struct api_answer *told = api_box_finish(box, simulation);

    assert_int_equal(told->status, 200);
    assert_string_equal(api_answer_text(told, "sample.rows"), "300");
    assert_string_equal(api_answer_text(told, "requesters.0.read.newlyDenied.rows"), "300");
    const struct api_answer *again = api_box_finish(box, begin_simulation(box, table));
    assert_string_equal(api_answer_text(again, "requesters.0.read.newlyDenied.rows"), "0");
}

static void a_simulation_ends_when_its_client_is_gone_or_its_table_is(void **state)
{
    struct api_box *box = *state;
    char table[64];
    char path[128];
    api_box_table(box, "{\"tableName\":\"posts\"}", table);
    fill(box);
    (void)snprintf(path, sizeof path, "/v1/admin/tables/%s", table);

    struct api_box_pending *left = begin_simulation(box, table);
    api_box_hang_up(left);

    assert_int_equal(api_box_finish(box, left)->status, 503);
    assert_int_equal(api_box_send(box, "DELETE", box->secret, path, "{\"confirmName\":\"posts\"}")->status, 200);
    assert_refused(api_box_finish(box, begin_simulation(box, table)), 404, "common/not-found");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(explain_says_what_a_request_is_answered, api_box_set_up, api_box_tear_down),
        cmocka_unit_test_setup_teardown(explain_of_a_key_that_may_not_manage_tells_nothing, api_box_set_up,
                                        api_box_tear_down),
        cmocka_unit_test_setup_teardown(explain_names_the_rule_of_built_in_tables, api_box_set_up, api_box_tear_down),
        cmocka_unit_test_setup_teardown(explain_knows_which_rows_a_built_in_table_has, api_box_set_up,
                                        api_box_tear_down),
        cmocka_unit_test_setup_teardown(a_simulation_goes_on_in_slices_and_keeps_its_version, api_box_set_up,
                                        api_box_tear_down),
        cmocka_unit_test_setup_teardown(a_simulation_ends_when_its_client_is_gone_or_its_table_is, api_box_set_up,
                                        api_box_tear_down),
    };
    return cmocka_run_group_tests_name("api_explain", tests, NULL, NULL);
}
