/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A bounded queue of pointers between threads: the only place with a lock.
 *
 * Any thread may push, any thread may pop. Capacity is fixed at birth; a full queue refuses, it never grows or waits.
 * queue_fd gives a descriptor that is readable while something may be in the queue, for a thread that sleeps in its
 * event loop; queue_wait is for a thread that has nothing else to do. The queue never touches what it carries. */
#ifndef HAL_BASE_QUEUE_H
#define HAL_BASE_QUEUE_H

#include <stddef.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

struct queue;

/* ERR_NO_MEMORY, ERR_IO (no descriptor left). The caller frees it when no other thread uses it any more. */
enum err queue_new(size_t capacity, struct queue **out_queue) MUST_USE;

/* Does not free items that are still inside: the owner pops them first. NULL is fine. */
void queue_free(struct queue *queue);

/* ERR_LIMIT when full, ERR_CLOSED after queue_close; item must not be NULL. Never blocks but for the lock. */
enum err queue_push(struct queue *queue, void *item) MUST_USE;

/* The oldest item, without waiting. ERR_AGAIN when empty, ERR_CLOSED when empty and closed. */
enum err queue_pop(struct queue *queue, void **out_item) MUST_USE;

/* Waits until there is something to pop, the queue is closed, or timeout_ms have passed (ERR_TIMEOUT). */
enum err queue_wait(struct queue *queue, unsigned int timeout_ms, void **out_item) MUST_USE;

/* No more pushes; what is inside can still be popped. */
void queue_close(struct queue *queue);

/* Readable (EPOLLIN) from a push until queue_pop has answered ERR_AGAIN. */
int queue_fd(const struct queue *queue);

size_t queue_len(struct queue *queue);

#endif
