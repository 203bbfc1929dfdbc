/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames as a neighbour of the stack under test makes and reads them. Everything is written out by hand here, so that the
 * stack's own way of doing it is not what it is compared with. */
#ifndef TESTS_LIB_FRAMES_H
#define TESTS_LIB_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/base/span.h"
#include "hal/frame.h"

#define FRAMES_BYTES 2048

enum { FRAMES_FIN = 1, FRAMES_SYN = 2, FRAMES_RST = 4, FRAMES_PSH = 8, FRAMES_ACK = 16 };

/* One side of the cable. */
struct frames_end {
    uint8_t card[HAL_FRAME_MAC_BYTES];
    uint8_t ip[4];
    uint8_t ip6[16];
    uint16_t port;
};

struct frames_segment {
    uint32_t sequence;
    uint32_t acknowledged;
    uint16_t window;
    uint8_t flags;
    struct span options; /* a multiple of four */
    struct span payload;
};

/* A frame in its own memory. */
struct frames_frame {
    uint8_t bytes[FRAMES_BYTES];
    size_t len;
};

struct frames_frame frames_arp_request(const struct frames_end *from, const uint8_t ip[4]);
struct frames_frame frames_tcp(const struct frames_end *from, const struct frames_end *to, const struct frames_segment *segment);
struct frames_frame frames_tcp6(const struct frames_end *from, const struct frames_end *to,
                                const struct frames_segment *segment);
struct frames_frame frames_udp(const struct frames_end *from, const struct frames_end *to, struct span payload);
struct frames_frame frames_icmp_echo(const struct frames_end *from, const struct frames_end *to);
/* Asks who has to->ip6, as RFC 4861 section 7.2.2 says. */
struct frames_frame frames_neighbour_solicitation(const struct frames_end *from, const struct frames_end *to);

struct span frames_view(const struct frames_frame *frame);

/* Writes the sum of the IPv4 header anew, after a change. */
void frames_sum_ipv4(struct frames_frame *frame);

/* Reads a TCP segment (of either IP); false if it is something else, or one of its sums is wrong. Views into frame. */
bool frames_read_tcp(struct span frame, uint16_t *out_from_port, uint16_t *out_to_port, struct frames_segment *out_segment);

#endif
