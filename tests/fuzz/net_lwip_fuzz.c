/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any frames for the stack in user space, with the options that it is built with. An input is a list of frames, each behind
 * its length in two bytes; a length with the highest bit set lets so many tenths of a second pass instead, and a length of 0
 * has the application read, write and close. Addresses and sums are put right where the first byte of a frame asks for it,
 * so that the fuzzer gets past them. Each input has a stack of its own, whose addresses are ready. */
#include <string.h>

#include "tests/fuzz/lwip_cable.h"
#include "tests/lib/frames.h"

#define HEAD     HAL_FRAME_HEAD_BYTES
#define FRAMES   64 /* of one input */
#define SOCKETS  8
#define PASSES   0x8000u
#define PASS_MAX 600u /* tenths of a second: past the time-outs of neighbours and of TIME-WAIT */
#define READY    25u /* ticks, until IPv6 addresses are in use */

static struct {
    struct lwip_cable cable;
    struct stack_socket *listening;
    struct stack_socket *sockets[SOCKETS];
    struct stack_listener on_listening;
    struct stack_listener on_sockets;
    uint32_t next; /* what the stack sent last: its sequence number and the port it was for */
    uint16_t port;
} box;

static const struct frames_end us = {.card = {2, 0, 0, 0, 0, 2}, .ip = {192, 0, 2, 2}, .ip6 = {0x20, 1, 0xd, 0xb8, [15] = 2}, .port = 443};

static void on_sockets(struct stack_listener *listener, unsigned int ready)
{
    (void)listener;
    (void)ready;
}

static void on_listening(struct stack_listener *listener, unsigned int ready)
{
    const struct stack_ops *const ops = box.cable.stack->ops;
    struct stack_socket *socket = NULL;
    struct socket_address peer;
    (void)listener;
    (void)ready;

    while (ops->accept(box.cable.stack, box.listening, &peer, &socket) == ERR_OK) {
        ops->close(box.sockets[peer.port % SOCKETS]);
        box.sockets[peer.port % SOCKETS] = socket;
        FUZZ_CHECK(ops->watch(socket, &box.on_sockets, 0) == ERR_OK);
    }
}

static void start(void)
{
    static const struct stack_lwip_options addresses = {
        .has_ipv4 = true,
        .ipv4 = {.family = SOCKET_IPV4, .ip = {192, 0, 2, 2}},
        .ipv4_prefix = 24,
        .has_ipv6 = true,
        .ipv6 = {.family = SOCKET_IPV6, .ip = {0x20, 1, 0xd, 0xb8, [15] = 2}},
    };

    lwip_cable_lay(&box.cable, &addresses, us.card);
    box.on_listening.on_ready = on_listening;
    box.on_sockets.on_ready = on_sockets;
    FUZZ_CHECK(stack_lwip_listen(box.cable.stack, us.port, &box.listening) == ERR_OK);
    FUZZ_CHECK(box.cable.stack->ops->watch(box.listening, &box.on_listening, LOOP_READ) == ERR_OK);
}

/* What the stack sends must be right in itself: addresses that are ours, sums that hold. */
static void look_at_sent(void)
{
    struct span frame = SPAN_NONE;
    struct frames_segment segment;
    uint16_t from = 0;
    uint16_t to = 0;

    while (sim_frame_take(box.cable.wire, &frame) == ERR_OK) {
        FUZZ_CHECK(frame.len >= HEAD && frame.len <= HEAD + HAL_FRAME_MTU_MAX);
        FUZZ_CHECK(memcmp(frame.data + HAL_FRAME_MAC_BYTES, us.card, HAL_FRAME_MAC_BYTES) == 0);
        const bool is_tcp = frame.data[12] == 8 && frame.data[13] == 0 && frame.data[HEAD + 9] == 6;
        FUZZ_CHECK(!is_tcp || frames_read_tcp(frame, &from, &to, &segment));
        if (is_tcp) {
            box.next = segment.sequence + 1;
            box.port = to;
        }
    }
}

static void turn(void)
{
    FUZZ_CHECK(loop_turn(box.cable.loop, 0) == ERR_OK);
    FUZZ_CHECK(loop_turn(box.cable.loop, 0) == ERR_OK);
    look_at_sent();
}

static void pass(unsigned int tenths)
{
    for (unsigned int i = 0; i < num_min(tenths, PASS_MAX); i++) {
        sim_clock_advance_ms(&box.cable.clock, LWIP_CABLE_TICK_MS);
        FUZZ_CHECK(loop_turn(box.cable.loop, 0) == ERR_OK);
    }
    look_at_sent();
}

static void stop(void)
{
    for (size_t i = 0; i < SOCKETS; i++) {
        box.cable.stack->ops->close(box.sockets[i]);
        box.sockets[i] = NULL;
    }
    box.cable.stack->ops->close(box.listening);
    stack_free(box.cable.stack);
}

static void use_sockets(void)
{
    const struct stack_ops *const ops = box.cable.stack->ops;
    static uint8_t bytes[4096];

    for (size_t i = 0; i < SOCKETS; i++) {
        size_t count = 0;

        if (box.sockets[i] == NULL) {
            continue;
        }
        const enum err err = ops->recv(box.sockets[i], bytes, sizeof bytes, &count);
        (void)ops->send(box.sockets[i], span_of(bytes, i * 500 + 1), &count);
        if (err == ERR_CLOSED) {
            ops->finish(box.sockets[i]);
            ops->close(box.sockets[i]);
            box.sockets[i] = NULL;
        }
    }
    turn();
}

static uint32_t add(uint32_t sum, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        sum += (i & 1) == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    }
    return sum;
}

static void put_sum(uint8_t *at, uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    at[0] = (uint8_t)(sum >> 8);
    at[1] = (uint8_t)sum;
}

/* Where the sum of a protocol's header stands; 0: nowhere. */
static size_t sum_at(uint8_t protocol)
{
    switch (protocol) {
    case 6:
        return 16;
    case 17:
        return 6;
    case 1:
    case 58:
        return 2;
    default:
        return 0;
    }
}

/* Sums of the packet, and of what lies in it. */
static void mend_sums(uint8_t *packet, size_t len)
{
    const bool is_ipv6 = packet[0] >> 4 == 6;
    const size_t head = is_ipv6 ? 40 : 20;

    if (len < head) {
        return;
    }
    const uint8_t protocol = is_ipv6 ? packet[6] : packet[9];
    const size_t total = is_ipv6 ? head + ((size_t)packet[4] << 8 | packet[5]) : (size_t)packet[2] << 8 | packet[3];
    const size_t at = sum_at(protocol);

    if (at != 0 && total <= len && total >= head + at + 2) {
        const uint32_t pseudo = protocol == 1 ? 0 : add(protocol + (uint32_t)(total - head), packet + (is_ipv6 ? 8 : 12), is_ipv6 ? 32 : 8);
        memset(packet + head + at, 0, 2);
        put_sum(packet + head + at, add(pseudo, packet + head, total - head));
    }
    if (!is_ipv6) {
        memset(packet + 10, 0, 2);
        put_sum(packet + 10, add(0, packet, head));
    }
}

/* The wishes of the first byte: 1 our card, 2 the answer to what we sent last, 4 sums. */
static void mend(uint8_t *frame, size_t len)
{
    const uint8_t wishes = frame[0];

    if ((wishes & 1) != 0) {
        memcpy(frame, us.card, HAL_FRAME_MAC_BYTES);
    }
    if ((wishes & 2) != 0 && len >= HEAD + 40) {
        uint8_t *const tcp = frame + HEAD + 20;
        const uint32_t next = box.next;

        tcp[0] = (uint8_t)(box.port >> 8);
        tcp[1] = (uint8_t)box.port;
        tcp[8] = (uint8_t)(next >> 24);
        tcp[9] = (uint8_t)(next >> 16);
        tcp[10] = (uint8_t)(next >> 8);
        tcp[11] = (uint8_t)next;
    }
    if ((wishes & 4) != 0 && len > HEAD) {
        mend_sums(frame + HEAD, len - HEAD);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t frame[HAL_FRAME_BYTES_MAX];
    size_t at = 0;

    start();
    pass(READY);
    for (size_t i = 0; i < FRAMES && at + 2 <= size; i++) {
        const unsigned int word = (unsigned int)data[at] << 8 | data[at + 1];

        at += 2;
        if ((word & PASSES) != 0) {
            pass(word & ~PASSES);
        } else if (word == 0) {
            use_sockets();
        } else {
            const size_t len = num_min(word, size - at);
            memcpy(frame, data + at, len);
            if (len > HEAD) {
                mend(frame, len);
            }
            sim_frame_give(box.cable.wire, span_of(frame, len), (word & 1) != 0 ? HAL_FRAME_SUMS_GOOD : HAL_FRAME_SUMS_UNKNOWN);
            turn();
            at += len;
        }
    }
    stop();
    fault_clear();
    return 0;
}
