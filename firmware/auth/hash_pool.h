/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Password hashes on threads of their own: few of them, with a bounded queue, so that a flood of sign-ins takes neither
 * the reactors nor the memory. The configuration bounds the memory of all hashes that are under way, whatever each of them
 * costs; one that needs more than all of it runs alone.
 *
 * The threads give way to all others by CONFIG_AUTH_HASH_NICE, which slows requests for data little and yet leaves them a
 * share of a processor that others would have for themselves. What would begin so late that its client has given up is
 * not done at all. */
#ifndef FIRMWARE_AUTH_HASH_POOL_H
#define FIRMWARE_AUTH_HASH_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/pwhash.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/time.h"
#include "hal/clock.h"
#include "net/loop.h"

#define AUTH_HASH_INPUT_BYTES 32 /* a peppered password */

/* One hash. The caller's memory, the pool's from submit to done. */
struct auth_hash_job {
    void (*done)(struct auth_hash_job *job); /* on the loop's thread, once */
    struct loop *loop;
    struct pwhash_cost cost;
    uint8_t salt[PWHASH_SALT_BYTES];
    uint8_t input[AUTH_HASH_INPUT_BYTES]; /* wiped when it was used */
    uint8_t hash[PWHASH_BYTES];           /* if err is ERR_OK; the caller wipes it */
    enum err err;                         /* of pwhash(), or ERR_TIMEOUT: it waited for CONFIG_AUTH_HASH_WAIT_MS */
    struct mono_time since;               /* the pool's, as the rest */
    struct loop_post post;
};

struct auth_hash_pool;

/* How many threads the configuration allows: CONFIG_AUTH_HASH_THREADS, or as many as CONFIG_AUTH_HASH_MEMORY_MIB can be
 * shared among; one in any case. */
size_t auth_hash_threads(void);

/* Starts the threads; they block every signal. clock: borrowed. ERR_NO_MEMORY, ERR_LIMIT (no thread), ERR_IO. */
enum err auth_hash_pool_new(const struct hal_clock *clock, size_t threads, size_t queue,
                            struct auth_hash_pool **out_pool) MUST_USE;

/* After every job is done and before the loops are freed. NULL is fine. Blocks until the threads have ended. */
void auth_hash_pool_free(struct auth_hash_pool *pool);

/* Any thread; never blocks. ERR_LIMIT: as many wait as may; done is then not called. */
enum err auth_hash_submit(struct auth_hash_pool *pool, struct auth_hash_job *job) MUST_USE;

#endif
