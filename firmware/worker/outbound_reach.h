/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ways out for the courier where the worker connects: which it may have, and who makes them. */
#ifndef FIRMWARE_WORKER_OUTBOUND_REACH_H
#define FIRMWARE_WORKER_OUTBOUND_REACH_H

#include "firmware/msg.h"
#include "firmware/worker/outbound_lane.h"
#include "firmware/worker/relay.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "net/outbound.h"

struct outbound_reach {
    void (*open)(void *context, const struct relay_to *to, int take_fd); /* NULL: the courier connects by itself */
    void *context;
};

/* Of one job: a question for the time agrees upon keys twice, and asks with each. */
#define OUTBOUND_WAYS_MAX 4

/* Takes the descriptor of MSG_JOB_REACH, also on failure. lane: that of the job that it is for; NULL, or one without a job:
 * it is not under way any more, which the courier cannot know yet, so it is closed, and all is well. A courier gets
 * OUTBOUND_WAYS_MAX ways to where its job goes, for as long as one may take, and none to anybody else: ERR_MALFORMED, as for
 * one that connects by itself. */
enum err outbound_reach_take(const struct outbound_reach *reach, struct outbound_lane *lane, struct msg *msg) MUST_USE;

#endif
