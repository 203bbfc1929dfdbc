/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Deleting what dropped tables and indexes leave behind. A drop itself is short, however much it drops: it takes away
 * the table's key and its definition, or the index out of its table's, and notes that the rest is to be cleared:
 *
 *   clear record = 'X' index id(4) table id(4)     one of the two is 0; sealed, so that only a drop can have made it
 *
 * The writer thread then deletes the rest some entries at a time, a transaction each, between the writes of others, and
 * the record with the last of them. Nothing else is kept about the progress, so after a crash or an abort it goes on
 * with whatever is still there. What is left meanwhile nobody can open: not the entries of a dropped table, and those
 * of a dropped index are asked for by nobody.
 *
 * Entries of an index are found without being compared: the first of an index is behind a search key without a tuple. */
#include <string.h>

#include "hal/base/fault.h"
#include "storage/store_int.h"

#define CLEAR_PLAIN 1 /* bytes in a record: none are needed, and a value has some */

enum err txn_clear_later(struct store_txn *txn, struct table_id table, struct index_id index)
{
    const struct table *own = table_set_find(txn->snap.tables, (struct table_id){STORE_OWN_TABLE});
    const struct meta_name name = meta_name_clear(table, index);
    const uint8_t plain[CLEAR_PLAIN] = {0};

    atomic_store(&txn->sealer->reader.store->clearing, true);
    return txn_put_meta(txn, own, SEAL_CLEAR, &name, span_array(plain));
}

enum err clear_noted(const struct seal_reader *opener, const struct table_set *tables, struct table_id table,
                     struct index_id index)
{
    const struct table *own = table_set_find(tables, (struct table_id){STORE_OWN_TABLE});
    const struct meta_name name = meta_name_clear(table, index);
    uint8_t plain[CLEAR_PLAIN] = {0};

    return meta_load(opener, own, SEAL_CLEAR, &name, plain, sizeof(plain));
}

bool clear_is_sound(const struct table_set *tables, struct span key)
{
    if (key.len != META_CLEAR_BYTES) {
        return false;
    }
    const struct index_id index = {get_u32be(key.data + 1)};
    const struct table_id table = {get_u32be(key.data + 1 + INDEX_ID_BYTES)};

    for (size_t at = 0; at < tables->count; at++) {
        if (index.value != 0 && table_index(tables->tables[at], index) != NULL) {
            return false;
        }
    }
    return index.value != 0 ? table.value == STORE_OWN_TABLE : table_set_find(tables, table) == NULL;
}

/* --- a step --- */

/* Deletes from the cursor's place on while entries begin with prefix and *left is not 0. */
static enum err delete_run(struct engine_cursor *cursor, enum err sought, struct span first, struct span prefix,
                           uint32_t *left)
{
    struct span key = first;
    enum err err = sought;

    while (err == ERR_OK && *left > 0 && span_starts_with(key, prefix)) {
        TRY(engine_cursor_delete(cursor));
        (*left)--;
        err = engine_cursor_step(cursor, ENGINE_NEXT, &key, NULL);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err delete_prefix(struct store_txn *txn, enum engine_map map, struct span prefix, uint32_t *left)
{
    struct engine_cursor *cursor = NULL;
    struct span key = SPAN_NONE;

    TRY(engine_cursor_new(txn->engine, map, &cursor));
    enum err err = engine_cursor_seek(cursor, prefix, &key, NULL);
    err = delete_run(cursor, err, key, prefix, left);
    engine_cursor_free(cursor);
    return err;
}

static enum err clear_table(struct store_txn *txn, struct table_id table, uint32_t *left)
{
    const struct meta_name salts = meta_name_table(META_EPOCH, table);
    const struct meta_name owners = meta_name_table(META_OWNER, table);
    uint8_t rows[4] = {0};

    put_u32be(rows, table.value);
    TRY(delete_prefix(txn, ENGINE_ROWS, span_array(rows), left));
    TRY(delete_prefix(txn, ENGINE_META, meta_span(&owners), left));
    return delete_prefix(txn, ENGINE_META, meta_span(&salts), left);
}

/* The context has no table: an entry that had to be opened after all would poison it. */
static enum err clear_index(struct store_txn *txn, struct index_id index, uint32_t *left)
{
    struct index_context context = {.reader = &txn->snap.opener, .table = NULL, .index = index};
    uint8_t search[INDEX_SEARCH_MAX] = {0};
    uint8_t prefix[INDEX_ID_BYTES] = {0};
    struct engine_cursor *cursor = NULL;
    struct span key = SPAN_NONE;

    put_u32be(prefix, index.value);
    TRY(engine_cursor_new(txn->engine, ENGINE_INDEX, &cursor));
    const size_t len = index_search_key(index, SPAN_NONE, NULL, search);
    index_enter(&context);
    enum err err = engine_cursor_seek(cursor, span_of(search, len), &key, NULL);
    err = delete_run(cursor, err, key, span_array(prefix), left);
    engine_cursor_free(cursor);
    return index_leave(&context, err);
}

/* The first clear record. ERR_NOT_FOUND: nothing is left. */
static enum err first_record(struct store_txn *txn, struct table_id *out_table, struct index_id *out_index)
{
    const struct meta_name prefix = meta_name_of(META_CLEAR, SPAN_NONE);
    struct engine_cursor *cursor = NULL;
    struct span key = SPAN_NONE;

    TRY(engine_cursor_new(txn->engine, ENGINE_META, &cursor));
    const enum err err = engine_cursor_seek(cursor, meta_span(&prefix), &key, NULL);
    engine_cursor_free(cursor);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && !span_starts_with(key, meta_span(&prefix)))) {
        return ERR_NOT_FOUND;
    }
    TRY(err);
    ENSURE(clear_is_sound(txn_tables(txn), key), ERR_DAMAGED, "a clear record of what is in use");
    *out_index = (struct index_id){get_u32be(key.data + 1)};
    *out_table = (struct table_id){get_u32be(key.data + 1 + INDEX_ID_BYTES)};
    return ERR_OK;
}

static enum err clear_first(struct store_txn *txn, uint32_t *left)
{
    struct index_id index = {0};
    struct table_id table = {0};

    const enum err err = first_record(txn, &table, &index);
    if (err != ERR_OK) {
        return err;
    }
    TRY(clear_noted(&txn->snap.opener, txn_tables(txn), table, index));
    txn_touch(txn);
    TRY(index.value != 0 ? clear_index(txn, index, left) : clear_table(txn, table, left));
    if (*left == 0) {
        return ERR_OK; /* there may be more */
    }
    (*left)--;
    const struct meta_name name = meta_name_clear(table, index);
    return engine_delete(txn->engine, ENGINE_META, meta_span(&name));
}

enum err store_clear_some(struct store_txn *txn, uint32_t max_entries, bool *out_done)
{
    uint32_t left = max_entries;
    enum err err = ERR_OK;

    while (left > 0 && err == ERR_OK) {
        err = clear_first(txn, &left);
    }
    if (err != ERR_NOT_FOUND) {
        TRY(err);
    }
    *out_done = err == ERR_NOT_FOUND;
    atomic_store(&txn->sealer->reader.store->clearing, err == ERR_OK);
    return ERR_OK;
}

bool store_has_leftovers(const struct store *store)
{
    return atomic_load(&store->clearing);
}
