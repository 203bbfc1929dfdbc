/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The transport below connections: one table of functions that kernel sockets and a user-space TCP both fill.
 *
 * Sockets are the stack's own; a reactor holds them by pointer and hears of readiness by a call on its thread. Nothing
 * blocks. A stack belongs to the loop it was made for. */
#ifndef NET_STACK_H
#define NET_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/socket.h"
#include "net/loop.h"

/* The bytes by which an address counts against a cap: an IPv4 address whole, an IPv6 address by its /64, since a
 * household has that many at will. A view into address. */
struct span stack_address_key(const struct socket_address *address);

struct stack;
struct stack_socket;

/* Who hears of a socket: LOOP_READ, LOOP_WRITE, LOOP_GONE. Embedded in the connection. */
struct stack_listener {
    void (*on_ready)(struct stack_listener *listener, unsigned int ready);
};

struct stack_ops {
    /* The next waiting connection. The caller closes it. ERR_AGAIN: none; ERR_CLOSED: from listens no
     * more; ERR_LIMIT: no descriptor or memory left. */
    enum err (*accept)(struct stack *stack, struct stack_socket *from, struct socket_address *out_peer,
                       struct stack_socket **out_socket);

    /* Reports to listener from now on, for what interest names. First call and changes alike. ERR_IO. */
    enum err (*watch)(struct stack_socket *socket, struct stack_listener *listener, unsigned int interest);

    /* Up to room bytes. ERR_AGAIN: none yet; ERR_CLOSED: the other side sends no more (finished or reset). */
    enum err (*recv)(struct stack_socket *socket, uint8_t *out_bytes, size_t room, size_t *out_got);

    /* As many of the bytes as fit now, at least one. ERR_AGAIN: none fit; ERR_CLOSED: reset. */
    enum err (*send)(struct stack_socket *socket, struct span bytes, size_t *out_sent);

    /* Says to the other side that nothing more will be sent; receiving goes on. */
    void (*finish)(struct stack_socket *socket);

    /* Makes the coming close throw away what still waits to be sent; the other side sees a reset. */
    void (*abandon)(struct stack_socket *socket);

    /* Closes and frees. NULL is fine. */
    void (*close)(struct stack_socket *socket);

    void (*free)(struct stack *stack);
};

struct stack {
    const struct stack_ops *ops;
};

/* The kernel's sockets. ERR_NO_MEMORY. The caller frees it with stack_free, after its sockets. */
enum err stack_kernel_new(struct loop *loop, struct stack **out_stack) MUST_USE;

/* Takes over a non-blocking descriptor that listens already (the worker may not make sockets; it inherits them).
 * On failure the caller still owns it. ERR_NO_MEMORY. */
enum err stack_kernel_adopt(struct stack *stack, int take_descriptor, struct stack_socket **out_socket) MUST_USE;

static inline void stack_free(struct stack *stack)
{
    if (stack != NULL) {
        stack->ops->free(stack);
    }
}

#endif
