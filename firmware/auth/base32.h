/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Base32 without padding, as authenticator apps take a key. Pure. Spec: RFC 4648 section 6. */
#ifndef FIRMWARE_AUTH_BASE32_H
#define FIRMWARE_AUTH_BASE32_H

#include <stddef.h>

#include "hal/base/span.h"

/* Characters of that many bytes. */
#define BASE32_CHARS(bytes) (((bytes)*8 + 4) / 5)

/* Writes BASE32_CHARS(bytes.len) characters, without a NUL. Time depends on the length alone. */
void base32_encode(struct span bytes, char *out_text);

#endif
