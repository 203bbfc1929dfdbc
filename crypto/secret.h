/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Owned, locked, wiped bytes: the only holder of key material.
 *
 * A secret lies on pages of its own between two inaccessible ones, locked into RAM, left out of core dumps, and is
 * overwritten before it is given back. Each takes a whole page of the 8 MiB that an ordinary user may lock, so objects
 * that exist by the hundred live in a slab (secret_slab.h). A secret belongs to one thread at a time.
 *
 * libsodium's allocator ignores a refused lock; here a refused lock is an error, unless CONFIG_HAL_LOCKED_MEMORY was
 * turned off. */
#ifndef CRYPTO_SECRET_H
#define CRYPTO_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"

#define SECRET_BYTES_MAX 65536 /* the largest is a message that holds a private key; more is a defect */

struct secret;
struct secret_slab;

/* Makes a secret of 1 to SECRET_BYTES_MAX zero bytes. The caller owns it and frees it with secret_free().
 * ERR_NO_MEMORY, ERR_RANGE (0 or too many bytes), ERR_REFUSED (the system would not lock the memory). */
enum err secret_new(size_t bytes, struct secret **out_secret) MUST_USE;

/* A secret that holds a copy of bytes; the caller wipes its own copy. Errors as secret_new(). */
enum err secret_new_copy(struct span bytes, struct secret **out_secret) MUST_USE;

/* The same as secret_new_copy(), but the bytes live in one object of a slab instead of a page of their own. For keys that
 * exist by the hundred. The slab must outlive the secret. ERR_RANGE if they do not fit an object, ERR_LIMIT if the slab
 * is full, ERR_NO_MEMORY. */
enum err secret_new_in(struct secret_slab *slab, struct span bytes, struct secret **out_secret) MUST_USE;

/* Wipes and gives back. NULL is fine. */
void secret_free(struct secret *secret);

size_t secret_len(const struct secret *secret);

/* The bytes, to be written by whoever makes the key. Valid until secret_free(). */
uint8_t *secret_fill(struct secret *secret);

/* The bytes, to be read: the only way to them. Its callers are listed in tests/lint/reveal.txt. Valid until
 * secret_free(). */
struct span secret_reveal(const struct secret *secret);

static inline void secret_free_scoped(struct secret **secret)
{
    secret_free(*secret);
}
#define SCOPED_SECRET SCOPED(secret_free_scoped)

/* Bytes on the stack that are overwritten on every way out of the block: SCOPED_WIPE struct wipe_32 key = {0}; */
struct wipe_32 {
    uint8_t bytes[32];
};
struct wipe_64 {
    uint8_t bytes[64];
};

static inline void wipe_32_scoped(struct wipe_32 *bytes)
{
    mem_wipe(bytes, sizeof(*bytes));
}

static inline void wipe_64_scoped(struct wipe_64 *bytes)
{
    mem_wipe(bytes, sizeof(*bytes));
}
#define SCOPED_WIPE_32 SCOPED(wipe_32_scoped)
#define SCOPED_WIPE_64 SCOPED(wipe_64_scoped)

#endif
