/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the store share. For this folder only. */
#ifndef STORAGE_STORE_INT_H
#define STORAGE_STORE_INT_H

#include <stdatomic.h>

#include "storage/engine_int.h"
#include "storage/index_int.h"
#include "storage/meta_int.h"
#include "storage/seal_int.h"
#include "storage/store.h"
#include "storage/table_int.h"

#define STORE_READERS     64          /* threads that read: reactors and a few more */
#define STORE_OWN_TABLE   0           /* its key seals the appliance's own records */
#define STORE_BUFFER_KEEP (64 * 1024) /* what a snapshot's buffer keeps between uses */
#define ROW_KEY_BYTES     (4 + ROW_ID_BYTES)
#define FRESH_BYTES       SHA256_BYTES

struct store {
    struct engine *engine;
    const struct store_keeper *keeper;
    enum err (*may_seal)(void *context); /* see store.h */
    void *may_seal_context;
    struct secret_slab *slab;       /* of expanded keys; the caller's */
    struct secret_slab *table_keys; /* of this store alone: they are many and small */
    struct snapshot_cell *cell;     /* of struct table_set, for readers */
    struct table_set *current;      /* the newest; changed by the one thread that changes tables */
    bool rotation_open;             /* a new wrapping key was begun and not ended; likewise */
    atomic_bool clearing;           /* clear records are there, or may be: an abort says so, whichever thread's it is */
    atomic_bool slots[STORE_READERS];
};

enum scan_state { SCAN_NONE, SCAN_FRESH, SCAN_RUNNING, SCAN_ENDED };

struct scan {
    enum scan_state state;
    bool backward;
    bool whole; /* over the entries of one tuple, which the bounds hold as it is stored */
    const struct table *table;
    const struct store_index *index; /* NULL: by row id */
    struct index_context context;
    bool has_after;
    struct row_id after;
    store_filter *filter;
    void *filter_context;
    size_t unclocked; /* bytes of rows since the clock was looked at */
};

struct store_snap {
    struct store_reader *reader;
    struct store_txn *txn; /* NULL: a reader's own */
    bool in_use;
    struct seal_reader opener;
    struct table_set *tables; /* a reference in a reader's snapshot, lent in a transaction's */
    struct engine_cursor *rows;
    struct engine_cursor *entries;
    struct scan scan;
    struct buf *got;     /* plaintext of store_get */
    struct buf *scanned; /* plaintext of the scan's row */
    struct buf *tuple;
    struct buf *low; /* encoded bounds of the scan: low <= tuple < high */
    struct buf *high;
};

struct store_reader {
    struct store *store;
    size_t slot; /* in the cell; STORE_READERS for a sealer's, which has none */
    uint64_t seen_commit;
    struct key_cache *cache;
    struct store_snap snaps[STORE_SNAPS_MAX];
};

/* --- snap.c --- */

enum err snap_init(struct store_reader *reader, struct store_snap *out_snap) MUST_USE;
void snap_done(struct store_snap *snap);
/* Wipes the buffers and forgets the scan. Cursors stay. */
void snap_clear(struct store_snap *snap);
void snap_close_cursors(struct store_snap *snap);
/* A table with rows; the appliance's own has none. ERR_NOT_FOUND. */
enum err snap_table(const struct store_snap *snap, struct table_id id, const struct table **out_table) MUST_USE;
/* Forgets the keys of tables that were dropped since the reader last looked. */
void reader_sweep(struct store_reader *reader, const struct table_set *tables);

/* A buffer of plain_bytes zero bytes, to be filled: for plaintext that is opened into it. */
enum err buffer_for(struct buf *buf, size_t plain_bytes, uint8_t **out_at) MUST_USE;

/* Wipes it and gives back what is beyond STORE_BUFFER_KEEP. */
void clear_buffer(struct buf *buf);

void row_key_write(struct table_id table, struct row_id row, uint8_t out_key[ROW_KEY_BYTES]);

/* Opens a sealed row into buf and reads its header. ERR_DAMAGED. */
enum err row_open(const struct seal_reader *opener, const struct table *table, struct row_id id, struct span sealed,
                  struct buf *buf, struct row *out_row) MUST_USE;

/* row_open of the row of that id. ERR_NOT_FOUND, ERR_DAMAGED. */
enum err row_load(const struct seal_reader *opener, const struct table *table, struct row_id id, struct buf *buf,
                  struct row *out_row) MUST_USE;

/* Opens a sealed meta record of exactly `bytes` bytes. ERR_NOT_FOUND, ERR_DAMAGED. */
enum err meta_load(const struct seal_reader *opener, const struct table *table, enum seal_kind kind,
                   const struct meta_name *name, uint8_t *out_bytes, size_t bytes) MUST_USE;

enum err owner_name(struct key_cache *cache, const struct table *table, struct span created_by,
                    struct meta_name *out_name) MUST_USE;

/* --- fresh.c --- */

/* A table's counter record: number of rows and freshness hash. */
struct fresh {
    uint64_t rows;
    uint8_t sum[FRESH_BYTES]; /* big-endian, modulo 2^256 */
};

/* The term of one row: HMAC(key | epoch | counter | tag). sealed is a sealed value. ERR_DAMAGED (too short),
 * ERR_LIMIT. */
enum err fresh_term(struct key_cache *cache, const struct table *table, const uint8_t key[ROW_KEY_BYTES],
                    struct span sealed, uint8_t out_term[FRESH_BYTES]) MUST_USE;
void fresh_add(struct fresh *fresh, const uint8_t term[FRESH_BYTES]);
void fresh_subtract(struct fresh *fresh, const uint8_t term[FRESH_BYTES]);

enum err fresh_load(const struct seal_reader *opener, const struct table *table, struct fresh *out_fresh) MUST_USE;
void fresh_write(const struct fresh *fresh, uint8_t out_bytes[META_COUNT_BYTES]);

/* Sums the rows up anew. Does not open them. ERR_DAMAGED, ERR_LIMIT. */
enum err fresh_recount(const struct seal_reader *opener, const struct table *table, struct fresh *out_fresh) MUST_USE;
bool fresh_equal(const struct fresh *a, const struct fresh *b);

/* Is the sum of the rows the one that is kept? As fresh_recount; ERR_ROLLBACK: it is not. */
enum err fresh_verify(const struct seal_reader *opener, const struct table *table) MUST_USE;

/* --- txn_clear.c --- */

/* Notes that the rows of a table (index 0), or the entries of an index (table 0), are to be deleted. */
enum err txn_clear_later(struct store_txn *txn, struct table_id table, struct index_id index) MUST_USE;

/* Are they? ERR_NOT_FOUND, ERR_DAMAGED. */
enum err clear_noted(const struct seal_reader *opener, const struct table_set *tables, struct table_id table,
                     struct index_id index) MUST_USE;

/* Does the name of a clear record mean something that is in no table of the set? */
bool clear_is_sound(const struct table_set *tables, struct span key);

/* --- txn.c --- */

#define TXN_TABLES 16 /* tables with counters not yet written */
#define TXN_OWNERS 64

struct txn_count {
    struct table_id table;
    struct fresh fresh;
};

struct txn_owner {
    struct table_id table;
    struct meta_name name;
    uint64_t rows;
};

struct txn_ids {
    bool loaded;
    bool changed;
    uint32_t next_table;
    uint32_t next_index;
    uint32_t tables;
};

struct store_txn {
    struct store_sealer *sealer;
    struct engine_txn *engine; /* NULL: no transaction is open */
    struct store_snap snap;
    struct table_set *working; /* the tables as this transaction changed them; NULL while it has not */
    uint64_t changes;
    bool rotate; /* a table was dropped: the wrapping key goes with it */
    struct txn_ids ids;
    struct txn_count counts[TXN_TABLES];
    size_t count_count;
    struct txn_owner owners[TXN_OWNERS];
    size_t owner_count;
    struct buf *sealed; /* a row or record on its way into the engine */
    struct buf *old;    /* plaintext of the row that is replaced or deleted */
    struct buf *tuple;
    struct buf *old_tuple;
};

/* Where a reseal pass stands; see txn_reseal.c. */
struct reseal {
    struct table_id table;  /* of the pass; meaningful while phase is not 0 */
    uint64_t tables_commit; /* of the tables as the pass knows them */
    uint32_t phase;
    uint32_t limit; /* epochs up to this one are emptied */
    uint8_t key[INDEX_SEARCH_MAX];
    size_t key_len; /* 0: from the phase's start */
};

struct store_sealer {
    struct store_reader reader; /* cache of its own; its snapshots are not used */
    struct sealer *sealer;
    struct random *random;
    uint32_t last_second; /* of the last row id */
    uint32_t last_counter;
    struct reseal reseal;
    uint32_t reseal_from; /* the table that store_reseal_some looks at next */
    struct store_txn txn;
};

/* Counts a change and ends the scan of its view; before every change. */
void txn_touch(struct store_txn *txn);
struct table_set *txn_tables(const struct store_txn *txn);
enum err txn_table(const struct store_txn *txn, struct table_id id, const struct table **out_table) MUST_USE;
/* The set that this transaction may change. */
enum err txn_working(struct store_txn *txn, struct table_set **out_set) MUST_USE;

/* The table's counters in this transaction; to be changed in place. */
enum err txn_count(struct store_txn *txn, const struct table *table, struct txn_count **out_count) MUST_USE;
/* Adds 1 or -1 to an owner's counter. ERR_DAMAGED when it would fall below 0. */
enum err txn_own(struct store_txn *txn, const struct table *table, struct span created_by, int change) MUST_USE;
void txn_forget_counts(struct store_txn *txn, struct table_id table);
/* Writes counters and ids that wait. */
enum err txn_flush(struct store_txn *txn) MUST_USE;
/* The ids record, loaded. Whoever changes it sets `changed`. */
enum err txn_ids(struct store_txn *txn, struct txn_ids **out_ids) MUST_USE;

/* Seals and puts. */
enum err txn_put_meta(struct store_txn *txn, const struct table *table, enum seal_kind kind,
                      const struct meta_name *name, struct span plain) MUST_USE;
enum err txn_put_entry(struct store_txn *txn, const struct table *table, struct index_id index, struct span tuple,
                       struct row_id row) MUST_USE;
/* txn_put_entry of a tuple that is as entries hold it already. */
enum err txn_put_stored(struct store_txn *txn, const struct table *table, struct index_id index, struct span stored,
                        struct row_id row) MUST_USE;

/* Is there another row than `row` with this tuple in the index? ERR_EXISTS, ERR_DAMAGED. */
enum err txn_check_unique(struct store_txn *txn, const struct table *table, const struct store_index *index,
                          struct span tuple, struct row_id row) MUST_USE;

/* Re-wraps every table key under the newest wrapping key. */
enum err txn_rewrap(struct store_txn *txn) MUST_USE;

/* The keys and records that a table needs before it can be used; store_table_create and the first start. */
enum err txn_add_table(struct store_txn *txn, struct table_id id, const struct store_index *indexes, size_t index_count)
    MUST_USE;

#endif
