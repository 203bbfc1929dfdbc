/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/auth/hash_pool.h"

#include <pthread.h>
#include <signal.h>

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/base/queue.h"
#include "hal/base/span.h"
#include "hal/process.h"

#define THREADS_MAX 16
#define WAIT_MS     60000u /* then it looks whether there is still a queue */
#define KIB_PER_MIB 1024u

_Static_assert(CONFIG_AUTH_HASH_THREADS <= THREADS_MAX, "threads of the pool");

/* The memory of all hashes is dealt out in shares, one for each thread. A hash that was stored when hashes cost more may
 * need several of them: it collects them while it has the turn, which keeps two such from waiting for each other. */
struct auth_hash_pool {
    const struct hal_clock *clock;
    struct queue *queue;
    struct queue *shares; /* an item for each share that no thread has */
    struct queue *turn;   /* one item, unless a thread has it */
    size_t share_count;
    size_t share_kib;
    size_t count;
    pthread_t threads[THREADS_MAX];
};

static void run_done(struct loop_post *post)
{
    struct auth_hash_job *job = (void *)((char *)post - offsetof(struct auth_hash_job, post));

    job->done(job);
}

static void work_on(struct auth_hash_pool *pool, struct auth_hash_job *job)
{
    if (mono_ms_between(job->since, hal_clock_mono(pool->clock)) >= CONFIG_AUTH_HASH_WAIT_MS) {
        job->err = ERR_TIMEOUT;
    } else {
        job->err = pwhash(job->cost, span_array(job->input), span_array(job->salt), job->hash);
        if (job->err != ERR_OK) {
            log_fault(LOG_WARN, "password_not_hashed");
        }
    }
    mem_wipe(job->input, sizeof job->input);
    job->post.run = run_done;
    INVARIANT(loop_post(job->loop, &job->post) == ERR_OK); /* the loop has room for every job that can be under way */
}

static void give(struct queue *items, struct auth_hash_pool *pool)
{
    INVARIANT(queue_push(items, pool) == ERR_OK); /* there are never more than at first */
}

static void take(struct queue *items)
{
    void *item = NULL;

    while (queue_wait(items, WAIT_MS, &item) != ERR_OK) {
        fault_clear(); /* every hash ends, and gives back what it took */
    }
}

static void work_within_memory(struct auth_hash_pool *pool, struct auth_hash_job *job)
{
    const size_t needed = (job->cost.memory_kib + pool->share_kib - 1) / pool->share_kib;
    const size_t shares = num_min(needed, pool->share_count);

    take(pool->turn);
    for (size_t i = 0; i < shares; i++) {
        take(pool->shares);
    }
    give(pool->turn, pool);
    work_on(pool, job);
    for (size_t i = 0; i < shares; i++) {
        give(pool->shares, pool);
    }
}

static void *run(void *argument)
{
    struct auth_hash_pool *const pool = argument;

    if (process_thread_give_way(CONFIG_AUTH_HASH_NICE) != ERR_OK) {
        log_fault(LOG_WARN, "hash_priority_kept");
    }
    for (;;) {
        void *item = NULL;
        const enum err err = queue_wait(pool->queue, WAIT_MS, &item);
        if (err == ERR_CLOSED) {
            fault_clear();
            return NULL;
        }
        if (err == ERR_OK) {
            work_within_memory(pool, item);
        }
        fault_clear();
    }
}

static enum err start_threads(struct auth_hash_pool *pool, size_t threads)
{
    sigset_t all;
    sigset_t before;

    INVARIANT(sigfillset(&all) == 0 && pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    while (pool->count < threads && pthread_create(&pool->threads[pool->count], NULL, run, pool) == 0) {
        pool->count++;
    }
    INVARIANT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    ENSURE(pool->count == threads, ERR_LIMIT, "no thread for password hashes");
    return ERR_OK;
}

static void pool_free_scoped(struct auth_hash_pool **pool)
{
    auth_hash_pool_free(*pool);
}

size_t auth_hash_threads(void)
{
    const size_t fitting = (size_t)CONFIG_AUTH_HASH_MEMORY_MIB * KIB_PER_MIB / pwhash_cost_now().memory_kib;

    return fitting == 0 ? 1 : num_min(fitting, CONFIG_AUTH_HASH_THREADS);
}

enum err auth_hash_pool_new(const struct hal_clock *clock, size_t threads, size_t queue,
                            struct auth_hash_pool **out_pool)
{
    SCOPED(pool_free_scoped) struct auth_hash_pool *pool = NULL;
    void *memory = NULL;

    ENSURE(threads >= 1 && threads <= THREADS_MAX, ERR_RANGE, "threads of the pool");
    TRY(mem_alloc(sizeof *pool, &memory));
    pool = memory;
    pool->clock = clock;
    pool->share_count = threads;
    pool->share_kib = (size_t)CONFIG_AUTH_HASH_MEMORY_MIB * KIB_PER_MIB / threads;
    TRY(queue_new(queue, &pool->queue));
    TRY(queue_new(threads, &pool->shares));
    TRY(queue_new(1, &pool->turn));
    for (size_t i = 0; i < threads; i++) {
        give(pool->shares, pool);
    }
    give(pool->turn, pool);
    TRY(start_threads(pool, threads));
    *out_pool = TAKE(pool);
    return ERR_OK;
}

void auth_hash_pool_free(struct auth_hash_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    if (pool->queue != NULL) {
        queue_close(pool->queue);
    }
    for (size_t i = 0; i < pool->count; i++) {
        INVARIANT(pthread_join(pool->threads[i], NULL) == 0);
    }
    queue_free(pool->queue);
    queue_free(pool->shares);
    queue_free(pool->turn);
    mem_free(pool);
}

enum err auth_hash_submit(struct auth_hash_pool *pool, struct auth_hash_job *job)
{
    job->since = hal_clock_mono(pool->clock);
    return queue_push(pool->queue, job);
}
