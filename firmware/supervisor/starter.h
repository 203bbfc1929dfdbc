/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One process for each child that has a user of its own: it is started while the supervisor is root, changes to that user for good,
 * and from then on starts that child, and starts it again, whenever the supervisor says so. So nobody keeps the right to change
 * users, and the supervisor, who may not even send a signal to another user's process, still has a hand on each child.
 *
 * A starter does nothing unasked and ends with the supervisor; its child ends with it. One thread. */
#ifndef FIRMWARE_SUPERVISOR_STARTER_H
#define FIRMWARE_SUPERVISOR_STARTER_H

#include <stddef.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/process.h"

struct starter {
    struct process process; /* its pidfd is readable when it has ended, upon which no child can be started any more */
    int link;               /* -1: there is none */
};

/* Nothing to start with; starter_close() is fine. */
void starter_init(struct starter *starter);

/* Starts the starter of a child; command is a literal that starter_run() knows. Needs root. Errors of process_start(). */
enum err starter_open(struct starter *starter, const char *command) MUST_USE;

/* Ends it, and its child. */
void starter_close(struct starter *starter);

/* As process_start(), process_reap() without waiting, and process_kill(), of its one child. Each waits for the starter's answer, which is
 * a fork away at most. ERR_TIMEOUT (starter_reap): it still runs. ERR_CLOSED, ERR_MALFORMED, ERR_STATE: the starter is of no use
 * any more; the codes of process_start(). */
enum err starter_start(struct starter *starter, const int *fds, size_t fd_count, struct process *out_process) MUST_USE;
enum err starter_reap(struct starter *starter, struct process *process, enum process_end *out_end, int *out_number) MUST_USE;
enum err starter_kill(struct starter *starter) MUST_USE;

/* The starter itself: changes to that user, and serves `link` until the other end is closed. Returns ERR_CLOSED then;
 * ERR_MALFORMED: a request that is none; errors of sandbox_drop_user() and process_can_start(). Never ERR_OK. */
enum err starter_run(const char *command, unsigned int uid, unsigned int gid, int link) MUST_USE;

/* The same for the child's row of the board, on the descriptor that starter_open() passes. ERR_NOT_FOUND: no such child. */
enum err starter_run_for_board(const char *command) MUST_USE;

#endif
