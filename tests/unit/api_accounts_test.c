/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ways to sign in, providers that are not configured, and the one organization. Spec: contract 5.4, 5.8. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/people_int.h"
#include "hal/base/fault.h"
#include "tests/lib/api_stored.h"
#include "tests/lib/api_user.h"
#include "tests/lib/api_write.h"

#define CHECK "/v1/auth/accounts/check"

static const struct api_answer *check(struct api_box *box, const char *body)
{
    return api_box_send(box, "POST", box->publishable, CHECK, body);
}

static void providers_say_that_they_are_not_configured_and_others_are_none(void **state)
{
    static const struct {
        const char *provider, *code;
    } cases[] = {
        {"google", "auth/oauth-not-configured"},   {"github", "auth/oauth-not-configured"},
        {"apple", "auth/unsupported-provider"},    {"Google", "auth/unsupported-provider"},
        {"%67oogle", "auth/oauth-not-configured"},
    };
    struct api_box *box = *state;
    char target[128];
    struct api_user user;
    char body[128];
    api_user_sign_up(box, &user);

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        (void)snprintf(target, sizeof target, "/v1/auth/%s/callback?code=1&redirectUri=x", cases[i].provider);
        assert_refused(api_box_get(box, NULL, target), 400, cases[i].code);
        (void)snprintf(target, sizeof target, "/v1/auth/%s/callback", cases[i].provider);
        assert_refused(api_box_send(box, "POST", box->publishable, target, "{\"idToken\":\"x\"}"), 400, cases[i].code);
        assert_refused(api_box_send(box, "POST", NULL, target, "{}"), 401, "auth/unauthorized");
        (void)snprintf(body, sizeof body, "{\"provider\":\"%s\",\"code\":\"1\"}", cases[i].provider);
        if (cases[i].provider[0] != '%') {
            assert_refused(api_user_ask(box, box->publishable, &user, "POST", "/v1/auth/accounts", body), 400,
                           cases[i].code);
        }
    }
    assert_refused(api_box_send(box, "POST", box->publishable, "/v1/auth/email/callback", "{\"token\":\"x\"}"), 401,
                   "auth/invalid-token"); /* the link of a mail, not a provider */
    assert_refused(api_user_ask(box, box->publishable, &user, "POST", "/v1/auth/accounts", "{}"), 400,
                   "auth/invalid-request");
    assert_refused(
        api_user_ask(box, box->publishable, &user, "POST", "/v1/auth/accounts", "{\"provider\":{\"$ne\":1}}"), 400,
        "auth/invalid-request");
    assert_refused(api_box_send(box, "POST", box->publishable, "/v1/auth/accounts", "{\"provider\":\"google\"}"), 401,
                   "auth/unauthorized");
}

/* An account at google, as linking would leave it, of the user whom `table` names. */
static enum err link_google(struct data_txn *txn, struct data_call *call)
{
    struct row_builder builder;
    struct span encoded = SPAN_NONE;

    TRY(row_build_begin(&builder, txn->data->row, txn->now, txn->now, call->table));
    TRY(row_build_string(&builder, (struct row_key){.column = ACCOUNT_ID},
                         span_lit("22222222-2222-4222-8222-222222222222")));
    TRY(row_build_string(&builder, (struct row_key){.column = ACCOUNT_PROVIDER}, span_lit("google")));
    TRY(row_build_string(&builder, (struct row_key){.column = ACCOUNT_PROVIDER_ID}, span_lit("g-1")));
    TRY(row_build_end(&builder, &encoded));
    return store_insert(txn->store, people_where(txn)->accounts, store_txn_row_id(txn->store, txn->now), encoded, NULL);
}

static void link_to_google(struct api_box *box, const struct api_user *user)
{
    const struct span place = api_stored_environment(box)->record.id;

    api_write(box, &(struct data_call){.operation = link_google, .place = place, .table = span_str(user->id)});
}

static const struct api_answer *unlink_account(struct api_box *box, const struct api_user *user, const char *provider)
{
    char target[128];

    (void)snprintf(target, sizeof target, "/v1/auth/accounts/%s", provider);
    return api_user_ask(box, box->publishable, user, "DELETE", target, NULL);
}

static void the_last_way_to_sign_in_cannot_be_taken_away(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);

    assert_refused(unlink_account(box, &user, "credentials"), 400, "auth/last-auth-method");
    assert_refused(unlink_account(box, &user, "google"), 404, "user/not-found");
    assert_refused(unlink_account(box, &user, "apple"), 400, "auth/unsupported-provider");
    link_to_google(box, &user);
    assert_int_equal(unlink_account(box, &user, "google")->status, 200);
    assert_refused(unlink_account(box, &user, "google"), 404, "user/not-found");
    link_to_google(box, &user);
    assert_int_equal(unlink_account(box, &user, "credentials")->status, 200);
    assert_refused(unlink_account(box, &user, "google"), 400, "auth/last-auth-method");
    assert_refused(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "abc123")), 401,
                   "auth/invalid-credentials");
    assert_refused(api_box_send(box, "DELETE", box->publishable, "/v1/auth/accounts/credentials", NULL), 401,
                   "auth/unauthorized");
}

static void a_user_sees_their_own_accounts_and_no_hash(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user other;
    api_user_sign_up(box, &user);
    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_UP, ACCOUNT("bob@example.com", "abc123")), &other);
    link_to_google(box, &user);

    const struct api_answer *got = api_user_ask(box, box->publishable, &user, "GET", "/v1/auth/accounts", NULL);
    assert_int_equal(got->status, 200);
    assert_string_equal(api_answer_text(got, "pagination.total"), "2");
    assert_string_equal(api_answer_text(got, "pagination.limit"), "10");
    assert_string_equal(api_answer_text(got, "items.0"),
                        "{5}"); /* id, userId, provider, providerAccountId, connectedAt */
    assert_string_equal(api_answer_text(got, "items.0.provider"), "google");
    assert_string_equal(api_answer_text(got, "items.0.providerAccountId"), "g-1");
    assert_string_equal(api_answer_text(got, "items.1.provider"), "credentials");
    assert_string_equal(api_answer_text(got, "items.1.userId"), user.id);
    got = api_user_ask(box, box->publishable, &user, "GET", "/v1/auth/accounts?limit=1&page=2", NULL);
    assert_string_equal(api_answer_text(got, "items.0.provider"), "credentials");
    got = api_user_ask(box, box->publishable, &other, "GET", "/v1/auth/accounts", NULL);
    assert_string_equal(api_answer_text(got, "pagination.total"), "1");
    assert_refused(api_box_get(box, box->publishable, "/v1/auth/accounts"), 401, "auth/unauthorized");
}

static void an_account_is_there_or_not(void **state)
{
    static const struct {
        const char *body, *code;
    } refused[] = {
        {"{}", "auth/invalid-request"},
        {"{\"type\":\"credentials\"}", "auth/invalid-request"},
        {"{\"type\":{\"$ne\":1},\"providerAccountId\":\"ada@example.com\"}", "auth/invalid-request"},
        {"{\"type\":\"credentials\",\"providerAccountId\":{\"$ne\":1}}", "auth/invalid-request"},
        {"{\"type\":\"credentials\",\"provider\":{},\"providerAccountId\":\"ada@example.com\"}",
         "auth/invalid-request"},
        {"{\"type\":\"sms\",\"providerAccountId\":\"ada@example.com\"}", "auth/invalid-request"},
        {"{\"type\":\"credentials\",\"providerAccountId\":\"ada\"}", "auth/invalid-email"},
        {"{\"type\":\"oauth\",\"providerAccountId\":\"1\"}", "auth/invalid-request"},
        {"{\"type\":\"oauth\",\"provider\":\"apple\",\"providerAccountId\":\"1\"}", "auth/unsupported-provider"},
        {"[]", "auth/invalid-request"},
    };
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);

    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        assert_refused(check(box, refused[i].body), 400, refused[i].code);
    }
    assert_string_equal(check(box, "{\"type\":\"credentials\",\"providerAccountId\":\" ADA@example.com\"}")->body,
                        "{\"exists\":true,\"type\":\"credentials\",\"provider\":\"credentials\"}");
    assert_string_equal(check(box, "{\"type\":\"credentials\",\"providerAccountId\":\"bob@example.com\"}")->body,
                        "{\"exists\":false}");
    assert_string_equal(check(box, "{\"type\":\"oauth\",\"provider\":\"google\",\"providerAccountId\":\"1\"}")->body,
                        "{\"exists\":false}");
    assert_refused(api_box_send(box, "POST", NULL, CHECK, "{}"), 401, "auth/unauthorized");
}

static void attack_13_an_address_may_ask_thirty_times_a_minute(void **state)
{
    static const char *const body = "{\"type\":\"credentials\",\"providerAccountId\":\"bob@example.com\"}";
    struct api_box *box = *state;
    struct api_ask other = {
        .method = "POST", .target = CHECK, .key = box->publishable, .body = body, .peer = "192.0.2.8"};

    for (unsigned int i = 0; i < 30; i++) {
        assert_int_equal(check(box, body)->status, 200);
    }
    assert_refused(check(box, body), 429, "auth/too-many-requests");
    assert_int_equal(api_box_ask(box, &other)->status, 200);
}

static void the_organization_of_the_key_is_the_only_one(void **state)
{
    struct api_box *box = *state;
    char organization[64];
    char body[128];
    struct api_user user;
    struct api_user next;
    api_user_sign_up(box, &user);
    assert_true(api_answer_member(api_box_get(box, box->secret, "/v1/admin/projects"), "items.0.organizationId",
                                  organization, sizeof organization));
    const char *target = "/v1/auth/switch-organization";

    assert_refused(api_user_ask(box, box->publishable, &user, "POST", target, "{}"), 400, "auth/invalid-request");
    assert_refused(api_user_ask(box, box->publishable, &user, "POST", target, "{\"organizationId\":{\"$ne\":1}}"), 400,
                   "auth/invalid-request");
    assert_refused(api_user_ask(box, box->publishable, &user, "POST", target,
                                "{\"organizationId\":\"11111111-1111-4111-8111-111111111111\"}"),
                   403, "auth/forbidden");
    (void)snprintf(body, sizeof body, "{\"organizationId\":\"%s\"}", organization);
    assert_refused(api_box_send(box, "POST", box->publishable, target, body), 401, "auth/unauthorized");

    next = user;
    const struct api_answer *got = api_user_ask(box, box->publishable, &user, "POST", target, body);
    assert_int_equal(got->status, 200);
    api_user_take(got, &next);
    assert_string_not_equal(next.access, user.access);
    assert_string_not_equal(next.refresh, user.refresh);
    assert_int_equal(api_user_me(box, &next)->status, 200);
    assert_int_equal(api_user_me(box, &user)->status, 200);
    got = api_user_ask(box, box->publishable, &next, "GET", "/v1/auth/sessions", NULL);
    assert_string_equal(api_answer_text(got, "pagination.total"), "1");
    char refresh[AUTH_TOKEN_MAX + 64];
    (void)snprintf(refresh, sizeof refresh, "{\"refreshToken\":\"%s\"}", next.refresh);
    assert_int_equal(api_box_send(box, "POST", box->publishable, REFRESH, refresh)->status, 200);
}

static void a_server_that_speaks_for_a_user_has_neither_their_session_nor_their_accounts(void **state)
{
    struct api_box *box = *state;
    char organization[64];
    char body[128];
    char header[128];
    struct api_user user;
    api_user_sign_up(box, &user);
    assert_true(api_answer_member(api_box_get(box, box->secret, "/v1/admin/projects"), "items.0.organizationId",
                                  organization, sizeof organization));
    (void)snprintf(body, sizeof body, "{\"organizationId\":\"%s\"}", organization);
    (void)snprintf(header, sizeof header, "X-On-Behalf-Of: %s", user.id);
    struct api_ask ask = {
        .method = "POST", .target = "/v1/auth/switch-organization", .key = box->secret, .body = body, .header = header};

    assert_refused(api_box_ask(box, &ask), 401, "auth/unauthorized");
    ask = (struct api_ask){.method = "GET", .target = "/v1/auth/accounts", .key = box->secret, .header = header};
    assert_refused(api_box_ask(box, &ask), 401, "auth/unauthorized");
}

static void the_refresh_token_from_before_the_switch_is_consumed(void **state)
{
    struct api_box *box = *state;
    char organization[64];
    char body[128];
    char refresh[AUTH_TOKEN_MAX + 64];
    struct api_user user;
    api_user_sign_up(box, &user);
    assert_true(api_answer_member(api_box_get(box, box->secret, "/v1/admin/projects"), "items.0.organizationId",
                                  organization, sizeof organization));
    (void)snprintf(body, sizeof body, "{\"organizationId\":\"%s\"}", organization);
    assert_int_equal(api_user_ask(box, box->publishable, &user, "POST", "/v1/auth/switch-organization", body)->status,
                     200);

    (void)snprintf(refresh, sizeof refresh, "{\"refreshToken\":\"%s\"}", user.refresh);
    assert_refused(api_box_send(box, "POST", box->publishable, REFRESH, refresh), 401, "auth/invalid-refresh-token");
    assert_refused(api_user_me(box, &user), 401, "auth/session-expired");
}

static void an_administrator_makes_a_user_with_a_password(void **state)
{
    static const struct {
        const char *body, *code;
    } refused[] = {
        {"{\"email\":\"b@example.com\",\"name\":\"B\",\"password\":\"short\"}", "auth/invalid-password-format"},
        {"{\"email\":\"b@example.com\",\"name\":\"B\",\"password\":\"\"}", "auth/invalid-password-format"},
        {"{\"email\":\"b@example.com\",\"name\":\"B\",\"password\":{\"$ne\":1}}", "user/invalid-request"},
        {"{\"email\":\"b@example.com\",\"name\":\"B\",\"password\":\"abc123\",\"role\":\"root\"}", "user/invalid-role"},
    };
    struct api_box *box = *state;
    struct api_user user;

    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        assert_refused(api_box_send(box, "POST", box->secret, "/v1/users", refused[i].body), 400, refused[i].code);
    }
    const struct api_answer *made = api_box_send(
        box, "POST", box->secret, "/v1/users",
        "{\"email\":\"b@example.com\",\"name\":\"B\",\"password\":\"abc123\",\"role\":\"guest\",\"emailVerified\":true,"
        "\"id\":\"x\"}");
    assert_int_equal(made->status, 201);
    assert_string_equal(api_answer_text(made, "role"), "guest");
    assert_non_null(strstr(made->body, "\"emailVerified\":null"));
    assert_null(strstr(made->body, "assword"));
    assert_refused(api_box_send(box, "POST", box->secret, "/v1/users", ACCOUNT("B@example.com", "abc123")), 409,
                   "auth/email-already-exists");

    const struct api_answer *pair =
        api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("b@example.com", "abc123"));
    assert_int_equal(pair->status, 200);
    api_user_take(pair, &user);
    assert_refused(api_user_ask(box, box->publishable, &user, "POST", "/v1/users", ACCOUNT("c@example.com", "abc123")),
                   403, "user/forbidden");
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(providers_say_that_they_are_not_configured_and_others_are_none),
        T(the_last_way_to_sign_in_cannot_be_taken_away),
        T(a_user_sees_their_own_accounts_and_no_hash),
        T(an_account_is_there_or_not),
        T(attack_13_an_address_may_ask_thirty_times_a_minute),
        T(the_organization_of_the_key_is_the_only_one),
        T(a_server_that_speaks_for_a_user_has_neither_their_session_nor_their_accounts),
        T(the_refresh_token_from_before_the_switch_is_consumed),
        T(an_administrator_makes_a_user_with_a_password),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
