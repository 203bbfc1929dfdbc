/* SPDX-License-Identifier: GPL-3.0-or-later */
/* 80 bits as 16 characters of base32 (RFC 4648): at one try a second nobody guesses one of them in 15 minutes. */
#include "firmware/auth/setup_code.h"

#include "crypto/ct.h"
#include "firmware/auth/base32.h"
#include "hal/base/mem.h"

#define SECRET_BYTES 10

void setup_code_make(struct random *random, struct mono_time now, struct setup_code *out_code,
                     char out_text[SETUP_CODE_CHARS])
{
    uint8_t drawn[SECRET_BYTES];

    _Static_assert(BASE32_CHARS(SECRET_BYTES) == SETUP_CODE_CHARS, "nothing is padded");
    random_fill(random, drawn, sizeof drawn);
    base32_encode(span_array(drawn), out_text);
    mem_wipe(drawn, sizeof drawn);
    out_code->there = true;
    out_code->ends = mono_add_ms(now, SETUP_CODE_LIFE_MS);
    sha256(span_of(out_text, SETUP_CODE_CHARS), out_code->digest);
}

bool setup_code_is(const struct setup_code *code, struct span text, struct mono_time now)
{
    uint8_t digest[SHA256_BYTES];

    if (!code->there || now.ns >= code->ends.ns) {
        return false;
    }
    sha256(text, digest);
    return ct_equal(span_array(digest), span_array(code->digest));
}
