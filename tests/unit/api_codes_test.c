/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Codes in mails over time, and accepted at once. Spec: contract 1.9, 5.3, 5.5, 5.6. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/codes_int.h"
#include "hal/base/fault.h"
#include "tests/lib/api_mail.h"
#include "tests/lib/api_stored.h"
#include "tests/lib/api_write.h"

#define BOB            "bob@example.com"
#define ADA            "ada@example.com"
#define TO_ADA         "{\"email\":\"" ADA "\"}"
#define LINK_TO_ADA    "{\"method\":\"magiclink\",\"email\":\"" ADA "\"}"
#define DAY_S          86400u
#define CODE_MAX       (DATA_CODE_TEXT_BYTES + 1)

static const struct api_answer *visit(struct api_box *box, const char *code)
{
    char target[256];

    (void)snprintf(target, sizeof target, "/v1/auth/signup/email/confirm?token=%s&email=" ADA, code);
    return api_box_get(box, NULL, target);
}

/* As soon as the address may have another mail. */
static void ask_for(struct api_box *box, const char *target, const char *body, const char *category,
                    char code[CODE_MAX])
{
    api_box_pass_s(box, 30);
    assert_int_equal(api_box_post(box, target, body)->status, 200);
    api_mail_token(box, ADA, category, code);
}

static uint64_t stored_codes(struct api_box *box)
{
    return api_stored_rows(box, api_stored_environment(box)->people.codes);
}

/* --- how long they hold --- */

static void a_reset_holds_for_a_day_and_no_longer(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char code[CODE_MAX];
    api_user_sign_up(box, &user);
    api_mail_ask_reset(box, ADA, code);

    api_box_pass_s(box, DAY_S);
    assert_refused(api_mail_reset(box, ADA, code), 401, "auth/verification-token-expired");
    api_mail_ask_reset(box, ADA, code);
    api_box_pass_s(box, DAY_S - 1);

    assert_int_equal(api_mail_reset(box, ADA, code)->status, 200);
    api_user_take(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "other1")), &user);
}

static void a_confirmation_holds_for_a_day_and_no_longer(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char code[CODE_MAX];
    api_user_sign_up(box, &user);
    api_mail_token(box, ADA, "signup_confirmation", code);

    api_box_pass_s(box, DAY_S);
    assert_refused(visit(box, code), 401, "auth/token-expired");
    assert_refused(api_mail_confirm(box, ADA, code), 401, "auth/token-expired");
    ask_for(box, "/v1/auth/signup/email/resend", TO_ADA, "signup_confirmation", code);
    api_box_pass_s(box, DAY_S - 1);

    assert_int_equal(visit(box, code)->status, 200);
}

static void a_sign_in_link_holds_for_fifteen_minutes_and_no_longer(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char code[CODE_MAX];
    api_user_sign_up(box, &user);
    ask_for(box, SIGN_IN, LINK_TO_ADA, "magic_link", code);

    api_box_pass_s(box, 900);
    assert_refused(api_mail_open(box, code), 401, "auth/token-expired");
    ask_for(box, SIGN_IN, LINK_TO_ADA, "magic_link", code);
    api_box_pass_s(box, 899);

    api_user_take(api_mail_open(box, code), &user);
    assert_int_equal(api_user_me(box, &user)->status, 200);
}

static void codes_outlive_a_restart(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char code[CODE_MAX];
    api_user_sign_up(box, &user);
    api_mail_ask_reset(box, ADA, code);

    api_box_restart(box);

    assert_int_equal(api_mail_reset(box, ADA, code)->status, 200);
}

/* --- how often --- */

static void attack_11_an_address_gets_one_mail_in_thirty_seconds_and_five_an_hour(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    api_box_pass_s(box, 3600 - (uint64_t)(hal_clock_wall(&box->clock.base).ms / 1000 % 3600)); /* windows begin now */

    for (unsigned int i = 0; i < 5; i++) {
        assert_int_equal(api_box_post(box, RESET_REQUEST, TO_ADA)->status, 200);
        assert_refused(api_box_post(box, SIGN_IN, LINK_TO_ADA), 429, "auth/too-many-code-requests");
        api_box_pass_s(box, 30);
    }
    const struct api_answer *sixth = api_box_post(box, RESET_REQUEST, TO_ADA);
    assert_refused(sixth, 429, "auth/too-many-code-requests");
    assert_non_null(strstr(sixth->headers, "Retry-After: 3450\n"));
    assert_int_equal(api_box_post(box, RESET_REQUEST, "{\"email\":\"bob@example.com\"}")->status, 200);
    api_box_pass_s(box, 3600 - 150);

    assert_int_equal(api_box_post(box, RESET_REQUEST, TO_ADA)->status, 200);
    assert_int_equal(api_mail_count(box, ADA, "password_reset"), 6);
    assert_int_equal(api_mail_count(box, ADA, "magic_link"), 0);
}

/* A sign-up is none that could be refused for it. Ada is nobody again afterwards. */
static void sign_up_without_mail(struct api_box *box)
{
    struct api_user user;
    const size_t mails = api_mail_count(box, ADA, NULL);

    api_user_sign_up(box, &user);

    assert_int_equal(api_mail_count(box, ADA, NULL), mails);
    assert_int_equal(api_user_ask(box, box->publishable, &user, "DELETE", "/v1/auth/withdraw", NULL)->status, 200);
}

static void every_route_that_sends_mail_takes_from_the_same_limit(void **state)
{
    static const struct {
        const char *target, *body;
    } senders[] = {
        {RESET_REQUEST, TO_ADA},
        {"/v1/auth/signup/email/resend", TO_ADA},
        {"/v1/auth/email/verify/send", TO_ADA},
        {"/v1/auth/email/verify/resend", TO_ADA},
        {SIGN_IN, LINK_TO_ADA},
        {SIGN_UP, LINK_TO_ADA},
    };
    struct api_box *box = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(senders); i++) { /* of nobody's address, which is counted too */
        assert_true(api_box_post(box, senders[i].target, senders[i].body)->status < 300);
        for (size_t j = 0; j < ARRAY_LENGTH(senders); j++) {
            const struct api_answer *next = api_box_post(box, senders[j].target, senders[j].body);
            assert_refused(next, 429, "auth/too-many-code-requests");
            assert_non_null(strstr(next->body, "429"));
            assert_non_null(strstr(next->headers, "Retry-After: "));
        }
        sign_up_without_mail(box);
        api_box_pass_s(box, 3600);
    }
}

static void attack_11_sign_ups_take_from_the_limit_of_mails(void **state)
{
    static const char *const senders[] = {RESET_REQUEST, "/v1/auth/signup/email/resend", "/v1/auth/email/verify/send"};
    struct api_box *box = *state;
    struct api_user user;
    size_t mails = 0;
    api_box_pass_s(box, 3600 - (uint64_t)(hal_clock_wall(&box->clock.base).ms / 1000 % 3600)); /* windows begin now */

    for (unsigned int i = 0; i < 9; i++) {
        api_user_sign_up(box, &user);
        mails += api_mail_count(box, ADA, "signup_confirmation");
        for (size_t j = 0; j < ARRAY_LENGTH(senders); j++) {
            assert_refused(api_box_post(box, senders[j], TO_ADA), 429, "auth/too-many-code-requests");
        }
        assert_int_equal(api_user_ask(box, box->publishable, &user, "DELETE", "/v1/auth/withdraw", NULL)->status, 200);
        api_box_pass_s(box, i % 2 == 0 ? 0 : 30);
    }

    assert_int_equal(mails, 5); /* of 30 seconds one */
    api_box_pass_s(box, 30);
    api_user_sign_up(box, &user);
    assert_int_equal(api_mail_count(box, ADA, NULL), 0); /* of an hour five */
}

static void an_address_that_got_no_mail_at_its_sign_up_is_confirmed_by_a_later_one(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char code[CODE_MAX];
    assert_int_equal(api_box_post(box, RESET_REQUEST, TO_ADA)->status, 200);
    api_user_sign_up(box, &user);
    assert_int_equal(api_mail_count(box, ADA, NULL), 0);
    assert_int_equal(stored_codes(box), 0);

    ask_for(box, "/v1/auth/signup/email/resend", TO_ADA, "signup_confirmation", code);

    assert_int_equal(api_mail_confirm(box, ADA, code)->status, 200);
    assert_string_not_equal(api_answer_text(api_user_me(box, &user), "emailVerified"), "null");
}

static void a_new_confirmation_ends_the_one_before(void **state)
{
    static const struct {
        const char *target, *category;
    } senders[] = {{"/v1/auth/signup/email/resend", "signup_confirmation"},
                   {"/v1/auth/email/verify/send", "email_verification"},
                   {"/v1/auth/email/verify/resend", "email_verification"}};
    struct api_box *box = *state;
    struct api_user user;
    char former[CODE_MAX];
    char code[CODE_MAX];
    api_user_sign_up(box, &user);
    api_mail_token(box, ADA, "signup_confirmation", former);

    for (size_t i = 0; i < ARRAY_LENGTH(senders); i++) {
        ask_for(box, senders[i].target, TO_ADA, senders[i].category, code);
        assert_refused(api_mail_confirm(box, ADA, former), 401, "auth/invalid-token");
        assert_refused(visit(box, former), 401, "auth/invalid-token");
        memcpy(former, code, sizeof former);
    }

    assert_int_equal(visit(box, code)->status, 200);
}

static void attack_11_a_reset_ends_the_lockout_at_every_address(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char code[CODE_MAX];
    api_user_sign_up(box, &user);
    api_mail_ask_reset(box, ADA, code);
    for (unsigned int i = 0; i < 5; i++) {
        assert_refused(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "wrong1")), 401, "auth/invalid-credentials");
    }
    assert_refused(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123")), 429, "auth/too-many-login-attempts");

    assert_int_equal(api_mail_reset(box, ADA, code)->status, 200);

    api_user_take(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "other1")), &user);
    for (unsigned int i = 0; i < 5; i++) {
        assert_refused(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "wrong1")), 401, "auth/invalid-credentials");
    }
    assert_refused(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "other1")), 429, "auth/too-many-login-attempts");
}

static void attack_11_guesses_at_the_current_password_are_counted_as_sign_ins_are(void **state)
{
    static const char change[] = "/v1/auth/password/change";
    static const char right[] = "{\"currentPassword\":\"abc123\",\"newPassword\":\"other1\"}";
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    for (unsigned int i = 0; i < 5; i++) {
        assert_refused(api_user_ask(box, box->publishable, &user, "POST", change,
                                    "{\"currentPassword\":\"wrong1\",\"newPassword\":\"other1\"}"),
                       401, "auth/invalid-password");
    }

    assert_refused(api_user_ask(box, box->publishable, &user, "POST", change, right), 429,
                   "auth/too-many-login-attempts");
    assert_refused(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123")), 429, "auth/too-many-login-attempts");
    api_box_pass_s(box, 900);

    assert_int_equal(api_user_ask(box, box->publishable, &user, "POST", change, right)->status, 200);
}

static void attack_13_wrong_codes_of_a_visitor_are_counted(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char code[CODE_MAX];
    char wrong[CODE_MAX];
    api_user_sign_up(box, &user);
    api_mail_token(box, ADA, "signup_confirmation", code);
    memset(wrong, '0', sizeof wrong - 1);
    wrong[sizeof wrong - 1] = 0;
    for (unsigned int i = 0; i < AUTH_FAILURES_DEFAULT; i++) {
        assert_int_equal(visit(box, wrong)->status, 401);
    }

    assert_refused(visit(box, code), 429, "data/rate-limit-exceeded");
    api_box_pass_s(box, AUTH_WINDOW_S);
    assert_int_equal(visit(box, code)->status, 200);
}

/* --- once --- */

static void attack_11_of_two_resets_at_once_with_one_code_one_succeeds(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char code[CODE_MAX];
    char body[256];
    api_user_sign_up(box, &user);
    api_mail_ask_reset(box, ADA, code);
    (void)snprintf(body, sizeof body, "{\"email\":\"" ADA "\",\"token\":\"%s\",\"newPassword\":\"other1\"}", code);
    const struct api_ask ask = {.method = "POST", .target = RESET_CONFIRM, .key = box->publishable, .body = body};

    api_box_twice(box, &ask, 200, 404);
}

static void attack_11_of_two_link_openings_at_once_one_signs_in(void **state)
{
    struct api_box *box = *state;
    char code[CODE_MAX];
    char body[128];
    assert_int_equal(api_box_post(box, SIGN_UP, LINK_TO_ADA)->status, 201);
    api_mail_token(box, ADA, "magic_link", code);
    (void)snprintf(body, sizeof body, "{\"token\":\"%s\"}", code);
    const struct api_ask ask = {.method = "POST", .target = LINK_CALLBACK, .key = box->publishable, .body = body};

    api_box_twice(box, &ask, 200, 401);
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, "/v1/users"), "pagination.total"), "1");
}

static void of_a_reset_and_a_change_at_once_the_password_of_the_reset_stays(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char code[CODE_MAX];
    char body[256];
    api_user_sign_up(box, &user);
    api_mail_ask_reset(box, ADA, code);
    (void)snprintf(body, sizeof body, "{\"email\":\"" ADA "\",\"token\":\"%s\",\"newPassword\":\"other1\"}", code);
    const struct api_ask reset_ask = {.method = "POST", .target = RESET_CONFIRM, .key = box->publishable, .body = body};
    const struct api_ask change = {.method = "POST",
                                   .target = "/v1/auth/password/change",
                                   .key = box->publishable,
                                   .header = user.header,
                                   .body = "{\"currentPassword\":\"abc123\",\"newPassword\":\"third1\"}"};

    struct api_box_pending *first = api_box_begin(box, &reset_ask);
    struct api_box_pending *second = api_box_begin(box, &change);
    const unsigned int one = api_box_finish(box, first)->status;
    const unsigned int other = api_box_finish(box, second)->status;

    /* A change that comes to the writer second meets an ended session; one that comes first is undone by the reset. */
    assert_int_equal(one, 200);
    assert_true(other == 200 || other == 401);
    api_user_take(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "other1")), &user);
}

static void another_address_is_confirmed_anew(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char code[CODE_MAX];
    char first[64];
    api_user_sign_up(box, &user);
    api_mail_token(box, ADA, "signup_confirmation", code);
    assert_int_equal(api_mail_confirm(box, ADA, code)->status, 200);
    assert_true(api_answer_member(api_user_me(box, &user), "emailVerified", first, sizeof first));
    api_box_pass_s(box, 60);
    api_mail_ask_address(box, &user, BOB, code);

    assert_int_equal(api_mail_confirm(box, BOB, code)->status, 200);

    assert_true(strcmp(api_answer_text(api_user_me(box, &user), "emailVerified"), first) > 0);
}

static void a_link_too_ends_the_oldest_session_beyond_twenty(void **state)
{
    struct api_box *box = *state;
    struct api_user first;
    struct api_user next;
    char code[CODE_MAX];
    api_user_sign_up(box, &first);
    api_mail_token(box, ADA, "signup_confirmation", code);
    assert_int_equal(api_mail_confirm(box, ADA, code)->status, 200);
    for (unsigned int i = 0; i < 19; i++) {
        api_user_take(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123")), &next);
    }
    assert_int_equal(api_user_me(box, &first)->status, 200);
    ask_for(box, SIGN_IN, LINK_TO_ADA, "magic_link", code);

    api_user_take(api_mail_open(box, code), &next);

    assert_refused(api_user_me(box, &first), 401, "auth/session-expired");
    assert_int_equal(api_user_me(box, &next)->status, 200);
}

static void a_reset_under_way_when_the_address_changes_is_refused(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char code[CODE_MAX];
    char change[CODE_MAX];
    char body[256];
    api_user_sign_up(box, &user);
    api_mail_ask_reset(box, ADA, code);
    api_mail_ask_address(box, &user, BOB, change);
    (void)snprintf(body, sizeof body, "{\"email\":\"" ADA "\",\"token\":\"%s\",\"newPassword\":\"other1\"}", code);
    const struct api_ask ask = {.method = "POST", .target = RESET_CONFIRM, .key = box->publishable, .body = body};

    struct api_box_pending *pending = api_box_begin(box, &ask); /* two hashes are before it */
    assert_int_equal(api_mail_confirm(box, BOB, change)->status, 200);

    assert_refused(api_box_finish(box, pending), 404, "auth/verification-token-not-found");
    api_user_take(api_box_post(box, SIGN_IN, ACCOUNT("bob@example.com", "abc123")), &user);
}

/* --- the table --- */

static void codes_that_nobody_asks_for_any_more_go(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    assert_int_equal(api_box_post(box, SIGN_UP, LINK_TO_ADA)->status, 201);
    assert_int_equal(api_box_post(box, SIGN_UP, "{\"method\":\"magiclink\",\"email\":\"bob@example.com\"}")->status,
                     201);
    assert_int_equal(stored_codes(box), 2);
    api_box_pass_s(box, 900 + DAY_S + 1);

    api_user_sign_up(box, &user);

    assert_int_equal(stored_codes(box), 1);
}

static void attack_10_what_is_sent_to_nobody_leaves_nothing_and_ends_no_code(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char code[CODE_MAX];
    assert_int_equal(api_box_post(box, SIGN_UP, LINK_TO_ADA)->status, 201);
    api_mail_token(box, ADA, "magic_link", code);
    api_box_pass_s(box, 30);

    assert_int_equal(api_box_post(box, SIGN_IN, LINK_TO_ADA)->status, 200);

    assert_int_equal(stored_codes(box), 1);
    assert_int_equal(api_mail_count(box, ADA, NULL), 1);
    api_user_take(api_mail_open(box, code), &user);
}

static void a_code_is_bound_to_purpose_environment_and_address(void **state)
{
    const struct span here = span_lit("11111111-1111-4111-8111-111111111111");
    const struct span there = span_lit("22222222-2222-4222-8222-222222222222");
    char text[DATA_CODE_TEXT_BYTES];
    memset(text, 'a', sizeof text);
    const struct span code = span_array(text);
    const struct data_code_of of = {DATA_CODE_RESET, here, span_lit(ADA), code};
    const struct data_code_of others[] = {
        {DATA_CODE_VERIFY, here, span_lit(ADA), code},
        {DATA_CODE_RESET, there, span_lit(ADA), code},
        {DATA_CODE_RESET, here, span_lit("bob@example.com"), code},
        {DATA_CODE_RESET, here, SPAN_NONE, code},
        {DATA_CODE_RESET, here, span_lit(ADA), span_of(text, sizeof text - 1)},
    };
    uint8_t wanted[SHA256_BYTES];
    uint8_t got[SHA256_BYTES];
    (void)state;
    data_code_digest(&of, wanted);

    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        data_code_digest(&others[i], got);
        assert_memory_not_equal(got, wanted, sizeof got);
    }
    data_code_digest(&of, got);
    assert_memory_equal(got, wanted, sizeof got);
}

/* --- another environment --- */

/* Signs Ada up in an environment of which the test has no key. */
static void sign_up_in(struct api_box *box, struct span environment, const char *code)
{
    const struct data_code_of of = {DATA_CODE_VERIFY, environment, span_lit(ADA), span_str(code)};
    struct data_sign sign = {.user_id = span_lit("33333333-3333-4333-8333-333333333333"),
                             .session_id = span_lit("44444444-4444-4444-8444-444444444444"),
                             .email = span_lit(ADA),
                             .name = span_lit("Ada"),
                             .mail = {.category = MAIL_SIGNUP_CONFIRMATION, .code = span_str(code)}};

    data_code_digest(&of, sign.mail.digest);
    api_write(box, &(struct data_call){.operation = data_sign_up, .place = environment, .sign = &sign});
}

static void a_code_of_another_environment_is_unknown_to_a_key_and_found_by_a_visit(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char environment[64];
    char code[CODE_MAX];
    memset(code, 'c', sizeof code - 1);
    code[sizeof code - 1] = 0;
    api_user_sign_up(box, &user); /* the same address here */
    const struct api_answer *made =
        api_box_send(box, "POST", box->secret, "/v1/admin/environments", "{\"environment\":\"prod\"}");
    assert_true(api_answer_member(made, "id", environment, sizeof environment));
    sign_up_in(box, span_str(environment), code);

    assert_refused(api_mail_confirm(box, ADA, code), 401, "auth/invalid-token");
    assert_int_equal(visit(box, code)->status, 200);

    assert_string_equal(api_answer_text(api_user_me(box, &user), "emailVerified"), "null");
    assert_refused(visit(box, code), 401, "auth/invalid-token");
}

static void the_one_wrapped_body_is_wrapped_once(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char target[128];
    char code[CODE_MAX];
    (void)snprintf(target, sizeof target, "/v1/admin/projects/%.36s", box->first.project_id);
    assert_int_equal(
        api_box_send(box, "PATCH", box->secret, target, "{\"settings\":{\"responseEnvelope\":\"wrapped\"}}")->status,
        200);
    const struct api_answer *answer = api_box_post(box, SIGN_UP, ACCOUNT(ADA, "abc123"));
    assert_true(api_answer_member(answer, "data.accessToken", user.access, sizeof user.access));
    assert_true(
        api_answer_member(api_box_get(box, box->secret, "/v1/admin/outbox"), "data.items.0.token", code, sizeof code));

    answer = visit(box, code);

    assert_string_equal(answer->body, "{\"success\":true,\"data\":{\"verified\":true,\"email\":\"" ADA "\"}}");
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_reset_holds_for_a_day_and_no_longer),
        T(a_confirmation_holds_for_a_day_and_no_longer),
        T(a_sign_in_link_holds_for_fifteen_minutes_and_no_longer),
        T(codes_outlive_a_restart),
        T(attack_11_an_address_gets_one_mail_in_thirty_seconds_and_five_an_hour),
        T(every_route_that_sends_mail_takes_from_the_same_limit),
        T(attack_11_sign_ups_take_from_the_limit_of_mails),
        T(an_address_that_got_no_mail_at_its_sign_up_is_confirmed_by_a_later_one),
        T(a_new_confirmation_ends_the_one_before),
        T(attack_11_a_reset_ends_the_lockout_at_every_address),
        T(attack_11_guesses_at_the_current_password_are_counted_as_sign_ins_are),
        T(attack_13_wrong_codes_of_a_visitor_are_counted),
        T(attack_11_of_two_resets_at_once_with_one_code_one_succeeds),
        T(attack_11_of_two_link_openings_at_once_one_signs_in),
        T(of_a_reset_and_a_change_at_once_the_password_of_the_reset_stays),
        T(another_address_is_confirmed_anew),
        T(a_link_too_ends_the_oldest_session_beyond_twenty),
        T(a_reset_under_way_when_the_address_changes_is_refused),
        T(codes_that_nobody_asks_for_any_more_go),
        T(attack_10_what_is_sent_to_nobody_leaves_nothing_and_ends_no_code),
        cmocka_unit_test(a_code_is_bound_to_purpose_environment_and_address),
        T(a_code_of_another_environment_is_unknown_to_a_key_and_found_by_a_visit),
        T(the_one_wrapped_body_is_wrapped_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
