/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two queues of one place each: the job goes there and comes back. What goes is the thread itself, for there is one job. */
#include "firmware/job_thread.h"

#include <pthread.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/queue.h"

#define WAIT_MS 60000

struct job_thread {
    void (*carry_out)(void *context);
    void *context;
    struct queue *jobs;
    struct queue *results;
    bool busy; /* the owner's */
    bool runs; /* the owner's */
    pthread_t thread;
};

static void *run(void *argument)
{
    struct job_thread *const thread = argument;
    void *item = NULL;

    for (;;) {
        const enum err err = queue_wait(thread->jobs, WAIT_MS, &item);
        if (err == ERR_CLOSED) {
            return NULL;
        }
        if (err != ERR_OK) {
            continue; /* nothing to do yet */
        }
        thread->carry_out(thread->context);
        INVARIANT(queue_push(thread->results, item) == ERR_OK); /* one job, one place */
    }
}

static void free_scoped(struct job_thread **thread)
{
    job_thread_free(*thread);
}

enum err job_thread_new(void (*carry_out)(void *context), void *context, struct job_thread **out_thread)
{
    void *memory = NULL;
    SCOPED(free_scoped) struct job_thread *thread = NULL;

    TRY(mem_alloc(sizeof(struct job_thread), &memory));
    thread = memory;
    thread->carry_out = carry_out;
    thread->context = context;
    TRY(queue_new(1, &thread->jobs));
    TRY(queue_new(1, &thread->results));
    ENSURE(pthread_create(&thread->thread, NULL, run, thread) == 0, ERR_LIMIT, "no thread for jobs");
    thread->runs = true;
    *out_thread = TAKE(thread);
    return ERR_OK;
}

void job_thread_free(struct job_thread *thread)
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
    mem_free(thread);
}

enum err job_thread_start(struct job_thread *thread)
{
    ENSURE(!thread->busy, ERR_LIMIT, "a job is under way");
    TRY(queue_push(thread->jobs, thread));
    thread->busy = true;
    return ERR_OK;
}

bool job_thread_is_busy(const struct job_thread *thread)
{
    return thread->busy;
}

int job_thread_fd(const struct job_thread *thread)
{
    return queue_fd(thread->results);
}

bool job_thread_finished(struct job_thread *thread)
{
    void *item = NULL;

    if (queue_pop(thread->results, &item) != ERR_OK) {
        return false;
    }
    thread->busy = false;
    return true;
}
