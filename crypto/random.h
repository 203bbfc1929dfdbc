/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random bytes without a system call for most of them.
 *
 * Each thread that needs random bytes owns a generator: ChaCha20 with fast key erasure (each block of output replaces the
 * key, so a later look at memory tells nothing of earlier bytes), in locked memory. It is born from the kernel's
 * generator and whatever the HAL gives (TPM), mixed so that either alone suffices, takes fresh kernel randomness every
 * MiB, and starts anew in a forked child, which would otherwise repeat its parent. */
#ifndef CRYPTO_RANDOM_H
#define CRYPTO_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "crypto/secret.h"

struct random;

/* seed  extra entropy from the HAL, any length, may be empty; the caller wipes it
 * The caller frees it with random_free(). ERR_NO_MEMORY, ERR_REFUSED as secret_new(). */
enum err random_new(struct span seed, struct random **out_random) MUST_USE;
void random_free(struct random *random); /* NULL is fine */

/* Mixes more entropy in. What it knew before still counts. */
void random_reseed(struct random *random, struct span seed);

/* Fills out_bytes. Cannot fail: the kernel's generator stops the process if it is not there. */
void random_fill(struct random *random, uint8_t *out_bytes, size_t len);

/* A new secret of random bytes. Errors as secret_new(). */
enum err random_secret(struct random *random, size_t bytes, struct secret **out_secret) MUST_USE;

static inline void random_free_scoped(struct random **random)
{
    random_free(*random);
}
#define SCOPED_RANDOM SCOPED(random_free_scoped)

#endif
