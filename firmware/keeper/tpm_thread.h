/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The thread that waits for the TPM, so that signatures do not. One job at a time; while a job runs the vault is the
 * thread's, and nobody else touches it. The jobs of an open box (probe, images) leave the vault alone; they have what
 * they need in the struct measured, which is this thread's then. */
#ifndef FIRMWARE_KEEPER_TPM_THREAD_H
#define FIRMWARE_KEEPER_TPM_THREAD_H

#include "firmware/keeper/measured.h"
#include "firmware/keeper/vault.h"
#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/tpm.h"

struct tpm_thread;

enum tpm_job_kind {
    TPM_JOB_UNLOCK_PIN,
    TPM_JOB_UNLOCK_RECOVERY,
    TPM_JOB_UNLOCK_DATE_BACK,
    TPM_JOB_PROBE,
    TPM_JOB_APPROVE, /* ERR_UNSUPPORTED, as the next two, on a board that is not measured */
    TPM_JOB_BLESS,
    TPM_JOB_PLAN
};

struct tpm_job {
    enum tpm_job_kind kind;
    struct msg_recovery text; /* of an unlocking; wiped by the thread */
    uint64_t request;         /* the caller's */
    size_t link;              /* the caller's */
    struct msg_policy policy; /* TPM_JOB_APPROVE */
    struct msg_plan plan;     /* TPM_JOB_PLAN */
    uint32_t minimum;         /* the result of TPM_JOB_BLESS */
    enum err err;             /* the result */
};

/* tpm and measured may be NULL; they stay the caller's, as does the vault. ERR_NO_MEMORY, ERR_LIMIT, ERR_IO. */
enum err tpm_thread_start(struct hal_tpm *tpm, struct vault *vault, struct measured *measured,
                          struct tpm_thread **out_thread) MUST_USE;

/* Ends the thread after the job it is doing. NULL is fine. */
void tpm_thread_end(struct tpm_thread *thread);

/* Starts a job; the text is copied. ERR_LIMIT: one is under way. */
enum err tpm_thread_do(struct tpm_thread *thread, const struct tpm_job *job) MUST_USE;

/* The job that is finished: the vault is the caller's again. ERR_AGAIN: none. */
enum err tpm_thread_done(struct tpm_thread *thread, struct tpm_job *out_job) MUST_USE;

bool tpm_thread_is_busy(const struct tpm_thread *thread);

/* Readable when a job may be finished. */
int tpm_thread_fd(const struct tpm_thread *thread);

#endif
