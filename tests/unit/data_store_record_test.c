/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The end of a walk over rows. That rows are met in their order is in data_people_setup_test.c and data_catalog_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "firmware/data/data_int.h"
#include "hal/base/fault.h"

static enum err end_of(enum err err)
{
    fault_add(err, __FILE__, __LINE__, "what the store said", 0);
    return walk_end(err);
}

static void the_last_row_is_no_error_and_leaves_no_trail(void **state)
{
    (void)state;

    assert_int_equal(end_of(ERR_NOT_FOUND), ERR_OK);
    assert_int_equal(fault_trail()->count, 0);
    assert_int_equal(end_of(ERR_OK), ERR_OK);
    assert_int_equal(fault_trail()->count, 0);
}

static void any_other_end_is_an_error_with_its_trail(void **state)
{
    (void)state;

    for (int err = ERR_OK + 1; err < ERR_COUNT; err++) {
        if (err == ERR_NOT_FOUND) {
            continue;
        }
        assert_int_equal(end_of((enum err)err), err);
        assert_int_equal(fault_trail()->count, 1);
        fault_clear();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_row_is_no_error_and_leaves_no_trail),
        cmocka_unit_test(any_other_end_is_an_error_with_its_trail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
