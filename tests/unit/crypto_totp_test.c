/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <valgrind/memcheck.h>

#include "crypto/totp.h"
#include "hal/base/fault.h"
#include "tests/data/totp_known.h"

#define KEY     span_lit(TOTP_KNOWN_KEY)
#define NOW_S   1234567890
#define NOW     ((uint64_t)(NOW_S / TOTP_STEP_S))
#define NOTHING ((struct totp_seen){0, 0})

static struct span code_of(uint64_t step, char text[TOTP_DIGITS + 1])
{
    (void)snprintf(text, TOTP_DIGITS + 1, "%06u", (unsigned int)(totp_number(KEY, step) % 1000000));
    return span_of(text, TOTP_DIGITS);
}

static enum err ask(int64_t now_s, uint64_t step, struct totp_seen *seen)
{
    char text[TOTP_DIGITS + 1];
    const enum err err = totp_accept(KEY, (struct wall_time){now_s * 1000}, code_of(step, text), seen, seen);

    fault_clear();
    return err;
}

static void numbers_are_those_of_rfc_4226(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(hotp_known); i++) {
        assert_int_equal(totp_number(KEY, i), hotp_known[i]);
    }
}

static void codes_are_those_of_rfc_6238(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(totp_known); i++) {
        const uint64_t step = (uint64_t)(totp_known[i].time_s / TOTP_STEP_S);

        assert_int_equal(totp_number(KEY, step) % 100000000, totp_known[i].code);
    }
}

static void a_key_of_any_length_makes_a_number(void **state)
{
    uint8_t key[65]; /* more than a block of SHA-1 */
    memset(key, 'k', sizeof key);

    const uint32_t whole = totp_number(span_array(key), 1);

    assert_int_not_equal(whole, totp_number(span_of(key, 64), 1));
    assert_int_not_equal(whole, totp_number(SPAN_NONE, 1));
}

static void no_branch_and_no_index_depends_on_the_key(void **state)
{
    uint8_t key[TOTP_KEY_BYTES];

    for (uint64_t step = 0; step < 16; step++) { /* each place that a number is taken from */
        memcpy(key, TOTP_KNOWN_KEY, sizeof key);
        (void)VALGRIND_MAKE_MEM_UNDEFINED(key, sizeof key);
        uint32_t number = totp_number(span_array(key), step);
        (void)VALGRIND_MAKE_MEM_DEFINED(&number, sizeof number);
        assert_int_equal(number, totp_number(KEY, step));
    }
}

static void a_code_is_accepted_in_its_step_and_the_neighbours_of_it_alone(void **state)
{
    const int64_t begins = (int64_t)NOW * TOTP_STEP_S;
    static const struct {
        int64_t at_s;
        enum err want;
    } rows[] = {{-31, ERR_AUTH}, {-30, ERR_OK}, {-1, ERR_OK}, {0, ERR_OK},
                {29, ERR_OK},    {30, ERR_OK},  {59, ERR_OK}, {60, ERR_AUTH}};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct totp_seen seen = NOTHING;
        assert_int_equal(ask(begins + rows[i].at_s, NOW, &seen), rows[i].want);
        assert_int_equal(seen.newest, rows[i].want == ERR_OK ? NOW : 0);
    }
}

static void a_code_is_six_digits_with_its_zeros_and_nothing_else(void **state)
{
    const int64_t now_s = 1111111109; /* 07081804: the last six begin with a zero */
    static const char *const wrong[] = {"",       "81804",  "0081804", "7081804", "07081804",
                                        "081805", " 81804", "081804 ", "O81804"};
    struct totp_seen seen = NOTHING;

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        assert_int_equal(totp_accept(KEY, (struct wall_time){now_s * 1000}, span_str(wrong[i]), &seen, &seen),
                         ERR_AUTH);
        fault_clear();
    }
    assert_int_equal(totp_accept(KEY, (struct wall_time){now_s * 1000}, span_lit("081804"), &seen, &seen), ERR_OK);
}

static void attack_11_each_of_three_steps_is_accepted_once_in_any_order(void **state)
{
    static const uint64_t orders[][3] = {
        {NOW - 1, NOW, NOW + 1}, {NOW + 1, NOW, NOW - 1}, {NOW, NOW + 1, NOW - 1}, {NOW, NOW - 1, NOW + 1}};

    for (size_t i = 0; i < ARRAY_LENGTH(orders); i++) {
        struct totp_seen seen = NOTHING;
        for (size_t at = 0; at < 3; at++) {
            assert_int_equal(ask(NOW_S, orders[i][at], &seen), ERR_OK);
            for (size_t used = 0; used <= at; used++) {
                const struct totp_seen before = seen;
                assert_int_equal(ask(NOW_S, orders[i][used], &seen), ERR_AUTH);
                assert_true(seen.newest == before.newest && seen.steps == before.steps);
            }
        }
    }
}

static void attack_11_a_clock_that_was_set_back_accepts_no_code_again(void **state)
{
    struct totp_seen seen = NOTHING;

    for (uint64_t step = NOW; step < NOW + 40; step++) {
        assert_int_equal(ask((int64_t)step * TOTP_STEP_S, step, &seen), ERR_OK);
    }
    for (uint64_t step = NOW - 2; step < NOW + 40; step++) { /* also those that no bit is left for */
        assert_int_equal(ask((int64_t)step * TOTP_STEP_S, step, &seen), ERR_AUTH);
    }
    assert_int_equal(ask((int64_t)(NOW + 40) * TOTP_STEP_S, NOW + 40, &seen), ERR_OK);
}

static void a_step_that_was_not_used_is_accepted_however_the_clock_went(void **state)
{
    struct totp_seen seen = NOTHING;
    assert_int_equal(ask(NOW_S, NOW, &seen), ERR_OK);
    assert_int_equal(ask((int64_t)(NOW + 31) * TOTP_STEP_S, NOW + 31, &seen), ERR_OK);

    assert_int_equal(ask((int64_t)(NOW + 1) * TOTP_STEP_S, NOW + 1, &seen), ERR_OK);
    assert_int_equal(ask((int64_t)(NOW + 1) * TOTP_STEP_S, NOW + 1, &seen), ERR_AUTH);
    assert_int_equal(ask((int64_t)NOW * TOTP_STEP_S, NOW, &seen), ERR_AUTH);
    assert_int_equal(ask((int64_t)(NOW + 63) * TOTP_STEP_S, NOW + 63, &seen),
                     ERR_OK); /* no bit of the former is left */
    assert_int_equal(seen.steps, 1);
}

static void a_clock_of_1970_and_one_before_it_are_clocks(void **state)
{
    struct totp_seen seen = NOTHING;

    assert_int_equal(ask(0, 0, &seen), ERR_OK);
    assert_int_equal(ask(0, 0, &seen), ERR_AUTH);
    assert_int_equal(ask(-1000, 1, &seen), ERR_OK);
    assert_int_equal(ask(-1000, 2, &seen), ERR_AUTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_rfc_4226),
        cmocka_unit_test(codes_are_those_of_rfc_6238),
        cmocka_unit_test(a_key_of_any_length_makes_a_number),
        cmocka_unit_test(no_branch_and_no_index_depends_on_the_key),
        cmocka_unit_test(a_code_is_accepted_in_its_step_and_the_neighbours_of_it_alone),
        cmocka_unit_test(a_code_is_six_digits_with_its_zeros_and_nothing_else),
        cmocka_unit_test(attack_11_each_of_three_steps_is_accepted_once_in_any_order),
        cmocka_unit_test(attack_11_a_clock_that_was_set_back_accepts_no_code_again),
        cmocka_unit_test(a_step_that_was_not_used_is_accepted_however_the_clock_went),
        cmocka_unit_test(a_clock_of_1970_and_one_before_it_are_clocks),
    };

    return cmocka_run_group_tests_name("crypto_totp", tests, NULL, NULL);
}
