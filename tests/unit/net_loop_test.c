/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/loop.h: timers to the tick, posts from other threads, slices in turn, watches that stop when told. */
#include "net/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TIMERS 500
#define POSTS 1000

struct fixture {
    struct hal_clock clock; /* first: the functions get it */
    uint64_t now_ns;
    struct loop *loop;
};

static struct mono_time mono_now(const struct hal_clock *clock)
{
    return (struct mono_time){((const struct fixture *)(const void *)clock)->now_ns};
}

static struct wall_time wall_now(const struct hal_clock *clock)
{
    return (struct wall_time){7};
}

static const struct hal_clock_ops clock_ops = {.mono = mono_now, .wall = wall_now};

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.clock = {&clock_ops}, .now_ns = 5000 * TIME_NS_PER_MS};
    assert_int_equal(loop_new(&fixture.clock, POSTS, &fixture.loop), ERR_OK);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    loop_free(((struct fixture *)*state)->loop);
    return 0;
}

static void advance(struct fixture *f, uint64_t ms)
{
    f->now_ns += ms * TIME_NS_PER_MS;
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
}

static struct mono_time in_ms(const struct fixture *f, uint64_t ms)
{
    return mono_add_ms((struct mono_time){f->now_ns}, ms);
}

struct counter {
    struct loop_timer timer; /* first */
    struct fixture *fixture;
    size_t fired;
    uint64_t fired_at_ns;
};

static void count(struct loop_timer *timer)
{
    struct counter *const counter = (struct counter *)timer;

    counter->fired++;
    counter->fired_at_ns = counter->fixture->now_ns;
}

/* --- timers --- */

static void loop_timers_fire_once_never_early_and_within_two_ticks(void **state)
{
    struct fixture *const f = *state;
    static struct counter counters[TIMERS];
    uint64_t random = 1;

    memset(counters, 0, sizeof(counters));
    for (size_t i = 0; i < TIMERS; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        counters[i] = (struct counter){.timer = {.on_time = count}, .fixture = f};
        loop_timer_set(f->loop, &counters[i].timer, in_ms(f, (random >> 33) % 30000)); /* several rounds of the wheel */
    }
    for (size_t i = 0; i < 31000; i++) {
        advance(f, 1);
    }
    for (size_t i = 0; i < TIMERS; i++) {
        assert_int_equal(counters[i].fired, 1);
        assert_true(counters[i].fired_at_ns >= counters[i].timer.due.ns);
        assert_true(counters[i].fired_at_ns <= counters[i].timer.due.ns + 2 * LOOP_TICK_MS * TIME_NS_PER_MS);
    }
}

static void loop_timers_all_fire_after_a_long_sleep(void **state)
{
    struct fixture *const f = *state;
    static struct counter counters[TIMERS];

    for (size_t i = 0; i < TIMERS; i++) {
        counters[i] = (struct counter){.timer = {.on_time = count}, .fixture = f};
        loop_timer_set(f->loop, &counters[i].timer, in_ms(f, i * 100));
    }
    advance(f, 24 * 3600 * 1000);
    for (size_t i = 0; i < TIMERS; i++) {
        assert_int_equal(counters[i].fired, 1);
    }
}

static void loop_timer_set_moves_and_clear_forgets(void **state)
{
    struct fixture *const f = *state;
    struct counter moved = {.timer = {.on_time = count}, .fixture = f};
    struct counter cleared = moved;

    loop_timer_set(f->loop, &moved.timer, in_ms(f, 50));
    loop_timer_set(f->loop, &cleared.timer, in_ms(f, 50));
    loop_timer_set(f->loop, &moved.timer, in_ms(f, 5000));
    loop_timer_clear(f->loop, &cleared.timer);
    loop_timer_clear(f->loop, &cleared.timer);
    advance(f, 1000);
    assert_int_equal(moved.fired + cleared.fired, 0);
    advance(f, 4050);
    assert_int_equal(moved.fired, 1);
    assert_int_equal(cleared.fired, 0);
}

struct chain {
    struct loop_timer timer; /* first */
    struct fixture *fixture;
    struct loop_timer *victim;
    size_t fired;
};

static void clear_victim_and_set_again(struct loop_timer *timer)
{
    struct chain *const chain = (struct chain *)timer;

    chain->fired++;
    loop_timer_clear(chain->fixture->loop, chain->victim);
    if (chain->fired < 3) {
        loop_timer_set(chain->fixture->loop, timer, in_ms(chain->fixture, 0));
    }
}

static void loop_timers_may_set_themselves_and_clear_others_while_firing(void **state)
{
    struct fixture *const f = *state;
    struct chain a = {.timer = {.on_time = clear_victim_and_set_again}, .fixture = f};
    struct chain b = a;

    a.victim = &b.timer;
    b.victim = &a.timer;
    loop_timer_set(f->loop, &a.timer, in_ms(f, 20));
    loop_timer_set(f->loop, &b.timer, in_ms(f, 20));
    for (size_t i = 0; i < 20; i++) {
        advance(f, 20);
    }
    assert_int_equal(a.fired + b.fired, 3); /* the first to fire has cleared the other */
}

/* --- posts --- */

struct poster {
    struct loop_post post; /* first */
    atomic_size_t *run;
};

static void count_post(struct loop_post *post)
{
    atomic_fetch_add(((struct poster *)post)->run, 1);
}

struct crowd {
    struct loop *loop;
    struct poster *posters;
    size_t count;
};

static void *post_all(void *context)
{
    const struct crowd *const crowd = context;

    for (size_t i = 0; i < crowd->count; i++) {
        assert_int_equal(loop_post(crowd->loop, &crowd->posters[i].post), ERR_OK);
    }
    return NULL;
}

static void loop_posts_of_four_threads_run_each_once(void **state)
{
    struct fixture *const f = *state;
    static struct poster posters[POSTS];
    struct crowd crowds[4];
    pthread_t threads[4];
    atomic_size_t run = 0;

    for (size_t i = 0; i < POSTS; i++) {
        posters[i] = (struct poster){.post = {.run = count_post}, .run = &run};
    }
    for (size_t i = 0; i < 4; i++) {
        crowds[i] = (struct crowd){f->loop, posters + i * (POSTS / 4), POSTS / 4};
        assert_int_equal(pthread_create(&threads[i], NULL, post_all, &crowds[i]), 0);
    }
    while (atomic_load(&run) < POSTS) {
        assert_int_equal(loop_turn(f->loop, 1000), ERR_OK);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
    assert_int_equal(run, POSTS);
}

static void loop_post_refuses_one_more_than_may_wait(void **state)
{
    struct fixture *const f = *state;
    static struct poster posters[POSTS + 2];
    atomic_size_t run = 0;
    size_t taken = 0;

    for (size_t i = 0; i < POSTS + 2; i++) {
        posters[i] = (struct poster){.post = {.run = count_post}, .run = &run};
        taken += loop_post(f->loop, &posters[i].post) == ERR_OK ? 1 : 0;
    }
    assert_int_equal(taken, POSTS + 1); /* one place is kept for loop_stop */
    assert_int_equal(loop_post(f->loop, &posters[0].post), ERR_LIMIT);
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
    assert_int_equal(run, POSTS + 1);
}

static void *stop_loop(void *context)
{
    loop_stop(context);
    return NULL;
}

static void loop_stop_ends_a_waiting_loop(void **state)
{
    struct fixture *const f = *state;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, stop_loop, f->loop), 0);
    assert_int_equal(loop_run(f->loop), ERR_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* --- slices --- */

struct work {
    struct loop_slice slice; /* first */
    size_t left;
    size_t *order;
    size_t *order_count;
    size_t id;
};

static enum loop_slice_result work_some(struct loop_slice *slice, struct mono_time until)
{
    struct work *const work = (struct work *)slice;

    work->order[(*work->order_count)++] = work->id;
    work->left--;
    return work->left == 0 ? LOOP_SLICE_DONE : LOOP_SLICE_AGAIN;
}

static void loop_slices_take_turns_and_timers_fire_between_them(void **state)
{
    struct fixture *const f = *state;
    size_t order[16] = {0};
    size_t count_of_order = 0;
    struct work a = {.slice = {.run = work_some}, .left = 3, .order = order, .order_count = &count_of_order, .id = 1};
    struct work b = a;
    struct counter counter = {.timer = {.on_time = count}, .fixture = f};

    b.left = 2;
    b.id = 2;
    loop_slice_start(f->loop, &a.slice);
    loop_slice_start(f->loop, &b.slice);
    loop_timer_set(f->loop, &counter.timer, in_ms(f, 1));
    advance(f, 20);
    assert_int_equal(count_of_order, 1);
    assert_int_equal(counter.fired, 1);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(loop_turn(f->loop, 1000), ERR_OK); /* does not wait while slices do */
        if (count_of_order == 5) {
            break;
        }
    }
    const size_t expected[] = {1, 2, 1, 2, 1};
    assert_int_equal(count_of_order, 5);
    assert_memory_equal(order, expected, sizeof(expected));
}

static void loop_slices_that_are_done_share_one_turn(void **state)
{
    struct fixture *const f = *state;
    size_t order[16] = {0};
    size_t count_of_order = 0;
    struct work works[5];

    for (size_t i = 0; i < 5; i++) { /* the fourth has more to do than a turn */
        works[i] = (struct work){
            .slice = {.run = work_some}, .left = i == 3 ? 2 : 1, .order = order, .order_count = &count_of_order, .id = i};
        loop_slice_start(f->loop, &works[i].slice);
    }
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
    assert_int_equal(count_of_order, 4);
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);

    const size_t expected[] = {0, 1, 2, 3, 4, 3};
    assert_int_equal(count_of_order, 6);
    assert_memory_equal(order, expected, sizeof(expected));
}

static void loop_slice_stop_takes_one_out_of_the_row(void **state)
{
    struct fixture *const f = *state;
    size_t order[16] = {0};
    size_t count_of_order = 0;
    struct work works[3];

    for (size_t i = 0; i < 3; i++) {
        works[i] = (struct work){
            .slice = {.run = work_some}, .left = 1, .order = order, .order_count = &count_of_order, .id = i};
        loop_slice_start(f->loop, &works[i].slice);
    }
    loop_slice_stop(f->loop, &works[2].slice);
    loop_slice_stop(f->loop, &works[0].slice);
    loop_slice_stop(f->loop, &works[0].slice);
    loop_slice_start(f->loop, &works[2].slice);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
    }
    assert_int_equal(count_of_order, 2);
    assert_int_equal(order[0], 1);
    assert_int_equal(order[1], 2);
}

/* --- watches --- */

struct ear {
    struct loop_watch watch; /* first */
    struct fixture *fixture;
    struct ear *other;
    size_t heard;
    unsigned int ready;
};

static void hear(struct loop_watch *watch, unsigned int ready)
{
    struct ear *const ear = (struct ear *)watch;

    ear->heard++;
    ear->ready = ready;
    if (ear->other != NULL) {
        loop_watch_stop(ear->fixture->loop, &ear->other->watch);
    }
}

static void loop_watch_reports_what_was_asked_for(void **state)
{
    struct fixture *const f = *state;
    int ends[2];
    struct ear ear = {.watch = {.on_ready = hear}, .fixture = f};

    assert_int_equal(pipe(ends), 0);
    ear.watch.descriptor = ends[0];
    assert_int_equal(loop_watch_start(f->loop, &ear.watch, LOOP_READ), ERR_OK);
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
    assert_int_equal(ear.heard, 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK); /* still there: told again */
    assert_int_equal(ear.heard, 2);
    assert_int_equal(ear.ready, LOOP_READ);
    assert_int_equal(loop_watch_change(f->loop, &ear.watch, 0), ERR_OK);
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
    assert_int_equal(ear.heard, 2);
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
    assert_int_equal(ear.ready & LOOP_GONE, LOOP_GONE); /* told without being asked */
    loop_watch_stop(f->loop, &ear.watch);
    assert_int_equal(close(ends[0]), 0);
}

static void loop_watch_stop_holds_for_events_already_collected(void **state)
{
    struct fixture *const f = *state;
    int ends[2][2];
    struct ear ears[2];

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pipe(ends[i]), 0);
        ears[i] = (struct ear){.watch = {.on_ready = hear, .descriptor = ends[i][0]}, .fixture = f};
        ears[i].other = &ears[1 - i];
        assert_int_equal(loop_watch_start(f->loop, &ears[i].watch, LOOP_READ), ERR_OK);
        assert_int_equal(write(ends[i][1], "x", 1), 1);
    }
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
    assert_int_equal(ears[0].heard + ears[1].heard, 1);
    for (size_t i = 0; i < 2; i++) {
        loop_watch_stop(f->loop, &ears[i].watch);
        assert_int_equal(close(ends[i][0]), 0);
        assert_int_equal(close(ends[i][1]), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(loop_timers_fire_once_never_early_and_within_two_ticks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(loop_timers_all_fire_after_a_long_sleep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(loop_timer_set_moves_and_clear_forgets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(loop_timers_may_set_themselves_and_clear_others_while_firing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(loop_posts_of_four_threads_run_each_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(loop_post_refuses_one_more_than_may_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(loop_stop_ends_a_waiting_loop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(loop_slices_take_turns_and_timers_fire_between_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(loop_slices_that_are_done_share_one_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(loop_slice_stop_takes_one_out_of_the_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(loop_watch_reports_what_was_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(loop_watch_stop_holds_for_events_already_collected, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("net/loop", tests, NULL, NULL);
}
