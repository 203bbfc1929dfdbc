/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sealing anew what lies under old epochs, so that their number, and with it the keys to derive after a start, stays
 * small. A pass goes over a table's rows, the entries of each index, and its records, a few at a time; each value under
 * an epoch up to the pass's limit is sealed under the newest one. When the whole pass is through, nothing is left under
 * those epochs and their salts are deleted.
 *
 * The place where a pass stands is memory of the sealer. A transaction that is aborted forgets it, and the pass begins
 * again: a salt must never go while a value needs it. Every live sealer's epoch is far newer than the limit, since each
 * makes its own when it first writes. */
#include <string.h>

#include "hal/base/fault.h"
#include "storage/store_int.h"

#define TABLES_A_CALL 16 /* with nothing to do a table costs two seeks */

enum phase { PHASE_NONE, PHASE_ROWS, PHASE_RECORDS, PHASE_ENTRIES /* and one more for each further index */ };

static bool is_old(const struct reseal *pass, struct span sealed)
{
    return sealed.len >= SEAL_OVERHEAD && get_u32be(sealed.data) <= pass->limit;
}

static void go_on_at(struct reseal *pass, struct span key)
{
    INVARIANT(key.len <= sizeof(pass->key));
    memcpy(pass->key, key.data, key.len);
    pass->key_len = key.len;
}

static void next_phase(struct reseal *pass)
{
    pass->phase++;
    pass->key_len = 0;
}

/* An entry, its key copied, because the engine's bytes go with the next put. */
struct entry {
    uint8_t key[ENGINE_KEY_MAX];
    struct span at; /* the key */
    struct span value;
};

/* The first entry behind the pass's place that begins with prefix. */
static enum err behind(struct store_txn *txn, enum engine_map map, const struct reseal *pass, struct span prefix,
                       struct entry *out_entry)
{
    const struct span place = span_of(pass->key, pass->key_len);
    const struct span from = place.len == 0 ? prefix : place;
    struct engine_cursor *cursor = NULL;
    struct span key = SPAN_NONE;
    struct span value = SPAN_NONE;

    TRY(engine_cursor_new(txn->engine, map, &cursor));
    enum err err = from.len == 0 ? engine_cursor_step(cursor, ENGINE_FIRST, &key, &value)
                                 : engine_cursor_seek(cursor, from, &key, &value);
    if (err == ERR_OK && place.len > 0 && span_equal(key, place)) {
        err = engine_cursor_step(cursor, ENGINE_NEXT, &key, &value);
    }
    engine_cursor_free(cursor);
    if (err == ERR_OK && (!span_starts_with(key, prefix) || key.len > ENGINE_KEY_MAX)) {
        return ERR_NOT_FOUND;
    }
    if (err == ERR_OK) {
        memcpy(out_entry->key, key.data, key.len);
        out_entry->at = span_of(out_entry->key, key.len);
        out_entry->value = value;
    }
    return err;
}

/* --- rows --- */

static enum err reseal_row(struct store_txn *txn, const struct table *table, struct span key, struct span sealed)
{
    const struct seal_name name = {table, SEAL_ROW, span_of(key.data + 4, ROW_ID_BYTES)};
    struct txn_count *count = NULL;
    struct row row = {.id = {{0}}};
    uint8_t old_term[FRESH_BYTES] = {0};
    uint8_t term[FRESH_BYTES] = {0};
    uint8_t *out = NULL;

    memcpy(row.id.bytes, key.data + 4, ROW_ID_BYTES);
    TRY(fresh_term(txn->snap.opener.cache, table, key.data, sealed, old_term));
    TRY(row_open(&txn->snap.opener, table, row.id, sealed, txn->old, &row));
    txn_touch(txn);
    TRY(buffer_for(txn->sealed, row.encoded.len + SEAL_OVERHEAD, &out));
    TRY(sealer_seal(txn->sealer->sealer, &name, row.encoded, out));
    TRY(fresh_term(txn->snap.opener.cache, table, key.data, buf_all(txn->sealed), term));
    TRY(engine_put(txn->engine, ENGINE_ROWS, key, buf_all(txn->sealed)));
    TRY(txn_count(txn, table, &count));
    fresh_subtract(&count->fresh, old_term);
    fresh_add(&count->fresh, term);
    return ERR_OK;
}

static enum err step_rows(struct store_txn *txn, const struct table *table, struct reseal *pass)
{
    struct entry entry = {.at = SPAN_NONE};
    uint8_t prefix[4] = {0};

    put_u32be(prefix, table->id.value);
    const enum err err = behind(txn, ENGINE_ROWS, pass, span_array(prefix), &entry);
    if (err == ERR_NOT_FOUND) {
        next_phase(pass);
        return ERR_OK;
    }
    TRY(err);
    ENSURE(entry.at.len == ROW_KEY_BYTES, ERR_DAMAGED, "row key of another size");
    if (is_old(pass, entry.value)) {
        TRY(reseal_row(txn, table, entry.at, entry.value));
    }
    go_on_at(pass, entry.at);
    return ERR_OK;
}

/* --- records --- */

/* The record's kind of seal; false for what is not sealed or not of this table. */
static bool record_kind(const struct table *table, struct span key, enum seal_kind *out_kind)
{
    static const struct {
        enum meta_kind meta;
        enum seal_kind seal;
        bool own;
    } kinds[] = {
        {META_COUNT, SEAL_COUNT, false}, {META_TABLE, SEAL_TABLE, false}, {META_IDS, SEAL_IDS, true},
        {META_OWNER, SEAL_OWNER, false}, {META_CLEAR, SEAL_CLEAR, true},
    };
    const bool own = table->id.value == STORE_OWN_TABLE;

    for (size_t at = 0; at < ARRAY_LENGTH(kinds); at++) {
        const bool named = key.len >= 5 && get_u32be(key.data + 1) == table->id.value;
        if (key.len > 0 && key.data[0] == (uint8_t)kinds[at].meta && (kinds[at].own ? own : named)) {
            *out_kind = kinds[at].seal;
            return true;
        }
    }
    return false;
}

static enum err step_records(struct store_txn *txn, const struct table *table, struct reseal *pass)
{
    struct entry entry = {.at = SPAN_NONE};
    enum seal_kind kind = SEAL_COUNT;
    struct meta_name name = {.len = 0};
    uint8_t *plain = NULL;

    TRY(txn_flush(txn)); /* what waits is newer than what lies there */
    const enum err err = behind(txn, ENGINE_META, pass, SPAN_NONE, &entry);
    if (err == ERR_NOT_FOUND) {
        next_phase(pass);
        return ERR_OK;
    }
    TRY(err);
    if (record_kind(table, entry.at, &kind) && is_old(pass, entry.value)) {
        const struct seal_name what = {table, kind, entry.at};
        ENSURE(entry.at.len <= sizeof(name.bytes), ERR_DAMAGED, "record name too long");
        memcpy(name.bytes, entry.at.data, entry.at.len);
        name.len = entry.at.len;
        TRY(buffer_for(txn->old, seal_plain_bytes(entry.value), &plain));
        TRY(seal_open_value(&txn->snap.opener, &what, entry.value, plain));
        TRY(txn_put_meta(txn, table, kind, &name, buf_all(txn->old)));
    }
    go_on_at(pass, entry.at);
    return ERR_OK;
}

/* --- index entries --- */

/* The entry behind the pass's place, which is a search key; its place becomes that entry. */
static enum err entry_behind(struct store_txn *txn, struct index_context *context, const struct reseal *pass,
                             uint8_t plain[INDEX_PLAIN_MAX], struct index_entry *out_entry, bool *out_old)
{
    uint8_t first[INDEX_SEARCH_MAX] = {0};
    struct engine_cursor *cursor = NULL;
    struct span key = SPAN_NONE;
    const size_t first_len = index_search_key(context->index, SPAN_NONE, NULL, first);
    const bool resumed = pass->key_len > 0;

    TRY(engine_cursor_new(txn->engine, ENGINE_INDEX, &cursor));
    index_enter(context);
    enum err err =
        engine_cursor_seek(cursor, resumed ? span_of(pass->key, pass->key_len) : span_of(first, first_len), &key, NULL);
    if (err == ERR_OK && resumed && index_compare_keys(key, span_of(pass->key, pass->key_len)) == 0) {
        err = engine_cursor_step(cursor, ENGINE_NEXT, &key, NULL);
    }
    err = index_leave(context, err);
    engine_cursor_free(cursor);
    if (err != ERR_OK) {
        return err;
    }
    if (key.len < INDEX_ID_BYTES || get_u32be(key.data) != context->index.value) {
        return ERR_NOT_FOUND;
    }
    TRY(index_open_key(context, key, plain, out_entry));
    *out_old = is_old(pass, span_of(key.data + INDEX_ID_BYTES, key.len - INDEX_ID_BYTES));
    return ERR_OK;
}

static enum err reseal_entry(struct store_txn *txn, struct index_context *context, const struct index_entry *entry,
                             struct span search)
{
    txn_touch(txn);
    index_enter(context);
    const enum err err = engine_delete(txn->engine, ENGINE_INDEX, search);
    TRY(index_leave(context, err));
    return txn_put_stored(txn, context->table, context->index, entry->tuple, entry->row);
}

static enum err step_entries(struct store_txn *txn, const struct table *table, struct reseal *pass)
{
    struct index_context context = {
        .reader = &txn->snap.opener, .table = table, .index = table->indexes[pass->phase - PHASE_ENTRIES].id};
    uint8_t plain[INDEX_PLAIN_MAX];
    uint8_t search[INDEX_SEARCH_MAX] = {0};
    struct index_entry entry = {.truncated = false};
    bool old = false;

    const enum err err = entry_behind(txn, &context, pass, plain, &entry, &old);
    if (err == ERR_NOT_FOUND) {
        next_phase(pass);
        return ERR_OK;
    }
    TRY(err);
    const size_t len = index_search_key(context.index, entry.tuple, &entry.row, search);
    if (old) {
        TRY(reseal_entry(txn, &context, &entry, span_of(search, len)));
    }
    go_on_at(pass, span_of(search, len));
    return ERR_OK;
}

/* --- the pass --- */

static enum err oldest_epoch(struct store_txn *txn, struct table_id table, uint32_t *out_epoch)
{
    const struct meta_name first = meta_name_epoch(table, 0);
    struct engine_cursor *cursor = NULL;
    struct span key = SPAN_NONE;

    TRY(engine_cursor_new(txn->engine, ENGINE_META, &cursor));
    const enum err err = engine_cursor_seek(cursor, meta_span(&first), &key, NULL);
    const bool found = err == ERR_OK && key.len == first.len && memcmp(key.data, first.bytes, 5) == 0;
    *out_epoch = found ? get_u32be(key.data + 5) : UINT32_MAX;
    engine_cursor_free(cursor);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Begins a pass if there is something to do. */
static enum err begin_pass(struct store_txn *txn, struct table_id table, struct reseal *pass)
{
    uint32_t newest = 0;
    uint32_t oldest = 0;

    pass->phase = PHASE_NONE;
    TRY(seal_newest_epoch(txn->engine, table, &newest));
    TRY(oldest_epoch(txn, table, &oldest));
    if (newest <= SEAL_EPOCHS_KEPT || oldest > newest - SEAL_EPOCHS_KEPT) {
        return ERR_OK;
    }
    newest += sealer_has_epoch(txn->sealer->sealer, table) ? 0 : 1; /* the pass will make one more */
    *pass = (struct reseal){.table = table,
                            .tables_commit = txn_tables(txn)->commit,
                            .phase = PHASE_ROWS,
                            .limit = newest - SEAL_EPOCHS_KEPT};
    return ERR_OK;
}

static enum err forget_salts(struct store_txn *txn, const struct reseal *pass)
{
    uint32_t oldest = 0;

    TRY(oldest_epoch(txn, pass->table, &oldest));
    while (oldest <= pass->limit) {
        const struct meta_name name = meta_name_epoch(pass->table, oldest);
        txn_touch(txn);
        TRY(engine_delete(txn->engine, ENGINE_META, meta_span(&name)));
        TRY(oldest_epoch(txn, pass->table, &oldest));
    }
    return ERR_OK;
}

static enum err step(struct store_txn *txn, const struct table *table, struct reseal *pass)
{
    if (pass->phase == PHASE_ROWS) {
        return step_rows(txn, table, pass);
    }
    return pass->phase == PHASE_RECORDS ? step_records(txn, table, pass) : step_entries(txn, table, pass);
}

enum err store_reseal(struct store_txn *txn, struct table_id table, uint32_t max_rows, bool *out_more)
{
    const struct table *found = table_set_find(txn_tables(txn), table);
    struct reseal *pass = &txn->sealer->reseal;

    if (found == NULL) {
        return ERR_NOT_FOUND;
    }
    if (pass->phase == PHASE_NONE || pass->table.value != table.value ||
        pass->tables_commit != txn_tables(txn)->commit) { /* other indexes than those it went over */
        TRY(begin_pass(txn, table, pass));
    }
    for (uint32_t done = 0; done < max_rows && pass->phase != PHASE_NONE; done++) {
        if (pass->phase >= PHASE_ENTRIES + found->index_count) {
            TRY(forget_salts(txn, pass));
            pass->phase = PHASE_NONE;
        } else {
            TRY(step(txn, found, pass));
        }
    }
    *out_more = pass->phase != PHASE_NONE;
    return ERR_OK;
}

/* The first table from this id on, or NULL. */
static const struct table *table_from(const struct table_set *set, uint32_t id)
{
    size_t at = 0;

    while (at < set->count && set->tables[at]->id.value < id) {
        at++;
    }
    return at < set->count ? set->tables[at] : NULL;
}

enum err store_reseal_some(struct store_txn *txn, uint32_t max_rows, bool *out_done)
{
    struct store_sealer *sealer = txn->sealer;
    bool more = false;

    for (size_t looked = 0; looked < TABLES_A_CALL && !more; looked++) {
        const struct table *table = table_from(txn_tables(txn), sealer->reseal_from);
        if (table == NULL) {
            *out_done = true;
            return ERR_OK;
        }
        const uint32_t id = table->id.value;
        TRY(store_reseal(txn, table->id, max_rows, &more));
        sealer->reseal_from = more ? id : id + 1;
    }
    *out_done = false;
    return ERR_OK;
}
