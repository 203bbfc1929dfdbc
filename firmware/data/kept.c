/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A failed sign-in costs whoever tries it nothing but time, so it must not cost the box a write. When the worker is asked
 * whether it lives, KEEP_MS after the last time at the earliest and only if something was counted, the blocks that changed
 * become one operation of the writer, whatever the number of tries, up to KEEP_BYTES. A kill loses what was counted since
 * then; while strangers keep the whole table full and changing, what was counted in five such times. A box that is
 * stopped in order loses nothing. */
#include "firmware/data/kept.h"

#include <stdatomic.h>

#include "firmware/data/people_int.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/num.h"

#define KEEP_MS     5000
#define KEEP_BYTES  65536
#define OWNER_CHARS 2

struct data_kept {
    struct limits *limits;
    struct data *data;
    struct buf *bytes;
    struct write_op now, last; /* while the box runs; and before it ends */
    atomic_bool busy;          /* `now` is the writer's */
    struct mono_time next;     /* of the thread that calls data_keep */
    uint32_t first;            /* of the blocks to be looked at; the writer thread's, as the next */
    uint32_t written;          /* a bit for each block of the operation under way */
};
_Static_assert(LIMITS_KEPT_BLOCKS <= 32, "a bit for each block");

void kept_free(struct data_kept *kept)
{
    if (kept == NULL) {
        return;
    }
    buf_free(kept->bytes);
    mem_free(kept);
}

/* --- writing --- */

static void name_block(uint32_t block, uint8_t out_owner[OWNER_CHARS])
{
    out_owner[0] = (uint8_t)('a' + block / 16);
    out_owner[1] = (uint8_t)('a' + block % 16);
}

/* The row of a block, its number as its owner. */
static enum err store_block(struct data_kept *kept, struct data_txn *txn, uint32_t block)
{
    const struct table_id table = {DATA_TABLE_KEPT};
    uint8_t owner[OWNER_CHARS];
    struct row row;

    name_block(block, owner);
    buf_reset(kept->bytes);
    kept->written |= 1u << block; /* from here on it counts as written */
    TRY(limits_kept_write(kept->limits, block, txn->now, kept->bytes));
    const enum err found = people_find(store_txn_snap(txn->store), table, 0, span_array(owner), &row);
    if (found == ERR_NOT_FOUND) {
        fault_clear();
        return record_text_insert(txn, DATA_TABLE_KEPT, span_array(owner), buf_all(kept->bytes));
    }
    TRY(found);
    return record_text_replace(txn, DATA_TABLE_KEPT, &row, span_array(owner), buf_all(kept->bytes));
}

/* Blocks of a run that came to nothing have changed again. */
static void take_back(struct data_kept *kept)
{
    for (uint32_t block = 0; block < LIMITS_KEPT_BLOCKS; block++) {
        if ((kept->written & 1u << block) != 0) {
            limits_kept_unsaved(kept->limits, block);
        }
    }
    kept->written = 0;
}

static enum err store_blocks(struct data_kept *kept, struct store_txn *store, size_t most_bytes)
{
    struct data_txn txn = {.data = kept->data, .store = store, .now = hal_clock_wall(kept->data->clock)};
    const uint32_t first = kept->first;
    size_t bytes = 0;

    take_back(kept); /* this may be the second run */
    for (uint32_t i = 0; i < LIMITS_KEPT_BLOCKS && bytes < most_bytes; i++) {
        const uint32_t block = (first + i) % LIMITS_KEPT_BLOCKS;
        if (limits_kept_changed(kept->limits, block)) {
            TRY(store_block(kept, &txn, block));
            kept->first = (block + 1) % LIMITS_KEPT_BLOCKS;
            bytes += buf_len(kept->bytes);
        }
    }
    return ERR_OK;
}

static enum err apply_now(struct store_txn *store, void *context)
{
    return store_blocks(context, store, KEEP_BYTES);
}

static enum err apply_last(struct store_txn *store, void *context)
{
    return store_blocks(context, store, SIZE_MAX);
}

static void complete(void *context, enum err err)
{
    struct data_kept *kept = context;

    if (err != ERR_OK) {
        log_fault(LOG_WARN, "limits_not_kept");
        take_back(kept);
    }
    kept->written = 0;
    atomic_store(&kept->busy, false);
}

static bool has_changed(const struct data_kept *kept)
{
    for (uint32_t block = 0; block < LIMITS_KEPT_BLOCKS; block++) {
        if (limits_kept_changed(kept->limits, block)) {
            return true;
        }
    }
    return false;
}

void data_keep(struct data *data)
{
    struct data_kept *kept = data->kept;
    const struct mono_time now = hal_clock_mono(data->clock);

    if (kept == NULL || now.ns < kept->next.ns || !has_changed(kept) || atomic_exchange(&kept->busy, true)) {
        return;
    }
    kept->next = mono_add_ms(now, KEEP_MS);
    if (writer_submit(data->writer, &kept->now) != ERR_OK) {
        fault_clear(); /* it has more important things to do: at the next call */
        kept->next = now;
        atomic_store(&kept->busy, false);
    }
}

void kept_flush(struct data *data)
{
    if (data->kept != NULL && data->writer != NULL && writer_submit(data->writer, &data->kept->last) != ERR_OK) {
        log_fault(LOG_WARN, "limits_not_kept");
    }
}

/* --- reading --- */

static enum err read_block(struct data_kept *kept, const struct row *row, struct wall_time now)
{
    struct span bytes = SPAN_NONE;

    TRY(record_row_text(row, &bytes));
    return limits_kept_read(kept->limits, bytes, now);
}

static void reader_free_scoped(struct store_reader **reader)
{
    store_reader_free(*reader);
}

static enum err read_blocks(struct data_kept *kept)
{
    const struct store_scan scan = {.table = {DATA_TABLE_KEPT}};
    const struct wall_time now = hal_clock_wall(kept->data->clock);
    SCOPED(reader_free_scoped) struct store_reader *reader = NULL;
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct row row;
    enum err err = ERR_OK;

    TRY(store_reader_new(kept->data->store, &reader));
    TRY(store_snap_begin(reader, &snap));
    TRY(store_verify(snap, scan.table));
    TRY(store_scan_begin(snap, &scan));
    while ((err = walk_next(snap, &row)) == ERR_OK) {
        if (read_block(kept, &row, now) != ERR_OK) {
            log_fault(LOG_WARN, "limits_not_read");
            fault_clear();
        }
    }
    return walk_end(err);
}

static void kept_free_scoped(struct data_kept **kept)
{
    kept_free(*kept);
}

enum err kept_open(struct data *data, struct limits *limits)
{
    SCOPED(kept_free_scoped) struct data_kept *kept = NULL;
    void *memory = NULL;

    if (limits == NULL) {
        return ERR_OK;
    }
    TRY(mem_alloc(sizeof(struct data_kept), &memory));
    kept = memory;
    kept->limits = limits;
    kept->data = data;
    kept->now = (struct write_op){.apply = apply_now, .complete = complete, .context = kept};
    kept->last = (struct write_op){.apply = apply_last, .complete = complete, .context = kept};
    TRY(buf_new(LIMITS_KEPT_BYTES, &kept->bytes));
    TRY(read_blocks(kept));
    data->kept = TAKE(kept);
    return ERR_OK;
}
