/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of the lwIP stack: sockets (stack_lwip.c), what lwIP asks of us (_port.c), frames, addresses and time
 * (_link.c), half-open connections (_half.c), what begins here (_out.c). lwIP never calls a listener: its callbacks put the socket on a list, and
 * whoever called lwIP runs the list afterwards, so a listener may do anything with any connection. */
#ifndef NET_STACK_LWIP_INT_H
#define NET_STACK_LWIP_INT_H

#include "crypto/hash.h"
#include "crypto/random.h"
#include "hal/base/config.h"
#include "hal/base/time.h"
#include "net/stack_lwip.h"

/* lwIP has names of its own for some of our errors. */
#define ERR_OK      LWIP_OK
#define ERR_TIMEOUT LWIP_TIMEOUT
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/tcp.h>
#undef ERR_OK
#undef ERR_TIMEOUT

struct half_open {
    struct tcp_pcb *pcb;
    struct half_open *older; /* of those in use; of the free ones: the next */
    struct half_open *newer;
};

struct half_list {
    struct half_open *newest;
    struct half_open *oldest;
    struct half_open *unused;
    struct half_open places[CONFIG_NET_LWIP_HALF_OPEN];
};

#define LWIP_CLOCKS    9
#define LWIP_QUESTIONS 8 /* for names, at once */

/* A question that lwIP has and will answer. */
struct lwip_question {
    bool is_asked;
    struct stack_lwip_lookup *asker; /* NULL: it has left */
};

struct stack_socket {
    struct stack_lwip *lwip;
    struct tcp_pcb *pcb; /* NULL: the connection is over */
    struct stack_listener *listener;
    unsigned int interest;
    struct stack_socket *next; /* on the list of those to be told */
    struct stack_socket **link;
    struct pbuf *first; /* bytes not read yet. Their chain is longer than lwIP's sums of chains can say: not used */
    struct pbuf *last;
    size_t taken; /* of the first */
    bool is_listening;
    bool ended;    /* no more bytes will come */
    bool reset;    /* lost */
    bool finished; /* we send no more */
    bool starved;  /* there was no memory to send */
    bool abandoned;
    bool connecting; /* begun here, and not there yet */
    struct stack_socket *waiting; /* of a listening one: those not accepted yet, the first first */
    struct stack_socket **waiting_end;
    struct stack_socket *next_waiting;
    size_t waiting_count;
};

struct stack_lwip {
    struct stack stack; /* first: callers hold it */
    struct stack_lwip_options options;
    struct hal_frame *frame;
    struct random *random;
    struct hmac_key *isn_key;
    size_t heap_bytes; /* lent to lwIP */
    struct netif netif;
    bool has_netif;
    struct loop_watch watch;
    struct loop_timer timer;
    struct mono_time next[LWIP_CLOCKS];
    struct half_list half;
    struct stack_socket *ready; /* those to be told, the first first */
    struct stack_socket **ready_end;
    struct loop_slice tell;
    bool busy;                    /* lwIP is at work: the list is run when it is done */
    struct stack_socket *telling; /* whose listener is being called; NULL once it has been closed */
    const uint8_t *answering_mac; /* whose frame is being looked at; NULL: nobody's */
    ip_addr_t answering;          /* and from which address it came */
    struct socket_address addresses[STACK_LWIP_ADDRESSES_MAX]; /* as told last */
    size_t address_count;
    struct lwip_question questions[LWIP_QUESTIONS];
    struct stack_lwip_counts counts;
};

/* _port.c: the one there is, for functions that lwIP calls without a word about whom it means. */
struct stack_lwip *stack_lwip_the(void);
/* ERR_STATE: there is one already. Starts lwIP in the first call of this process. */
enum err stack_lwip_enter(struct stack_lwip *lwip) MUST_USE;
void stack_lwip_leave(struct stack_lwip *lwip);

/* _link.c */
enum err stack_lwip_link_start(struct stack_lwip *lwip) MUST_USE;
void stack_lwip_link_stop(struct stack_lwip *lwip);
struct socket_address stack_lwip_address(const ip_addr_t *address, uint16_t port);

/* stack_lwip.c: runs the list, once for each socket on it. */
void stack_lwip_tell(struct stack_lwip *lwip);

/* Puts a socket on it. */
void stack_lwip_mark(struct stack_socket *socket);

/* Are few buffers left for frames? Those behind gaps have been given back then: their senders send them again. */
bool stack_lwip_lacks_room(void);

/* A socket for a connection's control block. ERR_NO_MEMORY. */
enum err stack_lwip_adopt(struct stack_lwip *lwip, struct tcp_pcb *pcb, struct stack_socket **out_socket) MUST_USE;

/* _out.c: does anything here wait for a datagram from there on that port? And the end of all questions for names. */
bool stack_lwip_expects_datagram(const struct socket_address *from, uint16_t to_port);
void stack_lwip_end_questions(struct stack_lwip *lwip);

/* _half.c: watches the connections that a listener begins. */
void stack_lwip_half_init(struct half_list *half);
void stack_lwip_half_watch(struct tcp_pcb *listening);
void stack_lwip_half_done(struct tcp_pcb *pcb); /* it is a whole one now */

#endif
