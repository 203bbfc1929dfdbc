/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Offsets are those of the formats; each function looks at the length before it looks at a byte. Fragments go on: the
 * stack puts a few of them together, and looks at the result itself. */
#include "net/ingress.h"

#include <stddef.h>
#include <string.h>

#define TYPE_IPV4        0x0800u
#define TYPE_ARP         0x0806u
#define TYPE_IPV6        0x86ddu
#define ARP_BYTES        28u
#define IPV4_BYTES       20u
#define IPV6_BYTES       40u
#define UDP_BYTES        8u
#define PROTOCOL_TCP     6u
#define PROTOCOL_UDP     17u
#define PROTOCOL_ICMPV6  58u
#define HEADER_HOPS      0u /* options for each hop: queries for groups have one */
#define HEADER_FRAGMENT  44u
#define EXTENSION_BYTES  8u /* at least, and in steps of so many */
#define ICMPV6_BYTES     8u
#define PACKET_TOO_BIG   2u
#define IPV6_MTU_MIN     1280u
#define PORT_DHCP_SERVER 67u
#define PORT_DHCP_CLIENT 68u
#define MAC_BYTES        HAL_FRAME_MAC_BYTES

static unsigned int u16_at(struct span bytes, size_t at)
{
    return ((unsigned int)bytes.data[at] << 8) | bytes.data[at + 1];
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    unsigned int any = 0;

    for (size_t i = 0; i < len; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

/* An address that one host can have, on some network: not "this host", loopback, multicast, reserved or broadcast. */
static bool is_host_ipv4(const uint8_t address[4])
{
    return address[0] != 0 && address[0] != 127 && address[0] < 224;
}

static bool permits_arp(struct span body, const uint8_t *from)
{
    static const uint8_t kind[] = {0, 1, 8, 0, 6, 4}; /* IPv4 over Ethernet */

    if (body.len < ARP_BYTES || memcmp(body.data, kind, sizeof(kind)) != 0) {
        return false;
    }
    const uint8_t *const sender_card = body.data + 8;
    const uint8_t *const sender = body.data + 14;

    /* Zero: somebody asks whether an address is free (RFC 5227). */
    return memcmp(sender_card, from, MAC_BYTES) == 0 && (is_zero(sender, 4) || is_host_ipv4(sender));
}

static bool permits_udp(struct span body, struct socket_address *from, ingress_expects *expects)
{
    if (body.len < UDP_BYTES) {
        return false;
    }
    from->port = (uint16_t)u16_at(body, 0);
    return expects(from, (uint16_t)u16_at(body, 2));
}

static bool is_dhcp_answer(struct span body)
{
    return body.len >= UDP_BYTES && u16_at(body, 0) == PORT_DHCP_SERVER && u16_at(body, 2) == PORT_DHCP_CLIENT;
}

static bool permits_ipv4_udp(struct span body, const uint8_t ip[4], bool to_many, ingress_expects *expects)
{
    struct socket_address from = {.family = SOCKET_IPV4};

    memcpy(from.ip, ip, 4);
    return is_dhcp_answer(body) || (!to_many && permits_udp(body, &from, expects));
}

static bool permits_ipv4(struct span body, bool to_many, ingress_expects *expects)
{
    if (body.len < IPV4_BYTES || body.data[0] != 0x45) { /* version 4, no options */
        return false;
    }
    const size_t total = u16_at(body, 2);
    const unsigned int fragment = u16_at(body, 6) & 0x3fffu; /* more of them, or not the first */
    const uint8_t protocol = body.data[9];
    const uint8_t *const from = body.data + 12;
    const uint8_t *const to = body.data + 16;

    if (total < IPV4_BYTES || total > body.len || !is_host_ipv4(from) || to[0] == 127 || to[0] == 0 ||
        memcmp(from, to, 4) == 0) {
        return false;
    }
    if (protocol == PROTOCOL_UDP) {
        return fragment == 0 &&
               permits_ipv4_udp(span_of(body.data + IPV4_BYTES, total - IPV4_BYTES), from, to_many, expects);
    }
    return protocol != PROTOCOL_TCP || !to_many; /* TCP has one receiver */
}

/* Unspecified: a neighbour asks whether an address is free (RFC 4862). Not loopback, multicast, or IPv4 in disguise. */
static bool is_source_ipv6(const uint8_t address[16])
{
    if (address[0] == 0xff) {
        return false;
    }
    return !is_zero(address, 10) || is_zero(address, 16);
}

static bool permits_ipv6_udp(struct span body, const uint8_t ip[16], ingress_expects *expects)
{
    struct socket_address from = {.family = SOCKET_IPV6};

    memcpy(from.ip, ip, sizeof(from.ip));
    return permits_udp(body, &from, expects);
}

/* A path narrower than IPv6 allows there is not, and lwIP believes in one: segments of no bytes would be all it sends there. */
static bool permits_icmpv6(struct span body)
{
    if (body.len < ICMPV6_BYTES) {
        return false;
    }
    return body.data[0] != PACKET_TOO_BIG || u16_at(body, 4) != 0 || u16_at(body, 6) >= IPV6_MTU_MIN;
}

/* What is neither TCP nor UDP at once. Behind a header that nobody needs there could be anything. */
static bool permits_ipv6_other(struct span body, unsigned int next)
{
    if (next == PROTOCOL_ICMPV6) {
        return permits_icmpv6(body);
    }
    if (body.len < EXTENSION_BYTES) {
        return false;
    }
    if (next == HEADER_FRAGMENT) {
        return body.data[0] == PROTOCOL_TCP;
    }
    const size_t hops = ((size_t)body.data[1] + 1) * EXTENSION_BYTES;

    return next == HEADER_HOPS && body.data[0] == PROTOCOL_ICMPV6 && hops <= body.len &&
           permits_icmpv6(span_of(body.data + hops, body.len - hops));
}

static bool permits_ipv6(struct span body, bool to_many, ingress_expects *expects)
{
    if (body.len < IPV6_BYTES || (body.data[0] >> 4) != 6) {
        return false;
    }
    const size_t payload = u16_at(body, 4);
    const uint8_t next = body.data[6];
    const uint8_t *const from = body.data + 8;
    const uint8_t *const to = body.data + 24;

    if (payload > body.len - IPV6_BYTES || !is_source_ipv6(from) || is_zero(to, 10)) {
        return false;
    }
    if (next != PROTOCOL_TCP && next != PROTOCOL_UDP) {
        return permits_ipv6_other(span_of(body.data + IPV6_BYTES, payload), next);
    }
    const bool has_one_receiver = !to_many && to[0] != 0xff && !is_zero(from, 16) && memcmp(from, to, 16) != 0;

    return has_one_receiver &&
           (next == PROTOCOL_TCP || permits_ipv6_udp(span_of(body.data + IPV6_BYTES, payload), from, expects));
}

bool ingress_permits(struct span frame, const uint8_t own[HAL_FRAME_MAC_BYTES], ingress_expects *expects)
{
    if (frame.len < HAL_FRAME_HEAD_BYTES || frame.len > HAL_FRAME_BYTES_MAX) {
        return false;
    }
    const uint8_t *const to = frame.data;
    const uint8_t *const from = frame.data + MAC_BYTES;
    const bool to_many = (to[0] & 1) != 0;
    const struct span body = span_of(frame.data + HAL_FRAME_HEAD_BYTES, frame.len - HAL_FRAME_HEAD_BYTES);

    if ((!to_many && memcmp(to, own, MAC_BYTES) != 0) || (from[0] & 1) != 0 || memcmp(from, own, MAC_BYTES) == 0 ||
        is_zero(from, MAC_BYTES)) {
        return false;
    }
    switch (u16_at(frame, (size_t)2 * MAC_BYTES)) {
    case TYPE_IPV4:
        return permits_ipv4(body, to_many, expects);
    case TYPE_ARP:
        return permits_arp(body, from);
    case TYPE_IPV6:
        return permits_ipv6(body, to_many, expects);
    default:
        return false;
    }
}
