/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Something tried from inside of a sandbox: a forked child enters it and does that one thing. */
#ifndef TESTS_LIB_SANDBOXED_H
#define TESTS_LIB_SANDBOXED_H

#include <stdint.h>

#include "hal/sandbox.h"

#define CHILD_OK      0
#define CHILD_FAILED  1
#define CHILD_REFUSED 2 /* the call failed with EPERM or EACCES */
#define CHILD_SETUP   3

struct inside {
    int dir_fd;
    int listener;
    uint16_t port;
};

/* Runs in the child; answers one of CHILD_*. */
typedef int action(const struct inside *inside);

extern const struct sandbox_limits sandboxed_limits;

/* What the return value and the errno of a system call mean. */
int refused_or_not(int result);

/* The wait status of a child that entered the profile and did it. The courier may connect to inside->port. */
int sandboxed_run(enum sandbox_profile profile, action *does);

void assert_allowed(enum sandbox_profile profile, action *does);
void assert_forbidden_for(enum sandbox_profile profile, action *does); /* killed or refused */
void assert_forbidden(action *does);                                   /* in every profile */

/* An action: begins a thread, which changes what they share, and waits for its end. */
int sandboxed_thread(const struct inside *inside);

#endif
