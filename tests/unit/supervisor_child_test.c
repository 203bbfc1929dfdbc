/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A child's life as its supervisor sees it: when it is started again, and what becomes of one that does not end. The children
 * are this program, started with a word that says how they behave; the clock is the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <unistd.h>

#include "firmware/supervisor/child.h"
#include "hal/base/fault.h"

#define WAIT_MS 60000
#define KILL_MS 5000U
#define NS_OF_MS INT64_C(1000000)

static const char fails[] = "fails"; /* ends unasked */
static const char obeys[] = "obeys"; /* ends when it is told anything */
static const char stays[] = "stays"; /* ends by SIGKILL alone */

NO_RETURN static void be_child(const char *how)
{
    uint8_t byte = 0;

    if (strcmp(how, fails) == 0) {
        _exit(1);
    }
    if (strcmp(how, obeys) == 0) {
        _exit(read(PROCESS_FD_FIRST, &byte, sizeof(byte)) == sizeof(byte) ? 0 : 1);
    }
    for (;;) {
        (void)pause();
    }
}

struct fixture {
    struct poller *poller;
    struct child child;
    struct mono_time now;
};

static int setup(void **state)
{
    static const struct health_limits limits = {.start_ms = WAIT_MS, .silence_ms = WAIT_MS, .crashes = 5, .window_ms = 1};
    static struct fixture fixture;
    struct fixture *const f = &fixture;

    fault_clear();
    fixture = (struct fixture){.now = {.ns = 1000 * NS_OF_MS}};
    assert_int_equal(poller_new(&f->poller), ERR_OK);
    child_init(&f->child, fails, MSG_TO_WORKER, &limits);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *const f = *state;
    enum process_end how = PROCESS_EXITED;
    int number = 0;

    if (f->child.runs) {
        process_kill(&f->child.process);
        assert_int_equal(process_reap(&f->child.process, WAIT_MS, &how, &number), ERR_OK);
    }
    child_done(&f->child, f->poller);
    poller_free(f->poller);
    fault_clear();
    return 0;
}

static void begin(struct fixture *f, const char *how)
{
    f->child.command = how;
    assert_int_equal(child_start(&f->child, f->poller, -1, f->now), ERR_OK);
}

/* Waits for its end, which came after_ms after its start; how long it is to stay away. */
static unsigned int wait_after_end(struct fixture *f, unsigned int after_ms, enum child_end *out_how)
{
    struct pollfd ended = {.fd = f->child.process.pidfd, .events = POLLIN};

    assert_int_equal(poll(&ended, 1, WAIT_MS), 1);
    f->now = mono_add_ms(f->now, after_ms);
    *out_how = child_reap(&f->child, f->poller, f->now);
    assert_false(f->child.runs);
    return (unsigned int)mono_ms_between(f->now, f->child.start_at);
}

static unsigned int wait_after_failure(struct fixture *f, unsigned int after_ms)
{
    enum child_end how = CHILD_RUNS;

    begin(f, fails);
    const unsigned int wait_ms = wait_after_end(f, after_ms, &how);
    assert_int_equal(how, CHILD_CRASHED);
    return wait_ms;
}

static void waits_after_failures_double_up_to_the_longest(void **state)
{
    struct fixture *const f = *state;
    static const unsigned int waits_ms[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};

    for (size_t i = 0; i < ARRAY_LENGTH(waits_ms); i++) {
        assert_int_equal(wait_after_failure(f, 1), waits_ms[i]);
    }
}

static void a_child_that_has_lived_for_a_minute_starts_from_the_beginning(void **state)
{
    struct fixture *const f = *state;
    assert_int_equal(wait_after_failure(f, 1), 100);
    assert_int_equal(wait_after_failure(f, CHILD_STEADY_MS - 1), 200);

    assert_int_equal(wait_after_failure(f, CHILD_STEADY_MS), 100);

    assert_int_equal(wait_after_failure(f, 1), 200);
}

static void a_child_that_ends_as_asked_is_started_again_at_once_and_from_the_beginning(void **state)
{
    struct fixture *const f = *state;
    enum child_end how = CHILD_RUNS;
    assert_int_equal(wait_after_failure(f, 1), 100);
    assert_int_equal(wait_after_failure(f, 1), 200);
    begin(f, obeys);

    child_stop(&f->child, MSG_WORKER_STOP, f->now, KILL_MS);

    assert_int_equal(wait_after_end(f, 1, &how), 0);
    assert_int_equal(how, CHILD_ENDED);
    assert_int_equal(wait_after_failure(f, 1), 100);
}

static void a_child_that_never_ends_is_killed_when_its_time_is_over_and_not_before(void **state)
{
    struct fixture *const f = *state;
    enum child_end how = CHILD_RUNS;
    const struct mono_time late = mono_add_ms(f->now, KILL_MS);
    begin(f, stays);
    child_kill_if_late(&f->child, late); /* nobody has asked it to end */
    child_stop(&f->child, MSG_WORKER_STOP, f->now, KILL_MS);
    child_stop(&f->child, MSG_WORKER_STOP, mono_add_ms(f->now, 1), KILL_MS); /* changes nothing */

    child_kill_if_late(&f->child, mono_add_ms(f->now, KILL_MS - 1));
    struct pollfd ended = {.fd = f->child.process.pidfd, .events = POLLIN};
    assert_int_equal(poll(&ended, 1, 100), 0);
    child_kill_if_late(&f->child, late);

    assert_int_equal(wait_after_end(f, KILL_MS, &how), 100); /* no orderly end */
    assert_int_equal(how, CHILD_ENDED);
}

int main(int count, char **words)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(waits_after_failures_double_up_to_the_longest, setup, teardown),
        cmocka_unit_test_setup_teardown(a_child_that_has_lived_for_a_minute_starts_from_the_beginning, setup, teardown),
        cmocka_unit_test_setup_teardown(a_child_that_ends_as_asked_is_started_again_at_once_and_from_the_beginning, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_child_that_never_ends_is_killed_when_its_time_is_over_and_not_before, setup,
                                        teardown),
    };

    if (count == 2) {
        be_child(words[1]);
    }
    return cmocka_run_group_tests_name("supervisor_child", tests, NULL, NULL);
}
