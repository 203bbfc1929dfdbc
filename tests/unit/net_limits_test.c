/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/limits.h: exact under threads, windows that end, holds that come back. */
#include "net/limits.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/stack.h"

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

/* --- many strangers --- */

#define MILLION 1000000u

static const struct limits_rule by_address = {.kind = LIMITS_KIND_KEPT, .limit = 5, .window_s = 900};
static const struct limits_rule by_account = {.kind = LIMITS_KIND_KEPT + 1, .limit = 50, .window_s = 900};

static uint32_t left_of(struct limits *limits, const struct limits_rule *of, struct span key, int64_t now_s)
{
    struct limits_state state = {0};

    const enum err err = limits_look(limits, of, key, at_s(now_s), &state);
    assert_int_equal(err, state.remaining > 0 ? ERR_OK : ERR_LIMIT);
    return state.remaining;
}

/* `times` units, all of which there are. */
static void take(struct limits *limits, const struct limits_rule *of, struct span key, uint32_t times)
{
    struct limits_state state = {0};

    for (uint32_t i = 0; i < times; i++) {
        assert_int_equal(limits_take(limits, of, key, at_s(1), &state), ERR_OK);
    }
}

/* Each fails once, at an account of its own, and once at the victim's where anything is left there. */
static void attack_13_a_million_addresses_neither_reset_a_counter_nor_lock_out_others(void **state)
{
    struct limits *limits = *state;
    struct limits_state left = {0};
    take(limits, &by_account, span_lit("victim"), 49);
    take(limits, &by_address, span_lit("victim from one address"), 5);

    for (uint32_t i = 0; i < MILLION; i++) {
        const uint32_t key[2] = {i, 7};
        assert_int_equal(limits_take(limits, &by_address, span_of(key, sizeof key), at_s(2), &left), ERR_OK);
        assert_int_equal(limits_take(limits, &by_account, span_of(key, sizeof key[0]), at_s(2), &left), ERR_OK);
    }

    assert_int_equal(left_of(limits, &by_account, span_lit("victim"), 3), 1);
    assert_int_equal(left_of(limits, &by_address, span_lit("victim from one address"), 3), 0);
    assert_int_equal(limits_take(limits, &by_account, span_lit("victim"), at_s(3), &left), ERR_OK);
    assert_int_equal(limits_take(limits, &by_account, span_lit("victim"), at_s(3), &left), ERR_LIMIT);
    for (uint32_t i = 0; i < 10000; i++) { /* who did nothing has everything left */
        const uint32_t key[2] = {i, 8};
        assert_int_equal(left_of(limits, &by_address, span_of(key, sizeof key), 3), 5);
        assert_int_equal(left_of(limits, &by_account, span_of(key, sizeof key), 3), 50);
    }
    assert_int_equal(left_of(limits, &by_account, span_lit("victim"), 900), 50); /* the next window */
}

/* Requests are free of charge: thirty of each of a hundred thousand addresses. */
static void attack_13_what_costs_nothing_pushes_no_failed_sign_in_out(void **state)
{
    struct limits *limits = *state;
    struct limits_state left = {0};
    take(limits, &by_account, span_lit("victim"), 1);

    for (uint32_t i = 0; i < 30 * 100000; i++) {
        const uint32_t key = i % 100000;
        assert_int_equal(limits_take(limits, &rule, span_of(&key, sizeof key), at_s(2), &left), ERR_OK);
    }

    assert_int_equal(left_of(limits, &by_account, span_lit("victim"), 3), 49);
}

static void an_ipv6_address_counts_by_its_64_and_an_ipv4_address_whole(void **state UNUSED)
{
    struct socket_address one = {.family = SOCKET_IPV6, .ip = {0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5}};
    struct socket_address neighbour = one;
    struct socket_address other = one;
    neighbour.ip[8] = 6;
    neighbour.ip[15] = 1;
    other.ip[7] = 5;
    assert_true(span_equal(stack_address_key(&one), stack_address_key(&neighbour)));
    assert_false(span_equal(stack_address_key(&one), stack_address_key(&other)));

    one = (struct socket_address){.family = SOCKET_IPV4, .ip = {192, 0, 2, 1}};
    other = (struct socket_address){.family = SOCKET_IPV4, .ip = {192, 0, 2, 2}};
    assert_false(span_equal(stack_address_key(&one), stack_address_key(&other)));
}

/* --- across a start --- */

/* The blocks that changed, into another table of another seed. */
static void carry(struct limits *from, struct limits *to, int64_t written_s, int64_t read_s)
{
    SCOPED_BUF struct buf *bytes = NULL;
    assert_int_equal(buf_new(LIMITS_KEPT_BYTES, &bytes), ERR_OK);

    for (uint32_t block = 0; block < LIMITS_KEPT_BLOCKS; block++) {
        if (limits_kept_changed(from, block)) {
            buf_reset(bytes);
            assert_int_equal(limits_kept_write(from, block, at_s(written_s), bytes), ERR_OK);
            assert_false(limits_kept_changed(from, block));
            assert_int_equal(limits_kept_read(to, buf_all(bytes), at_s(read_s)), ERR_OK);
        }
    }
}

static struct limits *other_limits(void)
{
    static const uint8_t other_seed[LIMITS_SEED_BYTES] = {9};
    struct limits *limits = NULL;

    assert_int_equal(limits_new(1024, other_seed, &limits), ERR_OK);
    return limits;
}

static void kept_counters_go_on_where_they_were(void **state)
{
    struct limits *next = other_limits();
    struct limits_state left = {0};
    for (uint32_t i = 0; i < 200; i++) {
        take(*state, &by_account, span_of(&i, sizeof i), 1 + i % 50);
    }

    carry(*state, next, 600, 700);

    for (uint32_t i = 0; i < 200; i++) {
        assert_int_equal(left_of(next, &by_account, span_of(&i, sizeof i), 700), 49 - i % 50);
    }
    const uint32_t full = 49;
    assert_int_equal(limits_take(next, &by_account, span_of(&full, sizeof full), at_s(899), &left), ERR_LIMIT);
    assert_int_equal(left.reset_s, 900);
    assert_int_equal(limits_take(next, &by_account, span_of(&full, sizeof full), at_s(900), &left), ERR_OK);
    limits_free(next);
}

static void only_kept_counters_change_a_block(void **state)
{
    struct limits *limits = *state;
    struct limits_state left = {0};
    uint32_t changed = 0;

    assert_int_equal(limits_take(limits, &rule, span_lit("k"), at_s(1), &left), ERR_OK);
    assert_int_equal(limits_look(limits, &by_account, span_lit("k"), at_s(1), &left), ERR_OK);
    for (uint32_t block = 0; block < LIMITS_KEPT_BLOCKS; block++) {
        assert_false(limits_kept_changed(limits, block));
    }
    assert_int_equal(limits_take(limits, &by_account, span_lit("k"), at_s(1), &left), ERR_OK);
    for (uint32_t block = 0; block < LIMITS_KEPT_BLOCKS; block++) {
        changed += limits_kept_changed(limits, block);
    }

    assert_int_equal(changed, 1);
    limits_kept_unsaved(limits, 3);
    assert_true(limits_kept_changed(limits, 3));
}

/* Also after exactly as long as the ends of windows take to come round in a cell, and after the clock was set back. */
static void a_window_that_is_over_is_not_read(void **state)
{
    static const int64_t reads[] = {900, 901, 86400, (1 << 18) + 2, (1 << 18) + 899, -200000, -262500};
    struct limits_state left = {0};

    for (size_t i = 0; i < ARRAY_LENGTH(reads); i++) {
        const int64_t now_s = 300000 + reads[i];
        struct limits *next = other_limits();
        assert_int_equal(limits_take(*state, &by_address, span_of(&i, sizeof i), at_s(300000), &left), ERR_OK);
        carry(*state, next, 300001, now_s);

        assert_int_equal(left_of(next, &by_address, span_of(&i, sizeof i), now_s), 5);
        limits_free(next);
    }
}

static void bytes_that_are_no_block_are_refused(void **state)
{
    SCOPED_BUF struct buf *bytes = NULL;
    uint8_t copy[LIMITS_KEPT_BYTES];
    uint32_t block = 0;
    take(*state, &by_account, span_lit("k"), 3);
    while (!limits_kept_changed(*state, block)) {
        block++;
    }
    assert_int_equal(buf_new(LIMITS_KEPT_BYTES, &bytes), ERR_OK);
    assert_int_equal(limits_kept_write(*state, block, at_s(2), bytes), ERR_OK);
    const size_t len = buf_len(bytes);
    assert_int_equal(len, 26 + 10);

    for (size_t cut = 0; cut < len; cut++) {
        struct limits *next = other_limits();
        const enum err err = limits_kept_read(next, span_of(buf_all(bytes).data, cut), at_s(2));
        assert_int_equal(err, cut == 26 ? ERR_OK : ERR_MALFORMED);
        limits_free(next);
    }
    static const struct {
        size_t at;
        uint8_t value;
    } flips[] = {{0, 2}, {1, LIMITS_KEPT_BLOCKS}, {18, 0xff}, {26, 0xff}};
    for (size_t i = 0; i < ARRAY_LENGTH(flips); i++) {
        struct limits *next = other_limits();
        memcpy(copy, buf_all(bytes).data, len);
        copy[flips[i].at] = flips[i].value;
        assert_int_equal(limits_kept_read(next, span_of(copy, len), at_s(2)), ERR_MALFORMED);
        assert_int_equal(left_of(next, &by_account, span_lit("k"), 3), 50);
        limits_free(next);
    }
}

/* A block of another life of the table has other hashes. */
static void a_block_under_another_seed_is_passed_over(void **state)
{
    struct limits *next = other_limits();
    struct limits *third = other_limits();
    take(*state, &by_account, span_lit("k"), 3);
    take(third, &by_account, span_lit("k"), 7);
    carry(*state, next, 2, 2);

    carry(third, next, 2, 2);

    assert_int_equal(left_of(next, &by_account, span_lit("k"), 3), 47);
    limits_free(next);
    limits_free(third);
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
        FIXTURE_TEST(attack_13_a_million_addresses_neither_reset_a_counter_nor_lock_out_others),
        FIXTURE_TEST(attack_13_what_costs_nothing_pushes_no_failed_sign_in_out),
        cmocka_unit_test(an_ipv6_address_counts_by_its_64_and_an_ipv4_address_whole),
        FIXTURE_TEST(kept_counters_go_on_where_they_were),
        FIXTURE_TEST(only_kept_counters_change_a_block),
        FIXTURE_TEST(a_window_that_is_over_is_not_read),
        FIXTURE_TEST(bytes_that_are_no_block_are_refused),
        FIXTURE_TEST(a_block_under_another_seed_is_passed_over),
    };

    return cmocka_run_group_tests_name("net/limits", tests, NULL, NULL);
}
