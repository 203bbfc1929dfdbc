/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Argon2id over what a password became (crypto/README.md): slow and hungry for memory on purpose.
 * Spec: RFC 9106, version 0x13, one lane. */
#ifndef CRYPTO_PWHASH_H
#define CRYPTO_PWHASH_H

#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define PWHASH_SALT_BYTES 16
#define PWHASH_BYTES      32

/* What one hash costs. Below the floor (the minimum that OWASP names: 19 MiB and two passes) none is computed. */
#define PWHASH_MEMORY_KIB_MIN 19456
#define PWHASH_MEMORY_KIB_MAX 1048576
#define PWHASH_PASSES_MIN     2
#define PWHASH_PASSES_MAX     16

struct pwhash_cost {
    uint32_t memory_kib;
    uint32_t passes;
};

/* What new hashes cost: from the configuration; the floor in a build with sanitizers, whose tests sign in often. */
struct pwhash_cost pwhash_cost_now(void);

/* Takes cost.memory_kib of memory while it runs and tens to hundreds of milliseconds: never on a reactor. Any thread.
 * ERR_RANGE      a cost outside the bounds above, or another length of salt
 * ERR_NO_MEMORY  the system does not give as much */
enum err pwhash(struct pwhash_cost cost, struct span input, struct span salt, uint8_t out_hash[PWHASH_BYTES]) MUST_USE;

#endif
