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
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "net/conn_int.h"

#define CLOSING_MS 1000
#define CLOSING_BYTES ((size_t)16 << 20) /* more than the largest body */

static struct conn *conn_of(void *member, size_t offset)
{
    return (struct conn *)(void *)((uint8_t *)member - offset);
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

/* For a client that does not take its answer: the kernel would go on keeping what is left, and no cap of ours would count
 * that. */
static void abandon(struct conn *conn)
{
    conn->group->options.stack->ops->abandon(conn->socket);
    conn_drop(conn);
}

void conn_release(struct conn *conn)
{
    INVARIANT(conn->state == CONN_GONE);
    conn_memory_return(conn);
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
        TRY(buf_new(CONN_WIRE_MAX, &conn->pending));
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

    while (buf_len(conn->group->wire) < CONN_WIRE_BYTES) {
        const struct span piece = next_piece(conn);

        if (piece.len == 0) {
            return ERR_OK;
        }
        const enum err err = conn->tls == NULL ? buf_put(conn->group->wire, piece) : tls_write(conn->tls, &io, piece);
        if (piece.data == conn->group->record) {
            mem_wipe(conn->group->record, piece.len); /* an answer may hold tokens */
        }
        TRY(err);
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

/* By when that many bytes must be gone: a client that takes them one by one would else have them kept for days. */
static struct mono_time write_end(const struct conn *conn, size_t bytes)
{
    const uint64_t paced_ms = (uint64_t)bytes * 1000 / CONFIG_NET_WRITE_RATE; /* an answer has some MiB at most */

    return mono_add_ms(loop_now(conn->group->options.loop), CONFIG_NET_WRITE_MS + paced_ms);
}

static void wait_for_socket(struct conn *conn)
{
    struct loop *const loop = conn->group->options.loop;
    struct mono_time until = mono_add_ms(loop_now(loop), CONFIG_NET_WRITE_MS);

    if (conn->write_end.ns == 0) {
        conn->write_end = until;
    }
    if (until.ns > conn->write_end.ns) {
        until = conn->write_end;
    }
    loop_timer_set(loop, &conn->write_deadline, until);
    set_interest(conn, conn->interest | LOOP_WRITE);
}

/* After pump_output or send_wire: waits for the socket where that is needed. */
static enum err after_output(struct conn *conn, enum err err)
{
    if (err == ERR_AGAIN) {
        fault_clear();
        wait_for_socket(conn);
        return conn->state == CONN_GONE ? ERR_CLOSED : ERR_AGAIN;
    }
    if (err != ERR_OK) {
        fault_clear();
        conn_drop(conn);
        return ERR_CLOSED;
    }
    conn->write_end.ns = 0;
    return ERR_OK;
}

enum err conn_send(struct conn *conn, struct span head, struct span body)
{
    if (conn->state == CONN_OPEN && conn->sending) {
        conn_drop(conn); /* two answers cannot be told apart once one of them is half gone */
    }
    if (conn->state != CONN_OPEN) {
        return ERR_CLOSED;
    }
    conn->send_head = head;
    conn->send_body = body;
    conn->write_end = write_end(conn, head.len + body.len);
    const enum err err = after_output(conn, pump_output(conn));

    if (err == ERR_AGAIN && conn_holds(conn, head.len + body.len) != ERR_OK) {
        fault_clear();
        abandon(conn);
        return ERR_CLOSED;
    }
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
    enum err err = conn_memory_borrow(conn);

    if (err == ERR_OK && buf_room(conn->memory->in) < CONN_INPUT_SLACK) {
        err = ERR_LIMIT;
    }
    const size_t before = err == ERR_OK ? buf_len(conn->memory->in) : 0;

    if (err == ERR_OK) {
        err = conn->tls == NULL ? buf_put(conn->memory->in, bytes) : tls_read(conn->tls, &io, conn->memory->in);
        err = err != ERR_OK ? err : conn_holds(conn, 0);
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
        conn_memory_return(conn);
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
    TRY(buf_new(CONN_SCRATCH_BYTES, &conn->held));
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
    const enum err err = group->options.stack->ops->recv(conn->socket, group->scratch, CONN_SCRATCH_BYTES, &got);

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
    abandon(conn_of(timer, offsetof(struct conn, write_deadline)));
}

/* --- what the handler may do --- */

enum err conn_holds(struct conn *conn, size_t bytes)
{
    return conn_memory_charge(conn, buf_len(conn->memory->in) + bytes);
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
        conn_memory_return(conn);
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

/* --- the beginning --- */

void conn_init(struct conn *conn, struct conn_group *group, struct stack_socket *take_socket,
               const struct socket_address *peer)
{
    conn->group = group;
    conn->socket = take_socket;
    conn->peer = *peer;
    conn->listener.on_ready = on_ready;
    conn->waiter.on_resume = resume_handshake;
    conn->deadline.on_time = on_deadline;
    conn->write_deadline.on_time = on_write_deadline;
    conn->farewell.run = say_farewell;
    conn->interest = LOOP_READ;
}

void conn_start(struct conn *conn)
{
    struct loop *const loop = conn->group->options.loop;

    if (conn->group->options.tls == NULL) {
        open_conn(conn);
    } else {
        loop_timer_set(loop, &conn->deadline, mono_add_ms(loop_now(loop), CONFIG_NET_TLS_HANDSHAKE_MS));
    }
}
