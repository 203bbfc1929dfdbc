/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ECDSA on P-256. Spec: FIPS 186-5; SEC 1 for the public point; RFC 3279 for the DER form.
 *
 * Callers sign digests that they built themselves from fields; what a digest means is theirs to say. */
#ifndef CRYPTO_SIGN_H
#define CRYPTO_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "crypto/random.h"
#include "crypto/secret.h"

#define SIGN_PRIVATE_BYTES 32 /* the scalar, big-endian */
#define SIGN_PUBLIC_BYTES 65  /* 04 | x | y */
#define SIGN_RAW_BYTES 64     /* r | s, as JWS wants it */
#define SIGN_DER_MAX 72       /* SEQUENCE of two INTEGERs, as X.509 and TLS want it */

/* A new private key: uniform in [1, n - 1]. The caller owns it. Errors as secret_new(). */
enum err sign_key_new(struct random *random, struct secret **out_private) MUST_USE;

/* The public point of a private key. ERR_MALFORMED (not 32 bytes, or not in [1, n - 1]), ERR_NO_MEMORY, ERR_REFUSED. */
enum err sign_public(const struct secret *private_key, uint8_t out_public[SIGN_PUBLIC_BYTES]) MUST_USE;

/* A private key made ready to sign often. Belongs to one thread; the caller frees it. It keeps its own copy of the key
 * and a random generator seeded by the kernel and by `random`.
 * ERR_MALFORMED as sign_public(), ERR_NO_MEMORY, ERR_REFUSED. */
struct signer;
enum err signer_new(const struct secret *private_key, struct random *random, struct signer **out_signer) MUST_USE;
void signer_free(struct signer *signer); /* NULL is fine */
void signer_public(const struct signer *signer, uint8_t out_public[SIGN_PUBLIC_BYTES]);

/* Signs a digest of 32 (SHA-256) or 48 bytes (SHA-384). s is always the lower of the two possible.
 * Takes some 20 us on a processor with the instructions for it, 1 ms without.
 * ERR_RANGE (another length), ERR_BUG (the library failed). */
enum err signer_sign_raw(struct signer *signer, struct span digest, uint8_t out_signature[SIGN_RAW_BYTES]) MUST_USE;
/* out_len is at most SIGN_DER_MAX. */
enum err signer_sign_der(struct signer *signer, struct span digest, uint8_t out_signature[SIGN_DER_MAX],
                         size_t *out_len) MUST_USE;

/* What a verifier does with the upper of the two possible s: others' signatures may have it, ours never do. */
enum sign_strictness { SIGN_ANY_S, SIGN_LOW_S };

/* ERR_OK only if the signature is right. ERR_AUTH (wrong, zero or out of range, or a high s where that is refused),
 * ERR_MALFORMED (public key not a point of the curve, or a DER form that is not the shortest), ERR_RANGE (length of the
 * digest), ERR_NO_MEMORY. */
enum err sign_verify_raw(const uint8_t public_key[SIGN_PUBLIC_BYTES], struct span digest,
                         const uint8_t signature[SIGN_RAW_BYTES], enum sign_strictness strictness) MUST_USE;
enum err sign_verify_der(const uint8_t public_key[SIGN_PUBLIC_BYTES], struct span digest, struct span signature,
                         enum sign_strictness strictness) MUST_USE;

/* Between the two forms. ERR_MALFORMED (not the shortest DER, or a number over 32 bytes). */
enum err sign_raw_from_der(struct span signature, uint8_t out_signature[SIGN_RAW_BYTES]) MUST_USE;
size_t sign_der_from_raw(const uint8_t signature[SIGN_RAW_BYTES], uint8_t out_signature[SIGN_DER_MAX]);

static inline void signer_free_scoped(struct signer **signer)
{
    signer_free(*signer);
}
#define SCOPED_SIGNER SCOPED(signer_free_scoped)

#endif
