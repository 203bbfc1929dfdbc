/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "net/ingress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/frames.h"

#define IP 14u /* where the packet begins */

static const struct frames_end them = {.card = {2, 0, 0, 0, 0, 1}, .ip = {192, 0, 2, 1}, .ip6 = {0x20, 1, 0xd, 0xb8, [15] = 1}, .port = 4000};
static const struct frames_end us = {.card = {2, 0, 0, 0, 0, 2}, .ip = {192, 0, 2, 2}, .ip6 = {0x20, 1, 0xd, 0xb8, [15] = 2}, .port = 443};
static const struct frames_segment syn = {.sequence = 1, .flags = FRAMES_SYN, .window = 1000};

static bool expects_nothing(const struct socket_address *from, uint16_t to_port)
{
    return false;
}

/* Answers of a time server, 192.0.2.1 or 2001:db8::1, to a question from port 5000. */
static bool expects_time(const struct socket_address *from, uint16_t to_port)
{
    const struct span ip = from->family == SOCKET_IPV4 ? span_of(them.ip, 4) : span_of(them.ip6, 16);

    return from->port == 123 && to_port == 5000 && memcmp(from->ip, ip.data, ip.len) == 0;
}

static bool permits(const struct frames_frame *frame)
{
    return ingress_permits(frames_view(frame), us.card, expects_nothing);
}

static void ingress_permits_what_honest_neighbours_send(void **state)
{
    const struct frames_end server = {.card = {2, 0, 0, 0, 0, 1}, .ip = {192, 0, 2, 1}, .port = 67};
    const struct frames_end client = {.card = {2, 0, 0, 0, 0, 2}, .ip = {192, 0, 2, 2}, .port = 68};
    const struct frames_frame frames[] = {frames_tcp(&them, &us, &syn), frames_tcp6(&them, &us, &syn),
                                          frames_arp_request(&them, us.ip), frames_icmp_echo(&them, &us),
                                          frames_neighbour_solicitation(&them, &us),
                                          frames_udp(&server, &client, span_lit("offer"))};

    for (size_t i = 0; i < ARRAY_LENGTH(frames); i++) {
        assert_true(permits(&frames[i]));
    }
}

/* Nothing behind a cut is read: each copy ends where its memory ends. */
static void ingress_refuses_every_frame_that_is_cut(void **state)
{
    const struct frames_frame frames[] = {frames_tcp(&them, &us, &syn), frames_tcp6(&them, &us, &syn),
                                          frames_arp_request(&them, us.ip), frames_neighbour_solicitation(&them, &us)};

    for (size_t i = 0; i < ARRAY_LENGTH(frames); i++) {
        for (size_t len = 0; len < frames[i].len; len++) {
            uint8_t *const copy = test_malloc(len == 0 ? 1 : len);
            memcpy(copy, frames[i].bytes, len);

            assert_false(ingress_permits(span_of(copy, len), us.card, expects_nothing));
            test_free(copy);
        }
    }
}

static void ingress_refuses_a_frame_that_is_too_long(void **state)
{
    static uint8_t bytes[HAL_FRAME_BYTES_MAX + 1];
    const struct frames_frame frame = frames_tcp(&them, &us, &syn);

    memcpy(bytes, frame.bytes, frame.len);

    assert_true(ingress_permits(span_of(bytes, HAL_FRAME_BYTES_MAX), us.card, expects_nothing));
    assert_false(ingress_permits(span_of(bytes, HAL_FRAME_BYTES_MAX + 1), us.card, expects_nothing));
}

/* A change of one byte or a few, at a place of the frame. */
struct change {
    size_t at;
    size_t len;
    const char *bytes;
};

static void refuses_each(const struct frames_frame *good, const struct change *changes, size_t count)
{
    assert_true(permits(good));
    for (size_t i = 0; i < count; i++) {
        struct frames_frame frame = *good;

        memcpy(frame.bytes + changes[i].at, changes[i].bytes, changes[i].len);
        if (permits(&frame)) {
            fail_msg("change %zu at %zu is let in", i, changes[i].at);
        }
    }
}

static void ingress_refuses_cards_and_types_that_cannot_be(void **state)
{
    static const struct change changes[] = {
        {0, 6, "\x02\x00\x00\x00\x00\x03"},       /* to somebody else */
        {6, 6, "\x02\x00\x00\x00\x00\x02"},       /* from ourselves */
        {6, 1, "\x03"},                           /* from many */
        {6, 6, "\x00\x00\x00\x00\x00\x00"},       /* from nobody */
        {12, 2, "\x81\x00"}, {12, 2, "\x88\xa8"}, /* VLAN tags */
        {12, 2, "\x88\xcc"}, {12, 2, "\x00\x2e"}, /* LLDP; IEEE 802.3 */
        {0, 6, "\xff\xff\xff\xff\xff\xff"},       /* TCP to all */
    };
    const struct frames_frame good = frames_tcp(&them, &us, &syn);

    refuses_each(&good, changes, ARRAY_LENGTH(changes));
}

static void ingress_refuses_ipv4_packets_that_cannot_be(void **state)
{
    static const struct change changes[] = {
        {IP, 1, "\x46"},      {IP, 1, "\x44"}, {IP, 1, "\x65"},               /* options, a short header, another version */
        {IP + 2, 2, "\x00\x13"}, {IP + 2, 2, "\x7f\xff"},                     /* shorter than a header, longer than the frame */
        {IP + 12, 4, "\x7f\x00\x00\x01"}, {IP + 12, 4, "\x00\x00\x00\x00"},   /* from loopback, from nobody */
        {IP + 12, 4, "\xe0\x00\x00\x01"}, {IP + 12, 4, "\xff\xff\xff\xff"},   /* from many, from all */
        {IP + 12, 4, "\xf0\x00\x00\x01"}, {IP + 12, 4, "\xc0\x00\x02\x02"},   /* reserved, from ourselves */
        {IP + 16, 4, "\x7f\x00\x00\x01"}, {IP + 16, 4, "\x00\x00\x00\x00"},   /* to loopback, to nobody */
        {IP + 9, 1, "\x11"},                                                  /* UDP of other ports */
    };
    const struct frames_frame good = frames_tcp(&them, &us, &syn);

    refuses_each(&good, changes, ARRAY_LENGTH(changes));
}

static void ingress_refuses_ipv6_packets_that_cannot_be(void **state)
{
    static const struct change changes[] = {
        {IP, 1, "\x40"},                                 /* another version */
        {IP + 4, 2, "\x7f\xff"},                         /* longer than the frame */
        {IP + 8, 1, "\xff"},                             /* from many */
        {IP + 8, 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"}, /* from loopback */
        {IP + 8, 16, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"}, /* from IPv4 in disguise */
        {IP + 8, 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"}, /* TCP from nobody */
        {IP + 24, 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"}, /* to loopback */
        {IP + 24, 1, "\xff"},                            /* TCP to many */
        {IP + 23, 1, "\x02"},                            /* from ourselves */
        {IP + 6, 1, "\x11"},                             /* UDP */
    };
    const struct frames_frame good = frames_tcp6(&them, &us, &syn);

    refuses_each(&good, changes, ARRAY_LENGTH(changes));
}

static void ingress_refuses_arp_that_speaks_for_another(void **state)
{
    static const struct change changes[] = {
        {IP + 8, 6, "\x02\x00\x00\x00\x00\x09"},                            /* another card than the frame's */
        {IP + 1, 1, "\x06"}, {IP + 3, 1, "\x01"}, {IP + 4, 1, "\x08"}, {IP + 5, 1, "\x10"}, /* not IPv4 over Ethernet */
        {IP + 14, 4, "\xe0\x00\x00\x01"}, {IP + 14, 4, "\xff\xff\xff\xff"}, /* an address that no host has */
    };
    const struct frames_frame good = frames_arp_request(&them, us.ip);

    refuses_each(&good, changes, ARRAY_LENGTH(changes));
}

static void ingress_permits_a_question_whether_an_address_is_free(void **state)
{
    struct frames_frame arp = frames_arp_request(&them, us.ip);
    struct frames_frame solicitation = frames_neighbour_solicitation(&them, &us);

    memset(arp.bytes + IP + 14, 0, 4);
    memset(solicitation.bytes + IP + 8, 0, 16);

    assert_true(permits(&arp));
    assert_true(permits(&solicitation));
}

static void ingress_refuses_fragments_of_udp(void **state)
{
    const struct frames_end server = {.card = {2, 0, 0, 0, 0, 1}, .ip = {192, 0, 2, 1}, .port = 67};
    const struct frames_end client = {.card = {2, 0, 0, 0, 0, 2}, .ip = {192, 0, 2, 2}, .port = 68};
    static const struct change changes[] = {{IP + 6, 2, "\x20\x00"}, {IP + 6, 2, "\x00\x01"}};
    const struct frames_frame good = frames_udp(&server, &client, span_lit("offer"));

    refuses_each(&good, changes, ARRAY_LENGTH(changes));
}

static struct frames_frame time_of(uint16_t from, uint16_t to)
{
    struct frames_end server = them;
    struct frames_end client = us;

    server.port = from;
    client.port = to;
    return frames_udp(&server, &client, span_lit("noon"));
}

static void ingress_permits_the_datagrams_that_somebody_waits_for(void **state)
{
    const struct frames_frame good = time_of(123, 5000);
    const struct frames_frame other_port = time_of(124, 5000);
    const struct frames_frame nobody = time_of(123, 5001);
    struct frames_frame other_host = good;
    struct frames_frame to_many = good;
    other_host.bytes[IP + 15] ^= 1;
    memset(to_many.bytes, 0xff, 6);

    assert_true(ingress_permits(frames_view(&good), us.card, expects_time));
    assert_false(ingress_permits(frames_view(&good), us.card, expects_nothing));
    assert_false(ingress_permits(frames_view(&other_port), us.card, expects_time));
    assert_false(ingress_permits(frames_view(&nobody), us.card, expects_time));
    assert_false(ingress_permits(frames_view(&other_host), us.card, expects_time));
    assert_false(ingress_permits(frames_view(&to_many), us.card, expects_time));
}

/* As a TCP segment has its ports where a datagram has them, only the protocol is another. */
static void ingress_permits_datagrams_over_ipv6_by_the_same_rule(void **state)
{
    struct frames_end server = them;
    struct frames_end client = us;
    server.port = 123;
    client.port = 5000;
    struct frames_frame good = frames_tcp6(&server, &client, &syn);
    good.bytes[IP + 6] = 17;
    struct frames_frame other = good;
    other.bytes[IP + 8 + 15] ^= 2;

    assert_true(ingress_permits(frames_view(&good), us.card, expects_time));
    assert_false(ingress_permits(frames_view(&good), us.card, expects_nothing));
    assert_false(ingress_permits(frames_view(&other), us.card, expects_time));
    for (size_t len = 0; len < IP + 48; len++) {
        assert_false(ingress_permits(span_of(good.bytes, len), us.card, expects_time));
    }
}

/* An IPv6 packet of them with so many bytes behind its header. */
static struct frames_frame packet_of(uint8_t next, const uint8_t *body, size_t len)
{
    struct frames_frame frame = frames_tcp6(&them, &us, &syn);

    frame.bytes[IP + 4] = 0;
    frame.bytes[IP + 5] = (uint8_t)len;
    frame.bytes[IP + 6] = next;
    memcpy(frame.bytes + IP + 40, body, len);
    frame.len = IP + 40 + len;
    return frame;
}

/* Anybody can send one, for any connection. RFC 8201 section 4: no estimate is below 1280. */
static void attack_13_ingress_refuses_paths_that_are_too_narrow(void **state)
{
    static const struct {
        uint8_t mtu[4];
        bool permitted;
    } cases[] = {{{0, 0, 0, 0}, false},      {{0, 0, 0, 60}, false},  {{0, 0, 4, 255}, false},
                 {{0, 0, 5, 0}, true},       {{0, 0, 5, 220}, true},  {{0, 1, 0, 0}, true},
                 {{255, 255, 255, 255}, true}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint8_t bare[48] = {2, 0, 0, 0};
        uint8_t behind[56] = {58, 0, 5, 2, 0, 0, 1, 0, 2};
        memcpy(bare + 4, cases[i].mtu, 4);
        memcpy(behind + 12, cases[i].mtu, 4);
        const struct frames_frame direct = packet_of(58, bare, sizeof bare);
        const struct frames_frame hops = packet_of(0, behind, sizeof behind);

        assert_int_equal(permits(&direct), cases[i].permitted);
        assert_int_equal(permits(&hops), cases[i].permitted);
    }
}

static void ingress_refuses_headers_of_ipv6_behind_which_nothing_is_looked_at(void **state)
{
    static const struct {
        uint8_t next;
        uint8_t body[16];
        size_t len;
        bool permitted;
    } cases[] = {
        {58, {128}, 8, true},          {58, {128}, 7, false},     /* an echo */
        {0, {58, 0, 5, 2, 0, 0, 1, 0, 130}, 16, true},            /* a query for groups */
        {0, {58, 1}, 16, false},       {0, {58, 2}, 16, false},   /* which ends with its options, or sooner */
        {0, {58}, 7, false},           {0, {6}, 16, false},       {0, {60}, 16, false},
        {43, {58}, 16, false},         {60, {58}, 16, false},     {60, {6}, 16, false},
        {44, {6}, 16, true},           {44, {58}, 16, false},     {44, {17}, 16, false},
        {44, {6}, 7, false},           {59, {0}, 8, false},       {50, {0}, 8, false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct frames_frame frame = packet_of(cases[i].next, cases[i].body, cases[i].len);
        if (permits(&frame) != cases[i].permitted) {
            fail_msg("case %zu", i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ingress_permits_what_honest_neighbours_send),
        cmocka_unit_test(ingress_refuses_every_frame_that_is_cut),
        cmocka_unit_test(ingress_refuses_a_frame_that_is_too_long),
        cmocka_unit_test(ingress_refuses_cards_and_types_that_cannot_be),
        cmocka_unit_test(ingress_refuses_ipv4_packets_that_cannot_be),
        cmocka_unit_test(ingress_refuses_ipv6_packets_that_cannot_be),
        cmocka_unit_test(ingress_refuses_arp_that_speaks_for_another),
        cmocka_unit_test(ingress_permits_a_question_whether_an_address_is_free),
        cmocka_unit_test(ingress_refuses_fragments_of_udp),
        cmocka_unit_test(attack_13_ingress_refuses_paths_that_are_too_narrow),
        cmocka_unit_test(ingress_refuses_headers_of_ipv6_behind_which_nothing_is_looked_at),
        cmocka_unit_test(ingress_permits_the_datagrams_that_somebody_waits_for),
        cmocka_unit_test(ingress_permits_datagrams_over_ipv6_by_the_same_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
