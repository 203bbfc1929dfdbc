/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ways out for the courier where the worker connects: which it may have, and who makes them. */
#ifndef FIRMWARE_WORKER_OUTBOUND_REACH_H
#define FIRMWARE_WORKER_OUTBOUND_REACH_H

#include "firmware/msg.h"
#include "firmware/worker/relay.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "net/outbound.h"

struct outbound_reach {
    void (*open)(void *context, const struct relay_to *to, int take_fd); /* NULL: the courier connects by itself */
    void *context;
};

/* Takes the descriptor of MSG_JOB_REACH, also on failure. job: the one that it is for, NULL if that is not under way any
 * more, which the courier cannot know yet: it is closed, and all is well. A courier gets a way to where its job goes and to
 * nobody else: ERR_MALFORMED, as for one that connects by itself. */
enum err outbound_reach_take(const struct outbound_reach *reach, const struct outbound_job *job, struct msg *msg) MUST_USE;

#endif
