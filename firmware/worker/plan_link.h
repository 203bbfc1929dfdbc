/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The worker's end of planned changes of Secure Boot: jobs of all reactors in, one at a time to the supervisor, which asks the keeper.
 * Belongs to the main thread; any reactor's thread may start a job. */
#ifndef FIRMWARE_WORKER_PLAN_LINK_H
#define FIRMWARE_WORKER_PLAN_LINK_H

#include "firmware/api/api.h"
#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/poller.h"

struct plan_link;

/* poller and control are borrowed. ERR_NO_MEMORY, ERR_IO, ERR_LIMIT. */
enum err plan_link_new(struct poller *poller, struct msg_channel *control, struct plan_link **out_link) MUST_USE;
void plan_link_free(struct plan_link *link); /* after the reactors; NULL is fine */

/* For api_options; valid as long as the link. */
struct api_plans plan_link_table(struct plan_link *link);

/* Sends what reactors have asked for; in each turn of the main thread. */
void plan_link_run(struct plan_link *link);

/* MSG_WORKER_PLANNED. ERR_STATE: nobody has asked that. */
enum err plan_link_answer(struct plan_link *link, const struct msg *msg) MUST_USE;

#endif
