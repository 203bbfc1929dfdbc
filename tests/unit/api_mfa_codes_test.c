/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Codes of second factors over time, tried at once, and how often. Spec: contract 1.9, 5.7. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/api_mfa.h"

#define ADA       "ada@example.com"
#define BOB       "bob@example.com"
#define WRONG     "!!!!!!" /* no code, now or ever */
#define BODY_MAX  256
#define STEP_MS   (TOTP_STEP_S * UINT64_C(1000))
#define MINUTE_MS UINT64_C(60000)
#define NO_BACKUP "zzzzzzz!"

/* --- codes of the app --- */

static void attack_11_a_step_signs_in_once_and_so_do_its_neighbours_and_no_others(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;

    assert_refused(api_app_sign_in(box, ADA, api_app_code(box, &f->app, -2)), 401, "auth/invalid-mfa-code");
    assert_refused(api_app_sign_in(box, ADA, api_app_code(box, &f->app, 2)), 401, "auth/invalid-mfa-code");
    for (int step = 1; step >= -1; step--) {
        api_user_take(api_app_sign_in(box, ADA, api_app_code(box, &f->app, step)), &f->user);
    }
    for (int step = -1; step <= 1; step++) {
        assert_refused(api_app_sign_in(box, ADA, api_app_code(box, &f->app, step)), 401, "auth/invalid-mfa-code");
    }
    assert_refused(api_app_sign_in(box, ADA, api_app_code(box, &f->app, 0)), 429, "auth/too-many-login-attempts");
}

static void attack_11_a_code_with_anything_around_or_in_it_is_none(void **state)
{
    static const struct {
        size_t at;
        const char *text;
    } more[] = {{0, " "}, {6, " "}, {3, " "}, {6, "\\n"}, {0, "0"}, {6, "00"}, {0, "\\u200b"}};
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    char text[32];

    for (size_t i = 0; i < ARRAY_LENGTH(more); i++) {
        const char *code = api_app_code(box, &f->app, 0);
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)more[i].at, code, more[i].text, code + more[i].at);
        assert_refused(api_app_sign_in(box, ADA, text), 401, "auth/invalid-mfa-code");
        sim_clock_advance_ms(&box->clock, 4 * MINUTE_MS);
    }
    api_user_take(api_app_sign_in(box, ADA, api_app_code(box, &f->app, 0)), &f->user);
}

static void attack_11_the_code_that_confirmed_signs_nobody_in(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    api_app_turn_on_now(box, &f->user, &f->app);

    assert_refused(api_app_sign_in(box, ADA, api_app_code(box, &f->app, 0)), 401, "auth/invalid-mfa-code");
}

static void attack_11_of_sign_ins_at_once_with_one_code_one_succeeds(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    const char *const codes[] = {api_app_code(box, &f->app, 0), f->app.backup[3]};

    for (size_t which = 0; which < ARRAY_LENGTH(codes); which++) {
        struct api_box_pending *tries[3];
        char body[BODY_MAX];
        const struct api_ask ask = {.method = "POST",
                                    .target = SIGN_IN,
                                    .key = box->publishable,
                                    .body = api_app_body(body, ADA, codes[which])};
        unsigned int passed = 0;

        for (size_t i = 0; i < ARRAY_LENGTH(tries); i++) {
            tries[i] = api_box_begin(box, &ask);
        }
        for (size_t i = 0; i < ARRAY_LENGTH(tries); i++) {
            const unsigned int status = api_box_finish(box, tries[i])->status;
            assert_true(status == 200 || status == 401);
            passed += status == 200;
        }
        assert_int_equal(passed, 1);
    }
}

static void attack_11_a_used_code_stays_used_over_a_restart(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    api_user_take(api_app_sign_in(box, ADA, api_app_code(box, &f->app, 0)), &f->user);
    api_user_take(api_app_sign_in(box, ADA, f->app.backup[0]), &f->user);

    api_box_restart(box);

    assert_refused(api_app_sign_in(box, ADA, api_app_code(box, &f->app, 0)), 401, "auth/invalid-mfa-code");
    assert_refused(api_app_sign_in(box, ADA, f->app.backup[0]), 401, "auth/invalid-mfa-code");
    api_user_take(api_app_sign_in(box, ADA, api_app_code(box, &f->app, 1)), &f->user);
    assert_string_equal(api_app_is_on(box, &f->user), "true");
}

static void attack_11_a_clock_that_is_set_back_brings_no_code_to_life(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    api_user_take(api_app_sign_in(box, ADA, api_app_code(box, &f->app, 0)), &f->user);
    sim_clock_advance_ms(&box->clock, 2 * STEP_MS);
    api_user_take(api_app_sign_in(box, ADA, api_app_code(box, &f->app, 0)), &f->user);

    const int64_t now_ms = hal_clock_wall(&box->clock.base).ms;
    sim_clock_set_wall(&box->clock, (struct wall_time){now_ms - (int64_t)(2 * STEP_MS)});

    assert_refused(api_app_sign_in(box, ADA, api_app_code(box, &f->app, 0)), 401, "auth/invalid-mfa-code");
    api_user_take(api_app_sign_in(box, ADA, api_app_code(box, &f->app, 1)), &f->user); /* nobody used it */
}

static void the_code_of_another_user_is_wrong(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    struct api_user bob;
    struct api_app of_bob;
    api_user_take(api_box_post(box, SIGN_UP, ACCOUNT(BOB, "abc123")), &bob);
    api_app_turn_on(box, &bob, &of_bob);

    assert_refused(api_app_sign_in(box, ADA, api_app_code(box, &of_bob, 0)), 401, "auth/invalid-mfa-code");
    assert_refused(api_app_sign_in(box, ADA, of_bob.backup[0]), 401, "auth/invalid-mfa-code");
    api_user_take(api_app_sign_in(box, BOB, of_bob.backup[0]), &bob);
    assert_string_equal(api_app_is_on(box, &bob), "true");
}

/* --- order, and limits --- */

static void attack_10_nothing_is_told_before_the_password_is_right_and_the_user_not_banned(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    char body[BODY_MAX];

    (void)snprintf(body, sizeof body, "{\"email\":\"" ADA "\",\"password\":\"wrong1\",\"mfaCode\":\"%s\"}",
                   api_app_code(box, &f->app, 0));
    assert_refused(api_box_post(box, SIGN_IN, body), 401, "auth/invalid-credentials");
    assert_refused(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "wrong1")), 401, "auth/invalid-credentials");
    assert_int_equal(api_user_manage(box, "PATCH", &f->user, "/ban", "{\"banned\":true}")->status, 200);
    assert_refused(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123")), 403, "auth/account-banned");
    assert_refused(api_app_sign_in(box, ADA, WRONG), 403, "auth/account-banned");
    assert_int_equal(api_user_manage(box, "PATCH", &f->user, "/ban", "{\"banned\":false}")->status, 200);

    api_user_take(api_app_sign_in(box, ADA, api_app_code(box, &f->app, 0)), &f->user); /* neither used it up */
}

static void attack_11_a_user_has_five_tries_in_fifteen_minutes_and_another_user_as_well(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    struct api_user bob;
    struct api_app of_bob;
    api_user_take(api_box_post(box, SIGN_UP, ACCOUNT(BOB, "abc123")), &bob);
    api_app_turn_on(box, &f->user, &f->app);
    api_app_turn_on(box, &bob, &of_bob);

    for (unsigned int i = 0; i < 5; i++) {
        assert_refused(api_app_sign_in(box, ADA, i % 2 == 0 ? WRONG : NO_BACKUP), 401, "auth/invalid-mfa-code");
        sim_clock_advance_ms(&box->clock, MINUTE_MS);
    }
    const struct api_answer *sixth = api_app_sign_in(box, ADA, api_app_code(box, &f->app, 0));
    assert_refused(sixth, 429, "auth/too-many-login-attempts");
    assert_non_null(strstr(sixth->headers, "Retry-After: 600\n"));
    assert_refused(api_app_sign_in(box, ADA, f->app.backup[0]), 429, "auth/too-many-login-attempts");
    assert_refused(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123")), 403, "auth/mfa-required"); /* no try */
    api_user_take(api_app_sign_in(box, BOB, api_app_code(box, &of_bob, 0)), &bob);
    api_box_restart(box);
    sim_clock_advance_ms(&box->clock, 10 * MINUTE_MS - 1);
    assert_refused(api_app_sign_in(box, ADA, f->app.backup[0]), 429, "auth/too-many-login-attempts");
    sim_clock_advance_ms(&box->clock, 1);

    api_user_take(api_app_sign_in(box, ADA, f->app.backup[0]), &f->user);
    for (unsigned int i = 0; i < 5; i++) {
        assert_refused(api_app_sign_in(box, ADA, WRONG), 401, "auth/invalid-mfa-code");
    }
    assert_refused(api_app_sign_in(box, ADA, f->app.backup[1]), 429, "auth/too-many-login-attempts");
}

static void attack_11_a_right_code_gives_no_new_tries(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    for (unsigned int i = 0; i < 4; i++) {
        assert_int_equal(api_app_sign_in(box, ADA, WRONG)->status, 401);
    }

    api_user_take(api_app_sign_in(box, ADA, api_app_code(box, &f->app, 0)), &f->user);

    assert_refused(api_app_sign_in(box, ADA, WRONG), 401, "auth/invalid-mfa-code");
    assert_refused(api_app_sign_in(box, ADA, f->app.backup[0]), 429, "auth/too-many-login-attempts");
}

static void attack_11_guesses_made_at_once_are_five_too(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    struct api_box_pending *guesses[7];
    char wrong[BODY_MAX];
    char right[BODY_MAX];
    const struct api_ask guess = {
        .method = "POST", .target = MFA_DISABLE, .key = box->publishable, .header = f->user.header, .body = wrong};
    const struct api_ask last = {.method = "POST",
                                 .target = SIGN_IN,
                                 .key = box->publishable,
                                 .body = api_app_body(right, ADA, f->app.backup[0])};
    (void)snprintf(wrong, sizeof wrong, "{\"password\":\"abc123\",\"code\":\"" WRONG "\"}");
    unsigned int refused = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(guesses); i++) {
        guesses[i] = api_box_begin(box, &guess);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(guesses); i++) {
        const unsigned int status = api_box_finish(box, guesses[i])->status;
        assert_true(status == 401 || status == 429);
        refused += status == 401;
    }

    assert_int_equal(refused, 5);
    assert_refused(api_box_ask(box, &last), 429, "auth/too-many-login-attempts");
}

static void attack_11_tries_to_confirm_are_five_too_whatever_key_is_set_up(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    api_app_enable(box, &f->user, &f->app);
    for (unsigned int i = 0; i < 5; i++) {
        assert_refused(api_app_confirm(box, &f->user, WRONG), 401, "auth/invalid-mfa-code");
    }

    api_app_enable(box, &f->user, &f->app);

    assert_refused(api_app_confirm(box, &f->user, api_app_code(box, &f->app, 0)), 429, "auth/too-many-login-attempts");
}

static void attack_11_passwords_tried_here_are_counted_as_those_of_sign_ins(void **state)
{
    static const char *const routes[] = {MFA_ENABLE, MFA_DISABLE};
    struct api_mfa *f = *state;
    struct api_box *box = f->box;

    for (unsigned int i = 0; i < 5; i++) {
        assert_refused(
            api_user_ask(box, box->publishable, &f->user, "POST", routes[i % 2], "{\"password\":\"wrong1\"}"), 401,
            "auth/invalid-credentials");
    }

    assert_refused(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123")), 429, "auth/too-many-login-attempts");
    assert_refused(api_user_ask(box, box->publishable, &f->user, "POST", MFA_ENABLE, "{\"password\":\"abc123\"}"), 429,
                   "auth/too-many-login-attempts");
}

/* --- backup codes --- */

static void a_backup_code_is_used_once_until_none_is_left(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;

    for (size_t i = 0; i < 10; i++) {
        assert_refused(api_app_sign_in(box, ADA, i == 0 ? NO_BACKUP : f->app.backup[i - 1]), 401,
                       "auth/invalid-mfa-code");
        api_user_take(api_app_sign_in(box, ADA, f->app.backup[i]), &f->user);
        sim_clock_advance_ms(&box->clock, 4 * MINUTE_MS);
    }
    sim_clock_advance_ms(&box->clock, 15 * MINUTE_MS);
    for (unsigned int i = 0; i < 6; i++) { /* which is no guess, so it is not counted */
        assert_refused(api_app_sign_in(box, ADA, f->app.backup[9]), 400, "auth/mfa-backup-codes-exhausted");
    }
    api_user_take(api_app_sign_in(box, ADA, api_app_code(box, &f->app, 0)), &f->user);
}

static void a_backup_code_has_eight_letters_and_digits_and_each_of_them_comes(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    unsigned int seen[128] = {0};
    unsigned int kinds = 0;

    for (unsigned int round = 0; round < 12; round++) { /* 960 characters of 36 kinds */
        api_app_enable(box, &f->user, &f->app);
        for (size_t i = 0; i < 10; i++) {
            assert_int_equal(strlen(f->app.backup[i]), 8);
            assert_int_equal(strspn(f->app.backup[i], "abcdefghijklmnopqrstuvwxyz0123456789"), 8);
            for (size_t at = 0; at < 8; at++) {
                kinds += seen[(unsigned char)f->app.backup[i][at]]++ == 0;
            }
        }
    }
    assert_int_equal(kinds, 36);
}

int main(void)
{
#define T(test)       cmocka_unit_test_setup_teardown(test, api_mfa_set_up, api_mfa_tear_down)
#define WITH_ON(test) cmocka_unit_test_setup_teardown(test, api_mfa_set_up_on, api_mfa_tear_down)
    const struct CMUnitTest tests[] = {
        WITH_ON(attack_11_a_step_signs_in_once_and_so_do_its_neighbours_and_no_others),
        WITH_ON(attack_11_a_code_with_anything_around_or_in_it_is_none),
        T(attack_11_the_code_that_confirmed_signs_nobody_in),
        WITH_ON(attack_11_of_sign_ins_at_once_with_one_code_one_succeeds),
        WITH_ON(attack_11_a_used_code_stays_used_over_a_restart),
        WITH_ON(attack_11_a_clock_that_is_set_back_brings_no_code_to_life),
        WITH_ON(the_code_of_another_user_is_wrong),
        WITH_ON(attack_10_nothing_is_told_before_the_password_is_right_and_the_user_not_banned),
        T(attack_11_a_user_has_five_tries_in_fifteen_minutes_and_another_user_as_well),
        WITH_ON(attack_11_a_right_code_gives_no_new_tries),
        WITH_ON(attack_11_guesses_made_at_once_are_five_too),
        T(attack_11_tries_to_confirm_are_five_too_whatever_key_is_set_up),
        T(attack_11_passwords_tried_here_are_counted_as_those_of_sign_ins),
        WITH_ON(a_backup_code_is_used_once_until_none_is_left),
        T(a_backup_code_has_eight_letters_and_digits_and_each_of_them_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
