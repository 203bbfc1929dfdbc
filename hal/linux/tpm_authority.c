/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part of a policy that somebody signs, so that an image which did not exist at the sealing can open what was sealed.
 *
 * What happens at unsealing, in the policy session:
 * 1. PolicyPCR of one PCR, at its present value; PolicyNV: the counter is at most the number that was approved. The session
 *    now holds a digest of exactly this value, this number and this counter.
 * 2. The authority's key is loaded (public half only), and the TPM checks its signature over that digest and the
 *    reference, and gives a ticket for it.
 * 3. PolicyAuthorize: the digest in the session must be the signed one; it is replaced by one of the key's name and the
 *    reference alone, and that is what the sealed object has in its policy.
 * Nothing here is trusted to be right: whoever changes a command on the bus changes the digest, and the object stays shut.
 * The ticket is good for the session of the moment and of no use to anybody else.
 * Spec: TPM 2.0 Part 3, TPM2_PolicyNV, TPM2_VerifySignature, TPM2_PolicyAuthorize. */
#include "hal/linux/tpm_int.h"

#include <string.h>

#include <tss2/tss2_mu.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"

#define POINT_HALF    (HAL_TPM_POINT_BYTES / 2)
#define COUNTER_BYTES 8

static TPM2B_PUBLIC key_of(const struct hal_tpm_authority *authority)
{
    TPM2B_PUBLIC key = {.publicArea = {
                            .type = TPM2_ALG_ECC,
                            .nameAlg = TPM2_ALG_SHA256,
                            .objectAttributes = TPMA_OBJECT_SIGN_ENCRYPT,
                            .parameters = {.eccDetail = {.symmetric = {.algorithm = TPM2_ALG_NULL},
                                                         .scheme = {.scheme = TPM2_ALG_ECDSA,
                                                                    .details = {.ecdsa = {.hashAlg = TPM2_ALG_SHA256}}},
                                                         .curveID = TPM2_ECC_NIST_P256,
                                                         .kdf = {.scheme = TPM2_ALG_NULL}}},
                            .unique = {.ecc = {.x = {.size = POINT_HALF}, .y = {.size = POINT_HALF}}},
                        }};

    memcpy(key.publicArea.unique.ecc.x.buffer, authority->key, POINT_HALF);
    memcpy(key.publicArea.unique.ecc.y.buffer, authority->key + POINT_HALF, POINT_HALF);
    return key;
}

/* The name of a key is the digest of its public area. Spec: TPM 2.0 Part 1, 16 (names). */
static enum err name_of_key(struct tpm_call *call, const struct hal_tpm_authority *authority, TPM2B_NAME *out_name)
{
    const TPM2B_PUBLIC key = key_of(authority);
    uint8_t area[HAL_TPM_PUBLIC_MAX];
    size_t bytes = 0;

    TRY(tpm_answered(call, Tss2_MU_TPMT_PUBLIC_Marshal(&key.publicArea, area, sizeof(area), &bytes)));
    out_name->size = HAL_TPM_NAME_BYTES;
    out_name->name[0] = TPM2_ALG_SHA256 >> 8;
    out_name->name[1] = TPM2_ALG_SHA256 & 0xff;
    return tpm_hash(call, span_of(area, bytes), out_name->name + 2);
}

/* PolicyAuthorize starts from a digest of zeros, whatever was before: H(H(0 | command code | name) | reference). */
enum err tpm_authority_digest(struct tpm_call *call, const struct hal_tpm_authority *authority,
                              uint8_t out_digest[HAL_TPM_DIGEST_BYTES])
{
    uint8_t digest[HAL_TPM_DIGEST_BYTES] = {0};
    uint8_t text[HAL_TPM_DIGEST_BYTES + sizeof(authority->reference)];
    TPM2B_NAME name = {.size = 0};

    TRY(name_of_key(call, authority, &name));
    TRY(tpm_policy_extend(call, TPM2_CC_PolicyAuthorize, span_of(name.name, name.size), digest));
    memcpy(text, digest, sizeof(digest));
    memcpy(text + sizeof(digest), authority->reference, sizeof(authority->reference));
    return tpm_hash(call, span_array(text), out_digest);
}

/* Step 1. */
static enum err satisfy_approved(struct tpm_call *call, const struct hal_tpm_approval *approval)
{
    TPM2B_OPERAND most = {.size = COUNTER_BYTES};

    put_u64be(most.buffer, approval->counter_max);
    ENSURE(approval->pcr < HAL_TPM_PCR_COUNT, ERR_RANGE, "no such PCR");
    TRY(tpm_policy_pcr(call, UINT32_C(1) << approval->pcr));
    const enum err found = tpm_counter_find(call);
    ENSURE(found != ERR_NOT_FOUND, ERR_POLICY, "the counter is gone");
    TRY(found);
    TRY(tpm_session_use(call, call->session, 0));
    TRY(tpm_sent(call, Esys_PolicyNV_Async(call->esys, call->counter, call->counter, call->policy, call->session,
                                           ESYS_TR_NONE, ESYS_TR_NONE, &most, 0, TPM2_EO_UNSIGNED_LE)));
    return tpm_answered(call, TPM_FINISH(call, Esys_PolicyNV_Finish(call->esys)));
}

/* Step 2. The ticket is the caller's to free. */
static enum err check_signature(struct tpm_call *call, const struct hal_tpm_authority *authority,
                                const struct hal_tpm_approval *approval, TPMT_TK_VERIFIED **out_ticket)
{
    const TPM2B_PUBLIC key = key_of(authority);
    TPMT_SIGNATURE signature = {.sigAlg = TPM2_ALG_ECDSA,
                                .signature = {.ecdsa = {.hash = TPM2_ALG_SHA256,
                                                        .signatureR = {.size = POINT_HALF},
                                                        .signatureS = {.size = POINT_HALF}}}};
    TPM2B_DIGEST digest = {.size = HAL_TPM_DIGEST_BYTES};
    uint8_t text[sizeof(approval->digest) + sizeof(authority->reference)];

    memcpy(text, approval->digest, sizeof(approval->digest));
    memcpy(text + sizeof(approval->digest), authority->reference, sizeof(authority->reference));
    TRY(tpm_hash(call, span_array(text), digest.buffer));
    memcpy(signature.signature.ecdsa.signatureR.buffer, approval->signature, POINT_HALF);
    memcpy(signature.signature.ecdsa.signatureS.buffer, approval->signature + POINT_HALF, POINT_HALF);
    TRY(tpm_sent(call, Esys_LoadExternal_Async(call->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL, &key,
                                               ESYS_TR_RH_OWNER)));
    TRY(tpm_answered(call, TPM_FINISH(call, Esys_LoadExternal_Finish(call->esys, &call->key))));
    TRY(tpm_sent(call, Esys_VerifySignature_Async(call->esys, call->key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                                  &digest, &signature)));
    return tpm_answered(call, TPM_FINISH(call, Esys_VerifySignature_Finish(call->esys, out_ticket)));
}

/* Step 3. */
static enum err replace_digest(struct tpm_call *call, const struct hal_tpm_authority *authority,
                               const struct hal_tpm_approval *approval, const TPMT_TK_VERIFIED *ticket)
{
    TPM2B_DIGEST approved = {.size = HAL_TPM_DIGEST_BYTES};
    TPM2B_NONCE reference = {.size = HAL_TPM_DIGEST_BYTES};
    TPM2B_NAME name = {.size = 0};

    memcpy(approved.buffer, approval->digest, HAL_TPM_DIGEST_BYTES);
    memcpy(reference.buffer, authority->reference, HAL_TPM_DIGEST_BYTES);
    TRY(name_of_key(call, authority, &name));
    TRY(tpm_sent(call, Esys_PolicyAuthorize_Async(call->esys, call->policy, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                                  &approved, &reference, &name, ticket)));
    return tpm_answered(call, TPM_FINISH(call, Esys_PolicyAuthorize_Finish(call->esys)));
}

static enum err satisfy(struct tpm_call *call, const struct hal_tpm_authority *authority,
                        const struct hal_tpm_approval *approval)
{
    TPMT_TK_VERIFIED *ticket = NULL;

    TRY(satisfy_approved(call, approval));
    TRY(check_signature(call, authority, approval, &ticket));
    const enum err err = replace_digest(call, authority, approval, ticket);
    TPM_FREE(ticket);
    return err;
}

/* A TPM that answers, and refuses a step, says that the policy does not hold; which code it has for that varies. */
enum err tpm_authority_satisfy(struct tpm_call *call, const struct hal_tpm_authority *authority,
                               const struct hal_tpm_approval *approval)
{
    const enum err err = satisfy(call, authority, approval);

    ENSURE(err != ERR_DEVICE || call->tpm->gone, ERR_POLICY, "what was approved does not hold");
    TRY(err);
    return ERR_OK;
}
