/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reactor: one thread that waits for descriptors, timers, posts of other threads and slices of long work.
 *
 * Watches, timers, posts and slices are structs of the caller, embedded in whatever they serve: starting one allocates
 * nothing. The caller keeps the struct alive and in place while it is active. Everything but loop_post, loop_stop and
 * loop_now belongs to the loop's own thread. A callback may start and stop anything, itself included, but never calls
 * loop_run or loop_turn. Nothing in a callback blocks. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/time.h"
#include "hal/clock.h"

struct loop;

/* clock       borrowed; tests give one that is stepped by hand
 * posts_max   how many posts may wait at once; as many as can ever be in flight, then loop_post never fails
 * ERR_NO_MEMORY, ERR_IO (no descriptor left). */
enum err loop_new(const struct hal_clock *clock, size_t posts_max, struct loop **out_loop) MUST_USE;

/* When nothing is active any more. NULL is fine. */
void loop_free(struct loop *loop);

/* The time at the start of this turn, without a system call. */
struct mono_time loop_now(const struct loop *loop);

/* Turns until loop_stop; blocks. ERR_IO if waiting itself fails. */
enum err loop_run(struct loop *loop) MUST_USE;

/* One turn: waits at most max_wait_ms for something to do, does it, and returns. ERR_IO. */
enum err loop_turn(struct loop *loop, unsigned int max_wait_ms) MUST_USE;

/* Makes loop_run return after the turn it is in. Any thread. What is active stays so: draining is the business of
 * http_server_drain, which comes first. */
void loop_stop(struct loop *loop);

/* --- descriptors --- */

#define LOOP_READ 1u  /* readable, or the other side has finished sending */
#define LOOP_WRITE 2u /* writable */
#define LOOP_GONE 4u  /* reset or failed; always reported, never asked for */

struct loop_watch {
    void (*on_ready)(struct loop_watch *watch, unsigned int ready);
    int descriptor;        /* borrowed */
    unsigned int interest; /* the loop's */
    bool active;           /* the loop's */
};

/* Starts to watch a descriptor, level-triggered. ERR_IO, ERR_NO_MEMORY: the kernel refused. */
enum err loop_watch_start(struct loop *loop, struct loop_watch *watch, unsigned int interest) MUST_USE;
enum err loop_watch_change(struct loop *loop, struct loop_watch *watch, unsigned int interest) MUST_USE;

/* No callback comes after it, not even one that this turn has already collected. Before the descriptor is closed. */
void loop_watch_stop(struct loop *loop, struct loop_watch *watch);

/* --- timers: never early, late by at most LOOP_TICK_MS and the work of a turn --- */

#define LOOP_TICK_MS 8u

struct loop_timer {
    void (*on_time)(struct loop_timer *timer);
    struct mono_time due;    /* the loop's, as the rest */
    struct loop_timer *next;
    struct loop_timer **link; /* what points at this timer; NULL while not set */
};

/* Sets or moves a timer; it fires once. Constant time. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, struct mono_time due);
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

/* --- posts: from any thread to the loop's --- */

struct loop_post {
    void (*run)(struct loop_post *post); /* on the loop's thread, once; may free the post */
};

/* ERR_LIMIT when posts_max wait already; ERR_CLOSED once the loop is being freed. Any thread; never blocks. */
enum err loop_post(struct loop *loop, struct loop_post *post) MUST_USE;

/* --- slices: long work in pieces --- */

#define LOOP_SLICE_NS UINT64_C(1000000) /* 1 ms: what every other connection may be made to wait */

enum loop_slice_result { LOOP_SLICE_DONE, LOOP_SLICE_AGAIN };

struct loop_slice {
    /* Works until about `until` (a reading of the loop's clock, see loop_clock_now) and says whether there is more.
     * After LOOP_SLICE_DONE the loop has forgotten it; run may have freed it. */
    enum loop_slice_result (*run)(struct loop_slice *slice, struct mono_time until);
    struct loop_slice *next; /* the loop's, as the rest */
    struct loop_slice **link;
};

/* Runs the slice at the end of this turn and then once a round, in order: a turn's slices share LOOP_SLICE_NS, and one
 * that says LOOP_SLICE_AGAIN is the last of its turn, so that descriptors, timers and other slices all get their share. */
void loop_slice_start(struct loop *loop, struct loop_slice *slice);
void loop_slice_stop(struct loop *loop, struct loop_slice *slice);

/* The time this instant: for slices that watch their budget. */
struct mono_time loop_clock_now(const struct loop *loop);

#endif
