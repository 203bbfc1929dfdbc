/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A store in a temporary folder with a keeper in memory, and small builders for rows. */
#ifndef TESTS_LIB_STORE_BOX_H
#define TESTS_LIB_STORE_BOX_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/random.h"
#include "crypto/secret_slab.h"
#include "hal/base/buf.h"
#include "storage/fsck.h"
#include "storage/store.h"
#include "tests/lib/temp.h"

/* A keeper whose wrapping keys follow from a seed and a version, so that a store can be opened again by another box
 * or another process with the same seed. */
#define MEMORY_KEEPER_MADE 16
struct memory_keeper {
    struct store_keeper table;
    struct secret_slab *slab;
    struct random *random;
    uint32_t seed;
    uint32_t oldest; /* versions that open; older ones are destroyed */
    uint32_t newest;
    unsigned int new_keys;                /* calls */
    uint8_t made[MEMORY_KEEPER_MADE][32]; /* the first keys it made, for searches that must not find them */
    unsigned int rewraps;
    enum err fail_rotate_end; /* answered instead of doing it, if not ERR_OK */
};

void memory_keeper_init(struct memory_keeper *keeper, struct secret_slab *slab, struct random *random, uint32_t seed);

struct store_box {
    struct temp_dir dir;
    char path[TEMP_PATH_MAX];
    struct secret_slab *slab;
    struct random *random;
    struct memory_keeper keeper;
    struct store_config config;
    struct store *store;
    struct store_reader *reader;
    struct store_sealer *sealer;
    struct buf *buf;
    uint64_t map_bytes; /* of the next open; 0: 64 MiB */
};

/* An open store in a new folder. Stops the test program when it cannot be made. */
struct store_box *store_box_new(void);
/* The same in a folder of the caller's, which stays. */
struct store_box *store_box_at(const char *folder);
/* store_box_at of a folder that may hold anything: the store's answer. Nothing is freed on failure. */
enum err store_box_try(const char *folder, struct store_box **out_box);
/* The same with a keeper that was cut off in a rotation: it has the first wrapping key and those up to newest. */
enum err store_box_try_cut(const char *folder, uint32_t newest, struct store_box **out_box);
/* Closes and removes the folder, if the box made it. */
void store_box_free(struct store_box *box);

/* For cmocka: an open store in a new folder. */
int store_box_set_up(void **state);
int store_box_tear_down(void **state);

/* Closes what is open (not the folder) and opens again: a restart. */
void store_box_close(struct store_box *box);
enum err store_box_open(struct store_box *box);
void store_box_reopen(struct store_box *box);

/* A row with one string column 1 and one integer column 2, created by `owner`. The view lives until the next call. */
struct span store_box_row(struct store_box *box, const char *owner, const char *text, int64_t number);

/* One operation in a transaction of its own. */
struct table_id store_box_table(struct store_box *box);
struct row_id store_box_insert(struct store_box *box, struct table_id table, const char *owner, const char *text,
                               int64_t number);
enum err store_box_replace(struct store_box *box, struct table_id table, struct row_id id, const char *owner,
                           const char *text, int64_t number);
enum err store_box_delete(struct store_box *box, struct table_id table, struct row_id id);
struct index_id store_box_index(struct store_box *box, struct table_id table, uint16_t column, bool descending,
                                bool unique, bool sparse);

/* How many epochs a table has. */
size_t store_box_epochs(struct store_box *box, struct table_id table);

/* The text of column 1, the number of column 2. */
struct span store_box_text(const struct row *row);
int64_t store_box_number(const struct row *row);

/* Both of a stored row, in a snapshot of its own: the store's answer. text has room for the longest that tests write. */
#define STORE_BOX_TEXT_MAX 64
enum err store_box_read(struct store_box *box, struct table_id table, struct row_id id, char text[STORE_BOX_TEXT_MAX],
                        int64_t *out_number);

/* Carries store_clear_some to its end, so many entries in each transaction. */
void store_box_clear(struct store_box *box, uint32_t entries);

/* How many rows, entries and records of what was dropped fsck counts. */
uint64_t store_box_leftovers(struct store_box *box);

/* fsck of the whole store: the number of damages; prints each when `loud`. */
uint64_t store_box_fsck(struct store_box *box, bool loud);

#endif
