/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A token is of the environment whose key signed it, and says so. Spec: contract 2.3, 5.4; vector 125 of contract 3.9. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/api_stored.h"
#include "tests/lib/api_user.h"

#define OTHER_ID "22222222-2222-4222-8222-222222222222"

/* Somebody with a session that is alive, in the environment dev. */
struct fixture {
    struct api_box *box;
    struct api_user user;
    char session[64];
};

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.box = api_box_new()};
    api_user_sign_up(fixture.box, &fixture.user);
    assert_true(api_answer_member(
        api_user_ask(fixture.box, fixture.box->publishable, &fixture.user, "GET", "/v1/auth/sessions", NULL),
        "items.0.id", fixture.session, sizeof fixture.session));
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    api_box_free(f->box);
    return 0;
}

/* What a token of that session says that is good for ever. */
static struct auth_claims claims_of(const struct fixture *f, enum auth_token_type type)
{
    return (struct auth_claims){.type = type,
                                .user = span_str(f->user.id),
                                .session = span_str(f->session),
                                .project = span_array(f->box->first.project_id),
                                .environment = span_lit("dev"),
                                .issued_s = 0,
                                .expires_s = INT64_MAX / 2,
                                .id = span_lit("AAECAwQFBgcICQoLDA0ODw")};
}

/* An access token that a key of an environment signed. */
static const struct api_answer *ask_signed_by(struct fixture *f, struct span environment_id,
                                              const struct auth_claims *claims)
{
    static struct api_user user;

    api_box_token(f->box, environment_id, claims, user.access);
    (void)snprintf(user.header, sizeof user.header, "Authorization: Bearer %s", user.access);
    return api_user_ask(f->box, f->box->publishable, &user, "GET", "/v1/auth/me", NULL);
}

static struct span dev_of(const struct fixture *f)
{
    return api_stored_environment(f->box)->record.id;
}

static const struct api_answer *refresh(struct fixture *f, const char *token)
{
    char body[AUTH_TOKEN_MAX + 64];

    (void)snprintf(body, sizeof body, "{\"refreshToken\":\"%s\"}", token);
    return api_box_post(f->box, REFRESH, body);
}

/* The claims that are of another place than the key. */
static void other_places(const struct auth_claims *own, struct auth_claims out[2])
{
    out[0] = *own;
    out[0].environment = span_lit("prod");
    out[1] = *own;
    out[1].project = span_lit(OTHER_ID);
}

static void vector_125_a_token_of_another_environment_is_refused_by_its_binding(void **state)
{
    struct fixture *f = *state;
    char environment[64];
    char token[AUTH_TOKEN_MAX + 1];
    const struct api_answer *made =
        api_box_send(f->box, "POST", f->box->secret, "/v1/admin/environments", "{\"environment\":\"prod\"}");
    assert_int_equal(made->status, 201);
    assert_true(api_answer_member(made, "id", environment, sizeof environment));
    struct auth_claims claims = claims_of(f, AUTH_TOKEN_ACCESS);
    claims.environment = span_lit("prod");

    assert_refused(ask_signed_by(f, span_str(environment), &claims), 403, "data/project-access-denied");
    api_box_token(f->box, span_str(environment), &claims, token);
    assert_refused(refresh(f, token), 401, "auth/invalid-refresh-token");
}

/* Also where project and environment of the API key are those of the key that signed. */
static void attack_09_an_access_token_that_names_another_place_than_that_of_its_key_is_none(void **state)
{
    struct fixture *f = *state;
    struct auth_claims others[2];
    const struct auth_claims claims = claims_of(f, AUTH_TOKEN_ACCESS);
    other_places(&claims, others);
    assert_int_equal(ask_signed_by(f, dev_of(f), &claims)->status, 200);

    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        assert_refused(ask_signed_by(f, dev_of(f), &others[i]), 401, "auth/invalid-token");
    }
}

/* Nor does it count as one that was used: the session goes on. */
static void attack_09_a_refresh_token_that_names_another_place_than_that_of_its_key_is_none(void **state)
{
    struct fixture *f = *state;
    char token[AUTH_TOKEN_MAX + 1];
    struct auth_claims others[2];
    const struct auth_claims claims = claims_of(f, AUTH_TOKEN_REFRESH);
    other_places(&claims, others);

    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        api_box_token(f->box, dev_of(f), &others[i], token);
        assert_refused(refresh(f, token), 401, "auth/invalid-refresh-token");
        assert_int_equal(api_user_me(f->box, &f->user)->status, 200);
    }
    api_box_token(f->box, dev_of(f), &claims, token);
    assert_refused(refresh(f, token), 401, "auth/invalid-refresh-token");

    assert_refused(api_user_me(f->box, &f->user), 401, "auth/session-expired"); /* this one did */
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(vector_125_a_token_of_another_environment_is_refused_by_its_binding),
        T(attack_09_an_access_token_that_names_another_place_than_that_of_its_key_is_none),
        T(attack_09_a_refresh_token_that_names_another_place_than_that_of_its_key_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
