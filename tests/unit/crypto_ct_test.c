/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <valgrind/memcheck.h>

#include "crypto/ct.h"

/* Under valgrind the bytes are marked undefined first, so a branch or an index that depends on one is reported and fails
 * the run; without valgrind the marks are nothing. */
#define HIDE(bytes) VALGRIND_MAKE_MEM_UNDEFINED((bytes), sizeof(bytes))
#define SHOW(value) VALGRIND_MAKE_MEM_DEFINED(&(value), sizeof(value))

static bool equal_hidden(struct span a, struct span b)
{
    bool equal = ct_equal(a, b);

    SHOW(equal);
    return equal;
}

static void ct_equal_sees_every_bit_and_no_branch_does(void **state)
{
    uint8_t a[64 + 2 * 16 + 9]; /* pieces of every width that it compares at once */
    uint8_t b[sizeof a];
    memset(a, 's', sizeof(a));

    for (size_t bit = 0; bit < 8 * sizeof(a); bit++) {
        memcpy(b, a, sizeof(b));
        HIDE(a);
        HIDE(b);
        assert_true(equal_hidden(span_array(a), span_array(b)));
        VALGRIND_MAKE_MEM_DEFINED(b, sizeof(b));
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        HIDE(b);
        assert_false(equal_hidden(span_array(a), span_array(b)));
        VALGRIND_MAKE_MEM_DEFINED(a, sizeof(a));
        VALGRIND_MAKE_MEM_DEFINED(b, sizeof(b));
    }
}

static void ct_equal_sees_the_last_byte_of_every_length_and_none_behind_it(void **state)
{
    uint8_t a[200] = {0};
    uint8_t b[200] = {0};

    for (size_t len = 1; len < sizeof a; len++) {
        b[len] = 1;
        assert_true(ct_equal(span_of(a, len), span_of(b, len)));
        b[len - 1] = 1;
        assert_false(ct_equal(span_of(a, len), span_of(b, len)));
        memset(b, 0, sizeof b);
        b[0] = 0x80;
        assert_false(ct_equal(span_of(a, len), span_of(b, len)));
        b[0] = 0;
    }
}

static void ct_equal_is_false_for_other_lengths_and_true_for_nothing(void **state)
{
    assert_false(ct_equal(span_lit("abc"), span_lit("abcd")));
    assert_false(ct_equal(span_lit("abcd"), span_lit("abc")));
    assert_true(ct_equal(SPAN_NONE, span_lit("")));
}

static void ct_is_zero_sees_every_bit(void **state)
{
    uint8_t bytes[17] = {0};

    assert_true(ct_is_zero(span_array(bytes)));
    assert_true(ct_is_zero(SPAN_NONE));
    for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
        bytes[bit / 8] = (uint8_t)(1u << bit % 8);
        assert_false(ct_is_zero(span_array(bytes)));
        bytes[bit / 8] = 0;
    }
}

static void ct_mask_equal_is_right_for_every_pair(void **state)
{
    for (unsigned int a = 0; a < 256; a++) {
        for (unsigned int b = 0; b < 256; b++) {
            assert_int_equal(ct_mask_equal((uint8_t)a, (uint8_t)b), a == b ? 0xff : 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ct_equal_sees_every_bit_and_no_branch_does),
        cmocka_unit_test(ct_equal_sees_the_last_byte_of_every_length_and_none_behind_it),
        cmocka_unit_test(ct_equal_is_false_for_other_lengths_and_true_for_nothing),
        cmocka_unit_test(ct_is_zero_sees_every_bit),
        cmocka_unit_test(ct_mask_equal_is_right_for_every_pair),
    };

    return cmocka_run_group_tests_name("crypto_ct", tests, NULL, NULL);
}
