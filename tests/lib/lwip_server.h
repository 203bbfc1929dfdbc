/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The other end of what begins in the stack of lwip_box.h: a name server and a server, both 192.0.2.1. */
#ifndef TESTS_LIB_LWIP_SERVER_H
#define TESTS_LIB_LWIP_SERVER_H

#include <stdbool.h>

#include "tests/lib/lwip_box.h"

#define LWIP_SERVER_NAME_PORT 53

struct lwip_server_datagram {
    uint16_t from;
    uint16_t to;
    struct span payload; /* lives until the next frame is taken */
};

struct lwip_server {
    struct frames_end end;
    uint16_t peer_port;
    uint32_t sequence;     /* the next byte of ours */
    uint32_t acknowledged; /* the next byte of theirs */
};

/* For cmocka: the box with an address and that name server, and both know each other's cards. */
int lwip_server_set_up(void **state);

/* The next datagram that the box sent; false: none. */
bool lwip_server_next_datagram(struct lwip_box *box, struct lwip_server_datagram *out_datagram);
void lwip_server_give_datagram(struct lwip_box *box, const struct frames_end *from, uint16_t to_port, struct span payload);

/* Answers a question for a name: the address, or that there is no such name (NULL). */
void lwip_server_answer(struct lwip_box *box, const struct lwip_server_datagram *question, const uint8_t *ip);

/* Takes the question for the name and answers it with 192.0.2.1. */
void lwip_server_resolve(struct lwip_box *box);

/* Takes the connection that the box begins to that port. */
struct lwip_server lwip_server_accept(struct lwip_box *box, uint16_t port);

/* A segment of that connection; flags besides ACK. */
void lwip_server_send(struct lwip_box *box, struct lwip_server *server, struct span payload, uint8_t flags);

/* The bytes that came over it in all, at most room; the flags of all segments. Acknowledged, with this window. */
size_t lwip_server_receive(struct lwip_box *box, struct lwip_server *server, uint16_t window, uint8_t *out_bytes, size_t room,
                           uint8_t *out_flags);

#endif
