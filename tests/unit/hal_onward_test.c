/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/onward.h: a calendar that follows the clock forward and not back. attacks.md class 19: clock set back. */
#include "hal/onward.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "hal/sim/sim_clock.h"

#define START_MS INT64_C(1767225600000)
#define HOUR_MS  INT64_C(3600000)

struct fixture {
    struct sim_clock clock;
    struct hal_onward onward;
};

static int set_up(void **state)
{
    static struct fixture fixture;

    sim_clock_init(&fixture.clock);
    hal_onward_init(&fixture.onward, &fixture.clock.base);
    *state = &fixture;
    return 0;
}

static int64_t now_ms(const struct fixture *f)
{
    return hal_clock_wall(&f->onward.base).ms;
}

static void set(struct fixture *f, int64_t ms)
{
    sim_clock_set_wall(&f->clock, (struct wall_time){ms});
}

static void the_calendar_is_that_of_the_clock(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(now_ms(f), START_MS);
    sim_clock_advance_ms(&f->clock, 1234);
    assert_int_equal(now_ms(f), START_MS + 1234);
    assert_int_equal(hal_clock_mono(&f->onward.base).ns, hal_clock_mono(&f->clock.base).ns);
    assert_int_equal(hal_onward_lag_ms(&f->onward), 0);
}

static void a_step_forward_is_followed(void **state)
{
    struct fixture *f = *state;

    set(f, START_MS + HOUR_MS);

    assert_int_equal(now_ms(f), START_MS + HOUR_MS);
    sim_clock_advance_ms(&f->clock, 5);
    assert_int_equal(now_ms(f), START_MS + HOUR_MS + 5);
}

static void attack_19_a_step_back_is_not_followed_and_time_goes_on(void **state)
{
    struct fixture *f = *state;
    sim_clock_advance_ms(&f->clock, HOUR_MS);

    set(f, START_MS);

    assert_int_equal(now_ms(f), START_MS + HOUR_MS);
    assert_int_equal(hal_onward_lag_ms(&f->onward), HOUR_MS);
    sim_clock_advance_ms(&f->clock, 10);
    assert_int_equal(now_ms(f), START_MS + HOUR_MS + 10);
    set(f, START_MS + 2 * HOUR_MS);
    assert_int_equal(now_ms(f), START_MS + 2 * HOUR_MS);
    assert_int_equal(hal_onward_lag_ms(&f->onward), 0);
}

/* Also one that nobody looked at. */
static void attack_19_steps_back_do_not_add_up(void **state)
{
    struct fixture *f = *state;

    for (unsigned int i = 0; i < 5; i++) {
        set(f, START_MS - (int64_t)i * HOUR_MS);
        assert_int_equal(now_ms(f), START_MS);
    }
}

static void a_step_back_of_less_than_a_second_is_followed(void **state)
{
    struct fixture *f = *state;

    set(f, START_MS - 999);
    assert_int_equal(now_ms(f), START_MS - 999);
    assert_int_equal(hal_onward_lag_ms(&f->onward), 0);
    set(f, START_MS - 1000);
    assert_int_equal(now_ms(f), START_MS);
    assert_int_equal(hal_onward_lag_ms(&f->onward), 1000);
}

static void a_time_that_another_process_saw_is_not_gone_behind(void **state)
{
    struct fixture *f = *state;

    hal_onward_saw(&f->onward, (struct wall_time){START_MS + HOUR_MS});

    assert_int_equal(now_ms(f), START_MS + HOUR_MS);
    hal_onward_saw(&f->onward, (struct wall_time){START_MS});
    sim_clock_advance_ms(&f->clock, 7);
    assert_int_equal(now_ms(f), START_MS + HOUR_MS + 7);
}

#define THREADS 4

static void *see_many(void *context)
{
    struct hal_onward *onward = context;

    for (int64_t i = 0; i < 20000; i++) {
        hal_onward_saw(onward, (struct wall_time){START_MS + i});
        (void)hal_clock_wall(&onward->base);
    }
    return NULL;
}

static void many_threads_keep_the_latest(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, see_many, &f->onward), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }

    assert_int_equal(now_ms(f), START_MS + 19999);
}

#define T(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_calendar_is_that_of_the_clock),
        T(a_step_forward_is_followed),
        T(attack_19_a_step_back_is_not_followed_and_time_goes_on),
        T(attack_19_steps_back_do_not_add_up),
        T(a_step_back_of_less_than_a_second_is_followed),
        T(a_time_that_another_process_saw_is_not_gone_behind),
        T(many_threads_keep_the_latest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
