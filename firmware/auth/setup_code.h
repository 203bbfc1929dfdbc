/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The code that makes the first operator. It is shown once, where the appliance was started; here only its digest stays.
 * Made anew at each start while no operator exists, and over after 15 minutes. Immutable: any thread may ask. */
#ifndef FIRMWARE_AUTH_SETUP_CODE_H
#define FIRMWARE_AUTH_SETUP_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/hash.h"
#include "crypto/random.h"
#include "hal/base/span.h"
#include "hal/base/time.h"

#define SETUP_CODE_CHARS   16               /* of 5 bits each */
#define SETUP_CODE_LIFE_MS UINT64_C(900000) /* 15 minutes */

struct setup_code {
    bool there; /* false: nothing is the code */
    uint8_t digest[SHA256_BYTES];
    struct mono_time ends;
};

/* The caller shows the text and wipes it. */
void setup_code_make(struct random *random, struct mono_time now, struct setup_code *out_code,
                     char out_text[SETUP_CODE_CHARS]);

/* Is it, and still? The comparison is constant-time. */
bool setup_code_is(const struct setup_code *code, struct span text, struct mono_time now);

#endif
