/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The worker of `rowlock fsck`. */
#ifndef FIRMWARE_WORKER_CHECK_H
#define FIRMWARE_WORKER_CHECK_H

#include "firmware/data/data.h"
#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"

/* Checks the database of config, says what it finds on standard output, for the person who called `rowlock fsck`, and
 * tells the supervisor by MSG_WORKER_CHECKED. Errors of msg_send(). */
enum err check_tell(const struct data_config *config, struct msg_channel *control) MUST_USE;

#endif
