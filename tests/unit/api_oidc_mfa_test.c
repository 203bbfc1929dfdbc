/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A second factor behind an OpenID Connect issuer. Spec: contract 5.7, 5.8. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/api_issuer.h"
#include "tests/lib/api_mfa.h"
#include "tests/lib/api_user.h"

static const struct api_answer *post(struct api_box *box, const char *body)
{
    return api_box_post(box, CALLBACK, body);
}

/* A user with a second factor, linked to the issuer. */
static void make_linked(struct api_box *box, struct api_user *user, struct api_app *app)
{
    api_user_sign_up(box, user);
    assert_int_equal(
        api_user_ask(box, box->publishable, user, "POST", LINK, "{\"provider\":\"corp\",\"code\":\"c\"}")->status, 201);
    api_app_turn_on(box, user, app);
}

static void attack_11_a_second_factor_guards_the_callback(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);
    struct api_user user;
    struct api_app app;
    char more[64];
    make_linked(box, &user, &app);

    assert_refused(post(box, api_issuer_body(api_issuer_token(issuer, GRACE), "")), 403, "auth/mfa-required");
    assert_refused(post(box, api_issuer_body(api_issuer_token(issuer, GRACE), ",\"mfaCode\":\"000000\"")), 401,
                   "auth/invalid-mfa-code");
    (void)snprintf(more, sizeof more, ",\"mfaCode\":\"%s\"", api_app_code(box, &app, 0));
    assert_int_equal(post(box, api_issuer_body(api_issuer_token(issuer, GRACE), more))->status, 200);
    assert_refused(post(box, api_issuer_body(api_issuer_token(issuer, GRACE), more)), 401, "auth/invalid-mfa-code");
}

static const struct api_answer *post_code(struct api_box *box, const char *verifier, const char *mfa_code)
{
    static char body[512];

    (void)snprintf(body, sizeof body, "{\"code\":\"c-1\",\"codeVerifier\":\"" VERIFIER "%s\",\"mfaCode\":\"%s\"}",
                   verifier, mfa_code);
    return post(box, body);
}

static void a_code_waits_for_the_second_factor(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);
    struct api_user user;
    struct api_app app;
    make_linked(box, &user, &app);
    issuer->exchanges = 0;

    assert_refused(post_code(box, "", ""), 403, "auth/mfa-required");
    issuer->token_status = 400; /* it was taken */
    issuer->token_body = "{\"error\":\"invalid_grant\"}";
    assert_refused(post_code(box, "", ""), 403, "auth/mfa-required");
    assert_refused(post_code(box, "", "000000"), 401, "auth/invalid-mfa-code");
    assert_refused(post_code(box, "x", app.backup[0]), 401, "auth/invalid-oauth-code"); /* of somebody else */
    assert_int_equal(issuer->exchanges, 2);
    const struct api_answer *in = post_code(box, "", app.backup[0]);
    assert_int_equal(in->status, 200);
    assert_string_equal(api_answer_text(in, "user.id"), user.id);
    assert_string_equal(api_answer_text(in, "is_new_user"), "false");
    assert_refused(post_code(box, "", app.backup[1]), 401, "auth/invalid-oauth-code"); /* once */
}

static void a_code_with_a_wrong_second_factor_waits_five_minutes(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);
    struct api_user user;
    struct api_app app;
    make_linked(box, &user, &app);

    assert_refused(post_code(box, "", "000000"), 401, "auth/invalid-mfa-code");
    issuer->token_status = 400;
    issuer->token_body = "{\"error\":\"invalid_grant\"}";
    sim_clock_advance_ms(&box->clock, 299000);
    assert_refused(post_code(box, "", ""), 403, "auth/mfa-required");
    sim_clock_advance_ms(&box->clock, 1000);
    assert_refused(post_code(box, "", app.backup[0]), 401, "auth/invalid-oauth-code");
}

static void a_code_that_waits_is_worth_nothing_once_the_account_is_unlinked_or_banned(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_app app;
    make_linked(box, &user, &app);
    assert_refused(post_code(box, "", ""), 403, "auth/mfa-required");

    assert_int_equal(api_user_manage(box, "PATCH", &user, "/ban", "{\"banned\":true}")->status, 200);
    assert_refused(post_code(box, "", app.backup[0]), 403, "auth/account-banned");
    assert_int_equal(api_user_manage(box, "PATCH", &user, "/ban", "{\"banned\":false}")->status, 200);
    api_user_take(api_app_sign_in(box, "ada@example.com", app.backup[1]), &user);
    assert_int_equal(api_user_ask(box, box->publishable, &user, "DELETE", LINK "/corp", NULL)->status, 200);
    assert_refused(post_code(box, "", app.backup[0]), 401, "auth/invalid-oauth-code");
}

static void a_code_that_waits_is_worth_nothing_once_the_second_factor_is_off(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_app app;
    char body[128];
    make_linked(box, &user, &app);
    assert_refused(post_code(box, "", ""), 403, "auth/mfa-required");

    (void)snprintf(body, sizeof body, "{\"password\":\"abc123\",\"code\":\"%s\"}", app.backup[0]);
    assert_int_equal(api_user_ask(box, box->publishable, &user, "POST", MFA_DISABLE, body)->status, 200);

    assert_refused(post_code(box, "", ""), 401, "auth/invalid-oauth-code");
    assert_refused(post_code(box, "", app.backup[1]), 401, "auth/invalid-oauth-code");
    assert_int_equal(post(box, api_issuer_body(api_issuer_token(api_issuer_of(box), GRACE), ""))->status, 200);
}

#define T(test) cmocka_unit_test_setup_teardown(test, api_issuer_set_up, api_issuer_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(attack_11_a_second_factor_guards_the_callback),
        T(a_code_waits_for_the_second_factor),
        T(a_code_with_a_wrong_second_factor_waits_five_minutes),
        T(a_code_that_waits_is_worth_nothing_once_the_account_is_unlinked_or_banned),
        T(a_code_that_waits_is_worth_nothing_once_the_second_factor_is_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
