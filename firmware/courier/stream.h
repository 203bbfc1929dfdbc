/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A connection to one destination of the list, for a lane: it waits, each step and the whole bounded in time.
 *
 * smtp.c and fetch.c know a connection only by this table of functions, so that tests and fuzzers can be the other
 * side. A stream belongs to one thread. */
#ifndef FIRMWARE_COURIER_STREAM_H
#define FIRMWARE_COURIER_STREAM_H

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

/* Errors of all three: ERR_TIMEOUT (the step's time or that of the whole job is over), ERR_CLOSED (the other side is
 * gone), ERR_AUTH and ERR_MALFORMED and ERR_UNSUPPORTED (TLS; see net/tls_client.h). After any of them the stream is of no
 * more use. */
struct stream {
    /* Sends all of it. */
    enum err (*send)(void *context, struct span bytes);
    /* Waits for bytes and appends what came to in, 1 byte to as many as it has room for. ERR_RANGE: it has none. */
    enum err (*receive)(void *context, struct buf *in);
    /* From here on TLS; the certificate is checked before it returns. Only on a stream that began in clear, once. */
    enum err (*start_tls)(void *context);
    void *context;
};

static inline MUST_USE enum err stream_send(struct stream *stream, struct span bytes)
{
    return stream->send(stream->context, bytes);
}

static inline MUST_USE enum err stream_receive(struct stream *stream, struct buf *in)
{
    return stream->receive(stream->context, in);
}

static inline MUST_USE enum err stream_start_tls(struct stream *stream)
{
    return stream->start_tls(stream->context);
}

#endif
