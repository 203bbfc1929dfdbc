/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Index keys: order-preserving tuples, and the order of sealed keys. For this folder only.
 *
 * stored key = index id(4) | epoch(4) | counter(8) | ciphertext | tag(16)          at most ENGINE_KEY_MAX bytes
 * plaintext  = length(2) | tuple as stored | row id(12) | zeros                   a multiple of 16 bytes
 * search key = 0xff | index id(4) | has row id(1) | tuple | [ row id(12) ]         never stored
 *
 * A tuple of at most INDEX_PREFIX_MAX bytes is stored as it is; of a longer one its first INDEX_PREFIX_MAX bytes and then
 * INDEX_HASH_BYTES of a keyed hash of it all. So tuples are equal exactly if what is stored is, which is what a unique
 * index asks, and nobody can make values between which only their rows tell. In order they are as far as the prefix
 * goes; those that share one lie as the hash has it.
 *
 * No index id begins with 0xff. */
#ifndef STORAGE_INDEX_INT_H
#define STORAGE_INDEX_INT_H

#include "storage/index.h"

#include "hal/base/buf.h"
#include "hal/base/num.h"
#include "storage/engine_int.h"
#include "storage/seal_int.h"

#define INDEX_ID_BYTES   4
#define INDEX_ID_MAX     0xFEFFFFFFu
#define INDEX_PLAIN_MAX  464 /* the largest multiple of 16 that fits: 511 - id(4) - epoch, counter and tag(28) = 479 */
#define INDEX_TUPLE_MAX  (INDEX_PLAIN_MAX - 2 - ROW_ID_BYTES)
#define INDEX_KEY_MAX    (INDEX_ID_BYTES + SEAL_OVERHEAD + INDEX_PLAIN_MAX)
#define INDEX_HASH_BYTES 16 /* under a key that nobody outside has: a collision would take 2^64 inserts to meet */
#define INDEX_PREFIX_MAX (INDEX_TUPLE_MAX - INDEX_HASH_BYTES)
/* One byte more than a tuple: INDEX_TUPLE_ABOVE behind a bound, or behind a prefix and in place of every hash. */
#define INDEX_SEARCH_TUPLE_MAX (INDEX_TUPLE_MAX + 1)
#define INDEX_SEARCH_MAX       (1 + INDEX_ID_BYTES + 1 + INDEX_SEARCH_TUPLE_MAX + ROW_ID_BYTES)
#define INDEX_TUPLE_ABOVE      0xFF /* sorts behind every encoded value */
/* Every byte of a row may need an escape; the rest is types, ends and numbers. */
#define INDEX_TUPLE_BYTES_MAX (2u * ROW_BYTES_MAX + INDEX_FIELDS_MAX * 32u)

_Static_assert(INDEX_KEY_MAX <= ENGINE_KEY_MAX, "an index key fits the engine");

/* Appends one value, in order-preserving, prefix-free bytes; descending turns every bit. ERR_RANGE, ERR_NO_MEMORY. */
enum err index_tuple_put(struct buf *tuple, const struct row_value *value, bool descending) MUST_USE;

/* The whole tuple of a row (out is reset). out_skip: the index is sparse and leaves this row out. ERR_DAMAGED,
 * ERR_RANGE, ERR_NO_MEMORY. */
enum err index_tuple_of_row(const struct index_def *def, const struct row *row, struct buf *out_tuple, bool *out_skip)
    MUST_USE;

/* What two tuples are ordered by. */
static inline struct span index_prefix(struct span tuple)
{
    return span_of(tuple.data, num_min(tuple.len, INDEX_PREFIX_MAX));
}

/* A tuple as entries hold it: the tuple itself, or a view of bytes. ERR_LIMIT. */
enum err index_stored(struct key_cache *cache, const struct table *table, struct span tuple,
                      uint8_t bytes[INDEX_TUPLE_MAX], struct span *out_stored) MUST_USE;

/* What stands in an entry. */
struct index_entry {
    struct span tuple; /* as stored */
    struct row_id row;
    bool truncated; /* tuple is a prefix and a hash */
};

/* Writes the plaintext of an entry of a stored tuple; returns its length. */
size_t index_plain_write(struct span stored, struct row_id row, uint8_t out_plain[INDEX_PLAIN_MAX]);
/* ERR_DAMAGED */
enum err index_plain_read(struct span plain, struct index_entry *out_entry) MUST_USE;

/* Writes a search key: where the first entry of this stored tuple (or of one that begins so) is, or (row not NULL) this very entry. Returns its length. */
size_t index_search_key(struct index_id index, struct span tuple, const struct row_id *row,
                        uint8_t out_key[INDEX_SEARCH_MAX]);

/* The comparator's context: what it needs to open the keys of one index. Set around every engine call on
 * ENGINE_INDEX, on the calling thread:
 *
 *     index_enter(&context); err = engine_cursor_seek(...); TRY(index_leave(&context, err)); */
struct index_context {
    const struct seal_reader *reader;
    const struct table *table;
    struct index_id index;
    struct span fresh_key;   /* a key that is being put, */
    struct span fresh_plain; /* and its plaintext: it need not be opened */
    bool poisoned;
};

void index_enter(struct index_context *context);
/* Passes on what the engine answered, or ERR_DAMAGED if a key did not open meanwhile: then nothing that the engine
 * said about order can be trusted and the transaction must be given up. */
enum err index_leave(struct index_context *context, enum err answered) MUST_USE;

/* Opens a stored key of the context's index into plain. ERR_DAMAGED. */
enum err index_open_key(const struct index_context *context, struct span key, uint8_t plain[INDEX_PLAIN_MAX],
                        struct index_entry *out_entry) MUST_USE;

/* The order of ENGINE_INDEX, in terms of the context entered on this thread. Keys of different indexes are ordered by
 * index id and not opened. */
int index_compare_keys(struct span a, struct span b);

#endif
