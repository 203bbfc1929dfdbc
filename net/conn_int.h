/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What conn.c, the way of bytes, and conn_group.c, where connections come from and what they borrow, know of each other. */
#ifndef NET_CONN_INT_H
#define NET_CONN_INT_H

#include "net/conn.h"

#define CONN_SCRATCH_BYTES ((size_t)32768)        /* one recv: two full records */
#define CONN_WIRE_BYTES ((size_t)65536)           /* sent in one call */
#define CONN_WIRE_MAX (CONN_WIRE_BYTES + TLS_HANDSHAKE_ROOM + TLS_RECORD_ROOM)
#define CONN_INPUT_SLACK (CONN_SCRATCH_BYTES + 2 * TLS_RECORD_ROOM) /* what one recv and a record begun before it can become */

/* What a busy connection borrows. */
struct conn_memory {
    struct buf *in;
    struct buf *head;
    struct buf *body;
    struct arena *arena;
    struct conn_memory *next;
};

enum conn_state { CONN_HANDSHAKE, CONN_OPEN, CONN_CLOSING, CONN_GONE };

struct conn {
    struct stack_listener listener; /* first: the stack hands it back */
    struct tls_waiter waiter;
    struct loop_timer deadline;
    struct loop_timer write_deadline;
    struct mono_time write_end; /* what is being sent must be gone by then; 0: nothing is */
    struct loop_slice farewell; /* calls on_gone */
    struct conn_group *group;
    struct conn *next;
    struct conn **link;
    struct stack_socket *socket;
    struct socket_address peer;
    struct tls *tls;
    struct conn_memory *memory; /* NULL while idle */
    struct buf *pending;        /* encrypted and refused by the socket; NULL: none */
    struct buf *held;           /* received while the handshake is parked; NULL: none */
    void *state_of_handler;
    struct span send_head; /* what is left to encrypt */
    struct span send_body;
    size_t charged; /* its part of the group's memory */
    size_t dropped; /* bytes, while closing */
    enum conn_state state;
    unsigned int interest;
    bool opened;  /* on_open has been called */
    bool sending; /* conn_send has answered ERR_AGAIN */
    bool paused;
    bool ended; /* the peer sends no more */
    bool close_after_send;
};

struct conn_group {
    struct conn_group_options options;
    struct stack_listener listener; /* of the listening socket */
    struct stack_socket *listening;
    struct loop_timer accept_pause;
    struct conn *conns;
    size_t count;
    struct conn_memory *pool;
    size_t pooled;
    size_t charged; /* bytes that the connections hold, of CONFIG_NET_BUFFERS_MIB */
    struct buf *wire;
    uint8_t record[TLS_RECORD_PLAIN];
    uint8_t scratch[CONN_SCRATCH_BYTES];
};

/* Lends buffers and arena if the connection has none. ERR_NO_MEMORY. */
enum err conn_memory_borrow(struct conn *conn) MUST_USE;
void conn_memory_return(struct conn *conn);

/* How many bytes of input and output the connection holds now. ERR_LIMIT: the group has no room for so many more. */
enum err conn_memory_charge(struct conn *conn, size_t bytes) MUST_USE;

/* Begins the life of a connection whose socket is watched: sets its callbacks; a plain one is open at once. */
void conn_init(struct conn *conn, struct conn_group *group, struct stack_socket *take_socket,
               const struct socket_address *peer);
void conn_start(struct conn *conn);

#endif
