/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/clock.h as Linux has it: which of the kernel's clocks is asked, and what its answer becomes. */
/* link: --wrap=clock_gettime */
#include "hal/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static const struct timespec since_boot = {.tv_sec = 7, .tv_nsec = 123456789};
static const struct timespec calendar = {.tv_sec = 1767225600, .tv_nsec = 999999999}; /* 2026-01-01 and almost a second */

int __wrap_clock_gettime(clockid_t which, struct timespec *out_time);

int __wrap_clock_gettime(clockid_t which, struct timespec *out_time)
{
    if (which != CLOCK_BOOTTIME && which != CLOCK_REALTIME) {
        return -1;
    }
    *out_time = which == CLOCK_BOOTTIME ? since_boot : calendar;
    return 0;
}

static void the_monotonic_clock_counts_nanoseconds_since_boot_with_sleep(void **state)
{
    assert_int_equal(hal_clock_mono(hal_clock_system()).ns, 7123456789);
}

static void the_wall_clock_counts_whole_milliseconds_of_the_calendar(void **state)
{
    assert_int_equal(hal_clock_wall(hal_clock_system()).ms, 1767225600999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_monotonic_clock_counts_nanoseconds_since_boot_with_sleep),
        cmocka_unit_test(the_wall_clock_counts_whole_milliseconds_of_the_calendar),
    };

    return cmocka_run_group_tests_name("hal_clock", tests, NULL, NULL);
}
