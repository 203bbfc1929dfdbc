/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The storage root key.
 *
 * How a session comes to be salted with the right key:
 * 1. The public area at the persistent handle is read, and Esys_TR_GetName works the name out from it. The name that
 *    the TPM's answer claims beside it is not looked at.
 * 2. The name is compared with the one pinned at provisioning. A key put in its place, by somebody with ownerAuth or
 *    by somebody on the bus, has another name and ends the call here, before a salt is encrypted to it.
 * 3. The session is started: its salt is a random value encrypted to that key, so only the TPM that holds the private
 *    half can take part in it.
 * At provisioning nothing is pinned yet: the key is derived from the TPM's seed by template, and the persistent one
 * must be the same. Whoever sits on the bus at that moment is not seen; README's threat model says so. */
#include "hal/linux/tpm_int.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/span.h"

#define P256_BYTES 32

static TPM2B_PUBLIC srk_template(void)
{
    TPM2B_PUBLIC template = {.publicArea = {
                                 .type = TPM2_ALG_ECC,
                                 .nameAlg = TPM2_ALG_SHA256,
                                 .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                                     TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
                                                     TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
                                 .parameters = {.eccDetail = {.symmetric = {.algorithm = TPM2_ALG_AES,
                                                                            .keyBits = {.aes = 128},
                                                                            .mode = {.aes = TPM2_ALG_CFB}},
                                                              .scheme = {.scheme = TPM2_ALG_NULL},
                                                              .curveID = TPM2_ECC_NIST_P256,
                                                              .kdf = {.scheme = TPM2_ALG_NULL}}},
                                 .unique = {.ecc = {.x = {.size = P256_BYTES}, .y = {.size = P256_BYTES}}},
                             }};

    return template;
}

static enum err name_of(struct tpm_call *call, ESYS_TR object, struct hal_tpm_name *out_name)
{
    TPM2B_NAME *name = NULL;

    const enum err err = tpm_code(call, Esys_TR_GetName(call->esys, object, &name));
    ENSURE(err != ERR_UNSUPPORTED, ERR_STALE_KEY, "the SRK's name is not a SHA-256 name");
    TRY(err);
    const bool fits = name->size == HAL_TPM_NAME_BYTES;
    if (fits) {
        memcpy(out_name->bytes, name->name, HAL_TPM_NAME_BYTES);
    }
    TPM_FREE(name);
    ENSURE(fits, ERR_STALE_KEY, "the SRK's name is not a SHA-256 name");
    return ERR_OK;
}

enum err tpm_srk_find(struct tpm_call *call, struct hal_tpm_name *out_name)
{
    TRY(tpm_sent(
        call, Esys_TR_FromTPMPublic_Async(call->esys, HAL_TPM_SRK_HANDLE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE)));
    const enum err err = tpm_code(call, TPM_FINISH(call, Esys_TR_FromTPMPublic_Finish(call->esys, &call->srk)));
    if (err == ERR_NOT_FOUND) {
        return err; /* no trail: at provisioning this is what is expected */
    }
    TRY(err);
    return name_of(call, call->srk, out_name);
}

enum err tpm_session_open(struct tpm_call *call, const struct hal_tpm_name *srk)
{
    struct hal_tpm_name found;
    const enum err err = tpm_srk_find(call, &found);

    ENSURE(err != ERR_NOT_FOUND, ERR_STALE_KEY, "the SRK is gone: another TPM, or a cleared one");
    TRY(err);
    ENSURE(span_equal(span_array(found.bytes), span_array(srk->bytes)), ERR_STALE_KEY, "not the pinned SRK");
    return tpm_session_start(call, TPM2_SE_HMAC, &call->session);
}

enum err tpm_srk_name(struct hal_tpm *tpm, struct hal_tpm_name *out_name)
{
    SCOPED_CALL struct tpm_call call = TPM_CALL_NONE;

    TRY(tpm_call_open(tpm_of(tpm), &call));
    return tpm_srk_find(&call, out_name);
}

/* Derives the key from the seed into call->object. */
static enum err create_primary(struct tpm_call *call, ESYS_TR session, struct hal_tpm_name *out_name)
{
    const TPM2B_PUBLIC template = srk_template();
    const TPM2B_SENSITIVE_CREATE no_auth = {.size = 0};
    const TPM2B_DATA no_info = {.size = 0};
    const TPML_PCR_SELECTION no_pcrs = {.count = 0};

    TRY(tpm_sent(call, Esys_CreatePrimary_Async(call->esys, ESYS_TR_RH_OWNER, session, ESYS_TR_NONE, ESYS_TR_NONE,
                                                &no_auth, &template, &no_info, &no_pcrs)));
    TRY(tpm_answered(call,
                     TPM_FINISH(call, Esys_CreatePrimary_Finish(call->esys, &call->object, NULL, NULL, NULL, NULL))));
    return name_of(call, call->object, out_name);
}

static enum err make_persistent(struct tpm_call *call, ESYS_TR session)
{
    ESYS_TR persistent = ESYS_TR_NONE;

    TRY(tpm_sent(call, Esys_EvictControl_Async(call->esys, ESYS_TR_RH_OWNER, call->object, session, ESYS_TR_NONE,
                                               ESYS_TR_NONE, HAL_TPM_SRK_HANDLE)));
    return tpm_answered(call, TPM_FINISH(call, Esys_EvictControl_Finish(call->esys, &persistent)));
}

/* ownerAuth enters the session's HMAC and is never sent, so this session needs no salt; there may be no key for it. */
enum err tpm_srk_make(struct hal_tpm *tpm, struct span owner_auth, struct hal_tpm_name *out_name)
{
    SCOPED_CALL struct tpm_call call = TPM_CALL_NONE;
    struct hal_tpm_name derived;
    struct hal_tpm_name found;

    TRY(tpm_call_open(tpm_of(tpm), &call));
    TRY(tpm_set_auth(&call, ESYS_TR_RH_OWNER, owner_auth));
    TRY(tpm_session_start(&call, TPM2_SE_HMAC, &call.session));
    TRY(tpm_session_use(&call, call.session, 0));
    TRY(create_primary(&call, call.session, &derived));
    const enum err err = tpm_srk_find(&call, &found);
    if (err == ERR_NOT_FOUND) {
        TRY(make_persistent(&call, call.session));
    } else {
        TRY(err);
        ENSURE(span_equal(span_array(found.bytes), span_array(derived.bytes)), ERR_CONFLICT,
               "another key lies at the SRK's handle");
    }

    *out_name = derived;
    return ERR_OK;
}
