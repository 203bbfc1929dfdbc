/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* By the child's own clock, so that a loaded machine stops nobody; the alarm is for one that sleeps. */
#define CPU_SECONDS   60
#define ALARM_SECONDS 300

static void be_silent(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGSYS};

    for (size_t at = 0; at < sizeof(signals) / sizeof(signals[0]); at++) {
        signal(signals[at], SIG_DFL);
    }
    (void)!freopen("/dev/null", "w", stderr);
}

int child_run(enum child_manner manner, int (*work)(void *context), void *context)
{
    const struct rlimit limit = {CPU_SECONDS, CPU_SECONDS + 10};
    int status = 0;

    (void)fflush(stdout); /* or the child would say it, too */
    const pid_t pid = fork();
    if (pid == 0) {
        (void)setrlimit(RLIMIT_CPU, &limit);
        (void)alarm(ALARM_SECONDS);
        if (manner == CHILD_SILENT) {
            be_silent();
        }
        const int result = work(context);
        (void)fflush(stdout);
        _exit(result);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        abort();
    }
    return status;
}

void child_reason(int status, char out_reason[CHILD_REASON_BYTES])
{
    if (WIFSIGNALED(status)) {
        snprintf(out_reason, CHILD_REASON_BYTES, "stopped by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else {
        snprintf(out_reason, CHILD_REASON_BYTES, "ended with status %d", WEXITSTATUS(status));
    }
}
