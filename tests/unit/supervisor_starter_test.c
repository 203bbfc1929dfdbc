/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A child with a user of its own, and the starter between it and its supervisor. Both are this program, started with a word
 * that says what it is. Users are changed where root runs the tests, which then shows that it happened. */
#include "firmware/supervisor/starter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "firmware/supervisor/child.h"
#include "hal/base/fault.h"
#include "hal/board.h"
#include "hal/socket.h"

#define WAIT_MS 60000
#define USER    60101
#define NS_OF_MS INT64_C(1000000)

static const char tells[] = "tells"; /* writes its user and ends with 7 */
static const char stays[] = "stays"; /* ends by SIGKILL alone */

NO_RETURN static void be_child(const char *how)
{
    const uint32_t user = geteuid();

    if (strcmp(how, tells) == 0) {
        _exit(write(PROCESS_FD_FIRST, &user, sizeof(user)) == (ssize_t)sizeof(user) ? 7 : 1);
    }
    for (;;) {
        (void)pause();
    }
}

struct fixture {
    struct starter starter;
    struct process child;
    int ends[2];
};

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *const f = &fixture;

    fault_clear();
    fixture = (struct fixture){.child = {.pidfd = -1}};
    starter_init(&f->starter);
    assert_int_equal(channel_pair(f->ends), ERR_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *const f = *state;

    starter_close(&f->starter);
    socket_close(f->child.pidfd);
    socket_close(f->ends[0]);
    socket_close(f->ends[1]);
    fault_clear();
    return 0;
}

static void begin(struct fixture *f, const char *how)
{
    assert_int_equal(starter_open(&f->starter, how), ERR_OK);
    assert_int_equal(starter_start(&f->starter, &f->ends[1], 1, &f->child), ERR_OK);
}

static void wait_end(const struct process *process)
{
    struct pollfd ended = {.fd = process->pidfd, .events = POLLIN};

    assert_int_equal(poll(&ended, 1, WAIT_MS), 1);
}

static void a_child_runs_as_the_user_of_its_starter_and_its_end_is_told(void **state)
{
    struct fixture *const f = *state;
    enum process_end how = PROCESS_KILLED;
    int number = 0;
    uint32_t user = 0;

    begin(f, tells);
    wait_end(&f->child);

    assert_int_equal(read(f->ends[0], &user, sizeof(user)), sizeof(user));
    assert_int_equal(user, geteuid() == 0 ? USER : geteuid());
    assert_int_equal(starter_reap(&f->starter, &f->child, &how, &number), ERR_OK);
    assert_int_equal(how, PROCESS_EXITED);
    assert_int_equal(number, 7);
    assert_int_equal(f->child.pidfd, -1);
}

static void a_child_that_runs_is_not_reaped_and_one_that_is_killed_is(void **state)
{
    struct fixture *const f = *state;
    enum process_end how = PROCESS_EXITED;
    int number = 0;
    begin(f, stays);

    assert_int_equal(starter_reap(&f->starter, &f->child, &how, &number), ERR_TIMEOUT);
    assert_int_equal(starter_kill(&f->starter), ERR_OK);
    wait_end(&f->child);

    assert_int_equal(starter_reap(&f->starter, &f->child, &how, &number), ERR_OK);
    assert_int_equal(how, PROCESS_KILLED);
    assert_true(process_is_kill(number));
}

static void a_child_is_started_again_by_the_same_starter(void **state)
{
    struct fixture *const f = *state;
    enum process_end how = PROCESS_EXITED;
    int number = 0;
    begin(f, tells);
    wait_end(&f->child);
    assert_int_equal(starter_reap(&f->starter, &f->child, &how, &number), ERR_OK);

    assert_int_equal(starter_start(&f->starter, &f->ends[1], 1, &f->child), ERR_OK);
    wait_end(&f->child);

    assert_int_equal(starter_reap(&f->starter, &f->child, &how, &number), ERR_OK);
    assert_int_equal(number, 7);
}

static void there_is_one_child_at_a_time_and_none_to_reap_before(void **state)
{
    struct fixture *const f = *state;
    struct process other = {.pidfd = -1};
    enum process_end how = PROCESS_EXITED;
    int number = 0;
    assert_int_equal(starter_open(&f->starter, stays), ERR_OK);

    assert_int_equal(starter_reap(&f->starter, &f->child, &how, &number), ERR_STATE);
    assert_int_equal(starter_start(&f->starter, &f->ends[1], 1, &f->child), ERR_OK);
    assert_int_equal(starter_start(&f->starter, &f->ends[1], 1, &other), ERR_STATE);

    assert_int_equal(other.pidfd, -1);
}

static void a_child_ends_with_its_starter(void **state)
{
    struct fixture *const f = *state;
    begin(f, stays);

    starter_close(&f->starter);

    wait_end(&f->child);
}

static void a_starter_that_was_killed_takes_its_child_along_and_starts_no_other(void **state)
{
    struct fixture *const f = *state;
    struct process other = {.pidfd = -1};
    begin(f, stays);

    process_kill(&f->starter.process);
    wait_end(&f->starter.process);
    wait_end(&f->child);

    assert_int_equal(starter_start(&f->starter, &f->ends[1], 1, &other), ERR_CLOSED);
    assert_int_equal(starter_kill(&f->starter), ERR_CLOSED);
    assert_int_equal(other.pidfd, -1);
}

static void a_starter_that_answers_too_late_is_let_go_and_not_asked_again(void **state)
{
    static const uint8_t answer[12] = {0}; /* ERR_OK */
    struct starter late;
    int ends[2] = {-1, -1};
    starter_init(&late);
    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(channel_set_timeout(ends[0], 1), ERR_OK);
    late.link = ends[0];

    assert_int_equal(starter_kill(&late), ERR_CLOSED);
    assert_int_not_equal(channel_send(ends[1], span_array(answer), NULL, 0), ERR_OK); /* nobody is there to mistake it */

    assert_int_equal(starter_kill(&late), ERR_CLOSED);
    assert_int_equal(late.link, -1);
    socket_close(ends[1]);
    fault_clear();
}

static void a_request_that_is_none_ends_the_starter(void **state)
{
    static const uint8_t requests[][5] = {{0, 0, 0, 4}, {0, 0, 0, 0}, {1, 0, 0, 1}, {0, 0, 0}, {0, 0, 0, 1, 0}};
    static const size_t sizes[] = {4, 4, 4, 3, 5};
    struct fixture *const f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
        assert_int_equal(starter_open(&f->starter, stays), ERR_OK);
        assert_int_equal(channel_send(f->starter.link, span_of(requests[i], sizes[i]), NULL, 0), ERR_OK);
        wait_end(&f->starter.process);
        starter_close(&f->starter);
    }
}

static void the_board_has_a_row_for_three_children_and_no_other(void **state)
{
    assert_int_equal(starter_run_for_board("updater"), ERR_NOT_FOUND);
    assert_int_equal(starter_run_for_board(""), ERR_NOT_FOUND);
}

/* As the supervisor does it: through the child that it keeps. */
static void a_child_of_the_supervisor_is_started_killed_and_collected_through_its_starter(void **state)
{
    static const struct health_limits limits = {.start_ms = WAIT_MS, .silence_ms = WAIT_MS, .crashes = 5, .window_ms = 1};
    struct fixture *const f = *state;
    const struct mono_time now = {.ns = 1000 * NS_OF_MS};
    struct poller *poller = NULL;
    struct child child;
    assert_int_equal(poller_new(&poller), ERR_OK);
    child_init(&child, stays, MSG_TO_WORKER, &limits);
    assert_int_equal(starter_open(&f->starter, stays), ERR_OK);
    child.starter = &f->starter;

    assert_int_equal(child_start(&child, poller, -1, now), ERR_OK);
    assert_int_equal(child_reap(&child, poller, now), CHILD_RUNS);
    child_condemn(&child, "the test wants it");
    wait_end(&child.process);
    assert_int_equal(child_reap(&child, poller, now), CHILD_CRASHED);

    assert_false(child.runs);
    child_done(&child, poller);
    poller_free(poller);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH(a_child_runs_as_the_user_of_its_starter_and_its_end_is_told),
        WITH(a_child_that_runs_is_not_reaped_and_one_that_is_killed_is),
        WITH(a_child_is_started_again_by_the_same_starter),
        WITH(there_is_one_child_at_a_time_and_none_to_reap_before),
        WITH(a_child_ends_with_its_starter),
        WITH(a_starter_that_was_killed_takes_its_child_along_and_starts_no_other),
        cmocka_unit_test(a_starter_that_answers_too_late_is_let_go_and_not_asked_again),
        WITH(a_request_that_is_none_ends_the_starter),
        cmocka_unit_test(the_board_has_a_row_for_three_children_and_no_other),
        WITH(a_child_of_the_supervisor_is_started_killed_and_collected_through_its_starter),
    };

    if (argc == 3 && strcmp(argv[1], "starter") == 0) {
        return starter_run(argv[2], USER, USER, PROCESS_FD_FIRST) == ERR_CLOSED ? 0 : 1;
    }
    if (argc == 2) {
        be_child(argv[1]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
