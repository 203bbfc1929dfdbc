/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A relay asks for the name, connects, and is open. Open, a stream is two directions alike: bytes are read from one side when
 * those before them have gone to the other, so a side that does not read stops the one that sends.
 *
 *   the server has sent all    the courier's end learns it when it has had all of it, and may still send
 *   the courier is gone        it never closes half: what it sent last still goes, for RELAY_LINGER_MS; what comes is dropped
 *   the server is gone         the courier's end is closed
 *   its time is over           the server is reset, the courier's end closed
 *
 * Datagrams that find no room are lost, as any may be. */
#include "firmware/worker/relay.h"

#include <stdbool.h>
#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/log_limit.h"
#include "hal/base/mem.h"
#include "hal/socket.h"
#include "net/stack_lwip.h"

#define MS_PER_S 1000u
#define ROUNDS   16 /* of one direction in a turn, before others have theirs */

struct relay;

struct side {
    struct relay *relay;
    struct stack *stack;
    struct stack_socket *socket; /* NULL: none yet, or no more */
    struct stack_listener listener;
    uint8_t bytes[RELAY_BYTES]; /* from here, for the other side */
    size_t at;
    size_t len;
    bool ended; /* no more come from here */
    bool told;  /* the other side knows */
};

struct relay {
    struct relays *all;
    struct relay *next;
    struct relay **link;
    struct relay_to to;
    struct stack_lwip_lookup lookup;
    struct side near; /* the pair */
    struct side far;  /* the server; of datagrams not used */
    struct stack_lwip_udp *udp;
    bool is_open;
    struct loop_timer linger;
    struct loop_timer life;
};

struct relays {
    struct loop *loop;
    struct stack *lwip;
    struct stack *kernel;
    struct relay *first;
    size_t count;
    struct log_limit lines; /* a courier may ask for what it cannot have */
};

static void side_close(struct side *side)
{
    side->stack->ops->close(side->socket);
    side->socket = NULL;
}

static void relay_end(struct relay *relay)
{
    struct relays *const all = relay->all;

    stack_lwip_forget(&relay->lookup);
    loop_timer_clear(all->loop, &relay->linger);
    loop_timer_clear(all->loop, &relay->life);
    stack_lwip_udp_free(relay->udp);
    side_close(&relay->far);
    side_close(&relay->near);
    *relay->link = relay->next;
    if (relay->next != NULL) {
        relay->next->link = relay->link;
    }
    all->count--;
    mem_wipe(relay, sizeof(*relay));
    mem_free(relay);
}

/* Of a pair that is new: there is room. */
static enum err say(struct relay *relay, enum msg_reached word)
{
    const uint8_t byte = (uint8_t)word;
    size_t sent = 0;

    return relay->near.stack->ops->send(relay->near.socket, span_of(&byte, 1), &sent);
}

static void give_up(struct relay *relay, enum msg_reached word)
{
    if (say(relay, word) != ERR_OK) {
        fault_clear(); /* it is gone, and does not ask any more */
    }
    fault_clear();
    relay_end(relay);
}

/* --- streams --- */

/* From one side to the other as far as it goes. ERR_AGAIN: until one of them is ready; ERR_CLOSED: to takes no more. */
static enum err pump(struct side *from, struct side *to)
{
    for (size_t round = 0; round < ROUNDS; round++) {
        if (from->len == 0) {
            from->at = 0;
            const enum err err = from->ended ? ERR_CLOSED
                                             : from->stack->ops->recv(from->socket, from->bytes, RELAY_BYTES, &from->len);
            if (err == ERR_AGAIN) {
                return ERR_AGAIN;
            }
            if (err != ERR_OK) {
                from->ended = true;
                return ERR_AGAIN;
            }
        }
        size_t sent = 0;
        const enum err err = to->stack->ops->send(to->socket, span_of(from->bytes + from->at, from->len), &sent);
        if (err != ERR_OK) {
            return err == ERR_AGAIN ? ERR_AGAIN : ERR_CLOSED;
        }
        from->at += sent;
        from->len -= sent;
    }
    return ERR_AGAIN;
}

static enum err watch(struct side *side, const struct side *other)
{
    const unsigned int interest =
        (!side->ended && side->len == 0 ? LOOP_READ : 0u) | (other->len != 0 ? LOOP_WRITE : 0u);

    return side->stack->ops->watch(side->socket, &side->listener, interest);
}

/* The courier is gone: what it left is still sent, what comes for it is read and dropped, so that nothing is reset for
 * its sake. */
static enum err finish_far(struct relay *relay)
{
    struct side *const far = &relay->far;

    side_close(&relay->near);
    far->len = 0;
    while (far->stack->ops->recv(far->socket, far->bytes, RELAY_BYTES, &far->len) == ERR_OK) {
        far->len = 0; /* ends: lwIP holds a window of it at most, and gets no more meanwhile */
    }
    if (relay->near.len == 0) {
        return ERR_CLOSED;
    }
    if (relay->linger.link == NULL) {
        loop_timer_set(relay->all->loop, &relay->linger, mono_add_ms(loop_now(relay->all->loop), RELAY_LINGER_MS));
    }
    return far->stack->ops->watch(far->socket, &far->listener, LOOP_WRITE);
}

/* Takes what the courier left, as far as there is room. */
static void read_rest(struct side *near)
{
    enum err err = ERR_OK;

    memmove(near->bytes, near->bytes + near->at, near->len);
    near->at = 0;
    while (near->len < RELAY_BYTES && err == ERR_OK) {
        size_t got = 0;
        err = near->stack->ops->recv(near->socket, near->bytes + near->len, RELAY_BYTES - near->len, &got);
        near->len += err == ERR_OK ? got : 0;
    }
    near->ended = err == ERR_CLOSED;
}

/* The courier is gone. What it sent last is in our hands, or else it is cut off: it waits for answers, so that is no loss. */
static enum err leave(struct relay *relay)
{
    const enum err err = pump(&relay->near, &relay->far);

    if (err == ERR_AGAIN && !relay->near.ended) {
        read_rest(&relay->near);
    }
    if (err == ERR_CLOSED || !relay->near.ended) {
        relay->far.stack->ops->abandon(relay->far.socket);
        return ERR_CLOSED;
    }
    return finish_far(relay);
}

/* Does all that can be done now. ERR_CLOSED, or another error: it is over. */
static enum err advance(struct relay *relay)
{
    struct side *const near = &relay->near;
    struct side *const far = &relay->far;

    if (pump(near, far) == ERR_CLOSED) {
        return ERR_CLOSED;
    }
    if (near->ended) {
        return finish_far(relay);
    }
    if (pump(far, near) == ERR_CLOSED) {
        return leave(relay);
    }
    if (far->ended && far->len == 0 && !far->told) {
        near->stack->ops->finish(near->socket);
        far->told = true;
    }
    TRY(watch(near, far));
    TRY(watch(far, near));
    return ERR_OK;
}

static void on_near(struct stack_listener *listener, unsigned int ready)
{
    struct relay *const relay = ((struct side *)(void *)((uint8_t *)listener - offsetof(struct side, listener)))->relay;

    if (!relay->is_open) { /* it is gone: nothing is asked of it before */
        relay_end(relay);
        return;
    }
    if (((ready & LOOP_GONE) != 0 ? leave(relay) : advance(relay)) != ERR_OK) {
        fault_clear();
        relay_end(relay);
    }
}

static enum err open_stream(struct relay *relay)
{
    relay->is_open = true;
    TRY(say(relay, MSG_REACHED));
    return advance(relay);
}

static void on_far(struct stack_listener *listener, unsigned int ready)
{
    struct relay *const relay = ((struct side *)(void *)((uint8_t *)listener - offsetof(struct side, listener)))->relay;

    if ((ready & LOOP_GONE) != 0) {
        if (relay->is_open) {
            relay_end(relay);
        } else {
            give_up(relay, MSG_REACHED_NOBODY);
        }
        return;
    }
    if ((relay->is_open ? advance(relay) : open_stream(relay)) != ERR_OK) {
        fault_clear();
        relay_end(relay);
    }
}

static void on_linger(struct loop_timer *timer)
{
    struct relay *const relay = (struct relay *)(void *)((uint8_t *)timer - offsetof(struct relay, linger));

    relay->far.stack->ops->abandon(relay->far.socket);
    relay_end(relay);
}

static void on_life(struct loop_timer *timer)
{
    struct relay *const relay = (struct relay *)(void *)((uint8_t *)timer - offsetof(struct relay, life));

    LOG(LOG_WARN, "relay_cut_off", LOG_TEXT("host", MSG_VIEW(&relay->to.host)), LOG_NUMBER("port", relay->to.port));
    if (relay->far.socket != NULL) {
        relay->far.stack->ops->abandon(relay->far.socket);
    }
    relay_end(relay);
}

/* --- datagrams --- */

static void on_datagram(void *context, struct span datagram)
{
    struct relay *const relay = context;
    size_t sent = 0;

    if (relay->near.stack->ops->send(relay->near.socket, datagram, &sent) != ERR_OK) {
        fault_clear(); /* no room, or nobody, which on_near_datagrams hears of */
    }
}

static void on_near_datagrams(struct stack_listener *listener, unsigned int ready)
{
    struct side *const near = (struct side *)(void *)((uint8_t *)listener - offsetof(struct side, listener));
    enum err err = ERR_OK;
    (void)ready;

    for (size_t round = 0; round < ROUNDS && err == ERR_OK; round++) {
        err = near->stack->ops->recv(near->socket, near->bytes, RELAY_BYTES, &near->len);
        if (err == ERR_OK && stack_lwip_udp_send(near->relay->udp, span_of(near->bytes, near->len)) != ERR_OK) {
            fault_clear();
        }
    }
    if (err != ERR_OK && err != ERR_AGAIN) {
        fault_clear();
        relay_end(near->relay);
    }
}

static enum err open_datagrams(struct relay *relay, const struct socket_address *to)
{
    struct side *const near = &relay->near;
    const struct stack_lwip_udp_options options = {.to = *to, .on_datagram = on_datagram, .context = relay};

    TRY(stack_lwip_udp_new(relay->all->lwip, &options, &relay->udp));
    near->listener.on_ready = on_near_datagrams;
    relay->is_open = true;
    TRY(say(relay, MSG_REACHED));
    return near->stack->ops->watch(near->socket, &near->listener, LOOP_READ);
}

/* --- opening --- */

static enum err begin_stream(struct relay *relay, const struct socket_address *to)
{
    struct side *const far = &relay->far;

    TRY(stack_lwip_connect(relay->all->lwip, to, &far->socket));
    return far->stack->ops->watch(far->socket, &far->listener, LOOP_WRITE);
}

static void on_address(struct stack_lwip_lookup *lookup, const struct socket_address *address)
{
    struct relay *const relay = (struct relay *)(void *)((uint8_t *)lookup - offsetof(struct relay, lookup));

    if (address == NULL) {
        give_up(relay, MSG_REACHED_NO_NAME);
        return;
    }
    struct socket_address to = *address;
    to.port = relay->to.port;
    if ((relay->to.kind == MSG_REACH_TCP ? begin_stream(relay, &to) : open_datagrams(relay, &to)) != ERR_OK) {
        give_up(relay, MSG_REACHED_NOBODY);
    }
}

/* The memory is zero: see mem_alloc(). */
static void relay_init(struct relay *relay, struct relays *all, const struct relay_to *to)
{
    relay->all = all;
    relay->to = *to;
    relay->next = all->first;
    relay->link = &all->first;
    relay->near.relay = relay->far.relay = relay;
    relay->near.stack = all->kernel;
    relay->far.stack = all->lwip;
    relay->near.listener.on_ready = on_near;
    relay->far.listener.on_ready = on_far;
    relay->lookup.done = on_address;
    relay->linger.on_time = on_linger;
    relay->life.on_time = on_life;
    if (relay->next != NULL) {
        relay->next->link = &relay->next;
    }
    all->first = relay;
    all->count++;
    loop_timer_set(all->loop, &relay->life,
                   mono_add_ms(loop_now(all->loop), (uint64_t)to->life_s * MS_PER_S + RELAY_LINGER_MS));
}

static enum err relay_new(struct relays *all, const struct relay_to *to, int fd, struct relay **out_relay)
{
    struct stack_socket *socket = NULL;
    void *memory = NULL;

    ENSURE(all->count < RELAYS_MAX, ERR_LIMIT, "as many relays as there may be");
    TRY(mem_alloc(sizeof(struct relay), &memory));
    const enum err err = stack_kernel_adopt(all->kernel, fd, &socket);
    if (err != ERR_OK) {
        mem_free(memory);
        TRY(err);
    }
    relay_init(memory, all, to);
    *out_relay = memory;
    (*out_relay)->near.socket = socket;
    return ERR_OK;
}

void relays_open(struct relays *relays, const struct relay_to *to, int take_fd)
{
    struct relay *relay = NULL;

    if (relay_new(relays, to, take_fd, &relay) != ERR_OK) {
        log_limit_fault(&relays->lines, loop_now(relays->loop), LOG_WARN, "not_relayed");
        socket_close(take_fd);
        return;
    }
    if (relay->near.stack->ops->watch(relay->near.socket, &relay->near.listener, 0) != ERR_OK) { /* until it is gone */
        log_limit_fault(&relays->lines, loop_now(relays->loop), LOG_WARN, "not_relayed");
        relay_end(relay);
        return;
    }
    if (stack_lwip_resolve(relays->lwip, MSG_VIEW(&to->host), &relay->lookup) != ERR_OK) {
        give_up(relay, MSG_REACHED_NO_NAME);
    }
}

/* --- life --- */

enum err relays_new(struct loop *loop, struct stack *lwip, struct stack *kernel, struct relays **out_relays)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct relays), &memory));
    struct relays *const relays = memory;
    *relays = (struct relays){.loop = loop, .lwip = lwip, .kernel = kernel};
    *out_relays = relays;
    return ERR_OK;
}

void relays_free(struct relays *relays)
{
    if (relays == NULL) {
        return;
    }
    while (relays->first != NULL) {
        relay_end(relays->first);
    }
    mem_free(relays);
}

size_t relays_count(const struct relays *relays)
{
    return relays->count;
}
