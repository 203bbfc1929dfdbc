/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lwIP as a stack: TCP/IP in this process, over frames of hal/frame.h.
 *
 * lwIP keeps its state in variables of its own, so there is one such stack in a process at a time, and it belongs to the
 * thread of its loop. Strangers' frames pass net/ingress.h first. What they can fill is bounded: half-open connections (the
 * oldest makes room), frames that wait for a reader (who lets his lie is reset), bytes and segments on their way.
 *
 * Addresses: IPv4 by DHCP or as given; IPv6 link-local, by the router's word, and as given. Each IPv6 address is first
 * asked for (RFC 4862 section 5.4), so it works a second after the start. */
#ifndef NET_STACK_LWIP_H
#define NET_STACK_LWIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/secret_slab.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/frame.h"
#include "hal/socket.h"
#include "net/loop.h"
#include "net/stack.h"

#define STACK_LWIP_ADDRESSES_MAX 8
#define STACK_LWIP_DNS_MAX       2
#define STACK_LWIP_DATAGRAM_MAX  1452 /* what an Ethernet frame holds behind the headers of IPv6 and UDP */

struct stack_lwip_options {
    struct loop *loop;        /* borrowed */
    struct secret_slab *slab; /* borrowed: the key of the initial sequence numbers lives there */
    bool has_ipv4;            /* else DHCP */
    struct socket_address ipv4;
    unsigned int ipv4_prefix; /* bits, 1 to 30 */
    bool has_gateway;         /* of IPv4; that of IPv6 says so itself */
    struct socket_address gateway;
    bool has_ipv6;
    struct socket_address ipv6; /* of a /64 */
    struct socket_address dns[STACK_LWIP_DNS_MAX]; /* name servers */
    size_t dns_count;                              /* 0: those that DHCP names */
    /* The addresses by which others reach this stack, whenever they have changed; not link-local. May be NULL. */
    void (*on_addresses)(void *context, const struct socket_address *addresses, size_t count);
    void *context;
};

/* Takes the source of frames, also on failure. ERR_NO_MEMORY, ERR_LIMIT (slab full), ERR_IO, ERR_STATE (there is one
 * already). The caller frees it with stack_free, after its sockets; connections that are still closing end there. */
enum err stack_lwip_new(const struct stack_lwip_options *options, struct hal_frame *take_frame,
                        struct stack **out_stack) MUST_USE;

/* Listens on a port of all addresses, present and future ones. ERR_EXISTS (port in use), ERR_LIMIT, ERR_NO_MEMORY. */
enum err stack_lwip_listen(struct stack *stack, uint16_t port, struct stack_socket **out_socket) MUST_USE;

/* --- what begins here; all on the loop's thread --- */

/* Embedded in whoever asks, and kept in place until done or stack_lwip_forget(). */
struct stack_lwip_lookup {
    /* The first address of the name, with port 0, IPv4 before IPv6. NULL: there is none, or no server has answered. May be
     * called from inside of stack_lwip_resolve, and may call what begins here, close included, but no listener. */
    void (*done)(struct stack_lwip_lookup *lookup, const struct socket_address *address);
    struct lwip_question *question; /* the stack's */
};

/* Asks the name servers; done follows, in half a minute at the latest. Answers are kept for an hour at most.
 * ERR_RANGE (not the length of a name), ERR_LIMIT (more questions than there may be at once), ERR_NOT_FOUND (no server to
 * ask): done is not called then. */
enum err stack_lwip_resolve(struct stack *stack, struct span name, struct stack_lwip_lookup *lookup) MUST_USE;

/* done is not called any more. Fine for one that was never asked, if it is zero. */
void stack_lwip_forget(struct stack_lwip_lookup *lookup);

/* Begins a connection: LOOP_WRITE says that it is there, LOOP_GONE that it is lost, in a quarter of a minute at the latest.
 * The caller closes it. ERR_CLOSED (no way there), ERR_LIMIT, ERR_NO_MEMORY. */
enum err stack_lwip_connect(struct stack *stack, const struct socket_address *to, struct stack_socket **out_socket) MUST_USE;

/* Datagrams to and from one address. */
struct stack_lwip_udp;
struct stack_lwip_udp_options {
    struct socket_address to;
    /* 1 to STACK_LWIP_DATAGRAM_MAX bytes, a view until it returns. It calls nothing of the stack. */
    void (*on_datagram)(void *context, struct span datagram);
    void *context;
};

/* The caller frees it, before the stack. ERR_CLOSED (no way there), ERR_LIMIT, ERR_NO_MEMORY. */
enum err stack_lwip_udp_new(struct stack *stack, const struct stack_lwip_udp_options *options,
                            struct stack_lwip_udp **out_udp) MUST_USE;

/* ERR_RANGE (empty, or longer than STACK_LWIP_DATAGRAM_MAX), ERR_LIMIT, ERR_CLOSED (no way there). */
enum err stack_lwip_udp_send(struct stack_lwip_udp *udp, struct span datagram) MUST_USE;
void stack_lwip_udp_free(struct stack_lwip_udp *udp); /* NULL is fine */

/* What it did with frames since it was made; for tests and the log. */
struct stack_lwip_counts {
    uint64_t frames;     /* that came */
    uint64_t refused;    /* by ingress_permits */
    uint64_t no_room;    /* no buffer was left for them */
    uint64_t not_sent;   /* no room at the interface */
    uint64_t half_open;  /* begun from outside */
    uint64_t forgotten;  /* of those, in favour of newer ones */
    uint64_t reset_full; /* connections reset because their data lay while room was short */
};
struct stack_lwip_counts stack_lwip_counts(const struct stack *stack);

#endif
