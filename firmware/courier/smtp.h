/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One mail, handed to a relay: greeting, EHLO, STARTTLS where the destination says so, AUTH where there is a user, MAIL,
 * RCPT, DATA, QUIT. The relay is not trusted: replies are bounded in length and lines, and nothing that it said in clear is
 * believed after STARTTLS. Spec: RFC 5321, RFC 3207, RFC 4954, RFC 1870. */
#ifndef FIRMWARE_COURIER_SMTP_H
#define FIRMWARE_COURIER_SMTP_H

#include "firmware/courier/job.h"
#include "firmware/courier/stream.h"

/* Sends job->mail. Always fills out_answer, with the reason in the fault trail; waits as long as the stream does. A relay that
 * has taken the text has the mail, whatever becomes of QUIT. User and password are sent over TLS only.
 *   OUTBOUND_DONE       2xx for the text
 *   OUTBOUND_REFUSED    5xx for sender, recipient or text; the mail is longer than the relay takes
 *   OUTBOUND_TEMPORARY  everything else: 4xx, a relay that refuses us or the password, no STARTTLS, a lost connection.
 *                       530, 534, 535 and 538 are about the sign-in (OUTBOUND_AT_SIGN_IN), whenever they come */
void smtp_send(struct stream *stream, const struct courier_job *job, struct courier_answer *out_answer);

#endif
