/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The write transaction: what belongs to it besides the engine's.
 *
 * Counters and the id record are changed by nearly every operation, so they are kept here and sealed once, before the
 * commit. Commit, in this order:
 * 1. counters and ids are written; after a dropped table every remaining key is re-wrapped;
 * 2. if tables changed: the new set is published as (new, former), so that a reader of either moment finds its own;
 * 3. the engine commits: from here on it is durable;
 * 4. if tables changed: the set is published as (new); if the commit failed: the former set again;
 * 5. after a dropped table: the keeper destroys the old wrapping key. If that fails, the next transaction or the next
 *    start does it first of all. */
#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "storage/store_int.h"

/* --- sealers --- */

static enum err init_txn(struct store_sealer *sealer)
{
    struct store_txn *txn = &sealer->txn;

    txn->sealer = sealer;
    txn->snap.txn = txn;
    TRY(snap_init(&sealer->reader, &txn->snap));
    TRY(buf_new(ROW_BYTES_MAX + SEAL_OVERHEAD, &txn->sealed));
    TRY(buf_new(ROW_BYTES_MAX, &txn->old));
    TRY(buf_new(INDEX_TUPLE_BYTES_MAX, &txn->tuple));
    return buf_new(INDEX_TUPLE_BYTES_MAX, &txn->old_tuple);
}

static enum err init_sealer(struct store *store, struct random *random, struct store_sealer *sealer)
{
    sealer->reader.store = store;
    sealer->reader.slot = STORE_READERS;
    sealer->random = random;
    TRY(key_cache_new(store->slab, &sealer->reader.cache));
    TRY(sealer_new(sealer->reader.cache, random, &sealer->sealer));
    return init_txn(sealer);
}

enum err store_sealer_new(struct store *store, struct random *random, struct store_sealer **out_sealer)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct store_sealer), &memory));
    struct store_sealer *sealer = memory;
    const enum err err = init_sealer(store, random, sealer);
    if (err != ERR_OK) {
        store_sealer_free(sealer);
        return err;
    }
    *out_sealer = sealer;
    return ERR_OK;
}

void store_sealer_free(struct store_sealer *sealer)
{
    if (sealer == NULL) {
        return;
    }
    INVARIANT(sealer->txn.engine == NULL);
    snap_done(&sealer->txn.snap);
    buf_free(sealer->txn.sealed);
    buf_free(sealer->txn.old);
    buf_free(sealer->txn.tuple);
    buf_free(sealer->txn.old_tuple);
    sealer_free(sealer->sealer);
    key_cache_free(sealer->reader.cache);
    mem_free(sealer);
}

/* --- begin and end --- */

static enum err may_seal(const struct store *store)
{
    return store->may_seal == NULL ? ERR_OK : store->may_seal(store->may_seal_context);
}

static enum err begin(struct store_sealer *sealer, struct store_txn **out_txn)
{
    struct store_txn *txn = &sealer->txn;
    struct store *store = sealer->reader.store;

    INVARIANT(txn->engine == NULL);
    TRY(may_seal(store));
    TRY(engine_write_begin(store->engine, &txn->engine));
    txn->snap.opener.txn = txn->engine;
    txn->snap.tables = store->current;
    reader_sweep(&sealer->reader, store->current);
    sealer_enter(sealer->sealer, txn->engine);
    *out_txn = txn;
    return ERR_OK;
}

/* Everything but the engine's own end. Its cursors close before that. */
static void end(struct store_txn *txn, bool committed)
{
    snap_clear(&txn->snap);
    clear_buffer(txn->old);
    clear_buffer(txn->tuple);
    clear_buffer(txn->old_tuple);
    clear_buffer(txn->sealed);
    sealer_leave(txn->sealer->sealer, committed);
    table_set_unref(txn->working);
    txn->working = NULL;
    txn->snap.tables = NULL;
    txn->snap.opener.txn = NULL;
    txn->engine = NULL;
    txn->changes = 0;
    txn->rotate = false;
    txn->ids = (struct txn_ids){.loaded = false};
    txn->count_count = 0;
    txn->owner_count = 0;
    if (!committed) {
        atomic_store(&txn->sealer->reader.store->clearing, true); /* what it cleared is there again */
        txn->sealer->reseal.phase = 0; /* what it passed over was not written */
        txn->sealer->reseal_from = 0;
    }
}

void store_txn_abort(struct store_txn *txn)
{
    if (txn == NULL || txn->engine == NULL) {
        return;
    }
    snap_close_cursors(&txn->snap);
    engine_abort(txn->engine);
    end(txn, false);
}

/* Step 2: (new, former). */
static enum err announce(struct store_txn *txn, struct table_set **out_lone)
{
    struct store *store = txn->sealer->reader.store;
    struct table_set *pair = NULL;
    struct table_set *lone = NULL;

    txn->working->commit = engine_txn_number(txn->engine);
    TRY(table_set_copy(txn->working, &pair));
    const enum err err = table_set_copy(txn->working, &lone);
    if (err != ERR_OK) {
        table_set_unref(pair);
        return err;
    }
    pair->former = table_set_ref(store->current);
    snapshot_publish(store->cell, &pair->head);
    *out_lone = lone;
    return ERR_OK;
}

/* Step 4: lone is what readers find from now on; NULL after a commit that failed. */
static void settle(struct store *store, struct table_set *lone)
{
    if (lone != NULL) {
        table_set_unref(store->current);
        store->current = lone;
    }
    snapshot_publish(store->cell, &table_set_ref(store->current)->head);
}

static void end_rotation(struct store *store)
{
    if (store->rotation_open && store->keeper->rotate_end(store->keeper->context) == ERR_OK) {
        store->rotation_open = false;
    }
}

static enum err prepare(struct store_txn *txn, struct table_set **out_lone)
{
    TRY(txn_flush(txn));
    if (txn->rotate) {
        TRY(txn_rewrap(txn));
    }
    TRY(may_seal(txn->sealer->reader.store)); /* what was sealed meanwhile does not reach the disk otherwise */
    return txn->working == NULL ? ERR_OK : announce(txn, out_lone);
}

enum err store_txn_commit(struct store_txn *txn)
{
    struct store *store = txn->sealer->reader.store;
    struct table_set *lone = NULL;
    const bool rotate = txn->rotate;

    const enum err prepared = prepare(txn, &lone);
    if (prepared != ERR_OK) {
        store_txn_abort(txn);
        return prepared;
    }
    snap_close_cursors(&txn->snap);
    const bool tables_changed = txn->working != NULL;
    const enum err err = engine_commit(txn->engine);
    if (tables_changed) {
        if (err != ERR_OK) {
            table_set_unref(lone);
        }
        settle(store, err == ERR_OK ? lone : NULL);
    }
    end(txn, err == ERR_OK);
    TRY(err);
    if (rotate) {
        end_rotation(store);
    }
    return ERR_OK;
}

/* A rotation that a transaction before left open: its drop was aborted, or the keeper failed at the end. The keys are
 * wrapped anew in a transaction of their own, so that a table made meanwhile does not share the version that its own drop
 * must destroy. Where even that fails, the next transaction tries again. */
static void finish_rotation(struct store_sealer *sealer)
{
    struct store_txn *txn = NULL;

    if (!sealer->reader.store->rotation_open) {
        return;
    }
    enum err err = begin(sealer, &txn);
    if (err == ERR_OK) {
        txn->rotate = true;
        err = store_txn_commit(txn);
    }
    if (err != ERR_OK) {
        fault_clear();
    }
}

enum err store_txn_begin(struct store_sealer *sealer, struct store_txn **out_txn)
{
    finish_rotation(sealer);
    return begin(sealer, out_txn);
}

struct store_snap *store_txn_snap(struct store_txn *txn)
{
    return &txn->snap;
}

uint64_t store_txn_changes(const struct store_txn *txn)
{
    return txn->changes;
}

void txn_touch(struct store_txn *txn)
{
    txn->changes++;
    txn->snap.scan.state = SCAN_NONE;
}

/* --- tables --- */

struct table_set *txn_tables(const struct store_txn *txn)
{
    return txn->snap.tables;
}

enum err txn_table(const struct store_txn *txn, struct table_id id, const struct table **out_table)
{
    return snap_table(&txn->snap, id, out_table);
}

enum err txn_working(struct store_txn *txn, struct table_set **out_set)
{
    if (txn->working == NULL) {
        TRY(table_set_copy(txn->snap.tables, &txn->working));
        txn->snap.tables = txn->working;
        txn->sealer->reseal.phase = 0; /* it knew other indexes */
    }
    *out_set = txn->working;
    return ERR_OK;
}

/* --- records --- */

enum err txn_put_meta(struct store_txn *txn, const struct table *table, enum seal_kind kind,
                      const struct meta_name *name, struct span plain)
{
    const struct seal_name what = {table, kind, meta_span(name)};
    uint8_t *sealed = NULL;

    txn_touch(txn);
    TRY(buffer_for(txn->sealed, plain.len + SEAL_OVERHEAD, &sealed));
    TRY(sealer_seal(txn->sealer->sealer, &what, plain, sealed));
    return engine_put(txn->engine, ENGINE_META, meta_span(name), buf_all(txn->sealed));
}

enum err txn_ids(struct store_txn *txn, struct txn_ids **out_ids)
{
    const struct table *own = table_set_find(txn->snap.tables, (struct table_id){STORE_OWN_TABLE});
    const struct meta_name name = meta_name_of(META_IDS, SPAN_NONE);
    uint8_t bytes[META_IDS_BYTES] = {0};

    if (!txn->ids.loaded) {
        const enum err err = meta_load(&txn->snap.opener, own, SEAL_IDS, &name, bytes, sizeof(bytes));
        ENSURE(err != ERR_NOT_FOUND, ERR_DAMAGED, "the record of ids is gone");
        TRY(err);
        txn->ids.loaded = true;
        txn->ids.next_table = get_u32be(bytes);
        txn->ids.next_index = get_u32be(bytes + 4);
        txn->ids.tables = get_u32be(bytes + 8);
    }
    *out_ids = &txn->ids;
    return ERR_OK;
}

static enum err flush_ids(struct store_txn *txn)
{
    const struct table *own = table_set_find(txn->snap.tables, (struct table_id){STORE_OWN_TABLE});
    const struct meta_name name = meta_name_of(META_IDS, SPAN_NONE);
    uint8_t bytes[META_IDS_BYTES] = {0};

    put_u32be(bytes, txn->ids.next_table);
    put_u32be(bytes + 4, txn->ids.next_index);
    put_u32be(bytes + 8, txn->ids.tables);
    TRY(txn_put_meta(txn, own, SEAL_IDS, &name, span_array(bytes)));
    txn->ids.changed = false;
    return ERR_OK;
}

/* --- row ids --- */

struct row_id store_txn_row_id(struct store_txn *txn, struct wall_time now)
{
    struct store_sealer *sealer = txn->sealer;
    const uint32_t second = now.ms < 0 ? 0 : (uint32_t)(now.ms / 1000);
    struct row_id id = {{0}};

    if (second > sealer->last_second) {
        sealer->last_second = second;
        sealer->last_counter = 0;
    } else {
        sealer->last_counter++;
        if (sealer->last_counter > 0xFFFFFF) { /* borrows from the next second rather than repeat */
            sealer->last_second++;
            sealer->last_counter = 0;
        }
    }
    put_u32be(id.bytes + 3, sealer->last_counter); /* its first byte is 0 and is overwritten by the second's last */
    put_u32be(id.bytes, sealer->last_second);
    random_fill(sealer->random, id.bytes + 7, ROW_ID_BYTES - 7);
    return id;
}

/* --- counters --- */

static enum err flush_counts(struct store_txn *txn)
{
    for (size_t at = 0; at < txn->count_count; at++) {
        const struct table *table = table_set_find(txn->snap.tables, txn->counts[at].table);
        const struct meta_name name = meta_name_table(META_COUNT, txn->counts[at].table);
        uint8_t bytes[META_COUNT_BYTES] = {0};
        fresh_write(&txn->counts[at].fresh, bytes);
        TRY(txn_put_meta(txn, table, SEAL_COUNT, &name, span_array(bytes)));
    }
    txn->count_count = 0;
    return ERR_OK;
}

static enum err flush_owner(struct store_txn *txn, const struct txn_owner *owner)
{
    const struct table *table = table_set_find(txn->snap.tables, owner->table);
    uint8_t bytes[8] = {0};

    if (owner->rows > 0) {
        put_u64be(bytes, owner->rows);
        return txn_put_meta(txn, table, SEAL_OWNER, &owner->name, span_array(bytes));
    }
    txn_touch(txn);
    const enum err err = engine_delete(txn->engine, ENGINE_META, meta_span(&owner->name));
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err flush_owners(struct store_txn *txn)
{
    for (size_t at = 0; at < txn->owner_count; at++) {
        TRY(flush_owner(txn, &txn->owners[at]));
    }
    txn->owner_count = 0;
    return ERR_OK;
}

enum err txn_flush(struct store_txn *txn)
{
    TRY(flush_counts(txn));
    TRY(flush_owners(txn));
    return txn->ids.changed ? flush_ids(txn) : ERR_OK;
}

enum err txn_count(struct store_txn *txn, const struct table *table, struct txn_count **out_count)
{
    for (size_t at = 0; at < txn->count_count; at++) {
        if (txn->counts[at].table.value == table->id.value) {
            *out_count = &txn->counts[at];
            return ERR_OK;
        }
    }
    if (txn->count_count == TXN_TABLES) {
        TRY(flush_counts(txn));
    }
    struct txn_count *count = &txn->counts[txn->count_count];
    *count = (struct txn_count){.table = table->id};
    TRY(fresh_load(&txn->snap.opener, table, &count->fresh));
    txn->count_count++;
    *out_count = count;
    return ERR_OK;
}

static enum err load_owner(struct store_txn *txn, const struct table *table, const struct meta_name *name,
                           struct txn_owner **out_owner)
{
    uint8_t bytes[8] = {0};

    for (size_t at = 0; at < txn->owner_count; at++) {
        if (span_equal(meta_span(&txn->owners[at].name), meta_span(name))) {
            *out_owner = &txn->owners[at];
            return ERR_OK;
        }
    }
    if (txn->owner_count == TXN_OWNERS) {
        TRY(flush_owners(txn));
    }
    const enum err err = meta_load(&txn->snap.opener, table, SEAL_OWNER, name, bytes, sizeof(bytes));
    if (err != ERR_NOT_FOUND) {
        TRY(err);
    }
    struct txn_owner *owner = &txn->owners[txn->owner_count];
    *owner = (struct txn_owner){.table = table->id, .name = *name, .rows = err == ERR_OK ? get_u64be(bytes) : 0};
    txn->owner_count++;
    *out_owner = owner;
    return ERR_OK;
}

enum err txn_own(struct store_txn *txn, const struct table *table, struct span created_by, int change)
{
    struct meta_name name = {.len = 0};
    struct txn_owner *owner = NULL;

    TRY(owner_name(txn->snap.opener.cache, table, created_by, &name));
    TRY(load_owner(txn, table, &name, &owner));
    ENSURE(change > 0 || owner->rows > 0, ERR_DAMAGED, "an owner's counter is too low");
    owner->rows = change > 0 ? owner->rows + 1 : owner->rows - 1;
    return ERR_OK;
}

void txn_forget_counts(struct store_txn *txn, struct table_id table)
{
    size_t kept = 0;

    for (size_t at = 0; at < txn->count_count; at++) {
        if (txn->counts[at].table.value != table.value) {
            txn->counts[kept] = txn->counts[at];
            kept++;
        }
    }
    txn->count_count = kept;
    kept = 0;
    for (size_t at = 0; at < txn->owner_count; at++) {
        if (txn->owners[at].table.value != table.value) {
            txn->owners[kept] = txn->owners[at];
            kept++;
        }
    }
    txn->owner_count = kept;
}
