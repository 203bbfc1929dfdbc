/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any answers of a name server for the stack in user space. Each input has a name of its own, for lwIP remembers. The box asks
 * for it; an input is a list of datagrams, each behind its length in a byte: its first byte says whether number (1) and
 * question (2) are those that were asked, what follows are flags and counts, the question's own bytes if it is not, and the
 * records. Whatever comes, who asked is answered once, within half a minute. */
#include <string.h>

#include "tests/fuzz/lwip_cable.h"
#include "tests/lib/frames.h"

#define UDP      (HAL_FRAME_HEAD_BYTES + 20u)
#define DATA     (UDP + 8u)
#define DNS_HEAD 12u
#define TICKS    300u /* half a minute */
#define ANSWERS  8

struct asked {
    struct stack_lwip_lookup lookup; /* first: done gets it back */
    unsigned int answers;
};

static struct {
    struct lwip_cable cable;
    uint32_t inputs;
    uint8_t question[256]; /* as sent last: number, flags and counts, name, type and class */
    size_t question_len;
    uint16_t port;
} box;

static const struct frames_end us = {.card = {2, 0, 0, 0, 0, 2}, .ip = {192, 0, 2, 2}};
static const struct frames_end server = {.card = {2, 0, 0, 0, 0, 1}, .ip = {192, 0, 2, 1}, .port = 53};

static void on_done(struct stack_lwip_lookup *lookup, const struct socket_address *address)
{
    ((struct asked *)lookup)->answers++;
    FUZZ_CHECK(address == NULL || address->port == 0);
}

static void look_at_sent(void)
{
    struct span frame = SPAN_NONE;

    while (sim_frame_take(box.cable.wire, &frame) == ERR_OK) {
        if (frame.len > DATA + DNS_HEAD && frame.data[12] == 8 && frame.data[UDP - 11] == 17 && frame.data[UDP + 3] == 53) {
            box.question_len = num_min(frame.len - DATA, sizeof box.question);
            memcpy(box.question, frame.data + DATA, box.question_len);
            box.port = (uint16_t)(frame.data[UDP] << 8 | frame.data[UDP + 1]);
        }
    }
}

static void turn(void)
{
    FUZZ_CHECK(loop_turn(box.cable.loop, 0) == ERR_OK);
    look_at_sent();
}

static void give(const struct frames_frame *frame)
{
    sim_frame_give(box.cable.wire, frames_view(frame), HAL_FRAME_SUMS_UNKNOWN);
    turn();
}

static void start(void)
{
    static const struct stack_lwip_options addresses = {
        .has_ipv4 = true,
        .ipv4 = {.family = SOCKET_IPV4, .ip = {192, 0, 2, 2}},
        .ipv4_prefix = 24,
        .dns = {{.family = SOCKET_IPV4, .ip = {192, 0, 2, 1}}},
        .dns_count = 1,
    };

    lwip_cable_lay(&box.cable, &addresses, us.card);
    const struct frames_frame arp = frames_arp_request(&server, us.ip); /* so it need not ask for the card */
    give(&arp);
}

static void ask(struct asked *asked)
{
    char name[] = "aaaaaaaa.example";
    uint32_t number = box.inputs++;

    for (size_t i = 0; i < 8; i++, number >>= 4) {
        name[i] = (char)('a' + (number & 15u));
    }
    FUZZ_CHECK(stack_lwip_resolve(box.cable.stack, span_str(name), &asked->lookup) == ERR_OK);
    turn();
}

static void answer(struct span given)
{
    uint8_t bytes[512] = {0};
    const bool right_number = (given.data[0] & 1) != 0;
    const bool right_question = (given.data[0] & 2) != 0;
    size_t len = 0;

    memcpy(bytes, box.question, right_number ? 2 : 0);
    const size_t head = num_min(given.len - 1, DNS_HEAD - 2);
    memcpy(bytes + 2, given.data + 1, head);
    len = DNS_HEAD;
    if (right_question && box.question_len > DNS_HEAD) {
        memcpy(bytes + len, box.question + DNS_HEAD, box.question_len - DNS_HEAD);
        len += box.question_len - DNS_HEAD;
    }
    memcpy(bytes + len, given.data + 1 + head, given.len - 1 - head); /* fewer than 256 */
    len += given.len - 1 - head;
    struct frames_end to = us;
    to.port = box.port;
    const struct frames_frame frame = frames_udp(&server, &to, span_of(bytes, len));
    give(&frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct asked asked = {.lookup = {.done = on_done}};
    size_t at = 0;

    start();
    ask(&asked);
    for (size_t i = 0; i < ANSWERS && at < size; i++) {
        const size_t len = num_min(data[at], size - at - 1);
        if (len > 0) {
            answer(span_of(data + at + 1, len));
        }
        at += len + 1;
    }
    FUZZ_CHECK(asked.answers <= 1);
    for (size_t i = 0; i < TICKS && asked.answers == 0; i++) {
        sim_clock_advance_ms(&box.cable.clock, LWIP_CABLE_TICK_MS);
        turn();
    }
    FUZZ_CHECK(asked.answers == 1);
    stack_free(box.cable.stack);
    fault_clear();
    return 0;
}
