/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/store_box.h"

static void a_row_reads_as_it_was_inserted(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    const struct row_id id = store_box_insert(box, table, "ann", "first words", -42);
    char text[64] = "";
    int64_t number = 0;

    assert_int_equal(store_box_read(box, table, id, text, &number), ERR_OK);

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

    assert_int_equal(store_box_read(box, table, id, text, &number), ERR_OK);
    assert_string_equal(text, "kept");
    assert_int_equal(store_box_fsck(box, true), 0);
}

/* --- reading --- */

static void a_database_that_was_there_and_is_gone_is_damage_and_not_made_anew(void **state)
{
    struct store_box *box = *state;
    char path[TEMP_PATH_MAX + 16];

    (void)store_box_table(box);
    box->config.must_exist = true;
    store_box_reopen(box);
    store_box_close(box);
    snprintf(path, sizeof(path), "%s/data.mdb", box->path);
    assert_int_equal(unlink(path), 0);

    assert_int_equal(store_box_open(box), ERR_DAMAGED);
    fault_clear();
    box->config.must_exist = false;
    store_box_reopen(box);
}

static void what_is_not_there_is_not_found(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    SCOPED_SNAP struct store_snap *snap = NULL;
    uint64_t rows = 0;
    struct row row;

    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);
    assert_int_equal(store_get(snap, table, (struct row_id){{1}}, &row), ERR_NOT_FOUND);
    assert_int_equal(store_get(snap, (struct table_id){table.value + 1}, (struct row_id){{1}}, &row), ERR_NOT_FOUND);
    assert_int_equal(store_get(snap, (struct table_id){0}, (struct row_id){{1}}, &row), ERR_NOT_FOUND);
    assert_int_equal(store_count(snap, (struct table_id){9999}, &rows), ERR_NOT_FOUND);
    assert_int_equal(store_verify(snap, (struct table_id){9999}), ERR_NOT_FOUND);
    assert_int_equal(store_scan_begin(snap, &(struct store_scan){.table = {9999}}), ERR_NOT_FOUND);
    assert_int_equal(store_scan_begin(snap, &(struct store_scan){.table = table, .index = {9999}}), ERR_NOT_FOUND);
}

static void attack_10_in_place_of_a_row_that_is_absent_its_neighbour_is_opened(void **state)
{
    struct store_box *box = *state;
    const struct table_id before = store_box_table(box);
    const struct table_id table = store_box_table(box);
    const struct table_id after = store_box_table(box);
    const struct row_id past = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct row row;
    (void)store_box_insert(box, before, "ann", "before", 1);
    const struct row_id first = store_box_insert(box, table, "ann", "first", 1);
    const struct row_id second = store_box_insert(box, table, "ann", "second", 2);
    (void)store_box_insert(box, after, "ann", "after", 1);
    struct row_id between = first;
    between.bytes[ROW_ID_BYTES - 1]++;
    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);

    assert_int_equal(store_get_near(snap, table, first, &row), ERR_OK);
    assert_true(row_id_equal(row.id, first));
    assert_true(span_equal(store_box_text(&row), span_lit("first")));
    assert_int_equal(store_get_near(snap, table, between, &row), ERR_OK);
    assert_true(row_id_equal(row.id, second));
    assert_int_equal(store_get_near(snap, table, past, &row), ERR_OK);
    assert_true(row_id_equal(row.id, second));
    assert_true(span_equal(store_box_text(&row), span_lit("second")));
    assert_int_equal(store_get_near(snap, table, (struct row_id){{0}}, &row), ERR_OK);
    assert_true(row_id_equal(row.id, first));
}

static void a_table_without_rows_has_no_neighbours(void **state)
{
    struct store_box *box = *state;
    const struct table_id before = store_box_table(box);
    const struct table_id table = store_box_table(box);
    const struct table_id after = store_box_table(box);
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct row row;
    const struct row_id id = store_box_insert(box, before, "ann", "before", 1);
    (void)store_box_insert(box, after, "ann", "after", 1);
    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);

    assert_int_equal(store_get_near(snap, table, id, &row), ERR_NOT_FOUND);
    assert_int_equal(store_get_near(snap, (struct table_id){9999}, id, &row), ERR_NOT_FOUND);
    assert_int_equal(store_get_near(snap, (struct table_id){0}, id, &row), ERR_NOT_FOUND);
}

static void a_snapshot_stays_as_it_was(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    const struct row_id id = store_box_insert(box, table, "ann", "before", 1);
    SCOPED_SNAP struct store_snap *snap = NULL;
    uint64_t rows = 0;
    struct row row;
    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);

    assert_int_equal(store_box_replace(box, table, id, "ann", "after", 2), ERR_OK);
    (void)store_box_insert(box, table, "ann", "more", 3);

    assert_int_equal(store_get(snap, table, id, &row), ERR_OK);
    assert_true(span_equal(store_box_text(&row), span_lit("before")));
    assert_int_equal(store_count(snap, table, &rows), ERR_OK);
    assert_int_equal(rows, 1);
}

static void a_reader_has_so_many_snapshots_and_no_more(void **state)
{
    struct store_box *box = *state;
    struct store_snap *snaps[STORE_SNAPS_MAX + 1] = {NULL};

    for (size_t at = 0; at < STORE_SNAPS_MAX; at++) {
        assert_int_equal(store_snap_begin(box->reader, &snaps[at]), ERR_OK);
    }
    assert_int_equal(store_snap_begin(box->reader, &snaps[STORE_SNAPS_MAX]), ERR_LIMIT);
    store_snap_end(snaps[3]);
    assert_int_equal(store_snap_begin(box->reader, &snaps[3]), ERR_OK);
    for (size_t at = 0; at < STORE_SNAPS_MAX; at++) {
        store_snap_end(snaps[at]);
    }
}

/* --- scanning --- */

static struct mono_time clock_now(void *context)
{
    const uint64_t *ns = context;

    return (struct mono_time){*ns};
}

static void a_scan_stops_when_its_budget_is_used_up_and_goes_on(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct store_budget none = {.steps = 0};
    struct store_budget two = {.steps = 2};
    uint64_t ns = 100;
    struct row row;
    for (int64_t number = 0; number < 3; number++) {
        (void)store_box_insert(box, table, "ann", "x", number);
    }
    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);
    assert_int_equal(store_scan_begin(snap, &(struct store_scan){.table = table}), ERR_OK);

    assert_int_equal(store_scan_next(snap, &none, &row), ERR_AGAIN);
    assert_int_equal(store_scan_next(snap, &two, &row), ERR_OK);
    assert_int_equal(store_box_number(&row), 0);
    assert_int_equal(store_scan_next(snap, &two, &row), ERR_OK);
    assert_int_equal(store_scan_next(snap, &two, &row), ERR_AGAIN);
    struct store_budget late = {.steps = 16, .now = clock_now, .context = &ns, .deadline = {100}};
    assert_int_equal(store_scan_next(snap, &late, &row), ERR_AGAIN);
    struct store_budget early = {.steps = 16, .now = clock_now, .context = &ns, .deadline = {101}};
    assert_int_equal(store_scan_next(snap, &early, &row), ERR_OK);
    assert_int_equal(store_box_number(&row), 2);
    assert_int_equal(store_scan_next(snap, &early, &row), ERR_NOT_FOUND);
    assert_int_equal(store_scan_next(snap, &early, &row), ERR_NOT_FOUND);
}

static enum err refuse_all(void *context UNUSED, const struct row *row UNUSED, bool *out_take)
{
    *out_take = false;
    return ERR_OK;
}

static void attack_13_a_scan_over_large_rows_looks_at_the_clock_more_often(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    SCOPED_SNAP struct store_snap *snap = NULL;
    static char text[40000];
    uint64_t ns = 100;
    struct store_budget budget = {.steps = 15, .now = clock_now, .context = &ns, .deadline = {100}};
    struct row row;
    memset(text, 'x', sizeof text - 1);
    for (int64_t number = 0; number < 4; number++) {
        (void)store_box_insert(box, table, "ann", text, number);
    }
    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);
    assert_int_equal(store_scan_begin(snap, &(struct store_scan){.table = table, .filter = refuse_all}), ERR_OK);

    assert_int_equal(store_scan_next(snap, &budget, &row), ERR_AGAIN);
    assert_int_equal(budget.steps, 13);
}

static enum err refuse_two(void *context UNUSED, const struct row *row, bool *out_take)
{
    *out_take = store_box_number(row) == 1;
    return store_box_number(row) == 2 ? ERR_BUDGET : ERR_OK;
}

static void a_filter_chooses_rows_and_its_error_ends_the_scan(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct store_budget budget = {.steps = 100};
    struct row row;
    for (int64_t number = 0; number < 4; number++) {
        (void)store_box_insert(box, table, "ann", "x", number);
    }
    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);
    assert_int_equal(store_scan_begin(snap, &(struct store_scan){.table = table, .filter = refuse_two}), ERR_OK);

    assert_int_equal(store_scan_next(snap, &budget, &row), ERR_OK);
    assert_int_equal(store_box_number(&row), 1);
    assert_int_equal(store_scan_next(snap, &budget, &row), ERR_BUDGET);
    assert_int_equal(store_scan_next(snap, &budget, &row), ERR_NOT_FOUND);
}

static void check_resumed(struct store_box *box, const struct store_scan *scan, int64_t expected)
{
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct store_budget budget = {.steps = 100};
    struct row row;

    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);
    assert_int_equal(store_scan_begin(snap, scan), ERR_OK);
    assert_int_equal(store_scan_next(snap, &budget, &row), expected < 0 ? ERR_NOT_FOUND : ERR_OK);
    if (expected >= 0) {
        assert_int_equal(store_box_number(&row), expected);
    }
}

static void a_scan_goes_on_behind_a_row_in_both_directions(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    const struct row_value ann = {.type = ROW_STRING, .bytes = span_lit("ann")};
    struct row_id ids[5];
    for (int64_t number = 0; number < 5; number++) {
        ids[number] = store_box_insert(box, table, number == 2 ? "bob" : "ann", "x", number);
    }
    struct store_scan rows = {.table = table, .after = &ids[2]};
    struct store_scan owned = {.table = table, .after = &ids[2], .index = {1}, .equal = &ann, .equal_count = 1};

    check_resumed(box, &rows, 3);
    check_resumed(box, &owned, 3); /* `after` need not be in the index */
    rows.backward = owned.backward = true;
    check_resumed(box, &rows, 1);
    check_resumed(box, &owned, 1);
    rows.after = owned.after = &ids[0];
    check_resumed(box, &rows, -1);
    check_resumed(box, &owned, -1);
    rows.backward = owned.backward = false;
    rows.after = owned.after = &ids[3];
    check_resumed(box, &rows, 4);
    check_resumed(box, &owned, 4);
}

/* Entries hold less of a value than this; what is before or behind the bound costs no step all the same. */
#define LONG_TEXT 600

static void attack_13_a_scan_begins_at_its_bound_however_long_that_is(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    const struct index_id index = store_box_index(box, table, 1, false, false, false);
    SCOPED_SNAP struct store_snap *snap = NULL;
    char text[LONG_TEXT + 1] = {0};
    struct row row;
    for (int64_t number = 0; number < 8; number++) {
        (void)store_box_insert(box, table, "ann", "a", number);
        (void)store_box_insert(box, table, "ann", "c", number);
    }
    memset(text, 'b', LONG_TEXT);
    (void)store_box_insert(box, table, "ann", text, 77);
    const struct row_value bound = {.type = ROW_STRING, .bytes = span_str(text)};
    struct store_scan scan = {.table = table, .index = index, .lower = {.value = &bound, .inclusive = true}};
    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);

    for (size_t direction = 0; direction < 2; direction++) {
        struct store_budget one = {.steps = 1};
        assert_int_equal(store_scan_begin(snap, &scan), ERR_OK);
        assert_int_equal(store_scan_next(snap, &one, &row), ERR_OK);
        assert_int_equal(store_box_number(&row), 77);
        scan = (struct store_scan){
            .table = table, .index = index, .backward = true, .upper = {.value = &bound, .inclusive = true}};
    }
}

static void a_scan_that_makes_no_sense_is_refused(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    const struct row_value ann = {.type = ROW_STRING, .bytes = span_lit("ann")};
    const struct row_id id = {{1}};
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct store_budget budget = {.steps = 100};
    struct row row;
    assert_int_equal(store_snap_begin(box->reader, &snap), ERR_OK);

    assert_int_equal(store_scan_next(snap, &budget, &row), ERR_STATE);
    assert_int_equal(store_scan_begin(snap, &(struct store_scan){.table = table, .equal = &ann, .equal_count = 1}),
                     ERR_STATE);
    assert_int_equal(store_scan_begin(snap, &(struct store_scan){.table = table, .index = {1}, .after = &id}),
                     ERR_STATE);
    assert_int_equal(
        store_scan_begin(
            snap,
            &(struct store_scan){.table = table, .index = {1}, .equal = &ann, .equal_count = 1, .lower = {&ann, true}}),
        ERR_STATE);
}

static void a_write_ends_the_scan_of_its_transaction(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    const struct row_id id = store_box_insert(box, table, "ann", "x", 1);
    struct store_budget budget = {.steps = 100};
    struct store_txn *txn = NULL;
    struct row row;
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    assert_int_equal(store_scan_begin(store_txn_snap(txn), &(struct store_scan){.table = table}), ERR_OK);

    assert_int_equal(store_delete(txn, table, id), ERR_OK);

    assert_int_equal(store_scan_next(store_txn_snap(txn), &budget, &row), ERR_STATE);
    store_txn_abort(txn);
}

/* --- writing --- */

static void a_transaction_counts_and_verifies_with_its_own_rows(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    struct store_txn *txn = NULL;
    uint64_t rows = 0;
    uint64_t owned = 0;
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    struct store_snap *snap = store_txn_snap(txn);

    assert_int_equal(store_insert(txn, table, (struct row_id){{1}}, store_box_row(box, "ann", "a", 1), NULL), ERR_OK);
    assert_int_equal(store_verify(snap, table), ERR_OK);
    assert_int_equal(store_insert(txn, table, (struct row_id){{2}}, store_box_row(box, "ann", "b", 2), NULL), ERR_OK);
    assert_int_equal(store_count(snap, table, &rows), ERR_OK);
    assert_int_equal(store_insert(txn, table, (struct row_id){{3}}, store_box_row(box, "ann", "c", 3), NULL), ERR_OK);
    assert_int_equal(store_count_owned(snap, table, span_lit("ann"), &owned), ERR_OK);

    assert_int_equal(rows, 2);
    assert_int_equal(owned, 3);
    assert_int_equal(store_txn_commit(txn), ERR_OK);
    assert_int_equal(store_box_fsck(box, true), 0);
}

static void bytes_that_are_no_row_are_refused(void **state)
{
    static uint8_t large[ROW_BYTES_MAX + 1];
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    const struct row_id id = {{1}};
    struct store_txn *txn = NULL;
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    const uint64_t before = store_txn_changes(txn);

    assert_int_equal(store_insert(txn, table, id, span_lit("not a row"), NULL), ERR_MALFORMED);
    const struct span row = store_box_row(box, "ann", "x", 1);
    assert_int_equal(store_insert(txn, table, id, span_of(row.data, row.len - 1), NULL), ERR_MALFORMED);
    assert_int_equal(store_insert(txn, table, id, span_array(large), NULL), ERR_RANGE);
    assert_int_equal(store_insert(txn, (struct table_id){9999}, id, row, NULL), ERR_NOT_FOUND);
    assert_int_equal(store_replace(txn, table, id, row, NULL), ERR_NOT_FOUND);
    assert_int_equal(store_delete(txn, table, id), ERR_NOT_FOUND);
    assert_int_equal(store_txn_changes(txn), before);
    assert_int_equal(store_insert(txn, table, id, row, NULL), ERR_OK);
    assert_int_equal(store_insert(txn, table, id, row, NULL), ERR_EXISTS);
    store_txn_abort(txn);
}

static void an_aborted_transaction_leaves_nothing(void **state)
{
    struct store_box *box = *state;
    const struct table_id table = store_box_table(box);
    struct store_txn *txn = NULL;
    struct table_id other = {0};
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
    const struct row_id id = store_txn_row_id(txn, (struct wall_time){0});
    assert_int_equal(store_insert(txn, table, id, store_box_row(box, "ann", "x", 1), NULL), ERR_OK);
    assert_int_equal(store_table_new(txn, &other), ERR_OK);

    store_txn_abort(txn);

    char text[64];
    int64_t number = 0;
    assert_int_equal(store_box_read(box, table, id, text, &number), ERR_NOT_FOUND);
    assert_int_equal(store_box_table(box).value, other.value); /* its id was never given */
    assert_int_equal(store_box_fsck(box, true), 0);
}

static void row_ids_only_grow_also_when_the_clock_goes_back(void **state)
{
    struct store_box *box = *state;
    struct store_txn *txn = NULL;
    assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);

    struct row_id last = store_txn_row_id(txn, (struct wall_time){5000000});
    assert_memory_equal(last.bytes, "\x00\x00\x13\x88\x00\x00\x00", 7);
    for (int64_t step = 0; step < 300; step++) {
        const struct row_id next = store_txn_row_id(txn, (struct wall_time){5000000 - step * 1000});
        assert_true(row_id_compare(last, next) < 0);
        last = next;
    }
    assert_memory_equal(last.bytes, "\x00\x00\x13\x88\x00\x01\x2c", 7);
    store_txn_abort(txn);
}

#define BOX_TEST(name) cmocka_unit_test_setup_teardown(name, store_box_set_up, store_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOX_TEST(a_row_reads_as_it_was_inserted),
        BOX_TEST(rows_are_there_after_a_restart),
        BOX_TEST(a_database_that_was_there_and_is_gone_is_damage_and_not_made_anew),
        BOX_TEST(what_is_not_there_is_not_found),
        BOX_TEST(attack_10_in_place_of_a_row_that_is_absent_its_neighbour_is_opened),
        BOX_TEST(a_table_without_rows_has_no_neighbours),
        BOX_TEST(a_snapshot_stays_as_it_was),
        BOX_TEST(a_reader_has_so_many_snapshots_and_no_more),
        BOX_TEST(a_scan_stops_when_its_budget_is_used_up_and_goes_on),
        BOX_TEST(attack_13_a_scan_over_large_rows_looks_at_the_clock_more_often),
        BOX_TEST(a_filter_chooses_rows_and_its_error_ends_the_scan),
        BOX_TEST(a_scan_goes_on_behind_a_row_in_both_directions),
        BOX_TEST(attack_13_a_scan_begins_at_its_bound_however_long_that_is),
        BOX_TEST(a_scan_that_makes_no_sense_is_refused),
        BOX_TEST(a_write_ends_the_scan_of_its_transaction),
        BOX_TEST(a_transaction_counts_and_verifies_with_its_own_rows),
        BOX_TEST(bytes_that_are_no_row_are_refused),
        BOX_TEST(an_aborted_transaction_leaves_nothing),
        BOX_TEST(row_ids_only_grow_also_when_the_clock_goes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
