/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stack in user space: floods, bytes, and how a connection ends. */
#include "net/stack_lwip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/buf.h"
#include "hal/base/config.h"
#include "tests/lib/lwip_box.h"

#define HEAD        HAL_FRAME_HEAD_BYTES
#define BEHIND_GAPS 64u /* segments that lwIP keeps of one connection: TCP_OOSEQ_MAX_PBUFS */

/* --- floods --- */

static struct lwip_client forged(size_t number)
{
    struct lwip_client client = {.end = lwip_box_them, .sequence = 7};

    client.end.ip[0] = 198;
    client.end.ip[1] = 18;
    client.end.ip[2] = (uint8_t)(number >> 8);
    client.end.ip[3] = (uint8_t)number;
    return client;
}

static void attack_13_stack_lwip_forgets_the_oldest_half_open_connection(void **state)
{
    struct lwip_box *const f = *state;
    struct lwip_client oldest = forged(0);
    (void)lwip_box_begin(f, &oldest);
    struct lwip_client kept = forged(1);
    (void)lwip_box_begin(f, &kept);
    for (size_t i = 2; i <= CONFIG_NET_LWIP_HALF_OPEN; i++) {
        struct lwip_client one = forged(i);
        assert_int_equal(lwip_box_begin(f, &one).flags, FRAMES_SYN | FRAMES_ACK);
    }

    const struct stack_lwip_counts counts = stack_lwip_counts(f->stack);
    lwip_box_acknowledge(f, &oldest);
    struct stack_socket *const of_oldest = f->socket;
    lwip_box_acknowledge(f, &kept);

    assert_int_equal(counts.half_open, CONFIG_NET_LWIP_HALF_OPEN + 1);
    assert_int_equal(counts.forgotten, 1);
    assert_null(of_oldest);
    assert_non_null(f->socket);
    assert_int_equal(f->peer.ip[3], 1);
}

/* Neither a question nor a place in the table of neighbours for an address that may be forged. */
static void attack_13_stack_lwip_answers_a_flood_without_asking_for_neighbours(void **state)
{
    struct lwip_box *const f = *state;
    size_t answers = 0;

    for (size_t i = 0; i < 300; i++) {
        struct lwip_client one = {.end = lwip_box_them, .sequence = 1};
        one.end.ip[3] = (uint8_t)(3 + i % 250); /* on this very cable */
        one.end.port = (uint16_t)(1000 + i);
        const struct frames_segment syn = {.sequence = 1, .flags = FRAMES_SYN, .window = 1000};
        lwip_box_give_segment(f, &one, &syn);
    }

    struct span frame = SPAN_NONE;
    while (sim_frame_take(f->cable, &frame) == ERR_OK) {
        assert_memory_equal(frame.data + 12, "\x08\x00", 2); /* not ARP */
        assert_memory_equal(frame.data, lwip_box_them.card, 6);
        answers++;
    }
    assert_int_equal(answers, 300);
}

/* Segments of one byte take a buffer each. */
static void attack_13_stack_lwip_resets_who_fills_all_buffers(void **state)
{
    struct lwip_box *const f = *state;
    struct lwip_client client = lwip_box_connected(f);
    f->reads = false;
    size_t sent = 0;

    for (; sent < CONFIG_NET_LWIP_FRAMES && !f->is_over; sent++) {
        lwip_box_give_bytes(f, &client, sent, 1);
        lwip_box_forget_sent(f);
    }

    assert_true(f->is_over);
    assert_in_range(sent, CONFIG_NET_LWIP_FRAMES / 4 * 3, CONFIG_NET_LWIP_FRAMES / 4 * 3 + 2);
    assert_int_equal(stack_lwip_counts(f->stack).reset_full, 1);
    f->stack->ops->close(f->socket);
    f->socket = NULL;
    client.end.port++;
    client.sequence = 1;
    assert_int_equal(lwip_box_begin(f, &client).flags, FRAMES_SYN | FRAMES_ACK); /* others go on */
    assert_int_equal(stack_lwip_counts(f->stack).no_room, 0);
}

/* One byte, for the next turn. */
static void put_byte(struct lwip_box *f, const struct lwip_client *client, size_t at)
{
    const struct frames_segment segment = {.sequence = client->sequence + (uint32_t)at,
                                           .acknowledged = client->acknowledged,
                                           .flags = FRAMES_ACK,
                                           .window = 64000,
                                           .payload = span_lit("x")};
    const struct frames_frame frame = frames_tcp(&client->end, &lwip_box_end, &segment);

    sim_frame_give(f->cable, frames_view(&frame), HAL_FRAME_SUMS_UNKNOWN);
}

/* A connection of its own that is full of bytes behind gaps; they come in the next turn. */
static void put_behind_gaps(struct lwip_box *f, size_t number)
{
    struct lwip_client one = {.end = lwip_box_them, .sequence = 1};

    one.end.port = (uint16_t)(5000 + number);
    assert_int_equal(lwip_box_begin(f, &one).flags, FRAMES_SYN | FRAMES_ACK);
    lwip_box_acknowledge(f, &one);
    lwip_box_forget_sent(f);
    for (size_t at = 0; at < BEHIND_GAPS; at++) {
        put_byte(f, &one, 2 + 2 * at);
    }
}

/* A segment behind a gap takes a buffer as well, and is read by nobody. */
static void attack_13_stack_lwip_lets_go_of_what_is_behind_gaps(void **state)
{
    struct lwip_box *const f = *state;
    struct lwip_client late = {.end = lwip_box_them, .sequence = 1};
    assert_int_equal(f->stack->ops->watch(f->listening, &f->on_listening, 0), ERR_OK); /* those who come now stay */

    for (size_t i = 0; i < 2 * CONFIG_NET_LWIP_FRAMES / BEHIND_GAPS; i++) {
        put_behind_gaps(f, i);
        lwip_box_turn(f);
        lwip_box_forget_sent(f);
    }

    assert_int_equal(stack_lwip_counts(f->stack).no_room, 0);
    assert_int_equal(lwip_box_begin(f, &late).flags, FRAMES_SYN | FRAMES_ACK);
}

static void attack_13_stack_lwip_does_not_reset_a_slow_reader_for_what_others_left_behind_gaps(void **state)
{
    struct lwip_box *const f = *state;
    const struct lwip_client slow = lwip_box_connected(f);
    const size_t full = CONFIG_NET_LWIP_FRAMES / 4 * 3 / BEHIND_GAPS;
    f->reads = false;
    lwip_box_give_bytes(f, &slow, 0, 1);
    assert_int_equal(f->stack->ops->watch(f->listening, &f->on_listening, 0), ERR_OK);
    for (size_t i = 0; i + 1 < full; i++) {
        put_behind_gaps(f, i);
        lwip_box_turn(f);
        lwip_box_forget_sent(f);
    }

    put_behind_gaps(f, full);
    put_byte(f, &slow, 1); /* in the very turn that they take more than three quarters */
    lwip_box_turn(f);

    assert_int_equal(stack_lwip_counts(f->stack).reset_full, 0);
    assert_false(f->is_over);
}

/* --- bytes --- */

/* A generator of its own: each run shuffles the same. */
static size_t draw(uint32_t *seed, size_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

/* Segments come late, twice, overlapping, or not at all the first time; the stream is what was sent. */
static void stack_lwip_puts_a_stream_together_again(void **state)
{
    struct lwip_box *const f = *state;
    const struct lwip_client client = lwip_box_connected(f);
    uint32_t seed = 1;
    const size_t piece = 700;
    const size_t pieces = LWIP_BOX_STREAM / piece;

    for (size_t base = 0; base < pieces; base += 8) { /* in windows of eight, from behind */
        for (size_t i = 0; i < 32; i++) {
            const size_t one = base + draw(&seed, 8);
            if (one < pieces && draw(&seed, 4) != 0) {
                lwip_box_give_bytes(f, &client, one * piece, draw(&seed, 2) == 0 ? piece : piece / 2);
            }
        }
        for (size_t one = base; one < base + 8 && one < pieces; one++) { /* what got lost comes again */
            lwip_box_give_bytes(f, &client, one * piece, piece);
        }
    }

    lwip_box_assert_stream(f, pieces * piece);
}

static void stack_lwip_says_what_it_has_behind_a_gap(void **state)
{
    struct lwip_box *const f = *state;
    const struct lwip_client client = lwip_box_connected(f);

    lwip_box_give_bytes(f, &client, 1000, 500);

    const struct frames_segment answer = lwip_box_next_segment(f);
    assert_int_equal(answer.acknowledged, client.sequence);
    assert_int_equal(f->got_len, 0);
    bool found = false;
    for (size_t i = 0; i + 1 < answer.options.len;) {
        const uint8_t *const option = answer.options.data + i;
        if (option[0] == 5) { /* RFC 2018 */
            found = true;
            assert_int_equal(get_u32be(option + 2), client.sequence + 1000);
            assert_int_equal(get_u32be(option + 6), client.sequence + 1500);
        }
        i += option[0] <= 1 ? 1 : option[1];
    }
    assert_true(found);
}

static void stack_lwip_sends_again_what_is_not_acknowledged(void **state)
{
    struct lwip_box *const f = *state;
    const struct lwip_client client = lwip_box_connected(f);
    size_t sent = 0;
    assert_int_equal(f->stack->ops->send(f->socket, span_lit("answer"), &sent), ERR_OK);
    assert_int_equal(sent, 6);
    const struct frames_segment first = lwip_box_next_segment(f);
    assert_true(span_equal(first.payload, span_lit("answer")));

    lwip_box_pass_ms(f, 3000);
    const struct frames_segment second = lwip_box_next_segment(f);

    assert_int_equal(first.sequence, client.acknowledged);
    assert_int_equal(second.sequence, first.sequence);
    assert_true(span_equal(second.payload, span_lit("answer")));
}

static void stack_lwip_sends_later_what_the_interface_refused(void **state)
{
    struct lwip_box *const f = *state;
    (void)lwip_box_connected(f);
    size_t sent = 0;
    sim_frame_refuse(f->cable, 1);

    assert_int_equal(f->stack->ops->send(f->socket, span_lit("answer"), &sent), ERR_OK);
    assert_int_equal(lwip_box_next_segment(f).payload.len, 0);
    lwip_box_pass_ms(f, 2000);

    assert_int_equal(lwip_box_next_segment(f).payload.len, 6);
    assert_int_equal(stack_lwip_counts(f->stack).not_sent, 1);
}

static void stack_lwip_takes_no_more_than_its_send_buffer(void **state)
{
    struct lwip_box *const f = *state;
    struct lwip_client client = lwip_box_connected(f);
    static uint8_t bytes[65536];
    size_t all = 0;
    size_t sent = 0;
    enum err err = ERR_OK;

    while ((err = f->stack->ops->send(f->socket, span_array(bytes), &sent)) == ERR_OK) {
        all += sent;
    }

    assert_int_equal(err, ERR_AGAIN);
    assert_int_equal(all, CONFIG_NET_LWIP_SEND_KIB * 1024);
    assert_int_equal(f->stack->ops->watch(f->socket, &f->on_socket, LOOP_READ | LOOP_WRITE), ERR_OK);
    lwip_box_turn(f);
    assert_int_equal(f->ready & LOOP_WRITE, 0);
    for (size_t i = 0; i < 100 && (f->ready & LOOP_WRITE) == 0; i++) { /* the client reads */
        const struct frames_segment segment = lwip_box_next_segment(f);
        client.acknowledged = segment.payload.len > 0 ? segment.sequence + (uint32_t)segment.payload.len : client.acknowledged;
        lwip_box_acknowledge(f, &client);
    }
    assert_int_equal(f->ready & LOOP_WRITE, LOOP_WRITE);
}

static void stack_lwip_gives_no_two_packets_a_number_that_follows(void **state)
{
    struct lwip_box *const f = *state;
    unsigned int last = 0;
    size_t follows = 0;

    for (size_t i = 0; i < 100; i++) {
        struct lwip_client one = forged(i);
        struct span frame = SPAN_NONE;
        const struct frames_segment syn = {.sequence = 1, .flags = FRAMES_SYN, .window = 1000};
        lwip_box_give_segment(f, &one, &syn);
        assert_int_equal(sim_frame_take(f->cable, &frame), ERR_OK);
        const unsigned int id = (unsigned int)frame.data[HEAD + 4] << 8 | frame.data[HEAD + 5];
        follows += id == last + 1;
        last = id;
    }

    assert_in_range(follows, 0, 3);
}

/* --- the end of a connection --- */

static void stack_lwip_tells_that_the_other_side_has_finished(void **state)
{
    struct lwip_box *const f = *state;
    const struct lwip_client client = lwip_box_connected(f);
    const struct frames_segment fin = {.sequence = client.sequence, .acknowledged = client.acknowledged, .flags = FRAMES_FIN | FRAMES_ACK, .window = 1000};

    lwip_box_give_segment(f, &client, &fin);

    assert_true(f->is_over);
    assert_int_equal(f->ready & LOOP_GONE, 0);
    size_t sent = 0;
    assert_int_equal(f->stack->ops->send(f->socket, span_lit("late"), &sent), ERR_OK);
    lwip_box_forget_sent(f);
    f->stack->ops->finish(f->socket);
    assert_int_equal(lwip_box_next_segment(f).flags & FRAMES_FIN, FRAMES_FIN);
}

static void stack_lwip_tells_that_a_connection_was_reset(void **state)
{
    struct lwip_box *const f = *state;
    const struct lwip_client client = lwip_box_connected(f);
    const struct frames_segment reset = {.sequence = client.sequence, .flags = FRAMES_RST | FRAMES_ACK, .window = 0};
    size_t sent = 0;

    lwip_box_give_segment(f, &client, &reset);

    assert_int_equal(f->ready & LOOP_GONE, LOOP_GONE);
    assert_int_equal(f->stack->ops->send(f->socket, span_lit("x"), &sent), ERR_CLOSED);
}

/* RFC 5961 section 3.2: a reset that is not at the very edge of the window ends nothing. */
static void stack_lwip_does_not_believe_a_reset_at_a_guess(void **state)
{
    struct lwip_box *const f = *state;
    const struct lwip_client client = lwip_box_connected(f);
    const struct frames_segment reset = {.sequence = client.sequence + 500, .flags = FRAMES_RST, .window = 0};

    lwip_box_give_segment(f, &client, &reset);

    assert_int_equal(f->ready & LOOP_GONE, 0);
    lwip_box_give_bytes(f, &client, 0, 100);
    lwip_box_assert_stream(f, 100);
}

static void stack_lwip_resets_an_abandoned_connection(void **state)
{
    struct lwip_box *const f = *state;
    (void)lwip_box_connected(f);

    f->stack->ops->abandon(f->socket);
    f->stack->ops->close(f->socket);
    f->socket = NULL;

    assert_int_equal(lwip_box_next_segment(f).flags & FRAMES_RST, FRAMES_RST);
}

static void stack_lwip_ends_a_connection_by_its_rules(void **state)
{
    struct lwip_box *const f = *state;
    struct lwip_client client = lwip_box_connected(f);

    f->stack->ops->finish(f->socket);
    const struct frames_segment fin = lwip_box_next_segment(f);
    client.acknowledged = fin.sequence + 1;
    const struct frames_segment theirs = {.sequence = client.sequence, .acknowledged = client.acknowledged, .flags = FRAMES_FIN | FRAMES_ACK, .window = 1000};
    lwip_box_give_segment(f, &client, &theirs);

    assert_int_equal(fin.flags & FRAMES_FIN, FRAMES_FIN);
    assert_true(f->is_over);
    const struct frames_segment last = lwip_box_next_segment(f);
    assert_int_equal(last.acknowledged, client.sequence + 1);
    lwip_box_pass_ms(f, 12000); /* lwIP has forgotten it by now; closing touches nothing of it */
    f->stack->ops->close(f->socket);
    f->socket = NULL;
}

static void stack_lwip_asks_whether_a_silent_client_is_there(void **state)
{
    struct lwip_box *const f = *state;
    const struct lwip_client client = lwip_box_connected(f);

    lwip_box_pass_ms(f, 59000);
    lwip_box_forget_sent(f);
    lwip_box_pass_ms(f, 3000);

    const struct frames_segment probe = lwip_box_next_segment(f);
    assert_int_equal(probe.sequence, client.acknowledged - 1);
}

static void stack_lwip_listens_once_on_a_port(void **state)
{
    struct lwip_box *const f = *state;
    struct stack_socket *second = NULL;

    const enum err got = stack_lwip_listen(f->stack, 443, &second);

    assert_int_equal(got, ERR_EXISTS);
    assert_null(second);
}

static void stack_lwip_refuses_everybody_once_it_listens_no_more(void **state)
{
    struct lwip_box *const f = *state;
    struct lwip_client half = {.end = lwip_box_them, .sequence = 1};
    struct lwip_client late = {.end = lwip_box_them, .sequence = 1};
    late.end.port++;
    (void)lwip_box_begin(f, &half);

    f->stack->ops->close(f->listening);
    f->listening = NULL;
    lwip_box_acknowledge(f, &half);
    lwip_box_forget_sent(f);

    assert_int_equal(lwip_box_begin(f, &late).flags & FRAMES_RST, FRAMES_RST);
    assert_null(f->socket);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, lwip_box_set_up, lwip_box_tear_down)
    const struct CMUnitTest tests[] = {
        WITH(attack_13_stack_lwip_forgets_the_oldest_half_open_connection),
        WITH(attack_13_stack_lwip_answers_a_flood_without_asking_for_neighbours),
        WITH(attack_13_stack_lwip_resets_who_fills_all_buffers),
        WITH(attack_13_stack_lwip_lets_go_of_what_is_behind_gaps),
        WITH(attack_13_stack_lwip_does_not_reset_a_slow_reader_for_what_others_left_behind_gaps),
        WITH(stack_lwip_puts_a_stream_together_again),
        WITH(stack_lwip_says_what_it_has_behind_a_gap),
        WITH(stack_lwip_sends_again_what_is_not_acknowledged),
        WITH(stack_lwip_sends_later_what_the_interface_refused),
        WITH(stack_lwip_takes_no_more_than_its_send_buffer),
        WITH(stack_lwip_gives_no_two_packets_a_number_that_follows),
        WITH(stack_lwip_tells_that_the_other_side_has_finished),
        WITH(stack_lwip_tells_that_a_connection_was_reset),
        WITH(stack_lwip_does_not_believe_a_reset_at_a_guess),
        WITH(stack_lwip_resets_an_abandoned_connection),
        WITH(stack_lwip_ends_a_connection_by_its_rules),
        WITH(stack_lwip_asks_whether_a_silent_client_is_there),
        WITH(stack_lwip_listens_once_on_a_port),
        WITH(stack_lwip_refuses_everybody_once_it_listens_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
