/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The code that makes the first operator, told to whoever started the appliance. */
#ifndef FIRMWARE_WORKER_SETUP_H
#define FIRMWARE_WORKER_SETUP_H

#include "firmware/auth/setup_code.h"
#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"

/* Makes a code and sends it to the supervisor as MSG_WORKER_SETUP; only its digest stays. Errors of msg_send();
 * ERR_NO_MEMORY. */
enum err setup_offer(struct msg_channel *control, struct mono_time now, struct setup_code *out_code) MUST_USE;

#endif
