/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The job's memory is this module's: a copy on the way in, with which the thread works, and a copy on the way out. */
#include "firmware/keeper/tpm_thread.h"

#include "firmware/job_thread.h"
#include "hal/base/fault.h"
#include "hal/base/log_limit.h"
#include "hal/base/mem.h"
#include "hal/clock.h"

#define PROBE_BYTES 16

struct tpm_thread {
    struct hal_tpm *tpm;
    struct vault *vault;
    struct measured *measured; /* NULL: the board is not measured */
    struct tpm_job job;
    struct job_thread *thread;
    struct log_limit lines; /* the thread's: a locked box is asked by anybody */
};

static enum err probe(struct hal_tpm *tpm)
{
    uint8_t bytes[PROBE_BYTES];

    ENSURE(tpm != NULL, ERR_NO_DEVICE, "there is no TPM");
    TRY(hal_tpm_random(tpm, bytes, sizeof(bytes)));
    return ERR_OK;
}

static enum err do_image(struct tpm_thread *thread)
{
    struct tpm_job *const job = &thread->job;

    ENSURE(thread->measured != NULL, ERR_UNSUPPORTED, "the board is not measured");
    if (job->kind == TPM_JOB_APPROVE) {
        return measured_approve(thread->measured, MSG_VIEW(&job->policy));
    }
    if (job->kind == TPM_JOB_BLESS) {
        return measured_bless(thread->measured, &job->minimum);
    }
    return measured_plan(thread->measured, MSG_VIEW(&job->plan));
}

static enum err carry_out(struct tpm_thread *thread)
{
    const struct span text = MSG_VIEW(&thread->job.text);

    switch (thread->job.kind) {
    case TPM_JOB_UNLOCK_PIN:
        return vault_unlock_pin(thread->vault, text);
    case TPM_JOB_UNLOCK_RECOVERY:
        return vault_unlock_recovery(thread->vault, text);
    case TPM_JOB_UNLOCK_DATE_BACK:
        return vault_unlock_date_back(thread->vault, text);
    case TPM_JOB_PROBE:
        return probe(thread->tpm);
    case TPM_JOB_APPROVE:
    case TPM_JOB_BLESS:
    case TPM_JOB_PLAN:
        return do_image(thread);
    }
    FAIL(ERR_BUG, "no such job", thread->job.kind);
}

static void run(void *context)
{
    struct tpm_thread *const thread = context;

    thread->job.err = carry_out(thread);
    if (thread->job.err != ERR_OK) {
        log_limit_fault(&thread->lines, hal_clock_mono(hal_clock_system()), LOG_WARN, "tpm_job_failed");
    }
    mem_wipe(&thread->job.text, sizeof(thread->job.text));
}

void tpm_thread_end(struct tpm_thread *thread)
{
    if (thread == NULL) {
        return;
    }
    job_thread_free(thread->thread);
    mem_wipe(thread, sizeof(*thread));
    mem_free(thread);
}

static void end_scoped(struct tpm_thread **thread)
{
    tpm_thread_end(*thread);
}

enum err tpm_thread_start(struct hal_tpm *tpm, struct vault *vault, struct measured *measured,
                          struct tpm_thread **out_thread)
{
    void *memory = NULL;
    SCOPED(end_scoped) struct tpm_thread *thread = NULL;

    TRY(mem_alloc(sizeof(struct tpm_thread), &memory));
    thread = memory;
    thread->tpm = tpm;
    thread->vault = vault;
    thread->measured = measured;
    TRY(job_thread_new(run, thread, &thread->thread));
    *out_thread = TAKE(thread);
    return ERR_OK;
}

enum err tpm_thread_do(struct tpm_thread *thread, const struct tpm_job *job)
{
    ENSURE(!tpm_thread_is_busy(thread), ERR_LIMIT, "the TPM is at work");
    thread->job = *job;
    return job_thread_start(thread->thread);
}

enum err tpm_thread_done(struct tpm_thread *thread, struct tpm_job *out_job)
{
    if (!job_thread_finished(thread->thread)) {
        return ERR_AGAIN;
    }
    *out_job = thread->job;
    return ERR_OK;
}

bool tpm_thread_is_busy(const struct tpm_thread *thread)
{
    return job_thread_is_busy(thread->thread);
}

int tpm_thread_fd(const struct tpm_thread *thread)
{
    return job_thread_fd(thread->thread);
}
