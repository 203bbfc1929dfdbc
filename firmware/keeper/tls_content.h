/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a TLS server signs, built from its fields, so that nobody outside the keeper chooses the bytes. */
#ifndef FIRMWARE_KEEPER_TLS_CONTENT_H
#define FIRMWARE_KEEPER_TLS_CONTENT_H

#include "crypto/hash.h"
#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"

/* The SHA-256 digest to sign for MSG_SIGN_TLS13 or MSG_SIGN_TLS12.
 * ERR_MALFORMED: a transcript that is no SHA-256 or SHA-384 digest, a group that we do not offer, or a point of another
 * form than the group's. ERR_BUG: another message. Spec: RFC 8446 section 4.4.3; RFC 8422 section 5.4. */
enum err tls_content_digest(const struct msg *msg, uint8_t out_digest[SHA256_BYTES]) MUST_USE;

#endif
