/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/http.h as its clients see it: order, time limits, floods, vanished clients, late answers, caps, 308, draining. */
#include "net/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "hal/base/config.h"
#include "tests/lib/http_fixture.h"

static void http_answers_requests_of_one_connection_one_after_the_other(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);

    http_client_send(client, span_lit("GET /one HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    http_await(f, client, "one", 1);
    assert_string_equal(http_got(client), "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\none");
    buf_reset(client->got);
    http_client_send(client, span_lit("GET /two/ HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    http_await(f, client, "two", 1);
    assert_int_equal(f->requests, 2);
    assert_false(client->ended);
    assert_int_equal(http_server_exchanges(f->server), 0);
}

static void http_answers_pipelined_requests_in_order(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);

    http_client_send(client, span_lit("GET /a1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2"
                                 "\r\n\r\nb2GET /c3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    http_await_end(f, client);

    assert_int_equal(f->requests, 3);
    const char *const a = strstr(http_got(client), "a1");
    const char *const b = strstr(http_got(client), "b2");
    const char *const c = strstr(http_got(client), "c3");
    assert_true(a != NULL && b > a && c > b);
    assert_non_null(strstr(http_got(client), "Connection: close"));
}

static void attack_12_a_pipelining_flood_is_answered_in_turns(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const flood = http_client_open(f);
    struct http_client *const other = http_client_open(f);
    const size_t count = 10 * CONFIG_NET_HTTP_PIPELINE_MAX;

    for (size_t i = 0; i < count; i++) {
        http_client_send(flood, span_lit("GET /f HTTP/1.1\r\nHost: h\r\n\r\n"));
    }
    http_client_send(other, span_lit("GET /other HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_client_move(flood);
    http_client_move(other);
    assert_int_equal(loop_turn(f->loop, 100), ERR_OK);
    assert_true(f->requests <= CONFIG_NET_HTTP_PIPELINE_MAX * 2 + 1);
    http_await(f, other, "other", 1);
    http_await(f, flood, "HTTP/1.1 200 OK", count);
    assert_int_equal(f->requests, count + 1);
}

static void http_holds_what_comes_behind_a_request_that_is_answered_later(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);

    http_client_send(client, span_lit("GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_turns(f, 50);
    assert_int_equal(f->requests, 1);
    assert_int_equal(http_server_exchanges(f->server), 1);
    http_client_send(client, span_lit("GET /third HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_turns(f, 50);
    assert_int_equal(f->requests, 1);

    http_fixture_respond(f->parked[0], 200, span_lit("now"));
    f->parked[0] = NULL;
    http_await(f, client, "third", 1);
    assert_int_equal(f->requests, 3);
    assert_true(strstr(http_got(client), "now") < strstr(http_got(client), "next"));
}

static void http_an_exchange_outlives_its_connection(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);
    const struct linger reset = {.l_onoff = 1};

    http_client_send(client, span_lit("POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"));
    http_turns(f, 50);
    assert_int_equal(f->parked_count, 1);
    assert_int_equal(setsockopt(client->descriptor, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    http_client_close(client);
    http_turns(f, 50);

    assert_int_equal(f->cancels, 1);
    assert_int_equal(f->cancelled, ERR_CLOSED);
    assert_true(span_equal(f->parked[0]->body, span_lit("body"))); /* still there */
    assert_int_equal(http_server_exchanges(f->server), 1);
    http_fixture_respond(f->parked[0], 200, span_lit("to nobody"));
    f->parked[0] = NULL;
    http_turns(f, 4);
    assert_int_equal(http_server_exchanges(f->server), 0);
    assert_int_equal(http_server_connections(f->server), 0);
}

/* What a request held stays neither for the next one nor, after the client went away, for another connection. The memory
 * is the pool's meanwhile. */
static void http_keeps_nothing_of_a_request_that_is_over(void **state)
{
    static const uint8_t nothing[6];
    const struct span request =
        span_lit("POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc123");
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);
    const struct linger reset = {.l_onoff = 1};

    http_client_send(client, request);
    http_turns(f, 50);
    const uint8_t *const first = f->parked[0]->body.data;
    http_fixture_respond(f->parked[0], 200, span_lit("answered"));
    f->parked[0] = NULL;
    http_await(f, client, "answered", 1);
    assert_memory_equal(first, nothing, sizeof nothing);

    http_client_send(client, request);
    http_turns(f, 50);
    const uint8_t *const second = f->parked[1]->body.data;
    assert_int_equal(setsockopt(client->descriptor, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    http_client_close(client);
    http_turns(f, 50);
    http_fixture_respond(f->parked[1], 200, span_lit("to nobody"));
    f->parked[1] = NULL;
    http_turns(f, 4);

    assert_memory_equal(second, nothing, sizeof nothing);
}

/* The same for what was answered: tokens of a session, for one. */
static void http_keeps_nothing_of_an_answer_that_is_over(void **state)
{
    static const uint8_t nothing[11];
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);
    http_client_send(client, span_lit("GET /later HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_turns(f, 50);
    assert_int_equal(f->parked_count, 1);
    struct buf *const body = http_body(f->parked[0]);
    assert_int_equal(buf_put(body, span_lit("behind what")), ERR_OK);
    const uint8_t *const memory = buf_all(body).data;
    buf_reset(body); /* as an error takes the place of what was written */

    http_fixture_respond(f->parked[0], 200, span_lit("token"));
    f->parked[0] = NULL;
    http_await(f, client, "token", 1);

    assert_memory_equal(memory, nothing, sizeof nothing);
}

static void attack_12_a_half_closed_client_gets_its_answer(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);

    http_client_send(client, span_lit("GET /later HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_turns(f, 50);
    assert_int_equal(shutdown(client->descriptor, SHUT_WR), 0);
    http_turns(f, 50);
    http_fixture_respond(f->parked[0], 200, span_lit("late"));
    f->parked[0] = NULL;
    http_await_end(f, client);

    assert_non_null(strstr(http_got(client), "late"));
    http_turns(f, 4);
    assert_int_equal(http_server_connections(f->server), 0);
}

static void attack_12_a_half_closed_client_gets_the_answers_to_all_it_sent_ahead(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);

    http_client_send(client, span_lit("GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /two HTTP/1.1\r\nHost: h\r\n\r\n"
                                      "GET /three HTTP/1.1\r\nHost: h\r\n\r\nGET /cut HT"));
    http_turns(f, 50);
    assert_int_equal(shutdown(client->descriptor, SHUT_WR), 0);
    http_turns(f, 50);
    http_fixture_respond(f->parked[0], 200, span_lit("one"));
    f->parked[0] = NULL;
    http_await_end(f, client);

    assert_int_equal(http_count(buf_all(client->got), "HTTP/1.1 200 OK"), 3);
    assert_int_equal(f->requests, 3);
}

static void http_cancels_an_answer_that_takes_too_long(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);

    http_client_send(client, span_lit("GET /later HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_turns(f, 50);
    http_advance(f, CONFIG_NET_HTTP_ANSWER_MS - 20);
    assert_int_equal(f->cancels, 0);
    http_advance(f, 50);
    assert_int_equal(f->cancels, 1);
    assert_int_equal(f->cancelled, ERR_TIMEOUT);

    http_fixture_respond(f->parked[0], 503, span_lit("sorry"));
    f->parked[0] = NULL;
    http_await(f, client, "sorry", 1);
}

static void http_closes_an_idle_connection(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);

    http_client_send(client, span_lit("GET /x HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_await(f, client, "200 OK", 1);
    http_advance(f, CONFIG_NET_HTTP_IDLE_MS - 20);
    assert_false(client->ended);
    http_advance(f, 50);
    http_await_end(f, client);
    assert_int_equal(f->refusals, 0);
}

static void attack_12_slow_heads_and_bodies_are_answered_408(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const head = http_client_open(f);
    struct http_client *const body = http_client_open(f);

    http_client_send(head, span_lit("GET /x HTTP/1.1\r\nHo"));
    http_turns(f, 10);
    http_advance(f, CONFIG_NET_HTTP_HEADER_MS / 2);
    http_client_send(head, span_lit("st: h\r\n")); /* progress buys no time */
    http_advance(f, CONFIG_NET_HTTP_HEADER_MS / 2 + 50);
    http_await_end(f, head);
    assert_non_null(strstr(http_got(head), "HTTP/1.1 408 "));
    assert_int_equal(f->refused_with, 408);

    http_client_send(body, span_lit("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab"));
    http_turns(f, 10);
    http_advance(f, CONFIG_NET_HTTP_BODY_MS + 50);
    http_await_end(f, body);
    assert_non_null(strstr(http_got(body), "HTTP/1.1 408 "));
    assert_int_equal(f->requests, 0);
}

static void attack_13_a_slow_handshake_is_closed(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_plain(f, f->port);

    http_client_send(client, span_lit("\x16\x03\x01\x02\x00\x01"));
    http_turns(f, 10);
    assert_int_equal(http_server_connections(f->server), 1);
    http_advance(f, CONFIG_NET_TLS_HANDSHAKE_MS + 50);
    http_await_end(f, client);
    assert_int_equal(http_server_connections(f->server), 0);
}

static void http_serves_others_while_a_handshake_waits_for_its_signature(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const served = http_client_open(f);
    struct http_client *const waiting = http_client_plain(f, f->port);

    f->keeper_sleeps = true;
    waiting->tls = tls_peer_new(&(struct tls_peer_options){.version = 0x0304});
    assert_int_equal(tls_peer_connect(waiting->tls), 1);
    http_turns(f, 20);
    assert_non_null(f->keeper.job);
    http_client_send(served, span_lit("GET /meanwhile HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_await(f, served, "meanwhile", 1);

    f->keeper_sleeps = false;
    int result = 1;
    for (size_t i = 0; i < 100 && result == 1; i++) {
        http_turn(f);
        result = tls_peer_connect(waiting->tls);
    }
    assert_int_equal(result, 0);
    http_client_send(waiting, span_lit("GET /then HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_await(f, waiting, "then", 1);
}

static void http_a_client_gone_while_its_signature_is_made_cancels_it(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_plain(f, f->port);

    f->keeper_sleeps = true;
    client->tls = tls_peer_new(&(struct tls_peer_options){.version = 0x0304});
    assert_int_equal(tls_peer_connect(client->tls), 1);
    http_turns(f, 20);
    assert_non_null(f->keeper.job);
    http_advance(f, CONFIG_NET_TLS_HANDSHAKE_MS + 50);

    assert_int_equal(f->keeper.cancelled, 1);
    assert_int_equal(http_server_connections(f->server), 0);
}

static void http_sends_a_large_answer_as_the_client_reads(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);

    http_client_send(client, span_lit("GET /big HTTP/1.1\r\nHost: h\r\n\r\n"));
    for (size_t i = 0; i < HTTP_FIXTURE_TURNS_MAX && buf_len(client->got) < HTTP_FIXTURE_RESPONSE_MAX; i++) {
        http_turn(f);
        (void)tls_peer_read(client->tls, client->got);
    }
    assert_true(buf_len(client->got) > HTTP_FIXTURE_RESPONSE_MAX);
    assert_non_null(strstr(http_got(client), "Content-Length: 4194304\r\n"));
    http_client_send(client, span_lit("GET /after HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_await(f, client, "after", 1);
}

static void http_reads_bodies_with_length_and_in_chunks_split_anywhere(void **state)
{
    static const char text[] = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloPOST /echo HTTP/1.1\r\nHost: h\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n3\r\nwor\r\n02\r\nld\r\n0\r\n\r\nGET /end HTTP/1.1\r\n"
                               "Host: h\r\n\r\n";
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);

    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        http_client_send(client, span_of(text + i, 1));
        http_turn(f);
    }
    http_await(f, client, "end", 1);
    assert_non_null(strstr(http_got(client), "Content-Length: 5\r\n\r\nhello"));
    assert_non_null(strstr(http_got(client), "Content-Length: 5\r\n\r\nworld"));
    assert_int_equal(f->requests, 3);
}

static void http_invites_a_body_that_was_announced(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);

    http_client_send(client, span_lit("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
    http_await(f, client, "HTTP/1.1 100 Continue\r\n\r\n", 1);
    http_client_send(client, span_lit("abc"));
    http_await(f, client, "\r\n\r\nabc", 1);
}

static void http_sends_no_body_for_head_and_204(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);

    http_client_send(client, span_lit("HEAD /seen HTTP/1.1\r\nHost: h\r\n\r\nGET /nothing HTTP/1.1\r\nHost: h\r\n\r\n"
                                 "GET /last HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_await(f, client, "last", 1);
    assert_non_null(strstr(http_got(client), "Content-Length: 4\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n"));
}

static void http_a_header_that_would_break_the_framing_becomes_an_empty_500(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);

    http_client_send(client, span_lit("GET /inject HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_await_end(f, client);
    assert_non_null(strstr(http_got(client), "HTTP/1.1 500 "));
    assert_null(strstr(http_got(client), "Set-Cookie"));
}

static void attack_12_a_bad_request_is_refused_and_the_connection_closed(void **state)
{
    static const struct {
        const char *text;
        unsigned int status;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\nHost: h\n\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4194305\r\n\r\n", 413},
        {"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n400001\r\n", 413},
    };
    struct http_fixture *const f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct http_client *const client = http_client_open(f);

        http_client_send(client, span_str(cases[i].text));
        http_client_send(client, span_lit("GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"));
        http_await_end(f, client);
        assert_int_equal(f->refusals, i + 1);
        assert_int_equal(f->refused_with, cases[i].status);
        assert_int_equal(f->requests, 0);
        assert_non_null(strstr(http_got(client), "Connection: close"));
        assert_int_equal(http_count(buf_all(client->got), "HTTP/1.1 "), 1);
    }
}

/* A web page reads the status of a refusal only if the answer allows its origin: contract 1.10. */
static void http_a_refused_body_leaves_the_headers_to_whoever_answers(void **state)
{
    static const struct {
        const char *text;
        unsigned int status;
    } cases[] = {
        {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4194305\r\nOrigin: https://page\r\n\r\n", 413},
        {"POST /echo HTTP/1.1\r\nHost: h\r\nOrigin: https://page\r\nTransfer-Encoding: chunked\r\n\r\n400001\r\n", 413},
        {"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nOrigin: https://page\r\n\r\nx\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nOrigin: https://page\r\n\r\nab", 408},
    };
    struct http_fixture *const f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct http_client *const client = http_client_open(f);

        http_client_send(client, span_str(cases[i].text));
        http_turns(f, 10);
        if (cases[i].status == 408) {
            http_advance(f, CONFIG_NET_HTTP_BODY_MS + 50);
        }
        http_await_end(f, client);
        assert_int_equal(f->refused_with, cases[i].status);
        assert_string_equal(f->refused_origin, "https://page");
    }
}

static void attack_13_a_head_over_32_kib_is_413_and_a_url_of_16_kib_is_served(void **state)
{
    static char text[40000];
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);
    struct http_client *const greedy = http_client_open(f);

    memset(text, 'u', sizeof(text));
    http_client_send(client, span_lit("GET /long?"));
    http_client_send(client, span_of(text, 16384));
    http_client_send(client, span_lit(" HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_await(f, client, "long", 1);
    http_client_send(greedy, span_lit("GET /long?"));
    http_client_send(greedy, span_of(text, 16384));
    http_client_send(greedy, span_of(text, 16384));
    http_await_end(f, greedy);
    assert_int_equal(f->refused_with, 413);
}

static void attack_13_connections_of_one_address_are_capped(void **state)
{
    struct http_fixture *const f = *state;

    for (size_t i = 0; i < CONFIG_NET_CONNECTIONS_PER_ADDRESS + 4; i++) {
        (void)http_client_plain(f, f->port);
    }
    http_turns(f, 40);
    assert_int_equal(http_server_connections(f->server), CONFIG_NET_CONNECTIONS_PER_ADDRESS);
    http_client_close(&f->clients[0]);
    http_turns(f, 10);
    struct http_client *const client = http_client_plain(f, f->port);
    http_turns(f, 10);
    assert_false(client->ended);
    assert_int_equal(http_server_connections(f->server), CONFIG_NET_CONNECTIONS_PER_ADDRESS);
}

static void http_redirect_answers_308_and_nothing_else(void **state)
{
    static const struct {
        const char *request;
        const char *answer;
    } cases[] = {
        {"GET /a%20b?x=1&y HTTP/1.1\r\nHost: box.local:8080\r\n\r\n",
         "HTTP/1.1 308 Permanent Redirect\r\nLocation: https://box.local:8443/a%20b?x=1&y\r\nContent-Length: 0\r\n\r\n"},
        {"POST /v1/data HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 2\r\n\r\n{}",
         "HTTP/1.1 308 Permanent Redirect\r\nLocation: https://[::1]:8443/v1/data\r\nContent-Length: 0\r\n\r\n"},
        {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
         "HTTP/1.1 308 Permanent Redirect\r\nLocation: https://h:8443/\r\nContent-Length: 0\r\n\r\n"},
        {"GET / HTTP/1.1\r\nHost: evil/../x\r\n\r\n", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
        {"GET / HTTP/1.1\r\nHost: user@h\r\n\r\n", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
    };
    struct http_fixture *const f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct http_client *const client = http_client_plain(f, f->redirect_port);

        http_client_send(client, span_str(cases[i].request));
        http_await(f, client, "\r\n\r\n", 1);
        assert_string_equal(http_got(client), cases[i].answer);
    }
    assert_int_equal(f->requests + f->refusals, 0);
}

static void note_drained(void *context)
{
    ((struct http_fixture *)context)->drained = true;
}

static void http_drain_lets_requests_finish_and_closes_the_rest(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const idle = http_client_open(f);
    struct http_client *const busy = http_client_open(f);

    http_client_send(busy, span_lit("GET /later HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_turns(f, 50);
    http_server_drain(f->server, 5000, note_drained, f);
    http_await_end(f, idle);
    http_client_close(idle);
    assert_false(busy->ended);
    assert_false(f->drained);
    http_fixture_respond(f->parked[0], 200, span_lit("done"));
    f->parked[0] = NULL;
    http_await_end(f, busy);
    http_client_close(busy);
    http_turns(f, 10);

    assert_non_null(strstr(http_got(busy), "Connection: close"));
    assert_true(f->drained);
    assert_int_equal(http_server_connections(f->server), 0);
}

static void http_drain_cancels_after_its_grace(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const busy = http_client_open(f);

    http_client_send(busy, span_lit("GET /later HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_turns(f, 50);
    http_server_drain(f->server, 5000, note_drained, f);
    http_advance(f, 5050);
    assert_int_equal(f->cancelled, ERR_CANCELLED);
    assert_false(f->drained);
    http_fixture_respond(f->parked[0], 503, SPAN_NONE);
    f->parked[0] = NULL;
    http_await_end(f, busy);
    http_client_close(busy);
    http_turns(f, 10);
    assert_true(f->drained);
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, http_fixture_open, http_fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(http_answers_requests_of_one_connection_one_after_the_other),
        FIXTURE_TEST(http_answers_pipelined_requests_in_order),
        FIXTURE_TEST(attack_12_a_pipelining_flood_is_answered_in_turns),
        FIXTURE_TEST(http_holds_what_comes_behind_a_request_that_is_answered_later),
        FIXTURE_TEST(http_an_exchange_outlives_its_connection),
        FIXTURE_TEST(attack_12_a_half_closed_client_gets_its_answer),
        FIXTURE_TEST(attack_12_a_half_closed_client_gets_the_answers_to_all_it_sent_ahead),
        FIXTURE_TEST(http_cancels_an_answer_that_takes_too_long),
        FIXTURE_TEST(http_closes_an_idle_connection),
        FIXTURE_TEST(attack_12_slow_heads_and_bodies_are_answered_408),
        FIXTURE_TEST(attack_13_a_slow_handshake_is_closed),
        FIXTURE_TEST(http_serves_others_while_a_handshake_waits_for_its_signature),
        FIXTURE_TEST(http_a_client_gone_while_its_signature_is_made_cancels_it),
        FIXTURE_TEST(http_sends_a_large_answer_as_the_client_reads),
        FIXTURE_TEST(http_reads_bodies_with_length_and_in_chunks_split_anywhere),
        FIXTURE_TEST(http_keeps_nothing_of_a_request_that_is_over),
        FIXTURE_TEST(http_keeps_nothing_of_an_answer_that_is_over),
        FIXTURE_TEST(http_invites_a_body_that_was_announced),
        FIXTURE_TEST(http_sends_no_body_for_head_and_204),
        FIXTURE_TEST(http_a_header_that_would_break_the_framing_becomes_an_empty_500),
        FIXTURE_TEST(attack_12_a_bad_request_is_refused_and_the_connection_closed),
        FIXTURE_TEST(http_a_refused_body_leaves_the_headers_to_whoever_answers),
        FIXTURE_TEST(attack_13_a_head_over_32_kib_is_413_and_a_url_of_16_kib_is_served),
        FIXTURE_TEST(attack_13_connections_of_one_address_are_capped),
        FIXTURE_TEST(http_redirect_answers_308_and_nothing_else),
        FIXTURE_TEST(http_drain_lets_requests_finish_and_closes_the_rest),
        FIXTURE_TEST(http_drain_cancels_after_its_grace),
    };

    if (crypto_start() != ERR_OK) {
        return 1;
    }
    return cmocka_run_group_tests_name("net/http", tests, NULL, NULL);
}
