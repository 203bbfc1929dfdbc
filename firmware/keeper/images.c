/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The supervisor's questions about images, carried out by the TPM thread. One at a time: it asks in the middle of an update,
 * and waits for the answer. One that comes while the TPM is probed waits for the end of that.
 *
 * A plan of Secure Boot comes from the worker, who may have been taken over: its bytes are a stranger's, and it may come as often as
 * that worker likes. So it is looked at once in PLAN_MS at most; and its serial is on the disk before anything is sealed for it, lest
 * a power cut between the two leave room for an older plan. */
#include "firmware/keeper/keeper_int.h"

#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"

#define PLAN_MS 5000 /* a seal in the TPM and two files each time; owners do this once in years */

static enum err answer(struct keeper *keeper, enum msg_type type, enum err err, uint32_t minimum)
{
    SCOPED_MSG struct msg msg = MSG_NEW(type);

    msg.as.keeper_image.err = (uint32_t)err;
    msg.as.keeper_image.minimum = minimum;
    TRY(msg_send(keeper->control, &msg));
    return ERR_OK;
}

static enum msg_type answer_to(enum tpm_job_kind kind)
{
    if (kind == TPM_JOB_APPROVE) {
        return MSG_KEEPER_APPROVED;
    }
    return kind == TPM_JOB_BLESS ? MSG_KEEPER_BLESSED : MSG_KEEPER_PLANNED;
}

static void job_of(const struct msg *msg, struct tpm_job *out_job)
{
    mem_wipe(out_job, sizeof(*out_job));
    if (msg->type == MSG_KEEPER_APPROVE) {
        out_job->kind = TPM_JOB_APPROVE;
        out_job->policy = msg->as.keeper_policy;
    } else if (msg->type == MSG_KEEPER_BLESS) {
        out_job->kind = TPM_JOB_BLESS;
    } else {
        out_job->kind = TPM_JOB_PLAN;
        out_job->plan = msg->as.keeper_plan;
    }
}

enum err keeper_image_go_on(struct keeper *keeper)
{
    if (!keeper->image_waits || tpm_thread_is_busy(keeper->tpm_thread)) {
        return ERR_OK;
    }
    keeper->image_waits = false;
    return tpm_thread_do(keeper->tpm_thread, &keeper->image_job);
}

/* Legal while operational only: the vault is this thread's. */
static enum err take_up_plan(struct keeper *keeper, struct span text)
{
    struct boot_plan plan;

    TRY(measured_read_plan(keeper->measured, text, &plan));
    return vault_plan_take(keeper->vault, plan.serial);
}

/* One that comes too often is told, and leaves no line in the log: there could be as many of those. */
static enum err look_at_plan(struct keeper *keeper, struct span text)
{
    const struct mono_time now = hal_clock_mono(keeper->clock);

    if (now.ns < keeper->next_plan.ns) {
        return ERR_LIMIT;
    }
    keeper->next_plan = mono_add_ms(now, PLAN_MS);
    const enum err err = take_up_plan(keeper, text);
    if (err != ERR_OK) {
        log_fault(LOG_WARN, "plan_refused");
    }
    return err;
}

enum err keeper_image_ask(struct keeper *keeper, const struct msg *msg)
{
    struct tpm_job job;

    job_of(msg, &job);
    if (keeper->measured == NULL) {
        return answer(keeper, answer_to(job.kind), job.kind == TPM_JOB_PLAN ? ERR_UNSUPPORTED : ERR_OK, 0);
    }
    if (keeper->image_asked) {
        return answer(keeper, answer_to(job.kind), ERR_LIMIT, 0);
    }
    if (job.kind == TPM_JOB_PLAN) {
        const enum err err = look_at_plan(keeper, MSG_VIEW(&job.plan));
        if (err != ERR_OK) {
            return answer(keeper, MSG_KEEPER_PLANNED, err, 0);
        }
    }
    keeper->image_asked = true;
    keeper->image_waits = true;
    keeper->image_job = job;
    return keeper_image_go_on(keeper);
}

enum err keeper_image_done(struct keeper *keeper, const struct tpm_job *job)
{
    keeper->image_asked = false;
    return answer(keeper, answer_to(job->kind), job->err, job->minimum);
}
