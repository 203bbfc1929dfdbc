/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Many small secrets of one size in one locked, guarded, undumpable region: AES contexts, HMAC keys, table keys.
 *
 * A process has one slab (crypto_slab_new() in aead.h makes it with the size from Kconfig). Any thread may take and give
 * back at any time; nothing blocks, there is no lock. When it is full the owner of a cache gives back its least recently
 * used object and asks again. */
#ifndef CRYPTO_SECRET_SLAB_H
#define CRYPTO_SECRET_SLAB_H

#include <stddef.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

#define SECRET_SLAB_ALIGN 64 /* a cache line; also enough for what the vector instructions load */
#define SECRET_SLAB_BYTES_MAX ((size_t)16 << 20) /* the upper end of CONFIG_CRYPTO_SECRET_SLAB_KIB */

struct secret_slab;

/* Makes a slab of at most total_bytes, divided into objects of object_bytes (rounded up to SECRET_SLAB_ALIGN).
 * ERR_RANGE if not even one fits or a size is absurd, ERR_NO_MEMORY, ERR_REFUSED (the memory cannot be locked). */
enum err secret_slab_new(size_t total_bytes, size_t object_bytes, struct secret_slab **out_slab) MUST_USE;

/* When no object is in use and no other thread uses it. NULL is fine. */
void secret_slab_free(struct secret_slab *slab);

/* One zeroed object, aligned to SECRET_SLAB_ALIGN. ERR_LIMIT when all are in use. */
enum err secret_slab_take(struct secret_slab *slab, void **out_object) MUST_USE;

/* Wipes an object and makes it free again. NULL is fine. */
void secret_slab_give(struct secret_slab *slab, void *object);

/* Bytes of one object, objects in all, and objects in use at some recent moment. */
size_t secret_slab_object_bytes(const struct secret_slab *slab);
size_t secret_slab_capacity(const struct secret_slab *slab);
size_t secret_slab_used(const struct secret_slab *slab);

static inline void secret_slab_free_scoped(struct secret_slab **slab)
{
    secret_slab_free(*slab);
}
#define SCOPED_SECRET_SLAB SCOPED(secret_slab_free_scoped)

#endif
