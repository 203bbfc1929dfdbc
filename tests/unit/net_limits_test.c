/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/limits.h: exact under threads, windows that end, holds that come back. */
#include "net/limits.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include <cmocka.h>

#define THREADS 4

static const uint8_t seed[LIMITS_SEED_BYTES] = {1, 2, 3};
static const struct limits_rule rule = {.kind = 16, .limit = 6000, .window_s = 60};

static struct wall_time at_s(int64_t seconds)
{
    return (struct wall_time){seconds * 1000};
}

static int make_limits(void **state)
{
    struct limits *limits = NULL;

    assert_int_equal(limits_new(1024, seed, &limits), ERR_OK);
    *state = limits;
    return 0;
}

static int free_limits(void **state)
{
    limits_free(*state);
    return 0;
}

static void limits_take_counts_down_and_says_when_the_window_ends(void **state)
{
    const struct limits_rule three = {.kind = 16, .limit = 3, .window_s = 60};
    struct limits_state left = {0};

    assert_int_equal(limits_take(*state, &three, span_lit("k"), at_s(130), &left), ERR_OK);
    assert_int_equal(left.remaining, 2);
    assert_int_equal(left.reset_s, 180);
    assert_int_equal(limits_take(*state, &three, span_lit("k"), at_s(131), &left), ERR_OK);
    assert_int_equal(limits_take(*state, &three, span_lit("k"), at_s(179), &left), ERR_OK);
    assert_int_equal(left.remaining, 0);

    assert_int_equal(limits_take(*state, &three, span_lit("k"), at_s(179), &left), ERR_LIMIT);
    assert_int_equal(left.remaining, 0);
    assert_int_equal(left.reset_s, 180);
    assert_int_equal(limits_take(*state, &three, span_lit("other"), at_s(179), &left), ERR_OK);
    assert_int_equal(limits_take(*state, &three, span_lit("k"), at_s(180), &left), ERR_OK);
    assert_int_equal(left.remaining, 2);
    assert_int_equal(left.reset_s, 240);
}

static void limits_look_takes_nothing(void **state)
{
    const struct limits_rule one = {.kind = 16, .limit = 1, .window_s = 60};
    struct limits_state left = {0};

    assert_int_equal(limits_look(*state, &one, span_lit("k"), at_s(1), &left), ERR_OK);
    assert_int_equal(left.remaining, 1);
    assert_int_equal(limits_take(*state, &one, span_lit("k"), at_s(1), &left), ERR_OK);
    assert_int_equal(limits_look(*state, &one, span_lit("k"), at_s(1), &left), ERR_LIMIT);
    assert_int_equal(left.remaining, 0);
}

static void limits_of_different_kinds_and_windows_are_apart(void **state)
{
    const struct limits_rule a = {.kind = 16, .limit = 1, .window_s = 60};
    const struct limits_rule b = {.kind = 17, .limit = 1, .window_s = 60};
    const struct limits_rule c = {.kind = 16, .limit = 1, .window_s = 3600};
    struct limits_state left = {0};

    assert_int_equal(limits_take(*state, &a, span_lit("k"), at_s(1), &left), ERR_OK);
    assert_int_equal(limits_take(*state, &b, span_lit("k"), at_s(1), &left), ERR_OK);
    assert_int_equal(limits_take(*state, &c, span_lit("k"), at_s(1), &left), ERR_OK);
    assert_int_equal(limits_take(*state, &a, span_lit("k"), at_s(1), &left), ERR_LIMIT);
}

static void limits_reader_of_an_older_clock_does_not_open_the_old_window_again(void **state)
{
    const struct limits_rule one = {.kind = 16, .limit = 1, .window_s = 60};
    struct limits_state left = {0};

    assert_int_equal(limits_take(*state, &one, span_lit("k"), at_s(60), &left), ERR_OK);
    assert_int_equal(limits_take(*state, &one, span_lit("k"), at_s(59), &left), ERR_LIMIT);
    assert_int_equal(left.reset_s, 120);
}

static void attack_13_limits_keep_counting_while_strangers_fill_the_table(void **state)
{
    struct limits_state left = {0};

    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(limits_take(*state, &rule, span_lit("k"), at_s(1), &left), ERR_OK);
    }
    for (uint32_t i = 0; i < 200000; i++) {
        assert_int_equal(limits_take(*state, &rule, span_of(&i, sizeof(i)), at_s(1), &left), ERR_OK);
    }
    assert_int_equal(limits_look(*state, &rule, span_lit("k"), at_s(1), &left), ERR_OK);
    assert_int_equal(left.remaining, 5900);
}

struct takers {
    struct limits *limits;
    atomic_uint granted;
    atomic_uint refused;
};

static void *take_many(void *context)
{
    struct takers *const takers = context;

    for (unsigned int i = 0; i < 3000; i++) {
        struct limits_state left = {0};

        if (limits_take(takers->limits, &rule, span_lit("shared"), at_s(30), &left) == ERR_OK) {
            atomic_fetch_add(&takers->granted, 1);
        } else {
            atomic_fetch_add(&takers->refused, 1);
        }
    }
    return NULL;
}

static void limits_take_is_exact_over_four_threads(void **state)
{
    struct takers takers = {.limits = *state};
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, &takers), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(takers.granted, 6000);
    assert_int_equal(takers.refused, 6000);
}

static void *hold_many(void *context)
{
    struct takers *const takers = context;

    for (unsigned int i = 0; i < 2000; i++) {
        if (limits_hold(takers->limits, 1, span_lit("address"), 3) == ERR_OK) {
            if (atomic_fetch_add(&takers->granted, 1) >= 3) {
                atomic_fetch_add(&takers->refused, 1); /* more than three at once */
            }
            atomic_fetch_sub(&takers->granted, 1);
            limits_drop(takers->limits, 1, span_lit("address"));
        }
    }
    return NULL;
}

static void limits_hold_never_gives_more_than_the_limit_at_once(void **state)
{
    struct takers takers = {.limits = *state};
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, hold_many, &takers), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(takers.refused, 0);
    assert_int_equal(takers.granted, 0);
}

static void limits_hold_comes_back_with_drop(void **state)
{
    assert_int_equal(limits_hold(*state, 1, span_lit("a"), 2), ERR_OK);
    assert_int_equal(limits_hold(*state, 1, span_lit("a"), 2), ERR_OK);
    assert_int_equal(limits_hold(*state, 1, span_lit("a"), 2), ERR_LIMIT);
    assert_int_equal(limits_hold(*state, 1, span_lit("b"), 2), ERR_OK);
    assert_int_equal(limits_hold(*state, 2, span_lit("a"), 2), ERR_OK);
    limits_drop(*state, 1, span_lit("a"));

    assert_int_equal(limits_hold(*state, 1, span_lit("a"), 2), ERR_OK);
}

static void limits_new_refuses_a_table_without_room(void **state)
{
    struct limits *limits = NULL;

    (void)state;
    assert_int_equal(limits_new(0, seed, &limits), ERR_RANGE);
    assert_int_equal(limits_new(SIZE_MAX / 4, seed, &limits), ERR_RANGE);
    assert_null(limits);
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, make_limits, free_limits)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(limits_take_counts_down_and_says_when_the_window_ends),
        FIXTURE_TEST(limits_look_takes_nothing),
        FIXTURE_TEST(limits_of_different_kinds_and_windows_are_apart),
        FIXTURE_TEST(limits_reader_of_an_older_clock_does_not_open_the_old_window_again),
        FIXTURE_TEST(attack_13_limits_keep_counting_while_strangers_fill_the_table),
        FIXTURE_TEST(limits_take_is_exact_over_four_threads),
        FIXTURE_TEST(limits_hold_never_gives_more_than_the_limit_at_once),
        FIXTURE_TEST(limits_hold_comes_back_with_drop),
        cmocka_unit_test(limits_new_refuses_a_table_without_room),
    };

    return cmocka_run_group_tests_name("net/limits", tests, NULL, NULL);
}
