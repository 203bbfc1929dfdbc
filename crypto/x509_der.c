/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tag, length, content: the part of DER that certificates use. Spec: X.690 sections 8 and 10. */
#include "hal/base/fault.h"
#include "crypto/x509_int.h"

static enum err put_header(struct buf *out, enum der_tag tag, size_t len)
{
    ENSURE(len <= UINT16_MAX, ERR_RANGE, "a DER element that is too long");
    TRY(buf_put_u8(out, (uint8_t)tag));
    if (len < 0x80) {
        return buf_put_u8(out, (uint8_t)len);
    }
    if (len < 0x100) {
        TRY(buf_put_u8(out, 0x81));
        return buf_put_u8(out, (uint8_t)len);
    }
    TRY(buf_put_u8(out, 0x82));
    return buf_put_u16be(out, (uint16_t)len);
}

enum err der_put(struct buf *out, enum der_tag tag, struct span content)
{
    TRY(put_header(out, tag, content.len));
    return buf_put(out, content);
}

enum err der_put_buf(struct buf *out, enum der_tag tag, struct buf *content)
{
    TRY(der_put(out, tag, buf_all(content)));
    buf_reset(content);
    return ERR_OK;
}

bool der_is_next(const struct reader *reader, enum der_tag tag)
{
    return reader->rest.len != 0 && reader->rest.data[0] == (uint8_t)tag;
}

static enum err get_length(struct reader *reader, size_t *out_len)
{
    uint8_t first = 0;
    uint8_t one = 0;
    uint16_t two = 0;

    TRY(reader_get_u8(reader, &first));
    if (first < 0x80) {
        *out_len = first;
        return ERR_OK;
    }
    ENSURE(first == 0x81 || first == 0x82, ERR_MALFORMED, "a DER length of an odd form");
    if (first == 0x81) {
        TRY(reader_get_u8(reader, &one));
        ENSURE(one >= 0x80, ERR_MALFORMED, "a DER length that is not the shortest");
        *out_len = one;
        return ERR_OK;
    }
    TRY(reader_get_u16be(reader, &two));
    ENSURE(two >= 0x100, ERR_MALFORMED, "a DER length that is not the shortest");
    *out_len = two;
    return ERR_OK;
}

enum err der_get(struct reader *reader, enum der_tag tag, struct span *out_content)
{
    uint8_t got = 0;
    size_t len = 0;

    TRY(reader_get_u8(reader, &got));
    ENSURE(got == (uint8_t)tag, ERR_MALFORMED, "another DER element than expected");
    TRY(get_length(reader, &len));
    return reader_get(reader, len, out_content);
}
