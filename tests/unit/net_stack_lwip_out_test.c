/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stack in user space: what begins here. */
#include "net/stack_lwip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/lwip_server.h"

struct asked {
    struct stack_lwip_lookup lookup; /* first: done gets it back */
    unsigned int answers;
    bool found;
    struct socket_address address;
};

static void on_done(struct stack_lwip_lookup *lookup, const struct socket_address *address)
{
    struct asked *const asked = (struct asked *)lookup;

    asked->answers++;
    asked->found = address != NULL;
    if (address != NULL) {
        asked->address = *address;
    }
}

static struct asked nobody(void)
{
    return (struct asked){.lookup = {.done = on_done}};
}

/* lwIP remembers names from one test to the next: each has its own. */
static void ask(struct lwip_box *f, struct asked *asked, const char *name)
{
    *asked = nobody();
    assert_int_equal(stack_lwip_resolve(f->stack, span_str(name), &asked->lookup), ERR_OK);
    lwip_box_turn(f);
}

static struct lwip_server_datagram question(struct lwip_box *f)
{
    struct lwip_server_datagram datagram;

    assert_true(lwip_server_next_datagram(f, &datagram));
    assert_int_equal(datagram.to, LWIP_SERVER_NAME_PORT);
    return datagram;
}

/* --- names --- */

static void stack_lwip_asks_the_name_server_once_and_remembers(void **state)
{
    struct lwip_box *const f = *state;
    struct asked first;
    struct asked second;

    ask(f, &first, "mail.example");
    const struct lwip_server_datagram sent = question(f);
    assert_memory_equal(sent.payload.data + 12, "\4mail\7example\0\0\1\0\1", 18);
    lwip_server_answer(f, &sent, lwip_box_them.ip);
    ask(f, &second, "MAIL.example");

    assert_int_equal(first.answers, 1);
    assert_true(first.found);
    assert_memory_equal(first.address.ip, lwip_box_them.ip, 4);
    assert_int_equal(first.address.port, 0);
    assert_true(second.found);
    struct lwip_server_datagram more;
    assert_false(lwip_server_next_datagram(f, &more));
}

static void stack_lwip_says_when_there_is_no_such_name(void **state)
{
    struct lwip_box *const f = *state;
    struct asked asked;

    ask(f, &asked, "nobody.example");
    const struct lwip_server_datagram ipv4 = question(f);
    lwip_server_answer(f, &ipv4, NULL);
    lwip_box_turn(f);
    struct lwip_server_datagram ipv6;
    if (lwip_server_next_datagram(f, &ipv6)) { /* there may be an address of the other kind */
        lwip_server_answer(f, &ipv6, NULL);
    }

    assert_int_equal(asked.answers, 1);
    assert_false(asked.found);
}

static void stack_lwip_gives_a_silent_name_server_half_a_minute(void **state)
{
    struct lwip_box *const f = *state;
    struct asked asked;

    ask(f, &asked, "silent.example");
    lwip_box_pass_ms(f, 30000);

    assert_int_equal(asked.answers, 1);
    assert_false(asked.found);
}

static void stack_lwip_does_not_answer_who_has_left(void **state)
{
    struct lwip_box *const f = *state;
    struct asked asked;
    ask(f, &asked, "left.example");

    stack_lwip_forget(&asked.lookup);
    lwip_server_resolve(f);

    assert_int_equal(asked.answers, 0);
}

static void stack_lwip_ends_with_a_question_under_way(void **state)
{
    struct lwip_box *const f = *state;
    struct asked asked;
    ask(f, &asked, "ending.example");

    stack_free(f->stack);
    f->stack = NULL;

    assert_int_equal(asked.answers, 0);
}

static void stack_lwip_refuses_questions_that_cannot_be_asked(void **state)
{
    struct lwip_box *const f = *state;
    static const uint8_t long_name[256] = {'a'};
    struct asked asked[16];
    size_t count = 0;

    asked[0] = nobody();
    assert_int_equal(stack_lwip_resolve(f->stack, SPAN_NONE, &asked[0].lookup), ERR_RANGE);
    assert_int_equal(stack_lwip_resolve(f->stack, span_array(long_name), &asked[0].lookup), ERR_RANGE);
    enum err err = ERR_OK;
    for (; count < ARRAY_LENGTH(asked) && err == ERR_OK; count++) {
        char name[] = "a.example";
        name[0] = (char)('a' + count);
        asked[count] = nobody();
        err = stack_lwip_resolve(f->stack, span_str(name), &asked[count].lookup);
    }

    assert_int_equal(err, ERR_LIMIT);
    assert_int_equal(count, 9);
    lwip_box_pass_ms(f, 30000);
    assert_int_equal(asked[0].answers, 1);
    assert_int_equal(stack_lwip_resolve(f->stack, span_lit("z.example"), &asked[0].lookup), ERR_OK);
}

static void stack_lwip_asks_nobody_where_no_name_server_is_known(void **state)
{
    struct lwip_box *const f = *state;
    static const struct stack_lwip_options none = {
        .has_ipv4 = true, .ipv4 = {.family = SOCKET_IPV4, .ip = {192, 0, 2, 2}}, .ipv4_prefix = 24,
        .dns = {{.family = SOCKET_IPV4}}, .dns_count = 1};
    struct asked asked = nobody();
    lwip_box_open(f, &none); /* lwIP remembers the one before */

    assert_int_equal(stack_lwip_resolve(f->stack, span_lit("mail.example"), &asked.lookup), ERR_NOT_FOUND);
    assert_int_equal(asked.answers, 0);
}

/* Each of these is an answer to the question but for one thing. */
static void attack_13_stack_lwip_believes_no_forged_answer_to_a_question(void **state)
{
    struct lwip_box *const f = *state;
    struct asked asked;
    ask(f, &asked, "forged.example");
    struct lwip_server_datagram sent = question(f);
    uint8_t kept[256];
    memcpy(kept, sent.payload.data, sent.payload.len);
    sent.payload.data = kept;
    const struct lwip_server_datagram good = sent;
    struct frames_end other = lwip_box_them;
    other.port = LWIP_SERVER_NAME_PORT;
    other.ip[3] = 9;

    kept[0] ^= 1; /* the number */
    lwip_server_answer(f, &sent, lwip_box_them.ip);
    kept[0] ^= 1;
    kept[13] ^= 1; /* the name */
    lwip_server_answer(f, &sent, lwip_box_them.ip);
    kept[13] ^= 1;
    sent.from++; /* the port that asked */
    lwip_server_answer(f, &sent, lwip_box_them.ip);
    lwip_server_give_datagram(f, &other, good.from, good.payload); /* from another host */
    other = lwip_box_them; /* and from another port of it: 4000 */
    lwip_server_give_datagram(f, &other, good.from, good.payload);

    assert_int_equal(asked.answers, 0);
    assert_true(stack_lwip_counts(f->stack).refused >= 3);
    lwip_server_answer(f, &good, lwip_box_them.ip);
    assert_true(asked.found);
}

/* --- connections --- */

static struct socket_address server_at(uint16_t port)
{
    struct socket_address to = {.family = SOCKET_IPV4, .port = port};

    memcpy(to.ip, lwip_box_them.ip, 4);
    return to;
}

static void connect_to(struct lwip_box *f, unsigned int interest)
{
    const struct socket_address to = server_at(587);

    assert_int_equal(stack_lwip_connect(f->stack, &to, &f->socket), ERR_OK);
    assert_int_equal(f->stack->ops->watch(f->socket, &f->on_socket, interest), ERR_OK);
    f->reads = false;
    f->ready = 0;
    lwip_box_turn(f);
}

static void stack_lwip_connects_and_passes_bytes_both_ways(void **state)
{
    struct lwip_box *const f = *state;
    uint8_t bytes[64];
    uint8_t flags = 0;
    size_t len = 0;
    connect_to(f, LOOP_WRITE);
    assert_int_equal(f->ready, 0);
    assert_int_equal(f->stack->ops->send(f->socket, span_lit("x"), &len), ERR_AGAIN);

    struct lwip_server server = lwip_server_accept(f, 587);
    assert_int_equal(f->ready, LOOP_WRITE);
    assert_int_equal(f->stack->ops->watch(f->socket, &f->on_socket, LOOP_READ), ERR_OK);
    assert_int_equal(f->stack->ops->send(f->socket, span_lit("EHLO"), &len), ERR_OK);
    assert_int_equal(lwip_server_receive(f, &server, 64000, bytes, sizeof bytes, &flags), 4);
    assert_memory_equal(bytes, "EHLO", 4);
    lwip_server_send(f, &server, span_lit("250 hi"), FRAMES_PSH);

    assert_int_equal(f->stack->ops->recv(f->socket, bytes, sizeof bytes, &len), ERR_OK);
    assert_int_equal(len, 6);
    assert_memory_equal(bytes, "250 hi", 6);
    lwip_server_send(f, &server, SPAN_NONE, FRAMES_FIN);
    assert_int_equal(f->stack->ops->recv(f->socket, bytes, sizeof bytes, &len), ERR_CLOSED);
}

static void stack_lwip_says_that_a_connection_was_refused(void **state)
{
    struct lwip_box *const f = *state;
    struct span frame = SPAN_NONE;
    struct frames_segment syn = {.flags = 0};
    uint16_t from = 0;
    uint16_t to = 0;
    connect_to(f, LOOP_WRITE);
    while (sim_frame_take(f->cable, &frame) == ERR_OK && !frames_read_tcp(frame, &from, &to, &syn)) {
        continue;
    }

    struct frames_end back = lwip_box_end;
    struct frames_end server = lwip_box_them;
    back.port = from;
    server.port = to;
    const struct frames_segment reset = {.acknowledged = syn.sequence + 1, .flags = FRAMES_RST | FRAMES_ACK};
    const struct frames_frame answer = frames_tcp(&server, &back, &reset);
    lwip_box_give(f, &answer);

    assert_int_equal(f->ready & LOOP_GONE, LOOP_GONE);
}

static void stack_lwip_gives_up_a_server_that_does_not_answer(void **state)
{
    struct lwip_box *const f = *state;
    connect_to(f, LOOP_WRITE);

    lwip_box_pass_ms(f, 15000);

    assert_int_equal(f->ready & LOOP_GONE, LOOP_GONE);
}

static void stack_lwip_draws_the_ports_of_its_connections(void **state)
{
    struct lwip_box *const f = *state;
    unsigned int steps_of_one = 0;
    uint16_t before = 0;

    for (size_t i = 0; i < 8; i++) {
        connect_to(f, 0);
        struct lwip_server server = lwip_server_accept(f, 587);
        assert_in_range(server.peer_port, 49152, 65535);
        steps_of_one += server.peer_port == before + 1 ? 1u : 0u;
        before = server.peer_port;
        f->stack->ops->abandon(f->socket);
        f->stack->ops->close(f->socket);
        f->socket = NULL;
        lwip_box_forget_sent(f);
    }

    assert_in_range(steps_of_one, 0, 2);
}

static void stack_lwip_has_no_way_without_an_address(void **state)
{
    struct lwip_box *const f = *state;
    static const struct stack_lwip_options by_dhcp = {.has_ipv4 = false};
    const struct socket_address to = server_at(587);
    const struct stack_lwip_udp_options datagrams = {.to = to};
    struct stack_lwip_udp *udp = NULL;
    lwip_box_open(f, &by_dhcp);

    assert_int_equal(stack_lwip_connect(f->stack, &to, &f->socket), ERR_CLOSED);
    assert_int_equal(stack_lwip_udp_new(f->stack, &datagrams, &udp), ERR_OK);
    assert_int_equal(stack_lwip_udp_send(udp, span_lit("x")), ERR_CLOSED);

    assert_null(f->socket);
    stack_lwip_udp_free(udp);
}

/* --- datagrams --- */

static void on_datagram(void *context, struct span datagram)
{
    struct lwip_box *const f = context;

    memcpy(f->got + f->got_len, datagram.data, datagram.len);
    f->got_len += datagram.len;
}

static void stack_lwip_takes_datagrams_from_the_one_that_it_asked(void **state)
{
    struct lwip_box *const f = *state;
    const struct stack_lwip_udp_options options = {.to = server_at(123), .on_datagram = on_datagram, .context = f};
    struct stack_lwip_udp *udp = NULL;
    struct lwip_server_datagram sent;
    struct frames_end server = lwip_box_them;
    struct frames_end other = lwip_box_them;
    server.port = 123;
    other.port = 123;
    other.ip[3] = 9;
    assert_int_equal(stack_lwip_udp_new(f->stack, &options, &udp), ERR_OK);
    assert_int_equal(stack_lwip_udp_send(udp, span_lit("what time?")), ERR_OK);
    assert_true(lwip_server_next_datagram(f, &sent));
    assert_memory_equal(sent.payload.data, "what time?", 10);

    lwip_server_give_datagram(f, &other, sent.from, span_lit("noon"));
    lwip_server_give_datagram(f, &lwip_box_them, sent.from, span_lit("noon")); /* port 4000 */
    lwip_server_give_datagram(f, &server, (uint16_t)(sent.from ^ 1), span_lit("noon"));
    assert_int_equal(f->got_len, 0);
    lwip_server_give_datagram(f, &server, sent.from, span_lit("late"));

    assert_int_equal(f->got_len, 4);
    assert_memory_equal(f->got, "late", 4);
    stack_lwip_udp_free(udp);
    lwip_server_give_datagram(f, &server, sent.from, span_lit("again"));
    assert_int_equal(f->got_len, 4);
}

static void stack_lwip_refuses_datagrams_that_fit_no_frame(void **state)
{
    struct lwip_box *const f = *state;
    static const uint8_t bytes[STACK_LWIP_DATAGRAM_MAX + 1];
    const struct stack_lwip_udp_options options = {.to = server_at(123), .on_datagram = on_datagram, .context = f};
    struct stack_lwip_udp *udp = NULL;
    struct lwip_server_datagram sent;
    assert_int_equal(stack_lwip_udp_new(f->stack, &options, &udp), ERR_OK);

    assert_int_equal(stack_lwip_udp_send(udp, SPAN_NONE), ERR_RANGE);
    assert_int_equal(stack_lwip_udp_send(udp, span_array(bytes)), ERR_RANGE);
    assert_int_equal(stack_lwip_udp_send(udp, span_of(bytes, STACK_LWIP_DATAGRAM_MAX)), ERR_OK);

    assert_true(lwip_server_next_datagram(f, &sent));
    assert_int_equal(sent.payload.len, STACK_LWIP_DATAGRAM_MAX);
    stack_lwip_udp_free(udp);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, lwip_server_set_up, lwip_box_tear_down)
#define BARE(test) cmocka_unit_test_setup_teardown(test, lwip_box_bare, lwip_box_tear_down)
    const struct CMUnitTest tests[] = {
        WITH(stack_lwip_asks_the_name_server_once_and_remembers),
        WITH(stack_lwip_says_when_there_is_no_such_name),
        WITH(stack_lwip_gives_a_silent_name_server_half_a_minute),
        WITH(stack_lwip_does_not_answer_who_has_left),
        WITH(stack_lwip_ends_with_a_question_under_way),
        WITH(stack_lwip_refuses_questions_that_cannot_be_asked),
        BARE(stack_lwip_asks_nobody_where_no_name_server_is_known),
        WITH(attack_13_stack_lwip_believes_no_forged_answer_to_a_question),
        WITH(stack_lwip_connects_and_passes_bytes_both_ways),
        WITH(stack_lwip_says_that_a_connection_was_refused),
        WITH(stack_lwip_gives_up_a_server_that_does_not_answer),
        WITH(stack_lwip_draws_the_ports_of_its_connections),
        BARE(stack_lwip_has_no_way_without_an_address),
        WITH(stack_lwip_takes_datagrams_from_the_one_that_it_asked),
        WITH(stack_lwip_refuses_datagrams_that_fit_no_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
