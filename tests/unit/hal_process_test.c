/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Children and channels. process_start runs this same test program again; its main tells the child's parts by the first
 * argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/process.h"
#include "hal/socket.h"
#include "hal/tamper.h"

#define WAIT_MS    20000
#define CHILD_ECHO "child-echo"
#define CHILD_WAIT "child-wait"
#define CHILD_ENV  "child-environment"

/* Answers one message on its first channel, with the second descriptor given back. */
static int child_echo(void)
{
    uint8_t bytes[64];
    struct channel_message message;
    const int give_back = PROCESS_FD_FIRST + 1;

    if (channel_receive(PROCESS_FD_FIRST, bytes, sizeof(bytes), &message) != ERR_OK ||
        fcntl(PROCESS_FD_FIRST + 2, F_GETFD) >= 0) {
        return 1;
    }
    return channel_send(PROCESS_FD_FIRST, span_of(bytes, message.bytes), &give_back, 1) == ERR_OK ? 7 : 1;
}

static int child_environment_is_empty(void)
{
    size_t count = 0;

    for (char *const *at = environ; *at != NULL; at++) {
        count += strstr(*at, "SAN_OPTIONS=") == NULL ? 1u : 0u;
    }
    return count == 1 && strcmp(getenv("LC_ALL"), "C") == 0 ? 0 : 1;
}

static enum err start_child(const char *part, const int *fds, size_t count, struct process *out_process)
{
    const struct process_spec spec = {.arguments = {part}, .fds = fds, .fd_count = count};

    return process_start(&spec, out_process);
}

static void a_child_gets_its_descriptors_and_no_others(void **state)
{
    int ends[2];
    int pipe_ends[2];
    struct process child;
    uint8_t bytes[64];
    struct channel_message message;
    enum process_end end = PROCESS_KILLED;
    int number = 0;
    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
    const int fds[] = {ends[1], pipe_ends[1]};
    assert_int_equal(start_child(CHILD_ECHO, fds, 2, &child), ERR_OK);
    socket_close(ends[1]);
    socket_close(pipe_ends[1]);

    assert_int_equal(channel_send(ends[0], span_lit("hello"), NULL, 0), ERR_OK);
    assert_int_equal(channel_receive(ends[0], bytes, sizeof(bytes), &message), ERR_OK);

    assert_int_equal(message.bytes, 5);
    assert_memory_equal(bytes, "hello", 5);
    assert_int_equal(message.fd_count, 1);
    assert_int_equal(write(message.fds[0], "x", 1), 1);
    assert_int_equal(read(pipe_ends[0], bytes, 1), 1);
    assert_int_equal(process_reap(&child, WAIT_MS, &end, &number), ERR_OK);
    assert_int_equal(end, PROCESS_EXITED);
    assert_int_equal(number, 7);
    assert_int_equal(process_reap(&child, 0, &end, &number), ERR_STATE);
    assert_int_equal(channel_receive(ends[0], bytes, sizeof(bytes), &message), ERR_CLOSED);
    socket_close(message.fds[0]);
    socket_close(pipe_ends[0]);
    socket_close(ends[0]);
}

static void a_child_gets_an_empty_environment(void **state)
{
    struct process child;
    enum process_end end = PROCESS_KILLED;
    int number = -1;
    assert_int_equal(setenv("LD_PRELOAD_NOT", "x", 1), 0);

    assert_int_equal(start_child(CHILD_ENV, NULL, 0, &child), ERR_OK);
    assert_int_equal(process_reap(&child, WAIT_MS, &end, &number), ERR_OK);

    assert_int_equal(end, PROCESS_EXITED);
    assert_int_equal(number, 0);
}

static void a_child_can_be_killed_and_is_told_apart_from_one_that_exits(void **state)
{
    struct process child;
    enum process_end end = PROCESS_EXITED;
    int number = 0;
    assert_int_equal(start_child(CHILD_WAIT, NULL, 0, &child), ERR_OK);
    assert_int_equal(process_reap(&child, 0, &end, &number), ERR_TIMEOUT);

    process_kill(&child);
    assert_int_equal(process_reap(&child, WAIT_MS, &end, &number), ERR_OK);

    assert_int_equal(end, PROCESS_KILLED);
    assert_int_equal(number, SIGKILL);
    process_kill(&child); /* ended: no error, and nobody else is hit */
}

static void too_many_descriptors_for_a_child_are_refused(void **state)
{
    static int fds[PROCESS_FDS_MAX + 1];
    struct process child;

    assert_int_equal(start_child(CHILD_WAIT, fds, PROCESS_FDS_MAX + 1, &child), ERR_LIMIT);
}

static void messages_stay_whole_and_in_order(void **state)
{
    int ends[2];
    uint8_t bytes[64];
    struct channel_message message;
    assert_int_equal(channel_pair(ends), ERR_OK);

    assert_int_equal(channel_send(ends[0], span_lit("first"), NULL, 0), ERR_OK);
    assert_int_equal(channel_send(ends[0], span_lit("second"), NULL, 0), ERR_OK);

    assert_int_equal(channel_receive(ends[1], bytes, sizeof(bytes), &message), ERR_OK);
    assert_int_equal(message.bytes, 5);
    assert_int_equal(channel_receive(ends[1], bytes, sizeof(bytes), &message), ERR_OK);
    assert_int_equal(message.bytes, 6);
    assert_memory_equal(bytes, "second", 6);
    socket_close(ends[0]);
    assert_int_equal(channel_receive(ends[1], bytes, sizeof(bytes), &message), ERR_CLOSED);
    assert_int_equal(channel_send(ends[1], span_lit("x"), NULL, 0), ERR_CLOSED);
    socket_close(ends[1]);
}

static void messages_at_the_limit_pass_and_longer_ones_are_refused(void **state)
{
    static uint8_t bytes[CHANNEL_MESSAGE_MAX + 1];
    int ends[2];
    struct channel_message message;
    assert_int_equal(channel_pair(ends), ERR_OK);

    assert_int_equal(channel_send(ends[0], span_of(bytes, CHANNEL_MESSAGE_MAX), NULL, 0), ERR_OK);
    assert_int_equal(channel_receive(ends[1], bytes, sizeof(bytes), &message), ERR_OK);
    assert_int_equal(message.bytes, CHANNEL_MESSAGE_MAX);
    assert_int_equal(channel_send(ends[0], span_of(bytes, CHANNEL_MESSAGE_MAX + 1), NULL, 0), ERR_RANGE);
    assert_int_equal(channel_send(ends[0], SPAN_NONE, NULL, 0), ERR_RANGE);
    assert_int_equal(channel_send(ends[0], span_lit("12345"), NULL, 0), ERR_OK);
    assert_int_equal(channel_receive(ends[1], bytes, 4, &message), ERR_RANGE);
    socket_close(ends[0]);
    socket_close(ends[1]);
}

static size_t open_descriptors(void)
{
    size_t count = 0;

    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0 ? 1u : 0u;
    }
    return count;
}

static void descriptors_of_a_refused_message_are_closed(void **state)
{
    int ends[2];
    uint8_t bytes[4];
    struct channel_message message;
    assert_int_equal(channel_pair(ends), ERR_OK);
    const int fds[CHANNEL_FDS_MAX + 1] = {0};
    const size_t before = open_descriptors();

    assert_int_equal(channel_send(ends[0], span_lit("too long"), fds, CHANNEL_FDS_MAX), ERR_OK);
    assert_int_equal(channel_receive(ends[1], bytes, sizeof(bytes), &message), ERR_RANGE);

    assert_int_equal(open_descriptors(), before);
    assert_int_equal(channel_send(ends[0], span_lit("x"), fds, CHANNEL_FDS_MAX + 1), ERR_RANGE);
    socket_close(ends[0]);
    socket_close(ends[1]);
}

static void an_empty_channel_says_again_or_timeout(void **state)
{
    int ends[2];
    uint8_t bytes[4];
    struct channel_message message;
    assert_int_equal(channel_pair(ends), ERR_OK);

    assert_int_equal(channel_set_timeout(ends[0], 20), ERR_OK);
    assert_int_equal(channel_receive(ends[0], bytes, sizeof(bytes), &message), ERR_TIMEOUT);
    assert_int_equal(channel_set_nonblocking(ends[1]), ERR_OK);
    assert_int_equal(channel_receive(ends[1], bytes, sizeof(bytes), &message), ERR_AGAIN);
    socket_close(ends[0]);
    socket_close(ends[1]);
}

static void signals_come_as_events(void **state)
{
    static const int signals[] = {SIGHUP, SIGTERM, SIGINT};
    int fd = -1;
    sigset_t before;
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    assert_int_equal(process_signals_open(&fd), ERR_OK);

    assert_int_equal(process_signal_next(fd), ERR_AGAIN);
    for (size_t i = 0; i < ARRAY_LENGTH(signals); i++) {
        assert_int_equal(raise(signals[i]), 0);
        assert_int_equal(process_signal_next(fd), ERR_OK);
        assert_int_equal(process_signal_next(fd), ERR_AGAIN);
    }
    socket_close(fd);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}

static void blocked_signals_end_nobody(void **state)
{
    static const int signals[] = {SIGHUP, SIGTERM, SIGINT};
    sigset_t before;
    sigset_t pending;
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);

    assert_int_equal(process_signals_block(), ERR_OK);

    for (size_t i = 0; i < ARRAY_LENGTH(signals); i++) {
        assert_int_equal(raise(signals[i]), 0);
        assert_int_equal(sigpending(&pending), 0);
        assert_int_equal(sigismember(&pending, signals[i]), 1);
        assert_ptr_not_equal(signal(signals[i], SIG_IGN), SIG_ERR); /* which forgets it */
        assert_ptr_not_equal(signal(signals[i], SIG_DFL), SIG_ERR);
    }
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}

static void button_and_tamper_line_are_signals_on_the_host(void **state)
{
    struct hal_tamper *tamper = NULL;
    enum hal_tamper_event event = HAL_TAMPER_BUTTON;
    sigset_t before;
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    assert_int_equal(hal_tamper_open_signals(&tamper), ERR_OK);

    assert_int_equal(hal_tamper_next(tamper, &event), ERR_AGAIN);
    assert_int_equal(raise(SIGUSR2), 0);
    assert_int_equal(hal_tamper_next(tamper, &event), ERR_OK);
    assert_int_equal(event, HAL_TAMPER_OPENED);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(hal_tamper_next(tamper, &event), ERR_OK);
    assert_int_equal(event, HAL_TAMPER_BUTTON);
    hal_tamper_close(tamper);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}

/* The ends of both wait to be collected before the call, so it depends on no time. */
static void strays_are_collected_and_the_kept_child_is_not(void **state)
{
    siginfo_t info = {0};
    struct process kept = {.pid = fork(), .pidfd = -1};
    if (kept.pid == 0) {
        _exit(7);
    }
    const pid_t stray = fork();
    if (stray == 0) {
        _exit(8);
    }
    assert_int_equal(waitid(P_PID, (id_t)stray, &info, WEXITED | WNOWAIT), 0);
    process_reap_strays(&kept);
    assert_int_equal(waitid(P_PID, (id_t)kept.pid, &info, WEXITED), 0);
    assert_int_equal(info.si_status, 7);
    process_reap_strays(&kept);

    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void another_program_is_started_in_a_session_of_its_own_and_left_alone(void **state)
{
    siginfo_t info = {0};

    assert_int_equal(process_start_other("/bin/true"), ERR_OK);

    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(info.si_code, CLD_EXITED);
    assert_int_equal(info.si_status, 0);
    process_reap_strays(&(struct process){.pid = -1, .pidfd = -1});
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void a_program_that_is_none_is_not_started(void **state)
{
    assert_int_equal(process_start_other("/nonexistent/sh"), ERR_NOT_FOUND);
    assert_int_equal(process_start_other("/etc/hostname/sh"), ERR_REFUSED);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    fault_clear();
}

static void *give_way_to_the_last_step(void *worked)
{
    *(bool *)worked = process_thread_give_way(1000) == ERR_OK && getpriority(PRIO_PROCESS, 0) == 19 &&
                      process_thread_give_way(1) == ERR_OK && getpriority(PRIO_PROCESS, 0) == 19;
    return NULL;
}

static void a_thread_gives_way_as_far_as_there_are_steps_and_alone(void **state)
{
    const int before = getpriority(PRIO_PROCESS, 0);
    bool worked = false;
    pthread_t thread;
    (void)state;

    assert_int_equal(pthread_create(&thread, NULL, give_way_to_the_last_step, &worked), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);

    assert_true(worked);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), before);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_gets_its_descriptors_and_no_others),
        cmocka_unit_test(a_child_gets_an_empty_environment),
        cmocka_unit_test(a_child_can_be_killed_and_is_told_apart_from_one_that_exits),
        cmocka_unit_test(too_many_descriptors_for_a_child_are_refused),
        cmocka_unit_test(strays_are_collected_and_the_kept_child_is_not),
        cmocka_unit_test(another_program_is_started_in_a_session_of_its_own_and_left_alone),
        cmocka_unit_test(a_program_that_is_none_is_not_started),
        cmocka_unit_test(messages_stay_whole_and_in_order),
        cmocka_unit_test(messages_at_the_limit_pass_and_longer_ones_are_refused),
        cmocka_unit_test(descriptors_of_a_refused_message_are_closed),
        cmocka_unit_test(an_empty_channel_says_again_or_timeout),
        cmocka_unit_test(a_thread_gives_way_as_far_as_there_are_steps_and_alone),
        cmocka_unit_test(signals_come_as_events),
        cmocka_unit_test(blocked_signals_end_nobody),
        cmocka_unit_test(button_and_tamper_line_are_signals_on_the_host),
    };

    if (argc > 1 && strcmp(argv[1], CHILD_ECHO) == 0) {
        return child_echo();
    }
    if (argc > 1 && strcmp(argv[1], CHILD_ENV) == 0) {
        return child_environment_is_empty();
    }
    if (argc > 1 && strcmp(argv[1], CHILD_WAIT) == 0) {
        return poll(NULL, 0, WAIT_MS);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
