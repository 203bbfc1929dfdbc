/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "crypto/block_hash.h"

#include <sodium.h>

#include "hal/base/fault.h"

_Static_assert(crypto_hash_sha256_BYTES == BLOCK_HASH_BYTES, "digest size");

void block_hash(struct span salt, struct span block, uint8_t out_digest[BLOCK_HASH_BYTES])
{
    crypto_hash_sha256_state state;

    INVARIANT(crypto_hash_sha256_init(&state) == 0);
    INVARIANT(salt.len == 0 || crypto_hash_sha256_update(&state, salt.data, salt.len) == 0);
    INVARIANT(block.len == 0 || crypto_hash_sha256_update(&state, block.data, block.len) == 0);
    INVARIANT(crypto_hash_sha256_final(&state, out_digest) == 0);
}
