/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/store_box.h"

static int setup(void **state)
{
    *state = store_box_new();
    return 0;
}

static int teardown(void **state)
{
    store_box_free(*state);
    return 0;
}

static enum err read_row(struct store_box *box, struct table_id table, struct row_id id, char text[64],
                         int64_t *out_number)
{
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct row row = {.encoded = SPAN_NONE};

    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);
    const enum err err = store_get(snap, table, id, &row);
    if (err == ERR_OK) {
        const struct span value = store_box_text(&row);
        memcpy(text, value.data, value.len);
        text[value.len] = 0;
        *out_number = store_box_number(&row);
    }
    return err;
}

static void a_row_reads_as_it_was_inserted(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    const struct row_id id = store_box_insert(box, table, "ann", "first words", -42);
    char text[64] = "";
    int64_t number = 0;

    assert_int_equal(read_row(box, table, id, text, &number), ERR_OK);

    assert_string_equal(text, "first words");
    assert_int_equal(number, -42);
    assert_int_equal(store_box_fsck(box, true), 0);
}

static void rows_are_there_after_a_restart(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    const struct row_id id = store_box_insert(box, table, "ann", "kept", 7);
    char text[64] = "";
    int64_t number = 0;

    store_box_reopen(box);

    assert_int_equal(read_row(box, table, id, text, &number), ERR_OK);
    assert_string_equal(text, "kept");
    assert_int_equal(store_box_fsck(box, true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_row_reads_as_it_was_inserted, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_are_there_after_a_restart, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
