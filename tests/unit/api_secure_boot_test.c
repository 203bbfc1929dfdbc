/* SPDX-License-Identifier: GPL-3.0-or-later */
/* POST /v1/admin/secure-boot/plan over a keeper that says what the test tells it to. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/api_box.h"
#include "tests/lib/api_operator.h"

#define PLAN  "/v1/admin/secure-boot/plan"
#define TEXT  "rowlock-secure-boot-plan 1\nboard any\n" /* what it says is for the keeper alone to judge */
#define ASKED "{\"plan\":\"rowlock-secure-boot-plan 1\\nboard any\\n\"}"

struct keeper {
    struct api_box *box;
    struct api_user owner;
    enum err starts_with; /* answered at once */
    enum err answers;
    size_t asked;
    char plan[API_PLAN_MAX];
    size_t plan_len;
};

static void on_post(struct loop_post *post)
{
    struct api_plan_job *const job = (void *)((char *)post - offsetof(struct api_plan_job, post));

    job->done(job, job->err);
}

static enum err start(void *context, struct api_plan_job *job)
{
    struct keeper *const k = context;

    k->asked++;
    assert_in_range(job->plan.len, 1, sizeof(k->plan));
    memcpy(k->plan, job->plan.data, job->plan.len);
    k->plan_len = job->plan.len;
    if (k->starts_with != ERR_OK) {
        return k->starts_with;
    }
    job->err = k->answers;
    job->post.run = on_post;
    return loop_post(job->loop, &job->post);
}

static int setup(void **state)
{
    static struct keeper keeper;
    struct keeper *const k = &keeper;

    *k = (struct keeper){.box = api_box_new()};
    k->box->plans = (struct api_plans){.start = start, .context = k};
    api_box_restart(k->box);
    api_operator_make_owner(k->box);
    api_operator_sign_in(k->box, OPERATOR_EMAIL, &k->owner);
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    struct keeper *const k = *state;

    api_box_free(k->box);
    return 0;
}

static const struct api_answer *ask(struct keeper *k, const char *body)
{
    return api_operator_ask(k->box, &k->owner, "POST", PLAN, body);
}

static void an_owner_brings_a_plan(void **state)
{
    struct keeper *const k = *state;

    const struct api_answer *const answer = ask(k, ASKED);

    assert_int_equal(answer->status, 200);
    assert_string_equal(answer->body, "{\"success\":true}");
    assert_true(span_equal(span_of(k->plan, k->plan_len), span_lit(TEXT)));
}

static void what_is_no_text_of_a_plans_length_reaches_nobody(void **state)
{
    static const char *const bodies[] = {"{}", "[]", "{\"plan\":null}", "{\"plan\":7}", "{\"plan\":\"\"}", "{\"plan\":[\"a\"]}",
                                         "{\"pcr7\":\"6c3a93667bec9533ca712c25c6f2dbd8ca91fe76144165511fd55ece7c0aa0cc\"}"};
    struct keeper *const k = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        assert_refused(ask(k, bodies[i]), 400, "common/invalid-parameters");
    }
    assert_int_equal(k->asked, 0);
}

static void the_longest_plan_is_taken_and_a_longer_one_is_not(void **state)
{
    struct keeper *const k = *state;
    char body[API_PLAN_MAX + 32];

    for (int more = 0; more <= 1; more++) {
        (void)snprintf(body, sizeof(body), "{\"plan\":\"%0*d\"}", API_PLAN_MAX + more, 1);
        const struct api_answer *const answer = ask(k, body);
        assert_int_equal(answer->status, more == 0 ? 200 : 400);
    }
    assert_int_equal(k->asked, 1);
    assert_int_equal(k->plan_len, API_PLAN_MAX);
}

static void each_error_of_the_keeper_has_its_answer(void **state)
{
    static const struct {
        enum err err;
        unsigned int status;
        const char *code;
        const char *says;
    } cases[] = {{ERR_UNSUPPORTED, 409, "common/conflict", "not measured"},
                 {ERR_MALFORMED, 400, "common/invalid-parameters", "Not a plan"},
                 {ERR_AUTH, 400, "common/invalid-parameters", "not signed by the vendor"},
                 {ERR_CONFLICT, 409, "common/conflict", "another board"},
                 {ERR_ROLLBACK, 409, "common/conflict", "older"},
                 {ERR_REVOKED, 409, "common/conflict", "minimum"},
                 {ERR_STATE, 409, "common/conflict", "recovery key"},
                 {ERR_FULL, 507, "common/insufficient-storage", ""},
                 {ERR_LIMIT, 503, "common/unavailable", ""},
                 {ERR_CLOSED, 503, "common/unavailable", ""},
                 {ERR_DEVICE, 503, "common/unavailable", ""}};
    struct keeper *const k = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        k->starts_with = ERR_OK;
        k->answers = cases[i].err;
        const struct api_answer *const answer = ask(k, ASKED);
        assert_refused(answer, cases[i].status, cases[i].code);
        assert_non_null(strstr(answer->body, cases[i].says));
        k->starts_with = cases[i].err;
        assert_refused(ask(k, ASKED), cases[i].status, cases[i].code);
    }
}

static void who_is_no_owner_plans_nothing(void **state)
{
    struct keeper *const k = *state;
    struct api_user admin;
    api_operator_make(k->box, "admin");
    api_operator_sign_in(k->box, "admin@example.com", &admin);

    assert_refused(api_operator_ask(k->box, &admin, "POST", PLAN, ASKED), 403, "auth/forbidden");
    assert_refused(api_box_send(k->box, "POST", k->box->secret, PLAN, ASKED), 403, "auth/forbidden");
    assert_int_equal(k->asked, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_owner_brings_a_plan, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_text_of_a_plans_length_reaches_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(the_longest_plan_is_taken_and_a_longer_one_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(each_error_of_the_keeper_has_its_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_no_owner_plans_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
