/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One call to the TPM: waiting with a limit, codes, sessions, and leaving nothing behind.
 *
 * TSS2_RC stops here. Its layers: what the TPM itself said (0, or through a resource manager), what ESYS and SYS made
 * of an answer, and the TCTI, whose failures mean that there is no TPM to talk to any more. */
#include "hal/linux/tpm_int.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/clock.h"

#define RC_LAYER      UINT32_C(0x00ff0000)
#define RC_BASE       UINT32_C(0x0000ffff)
#define RC_FORMAT_ONE UINT32_C(0x00000080)
#define RC_CODE_ONE   UINT32_C(0x000000bf) /* format one without the number of the parameter, handle or session */
#define RC_CODE_ZERO  UINT32_C(0x0000ffff)

#define BARE_COMMAND_MAX 64
#define DEAD_STACK_BYTES 32768 /* copies were found about 4 KiB below */

struct rc_row {
    TSS2_RC rc;
    enum err err;
};

static const struct rc_row tpm_rows[] = {
    {TPM2_RC_AUTH_FAIL, ERR_PIN},     {TPM2_RC_BAD_AUTH, ERR_AUTH},      {TPM2_RC_POLICY_FAIL, ERR_POLICY},
    {TPM2_RC_POLICY, ERR_POLICY},     {TPM2_RC_PCR_CHANGED, ERR_POLICY}, {TPM2_RC_LOCKOUT, ERR_LOCKED},
    {TPM2_RC_INTEGRITY, ERR_AUTH},    {TPM2_RC_HANDLE, ERR_NOT_FOUND},   {TPM2_RC_BINDING, ERR_AUTH},
    {TPM2_RC_NV_DEFINED, ERR_EXISTS}, {TPM2_RC_PCR, ERR_UNSUPPORTED},  {TPM2_RC_NV_AUTHORIZATION, ERR_DENIED},
};

static enum err from_tpm(TSS2_RC rc)
{
    const TSS2_RC code = rc & ((rc & RC_FORMAT_ONE) != 0 ? RC_CODE_ONE : RC_CODE_ZERO);

    for (size_t i = 0; i < ARRAY_LENGTH(tpm_rows); i++) {
        if (tpm_rows[i].rc == code) {
            return tpm_rows[i].err;
        }
    }
    return ERR_DEVICE;
}

static enum err from_base(TSS2_RC rc)
{
    const TSS2_RC base = rc & RC_BASE;

    if (base == TSS2_BASE_RC_RSP_AUTH_FAILED) {
        return ERR_AUTH;
    }
    if (base == TSS2_BASE_RC_NOT_SUPPORTED) {
        return ERR_UNSUPPORTED; /* tpm_crypto.c, asked for what our sessions do not use */
    }
    return base == TSS2_BASE_RC_MEMORY ? ERR_NO_MEMORY : ERR_DEVICE;
}

static enum err from_tss(struct linux_tpm *tpm, TSS2_RC rc)
{
    const TSS2_RC layer = rc & RC_LAYER;

    if (rc == TSS2_RC_SUCCESS) {
        return ERR_OK;
    }
    if (rc == TPM_RC_TIMED_OUT) {
        tpm->gone = true; /* its late answer would be taken for that of the next command */
        return ERR_TIMEOUT;
    }
    if (layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER) {
        return from_tpm(rc & RC_BASE);
    }
    if (layer == TSS2_TCTI_RC_LAYER) {
        tpm->gone = true;
        return (rc & RC_BASE) == TSS2_BASE_RC_MALFORMED_RESPONSE ? ERR_DEVICE : ERR_NO_DEVICE;
    }
    return from_base(rc);
}

enum err tpm_code(struct tpm_call *call, TSS2_RC rc)
{
    return from_tss(call->tpm, rc);
}

enum err tpm_sent(struct tpm_call *call, TSS2_RC rc)
{
    const enum err err = from_tss(call->tpm, rc);

    if (err != ERR_OK) {
        FAIL(err, "sending a TPM command", rc);
    }
    call->deadline = mono_add_ms(hal_clock_mono(hal_clock_system()), tpm_wire().timeout_ms);
    return ERR_OK;
}

enum err tpm_answered(struct tpm_call *call, TSS2_RC rc)
{
    const enum err err = from_tss(call->tpm, rc);

    if (err != ERR_OK) {
        FAIL(err, "answer of the TPM", rc);
    }
    return ERR_OK;
}

bool tpm_again(TSS2_RC rc)
{
    const TSS2_RC layer = rc & RC_LAYER;

    return rc != TPM_RC_TIMED_OUT && layer != TSS2_TPM_RC_LAYER && layer != TSS2_RESMGR_TPM_RC_LAYER &&
           (rc & RC_BASE) == TSS2_BASE_RC_TRY_AGAIN;
}

TSS2_RC tpm_await(struct tpm_call *call)
{
    TSS2_TCTI_POLL_HANDLE handle = {0};
    size_t count = 1;

    INVARIANT(Tss2_Tcti_GetPollHandles(call->tpm->tcti, &handle, &count) == TSS2_RC_SUCCESS && count == 1);
    for (;;) {
        const uint64_t left_ms = mono_ms_between(hal_clock_mono(hal_clock_system()), call->deadline);
        struct pollfd answer = {.fd = handle.fd, .events = POLLIN};
        const int ready = poll(&answer, 1, (int)left_ms);

        if (ready > 0) {
            return TSS2_RC_SUCCESS;
        }
        if (ready == 0 || errno != EINTR) {
            return TPM_RC_TIMED_OUT;
        }
    }
}

void tpm_free(void *memory, size_t bytes)
{
    if (memory != NULL) {
        mem_wipe(memory, bytes);
        Esys_Free(memory);
    }
}

enum err tpm_call_open(struct linux_tpm *tpm, struct tpm_call *out_call)
{
    struct tpm_call call = TPM_CALL_NONE;

    ENSURE(!tpm->gone, ERR_NO_DEVICE, "the TPM has been given up");
    call.tpm = tpm;
    TRY(tpm_answered(&call, Esys_Initialize(&call.esys, tpm->tcti, NULL)));
    *out_call = call; /* from here the caller's scope ends it */
    return tpm_answered(out_call, tpm_crypto_lend(out_call->esys, tpm));
}

/* A command of one number, written and read here: ESYS has no way to name a handle that it did not make, and after an
 * answer that it refused it sends nothing more. An answer that is not ten bytes long means that commands and answers no
 * longer belong together: the TPM is given up. Spec: TPM 2.0 Part 1, 18.2. */
enum err tpm_bare_command(struct tpm_call *call, uint32_t code, struct span argument)
{
    uint8_t command[BARE_COMMAND_MAX] = {0x80, 0x01};
    uint8_t answer[BARE_COMMAND_MAX];
    size_t answer_bytes = sizeof(answer);

    INVARIANT(argument.len <= sizeof(command) - TPM_HEADER_BYTES);
    put_u32be(command + 2, (uint32_t)(TPM_HEADER_BYTES + argument.len));
    put_u32be(command + 6, code);
    memcpy(command + TPM_HEADER_BYTES, argument.data, argument.len);
    enum err err = tpm_sent(call, Tss2_Tcti_Transmit(call->tpm->tcti, TPM_HEADER_BYTES + argument.len, command));
    if (err == ERR_OK) {
        const int32_t timeout_ms = (int32_t)tpm_wire().timeout_ms;
        err = tpm_code(call, TPM_FINISH(call, Tss2_Tcti_Receive(call->tpm->tcti, &answer_bytes, answer, timeout_ms)));
    }
    if (err != ERR_OK || answer_bytes != TPM_HEADER_BYTES) {
        call->tpm->gone = true;
        return err == ERR_OK ? ERR_DEVICE : err;
    }
    return tpm_code(call, get_u32be(answer + 6));
}

/* What cannot be flushed costs the TPM a slot until its next start; the trail is left to the error that may be on its
 * way up. */
static void flush(struct tpm_call *call, ESYS_TR object)
{
    TPM2_HANDLE handle = 0;
    uint8_t argument[4];

    if (object == ESYS_TR_NONE || call->tpm->gone ||
        Esys_TR_GetTpmHandle(call->esys, object, &handle) != TSS2_RC_SUCCESS) {
        return;
    }
    put_u32be(argument, handle);
    const enum err err = tpm_bare_command(call, TPM2_CC_FlushContext, span_array(argument));
    if (err != ERR_OK) {
        LOG(LOG_WARN, "tpm-flush", LOG_LITERAL("error", err_name(err)));
    }
}

/* After a PIN was presented, TPM2_Shutdown(STATE) follows each call: a TPM that loses power without it counts a wrong
 * PIN, because somebody may have pulled the plug to keep a guess from being counted, and any command that changes its
 * state makes an earlier shutdown void. Spec: TPM 2.0 Part 1, 19.8.6 (non-orderly shutdown). */
static void shutdown_state(struct tpm_call *call)
{
    const uint8_t argument[2] = {0, TPM2_SU_STATE};

    if (!call->tpm->pin_used || call->tpm->gone) {
        return;
    }
    const enum err err = tpm_bare_command(call, TPM2_CC_Shutdown, span_array(argument));
    if (err != ERR_OK) {
        LOG(LOG_WARN, "tpm-shutdown-state", LOG_LITERAL("error", err_name(err)));
    }
}

/* ESYS leaves plaintext in stack frames that it has returned from. They lie below this one. The large frame is the
 * purpose here, hence the silenced warning. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wframe-larger-than="
__attribute__((noinline)) static void wipe_stack_below(void)
{
    uint8_t dead[DEAD_STACK_BYTES];

    mem_wipe(dead, sizeof(dead));
}
#pragma GCC diagnostic pop

void tpm_call_done(struct tpm_call *call)
{
    if (call->esys == NULL) {
        return;
    }
    flush(call, call->key);
    flush(call, call->object);
    flush(call, call->policy);
    flush(call, call->session);
    shutdown_state(call);
    Esys_Finalize(&call->esys);
    wipe_stack_below();
}

enum err tpm_session_start(struct tpm_call *call, TPM2_SE type, ESYS_TR *out_session)
{
    const TPMT_SYM_DEF symmetric = {.algorithm = TPM2_ALG_AES, .keyBits = {.aes = 128}, .mode = {.aes = TPM2_ALG_CFB}};

    TRY(tpm_sent(call, Esys_StartAuthSession_Async(call->esys, call->srk, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                                   ESYS_TR_NONE, NULL, type, &symmetric, TPM2_ALG_SHA256)));
    return tpm_answered(call, TPM_FINISH(call, Esys_StartAuthSession_Finish(call->esys, out_session)));
}

enum err tpm_session_use(struct tpm_call *call, ESYS_TR session, TPMA_SESSION attributes)
{
    const TPMA_SESSION in_clear = attributes & TPMA_SESSION_AUDIT;
    const TPMA_SESSION used = tpm_wire().encrypt ? attributes : in_clear;

    return tpm_answered(call,
                        Esys_TRSess_SetAttributes(call->esys, session, used | TPMA_SESSION_CONTINUESESSION, 0xff));
}

enum err tpm_set_auth(struct tpm_call *call, ESYS_TR object, struct span auth)
{
    TPM2B_AUTH value = {.size = 0};

    ENSURE(auth.len <= HAL_TPM_DIGEST_BYTES, ERR_RANGE, "authorisation value too long");
    if (auth.len > 0) {
        memcpy(value.buffer, auth.data, auth.len);
        value.size = (UINT16)auth.len;
    }
    const enum err err = tpm_answered(call, Esys_TR_SetAuth(call->esys, object, &value));
    mem_wipe(&value, sizeof(value));
    return err;
}

enum err tpm_capability(struct tpm_call *call, TPM2_CAP capability, uint32_t first, TPMS_CAPABILITY_DATA *out_data)
{
    TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more = 0;

    TRY(tpm_sent(call, Esys_GetCapability_Async(call->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, capability, first,
                                                TPM2_MAX_TPM_PROPERTIES)));
    TRY(tpm_answered(call, TPM_FINISH(call, Esys_GetCapability_Finish(call->esys, &more, &data))));
    const bool asked_for = data->capability == capability;
    if (asked_for) {
        *out_data = *data;
    }
    TPM_FREE(data);
    ENSURE(asked_for, ERR_DEVICE, "another capability than asked for");
    return ERR_OK;
}
