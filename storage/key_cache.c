/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One thread's expanded keys, in the slab. Deriving one costs some microseconds, finding one some nanoseconds; a table
 * that is read has one key for each epoch its rows lie under. A full cache, or a full slab, takes the least recently
 * used. */
#include <string.h>

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "storage/meta_int.h"
#include "storage/seal_int.h"
#include "storage/table_int.h"

#define CACHE_KEYS    CONFIG_STORAGE_EPOCH_KEYS
#define CACHE_BUCKETS 256u
#define CACHE_NONE    UINT16_MAX

_Static_assert(CACHE_KEYS < CACHE_NONE, "positions fit 16 bits");

struct cached_key {
    struct table_id table;
    uint32_t epoch; /* 0 for keys that have none */
    enum key_use use;
    struct aead *aead;     /* KEY_EPOCH */
    struct hmac_key *hmac; /* the others */
    uint64_t used_at;      /* 0: free */
    uint16_t next;
};

struct key_cache {
    struct secret_slab *slab;
    uint64_t clock;
    uint16_t last; /* most reads of a scan want the key of the row before */
    uint16_t buckets[CACHE_BUCKETS];
    struct cached_key keys[CACHE_KEYS];
};

enum err key_cache_new(struct secret_slab *slab, struct key_cache **out_cache)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct key_cache), &memory));
    struct key_cache *cache = memory;
    cache->slab = slab;
    memset(cache->buckets, 0xff, sizeof(cache->buckets)); /* all CACHE_NONE */
    *out_cache = cache;
    return ERR_OK;
}

static size_t bucket_of(struct table_id table, uint32_t epoch, enum key_use use)
{
    return (table.value * 2654435761u + epoch * 40503u + (uint32_t)use) % CACHE_BUCKETS;
}

static bool is_key(const struct cached_key *key, struct table_id table, uint32_t epoch, enum key_use use)
{
    return key->used_at != 0 && key->epoch == epoch && key->table.value == table.value && key->use == use;
}

static void drop(struct key_cache *cache, uint16_t at)
{
    struct cached_key *key = &cache->keys[at];
    uint16_t *link = &cache->buckets[bucket_of(key->table, key->epoch, key->use)];

    while (*link != at) {
        link = &cache->keys[*link].next;
    }
    *link = key->next;
    aead_free(key->aead);
    hmac_key_free(key->hmac);
    *key = (struct cached_key){.used_at = 0};
}

void key_cache_free(struct key_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    for (uint16_t at = 0; at < CACHE_KEYS; at++) {
        if (cache->keys[at].used_at != 0) {
            drop(cache, at);
        }
    }
    mem_free(cache);
}

static struct cached_key *find(struct key_cache *cache, struct table_id table, uint32_t epoch, enum key_use use)
{
    uint16_t at = cache->last;

    if (!is_key(&cache->keys[at], table, epoch, use)) {
        at = cache->buckets[bucket_of(table, epoch, use)];
        while (at != CACHE_NONE && !is_key(&cache->keys[at], table, epoch, use)) {
            at = cache->keys[at].next;
        }
    }
    if (at == CACHE_NONE) {
        return NULL;
    }
    cache->last = at;
    cache->clock++;
    cache->keys[at].used_at = cache->clock;
    return &cache->keys[at];
}

/* The least recently used key, or CACHE_NONE if there is none. */
static uint16_t oldest(const struct key_cache *cache)
{
    uint16_t found = CACHE_NONE;

    for (uint16_t at = 0; at < CACHE_KEYS; at++) {
        const uint64_t used_at = cache->keys[at].used_at;
        if (used_at != 0 && (found == CACHE_NONE || used_at < cache->keys[found].used_at)) {
            found = at;
        }
    }
    return found;
}

static uint16_t free_place(struct key_cache *cache)
{
    for (uint16_t at = 0; at < CACHE_KEYS; at++) {
        if (cache->keys[at].used_at == 0) {
            return at;
        }
    }
    const uint16_t at = oldest(cache);
    drop(cache, at);
    return at;
}

static void keep(struct key_cache *cache, const struct cached_key *key)
{
    const uint16_t at = free_place(cache);
    uint16_t *bucket = &cache->buckets[bucket_of(key->table, key->epoch, key->use)];

    cache->keys[at] = *key;
    cache->clock++;
    cache->keys[at].used_at = cache->clock;
    cache->keys[at].next = *bucket;
    *bucket = at;
    cache->last = at;
}

static enum err derive(struct key_cache *cache, const struct table *table, struct span salt, struct cached_key *key)
{
    switch (key->use) {
    case KEY_EPOCH:
        return aead_new_derived(cache->slab, table->key->secret, salt, span_lit("rowlock epoch key"), &key->aead);
    case KEY_FRESHNESS:
        return hmac_key_new_derived(cache->slab, table->key->secret, salt, span_lit("rowlock freshness key"),
                                    &key->hmac);
    case KEY_OWNER:
        return hmac_key_new_derived(cache->slab, table->key->secret, salt, span_lit("rowlock owner key"), &key->hmac);
    case KEY_INDEX:
        return hmac_key_new_derived(cache->slab, table->key->secret, salt, span_lit("rowlock index key"), &key->hmac);
    }
    FAIL(ERR_BUG, "key of no use", key->use);
}

static enum err add(struct key_cache *cache, const struct table *table, struct span salt, struct cached_key *key)
{
    enum err err = derive(cache, table, salt, key);

    while (err == ERR_LIMIT && oldest(cache) != CACHE_NONE) {
        drop(cache, oldest(cache));
        err = derive(cache, table, salt, key);
    }
    TRY(err);
    keep(cache, key);
    return ERR_OK;
}

enum err key_cache_epoch(struct key_cache *cache, struct engine_txn *txn, const struct table *table, uint32_t epoch,
                         struct aead **out_aead)
{
    struct cached_key *found = find(cache, table->id, epoch, KEY_EPOCH);
    struct cached_key made = {.table = table->id, .epoch = epoch, .use = KEY_EPOCH};
    struct span salt = SPAN_NONE;

    if (found != NULL) {
        *out_aead = found->aead;
        return ERR_OK;
    }
    const struct meta_name name = meta_name_epoch(table->id, epoch);
    const enum err err = engine_get(txn, ENGINE_META, meta_span(&name), &salt);
    ENSURE(err != ERR_NOT_FOUND, ERR_DAMAGED, "sealed under an epoch that is not there");
    TRY(err);
    ENSURE(salt.len == SEAL_SALT_BYTES, ERR_DAMAGED, "salt of another size");
    TRY(add(cache, table, salt, &made));
    *out_aead = made.aead;
    return ERR_OK;
}

enum err key_cache_mac(struct key_cache *cache, const struct table *table, enum key_use use,
                       const struct hmac_key **out_key)
{
    struct cached_key *found = find(cache, table->id, 0, use);
    struct cached_key made = {.table = table->id, .use = use};

    if (found != NULL) {
        *out_key = found->hmac;
        return ERR_OK;
    }
    TRY(add(cache, table, SPAN_NONE, &made));
    *out_key = made.hmac;
    return ERR_OK;
}

void key_cache_forget_epoch(struct key_cache *cache, struct table_id table, uint32_t epoch)
{
    for (uint16_t at = 0; at < CACHE_KEYS; at++) {
        if (is_key(&cache->keys[at], table, epoch, KEY_EPOCH)) {
            drop(cache, at);
        }
    }
}

void key_cache_sweep(struct key_cache *cache, bool (*keep_table)(const void *context, struct table_id table),
                     const void *context)
{
    for (uint16_t at = 0; at < CACHE_KEYS; at++) {
        if (cache->keys[at].used_at != 0 && !keep_table(context, cache->keys[at].table)) {
            drop(cache, at);
        }
    }
}
