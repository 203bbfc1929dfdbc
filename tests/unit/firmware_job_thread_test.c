/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/job_thread.h: one job at a time, beside the owner. */
/* link: --wrap=pthread_create */
#include "firmware/job_thread.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "hal/base/fault.h"

#define WAIT_MS  60000
#define JOBS_MAX 4

struct fixture {
    struct job_thread *thread;
    sem_t begun;   /* a job says that it is under way */
    sem_t may_end; /* and ends when this lets it */
    unsigned int jobs;
    pthread_t by; /* the last one */
};

static int thread_result; /* of pthread_create, unless it is 0 */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    return thread_result != 0 ? thread_result : __real_pthread_create(thread, attributes, start, argument);
}

static void carry_out(void *context)
{
    struct fixture *f = context;

    assert_int_equal(sem_post(&f->begun), 0);
    assert_int_equal(sem_wait(&f->may_end), 0);
    f->by = pthread_self();
    f->jobs++;
}

static int set_up(void **state)
{
    static struct fixture fixture;

    thread_result = 0;
    fixture = (struct fixture){.jobs = 0};
    assert_int_equal(sem_init(&fixture.begun, 0, 0), 0);
    assert_int_equal(sem_init(&fixture.may_end, 0, 0), 0);
    assert_int_equal(job_thread_new(carry_out, &fixture, &fixture.thread), ERR_OK);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (unsigned int i = 0; i < JOBS_MAX; i++) {
        assert_int_equal(sem_post(&f->may_end), 0); /* jobs that a failed test has left */
    }
    job_thread_free(f->thread);
    assert_int_equal(sem_destroy(&f->begun), 0);
    assert_int_equal(sem_destroy(&f->may_end), 0);
    return 0;
}

/* Readable may be more often than there is an end to take. */
static void wait_for_end(struct fixture *f)
{
    struct pollfd waits = {.fd = job_thread_fd(f->thread), .events = POLLIN};

    do {
        assert_int_equal(poll(&waits, 1, WAIT_MS), 1);
    } while (!job_thread_finished(f->thread));
}

static void a_job_is_carried_out_by_another_thread_and_its_end_told_once(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(job_thread_start(f->thread), ERR_OK);
    assert_true(job_thread_is_busy(f->thread));
    assert_false(job_thread_finished(f->thread));
    assert_int_equal(sem_post(&f->may_end), 0);
    wait_for_end(f);

    assert_false(job_thread_finished(f->thread));
    assert_false(job_thread_is_busy(f->thread));
    assert_int_equal(f->jobs, 1);
    assert_int_equal(pthread_equal(f->by, pthread_self()), 0);
}

static void another_job_is_refused_until_the_end_of_the_first_is_taken(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(job_thread_start(f->thread), ERR_OK);
    assert_int_equal(sem_wait(&f->begun), 0);

    assert_int_equal(job_thread_start(f->thread), ERR_LIMIT);
    fault_clear();
    assert_int_equal(sem_post(&f->may_end), 0);
    wait_for_end(f);
    assert_int_equal(job_thread_start(f->thread), ERR_OK);
    assert_int_equal(sem_post(&f->may_end), 0);
    wait_for_end(f);

    assert_int_equal(f->jobs, 2);
}

static void the_end_waits_for_the_job_that_is_under_way(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(job_thread_start(f->thread), ERR_OK);
    assert_int_equal(sem_post(&f->may_end), 0);

    job_thread_free(f->thread);
    f->thread = NULL;

    assert_int_equal(f->jobs, 1);
}

static void without_a_thread_there_are_no_jobs(void **state)
{
    struct job_thread *thread = NULL;
    thread_result = 11;

    assert_int_equal(job_thread_new(carry_out, *state, &thread), ERR_LIMIT);

    assert_null(thread);
    fault_clear();
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_job_is_carried_out_by_another_thread_and_its_end_told_once),
        T(another_job_is_refused_until_the_end_of_the_first_is_taken),
        T(the_end_waits_for_the_job_that_is_under_way),
        T(without_a_thread_there_are_no_jobs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
