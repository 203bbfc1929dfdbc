/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows in a write transaction. Each operation first looks at everything that may refuse it (the row, its id, unique
 * indexes) and only then changes anything, so that a refused one leaves the transaction as it was:
 *   check -> seal and put the row -> index entries -> freshness hash and counters. */
#include <string.h>

#include "hal/base/fault.h"
#include "storage/store_int.h"

/* --- index entries --- */

enum err txn_put_stored(struct store_txn *txn, const struct table *table, struct index_id index, struct span stored,
                        struct row_id row)
{
    uint8_t plain[INDEX_PLAIN_MAX];
    uint8_t key[INDEX_KEY_MAX] = {0};

    put_u32be(key, index.value);
    const struct seal_name name = {table, SEAL_INDEX, span_of(key, INDEX_ID_BYTES)};
    const struct span content = span_of(plain, index_plain_write(stored, row, plain));
    txn_touch(txn);
    TRY(sealer_seal(txn->sealer->sealer, &name, content, key + INDEX_ID_BYTES));

    struct index_context context = {.reader = &txn->snap.opener,
                                    .table = table,
                                    .index = index,
                                    .fresh_key = span_of(key, INDEX_ID_BYTES + SEAL_OVERHEAD + content.len),
                                    .fresh_plain = content};
    index_enter(&context);
    const enum err err = engine_put(txn->engine, ENGINE_INDEX, context.fresh_key, SPAN_NONE);
    return index_leave(&context, err);
}

enum err txn_put_entry(struct store_txn *txn, const struct table *table, struct index_id index, struct span tuple,
                       struct row_id row)
{
    uint8_t bytes[INDEX_TUPLE_MAX];
    struct span stored = SPAN_NONE;

    TRY(index_stored(txn->snap.opener.cache, table, tuple, bytes, &stored));
    return txn_put_stored(txn, table, index, stored, row);
}

static enum err delete_entry(struct store_txn *txn, const struct table *table, struct index_id index, struct span tuple,
                             struct row_id row)
{
    uint8_t bytes[INDEX_TUPLE_MAX];
    uint8_t key[INDEX_SEARCH_MAX] = {0};
    struct index_context context = {.reader = &txn->snap.opener, .table = table, .index = index};
    struct span stored = SPAN_NONE;

    TRY(index_stored(txn->snap.opener.cache, table, tuple, bytes, &stored));
    const size_t len = index_search_key(index, stored, &row, key);
    txn_touch(txn);
    index_enter(&context);
    enum err err = engine_delete(txn->engine, ENGINE_INDEX, span_of(key, len));
    err = index_leave(&context, err);
    ENSURE(err != ERR_NOT_FOUND, ERR_DAMAGED, "a row without its index entry");
    return err;
}

/* Passes the entries with this stored tuple: in a unique index there is one at most, and it may be the row's own. */
static enum err check_run(struct engine_cursor *cursor, struct index_context *context, struct span stored,
                          struct row_id row)
{
    uint8_t search[INDEX_SEARCH_MAX] = {0};
    uint8_t plain[INDEX_PLAIN_MAX];
    struct span key = SPAN_NONE;

    const size_t len = index_search_key(context->index, stored, NULL, search);
    index_enter(context);
    enum err err = engine_cursor_seek(cursor, span_of(search, len), &key, NULL);
    err = index_leave(context, err);
    while (err == ERR_OK && key.len > INDEX_ID_BYTES && get_u32be(key.data) == context->index.value) {
        struct index_entry entry = {.truncated = false};
        TRY(index_open_key(context, key, plain, &entry));
        if (!span_equal(entry.tuple, stored)) {
            return ERR_OK;
        }
        if (!row_id_equal(entry.row, row)) {
            return ERR_EXISTS; /* an ordinary answer: no trail */
        }
        err = engine_cursor_step(cursor, ENGINE_NEXT, &key, NULL);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err txn_check_unique(struct store_txn *txn, const struct table *table, const struct store_index *index,
                          struct span tuple, struct row_id row)
{
    struct index_context context = {.reader = &txn->snap.opener, .table = table, .index = index->id};
    struct engine_cursor *cursor = NULL;
    uint8_t bytes[INDEX_TUPLE_MAX];
    struct span stored = SPAN_NONE;

    TRY(index_stored(txn->snap.opener.cache, table, tuple, bytes, &stored));
    TRY(engine_cursor_new(txn->engine, ENGINE_INDEX, &cursor));
    const enum err err = check_run(cursor, &context, stored, row);
    engine_cursor_free(cursor);
    return err;
}

static enum err check_unique_all(struct store_txn *txn, const struct table *table, const struct row *row,
                                 struct index_id *out_index)
{
    for (size_t at = 0; at < table->index_count; at++) {
        const struct store_index *index = &table->indexes[at];
        bool skip = false;
        if (!index->def.unique) {
            continue;
        }
        TRY(index_tuple_of_row(&index->def, row, txn->tuple, &skip));
        const enum err err = skip ? ERR_OK : txn_check_unique(txn, table, index, buf_all(txn->tuple), row->id);
        if (err == ERR_EXISTS && out_index != NULL) {
            *out_index = index->id;
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

/* Entries of the old row give way to those of the new one; either may be NULL. Equal ones stay. */
static enum err move_entry(struct store_txn *txn, const struct table *table, const struct store_index *index,
                           const struct row *old, const struct row *row)
{
    bool old_skip = true;
    bool skip = true;

    if (old != NULL) {
        TRY(index_tuple_of_row(&index->def, old, txn->old_tuple, &old_skip));
    }
    if (row != NULL) {
        TRY(index_tuple_of_row(&index->def, row, txn->tuple, &skip));
    }
    if (!skip && !old_skip && span_equal(buf_all(txn->tuple), buf_all(txn->old_tuple))) {
        return ERR_OK;
    }
    if (!old_skip) {
        TRY(delete_entry(txn, table, index->id, buf_all(txn->old_tuple), old->id));
    }
    return skip ? ERR_OK : txn_put_entry(txn, table, index->id, buf_all(txn->tuple), row->id);
}

static enum err move_entries(struct store_txn *txn, const struct table *table, const struct row *old,
                             const struct row *row)
{
    for (size_t at = 0; at < table->index_count; at++) {
        TRY(move_entry(txn, table, &table->indexes[at], old, row));
    }
    return ERR_OK;
}

/* --- rows --- */

/* A row as a caller handed it in: read to its end. */
static enum err read_input(struct row_id id, struct span encoded, struct row *out_row)
{
    struct row_member member = {.column = ROW_COLUMN_NONE};

    ENSURE(encoded.len <= ROW_BYTES_MAX, ERR_RANGE, "row too large");
    ENSURE(row_read(id, encoded, out_row) == ERR_OK, ERR_MALFORMED, "not an encoded row");
    struct row_iter iter = row_iter_columns(out_row);
    enum err err = row_iter_next(&iter, &member);
    while (err == ERR_OK) {
        err = row_iter_next(&iter, &member);
    }
    ENSURE(err == ERR_NOT_FOUND, ERR_MALFORMED, "not an encoded row");
    return ERR_OK;
}

/* Seals the row, puts it, and gives its freshness term. */
static enum err put_row(struct store_txn *txn, const struct table *table, const struct row *row,
                        uint8_t out_term[FRESH_BYTES])
{
    const struct seal_name name = {table, SEAL_ROW, span_array(row->id.bytes)};
    uint8_t key[ROW_KEY_BYTES] = {0};
    uint8_t *sealed = NULL;

    row_key_write(table->id, row->id, key);
    txn_touch(txn);
    TRY(buffer_for(txn->sealed, row->encoded.len + SEAL_OVERHEAD, &sealed));
    TRY(sealer_seal(txn->sealer->sealer, &name, row->encoded, sealed));
    TRY(fresh_term(txn->snap.opener.cache, table, key, buf_all(txn->sealed), out_term));
    return engine_put(txn->engine, ENGINE_ROWS, span_array(key), buf_all(txn->sealed));
}

enum err store_insert(struct store_txn *txn, struct table_id table, struct row_id id, struct span encoded,
                      struct index_id *out_index)
{
    const struct table *found = NULL;
    struct txn_count *count = NULL;
    struct row row = {.id = id};
    struct span there = SPAN_NONE;
    uint8_t key[ROW_KEY_BYTES] = {0};
    uint8_t term[FRESH_BYTES] = {0};

    if (txn_table(txn, table, &found) != ERR_OK) {
        return ERR_NOT_FOUND;
    }
    TRY(read_input(id, encoded, &row));
    row_key_write(table, id, key);
    const enum err err = engine_get(txn->engine, ENGINE_ROWS, span_array(key), &there);
    if (err != ERR_NOT_FOUND) {
        TRY(err);
        return ERR_EXISTS;
    }
    const enum err unique = check_unique_all(txn, found, &row, out_index);
    if (unique != ERR_OK) {
        return unique;
    }
    TRY(put_row(txn, found, &row, term));
    TRY(move_entries(txn, found, NULL, &row));
    TRY(txn_count(txn, found, &count));
    fresh_add(&count->fresh, term);
    return txn_own(txn, found, row.created_by, 1);
}

/* The row that is there: opened into txn->old, with its freshness term. */
static enum err load_old(struct store_txn *txn, const struct table *table, struct row_id id, struct row *out_row,
                         uint8_t out_term[FRESH_BYTES])
{
    uint8_t key[ROW_KEY_BYTES] = {0};
    struct span sealed = SPAN_NONE;

    row_key_write(table->id, id, key);
    const enum err err = engine_get(txn->engine, ENGINE_ROWS, span_array(key), &sealed);
    if (err == ERR_NOT_FOUND) {
        return err;
    }
    TRY(err);
    TRY(fresh_term(txn->snap.opener.cache, table, key, sealed, out_term));
    return row_open(&txn->snap.opener, table, id, sealed, txn->old, out_row);
}

static enum err move_owner(struct store_txn *txn, const struct table *table, const struct row *old,
                           const struct row *row)
{
    if (span_equal(old->created_by, row->created_by)) {
        return ERR_OK;
    }
    TRY(txn_own(txn, table, old->created_by, -1));
    return txn_own(txn, table, row->created_by, 1);
}

enum err store_replace(struct store_txn *txn, struct table_id table, struct row_id id, struct span encoded,
                       struct index_id *out_index)
{
    const struct table *found = NULL;
    struct txn_count *count = NULL;
    struct row old = {.id = id};
    struct row row = {.id = id};
    uint8_t old_term[FRESH_BYTES] = {0};
    uint8_t term[FRESH_BYTES] = {0};

    if (txn_table(txn, table, &found) != ERR_OK) {
        return ERR_NOT_FOUND;
    }
    TRY(read_input(id, encoded, &row));
    const enum err err = load_old(txn, found, id, &old, old_term);
    if (err != ERR_OK) {
        return err;
    }
    const enum err unique = check_unique_all(txn, found, &row, out_index);
    if (unique != ERR_OK) {
        return unique;
    }
    TRY(put_row(txn, found, &row, term));
    TRY(move_entries(txn, found, &old, &row));
    TRY(txn_count(txn, found, &count));
    fresh_subtract(&count->fresh, old_term);
    fresh_add(&count->fresh, term);
    return move_owner(txn, found, &old, &row);
}

enum err store_delete(struct store_txn *txn, struct table_id table, struct row_id id)
{
    const struct table *found = NULL;
    struct txn_count *count = NULL;
    struct row old = {.id = id};
    uint8_t key[ROW_KEY_BYTES] = {0};
    uint8_t term[FRESH_BYTES] = {0};

    if (txn_table(txn, table, &found) != ERR_OK) {
        return ERR_NOT_FOUND;
    }
    const enum err err = load_old(txn, found, id, &old, term);
    if (err != ERR_OK) {
        return err;
    }
    row_key_write(table, id, key);
    txn_touch(txn);
    TRY(engine_delete(txn->engine, ENGINE_ROWS, span_array(key)));
    TRY(move_entries(txn, found, &old, NULL));
    TRY(txn_count(txn, found, &count));
    ENSURE(count->fresh.rows > 0, ERR_DAMAGED, "a table's counter is too low");
    fresh_subtract(&count->fresh, term);
    return txn_own(txn, found, old.created_by, -1);
}
