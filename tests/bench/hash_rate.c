/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The yardstick for sign-ins: password hashes at the configured cost and nothing else, on as many threads as the pool has,
 * for some seconds. Prints hashes per second and the CPU microseconds of each. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/crypto.h"
#include "crypto/pwhash.h"
#include "firmware/auth/hash_pool.h"

#define THREADS_MAX 16

static atomic_ulong done;
static double until;

static double now(clockid_t clock)
{
    struct timespec at;

    clock_gettime(clock, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void *hash(void *unused)
{
    uint8_t out[PWHASH_BYTES];

    (void)unused;
    while (now(CLOCK_MONOTONIC) < until) {
        if (pwhash(pwhash_cost_now(), span_lit("peppered password, 32 bytes long"), span_lit("0123456789abcdef"), out) !=
            ERR_OK) {
            exit(1);
        }
        atomic_fetch_add(&done, 1);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS_MAX];
    const size_t count = auth_hash_threads();

    if (argc != 2 || crypto_start() != ERR_OK || count > THREADS_MAX) {
        fprintf(stderr, "usage: hash_rate SECONDS\n");
        return 2;
    }
    const double start = now(CLOCK_MONOTONIC);
    until = start + strtod(argv[1], NULL);
    for (size_t i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, hash, NULL) != 0) {
            return 1;
        }
    }
    for (size_t i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    const unsigned long hashes = atomic_load(&done);
    printf("%.2f %.1f\n", (double)hashes / (now(CLOCK_MONOTONIC) - start),
           now(CLOCK_PROCESS_CPUTIME_ID) * 1e6 / (double)hashes);
    return 0;
}
