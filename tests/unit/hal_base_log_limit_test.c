/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/base/log_limit.h: so many lines in a while, and the others counted. */
/* link: --wrap=log_event --wrap=log_fault */
#include "hal/base/log_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/log_count.h"

static const struct mono_time start = {UINT64_C(1000000000)};

static void say(struct log_limit *limit, struct mono_time now, unsigned int times)
{
    for (unsigned int i = 0; i < times; i++) {
        LOG_LIMITED(limit, now, LOG_WARN, "noise", LOG_NUMBER("i", i));
    }
}

static void so_many_lines_are_written_in_a_while_and_no_more(void **state)
{
    struct log_limit limit = {.lines = 0};
    (void)state;
    log_count_begin("noise");

    say(&limit, start, LOG_LIMIT_LINES + 100);
    say(&limit, mono_add_ms(start, LOG_LIMIT_MS - 1), 1);

    assert_int_equal(log_count.lines, LOG_LIMIT_LINES);
    assert_int_equal(log_count.left_out, 0);
}

static void the_next_line_after_the_while_tells_how_many_were_left_out_once(void **state)
{
    struct log_limit limit = {.lines = 0};
    (void)state;
    log_count_begin("noise");
    say(&limit, start, LOG_LIMIT_LINES + 100);

    say(&limit, mono_add_ms(start, LOG_LIMIT_MS), 1);
    assert_int_equal(log_count.lines, LOG_LIMIT_LINES + 1);
    assert_int_equal(log_count.left_out, 100);

    say(&limit, mono_add_ms(start, 2 * LOG_LIMIT_MS), 1);
    assert_int_equal(log_count.lines, LOG_LIMIT_LINES + 2);
    assert_int_equal(log_count.left_out, 100);
}

static enum err fail_so(void)
{
    FAIL(ERR_RANGE, "so", 0);
}

static void a_trail_is_gone_whether_it_was_written_or_not(void **state)
{
    struct log_limit limit = {.lines = 0};
    (void)state;
    log_count_begin("noise");

    for (unsigned int i = 0; i < LOG_LIMIT_LINES + 3; i++) {
        assert_int_equal(fail_so(), ERR_RANGE);
        log_limit_fault(&limit, start, LOG_WARN, "noise");
        assert_int_equal(fault_trail()->count, 0);
    }

    assert_int_equal(log_count.lines, LOG_LIMIT_LINES);
    assert_int_equal(limit.left_out, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_lines_are_written_in_a_while_and_no_more),
        cmocka_unit_test(the_next_line_after_the_while_tells_how_many_were_left_out_once),
        cmocka_unit_test(a_trail_is_gone_whether_it_was_written_or_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
