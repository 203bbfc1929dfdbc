/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Children by fork and exec of this same program, and its signals.
 *
 * Between fork and exec the child calls only what is safe in a signal handler. Descriptors come in two steps: first all
 * are copied above the range they go to, so that none is overwritten before it was copied, then down to their
 * numbers. */
#include "hal/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "hal/linux/sys_int.h"

#define FD_ABOVE     (PROCESS_FD_FIRST + PROCESS_FDS_MAX)
#define THIS_PROGRAM "/proc/self/exe" /* no folder above it need be open to the user */
#define CHILD_ERROR  127              /* exit status of a child that could not become the program, as in a shell */
#define NICE_MAX     19u

/* The unused tail of an environment array is NULL. Sanitizer options are read by the start-up code of sanitizer builds
 * only; a release build takes nothing from outside. */
struct environment {
    const char *entries[8];
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZER_BUILD 1
#else
#define SANITIZER_BUILD 0
#endif

static struct environment child_environment(void)
{
    static const char *const passed[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"};
    struct environment environment = {{"LC_ALL=C"}};
    size_t count = 1;

    for (size_t i = 0; SANITIZER_BUILD == 1 && i < ARRAY_LENGTH(passed); i++) {
        const char *value = getenv(passed[i]);
        if (value != NULL) {
            environment.entries[count] = value - (strlen(passed[i]) + 1); /* "NAME=value" lies in environ as one */
            count++;
        }
    }
    return environment;
}

NO_RETURN static void child_fail(void)
{
    _exit(CHILD_ERROR);
}

static void child_place_fds(const struct process_spec *spec)
{
    int high[PROCESS_FDS_MAX];

    for (size_t i = 0; i < spec->fd_count; i++) {
        high[i] = fcntl(spec->fds[i], F_DUPFD, FD_ABOVE);
        if (high[i] < 0) {
            child_fail();
        }
    }
    for (size_t i = 0; i < spec->fd_count; i++) {
        if (dup2(high[i], PROCESS_FD_FIRST + (int)i) < 0) {
            child_fail();
        }
    }
    if (syscall(SYS_close_range, PROCESS_FD_FIRST + (unsigned int)spec->fd_count, ~0U, 0U) != 0) {
        child_fail();
    }
}

NO_RETURN static void child_become(const struct process_spec *spec, pid_t parent, const struct environment *environment)
{
    const char *argv[PROCESS_ARGS_MAX + 2] = {"rowlock"};
    sigset_t none;

    for (size_t i = 0; i < PROCESS_ARGS_MAX && spec->arguments[i] != NULL; i++) {
        argv[i + 1] = spec->arguments[i];
    }
    (void)sigemptyset(&none);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || sigprocmask(SIG_SETMASK, &none, NULL) != 0) {
        child_fail();
    }
    child_place_fds(spec);
    /* execve only reads the strings; its prototype is older than const. */
    union {
        const char *const *from;
        char *const *to;
    } arguments = {.from = argv}, variables = {.from = environment->entries};
    (void)execve(THIS_PROGRAM, arguments.to, variables.to);
    child_fail();
}

enum err process_can_start(void)
{
    if (access(THIS_PROGRAM, X_OK) != 0) {
        FAIL(ERR_REFUSED, "the program's file is not executable for this user", errno);
    }
    return ERR_OK;
}

enum err process_start(const struct process_spec *spec, struct process *out_process)
{
    const struct environment environment = child_environment();
    const pid_t parent = getpid();

    ENSURE(spec->fd_count <= PROCESS_FDS_MAX, ERR_LIMIT, "too many descriptors for a child");
    const pid_t pid = fork();
    if (pid < 0) {
        FAIL(ERR_LIMIT, "fork", errno);
    }
    if (pid == 0) {
        child_become(spec, parent, &environment);
    }
    const int pidfd = (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */
    if (pidfd < 0) {
        const int error = errno;
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0); /* ends: it was just killed */
        FAIL_ERRNO(error, "pidfd_open");
    }

    *out_process = (struct process){.pid = pid, .pidfd = pidfd};
    return ERR_OK;
}

enum err process_reap(struct process *process, unsigned int timeout_ms, enum process_end *out_end, int *out_number)
{
    struct pollfd ended = {.fd = process->pidfd, .events = POLLIN};
    siginfo_t info = {0};

    ENSURE(process->pidfd >= 0, ERR_STATE, "there is no child");
    const int ready = poll(&ended, 1, (int)timeout_ms);
    if (ready == 0 || (ready < 0 && errno == EINTR)) {
        return ERR_TIMEOUT;
    }
    if (ready < 0 || waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) {
        FAIL(ERR_IO, "waiting for a child", errno);
    }
    sys_close(process->pidfd);
    *process = (struct process){.pid = 0, .pidfd = -1};

    *out_end = info.si_code == CLD_EXITED ? PROCESS_EXITED : PROCESS_KILLED;
    *out_number = info.si_status;
    return ERR_OK;
}

NO_RETURN static void child_become_other(const char *path)
{
    sigset_t none;
    char name[] = "sh";
    char where[] = "PATH=/usr/bin";
    char *words[] = {name, NULL};
    char *environment[] = {where, NULL};

    (void)sigemptyset(&none);
    if (setsid() < 0 || sigprocmask(SIG_SETMASK, &none, NULL) != 0 ||
        syscall(SYS_close_range, PROCESS_FD_FIRST, ~0U, 0U) != 0) {
        child_fail();
    }
    (void)execve(path, words, environment);
    child_fail();
}

enum err process_start_other(const char *path)
{
    if (access(path, X_OK) != 0) {
        FAIL_ERRNO(errno, "looking for a program");
    }
    const pid_t pid = fork();
    if (pid < 0) {
        FAIL(ERR_LIMIT, "fork", errno);
    }
    if (pid == 0) {
        child_become_other(path);
    }
    return ERR_OK;
}

void process_reap_strays(const struct process *kept)
{
    for (;;) { /* ends: each turn takes one away */
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0 || info.si_pid == kept->pid) {
            return;
        }
        (void)waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG); /* nobody waits for what it says */
    }
}

bool process_is_first(void)
{
    return getpid() == 1;
}

void process_set_name(const char *name)
{
    (void)prctl(PR_SET_NAME, name); /* nothing depends on it */
}

enum err process_thread_give_way(unsigned int steps)
{
    const int wanted = (int)num_min(steps, NICE_MAX);
    errno = 0;
    const int now = getpriority(PRIO_PROCESS, 0);

    if (now == -1 && errno != 0) {
        FAIL(ERR_REFUSED, "getpriority", errno);
    }
    if (setpriority(PRIO_PROCESS, 0, now + wanted) != 0) { /* beyond the last step the kernel takes the last */
        FAIL(ERR_REFUSED, "setpriority", errno);
    }
    return ERR_OK;
}

bool process_is_kill(int signal)
{
    return signal == SIGKILL;
}

void process_kill(const struct process *process)
{
    if (process->pidfd >= 0) {
        (void)syscall(SYS_pidfd_send_signal, process->pidfd, SIGKILL, NULL, 0); /* fails when it has ended */
    }
}

void process_ask_to_end(const struct process *process)
{
    if (process->pidfd >= 0) {
        (void)syscall(SYS_pidfd_send_signal, process->pidfd, SIGTERM, NULL, 0); /* fails when it has ended */
    }
}

static enum err block_signals(sigset_t *out_set)
{
    sigset_t set;

    INVARIANT(sigemptyset(&set) == 0 && sigaddset(&set, SIGTERM) == 0 && sigaddset(&set, SIGINT) == 0 &&
              sigaddset(&set, SIGHUP) == 0);
    ENSURE(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0, ERR_IO, "blocking signals");
    *out_set = set;
    return ERR_OK;
}

enum err process_signals_block(void)
{
    sigset_t set;

    return block_signals(&set);
}

enum err process_signals_open(int *out_fd)
{
    sigset_t set;

    TRY(block_signals(&set));
    const int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) {
        FAIL_ERRNO(errno, "signalfd");
    }

    *out_fd = fd;
    return ERR_OK;
}

enum err process_signal_next(int signals_fd)
{
    struct signalfd_siginfo info = {0};
    const ssize_t got = read(signals_fd, &info, sizeof(info));

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return ERR_AGAIN;
    }
    ENSURE(got == (ssize_t)sizeof(info), ERR_IO, "reading signals");
    return ERR_OK;
}
