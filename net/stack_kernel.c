/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's TCP as a stack: a thin layer over hal/socket.h that joins each socket with the loop. */

#include "net/stack.h"

#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define IPV6_PREFIX_BYTES 8 /* a /64 */
#define IPV4_BYTES 4

struct stack_socket {
    struct loop_watch watch; /* first: the loop hands it back */
    struct stack_listener *listener;
    struct loop *loop;
};

struct stack_kernel {
    struct stack stack; /* first: callers hold it */
    struct loop *loop;
};

struct span stack_address_key(const struct socket_address *address)
{
    return span_of(address->ip, address->family == SOCKET_IPV4 ? IPV4_BYTES : IPV6_PREFIX_BYTES);
}

static void tell_listener(struct loop_watch *watch, unsigned int ready)
{
    struct stack_socket *const socket = (struct stack_socket *)watch;

    socket->listener->on_ready(socket->listener, ready);
}

static enum err socket_object_new(struct loop *loop, int descriptor, struct stack_socket **out_socket)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct stack_socket), &memory));
    struct stack_socket *const socket = memory;

    socket->loop = loop;
    socket->watch.descriptor = descriptor;
    socket->watch.on_ready = tell_listener;
    *out_socket = socket;
    return ERR_OK;
}

static enum err kernel_accept(struct stack *stack, struct stack_socket *from, struct socket_address *out_peer,
                              struct stack_socket **out_socket)
{
    struct stack_kernel *const kernel = (struct stack_kernel *)stack;
    SCOPED_FD int descriptor = -1;
    struct socket_address peer = {0};

    const enum err err = socket_accept(from->watch.descriptor, &descriptor, &peer);

    if (err != ERR_OK) { /* without a frame in the trail: ERR_AGAIN ends every round of accepting */
        return err;
    }
    TRY(socket_object_new(kernel->loop, descriptor, out_socket));
    descriptor = -1;
    *out_peer = peer;
    return ERR_OK;
}

static enum err kernel_watch(struct stack_socket *socket, struct stack_listener *listener, unsigned int interest)
{
    socket->listener = listener;
    return socket->watch.active ? loop_watch_change(socket->loop, &socket->watch, interest)
                                : loop_watch_start(socket->loop, &socket->watch, interest);
}

static enum err kernel_recv(struct stack_socket *socket, uint8_t *out_bytes, size_t room, size_t *out_got)
{
    return socket_receive(socket->watch.descriptor, out_bytes, room, out_got);
}

static enum err kernel_send(struct stack_socket *socket, struct span bytes, size_t *out_sent)
{
    return socket_send(socket->watch.descriptor, bytes, out_sent);
}

static void kernel_finish(struct stack_socket *socket)
{
    socket_shutdown_write(socket->watch.descriptor);
}

static void kernel_abandon(struct stack_socket *socket)
{
    socket_abort_on_close(socket->watch.descriptor);
}

static void kernel_close(struct stack_socket *socket)
{
    if (socket == NULL) {
        return;
    }
    loop_watch_stop(socket->loop, &socket->watch);
    socket_close(socket->watch.descriptor);
    mem_free(socket);
}

static void kernel_free(struct stack *stack)
{
    mem_free(stack);
}

static const struct stack_ops kernel_ops = {
    .accept = kernel_accept,
    .watch = kernel_watch,
    .recv = kernel_recv,
    .send = kernel_send,
    .finish = kernel_finish,
    .abandon = kernel_abandon,
    .close = kernel_close,
    .free = kernel_free,
};

enum err stack_kernel_new(struct loop *loop, struct stack **out_stack)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct stack_kernel), &memory));
    struct stack_kernel *const kernel = memory;

    kernel->stack.ops = &kernel_ops;
    kernel->loop = loop;
    *out_stack = &kernel->stack;
    return ERR_OK;
}

enum err stack_kernel_adopt(struct stack *stack, int take_descriptor, struct stack_socket **out_socket)
{
    struct stack_kernel *const kernel = (struct stack_kernel *)stack;

    return socket_object_new(kernel->loop, take_descriptor, out_socket);
}
