/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parser takes line after line from the front; a line is a known word, a space and a value of a narrow alphabet, so
 * there is nothing to skip and nothing to normalise. The signature is checked last, over the bytes that were parsed, and the
 * outcome leaves this file only then. */
#include "crypto/image_policy.h"

#include <stdbool.h>
#include <string.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "crypto/hash.h"

#define FIRST_LINE "rowlock-policy 1"

/* The next line without its end. */
static enum err get_line(struct reader *reader, struct span *out_line)
{
    const size_t len = span_find(reader->rest, '\n');
    struct span end = SPAN_NONE;

    ENSURE(len < reader->rest.len, ERR_MALFORMED, "a line of a policy does not end");
    TRY(reader_get(reader, len, out_line));
    return reader_get(reader, 1, &end);
}

/* The value behind a word and a space; word with the space. */
static enum err get_value(struct reader *reader, struct span word, struct span *out_value)
{
    struct span line = SPAN_NONE;

    TRY(get_line(reader, &line));
    ENSURE(span_starts_with(line, word), ERR_MALFORMED, "another line of a policy was expected");
    *out_value = span_of(line.data + word.len, line.len - word.len);
    return ERR_OK;
}

static bool is_small(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool is_word(uint8_t c)
{
    return is_small(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '+' || c == '~';
}

static enum err copy_text(struct span value, bool (*fits)(uint8_t c), size_t max, char *out_text)
{
    ENSURE(value.len >= 1 && value.len <= max, ERR_MALFORMED, "length of a text in a policy");
    for (size_t i = 0; i < value.len; i++) {
        ENSURE(fits(value.data[i]), ERR_MALFORMED, "a character in a policy");
    }
    memcpy(out_text, value.data, value.len);
    out_text[value.len] = '\0';
    return ERR_OK;
}

static enum err get_security(struct reader *reader, uint32_t *out_security)
{
    struct span value = SPAN_NONE;
    uint64_t number = 0;

    TRY(get_value(reader, span_lit("security "), &value));
    ENSURE(value.len >= 1 && value.data[0] != '0', ERR_MALFORMED, "a security version of zero, or with zeros in front");
    ENSURE(span_to_u64(value, IMAGE_POLICY_SECURITY_MAX, &number) == ERR_OK, ERR_MALFORMED, "security version");
    *out_security = (uint32_t)number;
    return ERR_OK;
}

/* Lower case only: a policy has one form. */
static enum err get_hex(struct span value, uint8_t *out_bytes, size_t bytes)
{
    for (size_t i = 0; i < value.len; i++) {
        ENSURE(value.data[i] < 'A' || value.data[i] > 'F', ERR_MALFORMED, "hex in upper case");
    }
    TRY(hex_decode(value, out_bytes, bytes));
    return ERR_OK;
}

static enum err get_pcrs(struct reader *reader, struct image_policy *out_policy)
{
    struct span value = SPAN_NONE;

    while (span_starts_with(reader->rest, span_lit("pcr11 "))) {
        ENSURE(out_policy->pcr11_count < IMAGE_POLICY_PCRS_MAX, ERR_MALFORMED, "too many PCR values in a policy");
        TRY(get_value(reader, span_lit("pcr11 "), &value));
        TRY(get_hex(value, out_policy->pcr11[out_policy->pcr11_count], HAL_TPM_DIGEST_BYTES));
        out_policy->pcr11_count++;
    }
    ENSURE(out_policy->pcr11_count >= 1, ERR_MALFORMED, "a policy without a PCR value");
    return ERR_OK;
}

enum err image_policy_read(struct span file, const uint8_t vendor_key[SIGN_PUBLIC_BYTES], struct image_policy *out_policy)
{
    struct reader reader = reader_of(file);
    struct image_policy policy = {.security = 0};
    struct span value = SPAN_NONE;
    uint8_t signature[SIGN_RAW_BYTES];
    uint8_t digest[SHA256_BYTES];

    ENSURE(file.len <= IMAGE_POLICY_MAX, ERR_MALFORMED, "a policy that is too long");
    TRY(get_line(&reader, &value));
    ENSURE(span_equal(value, span_lit(FIRST_LINE)), ERR_MALFORMED, "not a policy of this format");
    TRY(get_value(&reader, span_lit("board "), &value));
    TRY(copy_text(value, is_small, IMAGE_POLICY_BOARD_MAX, policy.board));
    TRY(get_value(&reader, span_lit("version "), &value));
    TRY(copy_text(value, is_word, IMAGE_POLICY_VERSION_MAX, policy.version));
    TRY(get_security(&reader, &policy.security));
    TRY(get_pcrs(&reader, &policy));
    const struct span signed_part = span_of(file.data, file.len - reader.rest.len);
    TRY(get_value(&reader, span_lit("signature "), &value));
    TRY(get_hex(value, signature, sizeof(signature)));
    ENSURE(reader.rest.len == 0, ERR_MALFORMED, "bytes behind a policy");

    sha256(signed_part, digest);
    TRY(sign_verify_raw(vendor_key, span_array(digest), signature, SIGN_LOW_S));
    *out_policy = policy;
    return ERR_OK;
}
