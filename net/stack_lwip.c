/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sockets over lwIP's raw interface.
 *
 * A socket hears from lwIP by callbacks: bytes and the end of bytes, room to send, the end of the connection. Each puts it
 * on the list of those to be told; a listener that has been told and left something behind stays on the list, so readiness
 * is level-triggered as with the kernel. What has come and is not read yet stays in lwIP's buffers, and out of the window.
 * A control block belongs to lwIP: it goes from under a connection by itself when the other side resets it, and when both
 * sides have finished; then the socket has none any more. */
#include "net/stack_lwip.h"

#include "net/stack_lwip_int.h"

#include <lwip/memp.h>
#include <lwip/priv/tcp_priv.h>
#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"

#define WAITING_MAX      1024 /* connections that are there and not accepted yet: the kernel's stack has as many */
#define KEEP_IDLE_MS     60000
#define KEEP_INTERVAL_MS 10000
#define KEEP_COUNT       6
#define ISN_KEY_BYTES    32
#define POLL_TICKS       1 /* of TCP's slow clock: when a writer that found no memory tries again */

/* --- the list of those to be told --- */

static void leave_list(struct stack_socket *socket)
{
    if (socket->link == NULL) {
        return;
    }
    *socket->link = socket->next;
    if (socket->next != NULL) {
        socket->next->link = socket->link;
    } else {
        socket->lwip->ready_end = socket->link;
    }
    socket->link = NULL;
    socket->next = NULL;
}

void stack_lwip_mark(struct stack_socket *socket)
{
    struct stack_lwip *const lwip = socket->lwip;

    if (socket->link == NULL) {
        socket->link = lwip->ready_end;
        *lwip->ready_end = socket;
        lwip->ready_end = &socket->next;
    }
    if (!lwip->busy && lwip->tell.link == NULL) {
        loop_slice_start(lwip->options.loop, &lwip->tell);
    }
}

static bool has_room(const struct stack_socket *socket)
{
    return !socket->starved && tcp_sndbuf(socket->pcb) > TCP_SNDLOWAT &&
           tcp_sndqueuelen(socket->pcb) < TCP_SNDQUEUELOWAT;
}

/* What the listener would be told now. */
static unsigned int readiness(const struct stack_socket *socket)
{
    unsigned int ready = 0;

    if (socket->is_listening) {
        return socket->waiting != NULL ? LOOP_READ & socket->interest : 0;
    }
    if (socket->first != NULL || socket->ended || socket->reset) {
        ready |= LOOP_READ & socket->interest;
    }
    if (socket->reset || (socket->pcb != NULL && !socket->finished && !socket->connecting && has_room(socket))) {
        ready |= LOOP_WRITE & socket->interest;
    }
    if (socket->reset) {
        ready |= LOOP_GONE;
    }
    return ready;
}

/* Each socket that is on the list now, once. What is ready still has its turn in the next round. */
void stack_lwip_tell(struct stack_lwip *lwip)
{
    struct stack_socket *const last =
        lwip->ready == NULL
            ? NULL
            : (struct stack_socket *)(void *)((uint8_t *)lwip->ready_end - offsetof(struct stack_socket, next));
    size_t left = lwip->ready == NULL ? 0 : CONFIG_NET_CONNECTIONS_MAX;
    bool more = left > 0;

    lwip->busy = true; /* marks go to this round's end */
    while (more && lwip->ready != NULL && left > 0) {
        struct stack_socket *const socket = lwip->ready;
        const unsigned int ready = socket->listener == NULL ? 0 : readiness(socket);

        more = socket != last;
        left--;
        leave_list(socket);
        if (ready == 0) {
            continue;
        }
        lwip->telling = socket;
        socket->listener->on_ready(socket->listener, ready);
        if (lwip->telling == socket && readiness(socket) != 0) {
            stack_lwip_mark(socket);
        }
    }
    lwip->telling = NULL;
    lwip->busy = false;
    if (lwip->ready != NULL && lwip->tell.link == NULL) {
        loop_slice_start(lwip->options.loop, &lwip->tell);
    }
}

static enum loop_slice_result on_tell(struct loop_slice *slice, struct mono_time until)
{
    (void)until;
    stack_lwip_tell((struct stack_lwip *)(void *)((uint8_t *)slice - offsetof(struct stack_lwip, tell)));
    return LOOP_SLICE_DONE; /* it may have started itself again */
}

/* --- what lwIP tells --- */

static void forget_unread(struct stack_socket *socket)
{
    while (socket->first != NULL) {
        struct pbuf *const part = socket->first;

        socket->first = part->next;
        part->next = NULL;
        part->tot_len = part->len;
        (void)pbuf_free(part); /* how many were freed: one */
    }
    socket->last = NULL;
    socket->taken = 0;
}

/* lwIP is done with the control block, or will be without us. */
static void detach(struct stack_socket *socket)
{
    if (socket->pcb != NULL) {
        tcp_arg(socket->pcb, NULL);
        tcp_recv(socket->pcb, NULL);
        tcp_sent(socket->pcb, NULL);
        tcp_poll(socket->pcb, NULL, 0);
        tcp_err(socket->pcb, NULL);
        tcp_setprio(socket->pcb, TCP_PRIO_MIN); /* one that closes makes room for one that comes */
        socket->pcb = NULL;
    }
}

static bool is_room_short(void)
{
    return memp_pools[MEMP_PBUF_POOL]->stats->used > (mem_size_t)PBUF_POOL_SIZE / 4 * 3;
}

/* What lies behind a gap nobody can read, and its sender has it still: RFC 2018 section 8. lwIP forgets it by itself when no
 * buffer is left, by clocks that we do not use, and one connection's at a time. */
bool stack_lwip_lacks_room(void)
{
    for (struct tcp_pcb *pcb = is_room_short() ? tcp_active_pcbs : NULL; pcb != NULL; pcb = pcb->next) {
        tcp_free_ooseq(pcb);
    }
    return is_room_short();
}

static err_t on_bytes(void *argument, struct tcp_pcb *pcb, struct pbuf *bytes, err_t err)
{
    struct stack_socket *const socket = argument;
    (void)err;

    if (bytes == NULL) {
        socket->ended = true;
        if (socket->finished) {
            detach(socket); /* it is in TIME-WAIT, or soon */
        }
        stack_lwip_mark(socket);
        return LWIP_OK;
    }
    if (socket->first != NULL && stack_lwip_lacks_room()) {
        socket->lwip->counts.reset_full++;
        (void)pbuf_free(bytes);
        tcp_abort(pcb); /* on_lost */
        return ERR_ABRT;
    }
    if (socket->first == NULL) {
        socket->first = bytes;
    } else {
        socket->last->next = bytes;
    }
    socket->last = bytes;
    while (socket->last->next != NULL) {
        socket->last = socket->last->next;
    }
    stack_lwip_mark(socket);
    return LWIP_OK;
}

static err_t on_sent(void *argument, struct tcp_pcb *pcb, u16_t bytes)
{
    struct stack_socket *const socket = argument;
    (void)pcb;
    (void)bytes;

    socket->starved = false;
    if ((socket->interest & LOOP_WRITE) != 0) {
        stack_lwip_mark(socket);
    }
    return LWIP_OK;
}

static err_t on_poll(void *argument, struct tcp_pcb *pcb)
{
    return on_sent(argument, pcb, 0);
}

/* The control block is gone already. */
static void on_lost(void *argument, err_t err)
{
    struct stack_socket *const socket = argument;

    socket->pcb = NULL;
    if (err == ERR_CLSD) { /* both sides have finished */
        socket->ended = true;
    } else {
        socket->reset = true;
        forget_unread(socket);
    }
    stack_lwip_mark(socket);
}

static enum err socket_new(struct stack_lwip *lwip, struct tcp_pcb *pcb, struct stack_socket **out_socket)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct stack_socket), &memory));
    struct stack_socket *const socket = memory;

    socket->lwip = lwip;
    socket->pcb = pcb;
    *out_socket = socket;
    return ERR_OK;
}

enum err stack_lwip_adopt(struct stack_lwip *lwip, struct tcp_pcb *pcb, struct stack_socket **out_socket)
{
    TRY(socket_new(lwip, pcb, out_socket));
    tcp_arg(pcb, *out_socket);
    tcp_recv(pcb, on_bytes);
    tcp_sent(pcb, on_sent);
    tcp_poll(pcb, on_poll, POLL_TICKS);
    tcp_err(pcb, on_lost);
    tcp_nagle_disable(pcb);
    pcb->keep_idle = KEEP_IDLE_MS;
    pcb->keep_intvl = KEEP_INTERVAL_MS;
    pcb->keep_cnt = KEEP_COUNT;
    ip_set_option(pcb, SOF_KEEPALIVE);
    return ERR_OK;
}

static err_t on_connection(void *argument, struct tcp_pcb *pcb, err_t err)
{
    struct stack_socket *const listening = argument;
    struct stack_socket *socket = NULL;

    if (pcb == NULL || err != LWIP_OK) {
        return ERR_VAL;
    }
    stack_lwip_half_done(pcb);
    if (listening == NULL || listening->waiting_count == WAITING_MAX ||
        stack_lwip_adopt(listening->lwip, pcb, &socket) != ERR_OK) {
        fault_clear();
        return ERR_MEM; /* lwIP resets it */
    }
    *listening->waiting_end = socket;
    listening->waiting_end = &socket->next_waiting;
    listening->waiting_count++;
    stack_lwip_mark(listening);
    return LWIP_OK;
}

/* --- the table --- */

static enum err lwip_accept(struct stack *stack, struct stack_socket *from, struct socket_address *out_peer,
                            struct stack_socket **out_socket)
{
    (void)stack;
    struct stack_socket *const socket = from->waiting;

    if (socket == NULL) {
        return ERR_AGAIN;
    }
    from->waiting = socket->next_waiting;
    from->waiting_count--;
    if (from->waiting == NULL) {
        from->waiting_end = &from->waiting;
    }
    socket->next_waiting = NULL;
    *out_peer = (struct socket_address){0};
    if (socket->pcb != NULL) {
        *out_peer = stack_lwip_address(&socket->pcb->remote_ip, socket->pcb->remote_port);
    }
    *out_socket = socket;
    return ERR_OK;
}

static enum err lwip_watch(struct stack_socket *socket, struct stack_listener *listener, unsigned int interest)
{
    socket->listener = listener;
    socket->interest = interest;
    if (readiness(socket) != 0) {
        stack_lwip_mark(socket);
    }
    return ERR_OK;
}

static size_t take_bytes(struct stack_socket *socket, uint8_t *out_bytes, size_t room)
{
    size_t got = 0;

    while (got < room && socket->first != NULL) {
        struct pbuf *const part = socket->first;
        const size_t here = num_min(room - got, part->len - socket->taken);

        memcpy(out_bytes + got, (const uint8_t *)part->payload + socket->taken, here);
        got += here;
        socket->taken += here;
        if (socket->taken == part->len) {
            socket->first = part->next;
            socket->last = socket->first == NULL ? NULL : socket->last;
            socket->taken = 0;
            part->next = NULL;
            part->tot_len = part->len;
            (void)pbuf_free(part); /* how many were freed: one */
        }
    }
    return got;
}

static enum err lwip_recv(struct stack_socket *socket, uint8_t *out_bytes, size_t room, size_t *out_got)
{
    const size_t got = take_bytes(socket, out_bytes, room);

    if (got == 0) {
        return socket->ended || socket->reset ? ERR_CLOSED : ERR_AGAIN;
    }
    for (size_t told = 0; socket->pcb != NULL && told < got;) {
        const size_t some = num_min(got - told, UINT16_MAX);

        tcp_recved(socket->pcb, (u16_t)some);
        told += some;
    }
    *out_got = got;
    return ERR_OK;
}

static enum err lwip_send(struct stack_socket *socket, struct span bytes, size_t *out_sent)
{
    if (socket->pcb == NULL || socket->finished) {
        return ERR_CLOSED;
    }
    const size_t some = num_min(num_min(bytes.len, tcp_sndbuf(socket->pcb)), UINT16_MAX);

    if (some == 0 || socket->connecting) {
        return ERR_AGAIN;
    }
    const err_t err = tcp_write(socket->pcb, bytes.data, (u16_t)some, TCP_WRITE_FLAG_COPY);

    if (err == ERR_MEM) {
        socket->starved = true; /* until something was sent, or the next poll */
        return ERR_AGAIN;
    }
    if (err != LWIP_OK) {
        return ERR_CLOSED;
    }
    (void)tcp_output(socket->pcb); /* what does not go now goes with TCP's clock */
    *out_sent = some;
    return ERR_OK;
}

static void lwip_finish(struct stack_socket *socket)
{
    if (socket->pcb == NULL || socket->finished) {
        return;
    }
    socket->finished = true;
    (void)tcp_shutdown(socket->pcb, 0, 1); /* where there is no memory TCP's clock tries again */
    if (socket->ended) {
        detach(socket); /* the other side had finished before: nothing will come */
    }
}

static void lwip_abandon(struct stack_socket *socket)
{
    socket->abandoned = true;
}

static void close_listening(struct stack_socket *socket)
{
    while (socket->waiting != NULL) {
        struct stack_socket *const waiting = socket->waiting;

        socket->waiting = waiting->next_waiting;
        waiting->abandoned = true;
        waiting->lwip->stack.ops->close(waiting);
    }
    tcp_arg(socket->pcb, NULL); /* those that are half open have it, too, and are reset when they are there */
    INVARIANT(tcp_close(socket->pcb) == LWIP_OK);
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        if (pcb->callback_arg == socket) {
            tcp_arg(pcb, NULL);
        }
    }
}

static void lwip_close(struct stack_socket *socket)
{
    if (socket == NULL) {
        return;
    }
    struct stack_lwip *const lwip = socket->lwip;

    leave_list(socket);
    if (lwip->telling == socket) {
        lwip->telling = NULL;
    }
    if (socket->is_listening) {
        close_listening(socket);
    } else if (socket->pcb != NULL) {
        struct tcp_pcb *const pcb = socket->pcb;

        detach(socket);
        if (socket->abandoned || tcp_close(pcb) != LWIP_OK) {
            tcp_abort(pcb);
        }
    }
    forget_unread(socket);
    mem_free(socket);
}

static void lwip_free(struct stack *stack)
{
    struct stack_lwip *const lwip = (struct stack_lwip *)stack;

    while (tcp_active_pcbs != NULL) {
        tcp_abort(tcp_active_pcbs);
    }
    while (tcp_tw_pcbs != NULL) {
        tcp_abort(tcp_tw_pcbs);
    }
    loop_slice_stop(lwip->options.loop, &lwip->tell);
    stack_lwip_link_stop(lwip);
    stack_lwip_end_questions(lwip);
    stack_lwip_leave(lwip);
    hal_frame_close(lwip->frame);
    hmac_key_free(lwip->isn_key);
    random_free(lwip->random);
    mem_free(lwip);
}

static const struct stack_ops lwip_ops = {
    .accept = lwip_accept,
    .watch = lwip_watch,
    .recv = lwip_recv,
    .send = lwip_send,
    .finish = lwip_finish,
    .abandon = lwip_abandon,
    .close = lwip_close,
    .free = lwip_free,
};

/* --- life --- */

static enum err make_key(struct stack_lwip *lwip)
{
    SCOPED_SECRET struct secret *key = NULL;

    TRY(random_new(SPAN_NONE, &lwip->random));
    TRY(random_secret(lwip->random, ISN_KEY_BYTES, &key));
    return hmac_key_new(lwip->options.slab, key, &lwip->isn_key);
}

static enum err start(struct stack_lwip *lwip)
{
    TRY(make_key(lwip));
    TRY(stack_lwip_enter(lwip));
    TRY(stack_lwip_link_start(lwip));
    return ERR_OK;
}

enum err stack_lwip_new(const struct stack_lwip_options *options, struct hal_frame *take_frame,
                        struct stack **out_stack)
{
    void *memory = NULL;
    enum err err = mem_alloc(sizeof(struct stack_lwip), &memory);

    if (err != ERR_OK) {
        hal_frame_close(take_frame);
        TRY(err);
    }
    struct stack_lwip *const lwip = memory;
    lwip->stack.ops = &lwip_ops;
    lwip->options = *options;
    lwip->frame = take_frame;
    lwip->ready_end = &lwip->ready;
    lwip->tell.run = on_tell;
    stack_lwip_half_init(&lwip->half);
    err = start(lwip);
    if (err != ERR_OK) {
        stack_lwip_link_stop(lwip);
        stack_lwip_leave(lwip);
        hal_frame_close(lwip->frame);
        hmac_key_free(lwip->isn_key);
        random_free(lwip->random);
        mem_free(lwip);
        FAIL(err, "no stack in user space", 0);
    }
    *out_stack = &lwip->stack;
    return ERR_OK;
}

/* The control block that binds is not the one that listens. */
static struct tcp_pcb *bind_port(uint16_t port, err_t *out_err)
{
    struct tcp_pcb *const pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);

    if (pcb == NULL) {
        *out_err = ERR_MEM;
        return NULL;
    }
    ip_set_option(pcb, SOF_KEEPALIVE);
    stack_lwip_half_watch(pcb);
    *out_err = tcp_bind(pcb, IP_ANY_TYPE, port);
    struct tcp_pcb *const listening = *out_err == LWIP_OK ? tcp_listen_with_backlog_and_err(pcb, 0, out_err) : NULL;
    if (listening == NULL) {
        tcp_abort(pcb);
    }
    return listening;
}

enum err stack_lwip_listen(struct stack *stack, uint16_t port, struct stack_socket **out_socket)
{
    struct stack_lwip *const lwip = (struct stack_lwip *)stack;
    struct stack_socket *socket = NULL;
    err_t err = LWIP_OK;

    TRY(socket_new(lwip, NULL, &socket));
    socket->pcb = bind_port(port, &err);
    if (socket->pcb == NULL) {
        mem_free(socket);
        FAIL(err == ERR_USE ? ERR_EXISTS : ERR_LIMIT, "listening in lwIP", err);
    }
    socket->is_listening = true;
    socket->waiting_end = &socket->waiting;
    tcp_arg(socket->pcb, socket);
    tcp_accept(socket->pcb, on_connection);
    *out_socket = socket;
    return ERR_OK;
}

struct stack_lwip_counts stack_lwip_counts(const struct stack *stack)
{
    return ((const struct stack_lwip *)stack)->counts;
}
