/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening the store.
 *
 * 1. The engine is opened; a database without a format record is new if it is empty and may be new, and damaged
 *    otherwise.
 * 2. Every wrapped key is opened by the keeper, every definition read, and their number compared with the record of
 *    ids: a table that was taken out of the file whole is noticed.
 * 3. A rotation of the wrapping key that was cut off is done to its end.
 * 4. The tables that the caller names have their freshness hash summed up anew. */
#include "storage/store.h"

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "storage/store_int.h"

#define BYTES_PER_MIB (UINT64_C(1) << 20)

/* --- loading --- */

static enum err load_definition(const struct seal_reader *opener, struct table_id id, struct table_key *key,
                                struct table **out_table)
{
    const struct meta_name name = meta_name_table(META_TABLE, id);
    struct table *bare = NULL;
    SCOPED_BUF struct buf *plain = NULL;
    struct span sealed = SPAN_NONE;
    uint8_t *at = NULL;

    const enum err found = engine_get(opener->txn, ENGINE_META, meta_span(&name), &sealed);
    ENSURE(found != ERR_NOT_FOUND, ERR_DAMAGED, "a table without a definition");
    TRY(found);
    ENSURE(sealed.len <= TABLE_BYTES_MAX + SEAL_OVERHEAD, ERR_DAMAGED, "definition too large");
    TRY(buf_new(TABLE_BYTES_MAX, &plain));
    TRY(buffer_for(plain, seal_plain_bytes(sealed), &at));
    TRY(table_new(id, key, NULL, 0, &bare)); /* a name to open it by */
    const struct seal_name what = {bare, SEAL_TABLE, meta_span(&name)};
    const enum err opened = seal_open_value(opener, &what, sealed, at);
    table_unref(bare);
    TRY(opened);
    const enum err read = table_decode(id, key, buf_all(plain), out_table);
    ENSURE(read != ERR_MALFORMED && read != ERR_RANGE, ERR_DAMAGED, "definition of no form");
    return read;
}

static enum err load_table(struct store *store, const struct seal_reader *opener, struct table_id id,
                           struct span wrapped, struct table_set *set)
{
    SCOPED_TABLE_KEY struct table_key *key = NULL;
    struct secret *secret = NULL;
    struct table *table = NULL;

    TRY(store->keeper->open_key(store->keeper->context, id, wrapped, &secret));
    TRY(table_key_new(store->table_keys, secret, &key));
    TRY(load_definition(opener, id, key, &table));
    return table_set_put(set, table);
}

static enum err load_tables(struct store *store, const struct seal_reader *opener, struct engine_cursor *cursor,
                            struct table_set *set)
{
    const struct meta_name prefix = meta_name_of(META_KEY, SPAN_NONE);
    struct span key = SPAN_NONE;
    struct span wrapped = SPAN_NONE;

    enum err err = engine_cursor_seek(cursor, meta_span(&prefix), &key, &wrapped);
    while (err == ERR_OK && span_starts_with(key, meta_span(&prefix))) {
        ENSURE(key.len == 5, ERR_DAMAGED, "key record of no table");
        TRY(load_table(store, opener, (struct table_id){get_u32be(key.data + 1)}, wrapped, set));
        err = engine_cursor_step(cursor, ENGINE_NEXT, &key, &wrapped);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Are there as many tables as there should be? */
static enum err check_number(const struct seal_reader *opener, const struct table_set *set)
{
    const struct table *own = table_set_find(set, (struct table_id){STORE_OWN_TABLE});
    const struct meta_name name = meta_name_of(META_IDS, SPAN_NONE);
    uint8_t bytes[META_IDS_BYTES] = {0};

    ENSURE(own != NULL, ERR_DAMAGED, "the appliance's own key is gone");
    const enum err err = meta_load(opener, own, SEAL_IDS, &name, bytes, sizeof(bytes));
    ENSURE(err != ERR_NOT_FOUND, ERR_DAMAGED, "the record of ids is gone");
    TRY(err);
    ENSURE(get_u32be(bytes + 8) == set->count - 1, ERR_DAMAGED, "a table is missing, or one too many");
    return ERR_OK;
}

static enum err verify_tables(const struct seal_reader *opener, const struct table_set *set,
                              const struct store_config *config)
{
    for (size_t at = 0; at < config->verify_count; at++) {
        const struct table *table = table_set_find(set, config->verify[at]);
        if (table != NULL) { /* otherwise it is not made yet */
            TRY(fresh_verify(opener, table));
        }
    }
    return ERR_OK;
}

static enum err read_all(struct store *store, const struct store_config *config, const struct seal_reader *opener,
                         struct table_set *set)
{
    struct engine_cursor *cursor = NULL;

    TRY(engine_cursor_new(opener->txn, ENGINE_META, &cursor));
    const enum err err = load_tables(store, opener, cursor, set);
    engine_cursor_free(cursor);
    TRY(err);
    TRY(check_number(opener, set));
    set->commit = engine_txn_number(opener->txn);
    return verify_tables(opener, set, config);
}

/* --- first start --- */

static enum err check_format(struct engine_txn *txn, bool *out_new)
{
    const struct meta_name name = meta_name_of(META_FORMAT, SPAN_NONE);
    struct engine_cursor *cursor = NULL;
    struct span format = SPAN_NONE;
    struct span key = SPAN_NONE;

    enum err err = engine_get(txn, ENGINE_META, meta_span(&name), &format);
    if (err == ERR_OK) {
        ENSURE(format.len == 4, ERR_DAMAGED, "format record of another size");
        ENSURE(get_u32be(format.data) == META_FORMAT_VERSION, ERR_VERSION, "format of another version");
        *out_new = false;
        return ERR_OK;
    }
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    TRY(engine_cursor_new(txn, ENGINE_META, &cursor));
    err = engine_cursor_step(cursor, ENGINE_FIRST, &key, NULL);
    engine_cursor_free(cursor);
    ENSURE(err != ERR_OK, ERR_DAMAGED, "the format record is gone");
    *out_new = true;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err write_first(struct store_txn *txn)
{
    const struct meta_name name = meta_name_of(META_FORMAT, SPAN_NONE);
    uint8_t version[4] = {0};

    put_u32be(version, META_FORMAT_VERSION);
    TRY(engine_put(txn->engine, ENGINE_META, meta_span(&name), span_array(version)));
    TRY(txn_add_table(txn, (struct table_id){STORE_OWN_TABLE}, NULL, 0));
    txn->ids = (struct txn_ids){.loaded = true, .changed = true, .next_table = STORE_TABLE_FIRST, .next_index = 1};
    return ERR_OK;
}

/* --- opening --- */

/* What opening needs for a while: a sealer and the keys of a reader. */
static enum err in_txn(struct store *store, struct random *random, enum err (*work)(struct store_txn *txn))
{
    struct store_sealer *sealer = NULL;
    struct store_txn *txn = NULL;

    TRY(store_sealer_new(store, random, &sealer));
    enum err err = store_txn_begin(sealer, &txn);
    if (err == ERR_OK) {
        err = work(txn);
        if (err == ERR_OK) {
            err = store_txn_commit(txn);
        } else {
            store_txn_abort(txn);
        }
    }
    store_sealer_free(sealer);
    return err;
}

static enum err publish_empty(struct store *store)
{
    TRY(table_set_new(&store->current));
    return snapshot_cell_new(STORE_READERS, &table_set_ref(store->current)->head, &store->cell);
}

static enum err start_empty(struct store *store, const struct store_config *config, struct random *random)
{
    struct engine_txn *txn = NULL;
    bool is_new = false;

    TRY(engine_read_begin(store->engine, &txn));
    const enum err err = check_format(txn, &is_new);
    engine_abort(txn);
    TRY(err);
    ENSURE(!is_new || !config->must_exist, ERR_DAMAGED, "the database that was here is gone");
    return is_new ? in_txn(store, random, write_first) : ERR_OK;
}

static enum err load(struct store *store, const struct store_config *config)
{
    struct seal_reader opener = {.cache = NULL};
    struct table_set *set = NULL;

    TRY(table_set_new(&set));
    enum err err = key_cache_new(store->slab, &opener.cache);
    if (err == ERR_OK) {
        err = engine_read_begin(store->engine, &opener.txn);
    }
    if (err == ERR_OK) {
        err = read_all(store, config, &opener, set);
    }
    engine_abort(opener.txn);
    key_cache_free(opener.cache);
    if (err != ERR_OK) {
        table_set_unref(set);
        return err;
    }
    table_set_unref(store->current);
    store->current = set;
    snapshot_publish(store->cell, &table_set_ref(set)->head);
    return ERR_OK;
}

static enum err finish_rotation(struct store *store, struct random *random)
{
    const struct store_keeper *keeper = store->keeper;
    bool pending = false;

    TRY(keeper->rotate_pending(keeper->context, &pending));
    if (!pending) {
        return ERR_OK;
    }
    TRY(in_txn(store, random, txn_rewrap));
    return keeper->rotate_end(keeper->context);
}

static enum err open_store(const struct store_config *config, struct random *random, struct store *store)
{
    const struct engine_config engine = {
        .path = config->path,
        .map_bytes = config->map_bytes != 0 ? config->map_bytes : CONFIG_STORAGE_MAP_MIB * BYTES_PER_MIB,
        .readers_max = CONFIG_STORAGE_READERS_MAX,
    };

    store->keeper = config->keeper;
    atomic_store(&store->clearing, true); /* until somebody has looked */
    store->slab = config->slab;
    store->may_seal = config->may_seal;
    store->may_seal_context = config->may_seal_context;
    TRY(secret_slab_new((size_t)CONFIG_STORAGE_TABLE_KEYS * SECRET_SLAB_ALIGN, AEAD_KEY_BYTES, &store->table_keys));
    TRY(engine_open(&engine, &store->engine));
    TRY(publish_empty(store));
    TRY(start_empty(store, config, random));
    TRY(load(store, config));
    return finish_rotation(store, random);
}

enum err store_open(const struct store_config *config, struct random *random, struct store **out_store)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct store), &memory));
    struct store *store = memory;
    const enum err err = open_store(config, random, store);
    if (err != ERR_OK) {
        store_close(store);
        return err;
    }
    *out_store = store;
    return ERR_OK;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    snapshot_cell_free(store->cell);
    table_set_unref(store->current);
    engine_close(store->engine);
    secret_slab_free(store->table_keys);
    mem_free(store);
}
