/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signing in and linking by an OpenID Connect issuer. Spec: contract 5.8. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/people.h"
#include "tests/lib/api_issuer.h"
#include "tests/lib/api_operator.h"
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

/* --- signing in --- */

static void a_code_signs_a_new_user_up_and_then_in(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);
    struct api_user user;

    const struct api_answer *first = post(box, CODE);
    assert_int_equal(first->status, 200);
    assert_string_equal(api_answer_text(first, "is_new_user"), "true");
    assert_string_equal(api_answer_text(first, "user.email"), "grace@example.com");
    assert_string_equal(api_answer_text(first, "user.name"), "Grace");
    assert_string_not_equal(api_answer_text(first, "user.emailVerified"), "null");
    api_user_take(first, &user);
    assert_int_equal(api_user_me(box, &user)->status, 200);
    const struct api_answer *again = post(box, CODE);
    assert_string_equal(api_answer_text(again, "is_new_user"), "false");
    assert_string_equal(api_answer_text(again, "user.id"), user.id);
    assert_int_equal(issuer->documents, 1);
    assert_int_equal(issuer->keys, 1);
    assert_int_equal(issuer->exchanges, 2);
    assert_string_equal(issuer->host, "id.example");
    assert_int_equal(issuer->port, 8443);
    assert_string_equal(issuer->path, "/realms/a/token");
    const struct api_answer *accounts = api_user_ask(box, box->publishable, &user, "GET", LINK, NULL);
    assert_string_equal(api_answer_text(accounts, "pagination.total"), "1");
    assert_string_equal(api_answer_text(accounts, "items.0.provider"), "corp");
    assert_string_equal(api_answer_text(accounts, "items.0.providerAccountId"), "g");
}

static void the_client_shows_who_it_is_as_the_issuer_wants_it(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);

    assert_int_equal(
        post(box, "{\"code\":\"a b&c\",\"redirectUri\":\"https://app.example/cb\",\"codeVerifier\":\"" VERIFIER "\"}")
            ->status,
        200);
    assert_string_equal(issuer->form, "grant_type=authorization_code&code=a%20b%26c&redirect_uri="
                                      "https%3A%2F%2Fapp.example%2Fcb&code_verifier=" VERIFIER);
    assert_string_equal(issuer->authorization, "Basic Ym94OnMzJTNBYyUyMHI="); /* box:s3%3Ac%20r */
    api_box_restart(box);
    issuer->methods = "[\"private_key_jwt\",\"client_secret_post\"]";
    assert_int_equal(post(box, CODE)->status, 200);
    assert_string_equal(issuer->form, "grant_type=authorization_code&code=c-1&redirect_uri="
                                      "https%3A%2F%2Fapp.example%2Fcb&client_id=box&client_secret=s3%3Ac%20r");
    assert_string_equal(issuer->authorization, "");
}

static void a_client_without_a_secret_says_its_id(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);
    assert_int_equal(api_box_send(box, "PUT", box->secret, ISSUER_AT "corp", "{\"clientSecret\":null}")->status, 200);

    assert_int_equal(post(box, "{\"code\":\"c\",\"codeVerifier\":\"" VERIFIER "\"}")->status, 200);
    assert_string_equal(issuer->form, "grant_type=authorization_code&code=c&redirect_uri="
                                      "https%3A%2F%2Fapp.example%2Fcb&code_verifier=" VERIFIER "&client_id=box");
    assert_string_equal(issuer->authorization, "");
}

static void an_id_token_is_enough(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);

    const struct api_answer *got = post(box, api_issuer_body(api_issuer_token(issuer, GRACE ",\"nonce\":\"n\""),
                                                             ",\"nonce\":\"n\",\"accessToken\":\"x\""));
    assert_int_equal(got->status, 200);
    assert_int_equal(issuer->exchanges, 0);
    assert_refused(post(box, api_issuer_body(api_issuer_token(issuer, GRACE), ",\"nonce\":\"n\"")), 401,
                   "auth/invalid-oauth-code");
    assert_string_equal(api_answer_text(post_token(box, "\"sub\":\"g\""), "is_new_user"), "false");
}

/* An operator gives the environment prod a provider of that name. */
static void configure_prod(struct api_box *box, const char *name)
{
    struct api_user owner;
    char target[256];

    api_operator_owner(box, &owner);
    (void)snprintf(target, sizeof target, ISSUER_AT "%s?projectId=%.36s&environment=prod", name, box->first.project_id);
    assert_int_equal(api_operator_ask(box, &owner, "PUT", target,
                                      "{\"issuer\":\"" ISSUER_URL "\",\"clientId\":\"box\","
                                      "\"redirectUri\":\"https://app.example/cb\"}")
                         ->status,
                     200);
}

static void a_browser_comes_back_without_a_key(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);

    assert_int_equal(api_box_get(box, NULL, CALLBACK "?code=c&state=s&session_state=x&iss=y")->status, 200);
    assert_non_null(strstr(issuer->form, "redirect_uri=https%3A%2F%2Fapp.example%2Fcb"));
    assert_refused(api_box_get(box, NULL, CALLBACK "?error=access_denied&state=s"), 401, "auth/invalid-oauth-code");
    assert_refused(api_box_get(box, NULL, CALLBACK), 400, "auth/invalid-request");
    assert_refused(api_box_get(box, NULL, CALLBACK "?code=%zz"), 400, "auth/invalid-request");
    assert_refused(api_box_get(box, NULL, "/v1/auth/other/callback?code=c"), 400, "auth/unsupported-provider");
}

/* A callback with the project's id and the name of an environment in it: what stands before, between and behind them. */
static const char *callback_of(struct api_box *box, const char *const parts[3], const char *environment)
{
    static char target[512];

    (void)snprintf(target, sizeof target, CALLBACK "?%s%.36s%s%s%s", parts[0], box->first.project_id, parts[1],
                   environment, parts[2]);
    return target;
}

static void make_prod(struct api_box *box)
{
    assert_int_equal(
        api_box_send(box, "POST", box->secret, "/v1/admin/environments", "{\"environment\":\"prod\"}")->status, 201);
}

/* With a second environment that has a provider of that name: is it asked of the browser where it belongs? */
static void a_browser_says_where_it_belongs_if_several_places_could_be_meant(void **state)
{
    struct api_box *box = *state;
    static const char *const forms[][3] = {
        {"code=c&projectId=", "&environment=", ""},
        {"code=c&state=", ".", ".7f3a9c.x"},
        {"state=11111111-1111-4111-8111-111111111111.dev.x&code=c&projectId=", "&environment=", ""},
    };
    make_prod(box);
    assert_string_equal(api_answer_text(api_box_get(box, NULL, CALLBACK "?code=c"), "is_new_user"), "true");
    assert_refused(api_box_get(box, NULL, callback_of(box, forms[0], "prod")), 400, "auth/unsupported-provider");

    configure_prod(box, "corp");
    assert_refused(api_box_get(box, NULL, CALLBACK "?code=c"), 400, "auth/invalid-request");
    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
        assert_string_equal(api_answer_text(api_box_get(box, NULL, callback_of(box, forms[i], "dev")), "is_new_user"),
                            "false");
        assert_string_equal(api_answer_text(api_box_get(box, NULL, callback_of(box, forms[i], "prod")), "is_new_user"),
                            i == 0 ? "true" : "false"); /* somebody else there */
    }
}

static void a_state_without_a_place_says_nothing(void **state)
{
    struct api_box *box = *state;
    static const struct {
        const char *before, *between, *name, *behind;
    } states[] = {{"", "", "", ""},      {"", ".", "", ""},       {"", ".", "", ".x"},
                  {"", ".", "prod", ""}, {"", "-", "prod", ".x"}, {"x", ".", "prod", ".x"}};
    const char *const place[] = {"code=c&state=", ".", ".x"};
    char before[64];

    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        (void)snprintf(before, sizeof before, "code=c&state=%s", states[i].before);
        const char *const parts[] = {before, states[i].between, states[i].behind};
        assert_int_equal(api_box_get(box, NULL, callback_of(box, parts, states[i].name))->status, 200);
    }
    assert_refused(api_box_get(box, NULL, callback_of(box, place, "prod")), 400, "auth/unsupported-provider");
}

/* Switched off, or half configured: the code is still not for the other one. */
static void a_provider_that_is_not_ready_is_one_that_could_be_meant(void **state)
{
    struct api_box *box = *state;
    const char *const place[] = {"code=c&projectId=", "&environment=", ""};
    make_prod(box);
    configure_prod(box, "corp");

    assert_int_equal(api_box_send(box, "PUT", box->secret, ISSUER_AT "corp", "{\"enabled\":false}")->status, 200);
    assert_refused(api_box_get(box, NULL, CALLBACK "?code=c"), 400, "auth/invalid-request");
    assert_refused(api_box_get(box, NULL, callback_of(box, place, "dev")), 400, "auth/oauth-not-configured");
    assert_int_equal(api_box_get(box, NULL, callback_of(box, place, "prod"))->status, 200);
    assert_int_equal(api_box_send(box, "DELETE", box->secret, ISSUER_AT "corp", NULL)->status, 200);
    assert_int_equal(api_box_get(box, NULL, CALLBACK "?code=c")->status, 200);
}

/* --- google and github --- */

static void a_name_that_is_known_signs_in_by_the_issuer_it_is_given(void **state)
{
    static const char *const names[] = {"google", "github"};
    struct api_box *box = *state;
    char target[128];
    char body[256];

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct api_user user;
        (void)snprintf(target, sizeof target, "/v1/auth/%s/callback", names[i]);
        assert_refused(api_box_post(box, target, CODE), 400, "auth/oauth-not-configured");
        api_issuer_configure(box, names[i], ",\"redirectUri\":\"https://app.example/cb\"");
        (void)snprintf(body, sizeof body, "\"sub\":\"%s\",\"email\":\"%s@example.com\",\"email_verified\":true",
                       names[i], names[i]);
        api_issuer_of(box)->claims = body;

        const struct api_answer *made = api_box_post(box, target, CODE);
        assert_int_equal(made->status, 200);
        assert_string_equal(api_answer_text(made, "is_new_user"), "true");
        api_user_take(made, &user);
        assert_string_equal(
            api_answer_text(api_user_ask(box, box->publishable, &user, "GET", LINK, NULL), "items.0.provider"),
            names[i]);
        (void)snprintf(target, sizeof target, "/v1/auth/%s/callback?code=c&state=s", names[i]);
        made = api_box_get(box, NULL, target);
        assert_string_equal(api_answer_text(made, "user.id"), user.id);
        (void)snprintf(target, sizeof target, ISSUER_AT "%s", names[i]);
        assert_int_equal(api_box_send(box, "PUT", box->secret, target, "{\"issuer\":null}")->status, 200);
        (void)snprintf(target, sizeof target, "/v1/auth/%s/callback", names[i]);
        assert_refused(api_box_post(box, target, CODE), 400, "auth/oauth-not-configured");
    }
}

static void a_name_that_is_known_is_linked_checked_and_unlinked(void **state)
{
    struct api_box *box = *state;
    static const char *const check = "{\"type\":\"oauth\",\"provider\":\"github\",\"providerAccountId\":\"g\"}";
    static const char *const link = "{\"provider\":\"github\",\"code\":\"c\"}";
    struct api_user user;
    api_user_sign_up(box, &user);
    assert_refused(api_user_ask(box, box->publishable, &user, "POST", LINK, link), 400, "auth/oauth-not-configured");
    api_issuer_configure(box, "github", ",\"redirectUri\":\"https://app.example/cb\"");

    assert_int_equal(api_user_ask(box, box->publishable, &user, "POST", LINK, link)->status, 201);
    assert_string_equal(api_box_post(box, LINK "/check", check)->body,
                        "{\"exists\":true,\"type\":\"oauth\",\"provider\":\"github\"}");
    assert_refused(api_user_ask(box, box->publishable, &user, "POST", LINK, link), 409, "auth/account-already-linked");
    assert_int_equal(api_user_ask(box, box->publishable, &user, "DELETE", LINK "/github", NULL)->status, 200);
    assert_string_equal(api_box_post(box, LINK "/check", check)->body, "{\"exists\":false}");
}

/* Every environment knows the name; only those with settings of it could be meant, and switched off they still are. */
static void a_name_that_is_known_is_asked_for_its_place_as_any_other(void **state)
{
    struct api_box *box = *state;
    make_prod(box);
    api_issuer_configure(box, "google", ",\"redirectUri\":\"https://app.example/cb\"");
    assert_int_equal(api_box_get(box, NULL, "/v1/auth/google/callback?code=c")->status, 200);

    configure_prod(box, "google");
    assert_refused(api_box_get(box, NULL, "/v1/auth/google/callback?code=c"), 400, "auth/invalid-request");
    assert_int_equal(api_box_send(box, "PUT", box->secret, ISSUER_AT "google", "{\"enabled\":false}")->status, 200);
    assert_refused(api_box_get(box, NULL, "/v1/auth/google/callback?code=c"), 400, "auth/invalid-request");
}

static void codes_are_exchanged_for_known_addresses_only(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);

    assert_refused(post(box, "{\"code\":\"c\",\"redirectUri\":\"https://evil.example/\"}"), 400,
                   "auth/invalid-request");
    assert_int_equal(issuer->exchanges, 0);
    api_box_settings(box, "\"redirectUrls\":[\"myapp://cb\"]");
    assert_int_equal(post(box, "{\"code\":\"c\",\"redirectUri\":\"myapp://cb\"}")->status, 200);
    assert_int_equal(api_box_send(box, "PUT", box->secret, ISSUER_AT "corp", "{\"redirectUri\":null}")->status, 200);
    assert_refused(post(box, "{\"code\":\"c\"}"), 400, "auth/invalid-request");
    assert_int_equal(post(box, "{\"code\":\"c\",\"redirectUri\":\"https://any.example/\"}")->status, 200);
}

static void fields_of_another_form_are_refused(void **state)
{
    static const char *const cases[] = {
        "{}",
        "[]",
        "{\"code\":{\"$ne\":1},\"redirectUri\":\"https://app.example/cb\"}",
        "{\"code\":\"c\",\"redirectUri\":[\"https://app.example/cb\"]}",
        "{\"idToken\":{\"$ne\":1}}",
        "{\"code\":\"c\",\"codeVerifier\":\"short\"}",
        "{\"code\":\"c\",\"codeVerifier\":\"0123456789012345678901234567890123456789&code=x\"}",
        "{\"code\":\"c\",\"mfaCode\":7}",
        "{\"code\":\"\",\"idToken\":null}",
    };
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_refused(post(box, cases[i]), 400, "auth/invalid-request");
    }
    assert_int_equal(issuer->documents, 0);
}

/* --- what the issuer says --- */

static void an_issuer_that_fails_is_told_from_a_code_that_is_wrong(void **state)
{
    static const struct {
        uint32_t status;
        const char *body;
        unsigned int answer;
        const char *code;
    } cases[] = {
        {400, "{\"error\":\"invalid_grant\"}", 401, "auth/invalid-oauth-code"},
        {401, "{\"error\":\"access_denied\"}", 401, "auth/invalid-oauth-code"},
        {200, "{\"access_token\":\"x\"}", 401, "auth/invalid-oauth-code"},
        {200, "{\"id_token\":7}", 401, "auth/invalid-oauth-code"},
        {200, "{\"id_token\":\"x\"}", 401, "auth/invalid-oauth-code"},
        {401, "{\"error\":\"invalid_client\"}", 500, "auth/oauth-callback-failed"},
        {400, "{\"error\":\"unauthorized_client\"}", 500, "auth/oauth-callback-failed"},
        {200, "<html>", 500, "auth/oauth-callback-failed"},
        {302, "{}", 500, "auth/oauth-callback-failed"},
        {500, "{\"error\":\"invalid_grant\"}", 500, "auth/oauth-callback-failed"},
    };
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        issuer->token_status = cases[i].status;
        issuer->token_body = cases[i].body;
        assert_refused(post(box, CODE), cases[i].answer, cases[i].code);
    }
    issuer->result = OUTBOUND_TEMPORARY;
    assert_refused(post(box, CODE), 500, "auth/oauth-callback-failed");
    issuer->refuses = ERR_LIMIT;
    assert_refused(post(box, CODE), 503, "common/unavailable");
    issuer->refuses = ERR_CLOSED;
    assert_refused(post(box, CODE), 500, "auth/oauth-callback-failed");
}

static void a_document_that_leads_elsewhere_is_refused_before_the_secret_is_sent(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);
    const char *const good[] = {issuer->says, issuer->token_endpoint, issuer->jwks_uri};
    static const struct {
        const char *says, *token, *keys;
    } cases[] = {
        {"https://id.example:8443/realms/b", NULL, NULL},
        {ISSUER_URL "/", NULL, NULL},
        {NULL, "https://evil.example/token", NULL},
        {NULL, "https://id.example/token", NULL},
        {NULL, "http://id.example:8443/token", NULL},
        {NULL, "https://id.example:8443@evil.example/token", NULL},
        {NULL, NULL, "https://evil.example/keys"},
        {NULL, "", NULL},
        {NULL, NULL, ""},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        issuer->says = cases[i].says != NULL ? cases[i].says : good[0];
        issuer->token_endpoint = cases[i].token != NULL ? cases[i].token : good[1];
        issuer->jwks_uri = cases[i].keys != NULL ? cases[i].keys : good[2];
        assert_refused(post(box, CODE), 500, "auth/oauth-callback-failed");
    }
    assert_int_equal(issuer->exchanges, 0);
    issuer->status = 404;
    assert_refused(post(box, CODE), 500, "auth/oauth-callback-failed");
    issuer->status = 200;
    issuer->says = good[0];
    issuer->token_endpoint = good[1];
    issuer->jwks_uri = good[2];
    assert_int_equal(post(box, CODE)->status, 200);
}

/* --- who it is here --- */

static void nobody_is_linked_by_an_address(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);

    assert_refused(post_token(box, "\"sub\":\"a\",\"email\":\"ADA@example.com\",\"email_verified\":true"), 409,
                   "auth/account-exists-different-provider");
    assert_refused(post_token(box, "\"sub\":\"a\",\"email\":\"ada@example.com\""), 403, "auth/email-not-verified");
    assert_refused(post_token(box, "\"sub\":\"a\""), 403, "auth/email-not-verified");
    assert_string_equal(
        api_answer_text(api_user_ask(box, box->publishable, &user, "GET", LINK, NULL), "pagination.total"), "1");
}

static void another_provider_has_other_people(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);
    assert_int_equal(post_token(box, GRACE)->status, 200);

    api_issuer_configure(box, "other", "");
    assert_refused(api_box_send(box, "POST", box->publishable, "/v1/auth/other/callback",
                                api_issuer_body(api_issuer_token(issuer, GRACE), "")),
                   409, "auth/account-exists-different-provider");
}

static void issuers_of_one_host_have_documents_of_their_own(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);
    assert_int_equal(post(box, CODE)->status, 200);
    assert_int_equal(api_box_send(box, "PUT", box->secret, ISSUER_AT "second",
                                  "{\"issuer\":\"https://id.example:8443/second/\",\"clientId\":\"box\"}")
                         ->status,
                     200);
    issuer->says = "https://id.example:8443/second/";
    issuer->token_endpoint = "https://id.example:8443/second/token";

    assert_refused(api_box_send(box, "POST", box->publishable, "/v1/auth/second/callback", CODE), 401,
                   "auth/invalid-oauth-code"); /* the token is of the first one */
    assert_string_equal(issuer->path, "/second/token");
    assert_int_equal(issuer->documents, 2);
}

static void an_identity_is_provider_issuer_and_subject(void **state)
{
    static const struct data_identity others[] = {
        {.provider = {(const uint8_t *)"corp", 4},
         .issuer = {(const uint8_t *)"https://b", 9},
         .subject = {(const uint8_t *)"1", 1}},
        {.provider = {(const uint8_t *)"corr", 4},
         .issuer = {(const uint8_t *)"https://a", 9},
         .subject = {(const uint8_t *)"1", 1}},
        {.provider = {(const uint8_t *)"corp", 4},
         .issuer = {(const uint8_t *)"https://a", 9},
         .subject = {(const uint8_t *)"2", 1}},
        {.provider = {(const uint8_t *)"corp", 4},
         .issuer = {(const uint8_t *)"https://a1", 10},
         .subject = {(const uint8_t *)"", 0}},
        {.provider = {(const uint8_t *)"corph", 5},
         .issuer = {(const uint8_t *)"ttps://a", 8},
         .subject = {(const uint8_t *)"1", 1}},
    };
    const struct data_identity one = {
        .provider = span_lit("corp"), .issuer = span_lit("https://a"), .subject = span_lit("1"), .name = span_lit("A")};
    struct data_identity same = one;
    uint8_t digest[SHA256_BYTES];
    uint8_t other[SHA256_BYTES];
    (void)state;
    data_identity_digest(&one, digest);

    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        data_identity_digest(&others[i], other);
        assert_memory_not_equal(digest, other, sizeof digest);
    }
    same.email = span_lit("a@example.com");
    data_identity_digest(&same, other);
    assert_memory_equal(digest, other, sizeof digest);
}

static void an_account_is_linked_once_and_unlinked(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);
    struct api_user user;
    struct api_user other;
    const char *body = "{\"provider\":\"corp\",\"code\":\"c\"}";
    api_user_sign_up(box, &user);
    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_UP, ACCOUNT("bob@example.com", "abc123")), &other);

    const struct api_answer *linked = api_user_ask(box, box->publishable, &user, "POST", LINK, body);
    assert_int_equal(linked->status, 201);
    assert_string_equal(linked->body, "{}");
    assert_refused(api_user_ask(box, box->publishable, &user, "POST", LINK, body), 409, "auth/account-already-linked");
    assert_refused(api_user_ask(box, box->publishable, &other, "POST", LINK, body), 409, "auth/account-already-linked");
    issuer->claims = "\"sub\":\"second\"";
    assert_refused(api_user_ask(box, box->publishable, &user, "POST", LINK, body), 409, "auth/account-already-linked");
    issuer->token_body = "{\"error\":\"invalid_grant\"}";
    issuer->token_status = 400;
    assert_refused(api_user_ask(box, box->publishable, &other, "POST", LINK, body), 401, "auth/invalid-oauth-code");
    const struct api_answer *in = post_token(box, "\"sub\":\"g\"");
    assert_string_equal(api_answer_text(in, "user.id"), user.id);
    assert_string_equal(api_answer_text(in, "is_new_user"), "false");
    assert_string_equal(api_box_send(box, "POST", box->publishable, LINK "/check",
                                     "{\"type\":\"oauth\",\"provider\":\"corp\",\"providerAccountId\":\"g\"}")
                            ->body,
                        "{\"exists\":true,\"type\":\"oauth\",\"provider\":\"corp\"}");
    assert_string_equal(api_box_send(box, "POST", box->publishable, LINK "/check",
                                     "{\"type\":\"oauth\",\"provider\":\"corp\",\"providerAccountId\":\"G\"}")
                            ->body,
                        "{\"exists\":false}");
    assert_int_equal(api_user_ask(box, box->publishable, &user, "DELETE", LINK "/corp", NULL)->status, 200);
    assert_refused(api_user_ask(box, box->publishable, &user, "DELETE", LINK "/corp", NULL), 404, "user/not-found");
    assert_refused(post_token(box, "\"sub\":\"g\",\"email\":\"ada@example.com\",\"email_verified\":true"), 409,
                   "auth/account-exists-different-provider");
}

static void the_only_account_stays_and_can_be_left_when_its_provider_is_gone(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);
    struct api_user user;
    api_user_take(post_token(box, GRACE), &user);

    assert_refused(api_user_ask(box, box->publishable, &user, "DELETE", LINK "/corp", NULL), 400,
                   "auth/last-auth-method");
    api_user_sign_up(box, &user);
    assert_int_equal(api_user_ask(box, box->publishable, &user, "POST", LINK,
                                  api_issuer_body(api_issuer_token(issuer, "\"sub\":\"a\""), ",\"provider\":\"corp\""))
                         ->status,
                     201);
    assert_int_equal(api_box_send(box, "DELETE", box->secret, ISSUER_AT "corp", NULL)->status, 200);
    assert_int_equal(api_user_ask(box, box->publishable, &user, "DELETE", LINK "/corp", NULL)->status, 200);
    assert_refused(api_user_ask(box, box->publishable, &user, "DELETE", LINK "/corp", NULL), 400,
                   "auth/unsupported-provider");
}

static void attack_13_an_address_may_try_thirty_times_a_minute(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);
    struct api_ask other = {
        .method = "POST", .target = CALLBACK, .key = box->publishable, .body = CODE, .peer = "192.0.2.8"};
    issuer->token_status = 400;
    issuer->token_body = "{\"error\":\"invalid_grant\"}";

    for (unsigned int i = 0; i < 30; i++) {
        assert_refused(post(box, CODE), 401, "auth/invalid-oauth-code");
    }
    assert_refused(post(box, CODE), 429, "auth/too-many-requests");
    assert_refused(api_box_get(box, NULL, CALLBACK "?code=c"), 429, "auth/too-many-requests");
    assert_refused(api_box_ask(box, &other), 401, "auth/invalid-oauth-code");
    assert_int_equal(issuer->exchanges, 31);
}

#define T(test) cmocka_unit_test_setup_teardown(test, api_issuer_set_up, api_issuer_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_code_signs_a_new_user_up_and_then_in),
        T(the_client_shows_who_it_is_as_the_issuer_wants_it),
        T(a_client_without_a_secret_says_its_id),
        T(an_id_token_is_enough),
        T(a_browser_comes_back_without_a_key),
        T(a_browser_says_where_it_belongs_if_several_places_could_be_meant),
        T(a_state_without_a_place_says_nothing),
        T(a_provider_that_is_not_ready_is_one_that_could_be_meant),
        T(a_name_that_is_known_signs_in_by_the_issuer_it_is_given),
        T(a_name_that_is_known_is_linked_checked_and_unlinked),
        T(a_name_that_is_known_is_asked_for_its_place_as_any_other),
        T(codes_are_exchanged_for_known_addresses_only),
        T(fields_of_another_form_are_refused),
        T(an_issuer_that_fails_is_told_from_a_code_that_is_wrong),
        T(a_document_that_leads_elsewhere_is_refused_before_the_secret_is_sent),
        T(nobody_is_linked_by_an_address),
        T(another_provider_has_other_people),
        T(issuers_of_one_host_have_documents_of_their_own),
        cmocka_unit_test(an_identity_is_provider_issuer_and_subject),
        T(an_account_is_linked_once_and_unlinked),
        T(the_only_account_stays_and_can_be_left_when_its_provider_is_gone),
        T(attack_13_an_address_may_try_thirty_times_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
