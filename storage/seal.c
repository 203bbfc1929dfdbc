/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sealing and opening of values. The format, and why no nonce repeats, stand in seal_int.h. */
#include "storage/seal_int.h"

#include <string.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "storage/meta_int.h"
#include "storage/table_int.h"

#define MESSAGES_PER_EPOCH (UINT64_C(1) << 32) /* SP 800-38D section 8.3 */

struct seal_aad {
    uint8_t bytes[4 + SEAL_PLACE_MAX + 4];
    size_t len;
};

static struct seal_aad aad_of(const struct seal_name *name)
{
    struct seal_aad aad = {.len = 4 + name->place.len + 4};

    INVARIANT(name->place.len <= SEAL_PLACE_MAX);
    put_u32be(aad.bytes, name->table->id.value);
    if (name->place.len > 0) {
        memcpy(aad.bytes + 4, name->place.data, name->place.len);
    }
    put_u32be(aad.bytes + 4 + name->place.len, (uint32_t)name->kind);
    return aad;
}

static void nonce_of(enum seal_kind kind, uint64_t counter, uint8_t out_nonce[AEAD_NONCE_BYTES])
{
    put_u32be(out_nonce, (uint32_t)kind);
    put_u64be(out_nonce + 4, counter);
}

enum err seal_open_value(const struct seal_reader *reader, const struct seal_name *name, struct span sealed,
                         uint8_t *out_plain)
{
    const struct seal_aad aad = aad_of(name);
    uint8_t nonce[AEAD_NONCE_BYTES] = {0};
    struct aead *aead = NULL;

    ENSURE(sealed.len >= SEAL_OVERHEAD, ERR_DAMAGED, "sealed value cut short");
    TRY(key_cache_epoch(reader->cache, reader->txn, name->table, get_u32be(sealed.data), &aead));
    nonce_of(name->kind, get_u64be(sealed.data + 4), nonce);
    const struct span cipher = span_of(sealed.data + SEAL_HEADER_BYTES, sealed.len - SEAL_OVERHEAD);
    const enum err err =
        aead_open(aead, nonce, span_of(aad.bytes, aad.len), cipher, cipher.data + cipher.len, out_plain);
    ENSURE(err != ERR_AUTH, ERR_DAMAGED, "value is not what was sealed here");
    return err;
}

/* --- sealing --- */

struct epoch {
    struct table_id table;
    uint32_t number;
    uint64_t counter; /* of the next message */
    bool committed;
};

struct sealer {
    struct key_cache *cache;
    struct random *random;
    struct engine_txn *txn; /* NULL between transactions */
    struct epoch *epochs;   /* one for each table that this sealer has written */
    size_t count;
    size_t room;
};

enum err sealer_new(struct key_cache *cache, struct random *random, struct sealer **out_sealer)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct sealer), &memory));
    struct sealer *sealer = memory;
    sealer->cache = cache;
    sealer->random = random;
    *out_sealer = sealer;
    return ERR_OK;
}

void sealer_free(struct sealer *sealer)
{
    if (sealer != NULL) {
        mem_free(sealer->epochs);
        mem_free(sealer);
    }
}

void sealer_enter(struct sealer *sealer, struct engine_txn *txn)
{
    sealer->txn = txn;
}

static struct epoch *find_epoch(struct sealer *sealer, struct table_id table)
{
    for (size_t at = 0; at < sealer->count; at++) {
        if (sealer->epochs[at].table.value == table.value) {
            return &sealer->epochs[at];
        }
    }
    return NULL;
}

void sealer_leave(struct sealer *sealer, bool committed)
{
    size_t kept = 0;

    for (size_t at = 0; at < sealer->count; at++) {
        struct epoch *epoch = &sealer->epochs[at];
        if (!committed && !epoch->committed) {
            /* Its salt is nowhere: whoever takes the number next has another key. */
            key_cache_forget_epoch(sealer->cache, epoch->table, epoch->number);
            continue;
        }
        epoch->committed = true;
        sealer->epochs[kept] = *epoch;
        kept++;
    }
    sealer->count = kept;
    sealer->txn = NULL;
}

void sealer_forget_table(struct sealer *sealer, struct table_id table)
{
    struct epoch *epoch = find_epoch(sealer, table);

    if (epoch != NULL) {
        *epoch = sealer->epochs[sealer->count - 1];
        sealer->count--;
    }
}

enum err seal_newest_epoch(struct engine_txn *txn, struct table_id table, uint32_t *out_epoch)
{
    const struct meta_name end = meta_name_epoch(table, UINT32_MAX);
    struct engine_cursor *cursor = NULL;
    struct span key = SPAN_NONE;

    TRY(engine_cursor_new(txn, ENGINE_META, &cursor));
    enum err err = engine_cursor_seek(cursor, meta_span(&end), &key, NULL);
    if (err == ERR_OK || err == ERR_NOT_FOUND) {
        err = engine_cursor_step(cursor, err == ERR_OK ? ENGINE_PREV : ENGINE_LAST, &key, NULL);
    }
    const bool found = err == ERR_OK && key.len == end.len && memcmp(key.data, end.bytes, end.len - 4) == 0;
    const uint32_t epoch = found ? get_u32be(key.data + key.len - 4) : 0;
    engine_cursor_free(cursor);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    *out_epoch = epoch;
    return ERR_OK;
}

bool sealer_has_epoch(struct sealer *sealer, struct table_id table)
{
    return find_epoch(sealer, table) != NULL;
}

void sealer_use_up(struct sealer *sealer, struct table_id table, uint64_t counter)
{
    struct epoch *epoch = find_epoch(sealer, table);

    if (epoch != NULL && counter > epoch->counter) {
        epoch->counter = counter;
    }
}

static enum err make_room(struct sealer *sealer)
{
    void *memory = NULL;

    if (sealer->count < sealer->room) {
        return ERR_OK;
    }
    const size_t room = sealer->room == 0 ? 16 : sealer->room * 2;
    TRY(mem_alloc_array(room, sizeof(struct epoch), &memory));
    if (sealer->count > 0) {
        memcpy(memory, sealer->epochs, sealer->count * sizeof(struct epoch));
    }
    mem_free(sealer->epochs);
    sealer->epochs = memory;
    sealer->room = room;
    return ERR_OK;
}

/* A new epoch of the table, its salt put in the transaction; it takes the place of a used-up one. */
static enum err start_epoch(struct sealer *sealer, struct table_id table, struct epoch **out_epoch)
{
    uint8_t salt[SEAL_SALT_BYTES] = {0};
    uint32_t newest = 0;

    TRY(seal_newest_epoch(sealer->txn, table, &newest));
    ENSURE(newest < UINT32_MAX - 1, ERR_LIMIT, "no epoch left");
    random_fill(sealer->random, salt, sizeof(salt));
    const struct meta_name name = meta_name_epoch(table, newest + 1);
    TRY(make_room(sealer));
    TRY(engine_put(sealer->txn, ENGINE_META, meta_span(&name), span_array(salt)));
    struct epoch *epoch = find_epoch(sealer, table);
    if (epoch == NULL) {
        epoch = &sealer->epochs[sealer->count];
        sealer->count++;
    }
    *epoch = (struct epoch){.table = table, .number = newest + 1};
    *out_epoch = epoch;
    return ERR_OK;
}

enum err sealer_seal(struct sealer *sealer, const struct seal_name *name, struct span plain, uint8_t *out_sealed)
{
    const struct seal_aad aad = aad_of(name);
    struct epoch *epoch = find_epoch(sealer, name->table->id);
    uint8_t nonce[AEAD_NONCE_BYTES] = {0};
    struct aead *aead = NULL;

    INVARIANT(sealer->txn != NULL);
    if (epoch == NULL || epoch->counter >= MESSAGES_PER_EPOCH) {
        TRY(start_epoch(sealer, name->table->id, &epoch));
    }
    TRY(key_cache_epoch(sealer->cache, sealer->txn, name->table, epoch->number, &aead));
    const uint64_t counter = epoch->counter;
    epoch->counter++; /* before its use: whatever happens now, this number is spent */
    nonce_of(name->kind, counter, nonce);

    put_u32be(out_sealed, epoch->number);
    put_u64be(out_sealed + 4, counter);
    uint8_t *cipher = out_sealed + SEAL_HEADER_BYTES;
    return aead_seal(aead, nonce, span_of(aad.bytes, aad.len), plain, cipher, cipher + plain.len);
}
