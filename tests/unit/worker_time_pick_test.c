/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/worker/time_pick.h: who is believed. attacks.md class 19: a source that sets the clock back. */
#include "firmware/worker/time_pick.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define MS     INT64_C(1000000)
#define YEAR   (INT64_C(365) * 86400 * 1000 * MS)
#define NOBODY 99

struct line {
    struct {
        int64_t offset_ms;
        uint64_t error_ms; /* 0: it has not answered */
        bool authenticated;
    } voices[4];
    enum err err;
    size_t chosen;
};

static void assert_picks(const struct line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct time_voice voices[4];
        size_t chosen = NOBODY;

        for (size_t at = 0; at < ARRAY_LENGTH(voices); at++) {
            voices[at] = (struct time_voice){.is_there = lines[i].voices[at].error_ms != 0,
                                             .authenticated = lines[i].voices[at].authenticated,
                                             .offset_ns = lines[i].voices[at].offset_ms * MS,
                                             .error_ns = lines[i].voices[at].error_ms * (uint64_t)MS};
        }
        const enum err err = time_pick(voices, ARRAY_LENGTH(voices), &chosen);

        if (err != lines[i].err || chosen != (err == ERR_OK ? lines[i].chosen : NOBODY)) {
            fail_msg("line %zu: %s, %zu", i, err_name(err), chosen);
        }
    }
}

static void the_most_exact_of_those_who_agree_counts(void **state)
{
    static const struct line lines[] = {
        {{{5000, 10, false}}, ERR_OK, 0},
        {{{0, 0, false}, {5000, 10, false}}, ERR_OK, 1},
        {{{5000, 20, false}, {5010, 10, false}}, ERR_OK, 1},
        {{{5000, 20, false}, {5010, 5, false}, {4995, 10, false}}, ERR_OK, 1},
        {{{0, 10, false}, {20, 10, false}}, ERR_OK, 0}, /* they touch */
    };

    (void)state;
    assert_picks(lines, ARRAY_LENGTH(lines));
}

static void attack_19_one_that_lies_is_outvoted_by_two(void **state)
{
    static const struct line lines[] = {
        {{{-100000, 1, false}, {5, 20, false}, {10, 15, false}}, ERR_OK, 2},
        {{{5, 20, false}, {100000, 1, false}, {10, 15, false}}, ERR_OK, 2},
        {{{5, 20, false}, {10, 15, false}, {-100000, 1, false}}, ERR_OK, 1},
        {{{5, 20, false}, {10, 15, false}, {-100000, 1, false}, {0, 30, false}}, ERR_OK, 1},
    };

    (void)state;
    assert_picks(lines, ARRAY_LENGTH(lines));
}

static void without_a_majority_nobody_is_believed(void **state)
{
    static const struct line lines[] = {
        {{{0, 10, false}, {21, 10, false}}, ERR_CONFLICT, 0},
        {{{0, 10, false}, {100, 10, false}, {200, 10, false}}, ERR_CONFLICT, 0},
        {{{0, 10, false}, {5, 10, false}, {100, 10, false}, {105, 10, false}}, ERR_CONFLICT, 0},
        {{{0, 0, false}}, ERR_NOT_FOUND, 0},
        {{{0, 1501, false}, {0, 2000, false}}, ERR_NOT_FOUND, 0},
    };

    (void)state;
    assert_picks(lines, ARRAY_LENGTH(lines));
}

static void attack_19_who_has_not_authenticated_itself_does_not_outvote_who_has(void **state)
{
    static const struct line lines[] = {
        {{{0, 100, true}, {100000, 1, false}, {100000, 1, false}, {100000, 1, false}}, ERR_OK, 0},
        {{{100000, 1, false}, {0, 100, true}, {50, 90, true}, {100000, 1, false}}, ERR_OK, 2},
        {{{0, 10, true}, {100, 10, true}, {0, 5, false}, {0, 5, false}}, ERR_CONFLICT, 0},
        {{{0, 1501, true}, {70, 5, false}}, ERR_OK, 1}, /* it has no voice */
    };

    (void)state;
    assert_picks(lines, ARRAY_LENGTH(lines));
}

static void voices_at_the_ends_of_time_are_counted_without_overflow(void **state)
{
    const struct time_voice voices[] = {
        {.is_there = true, .offset_ns = 200 * YEAR / 2, .error_ns = TIME_PICK_ERROR_MAX_NS},
        {.is_there = true, .offset_ns = -200 * YEAR / 2, .error_ns = TIME_PICK_ERROR_MAX_NS},
        {.is_there = true, .offset_ns = 0, .error_ns = UINT64_MAX},
    };
    size_t chosen = NOBODY;

    (void)state;
    assert_int_equal(time_pick(voices, ARRAY_LENGTH(voices), &chosen), ERR_CONFLICT);
    assert_int_equal(time_pick(voices, 1, &chosen), ERR_OK);
    assert_int_equal(time_pick(voices, 0, &chosen), ERR_NOT_FOUND);
    fault_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_exact_of_those_who_agree_counts),
        cmocka_unit_test(attack_19_one_that_lies_is_outvoted_by_two),
        cmocka_unit_test(without_a_majority_nobody_is_believed),
        cmocka_unit_test(attack_19_who_has_not_authenticated_itself_does_not_outvote_who_has),
        cmocka_unit_test(voices_at_the_ends_of_time_are_counted_without_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
