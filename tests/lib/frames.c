/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/frames.h"

#include <string.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"

#define HEAD  HAL_FRAME_HEAD_BYTES
#define IPV4  20u
#define IPV6  40u
#define TCP   20u

static void put16(uint8_t *at, unsigned int value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static unsigned int get16(const uint8_t *at)
{
    return ((unsigned int)at[0] << 8) | at[1];
}

/* RFC 1071. */
static uint32_t add_words(uint32_t sum, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        sum += (i & 1) == 0 ? (uint32_t)bytes.data[i] << 8 : bytes.data[i];
    }
    return sum;
}

static unsigned int fold(uint32_t sum)
{
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return ~sum & 0xffff;
}

static void put_head(struct frames_frame *frame, const uint8_t *to, const uint8_t *from, unsigned int type)
{
    memcpy(frame->bytes, to, HAL_FRAME_MAC_BYTES);
    memcpy(frame->bytes + HAL_FRAME_MAC_BYTES, from, HAL_FRAME_MAC_BYTES);
    put16(frame->bytes + HEAD - 2, type);
}

struct span frames_view(const struct frames_frame *frame)
{
    return span_of(frame->bytes, frame->len);
}

void frames_sum_ipv4(struct frames_frame *frame)
{
    put16(frame->bytes + HEAD + 10, 0);
    put16(frame->bytes + HEAD + 10, fold(add_words(0, span_of(frame->bytes + HEAD, IPV4))));
}

struct frames_frame frames_arp_request(const struct frames_end *from, const uint8_t ip[4])
{
    static const uint8_t everybody[HAL_FRAME_MAC_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t kind[] = {0, 1, 8, 0, 6, 4, 0, 1};
    struct frames_frame frame = {.len = HEAD + 28};
    uint8_t *const body = frame.bytes + HEAD;

    put_head(&frame, everybody, from->card, 0x0806);
    memcpy(body, kind, sizeof kind);
    memcpy(body + 8, from->card, 6);
    memcpy(body + 14, from->ip, 4);
    memcpy(body + 24, ip, 4);
    return frame;
}

/* An IPv4 packet of that protocol whose body lies behind its header already. */
static void put_ipv4(struct frames_frame *frame, const struct frames_end *from, const struct frames_end *to, uint8_t protocol)
{
    uint8_t *const ip = frame->bytes + HEAD;

    put_head(frame, to->card, from->card, 0x0800);
    ip[0] = 0x45;
    put16(ip + 2, (unsigned int)(frame->len - HEAD));
    ip[8] = 64;
    ip[9] = protocol;
    memcpy(ip + 12, from->ip, 4);
    memcpy(ip + 16, to->ip, 4);
    frames_sum_ipv4(frame);
}

static void put_ipv6(struct frames_frame *frame, const struct frames_end *from, const struct frames_end *to, uint8_t next)
{
    uint8_t *const ip = frame->bytes + HEAD;

    put_head(frame, to->card, from->card, 0x86dd);
    ip[0] = 0x60;
    put16(ip + 4, (unsigned int)(frame->len - HEAD - IPV6));
    ip[6] = next;
    ip[7] = 255;
    memcpy(ip + 8, from->ip6, 16);
    memcpy(ip + 24, to->ip6, 16);
}

static uint32_t pseudo(const uint8_t *ip, unsigned int protocol, size_t len)
{
    const bool is_ipv6 = (ip[0] >> 4) == 6;

    return add_words(0, is_ipv6 ? span_of(ip + 8, 32) : span_of(ip + 12, 8)) + protocol + (uint32_t)len;
}

static void put_tcp(struct frames_frame *frame, size_t at, const struct frames_end *from, const struct frames_end *to,
                    const struct frames_segment *segment)
{
    uint8_t *const tcp = frame->bytes + at;

    put16(tcp, from->port);
    put16(tcp + 2, to->port);
    put_u32be(tcp + 4, segment->sequence);
    put_u32be(tcp + 8, segment->acknowledged);
    tcp[12] = (uint8_t)(((TCP + segment->options.len) / 4) << 4);
    tcp[13] = segment->flags;
    put16(tcp + 14, segment->window);
    if (segment->options.len > 0) {
        memcpy(tcp + TCP, segment->options.data, segment->options.len);
    }
    if (segment->payload.len > 0) {
        memcpy(tcp + TCP + segment->options.len, segment->payload.data, segment->payload.len);
    }
    frame->len = at + TCP + segment->options.len + segment->payload.len;
    INVARIANT(frame->len <= FRAMES_BYTES);
}

struct frames_frame frames_tcp(const struct frames_end *from, const struct frames_end *to, const struct frames_segment *segment)
{
    struct frames_frame frame = {.len = 0};
    uint8_t *const tcp = frame.bytes + HEAD + IPV4;

    put_tcp(&frame, HEAD + IPV4, from, to, segment);
    put_ipv4(&frame, from, to, 6);
    const size_t len = frame.len - HEAD - IPV4;
    put16(tcp + 16, fold(add_words(pseudo(frame.bytes + HEAD, 6, len), span_of(tcp, len))));
    return frame;
}

struct frames_frame frames_tcp6(const struct frames_end *from, const struct frames_end *to,
                                const struct frames_segment *segment)
{
    struct frames_frame frame = {.len = 0};
    uint8_t *const tcp = frame.bytes + HEAD + IPV6;

    put_tcp(&frame, HEAD + IPV6, from, to, segment);
    put_ipv6(&frame, from, to, 6);
    const size_t len = frame.len - HEAD - IPV6;
    put16(tcp + 16, fold(add_words(pseudo(frame.bytes + HEAD, 6, len), span_of(tcp, len))));
    return frame;
}

struct frames_frame frames_udp(const struct frames_end *from, const struct frames_end *to, struct span payload)
{
    struct frames_frame frame = {.len = HEAD + IPV4 + 8 + payload.len};
    uint8_t *const udp = frame.bytes + HEAD + IPV4;

    put16(udp, from->port);
    put16(udp + 2, to->port);
    put16(udp + 4, (unsigned int)(8 + payload.len));
    memcpy(udp + 8, payload.data, payload.len);
    put_ipv4(&frame, from, to, 17); /* without a sum: IPv4 allows it */
    return frame;
}

struct frames_frame frames_icmp_echo(const struct frames_end *from, const struct frames_end *to)
{
    struct frames_frame frame = {.len = HEAD + IPV4 + 16};
    uint8_t *const icmp = frame.bytes + HEAD + IPV4;

    icmp[0] = 8;
    put16(icmp + 2, fold(add_words(0, span_of(icmp, 16))));
    put_ipv4(&frame, from, to, 1);
    return frame;
}

struct frames_frame frames_neighbour_solicitation(const struct frames_end *from, const struct frames_end *to)
{
    struct frames_frame frame = {.len = HEAD + IPV6 + 32};
    struct frames_end group = {.card = {0x33, 0x33, 0xff, to->ip6[13], to->ip6[14], to->ip6[15]},
                               .ip6 = {0xff, 2, [11] = 1, [12] = 0xff, to->ip6[13], to->ip6[14], to->ip6[15]}};
    uint8_t *const icmp = frame.bytes + HEAD + IPV6;

    icmp[0] = 135;
    memcpy(icmp + 8, to->ip6, 16);
    icmp[24] = 1; /* the source's link-layer address, in units of eight bytes */
    icmp[25] = 1;
    memcpy(icmp + 26, from->card, 6);
    put_ipv6(&frame, from, &group, 58);
    put16(icmp + 2, fold(add_words(pseudo(frame.bytes + HEAD, 58, 32), span_of(icmp, 32))));
    return frame;
}

bool frames_read_tcp(struct span frame, uint16_t *out_from_port, uint16_t *out_to_port, struct frames_segment *out_segment)
{
    if (frame.len < HEAD + IPV4 + TCP) {
        return false;
    }
    const uint8_t *const ip = frame.data + HEAD;
    const unsigned int type = get16(frame.data + HEAD - 2);
    const size_t head = type == 0x0800 ? IPV4 : IPV6;
    const bool is_tcp = type == 0x0800 ? ip[9] == 6 : type == 0x86dd && ip[6] == 6;
    const size_t total = !is_tcp ? 0 : type == 0x0800 ? get16(ip + 2) : IPV6 + get16(ip + 4);

    if (!is_tcp || total > frame.len - HEAD || total < head + TCP) {
        return false;
    }
    const uint8_t *const tcp = ip + head;
    const size_t len = total - head;
    const size_t tcp_head = (size_t)(tcp[12] >> 4) * 4;
    if (fold(add_words(pseudo(ip, 6, len), span_of(tcp, len))) != 0 || tcp_head < TCP || tcp_head > len ||
        (head == IPV4 && fold(add_words(0, span_of(ip, IPV4))) != 0)) {
        return false;
    }
    *out_from_port = (uint16_t)get16(tcp);
    *out_to_port = (uint16_t)get16(tcp + 2);
    *out_segment = (struct frames_segment){.sequence = get_u32be(tcp + 4),
                                           .acknowledged = get_u32be(tcp + 8),
                                           .window = (uint16_t)get16(tcp + 14),
                                           .flags = tcp[13],
                                           .options = span_of(tcp + TCP, tcp_head - TCP),
                                           .payload = span_of(tcp + tcp_head, len - tcp_head)};
    return true;
}
