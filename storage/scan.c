/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scans: rows by id, or index entries between two bounds, a slice at a time.
 *
 * An index scan goes over the entries with low <= tuple < high, both encoded. A field's upper bound that is included,
 * or none at all, becomes a high bound by a byte 0xff behind it, which sorts behind every value. Where a bound or a
 * tuple is longer than an entry can hold, the entry decides only what its prefix decides; the rest is decided on the row,
 * whose whole tuple is built and compared. A scan for one whole tuple needs no row for that: its entries are those that
 * store the same.
 *
 * The engine cursor stands on the last entry that was looked at, so a slice may end anywhere. */
#include <string.h>

#include "hal/base/fault.h"
#include "storage/store_int.h"

#define CLOCK_STEPS 16     /* rows between two looks at the clock: some tens of microseconds */
#define CLOCK_BYTES 65536u /* as long, if the rows are large: one of 3 MiB takes more than a slice */

/* --- starting --- */

static enum err check_scan(const struct store_scan *scan, const struct store_index *index)
{
    const bool bounded = scan->lower.value != NULL || scan->upper.value != NULL;

    if (index == NULL) {
        ENSURE(scan->equal_count == 0 && !bounded, ERR_STATE, "bounds without an index");
        return ERR_OK;
    }
    ENSURE(scan->equal_count + (bounded ? 1 : 0) <= index->def.field_count, ERR_STATE, "more values than fields");
    ENSURE(scan->after == NULL || scan->equal_count == index->def.field_count, ERR_STATE,
           "a place within a tuple that is not whole");
    return ERR_OK;
}

static enum err put_above(struct buf *bound)
{
    return buf_put_u8(bound, INDEX_TUPLE_ABOVE);
}

/* Bounds of the entries of one tuple, which is in snap->low. */
static enum err build_whole(struct store_snap *snap, const struct table *table)
{
    uint8_t bytes[INDEX_TUPLE_MAX];
    struct span stored = SPAN_NONE;

    TRY(index_stored(snap->opener.cache, table, buf_all(snap->low), bytes, &stored));
    buf_reset(snap->high);
    TRY(buf_put(snap->high, stored));
    buf_reset(snap->low);
    TRY(buf_put(snap->low, buf_all(snap->high)));
    return put_above(snap->high);
}

static enum err build_bounds(struct store_snap *snap, const struct store_scan *scan, const struct table *table,
                             const struct index_def *def)
{
    struct store_bound low = scan->lower;
    struct store_bound high = scan->upper;
    const size_t next = scan->equal_count;
    const bool descending = next < def->field_count && def->fields[next].descending;

    if (descending) {
        low = scan->upper;
        high = scan->lower;
    }
    buf_reset(snap->low);
    for (size_t at = 0; at < scan->equal_count; at++) {
        TRY(index_tuple_put(snap->low, &scan->equal[at], def->fields[at].descending));
    }
    if (next == def->field_count) {
        return build_whole(snap, table);
    }
    buf_reset(snap->high);
    TRY(buf_put(snap->high, buf_all(snap->low)));

    if (low.value != NULL) {
        TRY(index_tuple_put(snap->low, low.value, descending));
        TRY(low.inclusive ? ERR_OK : put_above(snap->low));
    }
    if (high.value != NULL) {
        TRY(index_tuple_put(snap->high, high.value, descending));
    }
    return high.value != NULL && !high.inclusive ? ERR_OK : put_above(snap->high);
}

static enum err cursor_for(struct store_snap *snap, enum engine_map map, struct engine_cursor **cursor)
{
    if (*cursor == NULL) {
        return engine_cursor_new(snap->opener.txn, map, cursor);
    }
    return snap->txn != NULL ? ERR_OK : engine_cursor_renew(*cursor, snap->opener.txn);
}

enum err store_scan_begin(struct store_snap *snap, const struct store_scan *scan)
{
    const struct table *table = NULL;
    const struct store_index *index = NULL;

    snap->scan.state = SCAN_NONE;
    if (snap_table(snap, scan->table, &table) != ERR_OK) {
        return ERR_NOT_FOUND;
    }
    if (scan->index.value != 0) {
        index = table_index(table, scan->index);
        ENSURE(index != NULL, ERR_NOT_FOUND, "no such index");
    }
    TRY(check_scan(scan, index));
    if (index == NULL) {
        TRY(cursor_for(snap, ENGINE_ROWS, &snap->rows));
    } else {
        TRY(build_bounds(snap, scan, table, &index->def));
        TRY(cursor_for(snap, ENGINE_INDEX, &snap->entries));
    }
    snap->scan = (struct scan){
        .state = SCAN_FRESH,
        .backward = scan->backward,
        .whole = index != NULL && scan->equal_count == index->def.field_count,
        .table = table,
        .index = index,
        .context = {.reader = &snap->opener, .table = table, .index = scan->index},
        .has_after = scan->after != NULL,
        .filter = scan->filter,
        .filter_context = scan->filter_context,
    };
    if (scan->after != NULL) {
        snap->scan.after = *scan->after;
    }
    return ERR_OK;
}

/* --- over rows --- */

/* From the first entry at or behind a key (if there is one) to the last before it. */
static enum err step_before(struct engine_cursor *cursor, enum err sought, struct span *out_key, struct span *out_value)
{
    if (sought != ERR_OK && sought != ERR_NOT_FOUND) {
        return sought;
    }
    return engine_cursor_step(cursor, sought == ERR_OK ? ENGINE_PREV : ENGINE_LAST, out_key, out_value);
}

static bool is_row_of(const struct table *table, struct span key)
{
    return key.len == ROW_KEY_BYTES && get_u32be(key.data) == table->id.value;
}

enum err store_get_near(struct store_snap *snap, struct table_id table, struct row_id id, struct row *out_row)
{
    const struct table *found = NULL;
    uint8_t wanted[ROW_KEY_BYTES] = {0};
    struct row_id there = {{0}};
    struct span key = SPAN_NONE;
    struct span sealed = SPAN_NONE;

    snap->scan.state = SCAN_NONE;
    if (snap_table(snap, table, &found) != ERR_OK) {
        return ERR_NOT_FOUND;
    }
    TRY(cursor_for(snap, ENGINE_ROWS, &snap->rows));
    row_key_write(found->id, id, wanted);
    enum err err = engine_cursor_seek(snap->rows, span_array(wanted), &key, &sealed);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && !is_row_of(found, key))) {
        err = step_before(snap->rows, err, &key, &sealed);
    }
    if (err == ERR_NOT_FOUND) {
        return err;
    }
    TRY(err);
    if (!is_row_of(found, key)) {
        return ERR_NOT_FOUND;
    }
    memcpy(there.bytes, key.data + 4, ROW_ID_BYTES);
    return row_open(&snap->opener, found, there, sealed, snap->got, out_row);
}

static enum err first_row(struct store_snap *snap, struct span *out_key, struct span *out_sealed)
{
    const struct scan *scan = &snap->scan;
    uint8_t key[ROW_KEY_BYTES] = {0};

    row_key_write(scan->table->id, scan->after, key); /* zero without `after` */
    if (scan->backward && !scan->has_after) {
        put_u32be(key, scan->table->id.value + 1);
    }
    enum err err = engine_cursor_seek(snap->rows, span_array(key), out_key, out_sealed);
    if (scan->backward) {
        return step_before(snap->rows, err, out_key, out_sealed);
    }
    if (err == ERR_OK && scan->has_after && span_equal(*out_key, span_array(key))) {
        err = engine_cursor_step(snap->rows, ENGINE_NEXT, out_key, out_sealed);
    }
    return err;
}

static enum err next_row(struct store_snap *snap, struct row *out_row, bool *out_inside)
{
    struct scan *scan = &snap->scan;
    struct span key = SPAN_NONE;
    struct span sealed = SPAN_NONE;
    struct row_id id = {{0}};

    const enum err err =
        scan->state == SCAN_FRESH
            ? first_row(snap, &key, &sealed)
            : engine_cursor_step(snap->rows, scan->backward ? ENGINE_PREV : ENGINE_NEXT, &key, &sealed);
    if (err == ERR_NOT_FOUND) {
        return err;
    }
    TRY(err);
    scan->state = SCAN_RUNNING;
    ENSURE(key.len == ROW_KEY_BYTES, ERR_DAMAGED, "row key of another size");
    if (get_u32be(key.data) != scan->table->id.value) {
        return ERR_NOT_FOUND;
    }
    memcpy(id.bytes, key.data + 4, ROW_ID_BYTES);
    TRY(row_open(&snap->opener, scan->table, id, sealed, snap->scanned, out_row));
    *out_inside = true;
    return ERR_OK;
}

/* --- over an index --- */

static enum err first_entry(struct store_snap *snap, struct span *out_key)
{
    struct scan *scan = &snap->scan;
    uint8_t key[INDEX_SEARCH_MAX] = {0};
    uint8_t above[INDEX_SEARCH_TUPLE_MAX];
    const bool from_high = scan->backward && !scan->has_after;
    struct span tuple = buf_all(from_high ? snap->high : snap->low);

    if (!scan->whole && tuple.len > INDEX_PREFIX_MAX) {
        tuple = index_prefix(tuple); /* before all that begin like the bound */
        if (from_high) {
            memset(above, INDEX_TUPLE_ABOVE, sizeof(above));
            memcpy(above, tuple.data, INDEX_PREFIX_MAX); /* behind them, whatever their hash */
            tuple = span_array(above);
        }
    }
    const size_t len = index_search_key(scan->index->id, tuple, scan->has_after ? &scan->after : NULL, key);
    index_enter(&scan->context);
    enum err err = engine_cursor_seek(snap->entries, span_of(key, len), out_key, NULL);
    if (scan->backward) {
        err = step_before(snap->entries, err, out_key, NULL);
    }
    return index_leave(&scan->context, err);
}

enum place { PLACE_BEFORE, PLACE_INSIDE, PLACE_BEHIND, PLACE_UNKNOWN };

static enum place place_of(struct span tuple, struct span low, struct span high)
{
    if (span_compare(tuple, low) < 0) {
        return PLACE_BEFORE;
    }
    return span_compare(tuple, high) < 0 ? PLACE_INSIDE : PLACE_BEHIND;
}

/* Where an entry lies between the bounds, as far as its own bytes say. */
static enum place place_of_entry(const struct store_snap *snap, const struct index_entry *entry)
{
    const struct span low = buf_all(snap->low);
    const struct span high = buf_all(snap->high);

    if (!entry->truncated || snap->scan.whole) {
        return place_of(entry->tuple, low, high);
    }
    const struct span prefix = index_prefix(entry->tuple);
    const int to_low = span_compare(prefix, index_prefix(low));
    const int to_high = span_compare(prefix, index_prefix(high));
    const bool low_unknown = to_low == 0 && low.len > INDEX_PREFIX_MAX;
    const bool high_unknown = to_high == 0 && high.len > INDEX_PREFIX_MAX;
    if (low_unknown || high_unknown) {
        return PLACE_UNKNOWN;
    }
    if (to_low < 0) {
        return PLACE_BEFORE;
    }
    return to_high < 0 ? PLACE_INSIDE : PLACE_BEHIND;
}

static enum err place_of_row(struct store_snap *snap, const struct row *row, enum place *out_place)
{
    bool skip = false;

    TRY(index_tuple_of_row(&snap->scan.index->def, row, snap->tuple, &skip));
    *out_place = place_of(buf_all(snap->tuple), buf_all(snap->low), buf_all(snap->high));
    return ERR_OK;
}

static enum err entry_row(struct store_snap *snap, const struct index_entry *entry, enum place place,
                          struct row *out_row, bool *out_inside)
{
    enum place exact = place;

    const enum err err = row_load(&snap->opener, snap->scan.table, entry->row, snap->scanned, out_row);
    ENSURE(err != ERR_NOT_FOUND, ERR_DAMAGED, "an index entry without its row");
    TRY(err);
    if (place == PLACE_UNKNOWN) {
        TRY(place_of_row(snap, out_row, &exact));
    }
    *out_inside = exact == PLACE_INSIDE;
    return ERR_OK;
}

static enum err next_entry(struct store_snap *snap, struct row *out_row, bool *out_inside)
{
    struct scan *scan = &snap->scan;
    uint8_t plain[INDEX_PLAIN_MAX];
    struct index_entry entry = {.truncated = false};
    struct span key = SPAN_NONE;
    const bool first = scan->state == SCAN_FRESH;

    const enum err err =
        first ? first_entry(snap, &key)
              : engine_cursor_step(snap->entries, scan->backward ? ENGINE_PREV : ENGINE_NEXT, &key, NULL);
    if (err == ERR_NOT_FOUND) {
        return err;
    }
    TRY(err);
    scan->state = SCAN_RUNNING;
    if (key.len < INDEX_ID_BYTES || get_u32be(key.data) != scan->index->id.value) {
        return ERR_NOT_FOUND;
    }
    TRY(index_open_key(&scan->context, key, plain, &entry));
    const enum place place = place_of_entry(snap, &entry);
    if (place == (scan->backward ? PLACE_BEFORE : PLACE_BEHIND)) {
        return ERR_NOT_FOUND;
    }
    const bool at_after = first && scan->has_after && row_id_equal(entry.row, scan->after);
    if (at_after || place == PLACE_BEFORE || place == PLACE_BEHIND) {
        *out_inside = false;
        return ERR_OK;
    }
    return entry_row(snap, &entry, place, out_row, out_inside);
}

/* --- slices --- */

static bool out_of_time(struct scan *scan, const struct store_budget *budget)
{
    if (budget->now == NULL || (budget->steps % CLOCK_STEPS != 0 && scan->unclocked < CLOCK_BYTES)) {
        return false;
    }
    scan->unclocked = 0;
    return budget->now(budget->context).ns >= budget->deadline.ns;
}

/* One row or entry further. out_take: the row is one to hand out. */
static enum err advance(struct store_snap *snap, struct row *out_row, bool *out_take)
{
    const struct scan *scan = &snap->scan;
    bool inside = false;

    const enum err err = scan->index == NULL ? next_row(snap, out_row, &inside) : next_entry(snap, out_row, &inside);
    if (err != ERR_OK) {
        return err;
    }
    if (inside && scan->filter != NULL) {
        return scan->filter(scan->filter_context, out_row, out_take);
    }
    *out_take = inside;
    return ERR_OK;
}

enum err store_scan_next(struct store_snap *snap, struct store_budget *budget, struct row *out_row)
{
    struct row row = {.id = {{0}}};

    ENSURE(snap->scan.state != SCAN_NONE, ERR_STATE, "no scan was begun, or a write ended it");
    while (snap->scan.state != SCAN_ENDED) {
        bool take = false;
        if (budget->steps == 0 || out_of_time(&snap->scan, budget)) {
            return ERR_AGAIN;
        }
        budget->steps--;
        const enum err err = advance(snap, &row, &take);
        snap->scan.unclocked += row.encoded.len;
        if (err != ERR_OK) {
            snap->scan.state = SCAN_ENDED;
            return err;
        }
        if (take) {
            *out_row = row;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}
