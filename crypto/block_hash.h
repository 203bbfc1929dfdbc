/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SHA-256 of a block behind its salt, for a program that is to stay small: hash.h brings all of wolfCrypt with it. */
#ifndef CRYPTO_BLOCK_HASH_H
#define CRYPTO_BLOCK_HASH_H

#include <stdint.h>

#include "hal/base/span.h"

#define BLOCK_HASH_BYTES 32

/* SHA-256(salt | block): a node of a tree of dm-verity. Spec: Linux Documentation/admin-guide/device-mapper/verity.rst. */
void block_hash(struct span salt, struct span block, uint8_t out_digest[BLOCK_HASH_BYTES]);

#endif
