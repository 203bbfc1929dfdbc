/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The counter: an NV index that the TPM itself lets grow only.
 *
 * The owner alone raises it, so nobody can lock the box by counting; anybody reads it, since a policy has to. It is outside
 * the dictionary-attack logic. An index with other attributes, another type or another place has another name, and a
 * policy that was made with the name refuses it; one with the same attributes was made by the owner and starts above all
 * that this TPM ever counted (Part 1, 37.2.4), so the best that a forger gets is a higher number, which locks too. */
#include "hal/linux/tpm_int.h"

#include <string.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"

#define COUNTER_BYTES 8

static TPM2B_NV_PUBLIC counter_template(void)
{
    const TPM2B_NV_PUBLIC template = {.nvPublic = {.nvIndex = HAL_TPM_COUNTER_HANDLE,
                                                   .nameAlg = TPM2_ALG_SHA256,
                                                   .attributes = ((TPMA_NV)TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT) |
                                                                 TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD |
                                                                 TPMA_NV_AUTHREAD | TPMA_NV_NO_DA,
                                                   .dataSize = COUNTER_BYTES}};

    return template;
}

enum err tpm_counter_find(struct tpm_call *call)
{
    TRY(tpm_sent(call, Esys_TR_FromTPMPublic_Async(call->esys, HAL_TPM_COUNTER_HANDLE, ESYS_TR_NONE, ESYS_TR_NONE,
                                                   ESYS_TR_NONE)));
    const enum err err = tpm_code(call, TPM_FINISH(call, Esys_TR_FromTPMPublic_Finish(call->esys, &call->counter)));
    if (err == ERR_NOT_FOUND) {
        return err; /* no trail: at provisioning this is what is expected */
    }
    TRY(err);
    return ERR_OK;
}

/* How the index at the counter's place differs from what it has to be. */
enum difference { COUNTER_RIGHT, COUNTER_NEVER_RAISED, COUNTER_OTHER };

static enum err compare(struct tpm_call *call, enum difference *out_difference)
{
    const TPMS_NV_PUBLIC wanted = counter_template().nvPublic;
    TPM2B_NV_PUBLIC *found = NULL;

    TRY(tpm_session_use(call, call->session, TPMA_SESSION_AUDIT));
    TRY(tpm_sent(call, Esys_NV_ReadPublic_Async(call->esys, call->counter, call->session, ESYS_TR_NONE, ESYS_TR_NONE)));
    TRY(tpm_answered(call, TPM_FINISH(call, Esys_NV_ReadPublic_Finish(call->esys, &found, NULL))));
    const TPMS_NV_PUBLIC is = found->nvPublic;
    TPM_FREE(found);
    *out_difference = COUNTER_RIGHT;
    if (is.nvIndex != wanted.nvIndex || is.nameAlg != wanted.nameAlg || is.dataSize != wanted.dataSize ||
        is.authPolicy.size != 0 || (is.attributes & ~TPMA_NV_WRITTEN) != wanted.attributes) {
        *out_difference = COUNTER_OTHER;
    } else if ((is.attributes & TPMA_NV_WRITTEN) == 0) {
        *out_difference = COUNTER_NEVER_RAISED;
    }
    return ERR_OK;
}

static enum err define(struct tpm_call *call)
{
    const TPM2B_NV_PUBLIC template = counter_template();
    const TPM2B_AUTH no_auth = {.size = 0};

    TRY(tpm_session_use(call, call->session, 0));
    TRY(tpm_sent(call, Esys_NV_DefineSpace_Async(call->esys, ESYS_TR_RH_OWNER, call->session, ESYS_TR_NONE,
                                                 ESYS_TR_NONE, &no_auth, &template)));
    return tpm_answered(call, TPM_FINISH(call, Esys_NV_DefineSpace_Finish(call->esys, &call->counter)));
}

static enum err undefine(struct tpm_call *call)
{
    TRY(tpm_session_use(call, call->session, 0));
    TRY(tpm_sent(call, Esys_NV_UndefineSpace_Async(call->esys, ESYS_TR_RH_OWNER, call->counter, call->session,
                                                   ESYS_TR_NONE, ESYS_TR_NONE)));
    TRY(tpm_answered(call, TPM_FINISH(call, Esys_NV_UndefineSpace_Finish(call->esys))));
    call->counter = ESYS_TR_NONE;
    return ERR_OK;
}

static enum err increment(struct tpm_call *call)
{
    TRY(tpm_session_use(call, call->session, 0));
    TRY(tpm_sent(call, Esys_NV_Increment_Async(call->esys, ESYS_TR_RH_OWNER, call->counter, call->session, ESYS_TR_NONE,
                                               ESYS_TR_NONE)));
    return tpm_answered(call, TPM_FINISH(call, Esys_NV_Increment_Finish(call->esys)));
}

static enum err read_value(struct tpm_call *call, uint64_t *out_value)
{
    TPM2B_MAX_NV_BUFFER *data = NULL;

    TRY(tpm_session_use(call, call->session, 0));
    TRY(tpm_sent(call, Esys_NV_Read_Async(call->esys, call->counter, call->counter, call->session, ESYS_TR_NONE,
                                          ESYS_TR_NONE, COUNTER_BYTES, 0)));
    TRY(tpm_answered(call, TPM_FINISH(call, Esys_NV_Read_Finish(call->esys, &data))));
    const bool fits = data->size == COUNTER_BYTES;
    if (fits) {
        *out_value = get_u64be(data->buffer);
    }
    TPM_FREE(data);
    ENSURE(fits, ERR_DEVICE, "a counter of another length");
    return ERR_OK;
}

static enum err tell(struct tpm_call *call, struct hal_tpm_counter *out_counter)
{
    struct hal_tpm_counter counter = {.value = 0};
    TPM2B_NAME *name = NULL;

    TRY(read_value(call, &counter.value));
    TRY(tpm_answered(call, Esys_TR_GetName(call->esys, call->counter, &name)));
    const bool fits = name->size == HAL_TPM_NAME_BYTES;
    if (fits) {
        memcpy(counter.name.bytes, name->name, HAL_TPM_NAME_BYTES);
    }
    TPM_FREE(name);
    ENSURE(fits, ERR_DEVICE, "the counter's name is not a SHA-256 name");
    *out_counter = counter;
    return ERR_OK;
}

/* A wrong ownerAuth is AUTH_FAIL or BAD_AUTH; no person typed it. */
static enum err not_a_pin(enum err err)
{
    return err == ERR_PIN ? ERR_AUTH : err;
}

static enum err make(struct tpm_call *call)
{
    enum difference difference = COUNTER_OTHER;
    enum err err = tpm_counter_find(call);

    if (err == ERR_OK) {
        TRY(compare(call, &difference));
        if (difference == COUNTER_OTHER) {
            const enum err undefined = undefine(call);
            ENSURE(undefined != ERR_DENIED, ERR_CONFLICT, "an index of the platform's, which no owner can remove");
            TRY(undefined);
            err = ERR_NOT_FOUND;
        }
    }
    if (err == ERR_NOT_FOUND) {
        TRY(define(call));
        difference = COUNTER_NEVER_RAISED;
        err = ERR_OK;
    }
    TRY(err);
    if (difference == COUNTER_NEVER_RAISED) {
        TRY(increment(call));
    }
    return ERR_OK;
}

enum err tpm_counter_make(struct hal_tpm *tpm, const struct hal_tpm_name *srk, struct span owner_auth,
                          struct hal_tpm_counter *out_counter)
{
    SCOPED_CALL struct tpm_call call = TPM_CALL_NONE;

    TRY(tpm_call_open(tpm_of(tpm), &call));
    TRY(tpm_session_open(&call, srk));
    TRY(tpm_set_auth(&call, ESYS_TR_RH_OWNER, owner_auth));
    TRY(not_a_pin(make(&call)));
    return tell(&call, out_counter);
}

static enum err open_right_one(struct tpm_call *call, const struct hal_tpm_name *srk)
{
    enum difference difference = COUNTER_OTHER;

    TRY(tpm_session_open(call, srk));
    const enum err err = tpm_counter_find(call);
    ENSURE(err != ERR_NOT_FOUND, ERR_NOT_FOUND, "the TPM has no counter of ours");
    TRY(err);
    TRY(compare(call, &difference));
    ENSURE(difference == COUNTER_RIGHT, ERR_CONFLICT, "another NV index, or one that was never raised");
    return ERR_OK;
}

enum err tpm_counter_read(struct hal_tpm *tpm, const struct hal_tpm_name *srk, struct hal_tpm_counter *out_counter)
{
    SCOPED_CALL struct tpm_call call = TPM_CALL_NONE;

    TRY(tpm_call_open(tpm_of(tpm), &call));
    TRY(open_right_one(&call, srk));
    return tell(&call, out_counter);
}

enum err tpm_counter_step(struct hal_tpm *tpm, const struct hal_tpm_name *srk, struct span owner_auth,
                          struct hal_tpm_counter *out_counter)
{
    SCOPED_CALL struct tpm_call call = TPM_CALL_NONE;

    TRY(tpm_call_open(tpm_of(tpm), &call));
    TRY(open_right_one(&call, srk));
    TRY(tpm_set_auth(&call, ESYS_TR_RH_OWNER, owner_auth));
    TRY(not_a_pin(increment(&call)));
    return tell(&call, out_counter);
}
