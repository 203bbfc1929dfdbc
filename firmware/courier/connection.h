/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A stream (stream.h) over TCP and TLS. */
#ifndef FIRMWARE_COURIER_CONNECTION_H
#define FIRMWARE_COURIER_CONNECTION_H

#include "firmware/courier/reach.h"
#include "firmware/courier/stream.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/time.h"
#include "hal/clock.h"
#include "hal/socket.h"
#include "net/outbound.h"
#include "net/tls_client.h"

struct connection;

struct connection_options {
    const struct outbound_destination *to; /* borrowed, as the rest, until connection_free */
    struct tls_roots *roots;
    const struct hal_clock *clock;
    struct reach *reach; /* NULL: by sockets of our own */
    uint64_t job;        /* for reach */
    const char *protocol; /* TLS 1.3 and this protocol by ALPN; NULL: no matter which */
    struct mono_time until; /* of the whole job; each step has CONFIG_COURIER_STEP_S at most */
};

/* Finds the host's addresses, tries one after the other, and shakes hands where TLS comes first. Blocks.
 * out_stage, also on failure: how far it came. ERR_NOT_FOUND (no such name), ERR_TIMEOUT, ERR_CLOSED (nobody answers),
 * ERR_REFUSED, errors of tls_client_new, ERR_NO_MEMORY. */
enum err connection_open(const struct connection_options *options, struct connection **out_connection,
                         enum outbound_stage *out_stage) MUST_USE;

/* Says goodbye where there is TLS, and closes. NULL is fine. */
void connection_free(struct connection *connection);

struct stream *connection_stream(struct connection *connection);

/* Who answered there: one of the addresses of the name. */
struct socket_address connection_peer(const struct connection *connection);

/* tls_client_export of a connection with a protocol. */
enum err connection_export(struct connection *connection, const char *label, struct span context,
                           struct secret *out_key) MUST_USE;

#endif
