/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sealed rows in tables: the public face of storage.
 *
 * struct store         one environment; shared by all threads
 * struct store_reader  what one thread needs to read: key cache, buffers, a few parked read transactions
 * struct store_snap    the database as it was at one moment; belongs to its reader's thread
 * struct store_sealer  what one thread needs to write: its own epochs, so that no two ever share a nonce
 * struct store_txn     one write transaction; belongs to its sealer's thread, one at a time in the process
 *
 * ERR_CLOSED from any call: writing the one page that makes a commit count failed before (the disk, not its being full).
 * Nothing is lost, and nothing more is taken or given until the store is closed and opened again: end the process.
 *
 * Nothing here knows users or policies: who may see a row is decided by the filter that a caller hands in. Reads never
 * wait for writes. Every call that finds stored bytes not to be what was written answers ERR_DAMAGED and no row.
 *
 * Spec: architecture sections 4 and 5. */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/random.h"
#include "crypto/secret.h"
#include "crypto/secret_slab.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/base/time.h"
#include "storage/id.h"
#include "storage/index.h"
#include "storage/row.h"

#define STORE_TABLE_FIRST      256  /* ids below belong to the appliance */
#define STORE_WRAPPED_MAX      128  /* bytes of a wrapped table key */
#define STORE_SNAPS_MAX        24   /* snapshots of one reader at one time */

/* --- keys --- */

struct store_wrapped {
    uint8_t bytes[STORE_WRAPPED_MAX];
    size_t len;
};

/* Where table keys come from: the keeper in the appliance, memory in tests. The store calls it from the thread that
 * opens the store and from the thread that holds the write transaction; each call may block. The table id is part of
 * what is authenticated, so a wrapped key moved to another table does not open.
 *
 * Rotation, for a table that is dropped: rotate_begin (a new wrapping key beside the old one; ERR_OK if there is one
 * already) -> rewrap every remaining key -> commit -> rotate_end (destroys the old wrapping key). After a crash in
 * between rotate_pending says so and store_open does the rest. */
struct store_keeper {
    void *context;
    /* A fresh random key of 32 bytes; the caller owns out_key. */
    enum err (*new_key)(void *context, struct table_id table, struct secret **out_key,
                        struct store_wrapped *out_wrapped);
    /* ERR_AUTH: not wrapped for this table, or damaged; ERR_STALE_KEY: under a wrapping key that is gone. */
    enum err (*open_key)(void *context, struct table_id table, struct span wrapped, struct secret **out_key);
    enum err (*rotate_begin)(void *context);
    enum err (*rewrap)(void *context, struct table_id table, struct span wrapped, struct store_wrapped *out_wrapped);
    enum err (*rotate_end)(void *context);
    enum err (*rotate_pending)(void *context, bool *out_pending);
};

/* --- the environment --- */

struct store;

struct store_config {
    const char *path;                  /* an existing folder; NUL-ended */
    uint64_t map_bytes;                /* 0: CONFIG_STORAGE_MAP_MIB */
    const struct store_keeper *keeper; /* must outlive the store */
    struct secret_slab *slab;          /* must outlive the store; shared */
    const struct table_id *verify;     /* tables that are checked as by store_verify before anything is read */
    size_t verify_count;
    bool must_exist; /* there was a database here: an empty folder or file is damage, not a first start */
    /* May this process still seal? Asked when a write transaction begins, before its first seal, and after its last one,
     * before it commits; an error is the transaction's. NULL: yes. */
    enum err (*may_seal)(void *context);
    void *may_seal_context;
};

/* Opens or makes the database, loads every table's key and finishes a rotation that was cut off. Blocks on disk and
 * keeper. The caller closes it after every reader, sealer and snapshot is gone.
 * ERR_DAMAGED, ERR_ROLLBACK (a table of `verify` fails its freshness hash), ERR_VERSION, ERR_FULL, ERR_IO,
 * ERR_LIMIT (slab), ERR_AUTH or ERR_STALE_KEY (not this box's keys). */
enum err store_open(const struct store_config *config, struct random *random, struct store **out_store) MUST_USE;
void store_close(struct store *store); /* NULL is fine */

/* --- reading --- */

struct store_reader;
struct store_snap;

/* ERR_NO_MEMORY, ERR_LIMIT. The caller frees it when its snapshots have ended. */
enum err store_reader_new(struct store *store, struct store_reader **out_reader) MUST_USE;
void store_reader_free(struct store_reader *reader); /* NULL is fine */

/* A snapshot of what is committed now. ERR_LIMIT (STORE_SNAPS_MAX of this reader or the reader table), ERR_IO. */
enum err store_snap_begin(struct store_reader *reader, struct store_snap **out_snap) MUST_USE;
void store_snap_end(struct store_snap *snap); /* NULL is fine; ends its scan, wipes its buffers */

static inline void store_snap_end_scoped(struct store_snap **snap)
{
    store_snap_end(*snap);
}
#define SCOPED_SNAP SCOPED(store_snap_end_scoped)

/* One row. The view lives until the next store_get of this snapshot (a scan step leaves it alone).
 * ERR_NOT_FOUND (no such row or table), ERR_DAMAGED. */
enum err store_get(struct store_snap *snap, struct table_id table, struct row_id id, struct row *out_row) MUST_USE;

/* The row of that id or, if there is none, the one behind it, or the table's last: out_row->id tells. For a caller whose
 * answer about a row that is absent must cost what it costs for one that is there: one row is opened in either case. Ends
 * the snapshot's scan. The view lives as store_get's. ERR_NOT_FOUND (no row at all, no such table), ERR_DAMAGED. */
enum err store_get_near(struct store_snap *snap, struct table_id table, struct row_id id, struct row *out_row) MUST_USE;

/* Exact numbers of rows: of a table, and of one created_by in it. ERR_NOT_FOUND (no such table), ERR_DAMAGED. */
enum err store_count(struct store_snap *snap, struct table_id table, uint64_t *out_rows) MUST_USE;
enum err store_count_owned(struct store_snap *snap, struct table_id table, struct span created_by, uint64_t *out_rows)
    MUST_USE;

/* Are the rows of the table those that its freshness hash was made of? Reads every row once and opens none: one HMAC a row,
 * some 35 ms for 100,000 rows that are in memory.
 * ERR_ROLLBACK (one is missing, is an older one, or one too many), ERR_NOT_FOUND (no such table), ERR_DAMAGED, ERR_LIMIT.
 * Spec: architecture section 4. */
enum err store_verify(struct store_snap *snap, struct table_id table) MUST_USE;

/* A table's indexes, the created_by index first. The definitions live as long as the snapshot.
 * ERR_NOT_FOUND (no such table). */
struct store_index {
    struct index_id id;
    struct index_def def;
};
enum err store_indexes(struct store_snap *snap, struct table_id table, const struct store_index **out_indexes,
                       size_t *out_count) MUST_USE;

/* --- scanning --- */

/* How much one call may do. steps counts rows opened or index entries passed and is decremented; the clock is asked
 * every few rows. now may be NULL: no deadline. */
struct store_budget {
    uint32_t steps;
    struct mono_time (*now)(void *context);
    void *context;
    struct mono_time deadline;
};

/* Says whether a scan hands a row out. An error ends the scan step with that error. Must not touch the snapshot. */
typedef enum err store_filter(void *context, const struct row *row, bool *out_take);

struct store_bound {
    const struct row_value *value; /* NULL: no bound */
    bool inclusive;
};

/* What to scan. Without an index: all rows of the table by id. With one: entries whose leading fields equal `equal`,
 * and whose next field lies within lower and upper (as values, whatever the field's direction), in index order; among
 * equal tuples by id in the scan's direction. Tuples too long for an index key (from some 430 bytes on) are compared with
 * the bounds exactly, but those that begin alike come in an order that means nothing. A sparse index leaves out the rows it does not hold.
 *
 * after: go on behind this row. It needs no row of that id to exist; with an index it is allowed only when every field
 * is in `equal` (ERR_STATE otherwise). */
struct store_scan {
    struct table_id table;
    bool backward;
    const struct row_id *after; /* NULL: from the start */
    struct index_id index;      /* value 0: by id */
    const struct row_value *equal;
    size_t equal_count;
    struct store_bound lower;
    struct store_bound upper;
    store_filter *filter; /* NULL: every row */
    void *filter_context;
};

/* Starts the snapshot's scan; a former one is forgotten. What `scan` points at is needed only during this call, the
 * filter's context until the scan ends. ERR_NOT_FOUND (no such table or index), ERR_STATE, ERR_DAMAGED. */
enum err store_scan_begin(struct store_snap *snap, const struct store_scan *scan) MUST_USE;

/* The next row that passes the filter. The view lives until the next step. No allocation while rows fit the buffer.
 * ERR_NOT_FOUND  the end
 * ERR_AGAIN      the budget is used up: call again with a new one, the scan stands where it stopped
 * ERR_DAMAGED, or what the filter answered: the scan is over */
enum err store_scan_next(struct store_snap *snap, struct store_budget *budget, struct row *out_row) MUST_USE;

/* --- writing --- */

struct store_sealer;
struct store_txn;

/* random is lent for the sealer's life and belongs to its thread. ERR_NO_MEMORY, ERR_LIMIT. */
enum err store_sealer_new(struct store *store, struct random *random, struct store_sealer **out_sealer) MUST_USE;
void store_sealer_free(struct store_sealer *sealer); /* NULL is fine */

/* Waits for the write transaction of another sealer. Sealers of several threads write rows in turn; tables, indexes and
 * their keys are changed on one thread only. ERR_IO, ERR_FULL. */
enum err store_txn_begin(struct store_sealer *sealer, struct store_txn **out_txn) MUST_USE;

/* Makes everything durable (fsync) or nothing; the transaction is gone in both cases.
 * ERR_FULL, ERR_IO: nothing was written. Blocks on disk and, after a dropped table, on the keeper. */
enum err store_txn_commit(struct store_txn *txn) MUST_USE;
void store_txn_abort(struct store_txn *txn); /* NULL is fine */

/* The transaction's own view, what it wrote included: all reading calls work on it. It lives as long as the
 * transaction; a put or delete ends its scan and its views. */
struct store_snap *store_txn_snap(struct store_txn *txn);

/* The number of changes so far. An operation that failed and left the number as it was has changed nothing; after any
 * other failure the transaction must be aborted. */
uint64_t store_txn_changes(const struct store_txn *txn);

/* A new row id of this instant. Ids of one process only grow; when the clock goes back the last second is kept.
 * Spec: contract 1.7. */
struct row_id store_txn_row_id(struct store_txn *txn, struct wall_time now);

/* Rows, encoded by row_build_*. Indexes, counters and the freshness hash follow in the same transaction. A unique
 * index is checked before the first change: ERR_EXISTS leaves the transaction as it was and, if out_index is not NULL,
 * names the index.
 * ERR_NOT_FOUND (no such table; row for replace and delete), ERR_EXISTS (also: the id is taken), ERR_RANGE (larger than
 * ROW_BYTES_MAX), ERR_MALFORMED (not an encoded row), ERR_FULL, ERR_DAMAGED. */
enum err store_insert(struct store_txn *txn, struct table_id table, struct row_id id, struct span encoded,
                      struct index_id *out_index) MUST_USE;
enum err store_replace(struct store_txn *txn, struct table_id table, struct row_id id, struct span encoded,
                       struct index_id *out_index) MUST_USE;
enum err store_delete(struct store_txn *txn, struct table_id table, struct row_id id) MUST_USE;

/* Tables. Creating asks the keeper for a key and makes the created_by index; an id below STORE_TABLE_FIRST is the
 * caller's choice (ERR_EXISTS if taken), otherwise the store gives one: store_table_new. Dropping takes the same time
 * however large the table is. It destroys the key when the transaction commits; what there still is of the rows, in old
 * pages or because store_clear_some has not come to it, can then be opened by nobody.
 * ERR_NOT_FOUND, ERR_EXISTS, ERR_LIMIT (slab or ids used up), ERR_FULL, ERR_CONFLICT (dropping: the wrapping key of an
 * earlier drop is not destroyed yet; creating: rows of a dropped table of this id are not deleted yet), and the keeper's
 * errors. */
enum err store_table_create(struct store_txn *txn, struct table_id table) MUST_USE;
enum err store_table_new(struct store_txn *txn, struct table_id *out_table) MUST_USE;
enum err store_table_drop(struct store_txn *txn, struct table_id table) MUST_USE;

/* Indexes. Creating reads every row of the table and writes its entry. def is copied.
 * ERR_EXISTS: unique, and two rows have the same tuple; nothing was changed. ERR_RANGE (fields, or
 * INDEX_PER_TABLE_MAX), ERR_NOT_FOUND, ERR_FULL, ERR_DAMAGED. Dropping takes the same time however large the index is; its
 * entries are left to store_clear_some. Dropping the created_by index: ERR_REFUSED. */
enum err store_index_create(struct store_txn *txn, struct table_id table, const struct index_def *def,
                            struct index_id *out_index) MUST_USE;
enum err store_index_drop(struct store_txn *txn, struct table_id table, struct index_id index) MUST_USE;

/* Deletes up to max_entries rows, index entries and records that dropped tables and indexes have left. The writer thread
 * does this between writes, until out_done. Safe to give up at any moment: it goes on with what is there. ERR_FULL, ERR_IO,
 * ERR_DAMAGED. */
enum err store_clear_some(struct store_txn *txn, uint32_t max_entries, bool *out_done) MUST_USE;

/* Is there, or may there be, something for it to do? For the thread that writes. */
bool store_has_leftovers(const struct store *store);

/* Goes over up to max_rows rows, entries and records of a table (0: the appliance's own records) and seals anew those
 * under epochs older than the newest 16; after a whole pass the salts of those epochs are deleted. out_more: call again,
 * in this transaction or a later one of the same sealer. ERR_NOT_FOUND, ERR_FULL, ERR_DAMAGED. */
enum err store_reseal(struct store_txn *txn, struct table_id table, uint32_t max_rows, bool *out_more) MUST_USE;

/* store_reseal of one table after the other, some each call. The writer thread does this while it has nothing else to do.
 * out_done: every table was looked at; before the next start there is nothing more to do. Errors as store_reseal(). */
enum err store_reseal_some(struct store_txn *txn, uint32_t max_rows, bool *out_done) MUST_USE;

#endif
