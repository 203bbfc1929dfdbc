/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The worker: the process that speaks with strangers. TLS, HTTP, the API and the rows; never the root key or a private
 * key. Started by the supervisor with two descriptors; the others come by message. */
#ifndef FIRMWARE_WORKER_WORKER_H
#define FIRMWARE_WORKER_WORKER_H

#include "hal/base/attr.h"
#include "hal/base/err.h"

#define WORKER_FD_CONTROL   3 /* MSG_TO_WORKER, lower end */
#define WORKER_FD_DIRECTORY 4 /* the database's */

#define WORKER_GRACE_MS 5000 /* what was accepted may take to be answered after a stop */

/* Runs until the supervisor says stop, and ends in order. After any error (ERR_CLOSED: the supervisor is gone) the process
 * has to end at once: threads may still run, and what is on disk is whole at any moment. */
enum err worker_run(void) MUST_USE;

#endif
