/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Taking ownership: with ownerAuth anybody could evict the SRK, with lockoutAuth end a lockout or clear the TPM.
 *
 * 1. ownerAuth: empty to the given value.
 * 2. The dictionary-attack parameters, by lockoutAuth.
 * 3. lockoutAuth: empty to the given value.
 * Whether a value is set already is read from the TPM; if so it must be the given one, so a run that was cut off can be
 * repeated. A lie in that answer only makes the call fail. */
#include "hal/linux/tpm_int.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"

static enum err check_auth(struct span auth)
{
    ENSURE(auth.len == HAL_TPM_DIGEST_BYTES, ERR_RANGE, "length of an authorisation value");
    ENSURE(auth.data[auth.len - 1] != 0, ERR_RANGE, "TPMs drop zeros at the end of an authorisation value");
    return ERR_OK;
}

/* A wrong lockoutAuth is AUTH_FAIL like a wrong PIN, but no person typed it. */
static enum err not_a_pin(enum err err)
{
    return err == ERR_PIN ? ERR_AUTH : err;
}

static enum err change_auth(struct tpm_call *call, ESYS_TR hierarchy, struct span auth)
{
    TPM2B_AUTH value = {.size = HAL_TPM_DIGEST_BYTES};

    TRY(tpm_session_use(call, call->session, TPMA_SESSION_DECRYPT));
    memcpy(value.buffer, auth.data, HAL_TPM_DIGEST_BYTES);
    enum err err = tpm_sent(
        call, Esys_HierarchyChangeAuth_Async(call->esys, hierarchy, call->session, ESYS_TR_NONE, ESYS_TR_NONE, &value));
    if (err == ERR_OK) {
        err = tpm_answered(call, TPM_FINISH(call, Esys_HierarchyChangeAuth_Finish(call->esys)));
    }
    mem_wipe(&value, sizeof(value));
    return not_a_pin(err);
}

static enum err set_parameters(struct tpm_call *call)
{
    TRY(tpm_session_use(call, call->session, 0));
    TRY(tpm_sent(call, Esys_DictionaryAttackParameters_Async(call->esys, ESYS_TR_RH_LOCKOUT, call->session,
                                                             ESYS_TR_NONE, ESYS_TR_NONE, HAL_TPM_DA_TRIES,
                                                             HAL_TPM_DA_RECOVERY_S, HAL_TPM_LOCKOUT_WAIT_S)));
    return not_a_pin(tpm_answered(call, TPM_FINISH(call, Esys_DictionaryAttackParameters_Finish(call->esys))));
}

enum err tpm_own(struct hal_tpm *tpm, const struct hal_tpm_name *srk, const struct hal_tpm_owner *owner)
{
    SCOPED_CALL struct tpm_call call = TPM_CALL_NONE;
    struct hal_tpm_info info;

    TRY(check_auth(owner->owner_auth));
    TRY(check_auth(owner->lockout_auth));
    TRY(hal_tpm_info(tpm, &info));
    TRY(tpm_call_open(tpm_of(tpm), &call));
    TRY(tpm_session_open(&call, srk));
    TRY(tpm_set_auth(&call, ESYS_TR_RH_OWNER, info.owner_auth_set ? owner->owner_auth : SPAN_NONE));
    TRY(change_auth(&call, ESYS_TR_RH_OWNER, owner->owner_auth));
    TRY(tpm_set_auth(&call, ESYS_TR_RH_LOCKOUT, info.lockout_auth_set ? owner->lockout_auth : SPAN_NONE));
    TRY(set_parameters(&call));
    return change_auth(&call, ESYS_TR_RH_LOCKOUT, owner->lockout_auth);
}

enum err tpm_lockout_reset(struct hal_tpm *tpm, const struct hal_tpm_name *srk, struct span lockout_auth)
{
    SCOPED_CALL struct tpm_call call = TPM_CALL_NONE;

    TRY(tpm_call_open(tpm_of(tpm), &call));
    TRY(tpm_session_open(&call, srk));
    TRY(tpm_session_use(&call, call.session, 0));
    TRY(tpm_set_auth(&call, ESYS_TR_RH_LOCKOUT, lockout_auth));
    TRY(tpm_sent(&call, Esys_DictionaryAttackLockReset_Async(call.esys, ESYS_TR_RH_LOCKOUT, call.session, ESYS_TR_NONE,
                                                             ESYS_TR_NONE)));
    return not_a_pin(tpm_answered(&call, TPM_FINISH(&call, Esys_DictionaryAttackLockReset_Finish(call.esys))));
}
