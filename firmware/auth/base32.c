/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Five bits a character. What is written is a key, so no table is indexed by it. */
#include "firmware/auth/base32.h"

#include <stdint.h>

#define FIVE_BITS 0x1fu

/* A to Z, then 2 to 7. */
static char character_of(uint32_t bits)
{
    const uint32_t value = bits & FIVE_BITS;
    const uint32_t is_digit = (25u - value) >> 31; /* wraps from 26 on */

    return (char)('A' + value - is_digit * ('A' + 26u - '2'));
}

void base32_encode(struct span bytes, char *out_text)
{
    uint32_t bits = 0;
    unsigned int held = 0; /* bits of `bits` that are not written yet */
    size_t at = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        bits = (bits << 8) | bytes.data[i];
        held += 8;
        while (held >= 5) {
            held -= 5;
            out_text[at++] = character_of(bits >> held);
        }
    }
    if (held > 0) {
        out_text[at] = character_of(bits << (5 - held));
    }
}
