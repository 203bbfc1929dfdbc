/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The TPM through tpm2-tss: opening, closing, and what needs no secret. The sealing is in tpm_seal.c and
 * tpm_authority.c, the SRK in tpm_srk.c, ownership in tpm_own.c, the counter in tpm_counter.c, sessions and error codes in tpm_call.c. */
#include "hal/tpm.h"

#include <string.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/linux/tpm_int.h"

#define RANDOM_AT_ONCE 32 /* every TPM gives the size of its largest digest */
#define FLUSH_LEFT_MAX 16 /* sessions or objects of a dead process, per kind */

static enum err startup(struct tpm_call *call)
{
    TRY(tpm_sent(call, Esys_Startup_Async(call->esys, TPM2_SU_CLEAR)));
    const TSS2_RC rc = TPM_FINISH(call, Esys_Startup_Finish(call->esys));

    if (rc == TPM2_RC_INITIALIZE) {
        return ERR_OK; /* the platform has done it */
    }
    return tpm_answered(call, rc);
}

/* A process that was killed leaves its sessions and objects in a TPM that has no resource manager, and a TPM has room
 * for three. The TPM is ours alone, so whatever is there is rubbish. */
static enum err flush_all_left(struct tpm_call *call)
{
    /* TPM2_TRANSIENT_FIRST itself shifts a bit into the sign of an int, which the sanitizer refuses. */
    static const uint32_t firsts[] = {(uint32_t)TPM2_HT_TRANSIENT << TPM2_HR_SHIFT, TPM2_LOADED_SESSION_FIRST,
                                      TPM2_ACTIVE_SESSION_FIRST};
    TPMS_CAPABILITY_DATA data;

    for (size_t kind = 0; kind < ARRAY_LENGTH(firsts); kind++) {
        TRY(tpm_capability(call, TPM2_CAP_HANDLES, firsts[kind], &data));
        for (size_t i = 0; i < num_min(data.data.handles.count, FLUSH_LEFT_MAX); i++) {
            uint8_t handle[4];

            put_u32be(handle, data.data.handles.handle[i]);
            TRY(tpm_bare_command(call, TPM2_CC_FlushContext, span_array(handle)));
        }
    }
    return ERR_OK;
}

static enum err start(struct linux_tpm *tpm)
{
    SCOPED_CALL struct tpm_call call = TPM_CALL_NONE;

    TRY(tpm_call_open(tpm, &call));
    TRY(startup(&call));
    return flush_all_left(&call);
}

static enum err orderly_end(struct linux_tpm *tpm)
{
    const uint8_t clear[2] = {0, TPM2_SU_CLEAR};
    SCOPED_CALL struct tpm_call call = TPM_CALL_NONE;

    tpm->pin_used = false; /* CLEAR is orderly too, and the last word */
    TRY(tpm_call_open(tpm, &call));
    return tpm_bare_command(&call, TPM2_CC_Shutdown, span_array(clear));
}

static void tpm_close(struct hal_tpm *base)
{
    struct linux_tpm *tpm = tpm_of(base);
    const enum err err = tpm->gone ? ERR_NO_DEVICE : orderly_end(tpm);

    if (err != ERR_OK) {
        LOG(LOG_WARN, "tpm-shutdown", LOG_LITERAL("error", err_name(err)));
    }
    tpm_tcti_close(tpm->tcti);
    mem_free(tpm);
}

static void take_property(struct hal_tpm_info *info, const TPMS_TAGGED_PROPERTY *property)
{
    switch (property->property) { /* of several hundred properties; not an enum */
    case TPM2_PT_MANUFACTURER:
        put_u32be((uint8_t *)info->manufacturer, property->value);
        break;
    case TPM2_PT_FIRMWARE_VERSION_1:
        info->firmware_high = property->value;
        break;
    case TPM2_PT_FIRMWARE_VERSION_2:
        info->firmware_low = property->value;
        break;
    case TPM2_PT_PERMANENT:
        info->owner_auth_set = (property->value & TPMA_PERMANENT_OWNERAUTHSET) != 0;
        info->lockout_auth_set = (property->value & TPMA_PERMANENT_LOCKOUTAUTHSET) != 0;
        info->in_lockout = (property->value & TPMA_PERMANENT_INLOCKOUT) != 0;
        break;
    case TPM2_PT_LOCKOUT_COUNTER:
        info->lockout_counter = property->value;
        break;
    case TPM2_PT_MAX_AUTH_FAIL:
        info->lockout_tries = property->value;
        break;
    case TPM2_PT_LOCKOUT_INTERVAL:
        info->lockout_recovery_s = property->value;
        break;
    }
}

static enum err tpm_info(struct hal_tpm *tpm, struct hal_tpm_info *out_info)
{
    static const uint32_t groups[] = {TPM2_PT_FIXED, TPM2_PT_VAR};
    SCOPED_CALL struct tpm_call call = TPM_CALL_NONE;
    struct hal_tpm_info info = {.manufacturer = ""};
    TPMS_CAPABILITY_DATA data;

    TRY(tpm_call_open(tpm_of(tpm), &call));
    for (size_t group = 0; group < ARRAY_LENGTH(groups); group++) {
        TRY(tpm_capability(&call, TPM2_CAP_TPM_PROPERTIES, groups[group], &data));
        for (size_t i = 0; i < data.data.tpmProperties.count; i++) {
            take_property(&info, &data.data.tpmProperties.tpmProperty[i]);
        }
    }
    for (size_t i = 0; i < sizeof(info.manufacturer) - 1; i++) {
        if (info.manufacturer[i] < ' ' || info.manufacturer[i] > '~') {
            info.manufacturer[i] = ' ';
        }
    }

    *out_info = info;
    return ERR_OK;
}

static enum err tpm_self_test(struct hal_tpm *tpm)
{
    SCOPED_CALL struct tpm_call call = TPM_CALL_NONE;

    TRY(tpm_call_open(tpm_of(tpm), &call));
    TRY(tpm_sent(&call, Esys_SelfTest_Async(call.esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_YES)));
    return tpm_answered(&call, TPM_FINISH(&call, Esys_SelfTest_Finish(call.esys)));
}

static enum err random_part(struct tpm_call *call, uint8_t *out_bytes, size_t len, size_t *out_got)
{
    TPM2B_DIGEST *random = NULL;

    TRY(tpm_sent(call, Esys_GetRandom_Async(call->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, (UINT16)len)));
    TRY(tpm_answered(call, TPM_FINISH(call, Esys_GetRandom_Finish(call->esys, &random))));
    const size_t got = num_min(random->size, len);
    memcpy(out_bytes, random->buffer, got);
    TPM_FREE(random);
    ENSURE(got > 0, ERR_DEVICE, "the TPM gave no random bytes");

    *out_got = got;
    return ERR_OK;
}

static enum err tpm_random(struct hal_tpm *tpm, uint8_t *out_bytes, size_t len)
{
    SCOPED_CALL struct tpm_call call = TPM_CALL_NONE;
    size_t done = 0;

    ENSURE(len > 0 && len <= HAL_TPM_RANDOM_MAX, ERR_RANGE, "number of random bytes");
    TRY(tpm_call_open(tpm_of(tpm), &call));
    while (done < len) { /* each turn brings at least one byte */
        size_t got = 0;

        TRY(random_part(&call, out_bytes + done, num_min(len - done, RANDOM_AT_ONCE), &got));
        done += got;
    }
    return ERR_OK;
}

TPML_PCR_SELECTION tpm_pcr_selection(uint32_t mask)
{
    return (TPML_PCR_SELECTION){
        .count = 1,
        .pcrSelections = {{.hash = TPM2_ALG_SHA256,
                           .sizeofSelect = 3,
                           .pcrSelect = {(BYTE)(mask & 0xff), (BYTE)(mask >> 8 & 0xff), (BYTE)(mask >> 16 & 0xff)}}}};
}

static enum err tpm_pcr_read(struct hal_tpm *tpm, unsigned int pcr, uint8_t out_digest[HAL_TPM_DIGEST_BYTES])
{
    SCOPED_CALL struct tpm_call call = TPM_CALL_NONE;
    TPML_DIGEST *values = NULL;
    UINT32 counter = 0;

    ENSURE(pcr < HAL_TPM_PCR_COUNT, ERR_RANGE, "no such PCR");
    const TPML_PCR_SELECTION selection = tpm_pcr_selection(UINT32_C(1) << pcr);
    TRY(tpm_call_open(tpm_of(tpm), &call));
    TRY(tpm_sent(&call, Esys_PCR_Read_Async(call.esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &selection)));
    TRY(tpm_answered(&call, TPM_FINISH(&call, Esys_PCR_Read_Finish(call.esys, &counter, NULL, &values))));
    const bool given = values->count == 1 && values->digests[0].size == HAL_TPM_DIGEST_BYTES;
    if (given) {
        memcpy(out_digest, values->digests[0].buffer, HAL_TPM_DIGEST_BYTES);
    }
    TPM_FREE(values);
    ENSURE(given, ERR_UNSUPPORTED, "no SHA-256 PCR bank");
    return ERR_OK;
}

static enum err tpm_pcr_extend(struct hal_tpm *tpm, unsigned int pcr, const uint8_t digest[HAL_TPM_DIGEST_BYTES])
{
    SCOPED_CALL struct tpm_call call = TPM_CALL_NONE;
    TPML_DIGEST_VALUES values = {.count = 1, .digests = {{.hashAlg = TPM2_ALG_SHA256}}};

    ENSURE(pcr < HAL_TPM_PCR_COUNT, ERR_RANGE, "no such PCR");
    memcpy(values.digests[0].digest.sha256, digest, HAL_TPM_DIGEST_BYTES);
    TRY(tpm_call_open(tpm_of(tpm), &call));
    TRY(tpm_sent(&call, Esys_PCR_Extend_Async(call.esys, ESYS_TR_PCR0 + pcr, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                              ESYS_TR_NONE, &values)));
    return tpm_answered(&call, TPM_FINISH(&call, Esys_PCR_Extend_Finish(call.esys)));
}

static const struct hal_tpm_ops linux_ops = {
    .close = tpm_close,
    .info = tpm_info,
    .self_test = tpm_self_test,
    .random = tpm_random,
    .pcr_read = tpm_pcr_read,
    .pcr_extend = tpm_pcr_extend,
    .srk_make = tpm_srk_make,
    .srk_name = tpm_srk_name,
    .own = tpm_own,
    .lockout_reset = tpm_lockout_reset,
    .seal = tpm_seal,
    .unseal = tpm_unseal,
    .counter_make = tpm_counter_make,
    .counter_read = tpm_counter_read,
    .counter_step = tpm_counter_step,
};

enum err hal_tpm_open(const char *tcti, const struct hal_tpm_crypto *crypto, struct hal_tpm **out_tpm)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct linux_tpm), &memory));
    struct linux_tpm *tpm = memory;
    tpm->base.ops = &linux_ops;
    tpm->crypto = crypto;
    enum err err = tpm_tcti_open(tcti, &tpm->tcti);
    if (err != ERR_OK) {
        mem_free(tpm);
        return err;
    }
    err = start(tpm);
    if (err != ERR_OK) {
        tpm_tcti_close(tpm->tcti);
        mem_free(tpm);
        return err;
    }

    *out_tpm = &tpm->base;
    return ERR_OK;
}
