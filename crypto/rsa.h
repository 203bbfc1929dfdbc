/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RSA signatures that others made: PKCS #1 v1.5 with SHA-256, as JWS calls RS256. There is no signing, no decrypting and
 * no other padding here. Spec: RFC 8017 section 8.2.2; FIPS 186-5 section 5. */
#ifndef CRYPTO_RSA_H
#define CRYPTO_RSA_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/hash.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define RSA_MODULUS_MIN 256 /* bytes: 2048 bits */
#define RSA_MODULUS_MAX 512 /* 4096 bits */

/* A public key of 2048, 3072 or 4096 bits. */
struct rsa_public {
    size_t modulus_len; /* 256, 384 or 512 */
    uint8_t modulus[RSA_MODULUS_MAX];
    uint32_t exponent; /* odd, from 2^16 + 1 on */
};

/* From big-endian numbers without zeros in front. ERR_MALFORMED: of another size, an even modulus, or an exponent that is
 * even, too small or over 32 bits. */
enum err rsa_public_read(struct span modulus, struct span exponent, struct rsa_public *out_key) MUST_USE;

/* ERR_OK only if the signature is that of the digest, padded in the one way that there is: the whole block is compared, so
 * nothing can hide behind or inside of it. ERR_AUTH (wrong, of another length, or not below the modulus), ERR_NO_MEMORY.
 * Takes some 30 to 100 us, and 4 KiB of stack at most. */
enum err rsa_verify_sha256(const struct rsa_public *key, const uint8_t digest[SHA256_BYTES], struct span signature)
    MUST_USE;

#endif
