/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A job as the courier is told of it. */
#ifndef FIRMWARE_WORKER_OUTBOUND_MESSAGE_H
#define FIRMWARE_WORKER_OUTBOUND_MESSAGE_H

#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "net/outbound.h"

/* The message that begins it, with its number; to: the place of its destination in the list. ERR_RANGE: what
 * outbound_job_check refuses. */
enum err outbound_message(const struct outbound_job *job, size_t to, struct msg *out_msg) MUST_USE;

/* What follows in parts: the text of a mail, the body of a request; nothing for a question. */
struct span outbound_bytes(const struct outbound_job *job);

#endif
