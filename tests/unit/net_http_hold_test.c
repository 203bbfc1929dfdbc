/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/http.h with clients that hold on to memory: that do not read, read little, send a body without an end, or nothing. */
/* link: --wrap=arena_new */
#include "net/http.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "hal/base/config.h"
#include "hal/base/mem.h"
#include "tests/lib/http_fixture.h"

enum err __real_arena_new(size_t keep_bytes, size_t max_bytes, struct arena **out_arena);
enum err __wrap_arena_new(size_t keep_bytes, size_t max_bytes, struct arena **out_arena);

static size_t arenas; /* made: each set of buffers has one */

enum err __wrap_arena_new(size_t keep_bytes, size_t max_bytes, struct arena **out_arena)
{
    arenas++;
    return __real_arena_new(keep_bytes, max_bytes, out_arena);
}

static void http_a_client_that_does_not_read_is_closed_and_costs_no_more_than_its_answer(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);
    struct http_client *const other = http_client_open(f);

    client->reads = false;
    http_client_send(client, span_lit("GET /big HTTP/1.1\r\nHost: h\r\n\r\nGET /big HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_turns(f, 50);
    assert_int_equal(f->requests, 1); /* the next one waits for this answer to go */
    http_client_send(other, span_lit("GET /fine HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_await(f, other, "fine", 1);
    http_advance(f, CONFIG_NET_WRITE_MS + 50);
    assert_int_equal(http_server_connections(f->server), 1);

    char bytes[4096];
    ssize_t got = 0;
    do {
        got = recv(client->descriptor, bytes, sizeof(bytes), 0);
    } while (got > 0);
    assert_int_equal(got, -1);
    assert_int_equal(errno, ECONNRESET); /* the kernel did not keep the rest for a client that may come back */
}

static void http_attack_12_a_client_that_reads_little_by_little_does_not_keep_its_answer_for_ever(void **state)
{
    const uint64_t most_ms = CONFIG_NET_WRITE_MS + (uint64_t)HTTP_FIXTURE_RESPONSE_MAX * 1000 / CONFIG_NET_WRITE_RATE;
    const uint64_t step_ms = CONFIG_NET_WRITE_MS / 4;
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);
    uint64_t waited_ms = 0;

    client->reads = false;
    http_client_send(client, span_lit("GET /big HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_turns(f, 20);
    while (http_server_connections(f->server) == 1 && waited_ms < 2 * most_ms) {
        client->reads = true;
        http_turn(f); /* 64 KiB at most */
        (void)tls_peer_read(client->tls, client->got);
        client->reads = false;
        http_advance(f, step_ms);
        waited_ms += step_ms;
    }

    assert_in_range(waited_ms, 4 * CONFIG_NET_WRITE_MS, most_ms + step_ms);
}

static void http_attack_13_answers_that_nobody_takes_have_a_bound_and_short_requests_are_served_beyond_it(void **state)
{
    const size_t room = ((size_t)CONFIG_NET_BUFFERS_MIB << 20) / HTTP_FIXTURE_RESPONSE_MAX - 1; /* and their heads */
    struct http_fixture *const f = *state;

    for (size_t i = 0; i < room + 3; i++) {
        struct http_client *const client = http_client_open(f);

        client->reads = false;
        http_client_send(client, span_lit("GET /big HTTP/1.1\r\nHost: h\r\n\r\n"));
        http_turns(f, 4);
    }
    struct http_client *const other = http_client_open(f);
    http_client_send(other, span_lit("GET /fine HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_await(f, other, "fine", 1);

    assert_int_equal(http_server_connections(f->server), room + 1);
    http_advance(f, CONFIG_NET_WRITE_MS + 50); /* they are gone, and there is room again */
    struct http_client *const late = http_client_open(f);
    late->reads = false;
    http_client_send(late, span_lit("GET /big HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_turns(f, 4);
    assert_int_equal(http_server_connections(f->server), 2);
}

static void http_attack_13_bodies_that_do_not_end_have_a_bound(void **state)
{
    static const char *const heads[] = {
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4194304\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n400000\r\n",
    };
    static const uint8_t piece[65536];
    const size_t pieces = 56; /* of 64 */
    const size_t room = ((size_t)CONFIG_NET_BUFFERS_MIB << 20) / (pieces * sizeof(piece));
    struct http_fixture *const f = *state;

    for (size_t i = 0; i < room + 3; i++) {
        struct http_client *const client = http_client_open(f);

        http_client_send(client, span_str(heads[i % ARRAY_LENGTH(heads)]));
        for (size_t sent = 0; sent < pieces; sent++) {
            http_client_send(client, span_array(piece));
            http_turns(f, 4);
        }
    }

    http_advance(f, 1050); /* the refused ones were read on that long */
    assert_in_range(http_server_connections(f->server), room - 1, room);
    assert_int_equal(f->requests, 0);
}

/* Clients that write a whole body before they read would never learn of the 413 if the connection were reset. */
static void http_attack_13_a_client_that_sends_a_refused_body_whole_hears_why_and_one_without_end_is_cut_off(void **state)
{
    static const uint8_t part[65536] = {0};
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);
    size_t sent = 0;
    bool cut = false;

    http_client_send(client, span_lit("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 8388608\r\n\r\n"));
    http_await(f, client, "refused", 1);
    for (size_t i = 0; i < HTTP_FIXTURE_TURNS_MAX && !cut; i++) {
        const ssize_t n = send(client->descriptor, part, sizeof(part), MSG_NOSIGNAL);

        cut = n < 0 && errno != EAGAIN;
        sent += n > 0 ? (size_t)n : 0;
        http_turn(f);
    }

    assert_non_null(strstr(http_got(client), "HTTP/1.1 413"));
    assert_in_range(sent, (size_t)8 << 20, (size_t)32 << 20);
    assert_true(cut);
}

/* Holds that many connections, as other reactors do: the counters are those of all of them. */
static void hold_elsewhere(struct http_fixture *f, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(limits_hold(f->limits, LIMITS_KIND_CONNECTIONS, SPAN_NONE, CONFIG_NET_CONNECTIONS_MAX), ERR_OK);
    }
}

static void http_attack_13_connections_of_all_reactors_have_one_cap(void **state)
{
    struct http_fixture *const f = *state;

    hold_elsewhere(f, CONFIG_NET_CONNECTIONS_MAX - 2);
    for (size_t i = 0; i < 4; i++) {
        (void)http_client_plain(f, f->port);
    }
    http_turns(f, 10);
    assert_int_equal(http_server_connections(f->server), 2);
    assert_true(f->clients[2].ended && f->clients[3].ended);

    http_client_close(&f->clients[0]); /* its place is free, and no other */
    http_turns(f, 10);
    struct http_client *const next = http_client_plain(f, f->port);
    http_turns(f, 10);
    struct http_client *const beyond = http_client_plain(f, f->port);
    http_turns(f, 10);

    assert_false(next->ended);
    assert_true(beyond->ended);
    assert_int_equal(http_server_connections(f->server), 2);
}

static void http_attack_13_one_that_its_address_refuses_takes_no_place_of_the_others(void **state)
{
    struct http_fixture *const f = *state;

    hold_elsewhere(f, CONFIG_NET_CONNECTIONS_MAX - CONFIG_NET_CONNECTIONS_PER_ADDRESS - 1);
    for (size_t i = 0; i < CONFIG_NET_CONNECTIONS_PER_ADDRESS + 3; i++) {
        (void)http_client_plain(f, f->port);
    }
    http_turns(f, 40);

    assert_int_equal(http_server_connections(f->server), CONFIG_NET_CONNECTIONS_PER_ADDRESS);
    hold_elsewhere(f, 1); /* the last place is still there, and it is the last one */
    assert_int_equal(limits_hold(f->limits, LIMITS_KIND_CONNECTIONS, SPAN_NONE, CONFIG_NET_CONNECTIONS_MAX), ERR_LIMIT);
}

#define IDLE 24      /* of the places, where others hold the rest */
#define STRANGERS 10000
#define AT_ONCE 20

/* Connections beyond the cap, so many at once: all of them are closed by the server. */
static void come_in_vain(struct http_fixture *f)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(f->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct linger forget = {.l_onoff = 1}; /* leaves no address in use behind */
    int descriptors[AT_ONCE];
    uint8_t byte = 0;

    for (size_t i = 0; i < AT_ONCE; i++) {
        descriptors[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_true(descriptors[i] >= 0);
        assert_int_equal(setsockopt(descriptors[i], SOL_SOCKET, SO_LINGER, &forget, sizeof(forget)), 0);
        assert_int_equal(connect(descriptors[i], (const struct sockaddr *)&address, sizeof(address)), 0);
    }
    for (size_t i = 0; i < AT_ONCE; i++) {
        ssize_t got = -1;

        for (size_t turns = 0; turns < HTTP_FIXTURE_TURNS_MAX && got < 0; turns++) {
            assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
            got = recv(descriptors[i], &byte, 1, MSG_DONTWAIT);
        }
        assert_int_equal(got, 0);
        assert_int_equal(close(descriptors[i]), 0);
    }
}

/* Each of those within the cap was served once, and has sent the beginning of a record since. */
static void http_attack_13_of_10000_idle_connections_those_within_the_cap_hold_no_buffers_and_go_on(void **state)
{
    struct http_fixture *const f = *state;
    struct span sent = SPAN_NONE;

    hold_elsewhere(f, CONFIG_NET_CONNECTIONS_MAX - IDLE);
    arenas = 0;
    for (size_t i = 0; i < IDLE; i++) {
        struct http_client *const client = http_client_open(f);

        http_client_send(client, span_lit("GET /fine HTTP/1.1\r\nHost: h\r\n\r\n"));
        http_await(f, client, "fine", 1);
    }
    for (size_t i = 0; i < IDLE; i++) {
        http_client_send(&f->clients[i], span_lit("GET /again HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_int_equal(buf_get(tls_peer_out(f->clients[i].tls), 3, &sent), ERR_OK);
        assert_int_equal(send(f->clients[i].descriptor, sent.data, sent.len, MSG_NOSIGNAL), sent.len);
        assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
    }
    for (size_t i = 0; i < (STRANGERS - IDLE) / AT_ONCE; i++) {
        come_in_vain(f);
    }

    assert_int_equal(http_server_connections(f->server), IDLE);
    assert_int_equal(arenas, 1); /* one set of buffers did for all of them, one after the other */
    for (size_t i = 0; i < IDLE; i++) {
        http_await(f, &f->clients[i], "again", 1);
    }
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, http_fixture_open, http_fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(http_a_client_that_does_not_read_is_closed_and_costs_no_more_than_its_answer),
        FIXTURE_TEST(http_attack_12_a_client_that_reads_little_by_little_does_not_keep_its_answer_for_ever),
        FIXTURE_TEST(http_attack_13_answers_that_nobody_takes_have_a_bound_and_short_requests_are_served_beyond_it),
        FIXTURE_TEST(http_attack_13_bodies_that_do_not_end_have_a_bound),
        FIXTURE_TEST(http_attack_13_a_client_that_sends_a_refused_body_whole_hears_why_and_one_without_end_is_cut_off),
        FIXTURE_TEST(http_attack_13_connections_of_all_reactors_have_one_cap),
        FIXTURE_TEST(http_attack_13_one_that_its_address_refuses_takes_no_place_of_the_others),
        FIXTURE_TEST(http_attack_13_of_10000_idle_connections_those_within_the_cap_hold_no_buffers_and_go_on),
    };

    if (crypto_start() != ERR_OK) {
        return 1;
    }
    return cmocka_run_group_tests_name("net/http hold", tests, NULL, NULL);
}
