/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables and indexes in a write transaction.
 *
 * Dropping a table. Copy-on-write leaves old pages behind, so deleting its rows does not erase them; destroying every
 * way to its key does:
 * 1. rotate_begin: the keeper makes a new wrapping key;
 * 2. its wrapped key, its definition and its counters are deleted, and what else there is of it is noted as to be cleared
 *    later (txn_clear.c): however large the table, this transaction is short;
 * 3. before the commit every remaining table key is wrapped anew (txn_rewrap);
 * 4. commit;
 * 5. rotate_end: the keeper destroys the old wrapping key, and with it the only way to what old pages hold. */
#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "storage/store_int.h"

/* --- creating --- */

static enum err put_definition(struct store_txn *txn, const struct table *table)
{
    const struct meta_name name = meta_name_table(META_TABLE, table->id);
    SCOPED_BUF struct buf *bytes = NULL;

    TRY(buf_new(TABLE_BYTES_MAX, &bytes));
    TRY(table_encode(table, bytes));
    return txn_put_meta(txn, table, SEAL_TABLE, &name, buf_all(bytes));
}

enum err txn_add_table(struct store_txn *txn, struct table_id id, const struct store_index *indexes, size_t index_count)
{
    struct store *store = txn->sealer->reader.store;
    const struct meta_name wrapped_name = meta_name_table(META_KEY, id);
    const struct meta_name count_name = meta_name_table(META_COUNT, id);
    const uint8_t zero[META_COUNT_BYTES] = {0};
    struct store_wrapped wrapped = {.len = 0};
    struct secret *secret = NULL;
    SCOPED_TABLE_KEY struct table_key *key = NULL;
    struct table_set *set = NULL;
    struct table *table = NULL;

    TRY(txn_working(txn, &set));
    TRY(store->keeper->new_key(store->keeper->context, id, &secret, &wrapped));
    TRY(table_key_new(store->table_keys, secret, &key));
    ENSURE(wrapped.len <= STORE_WRAPPED_MAX, ERR_BUG, "wrapped key too long");
    TRY(table_new(id, key, indexes, index_count, &table));
    const struct table *made = table; /* the set owns it now */
    TRY(table_set_put(set, table));

    txn_touch(txn);
    TRY(engine_put(txn->engine, ENGINE_META, meta_span(&wrapped_name), span_of(wrapped.bytes, wrapped.len)));
    TRY(put_definition(txn, made));
    return txn_put_meta(txn, made, SEAL_COUNT, &count_name, span_array(zero));
}

static enum err new_index_id(struct store_txn *txn, struct index_id *out_id)
{
    struct txn_ids *ids = NULL;

    TRY(txn_ids(txn, &ids));
    ENSURE(ids->next_index <= INDEX_ID_MAX, ERR_LIMIT, "no index id left");
    *out_id = (struct index_id){ids->next_index};
    ids->next_index++;
    ids->changed = true;
    return ERR_OK;
}

static enum err add_user_table(struct store_txn *txn, struct table_id id)
{
    struct store_index owner = {
        .def = {.fields = {{.field = {.column = ROW_COLUMN_CREATED_BY}}}, .field_count = 1},
    };
    struct txn_ids *ids = NULL;

    txn_touch(txn);
    TRY(new_index_id(txn, &owner.id));
    TRY(txn_add_table(txn, id, &owner, 1));
    TRY(txn_ids(txn, &ids));
    ids->tables++;
    return ERR_OK;
}

enum err store_table_create(struct store_txn *txn, struct table_id table)
{
    ENSURE(table.value != STORE_OWN_TABLE && table.value < STORE_TABLE_FIRST, ERR_RANGE, "not an id of the appliance");
    if (table_set_find(txn_tables(txn), table) != NULL) {
        return ERR_EXISTS;
    }
    const enum err noted = clear_noted(&txn->snap.opener, txn_tables(txn), table, (struct index_id){0});
    ENSURE(noted != ERR_OK, ERR_CONFLICT, "rows of a table of this id are not deleted yet");
    if (noted != ERR_NOT_FOUND) {
        TRY(noted);
    }
    return add_user_table(txn, table);
}

enum err store_table_new(struct store_txn *txn, struct table_id *out_table)
{
    struct txn_ids *ids = NULL;

    TRY(txn_ids(txn, &ids));
    ENSURE(ids->next_table < UINT32_MAX, ERR_LIMIT, "no table id left");
    const struct table_id id = {ids->next_table};
    ids->next_table++;
    ids->changed = true;
    TRY(add_user_table(txn, id));
    *out_table = id;
    return ERR_OK;
}

/* --- dropping --- */

/* What makes it a table; the rest is left to txn_clear.c. */
static enum err delete_metas(struct store_txn *txn, struct table_id table)
{
    static const enum meta_kind kinds[] = {META_KEY, META_TABLE, META_COUNT};

    txn_touch(txn);
    for (size_t at = 0; at < ARRAY_LENGTH(kinds); at++) {
        const struct meta_name name = meta_name_table(kinds[at], table);
        const enum err err = engine_delete(txn->engine, ENGINE_META, meta_span(&name));
        ENSURE(err != ERR_NOT_FOUND, ERR_DAMAGED, "a record of a table is gone");
        TRY(err);
    }
    return ERR_OK;
}

enum err store_table_drop(struct store_txn *txn, struct table_id table)
{
    struct store *store = txn->sealer->reader.store;
    const struct table *found = NULL;
    struct table_set *set = NULL;
    struct txn_ids *ids = NULL;

    if (txn_table(txn, table, &found) != ERR_OK) {
        return ERR_NOT_FOUND;
    }
    ENSURE(!store->rotation_open || txn->rotate, ERR_CONFLICT, "an earlier rotation could not be ended yet");
    TRY(store->keeper->rotate_begin(store->keeper->context));
    store->rotation_open = true;
    txn->rotate = true;
    TRY(txn_ids(txn, &ids));
    TRY(txn_working(txn, &set));
    TRY(txn_table(txn, table, &found)); /* in the working set now */

    for (size_t at = 0; at < found->index_count; at++) {
        TRY(txn_clear_later(txn, (struct table_id){0}, found->indexes[at].id));
    }
    TRY(txn_clear_later(txn, table, (struct index_id){0}));
    TRY(delete_metas(txn, table));
    txn_forget_counts(txn, table);
    sealer_forget_table(txn->sealer->sealer, table);
    table_set_remove(set, table);
    ids->tables--;
    ids->changed = true;
    return ERR_OK;
}

enum err txn_rewrap(struct store_txn *txn)
{
    const struct store_keeper *keeper = txn->sealer->reader.store->keeper;
    const struct table_set *set = txn_tables(txn);

    for (size_t at = 0; at < set->count; at++) {
        const struct meta_name name = meta_name_table(META_KEY, set->tables[at]->id);
        struct store_wrapped wrapped = {.len = 0};
        struct span old = SPAN_NONE;
        TRY(engine_get(txn->engine, ENGINE_META, meta_span(&name), &old));
        TRY(keeper->rewrap(keeper->context, set->tables[at]->id, old, &wrapped));
        ENSURE(wrapped.len <= STORE_WRAPPED_MAX, ERR_BUG, "wrapped key too long");
        txn_touch(txn);
        TRY(engine_put(txn->engine, ENGINE_META, meta_span(&name), span_of(wrapped.bytes, wrapped.len)));
    }
    return ERR_OK;
}

/* --- indexes --- */

static void free_memory(void **memory)
{
    mem_free(*memory);
}

/* The table with one index more (add not NULL) or without one, in the working set and on disk. */
static enum err redefine(struct store_txn *txn, const struct table *table, const struct store_index *add,
                         struct index_id without)
{
    SCOPED(free_memory) void *memory = NULL;
    struct table_set *set = NULL;
    struct table *made = NULL;
    size_t count = 0;

    TRY(mem_alloc_array(table->index_count + 1, sizeof(struct store_index), &memory));
    struct store_index *indexes = memory;
    for (size_t at = 0; at < table->index_count; at++) {
        if (table->indexes[at].id.value != without.value) {
            indexes[count] = table->indexes[at];
            count++;
        }
    }
    if (add != NULL) {
        indexes[count] = *add;
        count++;
    }
    TRY(txn_working(txn, &set));
    TRY(table_new(table->id, table->key, indexes, count, &made));
    const struct table *changed = made;
    TRY(table_set_put(set, made)); /* the old one is gone now, if nobody else holds it */
    return put_definition(txn, changed);
}

static enum err fill_row(struct store_txn *txn, const struct table *table, const struct store_index *index,
                         struct row_id id, struct span sealed)
{
    struct row row = {.id = id};
    bool skip = false;

    TRY(row_open(&txn->snap.opener, table, id, sealed, txn->old, &row));
    TRY(index_tuple_of_row(&index->def, &row, txn->tuple, &skip));
    if (skip) {
        return ERR_OK;
    }
    if (index->def.unique) {
        const enum err err = txn_check_unique(txn, table, index, buf_all(txn->tuple), id);
        if (err != ERR_OK) {
            return err;
        }
    }
    return txn_put_entry(txn, table, index->id, buf_all(txn->tuple), id);
}

static enum err fill_rows(struct store_txn *txn, struct engine_cursor *cursor, const struct table *table,
                          const struct store_index *index)
{
    uint8_t prefix[4] = {0};
    struct span key = SPAN_NONE;
    struct span sealed = SPAN_NONE;

    put_u32be(prefix, table->id.value);
    enum err err = engine_cursor_seek(cursor, span_array(prefix), &key, &sealed);
    while (err == ERR_OK && span_starts_with(key, span_array(prefix))) {
        struct row_id id = {{0}};
        ENSURE(key.len == ROW_KEY_BYTES, ERR_DAMAGED, "row key of another size");
        memcpy(id.bytes, key.data + 4, ROW_ID_BYTES);
        err = fill_row(txn, table, index, id, sealed);
        if (err != ERR_OK) {
            return err;
        }
        err = engine_cursor_step(cursor, ENGINE_NEXT, &key, &sealed);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err fill_index(struct store_txn *txn, const struct table *table, const struct store_index *index)
{
    struct engine_cursor *cursor = NULL;

    TRY(engine_cursor_new(txn->engine, ENGINE_ROWS, &cursor));
    const enum err err = fill_rows(txn, cursor, table, index);
    engine_cursor_free(cursor);
    return err;
}

enum err store_index_create(struct store_txn *txn, struct table_id table, const struct index_def *def,
                            struct index_id *out_index)
{
    const struct table *found = NULL;
    struct store_index index = {.def = *def};

    if (txn_table(txn, table, &found) != ERR_OK) {
        return ERR_NOT_FOUND;
    }
    ENSURE(found->index_count < INDEX_PER_TABLE_MAX, ERR_RANGE, "too many indexes");
    TRY(new_index_id(txn, &index.id));
    TRY(redefine(txn, found, &index, (struct index_id){0}));
    TRY(txn_table(txn, table, &found));
    const enum err err = fill_index(txn, found, table_index(found, index.id));
    if (err != ERR_OK) {
        return err;
    }
    *out_index = index.id;
    return ERR_OK;
}

enum err store_index_drop(struct store_txn *txn, struct table_id table, struct index_id index)
{
    const struct table *found = NULL;

    if (txn_table(txn, table, &found) != ERR_OK || table_index(found, index) == NULL) {
        return ERR_NOT_FOUND;
    }
    ENSURE(found->indexes[0].id.value != index.value, ERR_REFUSED, "the created_by index stays");
    TRY(txn_clear_later(txn, (struct table_id){0}, index));
    return redefine(txn, found, NULL, index);
}
