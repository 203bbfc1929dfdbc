/* SPDX-License-Identifier: GPL-3.0-or-later */
/* AES-256-GCM with 12-byte nonces and 16-byte tags. Spec: NIST SP 800-38D.
 *
 * A nonce must never be used twice with one key; who owns the key counts. A struct aead is an expanded key in the slab.
 * It belongs to one thread at a time. Sealing and opening allocate nothing and never block. */
#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "crypto/secret.h"
#include "crypto/secret_slab.h"

#define AEAD_KEY_BYTES 32
#define AEAD_NONCE_BYTES 12
#define AEAD_TAG_BYTES 16
#define AEAD_BYTES_MAX ((size_t)1 << 30) /* of one message or its additional data; wolfCrypt counts in 32 bits */

struct aead;

/* Makes this process's slab: CONFIG_CRYPTO_SECRET_SLAB_KIB, objects large enough for a struct aead or hmac_key.
 * Errors as secret_slab_new(). */
enum err crypto_slab_new(struct secret_slab **out_slab) MUST_USE;

/* Expands a key of exactly AEAD_KEY_BYTES. The caller frees it with aead_free() before the slab.
 * ERR_LIMIT (slab full), ERR_RANGE (another length). */
enum err aead_new(struct secret_slab *slab, const struct secret *key, struct aead **out_aead) MUST_USE;

/* aead_new() of HKDF-SHA256(key, salt, info); the derived key exists only in the context. info is at most HKDF_INFO_MAX
 * bytes (kdf.h). ERR_LIMIT. */
enum err aead_new_derived(struct secret_slab *slab, const struct secret *key, struct span salt, struct span info,
                          struct aead **out_aead) MUST_USE;

/* Uses an existing object for another key, made as by aead_new_derived(); nothing of the old one remains. */
void aead_rekey_derived(struct aead *aead, const struct secret *key, struct span salt, struct span info);

void aead_free(struct aead *aead); /* NULL is fine */

/* Encrypts plain and authenticates it together with aad.
 * out_cipher  plain.len bytes; may be plain's own memory, or must not overlap it
 * ERR_RANGE   plain or aad longer than AEAD_BYTES_MAX */
enum err aead_seal(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], struct span aad, struct span plain,
                   uint8_t *out_cipher, uint8_t out_tag[AEAD_TAG_BYTES]) MUST_USE;

/* Verifies and decrypts.
 * out_plain   cipher.len bytes; may be cipher's own memory, or must not overlap it; zeroed when the tag is wrong
 * ERR_AUTH    cipher, aad, nonce, tag or key are not those of one aead_seal()
 * ERR_RANGE   cipher or aad longer than AEAD_BYTES_MAX; out_plain untouched */
enum err aead_open(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], struct span aad, struct span cipher,
                   const uint8_t tag[AEAD_TAG_BYTES], uint8_t *out_plain) MUST_USE;

static inline void aead_free_scoped(struct aead **aead)
{
    aead_free(*aead);
}
#define SCOPED_AEAD SCOPED(aead_free_scoped)

#endif
