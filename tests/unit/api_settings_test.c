/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a project and an environment say about signing in, and what it does. Spec: contract 5.2 to 5.6, 6, 9.2. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "firmware/data/people.h"
#include "tests/lib/api_mail.h"

#define ADA      "ada@example.com"
#define PROVIDER "/v1/admin/auth-providers/email"
#define CHANGE   "/v1/auth/password/change"
#define CHECK    "/v1/auth/accounts/check"
#define LINK     "{\"method\":\"magiclink\",\"email\":\"" ADA "\"}"
#define DAY_MS   86400000u

/* PUT of the provider, which has to succeed. */
static void provider(struct api_box *box, const char *settings)
{
    char body[512];

    (void)snprintf(body, sizeof body, "{%s}", settings);
    assert_int_equal(api_box_send(box, "PUT", box->secret, PROVIDER, body)->status, 200);
}

static const struct api_answer *refresh(struct api_box *box, const char *token)
{
    char body[AUTH_TOKEN_MAX + 64];

    (void)snprintf(body, sizeof body, "{\"refreshToken\":\"%s\"}", token);
    return api_box_post(box, REFRESH, body);
}

static const struct api_answer *change(struct api_box *box, const struct api_user *user, const char *to)
{
    char body[256];

    (void)snprintf(body, sizeof body, "{\"currentPassword\":\"abc123\",\"newPassword\":\"%s\"}", to);
    return api_user_ask(box, box->publishable, user, "POST", CHANGE, body);
}

/* --- reading and changing --- */

static void the_provider_shows_what_holds_and_keeps_what_is_not_named(void **state)
{
    struct api_box *box = *state;

    assert_string_equal(api_answer_text(api_box_get(box, box->secret, PROVIDER), "minLength"), "6");
    provider(box, "\"minLength\":10,\"expirationDays\":90");
    provider(box, "\"signupEnabled\":false");
    api_box_restart(box);
    api_box_settings(box, "\"passwordPolicy\":{\"preset\":\"strict\",\"expirationDays\":30}");

    const struct api_answer *all = api_box_get(box, box->secret, PROVIDER);
    assert_string_equal(api_answer_text(all, "minLength"), "10");
    assert_string_equal(api_answer_text(all, "expirationDays"), "90");
    assert_string_equal(api_answer_text(all, "signupEnabled"), "false");
    assert_string_equal(api_answer_text(all, "requireUppercase"), "true");
    assert_string_equal(api_answer_text(all, "breachedList"), "on");
    provider(box, "\"minLength\":null,\"expirationDays\":null,\"signupEnabled\":null");
    all = api_box_get(box, box->secret, PROVIDER);
    assert_string_equal(api_answer_text(all, "minLength"), "8");
    assert_string_equal(api_answer_text(all, "expirationDays"), "null");
    assert_string_equal(api_answer_text(all, "signupEnabled"), "true");
}

static void a_provider_that_may_not_be_is_refused_and_changes_nothing(void **state)
{
    static const char *const bodies[] = {
        "{\"minLength\":5}",           "{\"minLength\":\"8\"}",
        "{\"requireUppercase\":1}",    "{\"expirationDays\":0}",
        "{\"minlength\":8}",           "{\"maxSessionsPerUser\":3}",
        "{\"breachedList\":true}",     "[]",
        "{\"minLength\":{\"$gt\":0}}", "{\"magicLinkExpirationMinutes\":0}",
    };
    struct api_box *box = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        assert_refused(api_box_send(box, "PUT", box->secret, PROVIDER, bodies[i]), 400, "common/invalid-parameters");
    }
    assert_refused(api_box_send(box, "PUT", box->publishable, PROVIDER, "{}"), 403, "auth/forbidden");
    assert_refused(api_box_send(box, "PUT", box->secret, PROVIDER, "{\"environment\":\"prod\"}"), 403,
                   "auth/forbidden");
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, PROVIDER), "minLength"), "6");
}

/* --- passwords --- */

static void a_password_needs_each_class_that_is_asked_for(void **state)
{
    static const struct {
        const char *setting, *without, *with;
    } cases[] = {
        {"\"minLength\":7", "abc123", "abc1234"},
        {"\"requireUppercase\":true", "abc123", "Abc123"},
        {"\"requireLowercase\":true", "ABC123", "aBC123"},
        {"\"requireNumbers\":true", "abcdef", "abcde1"},
        {"\"requireSpecialChars\":true", "abc123", "abc12!"},
    };
    struct api_box *box = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char body[256];
        provider(box, "\"minLength\":null,\"requireUppercase\":false,\"requireLowercase\":false,"
                      "\"requireNumbers\":false,\"requireSpecialChars\":false");
        provider(box, cases[i].setting);
        (void)snprintf(body, sizeof body, "{\"email\":\"u%zu@example.com\",\"name\":\"U\",\"password\":\"%s\"}", i,
                       cases[i].without);
        assert_refused(api_box_post(box, SIGN_UP, body), 400, "auth/invalid-password-format");
        (void)snprintf(body, sizeof body, "{\"email\":\"u%zu@example.com\",\"name\":\"U\",\"password\":\"%s\"}", i,
                       cases[i].with);
        assert_int_equal(api_box_post(box, SIGN_UP, body)->status, 201);
    }
}

static void a_breached_password_is_refused_where_the_list_is_on(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char path[TEMP_PATH_MAX + 32];
    api_user_sign_up(box, &user);
    provider(box, "\"breachedList\":\"on\"");
    assert_int_equal(api_box_post(box, SIGN_UP, ACCOUNT("bob@example.com", "letmein"))->status, 201); /* no list yet */
    (void)snprintf(path, sizeof path, "%s/" DATA_BREACHED_FILE, box->dir.path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    (void)fputs("123456\nabc123\nletmein\npassword\n", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);

    api_box_restart(box);

    assert_refused(api_box_post(box, SIGN_UP, ACCOUNT("eve@example.com", "letmein")), 400, "auth/weak-password");
    assert_refused(change(box, &user, "password"), 400, "auth/weak-password");
    assert_refused(api_box_send(box, "POST", box->secret, "/v1/users",
                                "{\"name\":\"Eve\",\"email\":\"eve@example.com\",\"password\":\"123456\"}"),
                   400, "auth/weak-password");
    assert_int_equal(api_box_post(box, SIGN_UP, ACCOUNT("eve@example.com", "letmeout"))->status, 201);
    assert_int_equal(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123"))->status, 200);
    provider(box, "\"breachedList\":\"off\"");
    assert_int_equal(api_box_post(box, SIGN_UP, ACCOUNT("zoe@example.com", "letmein"))->status, 201);
}

static void the_hardened_preset_is_strict_with_new_passwords_and_leaves_old_ones(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);

    api_box_settings(box, "\"securityPreset\":\"hardened\"");

    assert_refused(api_box_post(box, SIGN_UP, ACCOUNT("bob@example.com", "abc12345")), 400,
                   "auth/invalid-password-format");
    assert_int_equal(api_box_post(box, SIGN_UP, ACCOUNT("bob@example.com", "Abc1234!"))->status, 201);
    assert_refused(change(box, &user, "abc124"), 400, "auth/invalid-password-format");
    api_user_take(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123")), &user);
}

static void a_password_that_is_too_old_lets_nobody_in_until_it_is_reset(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char code[DATA_CODE_TEXT_BYTES + 1];
    api_user_sign_up(box, &user);
    provider(box, "\"expirationDays\":2");

    sim_clock_advance_ms(&box->clock, 2 * DAY_MS - 1000);
    assert_int_equal(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123"))->status, 200);
    sim_clock_advance_ms(&box->clock, 1000);
    assert_refused(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123")), 403, "auth/forbidden");
    assert_refused(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc124")), 401, "auth/invalid-credentials");

    api_mail_ask_reset(box, ADA, code);
    assert_int_equal(api_mail_reset(box, ADA, code)->status, 200);
    assert_int_equal(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "other1"))->status, 200);
    provider(box, "\"expirationDays\":null");
    sim_clock_advance_ms(&box->clock, 3 * DAY_MS);
    assert_int_equal(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "other1"))->status, 200);
}

/* --- who may sign up and in --- */

static void a_closed_sign_up_lets_users_in_and_nobody_become_one(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char code[DATA_CODE_TEXT_BYTES + 1];
    api_user_sign_up(box, &user);
    assert_int_equal(api_box_post(box, SIGN_UP, "{\"method\":\"magiclink\",\"email\":\"bob@example.com\"}")->status,
                     201);
    api_mail_token(box, "bob@example.com", "magic_link", code);

    provider(box, "\"signupEnabled\":false");

    assert_refused(api_box_post(box, SIGN_UP, ACCOUNT("eve@example.com", "abc123")), 403, "auth/forbidden");
    assert_refused(api_box_post(box, SIGN_UP, ACCOUNT(ADA, "abc123")), 403, "auth/forbidden");
    assert_refused(api_box_post(box, SIGN_UP, "{\"method\":\"magiclink\",\"email\":\"eve@example.com\"}"), 403,
                   "auth/forbidden");
    assert_refused(api_mail_open(box, code), 403, "auth/forbidden");
    assert_int_equal(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123"))->status, 200);
    assert_int_equal(api_box_send(box, "POST", box->secret, "/v1/users",
                                  "{\"name\":\"Eve\",\"email\":\"eve@example.com\",\"password\":\"abc123\"}")
                         ->status,
                     201);
    provider(box, "\"signupEnabled\":true");
    assert_int_equal(api_mail_open(box, code)->status, 200);
}

static void links_can_be_turned_off_and_hold_as_long_as_is_said(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char code[DATA_CODE_TEXT_BYTES + 1];
    api_user_sign_up(box, &user);
    provider(box, "\"magicLinkExpirationMinutes\":2");
    sim_clock_advance_ms(&box->clock, 30000);

    assert_int_equal(api_box_post(box, SIGN_IN, LINK)->status, 200);
    api_mail_token(box, ADA, "magic_link", code);
    provider(box, "\"magicLinkEnabled\":false");
    assert_refused(api_mail_open(box, code), 400, "auth/magiclink-disabled");
    assert_refused(api_box_post(box, SIGN_IN, LINK), 400, "auth/magiclink-disabled");
    assert_refused(api_box_post(box, SIGN_UP, LINK), 400, "auth/magiclink-disabled");
    provider(box, "\"magicLinkEnabled\":true");
    sim_clock_advance_ms(&box->clock, 120000);
    assert_refused(api_mail_open(box, code), 401, "auth/token-expired");
    assert_int_equal(api_box_post(box, SIGN_IN, LINK)->status, 200);
    api_mail_token(box, ADA, "magic_link", code);
    sim_clock_advance_ms(&box->clock, 119000);
    assert_int_equal(api_mail_open(box, code)->status, 200);
}

static void an_address_has_to_be_confirmed_only_where_that_is_asked_for_and_after_the_password(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char code[DATA_CODE_TEXT_BYTES + 1];
    api_user_sign_up(box, &user);
    assert_int_equal(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123"))->status, 200);
    api_mail_token(box, ADA, "signup_confirmation", code);

    provider(box, "\"requireEmailVerification\":true");

    assert_refused(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123")), 403, "auth/email-not-verified");
    assert_refused(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc124")), 401, "auth/invalid-credentials");
    assert_int_equal(api_mail_confirm(box, ADA, code)->status, 200);
    assert_int_equal(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123"))->status, 200);
}

/* --- refreshing --- */

static void within_the_grace_a_refresh_token_brings_the_same_successor_again(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user first;
    struct api_user second;
    api_user_sign_up(box, &user);
    api_box_settings(box, "\"refreshReuseGraceMs\":5000");

    api_user_take(refresh(box, user.refresh), &first);
    sim_clock_advance_ms(&box->clock, 4999);
    api_user_take(refresh(box, user.refresh), &second);

    assert_string_equal(second.refresh, first.refresh);
    assert_string_equal(second.access, first.access);
    assert_int_equal(api_user_me(box, &second)->status, 200);
    api_user_take(refresh(box, first.refresh), &second);
    assert_string_not_equal(second.refresh, first.refresh);
}

static void attack_09_after_the_grace_reuse_ends_every_session(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user next;
    api_user_sign_up(box, &user);
    api_box_settings(box, "\"refreshReuseGraceMs\":5000");

    api_user_take(refresh(box, user.refresh), &next);
    sim_clock_advance_ms(&box->clock, 5000);

    assert_refused(refresh(box, user.refresh), 401, "auth/invalid-refresh-token");
    assert_refused(api_user_me(box, &next), 401, "auth/session-expired");
}

static void attack_09_the_grace_is_for_the_token_before_alone(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user next;
    struct api_user last;
    api_user_sign_up(box, &user);
    api_box_settings(box, "\"refreshReuseGraceMs\":5000");

    api_user_take(refresh(box, user.refresh), &next);
    api_user_take(refresh(box, next.refresh), &last);

    assert_refused(refresh(box, user.refresh), 401, "auth/invalid-refresh-token");
    assert_refused(api_user_me(box, &last), 401, "auth/session-expired");
}

static void attack_09_a_grace_that_is_taken_back_counts_no_more(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user next;
    api_user_sign_up(box, &user);
    api_box_settings(box, "\"refreshReuseGraceMs\":5000");
    api_user_take(refresh(box, user.refresh), &next);

    api_box_settings(box, "\"refreshReuseGraceMs\":null");

    assert_refused(refresh(box, user.refresh), 401, "auth/invalid-refresh-token");
}

static void of_two_refreshes_at_once_both_get_the_same_within_the_grace(void **state)
{
    struct api_box *box = *state;
    char body[AUTH_TOKEN_MAX + 64];
    struct api_user user;
    struct api_user first;
    struct api_user second;
    api_user_sign_up(box, &user);
    api_box_settings(box, "\"refreshReuseGraceMs\":5000");
    (void)snprintf(body, sizeof body, "{\"refreshToken\":\"%s\"}", user.refresh);
    const struct api_ask ask = {.method = "POST", .target = REFRESH, .key = box->publishable, .body = body};

    struct api_box_pending *one = api_box_begin(box, &ask);
    struct api_box_pending *other = api_box_begin(box, &ask);
    api_user_take(api_box_finish(box, one), &first);
    api_user_take(api_box_finish(box, other), &second);

    assert_string_equal(second.refresh, first.refresh);
    assert_int_equal(api_user_me(box, &first)->status, 200);
}

static void an_access_token_outlives_a_refresh_unless_the_project_says_otherwise(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user next;
    struct api_user last;
    api_user_sign_up(box, &user);

    api_user_take(refresh(box, user.refresh), &next);
    assert_int_equal(api_user_me(box, &user)->status, 200);
    api_box_settings(box, "\"invalidateAccessOnRefresh\":true");
    api_user_take(refresh(box, next.refresh), &last);

    assert_refused(api_user_me(box, &user), 401, "auth/session-expired");
    assert_refused(api_user_me(box, &next), 401, "auth/session-expired");
    assert_int_equal(api_user_me(box, &last)->status, 200);
    assert_refused(api_user_ask(box, box->publishable, &next, "POST", "/v1/auth/signout", NULL), 401,
                   "auth/session-expired");
}

/* --- sessions --- */

static void a_changed_password_ends_the_current_session_unless_the_project_keeps_it(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user other;
    api_user_sign_up(box, &user);
    api_user_take(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123")), &other);
    api_box_settings(box, "\"keepCurrentSession\":true");

    assert_int_equal(change(box, &user, "other1")->status, 200);
    assert_int_equal(api_user_me(box, &user)->status, 200);
    assert_refused(api_user_me(box, &other), 401, "auth/session-expired");
    api_box_settings(box, "\"keepCurrentSession\":false");
    assert_int_equal(api_user_ask(box, box->publishable, &user, "POST", CHANGE,
                                  "{\"currentPassword\":\"other1\",\"newPassword\":\"third1\"}")
                         ->status,
                     200);

    assert_refused(api_user_me(box, &user), 401, "auth/session-expired");
}

static void as_many_sessions_as_the_project_says_stay(void **state)
{
    struct api_box *box = *state;
    struct api_user users[3];
    api_user_sign_up(box, &users[0]);
    api_box_settings(box, "\"maxSessionsPerUser\":2");

    api_user_take(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123")), &users[1]);
    assert_int_equal(api_user_me(box, &users[0])->status, 200);
    api_user_take(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123")), &users[2]);

    assert_refused(api_user_me(box, &users[0]), 401, "auth/session-expired");
    assert_int_equal(api_user_me(box, &users[1])->status, 200);
    assert_int_equal(api_user_me(box, &users[2])->status, 200);
}

/* --- who is there --- */

static void enumeration_protection_tells_nobody_who_is_there(void **state)
{
    static const char check[] =
        "{\"type\":\"credentials\",\"provider\":\"credentials\",\"providerAccountId\":\"" ADA "\"}";
    struct api_box *box = *state;
    struct api_user user;
    char code[DATA_CODE_TEXT_BYTES + 1];
    api_user_sign_up(box, &user);
    api_mail_token(box, ADA, "signup_confirmation", code);
    assert_int_equal(api_mail_confirm(box, ADA, code)->status, 200);
    const size_t mails = api_mail_count(box, ADA, NULL);
    assert_string_equal(api_answer_text(api_box_post(box, CHECK, check), "exists"), "true");
    sim_clock_advance_ms(&box->clock, 30000);
    assert_refused(api_box_post(box, "/v1/auth/email/verify/send", "{\"email\":\"" ADA "\"}"), 400,
                   "auth/already-verified");
    sim_clock_advance_ms(&box->clock, 31000);

    api_box_settings(box, "\"enumerationProtection\":true");

    assert_string_equal(api_box_post(box, CHECK, check)->body, "{\"exists\":false}");
    const struct api_answer *sent = api_box_post(box, "/v1/auth/email/verify/send", "{\"email\":\"" ADA "\"}");
    assert_int_equal(sent->status, 200);
    assert_string_equal(api_answer_text(sent, "email"), ADA);
    assert_int_equal(api_mail_count(box, ADA, NULL), mails);
    assert_refused(api_user_ask(box, box->publishable, &user, "GET", "/v1/users", NULL), 403, "user/forbidden");
    assert_refused(api_box_post(box, SIGN_UP, ACCOUNT(ADA, "abc123")), 409, "auth/email-already-exists");
}

static void the_list_of_users_can_be_for_administrators_alone(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    assert_int_equal(api_user_ask(box, box->publishable, &user, "GET", "/v1/users", NULL)->status, 200);

    api_box_settings(box, "\"usersListVisibility\":\"admin-only\"");

    assert_refused(api_user_ask(box, box->publishable, &user, "GET", "/v1/users", NULL), 403, "user/forbidden");
    assert_int_equal(api_box_get(box, box->secret, "/v1/users")->status, 200);
    api_box_settings(box, "\"securityPreset\":\"hardened\",\"usersListVisibility\":null");
    assert_refused(api_user_ask(box, box->publishable, &user, "GET", "/v1/users", NULL), 403, "user/forbidden");
}

#define T(test) cmocka_unit_test_setup_teardown(test, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_provider_shows_what_holds_and_keeps_what_is_not_named),
        T(a_provider_that_may_not_be_is_refused_and_changes_nothing),
        T(a_password_needs_each_class_that_is_asked_for),
        T(a_breached_password_is_refused_where_the_list_is_on),
        T(the_hardened_preset_is_strict_with_new_passwords_and_leaves_old_ones),
        T(a_password_that_is_too_old_lets_nobody_in_until_it_is_reset),
        T(a_closed_sign_up_lets_users_in_and_nobody_become_one),
        T(links_can_be_turned_off_and_hold_as_long_as_is_said),
        T(an_address_has_to_be_confirmed_only_where_that_is_asked_for_and_after_the_password),
        T(within_the_grace_a_refresh_token_brings_the_same_successor_again),
        T(attack_09_after_the_grace_reuse_ends_every_session),
        T(attack_09_the_grace_is_for_the_token_before_alone),
        T(attack_09_a_grace_that_is_taken_back_counts_no_more),
        T(of_two_refreshes_at_once_both_get_the_same_within_the_grace),
        T(an_access_token_outlives_a_refresh_unless_the_project_says_otherwise),
        T(a_changed_password_ends_the_current_session_unless_the_project_keeps_it),
        T(as_many_sessions_as_the_project_says_stay),
        T(enumeration_protection_tells_nobody_who_is_there),
        T(the_list_of_users_can_be_for_administrators_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
