/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rotation of token keys: POST /v1/admin/system/keys/rotate, the overlap, its end, and what is left of a rotation that was
 * cut off. Spec: contract 2.3, 6; attacks.md class 9 (cache after rotation). */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/data_int.h"
#include "firmware/data/operators.h"
#include "hal/base/fault.h"
#include "tests/lib/api_operator.h"

#define ROTATE    "/v1/admin/system/keys/rotate"
#define WEEK_S    (7 * 24 * 3600)
#define OVERLAP_S (WEEK_S + 3600)

static struct api_user owner;

static int set_up(void **state)
{
    assert_int_equal(api_box_set_up(state), 0);
    api_operator_owner(*state, &owner);
    return 0;
}

static const struct api_answer *rotate(struct api_box *box)
{
    char body[256];

    (void)snprintf(body, sizeof body, "{\"what\":\"token\",\"projectId\":\"%.*s\",\"environment\":\"dev\"}",
                   (int)sizeof box->first.project_id, box->first.project_id);
    api_operator_sign_in(box, OPERATOR_EMAIL, &owner);
    return api_operator_ask(box, &owner, "POST", ROTATE, body);
}

/* The first environment, which is the project's `dev`, as the keeper has it; and its id. */
static struct api_box_environment *dev(struct api_box *box)
{
    return &box->environments[0];
}

static void header_of(const struct api_box_environment *environment, size_t at, struct auth_token_key *out_key)
{
    uint8_t point[SIGN_PUBLIC_BYTES];

    signer_public(environment->signers[at], point);
    auth_token_key_init(point, out_key);
}

/* Was it signed by the key of that place, the oldest first? */
static bool is_signed_by(const struct api_box_environment *environment, size_t at, const char *token)
{
    struct auth_token_key key;

    header_of(environment, at, &key);
    return strncmp(token, key.header, sizeof key.header) == 0;
}

static size_t published(struct api_box *box)
{
    const struct api_answer *answer = api_box_get(box, NULL, "/.well-known/jwks.json");
    size_t count = 0;

    for (const char *at = answer->body; (at = strstr(at, "\"kid\"")) != NULL; at++) {
        count++;
    }
    return count;
}

static void sign_in(struct api_box *box, struct api_user *user)
{
    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "abc123")), user);
}

static const struct api_answer *refresh(struct api_box *box, const struct api_user *user)
{
    char body[AUTH_TOKEN_MAX + 64];

    (void)snprintf(body, sizeof body, "{\"refreshToken\":\"%s\"}", user->refresh);
    return api_box_send(box, "POST", box->publishable, REFRESH, body);
}

/* A token of the user's session that lives for ever, by the key that signs now. */
static void make_eternal(struct api_box *box, struct api_user *user)
{
    struct auth_token_parts parts;
    struct auth_token_bytes bytes;
    struct auth_claims claims;

    assert_int_equal(auth_token_split(span_str(user->access), &parts), ERR_OK);
    assert_int_equal(auth_token_read(&parts, &bytes, &claims), ERR_OK);
    claims.expires_s = INT64_MAX / 2;
    api_box_token(box, span_array(dev(box)->id), &claims, user->access);
    (void)snprintf(user->header, sizeof user->header, "Authorization: Bearer %s", user->access);
}

static void after_a_rotation_the_new_key_signs_and_the_old_one_verifies(void **state)
{
    struct api_box *box = *state;
    struct api_user before;
    struct api_user after;
    api_user_sign_up(box, &before);
    assert_int_equal(api_user_me(box, &before)->status, 200);

    const struct api_answer *answer = rotate(box);

    assert_int_equal(answer->status, 200);
    assert_string_equal(api_answer_text(answer, "keys.0.signs"), "true");
    assert_string_equal(api_answer_text(answer, "keys.0.endsAt"), "null");
    assert_string_equal(api_answer_text(answer, "keys.1.signs"), "false");
    assert_int_equal(published(box), 2);
    sign_in(box, &after);
    assert_true(is_signed_by(dev(box), 0, before.access));
    assert_true(is_signed_by(dev(box), 1, after.access));
    assert_true(is_signed_by(dev(box), 1, after.refresh));
    assert_int_equal(api_user_me(box, &before)->status, 200);
    assert_int_equal(api_user_me(box, &after)->status, 200);
    api_user_take(refresh(box, &before), &before);
    assert_true(is_signed_by(dev(box), 1, before.refresh));
    assert_int_equal(api_user_me(box, &before)->status, 200);
}

static void the_answer_names_the_keys_that_the_jwks_publishes(void **state)
{
    struct api_box *box = *state;
    char kids[2][API_ANSWER_TEXT_MAX];
    struct auth_token_key key;

    const struct api_answer *answer = rotate(box);
    assert_true(api_answer_member(answer, "keys.0.kid", kids[0], sizeof kids[0]));
    assert_true(api_answer_member(answer, "keys.1.kid", kids[1], sizeof kids[1]));

    answer = api_box_get(box, NULL, "/.well-known/jwks.json");
    assert_string_equal(api_answer_text(answer, "keys.0.kid"), kids[0]);
    assert_string_equal(api_answer_text(answer, "keys.1.kid"), kids[1]);
    header_of(dev(box), 1, &key);
    assert_memory_equal(kids[0], key.kid, sizeof key.kid);
}

/* The token before was just used, so it is remembered, and says that it lives for ever. */
static void attack_09_a_key_counts_until_its_tokens_are_over_and_for_nothing_afterwards(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user eternal;
    api_user_sign_up(box, &user);
    sign_in(box, &eternal);
    make_eternal(box, &eternal);
    assert_int_equal(rotate(box)->status, 200);

    api_box_pass_s(box, WEEK_S - 1);
    assert_int_equal(api_user_me(box, &eternal)->status, 200);
    api_user_take(refresh(box, &user), &user); /* the last moment of the last token */
    api_user_take(refresh(box, &eternal), &user);
    api_box_pass_s(box, OVERLAP_S - WEEK_S);
    assert_int_equal(api_user_me(box, &eternal)->status, 200);
    assert_int_equal(published(box), 2);
    api_box_pass_s(box, 1);

    assert_refused(api_user_me(box, &eternal), 401, "auth/invalid-token");
    assert_refused(refresh(box, &eternal), 401, "auth/invalid-refresh-token");
    assert_int_equal(published(box), 1);
    assert_int_equal(dev(box)->count, 2); /* nothing was written since */
    sign_in(box, &user);
    assert_int_equal(dev(box)->count, 1);
    assert_refused(api_user_me(box, &eternal), 401, "auth/invalid-token");
    assert_int_equal(api_user_me(box, &user)->status, 200);
}

static void a_key_that_ended_is_destroyed_at_the_next_start(void **state)
{
    struct api_box *box = *state;
    assert_int_equal(rotate(box)->status, 200);

    api_box_pass_s(box, OVERLAP_S);
    api_box_restart(box);

    assert_int_equal(dev(box)->count, 1);
    assert_int_equal(dev(box)->signs, 0);
    assert_int_equal(published(box), 1);
}

static void rotations_beyond_the_keys_that_may_be_held_are_refused_until_one_ends(void **state)
{
    struct api_box *box = *state;
    for (unsigned int i = 1; i < DATA_TOKEN_KEYS_MAX; i++) {
        assert_int_equal(rotate(box)->status, 200);
        api_box_pass_s(box, 60);
    }

    assert_refused(rotate(box), 409, "common/conflict");
    assert_int_equal(published(box), DATA_TOKEN_KEYS_MAX);
    api_box_pass_s(box, OVERLAP_S - 60 * (DATA_TOKEN_KEYS_MAX - 1));

    const struct api_answer *answer = rotate(box);

    assert_int_equal(answer->status, 200);
    assert_string_equal(api_answer_text(answer, "keys.3.signs"), "false");
    assert_int_equal(dev(box)->count, DATA_TOKEN_KEYS_MAX);
}

/* --- cut off --- */

/* The keeper has made the version, and the worker is killed. */
static void a_rotation_cut_off_before_its_commit_is_made_good_at_the_next_start(void **state)
{
    struct api_box *box = *state;
    struct data_token_keys keys;
    struct api_user before;
    struct api_user after;
    api_user_sign_up(box, &before);
    const struct data_keys keeper = box->data->keys;
    assert_int_equal(keeper.token_rotate(keeper.context, span_array(dev(box)->id), &keys), ERR_OK);
    sign_in(box, &after);
    assert_true(is_signed_by(dev(box), 0, after.access)); /* what is not published signs nothing */

    api_box_restart(box);

    assert_int_equal(published(box), 2);
    assert_int_equal(api_user_me(box, &before)->status, 200);
    sign_in(box, &after);
    assert_true(is_signed_by(dev(box), 1, after.access));
    assert_int_equal(api_user_me(box, &after)->status, 200);
    api_box_pass_s(box, OVERLAP_S);
    assert_int_equal(published(box), 1); /* the one before ends as after any rotation */
}

static void a_rotation_cut_off_after_its_commit_signs_from_the_next_start_on(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    assert_int_equal(rotate(box)->status, 200);
    dev(box)->signs = 0; /* the keeper was not told */

    api_box_restart(box);

    assert_int_equal(dev(box)->signs, 1);
    api_user_sign_up(box, &user);
    assert_int_equal(api_user_me(box, &user)->status, 200);
}

static enum err (*keeper_rotate)(void *context, struct span environment_id, struct data_token_keys *out_keys);
static enum err (*keeper_retire)(void *context, struct span environment_id, const uint8_t point[DATA_TOKEN_KEY_BYTES]);

static enum err rotate_and_lose_the_answer(void *context, struct span environment_id, struct data_token_keys *out_keys)
{
    TRY(keeper_rotate(context, environment_id, out_keys));
    FAIL(ERR_TIMEOUT, "the keeper of a test", 0);
}

static enum err retire_nothing(void *context UNUSED, struct span environment_id UNUSED,
                               const uint8_t point[DATA_TOKEN_KEY_BYTES] UNUSED)
{
    FAIL(ERR_CLOSED, "the keeper of a test", 0);
}

static void a_rotation_that_failed_is_taken_up_by_the_next_one(void **state)
{
    struct api_box *box = *state;
    keeper_rotate = box->data->keys.token_rotate;
    box->data->keys.token_rotate = rotate_and_lose_the_answer;
    assert_int_equal(rotate(box)->status, 503);
    assert_int_equal(dev(box)->signs, 0);
    assert_int_equal(published(box), 1);
    box->data->keys.token_rotate = keeper_rotate;

    assert_int_equal(rotate(box)->status, 200);

    assert_int_equal(dev(box)->count, 2);
    assert_int_equal(dev(box)->signs, 1);
    assert_int_equal(published(box), 2);
}

static enum err (*keeper_use)(void *context, struct span environment_id);

static enum err use_nothing(void *context UNUSED, struct span environment_id UNUSED)
{
    FAIL(ERR_TIMEOUT, "the keeper of a test", 0);
}

static void a_keeper_that_does_not_hear_of_a_published_key_is_told_with_the_next_commit(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    keeper_use = box->data->keys.token_use;
    box->data->keys.token_use = use_nothing;
    assert_int_equal(rotate(box)->status, 200);
    api_user_sign_up(box, &user);
    assert_true(is_signed_by(dev(box), 0, user.access));
    assert_int_equal(api_user_me(box, &user)->status, 200);
    box->data->keys.token_use = keeper_use;

    sign_in(box, &user); /* its commit tells */
    sign_in(box, &user);

    assert_true(is_signed_by(dev(box), 1, user.access));
    assert_int_equal(api_user_me(box, &user)->status, 200);
}

/* The keeper holds a version of a rotation that was given up, and has not heard of one elsewhere: all are told again. */
static void a_key_that_nobody_published_signs_nothing_when_the_keeper_is_told_again(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    assert_int_equal(rotate(box)->status, 200);
    keeper_rotate = box->data->keys.token_rotate;
    box->data->keys.token_rotate = rotate_and_lose_the_answer;
    assert_int_equal(rotate(box)->status, 503);
    box->data->keys.token_rotate = keeper_rotate;
    keeper_use = box->data->keys.token_use;
    box->data->keys.token_use = use_nothing;
    assert_int_equal(api_operator_ask(box, &owner, "POST", ROTATE, "{\"what\":\"operator-token\"}")->status, 200);
    box->data->keys.token_use = keeper_use;

    api_user_sign_up(box, &user); /* its commit tells */
    sign_in(box, &user);

    assert_int_equal(dev(box)->count, 3);
    assert_true(is_signed_by(dev(box), 1, user.access));
    assert_int_equal(api_user_me(box, &user)->status, 200);
    assert_int_equal(rotate(box)->status, 200);
    assert_int_equal(published(box), 3);
}

static void a_keeper_that_is_away_keeps_an_ended_key_and_no_write_from_being_done(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    assert_int_equal(rotate(box)->status, 200);
    keeper_retire = box->data->keys.token_retire;
    box->data->keys.token_retire = retire_nothing;
    api_box_pass_s(box, OVERLAP_S);

    api_user_sign_up(box, &user);
    assert_int_equal(dev(box)->count, 2);
    assert_int_equal(published(box), 1);
    box->data->keys.token_retire = keeper_retire;
    api_box_pass_s(box, 61);
    sign_in(box, &user);

    assert_int_equal(dev(box)->count, 1);
    assert_int_equal(api_user_me(box, &user)->status, 200);
}

/* --- who, and what --- */

static void the_key_of_operators_is_rotated_too_and_is_nobodys_to_trust(void **state)
{
    struct api_box *box = *state;
    const struct api_user before = owner;
    const struct api_box_environment *place = &box->environments[1];
    assert_memory_equal(place->id, operators_place(box->data->current)->record.id.data, sizeof place->id);

    const struct api_answer *answer = api_operator_ask(box, &owner, "POST", ROTATE, "{\"what\":\"operator-token\"}");

    assert_int_equal(answer->status, 200);
    assert_int_equal(place->count, 2);
    assert_int_equal(dev(box)->count, 1);
    assert_int_equal(api_operator_ask(box, &before, "GET", OPERATOR_ADMIN "/me", NULL)->status, 200);
    api_operator_sign_in(box, OPERATOR_EMAIL, &owner);
    assert_true(is_signed_by(place, 1, owner.access));
    assert_int_equal(api_operator_ask(box, &owner, "GET", OPERATOR_ADMIN "/me", NULL)->status, 200);
    assert_int_equal(published(box), 1);
}

static void a_rotation_of_what_there_is_not_is_refused(void **state)
{
    static const struct {
        unsigned int status;
        const char *body, *code;
    } cases[] = {
        {400, "{}", "common/invalid-parameters"},
        {400, "[]", "common/invalid-parameters"},
        {400, "{\"what\":7}", "common/invalid-parameters"},
        {400, "{\"what\":\"root\"}", "common/invalid-parameters"},
        {400, "{\"what\":\"pepper\"}", "common/invalid-parameters"},
        {400, "{\"what\":\"tokens\"}", "common/invalid-parameters"},
        {400, "{\"what\":\"token\"}", "common/invalid-parameters"},
        {400, "{\"what\":\"token\",\"projectId\":\"%s\"}", "common/invalid-parameters"},
        {400, "{\"what\":\"token\",\"projectId\":\"%s\",\"environment\":7}", "common/invalid-parameters"},
        {400, "{\"what\":\"token\",\"projectId\":\"%s\",\"environment\":\"dev\",\"now\":true}",
         "common/invalid-parameters"},
        {400, "{\"what\":\"operator-token\",\"projectId\":\"%s\"}", "common/invalid-parameters"},
        {400, "{\"what\":\"operator-token\",\"environment\":\"dev\"}", "common/invalid-parameters"},
        {404, "{\"what\":\"token\",\"projectId\":\"%s\",\"environment\":\"none\"}", "common/not-found"},
        {404, "{\"what\":\"token\",\"projectId\":\"11111111-1111-4111-8111-111111111111\",\"environment\":\"dev\"}",
         "common/not-found"},
    };
    struct api_box *box = *state;
    char body[256];

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const char *gap = strstr(cases[i].body, "%s");
        const size_t front = gap == NULL ? strlen(cases[i].body) : (size_t)(gap - cases[i].body);
        (void)snprintf(body, sizeof body, "%.*s%.*s%s", (int)front, cases[i].body,
                       gap == NULL ? 0 : (int)sizeof box->first.project_id, box->first.project_id,
                       gap == NULL ? "" : gap + 2);
        assert_refused(api_operator_ask(box, &owner, "POST", ROTATE, body), cases[i].status, cases[i].code);
    }
    assert_int_equal(dev(box)->count, 1);
}

static void attack_09_no_api_key_rotates(void **state)
{
    struct api_box *box = *state;
    char body[128];
    (void)snprintf(body, sizeof body, "{\"what\":\"token\",\"projectId\":\"%.*s\",\"environment\":\"dev\"}",
                   (int)sizeof box->first.project_id, box->first.project_id);

    assert_refused(api_box_send(box, "POST", box->secret, ROTATE, body), 403, "auth/forbidden");
    assert_refused(api_box_send(box, "POST", box->publishable, ROTATE, body), 403, "auth/forbidden");

    assert_int_equal(dev(box)->count, 1);
}

static void an_environment_that_goes_takes_all_its_keys_along(void **state)
{
    struct api_box *box = *state;
    assert_int_equal(rotate(box)->status, 200);
    char target[128];
    (void)snprintf(target, sizeof target, "/v1/admin/environments/%.*s", (int)sizeof dev(box)->id, dev(box)->id);
    const size_t before = box->environment_count;

    assert_int_equal(api_box_send(box, "DELETE", box->secret, target, "{\"confirmName\":\"dev\"}")->status, 200);

    assert_int_equal(box->environment_count, before - 1);
    assert_int_equal(published(box), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(after_a_rotation_the_new_key_signs_and_the_old_one_verifies),
        T(the_answer_names_the_keys_that_the_jwks_publishes),
        T(attack_09_a_key_counts_until_its_tokens_are_over_and_for_nothing_afterwards),
        T(a_key_that_ended_is_destroyed_at_the_next_start),
        T(rotations_beyond_the_keys_that_may_be_held_are_refused_until_one_ends),
        T(a_rotation_cut_off_before_its_commit_is_made_good_at_the_next_start),
        T(a_rotation_cut_off_after_its_commit_signs_from_the_next_start_on),
        T(a_rotation_that_failed_is_taken_up_by_the_next_one),
        T(a_keeper_that_does_not_hear_of_a_published_key_is_told_with_the_next_commit),
        T(a_key_that_nobody_published_signs_nothing_when_the_keeper_is_told_again),
        T(a_keeper_that_is_away_keeps_an_ended_key_and_no_write_from_being_done),
        T(the_key_of_operators_is_rotated_too_and_is_nobodys_to_trust),
        T(a_rotation_of_what_there_is_not_is_refused),
        T(attack_09_no_api_key_rotates),
        T(an_environment_that_goes_takes_all_its_keys_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
