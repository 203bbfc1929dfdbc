/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /v1/system/version: contract 10.2, for any operator. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/api_box.h"
#include "tests/lib/api_operator.h"

#define VERSION "/v1/system/version"
#define ABOUT   "{\"product\":\"rowlock\"}"

static int setup(void **state)
{
    struct api_box *const box = api_box_new();

    box->about = span_lit(ABOUT);
    api_box_restart(box);
    api_operator_make_owner(box);
    *state = box;
    return 0;
}

static void every_operator_reads_what_runs(void **state)
{
    static const char *const roles[] = {"admin", "member", "auditor", "backup", "metrics"};
    struct api_box *const box = *state;
    struct api_user operator;
    char email[64];

    api_operator_sign_in(box, OPERATOR_EMAIL, &operator);
    assert_string_equal(api_operator_ask(box, &operator, "GET", VERSION, NULL)->body, ABOUT);
    for (size_t i = 0; i < ARRAY_LENGTH(roles); i++) {
        api_operator_make(box, roles[i]);
        (void)snprintf(email, sizeof(email), "%s@example.com", roles[i]);
        api_operator_sign_in(box, email, &operator);
        const struct api_answer *const answer = api_operator_ask(box, &operator, "GET", VERSION, NULL);
        assert_int_equal(answer->status, 200);
        assert_string_equal(answer->body, ABOUT);
    }
}

static void nobody_else_does(void **state)
{
    struct api_box *const box = *state;

    assert_refused(api_box_get(box, NULL, VERSION), 401, "auth/unauthorized");
    assert_refused(api_box_get(box, box->secret, VERSION), 401, "auth/unauthorized");
    assert_refused(api_box_get(box, box->publishable, VERSION), 401, "auth/unauthorized");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_operator_reads_what_runs, setup, api_box_tear_down),
        cmocka_unit_test_setup_teardown(nobody_else_does, setup, api_box_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
