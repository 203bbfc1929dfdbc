/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int child_run(int (*work)(void *context), void *context)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGSYS};
    int status = 0;

    const pid_t pid = fork();
    if (pid == 0) {
        for (size_t at = 0; at < sizeof(signals) / sizeof(signals[0]); at++) {
            signal(signals[at], SIG_DFL);
        }
        (void)!freopen("/dev/null", "w", stderr);
        _exit(work(context));
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        abort();
    }
    return status;
}
