/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/signed_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/hash.h"

void vendor_init(struct vendor *vendor)
{
    SCOPED_SECRET struct secret *key = NULL;

    assert_int_equal(random_new(SPAN_NONE, &vendor->random), ERR_OK);
    assert_int_equal(sign_key_new(vendor->random, &key), ERR_OK);
    assert_int_equal(signer_new(key, vendor->random, &vendor->signer), ERR_OK);
    signer_public(vendor->signer, vendor->key);
}

void vendor_done(struct vendor *vendor)
{
    signer_free(vendor->signer);
    random_free(vendor->random);
}

struct signed_policy vendor_sign(struct vendor *vendor, const char *body)
{
    struct signed_policy policy = {.len = 0};
    uint8_t digest[SHA256_BYTES];
    uint8_t signature[SIGN_RAW_BYTES];
    char hex[HEX_BYTES(SIGN_RAW_BYTES) + 1] = "";

    sha256(span_str(body), digest);
    assert_int_equal(signer_sign_raw(vendor->signer, span_array(digest), signature), ERR_OK);
    hex_encode(span_array(signature), hex);
    const int len = snprintf(policy.text, sizeof(policy.text), "%ssignature %s\n", body, hex);
    assert_in_range(len, 1, IMAGE_POLICY_MAX);
    policy.len = (size_t)len;
    return policy;
}

struct signed_policy vendor_policy(struct vendor *vendor, const char *board, unsigned int security,
                                   const uint8_t pcr11[HAL_TPM_DIGEST_BYTES])
{
    char hex[HEX_BYTES(HAL_TPM_DIGEST_BYTES) + 1] = "";
    char body[IMAGE_POLICY_MAX];

    hex_encode(span_of(pcr11, HAL_TPM_DIGEST_BYTES), hex);
    (void)snprintf(body, sizeof(body), "rowlock-policy 1\nboard %s\nversion 1.%u\nsecurity %u\npcr11 %s\n", board, security,
                   security, hex);
    return vendor_sign(vendor, body);
}

struct signed_policy vendor_plan(struct vendor *vendor, struct planned planned, const uint8_t pcr7[HAL_TPM_DIGEST_BYTES])
{
    char hex[HEX_BYTES(HAL_TPM_DIGEST_BYTES) + 1] = "";
    char body[IMAGE_POLICY_MAX];

    hex_encode(span_of(pcr7, HAL_TPM_DIGEST_BYTES), hex);
    (void)snprintf(body, sizeof(body), "rowlock-secure-boot-plan 1\nboard %s\nserial %u\nsecurity %u\npcr7 %s\n", planned.board,
                   planned.serial, planned.security, hex);
    return vendor_sign(vendor, body);
}
