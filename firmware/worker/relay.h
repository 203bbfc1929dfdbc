/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections of the stack in user space for the courier, which has no other way out. Each joins a server with one end of a
 * pair of sockets, whose other end the courier keeps; bytes go through unread. They belong to the thread of the stack.
 *
 * Nothing is bounded by the courier's manners: there are so many at a time, each holds RELAY_BYTES each way, who is slow is
 * waited for by whoever sends to him, and when either end is gone the other one is told and the relay ends. That end need not
 * come: a courier that was taken over can give both ends of a pair to two relays, and be gone. So each has its time, too. */
#ifndef FIRMWARE_WORKER_RELAY_H
#define FIRMWARE_WORKER_RELAY_H

#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "net/loop.h"
#include "net/stack.h"

#define RELAYS_MAX      16
#define RELAY_BYTES     16384
#define RELAY_LINGER_MS 5000u /* for what the courier sent last, after its end */

struct relay_to {
    enum msg_reach_kind kind;
    uint16_t port;
    unsigned int life_s; /* after it and RELAY_LINGER_MS the relay ends, whoever still holds an end */
    struct msg_name host;
};

struct relays;

/* All borrowed: the loop, the stack in user space, and the kernel's, for the pairs. ERR_NO_MEMORY. */
enum err relays_new(struct loop *loop, struct stack *lwip, struct stack *kernel, struct relays **out_relays) MUST_USE;

/* Ends all; before the stacks. NULL is fine. */
void relays_free(struct relays *relays);

/* Finds the host, connects, says enum msg_reached to the pair, and goes on until an end. The descriptor is taken; where
 * there is no room for one more it is closed, with a line in the log. */
void relays_open(struct relays *relays, const struct relay_to *to, int take_fd);

/* How many there are. */
size_t relays_count(const struct relays *relays);

#endif
