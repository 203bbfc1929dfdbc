/* SPDX-License-Identifier: GPL-3.0-or-later */
/* AES-SIV with a key of 32 bytes: AEAD_AES_SIV_CMAC_256, which NTS demands. A nonce that comes twice tells at most that the
 * message did, too. Stored data is sealed by aead.h, which is ten times as fast. Spec: RFC 5297. */
#ifndef CRYPTO_SIV_H
#define CRYPTO_SIV_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/secret.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define SIV_KEY_BYTES  32
#define SIV_TAG_BYTES  16
#define SIV_PARTS_MAX  3
#define SIV_BYTES_MAX  65536 /* of a part or a message */

/* What is authenticated with the message: 1 to SIV_PARTS_MAX parts, none of them empty. A nonce is the last of them. */
struct siv_parts {
    struct span part[SIV_PARTS_MAX];
    size_t count;
};

/* tag | ciphertext: SIV_TAG_BYTES + plain.len bytes, which must not overlap plain. ERR_RANGE: a length that is none of the
 * above; out_sealed untouched. */
enum err siv_seal(const struct secret *key, const struct siv_parts *parts, struct span plain, uint8_t *out_sealed)
    MUST_USE;

/* sealed.len - SIV_TAG_BYTES bytes, which must not overlap sealed, zeroed when it does not verify (ERR_AUTH). ERR_MALFORMED:
 * shorter than a tag; ERR_RANGE as above. */
enum err siv_open(const struct secret *key, const struct siv_parts *parts, struct span sealed, uint8_t *out_plain)
    MUST_USE;

#endif
