/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store against a naive model: an array of rows that is searched and compared by hand. Random operations, some of
 * them aborted, some across restarts; after each batch every way of reading must answer as the model does, and fsck must
 * find nothing. The random numbers follow from a fixed seed, so a failure repeats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/store_box.h"

#define ROWS          1500
#define TEXT_MAX      1200
#define TEXT_WHOLE    431 /* the longest that an entry holds whole: 434 with its type and its end */
#define ROUNDS        120
#define OPS_PER_ROUND 25

struct model_row {
    bool alive;
    struct row_id id;
    const char *owner;
    bool has_text;
    char text[TEXT_MAX];
    int64_t number;
};

struct model {
    struct store_box *box;
    uint64_t random;
    struct table_id table;
    struct index_id owner, number, text_down, pair;
    struct model_row rows[ROWS];
    struct model_row before[ROWS]; /* as of the last commit */
    size_t used;
};

static uint32_t pick(struct model *model, uint32_t below)
{
    model->random = model->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(model->random >> 33) % below;
}

static void make_text(struct model *model, struct model_row *row)
{
    static const size_t lengths[] = {0, 1, 3, 20, 430, TEXT_WHOLE, TEXT_WHOLE + 1, 433, 448, 1000};
    const size_t len = lengths[pick(model, ARRAY_LENGTH(lengths))];

    row->has_text = pick(model, 8) != 0;
    memset(row->text, 'a', len);
    row->text[len] = 0;
    for (size_t changes = pick(model, 3); changes > 0 && len > 0; changes--) {
        const size_t at = pick(model, 2) == 0 ? pick(model, (uint32_t)len) : len - 1;
        row->text[at] = (char)('a' + pick(model, 3));
    }
}

static void make_row(struct model *model, struct model_row *row)
{
    static const char *const owners[] = {"", "ann", "bob", "carol"};

    row->owner = owners[pick(model, ARRAY_LENGTH(owners))];
    row->number = (int64_t)pick(model, 12) - 6;
    make_text(model, row);
}

/* Missing before any string, bytes in order. */
static int compare_text(const struct model_row *a, const struct model_row *b)
{
    if (a->has_text != b->has_text) {
        return a->has_text ? 1 : -1;
    }
    return a->has_text ? strcmp(a->text, b->text) : 0;
}

static bool clashes(const struct model *model, const struct model_row *row)
{
    for (size_t at = 0; at < model->used && row->has_text; at++) {
        const struct model_row *other = &model->rows[at];
        if (other != row && other->alive && other->has_text && compare_text(other, row) == 0 &&
            other->number == row->number) {
            return true;
        }
    }
    return false;
}

static struct span encode(struct model *model, const struct model_row *row)
{
    return store_box_row(model->box, row->owner, row->has_text ? row->text : NULL, row->number);
}

static void insert(struct model *model, struct store_txn *txn)
{
    struct model_row *row = &model->rows[model->used];

    if (model->used == ROWS) {
        return;
    }
    make_row(model, row);
    row->id = store_txn_row_id(txn, (struct wall_time){INT64_C(1700000000000) + (int64_t)model->used * 300});
    const enum err expected = clashes(model, row) ? ERR_EXISTS : ERR_OK;
    struct index_id index = {0};

    assert_int_equal(store_insert(txn, model->table, row->id, encode(model, row), &index), expected);

    if (expected == ERR_OK) {
        row->alive = true;
        model->used++;
    } else {
        assert_int_equal(index.value, model->pair.value);
    }
}

static void replace(struct model *model, struct store_txn *txn)
{
    struct model_row *row = &model->rows[pick(model, (uint32_t)model->used)];
    struct model_row changed = *row;

    if (!row->alive) {
        assert_int_equal(store_replace(txn, model->table, row->id, encode(model, row), NULL), ERR_NOT_FOUND);
        return;
    }
    make_row(model, &changed);
    const struct model_row kept = *row;
    *row = changed;
    const enum err expected = clashes(model, row) ? ERR_EXISTS : ERR_OK;
    assert_int_equal(store_replace(txn, model->table, row->id, encode(model, row), NULL), expected);
    if (expected != ERR_OK) {
        *row = kept;
    }
}

static void remove_row(struct model *model, struct store_txn *txn)
{
    struct model_row *row = &model->rows[pick(model, (uint32_t)model->used)];

    assert_int_equal(store_delete(txn, model->table, row->id), row->alive ? ERR_OK : ERR_NOT_FOUND);
    row->alive = false;
}

/* --- reading --- */

static void check_row(const struct model_row *expected, const struct row *row)
{
    assert_true(row_id_equal(row->id, expected->id));
    assert_true(span_equal(row->created_by, span_str(expected->owner)));
    assert_int_equal(store_box_number(row), expected->number);
    assert_true(span_equal(store_box_text(row), expected->has_text ? span_str(expected->text) : SPAN_NONE));
}

static struct model_row *by_id(struct model *model, struct row_id id)
{
    for (size_t at = 0; at < model->used; at++) {
        if (row_id_equal(model->rows[at].id, id)) {
            return &model->rows[at];
        }
    }
    return NULL;
}

struct expectation {
    bool (*wanted)(const struct model_row *row, const void *context);
    int (*order)(const struct model_row *a, const struct model_row *b); /* in scan direction <= 0; NULL: by id alone */
    const void *context;
};

static bool every(const struct model_row *row UNUSED, const void *context UNUSED)
{
    return true;
}

/* Runs a scan, a few steps at a time, and compares the rows with the wanted ones: each once, in order. */
static void check_scan(struct model *model, struct store_snap *snap, const struct store_scan *scan,
                       const struct expectation *expected)
{
    const struct model_row *last = NULL;
    struct row row;
    size_t got = 0;
    size_t wanted = 0;
    enum err err = ERR_AGAIN;

    for (size_t at = 0; at < model->used; at++) {
        wanted += model->rows[at].alive && expected->wanted(&model->rows[at], expected->context) ? 1 : 0;
    }
    assert_int_equal(store_scan_begin(snap, scan), ERR_OK);
    while (err != ERR_NOT_FOUND) {
        struct store_budget budget = {.steps = 1 + pick(model, 5)};
        err = store_scan_next(snap, &budget, &row);
        assert_true(err == ERR_OK || err == ERR_AGAIN || err == ERR_NOT_FOUND);
        if (err != ERR_OK) {
            continue;
        }
        const struct model_row *found = by_id(model, row.id);
        assert_non_null(found);
        assert_true(found->alive && expected->wanted(found, expected->context));
        check_row(found, &row);
        if (last != NULL) {
            const int order = expected->order == NULL ? 0 : expected->order(last, found);
            const int ids = row_id_compare(last->id, found->id);
            const bool cut =
                scan->equal_count == 0 && strlen(last->text) > TEXT_WHOLE && strlen(found->text) > TEXT_WHOLE;
            assert_true(order < 0 || cut || (order == 0 && (scan->backward ? ids > 0 : ids < 0)));
        }
        last = found;
        got++;
    }
    assert_int_equal(got, wanted);
}

static int up_number(const struct model_row *a, const struct model_row *b)
{
    return a->number < b->number ? -1 : a->number > b->number;
}

static int down_number(const struct model_row *a, const struct model_row *b)
{
    return up_number(b, a);
}

static int down_text(const struct model_row *a, const struct model_row *b)
{
    return compare_text(b, a);
}

static bool in_range(const struct model_row *row, const void *context UNUSED)
{
    return row->number > -3 && row->number <= 2;
}

static bool owned_by(const struct model_row *row, const void *context)
{
    return strcmp(row->owner, context) == 0;
}

static bool text_like(const struct model_row *row, const void *context)
{
    return compare_text(row, context) == 0;
}

static bool text_from(const struct model_row *row, const void *context)
{
    return compare_text(row, context) >= 0;
}

static bool pair_like(const struct model_row *row, const void *context)
{
    const struct model_row *like = context;

    return row->has_text && compare_text(row, like) == 0 && row->number == like->number;
}

static void check_all_scans(struct model *model, struct store_snap *snap, bool backward)
{
    const struct row_value low = {.type = ROW_INT, .integer = -3};
    const struct row_value high = {.type = ROW_DOUBLE, .number = 2.0};
    const struct model_row *like = &model->rows[pick(model, (uint32_t)model->used)];
    const struct row_value text = {.type = like->has_text ? ROW_STRING : ROW_NULL, .bytes = span_str(like->text)};
    const struct row_value ann = {.type = ROW_STRING, .bytes = span_lit("ann")};
    const struct row_value both[] = {text, {.type = ROW_INT, .integer = like->number}};

    check_scan(model, snap, &(struct store_scan){.table = model->table, .backward = backward},
               &(struct expectation){every, NULL, NULL});
    check_scan(model, snap, &(struct store_scan){.table = model->table, .backward = backward, .index = model->number},
               &(struct expectation){every, backward ? down_number : up_number, NULL});
    check_scan(model, snap,
               &(struct store_scan){.table = model->table,
                                    .backward = backward,
                                    .index = model->number,
                                    .lower = {&low, false},
                                    .upper = {&high, true}},
               &(struct expectation){in_range, backward ? down_number : up_number, NULL});
    check_scan(model, snap,
               &(struct store_scan){.table = model->table, .backward = backward, .index = model->text_down},
               &(struct expectation){every, backward ? compare_text : down_text, NULL});
    check_scan(model, snap,
               &(struct store_scan){
                   .table = model->table, .backward = backward, .index = model->text_down, .lower = {&text, true}},
               &(struct expectation){text_from, backward ? compare_text : down_text, like});
    check_scan(
        model, snap,
        &(struct store_scan){
            .table = model->table, .backward = backward, .index = model->text_down, .equal = &text, .equal_count = 1},
        &(struct expectation){text_like, NULL, like});
    check_scan(model, snap,
               &(struct store_scan){
                   .table = model->table, .backward = backward, .index = model->owner, .equal = &ann, .equal_count = 1},
               &(struct expectation){owned_by, NULL, "ann"});
    if (like->has_text) {
        check_scan(
            model, snap,
            &(struct store_scan){
                .table = model->table, .backward = backward, .index = model->pair, .equal = both, .equal_count = 2},
            &(struct expectation){pair_like, NULL, like});
    }
}

static void check_counts(struct model *model, struct store_snap *snap)
{
    uint64_t rows = 0;
    uint64_t anns = 0;
    uint64_t got = 0;

    for (size_t at = 0; at < model->used; at++) {
        rows += model->rows[at].alive ? 1 : 0;
        anns += model->rows[at].alive && strcmp(model->rows[at].owner, "ann") == 0 ? 1 : 0;
    }
    assert_int_equal(store_count(snap, model->table, &got), ERR_OK);
    assert_int_equal(got, rows);
    assert_int_equal(store_count_owned(snap, model->table, span_lit("ann"), &got), ERR_OK);
    assert_int_equal(got, anns);
}

static void check_view(struct model *model, struct store_snap *snap)
{
    struct row row;

    for (size_t at = 0; at < model->used; at++) {
        const enum err err = store_get(snap, model->table, model->rows[at].id, &row);
        assert_int_equal(err, model->rows[at].alive ? ERR_OK : ERR_NOT_FOUND);
        if (err == ERR_OK) {
            check_row(&model->rows[at], &row);
        }
    }
    check_counts(model, snap);
    if (model->used > 0) {
        check_all_scans(model, snap, false);
        check_all_scans(model, snap, true);
    }
}

/* --- rounds --- */

static void work(struct model *model, struct store_txn *txn)
{
    for (size_t op = 0; op < OPS_PER_ROUND; op++) {
        const uint32_t kind = pick(model, 4);
        if (kind < 2 || model->used == 0) {
            insert(model, txn);
        } else if (kind == 2) {
            replace(model, txn);
        } else {
            remove_row(model, txn);
        }
    }
}

static void run_round(struct model *model)
{
    const size_t used = model->used;
    struct store_txn *txn = NULL;

    memcpy(model->before, model->rows, sizeof(model->rows));
    assert_int_equal(store_txn_begin(model->box->sealer, &txn), ERR_OK);
    work(model, txn);
    check_view(model, store_txn_snap(txn));
    if (pick(model, 4) == 0) {
        store_txn_abort(txn);
        memcpy(model->rows, model->before, sizeof(model->rows));
        model->used = used;
    } else {
        assert_int_equal(store_txn_commit(txn), ERR_OK);
    }
    if (pick(model, 8) == 0) {
        store_box_reopen(model->box);
    }
    SCOPED_SNAP struct store_snap *snap = NULL;
    assert_int_equal(store_snap_begin(model->box->reader, &snap), ERR_OK);
    check_view(model, snap);
}

static void add_pair_index(struct model *model)
{
    const struct index_def def = {
        .fields = {{.field = {.column = 1}}, {.field = {.column = 2}, .descending = true}},
        .field_count = 2,
        .unique = true,
        .sparse = true,
    };
    struct store_txn *txn = NULL;

    assert_int_equal(store_txn_begin(model->box->sealer, &txn), ERR_OK);
    assert_int_equal(store_index_create(txn, model->table, &def, &model->pair), ERR_OK);
    assert_int_equal(store_txn_commit(txn), ERR_OK);
}

static void the_store_answers_as_a_naive_model_does(void **state UNUSED)
{
    struct model *model = calloc(1, sizeof(*model));
    const struct store_index *indexes = NULL;
    struct store_snap *snap = NULL;
    size_t count = 0;

    model->box = store_box_new();
    model->random = 20240229;
    model->table = store_box_table(model->box);
    model->number = store_box_index(model->box, model->table, 2, false, false, false);
    model->text_down = store_box_index(model->box, model->table, 1, true, false, false);
    add_pair_index(model);
    assert_int_equal(store_snap_begin(model->box->reader, &snap), ERR_OK);
    assert_int_equal(store_indexes(snap, model->table, &indexes, &count), ERR_OK);
    assert_int_equal(count, 4);
    model->owner = indexes[0].id;
    store_snap_end(snap);

    for (size_t round = 0; round < ROUNDS; round++) {
        run_round(model);
        assert_int_equal(store_box_fsck(model->box, true), 0);
    }

    assert_true(model->used > ROWS / 3);
    store_box_free(model->box);
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_store_answers_as_a_naive_model_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
