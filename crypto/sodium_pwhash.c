/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Argon2id by libsodium, whose interface has one lane. */
#include "crypto/pwhash.h"

#include <sodium.h>

#include "hal/base/config.h"
#include "hal/base/fault.h"

#define BYTES_PER_KIB 1024u

_Static_assert(CONFIG_CRYPTO_ARGON2_MEMORY_KIB >= PWHASH_MEMORY_KIB_MIN &&
                   CONFIG_CRYPTO_ARGON2_MEMORY_KIB <= PWHASH_MEMORY_KIB_MAX,
               "memory of a hash");
_Static_assert(CONFIG_CRYPTO_ARGON2_PASSES >= PWHASH_PASSES_MIN && CONFIG_CRYPTO_ARGON2_PASSES <= PWHASH_PASSES_MAX,
               "passes of a hash");
_Static_assert(PWHASH_SALT_BYTES == crypto_pwhash_argon2id_SALTBYTES, "salt of a hash");
_Static_assert(PWHASH_BYTES >= crypto_pwhash_argon2id_BYTES_MIN, "length of a hash");

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PWHASH_CHEAP 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PWHASH_CHEAP 1
#endif
#endif
#ifndef PWHASH_CHEAP
#define PWHASH_CHEAP 0
#endif

struct pwhash_cost pwhash_cost_now(void)
{
    if (PWHASH_CHEAP == 1) {
        return (struct pwhash_cost){PWHASH_MEMORY_KIB_MIN, PWHASH_PASSES_MIN};
    }
    return (struct pwhash_cost){CONFIG_CRYPTO_ARGON2_MEMORY_KIB, CONFIG_CRYPTO_ARGON2_PASSES};
}

enum err pwhash(struct pwhash_cost cost, struct span input, struct span salt, uint8_t out_hash[PWHASH_BYTES])
{
    ENSURE(cost.memory_kib >= PWHASH_MEMORY_KIB_MIN && cost.memory_kib <= PWHASH_MEMORY_KIB_MAX, ERR_RANGE,
           "memory of a password hash");
    ENSURE(cost.passes >= PWHASH_PASSES_MIN && cost.passes <= PWHASH_PASSES_MAX, ERR_RANGE,
           "passes of a password hash");
    ENSURE(salt.len == PWHASH_SALT_BYTES, ERR_RANGE, "salt of a password hash");
    const int failed =
        crypto_pwhash_argon2id(out_hash, PWHASH_BYTES, (const char *)input.data, input.len, salt.data, cost.passes,
                               (size_t)cost.memory_kib * BYTES_PER_KIB, crypto_pwhash_argon2id_ALG_ARGON2ID13);

    ENSURE(failed == 0, ERR_NO_MEMORY, "no memory for a password hash");
    return ERR_OK;
}
