/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way of bytes. In: one recv into the group's scratch, decrypted at once and whole into the connection's input, so
 * nothing encrypted is ever kept but what a parked handshake leaves. Out: head and body are cut into records, encrypted
 * into the group's wire buffer, and sent with one call; only what the socket refuses is kept, and no further record is
 * made before it is gone, so a client that does not read costs one wire buffer and its answer.
 *
 *   state      reads                 leaves by
 *   HANDSHAKE  until parked          the handshake's end, its deadline, an error
 *   OPEN       unless paused         conn_close, conn_drop, an error
 *   CLOSING    and drops             the peer's end, CLOSING_MS, CLOSING_BYTES
 *   GONE       no socket any more    conn_release
 *
 * A peer costs us a fault trail for each of its mistakes; they are its own business and are cleared here. */
#include "net/conn.h"

#include <string.h>

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/num.h"

#define SCRATCH_BYTES ((size_t)32768)        /* one recv: two full records */
#define WIRE_BYTES ((size_t)65536)           /* sent in one call */
#define WIRE_MAX (WIRE_BYTES + TLS_HANDSHAKE_ROOM + TLS_RECORD_ROOM)
#define INPUT_SLACK (SCRATCH_BYTES + 2 * TLS_RECORD_ROOM) /* what one recv and a record begun before it can become */
#define KEEP_BYTES ((size_t)65536)           /* of each buffer, while it waits in the pool */
#define POOL_MAX 64                          /* idle sets of buffers; more are given back to the system */
#define ACCEPTS_MAX 32                       /* in one turn: the open connections want theirs */
#define ACCEPT_PAUSE_MS 100                  /* when the system has no descriptor left */
#define CLOSING_MS 1000
#define CLOSING_BYTES ((size_t)1 << 20)

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
    struct buf *wire;
    uint8_t record[TLS_RECORD_PLAIN];
    uint8_t scratch[SCRATCH_BYTES];
};

static struct conn *conn_of(void *member, size_t offset)
{
    return (struct conn *)(void *)((uint8_t *)member - offset);
}

/* --- memory --- */

static void memory_free(struct conn_memory *memory)
{
    if (memory == NULL) {
        return;
    }
    buf_free(memory->in);
    buf_free(memory->head);
    buf_free(memory->body);
    arena_free(memory->arena);
    mem_free(memory);
}

static enum err memory_new(const struct conn_group_options *options, struct conn_memory **out_memory)
{
    void *bytes = NULL;

    TRY(mem_alloc(sizeof(struct conn_memory), &bytes));
    struct conn_memory *const memory = bytes;
    enum err err = buf_new(options->input_max + INPUT_SLACK, &memory->in);

    err = err != ERR_OK ? err : buf_new(CONN_HEAD_MAX, &memory->head);
    err = err != ERR_OK ? err : buf_new(options->body_max, &memory->body);
    err = err != ERR_OK ? err : arena_new(num_min(KEEP_BYTES, options->arena_max), options->arena_max, &memory->arena);
    if (err != ERR_OK) {
        memory_free(memory);
        FAIL(err, "no buffers for a request", 0);
    }
    *out_memory = memory;
    return ERR_OK;
}

static enum err borrow_memory(struct conn *conn)
{
    struct conn_group *const group = conn->group;

    if (conn->memory != NULL) {
        return ERR_OK;
    }
    if (group->pool == NULL) {
        return memory_new(&group->options, &conn->memory);
    }
    conn->memory = group->pool;
    group->pool = conn->memory->next;
    conn->memory->next = NULL;
    group->pooled--;
    return ERR_OK;
}

static void return_memory(struct conn *conn)
{
    struct conn_group *const group = conn->group;
    struct conn_memory *const memory = conn->memory;

    if (memory == NULL) {
        return;
    }
    conn->memory = NULL;
    if (group->pooled >= POOL_MAX) {
        memory_free(memory);
        return;
    }
    buf_reset(memory->in);
    buf_reset(memory->head);
    buf_reset(memory->body);
    buf_shrink(memory->in, KEEP_BYTES);
    buf_shrink(memory->head, KEEP_BYTES);
    buf_shrink(memory->body, KEEP_BYTES);
    arena_reset(memory->arena);
    memory->next = group->pool;
    group->pool = memory;
    group->pooled++;
}

/* --- the end of a connection --- */

static void set_interest(struct conn *conn, unsigned int interest)
{
    if (conn->interest == interest) {
        return;
    }
    conn->interest = interest;
    if (conn->group->options.stack->ops->watch(conn->socket, &conn->listener, interest) != ERR_OK) {
        fault_clear();
        conn_drop(conn);
    }
}

static enum loop_slice_result say_farewell(struct loop_slice *slice, struct mono_time until)
{
    struct conn *const conn = conn_of(slice, offsetof(struct conn, farewell));
    (void)until;

    if (conn->opened) {
        conn->group->options.handler->on_gone(conn->state_of_handler, conn);
    } else {
        conn_release(conn);
    }
    return LOOP_SLICE_DONE;
}

static void drop_address(struct conn *conn)
{
    limits_drop(conn->group->options.limits, LIMITS_KIND_CONNECTIONS_ADDRESS, stack_address_key(&conn->peer));
    limits_drop(conn->group->options.limits, LIMITS_KIND_CONNECTIONS, SPAN_NONE);
}

static void free_buffers(struct conn *conn)
{
    buf_free(conn->pending);
    buf_free(conn->held);
    conn->pending = NULL;
    conn->held = NULL;
}

void conn_drop(struct conn *conn)
{
    if (conn->state == CONN_GONE) {
        return;
    }
    conn->state = CONN_GONE;
    loop_timer_clear(conn->group->options.loop, &conn->deadline);
    loop_timer_clear(conn->group->options.loop, &conn->write_deadline);
    tls_free(conn->tls);
    conn->tls = NULL;
    conn->group->options.stack->ops->close(conn->socket);
    conn->socket = NULL;
    free_buffers(conn);
    drop_address(conn);
    loop_slice_start(conn->group->options.loop, &conn->farewell);
}

void conn_release(struct conn *conn)
{
    INVARIANT(conn->state == CONN_GONE);
    return_memory(conn);
    *conn->link = conn->next;
    if (conn->next != NULL) {
        conn->next->link = conn->link;
    }
    conn->group->count--;
    mem_free(conn);
}

/* --- output --- */

static enum err keep_pending(struct conn *conn, struct span bytes)
{
    if (conn->pending == NULL) {
        TRY(buf_new(WIRE_MAX, &conn->pending));
    }
    return buf_put(conn->pending, bytes);
}

/* Sends what is in the wire buffer; what does not fit is kept, behind what was kept before. */
static enum err send_wire(struct conn *conn)
{
    struct buf *const wire = conn->group->wire;
    const struct stack_ops *const ops = conn->group->options.stack->ops;
    struct span rest = buf_all(wire);
    enum err err = conn->pending == NULL ? ERR_OK : ERR_AGAIN;

    while (rest.len > 0 && err == ERR_OK) {
        size_t sent = 0;

        err = ops->send(conn->socket, rest, &sent);
        if (err == ERR_OK) {
            rest = span_of(rest.data + sent, rest.len - sent);
        }
    }
    if (rest.len > 0 && err == ERR_AGAIN) {
        err = keep_pending(conn, rest);
        err = err != ERR_OK ? err : ERR_AGAIN;
    }
    buf_reset(wire);
    return err;
}

/* Sends what was kept earlier. */
static enum err send_pending(struct conn *conn)
{
    const struct stack_ops *const ops = conn->group->options.stack->ops;

    while (conn->pending != NULL) {
        struct span gone = SPAN_NONE;
        size_t sent = 0;
        const enum err err = ops->send(conn->socket, buf_unread(conn->pending), &sent);

        if (err != ERR_OK) {
            return err;
        }
        TRY(buf_get(conn->pending, sent, &gone));
        if (buf_unread(conn->pending).len == 0) {
            buf_free(conn->pending);
            conn->pending = NULL;
        }
    }
    return ERR_OK;
}

static struct span take_front(struct span *span, size_t most)
{
    const struct span front = span_of(span->data, num_min(span->len, most));

    *span = span_of(span->data + front.len, span->len - front.len);
    return front;
}

/* The next piece of head and body, in one stretch: so a small answer is one record. */
static struct span next_piece(struct conn *conn)
{
    if (conn->send_head.len == 0) {
        return take_front(&conn->send_body, TLS_RECORD_PLAIN);
    }
    const struct span head = take_front(&conn->send_head, TLS_RECORD_PLAIN);

    memcpy(conn->group->record, head.data, head.len);
    const struct span body = take_front(&conn->send_body, TLS_RECORD_PLAIN - head.len);

    if (body.len > 0) {
        memcpy(conn->group->record + head.len, body.data, body.len);
    }
    return span_of(conn->group->record, head.len + body.len);
}

static enum err fill_wire(struct conn *conn)
{
    struct tls_io io = {.in = SPAN_NONE, .out = conn->group->wire};

    while (buf_len(conn->group->wire) < WIRE_BYTES) {
        const struct span piece = next_piece(conn);

        if (piece.len == 0) {
            return ERR_OK;
        }
        if (conn->tls == NULL) {
            TRY(buf_put(conn->group->wire, piece));
        } else {
            TRY(tls_write(conn->tls, &io, piece));
        }
    }
    return ERR_OK;
}

/* Sends until all is gone (ERR_OK) or the socket takes no more (ERR_AGAIN). */
static enum err pump_output(struct conn *conn)
{
    TRY(send_pending(conn));
    while (conn->send_head.len + conn->send_body.len > 0) {
        TRY(fill_wire(conn));
        TRY(send_wire(conn));
    }
    return ERR_OK;
}

/* After pump_output or send_wire: waits for the socket where that is needed. */
static enum err after_output(struct conn *conn, enum err err)
{
    struct loop *const loop = conn->group->options.loop;

    if (err == ERR_AGAIN) {
        fault_clear();
        loop_timer_set(loop, &conn->write_deadline, mono_add_ms(loop_now(loop), CONFIG_NET_WRITE_MS));
        set_interest(conn, conn->interest | LOOP_WRITE);
        return conn->state == CONN_GONE ? ERR_CLOSED : ERR_AGAIN;
    }
    if (err != ERR_OK) {
        fault_clear();
        conn_drop(conn);
        return ERR_CLOSED;
    }
    return ERR_OK;
}

enum err conn_send(struct conn *conn, struct span head, struct span body)
{
    if (conn->state != CONN_OPEN || conn->sending) {
        return ERR_CLOSED;
    }
    conn->send_head = head;
    conn->send_body = body;
    const enum err err = after_output(conn, pump_output(conn));

    conn->sending = err == ERR_AGAIN;
    return err;
}

static void enter_closing(struct conn *conn)
{
    struct loop *const loop = conn->group->options.loop;
    struct tls_io io = {.in = SPAN_NONE, .out = conn->group->wire};

    conn->state = CONN_CLOSING;
    conn->paused = false;
    if (conn->tls != NULL) {
        tls_finish(conn->tls, &io);
    }
    if (send_wire(conn) != ERR_OK || conn->ended) { /* a notice that does not fit now is not worth waiting for */
        fault_clear();
        conn_drop(conn);
        return;
    }
    conn->group->options.stack->ops->finish(conn->socket);
    loop_timer_set(loop, &conn->deadline, mono_add_ms(loop_now(loop), CLOSING_MS));
    set_interest(conn, LOOP_READ);
}

void conn_close(struct conn *conn)
{
    if (conn->state == CONN_HANDSHAKE) {
        conn_drop(conn);
    } else if (conn->state == CONN_OPEN && conn->sending) {
        conn->close_after_send = true;
    } else if (conn->state == CONN_OPEN) {
        enter_closing(conn);
    }
}

static void continue_output(struct conn *conn)
{
    struct loop *const loop = conn->group->options.loop;
    const enum err err = after_output(conn, pump_output(conn));

    if (err != ERR_OK) {
        return;
    }
    loop_timer_clear(loop, &conn->write_deadline);
    set_interest(conn, (conn->interest & ~LOOP_WRITE) | (conn->ended ? 0 : LOOP_READ));
    if (conn->sending && conn->state == CONN_OPEN) {
        conn->sending = false;
        if (conn->close_after_send) {
            enter_closing(conn);
        }
        conn->group->options.handler->on_sent(conn->state_of_handler, conn);
    }
}

/* --- input --- */

static void fail_input(struct conn *conn)
{
    fault_clear();
    if (send_wire(conn) != ERR_OK) { /* an alert: where it does not fit, the connection ends without it */
        fault_clear();
    }
    conn_drop(conn);
}

static void half_close(struct conn *conn)
{
    conn->ended = true;
    set_interest(conn, conn->interest & ~LOOP_READ);
    if (conn->state == CONN_OPEN) {
        conn->group->options.handler->on_half_close(conn->state_of_handler, conn);
    } else {
        conn_drop(conn);
    }
}

/* Bytes of the network for an open connection. */
static void take_bytes(struct conn *conn, struct span bytes)
{
    struct tls_io io = {.in = bytes, .out = conn->group->wire};
    enum err err = borrow_memory(conn);

    if (err == ERR_OK && buf_room(conn->memory->in) < INPUT_SLACK) {
        err = ERR_LIMIT;
    }
    const size_t before = err == ERR_OK ? buf_len(conn->memory->in) : 0;

    if (err == ERR_OK) {
        err = conn->tls == NULL ? buf_put(conn->memory->in, bytes) : tls_read(conn->tls, &io, conn->memory->in);
    }
    if (err != ERR_OK && err != ERR_CLOSED) {
        fail_input(conn);
        return;
    }
    if (buf_len(conn->group->wire) > 0 && after_output(conn, send_wire(conn)) == ERR_CLOSED) {
        return; /* an answer to a key update */
    }
    if (buf_len(conn->memory->in) > before) {
        conn->group->options.handler->on_input(conn->state_of_handler, conn);
    } else if (buf_len(conn->memory->in) == 0) {
        return_memory(conn);
    }
    if (err == ERR_CLOSED && conn->state == CONN_OPEN) {
        half_close(conn);
    }
}

static void open_conn(struct conn *conn)
{
    loop_timer_clear(conn->group->options.loop, &conn->deadline);
    conn->state = CONN_OPEN;
    if (conn->group->options.handler->on_open(conn->group->options.context, conn, &conn->state_of_handler) != ERR_OK) {
        fault_clear();
        conn_drop(conn);
        return;
    }
    conn->opened = true;
}

/* Keeps what came with or after the message that the handshake parks on. */
static enum err hold_bytes(struct conn *conn, struct span bytes)
{
    if (bytes.len == 0) {
        return ERR_OK;
    }
    TRY(buf_new(SCRATCH_BYTES, &conn->held));
    return buf_put(conn->held, bytes);
}

static void continue_handshake(struct conn *conn, struct span bytes)
{
    struct tls_io io = {.in = bytes, .out = conn->group->wire};
    enum err err = ERR_OK;

    if (conn->tls == NULL) {
        err = tls_new(conn->group->options.tls, &conn->waiter, &conn->tls);
    }
    err = err != ERR_OK ? err : tls_handshake(conn->tls, &io);
    if (err == ERR_AGAIN && tls_is_parked(conn->tls)) {
        err = hold_bytes(conn, io.in);
        err = err == ERR_OK ? ERR_AGAIN : err;
    }
    if (err != ERR_OK && err != ERR_AGAIN) {
        fail_input(conn);
        return;
    }
    if (after_output(conn, send_wire(conn)) == ERR_CLOSED || err == ERR_AGAIN) {
        return;
    }
    open_conn(conn);
    if (conn->state == CONN_OPEN && io.in.len > 0) {
        take_bytes(conn, io.in);
    }
}

static void resume_handshake(struct tls_waiter *waiter)
{
    struct conn *const conn = conn_of(waiter, offsetof(struct conn, waiter));
    struct buf *const held = TAKE(conn->held);
    const struct span bytes = held == NULL ? SPAN_NONE : buf_all(held);

    if (conn->state == CONN_HANDSHAKE) {
        set_interest(conn, conn->interest | LOOP_READ);
        continue_handshake(conn, bytes);
    }
    buf_free(held);
}

static bool wants_input(const struct conn *conn)
{
    return !conn->paused && !conn->sending && !conn->ended && conn->held == NULL &&
           (conn->tls == NULL || !tls_is_parked(conn->tls));
}

static void receive(struct conn *conn)
{
    struct conn_group *const group = conn->group;
    size_t got = 0;

    if (!wants_input(conn)) { /* only now, so that a request that is answered at once costs no system call for it */
        set_interest(conn, conn->interest & ~LOOP_READ);
        return;
    }
    const enum err err = group->options.stack->ops->recv(conn->socket, group->scratch, SCRATCH_BYTES, &got);

    if (err == ERR_AGAIN) {
        return;
    }
    if (err != ERR_OK) {
        fault_clear();
        half_close(conn);
    } else if (conn->state == CONN_CLOSING) {
        conn->dropped += got;
        if (conn->dropped > CLOSING_BYTES) {
            conn_drop(conn);
        }
    } else if (conn->state == CONN_HANDSHAKE) {
        continue_handshake(conn, span_of(group->scratch, got));
    } else {
        take_bytes(conn, span_of(group->scratch, got));
    }
}

static void on_ready(struct stack_listener *listener, unsigned int ready)
{
    struct conn *const conn = (struct conn *)listener;

    if ((ready & LOOP_GONE) != 0 && (ready & LOOP_READ) == 0) {
        conn_drop(conn);
        return;
    }
    if ((ready & LOOP_GONE) != 0 && !wants_input(conn)) {
        conn_drop(conn); /* nobody will read what is left: an answer under way has lost its reader */
        return;
    }
    if ((ready & LOOP_WRITE) != 0) {
        continue_output(conn);
    }
    if ((ready & LOOP_READ) != 0 && conn->state != CONN_GONE) {
        receive(conn);
    }
}

static void on_deadline(struct loop_timer *timer)
{
    struct conn *const conn = conn_of(timer, offsetof(struct conn, deadline));

    if (conn->state == CONN_OPEN) {
        conn->group->options.handler->on_deadline(conn->state_of_handler, conn);
    } else {
        conn_drop(conn);
    }
}

static void on_write_deadline(struct loop_timer *timer)
{
    conn_drop(conn_of(timer, offsetof(struct conn, write_deadline)));
}

/* --- what the handler may do --- */

bool conn_is_busy(const struct conn *conn)
{
    return conn->memory != NULL;
}

struct buf *conn_in(struct conn *conn)
{
    return conn->memory->in;
}

struct buf *conn_head(struct conn *conn)
{
    return conn->memory->head;
}

struct buf *conn_body(struct conn *conn)
{
    return conn->memory->body;
}

struct arena *conn_arena(struct conn *conn)
{
    return conn->memory->arena;
}

void conn_pause(struct conn *conn)
{
    conn->paused = true;
}

void conn_resume(struct conn *conn)
{
    conn->paused = false;
    if (conn->state == CONN_OPEN && wants_input(conn)) {
        set_interest(conn, conn->interest | LOOP_READ);
    }
}

void conn_deadline(struct conn *conn, unsigned int ms)
{
    struct loop *const loop = conn->group->options.loop;

    if (ms == 0) {
        loop_timer_clear(loop, &conn->deadline);
    } else if (conn->state == CONN_OPEN) {
        loop_timer_set(loop, &conn->deadline, mono_add_ms(loop_now(loop), ms));
    }
}

void conn_rest(struct conn *conn)
{
    if (conn->memory != NULL) {
        INVARIANT(!conn->sending && buf_unread(conn->memory->in).len == 0);
        return_memory(conn);
    }
}

const struct socket_address *conn_peer(const struct conn *conn)
{
    return &conn->peer;
}

const struct tls *conn_tls(const struct conn *conn)
{
    return conn->tls;
}

struct loop *conn_loop(const struct conn *conn)
{
    return conn->group->options.loop;
}

/* --- groups --- */

static enum err conn_new(struct conn_group *group, struct stack_socket *socket, const struct socket_address *peer)
{
    struct loop *const loop = group->options.loop;
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct conn), &memory));
    struct conn *const conn = memory;

    conn->group = group;
    conn->socket = socket;
    conn->peer = *peer;
    conn->listener.on_ready = on_ready;
    conn->waiter.on_resume = resume_handshake;
    conn->deadline.on_time = on_deadline;
    conn->write_deadline.on_time = on_write_deadline;
    conn->farewell.run = say_farewell;
    conn->interest = LOOP_READ;
    const enum err err = group->options.stack->ops->watch(socket, &conn->listener, LOOP_READ);

    if (err != ERR_OK) {
        mem_free(conn);
        FAIL(err, "a connection cannot be watched", 0);
    }
    conn->next = group->conns;
    conn->link = &group->conns;
    if (conn->next != NULL) {
        conn->next->link = &conn->next;
    }
    group->conns = conn;
    group->count++;
    if (group->options.tls == NULL) {
        open_conn(conn);
    } else {
        loop_timer_set(loop, &conn->deadline, mono_add_ms(loop_now(loop), CONFIG_NET_TLS_HANDSHAKE_MS));
    }
    return ERR_OK;
}

/* Counts against both caps, or against none. */
static enum err take_address(struct conn_group *group, const struct socket_address *peer)
{
    struct limits *const limits = group->options.limits;

    TRY(limits_hold(limits, LIMITS_KIND_CONNECTIONS, SPAN_NONE, CONFIG_NET_CONNECTIONS_MAX));
    const enum err err = limits_hold(limits, LIMITS_KIND_CONNECTIONS_ADDRESS, stack_address_key(peer),
                                     CONFIG_NET_CONNECTIONS_PER_ADDRESS);

    if (err != ERR_OK) {
        limits_drop(limits, LIMITS_KIND_CONNECTIONS, SPAN_NONE);
    }
    return err;
}

static void accept_one(struct conn_group *group, struct stack_socket *socket, const struct socket_address *peer)
{
    const struct stack_ops *const ops = group->options.stack->ops;

    if (take_address(group, peer) != ERR_OK) {
        fault_clear();
        ops->close(socket);
    } else if (conn_new(group, socket, peer) != ERR_OK) {
        fault_clear();
        ops->close(socket);
        limits_drop(group->options.limits, LIMITS_KIND_CONNECTIONS_ADDRESS, stack_address_key(peer));
        limits_drop(group->options.limits, LIMITS_KIND_CONNECTIONS, SPAN_NONE);
    }
}

static void on_accept(struct stack_listener *listener, unsigned int ready)
{
    struct conn_group *const group =
        (struct conn_group *)(void *)((uint8_t *)listener - offsetof(struct conn_group, listener));
    const struct stack_ops *const ops = group->options.stack->ops;
    struct loop *const loop = group->options.loop;
    enum err err = ERR_OK;
    (void)ready;

    for (size_t i = 0; i < ACCEPTS_MAX && err == ERR_OK && group->listening != NULL; i++) {
        struct stack_socket *socket = NULL;
        struct socket_address peer = {0};

        err = ops->accept(group->options.stack, group->listening, &peer, &socket);
        if (err == ERR_OK) {
            accept_one(group, socket, &peer);
        }
    }
    if (err == ERR_LIMIT || err == ERR_NO_MEMORY) {
        fault_clear();
        if (ops->watch(group->listening, &group->listener, 0) == ERR_OK) {
            loop_timer_set(loop, &group->accept_pause, mono_add_ms(loop_now(loop), ACCEPT_PAUSE_MS));
        }
    }
}

static void accept_again(struct loop_timer *timer)
{
    struct conn_group *const group =
        (struct conn_group *)(void *)((uint8_t *)timer - offsetof(struct conn_group, accept_pause));
    struct loop *const loop = group->options.loop;

    if (group->options.stack->ops->watch(group->listening, &group->listener, LOOP_READ) != ERR_OK) {
        fault_clear();
        loop_timer_set(loop, timer, mono_add_ms(loop_now(loop), ACCEPT_PAUSE_MS));
    }
}

enum err conn_group_new(const struct conn_group_options *options, struct conn_group **out_group)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct conn_group), &memory));
    struct conn_group *const group = memory;

    group->options = *options;
    group->listener.on_ready = on_accept;
    group->accept_pause.on_time = accept_again;
    const enum err err = buf_new(WIRE_MAX, &group->wire);

    if (err != ERR_OK) {
        mem_free(group);
        FAIL(err, "no group of connections", 0);
    }
    *out_group = group;
    return ERR_OK;
}

void conn_group_free(struct conn_group *group)
{
    if (group == NULL) {
        return;
    }
    conn_group_deafen(group);
    while (group->conns != NULL) {
        struct conn *const conn = group->conns;

        conn_drop(conn);
        loop_slice_stop(group->options.loop, &conn->farewell);
        if (conn->opened) {
            group->options.handler->on_gone(conn->state_of_handler, conn);
        } else {
            conn_release(conn);
        }
    }
    while (group->pool != NULL) {
        struct conn_memory *const memory = group->pool;

        group->pool = memory->next;
        memory_free(memory);
    }
    buf_free(group->wire);
    mem_free(group);
}

enum err conn_group_listen(struct conn_group *group, struct stack_socket *take_listener)
{
    INVARIANT(group->listening == NULL);
    TRY(group->options.stack->ops->watch(take_listener, &group->listener, LOOP_READ));
    group->listening = take_listener;
    return ERR_OK;
}

void conn_group_deafen(struct conn_group *group)
{
    loop_timer_clear(group->options.loop, &group->accept_pause);
    group->options.stack->ops->close(group->listening);
    group->listening = NULL;
    for (struct conn *conn = group->conns; conn != NULL; conn = conn->next) {
        if (conn->state == CONN_HANDSHAKE) {
            conn_drop(conn);
        }
    }
}

size_t conn_group_count(const struct conn_group *group)
{
    return group->count;
}

void conn_group_each(struct conn_group *group, void (*visit)(void *state, struct conn *conn))
{
    struct conn *next = NULL;

    for (struct conn *conn = group->conns; conn != NULL; conn = next) {
        next = conn->next; /* a visit frees no connection: that comes from the loop */
        if (conn->state == CONN_OPEN && conn->opened) {
            visit(conn->state_of_handler, conn);
        }
    }
}
