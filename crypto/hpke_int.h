/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sealing with an ephemeral key of the caller's choice: for known answers. hpke_seal() is this with a random one. */
#ifndef CRYPTO_HPKE_INT_H
#define CRYPTO_HPKE_INT_H

#include "crypto/hpke.h"

/* Errors as hpke_seal(). */
enum err hpke_seal_from(const struct secret *ephemeral, const uint8_t public_key[HPKE_PUBLIC_BYTES],
                        struct hpke_scope scope, struct span plain, struct buf *out_sealed) MUST_USE;

#endif
