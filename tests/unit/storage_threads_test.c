/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Readers beside a writer that changes rows, indexes and tables. A reader must always see one moment whole: an index it
 * is told of holds every row, counters agree with what a scan finds. Runs under the thread sanitizer as well. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/store_box.h"

#define READERS 3
#define ROUNDS  60

struct shared {
    struct store_box *box;
    struct table_id table;
    atomic_bool stop;
    atomic_uint wrong; /* assertions of cmocka belong to its own thread */
    atomic_uint looks;
};

static uint64_t count_by(struct store_snap *snap, struct table_id table, struct index_id index)
{
    const struct store_scan scan = {.table = table, .index = index};
    struct store_budget budget = {.steps = 100000};
    struct row row;
    uint64_t rows = 0;

    enum err err = store_scan_begin(snap, &scan);
    while (err == ERR_OK) {
        err = store_scan_next(snap, &budget, &row);
        rows += err == ERR_OK ? 1 : 0;
    }
    return err == ERR_NOT_FOUND ? rows : UINT64_MAX;
}

static bool is_whole(struct store_snap *snap, struct table_id table)
{
    const struct store_index *indexes = NULL;
    size_t count = 0;
    uint64_t rows = 0;

    if (store_count(snap, table, &rows) != ERR_OK || store_indexes(snap, table, &indexes, &count) != ERR_OK ||
        count_by(snap, table, (struct index_id){0}) != rows) {
        return false;
    }
    for (size_t at = 0; at < count; at++) {
        if (count_by(snap, table, indexes[at].id) != rows) {
            return false;
        }
    }
    return true;
}

static void *look(void *context)
{
    struct shared *shared = context;
    struct store_reader *reader = NULL;

    if (store_reader_new(shared->box->store, &reader) != ERR_OK) {
        shared->wrong++;
        return NULL;
    }
    while (!shared->stop) {
        struct store_snap *snap = NULL;
        if (store_snap_begin(reader, &snap) != ERR_OK || !is_whole(snap, shared->table)) {
            shared->wrong++;
        }
        store_snap_end(snap);
        shared->looks++;
    }
    store_reader_free(reader);
    return NULL;
}

/* A row, an index made and another dropped, and now and then a table made and dropped. */
static void change(struct shared *shared, int64_t round, struct index_id *last)
{
    struct store_box *box = shared->box;
    struct store_txn *txn = NULL;

    (void)store_box_insert(box, shared->table, "ann", "x", round);
    const struct index_id next = store_box_index(box, shared->table, 2, round % 2 == 0, false, false);
    if (last->value != 0) {
        assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
        assert_int_equal(store_index_drop(txn, shared->table, *last), ERR_OK);
        assert_int_equal(store_txn_commit(txn), ERR_OK);
    }
    *last = next;
    if (round % 5 == 0) {
        const struct table_id other = store_box_table(box);
        (void)store_box_insert(box, other, "ann", "x", round);
        assert_int_equal(store_txn_begin(box->sealer, &txn), ERR_OK);
        assert_int_equal(store_table_drop(txn, other), ERR_OK);
        assert_int_equal(store_txn_commit(txn), ERR_OK);
    }
}

static void a_reader_never_sees_half_a_change(void **state UNUSED)
{
    struct shared shared = {.box = store_box_new()};
    struct index_id last = {0};
    pthread_t threads[READERS];
    shared.table = store_box_table(shared.box);
    for (size_t at = 0; at < READERS; at++) {
        assert_int_equal(pthread_create(&threads[at], NULL, look, &shared), 0);
    }

    for (int64_t round = 0; round < ROUNDS; round++) {
        change(&shared, round, &last);
    }

    shared.stop = true;
    for (size_t at = 0; at < READERS; at++) {
        assert_int_equal(pthread_join(threads[at], NULL), 0);
    }
    assert_int_equal(shared.wrong, 0);
    assert_true(shared.looks > ROUNDS);
    assert_int_equal(store_box_fsck(shared.box, true), 0);
    store_box_free(shared.box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_never_sees_half_a_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
