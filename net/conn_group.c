/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where connections come from and what they share: the listening socket, the caps, the pool of buffers. A client over a
 * cap is closed before it has cost more than its descriptor. */
#include "net/conn_int.h"

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/num.h"

#define KEEP_BYTES ((size_t)65536)           /* of each buffer, while it waits in the pool */
#define BUFFERS_MAX ((size_t)CONFIG_NET_BUFFERS_MIB << 20)
#define POOL_MAX 64                          /* idle sets of buffers; more are given back to the system */
#define ACCEPTS_MAX 32                       /* in one turn: the open connections want theirs */
#define ACCEPT_PAUSE_MS 100                  /* when the system has no descriptor left */

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
    enum err err = buf_new(options->input_max + CONN_INPUT_SLACK, &memory->in);

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

enum err conn_memory_borrow(struct conn *conn)
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

/* What is small is not refused: the pool keeps as much anyway, and a full house still serves short requests. */
enum err conn_memory_charge(struct conn *conn, size_t bytes)
{
    struct conn_group *const group = conn->group;
    const size_t others = group->charged - conn->charged;

    ENSURE(bytes <= conn->charged || bytes <= KEEP_BYTES || bytes <= BUFFERS_MAX - num_min(others, BUFFERS_MAX),
           ERR_LIMIT, "no memory left for long requests and answers");
    group->charged = others + bytes;
    conn->charged = bytes;
    return ERR_OK;
}

void conn_memory_return(struct conn *conn)
{
    struct conn_group *const group = conn->group;
    struct conn_memory *const memory = conn->memory;

    group->charged -= conn->charged;
    conn->charged = 0;
    if (memory == NULL) {
        return;
    }
    conn->memory = NULL;
    if (group->pooled >= POOL_MAX) {
        memory_free(memory);
        return;
    }
    if (buf_len(memory->in) != 0) {
        buf_wipe(memory->in); /* the connection ended in the middle of a request */
    }
    buf_reset(memory->head);
    buf_wipe(memory->body); /* of all answers since the memory was borrowed: they may have held tokens */
    buf_shrink(memory->in, KEEP_BYTES);
    buf_shrink(memory->head, KEEP_BYTES);
    buf_shrink(memory->body, KEEP_BYTES);
    arena_reset(memory->arena);
    memory->next = group->pool;
    group->pool = memory;
    group->pooled++;
}

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

/* --- groups --- */

static enum err conn_new(struct conn_group *group, struct stack_socket *socket, const struct socket_address *peer)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct conn), &memory));
    struct conn *const conn = memory;

    conn_init(conn, group, socket, peer);
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
    conn_start(conn);
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

static void stop_listening(struct conn_group *group)
{
    loop_timer_clear(group->options.loop, &group->accept_pause);
    group->options.stack->ops->close(group->listening);
    group->listening = NULL;
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
    } else if (err == ERR_CLOSED) {
        stop_listening(group); /* the drain, which ends the rest, is on its way */
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
    const enum err err = buf_new(CONN_WIRE_MAX, &group->wire);

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
    stop_listening(group);
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
