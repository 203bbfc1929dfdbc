/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The offline check: opens everything that is stored and compares it with everything else that is stored.
 *
 * Verified: every tag; every row decodes; every index entry belongs to a row and says what the row says, each row has
 * its entries, entries are in order, unique ones are unique; counters of tables and owners; the freshness hash of each
 * table; nothing lies in the database that belongs to no table, but what a drop noted as to be deleted (and nobody can
 * open any more: it is only counted). */
#ifndef STORAGE_FSCK_H
#define STORAGE_FSCK_H

#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "storage/id.h"
#include "storage/store.h"

enum fsck_kind {
    FSCK_ROW_TAG,       /* a row does not open: changed, moved, or of another box */
    FSCK_ROW_FORM,      /* a row opens and is not a row */
    FSCK_INDEX_TAG,     /* an index entry does not open */
    FSCK_INDEX_ORDER,   /* entries are out of order */
    FSCK_INDEX_EXTRA,   /* an entry whose row is gone, unreadable, or says something else */
    FSCK_INDEX_MISSING, /* a row without its entry */
    FSCK_INDEX_UNIQUE,  /* two rows with one tuple in a unique index */
    FSCK_COUNT,         /* a table's counter is wrong */
    FSCK_OWNER_COUNT,   /* an owner's counter is wrong */
    FSCK_FRESHNESS,     /* rows are missing, added, or older than the last commit */
    FSCK_META,          /* a key, salt, definition or record does not open or is missing */
    FSCK_ORPHAN,        /* something belongs to no table */
    FSCK_KIND_COUNT
};

struct fsck_damage {
    enum fsck_kind kind;
    struct table_id table;
    struct index_id index; /* value 0 if no index is meant */
    struct row_id row;     /* zero if no row is meant */
};

struct fsck_report {
    uint64_t tables;
    uint64_t rows;
    uint64_t entries;
    uint64_t leftovers; /* rows, entries and records of what was dropped */
    uint64_t damaged;
};

/* "row-tag", "index-order", ...: a static string. */
const char *fsck_kind_name(enum fsck_kind kind);

/* Checks the whole store as of now. Calls on_damage for each finding and goes on; the answer is ERR_OK when it could look
 * at everything, whatever it found. Blocks; nobody else should write meanwhile. ERR_IO, ERR_NO_MEMORY, ERR_LIMIT;
 * ERR_DAMAGED when the engine itself cannot go on (also reported). */
enum err fsck_run(struct store *store, void (*on_damage)(void *context, const struct fsck_damage *damage),
                  void *context, struct fsck_report *out_report) MUST_USE;

#endif
