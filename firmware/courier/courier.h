/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `rowlock courier`: the process that connects to others. The supervisor starts one for each list of destinations, with
 * descriptors at fixed numbers; it reads the system's CA certificates and then gives up all files but those that
 * resolving a name needs, TCP connections to all ports but those of the list where the kernel can (Landlock ABI 4), and
 * everything else that a program may do. What resolving needs stays: UDP, to any port of any address. It has no key of
 * the box, no rows and no data directory.
 *
 * The main thread talks with supervisor and worker and collects jobs; lanes, a thread each, carry them out, one for mails
 * and OUTBOUND_FETCHES for requests, one job at a time (smtp.h, fetch.h). Only lanes wait for others, and only so long. A
 * worker that takes no answers is no reason to wait either: the courier ends then, and another takes its place. One that is
 * told to stop ends what it has at hand, but waits three seconds at most for requests. */
#ifndef FIRMWARE_COURIER_COURIER_H
#define FIRMWARE_COURIER_COURIER_H

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/process.h"

#define COURIER_FD_CONTROL PROCESS_FD_FIRST /* channel to the supervisor */

/* Runs until the supervisor says stop, and ends in order. After any error (ERR_CLOSED: the supervisor is gone) the process
 * has to end at once: a lane may still run, and there is nothing to put in order. */
enum err courier_run(void) MUST_USE;

#endif
