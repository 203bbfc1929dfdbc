/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An account that a stranger made with somebody's address, and what is left to the stranger once a mail has shown whose the
 * address is. Spec: contract 5.3, 5.5 to 5.8. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/api_issuer.h"
#include "tests/lib/api_mail.h"
#include "tests/lib/api_mfa.h"

#define ADA           "ada@example.com"
#define BOB           "bob@example.com"
#define CODE_MAX      (DATA_CODE_TEXT_BYTES + 1)

/* Eve signs up with the address of Ada, and it is long enough ago for the next mail. */
static void sign_up_eve(struct api_box *box, struct api_user *eve)
{
    api_user_sign_up(box, eve);
    api_box_pass_s(box, 30);
}

static const struct api_answer *open_link(struct api_box *box)
{
    char code[CODE_MAX];

    assert_int_equal(api_box_post(box, SIGN_IN, "{\"method\":\"magiclink\",\"email\":\"" ADA "\"}")->status, 200);
    api_mail_token(box, ADA, "magic_link", code);
    return api_mail_open(box, code);
}

static const struct api_answer *reset(struct api_box *box)
{
    char code[CODE_MAX];

    api_mail_ask_reset(box, ADA, code);
    return api_mail_reset(box, ADA, code);
}

/* The two ways in which Ada comes to the account: each signs her in. */
static void take_by_link(struct api_box *box, struct api_user *ada)
{
    const struct api_answer *answer = open_link(box);

    assert_int_equal(answer->status, 200);
    assert_string_equal(api_answer_text(answer, "is_new_user"), "false");
    assert_string_not_equal(api_answer_text(answer, "user.emailVerified"), "null");
    api_user_take(answer, ada);
}

static void take_by_reset(struct api_box *box, struct api_user *ada)
{
    assert_int_equal(reset(box)->status, 200);
    const struct api_answer *answer = api_box_post(box, SIGN_IN, ACCOUNT(ADA, "other1"));
    assert_int_equal(answer->status, 200);
    assert_string_not_equal(api_answer_text(answer, "user.emailVerified"), "null");
    api_user_take(answer, ada);
}

static void (*const ways[])(struct api_box *box, struct api_user *ada) = {take_by_link, take_by_reset};

/* Another box for each of the two. */
static struct api_box *next_box(void **state, size_t i)
{
    if (i > 0) {
        assert_int_equal(api_issuer_tear_down(state), 0);
        assert_int_equal(api_issuer_set_up(state), 0);
    }
    return *state;
}

static const char *account_count(struct api_box *box, const struct api_user *user)
{
    return api_answer_text(api_user_ask(box, box->publishable, user, "GET", LINK, NULL), "pagination.total");
}

static void assert_address(struct api_box *box, const struct api_user *user, const char *email)
{
    assert_string_equal(api_answer_text(api_user_me(box, user), "email"), email);
}

/* --- an address that nobody confirmed --- */

static void attack_11_sessions_and_password_of_a_stranger_end_with_the_mail(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
        struct api_box *box = next_box(state, i);
        struct api_user eve;
        struct api_user ada;
        char body[AUTH_TOKEN_MAX + 32];
        sign_up_eve(box, &eve);
        assert_int_equal(api_user_me(box, &eve)->status, 200); /* remembered by the reactor */

        ways[i](box, &ada);

        assert_string_equal(ada.id, eve.id);
        assert_refused(api_user_me(box, &eve), 401, "auth/session-expired");
        (void)snprintf(body, sizeof body, "{\"refreshToken\":\"%s\"}", eve.refresh);
        assert_refused(api_box_post(box, REFRESH, body), 401, "auth/invalid-refresh-token");
        assert_refused(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123")), 401, "auth/invalid-credentials");
        assert_int_equal(api_user_me(box, &ada)->status, 200);
        assert_string_equal(account_count(box, &ada), i == 0 ? "0" : "1");
    }
}

static void attack_11_the_second_factor_of_a_stranger_neither_keeps_out_nor_stays(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
        struct api_box *box = next_box(state, i);
        struct api_user eve;
        struct api_user ada;
        struct api_app app;
        char row[2048];
        sign_up_eve(box, &eve);
        api_app_turn_on(box, &eve, &app);

        ways[i](box, &ada);

        assert_string_equal(api_app_is_on(box, &ada), "false");
        assert_int_equal(api_app_rows(box, row, sizeof row), 0);
    }
}

static void attack_11_a_second_factor_that_a_stranger_was_setting_up_is_gone(void **state)
{
    struct api_box *box = *state;
    struct api_user eve;
    struct api_user ada;
    struct api_app app;
    char row[2048];
    sign_up_eve(box, &eve);
    api_app_enable(box, &eve, &app);

    take_by_link(box, &ada);

    assert_int_equal(api_app_rows(box, row, sizeof row), 0);
}

static void attack_11_an_account_that_a_stranger_linked_leads_no_more_to_it(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
        struct api_box *box = next_box(state, i);
        struct api_user eve;
        struct api_user ada;
        struct api_user other;
        sign_up_eve(box, &eve);
        assert_int_equal(
            api_user_ask(box, box->publishable, &eve, "POST", LINK, "{\"provider\":\"corp\",\"code\":\"c\"}")->status,
            201);

        ways[i](box, &ada);

        assert_string_equal(account_count(box, &ada), i == 0 ? "0" : "1");
        const struct api_answer *in =
            api_box_post(box, CALLBACK, api_issuer_body(api_issuer_token(api_issuer_of(box), GRACE), ""));
        assert_string_equal(api_answer_text(in, "is_new_user"), "true");
        api_user_take(in, &other);
        assert_string_not_equal(other.id, ada.id);
    }
}

static void attack_11_an_address_that_a_stranger_asked_for_does_not_come(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
        struct api_box *box = next_box(state, i);
        struct api_user eve;
        struct api_user ada;
        char code[CODE_MAX];
        sign_up_eve(box, &eve);
        api_mail_ask_address(box, &eve, BOB, code);

        ways[i](box, &ada);

        assert_refused(api_mail_confirm(box, BOB, code), 401, "auth/invalid-token");
        assert_address(box, &ada, ADA);
    }
}

static void a_link_that_is_refused_leaves_the_account_as_it_is(void **state)
{
    struct api_box *box = *state;
    struct api_user eve;
    sign_up_eve(box, &eve);
    assert_int_equal(api_user_manage(box, "PATCH", &eve, "/ban", "{\"banned\":true}")->status, 200);

    assert_refused(open_link(box), 403, "auth/account-banned");

    assert_int_equal(api_user_manage(box, "PATCH", &eve, "/ban", "{\"banned\":false}")->status, 200);
    api_user_take(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123")), &eve);
    assert_string_equal(api_answer_text(api_user_me(box, &eve), "emailVerified"), "null");
}

/* --- an address that is confirmed --- */

/* A link that came before the address was confirmed is one that comes after it, too. */
static void a_link_to_a_confirmed_address_ends_nothing(void **state)
{
    struct api_box *box = *state;
    struct api_user first;
    struct api_user ada;
    char code[CODE_MAX];
    sign_up_eve(box, &first);
    api_mail_token(box, ADA, "signup_confirmation", code);
    assert_int_equal(api_mail_confirm(box, ADA, code)->status, 200);

    take_by_link(box, &ada);

    assert_int_equal(api_user_me(box, &first)->status, 200);
    assert_string_equal(account_count(box, &ada), "1");
    api_user_take(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123")), &ada);
}

/* What a session asked for that somebody else had does not outlive the password. */
static void attack_11_an_address_that_was_asked_for_before_a_new_password_does_not_come(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        struct api_box *box = next_box(state, i);
        struct api_user ada;
        char code[CODE_MAX];
        sign_up_eve(box, &ada);
        api_mail_token(box, ADA, "signup_confirmation", code);
        assert_int_equal(api_mail_confirm(box, ADA, code)->status, 200);
        api_mail_ask_address(box, &ada, BOB, code);

        const struct api_answer *answer =
            i == 0 ? reset(box)
                   : api_user_ask(box, box->publishable, &ada, "POST", "/v1/auth/password/change",
                                  "{\"currentPassword\":\"abc123\",\"newPassword\":\"other1\"}");
        assert_int_equal(answer->status, 200);

        assert_refused(api_mail_confirm(box, BOB, code), 401, "auth/invalid-token");
        api_user_take(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "other1")), &ada);
        assert_address(box, &ada, ADA);
    }
}

static void a_confirmation_outlives_a_change_of_the_password(void **state)
{
    struct api_box *box = *state;
    struct api_user ada;
    char code[CODE_MAX];
    sign_up_eve(box, &ada);
    api_mail_token(box, ADA, "signup_confirmation", code);

    assert_int_equal(api_user_ask(box, box->publishable, &ada, "POST", "/v1/auth/password/change",
                                  "{\"currentPassword\":\"abc123\",\"newPassword\":\"other1\"}")
                         ->status,
                     200);

    assert_int_equal(api_mail_confirm(box, ADA, code)->status, 200);
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_issuer_set_up, api_issuer_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(attack_11_sessions_and_password_of_a_stranger_end_with_the_mail),
        T(attack_11_the_second_factor_of_a_stranger_neither_keeps_out_nor_stays),
        T(attack_11_a_second_factor_that_a_stranger_was_setting_up_is_gone),
        T(attack_11_an_account_that_a_stranger_linked_leads_no_more_to_it),
        T(attack_11_an_address_that_a_stranger_asked_for_does_not_come),
        T(a_link_that_is_refused_leaves_the_account_as_it_is),
        T(a_link_to_a_confirmed_address_ends_nothing),
        T(attack_11_an_address_that_was_asked_for_before_a_new_password_does_not_come),
        T(a_confirmation_outlives_a_change_of_the_password),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
