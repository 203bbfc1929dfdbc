/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One-time codes of an environment: what a link in a mail proves.
 *
 * A code is 32 random bytes, given out as hex digits in a mail and nowhere else. Stored is the SHA-256 of purpose,
 * environment, address and code, so a code of another purpose, environment or address is simply unknown; it finds its
 * row by a unique index. It can be used once: what accepts it deletes it in the same transaction. A new one of the same
 * purpose and owner ends the one before. Spec: contract 5.3, 5.5, 5.6. */
#ifndef FIRMWARE_DATA_CODES_H
#define FIRMWARE_DATA_CODES_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/hash.h"
#include "crypto/random.h"
#include "firmware/auth/key.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/base/time.h"

#define DATA_CODE_TEXT_BYTES 64                /* hex digits of 32 bytes */
#define DATA_CODE_DAY_MS     INT64_C(86400000) /* of resets and verifications */
#define DATA_CODE_INVITE_MS  INT64_C(604800000)
#define DATA_CODE_OAUTH_MS   INT64_C(300000)

enum data_code_purpose {
    DATA_CODE_RESET = 1,
    DATA_CODE_VERIFY,
    DATA_CODE_MAGIC,
    DATA_CODE_INVITE,
    DATA_CODE_OAUTH, /* an issuer's, which was taken before a second factor was shown: people_oidc.c */
    DATA_CODE_PURPOSE_END
};

void data_code_make(struct random *random, char out_code[DATA_CODE_TEXT_BYTES]);

/* What is stored and looked up. email: empty where only the code comes back (magic links, invitations). A text that
 * cannot be a code gives the digest of none. */
struct data_code_of {
    enum data_code_purpose purpose;
    struct span environment_id;
    struct span email; /* as account_email_read makes it */
    struct span code;
};
void data_code_digest(const struct data_code_of *of, uint8_t out_digest[SHA256_BYTES]);

#endif
