/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The offline check, in three walks over everything that is stored:
 * 1. meta: every record belongs to a table, opens, and has its form;
 * 2. index: every entry opens, is in order, and its row exists and says the same; the created_by index, whose entries of
 *    one owner lie together, gives the numbers that the owners' counters are compared with;
 * 3. rows: every row opens and decodes, has its entries, and adds to its table's number and freshness hash, which are
 *    compared at the table's end.
 * An index with an entry that does not open has no order, so the third walk does not look rows up in it. */
#include "storage/fsck.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "storage/store_int.h"

struct checked_index {
    const struct table *table;
    const struct store_index *index;
    bool broken;
};

struct fsck {
    struct seal_reader opener;
    struct table_set *tables; /* borrowed */
    struct engine_cursor *cursor;
    struct engine_cursor *finder;
    struct buf *plain;
    struct buf *tuple;
    struct buf *other; /* tuple of the entry before */
    struct checked_index *indexes;
    size_t index_count;
    void (*on_damage)(void *context, const struct fsck_damage *damage);
    void *context;
    struct fsck_report report;
};

const char *fsck_kind_name(enum fsck_kind kind)
{
    static const char *const names[FSCK_KIND_COUNT] = {
        [FSCK_ROW_TAG] = "row-tag",
        [FSCK_ROW_FORM] = "row-form",
        [FSCK_INDEX_TAG] = "index-tag",
        [FSCK_INDEX_ORDER] = "index-order",
        [FSCK_INDEX_EXTRA] = "index-extra",
        [FSCK_INDEX_MISSING] = "index-missing",
        [FSCK_INDEX_UNIQUE] = "index-unique",
        [FSCK_COUNT] = "count",
        [FSCK_OWNER_COUNT] = "owner-count",
        [FSCK_FRESHNESS] = "freshness",
        [FSCK_META] = "meta",
        [FSCK_ORPHAN] = "orphan",
    };

    return kind < FSCK_KIND_COUNT ? names[kind] : "unknown";
}

static void report(struct fsck *fsck, enum fsck_kind kind, struct table_id table, struct index_id index,
                   const struct row_id *row)
{
    struct fsck_damage damage = {.kind = kind, .table = table, .index = index};

    if (row != NULL) {
        damage.row = *row;
    }
    fsck->report.damaged++;
    fault_clear(); /* the finding is handled here */
    fsck->on_damage(fsck->context, &damage);
}

/* --- 1: records --- */

static enum err opens_as(struct fsck *fsck, const struct table *table, enum seal_kind kind, struct span key,
                         struct span sealed)
{
    const struct seal_name name = {table, kind, key};
    uint8_t *plain = NULL;

    ENSURE(sealed.len <= TABLE_BYTES_MAX + SEAL_OVERHEAD, ERR_DAMAGED, "record too large");
    TRY(buffer_for(fsck->plain, seal_plain_bytes(sealed), &plain));
    return seal_open_value(&fsck->opener, &name, sealed, plain);
}

static enum err record_opens(struct fsck *fsck, const struct table *table, struct span key, struct span value)
{
    switch ((enum meta_kind)key.data[0]) {
    case META_FORMAT:
    case META_KEY: /* opened when the store was */
        return ERR_OK;
    case META_EPOCH:
        ENSURE(value.len == SEAL_SALT_BYTES, ERR_DAMAGED, "salt of another size");
        return ERR_OK;
    case META_TABLE:
        return opens_as(fsck, table, SEAL_TABLE, key, value);
    case META_COUNT:
        return opens_as(fsck, table, SEAL_COUNT, key, value);
    case META_OWNER:
        return opens_as(fsck, table, SEAL_OWNER, key, value);
    case META_IDS:
        return opens_as(fsck, table, SEAL_IDS, key, value);
    case META_CLEAR:
        ENSURE(clear_is_sound(fsck->tables, key), ERR_DAMAGED, "a clear record of what is in use");
        return opens_as(fsck, table, SEAL_CLEAR, key, value);
    }
    FAIL(ERR_DAMAGED, "record of no kind", key.data[0]);
}

static const struct table *table_of_record(const struct fsck *fsck, struct span key)
{
    const uint8_t kind = key.len == 0 ? 0 : key.data[0];
    const bool own = kind == META_FORMAT || kind == META_IDS || kind == META_CLEAR;

    if (own) {
        return table_set_find(fsck->tables, (struct table_id){STORE_OWN_TABLE});
    }
    return key.len < 5 ? NULL : table_set_find(fsck->tables, (struct table_id){get_u32be(key.data + 1)});
}

/* Was it dropped, and noted as to be deleted? Then it is counted. */
static bool is_leftover(struct fsck *fsck, struct table_id table, struct index_id index)
{
    const bool left = clear_noted(&fsck->opener, fsck->tables, table, index) == ERR_OK;

    fault_clear(); /* whatever it was: if not a leftover it is reported as an orphan */
    fsck->report.leftovers += left;
    return left;
}

/* A salt or an owner's counter of a dropped table. */
static bool is_left_record(struct fsck *fsck, struct span key)
{
    const bool of_table = key.len >= 5 && (key.data[0] == META_EPOCH || key.data[0] == META_OWNER);

    return of_table && is_leftover(fsck, (struct table_id){get_u32be(key.data + 1)}, (struct index_id){0});
}

static enum err walk_records(struct fsck *fsck)
{
    struct span key = SPAN_NONE;
    struct span value = SPAN_NONE;

    enum err err = engine_cursor_step(fsck->cursor, ENGINE_FIRST, &key, &value);
    while (err == ERR_OK) {
        const struct table *table = table_of_record(fsck, key);
        if (table == NULL) {
            if (!is_left_record(fsck, key)) {
                report(fsck, FSCK_ORPHAN, (struct table_id){0}, (struct index_id){0}, NULL);
            }
        } else if (record_opens(fsck, table, key, value) != ERR_OK) {
            report(fsck, FSCK_META, table->id, (struct index_id){0}, NULL);
        }
        err = engine_cursor_step(fsck->cursor, ENGINE_NEXT, &key, &value);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* --- 2: index entries --- */

/* What the walk of one index remembers. */
struct run {
    struct checked_index *checked;
    struct index_context context;
    bool any; /* fsck->other, last and last_tuple hold the entry before */
    struct row_id last;
    uint8_t last_tuple[INDEX_TUPLE_MAX]; /* as stored */
    size_t last_len;
    uint64_t owner_rows; /* of the created_by index: entries with the last tuple */
    struct meta_name owner;
    uint64_t owners;
};

static struct checked_index *find_index(const struct fsck *fsck, uint32_t id)
{
    for (size_t at = 0; at < fsck->index_count; at++) {
        if (fsck->indexes[at].index->id.value == id) {
            return &fsck->indexes[at];
        }
    }
    return NULL;
}

static bool is_owner_index(const struct run *run)
{
    return run->checked->index == &run->checked->table->indexes[0];
}

/* The entries of one owner have been counted. */
static enum err end_owner(struct fsck *fsck, struct run *run)
{
    const struct table *table = run->checked->table;
    uint8_t bytes[8] = {0};

    if (!is_owner_index(run) || run->owner_rows == 0) {
        return ERR_OK;
    }
    const enum err err = meta_load(&fsck->opener, table, SEAL_OWNER, &run->owner, bytes, sizeof(bytes));
    if (err != ERR_OK || get_u64be(bytes) != run->owner_rows) {
        report(fsck, FSCK_OWNER_COUNT, table->id, (struct index_id){0}, NULL);
    }
    run->owners++;
    run->owner_rows = 0;
    return ERR_OK;
}

/* Are there more owners' counters than owners? */
static enum err end_index(struct fsck *fsck, struct run *run)
{
    const struct meta_name prefix = meta_name_table(META_OWNER, run->checked->table->id);
    struct span key = SPAN_NONE;
    uint64_t counters = 0;

    TRY(end_owner(fsck, run));
    if (!is_owner_index(run)) {
        return ERR_OK;
    }
    struct engine_cursor *cursor = NULL;
    TRY(engine_cursor_new(fsck->opener.txn, ENGINE_META, &cursor));
    enum err err = engine_cursor_seek(cursor, meta_span(&prefix), &key, NULL);
    while (err == ERR_OK && span_starts_with(key, meta_span(&prefix))) {
        counters++;
        err = engine_cursor_step(cursor, ENGINE_NEXT, &key, NULL);
    }
    engine_cursor_free(cursor);
    if (counters != run->owners) {
        report(fsck, FSCK_OWNER_COUNT, run->checked->table->id, (struct index_id){0}, NULL);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* The row of an entry, and whether it says what the entry says. fsck->tuple then holds its whole tuple. */
static bool row_agrees(struct fsck *fsck, const struct run *run, const struct index_entry *entry, struct row *out_row)
{
    const struct checked_index *checked = run->checked;
    uint8_t bytes[INDEX_TUPLE_MAX];
    struct span stored = SPAN_NONE;
    bool skip = false;

    return row_load(&fsck->opener, checked->table, entry->row, fsck->plain, out_row) == ERR_OK &&
           index_tuple_of_row(&checked->index->def, out_row, fsck->tuple, &skip) == ERR_OK && !skip &&
           index_stored(fsck->opener.cache, checked->table, buf_all(fsck->tuple), bytes, &stored) == ERR_OK &&
           span_equal(stored, entry->tuple);
}

static enum err remember(struct fsck *fsck, struct run *run, const struct index_entry *entry, const struct row *row,
                         bool same)
{
    if (!same) {
        TRY(end_owner(fsck, run));
    }
    if (is_owner_index(run) && !same) {
        TRY(owner_name(fsck->opener.cache, run->checked->table, row->created_by, &run->owner));
    }
    run->owner_rows++;
    run->any = true;
    run->last = entry->row;
    run->last_len = entry->tuple.len;
    memcpy(run->last_tuple, entry->tuple.data, entry->tuple.len);
    buf_reset(fsck->other);
    return buf_put(fsck->other, buf_all(fsck->tuple));
}

static enum err check_entry(struct fsck *fsck, struct run *run, struct span key)
{
    const struct store_index *index = run->checked->index;
    const struct table_id table = run->checked->table->id;
    uint8_t plain[INDEX_PLAIN_MAX];
    struct index_entry entry = {.truncated = false};
    struct row row = {.id = {{0}}};

    fsck->report.entries++;
    if (index_open_key(&run->context, key, plain, &entry) != ERR_OK) {
        run->checked->broken = true;
        report(fsck, FSCK_INDEX_TAG, table, index->id, NULL);
        return ERR_OK;
    }
    if (!row_agrees(fsck, run, &entry, &row)) {
        report(fsck, FSCK_INDEX_EXTRA, table, index->id, &entry.row);
        return ERR_OK;
    }
    const bool same = run->any && span_equal(buf_all(fsck->other), buf_all(fsck->tuple));
    const int order = run->any ? span_compare(span_of(run->last_tuple, run->last_len), entry.tuple) : -1;
    if (order > 0 || (order == 0 && row_id_compare(run->last, entry.row) >= 0)) {
        report(fsck, FSCK_INDEX_ORDER, table, index->id, &entry.row);
    }
    if (same && index->def.unique) {
        report(fsck, FSCK_INDEX_UNIQUE, table, index->id, &entry.row);
    }
    return remember(fsck, run, &entry, &row, same);
}

static enum err start_index(struct fsck *fsck, uint32_t id, struct run *run)
{
    if (run->checked != NULL) {
        TRY(end_index(fsck, run));
    }
    *run = (struct run){.checked = find_index(fsck, id)};
    if (run->checked != NULL) {
        run->context = (struct index_context){
            .reader = &fsck->opener, .table = run->checked->table, .index = run->checked->index->id};
    }
    return ERR_OK;
}

static enum err walk_entries(struct fsck *fsck)
{
    struct run run = {.checked = NULL};
    struct span key = SPAN_NONE;
    uint32_t id = 0;

    enum err err = engine_cursor_step(fsck->cursor, ENGINE_FIRST, &key, NULL);
    while (err == ERR_OK) {
        const uint32_t next = key.len < INDEX_ID_BYTES ? 0 : get_u32be(key.data);
        if (next != id || run.checked == NULL) {
            TRY(start_index(fsck, next, &run));
            id = next;
        }
        if (run.checked == NULL && !is_leftover(fsck, (struct table_id){0}, (struct index_id){next})) {
            report(fsck, FSCK_ORPHAN, (struct table_id){0}, (struct index_id){next}, NULL);
        }
        if (run.checked != NULL) {
            TRY(check_entry(fsck, &run, key));
        }
        err = engine_cursor_step(fsck->cursor, ENGINE_NEXT, &key, NULL);
    }
    if (run.checked != NULL) {
        TRY(end_index(fsck, &run));
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* --- 3: rows --- */

static enum err has_entry(struct fsck *fsck, const struct checked_index *checked, const struct row *row, bool *out_has)
{
    struct index_context context = {.reader = &fsck->opener, .table = checked->table, .index = checked->index->id};
    uint8_t search[INDEX_SEARCH_MAX] = {0};
    uint8_t plain[INDEX_PLAIN_MAX];
    uint8_t bytes[INDEX_TUPLE_MAX];
    struct index_entry entry = {.truncated = false};
    struct span tuple = SPAN_NONE;
    struct span key = SPAN_NONE;
    bool skip = false;

    TRY(index_tuple_of_row(&checked->index->def, row, fsck->tuple, &skip));
    if (skip) {
        *out_has = true;
        return ERR_OK;
    }
    TRY(index_stored(fsck->opener.cache, checked->table, buf_all(fsck->tuple), bytes, &tuple));
    const size_t len = index_search_key(checked->index->id, tuple, &row->id, search);
    index_enter(&context);
    enum err err = engine_cursor_seek(fsck->finder, span_of(search, len), &key, NULL);
    err = index_leave(&context, err);
    *out_has = err == ERR_OK && index_open_key(&context, key, plain, &entry) == ERR_OK &&
               row_id_equal(entry.row, row->id) && span_equal(entry.tuple, tuple);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err check_entries_of(struct fsck *fsck, const struct table *table, const struct row *row)
{
    for (size_t at = 0; at < table->index_count; at++) {
        const struct checked_index *checked = find_index(fsck, table->indexes[at].id.value);
        bool has = false;
        if (checked->broken) {
            continue;
        }
        TRY(has_entry(fsck, checked, row, &has));
        if (!has) {
            report(fsck, FSCK_INDEX_MISSING, table->id, checked->index->id, &row->id);
        }
    }
    return ERR_OK;
}

static enum err decode_all(const struct row *row)
{
    struct row_iter iter = row_iter_columns(row);
    struct row_member member = {.column = ROW_COLUMN_NONE};
    enum err err = row_iter_next(&iter, &member);

    while (err == ERR_OK) {
        err = row_iter_next(&iter, &member);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err check_row(struct fsck *fsck, const struct table *table, struct row_id id, struct span sealed)
{
    const struct seal_name name = {table, SEAL_ROW, span_array(id.bytes)};
    struct row row = {.id = id};
    uint8_t *plain = NULL;

    fsck->report.rows++;
    if (sealed.len > ROW_BYTES_MAX + SEAL_OVERHEAD) {
        report(fsck, FSCK_ROW_FORM, table->id, (struct index_id){0}, &id);
        return ERR_OK;
    }
    TRY(buffer_for(fsck->plain, seal_plain_bytes(sealed), &plain));
    if (seal_open_value(&fsck->opener, &name, sealed, plain) != ERR_OK) {
        report(fsck, FSCK_ROW_TAG, table->id, (struct index_id){0}, &id);
        return ERR_OK;
    }
    if (row_read(id, buf_all(fsck->plain), &row) != ERR_OK || decode_all(&row) != ERR_OK) {
        report(fsck, FSCK_ROW_FORM, table->id, (struct index_id){0}, &id);
        return ERR_OK;
    }
    return check_entries_of(fsck, table, &row);
}

static void check_counters(struct fsck *fsck, const struct table *table, const struct fresh *found)
{
    struct fresh kept = {.rows = 0};

    if (fresh_load(&fsck->opener, table, &kept) != ERR_OK) {
        report(fsck, FSCK_META, table->id, (struct index_id){0}, NULL);
        return;
    }
    if (kept.rows != found->rows) {
        report(fsck, FSCK_COUNT, table->id, (struct index_id){0}, NULL);
    }
    if (!fresh_equal(&kept, found)) {
        report(fsck, FSCK_FRESHNESS, table->id, (struct index_id){0}, NULL);
    }
}

static enum err walk_table(struct fsck *fsck, const struct table *table)
{
    struct fresh found = {.rows = 0};
    uint8_t prefix[4] = {0};
    struct span key = SPAN_NONE;
    struct span sealed = SPAN_NONE;

    put_u32be(prefix, table->id.value);
    enum err err = engine_cursor_seek(fsck->cursor, span_array(prefix), &key, &sealed);
    while (err == ERR_OK && span_starts_with(key, span_array(prefix))) {
        uint8_t term[FRESH_BYTES] = {0};
        struct row_id id = {{0}};
        if (key.len != ROW_KEY_BYTES || sealed.len < SEAL_OVERHEAD) {
            report(fsck, FSCK_ROW_FORM, table->id, (struct index_id){0}, NULL);
        } else {
            memcpy(id.bytes, key.data + 4, ROW_ID_BYTES);
            TRY(fresh_term(fsck->opener.cache, table, key.data, sealed, term));
            fresh_add(&found, term);
            TRY(check_row(fsck, table, id, sealed));
        }
        err = engine_cursor_step(fsck->cursor, ENGINE_NEXT, &key, &sealed);
    }
    check_counters(fsck, table, &found);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Rows of no table: whatever lies between the tables' ranges. */
static enum err walk_orphans(struct fsck *fsck)
{
    struct span key = SPAN_NONE;

    enum err err = engine_cursor_step(fsck->cursor, ENGINE_FIRST, &key, NULL);
    while (err == ERR_OK) {
        const struct table_id id = {key.len < 4 ? STORE_OWN_TABLE : get_u32be(key.data)};
        const bool known = id.value != STORE_OWN_TABLE && table_set_find(fsck->tables, id) != NULL;
        if (!known && !is_leftover(fsck, id, (struct index_id){0})) {
            report(fsck, FSCK_ORPHAN, id, (struct index_id){0}, NULL);
        }
        err = engine_cursor_step(fsck->cursor, ENGINE_NEXT, &key, NULL);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err walk_rows(struct fsck *fsck)
{
    for (size_t at = 0; at < fsck->tables->count; at++) {
        const struct table *table = fsck->tables->tables[at];
        fsck->report.tables++;
        TRY(walk_table(fsck, table));
    }
    return walk_orphans(fsck);
}

/* --- all of it --- */

static enum err list_indexes(struct fsck *fsck)
{
    void *memory = NULL;
    size_t count = 0;

    for (size_t at = 0; at < fsck->tables->count; at++) {
        count += fsck->tables->tables[at]->index_count;
    }
    TRY(mem_alloc_array(count, sizeof(struct checked_index), &memory));
    fsck->indexes = memory;
    for (size_t at = 0; at < fsck->tables->count; at++) {
        const struct table *table = fsck->tables->tables[at];
        for (size_t index = 0; index < table->index_count; index++) {
            fsck->indexes[fsck->index_count] = (struct checked_index){.table = table, .index = &table->indexes[index]};
            fsck->index_count++;
        }
    }
    return ERR_OK;
}

static enum err walk(struct fsck *fsck, enum engine_map map, enum err (*over)(struct fsck *fsck))
{
    TRY(engine_cursor_new(fsck->opener.txn, map, &fsck->cursor));
    const enum err err = over(fsck);
    engine_cursor_free(TAKE(fsck->cursor));
    return err;
}

static enum err check_all(struct fsck *fsck, struct store *store)
{
    TRY(buf_new(ROW_BYTES_MAX, &fsck->plain));
    TRY(buf_new(INDEX_TUPLE_BYTES_MAX, &fsck->tuple));
    TRY(buf_new(INDEX_TUPLE_BYTES_MAX, &fsck->other));
    TRY(key_cache_new(store->slab, &fsck->opener.cache));
    TRY(engine_read_begin(store->engine, &fsck->opener.txn));
    TRY(engine_cursor_new(fsck->opener.txn, ENGINE_INDEX, &fsck->finder));
    TRY(list_indexes(fsck));

    TRY(walk(fsck, ENGINE_META, walk_records));
    TRY(walk(fsck, ENGINE_INDEX, walk_entries));
    return walk(fsck, ENGINE_ROWS, walk_rows);
}

enum err fsck_run(struct store *store, void (*on_damage)(void *context, const struct fsck_damage *damage),
                  void *context, struct fsck_report *out_report)
{
    struct fsck fsck = {.tables = store->current, .on_damage = on_damage, .context = context};

    const enum err err = check_all(&fsck, store);
    if (err == ERR_DAMAGED) {
        report(&fsck, FSCK_META, (struct table_id){0}, (struct index_id){0}, NULL);
    }
    engine_cursor_free(fsck.finder);
    engine_abort(fsck.opener.txn);
    key_cache_free(fsck.opener.cache);
    buf_free(fsck.plain);
    buf_free(fsck.tuple);
    buf_free(fsck.other);
    mem_free(fsck.indexes);
    if (err == ERR_OK) {
        *out_report = fsck.report;
    }
    return err;
}
