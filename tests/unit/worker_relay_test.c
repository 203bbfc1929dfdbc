/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections for the courier, between a pair of sockets and a server that the test plays in frames. */
/* link: --wrap=log_event --wrap=log_fault */
#include "firmware/worker/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/base/log_limit.h"
#include "hal/socket.h"
#include "tests/lib/log_count.h"
#include "tests/lib/lwip_server.h"

#define PORT   587
#define LIFE_S 60

struct fixture {
    struct lwip_box *box;
    struct stack *kernel;
    struct relays *relays;
    int end; /* the courier's */
    uint8_t got[1 << 20];
};

/* lwIP remembers names from one test to the next: each has its own. */
static struct relay_to to_host(enum msg_reach_kind kind, const char *host)
{
    struct relay_to to = {.kind = kind, .port = PORT, .life_s = LIFE_S};

    assert_int_equal(MSG_SET(&to.host, span_str(host)), ERR_OK);
    return to;
}

static void turn(struct fixture *f)
{
    lwip_box_turn(f->box);
}

static void open_one(struct fixture *f, const struct relay_to *to)
{
    int ends[2];

    socket_close(f->end);
    assert_int_equal(socket_pair(to->kind == MSG_REACH_TCP ? SOCKET_PAIR_BYTES : SOCKET_PAIR_MESSAGES, ends), ERR_OK);
    f->end = ends[0];
    relays_open(f->relays, to, ends[1]);
    turn(f);
}

static size_t read_all(struct fixture *f)
{
    size_t all = 0;
    size_t got = 0;

    while (all < sizeof f->got && socket_receive(f->end, f->got + all, sizeof f->got - all, &got) == ERR_OK) {
        all += got;
    }
    return all;
}

static void assert_word(struct fixture *f, enum msg_reached word)
{
    assert_int_equal(read_all(f), 1);
    assert_int_equal(f->got[0], word);
}

static bool is_closed(const struct fixture *f)
{
    uint8_t byte = 0;
    size_t len = 0;

    return socket_receive(f->end, &byte, 1, &len) == ERR_CLOSED;
}

static struct lwip_server open_stream(struct fixture *f, const char *host)
{
    const struct relay_to to = to_host(MSG_REACH_TCP, host);

    open_one(f, &to);
    lwip_server_resolve(f->box);
    turn(f);
    const struct lwip_server server = lwip_server_accept(f->box, PORT);
    turn(f);
    assert_word(f, MSG_REACHED);
    lwip_box_forget_sent(f->box);
    return server;
}

static void give(struct fixture *f, size_t bytes)
{
    static const uint8_t text[1024] = {'x'};
    size_t sent = 0;

    for (size_t at = 0; at < bytes; at += sent) {
        const enum err err = socket_send(f->end, span_of(text, bytes - at < sizeof text ? bytes - at : sizeof text), &sent);
        if (err != ERR_OK) { /* the relay takes some of it first */
            assert_int_equal(err, ERR_AGAIN);
            sent = 0;
            turn(f);
        }
    }
    turn(f);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    void *box = NULL;

    fixture = (struct fixture){.end = -1};
    (void)lwip_server_set_up(&box);
    fixture.box = box;
    assert_int_equal(stack_kernel_new(fixture.box->loop, &fixture.kernel), ERR_OK);
    assert_int_equal(relays_new(fixture.box->loop, fixture.box->stack, fixture.kernel, &fixture.relays), ERR_OK);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;
    void *box = f->box;

    relays_free(f->relays);
    stack_free(f->kernel);
    socket_close(f->end);
    return lwip_box_tear_down(&box);
}

/* --- opening --- */

static void a_relay_passes_bytes_both_ways(void **state)
{
    struct fixture *const f = *state;
    struct lwip_server server = open_stream(f, "both.example");
    uint8_t bytes[16];
    uint8_t flags = 0;
    size_t sent = 0;

    assert_int_equal(socket_send(f->end, span_lit("EHLO"), &sent), ERR_OK);
    turn(f);
    assert_int_equal(lwip_server_receive(f->box, &server, 64000, bytes, sizeof bytes, &flags), 4);
    assert_memory_equal(bytes, "EHLO", 4);
    lwip_server_send(f->box, &server, span_lit("250 hi"), FRAMES_PSH);
    turn(f);

    assert_int_equal(read_all(f), 6);
    assert_memory_equal(f->got, "250 hi", 6);
    assert_int_equal(relays_count(f->relays), 1);
}

static void a_name_without_an_address_is_told(void **state)
{
    struct fixture *const f = *state;
    const struct relay_to to = to_host(MSG_REACH_TCP, "nobody.example");
    struct lwip_server_datagram question;
    open_one(f, &to);

    for (size_t i = 0; i < 2 && lwip_server_next_datagram(f->box, &question); i++) {
        lwip_server_answer(f->box, &question, NULL);
        turn(f);
    }

    assert_word(f, MSG_REACHED_NO_NAME);
    assert_true(is_closed(f));
    assert_int_equal(relays_count(f->relays), 0);
}

static void a_server_that_does_not_answer_is_told(void **state)
{
    struct fixture *const f = *state;
    const struct relay_to to = to_host(MSG_REACH_TCP, "silent.example");
    open_one(f, &to);
    lwip_server_resolve(f->box);

    lwip_box_pass_ms(f->box, 15000);

    assert_word(f, MSG_REACHED_NOBODY);
    assert_true(is_closed(f));
    assert_int_equal(relays_count(f->relays), 0);
}

static void a_courier_that_leaves_before_the_answer_ends_the_relay(void **state)
{
    struct fixture *const f = *state;
    const struct relay_to to = to_host(MSG_REACH_TCP, "early.example");
    open_one(f, &to);
    assert_int_equal(relays_count(f->relays), 1);

    socket_close(f->end);
    f->end = -1;
    turn(f);

    assert_int_equal(relays_count(f->relays), 0);
    lwip_server_resolve(f->box); /* comes to nobody */
}

static void there_are_so_many_relays_and_no_more(void **state)
{
    struct fixture *const f = *state;
    int ends[RELAYS_MAX + 1][2];
    const struct relay_to to = to_host(MSG_REACH_TCP, "many.example");

    for (size_t i = 0; i <= RELAYS_MAX; i++) {
        assert_int_equal(socket_pair(SOCKET_PAIR_BYTES, ends[i]), ERR_OK);
        relays_open(f->relays, &to, ends[i][1]);
        if (i == 0) {
            lwip_server_resolve(f->box);
            turn(f);
        }
    }
    fault_clear();

    assert_int_equal(relays_count(f->relays), RELAYS_MAX);
    f->end = ends[RELAYS_MAX][0];
    assert_true(is_closed(f));
    for (size_t i = 0; i < RELAYS_MAX; i++) {
        socket_close(ends[i][0]);
    }
    turn(f);
    assert_int_equal(relays_count(f->relays), 0);
}

static void a_courier_that_asks_for_more_and_more_does_not_fill_the_log(void **state)
{
    struct fixture *const f = *state;
    const struct relay_to to = to_host(MSG_REACH_TCP, "noisy.example");
    int ends[RELAYS_MAX][2];

    for (size_t i = 0; i < RELAYS_MAX; i++) {
        assert_int_equal(socket_pair(SOCKET_PAIR_BYTES, ends[i]), ERR_OK);
        relays_open(f->relays, &to, ends[i][1]);
        if (i == 0) {
            lwip_server_resolve(f->box);
            turn(f);
        }
    }
    log_count_begin("not_relayed");
    for (size_t i = 0; i < 200; i++) {
        int more[2];
        assert_int_equal(socket_pair(SOCKET_PAIR_BYTES, more), ERR_OK);
        relays_open(f->relays, &to, more[1]);
        socket_close(more[0]);
        assert_int_equal(fault_trail()->count, 0);
    }

    assert_int_equal(log_count.lines, LOG_LIMIT_LINES);
    for (size_t i = 0; i < RELAYS_MAX; i++) {
        socket_close(ends[i][0]);
    }
    turn(f);
    assert_int_equal(relays_count(f->relays), 0);
}

/* --- who is slow --- */

static void a_server_that_takes_nothing_stops_the_courier(void **state)
{
    struct fixture *const f = *state;
    struct lwip_server server = open_stream(f, "slow.example");
    static const uint8_t text[4096] = {'x'};
    uint8_t flags = 0;
    size_t all = 0;
    size_t sent = 0;

    for (size_t quiet = 0; quiet < 4; quiet++) {
        while (socket_send(f->end, span_array(text), &sent) == ERR_OK) {
            all += sent;
            quiet = 0;
        }
        turn(f);
    }
    assert_in_range(all, RELAY_BYTES, 1 << 20); /* the pair, the relay and lwIP hold it */

    size_t got = 0;
    for (size_t i = 0; i < 2000 && got < all; i++) {
        got += lwip_server_receive(f->box, &server, 64000, f->got, sizeof f->got, &flags);
        turn(f);
    }
    assert_int_equal(got, all);
}

static void a_courier_that_takes_nothing_stops_the_server(void **state)
{
    struct fixture *const f = *state;
    struct lwip_server server = open_stream(f, "fast.example");
    static const uint8_t text[1400] = {'y'};
    const size_t pieces = 300; /* 410 KiB */
    size_t all = 0;

    for (size_t i = 0; i < pieces; i++) {
        lwip_server_send(f->box, &server, span_array(text), FRAMES_PSH);
        lwip_box_forget_sent(f->box);
    }
    for (size_t i = 0; i < 200; i++) {
        all += read_all(f);
        turn(f);
    }

    assert_in_range(all, 128 << 10, pieces * sizeof text - 1); /* what no window covered was lost, for it to send again */
    assert_int_equal(relays_count(f->relays), 1);
}

/* --- ends --- */

static void what_the_server_sent_before_its_end_arrives_and_then_the_end(void **state)
{
    struct fixture *const f = *state;
    struct lwip_server server = open_stream(f, "end.example");

    lwip_server_send(f->box, &server, span_lit("221 bye"), FRAMES_PSH | FRAMES_FIN);
    turn(f);

    assert_int_equal(read_all(f), 7);
    assert_true(is_closed(f));
    assert_int_equal(relays_count(f->relays), 1); /* the courier may still have words */
    socket_close(f->end);
    f->end = -1;
    turn(f);
    assert_int_equal(relays_count(f->relays), 0);
}

static void what_the_courier_sent_before_its_end_arrives_and_then_the_end(void **state)
{
    struct fixture *const f = *state;
    struct lwip_server server = open_stream(f, "quit.example");
    uint8_t flags = 0;
    size_t sent = 0;

    assert_int_equal(socket_send(f->end, span_lit("QUIT"), &sent), ERR_OK);
    socket_close(f->end);
    f->end = -1;
    turn(f);

    assert_int_equal(lwip_server_receive(f->box, &server, 64000, f->got, sizeof f->got, &flags), 4);
    assert_int_equal(flags & FRAMES_FIN, FRAMES_FIN);
    assert_int_equal(flags & FRAMES_RST, 0);
    assert_int_equal(relays_count(f->relays), 0);
}

static void a_server_that_resets_closes_the_courier_s_end(void **state)
{
    struct fixture *const f = *state;
    struct lwip_server server = open_stream(f, "reset.example");

    lwip_server_send(f->box, &server, SPAN_NONE, FRAMES_RST);
    turn(f);

    assert_true(is_closed(f));
    assert_int_equal(relays_count(f->relays), 0);
}

/* Its window is shut, and its end is not waited for for ever. */
static void a_courier_s_last_words_have_their_time(void **state)
{
    struct fixture *const f = *state;
    struct lwip_server server = open_stream(f, "linger.example");
    uint8_t flags = 0;
    give(f, (128 << 10) + 4096); /* what lwIP takes, and a little */
    assert_true(lwip_server_receive(f->box, &server, 0, f->got, 0, &flags) == 0);

    socket_close(f->end);
    f->end = -1;
    turn(f);
    const size_t before = relays_count(f->relays);
    lwip_box_pass_ms(f->box, RELAY_LINGER_MS + 200);

    assert_int_equal(before, 1);
    assert_int_equal(relays_count(f->relays), 0);
}

static void a_courier_that_leaves_much_unsent_is_cut_off(void **state)
{
    struct fixture *const f = *state;
    struct lwip_server server = open_stream(f, "cut.example");
    uint8_t flags = 0;
    give(f, (128 << 10) + 4 * RELAY_BYTES);

    socket_close(f->end);
    f->end = -1;
    turn(f);

    assert_int_equal(relays_count(f->relays), 0);
    (void)lwip_server_receive(f->box, &server, 0, f->got, sizeof f->got, &flags);
    assert_int_equal(flags & FRAMES_RST, FRAMES_RST);
}

static void a_courier_that_keeps_its_end_is_cut_off_when_its_time_is_over(void **state)
{
    struct fixture *const f = *state;
    struct lwip_server server = open_stream(f, "kept.example");
    uint8_t flags = 0;

    lwip_box_pass_ms(f->box, LIFE_S * 1000);
    const size_t before = relays_count(f->relays);
    lwip_box_pass_ms(f->box, RELAY_LINGER_MS + 200);

    assert_int_equal(before, 1);
    assert_int_equal(relays_count(f->relays), 0);
    assert_true(is_closed(f));
    (void)lwip_server_receive(f->box, &server, 0, f->got, sizeof f->got, &flags);
    assert_int_equal(flags & FRAMES_RST, FRAMES_RST);
}

/* Nobody outside of the relays has an end: without a time of their own they would take their places for ever. */
static void attack_13_two_relays_that_hold_each_other_end_when_their_time_is_over(void **state)
{
    struct fixture *const f = *state;
    const struct relay_to to = to_host(MSG_REACH_UDP, "mutual.example");
    int ends[2];
    assert_int_equal(socket_pair(SOCKET_PAIR_MESSAGES, ends), ERR_OK);

    relays_open(f->relays, &to, ends[0]);
    relays_open(f->relays, &to, ends[1]);
    turn(f);
    lwip_server_resolve(f->box);
    turn(f);
    const size_t before = relays_count(f->relays);
    lwip_box_pass_ms(f->box, LIFE_S * 1000 + RELAY_LINGER_MS + 200);

    assert_int_equal(before, 2);
    assert_int_equal(relays_count(f->relays), 0);
}

static void relays_end_with_those_that_are_under_way(void **state)
{
    struct fixture *const f = *state;
    const struct relay_to asking = to_host(MSG_REACH_TCP, "asking.example");
    struct lwip_server server = open_stream(f, "under.example");
    int ends[2];
    (void)server;
    assert_int_equal(socket_pair(SOCKET_PAIR_BYTES, ends), ERR_OK);
    relays_open(f->relays, &asking, ends[1]);

    relays_free(f->relays);
    f->relays = NULL;

    assert_true(is_closed(f));
    socket_close(ends[0]);
}

/* --- datagrams --- */

static void a_relay_passes_datagrams_each_whole(void **state)
{
    struct fixture *const f = *state;
    const struct relay_to to = to_host(MSG_REACH_UDP, "time.example");
    struct frames_end server = lwip_box_them;
    struct lwip_server_datagram sent;
    size_t len = 0;
    server.port = PORT;
    open_one(f, &to);
    lwip_server_resolve(f->box);
    turn(f);
    assert_word(f, MSG_REACHED);

    assert_int_equal(socket_send(f->end, span_lit("one"), &len), ERR_OK);
    assert_int_equal(socket_send(f->end, span_lit("three"), &len), ERR_OK);
    turn(f);
    assert_true(lwip_server_next_datagram(f->box, &sent));
    assert_int_equal(sent.payload.len, 3);
    assert_true(lwip_server_next_datagram(f->box, &sent));
    assert_int_equal(sent.payload.len, 5);
    assert_int_equal(sent.to, PORT);
    lwip_server_give_datagram(f->box, &server, sent.from, span_lit("two"));
    lwip_server_give_datagram(f->box, &server, sent.from, span_lit("four"));

    assert_int_equal(socket_receive(f->end, f->got, sizeof f->got, &len), ERR_OK);
    assert_int_equal(len, 3);
    assert_int_equal(socket_receive(f->end, f->got, sizeof f->got, &len), ERR_OK);
    assert_int_equal(len, 4);
    socket_close(f->end);
    f->end = -1;
    turn(f);
    assert_int_equal(relays_count(f->relays), 0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_relay_passes_bytes_both_ways),
        TEST(a_name_without_an_address_is_told),
        TEST(a_server_that_does_not_answer_is_told),
        TEST(a_courier_that_leaves_before_the_answer_ends_the_relay),
        TEST(there_are_so_many_relays_and_no_more),
        TEST(a_courier_that_asks_for_more_and_more_does_not_fill_the_log),
        TEST(a_server_that_takes_nothing_stops_the_courier),
        TEST(a_courier_that_takes_nothing_stops_the_server),
        TEST(what_the_server_sent_before_its_end_arrives_and_then_the_end),
        TEST(what_the_courier_sent_before_its_end_arrives_and_then_the_end),
        TEST(a_server_that_resets_closes_the_courier_s_end),
        TEST(a_courier_s_last_words_have_their_time),
        TEST(a_courier_that_leaves_much_unsent_is_cut_off),
        TEST(a_courier_that_keeps_its_end_is_cut_off_when_its_time_is_over),
        TEST(attack_13_two_relays_that_hold_each_other_end_when_their_time_is_over),
        TEST(relays_end_with_those_that_are_under_way),
        TEST(a_relay_passes_datagrams_each_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
