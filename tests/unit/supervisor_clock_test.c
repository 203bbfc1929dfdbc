/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The supervisor between a worker that knows the time, or says so, and who sets the clock: which steps are passed on.
 * attacks.md class 19: clock set back. */
/* link: --wrap=process_kill --wrap=log_event --wrap=log_fault */
#include "firmware/supervisor/supervisor_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/init_link.h"
#include "hal/base/fault.h"
#include "hal/calendar.h"
#include "hal/process.h"
#include "hal/sim/sim_clock.h"
#include "hal/socket.h"
#include "tests/lib/log_count.h"

#define S_MS   INT64_C(1000)
#define DAY_MS (86400 * S_MS)
#define NEAR   CLOCK_RULE_NEAR_MS

static struct {
    struct options options;
    struct supervisor supervisor;
    struct sim_clock clock;
    int init; /* the first process's end */
} box;

void __wrap_process_kill(const struct process *process);
void __wrap_process_kill(const struct process *process)
{
    assert_ptr_equal(process, &box.supervisor.worker.process);
}

static int make(void **state)
{
    int ends[2];

    (void)state;
    memset(&box, 0, sizeof(box));
    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[0]), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[1]), ERR_OK);
    box.init = ends[1];
    box.options.init_fd = ends[0];
    sim_clock_init(&box.clock);
    box.supervisor.options = &box.options;
    box.supervisor.worker.state = MSG_OPERATIONAL;
    box.supervisor.clock = &box.clock.base;
    box.supervisor.image.ms = box.clock.wall.ms - 2 * DAY_MS;
    hal_onward_init(&box.supervisor.calendar, &box.clock.base);
    return 0;
}

static int done(void **state)
{
    (void)state;
    socket_close(box.init);
    socket_close(box.options.init_fd);
    fault_clear();
    return 0;
}

/* The worker says that the clock is so much behind; was that passed on? */
static bool passes(int64_t off_ms, bool authenticated)
{
    enum init_request request = INIT_RESTART;
    struct init_time time = {.unix_ns = 0};
    const uint64_t unix_ns = (uint64_t)(box.clock.wall.ms + off_ms) * TIME_NS_PER_MS;

    box.supervisor.in = MSG_NEW(MSG_WORKER_TIME);
    box.supervisor.in.as.worker_time.unix_ns = unix_ns;
    box.supervisor.in.as.worker_time.at_ns = box.clock.mono.ns;
    box.supervisor.in.as.worker_time.authenticated = authenticated ? 1 : 0;
    assert_int_equal(MSG_SET(&box.supervisor.in.as.worker_time.source, span_lit("time.example.net")), ERR_OK);
    supervisor_on_time(&box.supervisor);
    const enum err err = init_link_hear(box.init, &request, &time);
    if (err == ERR_AGAIN) {
        return false;
    }
    assert_int_equal(err, ERR_OK);
    assert_int_equal(request, INIT_SET_CLOCK);
    assert_true(time.unix_ns == unix_ns && time.at.ns == box.clock.mono.ns);
    return true;
}

/* And done. */
static bool sets(int64_t off_ms, bool authenticated)
{
    if (!passes(off_ms, authenticated)) {
        return false;
    }
    assert_int_equal(init_link_answer(box.init, ERR_OK), ERR_OK);
    assert_int_equal(supervisor_on_init(&box.supervisor), ERR_OK);
    sim_clock_set_wall(&box.clock, (struct wall_time){box.clock.wall.ms + off_ms});
    return true;
}

static void a_clock_that_is_believed_follows_a_plain_server_to_the_bound_and_no_further(void **state)
{
    (void)state;

    assert_false(sets(NEAR + 1, false));
    assert_false(sets(-NEAR - 1, false));
    assert_true(sets(NEAR, false));
    sim_clock_advance_ms(&box.clock, CLOCK_RULE_PAUSE_MS);
    assert_true(sets(-NEAR, false));
}

static void a_source_that_has_authenticated_itself_sets_it_as_far_as_it_likes_once(void **state)
{
    (void)state;
    assert_true(sets(NEAR, false));

    assert_true(sets(400 * DAY_MS, true));
    assert_false(sets(NEAR + 1, true));
    assert_false(sets(-400 * DAY_MS, true));
    assert_false(sets(NEAR + 1, false));
}

static void a_clock_in_doubt_is_set_by_the_first_who_knows_better(void **state)
{
    (void)state;
    box.supervisor.image.ms = box.clock.wall.ms - DAY_MS + 1; /* it began with the image's date */
    supervisor_look_at_clock(&box.supervisor);

    assert_true(sets(400 * DAY_MS, false));
    assert_false(sets(NEAR + 1, false));
}

static void a_clock_in_doubt_is_not_believed_because_nobody_was_reached_for_days(void **state)
{
    (void)state;
    box.supervisor.image.ms = box.clock.wall.ms; /* no battery */
    supervisor_look_at_clock(&box.supervisor);
    sim_clock_advance_ms(&box.clock, 3 * (uint64_t)DAY_MS);

    assert_true(sets(400 * DAY_MS, false));
}

static void a_clock_behind_the_date_that_was_kept_is_in_doubt(void **state)
{
    (void)state;
    hal_onward_saw(&box.supervisor.calendar, (struct wall_time){box.clock.wall.ms + 30 * DAY_MS});

    assert_true(sets(30 * DAY_MS, false));
    assert_false(sets(-30 * DAY_MS, false));
}

static void attack_19_steps_are_ten_minutes_apart_and_leading_is_always_possible(void **state)
{
    (void)state;
    assert_true(sets(-NEAR, true));

    assert_false(sets(-CALENDAR_SLEW_MS, true));
    assert_true(sets(CALENDAR_SLEW_MS - 1, false));
    assert_true(sets(1 - CALENDAR_SLEW_MS, false));
    sim_clock_advance_ms(&box.clock, CLOCK_RULE_PAUSE_MS - 1);
    assert_false(sets(-NEAR, true));
    sim_clock_advance_ms(&box.clock, 1);
    assert_true(sets(-NEAR, true));
}

static void what_the_first_process_refuses_counts_as_nothing(void **state)
{
    (void)state;
    assert_true(passes(-400 * DAY_MS, true));
    assert_false(passes(0, true)); /* while it is asked */
    assert_int_equal(init_link_answer(box.init, ERR_RANGE), ERR_OK);

    assert_int_equal(supervisor_on_init(&box.supervisor), ERR_OK);

    assert_true(sets(400 * DAY_MS, true));
}

/* Each is asked of the first process, which refuses it: before the image was made, and what the worker says is no crime. */
static void a_worker_that_never_tires_of_what_is_refused_does_not_fill_the_log(void **state)
{
    (void)state;
    log_count_begin("clock_not_set");

    for (int i = 0; i < 200; i++) {
        assert_true(passes(-400 * DAY_MS, true));
        assert_int_equal(init_link_answer(box.init, ERR_RANGE), ERR_OK);
        assert_int_equal(supervisor_on_init(&box.supervisor), ERR_OK);
    }
    assert_int_equal(log_count.lines, LOG_LIMIT_LINES);
    sim_clock_advance_ms(&box.clock, LOG_LIMIT_MS);
    assert_true(passes(-400 * DAY_MS, true));
    assert_int_equal(init_link_answer(box.init, ERR_RANGE), ERR_OK);
    assert_int_equal(supervisor_on_init(&box.supervisor), ERR_OK);

    assert_int_equal(log_count.lines, LOG_LIMIT_LINES + 1);
    assert_int_equal(log_count.left_out, 200 - LOG_LIMIT_LINES);
}

static void nor_does_one_whose_steps_are_refused_between_two_that_are_done(void **state)
{
    (void)state;
    assert_true(sets(NEAR, true));
    log_count_begin("clock_step_refused");

    for (int i = 0; i < 200; i++) {
        assert_false(sets(400 * DAY_MS, true));
        assert_true(sets(1, true));
    }

    assert_int_equal(log_count.lines, LOG_LIMIT_LINES);
}

static void a_first_process_that_is_not_there_is_told_so_often_and_no_more(void **state)
{
    (void)state;
    socket_close(box.init);
    log_count_begin("clock_not_set");

    for (int i = 0; i < 200; i++) {
        box.supervisor.in = MSG_NEW(MSG_WORKER_TIME);
        box.supervisor.in.as.worker_time.unix_ns = (uint64_t)box.clock.wall.ms * TIME_NS_PER_MS;
        box.supervisor.in.as.worker_time.at_ns = box.clock.mono.ns;
        supervisor_on_time(&box.supervisor);
        assert_int_equal(fault_trail()->count, 0);
    }

    assert_int_equal(log_count.lines, LOG_LIMIT_LINES);
    box.init = -1;
}

static void a_reading_that_waited_is_as_late_as_it_has_become(void **state)
{
    (void)state;
    box.supervisor.in = MSG_NEW(MSG_WORKER_TIME);
    box.supervisor.in.as.worker_time.unix_ns = (uint64_t)(box.clock.wall.ms + NEAR) * TIME_NS_PER_MS;
    box.supervisor.in.as.worker_time.at_ns = box.clock.mono.ns;
    sim_clock_advance_ms(&box.clock, 5000);

    supervisor_on_time(&box.supervisor);

    assert_true(box.supervisor.clock_asked);
    assert_int_equal(box.supervisor.setting.ask.off_ms, NEAR);
}

static void an_instant_to_come_condemns_the_worker(void **state)
{
    (void)state;
    box.supervisor.worker.runs = true;
    box.supervisor.worker.command = "worker";
    box.supervisor.in = MSG_NEW(MSG_WORKER_TIME);
    box.supervisor.in.as.worker_time.at_ns = box.clock.mono.ns + 1;

    supervisor_on_time(&box.supervisor);

    assert_true(box.supervisor.worker.at_fault);
    assert_false(box.supervisor.clock_asked);
}

static void a_worker_that_served_a_locked_box_has_no_say(void **state)
{
    (void)state;
    box.supervisor.worker.state = MSG_LOCKED;
    box.supervisor.worker.stopping = true;

    assert_false(passes(S_MS, true));
    assert_false(box.supervisor.clock_asked);
}

static void on_a_host_the_clock_is_the_hosts(void **state)
{
    const int link = box.options.init_fd;
    (void)state;
    box.options.init_fd = -1;

    assert_false(passes(S_MS, true));

    box.options.init_fd = link;
}

#define WITH_BOX(test) cmocka_unit_test_setup_teardown(test, make, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOX(a_clock_that_is_believed_follows_a_plain_server_to_the_bound_and_no_further),
        WITH_BOX(a_source_that_has_authenticated_itself_sets_it_as_far_as_it_likes_once),
        WITH_BOX(a_clock_in_doubt_is_set_by_the_first_who_knows_better),
        WITH_BOX(a_clock_in_doubt_is_not_believed_because_nobody_was_reached_for_days),
        WITH_BOX(a_clock_behind_the_date_that_was_kept_is_in_doubt),
        WITH_BOX(attack_19_steps_are_ten_minutes_apart_and_leading_is_always_possible),
        WITH_BOX(what_the_first_process_refuses_counts_as_nothing),
        WITH_BOX(a_worker_that_never_tires_of_what_is_refused_does_not_fill_the_log),
        WITH_BOX(nor_does_one_whose_steps_are_refused_between_two_that_are_done),
        WITH_BOX(a_first_process_that_is_not_there_is_told_so_often_and_no_more),
        WITH_BOX(a_reading_that_waited_is_as_late_as_it_has_become),
        WITH_BOX(an_instant_to_come_condemns_the_worker),
        WITH_BOX(a_worker_that_served_a_locked_box_has_no_say),
        WITH_BOX(on_a_host_the_clock_is_the_hosts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
