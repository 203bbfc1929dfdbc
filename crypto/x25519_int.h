/* SPDX-License-Identifier: GPL-3.0-or-later */
/* X25519 (RFC 7748) for HPKE. */
#ifndef CRYPTO_X25519_INT_H
#define CRYPTO_X25519_INT_H

#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "crypto/secret.h"

#define X25519_BYTES 32

/* private_key holds X25519_BYTES. Clamping is part of the function. */
void x25519_public(const struct secret *private_key, uint8_t out_public[X25519_BYTES]);

/* The shared secret, into memory of the caller that he wipes. ERR_MALFORMED when the other's key is of small order, so
 * that the result would be zero whatever the private key. */
enum err x25519_shared(const struct secret *private_key, const uint8_t public_key[X25519_BYTES],
                       uint8_t out_shared[X25519_BYTES]) MUST_USE;

#endif
