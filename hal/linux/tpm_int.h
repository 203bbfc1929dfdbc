/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside the TPM driver.
 *
 * One struct tpm_call lives for one call of the interface: its own ESYS context, the SRK, the sessions and the object
 * it loads. What is left open is flushed from the TPM when the call ends, however it ends; nothing of one call (a
 * session key, a decrypted parameter) is in memory during the next.
 *
 * Every TPM command is written as two lines, so that none waits for ever:
 *     TRY(tpm_sent(&call, Esys_X_Async(call.esys, ...)));
 *     TRY(tpm_answered(&call, TPM_FINISH(&call, Esys_X_Finish(call.esys, ...)))); */
#ifndef HAL_LINUX_TPM_INT_H
#define HAL_LINUX_TPM_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tss2/tss2_esys.h>
#include <tss2/tss2_tcti.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/time.h"
#include "hal/tpm.h"

struct linux_tpm {
    struct hal_tpm base;
    TSS2_TCTI_CONTEXT *tcti;
    const struct hal_tpm_crypto *crypto;
    bool gone;     /* stopped answering: nothing is sent to it any more */
    bool pin_used; /* since start-up: see tpm_call_done */
};

struct tpm_call {
    struct linux_tpm *tpm;
    ESYS_CONTEXT *esys;
    struct mono_time deadline; /* of the command under way */
    ESYS_TR srk;
    ESYS_TR session; /* HMAC, salted with the SRK */
    ESYS_TR policy;  /* policy session, salted with the SRK */
    ESYS_TR object;  /* loaded or created, transient */
    ESYS_TR key;     /* of an authority, transient */
    ESYS_TR counter; /* persistent */
};

/* What the tests may choose by linking a definition of their own in place of tpm_wire.c; no other way exists. */
struct tpm_wire {
    bool encrypt;            /* parameter encryption; true in every program but one test */
    unsigned int timeout_ms; /* of one command */
};
struct tpm_wire tpm_wire(void);

/* Every packet begins with tag (2 bytes), size (4) and code (4). */
#define TPM_HEADER_BYTES 10
#define TPM_SIZE_AT      2

/* Connects, or opens the device. ERR_NO_DEVICE, ERR_MALFORMED, ERR_TIMEOUT, ERR_NO_MEMORY. */
enum err tpm_tcti_open(const char *tcti, TSS2_TCTI_CONTEXT **out_context) MUST_USE;
void tpm_tcti_close(TSS2_TCTI_CONTEXT *context);
enum err tpm_device_open(const char *path, TSS2_TCTI_CONTEXT **out_context) MUST_USE;

/* What both wires do alike: wait for events of a descriptor (false: not within the time), refuse to cancel a command (the
 * driver gives the TPM up instead), and stay at locality 0. */
bool tpm_ready(int fd, short events, int timeout_ms);
TSS2_RC tpm_no_cancel(TSS2_TCTI_CONTEXT *context);
TSS2_RC tpm_locality(TSS2_TCTI_CONTEXT *context, uint8_t locality);

/* Has ESYS compute with the driver's cryptography: ESYS itself has none. ERR_NO_MEMORY. */
TSS2_RC tpm_crypto_lend(ESYS_CONTEXT *esys, struct linux_tpm *tpm) MUST_USE;

/* ERR_NO_DEVICE if the TPM has been given up. The call must be SCOPED_CALL. */
enum err tpm_call_open(struct linux_tpm *tpm, struct tpm_call *out_call) MUST_USE;
void tpm_call_done(struct tpm_call *call);
#define SCOPED_CALL SCOPED(tpm_call_done)
#define TPM_CALL_NONE                                                                                                  \
    {                                                                                                                  \
        .srk = ESYS_TR_NONE, .session = ESYS_TR_NONE, .policy = ESYS_TR_NONE, .object = ESYS_TR_NONE,                  \
        .key = ESYS_TR_NONE, .counter = ESYS_TR_NONE                                                                   \
    }

/* After an _Async: starts the command's time; its code. After a _Finish: its code, and the raw number in the trail. */
enum err tpm_sent(struct tpm_call *call, TSS2_RC rc) MUST_USE;
enum err tpm_answered(struct tpm_call *call, TSS2_RC rc) MUST_USE;

/* tpm_answered without a trail, for answers that are expected to be refusals. */
enum err tpm_code(struct tpm_call *call, TSS2_RC rc) MUST_USE;

/* Waits until the answer can be read; success, or TPM_RC_TIMED_OUT. */
TSS2_RC tpm_await(struct tpm_call *call) MUST_USE;

/* Is it a "not yet" for which the time is not over? */
bool tpm_again(TSS2_RC rc);

#define TPM_RC_TIMED_OUT UINT32_C(0xff0001) /* of no layer that TSS knows */

#define TPM_FINISH(call, finish)                                                                                       \
    (__extension__({                                                                                                   \
        TSS2_RC finish_rc_;                                                                                            \
        do {                                                                                                           \
            finish_rc_ = tpm_await(call);                                                                              \
            if (finish_rc_ == TSS2_RC_SUCCESS) {                                                                       \
                finish_rc_ = (finish);                                                                                 \
            }                                                                                                          \
        } while (tpm_again(finish_rc_));                                                                               \
        finish_rc_;                                                                                                    \
    }))

/* Wipes what ESYS allocated, then frees it; *memory is then NULL. */
void tpm_free(void *memory, size_t bytes);
#define TPM_FREE(pointer)                                                                                              \
    do {                                                                                                               \
        tpm_free((pointer), sizeof(*(pointer)));                                                                       \
        (pointer) = NULL;                                                                                              \
    } while (0)

/* Sends a command without sessions whose answer is nothing but a code, past ESYS. No trail. */
enum err tpm_bare_command(struct tpm_call *call, uint32_t code, struct span argument) MUST_USE;

/* Opens the persistent SRK in the call. ERR_NOT_FOUND. */
enum err tpm_srk_find(struct tpm_call *call, struct hal_tpm_name *out_name) MUST_USE;

/* The same, and refuses any but the pinned one with ERR_STALE_KEY; then starts call->session. */
enum err tpm_session_open(struct tpm_call *call, const struct hal_tpm_name *srk) MUST_USE;

/* A session of this type salted with call->srk (unsalted when that is ESYS_TR_NONE). */
enum err tpm_session_start(struct tpm_call *call, TPM2_SE type, ESYS_TR *out_session) MUST_USE;

/* What the next command uses the session for: TPMA_SESSION_DECRYPT, _ENCRYPT (both dropped when the wire is plain) and
 * _AUDIT; it always continues. */
enum err tpm_session_use(struct tpm_call *call, ESYS_TR session, TPMA_SESSION attributes) MUST_USE;

enum err tpm_set_auth(struct tpm_call *call, ESYS_TR object, struct span auth) MUST_USE;
enum err tpm_capability(struct tpm_call *call, TPM2_CAP capability, uint32_t first, TPMS_CAPABILITY_DATA *out_data)
    MUST_USE;

/* SHA-256 by the TPM, the question and the answer authenticated by call->session. */
enum err tpm_hash(struct tpm_call *call, struct span text, uint8_t out_digest[HAL_TPM_DIGEST_BYTES]) MUST_USE;

/* digest = H(digest | command code | arguments), as TPMs count policies. */
enum err tpm_policy_extend(struct tpm_call *call, uint32_t command, struct span arguments,
                           uint8_t digest[HAL_TPM_DIGEST_BYTES]) MUST_USE;

/* What PolicyAuthorize by this authority makes of any digest before it. */
enum err tpm_authority_digest(struct tpm_call *call, const struct hal_tpm_authority *authority,
                              uint8_t out_digest[HAL_TPM_DIGEST_BYTES]) MUST_USE;

/* Does in call->policy what the authority approved, and then PolicyAuthorize. ERR_POLICY: it does not hold. */
enum err tpm_authority_satisfy(struct tpm_call *call, const struct hal_tpm_authority *authority,
                               const struct hal_tpm_approval *approval) MUST_USE;

/* PolicyPCR in call->policy, of the values as they are. */
enum err tpm_policy_pcr(struct tpm_call *call, uint32_t mask) MUST_USE;

/* Opens the index at the counter's place in the call. ERR_NOT_FOUND. */
enum err tpm_counter_find(struct tpm_call *call) MUST_USE;

/* PolicyPCR's selection of the SHA-256 bank. */
TPML_PCR_SELECTION tpm_pcr_selection(uint32_t mask);

/* The interface's calls that live in other files. */
enum err tpm_srk_make(struct hal_tpm *tpm, struct span owner_auth, struct hal_tpm_name *out_name) MUST_USE;
enum err tpm_srk_name(struct hal_tpm *tpm, struct hal_tpm_name *out_name) MUST_USE;
enum err tpm_own(struct hal_tpm *tpm, const struct hal_tpm_name *srk, const struct hal_tpm_owner *owner) MUST_USE;
enum err tpm_lockout_reset(struct hal_tpm *tpm, const struct hal_tpm_name *srk, struct span lockout_auth) MUST_USE;
enum err tpm_seal(struct hal_tpm *tpm, const struct hal_tpm_name *srk, const struct hal_tpm_policy *policy,
                  struct span secret, struct hal_tpm_sealed *out_sealed) MUST_USE;
enum err tpm_unseal(struct hal_tpm *tpm, const struct hal_tpm_name *srk, const struct hal_tpm_policy *policy,
                    const struct hal_tpm_sealed *sealed, uint8_t *out_secret, size_t secret_bytes) MUST_USE;
enum err tpm_counter_make(struct hal_tpm *tpm, const struct hal_tpm_name *srk, struct span owner_auth,
                          struct hal_tpm_counter *out_counter) MUST_USE;
enum err tpm_counter_read(struct hal_tpm *tpm, const struct hal_tpm_name *srk, struct hal_tpm_counter *out_counter)
    MUST_USE;
enum err tpm_counter_step(struct hal_tpm *tpm, const struct hal_tpm_name *srk, struct span owner_auth,
                          struct hal_tpm_counter *out_counter) MUST_USE;
enum err tpm_policy_check(const struct hal_tpm_policy *policy) MUST_USE;

static inline struct linux_tpm *tpm_of(struct hal_tpm *tpm)
{
    return (struct linux_tpm *)tpm;
}

#endif
