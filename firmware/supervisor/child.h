/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A child process: its control channel, how it ends, and when it is started again. */
#ifndef FIRMWARE_SUPERVISOR_CHILD_H
#define FIRMWARE_SUPERVISOR_CHILD_H

#include <stdbool.h>

#include "firmware/msg.h"
#include "firmware/supervisor/health.h"
#include "firmware/supervisor/starter.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/time.h"
#include "hal/poller.h"
#include "hal/process.h"

/* A child that dies is started again after waits that double up to the longest; one that has lived for a minute starts from
 * the beginning. One that ended as asked is started again at once, and the next one starts from the beginning as well. */
#define CHILD_BACKOFF_FIRST_MS 100U
#define CHILD_BACKOFF_LAST_MS  10000U
#define CHILD_STEADY_MS        60000U

struct child {
    const char *command;        /* "keeper"; a literal */
    enum msg_channel_kind kind; /* of the control channel */
    struct starter *starter;    /* borrowed; NULL: it is the supervisor's own user, and started by it */
    struct process process;
    struct msg_channel *control;
    enum msg_state state;
    bool runs;
    bool stopping;            /* asked to */
    struct mono_time kill_at; /* while stopping */
    struct mono_time started;
    struct mono_time start_at; /* not before */
    unsigned int backoff_ms; /* the wait after the latest end; 0: none */
    struct health health;
    bool silent;   /* it owes an answer, or to be ready, for too long to vouch for it */
    bool at_fault; /* killed for what it did or did not do */
};

void child_init(struct child *child, const char *command, enum msg_channel_kind kind,
                const struct health_limits *limits);

/* Starts the process with the control channel and one directory (-1: none), and watches both its end and its channel. Events carry
 * &child->process for the end and the child itself for messages. ERR_LIMIT, ERR_IO, ERR_NO_MEMORY. */
enum err child_start(struct child *child, struct poller *poller, int directory_fd, struct mono_time now) MUST_USE;

/* Asks it to end by message; kill_after_ms later it is killed. Asking again changes nothing. */
void child_stop(struct child *child, enum msg_type stop, struct mono_time now, unsigned int kill_after_ms);

/* What there is to know of the end of one. */
enum child_end {
    CHILD_RUNS,
    CHILD_ENDED,  /* as asked, or killed by somebody else, who had his reasons */
    CHILD_CRASHED /* unasked, or killed because it was at fault */
};

/* Collects it if it has ended. Sets when it may start again. */
enum child_end child_reap(struct child *child, struct poller *poller, struct mono_time now);

/* Forces it to end. One that has ended is no error. */
void child_kill(struct child *child);

/* Kills it for what it did or did not do; why is a literal for the log. */
void child_condemn(struct child *child, const char *why);

/* It sent an answer: unasked, it is condemned. */
void child_answered(struct child *child);

/* At each tick: asks it for a sign of life when it is time, and kills one that does not get ready or does not answer. */
void child_look_at(struct child *child, enum msg_type question, struct mono_time now);

/* After a start that failed: logs why, and ends what was started of it; the next try is after a wait. */
void child_give_up(struct child *child, struct mono_time now);

/* Kills one that was asked to end and did not. */
void child_kill_if_late(struct child *child, struct mono_time now);

/* Frees what is left of one that runs no more. */
void child_done(struct child *child, struct poller *poller);

#endif
