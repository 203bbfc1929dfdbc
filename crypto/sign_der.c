/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two written forms of a signature: r | s in 64 bytes, and SEQUENCE { INTEGER r, INTEGER s } in the shortest DER.
 * Spec: X.690 sections 8.3 and 10.1. */
#include "crypto/sign.h"

#include <string.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"

#define NUMBER_BYTES 32
#define DER_INTEGER 0x02
#define DER_SEQUENCE 0x30

static enum err get_number(struct reader *reader, uint8_t out_number[NUMBER_BYTES])
{
    uint8_t tag = 0;
    uint8_t len = 0;
    struct span bytes = SPAN_NONE;

    TRY(reader_get_u8(reader, &tag));
    TRY(reader_get_u8(reader, &len));
    ENSURE(tag == DER_INTEGER && len >= 1 && len <= NUMBER_BYTES + 1, ERR_MALFORMED, "not an INTEGER of a signature");
    TRY(reader_get(reader, len, &bytes));
    ENSURE((bytes.data[0] & 0x80) == 0, ERR_MALFORMED, "a negative number in a signature");
    if (bytes.data[0] == 0 && bytes.len > 1) {
        ENSURE((bytes.data[1] & 0x80) != 0, ERR_MALFORMED, "a number in a signature with a needless zero");
        bytes = span_of(bytes.data + 1, bytes.len - 1);
    }
    ENSURE(bytes.len <= NUMBER_BYTES, ERR_MALFORMED, "a number in a signature that is too long");
    memset(out_number, 0, NUMBER_BYTES);
    memcpy(out_number + NUMBER_BYTES - bytes.len, bytes.data, bytes.len);
    return ERR_OK;
}

enum err sign_raw_from_der(struct span signature, uint8_t out_signature[SIGN_RAW_BYTES])
{
    struct reader reader = reader_of(signature);
    uint8_t raw[SIGN_RAW_BYTES];
    uint8_t tag = 0;
    uint8_t len = 0;

    TRY(reader_get_u8(&reader, &tag));
    TRY(reader_get_u8(&reader, &len));
    ENSURE(tag == DER_SEQUENCE && len == reader.rest.len && len < 0x80, ERR_MALFORMED, "not a SEQUENCE of a signature");
    TRY(get_number(&reader, raw));
    TRY(get_number(&reader, raw + NUMBER_BYTES));
    ENSURE(reader.rest.len == 0, ERR_MALFORMED, "more than two numbers in a signature");
    memcpy(out_signature, raw, sizeof(raw));
    return ERR_OK;
}

static size_t put_number(const uint8_t *number, uint8_t *out_bytes)
{
    size_t skipped = 0;

    while (skipped < NUMBER_BYTES - 1 && number[skipped] == 0) {
        skipped++;
    }
    const size_t len = NUMBER_BYTES - skipped;
    const size_t sign = (number[skipped] & 0x80) != 0 ? 1 : 0; /* a zero byte keeps it positive */

    out_bytes[0] = DER_INTEGER;
    out_bytes[1] = (uint8_t)(sign + len);
    out_bytes[2] = 0;
    memcpy(out_bytes + 2 + sign, number + skipped, len);
    return 2 + sign + len;
}

size_t sign_der_from_raw(const uint8_t signature[SIGN_RAW_BYTES], uint8_t out_signature[SIGN_DER_MAX])
{
    const size_t r = put_number(signature, out_signature + 2);
    const size_t s = put_number(signature + NUMBER_BYTES, out_signature + 2 + r);

    out_signature[0] = DER_SEQUENCE;
    out_signature[1] = (uint8_t)(r + s);
    return 2 + r + s;
}
