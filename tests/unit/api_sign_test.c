/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Users through the API: signing up and in, what a token is worth and when it ends, refreshing, roles and bans. Spec:
 * contract 2.3, 3.1, 5.3, 5.4, 5.10; the numbers are vectors of contract 3.9. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/auth/verify.h"
#include "tests/lib/api_user.h"

static const struct api_answer *refresh(struct api_box *box, const char *token)
{
    char body[AUTH_TOKEN_MAX + 64];

    (void)snprintf(body, sizeof body, "{\"refreshToken\":\"%s\"}", token);
    return api_box_send(box, "POST", box->publishable, REFRESH, body);
}

/* --- accounts --- */

static void fields_are_checked_before_anything_else(void **state)
{
    static const struct {
        const char *body, *code;
    } cases[] = {
        {"[]", "auth/invalid-request"},
        {"{", "auth/invalid-request"},
        {"{\"password\":\"abc123\",\"name\":\"Ada\"}", "auth/invalid-request"},
        {"{\"email\":\"ada@example.com\",\"name\":\"Ada\"}", "auth/invalid-request"},
        {"{\"email\":\"ada@example.com\",\"password\":\"abc123\"}", "auth/invalid-request"},
        {"{\"method\":\"sms\",\"email\":\"ada@example.com\",\"password\":\"abc123\",\"name\":\"Ada\"}",
         "auth/invalid-request"},
        {ACCOUNT("ada@example", "abc123"), "auth/invalid-email"},
        {ACCOUNT("ada@@example.com", "abc123"), "auth/invalid-email"},
        {ACCOUNT("ada@example.com\\r\\nBcc: x@y.zz", "abc123"), "auth/invalid-email"},
        {ACCOUNT("\xd0\xb0"
                 "da@example.com",
                 "abc123"),
         "auth/invalid-email"},
        {ACCOUNT("ada@example.com", "abc12"), "auth/invalid-password-format"},
        {"{\"email\":{\"$ne\":null},\"password\":{\"$ne\":null},\"name\":\"Ada\"}", "auth/invalid-request"},
        {"{\"email\":[\"ada@example.com\"],\"password\":\"abc123\",\"name\":\"Ada\"}", "auth/invalid-request"},
    };
    struct api_box *box = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_refused(api_box_send(box, "POST", box->publishable, SIGN_UP, cases[i].body), 400, cases[i].code);
    }
}

static void attack_07_a_sign_up_sets_nothing_but_what_it_may(void **state)
{
    struct api_box *box = *state;
    const struct api_answer *answer = api_box_send(
        box, "POST", box->publishable, SIGN_UP,
        "{\"email\":\"ada@example.com\",\"password\":\"abc123\",\"name\":\"Ada\",\"role\":\"admin\","
        "\"roles\":[\"moderator\"],\"id\":\"11111111-1111-4111-8111-111111111111\","
        "\"emailVerified\":\"2020-01-01T00:00:00.000Z\",\"banned\":false,\"__proto__\":{\"role\":\"admin\"}}");

    assert_int_equal(answer->status, 201);
    assert_string_equal(api_answer_text(answer, "user.role"), "user");
    assert_string_equal(api_answer_text(answer, "user.emailVerified"), "null");
    assert_string_not_equal(api_answer_text(answer, "user.id"), "11111111-1111-4111-8111-111111111111");
}

/* 255 bytes of x, and a character of two bytes that begins at the last byte there is room for. */
static void a_session_keeps_the_front_of_a_long_user_agent(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char header[512] = "User-Agent: ";
    memset(header + strlen(header), 'x', 255);
    (void)strncat(header, "\xc3\xa9 and more", 32);
    const struct api_ask ask = {.method = "POST",
                                .target = SIGN_UP,
                                .key = box->publishable,
                                .body = ACCOUNT("ada@example.com", "abc123"),
                                .header = header};
    api_user_take(api_box_ask(box, &ask), &user);

    const char *kept = api_answer_text(
        api_user_ask(box, box->publishable, &user, "GET", "/v1/auth/sessions", NULL), "items.0.userAgent");

    assert_int_equal(strlen(kept), 255);
    assert_memory_equal(kept, header + strlen("User-Agent: "), 255);
}

static void an_address_is_taken_once_whatever_its_case(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);

    const struct api_answer *again =
        api_box_send(box, "POST", box->publishable, SIGN_UP, ACCOUNT(" ADA@Example.com", "other1"));

    assert_refused(again, 409, "auth/email-already-exists");
    assert_non_null(strstr(again->body, "already exists"));
}

static void a_wrong_password_and_an_unknown_address_answer_the_same(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char wrong[API_ANSWER_TEXT_MAX];
    api_user_sign_up(box, &user);

    const struct api_answer *answer =
        api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "abc124"));
    assert_refused(answer, 401, "auth/invalid-credentials");
    assert_true(api_answer_member(answer, "message", wrong, sizeof wrong));
    answer = api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("bob@example.com", "abc123"));
    assert_refused(answer, 401, "auth/invalid-credentials");

    assert_string_equal(api_answer_text(answer, "message"), wrong);
    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("Ada@example.com", "abc123")), &user);
}

static void attack_11_after_five_failures_the_right_password_is_refused_too(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    for (unsigned int i = 0; i < 5; i++) {
        assert_refused(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ADA@example.com ", "wrong1")), 401,
                       "auth/invalid-credentials");
    }

    const struct api_answer *locked =
        api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "abc123"));

    assert_refused(locked, 429, "auth/too-many-login-attempts");
    assert_non_null(strstr(locked->headers, "Retry-After: "));
    assert_non_null(strstr(locked->body, "429"));
    api_box_pass_s(box, 901);
    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "abc123")), &user);
}

static void attack_11_guesses_made_at_once_are_five_too(void **state)
{
    struct api_box *box = *state;
    const struct api_ask wrong = {
        .method = "POST", .target = SIGN_IN, .key = box->publishable, .body = ACCOUNT("ada@example.com", "wrong1")};
    const struct api_ask right = {
        .method = "POST", .target = SIGN_IN, .key = box->publishable, .body = ACCOUNT("ada@example.com", "abc123")};
    struct api_box_pending *guesses[5];
    struct api_user user;
    api_user_sign_up(box, &user);

    for (size_t i = 0; i < ARRAY_LENGTH(guesses); i++) {
        guesses[i] = api_box_begin(box, &wrong); /* none is counted yet */
    }
    struct api_box_pending *sixth = api_box_begin(box, &right);
    for (size_t i = 0; i < ARRAY_LENGTH(guesses); i++) {
        assert_refused(api_box_finish(box, guesses[i]), 401, "auth/invalid-credentials");
    }

    assert_refused(api_box_finish(box, sixth), 429, "auth/too-many-login-attempts");
}

static void a_password_survives_a_restart(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);

    api_box_restart(box);

    assert_int_equal(api_user_me(box, &user)->status, 200);
    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "abc123")), &user);
}

/* --- what a token is worth --- */

static void vectors_123_and_124_an_expired_token_never_becomes_a_guest(void **state)
{
    struct api_box *box = *state;
    char table[64];
    struct api_user user;
    api_box_table(box, BOARD, table);
    api_user_sign_up(box, &user);

    api_box_pass_s(box, AUTH_TOKEN_ACCESS_S - 1);
    assert_int_equal(api_user_ask(box, box->publishable, &user, "GET", "/v1/data/posts", NULL)->status, 200);
    api_box_pass_s(box, 1); /* leeway 0 */

    assert_refused(api_user_ask(box, box->publishable, &user, "GET", "/v1/data/posts", NULL), 401,
                   "auth/token-expired");
    assert_refused(api_user_ask(box, box->secret, &user, "GET", "/v1/data/posts", NULL), 401, "auth/token-expired");
    assert_refused(api_user_ask(box, box->publishable, &user, "POST", "/v1/data/posts", "{}"), 401,
                   "auth/token-expired");
}

static void attack_09_a_token_that_is_remembered_ends_with_its_time_whichever_way_the_clock_goes(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    const struct wall_time start = hal_clock_wall(&box->clock.base);
    const struct wall_time end = {start.ms + AUTH_TOKEN_ACCESS_S * INT64_C(1000)};
    assert_int_equal(api_user_me(box, &user)->status, 200);
    assert_int_equal(api_user_me(box, &user)->status, 200);

    sim_clock_set_wall(&box->clock, end);
    assert_refused(api_user_me(box, &user), 401, "auth/token-expired");
    sim_clock_set_wall(&box->clock, start); /* and it stays over */
    assert_refused(api_user_me(box, &user), 401, "auth/token-expired");
    assert_refused(api_user_ask(box, box->publishable, &user, "POST", "/v1/data/posts", "{}"), 401, "auth/token-expired");
    api_user_take(refresh(box, user.refresh), &user);
    assert_int_equal(api_user_me(box, &user)->status, 200);
}

/* The clock was ahead by a day, tokens were given out, it is set right, and the box is started anew. */
static void attack_09_a_token_of_a_time_to_come_is_none_before_its_time(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    const struct wall_time right = hal_clock_wall(&box->clock.base);
    sim_clock_set_wall(&box->clock, (struct wall_time){right.ms + 86400000});
    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "abc123")), &user);
    assert_int_equal(api_user_me(box, &user)->status, 200);

    sim_clock_set_wall(&box->clock, (struct wall_time){right.ms + 86400000 - AUTH_TOKEN_EARLY_S * 1000});
    hal_onward_init(&box->calendar, &box->clock.base);
    assert_int_equal(api_user_me(box, &user)->status, 200); /* a correction */
    sim_clock_set_wall(&box->clock, (struct wall_time){right.ms + 86400000 - AUTH_TOKEN_EARLY_S * 1000 - 1});
    hal_onward_init(&box->calendar, &box->clock.base);

    assert_refused(api_user_me(box, &user), 401, "auth/invalid-token");
    assert_refused(refresh(box, user.refresh), 401, "auth/invalid-refresh-token");
    sim_clock_set_wall(&box->clock, right);
    api_box_restart(box);
    assert_refused(api_user_me(box, &user), 401, "auth/invalid-token");
    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "abc123")), &user);
    assert_int_equal(api_user_me(box, &user)->status, 200);
}

/* A worker that was started after the clock was set right, and a keeper from before: its tokens are good all the same. */
static void tokens_of_a_keeper_whose_calendar_is_ahead_are_good(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    const struct wall_time ahead = {hal_clock_wall(&box->clock.base).ms + 86400000};
    const struct wall_time right = hal_clock_wall(&box->clock.base);
    box->keeper_ahead_ms = 86400000;

    api_user_sign_up(box, &user);

    assert_int_equal(api_user_me(box, &user)->status, 200);
    assert_in_range(hal_clock_wall(&box->calendar.base).ms, ahead.ms - 1000, ahead.ms);
    assert_int_equal(hal_clock_wall(&box->clock.base).ms, right.ms);
}

static void vector_126_a_token_without_a_key_is_nothing(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);

    assert_refused(api_user_ask(box, NULL, &user, "GET", "/v1/auth/me", NULL), 401, "auth/unauthorized");
}

static void vector_131_promotion_and_demotion_count_for_the_next_request(void **state)
{
    struct api_box *box = *state;
    char table[64];
    char row[64];
    char target[128];
    struct api_user user;
    api_box_table(box, BOARD, table);
    api_user_sign_up(box, &user);
    const struct api_answer *made = api_box_send(box, "POST", box->secret, "/v1/data/posts", "{\"a\":1}");
    assert_true(api_answer_member(made, "id", row, sizeof row));
    (void)snprintf(target, sizeof target, "/v1/data/posts/%s", row);

    assert_refused(api_user_ask(box, box->publishable, &user, "PATCH", target, "{\"a\":2}"), 403,
                   "data/permission-denied");
    assert_int_equal(
        api_user_manage(box, "PATCH", &user, "/role", "{\"role\":\"admin\",\"roles\":[\"moderator\"]}")->status, 200);
    assert_int_equal(api_user_ask(box, box->publishable, &user, "PATCH", target, "{\"a\":2}")->status, 200);
    assert_string_equal(api_answer_text(api_user_me(box, &user), "roles.0"), "moderator");
    assert_int_equal(api_user_manage(box, "PATCH", &user, "/role", "{\"role\":\"user\"}")->status, 200);

    assert_refused(api_user_ask(box, box->publishable, &user, "DELETE", target, NULL), 403, "data/permission-denied");
}

static void vector_132_signing_out_ends_the_access_token_at_once(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    assert_int_equal(api_user_me(box, &user)->status, 200); /* from now on it is remembered */

    assert_int_equal(api_user_ask(box, box->publishable, &user, "POST", "/v1/auth/signout", NULL)->status, 200);

    assert_refused(api_user_me(box, &user), 401, "auth/session-expired");
    assert_refused(refresh(box, user.refresh), 401, "auth/invalid-refresh-token");
}

static void vector_133_a_refresh_token_is_no_access_token(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    (void)snprintf(user.header, sizeof user.header, "Authorization: Bearer %s", user.refresh);

    assert_refused(api_user_me(box, &user), 401, "auth/invalid-token");
}

static void attack_09_a_token_dies_with_the_keys_of_its_environment(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    assert_int_equal(api_user_me(box, &user)->status, 200);

    const struct data_keys keeper = box->keys; /* which loses it, and makes another */
    assert_int_equal(keeper.token_drop(keeper.context, span_array(box->environments[0].id)), ERR_OK);
    api_box_restart(box);

    assert_refused(api_user_me(box, &user), 401, "auth/invalid-token");
    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "abc123")), &user);
    assert_int_equal(api_user_me(box, &user)->status, 200);
}

static void a_ban_ends_the_sessions_and_is_told_only_after_the_right_password(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);

    assert_int_equal(api_user_manage(box, "PATCH", &user, "/ban", "{\"banned\":true}")->status, 200);

    assert_refused(api_user_me(box, &user), 401, "auth/session-expired");
    assert_refused(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "wrong1")), 401,
                   "auth/invalid-credentials");
    assert_refused(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "abc123")), 403,
                   "auth/account-banned");
    assert_int_equal(api_user_manage(box, "PATCH", &user, "/ban", "{\"banned\":false}")->status, 200);
    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "abc123")), &user);
}

static void a_write_asks_for_the_user_again_in_its_transaction(void **state)
{
    struct api_box *box = *state;
    char table[64];
    struct api_user user;
    api_box_table(box, BOARD, table);
    api_user_sign_up(box, &user);
    const struct api_ask out = {
        .method = "POST", .target = "/v1/auth/signout", .key = box->publishable, .header = user.header};
    const struct api_ask write = {
        .method = "POST", .target = "/v1/data/posts", .key = box->publishable, .body = "{}", .header = user.header};

    struct api_box_pending *first = api_box_begin(box, &out);
    struct api_box_pending *second = api_box_begin(box, &write); /* in the queue behind the sign-out */
    assert_int_equal(api_box_finish(box, first)->status, 200);

    assert_refused(api_box_finish(box, second), 401, "auth/session-expired");
}

/* --- refreshing --- */

static void a_refresh_gives_two_new_tokens_and_consumes_the_old_one(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user next;
    api_user_sign_up(box, &user);

    const struct api_answer *answer = refresh(box, user.refresh);
    api_user_take(answer, &next);

    assert_string_not_equal(next.access, user.access);
    assert_string_not_equal(next.refresh, user.refresh);
    assert_string_equal(api_answer_text(answer, "expiresIn"), "3600");
    assert_null(strstr(answer->body, "\"user\""));
    assert_int_equal(api_user_me(box, &user)->status, 200); /* older access tokens stay valid: contract 5.4 */
    assert_int_equal(api_user_me(box, &next)->status, 200);
}

static void attack_09_a_consumed_refresh_token_ends_every_session_of_its_user(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user next;
    struct api_user elsewhere;
    api_user_sign_up(box, &user);
    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "abc123")),
                  &elsewhere);
    api_user_take(refresh(box, user.refresh), &next);

    assert_refused(refresh(box, user.refresh), 401, "auth/invalid-refresh-token");

    assert_refused(api_user_me(box, &next), 401, "auth/session-expired");
    assert_refused(api_user_me(box, &elsewhere), 401, "auth/session-expired");
    assert_refused(refresh(box, next.refresh), 401, "auth/invalid-refresh-token");
}

/* It names session and user, and its digest is not the session's: nothing follows from it, however often it comes. */
static void attack_09_a_refresh_token_that_we_did_not_sign_ends_nothing(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char forged[AUTH_TOKEN_MAX + 1];
    api_user_sign_up(box, &user);
    (void)snprintf(forged, sizeof forged, "%s", user.refresh);
    char *const signature = strrchr(forged, '.') + 1;
    *signature = *signature == 'A' ? 'B' : 'A';

    for (size_t i = 0; i < 12; i++) { /* more often than a session may be refreshed */
        assert_refused(refresh(box, forged), 401, "auth/invalid-refresh-token");
    }

    assert_int_equal(api_user_me(box, &user)->status, 200);
    assert_int_equal(refresh(box, user.refresh)->status, 200);
}

static void attack_09_of_two_refreshes_at_once_one_is_a_reuse(void **state)
{
    struct api_box *box = *state;
    char body[AUTH_TOKEN_MAX + 64];
    struct api_user user;
    unsigned int won = 0;
    api_user_sign_up(box, &user);
    (void)snprintf(body, sizeof body, "{\"refreshToken\":\"%s\"}", user.refresh);
    const struct api_ask ask = {.method = "POST", .target = REFRESH, .key = box->publishable, .body = body};

    struct api_box_pending *first = api_box_begin(box, &ask);
    struct api_box_pending *second = api_box_begin(box, &ask);
    won += api_box_finish(box, first)->status == 200;
    won += api_box_finish(box, second)->status == 200;

    assert_int_equal(won, 1);
    assert_refused(api_user_me(box, &user), 401, "auth/session-expired");
}

static void a_session_slides_for_thirty_days_and_no_longer(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);

    for (unsigned int day = 6; day < 30; day += 6) {
        api_box_pass_s(box, 6 * 86400);
        api_user_take(refresh(box, user.refresh), &user);
    }
    api_box_pass_s(box, 6 * 86400 - 600);
    const struct api_answer *last = refresh(box, user.refresh);
    api_user_take(last, &user);
    assert_string_equal(api_answer_text(last, "expiresIn"), "600");
    api_box_pass_s(box, 600);

    assert_refused(api_user_me(box, &user), 401, "auth/token-expired");
    assert_refused(refresh(box, user.refresh), 401, "auth/session-expired");
}

static void a_refresh_token_lives_for_seven_days(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);

    api_box_pass_s(box, AUTH_TOKEN_REFRESH_S);

    assert_refused(refresh(box, user.refresh), 401, "auth/session-expired");
}

static void the_oldest_session_beyond_twenty_ends(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user next;
    api_user_sign_up(box, &user);

    for (unsigned int i = 0; i < 20; i++) {
        assert_int_equal(api_user_me(box, &user)->status, 200);
        api_user_take(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "abc123")),
                      &next);
    }

    assert_refused(api_user_me(box, &user), 401, "auth/session-expired");
    assert_string_equal(api_answer_text(api_user_ask(box, box->publishable, &next, "GET", "/v1/auth/sessions", NULL),
                                        "pagination.total"),
                        "20");
}

static void sessions_that_are_over_make_room_before_older_ones_that_are_not(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user next;
    api_user_sign_up(box, &user);
    for (unsigned int i = 0; i < 19; i++) {
        api_user_take(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "abc123")),
                      &next);
    }
    api_box_pass_s(box, AUTH_TOKEN_REFRESH_S - 60);
    api_user_take(refresh(box, user.refresh), &user);
    api_box_pass_s(box, 60); /* the nineteen newer ones are over */

    assert_string_equal(api_answer_text(api_user_ask(box, box->publishable, &user, "GET", "/v1/auth/sessions", NULL),
                                        "pagination.total"),
                        "1");
    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "abc123")), &next);

    assert_int_equal(api_user_me(box, &user)->status, 200);
    assert_string_equal(api_answer_text(api_user_ask(box, box->publishable, &user, "GET", "/v1/auth/sessions", NULL),
                                        "pagination.total"),
                        "2");
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(fields_are_checked_before_anything_else),
        T(attack_07_a_sign_up_sets_nothing_but_what_it_may),
        T(a_session_keeps_the_front_of_a_long_user_agent),
        T(an_address_is_taken_once_whatever_its_case),
        T(a_wrong_password_and_an_unknown_address_answer_the_same),
        T(attack_11_after_five_failures_the_right_password_is_refused_too),
        T(attack_11_guesses_made_at_once_are_five_too),
        T(a_password_survives_a_restart),
        T(vectors_123_and_124_an_expired_token_never_becomes_a_guest),
        T(attack_09_a_token_that_is_remembered_ends_with_its_time_whichever_way_the_clock_goes),
        T(attack_09_a_token_of_a_time_to_come_is_none_before_its_time),
        T(tokens_of_a_keeper_whose_calendar_is_ahead_are_good),
        T(vector_126_a_token_without_a_key_is_nothing),
        T(vector_131_promotion_and_demotion_count_for_the_next_request),
        T(vector_132_signing_out_ends_the_access_token_at_once),
        T(vector_133_a_refresh_token_is_no_access_token),
        T(attack_09_a_token_dies_with_the_keys_of_its_environment),
        T(a_ban_ends_the_sessions_and_is_told_only_after_the_right_password),
        T(a_write_asks_for_the_user_again_in_its_transaction),
        T(a_refresh_gives_two_new_tokens_and_consumes_the_old_one),
        T(attack_09_a_consumed_refresh_token_ends_every_session_of_its_user),
        T(attack_09_a_refresh_token_that_we_did_not_sign_ends_nothing),
        T(attack_09_of_two_refreshes_at_once_one_is_a_reuse),
        T(a_session_slides_for_thirty_days_and_no_longer),
        T(a_refresh_token_lives_for_seven_days),
        T(the_oldest_session_beyond_twenty_ends),
        T(sessions_that_are_over_make_room_before_older_ones_that_are_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
