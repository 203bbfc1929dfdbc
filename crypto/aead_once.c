/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One message under one key: an AES context in a slab of one object, made and dropped within the call. */
#include "crypto/aead_once.h"

#include "hal/base/fault.h"
#include "crypto/aead.h"

#define CONTEXT_BYTES 1280 /* a struct aead; aead_new() checks */

static const uint8_t zero_nonce[AEAD_NONCE_BYTES] = {0};

enum err aead_once_seal_at(const struct secret *key, const uint8_t nonce[AEAD_NONCE_BYTES], struct span aad,
                           struct span plain, uint8_t *out_sealed)
{
    SCOPED_SECRET_SLAB struct secret_slab *slab = NULL;
    SCOPED_AEAD struct aead *aead = NULL;

    TRY(secret_slab_new(CONTEXT_BYTES, CONTEXT_BYTES, &slab));
    TRY(aead_new(slab, key, &aead));
    return aead_seal(aead, nonce, aad, plain, out_sealed, out_sealed + plain.len);
}

enum err aead_once_open_at(const struct secret *key, const uint8_t nonce[AEAD_NONCE_BYTES], struct span aad,
                           struct span sealed, uint8_t *out_plain)
{
    SCOPED_SECRET_SLAB struct secret_slab *slab = NULL;
    SCOPED_AEAD struct aead *aead = NULL;

    ENSURE(sealed.len >= AEAD_TAG_BYTES, ERR_MALFORMED, "shorter than a tag");
    const size_t len = sealed.len - AEAD_TAG_BYTES;

    TRY(secret_slab_new(CONTEXT_BYTES, CONTEXT_BYTES, &slab));
    TRY(aead_new(slab, key, &aead));
    return aead_open(aead, nonce, aad, span_of(sealed.data, len), sealed.data + len, out_plain);
}

enum err aead_once_seal(const struct secret *key, struct span aad, struct span plain, uint8_t *out_sealed)
{
    return aead_once_seal_at(key, zero_nonce, aad, plain, out_sealed);
}

enum err aead_once_open(const struct secret *key, struct span aad, struct span sealed, uint8_t *out_plain)
{
    return aead_once_open_at(key, zero_nonce, aad, sealed, out_plain);
}
