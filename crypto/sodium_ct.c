/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Constant-time comparing, by libsodium, and choosing, by masks. */
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

void ct_select(uint8_t choice, const uint8_t *if_one, const uint8_t *if_zero, size_t len, uint8_t *out_bytes)
{
    const uint8_t mask = (uint8_t)(0 - choice);

    for (size_t i = 0; i < len; i++) {
        out_bytes[i] = (uint8_t)((if_one[i] & mask) | (if_zero[i] & (uint8_t)~mask));
    }
}
