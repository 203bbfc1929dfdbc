/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A vendor of the test's own, who signs policies of images (crypto/image_policy.h) and plans of Secure Boot (crypto/boot_plan.h). What
 * must work stops the test program if it does not. */
#ifndef TESTS_LIB_SIGNED_POLICY_H
#define TESTS_LIB_SIGNED_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/image_policy.h"
#include "crypto/sign.h"

struct vendor {
    struct random *random;
    struct signer *signer;
    uint8_t key[SIGN_PUBLIC_BYTES];
};

void vendor_init(struct vendor *vendor);
void vendor_done(struct vendor *vendor);

struct signed_policy {
    char text[IMAGE_POLICY_MAX + 1];
    size_t len;
};

/* The policy of one image with one value of PCR 11. */
struct signed_policy vendor_policy(struct vendor *vendor, const char *board, unsigned int security,
                                   const uint8_t pcr11[HAL_TPM_DIGEST_BYTES]);

/* The plan of a change of Secure Boot. */
struct planned {
    const char *board;
    unsigned int serial;
    unsigned int security;
};
struct signed_policy vendor_plan(struct vendor *vendor, struct planned planned, const uint8_t pcr7[HAL_TPM_DIGEST_BYTES]);

/* Signs any text, behind which the signature's line comes. */
struct signed_policy vendor_sign(struct vendor *vendor, const char *body);

static inline struct span policy_span(const struct signed_policy *policy)
{
    return span_of(policy->text, policy->len);
}

#endif
