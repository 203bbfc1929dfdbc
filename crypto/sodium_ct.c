/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Constant-time comparing: of bytes by libsodium, of one byte by a mask. */
#include "crypto/ct.h"

#include <sodium.h>

bool ct_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || sodium_memcmp(a.data, b.data, a.len) == 0);
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

