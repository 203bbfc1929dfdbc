/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Secret memory over libsodium's guarded heap.
 *
 * sodium_malloc() puts the bytes at the end of their pages, before an inaccessible page, with a canary in front; it locks
 * the pages and keeps them out of core dumps, but says nothing when the lock was refused. We lock once more (locks do not
 * nest, so one unlock at the end suffices) and take that answer. */
#include "crypto/secret.h"

#include <string.h>

#include <sodium.h>

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "crypto/secret_int.h"
#include "crypto/secret_slab.h"

struct secret {
    uint8_t *bytes;
    size_t len;
    struct secret_slab *slab; /* NULL: the bytes have a page of their own */
};

enum err secret_map(size_t bytes, void **out_memory)
{
    ENSURE(sodium_init() >= 0, ERR_REFUSED, "libsodium does not start");
    void *const memory = sodium_malloc(bytes);

    ENSURE(memory != NULL, ERR_NO_MEMORY, "no guarded memory");
    if (sodium_mlock(memory, bytes) != 0 && CONFIG_ON(HAL_LOCKED_MEMORY)) {
        sodium_free(memory);
        FAIL(ERR_REFUSED, "secret memory cannot be locked: see the limit on locked memory", bytes);
    }
    sodium_memzero(memory, bytes);
    *out_memory = memory;
    return ERR_OK;
}

void secret_unmap(void *memory)
{
    sodium_free(memory); /* wipes, unlocks, and stops the process when the canary was overwritten; NULL is fine */
}

enum err secret_new(size_t bytes, struct secret **out_secret)
{
    void *handle = NULL;
    void *memory = NULL;

    ENSURE(bytes >= 1 && bytes <= SECRET_BYTES_MAX, ERR_RANGE, "size of a secret");
    TRY(mem_alloc(sizeof(struct secret), &handle));
    SCOPED_SECRET struct secret *secret = handle;

    TRY(secret_map(bytes, &memory));
    secret->bytes = memory;
    secret->len = bytes;
    *out_secret = TAKE(secret);
    return ERR_OK;
}

enum err secret_new_copy(struct span bytes, struct secret **out_secret)
{
    struct secret *secret = NULL;

    TRY(secret_new(bytes.len, &secret));
    memcpy(secret->bytes, bytes.data, bytes.len);
    *out_secret = secret;
    return ERR_OK;
}

enum err secret_new_in(struct secret_slab *slab, struct span bytes, struct secret **out_secret)
{
    void *handle = NULL;
    void *object = NULL;

    ENSURE(bytes.len >= 1 && bytes.len <= secret_slab_object_bytes(slab), ERR_RANGE, "size of a secret in a slab");
    TRY(mem_alloc(sizeof(struct secret), &handle));
    SCOPED_SECRET struct secret *secret = handle;

    TRY(secret_slab_take(slab, &object));
    secret->bytes = object;
    secret->len = bytes.len;
    secret->slab = slab;
    memcpy(secret->bytes, bytes.data, bytes.len);
    *out_secret = TAKE(secret);
    return ERR_OK;
}

void secret_free(struct secret *secret)
{
    if (secret == NULL) {
        return;
    }
    if (secret->slab != NULL) {
        secret_slab_give(secret->slab, secret->bytes);
    } else {
        secret_unmap(secret->bytes);
    }
    mem_free(secret);
}

size_t secret_len(const struct secret *secret)
{
    return secret->len;
}

uint8_t *secret_fill(struct secret *secret)
{
    return secret->bytes;
}

struct span secret_reveal(const struct secret *secret)
{
    return span_of(secret->bytes, secret->len);
}
