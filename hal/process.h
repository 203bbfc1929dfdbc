/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Starting this program again as a child with passed descriptors, and the channels between the processes.
 *
 * A child is fork+exec of /proc/self/exe, so a process that holds secrets never forks: only the supervisor calls
 * process_start, and it holds none. The child gets an empty environment but for LC_ALL=C (and what a sanitizer reads,
 * in a sanitizer build), descriptors at fixed numbers from PROCESS_FD_FIRST on, and no others above 2.
 *
 * A channel is a SOCK_SEQPACKET pair: one send is one message, whole or not at all. */
#ifndef HAL_PROCESS_H
#define HAL_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define PROCESS_FD_FIRST    3
#define PROCESS_FDS_MAX     160 /* a worker with 64 reactors: listeners, channels, and a few more */
#define PROCESS_ARGS_MAX    16
#define CHANNEL_MESSAGE_MAX 65536
#define CHANNEL_FDS_MAX     8 /* in one message */

struct process_spec {
    const char *arguments[PROCESS_ARGS_MAX]; /* after the program's name; ends at the first NULL. Never a secret. */
    const int *fds;                          /* fds[i] becomes PROCESS_FD_FIRST + i in the child; borrowed */
    size_t fd_count;                         /* at most PROCESS_FDS_MAX */
};

struct process {
    int pid;
    int pidfd; /* readable when the child has ended; -1 when there is no child */
};

enum process_end { PROCESS_EXITED, PROCESS_KILLED };

/* Is this signal the one that process_kill sends, and that the kernel sends when memory runs out? */
bool process_is_kill(int signal);

/* May this user start the program again? Told once with a reason, where a child that cannot start would only end.
 * ERR_REFUSED: the program's file is not executable for him. */
enum err process_can_start(void) MUST_USE;

/* Starts a child. Only from a process with one thread. ERR_LIMIT (processes, descriptors, more than allowed), ERR_IO.
 * The child is killed by the kernel when its parent dies. */
enum err process_start(const struct process_spec *spec, struct process *out_process) MUST_USE;

/* Collects a child that has ended, waiting up to timeout_ms (0: not at all), and closes its pidfd. out_number is the
 * exit status or the signal. ERR_TIMEOUT: it still runs. ERR_STATE: there is no child. */
enum err process_reap(struct process *process, unsigned int timeout_ms, enum process_end *out_end, int *out_number)
    MUST_USE;

/* Starts another program, which gets the standard descriptors, a session of its own, and an environment that only says where
 * programs are; it is nobody's to wait for (process_reap_strays). ERR_NOT_FOUND: there is no such file; ERR_REFUSED: it is no
 * program; ERR_LIMIT. */
enum err process_start_other(const char *path) MUST_USE;

/* Collects every child that has ended but this one: a first process inherits the orphans of the others. */
void process_reap_strays(const struct process *kept);

/* Is this the first process of the machine? */
bool process_is_first(void);

/* The name of this process for ps and top; at most 15 bytes, a literal. Where it cannot be set, it stays "exe". */
void process_set_name(const char *name);

/* The calling thread, and no other, gives way to all others of the machine by so many steps of nice, at most as far as
 * there are steps; for its whole life. ERR_REFUSED. Spec: setpriority(2), "C library/kernel differences". */
enum err process_thread_give_way(unsigned int steps) MUST_USE;

/* Forces a child to end, by SIGKILL. A child that has ended is no error. */
void process_kill(const struct process *process);

/* Asks a child to end, by SIGTERM. One that has ended is no error. */
void process_ask_to_end(const struct process *process);

/* Blocks SIGTERM, SIGINT and SIGHUP for this thread and those it starts. ERR_IO. */
enum err process_signals_block(void) MUST_USE;

/* A descriptor that is readable when SIGTERM, SIGINT or SIGHUP has come; blocks them for this thread and those it
 * starts. ERR_IO. */
enum err process_signals_open(int *out_fd) MUST_USE;

/* Takes the next signal, without waiting. All three mean the same: end. ERR_AGAIN: none; ERR_IO. */
enum err process_signal_next(int signals_fd) MUST_USE;

/* Both ends of a channel, close-on-exec. Ends are blocking until channel_set_nonblocking. ERR_LIMIT. */
enum err channel_pair(int out_ends[2]) MUST_USE;
enum err channel_set_nonblocking(int channel) MUST_USE;

/* The same end once more, for another thread: what one sends is whole, and in no order with what others send. ERR_LIMIT. */
enum err channel_copy(int channel, int *out_copy) MUST_USE;

/* Sends one message (1 to CHANNEL_MESSAGE_MAX bytes) with up to CHANNEL_FDS_MAX descriptors, which stay open here.
 * ERR_RANGE, ERR_AGAIN (non-blocking and full), ERR_TIMEOUT (channel_set_timeout), ERR_CLOSED. */
enum err channel_send(int channel, struct span message, const int *fds, size_t fd_count) MUST_USE;

struct channel_message {
    size_t bytes;
    int fds[CHANNEL_FDS_MAX]; /* the receiver's, close-on-exec */
    size_t fd_count;
};

/* Receives one message into out_bytes (max bytes). ERR_AGAIN, ERR_TIMEOUT, ERR_CLOSED; ERR_RANGE: it was longer than
 * max or had too many descriptors, and is lost: the sender broke the protocol. Descriptors are closed on any failure.
 * */
enum err channel_receive(int channel, uint8_t *out_bytes, size_t max, struct channel_message *out_message) MUST_USE;

/* Bounds each blocking send and receive; 0 is no bound. ERR_IO. */
enum err channel_set_timeout(int channel, unsigned int timeout_ms) MUST_USE;

#endif
