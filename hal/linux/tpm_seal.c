/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sealing and unsealing.
 *
 * Here is what is done at sealing:
 * 1. A session is salted with the pinned SRK (tpm_srk.c). All that follows goes through it: the TPM checks our
 *    commands, ESYS its answers.
 * 2. The policy digest is worked out by us, with the TPM as the hash function (TPM2_Hash in the session). A trial
 *    session would be simpler and wrong: somebody on the bus could slip a PolicyAuthorize of his own into it between
 *    our last step and the question for the digest.
 * 3. TPM2_Create makes a data object with that policy; secret and PIN travel encrypted.
 * At unsealing:
 * 1. A session as above; TPM2_Load of the blob, which the TPM opens only if it made it under this SRK.
 * 2. A policy session, salted as well; PolicyCommandCode, PolicyPCR, PolicyAuthValue as the policy says, with what an
 *    authority approved in front (tpm_authority.c).
 * 3. TPM2_Unseal: the answer is encrypted under the policy session, and authentic or refused.
 *
 * The object has adminWithPolicy and no userWithAuth: nothing but Unseal can be done with it, and only by the policy.
 * Spec: TPM 2.0 Part 1, 19.7 (policy), Part 3, TPM2_PolicyPCR and TPM2_PolicyCommandCode for the digests. */
#include "hal/linux/tpm_int.h"

#include <string.h>

#include <tss2/tss2_mu.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define PCR_MASK_END    (UINT32_C(1) << HAL_TPM_PCR_COUNT)
#define POLICY_TEXT_MAX 128 /* digest, command code, selection, digest */
#define PCR_TEXT_MAX    (HAL_TPM_PCR_COUNT * HAL_TPM_DIGEST_BYTES)
#define SELECTION_BYTES 10 /* count(4) hash(2) size(1) select(3) */

_Static_assert(HAL_TPM_SECRET_MAX <= TPM2_MAX_SYM_DATA, "a secret must fit into a sealed object");

enum err tpm_policy_check(const struct hal_tpm_policy *policy)
{
    ENSURE(policy->pcr_mask < PCR_MASK_END, ERR_RANGE, "no such PCR");
    ENSURE(policy->pin.len <= HAL_TPM_DIGEST_BYTES, ERR_RANGE, "PIN too long");
    ENSURE(policy->pin.len == 0 || policy->pin.data[policy->pin.len - 1] != 0, ERR_RANGE,
           "TPMs drop zeros at the end of a PIN");
    ENSURE(policy->pcr_value == NULL || (policy->pcr_mask != 0 && (policy->pcr_mask & (policy->pcr_mask - 1)) == 0),
           ERR_RANGE, "a value is expected of one PCR");
    return ERR_OK;
}

enum err tpm_hash(struct tpm_call *call, struct span text, uint8_t out_digest[HAL_TPM_DIGEST_BYTES])
{
    TPM2B_MAX_BUFFER data = {.size = (UINT16)text.len};
    TPM2B_DIGEST *digest = NULL;
    TPMT_TK_HASHCHECK *ticket = NULL;

    INVARIANT(text.len <= sizeof(data.buffer));
    memcpy(data.buffer, text.data, text.len);
    TRY(tpm_session_use(call, call->session, TPMA_SESSION_AUDIT));
    TRY(tpm_sent(call, Esys_Hash_Async(call->esys, call->session, ESYS_TR_NONE, ESYS_TR_NONE, &data, TPM2_ALG_SHA256,
                                       ESYS_TR_RH_NULL)));
    TRY(tpm_answered(call, TPM_FINISH(call, Esys_Hash_Finish(call->esys, &digest, &ticket))));
    const bool fits = digest->size == HAL_TPM_DIGEST_BYTES;
    if (fits) {
        memcpy(out_digest, digest->buffer, HAL_TPM_DIGEST_BYTES);
    }
    TPM_FREE(digest);
    TPM_FREE(ticket);
    ENSURE(fits, ERR_DEVICE, "a SHA-256 of another length");
    return ERR_OK;
}

/* Appends the value of one PCR, read in the session. */
static enum err append_pcr(struct tpm_call *call, uint32_t bit, struct buf *values)
{
    const TPML_PCR_SELECTION selection = tpm_pcr_selection(bit);
    TPML_DIGEST *digests = NULL;
    UINT32 counter = 0;

    TRY(tpm_session_use(call, call->session, TPMA_SESSION_AUDIT));
    TRY(tpm_sent(call, Esys_PCR_Read_Async(call->esys, call->session, ESYS_TR_NONE, ESYS_TR_NONE, &selection)));
    TRY(tpm_answered(call, TPM_FINISH(call, Esys_PCR_Read_Finish(call->esys, &counter, NULL, &digests))));
    const bool given = digests->count == 1 && digests->digests[0].size == HAL_TPM_DIGEST_BYTES;
    const enum err err =
        given ? buf_put(values, span_of(digests->digests[0].buffer, HAL_TPM_DIGEST_BYTES)) : ERR_UNSUPPORTED;
    TPM_FREE(digests);
    TRY(err);
    return ERR_OK;
}

static enum err pcr_digest(struct tpm_call *call, uint32_t mask, uint8_t out_digest[HAL_TPM_DIGEST_BYTES])
{
    SCOPED_BUF struct buf *values = NULL;

    TRY(buf_new(PCR_TEXT_MAX, &values));
    for (uint32_t bit = 1; bit < PCR_MASK_END; bit <<= 1) {
        if ((mask & bit) != 0) {
            TRY(append_pcr(call, bit, values));
        }
    }
    return tpm_hash(call, buf_all(values), out_digest);
}

enum err tpm_policy_extend(struct tpm_call *call, uint32_t command, struct span arguments,
                           uint8_t digest[HAL_TPM_DIGEST_BYTES])
{
    SCOPED_BUF struct buf *text = NULL;

    TRY(buf_new(POLICY_TEXT_MAX, &text));
    TRY(buf_put(text, span_of(digest, HAL_TPM_DIGEST_BYTES)));
    TRY(buf_put_u32be(text, command));
    TRY(buf_put(text, arguments));
    return tpm_hash(call, buf_all(text), digest);
}

static enum err extend_with_pcrs(struct tpm_call *call, const struct hal_tpm_policy *policy,
                                 uint8_t digest[HAL_TPM_DIGEST_BYTES])
{
    const TPML_PCR_SELECTION selection = tpm_pcr_selection(policy->pcr_mask);
    uint8_t arguments[SELECTION_BYTES + HAL_TPM_DIGEST_BYTES];
    size_t offset = 0;

    TRY(tpm_answered(call, Tss2_MU_TPML_PCR_SELECTION_Marshal(&selection, arguments, SELECTION_BYTES, &offset)));
    INVARIANT(offset == SELECTION_BYTES);
    TRY(policy->pcr_value == NULL
            ? pcr_digest(call, policy->pcr_mask, arguments + SELECTION_BYTES)
            : tpm_hash(call, span_of(policy->pcr_value, HAL_TPM_DIGEST_BYTES), arguments + SELECTION_BYTES));
    return tpm_policy_extend(call, TPM2_CC_PolicyPCR, span_array(arguments), digest);
}

static enum err extend_with_unseal(struct tpm_call *call, uint8_t digest[HAL_TPM_DIGEST_BYTES])
{
    uint8_t unseal[4];

    put_u32be(unseal, TPM2_CC_Unseal);
    return tpm_policy_extend(call, TPM2_CC_PolicyCommandCode, span_array(unseal), digest);
}

/* The order of the steps is that of satisfy(). */
static enum err policy_digest(struct tpm_call *call, const struct hal_tpm_policy *policy, TPM2B_DIGEST *out_digest)
{
    uint8_t digest[HAL_TPM_DIGEST_BYTES] = {0};

    if (policy->authority != NULL) {
        TRY(tpm_authority_digest(call, policy->authority, digest));
    } else {
        TRY(extend_with_unseal(call, digest));
    }
    if (policy->pcr_mask != 0) {
        TRY(extend_with_pcrs(call, policy, digest));
    }
    if (policy->authority != NULL) {
        TRY(extend_with_unseal(call, digest));
    }
    if (policy->pin.len > 0) {
        TRY(tpm_policy_extend(call, TPM2_CC_PolicyAuthValue, SPAN_NONE, digest));
    }

    out_digest->size = HAL_TPM_DIGEST_BYTES;
    memcpy(out_digest->buffer, digest, HAL_TPM_DIGEST_BYTES);
    return ERR_OK;
}

static enum err marshal(struct tpm_call *call, const TPM2B_PUBLIC *public_area, const TPM2B_PRIVATE *private_area,
                        struct hal_tpm_sealed *out_sealed)
{
    struct hal_tpm_sealed sealed = {.public_bytes = 0};

    TRY(tpm_answered(call, Tss2_MU_TPM2B_PUBLIC_Marshal(public_area, sealed.public_area, sizeof(sealed.public_area),
                                                        &sealed.public_bytes)));
    TRY(tpm_answered(call, Tss2_MU_TPM2B_PRIVATE_Marshal(private_area, sealed.private_area, sizeof(sealed.private_area),
                                                         &sealed.private_bytes)));
    *out_sealed = sealed;
    return ERR_OK;
}

static enum err create(struct tpm_call *call, const TPM2B_PUBLIC *template, const TPM2B_SENSITIVE_CREATE *sensitive,
                       struct hal_tpm_sealed *out_sealed)
{
    const TPM2B_DATA no_info = {.size = 0};
    const TPML_PCR_SELECTION no_pcrs = {.count = 0};
    TPM2B_PRIVATE *private_area = NULL;
    TPM2B_PUBLIC *public_area = NULL;

    TRY(tpm_session_use(call, call->session, TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT));
    TRY(tpm_sent(call, Esys_Create_Async(call->esys, call->srk, call->session, ESYS_TR_NONE, ESYS_TR_NONE, sensitive,
                                         template, &no_info, &no_pcrs)));
    TRY(tpm_answered(call,
                     TPM_FINISH(call, Esys_Create_Finish(call->esys, &private_area, &public_area, NULL, NULL, NULL))));
    const enum err err = marshal(call, public_area, private_area, out_sealed);
    TPM_FREE(private_area);
    TPM_FREE(public_area);
    return err;
}

enum err tpm_seal(struct hal_tpm *tpm, const struct hal_tpm_name *srk, const struct hal_tpm_policy *policy,
                  struct span secret, struct hal_tpm_sealed *out_sealed)
{
    SCOPED_CALL struct tpm_call call = TPM_CALL_NONE;
    TPM2B_SENSITIVE_CREATE sensitive = {.size = 0};
    TPM2B_PUBLIC template = {
        .publicArea = {.type = TPM2_ALG_KEYEDHASH,
                       .nameAlg = TPM2_ALG_SHA256,
                       .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_ADMINWITHPOLICY,
                       .parameters = {.keyedHashDetail = {.scheme = {TPM2_ALG_NULL, {{0}}}}}}};

    TRY(tpm_policy_check(policy));
    ENSURE(secret.len >= HAL_TPM_SECRET_MIN && secret.len <= HAL_TPM_SECRET_MAX, ERR_RANGE, "length of the secret");
    TRY(tpm_call_open(tpm_of(tpm), &call));
    TRY(tpm_session_open(&call, srk));
    TRY(policy_digest(&call, policy, &template.publicArea.authPolicy));
    if (policy->pin.len == 0) {
        template.publicArea.objectAttributes |= TPMA_OBJECT_NODA;
    } else {
        memcpy(sensitive.sensitive.userAuth.buffer, policy->pin.data, policy->pin.len);
        sensitive.sensitive.userAuth.size = (UINT16)policy->pin.len;
    }
    memcpy(sensitive.sensitive.data.buffer, secret.data, secret.len);
    sensitive.sensitive.data.size = (UINT16)secret.len;
    const enum err err = create(&call, &template, &sensitive, out_sealed);
    mem_wipe(&sensitive, sizeof(sensitive));
    return err;
}

static enum err unmarshal(struct tpm_call *call, const struct hal_tpm_sealed *sealed, TPM2B_PUBLIC *out_public,
                          TPM2B_PRIVATE *out_private)
{
    size_t public_bytes = 0;
    size_t private_bytes = 0;

    ENSURE(sealed->public_bytes <= HAL_TPM_PUBLIC_MAX && sealed->private_bytes <= HAL_TPM_PRIVATE_MAX, ERR_MALFORMED,
           "length of a sealed blob");
    ENSURE(tpm_code(call, Tss2_MU_TPM2B_PUBLIC_Unmarshal(sealed->public_area, sealed->public_bytes, &public_bytes,
                                                         out_public)) == ERR_OK,
           ERR_MALFORMED, "public area of a sealed blob");
    ENSURE(tpm_code(call, Tss2_MU_TPM2B_PRIVATE_Unmarshal(sealed->private_area, sealed->private_bytes, &private_bytes,
                                                          out_private)) == ERR_OK,
           ERR_MALFORMED, "private area of a sealed blob");
    ENSURE(public_bytes == sealed->public_bytes && private_bytes == sealed->private_bytes, ERR_MALFORMED,
           "bytes behind a sealed blob");
    ENSURE(out_public->publicArea.type == TPM2_ALG_KEYEDHASH, ERR_MALFORMED, "not a sealed object");
    return ERR_OK;
}

/* A TPM has many ways to say that it did not make a blob; all mean the same to the caller. */
static enum err load(struct tpm_call *call, const TPM2B_PUBLIC *public_area, const TPM2B_PRIVATE *private_area)
{
    TRY(tpm_session_use(call, call->session, 0));
    TRY(tpm_sent(call, Esys_Load_Async(call->esys, call->srk, call->session, ESYS_TR_NONE, ESYS_TR_NONE, private_area,
                                       public_area)));
    const TSS2_RC rc = TPM_FINISH(call, Esys_Load_Finish(call->esys, &call->object));
    const enum err err = tpm_answered(call, rc);
    return err == ERR_DEVICE && (rc & TPM2_RC_FMT1) != 0 && rc <= UINT16_MAX ? ERR_AUTH : err;
}

enum err tpm_policy_pcr(struct tpm_call *call, uint32_t mask)
{
    const TPM2B_DIGEST as_they_are = {.size = 0};
    const TPML_PCR_SELECTION selection = tpm_pcr_selection(mask);

    TRY(tpm_sent(call, Esys_PolicyPCR_Async(call->esys, call->policy, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                            &as_they_are, &selection)));
    return tpm_answered(call, TPM_FINISH(call, Esys_PolicyPCR_Finish(call->esys)));
}

static enum err policy_unseal(struct tpm_call *call)
{
    TRY(tpm_sent(call, Esys_PolicyCommandCode_Async(call->esys, call->policy, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                                    TPM2_CC_Unseal)));
    return tpm_answered(call, TPM_FINISH(call, Esys_PolicyCommandCode_Finish(call->esys)));
}

static enum err satisfy(struct tpm_call *call, const struct hal_tpm_policy *policy)
{
    TRY(tpm_session_start(call, TPM2_SE_POLICY, &call->policy));
    if (policy->authority != NULL) {
        TRY(tpm_authority_satisfy(call, policy->authority, policy->approval));
    } else {
        TRY(policy_unseal(call));
    }
    if (policy->pcr_mask != 0) {
        TRY(tpm_policy_pcr(call, policy->pcr_mask));
    }
    if (policy->authority != NULL) {
        TRY(policy_unseal(call));
    }
    if (policy->pin.len > 0) {
        TRY(tpm_sent(call,
                     Esys_PolicyAuthValue_Async(call->esys, call->policy, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE)));
        TRY(tpm_answered(call, TPM_FINISH(call, Esys_PolicyAuthValue_Finish(call->esys))));
        TRY(tpm_set_auth(call, call->object, policy->pin));
    }
    return ERR_OK;
}

static enum err take_out(struct tpm_call *call, uint8_t *out_secret, size_t secret_bytes)
{
    TPM2B_SENSITIVE_DATA *data = NULL;

    TRY(tpm_session_use(call, call->policy, TPMA_SESSION_ENCRYPT));
    TRY(tpm_sent(call, Esys_Unseal_Async(call->esys, call->object, call->policy, ESYS_TR_NONE, ESYS_TR_NONE)));
    TRY(tpm_answered(call, TPM_FINISH(call, Esys_Unseal_Finish(call->esys, &data))));
    const bool fits = data->size == secret_bytes;
    if (fits) {
        memcpy(out_secret, data->buffer, secret_bytes);
    }
    TPM_FREE(data);
    ENSURE(fits, ERR_MALFORMED, "a secret of another length");
    return ERR_OK;
}

enum err tpm_unseal(struct hal_tpm *tpm, const struct hal_tpm_name *srk, const struct hal_tpm_policy *policy,
                    const struct hal_tpm_sealed *sealed, uint8_t *out_secret, size_t secret_bytes)
{
    SCOPED_CALL struct tpm_call call = TPM_CALL_NONE;
    TPM2B_PUBLIC public_area = {.size = 0};
    TPM2B_PRIVATE private_area = {.size = 0};

    TRY(tpm_policy_check(policy));
    ENSURE((policy->authority == NULL) == (policy->approval == NULL), ERR_RANGE, "an authority and what it approved");
    TRY(tpm_call_open(tpm_of(tpm), &call));
    TRY(unmarshal(&call, sealed, &public_area, &private_area));
    const bool has_pin = (public_area.publicArea.objectAttributes & TPMA_OBJECT_NODA) == 0;
    ENSURE(!has_pin || policy->pin.len > 0, ERR_PIN, "sealed with a PIN, and none was given");
    TRY(tpm_session_open(&call, srk));
    TRY(load(&call, &public_area, &private_area));
    TRY(satisfy(&call, policy));
    tpm_of(tpm)->pin_used = tpm_of(tpm)->pin_used || has_pin;
    return take_out(&call, out_secret, secret_bytes);
}
