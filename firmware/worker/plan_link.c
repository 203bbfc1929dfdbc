/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each question has a number, which grows: the supervisor answers each of a worker that lives. */
#include "firmware/worker/plan_link.h"

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/queue.h"

#define JOBS_MAX 4 /* of owners, who do this once in years */

_Static_assert(API_PLAN_MAX == MSG_PLAN_MAX, "a plan fits its message");

struct plan_link {
    struct msg_channel *control;
    struct queue *jobs;
    struct api_plan_job *asked; /* with the supervisor; NULL: none */
    uint64_t number;            /* of that one */
};

static void free_scoped(struct plan_link **link)
{
    plan_link_free(*link);
}

enum err plan_link_new(struct poller *poller, struct msg_channel *control, struct plan_link **out_link)
{
    SCOPED(free_scoped) struct plan_link *link = NULL;
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct plan_link), &memory));
    link = memory;
    link->control = control;
    TRY(queue_new(JOBS_MAX, &link->jobs));
    TRY(poller_add(poller, queue_fd(link->jobs), POLLER_READ, link));
    *out_link = TAKE(link);
    return ERR_OK;
}

void plan_link_free(struct plan_link *link)
{
    if (link != NULL) {
        queue_free(link->jobs);
        mem_free(link);
    }
}

static void on_post(struct loop_post *post)
{
    struct api_plan_job *const job =
        (struct api_plan_job *)(void *)((char *)post - offsetof(struct api_plan_job, post));

    job->done(job, job->err);
}

static void end(struct api_plan_job *job, enum err err)
{
    job->err = err;
    job->post.run = on_post;
    INVARIANT(loop_post(job->loop, &job->post) == ERR_OK); /* an exchange keeps its loop, which has a place for each */
}

static enum err send(struct plan_link *link, const struct api_plan_job *job)
{
    struct msg msg = MSG_NEW(MSG_WORKER_PLAN);

    msg.as.worker_plan.number = link->number;
    TRY(MSG_SET(&msg.as.worker_plan.plan, job->plan));
    return msg_send(link->control, &msg);
}

void plan_link_run(struct plan_link *link)
{
    void *item = NULL;

    while (link != NULL && queue_pop(link->jobs, &item) == ERR_OK) {
        struct api_plan_job *const job = item;
        if (link->asked != NULL) {
            end(job, ERR_LIMIT);
            continue;
        }
        link->number++;
        const enum err err = send(link, job);
        if (err != ERR_OK) {
            end(job, err);
            continue;
        }
        link->asked = job;
    }
    fault_clear();
}

enum err plan_link_answer(struct plan_link *link, const struct msg *msg)
{
    ENSURE(link->asked != NULL && msg->as.worker_planned.number == link->number, ERR_STATE, "an answer to no question");
    struct api_plan_job *const job = TAKE(link->asked);
    end(job, (enum err)msg->as.worker_planned.err);
    return ERR_OK;
}

static enum err start(void *context, struct api_plan_job *job)
{
    struct plan_link *const link = context;

    return queue_push(link->jobs, job);
}

struct api_plans plan_link_table(struct plan_link *link)
{
    return (struct api_plans){.start = start, .context = link};
}
