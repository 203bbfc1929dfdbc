/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Readers and snapshots, and reads of single things. A reader parks its engine transactions and keeps its buffers, so
 * a point read allocates nothing. Which tables and indexes there are comes from the set published last; table_int.h
 * says how it is kept in step with the engine's moment. */
#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "storage/store_int.h"

#define SNAP_TRIES 64 /* each failure needs a change of tables between two instructions of ours */

/* --- opening --- */

enum err buffer_for(struct buf *buf, size_t plain_bytes, uint8_t **out_at)
{
    buf_reset(buf);
    TRY(buf_reserve(buf, plain_bytes, out_at));
    buf_commit(buf, plain_bytes);
    return ERR_OK;
}

void row_key_write(struct table_id table, struct row_id row, uint8_t out_key[ROW_KEY_BYTES])
{
    put_u32be(out_key, table.value);
    memcpy(out_key + 4, row.bytes, ROW_ID_BYTES);
}

enum err row_open(const struct seal_reader *opener, const struct table *table, struct row_id id, struct span sealed,
                  struct buf *buf, struct row *out_row)
{
    const struct seal_name name = {table, SEAL_ROW, span_array(id.bytes)};
    uint8_t *plain = NULL;

    ENSURE(sealed.len <= ROW_BYTES_MAX + SEAL_OVERHEAD, ERR_DAMAGED, "row too large");
    TRY(buffer_for(buf, seal_plain_bytes(sealed), &plain));
    TRY(seal_open_value(opener, &name, sealed, plain));
    return row_read(id, buf_all(buf), out_row);
}

enum err row_load(const struct seal_reader *opener, const struct table *table, struct row_id id, struct buf *buf,
                  struct row *out_row)
{
    uint8_t key[ROW_KEY_BYTES] = {0};
    struct span sealed = SPAN_NONE;

    row_key_write(table->id, id, key);
    const enum err err = engine_get(opener->txn, ENGINE_ROWS, span_array(key), &sealed);
    if (err == ERR_NOT_FOUND) {
        return err;
    }
    TRY(err);
    return row_open(opener, table, id, sealed, buf, out_row);
}

enum err meta_load(const struct seal_reader *opener, const struct table *table, enum seal_kind kind,
                   const struct meta_name *name, uint8_t *out_bytes, size_t bytes)
{
    const struct seal_name what = {table, kind, meta_span(name)};
    struct span sealed = SPAN_NONE;

    const enum err err = engine_get(opener->txn, ENGINE_META, meta_span(name), &sealed);
    if (err == ERR_NOT_FOUND) {
        return err;
    }
    TRY(err);
    ENSURE(sealed.len == bytes + SEAL_OVERHEAD, ERR_DAMAGED, "record of another size");
    return seal_open_value(opener, &what, sealed, out_bytes);
}

enum err owner_name(struct key_cache *cache, const struct table *table, struct span created_by,
                    struct meta_name *out_name)
{
    const struct hmac_key *hmac = NULL;
    uint8_t mac[SHA256_BYTES] = {0};

    TRY(key_cache_mac(cache, table, KEY_OWNER, &hmac));
    hmac_key_mac(hmac, &created_by, 1, mac);
    *out_name = meta_name_owner(table->id, mac);
    return ERR_OK;
}

/* --- snapshots --- */

enum err snap_init(struct store_reader *reader, struct store_snap *out_snap)
{
    out_snap->reader = reader;
    out_snap->opener.cache = reader->cache;
    TRY(buf_new(ROW_BYTES_MAX, &out_snap->got));
    TRY(buf_new(ROW_BYTES_MAX, &out_snap->scanned));
    TRY(buf_new(INDEX_TUPLE_BYTES_MAX, &out_snap->tuple));
    TRY(buf_new(INDEX_TUPLE_BYTES_MAX, &out_snap->low));
    return buf_new(INDEX_TUPLE_BYTES_MAX, &out_snap->high);
}

void snap_close_cursors(struct store_snap *snap)
{
    engine_cursor_free(TAKE(snap->rows));
    engine_cursor_free(TAKE(snap->entries));
}

void snap_done(struct store_snap *snap)
{
    snap_close_cursors(snap);
    if (snap->txn == NULL) {
        engine_abort(snap->opener.txn);
    }
    buf_free(snap->got);
    buf_free(snap->scanned);
    buf_free(snap->tuple);
    buf_free(snap->low);
    buf_free(snap->high);
}

void clear_buffer(struct buf *buf)
{
    if (buf_len(buf) > 0) {
        buf_wipe(buf);
        buf_shrink(buf, STORE_BUFFER_KEEP);
    }
}

void snap_clear(struct store_snap *snap)
{
    clear_buffer(snap->got);
    clear_buffer(snap->scanned);
    clear_buffer(snap->tuple);
    clear_buffer(snap->low);
    clear_buffer(snap->high);
    snap->scan.state = SCAN_NONE;
}

/* The set that belongs to this moment, with a reference, or NULL: the moment is older than what is still known. */
static struct table_set *tables_of_moment(struct store_reader *reader, uint64_t moment)
{
    struct snapshot *newest = snapshot_refresh(reader->store->cell, reader->slot, NULL);
    struct table_set *set = (struct table_set *)newest;

    if (set->commit <= moment) {
        return set;
    }
    struct table_set *former = set->former != NULL && set->former->commit <= moment ? table_set_ref(set->former) : NULL;
    table_set_unref(set);
    return former;
}

static bool still_there(const void *context, struct table_id table)
{
    return table_set_find(context, table) != NULL;
}

void reader_sweep(struct store_reader *reader, const struct table_set *tables)
{
    if (tables->commit != reader->seen_commit) {
        key_cache_sweep(reader->cache, still_there, tables);
        reader->seen_commit = tables->commit;
    }
}

static enum err start_engine(struct store_snap *snap)
{
    if (snap->opener.txn == NULL) {
        return engine_read_begin(snap->reader->store->engine, &snap->opener.txn);
    }
    return engine_read_renew(snap->opener.txn);
}

static enum err start_snap(struct store_snap *snap)
{
    struct store_reader *reader = snap->reader;

    for (size_t tries = 0; tries < SNAP_TRIES; tries++) {
        TRY(start_engine(snap));
        snap->tables = tables_of_moment(reader, engine_txn_number(snap->opener.txn));
        if (snap->tables != NULL) {
            break;
        }
        engine_read_reset(snap->opener.txn);
    }
    ENSURE(snap->tables != NULL, ERR_AGAIN, "tables change too fast");
    reader_sweep(reader, snap->tables);
    return ERR_OK;
}

enum err store_snap_begin(struct store_reader *reader, struct store_snap **out_snap)
{
    for (size_t at = 0; at < STORE_SNAPS_MAX; at++) {
        struct store_snap *snap = &reader->snaps[at];
        if (!snap->in_use) {
            TRY(start_snap(snap));
            snap->in_use = true;
            *out_snap = snap;
            return ERR_OK;
        }
    }
    FAIL(ERR_LIMIT, "every snapshot of this reader is in use", STORE_SNAPS_MAX);
}

void store_snap_end(struct store_snap *snap)
{
    if (snap == NULL) {
        return;
    }
    INVARIANT(snap->in_use && snap->txn == NULL);
    snap_clear(snap);
    engine_read_reset(snap->opener.txn);
    table_set_unref(snap->tables);
    snap->tables = NULL;
    snap->in_use = false;
}

/* --- readers --- */

static enum err take_slot(struct store *store, size_t *out_slot)
{
    for (size_t slot = 0; slot < STORE_READERS; slot++) {
        if (!atomic_exchange(&store->slots[slot], true)) {
            *out_slot = slot;
            return ERR_OK;
        }
    }
    FAIL(ERR_LIMIT, "too many readers", STORE_READERS);
}

static enum err init_reader(struct store *store, struct store_reader *reader)
{
    reader->store = store;
    reader->slot = STORE_READERS;
    TRY(take_slot(store, &reader->slot));
    TRY(key_cache_new(store->slab, &reader->cache));
    for (size_t at = 0; at < STORE_SNAPS_MAX; at++) {
        TRY(snap_init(reader, &reader->snaps[at]));
    }
    return ERR_OK;
}

enum err store_reader_new(struct store *store, struct store_reader **out_reader)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct store_reader), &memory));
    struct store_reader *reader = memory;
    const enum err err = init_reader(store, reader);
    if (err != ERR_OK) {
        store_reader_free(reader);
        return err;
    }
    *out_reader = reader;
    return ERR_OK;
}

void store_reader_free(struct store_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    for (size_t at = 0; at < STORE_SNAPS_MAX; at++) {
        INVARIANT(!reader->snaps[at].in_use);
        snap_done(&reader->snaps[at]);
    }
    key_cache_free(reader->cache);
    if (reader->slot < STORE_READERS) {
        atomic_store(&reader->store->slots[reader->slot], false);
    }
    mem_free(reader);
}

/* --- single things --- */

enum err snap_table(const struct store_snap *snap, struct table_id id, const struct table **out_table)
{
    const struct table *table = id.value == STORE_OWN_TABLE ? NULL : table_set_find(snap->tables, id);

    if (table == NULL) {
        return ERR_NOT_FOUND;
    }
    *out_table = table;
    return ERR_OK;
}

enum err store_get(struct store_snap *snap, struct table_id table, struct row_id id, struct row *out_row)
{
    const struct table *found = NULL;
    enum err err = snap_table(snap, table, &found);

    if (err == ERR_OK) {
        err = row_load(&snap->opener, found, id, snap->got, out_row);
    }
    return err;
}

enum err store_count(struct store_snap *snap, struct table_id table, uint64_t *out_rows)
{
    const struct table *found = NULL;
    struct fresh fresh = {.rows = 0};

    if (snap_table(snap, table, &found) != ERR_OK) {
        return ERR_NOT_FOUND;
    }
    if (snap->txn != NULL) {
        TRY(txn_flush(snap->txn));
    }
    TRY(fresh_load(&snap->opener, found, &fresh));
    *out_rows = fresh.rows;
    return ERR_OK;
}

enum err store_verify(struct store_snap *snap, struct table_id table)
{
    const struct table *found = NULL;

    if (snap_table(snap, table, &found) != ERR_OK) {
        return ERR_NOT_FOUND;
    }
    if (snap->txn != NULL) {
        TRY(txn_flush(snap->txn));
    }
    return fresh_verify(&snap->opener, found);
}

enum err store_count_owned(struct store_snap *snap, struct table_id table, struct span created_by, uint64_t *out_rows)
{
    const struct table *found = NULL;
    struct meta_name name = {.len = 0};
    uint8_t bytes[8] = {0};

    if (snap_table(snap, table, &found) != ERR_OK) {
        return ERR_NOT_FOUND;
    }
    if (snap->txn != NULL) {
        TRY(txn_flush(snap->txn));
    }
    TRY(owner_name(snap->opener.cache, found, created_by, &name));
    const enum err err = meta_load(&snap->opener, found, SEAL_OWNER, &name, bytes, sizeof(bytes));
    if (err != ERR_NOT_FOUND) { /* an owner of nothing has no record */
        TRY(err);
    }
    *out_rows = err == ERR_OK ? get_u64be(bytes) : 0;
    return ERR_OK;
}

enum err store_indexes(struct store_snap *snap, struct table_id table, const struct store_index **out_indexes,
                       size_t *out_count)
{
    const struct table *found = NULL;

    if (snap_table(snap, table, &found) != ERR_OK) {
        return ERR_NOT_FOUND;
    }
    *out_indexes = found->indexes;
    *out_count = found->index_count;
    return ERR_OK;
}

