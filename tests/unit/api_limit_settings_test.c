/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The limits of contract 1.9 that a project sets for itself. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/api_mfa.h"
#include "tests/lib/api_user.h"

#define EMAIL "ada@example.com"
#define RIGHT ACCOUNT(EMAIL, "abc123")
#define WRONG ACCOUNT(EMAIL, "wrong1")
#define CHECK "{\"type\":\"credentials\",\"provider\":\"credentials\",\"providerAccountId\":\"" EMAIL "\"}"
#define MAIL  "{\"email\":\"" EMAIL "\"}"

static const struct api_answer *set(struct api_box *box, const char *settings)
{
    char target[128];
    char body[128];

    (void)snprintf(target, sizeof target, "/v1/admin/projects/%.*s", (int)sizeof box->first.project_id,
                   box->first.project_id);
    (void)snprintf(body, sizeof body, "{\"settings\":{%s}}", settings);
    return api_box_send(box, "PATCH", box->secret, target, body);
}

static const struct api_answer *post(struct api_box *box, const char *target, const char *body)
{
    return api_box_send(box, "POST", box->publishable, target, body);
}

static const struct api_answer *sign_in_from(struct api_box *box, const char *peer, const char *body)
{
    const struct api_ask ask = {
        .method = "POST", .target = SIGN_IN, .key = box->publishable, .body = body, .peer = peer};

    return api_box_ask(box, &ask);
}

static void a_project_sets_how_often_an_address_fails_at_an_account(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    assert_int_equal(set(box, "\"signInFailures\":2")->status, 200);
    assert_refused(post(box, SIGN_IN, WRONG), 401, "auth/invalid-credentials");
    assert_refused(post(box, SIGN_IN, WRONG), 401, "auth/invalid-credentials");

    assert_refused(post(box, SIGN_IN, RIGHT), 429, "auth/too-many-login-attempts");
    assert_int_equal(set(box, "\"signInFailures\":null")->status, 200); /* what was counted still is */
    for (unsigned int i = 0; i < 3; i++) {
        assert_refused(post(box, SIGN_IN, WRONG), 401, "auth/invalid-credentials");
    }
    assert_refused(post(box, SIGN_IN, RIGHT), 429, "auth/too-many-login-attempts");
}

static void a_project_sets_how_often_all_fail_at_an_account(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    assert_int_equal(set(box, "\"accountFailures\":2")->status, 200);
    assert_refused(sign_in_from(box, "192.0.2.1", WRONG), 401, "auth/invalid-credentials");
    assert_refused(sign_in_from(box, "192.0.2.2", WRONG), 401, "auth/invalid-credentials");

    assert_refused(sign_in_from(box, "192.0.2.3", RIGHT), 429, "auth/account-locked");
}

static void a_project_sets_how_often_an_address_signs_up_and_checks(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    assert_int_equal(set(box, "\"signUpsPerHour\":1,\"accountChecksPerMinute\":1")->status, 200);
    api_user_sign_up(box, &user);
    assert_int_equal(post(box, "/v1/auth/accounts/check", CHECK)->status, 200);

    assert_refused(post(box, SIGN_UP, ACCOUNT("bob@example.com", "abc123")), 429, "auth/too-many-requests");
    assert_refused(post(box, "/v1/auth/accounts/check", CHECK), 429, "auth/too-many-requests");
}

static void a_project_sets_how_often_a_session_is_refreshed(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char body[AUTH_TOKEN_MAX + 64];
    assert_int_equal(set(box, "\"refreshesPerMinute\":1")->status, 200);
    api_user_sign_up(box, &user);
    (void)snprintf(body, sizeof body, "{\"refreshToken\":\"%s\"}", user.refresh);
    api_user_take(post(box, REFRESH, body), &user);
    (void)snprintf(body, sizeof body, "{\"refreshToken\":\"%s\"}", user.refresh);

    assert_refused(post(box, REFRESH, body), 429, "auth/too-many-requests");
    assert_int_equal(api_user_me(box, &user)->status, 200);
}

static void a_project_sets_how_many_mails_go_to_an_address(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    assert_int_equal(set(box, "\"mailsPerHour\":2")->status, 200); /* that of the sign-up is one */
    sim_clock_advance_ms(&box->clock, 31000);
    assert_int_equal(post(box, "/v1/auth/password/reset/request", MAIL)->status, 200);
    sim_clock_advance_ms(&box->clock, 31000);

    assert_refused(post(box, "/v1/auth/password/reset/request", MAIL), 429, "auth/too-many-code-requests");
}

static void a_project_sets_how_soon_a_mail_follows_another(void **state)
{
    struct api_box *box = *state;
    assert_int_equal(post(box, "/v1/auth/password/reset/request", MAIL)->status, 200);
    assert_refused(post(box, "/v1/auth/password/reset/request", MAIL), 429, "auth/too-many-code-requests");

    assert_int_equal(set(box, "\"mailsPerHalfMinute\":2")->status, 200);

    assert_int_equal(post(box, "/v1/auth/password/reset/request", MAIL)->status, 200);
    assert_refused(post(box, "/v1/auth/password/reset/request", MAIL), 429, "auth/too-many-code-requests");
}

static void a_project_sets_how_often_a_second_factor_is_tried(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_app app;
    api_user_sign_up(box, &user);
    api_app_turn_on(box, &user, &app);
    assert_int_equal(set(box, "\"mfaFailures\":1")->status, 200);
    assert_refused(api_app_sign_in(box, EMAIL, "00000000"), 401, "auth/invalid-mfa-code");

    assert_refused(api_app_sign_in(box, EMAIL, api_app_code(box, &app, 1)), 429, "auth/too-many-login-attempts");
}

static void a_limit_is_a_number_from_one_to_a_million(void **state)
{
    static const char *const names[] = {"signInFailures",     "accountFailures", "signUpsPerHour",
                                        "refreshesPerMinute", "mailsPerHour",    "mailsPerHalfMinute",
                                        "mfaFailures",        "accountChecksPerMinute"};
    static const char *const bad[] = {"0", "-1", "1000001", "1.5", "\"5\"", "true", "[5]"};
    static const char *const good[] = {"1", "1000000", "null"};
    struct api_box *box = *state;
    char settings[64];

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        for (size_t k = 0; k < ARRAY_LENGTH(bad); k++) {
            (void)snprintf(settings, sizeof settings, "\"%s\":%s", names[i], bad[k]);
            assert_refused(set(box, settings), 400, "common/invalid-parameters");
        }
        for (size_t k = 0; k < ARRAY_LENGTH(good); k++) {
            (void)snprintf(settings, sizeof settings, "\"%s\":%s", names[i], good[k]);
            assert_int_equal(set(box, settings)->status, 200);
        }
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_project_sets_how_often_an_address_fails_at_an_account),
        T(a_project_sets_how_often_all_fail_at_an_account),
        T(a_project_sets_how_often_an_address_signs_up_and_checks),
        T(a_project_sets_how_often_a_session_is_refreshed),
        T(a_project_sets_how_many_mails_go_to_an_address),
        T(a_project_sets_how_soon_a_mail_follows_another),
        T(a_project_sets_how_often_a_second_factor_is_tried),
        T(a_limit_is_a_number_from_one_to_a_million),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
