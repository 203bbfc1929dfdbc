/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The supervisor's questions about images, carried out by the TPM thread. One at a time: it asks in the middle of an update,
 * and waits for the answer. One that comes while the TPM is probed waits for the end of that. */
#include "firmware/keeper/keeper_int.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"

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
        memcpy(out_job->pcr7, msg->as.keeper_plan, sizeof(out_job->pcr7));
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
