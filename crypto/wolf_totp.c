/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HMAC-SHA-1 over wolfCrypt, and what RFC 4226 makes of it. SHA-1 is what authenticator apps agree on: its collisions do
 * not touch HMAC, and nothing else here may use it, so it has no header of its own. */
#include "crypto/totp.h"

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hmac.h>

#include "crypto/ct.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define MAC_BYTES WC_SHA_DIGEST_SIZE
#define STEP_MS   (TOTP_STEP_S * INT64_C(1000))
#define SEEN_BITS 32u

struct mac {
    uint8_t bytes[MAC_BYTES];
};

static void wipe_mac(struct mac *mac)
{
    mem_wipe(mac, sizeof *mac);
}

static void hmac_sha1(struct span key, struct span data, uint8_t out_mac[MAC_BYTES])
{
    Hmac hmac;

    /* As for the hashes: without absent memory and wrong arguments a failure is a defect. */
    INVARIANT(key.len <= UINT32_MAX && data.len <= UINT32_MAX);
    INVARIANT(wc_HmacInit(&hmac, NULL, INVALID_DEVID) == 0);
    INVARIANT(wc_HmacSetKey(&hmac, WC_SHA, key.data, (word32)key.len) == 0);
    INVARIANT(wc_HmacUpdate(&hmac, data.data, (word32)data.len) == 0);
    INVARIANT(wc_HmacFinal(&hmac, out_mac) == 0);
    wc_HmacFree(&hmac);
    mem_wipe(&hmac, sizeof hmac);
}

/* Four bytes from where the last one says. That place is as secret as the bytes, so all places are read. */
static uint32_t truncated(const struct mac *mac)
{
    const uint8_t offset = mac->bytes[MAC_BYTES - 1] & 15u;
    uint8_t chosen[4] = {0};

    for (uint8_t place = 0; place < 16; place++) {
        const uint8_t mask = ct_mask_equal(place, offset);
        for (size_t i = 0; i < sizeof chosen; i++) {
            chosen[i] |= (uint8_t)(mask & mac->bytes[place + i]);
        }
    }
    const uint32_t number = get_u32be(chosen) & UINT32_C(0x7fffffff);
    mem_wipe(chosen, sizeof chosen);
    return number;
}

uint32_t totp_number(struct span key, uint64_t step)
{
    SCOPED(wipe_mac) struct mac mac = {{0}};
    uint8_t counter[8];

    put_u64be(counter, step);
    hmac_sha1(key, span_array(counter), mac.bytes);
    return truncated(&mac);
}

static bool is_code_of(struct span key, uint64_t step, struct span code)
{
    uint32_t number = totp_number(key, step);
    char text[TOTP_DIGITS];

    for (size_t i = sizeof text; i > 0; i--) {
        text[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    const bool same = ct_equal(span_array(text), code);
    mem_wipe(text, sizeof text);
    return same;
}

static bool was_accepted(const struct totp_seen *seen, uint64_t step)
{
    if (seen->steps == 0 || step > seen->newest) {
        return false;
    }
    const uint64_t behind = seen->newest - step;
    return behind >= SEEN_BITS || (seen->steps >> behind & 1u) != 0;
}

static struct totp_seen with_step(const struct totp_seen *seen, uint64_t step)
{
    if (seen->steps != 0 && step <= seen->newest) {
        return (struct totp_seen){seen->newest, seen->steps | UINT32_C(1) << (seen->newest - step)};
    }
    const uint64_t ahead = step - seen->newest;
    return (struct totp_seen){step, (ahead < SEEN_BITS ? seen->steps << ahead : 0) | 1u};
}

enum err totp_accept(struct span key, struct wall_time now, struct span code, const struct totp_seen *seen,
                     struct totp_seen *out_seen)
{
    const uint64_t at = now.ms < 0 ? 0 : (uint64_t)(now.ms / STEP_MS);
    uint64_t accepted = 0;
    bool found = false;

    /* All three are tried, whichever it is. */
    for (uint64_t step = at == 0 ? 0 : at - 1; step <= at + 1; step++) {
        if (is_code_of(key, step, code) && !was_accepted(seen, step)) {
            accepted = step;
            found = true;
        }
    }
    ENSURE(found, ERR_AUTH, "no code of now, or a used one");
    *out_seen = with_step(seen, accepted);
    return ERR_OK;
}
