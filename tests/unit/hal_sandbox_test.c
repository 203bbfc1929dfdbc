/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sandbox, tried from inside: each test forks a child that enters it and then does one thing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/tpm_crypto.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/datadir.h"
#include "hal/poller.h"
#include "hal/process.h"
#include "hal/sandbox.h"
#include "hal/socket.h"
#include "hal/tpm.h"
#include "tests/lib/leave_out.h"
#include "tests/lib/sandboxed.h"
#include "tests/lib/swtpm.h"
#include "tests/lib/temp.h"

static int do_exec(const struct inside *inside)
{
    return refused_or_not(execl("/bin/true", "true", (char *)NULL));
}

static int do_exec_by_descriptor(const struct inside *inside)
{
    char *none[] = {NULL};

    return refused_or_not(execveat(inside->dir_fd, "x", none, none, 0));
}

static int do_open_outside(const struct inside *inside)
{
    return refused_or_not(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int do_open_above(const struct inside *inside)
{
    return refused_or_not(openat(inside->dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int do_create_outside(const struct inside *inside)
{
    return refused_or_not(open("/tmp/rowlock-test-outside", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int do_read_own_memory_file(const struct inside *inside)
{
    return refused_or_not(open("/proc/self/mem", O_RDWR | O_CLOEXEC));
}

/* A listener that is shut down can be connected; MSG_FASTOPEN does it without connect. */
static int do_connect_by_fast_open(const struct inside *inside)
{
    const union {
        struct sockaddr_in in;
        struct sockaddr any;
    } address = {.in = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}}};

    (void)shutdown(inside->listener, SHUT_RDWR);
    return refused_or_not(
        (int)sendto(inside->listener, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, &address.any, sizeof(address.in)));
}

static int do_connect_by_fast_open_message(const struct inside *inside)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char byte = 'x';
    struct iovec part = {&byte, 1};
    const struct msghdr message = {
        .msg_name = &address, .msg_namelen = sizeof(address), .msg_iov = &part, .msg_iovlen = 1};

    (void)shutdown(inside->listener, SHUT_RDWR);
    return refused_or_not((int)sendmsg(inside->listener, &message, MSG_FASTOPEN | MSG_NOSIGNAL));
}

static int do_signal_by_descriptor(const struct inside *inside)
{
    return refused_or_not(fcntl(inside->listener, F_SETOWN, getppid()));
}

static int do_choose_the_signal(const struct inside *inside)
{
    return refused_or_not(fcntl(inside->listener, F_SETSIG, SIGKILL));
}

static int do_ptrace(const struct inside *inside)
{
    return refused_or_not((int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int do_ptrace_me(const struct inside *inside)
{
    return refused_or_not((int)ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int do_fork(const struct inside *inside)
{
    const pid_t pid = fork();

    if (pid == 0) {
        _exit(0);
    }
    return refused_or_not(pid);
}

static int do_executable_memory(const struct inside *inside)
{
    const void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return refused_or_not(memory == MAP_FAILED ? -1 : 0);
}

static int do_make_executable(const struct inside *inside)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return refused_or_not(mprotect(memory, 4096, PROT_READ | PROT_EXEC));
}

static int do_kill_another(const struct inside *inside)
{
    return refused_or_not(kill(getppid(), 0));
}

static int do_make_directory(const struct inside *inside)
{
    return refused_or_not(mkdirat(inside->dir_fd, "sub", 0700));
}

static int do_symlink(const struct inside *inside)
{
    return refused_or_not(symlinkat("/etc/passwd", inside->dir_fd, "link"));
}

static int do_dump(const struct inside *inside)
{
    return refused_or_not(prctl(PR_SET_DUMPABLE, 1));
}

static int do_slow_the_parent(const struct inside *inside)
{
    return refused_or_not(setpriority(PRIO_PROCESS, (id_t)getppid(), 19));
}

static int do_slow_the_group(const struct inside *inside)
{
    return refused_or_not(setpriority(PRIO_PGRP, 0, 19));
}

#define FORBIDDEN(name, does)                                                                                          \
    static void the_sandbox_forbids_##name(void **state)                                                               \
    {                                                                                                                  \
        assert_forbidden(does);                                                                                        \
    }

FORBIDDEN(exec, do_exec)
FORBIDDEN(exec_by_descriptor, do_exec_by_descriptor)
FORBIDDEN(open_outside_the_directory, do_open_outside)
FORBIDDEN(open_above_the_directory, do_open_above)
FORBIDDEN(create_outside_the_directory, do_create_outside)
FORBIDDEN(the_file_of_its_own_memory, do_read_own_memory_file)
FORBIDDEN(connect_out_by_fast_open, do_connect_by_fast_open)
FORBIDDEN(connect_out_by_a_fast_open_message, do_connect_by_fast_open_message)
FORBIDDEN(signals_to_others_by_a_descriptor, do_signal_by_descriptor)
FORBIDDEN(choosing_a_descriptors_signal, do_choose_the_signal)
FORBIDDEN(ptrace_of_another, do_ptrace)
FORBIDDEN(being_traced, do_ptrace_me)
FORBIDDEN(fork, do_fork)
FORBIDDEN(executable_memory, do_executable_memory)
FORBIDDEN(making_memory_executable, do_make_executable)
FORBIDDEN(signals_to_others, do_kill_another)
FORBIDDEN(new_directories, do_make_directory)
FORBIDDEN(symbolic_links, do_symlink)
FORBIDDEN(becoming_dumpable, do_dump)
FORBIDDEN(the_priority_of_another, do_slow_the_parent)
FORBIDDEN(the_priority_of_its_group, do_slow_the_group)

static int do_files(const struct inside *inside)
{
    struct datadir *dir = NULL;
    struct buf *content = NULL;
    const int copy = fcntl(inside->dir_fd, F_DUPFD_CLOEXEC, 0);
    const bool works = datadir_take_fd(copy, &dir) == ERR_OK && datadir_lock(dir) == ERR_OK &&
                       datadir_write(dir, "file", span_lit("first")) == ERR_OK &&
                       datadir_write(dir, "file", span_lit("second")) == ERR_OK && buf_new(64, &content) == ERR_OK &&
                       datadir_read(dir, "file", content) == ERR_OK &&
                       span_equal(buf_all(content), span_lit("second")) && datadir_remove(dir, "file") == ERR_OK;

    if (!works) {
        log_fault(LOG_ERROR, "inside");
    }
    return works ? CHILD_OK : CHILD_FAILED;
}

static int do_memory(const struct inside *inside)
{
    uint8_t random[16];
    void *memory = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool works = memory != MAP_FAILED && mlock(memory, 4096) == 0 && mprotect(memory, 4096, PROT_NONE) == 0 &&
                       madvise(memory, 1 << 16, MADV_DONTDUMP) == 0 && munmap(memory, 1 << 16) == 0 &&
                       getrandom(random, sizeof(random), 0) == sizeof(random);
    void *large = malloc(1 << 22);

    free(large);
    return works && large != NULL ? CHILD_OK : CHILD_FAILED;
}

static int do_poll(const struct inside *inside)
{
    struct poller *poller = NULL;
    struct poller_event event;
    size_t count = 0;
    const int wake = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    const bool works = wake >= 0 && poller_new(&poller) == ERR_OK &&
                       poller_add(poller, wake, POLLER_READ, &event) == ERR_OK &&
                       poller_wait(poller, 1000, &event, 1, &count) == ERR_OK && count == 1;

    return works ? CHILD_OK : CHILD_FAILED;
}

static int do_give_way(const struct inside *inside)
{
    const int before = getpriority(PRIO_PROCESS, 0);

    return process_thread_give_way(1) == ERR_OK && getpriority(PRIO_PROCESS, 0) >= before ? CHILD_OK : CHILD_FAILED;
}

static int do_accept(const struct inside *inside)
{
    struct socket_address peer;
    int fd = -1;

    return socket_accept(inside->listener, &fd, &peer) == ERR_AGAIN ? CHILD_OK : CHILD_FAILED;
}

static void the_sandbox_allows_files_in_its_directory(void **state)
{
    assert_allowed(SANDBOX_WORKER, do_files);
    assert_allowed(SANDBOX_KEEPER, do_files);
}

static void the_sandbox_allows_threads_memory_and_waiting(void **state)
{
    assert_allowed(SANDBOX_WORKER, sandboxed_thread);
    assert_allowed(SANDBOX_KEEPER, sandboxed_thread);
    assert_allowed(SANDBOX_WORKER, do_memory);
    assert_allowed(SANDBOX_KEEPER, do_memory);
    assert_allowed(SANDBOX_WORKER, do_poll);
    assert_allowed(SANDBOX_KEEPER, do_poll);
}

static void the_worker_may_accept_and_give_way_and_the_keeper_may_not(void **state)
{
    action *const actions[] = {do_accept, do_give_way};

    for (size_t i = 0; i < ARRAY_LENGTH(actions); i++) {
        assert_allowed(SANDBOX_WORKER, actions[i]);
        const int status = sandboxed_run(SANDBOX_KEEPER, actions[i]);

        assert_false(WIFEXITED(status) && WEXITSTATUS(status) == CHILD_OK);
    }
}

static int do_abort(const struct inside *inside)
{
    abort();
}

static void a_sandboxed_process_can_still_abort(void **state)
{
    const int status = sandboxed_run(SANDBOX_WORKER, do_abort);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_false(WCOREDUMP(status));
}

/* The whole of a keeper's work with its TPM goes on inside. */
static void the_keeper_unseals_inside_the_sandbox(void **state)
{
    const struct temp_dir temp = temp_dir_make();
    struct swtpm *swtpm = swtpm_new();
    int status = 0;

    const pid_t pid = fork();
    if (pid == 0) {
        const struct hal_tpm_policy policy = {.pcr_mask = 0};
        const struct sandbox_spec spec = {.profile = SANDBOX_KEEPER,
                                          .directory_fd = open(temp.path, O_RDONLY | O_DIRECTORY)};
        const uint8_t secret[32] = "thirty-two bytes, all of them so";
        uint8_t out[32] = {0};
        struct hal_tpm *tpm = NULL;
        struct hal_tpm_name srk;
        struct hal_tpm_sealed sealed;
        const bool works = sandbox_begin(&sandboxed_limits) == ERR_OK &&
                           hal_tpm_open(swtpm_tcti(swtpm), &tpm_crypto, &tpm) == ERR_OK &&
                           sandbox_enter(&spec) == ERR_OK && hal_tpm_srk_make(tpm, SPAN_NONE, &srk) == ERR_OK &&
                           hal_tpm_seal(tpm, &srk, &policy, span_array(secret), &sealed) == ERR_OK &&
                           hal_tpm_unseal(tpm, &srk, &policy, &sealed, out, sizeof(out)) == ERR_OK &&
                           memcmp(out, secret, sizeof(out)) == 0;
        if (!works) {
            log_fault(LOG_ERROR, "inside");
        }
        hal_tpm_close(tpm);
        _exit(works ? CHILD_OK : CHILD_FAILED);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CHILD_OK);
    swtpm_free(swtpm);
    temp_dir_remove(&temp);
}

static void beginning_takes_core_dumps_and_tracing_away(void **state)
{
    int status = 0;
    const pid_t pid = fork();
    if (pid == 0) {
        struct rlimit core = {1, 1};
        const bool works = sandbox_begin(&sandboxed_limits) == ERR_OK && getrlimit(RLIMIT_CORE, &core) == 0 &&
                           core.rlim_max == 0 && prctl(PR_GET_DUMPABLE) == 0 &&
                           prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
        _exit(works ? CHILD_OK : CHILD_FAILED);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);

    assert_int_equal(status, 0);
}

static void what_is_opened_next_is_never_standard_error(void **state)
{
    int status = 0;
    const pid_t pid = fork();
    if (pid == 0) {
        (void)close(0);
        (void)close(2);
        const bool works = sandbox_begin(&sandboxed_limits) == ERR_OK && fcntl(0, F_GETFD) == 0 && fcntl(2, F_GETFD) == 0 &&
                           open("/dev/null", O_RDONLY | O_CLOEXEC) > 2;
        _exit(works ? CHILD_OK : CHILD_FAILED);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);

    assert_int_equal(status, 0);
}

static void root_is_given_up_and_cannot_be_taken_back(void **state)
{
    int status = 0;
    leave_out_unless_root();
    const pid_t pid = fork();
    if (pid == 0) {
        const bool works = sandbox_drop_user(65534, 65534) == ERR_OK && geteuid() == 65534 && getgid() == 65534 &&
                           getgroups(0, NULL) == 0 && setuid(0) != 0 && prctl(PR_CAPBSET_READ, 0, 0, 0, 0) == 0 &&
                           prctl(PR_CAPBSET_READ, CAP_LAST_CAP, 0, 0, 0) == 0 && sandbox_refuse_root() == ERR_OK &&
                           sandbox_drop_user(65534, 65534) == ERR_OK;
        _exit(works ? CHILD_OK : CHILD_FAILED);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);

    assert_int_equal(status, 0);
    assert_int_equal(sandbox_drop_user(0, 65534), ERR_RANGE);
    assert_int_equal(sandbox_drop_user(65534, 0), ERR_RANGE);
}

static bool death_signal_stays(int wanted)
{
    int number = -1;

    return prctl(PR_SET_PDEATHSIG, wanted) == 0 && sandbox_drop_user(65534, 65534) == ERR_OK &&
           prctl(PR_GET_PDEATHSIG, &number) == 0 && number == wanted;
}

static void who_gave_up_root_dies_with_his_parent_as_before_and_not_otherwise(void **state)
{
    static const int wanted[] = {SIGKILL, SIGTERM, 0};
    int status = 0;
    leave_out_unless_root();
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        const pid_t pid = fork();
        if (pid == 0) {
            _exit(death_signal_stays(wanted[i]) ? CHILD_OK : CHILD_FAILED);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

static void root_is_refused_also_when_it_can_be_taken_back(void **state)
{
    int status = 0;
    leave_out_unless_root();
    const pid_t pid = fork();
    if (pid == 0) {
        bool works = sandbox_refuse_root() == ERR_REFUSED;
        works = works && setresuid(1234, 1234, 0) == 0 && sandbox_refuse_root() == ERR_REFUSED;
        works = works && setresuid(0, 0, 0) == 0 && setresuid(1234, 1234, 1234) == 0;
        _exit(works && sandbox_refuse_root() == ERR_OK ? CHILD_OK : CHILD_FAILED);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);

    assert_int_equal(status, 0);
}

static void an_ordinary_user_stays_what_he_is(void **state)
{
    int status = 0;
    const pid_t pid = fork();
    if (pid == 0) {
        const bool ordinary = geteuid() != 0 || setuid(1234) == 0;
        const uid_t before = geteuid();
        const bool works = ordinary && sandbox_drop_user(4321, 4321) == ERR_OK && geteuid() == before;
        _exit(works ? CHILD_OK : CHILD_FAILED);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);

    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sandbox_forbids_exec),
        cmocka_unit_test(the_sandbox_forbids_exec_by_descriptor),
        cmocka_unit_test(the_sandbox_forbids_open_outside_the_directory),
        cmocka_unit_test(the_sandbox_forbids_open_above_the_directory),
        cmocka_unit_test(the_sandbox_forbids_create_outside_the_directory),
        cmocka_unit_test(the_sandbox_forbids_the_file_of_its_own_memory),
        cmocka_unit_test(the_sandbox_forbids_connect_out_by_fast_open),
        cmocka_unit_test(the_sandbox_forbids_connect_out_by_a_fast_open_message),
        cmocka_unit_test(the_sandbox_forbids_signals_to_others_by_a_descriptor),
        cmocka_unit_test(the_sandbox_forbids_choosing_a_descriptors_signal),
        cmocka_unit_test(the_sandbox_forbids_ptrace_of_another),
        cmocka_unit_test(the_sandbox_forbids_being_traced),
        cmocka_unit_test(the_sandbox_forbids_fork),
        cmocka_unit_test(the_sandbox_forbids_executable_memory),
        cmocka_unit_test(the_sandbox_forbids_making_memory_executable),
        cmocka_unit_test(the_sandbox_forbids_signals_to_others),
        cmocka_unit_test(the_sandbox_forbids_new_directories),
        cmocka_unit_test(the_sandbox_forbids_symbolic_links),
        cmocka_unit_test(the_sandbox_forbids_becoming_dumpable),
        cmocka_unit_test(the_sandbox_forbids_the_priority_of_another),
        cmocka_unit_test(the_sandbox_forbids_the_priority_of_its_group),
        cmocka_unit_test(the_sandbox_allows_files_in_its_directory),
        cmocka_unit_test(the_sandbox_allows_threads_memory_and_waiting),
        cmocka_unit_test(the_worker_may_accept_and_give_way_and_the_keeper_may_not),
        cmocka_unit_test(a_sandboxed_process_can_still_abort),
        cmocka_unit_test(the_keeper_unseals_inside_the_sandbox),
        cmocka_unit_test(beginning_takes_core_dumps_and_tracing_away),
        cmocka_unit_test(what_is_opened_next_is_never_standard_error),
        cmocka_unit_test(root_is_given_up_and_cannot_be_taken_back),
        cmocka_unit_test(who_gave_up_root_dies_with_his_parent_as_before_and_not_otherwise),
        cmocka_unit_test(root_is_refused_also_when_it_can_be_taken_back),
        cmocka_unit_test(an_ordinary_user_stays_what_he_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
