/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/worker/outbound_message.h"

#include "hal/base/fault.h"

static enum err fill_mail(const struct outbound_job *job, size_t to, struct msg *out_msg)
{
    *out_msg = MSG_NEW(MSG_JOB_MAIL);
    out_msg->as.job_mail.job = job->number;
    out_msg->as.job_mail.destination = (uint32_t)to;
    out_msg->as.job_mail.bytes = (uint32_t)job->mail.text.len;
    TRY(MSG_SET(&out_msg->as.job_mail.from, job->mail.from));
    TRY(MSG_SET(&out_msg->as.job_mail.to, job->mail.to));
    TRY(MSG_SET(&out_msg->as.job_mail.user, job->mail.user));
    return MSG_SET(&out_msg->as.job_mail.password, job->mail.password);
}

static enum err fill_fetch(const struct outbound_job *job, size_t to, struct msg *out_msg)
{
    *out_msg = MSG_NEW(MSG_JOB_FETCH);
    out_msg->as.job_fetch.job = job->number;
    out_msg->as.job_fetch.destination = (uint32_t)to;
    out_msg->as.job_fetch.bytes = (uint32_t)job->fetch.body.len;
    out_msg->as.job_fetch.method = (uint32_t)job->fetch.method;
    TRY(MSG_SET(&out_msg->as.job_fetch.path, job->fetch.path));
    return MSG_SET(&out_msg->as.job_fetch.authorization, job->fetch.authorization);
}

enum err outbound_message(const struct outbound_job *job, size_t to, struct msg *out_msg)
{
    switch (job->to.kind) {
    case OUTBOUND_SMTP:
        return fill_mail(job, to, out_msg);
    case OUTBOUND_HTTPS:
        return fill_fetch(job, to, out_msg);
    case OUTBOUND_TIME:
        *out_msg = MSG_NEW(MSG_JOB_TIME);
        out_msg->as.job_time.job = job->number;
        out_msg->as.job_time.destination = (uint32_t)to;
        return ERR_OK;
    case OUTBOUND_KINDS:
        break;
    }
    FAIL(ERR_RANGE, "no such kind of job", job->to.kind);
}

struct span outbound_bytes(const struct outbound_job *job)
{
    switch (job->to.kind) {
    case OUTBOUND_SMTP:
        return job->mail.text;
    case OUTBOUND_HTTPS:
        return job->fetch.body;
    case OUTBOUND_TIME:
    case OUTBOUND_KINDS:
        break;
    }
    return SPAN_NONE;
}
