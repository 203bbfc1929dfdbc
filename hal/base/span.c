/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operations on borrowed bytes. None of them allocates, and none reads past the given length. */
#include "hal/base/span.h"

#include <string.h>

#include "hal/base/fault.h"

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

bool span_same_letters(const uint8_t *a, const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (a[i] != b[i] && lower(a[i]) != lower(b[i])) {
            return false;
        }
    }
    return true;
}

int span_compare(struct span a, struct span b)
{
    const size_t shared = a.len < b.len ? a.len : b.len;
    const int order = shared == 0 ? 0 : memcmp(a.data, b.data, shared);

    if (order != 0) {
        return order;
    }
    return a.len < b.len ? -1 : a.len > b.len ? 1 : 0;
}

bool span_starts_with(struct span text, struct span prefix)
{
    return text.len >= prefix.len && span_equal(span_of(text.data, prefix.len), prefix);
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

struct span span_trim(struct span text)
{
    while (text.len > 0 && is_space(text.data[0])) {
        text = span_of(text.data + 1, text.len - 1);
    }
    while (text.len > 0 && is_space(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

enum err span_slice(struct span whole, size_t at, size_t len, struct span *out_part)
{
    ENSURE(at <= whole.len && len <= whole.len - at, ERR_RANGE, "slice reaches past the end");

    *out_part = span_of(at == 0 ? whole.data : whole.data + at, len);
    return ERR_OK;
}

size_t span_find(struct span whole, uint8_t byte)
{
    if (whole.len == 0) {
        return 0;
    }
    const uint8_t *const at = memchr(whole.data, byte, whole.len);

    return at == NULL ? whole.len : (size_t)(at - whole.data);
}

enum err span_to_u64(struct span digits, uint64_t max, uint64_t *out_value)
{
    uint64_t value = 0;

    ENSURE(digits.len >= 1 && digits.len <= 19, ERR_MALFORMED, "not 1 to 19 digits"); /* 19 digits cannot wrap */
    for (size_t i = 0; i < digits.len; i++) {
        ENSURE(digits.data[i] >= '0' && digits.data[i] <= '9', ERR_MALFORMED, "not a digit");
        value = value * 10 + (uint64_t)(digits.data[i] - '0');
    }
    ENSURE(value <= max, ERR_RANGE, "number above its maximum");

    *out_value = value;
    return ERR_OK;
}

struct span span_from_u64(uint64_t number, char text[SPAN_U64_TEXT_MAX])
{
    size_t at = SPAN_U64_TEXT_MAX;

    do {
        text[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return span_of(text + at, SPAN_U64_TEXT_MAX - at);
}

void hex_encode(struct span bytes, char *out_text)
{
    static const char digits[16] = {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};

    for (size_t i = 0; i < bytes.len; i++) {
        out_text[2 * i] = digits[bytes.data[i] >> 4];
        out_text[2 * i + 1] = digits[bytes.data[i] & 15];
    }
}

static int hex_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    const uint8_t letter = lower(digit);

    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

enum err hex_decode(struct span text, uint8_t *out_bytes, size_t bytes_len)
{
    ENSURE(text.len % 2 == 0 && text.len / 2 == bytes_len, ERR_MALFORMED, "hex text of another length");
    for (size_t i = 0; i < bytes_len; i++) {
        const int high = hex_value(text.data[2 * i]);
        const int low = hex_value(text.data[2 * i + 1]);

        ENSURE(high >= 0 && low >= 0, ERR_MALFORMED, "not a hex digit");
        out_bytes[i] = (uint8_t)(high * 16 + low);
    }
    return ERR_OK;
}

static bool continues_code_point(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* How many continuation bytes follow this first byte, and the least code point of that length; -1: no first byte. */
static int utf8_follow(uint8_t first, uint32_t *out_point, uint32_t *out_least)
{
    if (first < 0x80) {
        *out_point = first;
        *out_least = 0;
        return 0;
    }
    if ((first & 0xe0) == 0xc0) {
        *out_point = first & 0x1fU;
        *out_least = 0x80;
        return 1;
    }
    if ((first & 0xf0) == 0xe0) {
        *out_point = first & 0x0fU;
        *out_least = 0x800;
        return 2;
    }
    *out_point = first & 0x07U;
    *out_least = 0x10000;
    return (first & 0xf8) == 0xf0 ? 3 : -1;
}

/* Where the run of ASCII from `at` on ends, or a little before. */
static size_t skip_ascii(struct span text, size_t at)
{
    uint64_t eight = 0;

    while (text.len - at >= sizeof(eight)) {
        memcpy(&eight, text.data + at, sizeof(eight));
        if ((eight & UINT64_C(0x8080808080808080)) != 0) {
            break;
        }
        at += sizeof(eight);
    }
    return at;
}

bool span_is_utf8(struct span text)
{
    size_t at = skip_ascii(text, 0);

    while (at < text.len) {
        uint32_t point = 0;
        uint32_t least = 0;
        const int follow = utf8_follow(text.data[at++], &point, &least);

        if (follow < 0 || (size_t)follow > text.len - at) {
            return false;
        }
        for (int i = 0; i < follow; i++) {
            const uint8_t byte = text.data[at++];

            if (!continues_code_point(byte)) {
                return false;
            }
            point = point << 6 | (byte & 0x3fU);
        }
        if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
            return false;
        }
    }
    return true;
}

size_t span_code_points(struct span text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) {
        count += !continues_code_point(text.data[i]);
    }
    return count;
}

struct span span_cut(struct span text, size_t max)
{
    size_t len = text.len <= max ? text.len : max;

    while (len > 0 && len < text.len && continues_code_point(text.data[len])) {
        len--;
    }
    return span_of(text.data, len);
}
