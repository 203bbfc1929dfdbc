/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way out where this process has none of its own: it makes a pair of sockets, hands one end to the worker, which joins
 * it with the server, and keeps the other, which is then like a socket connected to that server. The worker looks at no
 * byte of what goes over it but how many there are: TLS ends here. */
#ifndef FIRMWARE_COURIER_REACH_H
#define FIRMWARE_COURIER_REACH_H

#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

struct reach;

/* Belongs to one thread. jobs is the channel to the worker, of which it takes a copy. ERR_NO_MEMORY, ERR_LIMIT. */
enum err reach_new(int jobs, struct reach **out_reach) MUST_USE;
void reach_free(struct reach *reach); /* NULL is fine */

struct reach_to {
    uint64_t job; /* at hand; the worker refuses what is not its destination */
    enum msg_reach_kind kind;
    struct span host;
    uint16_t port;
    unsigned int wait_ms; /* for the worker's word */
};

/* Waits. The caller owns the descriptor: non-blocking, for hal/socket.h; of MSG_REACH_UDP each send and receive is one
 * datagram, of STACK_LWIP_DATAGRAM_MAX bytes at most.
 * ERR_NOT_FOUND: no address for the name; ERR_CLOSED: nobody answers there, or the worker refuses; ERR_TIMEOUT. */
enum err reach_open(struct reach *reach, const struct reach_to *to, int *out_fd) MUST_USE;

#endif
