/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The TLS keys that are ready to sign: the certificate shown now and the one before it, for handshakes that began with
 * it. Signs from fields only, counts, and refuses beyond a rate: a taken-over worker cannot use the key as a service for
 * the world. Belongs to one thread. */
#ifndef FIRMWARE_KEEPER_IDENTITY_H
#define FIRMWARE_KEEPER_IDENTITY_H

#include "crypto/random.h"
#include "firmware/keeper/vault.h"
#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/clock.h"

struct identity;

/* Borrows the clock. ERR_NO_MEMORY, ERR_REFUSED. */
enum err identity_new(const struct hal_clock *clock, struct identity **out_identity) MUST_USE;
void identity_free(struct identity *identity); /* NULL is fine */

/* Takes the vault's present certificate and key; what was there before becomes the predecessor, unless the state of the
 * life cycle changed: a key is never used in a state that the board's policy does not name for it.
 * Errors of vault_identity() and signer_new(); ERR_RANGE: the certificate is longer than MSG_LEAF_MAX. */
enum err identity_load(struct identity *identity, struct vault *vault) MUST_USE;

/* MSG_CERT with the present certificate. ERR_NOT_FOUND: none was loaded. */
enum err identity_cert(const struct identity *identity, struct msg *out_msg) MUST_USE;

/* Signs for MSG_SIGN_TLS13 or MSG_SIGN_TLS12. ERR_STALE_KEY: a certificate that is no longer held; ERR_LIMIT: over the
 * rate; ERR_DENIED: the policy; ERR_MALFORMED: see tls_content.h. */
enum err identity_sign(struct identity *identity, const struct msg *request, struct msg_signature *out_signature)
    MUST_USE;

/* Signatures made since identity_new. */
uint64_t identity_count(const struct identity *identity);

#endif
