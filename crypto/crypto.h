/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The start of this folder in a process: versions, self-test, and what the processor's instructions are used for. */
#ifndef CRYPTO_CRYPTO_H
#define CRYPTO_CRYPTO_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

/* Called once at the start of every process, before threads and before any other call of this folder. Checks the version
 * of wolfCrypt and libsodium against their floors and runs known answers through AES-256-GCM, SHA-256, HMAC, HKDF, ECDSA
 * P-256 and X25519 (power-on self-test), about a millisecond.
 *
 * ERR_VERSION  a library older than its floor was linked
 * ERR_BUG      a primitive gave a wrong answer: the process must not go on */
enum err crypto_start(void) MUST_USE;

/* Which implementations the libraries chose at run time. */
struct crypto_dispatch {
    const char *wolfcrypt; /* its version, a static string */
    const char *sodium;
    bool cpu_aes;    /* the processor has AES instructions */
    bool aes_native; /* and AES-GCM uses them */
    bool cpu_sha;    /* the processor has SHA-256 instructions */
    bool assembly;   /* wolfCrypt was built with assembly that is chosen at run time */
};

/* ERR_NO_MEMORY, ERR_REFUSED: it expands a key to see what that does. */
enum err crypto_dispatch(struct crypto_dispatch *out_dispatch) MUST_USE;

#endif
