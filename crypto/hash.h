/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SHA-256 and HMAC-SHA-256. No call can fail: there is no allocation, and a length is any size_t up to HASH_BYTES_MAX;
 * a larger one, or a primitive that reports failure, is a defect and stops the process.
 * Spec: FIPS 180-4; RFC 2104 (HMAC), checked with RFC 4231. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "crypto/secret.h"
#include "crypto/secret_slab.h"

#define SHA256_BYTES 32
#define SHA384_BYTES 48
#define HASH_BYTES_MAX ((size_t)UINT32_MAX) /* wolfCrypt counts one update in 32 bits */

void sha256(struct span data, uint8_t out_digest[SHA256_BYTES]);
void sha384(struct span data, uint8_t out_digest[SHA384_BYTES]);

/* Hashing in steps, in the caller's memory. The content is wolfCrypt's; the size is asserted where it is known. */
#define SHA256_STATE_BYTES 256 /* asserted in wolf_hash.c */
struct sha256_stream {
    _Alignas(64) uint8_t state[SHA256_STATE_BYTES];
};

void sha256_init(struct sha256_stream *out_stream);
void sha256_update(struct sha256_stream *stream, struct span data);
/* The digest of everything so far; the stream is wiped and needs sha256_init() before it is used again. */
void sha256_final(struct sha256_stream *stream, uint8_t out_digest[SHA256_BYTES]);

/* SHA-256 of all parts, each behind its length as eight bytes, so that no two different lists of parts are the same bytes. */
void sha256_parts(const struct span *parts, size_t count, uint8_t out_digest[SHA256_BYTES]);

/* HMAC-SHA-256 of one message; the key may have any length. */
void hmac_sha256(struct span key, struct span data, uint8_t out_mac[SHA256_BYTES]);

/* A key that authenticates many messages: its two first blocks are hashed once. Lives in the slab. Belongs to one thread,
 * but several threads may compute with it at once. */
struct hmac_key;

/* ERR_LIMIT (slab full). The caller frees it with hmac_key_free(). */
enum err hmac_key_new(struct secret_slab *slab, const struct secret *key, struct hmac_key **out_key) MUST_USE;

/* hmac_key_new() of the 32-byte key HKDF-SHA256(key, salt, info), which exists nowhere else. ERR_LIMIT. */
enum err hmac_key_new_derived(struct secret_slab *slab, const struct secret *key, struct span salt, struct span info,
                              struct hmac_key **out_key) MUST_USE;
void hmac_key_free(struct hmac_key *key); /* NULL is fine */

/* The MAC of the parts, one after the other, as if they were one message: a caller whose parts vary in length puts the
 * lengths in. */
void hmac_key_mac(const struct hmac_key *key, const struct span *parts, size_t count, uint8_t out_mac[SHA256_BYTES]);

#endif
