/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/lwip_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define HEAD     HAL_FRAME_HEAD_BYTES
#define UDP      (HEAD + 20u)
#define DNS_HEAD 12u

static uint16_t u16_at(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

int lwip_server_set_up(void **state)
{
    static const struct stack_lwip_options addresses = {
        .has_ipv4 = true,
        .ipv4 = {.family = SOCKET_IPV4, .ip = {192, 0, 2, 2}},
        .ipv4_prefix = 24,
        .dns = {{.family = SOCKET_IPV4, .ip = {192, 0, 2, 1}}},
        .dns_count = 1,
    };

    (void)lwip_box_bare(state);
    struct lwip_box *const f = *state;
    lwip_box_open(f, &addresses);
    lwip_box_pass_ms(f, 3000);
    const struct frames_frame arp = frames_arp_request(&lwip_box_them, lwip_box_end.ip);
    sim_frame_give(f->cable, frames_view(&arp), HAL_FRAME_SUMS_UNKNOWN);
    lwip_box_turn(f);
    lwip_box_forget_sent(f);
    return 0;
}

bool lwip_server_next_datagram(struct lwip_box *f, struct lwip_server_datagram *out_datagram)
{
    struct span frame = SPAN_NONE;

    while (sim_frame_take(f->cable, &frame) == ERR_OK) {
        if (frame.len >= UDP + 8 && u16_at(frame.data + HEAD - 2) == 0x0800 && frame.data[HEAD + 9] == 17) {
            out_datagram->from = u16_at(frame.data + UDP);
            out_datagram->to = u16_at(frame.data + UDP + 2);
            out_datagram->payload = span_of(frame.data + UDP + 8, u16_at(frame.data + UDP + 4) - 8u);
            return true;
        }
    }
    return false;
}

void lwip_server_give_datagram(struct lwip_box *f, const struct frames_end *from, uint16_t to_port, struct span payload)
{
    struct frames_end to = lwip_box_end;

    to.port = to_port;
    const struct frames_frame frame = frames_udp(from, &to, payload);
    lwip_box_give(f, &frame);
}

void lwip_server_answer(struct lwip_box *f, const struct lwip_server_datagram *question, const uint8_t *ip)
{
    static const uint8_t record[] = {0xc0, DNS_HEAD, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4};
    struct frames_end server = lwip_box_them;
    const uint16_t port = question->from;
    uint8_t bytes[512];
    size_t len = question->payload.len;

    server.port = LWIP_SERVER_NAME_PORT;
    memcpy(bytes, question->payload.data, len);
    bytes[2] = 0x81;
    bytes[3] = ip != NULL ? 0x80 : 0x83;
    if (ip != NULL) {
        bytes[7] = 1; /* answers */
        memcpy(bytes + len, record, sizeof record);
        memcpy(bytes + len + sizeof record, ip, 4);
        len += sizeof record + 4;
    }
    lwip_server_give_datagram(f, &server, port, span_of(bytes, len));
}

void lwip_server_resolve(struct lwip_box *f)
{
    struct lwip_server_datagram question;

    assert_true(lwip_server_next_datagram(f, &question));
    assert_int_equal(question.to, LWIP_SERVER_NAME_PORT);
    lwip_server_answer(f, &question, lwip_box_them.ip);
}

static bool next_segment(struct lwip_box *f, uint16_t *out_from, uint16_t *out_to, struct frames_segment *out_segment)
{
    struct span frame = SPAN_NONE;

    while (sim_frame_take(f->cable, &frame) == ERR_OK) {
        if (frames_read_tcp(frame, out_from, out_to, out_segment)) {
            return true;
        }
    }
    return false;
}

static void give(struct lwip_box *f, const struct lwip_server *server, const struct frames_segment *segment)
{
    struct frames_end to = lwip_box_end;

    to.port = server->peer_port;
    const struct frames_frame frame = frames_tcp(&server->end, &to, segment);
    lwip_box_give(f, &frame);
}

struct lwip_server lwip_server_accept(struct lwip_box *f, uint16_t port)
{
    struct lwip_server server = {.end = lwip_box_them, .sequence = 5000};
    struct frames_segment syn = {.flags = 0};
    uint16_t to = 0;

    assert_true(next_segment(f, &server.peer_port, &to, &syn));
    assert_int_equal(syn.flags, FRAMES_SYN);
    assert_int_equal(to, port);
    server.end.port = port;
    server.acknowledged = syn.sequence + 1;
    const struct frames_segment answer = {.sequence = server.sequence,
                                          .acknowledged = server.acknowledged,
                                          .flags = FRAMES_SYN | FRAMES_ACK,
                                          .window = 64000};
    server.sequence++;
    give(f, &server, &answer);
    return server;
}

void lwip_server_send(struct lwip_box *f, struct lwip_server *server, struct span payload, uint8_t flags)
{
    const struct frames_segment segment = {.sequence = server->sequence,
                                           .acknowledged = server->acknowledged,
                                           .flags = (uint8_t)(FRAMES_ACK | flags),
                                           .window = 64000,
                                           .payload = payload};

    server->sequence += (uint32_t)payload.len + ((flags & FRAMES_FIN) != 0 ? 1u : 0u);
    give(f, server, &segment);
}

size_t lwip_server_receive(struct lwip_box *f, struct lwip_server *server, uint16_t window, uint8_t *out_bytes, size_t room,
                           uint8_t *out_flags)
{
    struct frames_segment segment = {.flags = 0};
    uint16_t from = 0;
    uint16_t to = 0;
    size_t len = 0;

    *out_flags = 0;
    while (next_segment(f, &from, &to, &segment)) {
        *out_flags |= segment.flags;
        if (segment.sequence == server->acknowledged && segment.payload.len <= room - len && segment.payload.len != 0) {
            memcpy(out_bytes + len, segment.payload.data, segment.payload.len);
            len += segment.payload.len;
            server->acknowledged += (uint32_t)segment.payload.len;
        }
    }
    const struct frames_segment ack = {
        .sequence = server->sequence, .acknowledged = server->acknowledged, .flags = FRAMES_ACK, .window = window};
    give(f, server, &ack);
    return len;
}
