/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sealing to a public key whose private half is elsewhere: the recovery key's.
 * Spec: RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; one message per encapsulation. */
#ifndef CRYPTO_HPKE_H
#define CRYPTO_HPKE_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "crypto/random.h"
#include "crypto/secret.h"

#define HPKE_PUBLIC_BYTES 32
#define HPKE_PRIVATE_BYTES 32
#define HPKE_OVERHEAD (HPKE_PUBLIC_BYTES + 16) /* encapsulated key in front, tag behind */

/* DeriveKeyPair of RFC 9180 section 7.1.3: the same input always yields the same pair.
 * ERR_RANGE (input under 32 bytes), ERR_NO_MEMORY, ERR_REFUSED. */
enum err hpke_key_pair(const struct secret *input, struct secret **out_private,
                       uint8_t out_public[HPKE_PUBLIC_BYTES]) MUST_USE;

/* info says what the message is for, aad what it belongs to. Appends enc | ciphertext | tag to out_sealed.
 * ERR_MALFORMED (a public key of small order), ERR_RANGE (no room, info over 900 bytes), ERR_NO_MEMORY, ERR_REFUSED. */
struct hpke_scope {
    struct span info;
    struct span aad;
};
enum err hpke_seal(struct random *random, const uint8_t public_key[HPKE_PUBLIC_BYTES], struct hpke_scope scope,
                   const struct secret *plain, struct buf *out_sealed) MUST_USE;

/* ERR_AUTH (not sealed to this key, for this info and aad), ERR_MALFORMED (too short, or a key of small order),
 * ERR_RANGE (not a private key, info too long), ERR_NO_MEMORY, ERR_REFUSED. */
enum err hpke_open(const struct secret *private_key, struct hpke_scope scope, struct span sealed,
                   struct secret **out_plain) MUST_USE;

#endif
