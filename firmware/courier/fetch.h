/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One HTTP/1.1 request over a stream that speaks TLS already, and its answer. The other side is not trusted: its header
 * is bounded, its body ends at OUTBOUND_ANSWER_MAX, it is not asked for another connection, and nothing that it says leads
 * anywhere else. */
#ifndef FIRMWARE_COURIER_FETCH_H
#define FIRMWARE_COURIER_FETCH_H

#include "firmware/courier/job.h"
#include "firmware/courier/stream.h"

/* Sends the request of job->fetch to job->to.host (the Host header; with its port where that is not 443) and reads the
 * answer: out_answer->status and, appended to `body`, its body. Always fills out_answer; waits as long as the stream does.
 *   OUTBOUND_DONE       an answer of any status, also a redirect
 *   OUTBOUND_TEMPORARY  it could not be sent, or the answer did not come whole
 *   OUTBOUND_REFUSED    no HTTP/1.1 answer, or longer than it may be
 * Spec: RFC 9110, RFC 9112. */
void fetch_run(struct stream *stream, const struct courier_job *job, struct courier_answer *out_answer,
               struct buf *body);

#endif
