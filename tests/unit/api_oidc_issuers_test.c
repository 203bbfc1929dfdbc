/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is known of OpenID Connect issuers, and what happens when they do not answer. Spec: contract 5.8. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

static void pass(struct api_box *box, uint64_t ms)
{
    sim_clock_advance_ms(&box->clock, ms);
    assert_int_equal(loop_turn(box->loop, 0), ERR_OK);
}

/* The body with a token that names a key which nobody has. */
static const char *made_up(struct api_box *box, const char *kid)
{
    static char body[9000];
    struct api_issuer *issuer = api_issuer_of(box);
    const char *real = issuer->kid;

    issuer->kid = kid;
    (void)snprintf(body, sizeof body, "%s", api_issuer_body(api_issuer_token(issuer, GRACE), ""));
    issuer->kid = real;
    return body;
}

static void attack_09_unknown_keys_are_asked_for_four_times_and_then_once_in_fifteen_seconds(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);
    assert_int_equal(post_token(box, GRACE)->status, 200);

    for (unsigned int i = 1; i <= 6; i++) {
        assert_refused(post(box, made_up(box, "k9")), 401, "auth/invalid-oauth-code");
        assert_int_equal(issuer->keys, i < 4 ? 1 + i : 5);
    }
    pass(box, 14999);
    assert_refused(post(box, made_up(box, "k9")), 401, "auth/invalid-oauth-code");
    assert_int_equal(issuer->keys, 5);
    pass(box, 1);
    assert_refused(post(box, made_up(box, "k9")), 401, "auth/invalid-oauth-code");
    assert_int_equal(issuer->keys, 6);
    assert_refused(post(box, made_up(box, "k9")), 401, "auth/invalid-oauth-code");
    assert_int_equal(issuer->keys, 6);
    pass(box, 3600u * 1000 - 15000); /* as many again, and no more */
    for (unsigned int i = 1; i <= 5; i++) {
        assert_refused(post(box, made_up(box, "k9")), 401, "auth/invalid-oauth-code");
    }
    assert_int_equal(issuer->keys, 10);
}

static void a_made_up_key_does_not_stand_in_the_way_of_a_new_one(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);
    assert_int_equal(post_token(box, GRACE)->status, 200);
    for (unsigned int i = 0; i < 3; i++) {
        assert_refused(post(box, made_up(box, "k9")), 401, "auth/invalid-oauth-code");
    }

    api_issuer_new_key(issuer, "k2");
    assert_int_equal(post_token(box, GRACE)->status, 200);
    assert_int_equal(issuer->keys, 5);
    api_issuer_new_key(issuer, "k3"); /* too soon after all that: for seconds, not a minute */
    assert_refused(post_token(box, GRACE), 401, "auth/invalid-oauth-code");
    pass(box, 15000);
    assert_int_equal(post_token(box, GRACE)->status, 200);
}

static void a_token_is_not_to_blame_when_newer_keys_cannot_be_had(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);
    assert_int_equal(post_token(box, GRACE)->status, 200);
    api_issuer_new_key(issuer, "k2");

    issuer->result = OUTBOUND_TEMPORARY;
    assert_refused(post_token(box, GRACE), 500, "auth/oauth-callback-failed");
    issuer->result = OUTBOUND_DONE;
    issuer->status = 503;
    assert_refused(post_token(box, GRACE), 500, "auth/oauth-callback-failed");
    issuer->refuses = ERR_LIMIT;
    assert_refused(post_token(box, GRACE), 503, "common/unavailable");
    issuer->refuses = ERR_OK;
    issuer->status = 200;
    issuer->result = OUTBOUND_TEMPORARY;
    assert_refused(post(box, made_up(box, "k1")), 401, "auth/invalid-oauth-code"); /* the known key has not signed it */
    pass(box, 15000);
    issuer->result = OUTBOUND_DONE;
    assert_int_equal(post_token(box, GRACE)->status, 200);
}

static void what_nobody_was_asked_for_may_be_tried_again(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);
    issuer->result = OUTBOUND_TEMPORARY;
    issuer->stage = OUTBOUND_AT_QUEUE;

    const struct api_answer *unknown = post(box, CODE);
    assert_refused(unknown, 503, "common/unavailable");
    assert_non_null(strstr(unknown->headers, "Retry-After: "));
    issuer->result = OUTBOUND_DONE;
    assert_int_equal(post_token(box, GRACE)->status, 200);
    issuer->result = OUTBOUND_TEMPORARY;
    assert_refused(post(box, CODE), 503, "common/unavailable");
}

static void keys_outlive_an_issuer_that_is_away_by_a_day_at_most(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);
    assert_int_equal(post_token(box, GRACE)->status, 200);
    issuer->result = OUTBOUND_TEMPORARY;

    sim_clock_advance_ms(&box->clock, 3599u * 1000);
    assert_int_equal(loop_turn(box->loop, 0), ERR_OK);
    assert_int_equal(post_token(box, GRACE)->status, 200);
    sim_clock_advance_ms(&box->clock, 3600u * 1000);
    assert_int_equal(loop_turn(box->loop, 0), ERR_OK);
    assert_int_equal(post_token(box, GRACE)->status, 200);
    sim_clock_advance_ms(&box->clock, 86400u * 1000);
    assert_int_equal(loop_turn(box->loop, 0), ERR_OK);
    assert_refused(post_token(box, GRACE), 500, "auth/oauth-callback-failed");
}

/* Whoever waited looks again when the fetch has failed: that must not begin another one, however long the first took. */
static void who_waits_for_a_slow_issuer_waits_for_one_fetch(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);
    static char body[9000];
    const struct api_ask ask = {.method = "POST", .target = CALLBACK, .key = box->publishable, .body = body};
    assert_int_equal(post_token(box, GRACE)->status, 200);
    sim_clock_advance_ms(&box->clock, 3601u * 1000);
    assert_int_equal(loop_turn(box->loop, 0), ERR_OK);
    (void)snprintf(body, sizeof body, "%s", api_issuer_body(api_issuer_token(issuer, GRACE), ""));
    issuer->status = 500;

    struct api_box_pending *pending = api_box_begin(box, &ask);
    sim_clock_advance_ms(&box->clock, 61u * 1000);
    assert_int_equal(api_box_finish(box, pending)->status, 200);
    assert_int_equal(issuer->documents, 2);
}

static void all_who_need_an_issuer_wait_for_one_fetch(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);
    struct api_box_pending *pending[3];
    const struct api_ask ask = {.method = "POST", .target = CALLBACK, .key = box->publishable, .body = CODE};

    for (size_t i = 0; i < ARRAY_LENGTH(pending); i++) {
        pending[i] = api_box_begin(box, &ask);
        assert_false(api_box_is_done(pending[i]));
    }
    api_box_hang_up(pending[1]); /* whose client is gone */
    for (size_t i = 0; i < ARRAY_LENGTH(pending); i++) {
        (void)api_box_finish(box, pending[i]);
    }
    assert_int_equal(issuer->documents, 1);
    assert_int_equal(issuer->keys, 1);
    assert_int_equal(issuer->exchanges, 3);
}

#define T(test) cmocka_unit_test_setup_teardown(test, api_issuer_set_up, api_issuer_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(attack_09_unknown_keys_are_asked_for_four_times_and_then_once_in_fifteen_seconds),
        T(a_made_up_key_does_not_stand_in_the_way_of_a_new_one),
        T(a_token_is_not_to_blame_when_newer_keys_cannot_be_had),
        T(what_nobody_was_asked_for_may_be_tried_again),
        T(keys_outlive_an_issuer_that_is_away_by_a_day_at_most),
        T(who_waits_for_a_slow_issuer_waits_for_one_fetch),
        T(all_who_need_an_issuer_wait_for_one_fetch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
