/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One-time codes of an authenticator app: six digits, a new one every 30 seconds.
 *
 * Each step is accepted once: who accepted a code keeps a struct totp_seen with the key, and asks with it the next time.
 * Time depends on no byte of the key. Any thread may call; nothing is allocated.
 * Spec: RFC 4226, RFC 6238 with HMAC-SHA-1. */
#ifndef CRYPTO_TOTP_H
#define CRYPTO_TOTP_H

#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/base/time.h"

#define TOTP_KEY_BYTES 20 /* what RFC 4226 section 4 recommends */
#define TOTP_DIGITS    6
#define TOTP_STEP_S    30

/* The number of RFC 4226 section 5.3, 31 bits; a code is its last digits. */
uint32_t totp_number(struct span key, uint64_t step);

/* The steps that were accepted: the newest, and a bit for it and each of those before it. All zeros: none was. What lies
 * further back counts as accepted, so a clock that was set back brings no code to life again. */
struct totp_seen {
    uint64_t newest;
    uint32_t steps; /* bit i: newest - i */
};

/* Is it the code of the step of `now`, or of a neighbour, and was that step not accepted before? out_seen is then what is
 * to be kept; it may be seen. ERR_AUTH: no. */
enum err totp_accept(struct span key, struct wall_time now, struct span code, const struct totp_seen *seen,
                     struct totp_seen *out_seen) MUST_USE;

#endif
