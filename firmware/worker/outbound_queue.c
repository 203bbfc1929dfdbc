/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/worker/outbound_queue.h"

#include "hal/base/fault.h"
#include "hal/base/num.h"

void outbound_queue_append(struct outbound_queue *queue, struct outbound_job *job)
{
    job->next = NULL;
    if (queue->last != NULL) {
        queue->last->next = job;
    } else {
        queue->first = job;
    }
    queue->last = job;
}

void outbound_queue_remove(struct outbound_queue *queue, struct outbound_job *job)
{
    struct outbound_job *before = NULL;
    struct outbound_job *at = queue->first;

    while (at != NULL && at != job) {
        before = at;
        at = at->next;
    }
    INVARIANT(at != NULL);
    if (before != NULL) {
        before->next = job->next;
    } else {
        queue->first = job->next;
    }
    queue->last = queue->last == job ? before : queue->last;
    job->next = NULL;
}

uint64_t outbound_queue_wait_ms(const struct outbound_queue *queue, struct mono_time now)
{
    uint64_t wait = UINT64_MAX;

    for (const struct outbound_job *job = queue->first; job != NULL; job = job->next) {
        wait = num_min(wait, mono_ms_between(now, job->until));
    }
    return wait;
}

size_t outbound_queue_count(const struct outbound_queue *queue, const struct outbound_destination *to)
{
    size_t count = 0;

    for (const struct outbound_job *job = queue->first; job != NULL; job = job->next) {
        count += outbound_destination_equal(&job->to, to) ? 1u : 0u;
    }
    return count;
}
