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
#define PCR7  "6c3a93667bec9533ca712c25c6f2dbd8ca91fe76144165511fd55ece7c0aa0cc"
#define ASKED "{\"pcr7\":\"" PCR7 "\"}"

struct keeper {
    struct api_box *box;
    struct api_user owner;
    enum err starts_with; /* answered at once */
    enum err answers;
    size_t asked;
    uint8_t pcr7[API_PCR_BYTES];
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
    memcpy(k->pcr7, job->pcr7, sizeof(k->pcr7));
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

static void an_owner_plans_a_value_of_pcr_7(void **state)
{
    struct keeper *const k = *state;
    uint8_t wanted[API_PCR_BYTES];
    assert_int_equal(hex_decode(span_lit(PCR7), wanted, sizeof(wanted)), ERR_OK);

    const struct api_answer *const answer = ask(k, ASKED);

    assert_int_equal(answer->status, 200);
    assert_string_equal(answer->body, "{\"success\":true}");
    assert_memory_equal(k->pcr7, wanted, sizeof(wanted));
}

static void what_is_no_value_of_a_pcr_reaches_nobody(void **state)
{
    static const char *const bodies[] = {"{}", "[]", "{\"pcr7\":null}", "{\"pcr7\":7}", "{\"pcr7\":\"\"}",
                                         "{\"pcr7\":\"6c3a\"}", "{\"pcr7\":\"" PCR7 "00\"}", "{\"pcr7\":[\"" PCR7 "\"]}",
                                         "{\"pcr7\":\"xc3a93667bec9533ca712c25c6f2dbd8ca91fe76144165511fd55ece7c0aa0cc\"}"};
    struct keeper *const k = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        assert_refused(ask(k, bodies[i]), 400, "common/invalid-parameters");
    }
    assert_int_equal(k->asked, 0);
}

static void each_error_of_the_keeper_has_its_answer(void **state)
{
    static const struct {
        enum err err;
        unsigned int status;
        const char *code;
    } cases[] = {{ERR_UNSUPPORTED, 409, "common/conflict"},
                 {ERR_STATE, 409, "common/conflict"},
                 {ERR_LIMIT, 503, "common/unavailable"},
                 {ERR_CLOSED, 503, "common/unavailable"},
                 {ERR_DEVICE, 503, "common/unavailable"}};
    struct keeper *const k = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        k->starts_with = ERR_OK;
        k->answers = cases[i].err;
        assert_refused(ask(k, ASKED), cases[i].status, cases[i].code);
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
        cmocka_unit_test_setup_teardown(an_owner_plans_a_value_of_pcr_7, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_value_of_a_pcr_reaches_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(each_error_of_the_keeper_has_its_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_no_owner_plans_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
