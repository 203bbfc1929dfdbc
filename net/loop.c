/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One turn of the reactor:
 *
 *   1. write what the turn before logged
 *   2. wait for descriptors, at most until the next timer is due, not at all while slices wait
 *   3. read both clocks once; everything in this turn sees the same time
 *   4. call back the ready descriptors, then the posts, then the due timers, then slices for at most
 *      LOOP_SLICE_NS
 *
 * Timers hang in a wheel of SLOTS lists by the tick they are due in. A timer further away than one round of the wheel
 * stays in its list and is passed over until its round comes, so setting one is constant time however far it is.
 * A descriptor that is stopped while its event lies in the array of this turn is taken out of the array. */
#include "net/loop.h"

#include <stdatomic.h>
#include <stdint.h>

#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/base/queue.h"
#include "hal/poller.h"

#define SLOTS 1024u /* 8.2 s a round: most timers are shorter, and an idle connection is passed over rarely */
#define TICK_NS (LOOP_TICK_MS * TIME_NS_PER_MS)
#define EVENTS 128 /* handled in a turn, before timers and slices get theirs */
#define SLICES_MAX 256 /* begun in a turn */
#define WAIT_MAX_MS 60000u

struct loop {
    struct poller *poller;
    struct queue *posts;
    const struct hal_clock *clock;
    struct mono_time now;
    atomic_bool stopping;
    struct loop_post wake; /* carries nothing: ends a wait */

    struct loop_timer *slots[SLOTS];
    size_t timers;
    uint64_t tick; /* everything due in this tick or before has fired */

    struct loop_slice *slices; /* the next one first */
    struct loop_slice **slices_end;
    size_t slice_count;

    struct poller_event events[EVENTS];
    size_t event_count;
};

static void wake_nothing(struct loop_post *post)
{
    (void)post;
}

static void read_clock(struct loop *loop)
{
    loop->now = hal_clock_mono(loop->clock);
}

enum err loop_new(const struct hal_clock *clock, size_t posts_max, struct loop **out_loop)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct loop), &memory));
    struct loop *const loop = memory;
    size_t room = 0;

    loop->clock = clock;
    loop->wake.run = wake_nothing;
    loop->slices_end = &loop->slices;
    read_clock(loop);
    loop->tick = loop->now.ns / TICK_NS;
    enum err err = num_add(posts_max, 1, &room); /* one for loop_stop */

    err = err != ERR_OK ? err : queue_new(room, &loop->posts);
    err = err != ERR_OK ? err : poller_new(&loop->poller);
    err = err != ERR_OK ? err : poller_add(loop->poller, queue_fd(loop->posts), POLLER_READ, NULL);
    if (err != ERR_OK) {
        loop_free(loop);
        FAIL(err, "no reactor", posts_max);
    }
    *out_loop = loop;
    return ERR_OK;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    poller_free(loop->poller);
    queue_free(loop->posts);
    mem_free(loop);
}

struct mono_time loop_now(const struct loop *loop)
{
    return loop->now;
}

struct mono_time loop_clock_now(const struct loop *loop)
{
    return hal_clock_mono(loop->clock);
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopping, true);
    if (queue_push(loop->posts, &loop->wake) != ERR_OK) {
        return; /* a full queue wakes the loop as well */
    }
}

/* --- descriptors --- */

static unsigned int poller_interest(unsigned int interest)
{
    return ((interest & LOOP_READ) != 0 ? (unsigned int)POLLER_READ : 0u) |
           ((interest & LOOP_WRITE) != 0 ? (unsigned int)POLLER_WRITE : 0u);
}

static unsigned int loop_ready(unsigned int ready)
{
    return ((ready & (POLLER_READ | POLLER_ENDED)) != 0 ? LOOP_READ : 0u) |
           ((ready & POLLER_WRITE) != 0 ? LOOP_WRITE : 0u) | ((ready & POLLER_CLOSED) != 0 ? LOOP_GONE : 0u);
}

enum err loop_watch_start(struct loop *loop, struct loop_watch *watch, unsigned int interest)
{
    INVARIANT(!watch->active);
    TRY(poller_add(loop->poller, watch->descriptor, poller_interest(interest), watch));
    watch->active = true;
    watch->interest = interest;
    return ERR_OK;
}

enum err loop_watch_change(struct loop *loop, struct loop_watch *watch, unsigned int interest)
{
    INVARIANT(watch->active);
    if (watch->interest == interest) {
        return ERR_OK;
    }
    TRY(poller_set(loop->poller, watch->descriptor, poller_interest(interest), watch));
    watch->interest = interest;
    return ERR_OK;
}

void loop_watch_stop(struct loop *loop, struct loop_watch *watch)
{
    if (!watch->active) {
        return;
    }
    INVARIANT(poller_remove(loop->poller, watch->descriptor) == ERR_OK);
    watch->active = false;
    for (size_t i = 0; i < loop->event_count; i++) {
        if (loop->events[i].context == watch) {
            loop->events[i].ready = 0;
        }
    }
}

static void run_events(struct loop *loop)
{
    for (size_t i = 0; i < loop->event_count; i++) {
        struct loop_watch *const watch = loop->events[i].context;
        const unsigned int ready = loop_ready(loop->events[i].ready);

        if (watch != NULL && ready != 0) {
            watch->on_ready(watch, ready);
        }
    }
    loop->event_count = 0;
}

/* --- timers --- */

static void link_timer(struct loop_timer **head, struct loop_timer *timer)
{
    timer->next = *head;
    if (timer->next != NULL) {
        timer->next->link = &timer->next;
    }
    timer->link = head;
    *head = timer;
}

static void unlink_timer(struct loop_timer *timer)
{
    *timer->link = timer->next;
    if (timer->next != NULL) {
        timer->next->link = timer->link;
    }
    timer->link = NULL;
    timer->next = NULL;
}

/* The first tick at whose end the timer is due. */
static uint64_t tick_of(struct mono_time due)
{
    return due.ns / TICK_NS + 1;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, struct mono_time due)
{
    uint64_t tick = tick_of(due);

    loop_timer_clear(loop, timer);
    if (tick <= loop->tick) {
        tick = loop->tick + 1;
    }
    timer->due = due;
    link_timer(&loop->slots[tick % SLOTS], timer);
    loop->timers++;
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
    if (timer->link != NULL) {
        unlink_timer(timer);
        loop->timers--;
    }
}

/* Fires what is due in one slot. The list is taken off first, so that a callback may set and clear any timer. */
static void run_slot(struct loop *loop, size_t slot)
{
    struct loop_timer *waiting = loop->slots[slot];

    loop->slots[slot] = NULL;
    if (waiting != NULL) {
        waiting->link = &waiting;
    }
    while (waiting != NULL) {
        struct loop_timer *const timer = waiting;

        unlink_timer(timer);
        if (timer->due.ns > loop->now.ns) {
            link_timer(&loop->slots[slot], timer); /* of a later round */
            continue;
        }
        loop->timers--;
        timer->on_time(timer);
    }
}

static void run_timers(struct loop *loop)
{
    const uint64_t now = loop->now.ns / TICK_NS;
    /* After a long sleep each slot is visited once, not once for each round slept through. */
    const uint64_t first = now - loop->tick > SLOTS ? now - SLOTS + 1 : loop->tick + 1;

    for (uint64_t tick = first; tick <= now; tick++) {
        loop->tick = tick;
        run_slot(loop, tick % SLOTS);
    }
    loop->tick = num_max(loop->tick, now);
}

/* How long until the next slot that is not empty. */
static unsigned int wait_for_timer(const struct loop *loop, unsigned int max_wait_ms)
{
    const uint64_t now_ns = hal_clock_mono(loop->clock).ns;

    for (uint64_t tick = loop->tick + 1; loop->timers > 0 && tick <= loop->tick + SLOTS; tick++) {
        if (loop->slots[tick % SLOTS] != NULL) {
            const uint64_t due_ns = tick * TICK_NS;
            const uint64_t wait_ms = due_ns <= now_ns ? 0 : (due_ns - now_ns) / TIME_NS_PER_MS + 1;

            return (unsigned int)num_min((size_t)wait_ms, max_wait_ms);
        }
    }
    return max_wait_ms;
}

/* --- posts --- */

enum err loop_post(struct loop *loop, struct loop_post *post)
{
    return queue_push(loop->posts, post);
}

static void run_posts(struct loop *loop)
{
    /* Those that are there now: a post that posts again has its turn in the next one. */
    size_t count = queue_len(loop->posts);
    void *item = NULL;

    for (; count > 0 && queue_pop(loop->posts, &item) == ERR_OK; count--) {
        struct loop_post *const post = item;

        post->run(post);
    }
    if (count == 0 && queue_pop(loop->posts, &item) == ERR_OK) { /* usually ERR_AGAIN, which quiets the descriptor */
        struct loop_post *const post = item;

        post->run(post);
    }
}

/* --- slices --- */

void loop_slice_start(struct loop *loop, struct loop_slice *slice)
{
    INVARIANT(slice->link == NULL);
    slice->next = NULL;
    slice->link = loop->slices_end;
    *loop->slices_end = slice;
    loop->slices_end = &slice->next;
    loop->slice_count++;
}

void loop_slice_stop(struct loop *loop, struct loop_slice *slice)
{
    if (slice->link == NULL) {
        return;
    }
    *slice->link = slice->next;
    if (slice->next != NULL) {
        slice->next->link = slice->link;
    } else {
        loop->slices_end = slice->link;
    }
    loop->slice_count--;
    slice->link = NULL;
    slice->next = NULL;
}

/* Short work goes on to the next slice within the same time: were there only one a turn, connections that end faster
 * than one a turn would pile up with all that they hold. */
static void run_slices(struct loop *loop)
{
    if (loop->slices == NULL) {
        return;
    }
    const struct mono_time until = {hal_clock_mono(loop->clock).ns + LOOP_SLICE_NS};
    const size_t most = num_min(loop->slice_count, SLICES_MAX); /* one that starts now has its turn in the next */
    bool more = true;

    for (size_t i = 0; i < most && more; i++) {
        struct loop_slice *const slice = loop->slices;

        loop_slice_stop(loop, slice);
        if (slice->run(slice, until) == LOOP_SLICE_AGAIN) {
            loop_slice_start(loop, slice);
            more = false;
        } else {
            more = loop->slices != NULL && hal_clock_mono(loop->clock).ns < until.ns;
        }
    }
}

/* --- turns --- */

enum err loop_turn(struct loop *loop, unsigned int max_wait_ms)
{
    const unsigned int wait_ms =
        loop->slices != NULL ? 0 : wait_for_timer(loop, (unsigned int)num_min(max_wait_ms, WAIT_MAX_MS));

    loop->event_count = 0;
    log_hold_flush();
    TRY(poller_wait(loop->poller, (int)wait_ms, loop->events, EVENTS, &loop->event_count));
    read_clock(loop);
    run_events(loop);
    run_posts(loop);
    run_timers(loop);
    run_slices(loop);
    return ERR_OK;
}

enum err loop_run(struct loop *loop)
{
    while (!atomic_load(&loop->stopping)) {
        TRY(loop_turn(loop, WAIT_MAX_MS));
    }
    return ERR_OK;
}
