/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stack in user space: neighbours, addresses, and how a connection begins. */
#include "net/stack_lwip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/lwip_server.h"

#define HEAD HAL_FRAME_HEAD_BYTES

/* --- neighbours and addresses --- */

static void stack_lwip_answers_arp_for_its_own_address_alone(void **state)
{
    struct lwip_box *const f = *state;
    const struct frames_frame ours = frames_arp_request(&lwip_box_them, lwip_box_end.ip);
    const struct frames_frame other = frames_arp_request(&lwip_box_them, (const uint8_t[]){192, 0, 2, 3});
    struct span frame = SPAN_NONE;

    lwip_box_give(f, &other);
    assert_int_equal(sim_frame_take(f->cable, &frame), ERR_AGAIN);
    lwip_box_give(f, &ours);

    assert_int_equal(sim_frame_take(f->cable, &frame), ERR_OK);
    assert_memory_equal(frame.data, lwip_box_them.card, 6);
    assert_memory_equal(frame.data + HEAD + 6, "\0\2", 2);
    assert_memory_equal(frame.data + HEAD + 8, lwip_box_end.card, 6);
    assert_memory_equal(frame.data + HEAD + 14, lwip_box_end.ip, 4);
}

static void stack_lwip_answers_a_neighbour_solicitation(void **state)
{
    struct lwip_box *const f = *state;
    const struct frames_frame question = frames_neighbour_solicitation(&lwip_box_them, &lwip_box_end);
    struct span frame = SPAN_NONE;

    lwip_box_give(f, &question);

    assert_int_equal(sim_frame_take(f->cable, &frame), ERR_OK);
    assert_memory_equal(frame.data, lwip_box_them.card, 6);
    assert_int_equal(frame.data[HEAD + 40], 136); /* an advertisement */
    assert_memory_equal(frame.data + HEAD + 40 + 8, lwip_box_end.ip6, 16);
}

static void stack_lwip_tells_its_addresses(void **state)
{
    struct lwip_box *const f = *state;

    assert_int_equal(f->address_count, 2);
    assert_int_equal(f->addresses[0].family, SOCKET_IPV4);
    assert_memory_equal(f->addresses[0].ip, lwip_box_end.ip, 4);
    assert_int_equal(f->addresses[1].family, SOCKET_IPV6);
    assert_memory_equal(f->addresses[1].ip, lwip_box_end.ip6, 16);
}

/* An address that another host holds is not used. RFC 4862 section 5.4.4. */
static void stack_lwip_does_not_take_an_ipv6_address_that_another_has(void **state)
{
    struct lwip_box *const f = *state;
    static const struct stack_lwip_options addresses = {
        .has_ipv4 = true,
        .ipv4 = {.family = SOCKET_IPV4, .ip = {192, 0, 2, 2}},
        .ipv4_prefix = 24,
        .has_ipv6 = true,
        .ipv6 = {.family = SOCKET_IPV6, .ip = {0x20, 1, 0xd, 0xb8, [15] = 2}},
    };
    struct frames_end asking = lwip_box_them;
    memset(asking.ip6, 0, 16); /* it asks for the same address, from nowhere */
    struct frames_frame question = frames_neighbour_solicitation(&asking, &lwip_box_end);
    question.len -= 8; /* without its card, as the standard says */
    question.bytes[HEAD + 5] = 24;
    lwip_box_open(f, &addresses);
    lwip_box_pass_ms(f, 1500); /* it has asked, and waits for an answer */

    uint8_t *const icmp = question.bytes + HEAD + 40;
    memset(icmp + 2, 0, 2);
    uint32_t sum = 58 + 24;
    for (size_t i = 8; i < 40; i += 2) {
        sum += (uint32_t)(question.bytes[HEAD + i] << 8 | question.bytes[HEAD + i + 1]);
    }
    for (size_t i = 0; i < 24; i += 2) {
        sum += (uint32_t)(icmp[i] << 8 | icmp[i + 1]);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    icmp[2] = (uint8_t)(sum >> 8);
    icmp[3] = (uint8_t)sum;
    lwip_box_give(f, &question);
    lwip_box_pass_ms(f, 5000);

    assert_int_equal(f->address_count, 1);
    assert_int_equal(f->addresses[0].family, SOCKET_IPV4);
}

/* An answer of a DHCP server to what the stack last asked. RFC 2131. */
static struct frames_frame dhcp_answer(struct span question, uint8_t kind)
{
    const struct frames_end server = {.card = {2, 0, 0, 0, 0, 1}, .ip = {192, 0, 2, 1}, .port = 67};
    const struct frames_end client = {.card = {2, 0, 0, 0, 0, 2}, .ip = {192, 0, 2, 77}, .port = 68};
    uint8_t body[280] = {2, 1, 6, 0};
    static const uint8_t cookie[] = {0x63, 0x82, 0x53, 0x63};
    const uint8_t options[] = {53, 1, kind, 54, 4, 192, 0, 2, 1, 51, 4, 0, 0, 14, 16, 1, 4, 255, 255, 255, 0, 3, 4, 192, 0, 2, 1,
                               6, 4, 192, 0, 2, 1, 255};

    memcpy(body + 4, question.data + HEAD + 28 + 4, 4); /* the transaction */
    memcpy(body + 16, client.ip, 4);
    memcpy(body + 28, client.card, 6);
    memcpy(body + 236, cookie, sizeof cookie);
    memcpy(body + 240, options, sizeof options);
    return frames_udp(&server, &client, span_array(body));
}

static struct span next_dhcp(struct lwip_box *f)
{
    struct span frame = SPAN_NONE;

    while (sim_frame_take(f->cable, &frame) == ERR_OK) {
        if (frame.len > HEAD + 28 + 240 && frame.data[HEAD + 9] == 17) {
            return frame;
        }
    }
    return SPAN_NONE;
}

static void stack_lwip_gets_its_address_by_dhcp(void **state)
{
    struct lwip_box *const f = *state;
    static const struct stack_lwip_options none = {.has_ipv4 = false};
    lwip_box_open(f, &none);
    lwip_box_pass_ms(f, 500);
    const struct span discover = next_dhcp(f);
    assert_non_null(discover.data);

    const struct frames_frame offer = dhcp_answer(discover, 2);
    lwip_box_give(f, &offer);
    const struct span request = next_dhcp(f);
    assert_non_null(request.data);
    const struct frames_frame ack = dhcp_answer(request, 5);
    lwip_box_give(f, &ack);
    lwip_box_pass_ms(f, 200);

    assert_int_equal(f->address_count, 1);
    assert_memory_equal(f->addresses[0].ip, "\xc0\x00\x02\x4d", 4);
}

static void ignore(struct stack_lwip_lookup *lookup, const struct socket_address *address)
{
    (void)lookup;
    (void)address;
}

static void stack_lwip_asks_the_name_server_that_dhcp_names(void **state)
{
    struct lwip_box *const f = *state;
    static const struct stack_lwip_options none = {.has_ipv4 = false};
    struct stack_lwip_lookup lookup = {.done = ignore};
    struct lwip_server_datagram question;
    lwip_box_open(f, &none);
    lwip_box_pass_ms(f, 500);
    const struct frames_frame offer = dhcp_answer(next_dhcp(f), 2);
    lwip_box_give(f, &offer);
    const struct frames_frame ack = dhcp_answer(next_dhcp(f), 5);
    lwip_box_give(f, &ack);
    lwip_box_pass_ms(f, 200);
    const struct frames_frame arp = frames_arp_request(&lwip_box_them, f->addresses[0].ip);
    lwip_box_give(f, &arp); /* so the server's card is known */
    lwip_box_forget_sent(f);

    assert_int_equal(stack_lwip_resolve(f->stack, span_lit("dhcp.example"), &lookup), ERR_OK);
    lwip_box_turn(f);

    assert_true(lwip_server_next_datagram(f, &question));
    assert_int_equal(question.to, LWIP_SERVER_NAME_PORT);
    stack_lwip_forget(&lookup);
}

static void stack_lwip_is_one_in_a_process(void **state)
{
    struct lwip_box *const f = *state;
    const struct stack_lwip_options options = {.loop = f->loop, .slab = f->slab};
    struct sim_frame *cable = NULL;
    struct stack *second = NULL;
    assert_int_equal(sim_frame_new(lwip_box_end.card, &cable), ERR_OK);

    const enum err got = stack_lwip_new(&options, sim_frame_hal(cable), &second);

    assert_int_equal(got, ERR_STATE);
    assert_null(second);
}

/* --- the beginning of a connection --- */

static void stack_lwip_offers_window_scaling_and_sack(void **state)
{
    struct lwip_box *const f = *state;
    struct lwip_client client = {.end = lwip_box_them, .sequence = 1000};

    const struct frames_segment answer = lwip_box_begin(f, &client);

    assert_int_equal(answer.flags, FRAMES_SYN | FRAMES_ACK);
    assert_int_equal(answer.acknowledged, 1001);
    bool scale = false;
    bool sack = false;
    for (size_t i = 0; i < answer.options.len;) {
        const uint8_t kind = answer.options.data[i];
        scale = scale || (kind == 3 && answer.options.data[i + 2] > 0);
        sack = sack || kind == 4;
        assert_int_not_equal(kind, 8); /* timestamps tell how long the box runs */
        i += kind <= 1 ? 1 : answer.options.data[i + 1];
    }
    assert_true(scale);
    assert_true(sack);
    lwip_box_acknowledge(f, &client);
    assert_non_null(f->socket);
    assert_int_equal(f->peer.port, lwip_box_them.port);
    assert_memory_equal(f->peer.ip, lwip_box_them.ip, 4);
}

static void stack_lwip_takes_connections_over_ipv6(void **state)
{
    struct lwip_box *const f = *state;
    const struct frames_segment syn = {.sequence = 1, .flags = FRAMES_SYN, .window = 1000};
    const struct frames_frame first = frames_tcp6(&lwip_box_them, &lwip_box_end, &syn);

    lwip_box_give(f, &first);
    const struct frames_segment answer = lwip_box_next_segment(f);
    const struct frames_segment ack = {.sequence = 2, .acknowledged = answer.sequence + 1, .flags = FRAMES_ACK, .window = 1000};
    const struct frames_frame second = frames_tcp6(&lwip_box_them, &lwip_box_end, &ack);
    lwip_box_give(f, &second);

    assert_int_equal(answer.flags, FRAMES_SYN | FRAMES_ACK);
    assert_non_null(f->socket);
    assert_int_equal(f->peer.family, SOCKET_IPV6);
    assert_memory_equal(f->peer.ip, lwip_box_them.ip6, 16);
}

static void connect_over_ipv6(struct lwip_box *f, uint16_t port)
{
    const struct frames_segment syn = {.sequence = 1, .flags = FRAMES_SYN, .window = 1000};
    struct frames_end from = lwip_box_them;
    from.port = port;

    const struct frames_frame first = frames_tcp6(&from, &lwip_box_end, &syn);
    lwip_box_give(f, &first);
    const struct frames_segment answer = lwip_box_next_segment(f);
    const struct frames_segment ack = {.sequence = 2, .acknowledged = answer.sequence + 1, .flags = FRAMES_ACK, .window = 1000};
    const struct frames_frame second = frames_tcp6(&from, &lwip_box_end, &ack);
    lwip_box_give(f, &second);
    lwip_box_forget_sent(f);
}

/* That the path to them takes so many bytes: RFC 4443 section 3.2. */
static struct frames_frame too_big(uint8_t mtu)
{
    struct frames_frame frame = frames_neighbour_solicitation(&lwip_box_them, &lwip_box_end);
    uint8_t *const ip = frame.bytes + HEAD;
    uint32_t sum = 58 + 48;

    memcpy(frame.bytes, lwip_box_end.card, 6);
    memcpy(ip + 24, lwip_box_end.ip6, 16);
    memset(ip + 40, 0, 48);
    ip[5] = 48;
    ip[40] = 2;
    ip[47] = mtu;
    ip[48] = 0x60;
    memcpy(ip + 48 + 24, lwip_box_them.ip6, 16);
    for (size_t i = 8; i < 88; i += 2) {
        sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    ip[42] = (uint8_t)(sum >> 8);
    ip[43] = (uint8_t)sum;
    frame.len = HEAD + 88;
    return frame;
}

static void attack_13_stack_lwip_does_not_believe_in_a_path_that_takes_nothing(void **state)
{
    struct lwip_box *const f = *state;
    const struct frames_frame acquaintance = frames_neighbour_solicitation(&lwip_box_them, &lwip_box_end);
    const struct frames_frame narrow = too_big(60);
    size_t sent = 0;
    lwip_box_give(f, &acquaintance);
    connect_over_ipv6(f, 4000);
    assert_int_equal(f->stack->ops->send(f->socket, span_lit("first"), &sent), ERR_OK);

    lwip_box_give(f, &narrow);
    lwip_box_forget_sent(f);
    connect_over_ipv6(f, 4001);

    assert_int_equal(f->stack->ops->send(f->socket, span_lit("second"), &sent), ERR_OK);
    assert_true(span_equal(lwip_box_next_segment(f).payload, span_lit("second")));
}

static void stack_lwip_refuses_a_port_where_nobody_listens(void **state)
{
    struct lwip_box *const f = *state;
    struct frames_end other = lwip_box_end;
    const struct frames_segment syn = {.sequence = 1, .flags = FRAMES_SYN, .window = 1000};
    struct frames_segment answer = {.flags = 0};
    struct span sent = SPAN_NONE;
    uint16_t from = 0;
    uint16_t to = 0;
    other.port = 22;

    const struct frames_frame frame = frames_tcp(&lwip_box_them, &other, &syn);
    lwip_box_give(f, &frame);

    assert_int_equal(sim_frame_take(f->cable, &sent), ERR_OK);
    assert_true(frames_read_tcp(sent, &from, &to, &answer));
    assert_int_equal(answer.flags & FRAMES_RST, FRAMES_RST);
}

/* RFC 6528: the same four numbers get one that has gone on by the clock; others get what cannot be foretold from it. */
static void stack_lwip_draws_sequence_numbers_by_rfc_6528(void **state)
{
    struct lwip_box *const f = *state;
    struct lwip_client first = {.end = lwip_box_them, .sequence = 1000};
    struct lwip_client again = {.end = lwip_box_them, .sequence = 5000};
    struct lwip_client other = {.end = lwip_box_them, .sequence = 1000};
    other.end.port = 4001;

    const uint32_t one = lwip_box_begin(f, &first).sequence;
    const struct frames_segment reset = {.sequence = first.sequence, .flags = FRAMES_RST, .window = 0};
    lwip_box_give_segment(f, &first, &reset);
    sim_clock_advance_ms(&f->clock, 20); /* less than a tick: only the clock of the numbers goes on */
    lwip_box_turn(f);
    const uint32_t two = lwip_box_begin(f, &again).sequence;
    const uint32_t three = lwip_box_begin(f, &other).sequence;

    assert_int_equal(two - one, 20 * 250);
    assert_true(three - two > 1000000 || three - two < 1);
}

static void stack_lwip_refuses_wrong_sums_unless_the_card_has_looked(void **state)
{
    struct lwip_box *const f = *state;
    const struct frames_segment syn = {.sequence = 1, .flags = FRAMES_SYN, .window = 1000};
    struct frames_frame frame = frames_tcp(&lwip_box_them, &lwip_box_end, &syn);
    frame.bytes[HEAD + 20 + 16] ^= 1;

    lwip_box_give(f, &frame);
    assert_int_equal(lwip_box_next_segment(f).flags, 0);
    sim_frame_give(f->cable, frames_view(&frame), HAL_FRAME_SUMS_GOOD);
    lwip_box_turn(f);

    assert_int_equal(lwip_box_next_segment(f).flags, FRAMES_SYN | FRAMES_ACK);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, lwip_box_set_up, lwip_box_tear_down)
#define BARE(test) cmocka_unit_test_setup_teardown(test, lwip_box_bare, lwip_box_tear_down)
    const struct CMUnitTest tests[] = {
        WITH(stack_lwip_answers_arp_for_its_own_address_alone),
        WITH(stack_lwip_answers_a_neighbour_solicitation),
        WITH(stack_lwip_tells_its_addresses),
        BARE(stack_lwip_does_not_take_an_ipv6_address_that_another_has),
        BARE(stack_lwip_gets_its_address_by_dhcp),
        BARE(stack_lwip_asks_the_name_server_that_dhcp_names),
        WITH(stack_lwip_is_one_in_a_process),
        WITH(stack_lwip_offers_window_scaling_and_sack),
        WITH(stack_lwip_takes_connections_over_ipv6),
        WITH(attack_13_stack_lwip_does_not_believe_in_a_path_that_takes_nothing),
        WITH(stack_lwip_refuses_a_port_where_nobody_listens),
        WITH(stack_lwip_draws_sequence_numbers_by_rfc_6528),
        WITH(stack_lwip_refuses_wrong_sums_unless_the_card_has_looked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
