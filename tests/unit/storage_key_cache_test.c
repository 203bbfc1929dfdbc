/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The expanded keys of a sealer or reader, seen through the store: how often a key is derived. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/aead.h"
#include "tests/lib/store_box.h"

/* link: --wrap=aead_new_derived */

static size_t derived;

enum err __real_aead_new_derived(struct secret_slab *slab, const struct secret *key, struct span salt, struct span info,
                                 struct aead **out_aead);
enum err __wrap_aead_new_derived(struct secret_slab *slab, const struct secret *key, struct span salt, struct span info,
                                 struct aead **out_aead);

enum err __wrap_aead_new_derived(struct secret_slab *slab, const struct secret *key, struct span salt, struct span info,
                                 struct aead **out_aead)
{
    const enum err err = __real_aead_new_derived(slab, key, salt, info, out_aead);

    derived += err == ERR_OK ? 1 : 0;
    return err;
}

static void read_number(struct store_snap *snap, struct table_id table, int64_t number)
{
    struct row row;

    assert_int_equal(store_get(snap, table, (struct row_id){{1}}, &row), ERR_OK);
    assert_int_equal(store_box_number(&row), number);
}

static void more_tables_than_expanded_keys_can_be_used_and_one_in_use_keeps_its_key(void **state)
{
    struct store_box *box = *state;
    static struct table_id tables[1100];
    struct store_txn *txn = NULL;
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    for (size_t at = 0; at < ARRAY_LENGTH(tables); at++) {
        assert_int_equal(store_table_new(txn, &tables[at]), ERR_OK);
        assert_int_equal(
            store_insert(txn, tables[at], (struct row_id){{1}}, store_box_row(box, "ann", "x", (int64_t)at), NULL),
            ERR_OK);
    }
    assert_int_equal(store_txn_commit(txn), ERR_OK);
    assert_true(secret_slab_capacity(box->slab) < ARRAY_LENGTH(tables));
    store_box_reopen(box);
    SCOPED_SNAP struct store_snap *snap = NULL;
    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);

    derived = 0;
    for (size_t at = 0; at < ARRAY_LENGTH(tables); at++) {
        read_number(snap, tables[at], (int64_t)at);
        read_number(snap, tables[0], 0);
    }

    assert_int_equal(derived, ARRAY_LENGTH(tables)); /* once for each: others made room, not the one used all the time */
    read_number(snap, tables[ARRAY_LENGTH(tables) - 1], ARRAY_LENGTH(tables) - 1);
    assert_int_equal(derived, ARRAY_LENGTH(tables));
    read_number(snap, tables[1], 1);
    assert_int_equal(derived, ARRAY_LENGTH(tables) + 1); /* the one used longest ago had to go */
    store_snap_end(TAKE(snap));
    assert_int_equal(store_box_fsck(box, true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(more_tables_than_expanded_keys_can_be_used_and_one_in_use_keeps_its_key, store_box_set_up,
                                        store_box_tear_down),
    };

    return cmocka_run_group_tests_name("storage/key_cache", tests, NULL, NULL);
}
