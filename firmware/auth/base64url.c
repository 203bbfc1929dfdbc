/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Six bits a character. The texts are public, so a table may be indexed by them. */
#include "firmware/auth/base64url.h"

#include "hal/base/fault.h"

#define SIX_BITS 0x3fu

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_encode(struct span bytes, char *out_text)
{
    uint32_t bits = 0;
    unsigned int held = 0; /* bits of `bits` that are not written yet */
    size_t at = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        bits = (bits << 8) | bytes.data[i];
        held += 8;
        while (held >= 6) {
            held -= 6;
            out_text[at++] = alphabet[(bits >> held) & SIX_BITS];
        }
    }
    if (held > 0) {
        out_text[at] = alphabet[(bits << (6 - held)) & SIX_BITS];
    }
}

/* 0 to 63, or 64 for what is no character of the alphabet. */
static uint32_t value_of(uint8_t character)
{
    if (character >= 'A' && character <= 'Z') {
        return character - (uint32_t)'A';
    }
    if (character >= 'a' && character <= 'z') {
        return character - (uint32_t)'a' + 26;
    }
    if (character >= '0' && character <= '9') {
        return character - (uint32_t)'0' + 52;
    }
    return character == '-' ? 62 : (character == '_' ? 63 : 64);
}

enum err base64url_decode(struct span text, size_t most, uint8_t *out_bytes, size_t *out_len)
{
    uint32_t bits = 0;
    unsigned int held = 0;
    size_t at = 0;

    ENSURE(text.len % 4 != 1, ERR_MALFORMED, "a length that base64url never has");
    ENSURE(text.len / 4 * 3 + (text.len % 4 == 0 ? 0 : text.len % 4 - 1) <= most, ERR_RANGE, "base64url of too much");
    for (size_t i = 0; i < text.len; i++) {
        const uint32_t value = value_of(text.data[i]);
        ENSURE(value <= SIX_BITS, ERR_MALFORMED, "not a character of base64url");
        bits = (bits << 6) | value;
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
