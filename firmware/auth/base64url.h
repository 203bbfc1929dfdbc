/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Base64 with the alphabet for URLs and without padding, as JOSE writes it. Spec: RFC 4648 section 5, RFC 7515. */
#ifndef FIRMWARE_AUTH_BASE64URL_H
#define FIRMWARE_AUTH_BASE64URL_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define BASE64URL_CHARS(bytes) (((bytes)*4 + 2) / 3)

/* Writes BASE64URL_CHARS(bytes.len) characters, without a NUL. */
void base64url_encode(struct span bytes, char *out_text);

/* The only text that encodes those bytes is taken: no padding, no other characters, and zero bits behind the last byte.
 * Writes text.len * 3 / 4 bytes. ERR_MALFORMED; ERR_RANGE: more than `most` bytes. */
enum err base64url_decode(struct span text, size_t most, uint8_t *out_bytes, size_t *out_len) MUST_USE;

#endif
