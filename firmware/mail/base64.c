/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Three bytes make four characters; what is missing at the end is padded. A relay's password is among what is written, so no
 * table is indexed by it. */
#include "firmware/mail/base64.h"

#include "hal/base/fault.h"

#define SIX_BITS 0x3fu
#define GROUP    3u

/* 1 if value, of six bits, is above that. */
static uint32_t above(uint32_t limit, uint32_t value)
{
    return (limit - value) >> 31; /* wraps */
}

/* A to Z, a to z, 0 to 9, '+', '/'. */
static uint8_t character_of(uint32_t bits)
{
    const uint32_t value = bits & SIX_BITS;
    const uint32_t letter = 'A' + value + above(25, value) * ('a' - 'A' - 26);

    return (uint8_t)(letter - above(51, value) * ('a' + 26 - '0') - above(61, value) * ('0' + 10 - '+') +
                     above(62, value) * ('/' - '+' - 1));
}

static uint32_t byte_at(struct span bytes, size_t at)
{
    return at < bytes.len ? bytes.data[at] : 0;
}

enum err mail_base64_put(struct buf *out, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i += GROUP) {
        const uint32_t group = byte_at(bytes, i) << 16 | byte_at(bytes, i + 1) << 8 | byte_at(bytes, i + 2);
        const uint8_t quad[] = {character_of(group >> 18), character_of(group >> 12),
                                i + 1 < bytes.len ? character_of(group >> 6) : '=',
                                i + 2 < bytes.len ? character_of(group) : '='};
        TRY(buf_put(out, span_array(quad)));
    }
    return ERR_OK;
}
