/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Six bits a character. The texts are public, so a table may be indexed by them. */
#include "firmware/auth/base64url.h"

#include <stdbool.h>

#include "hal/base/fault.h"

#define SIX_BITS 0x3fu

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Three bytes make four characters; what is left at the end makes fewer. */
void base64url_encode(struct span bytes, char *out_text)
{
    char *at = out_text;
    size_t i = 0;

    for (; i + 3 <= bytes.len; i += 3) {
        const uint32_t bits = (uint32_t)bytes.data[i] << 16 | (uint32_t)bytes.data[i + 1] << 8 | bytes.data[i + 2];
        *at++ = alphabet[bits >> 18];
        *at++ = alphabet[bits >> 12 & SIX_BITS];
        *at++ = alphabet[bits >> 6 & SIX_BITS];
        *at++ = alphabet[bits & SIX_BITS];
    }
    if (i < bytes.len) {
        const bool two = i + 1 < bytes.len;
        const uint32_t bits = (uint32_t)bytes.data[i] << 16 | (two ? (uint32_t)bytes.data[i + 1] << 8 : 0u);
        *at++ = alphabet[bits >> 18];
        *at++ = alphabet[bits >> 12 & SIX_BITS];
        if (two) {
            *at = alphabet[bits >> 6 & SIX_BITS];
        }
    }
}

/* One more than what a character of the alphabet stands for; 0 for any other. */
/* clang-format off */
static const uint8_t values[UINT8_MAX + 1] = {
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10,
    ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19,
    ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
    ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37,
    ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46,
    ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55,
    ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};
/* clang-format on */

enum err base64url_decode(struct span text, size_t most, uint8_t *out_bytes, size_t *out_len)
{
    uint32_t bits = 0;
    unsigned int held = 0;
    size_t at = 0;

    ENSURE(text.len % 4 != 1, ERR_MALFORMED, "a length that base64url never has");
    ENSURE(text.len / 4 * 3 + (text.len % 4 == 0 ? 0 : text.len % 4 - 1) <= most, ERR_RANGE, "base64url of too much");
    for (size_t i = 0; i < text.len; i++) {
        const uint32_t value = values[text.data[i]];
        ENSURE(value != 0, ERR_MALFORMED, "not a character of base64url");
        bits = (bits << 6) | (value - 1);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out_bytes[at++] = (uint8_t)(bits >> held);
        }
    }
    ENSURE((bits & ((1u << held) - 1u)) == 0, ERR_MALFORMED, "bits behind the last byte of base64url");
    *out_len = at;
    return ERR_OK;
}
