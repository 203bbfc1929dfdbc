/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sealed values, the keys they are sealed under, and where the nonces come from. For this folder only.
 *
 * sealed value = epoch(4) | counter(8) | ciphertext | tag(16)
 * nonce        = kind(4) | counter(8)
 * key          = HKDF-SHA256(table key, epoch salt, "rowlock epoch key")
 * additional   = table id(4) | place | kind(4)      place: the row id, or the key under which the value is stored
 *
 * A nonce never repeats under a key:
 * 1. An epoch belongs to one sealer. It is made at the sealer's first seal of a table since start and after 2^32 messages,
 *    with a fresh random salt of 32 bytes, and its salt is put in the same transaction as the first value under it.
 * 2. The counter of an epoch is kept in memory alone and only grows, also when a transaction is aborted.
 * 3. If the transaction that made an epoch is aborted the epoch is forgotten whole. Its number may be given again, its
 *    salt, and so its key, is not.
 * 4. A start, a crash, or a restored copy therefore always goes on under new keys. */
#ifndef STORAGE_SEAL_INT_H
#define STORAGE_SEAL_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/secret.h"
#include "crypto/secret_slab.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "storage/engine_int.h"
#include "storage/id.h"

#define SEAL_HEADER_BYTES 12 /* epoch, counter */
#define SEAL_OVERHEAD     (SEAL_HEADER_BYTES + AEAD_TAG_BYTES)
#define SEAL_SALT_BYTES   32
#define SEAL_PLACE_MAX    80
#define SEAL_EPOCHS_KEPT  16 /* values under older epochs are sealed anew in the background */

struct table;

enum seal_kind { SEAL_ROW = 1, SEAL_INDEX, SEAL_COUNT, SEAL_OWNER, SEAL_TABLE, SEAL_IDS, SEAL_CLEAR };

/* What a value is and where it belongs. */
struct seal_name {
    const struct table *table;
    enum seal_kind kind;
    struct span place;
};

/* --- one thread's expanded keys --- */

struct key_cache;

/* ERR_NO_MEMORY. Holds at most CONFIG_STORAGE_EPOCH_KEYS keys; the least recently used makes room. */
enum err key_cache_new(struct secret_slab *slab, struct key_cache **out_cache) MUST_USE;
void key_cache_free(struct key_cache *cache); /* NULL is fine */

/* The key of an epoch; out_aead lives until the next call on the cache. The salt is read from the transaction.
 * ERR_DAMAGED (no such epoch), ERR_LIMIT (slab full of other threads' keys). */
enum err key_cache_epoch(struct key_cache *cache, struct engine_txn *txn, const struct table *table, uint32_t epoch,
                         struct aead **out_aead) MUST_USE;

enum key_use { KEY_EPOCH, KEY_FRESHNESS, KEY_OWNER, KEY_INDEX };

/* A table's key for its freshness hash, for the names of its owners, or for long tuples in its indexes. ERR_LIMIT. */
enum err key_cache_mac(struct key_cache *cache, const struct table *table, enum key_use use,
                       const struct hmac_key **out_key) MUST_USE;

void key_cache_forget_epoch(struct key_cache *cache, struct table_id table, uint32_t epoch);

/* Forgets the keys of every table for which keep_table says no. */
void key_cache_sweep(struct key_cache *cache, bool (*keep_table)(const void *context, struct table_id table),
                     const void *context);

/* --- opening --- */

struct seal_reader {
    struct key_cache *cache;
    struct engine_txn *txn;
};

static inline size_t seal_plain_bytes(struct span sealed)
{
    return sealed.len < SEAL_OVERHEAD ? 0 : sealed.len - SEAL_OVERHEAD;
}

/* Writes seal_plain_bytes(sealed) bytes. ERR_DAMAGED: too short, or not what was sealed under this name. ERR_LIMIT. */
enum err seal_open_value(const struct seal_reader *reader, const struct seal_name *name, struct span sealed,
                         uint8_t *out_plain) MUST_USE;

/* --- sealing --- */

struct sealer;

enum err sealer_new(struct key_cache *cache, struct random *random, struct sealer **out_sealer) MUST_USE;
void sealer_free(struct sealer *sealer); /* NULL is fine */

/* Brackets around the transaction that the next seals belong to. committed: made by its first seals, epochs stay. */
void sealer_enter(struct sealer *sealer, struct engine_txn *txn);
void sealer_leave(struct sealer *sealer, bool committed);

/* For a table that was dropped. */
void sealer_forget_table(struct sealer *sealer, struct table_id table);

/* Has it sealed for the table since its start? */
bool sealer_has_epoch(struct sealer *sealer, struct table_id table);

/* Skips the counter of a table's epoch forward, never back: as if that many values had been sealed. */
void sealer_use_up(struct sealer *sealer, struct table_id table, uint64_t counter);

/* Seals plain into out_sealed (plain.len + SEAL_OVERHEAD bytes). ERR_NO_MEMORY, ERR_LIMIT, ERR_FULL, ERR_IO. */
enum err sealer_seal(struct sealer *sealer, const struct seal_name *name, struct span plain, uint8_t *out_sealed)
    MUST_USE;

/* The newest epoch of a table in the transaction; 0 if there is none. ERR_DAMAGED, ERR_IO. */
enum err seal_newest_epoch(struct engine_txn *txn, struct table_id table, uint32_t *out_epoch) MUST_USE;

#endif
