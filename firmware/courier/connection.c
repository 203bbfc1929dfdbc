/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A socket that never blocks, waited for as long as the step and the whole job have left. TLS is put over the same two
 * functions that send and receive in clear. The addresses of a name are tried in their order. Which certificate holds is
 * decided by net/tls_client.c; without a CA to trust there is no TLS, and nothing goes out. */
#include "firmware/courier/connection.h"

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/resolve.h"
#include "hal/socket.h"

#define ADDRESSES_MAX 8
#define CHUNK_BYTES   4096 /* asked for at once */

struct connection {
    struct connection_options options;
    struct stream stream;
    int fd;
    struct socket_address peer;
    struct tls_client *tls; /* NULL: not yet */
};

/* For one step from now; 0 when the time of the whole is over. */
static unsigned int step_ms(const struct connection *connection)
{
    const uint64_t left = mono_ms_between(hal_clock_mono(connection->options.clock), connection->options.until);

    return (unsigned int)num_min(left, (size_t)CONFIG_COURIER_STEP_S * 1000u);
}

static enum err wait_for(const struct connection *connection, enum socket_wait what)
{
    const unsigned int wait_ms = step_ms(connection);

    ENSURE(wait_ms != 0, ERR_TIMEOUT, "the time of a job is over");
    return socket_wait(connection->fd, what, wait_ms);
}

/* --- bytes, below TLS --- */

static enum err raw_send(void *context, struct span bytes, size_t *out_sent)
{
    const struct connection *const connection = context;

    for (;;) {
        TRY(wait_for(connection, SOCKET_WAIT_WRITE));
        const enum err err = socket_send(connection->fd, bytes, out_sent);
        if (err != ERR_AGAIN) {
            return err;
        }
    }
}

static enum err raw_receive(void *context, uint8_t *out_bytes, size_t max, size_t *out_len)
{
    const struct connection *const connection = context;

    for (;;) {
        TRY(wait_for(connection, SOCKET_WAIT_READ));
        const enum err err = socket_receive(connection->fd, out_bytes, max, out_len);
        if (err != ERR_AGAIN) {
            return err;
        }
    }
}

/* --- the stream --- */

static enum err on_send(void *context, struct span bytes)
{
    struct connection *const connection = context;
    size_t sent = 0;

    if (connection->tls != NULL) {
        return tls_client_send(connection->tls, bytes);
    }
    for (size_t at = 0; at < bytes.len; at += sent) {
        TRY(raw_send(connection, span_of(bytes.data + at, bytes.len - at), &sent));
    }
    return ERR_OK;
}

static enum err on_receive(void *context, struct buf *in)
{
    struct connection *const connection = context;
    const size_t room = num_min(buf_room(in), CHUNK_BYTES);
    uint8_t *at = NULL;
    size_t len = 0;

    ENSURE(room != 0, ERR_RANGE, "more than is wanted");
    TRY(buf_reserve(in, room, &at));
    TRY(connection->tls != NULL ? tls_client_receive(connection->tls, at, room, &len)
                                : raw_receive(connection, at, room, &len));
    buf_commit(in, len);
    return ERR_OK;
}

static enum err on_start_tls(void *context)
{
    struct connection *const connection = context;
    const struct tls_way way = {.send = raw_send, .receive = raw_receive, .context = connection};

    INVARIANT(connection->tls == NULL);
    ENSURE(connection->options.roots != NULL, ERR_AUTH, "no CA to trust");
    if (connection->options.protocol != NULL) {
        return tls_client_new_protocol(connection->options.roots, connection->options.to->host,
                                       connection->options.protocol, &way, &connection->tls);
    }
    return tls_client_new(connection->options.roots, connection->options.to->host, &way, &connection->tls);
}

/* --- opening one --- */

static enum err connect_to(struct connection *connection, const struct socket_address *address)
{
    connection->peer = *address;
    TRY(socket_connect(address, &connection->fd));
    TRY(wait_for(connection, SOCKET_WAIT_WRITE));
    return socket_connected(connection->fd);
}

static enum err connect_to_one(struct connection *connection, const struct socket_address *addresses, size_t count)
{
    enum err err = ERR_NOT_FOUND;

    for (size_t i = 0; i < count; i++) {
        err = connect_to(connection, &addresses[i]);
        if (err == ERR_OK) {
            return ERR_OK;
        }
        socket_close(connection->fd);
        connection->fd = -1;
    }
    return err;
}

static enum err connect_by_name(struct connection *connection, enum outbound_stage *out_stage)
{
    const struct outbound_destination *const to = connection->options.to;
    struct socket_address addresses[ADDRESSES_MAX];
    size_t count = 0;

    *out_stage = OUTBOUND_AT_RESOLVE;
    TRY(resolve_name(to->host, to->port, ADDRESSES_MAX, addresses, &count));
    *out_stage = OUTBOUND_AT_CONNECT;
    return connect_to_one(connection, addresses, count);
}

static enum err connect_by_worker(struct connection *connection, enum outbound_stage *out_stage)
{
    const struct outbound_destination *const to = connection->options.to;
    const struct reach_to reach_to = {.job = connection->options.job,
                                      .kind = MSG_REACH_TCP,
                                      .host = to->host,
                                      .port = to->port,
                                      .wait_ms = step_ms(connection)};
    const enum err err = reach_open(connection->options.reach, &reach_to, &connection->fd);

    *out_stage = err == ERR_NOT_FOUND ? OUTBOUND_AT_RESOLVE : OUTBOUND_AT_CONNECT;
    return err;
}

static enum err open_all(struct connection *connection, enum outbound_stage *out_stage)
{
    const struct outbound_destination *const to = connection->options.to;

    TRY(connection->options.reach != NULL ? connect_by_worker(connection, out_stage)
                                          : connect_by_name(connection, out_stage));
    *out_stage = OUTBOUND_AT_TLS;
    return to->tls == OUTBOUND_TLS ? on_start_tls(connection) : ERR_OK;
}

enum err connection_open(const struct connection_options *options, struct connection **out_connection,
                         enum outbound_stage *out_stage)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct connection), &memory));
    struct connection *const connection = memory;
    *connection = (struct connection){.options = *options, .fd = -1};
    connection->stream = (struct stream){on_send, on_receive, on_start_tls, connection};
    const enum err err = open_all(connection, out_stage);
    if (err != ERR_OK) {
        connection_free(connection);
        TRY(err);
    }
    *out_connection = connection;
    return ERR_OK;
}

void connection_free(struct connection *connection)
{
    if (connection == NULL) {
        return;
    }
    tls_client_free(connection->tls);
    socket_close(connection->fd);
    mem_free(connection);
}

struct stream *connection_stream(struct connection *connection)
{
    return &connection->stream;
}

struct socket_address connection_peer(const struct connection *connection)
{
    return connection->peer;
}

enum err connection_export(struct connection *connection, const char *label, struct span context, struct secret *out_key)
{
    ENSURE(connection->tls != NULL, ERR_STATE, "a connection without TLS");
    return tls_client_export(connection->tls, label, context, out_key);
}
