/* SPDX-License-Identifier: GPL-3.0-or-later */
/* More sign-ins than can be hashed: what their clients are answered. Spec: contract 1.3, 5.2. */
/* link: --wrap=http_respond --wrap=http_body --wrap=pwhash */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/config.h"
#include "tests/lib/api_user.h"

static sem_t begun;
static sem_t may_end;

/* Not to be guessed from the outside, and cheap. Says that it began and waits until it may end. */
enum err __wrap_pwhash(struct pwhash_cost cost, struct span input, struct span salt, uint8_t *out_hash);
enum err __wrap_pwhash(struct pwhash_cost cost, struct span input, struct span salt, uint8_t *out_hash)
{
    (void)cost;
    (void)salt;
    (void)sem_post(&begun);
    (void)sem_wait(&may_end);
    memcpy(out_hash, input.data, PWHASH_BYTES);
    return ERR_OK;
}

static int set_up(void **state)
{
    assert_int_equal(sem_init(&begun, 0, 0), 0);
    assert_int_equal(sem_init(&may_end, 0, 0), 0);
    return api_box_set_up(state);
}

static int tear_down(void **state)
{
    for (size_t i = 0; i < API_BOX_HASH_QUEUE + 2; i++) {
        (void)sem_post(&may_end); /* whatever a failed test has left */
    }
    const int result = api_box_tear_down(state);
    (void)sem_destroy(&begun);
    (void)sem_destroy(&may_end);
    return result;
}

static struct api_box_pending *begin(struct api_box *box)
{
    const struct api_ask ask = {
        .method = "POST", .target = SIGN_IN, .key = box->publishable, .body = ACCOUNT("ada@example.com", "abc123")};

    return api_box_begin(box, &ask);
}

/* The pool has one thread, which has a sign-in in hand from now on. */
static struct api_box_pending *begin_hashing(struct api_box *box)
{
    struct api_box_pending *pending = begin(box);

    while (sem_trywait(&begun) != 0) {
        assert_int_equal(loop_turn(box->loop, 1), ERR_OK);
    }
    return pending;
}

static void assert_told_to_come_later(const struct api_answer *answer)
{
    assert_refused(answer, 503, "common/unavailable");
    assert_non_null(strstr(answer->headers, "Retry-After: 2\n"));
}

static void attack_13_a_sign_in_beyond_the_queue_is_told_to_come_later(void **state)
{
    struct api_box *box = *state;
    struct api_box_pending *waiting[API_BOX_HASH_QUEUE];
    struct api_box_pending *first = begin_hashing(box);
    for (size_t i = 0; i < ARRAY_LENGTH(waiting); i++) {
        waiting[i] = begin(box);
    }

    assert_told_to_come_later(api_box_finish(box, begin(box)));

    for (size_t i = 0; i < 1 + ARRAY_LENGTH(waiting); i++) {
        (void)sem_post(&may_end);
    }
    assert_refused(api_box_finish(box, first), 401, "auth/invalid-credentials");
    for (size_t i = 0; i < 4; i++) { /* five failures are what contract 1.9 allows */
        assert_refused(api_box_finish(box, waiting[i]), 401, "auth/invalid-credentials");
    }
    for (size_t i = 4; i < ARRAY_LENGTH(waiting); i++) {
        assert_refused(api_box_finish(box, waiting[i]), 429, "auth/too-many-login-attempts");
    }
}

static void attack_13_a_sign_in_that_waited_too_long_is_told_to_come_later(void **state)
{
    struct api_box *box = *state;
    struct api_box_pending *first = begin_hashing(box);
    struct api_box_pending *late = begin(box);
    assert_int_equal(loop_turn(box->loop, 0), ERR_OK);

    sim_clock_advance_ms(&box->clock, CONFIG_AUTH_HASH_WAIT_MS);
    (void)sem_post(&may_end);
    (void)sem_post(&may_end);

    assert_refused(api_box_finish(box, first), 401, "auth/invalid-credentials");
    assert_told_to_come_later(api_box_finish(box, late));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(attack_13_a_sign_in_beyond_the_queue_is_told_to_come_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(attack_13_a_sign_in_that_waited_too_long_is_told_to_come_later, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
