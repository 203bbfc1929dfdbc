/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "firmware/update/version.h"

/* In the order of `systemd-analyze compare-versions` (252); each is before all that follow it. */
static const char *const ascending[] = {
    "~1",        "",        "a",    "ab",      "abb",       "abc",   "0",       "0.1",     "0.9",
    "0.10",      "1_~rc.1", "1_",   "1-a",     "1.2.3~rc1", "1.2.3", "1.2.3-1", "1.2.3-2", "1.2.3^post1",
    "1.2.3.a-4", "1.2.3.5", "1.11", "1_alpha", "5.2",       "123",   "124"};

static void versions_are_ordered_as_the_boot_loader_orders_them(void **state)
{
    (void)state;

    for (size_t i = 0; i < ARRAY_LENGTH(ascending); i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(ascending); j++) {
            const enum version_order want = i == j ? VERSION_SAME : (i < j ? VERSION_OLDER : VERSION_NEWER);
            const enum version_order got = version_compare(span_str(ascending[i]), span_str(ascending[j]));
            if (got != want) {
                print_error("%s beside %s\n", ascending[i], ascending[j]);
            }
            assert_int_equal(got, want);
        }
    }
}

static void zeros_in_front_and_foreign_characters_make_no_other_version(void **state)
{
    (void)state;

    assert_int_equal(version_compare(span_lit("1.01"), span_lit("1.1")), VERSION_SAME);
    assert_int_equal(version_compare(span_lit("1.2+"), span_lit("1.2")), VERSION_SAME);
    assert_int_equal(version_compare(span_lit("00"), span_lit("0")), VERSION_SAME);
    assert_int_equal(version_compare(span_lit("18446744073709551616"), span_lit("18446744073709551615")),
                     VERSION_NEWER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_ordered_as_the_boot_loader_orders_them),
        cmocka_unit_test(zeros_in_front_and_foreign_characters_make_no_other_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
