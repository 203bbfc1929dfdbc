/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whoever an issuer vouches for and the environment does not let in. Spec: contract 5.8. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/lib/api_issuer.h"
#include "tests/lib/api_user.h"

#define CODE "{\"code\":\"c-1\",\"redirectUri\":\"https://app.example/cb\"}"

static const struct api_answer *post(struct api_box *box, const char *body)
{
    return api_box_post(box, CALLBACK, body);
}

static const struct api_answer *post_token(struct api_box *box, const char *claims)
{
    return post(box, api_issuer_body(api_issuer_token(api_issuer_of(box), claims), ""));
}

/* Who there is, and what lets them in. */
struct there_is {
    char users[32], accounts[32], sessions[32];
};

static void count(struct api_box *box, const char *target, char out[32])
{
    (void)snprintf(out, 32, "%s", api_answer_text(api_box_get(box, box->secret, target), "pagination.total"));
}

static struct there_is count_all(struct api_box *box)
{
    struct there_is there;

    count(box, "/v1/users", there.users);
    count(box, "/v1/data/accounts", there.accounts);
    count(box, "/v1/data/sessions", there.sessions);
    return there;
}

/* Nobody and nothing has come in since. */
static void assert_nothing_new(struct api_box *box, const struct there_is *before)
{
    const struct there_is now = count_all(box);

    assert_string_equal(now.users, before->users);
    assert_string_equal(now.accounts, before->accounts);
    assert_string_equal(now.sessions, before->sessions);
}

static void configure(struct api_box *box, const char *provider, const char *body)
{
    char target[128];

    (void)snprintf(target, sizeof target, ISSUER_AT "%s", provider);
    assert_int_equal(api_box_send(box, "PUT", box->secret, target, body)->status, 200);
}

static void whoever_may_not_come_in_does_not(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_take(post_token(box, GRACE), &user);

    assert_int_equal(api_user_manage(box, "PATCH", &user, "/ban", "{\"banned\":true}")->status, 200);
    struct there_is before = count_all(box);
    assert_string_equal(before.sessions, "0");
    assert_refused(post_token(box, GRACE), 403, "auth/account-banned");
    assert_nothing_new(box, &before);
    assert_int_equal(api_user_manage(box, "PATCH", &user, "/ban", "{\"banned\":false}")->status, 200);
    assert_int_equal(api_box_send(box, "PUT", box->secret, ISSUER_AT "email", "{\"signupEnabled\":false}")->status,
                     200);
    assert_int_equal(post_token(box, GRACE)->status, 200);
    before = count_all(box);
    assert_string_equal(before.users, "1");
    assert_string_equal(before.accounts, "1");
    assert_string_equal(before.sessions, "1");
    assert_refused(post_token(box, "\"sub\":\"h\",\"email\":\"h@example.com\",\"email_verified\":true"), 403,
                   "auth/forbidden");
    assert_int_equal(api_box_send(box, "PUT", box->secret, ISSUER_AT "corp", "{\"enabled\":false}")->status, 200);
    assert_refused(post_token(box, GRACE), 400, "auth/oauth-not-configured");
    assert_int_equal(api_box_send(box, "DELETE", box->secret, ISSUER_AT "corp", NULL)->status, 200);
    assert_refused(post_token(box, GRACE), 400, "auth/unsupported-provider");
    assert_nothing_new(box, &before);
}

static void an_unconfirmed_address_keeps_out_where_the_environment_says_so(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    assert_int_equal(
        api_user_ask(box, box->publishable, &user, "POST", LINK, "{\"provider\":\"corp\",\"code\":\"c\"}")->status,
        201);
    assert_int_equal(post_token(box, GRACE)->status, 200);

    assert_int_equal(
        api_box_send(box, "PUT", box->secret, ISSUER_AT "email", "{\"requireEmailVerification\":true}")->status, 200);
    const struct there_is before = count_all(box);
    assert_refused(post_token(box, GRACE), 403, "auth/email-not-verified");
    assert_nothing_new(box, &before);
}

static void whom_the_issuer_does_not_vouch_for_leaves_nothing_behind(void **state)
{
    static const struct {
        const char *claims;
        unsigned int status;
        const char *code;
    } cases[] = {
        {"\"sub\":\"n\"", 403, "auth/email-not-verified"},
        {"\"sub\":\"n\",\"email\":\"n@example.com\"", 403, "auth/email-not-verified"},
        {"\"sub\":\"n\",\"email\":\"n@example.com\",\"email_verified\":false", 403, "auth/email-not-verified"},
        {"\"sub\":\"n\",\"email\":\"n@example.com\",\"email_verified\":\"true\"", 403, "auth/email-not-verified"},
        {"\"sub\":\"n\",\"email\":\"Ada@example.com\",\"email_verified\":true", 409,
         "auth/account-exists-different-provider"},
        {"\"sub\":\"\",\"email\":\"n@example.com\",\"email_verified\":true", 401, "auth/invalid-oauth-code"},
    };
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    const struct there_is before = count_all(box);

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_refused(post_token(box, cases[i].claims), cases[i].status, cases[i].code);
        api_issuer_of(box)->claims = cases[i].claims;
        assert_refused(post(box, CODE), cases[i].status, cases[i].code);
    }

    assert_nothing_new(box, &before);
}

/* While the issuer exchanges a code, the environment changes its mind: what the writer finds counts. */

struct meanwhile {
    const char *name;
    const char *provider; /* whose settings change; NULL: Grace is banned */
    const char *body;     /* NULL: the provider is deleted */
    unsigned int status;
    const char *code;
};

static const struct meanwhile changes[] = {
    {"banned", NULL, NULL, 403, "auth/account-banned"},
    {"switched off", "corp", "{\"enabled\":false}", 400, "auth/oauth-not-configured"},
    {"another issuer", "corp", "{\"issuer\":\"https://id.example:8443/realms/b\"}", 400, "auth/oauth-not-configured"},
    {"deleted", "corp", NULL, 400, "auth/oauth-not-configured"},
};

static void change(struct api_box *box, const struct meanwhile *meanwhile, const struct api_user *grace)
{
    if (meanwhile->provider == NULL) {
        assert_int_equal(api_user_manage(box, "PATCH", grace, "/ban", "{\"banned\":true}")->status, 200);
    } else if (meanwhile->body == NULL) {
        assert_int_equal(api_box_send(box, "DELETE", box->secret, ISSUER_AT "corp", NULL)->status, 200);
    } else {
        configure(box, meanwhile->provider, meanwhile->body);
    }
}

static void what_changes_while_a_code_is_exchanged_counts(void **state)
{
    struct api_user grace;

    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) { /* a box for each */
        (void)api_issuer_set_up(state);
        struct api_box *box = *state;
        const struct api_ask ask = {.method = "POST", .target = CALLBACK, .key = box->publishable, .body = CODE};
        api_user_take(post_token(box, GRACE), &grace);
        api_issuer_of(box)->holds = true;
        struct api_box_pending *pending = api_box_begin(box, &ask);
        change(box, &changes[i], &grace);
        const struct there_is before = count_all(box);

        api_issuer_release(api_issuer_of(box));

        print_message("%s\n", changes[i].name);
        assert_refused(api_box_finish(box, pending), changes[i].status, changes[i].code);
        assert_nothing_new(box, &before);
        (void)api_issuer_tear_down(state);
    }
}

static void somebody_new_is_refused_when_sign_up_closes_while_their_code_is_exchanged(void **state)
{
    struct api_box *box = *state;
    const struct api_ask ask = {.method = "POST", .target = CALLBACK, .key = box->publishable, .body = CODE};
    (void)post_token(box, "\"sub\":\"nobody\""); /* document and keys */
    api_issuer_of(box)->holds = true;
    struct api_box_pending *pending = api_box_begin(box, &ask);
    configure(box, "email", "{\"signupEnabled\":false}");

    api_issuer_release(api_issuer_of(box));

    assert_refused(api_box_finish(box, pending), 403, "auth/forbidden");
    const struct there_is none = {"0", "0", "0"};
    assert_nothing_new(box, &none);
}

static void an_account_is_not_linked_when_its_provider_is_switched_off_meanwhile(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    (void)post_token(box, "\"sub\":\"nobody\"");
    const struct api_ask ask = {.method = "POST",
                                .target = LINK,
                                .key = box->publishable,
                                .body = "{\"provider\":\"corp\",\"code\":\"c\"}",
                                .header = user.header};
    api_issuer_of(box)->holds = true;
    struct api_box_pending *pending = api_box_begin(box, &ask);
    configure(box, "corp", "{\"enabled\":false}");
    const struct there_is before = count_all(box);

    api_issuer_release(api_issuer_of(box));

    assert_refused(api_box_finish(box, pending), 400, "auth/oauth-not-configured");
    assert_nothing_new(box, &before);
}

#define T(test) cmocka_unit_test_setup_teardown(test, api_issuer_set_up, api_issuer_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(whoever_may_not_come_in_does_not),
        T(an_unconfirmed_address_keeps_out_where_the_environment_says_so),
        T(whom_the_issuer_does_not_vouch_for_leaves_nothing_behind),
        cmocka_unit_test(what_changes_while_a_code_is_exchanged_counts),
        T(somebody_new_is_refused_when_sign_up_closes_while_their_code_is_exchanged),
        T(an_account_is_not_linked_when_its_provider_is_switched_off_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
