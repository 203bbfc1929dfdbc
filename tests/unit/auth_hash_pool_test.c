/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/auth/hash_pool.h: however much each hash costs, all that are under way stay within the memory; the threads give
 * way to others, and what waits too long is not done. */
/* link: --wrap=pwhash --wrap=pwhash_cost_now */
#include "firmware/auth/hash_pool.h"

#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/sim/sim_clock.h"

#define THREADS 4
#define JOBS    24
#define ALL_KIB (CONFIG_AUTH_HASH_MEMORY_MIB * 1024u)
#define YIELDS  500 /* as long as a hash takes: others begin meanwhile if they may */

static atomic_uint taken_kib;
static atomic_uint most_kib;
static atomic_uint awaited_kib; /* no hash ends before as much was taken at once; 0: they need not wait */
static unsigned int done_count;
static atomic_int hash_nice; /* of the thread that hashed last */
static bool is_held;         /* a hash says that it began and waits until it may end */
static sem_t begun;
static sem_t may_end;
static uint32_t cost_now_kib;

struct pwhash_cost __wrap_pwhash_cost_now(void);
struct pwhash_cost __wrap_pwhash_cost_now(void)
{
    return (struct pwhash_cost){cost_now_kib, 2};
}

enum err __wrap_pwhash(struct pwhash_cost cost, struct span input, struct span salt, uint8_t *out_hash);
enum err __wrap_pwhash(struct pwhash_cost cost, struct span input, struct span salt, uint8_t *out_hash)
{
    const unsigned int now = atomic_fetch_add(&taken_kib, cost.memory_kib) + cost.memory_kib;
    unsigned int most = atomic_load(&most_kib);

    atomic_store(&hash_nice, getpriority(PRIO_PROCESS, 0));
    if (is_held) {
        (void)sem_post(&begun);
        (void)sem_wait(&may_end);
    }
    while (now > most && !atomic_compare_exchange_weak(&most_kib, &most, now)) {
    }
    for (int i = 0; i < YIELDS || atomic_load(&most_kib) < atomic_load(&awaited_kib); i++) {
        sched_yield();
    }
    memset(out_hash, 'h', PWHASH_BYTES);
    atomic_fetch_sub(&taken_kib, cost.memory_kib);
    return ERR_OK;
}

static void count_done(struct auth_hash_job *job)
{
    assert_int_equal(job->err, ERR_OK);
    assert_int_equal(job->hash[0], 'h');
    done_count++;
}

/* Does JOBS hashes, which cost these in turn; says how much memory was taken at most. */
static unsigned int most_of(const uint32_t *costs_kib, size_t count, unsigned int await_kib)
{
    static struct auth_hash_job jobs[JOBS];
    struct sim_clock clock;
    struct loop *loop = NULL;
    struct auth_hash_pool *pool = NULL;
    sim_clock_init(&clock);
    assert_int_equal(loop_new(&clock.base, JOBS, &loop), ERR_OK);
    assert_int_equal(auth_hash_pool_new(&clock.base, THREADS, JOBS, &pool), ERR_OK);
    atomic_store(&most_kib, 0);
    atomic_store(&awaited_kib, await_kib);
    done_count = 0;

    for (size_t i = 0; i < JOBS; i++) {
        jobs[i] = (struct auth_hash_job){.done = count_done, .loop = loop, .cost = {costs_kib[i % count], 2}};
        assert_int_equal(auth_hash_submit(pool, &jobs[i]), ERR_OK);
    }
    while (done_count < JOBS) {
        assert_int_equal(loop_turn(loop, 1000), ERR_OK);
    }
    auth_hash_pool_free(pool);
    loop_free(loop);
    fault_clear();
    return atomic_load(&most_kib);
}

static void hashes_of_the_usual_cost_are_done_on_all_threads(void **state)
{
    static const uint32_t costs[] = {ALL_KIB / THREADS};
    (void)state;

    assert_int_equal(most_of(costs, ARRAY_LENGTH(costs), ALL_KIB), ALL_KIB);
}

static void attack_13_hashes_stored_at_a_higher_cost_stay_within_the_memory(void **state)
{
    static const uint32_t costs[] = {ALL_KIB / THREADS, ALL_KIB, ALL_KIB / 2, ALL_KIB / THREADS + 1, ALL_KIB - 1};
    (void)state;

    assert_int_equal(most_of(costs, ARRAY_LENGTH(costs), 0), ALL_KIB);
}

static void a_hash_that_needs_more_than_there_is_runs_alone(void **state)
{
    static const uint32_t costs[] = {ALL_KIB * 2, ALL_KIB / THREADS};
    (void)state;

    assert_int_equal(most_of(costs, ARRAY_LENGTH(costs), 0), ALL_KIB * 2);
}

/* --- one thread, whose hashes begin and end when the test says so --- */

#define QUEUE 3

struct held {
    struct sim_clock clock;
    struct loop *loop;
    struct auth_hash_pool *pool;
    struct auth_hash_job jobs[QUEUE + 2];
    size_t submitted;
};

static void only_count_done(struct auth_hash_job *job)
{
    (void)job;
    done_count++;
}

static int hold(void **state)
{
    static struct held held;

    held = (struct held){.submitted = 0};
    done_count = 0;
    is_held = true;
    sim_clock_init(&held.clock);
    assert_int_equal(sem_init(&begun, 0, 0), 0);
    assert_int_equal(sem_init(&may_end, 0, 0), 0);
    assert_int_equal(loop_new(&held.clock.base, QUEUE + 2, &held.loop), ERR_OK);
    assert_int_equal(auth_hash_pool_new(&held.clock.base, 1, QUEUE, &held.pool), ERR_OK);
    *state = &held;
    return 0;
}

static enum err submit(struct held *held)
{
    struct auth_hash_job *job = &held->jobs[held->submitted];

    *job = (struct auth_hash_job){
        .done = only_count_done, .loop = held->loop, .cost = {PWHASH_MEMORY_KIB_MIN, PWHASH_PASSES_MIN}};
    const enum err err = auth_hash_submit(held->pool, job);
    held->submitted += err == ERR_OK ? 1u : 0u;
    return err;
}

static void end_all(struct held *held)
{
    for (size_t i = 0; i < held->submitted; i++) {
        (void)sem_post(&may_end);
    }
    while (done_count < held->submitted) {
        assert_int_equal(loop_turn(held->loop, 1000), ERR_OK);
    }
}

static int let_go(void **state)
{
    struct held *held = *state;

    end_all(held);
    auth_hash_pool_free(held->pool);
    loop_free(held->loop);
    (void)sem_destroy(&begun);
    (void)sem_destroy(&may_end);
    is_held = false;
    fault_clear();
    return 0;
}

static void attack_13_no_more_hashes_wait_than_the_queue_holds(void **state)
{
    struct held *held = *state;
    assert_int_equal(submit(held), ERR_OK);
    (void)sem_wait(&begun); /* it is out of the queue */
    for (size_t i = 0; i < QUEUE; i++) {
        assert_int_equal(submit(held), ERR_OK);
    }

    assert_int_equal(submit(held), ERR_LIMIT);

    end_all(held);
    assert_int_equal(submit(held), ERR_OK);
}

static void attack_13_a_hash_that_waited_too_long_is_not_done(void **state)
{
    struct held *held = *state;
    assert_int_equal(submit(held), ERR_OK);
    (void)sem_wait(&begun);
    assert_int_equal(submit(held), ERR_OK);
    sim_clock_advance_ms(&held->clock, 1);
    assert_int_equal(submit(held), ERR_OK);

    sim_clock_advance_ms(&held->clock, CONFIG_AUTH_HASH_WAIT_MS - 1);
    end_all(held);

    assert_int_equal(held->jobs[0].err, ERR_OK);
    assert_int_equal(held->jobs[1].err, ERR_TIMEOUT);
    assert_int_equal(held->jobs[1].input[0], 0);
    assert_int_equal(held->jobs[2].err, ERR_OK);
}

static void attack_13_hashes_give_way_to_all_other_threads(void **state)
{
    struct held *held = *state;
    const int own = getpriority(PRIO_PROCESS, 0);
    const int lower = own + CONFIG_AUTH_HASH_NICE;

    assert_int_equal(submit(held), ERR_OK);
    end_all(held);

    assert_int_equal(atomic_load(&hash_nice), lower < 19 ? lower : 19);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), own);
}

static void there_are_as_many_threads_as_the_memory_is_enough_for(void **state)
{
    (void)state;

    cost_now_kib = PWHASH_MEMORY_KIB_MIN;
    assert_int_equal(auth_hash_threads(), CONFIG_AUTH_HASH_THREADS);
    cost_now_kib = ALL_KIB / CONFIG_AUTH_HASH_THREADS;
    assert_int_equal(auth_hash_threads(), CONFIG_AUTH_HASH_THREADS);
    cost_now_kib = ALL_KIB / CONFIG_AUTH_HASH_THREADS + 1;
    assert_int_equal(auth_hash_threads(), CONFIG_AUTH_HASH_THREADS - 1);
    cost_now_kib = ALL_KIB + 1;
    assert_int_equal(auth_hash_threads(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_of_the_usual_cost_are_done_on_all_threads),
        cmocka_unit_test(attack_13_hashes_stored_at_a_higher_cost_stay_within_the_memory),
        cmocka_unit_test(a_hash_that_needs_more_than_there_is_runs_alone),
        cmocka_unit_test_setup_teardown(attack_13_no_more_hashes_wait_than_the_queue_holds, hold, let_go),
        cmocka_unit_test_setup_teardown(attack_13_a_hash_that_waited_too_long_is_not_done, hold, let_go),
        cmocka_unit_test_setup_teardown(attack_13_hashes_give_way_to_all_other_threads, hold, let_go),
        cmocka_unit_test(there_are_as_many_threads_as_the_memory_is_enough_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
