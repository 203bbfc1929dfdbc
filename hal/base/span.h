/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A span borrows bytes: it owns nothing and lives no longer than what it points into. Text from outside is a span and
 * is never assumed to end in NUL. */
#ifndef HAL_BASE_SPAN_H
#define HAL_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

struct span {
    const uint8_t *data; /* may be NULL only when len is 0 */
    size_t len;
};

#define SPAN_NONE ((struct span){NULL, 0})

/* A span over a string literal, without its NUL. */
#define span_lit(literal) ((struct span){(const uint8_t *)("" literal), sizeof(literal) - 1})

/* A span over a whole array. */
#define span_array(array) ((struct span){(const uint8_t *)(array), sizeof(array)})

static inline struct span span_of(const void *data, size_t len)
{
    return (struct span){(const uint8_t *)data, len};
}

/* A span over a NUL-ended string of our own (a literal held in a table, an argument of main), never outside data. */
static inline struct span span_str(const char *text)
{
    return span_of(text, strlen(text)); /* a constant for a literal */
}

/* Same bytes? Ends at the first difference: for public values only; secrets, tags and digests use ct_equal. */
static inline bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Same bytes when ASCII letters are folded to lower case, for bytes of one length? Public values only. */
bool span_same_letters(const uint8_t *a, const uint8_t *b, size_t len);

/* The same for spans. The lengths are compared here: a request asks some eighty times, and most names differ in them. */
static inline bool span_equal_nocase(struct span a, struct span b)
{
    return a.len == b.len && span_same_letters(a.data, b.data, a.len);
}

/* Negative, zero or positive as a sorts before, with or after b: bytes as unsigned, then the shorter first. */
int span_compare(struct span a, struct span b);

bool span_starts_with(struct span text, struct span prefix);

/* Without the spaces and tabs at both ends: what RFC 9110 calls OWS. */
struct span span_trim(struct span text);

/* The part [at, at + len) of a span; ERR_RANGE if it reaches past the end. */
enum err span_slice(struct span whole, size_t at, size_t len, struct span *out_part) MUST_USE;

/* The first position of a byte, or whole.len if there is none. */
size_t span_find(struct span whole, uint8_t byte);

/* Reads an unsigned decimal number: 1 to 19 ASCII digits, nothing else; leading zeros are allowed.
 * ERR_MALFORMED for anything else, ERR_RANGE above max. */
enum err span_to_u64(struct span digits, uint64_t max, uint64_t *out_value) MUST_USE;

/* The decimal digits of a number; a view into text. */
#define SPAN_U64_TEXT_MAX 20
struct span span_from_u64(uint64_t number, char text[SPAN_U64_TEXT_MAX]);

#define HEX_BYTES(byte_count) ((byte_count) * 2)

/* Writes 2 * bytes.len lower-case hex digits, without a NUL, to out_text. */
void hex_encode(struct span bytes, char *out_text);

/* Decodes hex digits of either case into out_bytes (text.len / 2 bytes).
 * ERR_MALFORMED if text.len is not 2 * bytes_len or a character is no hex digit; out_bytes may then be partly written. */
enum err hex_decode(struct span text, uint8_t *out_bytes, size_t bytes_len) MUST_USE;

/* Is this well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF)? */
bool span_is_utf8(struct span text);

/* Of well-formed UTF-8: how many code points it has, and its longest front of at most max bytes that splits none. */
size_t span_code_points(struct span text);
struct span span_cut(struct span text, size_t max);

#endif
