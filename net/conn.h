/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One connection: socket, TLS, buffers and time limits, without knowing what the bytes mean.
 *
 *   handshake -> idle <-> busy -> closing -> gone
 *
 * An idle connection holds its socket and its TLS session keys and nothing else: buffers and arena are borrowed from
 * the reactor's pool at the first byte and handed back when conn_rest is called. Counted against two caps (limits.h):
 * all connections, and those of one address. Belongs to one loop. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/mem.h"
#include "net/limits.h"
#include "net/loop.h"
#include "net/stack.h"
#include "net/tls.h"

struct conn;
struct conn_group;

/* What speaks over a connection. Calls come from the loop, never from inside of a call of this header. */
struct conn_handler {
    /* The handshake is done (or the socket is plain): makes the protocol's state for this connection. An error closes. */
    enum err (*on_open)(void *context, struct conn *conn, void **out_state);
    /* There are new bytes in conn_in. */
    void (*on_input)(void *state, struct conn *conn);
    /* Everything that was given to conn_send is with the network; only after conn_send answered ERR_AGAIN. */
    void (*on_sent)(void *state, struct conn *conn);
    /* The limit set with conn_deadline has passed. */
    void (*on_deadline)(void *state, struct conn *conn);
    /* The other side sends no more; it may still listen. */
    void (*on_half_close)(void *state, struct conn *conn);
    /* The socket is gone, for whatever reason. Buffers and arena stay as they are until the handler calls conn_release,
     * in this call or later; until then no other call on conn does anything any more. Not called without on_open. */
    void (*on_gone)(void *state, struct conn *conn);
};

/* What the connections of one reactor and one port share. All borrowed but `context`, which is the handler's. */
struct conn_group_options {
    struct loop *loop;
    struct stack *stack;
    struct tls_server *tls; /* NULL: plain, for the redirect port only */
    struct limits *limits;
    const struct conn_handler *handler;
    void *context;
    size_t input_max; /* most bytes of input that the handler leaves lying; more is a defect and closes */
    size_t body_max;  /* of conn_body */
    size_t arena_max;
};

enum err conn_group_new(const struct conn_group_options *options, struct conn_group **out_group) MUST_USE;

/* Drops what is open; on_gone comes from inside of this call and must release each. NULL is fine. */
void conn_group_free(struct conn_group *group);

/* Accepts from this socket from now on, and closes it with the group. ERR_IO. */
enum err conn_group_listen(struct conn_group *group, struct stack_socket *take_listener) MUST_USE;

/* Accepts no more, and drops handshakes under way. */
void conn_group_deafen(struct conn_group *group);
size_t conn_group_count(const struct conn_group *group);

/* Calls visit for each open connection; visit may close the one it is given. */
void conn_group_each(struct conn_group *group, void (*visit)(void *state, struct conn *conn));

/* Input that has arrived and not been taken; buf_get and buf_compact take from it. Only while busy: from an on_input to
 * conn_rest. */
bool conn_is_busy(const struct conn *conn);
struct buf *conn_in(struct conn *conn);

/* What the handler holds of the request elsewhere than in conn_in, in bytes. ERR_LIMIT: all connections together hold as
 * much as they may (CONFIG_NET_BUFFERS_MIB). What arrives and what waits to be sent is counted here: beyond the limit the
 * connection is dropped. */
enum err conn_holds(struct conn *conn, size_t bytes) MUST_USE;

/* Where an answer's head and body are built, and the arena of a request. Only while busy. */
#define CONN_HEAD_MAX ((size_t)49152) /* a redirect repeats the whole target */
struct buf *conn_head(struct conn *conn);
struct buf *conn_body(struct conn *conn);
struct arena *conn_arena(struct conn *conn);

/* Sends head and then body. ERR_OK: all of it is with the network. ERR_AGAIN: both must stay as they are until on_sent,
 * input is not read in the meantime. ERR_CLOSED: the connection is going or gone; on_gone follows. One at a time: a
 * second one before on_sent drops the connection. */
enum err conn_send(struct conn *conn, struct span head, struct span body) MUST_USE;

/* Whether input is read at all. While not, bytes wait in the kernel. */
void conn_pause(struct conn *conn);
void conn_resume(struct conn *conn);

/* Calls on_deadline once after ms; 0 clears. Writing has its own limits, CONFIG_NET_WRITE_MS without
 * progress and CONFIG_NET_WRITE_RATE in all. */
void conn_deadline(struct conn *conn, unsigned int ms);

/* Hands buffers and arena back: the connection is idle. Only when there is no input left. */
void conn_rest(struct conn *conn);

/* Sends what is waiting and a close notice, then closes; reads and drops for a moment, so that the other side gets the
 * answer and not a reset. conn_drop closes at once. on_gone follows, from the loop. */
void conn_close(struct conn *conn);
void conn_drop(struct conn *conn);

/* After on_gone: hands back buffers and frees. */
void conn_release(struct conn *conn);

const struct socket_address *conn_peer(const struct conn *conn);
const struct tls *conn_tls(const struct conn *conn); /* NULL when plain */

#endif
