/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Constant-time comparing: of bytes by libsodium, of one byte by a mask. sodium_memcmp looks at one byte after the other and
 * takes some 3 ns for each; its comparisons of a fixed length take a vector at a time, and requests compare digests and
 * whole tokens. */
#include "crypto/ct.h"

#include <sodium.h>

bool ct_equal(struct span a, struct span b)
{
    unsigned int difference = 0;
    size_t at = 0;

    if (a.len != b.len || a.len == 0) {
        return a.len == b.len;
    }
    for (; a.len - at >= crypto_verify_64_BYTES; at += crypto_verify_64_BYTES) {
        difference |= (unsigned int)crypto_verify_64(a.data + at, b.data + at);
    }
    for (; a.len - at >= crypto_verify_16_BYTES; at += crypto_verify_16_BYTES) {
        difference |= (unsigned int)crypto_verify_16(a.data + at, b.data + at);
    }
    if (at < a.len && a.len >= crypto_verify_16_BYTES) { /* the last piece reaches back over what was compared */
        at = a.len - crypto_verify_16_BYTES;
        difference |= (unsigned int)crypto_verify_16(a.data + at, b.data + at);
    } else if (at < a.len) {
        difference |= (unsigned int)sodium_memcmp(a.data, b.data, a.len);
    }
    return difference == 0;
}

bool ct_is_zero(struct span bytes)
{
    return bytes.len == 0 || sodium_is_zero(bytes.data, bytes.len) == 1;
}

uint8_t ct_mask_equal(uint8_t a, uint8_t b)
{
    const uint32_t difference = (uint32_t)a ^ b;

    return (uint8_t)((difference - 1) >> 8); /* 0 - 1 borrows from the upper bytes, anything else does not */
}

