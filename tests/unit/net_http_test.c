/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/http.h over real sockets on the loopback: a server and its clients in one thread, with a clock that the test moves.
 * Nothing sleeps: each step turns the loop until what is awaited is there. */
#include "net/http.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/aead.h"
#include "crypto/crypto.h"
#include "hal/base/config.h"
#include "hal/base/num.h"
#include "hal/socket.h"
#include "tests/lib/tls_peer.h"

#define TURNS_MAX 20000
#define BODY_MAX 4096
#define RESPONSE_MAX ((size_t)4 << 20)
#define CLIENTS_MAX 300

struct client {
    int descriptor;
    struct tls_peer *tls; /* NULL: plain */
    struct buf *got;
    bool ended; /* the server has closed, in order or not */
    bool reads; /* off: a client that does not read */
};

struct fixture {
    struct hal_clock clock; /* first: the functions get it */
    uint64_t now_ms;
    struct loop *loop;
    struct stack *stack;
    struct limits *limits;
    struct tls_keeper keeper;
    bool keeper_sleeps;
    struct secret_slab *slab;
    struct tls_server *tls;
    struct http_server *server;
    struct http_server *redirect;
    uint16_t port;
    uint16_t redirect_port;
    struct client clients[CLIENTS_MAX];
    size_t client_count;

    size_t requests;
    size_t refusals;
    unsigned int refused_with;
    struct http_exchange *parked[8];
    size_t parked_count;
    enum err cancelled;
    size_t cancels;
    bool drained;
};

static struct mono_time mono_now(const struct hal_clock *clock)
{
    return (struct mono_time){((const struct fixture *)(const void *)clock)->now_ms * TIME_NS_PER_MS};
}

static struct wall_time wall_now(const struct hal_clock *clock)
{
    return (struct wall_time){(int64_t)((const struct fixture *)(const void *)clock)->now_ms};
}

static const struct hal_clock_ops clock_ops = {.mono = mono_now, .wall = wall_now};

/* --- the handler --- */

static void note_cancel(struct http_exchange *exchange, enum err why)
{
    struct fixture *const f = exchange->user;

    f->cancelled = why;
    f->cancels++;
}

static void respond_text(struct http_exchange *exchange, unsigned int status, struct span text)
{
    const struct http_header headers[] = {{span_lit("Content-Type"), span_lit("text/plain")}};
    const struct http_response response = {.status = status, .headers = headers, .header_count = 1};

    assert_int_equal(buf_put(http_body(exchange), text), ERR_OK);
    http_respond(exchange, &response);
}

static void respond_big(struct http_exchange *exchange)
{
    uint8_t *at = NULL;

    assert_int_equal(buf_reserve(http_body(exchange), RESPONSE_MAX, &at), ERR_OK);
    memset(at, 'b', RESPONSE_MAX);
    buf_commit(http_body(exchange), RESPONSE_MAX);
    respond_text(exchange, 200, SPAN_NONE);
}

static void on_request(void *context, struct http_exchange *exchange)
{
    struct fixture *const f = context;
    const struct span name = exchange->segment_count > 0 ? exchange->segments[0] : SPAN_NONE;

    f->requests++;
    exchange->user = f;
    exchange->on_cancel = note_cancel;
    if (!exchange->path_ok) {
        respond_text(exchange, 404, span_lit("no such path"));
    } else if (span_equal(name, span_lit("later"))) {
        f->parked[f->parked_count++] = exchange;
    } else if (span_equal(name, span_lit("echo"))) {
        respond_text(exchange, 200, exchange->body);
    } else if (span_equal(name, span_lit("big"))) {
        respond_big(exchange);
    } else if (span_equal(name, span_lit("nothing"))) {
        http_respond(exchange, &(struct http_response){.status = 204});
    } else if (span_equal(name, span_lit("inject"))) {
        const struct http_header bad = {span_lit("X-Bad"), span_lit("a\r\nSet-Cookie: b")};

        http_respond(exchange, &(struct http_response){.status = 200, .headers = &bad, .header_count = 1});
    } else {
        respond_text(exchange, 200, name);
    }
}

static void on_refused(void *context, struct http_exchange *exchange, unsigned int status)
{
    struct fixture *const f = context;

    f->refusals++;
    f->refused_with = status;
    respond_text(exchange, status, span_lit("{\"refused\":true}"));
}

static const struct http_handler handler = {.on_request = on_request, .on_refused = on_refused};

/* --- servers and clients --- */

static struct stack_socket *listen_on(struct fixture *f, uint16_t *out_port)
{
    struct socket_listen listen = {.backlog = 512};
    struct socket_address bound = {0};
    struct stack_socket *socket = NULL;
    int descriptor = -1;

    assert_int_equal(socket_address_parse(span_lit("127.0.0.1"), &listen.address), ERR_OK);
    assert_int_equal(socket_listen(&listen, &descriptor, &bound), ERR_OK);
    assert_int_equal(stack_kernel_adopt(f->stack, descriptor, &socket), ERR_OK);
    *out_port = bound.port;
    return socket;
}

static int set_up(void **state)
{
    static const uint8_t seed[LIMITS_SEED_BYTES] = {9};
    static struct fixture fixture;
    struct fixture *const f = &fixture;

    memset(f, 0, sizeof(*f));
    f->clock.ops = &clock_ops;
    f->now_ms = 1000000;
    tls_keeper_open(&f->keeper);
    assert_int_equal(loop_new(&f->clock, 16, &f->loop), ERR_OK);
    assert_int_equal(stack_kernel_new(f->loop, &f->stack), ERR_OK);
    assert_int_equal(limits_new(1024, seed, &f->limits), ERR_OK);
    assert_int_equal(crypto_slab_new(&f->slab), ERR_OK);
    const struct tls_server_options tls = {.signer = tls_keeper_face(&f->keeper), .slab = f->slab};
    assert_int_equal(tls_server_new(&tls, &f->tls), ERR_OK);
    assert_int_equal(tls_server_cert(f->tls, span_str(tls_peer_certificate)), ERR_OK);
    const struct http_server_options options = {
        .loop = f->loop,
        .stack = f->stack,
        .tls = f->tls,
        .limits = f->limits,
        .handler = &handler,
        .context = f,
        .body_max = BODY_MAX,
        .response_max = RESPONSE_MAX,
        .arena_max = 1 << 20,
    };
    assert_int_equal(http_server_new(&options, &f->server), ERR_OK);
    assert_int_equal(http_server_listen(f->server, listen_on(f, &f->port)), ERR_OK);
    assert_int_equal(http_redirect_new(&options, 8443, &f->redirect), ERR_OK);
    assert_int_equal(http_server_listen(f->redirect, listen_on(f, &f->redirect_port)), ERR_OK);
    *state = f;
    return 0;
}

static void client_close(struct client *client)
{
    if (client->descriptor >= 0) {
        (void)close(client->descriptor);
        client->descriptor = -1;
    }
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;

    for (size_t i = 0; i < f->parked_count; i++) {
        if (f->parked[i] != NULL) {
            http_respond(f->parked[i], &(struct http_response){.status = 200});
        }
    }
    for (size_t i = 0; i < f->client_count; i++) {
        client_close(&f->clients[i]);
        tls_peer_free(f->clients[i].tls);
        buf_free(f->clients[i].got);
    }
    http_server_free(f->server);
    http_server_free(f->redirect);
    tls_server_free(f->tls);
    secret_slab_free(f->slab);
    limits_free(f->limits);
    stack_free(f->stack);
    loop_free(f->loop);
    tls_keeper_close(&f->keeper);
    return 0;
}

static struct client *client_plain(struct fixture *f, uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct client *const client = &f->clients[f->client_count++];

    client->reads = true;
    client->descriptor = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(client->descriptor >= 0);
    assert_int_equal(connect(client->descriptor, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(fcntl(client->descriptor, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(setsockopt(client->descriptor, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), 0);
    assert_int_equal(buf_new((size_t)8 << 20, &client->got), ERR_OK);
    return client;
}

static void client_move(struct client *client)
{
    static uint8_t bytes[65536];

    if (client->descriptor < 0) {
        return;
    }
    if (client->tls != NULL) {
        const struct span out = buf_unread(tls_peer_out(client->tls));

        if (out.len > 0) {
            struct span sent = SPAN_NONE;
            const ssize_t n = send(client->descriptor, out.data, out.len, MSG_NOSIGNAL);

            if (n > 0) {
                assert_int_equal(buf_get(tls_peer_out(client->tls), (size_t)n, &sent), ERR_OK);
            }
        }
    }
    const ssize_t n = client->reads ? recv(client->descriptor, bytes, sizeof(bytes), 0) : -1;

    if (n > 0 && client->tls == NULL) {
        assert_int_equal(buf_put(client->got, span_of(bytes, (size_t)n)), ERR_OK);
    } else if (n > 0) {
        tls_peer_feed(client->tls, span_of(bytes, (size_t)n));
    } else if (n == 0) {
        client->ended = true;
    }
}

static void turn(struct fixture *f)
{
    for (size_t i = 0; i < f->client_count; i++) {
        client_move(&f->clients[i]);
    }
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
    if (f->keeper.job != NULL && !f->keeper_sleeps) {
        tls_keeper_answer(&f->keeper);
    }
}

static void turns(struct fixture *f, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        turn(f);
    }
}

static struct client *client_open(struct fixture *f)
{
    struct client *const client = client_plain(f, f->port);
    int result = 1;

    client->tls = tls_peer_new(&(struct tls_peer_options){.version = 0x0304, .protocol = "http/1.1"});
    for (size_t i = 0; i < TURNS_MAX && result == 1; i++) {
        result = tls_peer_connect(client->tls);
        turn(f);
    }
    assert_int_equal(result, 0);
    return client;
}

static void client_send(struct client *client, struct span text)
{
    if (client->tls != NULL) {
        tls_peer_write(client->tls, text);
    } else {
        assert_int_equal(send(client->descriptor, text.data, text.len, MSG_NOSIGNAL), text.len);
    }
}

static size_t count_in(struct span text, const char *part)
{
    const struct span what = span_str(part);
    size_t count = 0;

    for (size_t i = 0; i + what.len <= text.len; i++) {
        count += span_equal(span_of(text.data + i, what.len), what) ? 1 : 0;
    }
    return count;
}

/* Turns until the client has read that text so many times. */
static void await(struct fixture *f, struct client *client, const char *text, size_t times)
{
    for (size_t i = 0; i < TURNS_MAX; i++) {
        turn(f);
        if (client->tls != NULL && client->reads) {
            (void)tls_peer_read(client->tls, client->got);
        }
        if (count_in(buf_all(client->got), text) >= times) {
            return;
        }
    }
    fail_msg("did not get %s; got %.*s", text, (int)num_min(buf_len(client->got), 2000),
             (const char *)buf_all(client->got).data);
}

static void await_end(struct fixture *f, struct client *client)
{
    for (size_t i = 0; i < TURNS_MAX && !client->ended; i++) {
        turn(f);
    }
    assert_true(client->ended);
    if (client->tls != NULL) {
        (void)tls_peer_read(client->tls, client->got);
    }
}

static void advance(struct fixture *f, uint64_t ms)
{
    f->now_ms += ms;
    turns(f, 4);
}

static const char *got(struct client *client)
{
    static char text[4096];
    const size_t len = num_min(buf_len(client->got), sizeof(text) - 1);

    memcpy(text, buf_all(client->got).data, len);
    text[len] = '\0';
    return text;
}

/* --- tests --- */

static void http_answers_requests_of_one_connection_one_after_the_other(void **state)
{
    struct fixture *const f = *state;
    struct client *const client = client_open(f);

    client_send(client, span_lit("GET /one HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    await(f, client, "one", 1);
    assert_string_equal(got(client), "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\none");
    buf_reset(client->got);
    client_send(client, span_lit("GET /two/ HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    await(f, client, "two", 1);
    assert_int_equal(f->requests, 2);
    assert_false(client->ended);
    assert_int_equal(http_server_exchanges(f->server), 0);
}

static void http_answers_pipelined_requests_in_order(void **state)
{
    struct fixture *const f = *state;
    struct client *const client = client_open(f);

    client_send(client, span_lit("GET /a1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2"
                                 "\r\n\r\nb2GET /c3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    await_end(f, client);

    assert_int_equal(f->requests, 3);
    const char *const a = strstr(got(client), "a1");
    const char *const b = strstr(got(client), "b2");
    const char *const c = strstr(got(client), "c3");
    assert_true(a != NULL && b > a && c > b);
    assert_non_null(strstr(got(client), "Connection: close"));
}

static void attack_12_a_pipelining_flood_is_answered_in_turns(void **state)
{
    struct fixture *const f = *state;
    struct client *const flood = client_open(f);
    struct client *const other = client_open(f);
    const size_t count = 10 * CONFIG_NET_HTTP_PIPELINE_MAX;

    for (size_t i = 0; i < count; i++) {
        client_send(flood, span_lit("GET /f HTTP/1.1\r\nHost: h\r\n\r\n"));
    }
    client_send(other, span_lit("GET /other HTTP/1.1\r\nHost: h\r\n\r\n"));
    client_move(flood);
    client_move(other);
    assert_int_equal(loop_turn(f->loop, 100), ERR_OK);
    assert_true(f->requests <= CONFIG_NET_HTTP_PIPELINE_MAX * 2 + 1);
    await(f, other, "other", 1);
    await(f, flood, "HTTP/1.1 200 OK", count);
    assert_int_equal(f->requests, count + 1);
}

static void http_holds_what_comes_behind_a_request_that_is_answered_later(void **state)
{
    struct fixture *const f = *state;
    struct client *const client = client_open(f);

    client_send(client, span_lit("GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n"));
    turns(f, 50);
    assert_int_equal(f->requests, 1);
    assert_int_equal(http_server_exchanges(f->server), 1);
    client_send(client, span_lit("GET /third HTTP/1.1\r\nHost: h\r\n\r\n"));
    turns(f, 50);
    assert_int_equal(f->requests, 1);

    respond_text(f->parked[0], 200, span_lit("now"));
    f->parked[0] = NULL;
    await(f, client, "third", 1);
    assert_int_equal(f->requests, 3);
    assert_true(strstr(got(client), "now") < strstr(got(client), "next"));
}

static void http_an_exchange_outlives_its_connection(void **state)
{
    struct fixture *const f = *state;
    struct client *const client = client_open(f);
    const struct linger reset = {.l_onoff = 1};

    client_send(client, span_lit("POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"));
    turns(f, 50);
    assert_int_equal(f->parked_count, 1);
    assert_int_equal(setsockopt(client->descriptor, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    client_close(client);
    turns(f, 50);

    assert_int_equal(f->cancels, 1);
    assert_int_equal(f->cancelled, ERR_CLOSED);
    assert_true(span_equal(f->parked[0]->body, span_lit("body"))); /* still there */
    assert_int_equal(http_server_exchanges(f->server), 1);
    respond_text(f->parked[0], 200, span_lit("to nobody"));
    f->parked[0] = NULL;
    turns(f, 4);
    assert_int_equal(http_server_exchanges(f->server), 0);
    assert_int_equal(http_server_connections(f->server), 0);
}

static void attack_12_a_half_closed_client_gets_its_answer(void **state)
{
    struct fixture *const f = *state;
    struct client *const client = client_open(f);

    client_send(client, span_lit("GET /later HTTP/1.1\r\nHost: h\r\n\r\n"));
    turns(f, 50);
    assert_int_equal(shutdown(client->descriptor, SHUT_WR), 0);
    turns(f, 50);
    respond_text(f->parked[0], 200, span_lit("late"));
    f->parked[0] = NULL;
    await_end(f, client);

    assert_non_null(strstr(got(client), "late"));
    turns(f, 4);
    assert_int_equal(http_server_connections(f->server), 0);
}

static void http_cancels_an_answer_that_takes_too_long(void **state)
{
    struct fixture *const f = *state;
    struct client *const client = client_open(f);

    client_send(client, span_lit("GET /later HTTP/1.1\r\nHost: h\r\n\r\n"));
    turns(f, 50);
    advance(f, CONFIG_NET_HTTP_ANSWER_MS - 20);
    assert_int_equal(f->cancels, 0);
    advance(f, 50);
    assert_int_equal(f->cancels, 1);
    assert_int_equal(f->cancelled, ERR_TIMEOUT);

    respond_text(f->parked[0], 503, span_lit("sorry"));
    f->parked[0] = NULL;
    await(f, client, "sorry", 1);
}

static void http_closes_an_idle_connection(void **state)
{
    struct fixture *const f = *state;
    struct client *const client = client_open(f);

    client_send(client, span_lit("GET /x HTTP/1.1\r\nHost: h\r\n\r\n"));
    await(f, client, "200 OK", 1);
    advance(f, CONFIG_NET_HTTP_IDLE_MS - 20);
    assert_false(client->ended);
    advance(f, 50);
    await_end(f, client);
    assert_int_equal(f->refusals, 0);
}

static void attack_12_slow_heads_and_bodies_are_answered_408(void **state)
{
    struct fixture *const f = *state;
    struct client *const head = client_open(f);
    struct client *const body = client_open(f);

    client_send(head, span_lit("GET /x HTTP/1.1\r\nHo"));
    turns(f, 10);
    advance(f, CONFIG_NET_HTTP_HEADER_MS / 2);
    client_send(head, span_lit("st: h\r\n")); /* progress buys no time */
    advance(f, CONFIG_NET_HTTP_HEADER_MS / 2 + 50);
    await_end(f, head);
    assert_non_null(strstr(got(head), "HTTP/1.1 408 "));
    assert_int_equal(f->refused_with, 408);

    client_send(body, span_lit("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab"));
    turns(f, 10);
    advance(f, CONFIG_NET_HTTP_BODY_MS + 50);
    await_end(f, body);
    assert_non_null(strstr(got(body), "HTTP/1.1 408 "));
    assert_int_equal(f->requests, 0);
}

static void attack_13_a_slow_handshake_is_closed(void **state)
{
    struct fixture *const f = *state;
    struct client *const client = client_plain(f, f->port);

    client_send(client, span_lit("\x16\x03\x01\x02\x00\x01"));
    turns(f, 10);
    assert_int_equal(http_server_connections(f->server), 1);
    advance(f, CONFIG_NET_TLS_HANDSHAKE_MS + 50);
    await_end(f, client);
    assert_int_equal(http_server_connections(f->server), 0);
}

static void http_serves_others_while_a_handshake_waits_for_its_signature(void **state)
{
    struct fixture *const f = *state;
    struct client *const served = client_open(f);
    struct client *const waiting = client_plain(f, f->port);

    f->keeper_sleeps = true;
    waiting->tls = tls_peer_new(&(struct tls_peer_options){.version = 0x0304});
    assert_int_equal(tls_peer_connect(waiting->tls), 1);
    turns(f, 20);
    assert_non_null(f->keeper.job);
    client_send(served, span_lit("GET /meanwhile HTTP/1.1\r\nHost: h\r\n\r\n"));
    await(f, served, "meanwhile", 1);

    f->keeper_sleeps = false;
    int result = 1;
    for (size_t i = 0; i < 100 && result == 1; i++) {
        turn(f);
        result = tls_peer_connect(waiting->tls);
    }
    assert_int_equal(result, 0);
    client_send(waiting, span_lit("GET /then HTTP/1.1\r\nHost: h\r\n\r\n"));
    await(f, waiting, "then", 1);
}

static void http_a_client_gone_while_its_signature_is_made_cancels_it(void **state)
{
    struct fixture *const f = *state;
    struct client *const client = client_plain(f, f->port);

    f->keeper_sleeps = true;
    client->tls = tls_peer_new(&(struct tls_peer_options){.version = 0x0304});
    assert_int_equal(tls_peer_connect(client->tls), 1);
    turns(f, 20);
    assert_non_null(f->keeper.job);
    advance(f, CONFIG_NET_TLS_HANDSHAKE_MS + 50);

    assert_int_equal(f->keeper.cancelled, 1);
    assert_int_equal(http_server_connections(f->server), 0);
}

static void http_a_client_that_does_not_read_is_closed_and_costs_no_more_than_its_answer(void **state)
{
    struct fixture *const f = *state;
    struct client *const client = client_open(f);
    struct client *const other = client_open(f);

    client->reads = false;
    client_send(client, span_lit("GET /big HTTP/1.1\r\nHost: h\r\n\r\nGET /big HTTP/1.1\r\nHost: h\r\n\r\n"));
    turns(f, 50);
    assert_int_equal(f->requests, 1); /* the next one waits for this answer to go */
    client_send(other, span_lit("GET /fine HTTP/1.1\r\nHost: h\r\n\r\n"));
    await(f, other, "fine", 1);
    advance(f, CONFIG_NET_WRITE_MS + 50);
    assert_int_equal(http_server_connections(f->server), 1);
}

static void http_sends_a_large_answer_as_the_client_reads(void **state)
{
    struct fixture *const f = *state;
    struct client *const client = client_open(f);

    client_send(client, span_lit("GET /big HTTP/1.1\r\nHost: h\r\n\r\n"));
    for (size_t i = 0; i < TURNS_MAX && buf_len(client->got) < RESPONSE_MAX; i++) {
        turn(f);
        (void)tls_peer_read(client->tls, client->got);
    }
    assert_true(buf_len(client->got) > RESPONSE_MAX);
    assert_non_null(strstr(got(client), "Content-Length: 4194304\r\n"));
    client_send(client, span_lit("GET /after HTTP/1.1\r\nHost: h\r\n\r\n"));
    await(f, client, "after", 1);
}

static void http_reads_bodies_with_length_and_in_chunks_split_anywhere(void **state)
{
    static const char text[] = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloPOST /echo HTTP/1.1\r\nHost: h\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n3\r\nwor\r\n02\r\nld\r\n0\r\n\r\nGET /end HTTP/1.1\r\n"
                               "Host: h\r\n\r\n";
    struct fixture *const f = *state;
    struct client *const client = client_open(f);

    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        client_send(client, span_of(text + i, 1));
        turn(f);
    }
    await(f, client, "end", 1);
    assert_non_null(strstr(got(client), "Content-Length: 5\r\n\r\nhello"));
    assert_non_null(strstr(got(client), "Content-Length: 5\r\n\r\nworld"));
    assert_int_equal(f->requests, 3);
}

static void http_invites_a_body_that_was_announced(void **state)
{
    struct fixture *const f = *state;
    struct client *const client = client_open(f);

    client_send(client, span_lit("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
    await(f, client, "HTTP/1.1 100 Continue\r\n\r\n", 1);
    client_send(client, span_lit("abc"));
    await(f, client, "\r\n\r\nabc", 1);
}

static void http_sends_no_body_for_head_and_204(void **state)
{
    struct fixture *const f = *state;
    struct client *const client = client_open(f);

    client_send(client, span_lit("HEAD /seen HTTP/1.1\r\nHost: h\r\n\r\nGET /nothing HTTP/1.1\r\nHost: h\r\n\r\n"
                                 "GET /last HTTP/1.1\r\nHost: h\r\n\r\n"));
    await(f, client, "last", 1);
    assert_non_null(strstr(got(client), "Content-Length: 4\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n"));
}

static void http_a_header_that_would_break_the_framing_becomes_an_empty_500(void **state)
{
    struct fixture *const f = *state;
    struct client *const client = client_open(f);

    client_send(client, span_lit("GET /inject HTTP/1.1\r\nHost: h\r\n\r\n"));
    await_end(f, client);
    assert_non_null(strstr(got(client), "HTTP/1.1 500 "));
    assert_null(strstr(got(client), "Set-Cookie"));
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
        {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4097\r\n\r\n", 413},
        {"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1001\r\n", 413},
    };
    struct fixture *const f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct client *const client = client_open(f);

        client_send(client, span_str(cases[i].text));
        client_send(client, span_lit("GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"));
        await_end(f, client);
        assert_int_equal(f->refusals, i + 1);
        assert_int_equal(f->refused_with, cases[i].status);
        assert_int_equal(f->requests, 0);
        assert_non_null(strstr(got(client), "Connection: close"));
        assert_int_equal(count_in(buf_all(client->got), "HTTP/1.1 "), 1);
    }
}

static void attack_13_a_head_over_32_kib_is_413_and_a_url_of_16_kib_is_served(void **state)
{
    static char text[40000];
    struct fixture *const f = *state;
    struct client *const client = client_open(f);
    struct client *const greedy = client_open(f);

    memset(text, 'u', sizeof(text));
    client_send(client, span_lit("GET /long?"));
    client_send(client, span_of(text, 16384));
    client_send(client, span_lit(" HTTP/1.1\r\nHost: h\r\n\r\n"));
    await(f, client, "long", 1);
    client_send(greedy, span_lit("GET /long?"));
    client_send(greedy, span_of(text, 16384));
    client_send(greedy, span_of(text, 16384));
    await_end(f, greedy);
    assert_int_equal(f->refused_with, 413);
}

static void attack_13_connections_of_one_address_are_capped(void **state)
{
    struct fixture *const f = *state;

    for (size_t i = 0; i < CONFIG_NET_CONNECTIONS_PER_ADDRESS + 4; i++) {
        (void)client_plain(f, f->port);
    }
    turns(f, 40);
    assert_int_equal(http_server_connections(f->server), CONFIG_NET_CONNECTIONS_PER_ADDRESS);
    client_close(&f->clients[0]);
    turns(f, 10);
    struct client *const client = client_plain(f, f->port);
    turns(f, 10);
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
    struct fixture *const f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct client *const client = client_plain(f, f->redirect_port);

        client_send(client, span_str(cases[i].request));
        await(f, client, "\r\n\r\n", 1);
        assert_string_equal(got(client), cases[i].answer);
    }
    assert_int_equal(f->requests + f->refusals, 0);
}

static void note_drained(void *context)
{
    ((struct fixture *)context)->drained = true;
}

static void http_drain_lets_requests_finish_and_closes_the_rest(void **state)
{
    struct fixture *const f = *state;
    struct client *const idle = client_open(f);
    struct client *const busy = client_open(f);

    client_send(busy, span_lit("GET /later HTTP/1.1\r\nHost: h\r\n\r\n"));
    turns(f, 50);
    http_server_drain(f->server, 5000, note_drained, f);
    await_end(f, idle);
    client_close(idle);
    assert_false(busy->ended);
    assert_false(f->drained);
    respond_text(f->parked[0], 200, span_lit("done"));
    f->parked[0] = NULL;
    await_end(f, busy);
    client_close(busy);
    turns(f, 10);

    assert_non_null(strstr(got(busy), "Connection: close"));
    assert_true(f->drained);
    assert_int_equal(http_server_connections(f->server), 0);
}

static void http_drain_cancels_after_its_grace(void **state)
{
    struct fixture *const f = *state;
    struct client *const busy = client_open(f);

    client_send(busy, span_lit("GET /later HTTP/1.1\r\nHost: h\r\n\r\n"));
    turns(f, 50);
    http_server_drain(f->server, 5000, note_drained, f);
    advance(f, 5050);
    assert_int_equal(f->cancelled, ERR_CANCELLED);
    assert_false(f->drained);
    respond_text(f->parked[0], 503, SPAN_NONE);
    f->parked[0] = NULL;
    await_end(f, busy);
    client_close(busy);
    turns(f, 10);
    assert_true(f->drained);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(http_answers_requests_of_one_connection_one_after_the_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(http_answers_pipelined_requests_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(attack_12_a_pipelining_flood_is_answered_in_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(http_holds_what_comes_behind_a_request_that_is_answered_later, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(http_an_exchange_outlives_its_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(attack_12_a_half_closed_client_gets_its_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(http_cancels_an_answer_that_takes_too_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(http_closes_an_idle_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(attack_12_slow_heads_and_bodies_are_answered_408, set_up, tear_down),
        cmocka_unit_test_setup_teardown(attack_13_a_slow_handshake_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(http_serves_others_while_a_handshake_waits_for_its_signature, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(http_a_client_gone_while_its_signature_is_made_cancels_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            http_a_client_that_does_not_read_is_closed_and_costs_no_more_than_its_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(http_sends_a_large_answer_as_the_client_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(http_reads_bodies_with_length_and_in_chunks_split_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(http_invites_a_body_that_was_announced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(http_sends_no_body_for_head_and_204, set_up, tear_down),
        cmocka_unit_test_setup_teardown(http_a_header_that_would_break_the_framing_becomes_an_empty_500, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(attack_12_a_bad_request_is_refused_and_the_connection_closed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(attack_13_a_head_over_32_kib_is_413_and_a_url_of_16_kib_is_served, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(attack_13_connections_of_one_address_are_capped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(http_redirect_answers_308_and_nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(http_drain_lets_requests_finish_and_closes_the_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(http_drain_cancels_after_its_grace, set_up, tear_down),
    };

    if (crypto_start() != ERR_OK) {
        return 1;
    }
    return cmocka_run_group_tests_name("net/http", tests, NULL, NULL);
}
