/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Knuth, Morris and Pratt: after a mismatch the longest beginning of the needle that is also the end of what was matched
 * goes on, so no byte of the text is read twice. UTF-8 needs no care: folding touches ASCII only, and a well-formed piece
 * is found only where characters begin. */
#include "firmware/data/needle.h"

#include "hal/base/fault.h"

struct needle {
    size_t len;
    uint8_t bytes[NEEDLE_MAX];   /* folded */
    uint16_t border[NEEDLE_MAX]; /* length of the longest proper beginning that ends at this byte */
};

static uint8_t fold(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

/* How many bytes match once `byte` follows `matched` ones. */
static size_t advance(const struct needle *needle, size_t matched, uint8_t byte)
{
    size_t length = matched;
    while (length > 0 && needle->bytes[length] != byte) {
        length = needle->border[length - 1];
    }
    return needle->bytes[length] == byte ? length + 1 : 0;
}

enum err needle_new(struct arena *arena, struct span text, const struct needle **out_needle)
{
    void *memory = NULL;
    ENSURE(text.len <= NEEDLE_MAX, ERR_RANGE, "a text to look for is too long");
    TRY(arena_alloc(arena, sizeof(struct needle), &memory));
    struct needle *needle = memory;
    needle->len = text.len;
    for (size_t i = 0; i < text.len; i++) {
        needle->bytes[i] = fold(text.data[i]);
    }
    for (size_t i = 1; i < text.len; i++) {
        needle->border[i] = (uint16_t)advance(needle, needle->border[i - 1], needle->bytes[i]);
    }
    *out_needle = needle;
    return ERR_OK;
}

bool needle_in(const struct needle *needle, struct span text)
{
    size_t matched = 0;
    for (size_t i = 0; i < text.len && matched < needle->len; i++) {
        matched = advance(needle, matched, fold(text.data[i]));
    }
    return matched == needle->len;
}
