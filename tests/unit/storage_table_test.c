/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "storage/fsck.h"
#include "storage/store_int.h"
#include "tests/lib/store_box.h"
#include "tests/lib/store_raw.h"

/* --- indexes --- */

static void a_unique_index_refuses_an_equal_tuple_and_changes_nothing(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    const struct index_id unique = store_box_index(box, table, 1, false, true, false);
    const struct row_id first = store_box_insert(box, table, "ann", "taken", 1);
    const struct row_id second = store_box_insert(box, table, "ann", "free", 2);
    struct store_txn *txn = NULL;
    struct index_id named = {0};
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);

    assert_int_equal(store_insert(txn, table, (struct row_id){{1}}, store_box_row(box, "bob", "taken", 3), &named),
                     ERR_EXISTS);
    assert_int_equal(named.value, unique.value);
    assert_int_equal(store_replace(txn, table, second, store_box_row(box, "ann", "taken", 2), NULL), ERR_EXISTS);
    assert_int_equal(store_txn_changes(txn), 0);
    assert_int_equal(store_replace(txn, table, first, store_box_row(box, "ann", "taken", 9), NULL), ERR_OK);
    assert_int_equal(store_insert(txn, table, (struct row_id){{1}}, store_box_row(box, "bob", "TAKEN", 3), NULL),
                     ERR_OK);
    assert_int_equal(store_txn_commit(txn), ERR_OK);
    assert_int_equal(store_box_fsck(box, true), 0);
}

/* --- long values --- */

#define ALIKE_BYTES 1500
#define ALIKE_ROWS  64

/* A text that differs from others in its last two bytes alone. */
static const char *alike(unsigned int number)
{
    static char text[ALIKE_BYTES + 1];

    memset(text, 'a', ALIKE_BYTES);
    text[ALIKE_BYTES - 2] = (char)('a' + number / 26);
    text[ALIKE_BYTES - 1] = (char)('a' + number % 26);
    return text;
}

static void long_values_that_begin_alike_are_unique_or_refused(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    (void)store_box_index(box, table, 1, false, true, false);
    for (unsigned int at = 0; at < ALIKE_ROWS; at++) {
        (void)store_box_insert(box, table, "ann", alike(at), at);
    }
    struct store_txn *txn = NULL;
    const struct row_id id = {{1}};
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);

    for (unsigned int at = 0; at < ALIKE_ROWS; at++) {
        assert_int_equal(store_insert(txn, table, id, store_box_row(box, "bob", alike(at), 0), NULL), ERR_EXISTS);
    }
    assert_int_equal(store_insert(txn, table, id, store_box_row(box, "bob", alike(ALIKE_ROWS), 0), NULL), ERR_OK);
    assert_int_equal(store_txn_commit(txn), ERR_OK);
    assert_int_equal(store_box_fsck(box, true), 0);
}

/* No row that is there already is read, however many begin alike: all of them are damaged here. */
static void attack_13_a_unique_long_value_is_checked_without_the_rows_that_begin_alike(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    const struct raw_prefix rows = raw_table(table);
    struct raw raw = {.key_len = 0};
    (void)store_box_index(box, table, 1, false, true, false);
    for (unsigned int at = 0; at < ALIKE_ROWS; at++) {
        (void)store_box_insert(box, table, "ann", alike(at), at);
    }
    store_box_close(box);
    for (size_t at = 0; raw_find(box, ENGINE_ROWS, RAW_SPAN(rows), at, &raw); at++) {
        raw.value[raw.value_len - 1] ^= 1;
        raw_put(box, ENGINE_ROWS, &raw);
    }
    assert_int_equal(store_box_open(box), ERR_OK);
    struct store_txn *txn = NULL;
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);

    const struct span other = store_box_row(box, "bob", alike(ALIKE_ROWS), 0);
    assert_int_equal(store_insert(txn, table, (struct row_id){{1}}, other, NULL), ERR_OK);
    const struct span same = store_box_row(box, "bob", alike(7), 0);
    assert_int_equal(store_insert(txn, table, (struct row_id){{2}}, same, NULL), ERR_EXISTS);
    assert_int_equal(store_txn_commit(txn), ERR_OK);
    assert_true(store_box_fsck(box, false) >= ALIKE_ROWS);
    fault_clear();
}

static void collect_kinds(void *context, const struct fsck_damage *damage)
{
    ((unsigned int *)context)[damage->kind]++;
}

static void fsck_finds_an_entry_whose_hash_is_not_that_of_its_row(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    const struct index_id index = store_box_index(box, table, 1, false, true, false);
    const struct row_id row = store_box_insert(box, table, "ann", alike(0), 0);
    unsigned int damages[FSCK_KIND_COUNT] = {0};
    uint8_t stored[INDEX_TUPLE_MAX];
    const struct table *found = NULL;
    struct fsck_report report = {.rows = 0};
    struct store_txn *txn = NULL;
    memset(stored, 'a', sizeof(stored));
    stored[0] = 0x30; /* a string */
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    assert_int_equal(txn_table(txn, table, &found), ERR_OK);
    assert_int_equal(txn_put_stored(txn, found, index, span_array(stored), row), ERR_OK);
    assert_int_equal(store_txn_commit(txn), ERR_OK);

    assert_int_equal(fsck_run(box->store, collect_kinds, damages, &report), ERR_OK);

    assert_int_equal(damages[FSCK_INDEX_EXTRA], 1);
    assert_int_equal(report.damaged, 1);
    fault_clear();
}

static void missing_values_collide_unless_the_index_is_sparse(void **state)
{
    struct store_box *box = *state;
    const struct table_id dense = store_box_table(box);
    const struct table_id sparse = store_box_table(box);
    struct store_txn *txn = NULL;
    (void)store_box_index(box, dense, 1, false, true, false);
    (void)store_box_index(box, sparse, 1, false, true, true);
    (void)store_box_insert(box, dense, "ann", NULL, 1);
    (void)store_box_insert(box, sparse, "ann", NULL, 1);
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);

    assert_int_equal(store_insert(txn, dense, (struct row_id){{1}}, store_box_row(box, "bob", NULL, 3), NULL),
                     ERR_EXISTS);
    assert_int_equal(store_insert(txn, sparse, (struct row_id){{1}}, store_box_row(box, "bob", NULL, 3), NULL), ERR_OK);
    store_txn_abort(txn);
}

static void a_unique_index_over_equal_rows_is_refused_and_leaves_nothing(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    const struct index_def def = {.fields = {{.field = {.column = 1}}}, .field_count = 1, .unique = true};
    struct store_txn *txn = NULL;
    struct index_id index = {0};
    (void)store_box_insert(box, table, "ann", "same", 1);
    (void)store_box_insert(box, table, "ann", "same", 2);
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);

    assert_int_equal(store_index_create(txn, table, &def, &index), ERR_EXISTS);

    store_txn_abort(txn);
    assert_int_equal(index.value, 0);
    assert_int_equal(store_box_fsck(box, true), 0);
}

static void a_dropped_index_is_gone_and_the_owners_index_stays(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    struct store_txn *txn = NULL;
    (void)store_box_insert(box, table, "ann", "same", 1);
    const struct index_id index = store_box_index(box, table, 1, false, true, false);
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);

    assert_int_equal(store_index_drop(txn, table, (struct index_id){1}), ERR_REFUSED);
    assert_int_equal(store_index_drop(txn, table, index), ERR_OK);
    assert_int_equal(store_index_drop(txn, table, index), ERR_NOT_FOUND);
    assert_int_equal(store_insert(txn, table, (struct row_id){{1}}, store_box_row(box, "ann", "same", 2), NULL),
                     ERR_OK);
    assert_int_equal(store_txn_commit(txn), ERR_OK);

    assert_int_equal(store_box_fsck(box, true), 0);
    store_box_reopen(box);
    assert_int_equal(store_box_fsck(box, true), 0);
}

static void index_definitions_survive_a_restart(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    const struct index_def def = {
        .fields = {{.field = {0, span_lit("address"), span_lit("city.0")}, .descending = true},
                   {.field = {.column = 77, .name = span_lit("n")}}},
        .field_count = 2,
        .sparse = true,
    };
    const struct store_index *indexes = NULL;
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct store_txn *txn = NULL;
    struct index_id index = {0};
    size_t count = 0;
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    assert_int_equal(store_index_create(txn, table, &def, &index), ERR_OK);
    assert_int_equal(store_txn_commit(txn), ERR_OK);

    store_box_reopen(box);

    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);
    assert_int_equal(store_indexes(snap, table, &indexes, &count), ERR_OK);
    assert_int_equal(count, 2);
    assert_int_equal(indexes[0].def.fields[0].field.column, ROW_COLUMN_CREATED_BY);
    assert_int_equal(indexes[1].id.value, index.value);
    assert_true(indexes[1].def.sparse && !indexes[1].def.unique && indexes[1].def.fields[0].descending);
    assert_true(span_equal(indexes[1].def.fields[0].field.path, span_lit("city.0")));
    assert_int_equal(indexes[1].def.fields[1].field.column, 77);
}

static void an_index_of_no_or_too_many_fields_is_refused(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    static const uint8_t name[INDEX_FIELD_TEXT_MAX + 1] = {'n'};
    struct index_def def = {.field_count = 0};
    struct store_txn *txn = NULL;
    struct index_id index = {0};
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);

    assert_int_equal(store_index_create(txn, table, &def, &index), ERR_RANGE);
    def.field_count = INDEX_FIELDS_MAX + 1;
    assert_int_equal(store_index_create(txn, table, &def, &index), ERR_RANGE);
    def.field_count = 1;
    def.fields[0].field.name = span_array(name);
    assert_int_equal(store_index_create(txn, table, &def, &index), ERR_RANGE);
    assert_int_equal(store_index_create(txn, (struct table_id){9999}, &def, &index), ERR_NOT_FOUND);
    store_txn_abort(txn);
}

/* --- tables --- */

static void the_appliances_own_tables_have_ids_of_its_choice(void **state)
{
    struct store_box *box = *state;
    struct store_txn *txn = NULL;
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);

    assert_int_equal(store_table_create(txn, (struct table_id){7}), ERR_OK);
    assert_int_equal(store_table_create(txn, (struct table_id){7}), ERR_EXISTS);
    assert_int_equal(store_table_create(txn, (struct table_id){0}), ERR_RANGE);
    assert_int_equal(store_table_create(txn, (struct table_id){STORE_TABLE_FIRST}), ERR_RANGE);
    assert_int_equal(store_txn_commit(txn), ERR_OK);
    assert_int_equal(store_box_table(box).value, STORE_TABLE_FIRST);
}

static void the_table_of_the_appliances_own_records_is_none_to_anybody(void **state)
{
    static const struct table_id own = {STORE_OWN_TABLE};
    struct store_box *box = *state;
    struct store_txn *txn = NULL;
    struct index_id index = {0};
    uint64_t count = 0;
    struct row row;
    const struct row_id id = {{1}};
    const struct index_def def = {.fields = {{.field = {.column = 2}}}, .field_count = 1};
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    struct store_snap *snap = store_txn_snap(txn);

    assert_int_equal(store_table_drop(txn, own), ERR_NOT_FOUND);
    assert_int_equal(store_index_create(txn, own, &def, &index), ERR_NOT_FOUND);
    assert_int_equal(store_insert(txn, own, id, store_box_row(box, "ann", "a", 1), NULL), ERR_NOT_FOUND);
    assert_int_equal(store_replace(txn, own, id, store_box_row(box, "ann", "a", 1), NULL), ERR_NOT_FOUND);
    assert_int_equal(store_count(snap, own, &count), ERR_NOT_FOUND);
    assert_int_equal(store_verify(snap, own), ERR_NOT_FOUND);
    assert_int_equal(store_get_near(snap, own, id, &row), ERR_NOT_FOUND);
    assert_int_equal(store_scan_begin(snap, &(struct store_scan){.table = own}), ERR_NOT_FOUND);
    store_txn_abort(txn);
}

static void the_last_ids_are_given_out_and_none_behind_them(void **state)
{
    struct store_box *box = *state;
    struct store_txn *txn = NULL;
    struct txn_ids *ids = NULL;
    struct table_id last = {0};
    struct table_id none = {0};
    struct index_id index = {0};
    const struct index_def def = {.fields = {{.field = {.column = 2}}}, .field_count = 1};
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    assert_int_equal(txn_ids(txn, &ids), ERR_OK);

    ids->next_table = UINT32_MAX - 1;
    ids->next_index = INDEX_ID_MAX - 1;
    assert_int_equal(store_table_new(txn, &last), ERR_OK);
    assert_int_equal(store_table_new(txn, &none), ERR_LIMIT);
    assert_int_equal(store_index_create(txn, last, &def, &index), ERR_OK);
    assert_int_equal(store_index_create(txn, last, &def, &index), ERR_LIMIT);

    assert_int_equal(last.value, UINT32_MAX - 1);
    assert_true(index.value == INDEX_ID_MAX);
    assert_int_equal(none.value, 0);
    assert_int_equal(store_txn_commit(txn), ERR_OK);
    (void)store_box_insert(box, last, "ann", "a", 1);
    store_box_reopen(box);
    assert_int_equal(store_box_fsck(box, true), 0);
}

static void drop(struct store_box *box, struct table_id table)
{
    struct store_txn *txn = NULL;

    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    assert_int_equal(store_table_drop(txn, table), ERR_OK);
    assert_int_equal(store_table_drop(txn, table), ERR_NOT_FOUND);
    assert_int_equal(store_txn_commit(txn), ERR_OK);
}

static void a_dropped_table_is_gone_and_the_others_stay(void **state)
{
    struct store_box *box = *state;
    const struct table_id gone = store_box_table(box);
    const struct table_id kept = store_box_table(box);
    char text[64];
    int64_t number = 0;
    for (int64_t at = 0; at < 200; at++) {
        (void)store_box_insert(box, gone, "ann", "x", at);
    }
    const struct row_id id = store_box_insert(box, kept, "ann", "stays", 1);

    drop(box, gone);

    assert_int_equal(store_box_read(box, gone, id, text, &number), ERR_NOT_FOUND);
    assert_int_equal(store_box_read(box, kept, id, text, &number), ERR_OK);
    assert_int_equal(store_box_fsck(box, true), 0);
    store_box_reopen(box);
    assert_int_equal(store_box_read(box, kept, id, text, &number), ERR_OK);
    assert_int_equal(store_box_fsck(box, true), 0);
    assert_true(store_box_table(box).value > kept.value); /* ids are never given again */
}

static void dropping_destroys_the_key_that_wrapped_the_dropped_one(void **state)
{
    struct store_box *box = *state;
    const struct table_id gone = store_box_table(box);
    const struct table_id kept = store_box_table(box);
    (void)kept;

    drop(box, gone);

    assert_int_equal(box->keeper.oldest, 2);
    assert_int_equal(box->keeper.newest, 2);
    assert_int_equal(box->keeper.rewraps, 2); /* the other table, and the appliance's own records */
}

static void a_rotation_that_was_cut_off_is_finished_at_the_next_start(void **state)
{
    struct store_box *box = *state;
    const struct table_id gone = store_box_table(box);
    box->keeper.fail_rotate_end = ERR_CLOSED;
    drop(box, gone);
    assert_int_equal(box->keeper.oldest, 1);

    box->keeper.fail_rotate_end = ERR_OK;
    store_box_reopen(box);

    assert_int_equal(box->keeper.oldest, 2);
    store_box_reopen(box);
    assert_int_equal(store_box_fsck(box, true), 0);
}

/* A table made after the new wrapping key began is wrapped by it, so its own drop needs a still newer one. */
static void a_table_made_after_an_unfinished_rotation_is_destroyed_with_its_own(void **state)
{
    struct store_box *box = *state;
    const struct table_id first = store_box_table(box);
    struct store_txn *txn = NULL;
    box->keeper.fail_rotate_end = ERR_CLOSED;
    drop(box, first);
    const struct table_id second = store_box_table(box);

    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    assert_int_equal(store_table_drop(txn, second), ERR_CONFLICT);
    store_txn_abort(txn);
    box->keeper.fail_rotate_end = ERR_OK;
    drop(box, second);
    assert_int_equal(box->keeper.oldest, 3);
    assert_int_equal(box->keeper.newest, 3);

    const struct table_id kept = store_box_table(box);
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    assert_int_equal(store_table_drop(txn, kept), ERR_OK);
    store_txn_abort(txn);
    drop(box, store_box_table(box));
    assert_int_equal(box->keeper.oldest, 5);
    assert_int_equal(box->keeper.newest, 5);
    assert_int_equal(store_box_fsck(box, true), 0);
}

static void a_drop_that_is_aborted_leaves_the_table(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    const struct row_id id = store_box_insert(box, table, "ann", "stays", 1);
    struct store_txn *txn = NULL;
    char text[64];
    int64_t number = 0;
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    assert_int_equal(store_table_drop(txn, table), ERR_OK);
    assert_int_equal(store_get(store_txn_snap(txn), table, id, &(struct row){.encoded = SPAN_NONE}), ERR_NOT_FOUND);

    store_txn_abort(txn);

    assert_int_equal(store_box_read(box, table, id, text, &number), ERR_OK);
    store_box_reopen(box);
    assert_int_equal(store_box_read(box, table, id, text, &number), ERR_OK);
    assert_int_equal(box->keeper.oldest, box->keeper.newest);
    assert_int_equal(store_box_fsck(box, true), 0);
}

/* --- epochs that pile up --- */

static void a_reader_that_finds_the_slab_full_does_with_the_keys_it_has(void **state)
{
    struct store_box *box = *state;
    static void *taken[4096];
    struct table_id tables[5];
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct row row;
    size_t count = 0;
    for (size_t at = 0; at < ARRAY_LENGTH(tables); at++) {
        tables[at] = store_box_table(box);
        (void)store_box_insert(box, tables[at], "ann", "x", (int64_t)at);
    }
    store_box_reopen(box);
    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);
    assert_int_equal(store_scan_begin(snap, &(struct store_scan){.table = tables[0]}), ERR_OK);
    struct store_budget budget = {.steps = 100};
    assert_int_equal(store_scan_next(snap, &budget, &row), ERR_OK);
    while (count < ARRAY_LENGTH(taken) && secret_slab_take(box->slab, &taken[count]) == ERR_OK) {
        count++;
    }
    assert_int_equal(secret_slab_used(box->slab), secret_slab_capacity(box->slab));

    for (size_t at = 0; at < ARRAY_LENGTH(tables); at++) {
        assert_int_equal(store_scan_begin(snap, &(struct store_scan){.table = tables[at]}), ERR_OK);
        assert_int_equal(store_scan_next(snap, &budget, &row), ERR_OK);
        assert_int_equal(store_box_number(&row), at);
    }

    for (size_t at = 0; at < count; at++) {
        secret_slab_give(box->slab, taken[at]);
    }
    store_snap_end(TAKE(snap));
    fault_clear();
}

/* A row of each of 24 starts, every one with an epoch of its own. */
static struct row_id fill_starts(struct store_box *box, struct table_id table)
{
    const struct row_id first = store_box_insert(box, table, "ann", "first", 0);

    for (int64_t start = 1; start < 24; start++) {
        char name[16];
        snprintf(name, sizeof(name), "start %d", (int)start);
        store_box_reopen(box);
        (void)store_box_insert(box, table, "ann", name, start);
    }
    assert_int_equal(store_box_epochs(box, table), 24);
    return first;
}

static void old_epochs_are_emptied_and_forgotten(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    struct store_txn *txn = NULL;
    bool more = true;
    char text[64];
    int64_t number = 0;
    (void)store_box_index(box, table, 1, false, true, false);
    const struct row_id first = fill_starts(box, table);

    for (size_t calls = 0; more && calls < 1000; calls++) {
        assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
        assert_int_equal(store_reseal(txn, table, 3, &more), ERR_OK);
        if (calls == 4) {
            store_txn_abort(txn); /* what it did is undone, and done again */
        } else {
            assert_int_equal(store_txn_commit(txn), ERR_OK);
        }
    }

    assert_false(more);
    assert_int_equal(store_box_epochs(box, table), 16);
    assert_int_equal(store_box_read(box, table, first, text, &number), ERR_OK);
    assert_int_equal(store_box_fsck(box, true), 0);
    store_box_reopen(box);
    assert_int_equal(store_box_fsck(box, true), 0);
}

static void an_index_dropped_by_another_sealer_makes_a_pass_over_epochs_begin_again(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    const struct index_id dropped = store_box_index(box, table, 1, false, true, false);
    (void)store_box_index(box, table, 2, false, false, false);
    (void)fill_starts(box, table);
    struct store_sealer *other = NULL;
    struct store_txn *txn = NULL;
    bool more = true;
    while (more && box->sealer->reseal.phase != 5) { /* rows, records and two of three indexes are done */
        assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
        assert_int_equal(store_reseal(txn, table, 1, &more), ERR_OK);
        assert_int_equal(store_txn_commit(txn), ERR_OK);
    }
    assert_true(more);

    assert_int_equal(store_sealer_new(box->store, box->random, &other), ERR_OK);
    assert_int_equal(store_txn_begin(other, &txn), ERR_OK);
    assert_int_equal(store_index_drop(txn, table, dropped), ERR_OK);
    assert_int_equal(store_txn_commit(txn), ERR_OK);
    store_sealer_free(other);
    for (size_t calls = 0; more && calls < 1000; calls++) {
        assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
        assert_int_equal(store_reseal(txn, table, 3, &more), ERR_OK);
        assert_int_equal(store_txn_commit(txn), ERR_OK);
    }

    assert_false(more);
    assert_int_equal(store_box_fsck(box, true), 0);
}

#define BOX_TEST(name) cmocka_unit_test_setup_teardown(name, store_box_set_up, store_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOX_TEST(a_unique_index_refuses_an_equal_tuple_and_changes_nothing),
        BOX_TEST(long_values_that_begin_alike_are_unique_or_refused),
        BOX_TEST(attack_13_a_unique_long_value_is_checked_without_the_rows_that_begin_alike),
        BOX_TEST(fsck_finds_an_entry_whose_hash_is_not_that_of_its_row),
        BOX_TEST(missing_values_collide_unless_the_index_is_sparse),
        BOX_TEST(a_unique_index_over_equal_rows_is_refused_and_leaves_nothing),
        BOX_TEST(a_dropped_index_is_gone_and_the_owners_index_stays),
        BOX_TEST(index_definitions_survive_a_restart),
        BOX_TEST(an_index_of_no_or_too_many_fields_is_refused),
        BOX_TEST(the_appliances_own_tables_have_ids_of_its_choice),
        BOX_TEST(the_table_of_the_appliances_own_records_is_none_to_anybody),
        BOX_TEST(the_last_ids_are_given_out_and_none_behind_them),
        BOX_TEST(a_dropped_table_is_gone_and_the_others_stay),
        BOX_TEST(dropping_destroys_the_key_that_wrapped_the_dropped_one),
        BOX_TEST(a_rotation_that_was_cut_off_is_finished_at_the_next_start),
        BOX_TEST(a_table_made_after_an_unfinished_rotation_is_destroyed_with_its_own),
        BOX_TEST(a_drop_that_is_aborted_leaves_the_table),
        BOX_TEST(a_reader_that_finds_the_slab_full_does_with_the_keys_it_has),
        BOX_TEST(old_epochs_are_emptied_and_forgotten),
        BOX_TEST(an_index_dropped_by_another_sealer_makes_a_pass_over_epochs_begin_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
