/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two queues of one place each: the job goes there and comes back. The memory of the job changes hands with it, so there
 * is nothing to lock. */
#include "firmware/keeper/tpm_thread.h"

#include <pthread.h>

#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/base/queue.h"

#define WAIT_MS 60000
#define PROBE_BYTES 16

struct tpm_thread {
    struct hal_tpm *tpm;
    struct vault *vault;
    struct queue *jobs;
    struct queue *results;
    struct tpm_job job;
    bool busy; /* the caller's */
    bool runs; /* the caller's */
    pthread_t thread;
};

static enum err probe(struct hal_tpm *tpm)
{
    uint8_t bytes[PROBE_BYTES];

    ENSURE(tpm != NULL, ERR_NO_DEVICE, "there is no TPM");
    TRY(hal_tpm_random(tpm, bytes, sizeof(bytes)));
    return ERR_OK;
}

static enum err carry_out(struct tpm_thread *thread)
{
    const struct span text = MSG_VIEW(&thread->job.text);

    switch (thread->job.kind) {
    case TPM_JOB_UNLOCK_PIN:
        return vault_unlock_pin(thread->vault, text);
    case TPM_JOB_UNLOCK_RECOVERY:
        return vault_unlock_recovery(thread->vault, text);
    case TPM_JOB_PROBE:
        return probe(thread->tpm);
    }
    FAIL(ERR_BUG, "no such job", thread->job.kind);
}

static void *run(void *argument)
{
    struct tpm_thread *const thread = argument;
    void *item = NULL;

    for (;;) {
        const enum err err = queue_wait(thread->jobs, WAIT_MS, &item);
        if (err == ERR_CLOSED) {
            return NULL;
        }
        if (err != ERR_OK) {
            continue; /* nothing to do yet */
        }
        thread->job.err = carry_out(thread);
        if (thread->job.err != ERR_OK) {
            log_fault(LOG_WARN, "tpm_job_failed");
        }
        mem_wipe(&thread->job.text, sizeof(thread->job.text));
        INVARIANT(queue_push(thread->results, item) == ERR_OK); /* one job, one place */
    }
}

void tpm_thread_end(struct tpm_thread *thread)
{
    if (thread == NULL) {
        return;
    }
    if (thread->runs) {
        queue_close(thread->jobs);
        INVARIANT(pthread_join(thread->thread, NULL) == 0);
    }
    queue_free(thread->jobs);
    queue_free(thread->results);
    mem_wipe(thread, sizeof(*thread));
    mem_free(thread);
}

static void end_scoped(struct tpm_thread **thread)
{
    tpm_thread_end(*thread);
}

enum err tpm_thread_start(struct hal_tpm *tpm, struct vault *vault, struct tpm_thread **out_thread)
{
    void *memory = NULL;
    SCOPED(end_scoped) struct tpm_thread *thread = NULL;

    TRY(mem_alloc(sizeof(struct tpm_thread), &memory));
    thread = memory;
    thread->tpm = tpm;
    thread->vault = vault;
    TRY(queue_new(1, &thread->jobs));
    TRY(queue_new(1, &thread->results));
    ENSURE(pthread_create(&thread->thread, NULL, run, thread) == 0, ERR_LIMIT, "no thread for the TPM");
    thread->runs = true;
    *out_thread = TAKE(thread);
    return ERR_OK;
}

enum err tpm_thread_do(struct tpm_thread *thread, const struct tpm_job *job)
{
    ENSURE(!thread->busy, ERR_LIMIT, "the TPM is at work");
    thread->job = *job;
    TRY(queue_push(thread->jobs, &thread->job));
    thread->busy = true;
    return ERR_OK;
}

enum err tpm_thread_done(struct tpm_thread *thread, struct tpm_job *out_job)
{
    void *item = NULL;

    const enum err err = queue_pop(thread->results, &item);
    if (err == ERR_AGAIN) {
        return err;
    }
    TRY(err);
    thread->busy = false;
    *out_job = thread->job;
    return ERR_OK;
}

bool tpm_thread_is_busy(const struct tpm_thread *thread)
{
    return thread->busy;
}

int tpm_thread_fd(const struct tpm_thread *thread)
{
    return queue_fd(thread->results);
}
