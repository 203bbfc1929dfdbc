/* SPDX-License-Identifier: GPL-3.0-or-later */
/* AES-256-GCM with a key that encrypts one message and is then gone, so the nonce is zero. For wrapped keys and HPKE, not
 * for rows: each call maps locked memory, some 20 us. */
#ifndef CRYPTO_AEAD_ONCE_H
#define CRYPTO_AEAD_ONCE_H

#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "crypto/aead.h"
#include "crypto/secret.h"

/* ciphertext | tag: plain.len + AEAD_TAG_BYTES bytes. ERR_RANGE (key is not 32 bytes), ERR_NO_MEMORY, ERR_REFUSED. */
enum err aead_once_seal(const struct secret *key, struct span aad, struct span plain, uint8_t *out_sealed) MUST_USE;

/* sealed.len - AEAD_TAG_BYTES bytes, zeroed when the tag is wrong (ERR_AUTH). ERR_MALFORMED (shorter than a tag), and as
 * above. */
enum err aead_once_open(const struct secret *key, struct span aad, struct span sealed, uint8_t *out_plain) MUST_USE;

/* The same under a nonce of the caller's: HPKE derives one. */
enum err aead_once_seal_at(const struct secret *key, const uint8_t nonce[AEAD_NONCE_BYTES], struct span aad,
                           struct span plain, uint8_t *out_sealed) MUST_USE;
enum err aead_once_open_at(const struct secret *key, const uint8_t nonce[AEAD_NONCE_BYTES], struct span aad,
                           struct span sealed, uint8_t *out_plain) MUST_USE;

#endif
