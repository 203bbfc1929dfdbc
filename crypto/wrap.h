/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys encrypted by keys.
 *
 *   wrapped = version(4) | salt(32) | ciphertext | tag(16)
 *   scope   = "rowlock wrap" | 0 | len(label)(4) | label | version(4) | context
 *   key     = HKDF-SHA256(wrapping key, salt, scope)
 *   AES-256-GCM with that key, an all-zero nonce, and the scope as additional data
 *
 * The salt is random, so each key encrypts one message and there is no nonce that could repeat. The version is that of
 * the wrapping key: it tells the holder which one to take, and is bound like label and context. */
#ifndef CRYPTO_WRAP_H
#define CRYPTO_WRAP_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "crypto/random.h"
#include "crypto/secret.h"

#define WRAP_OVERHEAD (4 + 32 + 16)
#define WRAP_SCOPE_MAX 512 /* label and context together; they are names and ids */

/* What a wrapped key is (label, "table key") and belongs to (context, the table's id). Not secret. */
struct wrap_scope {
    struct span label;
    struct span context;
    uint32_t version; /* of the wrapping key */
};

/* Appends the wrapped form of `key` (secret_len + WRAP_OVERHEAD bytes) to out_wrapped.
 * ERR_RANGE (scope too long, no room), ERR_NO_MEMORY, ERR_REFUSED. */
enum err wrap_key(struct random *random, const struct secret *wrapping, const struct wrap_scope *scope,
                  const struct secret *key, struct buf *out_wrapped) MUST_USE;

/* ERR_STALE_KEY  wrapped under another version than scope->version
 * ERR_AUTH       another key, label or context, or changed
 * ERR_MALFORMED  too short or too long to be a wrapped key
 * ERR_RANGE (scope too long), ERR_NO_MEMORY, ERR_REFUSED. */
enum err wrap_open(const struct secret *wrapping, const struct wrap_scope *scope, struct span wrapped,
                   struct secret **out_key) MUST_USE;

/* The version of the wrapping key. ERR_MALFORMED (too short). */
enum err wrap_version(struct span wrapped, uint32_t *out_version) MUST_USE;

#endif
