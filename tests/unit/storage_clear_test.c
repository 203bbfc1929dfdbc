/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Drops, and what they leave to be deleted in small steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "storage/meta_int.h"
#include "storage/store_int.h"
#include "tests/lib/store_raw.h"

#define ROWS 30

struct tables {
    struct store_box *box;
    struct table_id kept;
    struct table_id dropped;
    struct index_id kept_index;
    struct index_id owners; /* of the dropped one */
    struct index_id index;
};

/* Two tables of ROWS rows with an index each. */
static struct tables fill(struct store_box *box)
{
    struct tables tables = {.box = box, .kept = store_box_table(box), .dropped = store_box_table(box)};
    const struct store_index *indexes = NULL;
    size_t count = 0;

    tables.kept_index = store_box_index(box, tables.kept, 1, false, true, false);
    tables.index = store_box_index(box, tables.dropped, 1, false, false, false);
    for (int64_t at = 0; at < ROWS; at++) {
        char text[16];
        snprintf(text, sizeof(text), "text %d", (int)at);
        (void)store_box_insert(box, tables.kept, "ann", text, at);
        (void)store_box_insert(box, tables.dropped, at % 2 == 0 ? "ann" : "bob", text, at);
    }
    SCOPED_SNAP struct store_snap *snap = NULL;
    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);
    assert_int_equal(store_indexes(snap, tables.dropped, &indexes, &count), ERR_OK);
    tables.owners = indexes[0].id;
    return tables;
}

static void drop(const struct tables *tables)
{
    struct store_txn *txn = NULL;

    assert_int_equal(store_txn_begin(tables->box->sealer, &txn), ERR_OK);
    assert_int_equal(store_table_drop(txn, tables->dropped), ERR_OK);
    assert_int_equal(store_txn_commit(txn), ERR_OK);
}

/* Is there anything of the dropped table but its clear records? */
static bool leaves_anything(const struct tables *tables)
{
    const struct raw_prefix rows = raw_table(tables->dropped);
    const struct raw_prefix owners = raw_index(tables->owners);
    const struct raw_prefix index = raw_index(tables->index);
    static const char kinds[] = "KEDCO";
    struct raw raw;

    store_box_close(tables->box);
    bool found = raw_find(tables->box, ENGINE_ROWS, RAW_SPAN(rows), 0, &raw) ||
                 raw_find(tables->box, ENGINE_INDEX, RAW_SPAN(owners), 0, &raw) ||
                 raw_find(tables->box, ENGINE_INDEX, RAW_SPAN(index), 0, &raw);
    for (size_t at = 0; kinds[at] != 0; at++) {
        const struct raw_prefix meta = raw_meta(kinds[at], tables->dropped);
        found = found || raw_find(tables->box, ENGINE_META, RAW_SPAN(meta), 0, &raw);
    }
    assert_int_equal(store_box_open(tables->box), ERR_OK);
    return found;
}

static void a_drop_takes_the_key_away_and_leaves_the_rows(void **state)
{
    const struct tables tables = fill(*state);
    const struct raw_prefix key = raw_meta('K', tables.dropped);
    const struct raw_prefix definition = raw_meta('D', tables.dropped);
    struct raw raw;

    drop(&tables);

    assert_int_equal(store_box_fsck(tables.box, true), 0);
    /* rows, entries of two indexes, counters of two owners, a salt */
    assert_int_equal(store_box_leftovers(tables.box), 3 * ROWS + 2 + 1);
    store_box_close(tables.box);
    assert_false(raw_find(tables.box, ENGINE_META, RAW_SPAN(key), 0, &raw));
    assert_false(raw_find(tables.box, ENGINE_META, RAW_SPAN(definition), 0, &raw));
    assert_int_equal(store_box_open(tables.box), ERR_OK);
    assert_int_equal(store_box_fsck(tables.box, true), 0);
}

static void attack_13_a_drop_changes_as_much_for_any_number_of_rows(void **state)
{
    const struct tables tables = fill(*state);
    const struct table_id empty = store_box_table(tables.box);
    struct store_txn *txn = NULL;
    assert_int_equal(store_txn_begin(tables.box->sealer, &txn), ERR_OK);
    assert_int_equal(store_table_drop(txn, empty), ERR_OK);
    const uint64_t of_empty = store_txn_changes(txn);

    assert_int_equal(store_table_drop(txn, tables.dropped), ERR_OK);

    /* One clear record more, for the second index. */
    assert_int_equal(store_txn_changes(txn) - of_empty, of_empty + 1);
    assert_int_equal(store_txn_commit(txn), ERR_OK);
}

static void clearing_goes_on_after_every_step_that_is_lost_and_every_restart(void **state)
{
    const struct tables tables = fill(*state);
    bool done = false;
    size_t steps = 0;
    drop(&tables);

    for (; !done; steps++) {
        struct store_txn *txn = NULL;
        assert_true(steps < 3 * ROWS);
        assert_true(store_has_leftovers(tables.box->store));
        const uint64_t before = store_box_leftovers(tables.box);
        assert_int_equal(store_txn_begin(tables.box->sealer, &txn), ERR_OK);
        assert_int_equal(store_clear_some(txn, 4, &done), ERR_OK);
        store_txn_abort(txn);
        assert_true(store_has_leftovers(tables.box->store)); /* also if that step was the last */
        assert_int_equal(store_box_leftovers(tables.box), before);

        assert_int_equal(store_txn_begin(tables.box->sealer, &txn), ERR_OK);
        assert_int_equal(store_clear_some(txn, 4, &done), ERR_OK);
        assert_int_equal(store_txn_commit(txn), ERR_OK);
        assert_true(before - store_box_leftovers(tables.box) <= 4);
        assert_int_equal(store_box_fsck(tables.box, true), 0);
        if (!done) {
            store_box_reopen(tables.box);
        }
    }

    assert_false(store_has_leftovers(tables.box->store));
    assert_true(steps > 3 * ROWS / 4);
    assert_int_equal(store_box_leftovers(tables.box), 0);
    assert_false(leaves_anything(&tables));
    assert_int_equal(store_box_fsck(tables.box, true), 0);
}

static void a_dropped_index_is_cleared_while_its_table_is_used(void **state)
{
    const struct tables tables = fill(*state);
    struct store_txn *txn = NULL;
    assert_int_equal(store_txn_begin(tables.box->sealer, &txn), ERR_OK);
    assert_int_equal(store_index_drop(txn, tables.kept, tables.kept_index), ERR_OK);
    assert_int_equal(store_txn_commit(txn), ERR_OK);
    assert_int_equal(store_box_leftovers(tables.box), ROWS);

    (void)store_box_index(tables.box, tables.kept, 1, true, true, false);
    (void)store_box_insert(tables.box, tables.kept, "ann", "one more", 1);
    assert_int_equal(store_box_fsck(tables.box, true), 0);
    store_box_clear(tables.box, 7);

    assert_int_equal(store_box_leftovers(tables.box), 0);
    assert_int_equal(store_box_fsck(tables.box, true), 0);
}

static void a_table_of_the_appliance_is_made_again_only_when_the_former_is_cleared(void **state)
{
    struct store_box *box = *state;
    const struct tables tables = {.box = box, .dropped = {3}};
    struct store_txn *txn = NULL;
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    assert_int_equal(store_table_create(txn, tables.dropped), ERR_OK);
    assert_int_equal(store_txn_commit(txn), ERR_OK);
    (void)store_box_insert(box, tables.dropped, "ann", "former", 1);
    drop(&tables);

    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    assert_int_equal(store_table_create(txn, tables.dropped), ERR_CONFLICT);
    store_txn_abort(txn);
    store_box_clear(box, 100);
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    assert_int_equal(store_table_create(txn, tables.dropped), ERR_OK);
    assert_int_equal(store_txn_commit(txn), ERR_OK);

    assert_int_equal(store_box_fsck(box, true), 0);
    fault_clear();
}

/* --- somebody with the disk --- */

static struct raw first_record(struct store_box *box)
{
    struct raw raw = {.key_len = 0};

    store_box_close(box);
    assert_true(raw_find(box, ENGINE_META, span_lit("X"), 0, &raw));
    return raw;
}

static void assert_nothing_is_cleared(const struct tables *tables)
{
    struct store_txn *txn = NULL;
    bool done = false;

    assert_int_equal(store_box_open(tables->box), ERR_OK);
    assert_int_equal(store_txn_begin(tables->box->sealer, &txn), ERR_OK);
    assert_int_equal(store_clear_some(txn, 1000, &done), ERR_DAMAGED);
    store_txn_abort(txn);
    assert_true(store_box_fsck(tables->box, false) > 0);
    fault_clear();
}

/* The record of the drop, put under another name. */
static void move_record(const struct tables *tables, struct index_id index, struct table_id table)
{
    struct raw raw = first_record(tables->box);

    put_u32be(raw.key + 1, index.value);
    put_u32be(raw.key + 1 + INDEX_ID_BYTES, table.value);
    raw_put(tables->box, ENGINE_META, &raw);
}

static void attack_20_a_clear_record_moved_to_a_table_deletes_nothing(void **state)
{
    const struct tables tables = fill(*state);
    drop(&tables);

    move_record(&tables, (struct index_id){0}, tables.kept);

    assert_nothing_is_cleared(&tables);
}

static void attack_20_a_clear_record_moved_to_an_index_deletes_nothing(void **state)
{
    const struct tables tables = fill(*state);
    drop(&tables);

    move_record(&tables, tables.kept_index, (struct table_id){STORE_OWN_TABLE});

    assert_nothing_is_cleared(&tables);
}

/* As only a defect of ours could make it: sealed, so that nothing else is wrong with it. */
static void note_as_left(const struct tables *tables, struct table_id table, struct index_id index)
{
    struct store_txn *txn = NULL;

    assert_int_equal(store_txn_begin(tables->box->sealer, &txn), ERR_OK);
    assert_int_equal(txn_clear_later(txn, table, index), ERR_OK);
    assert_int_equal(store_txn_commit(txn), ERR_OK);
    store_box_close(tables->box);
}

static void a_sealed_clear_record_of_a_table_in_use_deletes_nothing(void **state)
{
    const struct tables tables = fill(*state);

    note_as_left(&tables, tables.kept, (struct index_id){0});

    assert_nothing_is_cleared(&tables);
}

static void a_sealed_clear_record_of_an_index_in_use_deletes_nothing(void **state)
{
    const struct tables tables = fill(*state);

    note_as_left(&tables, (struct table_id){STORE_OWN_TABLE}, tables.kept_index);

    assert_nothing_is_cleared(&tables);
}

static void attack_20_a_clear_record_made_without_a_key_is_damage(void **state)
{
    const struct tables tables = fill(*state);
    drop(&tables);
    struct raw raw = first_record(tables.box);

    raw.value[raw.value_len - 1] ^= 1;
    raw_put(tables.box, ENGINE_META, &raw);

    assert_nothing_is_cleared(&tables);
}

static void rows_of_no_table_without_a_clear_record_are_orphans(void **state)
{
    const struct tables tables = fill(*state);
    drop(&tables);
    (void)first_record(tables.box);

    raw_delete(tables.box, ENGINE_META, span_lit("X"), 0); /* that of the rows */

    assert_int_equal(store_box_open(tables.box), ERR_OK);
    assert_int_equal(store_box_fsck(tables.box, false), ROWS + 2 + 1);
    fault_clear();
}

#define BOX_TEST(name) cmocka_unit_test_setup_teardown(name, store_box_set_up, store_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOX_TEST(a_drop_takes_the_key_away_and_leaves_the_rows),
        BOX_TEST(attack_13_a_drop_changes_as_much_for_any_number_of_rows),
        BOX_TEST(clearing_goes_on_after_every_step_that_is_lost_and_every_restart),
        BOX_TEST(a_dropped_index_is_cleared_while_its_table_is_used),
        BOX_TEST(a_table_of_the_appliance_is_made_again_only_when_the_former_is_cleared),
        BOX_TEST(attack_20_a_clear_record_moved_to_a_table_deletes_nothing),
        BOX_TEST(attack_20_a_clear_record_moved_to_an_index_deletes_nothing),
        BOX_TEST(a_sealed_clear_record_of_a_table_in_use_deletes_nothing),
        BOX_TEST(a_sealed_clear_record_of_an_index_in_use_deletes_nothing),
        BOX_TEST(attack_20_a_clear_record_made_without_a_key_is_damage),
        BOX_TEST(rows_of_no_table_without_a_clear_record_are_orphans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
