/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A line is a known word, a space and a value of a narrow alphabet, so there is nothing to skip and nothing to normalise. The
 * signature is checked last, over the bytes that were parsed. */
#include "crypto/vendor_text.h"

#include <string.h>

#include "hal/base/fault.h"
#include "crypto/hash.h"

/* The next line without its end. */
static enum err get_line(struct reader *reader, struct span *out_line)
{
    const size_t len = span_find(reader->rest, '\n');
    struct span end = SPAN_NONE;

    ENSURE(len < reader->rest.len, ERR_MALFORMED, "a line of a vendor's text does not end");
    TRY(reader_get(reader, len, out_line));
    return reader_get(reader, 1, &end);
}

static enum err get_value(struct vendor_text *text, struct span word, struct span *out_value)
{
    struct span line = SPAN_NONE;

    TRY(get_line(&text->reader, &line));
    ENSURE(span_starts_with(line, word), ERR_MALFORMED, "another line of a vendor's text was expected");
    *out_value = span_of(line.data + word.len, line.len - word.len);
    return ERR_OK;
}

/* Lower case only: a text has one form. */
static enum err get_hex(struct vendor_text *text, struct span word, uint8_t *out_bytes, size_t bytes)
{
    struct span value = SPAN_NONE;

    TRY(get_value(text, word, &value));
    for (size_t i = 0; i < value.len; i++) {
        ENSURE(value.data[i] < 'A' || value.data[i] > 'F', ERR_MALFORMED, "hex in upper case");
    }
    TRY(hex_decode(value, out_bytes, bytes));
    return ERR_OK;
}

enum err vendor_text_begin(struct span file, size_t max, struct span first_line, struct vendor_text *out_text)
{
    struct reader reader = reader_of(file);
    struct span line = SPAN_NONE;

    ENSURE(file.len <= max, ERR_MALFORMED, "a vendor's text that is too long");
    TRY(get_line(&reader, &line));
    ENSURE(span_equal(line, first_line), ERR_MALFORMED, "not a text of this kind and format");
    *out_text = (struct vendor_text){.file = file, .reader = reader};
    return ERR_OK;
}

bool vendor_text_is_next(const struct vendor_text *text, struct span word)
{
    return span_starts_with(text->reader.rest, word);
}

enum err vendor_text_get(struct vendor_text *text, struct span word, bool (*fits)(uint8_t c), size_t max, char *out_value)
{
    struct span value = SPAN_NONE;

    TRY(get_value(text, word, &value));
    ENSURE(value.len >= 1 && value.len <= max, ERR_MALFORMED, "length of a value in a vendor's text");
    for (size_t i = 0; i < value.len; i++) {
        ENSURE(fits(value.data[i]), ERR_MALFORMED, "a character in a vendor's text");
    }
    memcpy(out_value, value.data, value.len);
    out_value[value.len] = '\0';
    return ERR_OK;
}

static bool is_of_board(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

enum err vendor_text_get_board(struct vendor_text *text, char out_board[VENDOR_TEXT_BOARD_MAX + 1])
{
    return vendor_text_get(text, span_lit("board "), is_of_board, VENDOR_TEXT_BOARD_MAX, out_board);
}

enum err vendor_text_get_number(struct vendor_text *text, struct span word, uint32_t max, uint32_t *out_number)
{
    struct span value = SPAN_NONE;
    uint64_t number = 0;

    TRY(get_value(text, word, &value));
    ENSURE(value.len >= 1 && value.data[0] != '0', ERR_MALFORMED, "a number of zero, or with zeros in front");
    ENSURE(span_to_u64(value, max, &number) == ERR_OK, ERR_MALFORMED, "a number in a vendor's text");
    *out_number = (uint32_t)number;
    return ERR_OK;
}

enum err vendor_text_get_security(struct vendor_text *text, uint32_t *out_security)
{
    return vendor_text_get_number(text, span_lit("security "), VENDOR_TEXT_SECURITY_MAX, out_security);
}

enum err vendor_text_get_pcr(struct vendor_text *text, struct span word, uint8_t out_value[HAL_TPM_DIGEST_BYTES])
{
    return get_hex(text, word, out_value, HAL_TPM_DIGEST_BYTES);
}

enum err vendor_text_end(struct vendor_text *text, const uint8_t vendor_key[SIGN_PUBLIC_BYTES])
{
    const struct span signed_part = span_of(text->file.data, text->file.len - text->reader.rest.len);
    uint8_t signature[SIGN_RAW_BYTES];
    uint8_t digest[SHA256_BYTES];

    TRY(get_hex(text, span_lit("signature "), signature, sizeof(signature)));
    ENSURE(text->reader.rest.len == 0, ERR_MALFORMED, "bytes behind a vendor's text");
    sha256(signed_part, digest);
    return sign_verify_raw(vendor_key, span_array(digest), signature, SIGN_LOW_S);
}
