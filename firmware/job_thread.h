/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A thread for what an event loop must not wait for: it carries out one job at a time. The memory of the job changes hands
 * with it, so there is nothing to lock: it is the thread's from job_thread_start until job_thread_finished says so. All
 * calls are its owner's. */
#ifndef FIRMWARE_JOB_THREAD_H
#define FIRMWARE_JOB_THREAD_H

#include <stdbool.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

struct job_thread;

/* Starts the thread; each job is a call of carry_out(context) in it, which leaves no fault trail. The context is borrowed.
 * ERR_NO_MEMORY, ERR_LIMIT (no thread to be had), ERR_IO. */
enum err job_thread_new(void (*carry_out)(void *context), void *context, struct job_thread **out_thread) MUST_USE;

/* Waits for the job that is under way, and ends the thread. NULL is fine. */
void job_thread_free(struct job_thread *thread);

/* ERR_LIMIT: one is under way, or its end has not been taken yet. */
enum err job_thread_start(struct job_thread *thread) MUST_USE;
bool job_thread_is_busy(const struct job_thread *thread);

/* Readable when a job may be finished; true once for each. */
int job_thread_fd(const struct job_thread *thread);
bool job_thread_finished(struct job_thread *thread);

#endif
