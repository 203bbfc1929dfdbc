/* SPDX-License-Identifier: GPL-3.0-or-later */
/* X25519 over libsodium. */
#include "crypto/x25519_int.h"

#include <sodium.h>

#include "hal/base/fault.h"

_Static_assert(crypto_scalarmult_curve25519_BYTES == X25519_BYTES, "size of a point");
_Static_assert(crypto_scalarmult_curve25519_SCALARBYTES == X25519_BYTES, "size of a scalar");

void x25519_public(const struct secret *private_key, uint8_t out_public[X25519_BYTES])
{
    INVARIANT(secret_len(private_key) == X25519_BYTES);
    INVARIANT(crypto_scalarmult_curve25519_base(out_public, secret_reveal(private_key).data) == 0);
}

enum err x25519_shared(const struct secret *private_key, const uint8_t public_key[X25519_BYTES],
                       uint8_t out_shared[X25519_BYTES])
{
    INVARIANT(secret_len(private_key) == X25519_BYTES);
    ENSURE(crypto_scalarmult_curve25519(out_shared, secret_reveal(private_key).data, public_key) == 0, ERR_MALFORMED,
           "an X25519 public key of small order");
    return ERR_OK;
}
