/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables as the store knows them: key and indexes. For this folder only.
 *
 * All are immutable once shared, and counted. A table_set says what tables there are as of one commit; readers take it
 * from a snapshot cell. A change of tables is published around its commit in two steps, so that no reader ever looks at
 * entries with the wrong list of indexes: before the commit as (new, former), after it as (new). A reader that sees an
 * older moment than the set's takes the former one, or looks again. */
#ifndef STORAGE_TABLE_INT_H
#define STORAGE_TABLE_INT_H

#include <stdint.h>

#include "crypto/secret.h"
#include "crypto/secret_slab.h"
#include "hal/base/buf.h"
#include "hal/base/snapshot.h"
#include "storage/id.h"
#include "storage/store.h"

struct table_key {
    struct snapshot head;
    struct secret *secret; /* in the slab */
};

struct table {
    struct snapshot head;
    struct table_id id;
    struct table_key *key;
    struct store_index *indexes; /* the created_by index first */
    size_t index_count;
    uint8_t *texts; /* names and paths of the index fields */
};

struct table_set {
    struct snapshot head;
    uint64_t commit; /* the engine's number of the commit that made it so */
    struct table_set *former;
    struct table **tables; /* sorted by id; table 0 holds the appliance's own records */
    size_t count;
};

/* Moves the key's bytes into the slab and frees take_key. ERR_NO_MEMORY, ERR_LIMIT, ERR_MALFORMED (wrong size). */
enum err table_key_new(struct secret_slab *slab, struct secret *take_key, struct table_key **out_key) MUST_USE;
static inline void table_key_unref_scoped(struct table_key **key)
{
    snapshot_unref(*key == NULL ? NULL : &(*key)->head);
}
#define SCOPED_TABLE_KEY SCOPED(table_key_unref_scoped)

/* A table with these indexes, copied; takes a reference of key. ERR_NO_MEMORY, ERR_RANGE. */
enum err table_new(struct table_id id, struct table_key *key, const struct store_index *indexes, size_t index_count,
                   struct table **out_table) MUST_USE;
void table_unref(struct table *table); /* NULL is fine */

/* The index of that id, or NULL. */
const struct store_index *table_index(const struct table *table, struct index_id index);

/* Definitions as bytes (before sealing) and back. ERR_MALFORMED, ERR_VERSION, ERR_NO_MEMORY. */
#define TABLE_INDEX_BYTES_MAX (4 + 1 + 1 + INDEX_FIELDS_MAX * (2 + 1 + 1 + 1 + INDEX_FIELD_TEXT_MAX))
#define TABLE_BYTES_MAX       (1 + 1 + INDEX_PER_TABLE_MAX * TABLE_INDEX_BYTES_MAX)
enum err table_encode(const struct table *table, struct buf *out_bytes) MUST_USE;
enum err table_decode(struct table_id id, struct table_key *key, struct span bytes, struct table **out_table) MUST_USE;

/* An empty set, or a copy that shares the tables. ERR_NO_MEMORY. */
enum err table_set_new(struct table_set **out_set) MUST_USE;
enum err table_set_copy(const struct table_set *set, struct table_set **out_copy) MUST_USE;
void table_set_unref(struct table_set *set); /* NULL is fine */
struct table_set *table_set_ref(struct table_set *set);

/* NULL if there is none. */
struct table *table_set_find(const struct table_set *set, struct table_id id);

/* Changes of a set that nobody shares yet. put takes the table and replaces one of the same id. ERR_NO_MEMORY (the
 * table is then freed). */
enum err table_set_put(struct table_set *set, struct table *take_table) MUST_USE;
void table_set_remove(struct table_set *set, struct table_id id);

#endif
