/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stack in user space on a cable in memory, and a client at the other end. */
#ifndef TESTS_LIB_LWIP_BOX_H
#define TESTS_LIB_LWIP_BOX_H

#include "hal/sim/sim_clock.h"
#include "hal/sim/sim_frame.h"
#include "net/stack_lwip.h"
#include "tests/lib/frames.h"

#define LWIP_BOX_STREAM 65536 /* bytes that tests send at most */

struct lwip_client {
    struct frames_end end;
    uint32_t sequence;     /* the next byte of ours */
    uint32_t acknowledged; /* the next byte of theirs */
};

struct lwip_box {
    struct sim_clock clock;
    struct loop *loop;
    struct secret_slab *slab;
    struct sim_frame *cable;
    struct stack *stack;
    struct stack_socket *listening;
    struct stack_listener on_listening;
    struct stack_socket *socket; /* the last one accepted */
    struct socket_address peer;
    struct stack_listener on_socket;
    unsigned int ready; /* of the socket, since it was last looked at */
    bool reads;         /* everything, into got */
    uint8_t got[LWIP_BOX_STREAM];
    size_t got_len;
    bool is_over;
    struct socket_address addresses[STACK_LWIP_ADDRESSES_MAX];
    size_t address_count;
};

extern const struct frames_end lwip_box_end;  /* the stack's end of the cable */
extern const struct frames_end lwip_box_them; /* the other */

/* Lets the loop do what there is to do; lets time pass, too. */
void lwip_box_turn(struct lwip_box *box);
void lwip_box_pass_ms(struct lwip_box *box, unsigned int ms);

/* What the box has sent until now is not looked at. */
void lwip_box_forget_sent(struct lwip_box *box);

/* Makes the stack. */
void lwip_box_open(struct lwip_box *box, const struct stack_lwip_options *addresses);

/* A loop and its surroundings, without a stack; with one that has both addresses and listens on lwip_box_end.port. */
int lwip_box_bare(void **state);
int lwip_box_set_up(void **state);
int lwip_box_tear_down(void **state);

/* The box receives a frame, or a segment of a client. */
void lwip_box_give(struct lwip_box *box, const struct frames_frame *frame);
void lwip_box_give_segment(struct lwip_box *box, const struct lwip_client *client, const struct frames_segment *segment);

/* The next TCP segment that the box sent; flags 0: none. Its views live until the next call. */
struct frames_segment lwip_box_next_segment(struct lwip_box *box);

/* The stream of a connection: each position has its own byte. The box has got so many of them. */
void lwip_box_assert_stream(const struct lwip_box *box, size_t len);

/* The client's SYN with all options that clients of today send; the answer. */
struct frames_segment lwip_box_begin(struct lwip_box *box, struct lwip_client *client);

/* The client acknowledges all that it knows of. */
void lwip_box_acknowledge(struct lwip_box *box, const struct lwip_client *client);

/* A client whose connection the box has accepted: box->socket. */
struct lwip_client lwip_box_connected(struct lwip_box *box);

/* The client sends these positions of the stream. */
void lwip_box_give_bytes(struct lwip_box *box, const struct lwip_client *client, size_t from, size_t len);

#endif
