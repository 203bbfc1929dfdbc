/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/auth/hash_pool.h: however much each hash costs, all that are under way stay within the memory. */
/* link: --wrap=pwhash */
#include "firmware/auth/hash_pool.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

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

enum err __wrap_pwhash(struct pwhash_cost cost, struct span input, struct span salt, uint8_t *out_hash);
enum err __wrap_pwhash(struct pwhash_cost cost, struct span input, struct span salt, uint8_t *out_hash)
{
    const unsigned int now = atomic_fetch_add(&taken_kib, cost.memory_kib) + cost.memory_kib;
    unsigned int most = atomic_load(&most_kib);

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
    assert_int_equal(auth_hash_pool_new(THREADS, JOBS, &pool), ERR_OK);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_of_the_usual_cost_are_done_on_all_threads),
        cmocka_unit_test(attack_13_hashes_stored_at_a_higher_cost_stay_within_the_memory),
        cmocka_unit_test(a_hash_that_needs_more_than_there_is_runs_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
