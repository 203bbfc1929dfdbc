/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Providers of identities as an administrator configures them. Spec: contract 5.8, 6. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/data_int.h"
#include "firmware/data/doc.h"
#include "firmware/data/oidc.h"
#include "tests/lib/api_stored.h"
#include "tests/lib/api_user.h"

#define AT       "/v1/admin/auth-providers/"
#define ISSUER   "\"issuer\":\"https://id.example/realms/a\""
#define OTHER_CA "-----BEGIN CERTIFICATE-----\\nMIIC\\n-----END CERTIFICATE-----\\n"
#define CA       "-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n"
#define WHOLE                                                                                                          \
    "{" ISSUER ",\"clientId\":\"box\",\"clientSecret\":\"s3cr3t-value\",\"redirectUri\":\"https://app.example/cb\","   \
    "\"scopes\":[\"openid\",\"email\"],\"ca\":\"" CA "\"}"

static const struct api_answer *put(struct api_box *box, const char *name, const char *body)
{
    char target[128];

    (void)snprintf(target, sizeof target, AT "%s", name);
    return api_box_send(box, "PUT", box->secret, target, body);
}

static enum data_oidc_state find(struct api_box *box, const char *name, struct data_oidc *out)
{
    return data_oidc_find(api_stored_environment(box), span_str(name), out);
}

static void a_provider_shows_everything_but_its_secret(void **state)
{
    struct api_box *box = *state;
    struct data_oidc provider;

    const struct api_answer *made = put(box, "corp", WHOLE);
    assert_int_equal(made->status, 200);
    assert_null(strstr(made->body, "s3cr3t-value"));
    api_box_restart(box);

    const struct api_answer *got = api_box_get(box, box->secret, AT "corp");
    assert_int_equal(got->status, 200);
    assert_null(strstr(got->body, "s3cr3t-value"));
    assert_string_equal(api_answer_text(got, "id"), "corp");
    assert_string_equal(api_answer_text(got, "issuer"), "https://id.example/realms/a");
    assert_string_equal(api_answer_text(got, "clientId"), "box");
    assert_string_equal(api_answer_text(got, "redirectUri"), "https://app.example/cb");
    assert_string_equal(api_answer_text(got, "scopes.1"), "email");
    assert_string_equal(api_answer_text(got, "hasClientSecret"), "true");
    assert_string_equal(api_answer_text(got, "enabled"), "true");
    assert_string_equal(api_answer_text(got, "usable"), "true");
    assert_null(strstr(api_box_get(box, box->secret, "/v1/admin/environments")->body, "s3cr3t-value"));
    assert_int_equal(find(box, "corp", &provider), DATA_OIDC_READY);
    assert_true(span_equal(provider.client_secret, span_lit("s3cr3t-value")));
    assert_true(span_starts_with(provider.ca, span_lit("-----BEGIN CERTIFICATE-----\nMIIB")));
}

static void what_is_not_named_stays_and_null_takes_back(void **state)
{
    struct api_box *box = *state;
    struct data_oidc provider;
    assert_int_equal(put(box, "corp", WHOLE)->status, 200);

    assert_int_equal(put(box, "corp", "{\"redirectUri\":null,\"scopes\":null}")->status, 200);
    assert_int_equal(find(box, "corp", &provider), DATA_OIDC_READY);
    assert_int_equal(provider.redirect_uri.len, 0);
    assert_int_equal(provider.client_secret.len, strlen("s3cr3t-value"));
    assert_string_equal(api_answer_text(put(box, "corp", "{\"clientSecret\":null}"), "hasClientSecret"), "false");
    const struct api_answer *off = put(box, "corp", "{\"enabled\":false}");
    assert_string_equal(api_answer_text(off, "usable"), "false");
    assert_int_equal(find(box, "corp", &provider), DATA_OIDC_NOT_CONFIGURED);
    assert_string_equal(api_answer_text(put(box, "corp", "{\"enabled\":null,\"clientId\":null}"), "usable"), "false");
    assert_refused(put(box, "corp", "{\"issuer\":null}"), 400, "common/invalid-parameters");
}

static void a_secret_is_never_sent_to_another_issuer(void **state)
{
    struct api_box *box = *state;
    struct data_oidc provider;
    assert_int_equal(put(box, "corp", WHOLE)->status, 200);

    assert_string_equal(api_answer_text(put(box, "corp", "{" ISSUER ",\"clientId\":\"b2\"}"), "hasClientSecret"),
                        "true"); /* the same issuer */
    assert_string_equal(api_answer_text(put(box, "corp", "{\"issuer\":\"https://evil.example\"}"), "hasClientSecret"),
                        "false");
    assert_string_equal(api_answer_text(put(box, "corp", "{" ISSUER ",\"clientSecret\":\"new\"}"), "hasClientSecret"),
                        "true");
    assert_int_equal(find(box, "corp", &provider), DATA_OIDC_READY);
    assert_true(span_equal(provider.client_secret, span_lit("new")));
}

/* Whoever has a CA of their own in its place, and a way to be taken for the issuer, would be sent it. */
static void a_secret_is_never_sent_to_whom_another_ca_vouches_for(void **state)
{
    static const struct {
        const char *body, *has;
    } cases[] = {
        {"{\"ca\":\"" CA "\"}", "true"}, /* the same, or not named */
        {"{\"clientId\":\"b2\"}", "true"},
        {"{\"redirectUri\":null}", "true"},
        {"{\"ca\":\"" OTHER_CA "\"}", "false"},
        {"{\"ca\":\"" CA "\"}", "false"}, /* it is gone, and does not come back */
        {"{\"ca\":\"" OTHER_CA "\",\"clientSecret\":\"new\"}", "true"},
        {"{\"ca\":null}", "false"}, /* the system's */
        {"{\"clientSecret\":\"third\"}", "true"},
        {"{\"ca\":\"" CA "\"}", "false"},
    };
    struct api_box *box = *state;
    struct data_oidc provider;
    assert_int_equal(put(box, "corp", WHOLE)->status, 200);

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        print_message("%s\n", cases[i].body);
        assert_string_equal(api_answer_text(put(box, "corp", cases[i].body), "hasClientSecret"), cases[i].has);
    }
    assert_int_equal(find(box, "corp", &provider), DATA_OIDC_READY);
    assert_int_equal(provider.client_secret.len, 0);
}

static void what_no_provider_may_be_is_refused_and_changes_nothing(void **state)
{
    static const char *const names[] = {
        "c", "Corp", "1corp", "co_rp", "credentials", "abcdefghijklmnopqrstuvwxyz1234567", "Google"};
    static const char *const bodies[] = {
        "{\"clientId\":\"box\"}",
        "{\"issuer\":\"http://id.example\"}",
        "{\"issuer\":\"https://id.example/?x\"}",
        "{" ISSUER ",\"clientId\":\"\"}",
        "{" ISSUER ",\"clientId\":7}",
        "{" ISSUER ",\"clientSecret\":\"a\\nb\"}",
        "{" ISSUER ",\"clientSecret\":{\"$ne\":1}}",
        "{" ISSUER ",\"redirectUri\":\"javascript:alert(1)\"}",
        "{" ISSUER ",\"redirectUri\":\"https://app.example/#x\"}",
        "{" ISSUER ",\"scopes\":\"openid\"}",
        "{" ISSUER ",\"scopes\":[\"a b\"]}",
        "{" ISSUER ",\"enabled\":1}",
        "{" ISSUER ",\"ca\":\"MIIB\"}",
        "{" ISSUER ",\"ca\":\"-----BEGIN CERTIFICATE-----\\nMIIB\\n\"}",
        "{" ISSUER ",\"clientSecert\":\"x\"}",
        "[]",
    };
    struct api_box *box = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        print_message("%s\n", names[i]);
        assert_refused(put(box, names[i], "{" ISSUER "}"), 400, "common/invalid-parameters");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        print_message("%s\n", bodies[i]);
        assert_refused(put(box, "corp", bodies[i]), 400, "common/invalid-parameters");
    }
    assert_refused(api_box_get(box, box->secret, AT "corp"), 404, "common/not-found");
    assert_refused(put(box, "corp", "{" ISSUER ",\"environment\":\"prod\"}"), 403, "auth/forbidden");
}

static void google_and_github_keep_settings_that_nobody_signs_in_by_without_an_issuer(void **state)
{
    struct api_box *box = *state;
    struct data_oidc provider;

    const struct api_answer *made = put(box, "google", "{\"clientId\":\"a\",\"clientSecret\":\"b\",\"enabled\":true}");
    assert_int_equal(made->status, 200);
    assert_string_equal(api_answer_text(made, "usable"), "false");
    assert_non_null(strstr(made->body, "\"missing\":[\"issuer\"]"));
    assert_int_equal(find(box, "google", &provider), DATA_OIDC_NOT_CONFIGURED);
    assert_int_equal(find(box, "github", &provider), DATA_OIDC_KNOWN);
    assert_int_equal(find(box, "corp", &provider), DATA_OIDC_UNKNOWN);
    assert_refused(api_box_get(box, NULL, "/v1/auth/google/callback?code=1"), 400, "auth/oauth-not-configured");
    assert_refused(api_box_get(box, NULL, "/v1/auth/github/callback?code=1"), 400, "auth/oauth-not-configured");
    assert_non_null(strstr(put(box, "github", "{\"enabled\":true}")->body, "\"missing\":[\"issuer\",\"clientId\"]"));
}

static void google_and_github_are_ready_with_an_issuer_and_lose_the_secret_without_it(void **state)
{
    static const char *const names[] = {"google", "github"};
    struct api_box *box = *state;
    struct data_oidc provider;

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        print_message("%s\n", names[i]);
        const struct api_answer *made = put(box, names[i], WHOLE);
        assert_int_equal(made->status, 200);
        assert_string_equal(api_answer_text(made, "usable"), "true");
        assert_non_null(strstr(made->body, "\"missing\":[]"));
        assert_int_equal(put(box, names[i], made->body)->status, 200); /* what was answered may be sent back */
        assert_int_equal(find(box, names[i], &provider), DATA_OIDC_READY);
        assert_true(span_equal(provider.issuer, span_lit("https://id.example/realms/a")));
        made = put(box, names[i], "{\"issuer\":null}");
        assert_string_equal(api_answer_text(made, "hasClientSecret"), "false");
        assert_non_null(strstr(made->body, "\"missing\":[\"issuer\"]"));
        assert_int_equal(find(box, names[i], &provider), DATA_OIDC_NOT_CONFIGURED);
        assert_int_equal(api_box_send(box, "DELETE", box->secret, AT "google", NULL)->status, i == 0 ? 200 : 404);
        assert_int_equal(find(box, "google", &provider), DATA_OIDC_KNOWN);
    }
}

static void an_environment_has_eight_providers_and_forgets_what_is_deleted(void **state)
{
    struct api_box *box = *state;
    struct data_oidc provider;
    char name[32];
    size_t at = 0;
    size_t walked = 0;
    for (unsigned int i = 0; i < DATA_OIDC_PROVIDERS_MAX; i++) {
        (void)snprintf(name, sizeof name, "corp%u", i);
        assert_int_equal(put(box, name, i == 3 ? "{" ISSUER "}" : WHOLE)->status, 200);
    }

    assert_refused(put(box, "more", WHOLE), 409, "common/conflict");
    while (data_oidc_next(api_stored_environment(box), &at, &provider)) {
        walked++;
    }
    assert_int_equal(walked, DATA_OIDC_PROVIDERS_MAX - 1); /* one has no client */
    assert_int_equal(api_box_send(box, "DELETE", box->secret, AT "corp2", NULL)->status, 200);
    assert_refused(api_box_get(box, box->secret, AT "corp2"), 404, "common/not-found");
    assert_refused(api_box_send(box, "DELETE", box->secret, AT "corp2", NULL), 404, "common/not-found");
    assert_int_equal(find(box, "corp2", &provider), DATA_OIDC_UNKNOWN);
    assert_int_equal(find(box, "corp4", &provider), DATA_OIDC_READY);
    assert_int_equal(put(box, "more", WHOLE)->status, 200);
    assert_refused(api_box_send(box, "DELETE", box->secret, AT "email", NULL), 404, "common/not-found");
}

#define T(test) cmocka_unit_test_setup_teardown(test, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_provider_shows_everything_but_its_secret),
        T(what_is_not_named_stays_and_null_takes_back),
        T(a_secret_is_never_sent_to_another_issuer),
        T(a_secret_is_never_sent_to_whom_another_ca_vouches_for),
        T(what_no_provider_may_be_is_refused_and_changes_nothing),
        T(google_and_github_keep_settings_that_nobody_signs_in_by_without_an_issuer),
        T(google_and_github_are_ready_with_an_issuer_and_lose_the_secret_without_it),
        T(an_environment_has_eight_providers_and_forgets_what_is_deleted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
