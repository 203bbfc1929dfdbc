/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/keeper/bucket.h: one second's worth at once, and then as the clock goes. */
/* link: --wrap=log_event --wrap=log_fault */
#include "firmware/keeper/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/lib/log_count.h"

static void a_bucket_gives_what_a_second_gives_and_no_more(void **state)
{
    struct bucket bucket;
    const struct mono_time start = {UINT64_C(1000000000)};

    bucket_init(&bucket, 2, "tests", start);

    assert_int_equal(bucket_take(&bucket, start), ERR_OK);
    assert_int_equal(bucket_take(&bucket, start), ERR_OK);
    assert_int_equal(bucket_take(&bucket, start), ERR_LIMIT);
    assert_int_equal(bucket_take(&bucket, mono_add_ms(start, 499)), ERR_LIMIT);
    assert_int_equal(bucket_take(&bucket, mono_add_ms(start, 500)), ERR_OK);
    assert_int_equal(bucket_take(&bucket, mono_add_ms(start, 500)), ERR_LIMIT);
}

static void a_bucket_gives_as_much_however_often_it_is_asked(void **state)
{
    struct bucket bucket;
    const struct mono_time start = {UINT64_C(1000000000)};
    unsigned int taken = 0;

    bucket_init(&bucket, 6, "tests", start);
    for (uint64_t ms = 0; ms < 10000; ms += 100) { /* 0.6 of one each time */
        taken += bucket_take(&bucket, mono_add_ms(start, ms)) == ERR_OK ? 1 : 0;
    }

    assert_in_range(taken, 6 + 58, 6 + 60);
}

static void a_bucket_that_was_left_alone_does_not_grow(void **state)
{
    struct bucket bucket;
    const struct mono_time start = {UINT64_C(1000000000)};
    const struct mono_time later = mono_add_ms(start, 3600000);
    unsigned int taken = 0;

    bucket_init(&bucket, 5, "tests", start);
    while (bucket_take(&bucket, later) == ERR_OK) {
        taken++;
    }

    assert_int_equal(taken, 5);
}

static void who_asks_at_the_edge_does_not_fill_the_log(void **state)
{
    struct bucket bucket;
    struct mono_time now = {UINT64_C(1000000000)};
    (void)state;
    bucket_init(&bucket, 100, "tests", now);
    while (bucket_take(&bucket, now) == ERR_OK) {
    }
    log_count_begin("keeper_limits");

    for (int i = 0; i < 500; i++) { /* one earned, one too many */
        now = mono_add_ms(now, 10);
        assert_int_equal(bucket_take(&bucket, now), ERR_OK);
        assert_int_equal(bucket_take(&bucket, now), ERR_LIMIT);
    }

    assert_int_equal(log_count.lines, LOG_LIMIT_LINES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_gives_what_a_second_gives_and_no_more),
        cmocka_unit_test(a_bucket_gives_as_much_however_often_it_is_asked),
        cmocka_unit_test(a_bucket_that_was_left_alone_does_not_grow),
        cmocka_unit_test(who_asks_at_the_edge_does_not_fill_the_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
