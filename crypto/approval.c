/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "crypto/approval.h"

#include <string.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "crypto/hash.h"

/* Spec: TPM 2.0 Part 2, 6.5.2 (command codes), 6.3 (algorithms), 6.6 (TPM_EO). */
#define CC_POLICY_PCR  UINT32_C(0x0000017f)
#define CC_POLICY_NV   UINT32_C(0x00000149)
#define EO_UNSIGNED_LE 0x0009
#define ALG_SHA256     0x000b
#define SELECT_BYTES   3

_Static_assert(HAL_TPM_DIGEST_BYTES == SHA256_BYTES && HAL_TPM_SIGNATURE_BYTES == SIGN_RAW_BYTES,
               "one hash, one curve");
_Static_assert(HAL_TPM_POINT_BYTES + 1 == SIGN_PUBLIC_BYTES, "a point without its first byte");

static void hash_u32(struct sha256_stream *stream, uint32_t number)
{
    uint8_t bytes[4];

    put_u32be(bytes, number);
    sha256_update(stream, span_array(bytes));
}

/* H(0 | TPM_CC_PolicyPCR | selection | H(value)) */
static void after_pcr(const uint8_t *value, uint8_t out_digest[SHA256_BYTES])
{
    static const uint8_t start[SHA256_BYTES] = {0};
    const uint8_t selection[] = {0, 0, 0, 1, 0, ALG_SHA256, SELECT_BYTES, 0, 1u << (APPROVAL_PCR - 8), 0};
    struct sha256_stream stream;
    uint8_t values[SHA256_BYTES];

    sha256(span_of(value, HAL_TPM_DIGEST_BYTES), values);
    sha256_init(&stream);
    sha256_update(&stream, span_array(start));
    hash_u32(&stream, CC_POLICY_PCR);
    sha256_update(&stream, span_array(selection));
    sha256_update(&stream, span_array(values));
    sha256_final(&stream, out_digest);
}

/* H(digest | TPM_CC_PolicyNV | H(operand | offset | operation) | name) */
static void after_nv(const struct approval_subject *subject, uint8_t digest[SHA256_BYTES])
{
    uint8_t comparison[8 + 2 + 2] = {[11] = EO_UNSIGNED_LE};
    uint8_t arguments[SHA256_BYTES];
    struct sha256_stream stream;

    put_u64be(comparison, subject->counter_max);
    sha256(span_array(comparison), arguments);
    sha256_init(&stream);
    sha256_update(&stream, span_of(digest, SHA256_BYTES));
    hash_u32(&stream, CC_POLICY_NV);
    sha256_update(&stream, span_array(arguments));
    sha256_update(&stream, span_array(subject->counter->bytes));
    sha256_final(&stream, digest);
}

static void signed_digest(const struct hal_tpm_authority *authority, const uint8_t *policy,
                          uint8_t out_digest[SHA256_BYTES])
{
    struct sha256_stream stream;

    sha256_init(&stream);
    sha256_update(&stream, span_of(policy, SHA256_BYTES));
    sha256_update(&stream, span_array(authority->reference));
    sha256_final(&stream, out_digest);
}

void approval_of(const struct approval_subject *subject, const uint8_t signature[HAL_TPM_SIGNATURE_BYTES],
                 struct hal_tpm_approval *out_approval)
{
    out_approval->pcr = APPROVAL_PCR;
    out_approval->counter_max = subject->counter_max;
    after_pcr(subject->pcr11, out_approval->digest);
    after_nv(subject, out_approval->digest);
    memcpy(out_approval->signature, signature, HAL_TPM_SIGNATURE_BYTES);
}

enum err approval_sign(struct signer *signer, const struct hal_tpm_authority *authority,
                       const struct approval_subject *subject, struct hal_tpm_approval *out_approval)
{
    uint8_t signature[SIGN_RAW_BYTES] = {0};
    struct hal_tpm_approval approval;
    uint8_t digest[SHA256_BYTES];

    approval_of(subject, signature, &approval);
    signed_digest(authority, approval.digest, digest);
    TRY(signer_sign_raw(signer, span_array(digest), approval.signature));
    *out_approval = approval;
    return ERR_OK;
}

enum err approval_check(const struct hal_tpm_authority *authority, const struct hal_tpm_approval *approval)
{
    uint8_t point[SIGN_PUBLIC_BYTES] = {0x04};
    uint8_t digest[SHA256_BYTES];

    memcpy(point + 1, authority->key, HAL_TPM_POINT_BYTES);
    signed_digest(authority, approval->digest, digest);
    TRY(sign_verify_raw(point, span_array(digest), approval->signature, SIGN_LOW_S));
    return ERR_OK;
}
