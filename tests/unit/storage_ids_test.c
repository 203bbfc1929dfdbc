/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Row ids beyond what a second holds, and definitions of tables as bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "storage/store_int.h"
#include "storage/table_int.h"
#include "tests/lib/store_box.h"

static void after_two_to_the_24_row_ids_of_a_second_the_next_second_lends_some(void **state)
{
    struct store_box *box = *state;
    struct store_txn *txn = NULL;
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    (void)store_txn_row_id(txn, (struct wall_time){5000000});
    box->sealer->last_counter = 0xFFFFFE;

    const struct row_id last = store_txn_row_id(txn, (struct wall_time){5000000});
    const struct row_id lent = store_txn_row_id(txn, (struct wall_time){5000000});
    const struct row_id next = store_txn_row_id(txn, (struct wall_time){5001000});

    assert_memory_equal(last.bytes, "\x00\x00\x13\x88\xff\xff\xff", 7);
    assert_memory_equal(lent.bytes, "\x00\x00\x13\x89\x00\x00\x00", 7);
    assert_memory_equal(next.bytes, "\x00\x00\x13\x89\x00\x00\x01", 7);
    store_txn_abort(txn);
}

static void the_definition_of_a_table_ends_with_its_last_byte(void **state)
{
    struct store_box *box = *state;
    const struct table_id id = store_box_table(box);
    struct store_txn *txn = NULL;
    const struct table *table = NULL;
    struct table *again = NULL;
    SCOPED_BUF struct buf *bytes = NULL;
    assert_int_equal(buf_new(TABLE_BYTES_MAX + 1, &bytes), ERR_OK);
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    assert_int_equal(txn_table(txn, id, &table), ERR_OK);
    assert_int_equal(table_encode(table, bytes), ERR_OK);

    assert_int_equal(table_decode(id, table->key, buf_all(bytes), &again), ERR_OK);
    table_unref(again);
    again = NULL;
    assert_int_equal(buf_put_u8(bytes, 0), ERR_OK);
    assert_int_equal(table_decode(id, table->key, buf_all(bytes), &again), ERR_MALFORMED);

    assert_null(again);
    store_txn_abort(txn);
    fault_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(after_two_to_the_24_row_ids_of_a_second_the_next_second_lends_some,
                                        store_box_set_up, store_box_tear_down),
        cmocka_unit_test_setup_teardown(the_definition_of_a_table_ends_with_its_last_byte, store_box_set_up,
                                        store_box_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
