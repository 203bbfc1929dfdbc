/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Jobs that wait for a lane of the courier, in the order in which they came. Linked by the jobs themselves. */
#ifndef FIRMWARE_WORKER_OUTBOUND_QUEUE_H
#define FIRMWARE_WORKER_OUTBOUND_QUEUE_H

#include <stddef.h>

#include "net/outbound.h"

struct outbound_queue {
    struct outbound_job *first; /* NULL: empty */
    struct outbound_job *last;
};

void outbound_queue_append(struct outbound_queue *queue, struct outbound_job *job);

/* job is in the queue. */
void outbound_queue_remove(struct outbound_queue *queue, struct outbound_job *job);

/* Until the first of their times is over; UINT64_MAX: it is empty. */
uint64_t outbound_queue_wait_ms(const struct outbound_queue *queue, struct mono_time now);

/* How many are for that destination. */
size_t outbound_queue_count(const struct outbound_queue *queue, const struct outbound_destination *to);

#endif
