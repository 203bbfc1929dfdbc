/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The test is the supervisor, and both threads of the worker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/worker/plan_link.h"
#include "hal/base/fault.h"
#include "hal/clock.h"
#include "hal/process.h"

struct fixture {
    struct poller *poller;
    struct loop *loop;
    struct msg_channel *supervisor;
    struct msg_channel *control;
    struct plan_link *link;
    struct api_plans plans;
};

struct job {
    struct api_plan_job job; /* first */
    size_t answers;
    enum err err;
};

static void on_done(struct api_plan_job *job, enum err err)
{
    struct job *const own = (struct job *)(void *)job;

    own->answers++;
    own->err = err;
}

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *const f = &fixture;
    int ends[2] = {-1, -1};

    *f = (struct fixture){.poller = NULL};
    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(msg_channel_new(ends[0], MSG_TO_WORKER, MSG_UPPER, &f->supervisor), ERR_OK);
    assert_int_equal(msg_channel_new(ends[1], MSG_TO_WORKER, MSG_LOWER, &f->control), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[0]), ERR_OK);
    assert_int_equal(poller_new(&f->poller), ERR_OK);
    assert_int_equal(loop_new(hal_clock_system(), 8, &f->loop), ERR_OK);
    assert_int_equal(plan_link_new(f->poller, f->control, &f->link), ERR_OK);
    f->plans = plan_link_table(f->link);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *const f = *state;

    plan_link_free(f->link);
    loop_free(f->loop);
    poller_free(f->poller);
    msg_channel_free(f->control);
    msg_channel_free(f->supervisor);
    return 0;
}

static struct job job_of(struct fixture *f, struct span plan)
{
    return (struct job){.job = {.done = on_done, .loop = f->loop, .plan = plan}};
}

static struct msg asked(struct fixture *f)
{
    struct msg msg = MSG_NEW(MSG_WORKER_PLAN);

    assert_int_equal(msg_recv(f->supervisor, MSG_OPERATIONAL, &msg), ERR_OK);
    assert_int_equal(msg.type, MSG_WORKER_PLAN);
    return msg;
}

static enum err answer(struct fixture *f, uint64_t number, enum err err)
{
    struct msg msg = MSG_NEW(MSG_WORKER_PLANNED);

    msg.as.worker_planned.number = number;
    msg.as.worker_planned.err = (uint32_t)err;
    return plan_link_answer(f->link, &msg);
}

static void a_plan_goes_to_the_supervisor_and_its_answer_to_who_asked(void **state)
{
    struct fixture *const f = *state;
    struct job job = job_of(f, span_lit("the plan"));

    assert_int_equal(f->plans.start(f->plans.context, &job.job), ERR_OK);
    plan_link_run(f->link);
    const struct msg msg = asked(f);
    assert_true(span_equal(MSG_VIEW(&msg.as.worker_plan.plan), span_lit("the plan")));
    assert_int_equal(answer(f, msg.as.worker_plan.number, ERR_UNSUPPORTED), ERR_OK);
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);

    assert_int_equal(job.answers, 1);
    assert_int_equal(job.err, ERR_UNSUPPORTED);
}

static void the_longest_plan_goes_and_a_longer_one_does_not(void **state)
{
    static const char text[API_PLAN_MAX + 1] = "long";
    struct fixture *const f = *state;
    struct job longer = job_of(f, span_of(text, API_PLAN_MAX + 1));
    struct job longest = job_of(f, span_of(text, API_PLAN_MAX));

    assert_int_equal(f->plans.start(f->plans.context, &longer.job), ERR_OK);
    plan_link_run(f->link);
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
    assert_int_equal(longer.answers, 1);
    assert_int_equal(longer.err, ERR_RANGE);
    assert_int_equal(f->plans.start(f->plans.context, &longest.job), ERR_OK);
    plan_link_run(f->link);

    const struct msg msg = asked(f);
    assert_int_equal(msg.as.worker_plan.plan.len, API_PLAN_MAX);
    assert_int_equal(answer(f, msg.as.worker_plan.number, ERR_OK), ERR_OK);
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
    assert_int_equal(longest.answers, 1);
}

static void a_second_plan_waits_for_nobody(void **state)
{
    struct fixture *const f = *state;
    struct job first = job_of(f, span_lit("1"));
    struct job second = job_of(f, span_lit("2"));
    assert_int_equal(f->plans.start(f->plans.context, &first.job), ERR_OK);
    assert_int_equal(f->plans.start(f->plans.context, &second.job), ERR_OK);

    plan_link_run(f->link);
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);

    assert_int_equal(first.answers, 0);
    assert_int_equal(second.answers, 1);
    assert_int_equal(second.err, ERR_LIMIT);
    assert_int_equal(answer(f, asked(f).as.worker_plan.number, ERR_OK), ERR_OK);
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
    assert_int_equal(first.answers, 1);
    assert_int_equal(first.err, ERR_OK);
}

static void an_answer_to_no_question_is_refused(void **state)
{
    struct fixture *const f = *state;
    struct job job = job_of(f, span_lit("1"));

    assert_int_equal(answer(f, 1, ERR_OK), ERR_STATE);
    assert_int_equal(f->plans.start(f->plans.context, &job.job), ERR_OK);
    plan_link_run(f->link);
    assert_int_equal(answer(f, asked(f).as.worker_plan.number + 1, ERR_OK), ERR_STATE);
    fault_clear();
    assert_int_equal(job.answers, 0);
}

static void a_supervisor_that_is_gone_answers_nobody_and_the_job_ends(void **state)
{
    struct fixture *const f = *state;
    struct job job = job_of(f, span_lit("1"));
    msg_channel_free(f->supervisor);
    f->supervisor = NULL;

    assert_int_equal(f->plans.start(f->plans.context, &job.job), ERR_OK);
    plan_link_run(f->link);
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);

    assert_int_equal(job.answers, 1);
    assert_int_equal(job.err, ERR_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_plan_goes_to_the_supervisor_and_its_answer_to_who_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(the_longest_plan_goes_and_a_longer_one_does_not, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_plan_waits_for_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_to_no_question_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_supervisor_that_is_gone_answers_nobody_and_the_job_ends, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
