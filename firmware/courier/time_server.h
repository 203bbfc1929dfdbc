/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One time server of the list, and what was agreed with it: the keys and cookies of NTS live here from one question to the
 * next, and nowhere else. Belongs to one lane at a time. */
#ifndef FIRMWARE_COURIER_TIME_SERVER_H
#define FIRMWARE_COURIER_TIME_SERVER_H

#include "firmware/courier/connection.h"
#include "firmware/courier/job.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"

struct time_server;

/* The caller frees it. ERR_NO_MEMORY, ERR_REFUSED (no locked memory). */
enum err time_server_new(struct time_server **out_server) MUST_USE;
void time_server_free(struct time_server *server); /* NULL is fine */

/* Asks options->to what time it is: over NTS, with an exchange of keys before if there are none, or over NTP in clear. A
 * datagram that is not the answer is passed over. Always fills out_answer, with the reason in the fault trail; out_reading
 * with OUTBOUND_DONE only. Waits until options->until at most.
 *   OUTBOUND_TEMPORARY  not reached, no trust, no answer in time; OUTBOUND_AT_RATE: it wants to be asked less often
 *   OUTBOUND_REFUSED    it does not want to be asked again; in clear anybody on the way can have said so */
void time_server_ask(struct time_server *server, const struct connection_options *options,
                     struct courier_answer *out_answer, struct outbound_reading *out_reading);

#endif
