/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The supervisor between a worker that brings a plan of Secure Boot and the keeper, who judges it: whose question, whose answer. The
 * test is both of them. */
#include "firmware/supervisor/supervisor_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/process.h"
#include "hal/sim/sim_clock.h"

#define PLAN "what only the keeper reads"

static struct {
    struct supervisor supervisor;
    struct sim_clock clock;
    struct msg_channel *keeper; /* the other ends */
    struct msg_channel *worker;
} box;

static void connect(enum msg_channel_kind kind, struct child *child, struct msg_channel **out_other)
{
    int ends[2] = {-1, -1};

    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[1]), ERR_OK);
    assert_int_equal(msg_channel_new(ends[0], kind, MSG_UPPER, &child->control), ERR_OK);
    assert_int_equal(msg_channel_new(ends[1], kind, MSG_LOWER, out_other), ERR_OK);
}

static void disconnect(struct child *child, struct msg_channel **other)
{
    msg_channel_free(child->control);
    child->control = NULL;
    msg_channel_free(*other);
    *other = NULL;
}

static int make(void **state)
{
    (void)state;
    memset(&box, 0, sizeof(box));
    fault_clear();
    connect(MSG_TO_KEEPER, &box.supervisor.keeper, &box.keeper);
    connect(MSG_TO_WORKER, &box.supervisor.worker, &box.worker);
    sim_clock_init(&box.clock);
    box.supervisor.clock = &box.clock.base;
    box.supervisor.keeper.runs = true;
    box.supervisor.keeper.state = MSG_OPERATIONAL;
    return 0;
}

static int done(void **state)
{
    (void)state;
    disconnect(&box.supervisor.keeper, &box.keeper);
    disconnect(&box.supervisor.worker, &box.worker);
    fault_clear();
    return 0;
}

/* The worker's message has come. */
static void ask(uint64_t number, const char *plan)
{
    box.supervisor.in = MSG_NEW(MSG_WORKER_PLAN);
    box.supervisor.in.as.worker_plan.number = number;
    assert_int_equal(MSG_SET(&box.supervisor.in.as.worker_plan.plan, span_str(plan)), ERR_OK);
    supervisor_on_plan(&box.supervisor);
}

static void assert_keeper_was_asked(const char *plan)
{
    struct msg msg = MSG_NEW(MSG_KEEPER_PLAN);

    assert_int_equal(msg_recv(box.keeper, MSG_OPERATIONAL, &msg), ERR_OK);
    assert_int_equal(msg.type, MSG_KEEPER_PLAN);
    assert_true(span_equal(MSG_VIEW(&msg.as.keeper_plan), span_str(plan)));
}

static void assert_nobody_asks_the_keeper(void)
{
    struct msg msg = MSG_NEW(MSG_KEEPER_PLAN);

    assert_int_equal(msg_recv(box.keeper, MSG_OPERATIONAL, &msg), ERR_AGAIN);
    fault_clear();
}

static void assert_worker_was_told(uint64_t number, enum err err)
{
    struct msg msg = MSG_NEW(MSG_WORKER_PLANNED);

    assert_int_equal(msg_recv(box.worker, MSG_OPERATIONAL, &msg), ERR_OK);
    assert_int_equal(msg.type, MSG_WORKER_PLANNED);
    assert_int_equal(msg.as.worker_planned.number, number);
    assert_int_equal(msg.as.worker_planned.err, err);
}

static void assert_worker_was_told_nothing(void)
{
    struct msg msg = MSG_NEW(MSG_WORKER_PLANNED);

    assert_int_equal(msg_recv(box.worker, MSG_OPERATIONAL, &msg), ERR_AGAIN);
    fault_clear();
}

static void a_plan_goes_to_the_keeper_as_it_is_and_the_answer_back(void **state)
{
    (void)state;
    ask(7, PLAN);
    assert_keeper_was_asked(PLAN);
    assert_worker_was_told_nothing();

    supervisor_on_planned(&box.supervisor, ERR_ROLLBACK);

    assert_worker_was_told(7, ERR_ROLLBACK);
    ask(8, PLAN "2");
    assert_keeper_was_asked(PLAN "2");
    supervisor_on_planned(&box.supervisor, ERR_OK);
    assert_worker_was_told(8, ERR_OK);
}

static void one_plan_is_under_way_at_a_time(void **state)
{
    (void)state;
    ask(1, PLAN);
    assert_keeper_was_asked(PLAN);

    ask(2, PLAN);

    assert_worker_was_told(2, ERR_LIMIT);
    assert_nobody_asks_the_keeper();
    supervisor_on_planned(&box.supervisor, ERR_OK);
    assert_worker_was_told(1, ERR_OK);
}

static void a_keeper_that_is_not_open_is_not_asked(void **state)
{
    struct child *const keeper = &box.supervisor.keeper;
    (void)state;

    keeper->state = MSG_LOCKED;
    ask(1, PLAN);
    assert_worker_was_told(1, ERR_STATE);
    keeper->state = MSG_OPERATIONAL;
    keeper->stopping = true;
    ask(2, PLAN);
    assert_worker_was_told(2, ERR_STATE);
    keeper->stopping = false;
    keeper->runs = false;
    ask(3, PLAN);
    assert_worker_was_told(3, ERR_STATE);

    assert_nobody_asks_the_keeper();
    keeper->runs = true;
    ask(4, PLAN); /* nothing was left of the others */
    assert_keeper_was_asked(PLAN);
}

static void a_keeper_that_cannot_be_reached_is_told_and_leaves_nothing_under_way(void **state)
{
    struct child *const keeper = &box.supervisor.keeper;
    (void)state;
    msg_channel_free(box.keeper);
    box.keeper = NULL;

    ask(1, PLAN);

    assert_worker_was_told(1, ERR_CLOSED);
    disconnect(keeper, &box.keeper);
    connect(MSG_TO_KEEPER, keeper, &box.keeper);
    ask(2, PLAN);
    assert_keeper_was_asked(PLAN);
}

static void an_answer_that_nobody_waits_for_is_told_to_nobody(void **state)
{
    (void)state;
    supervisor_on_planned(&box.supervisor, ERR_OK);
    assert_worker_was_told_nothing();
    ask(1, PLAN);
    supervisor_on_planned(&box.supervisor, ERR_OK);
    assert_worker_was_told(1, ERR_OK);

    supervisor_on_planned(&box.supervisor, ERR_OK);

    assert_worker_was_told_nothing();
}

static void the_answer_to_a_worker_that_is_gone_does_not_reach_the_next_one(void **state)
{
    struct child *const worker = &box.supervisor.worker;
    (void)state;
    ask(1, PLAN);
    assert_keeper_was_asked(PLAN);
    supervisor_plan_lost(&box.supervisor, worker);
    disconnect(worker, &box.worker);
    connect(MSG_TO_WORKER, worker, &box.worker);
    ask(1, PLAN); /* the keeper is still at the first */
    assert_worker_was_told(1, ERR_LIMIT);

    supervisor_on_planned(&box.supervisor, ERR_OK);

    assert_worker_was_told_nothing();
    ask(2, PLAN);
    assert_keeper_was_asked(PLAN);
    supervisor_on_planned(&box.supervisor, ERR_AUTH);
    assert_worker_was_told(2, ERR_AUTH);
}

static void a_keeper_that_dies_over_a_plan_ends_it(void **state)
{
    struct child *const keeper = &box.supervisor.keeper;
    (void)state;
    ask(1, PLAN);
    assert_keeper_was_asked(PLAN);

    supervisor_plan_lost(&box.supervisor, keeper);

    assert_worker_was_told(1, ERR_CLOSED);
    supervisor_plan_lost(&box.supervisor, keeper); /* of another one, later */
    assert_worker_was_told_nothing();
    ask(2, PLAN);
    assert_keeper_was_asked(PLAN);
}

static void a_courier_that_ends_changes_nothing(void **state)
{
    (void)state;
    ask(1, PLAN);
    assert_keeper_was_asked(PLAN);

    supervisor_plan_lost(&box.supervisor, &box.supervisor.courier);

    supervisor_on_planned(&box.supervisor, ERR_OK);
    assert_worker_was_told(1, ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_plan_goes_to_the_keeper_as_it_is_and_the_answer_back, make, done),
        cmocka_unit_test_setup_teardown(one_plan_is_under_way_at_a_time, make, done),
        cmocka_unit_test_setup_teardown(a_keeper_that_is_not_open_is_not_asked, make, done),
        cmocka_unit_test_setup_teardown(a_keeper_that_cannot_be_reached_is_told_and_leaves_nothing_under_way, make, done),
        cmocka_unit_test_setup_teardown(an_answer_that_nobody_waits_for_is_told_to_nobody, make, done),
        cmocka_unit_test_setup_teardown(the_answer_to_a_worker_that_is_gone_does_not_reach_the_next_one, make, done),
        cmocka_unit_test_setup_teardown(a_keeper_that_dies_over_a_plan_ends_it, make, done),
        cmocka_unit_test_setup_teardown(a_courier_that_ends_changes_nothing, make, done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
