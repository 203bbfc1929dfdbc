/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Knuth, Morris and Pratt: after a mismatch the longest beginning of the needle that is also the end of what was matched
 * goes on, so no byte of the text is read twice. A letter is folded to one of as many
 * bytes, and a well-formed piece of UTF-8 is found only where characters begin. */
#include "firmware/data/needle.h"

#include "hal/base/fault.h"

struct needle {
    size_t len;
    uint8_t bytes[NEEDLE_MAX];   /* folded */
    uint16_t border[NEEDLE_MAX]; /* length of the longest proper beginning that ends at this byte */
};

/* In order: each `step`-th letter from first to last has its small one `further` on, in as many bytes of UTF-8. Also the
 * small sigma that ends words, which is the other one. Unicode 15, CaseFolding.txt, C and S. */
static const struct {
    uint16_t first, last;
    uint8_t step;
    int8_t further;
} capitals[] = {
    {0x00c0, 0x00d6, 1, 32}, {0x00d8, 0x00de, 1, 32}, {0x0100, 0x012e, 2, 1},    {0x0132, 0x0136, 2, 1},
    {0x0139, 0x0147, 2, 1},  {0x014a, 0x0176, 2, 1},  {0x0178, 0x0178, 1, -121}, {0x0179, 0x017d, 2, 1},
    {0x01a0, 0x01a4, 2, 1},  {0x01af, 0x01af, 1, 1},  {0x01cd, 0x01db, 2, 1},    {0x01de, 0x01ee, 2, 1},
    {0x01f8, 0x021e, 2, 1},  {0x0222, 0x0232, 2, 1},  {0x0386, 0x0386, 1, 38},   {0x0388, 0x038a, 1, 37},
    {0x038c, 0x038c, 1, 64}, {0x038e, 0x038f, 1, 63}, {0x0391, 0x03a1, 1, 32},   {0x03a3, 0x03ab, 1, 32},
    {0x03c2, 0x03c2, 1, 1},  {0x0400, 0x040f, 1, 80}, {0x0410, 0x042f, 1, 32},   {0x0460, 0x0480, 2, 1},
    {0x048a, 0x04be, 2, 1},  {0x04c0, 0x04c0, 1, 15}, {0x04c1, 0x04cd, 2, 1},    {0x04d0, 0x052e, 2, 1},
    {0x0531, 0x0556, 1, 48}, {0x1e00, 0x1e94, 2, 1},  {0x1ea0, 0x1efe, 2, 1},
};

static unsigned int small_letter(unsigned int letter)
{
    size_t low = 0;
    size_t high = ARRAY_LENGTH(capitals);
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (letter > capitals[middle].last) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const bool capital = low < ARRAY_LENGTH(capitals) && letter >= capitals[low].first &&
                         (letter - capitals[low].first) % capitals[low].step == 0;
    return capital ? (unsigned int)((int)letter + capitals[low].further) : letter;
}

static inline uint8_t fold_byte(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

/* Bytes of the letter at `at`, if it may be one of the capitals beyond ASCII; 1 for any other byte. */
static inline size_t letter_bytes(struct span text, size_t at)
{
    const uint8_t first = text.data[at];
    const size_t len = first >= 0xc3 && first < 0xe0 ? 2 : first == 0xe1 ? 3 : 1;
    return len > text.len - at ? 1 : len;
}

/* Folds the two or three bytes of a letter. */
static void fold_letter(const uint8_t *bytes, size_t len, uint8_t out_bytes[3])
{
    const unsigned int lead = len == 2 ? bytes[0] & 0x1fU : (bytes[0] & 0xfU) << 6 | (bytes[1] & 0x3fU);
    const unsigned int letter = small_letter(lead << 6 | (bytes[len - 1] & 0x3fU));
    out_bytes[0] = (uint8_t)(len == 2 ? 0xc0U | letter >> 6 : 0xe0U | letter >> 12);
    out_bytes[1] = (uint8_t)(0x80U | (letter >> 6 & 0x3fU));
    out_bytes[len - 1] = (uint8_t)(0x80U | (letter & 0x3fU));
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
    for (size_t i = 0; i < text.len;) {
        const size_t len = letter_bytes(text, i);
        if (len == 1) {
            needle->bytes[i] = fold_byte(text.data[i]);
        } else {
            fold_letter(text.data + i, len, needle->bytes + i);
        }
        i += len;
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
    for (size_t i = 0; i < text.len && matched < needle->len;) {
        const size_t len = letter_bytes(text, i);
        uint8_t folded[3] = {fold_byte(text.data[i])};
        if (len > 1) {
            fold_letter(text.data + i, len, folded);
        }
        for (size_t j = 0; j < len && matched < needle->len; j++) {
            matched = advance(needle, matched, folded[j]);
        }
        i += len;
    }
    return matched == needle->len;
}
