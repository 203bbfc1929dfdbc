/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/mail/base64.h"

#include "hal/base/fault.h"

#define PAD 64u

static uint32_t byte_at(struct span bytes, size_t at)
{
    return at < bytes.len ? bytes.data[at] : 0;
}

enum err mail_base64_put(struct buf *out, struct span bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    _Static_assert(sizeof digits - 2 == PAD, "the pad is behind the digits");

    for (size_t i = 0; i < bytes.len; i += 3) {
        const uint32_t group = byte_at(bytes, i) << 16 | byte_at(bytes, i + 1) << 8 | byte_at(bytes, i + 2);
        const uint8_t quad[] = {(uint8_t)digits[group >> 18], (uint8_t)digits[group >> 12 & 63u],
                                (uint8_t)digits[i + 1 < bytes.len ? group >> 6 & 63u : PAD],
                                (uint8_t)digits[i + 2 < bytes.len ? group & 63u : PAD]};
        TRY(buf_put(out, span_array(quad)));
    }
    return ERR_OK;
}
