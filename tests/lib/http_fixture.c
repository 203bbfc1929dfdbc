/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/http_fixture.h"

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
#include "hal/base/num.h"
#include "hal/socket.h"

#define KERNEL_BYTES 65536

/* --- the clock --- */

static struct mono_time mono_now(const struct hal_clock *clock)
{
    return (struct mono_time){((const struct http_fixture *)(const void *)clock)->now_ms * TIME_NS_PER_MS};
}

static struct wall_time wall_now(const struct hal_clock *clock)
{
    return (struct wall_time){(int64_t)((const struct http_fixture *)(const void *)clock)->now_ms};
}

static const struct hal_clock_ops clock_ops = {.mono = mono_now, .wall = wall_now};

/* --- the handler --- */

static void note_cancel(struct http_exchange *exchange, enum err why)
{
    struct http_fixture *const f = exchange->user;

    f->cancelled = why;
    f->cancels++;
}

void http_fixture_respond(struct http_exchange *exchange, unsigned int status, struct span text)
{
    const struct http_header headers[] = {{span_lit("Content-Type"), span_lit("text/plain")}};
    const struct http_response response = {.status = status, .headers = headers, .header_count = 1};

    assert_int_equal(buf_put(http_body(exchange), text), ERR_OK);
    http_respond(exchange, &response);
}

static void respond_big(struct http_exchange *exchange)
{
    uint8_t *at = NULL;

    assert_int_equal(buf_reserve(http_body(exchange), HTTP_FIXTURE_RESPONSE_MAX, &at), ERR_OK);
    memset(at, 'b', HTTP_FIXTURE_RESPONSE_MAX);
    buf_commit(http_body(exchange), HTTP_FIXTURE_RESPONSE_MAX);
    http_fixture_respond(exchange, 200, SPAN_NONE);
}

static void on_request(void *context, struct http_exchange *exchange)
{
    struct http_fixture *const f = context;
    const struct span name = exchange->segment_count > 0 ? exchange->segments[0] : SPAN_NONE;

    f->requests++;
    exchange->user = f;
    exchange->on_cancel = note_cancel;
    if (!exchange->path_ok) {
        http_fixture_respond(exchange, 404, span_lit("no such path"));
    } else if (span_equal(name, span_lit("later"))) {
        f->parked[f->parked_count++] = exchange;
    } else if (span_equal(name, span_lit("echo"))) {
        http_fixture_respond(exchange, 200, exchange->body);
    } else if (span_equal(name, span_lit("big"))) {
        respond_big(exchange);
    } else if (span_equal(name, span_lit("nothing"))) {
        http_respond(exchange, &(struct http_response){.status = 204});
    } else if (span_equal(name, span_lit("inject"))) {
        const struct http_header bad = {span_lit("X-Bad"), span_lit("a\r\nSet-Cookie: b")};

        http_respond(exchange, &(struct http_response){.status = 200, .headers = &bad, .header_count = 1});
    } else {
        http_fixture_respond(exchange, 200, name);
    }
}

static void on_refused(void *context, struct http_exchange *exchange, unsigned int status)
{
    struct http_fixture *const f = context;

    f->refusals++;
    f->refused_with = status;
    memset(f->refused_origin, 0, sizeof(f->refused_origin));
    for (size_t i = 0; i < exchange->header_count; i++) {
        const struct http_header *const header = &exchange->headers[i];

        if (span_equal(header->name, span_lit("Origin")) && header->value.len < sizeof(f->refused_origin)) {
            memcpy(f->refused_origin, header->value.data, header->value.len);
        }
    }
    http_fixture_respond(exchange, status, span_lit("{\"refused\":true}"));
}

static const struct http_handler handler = {.on_request = on_request, .on_refused = on_refused};

/* --- servers and clients --- */

static struct stack_socket *listen_on(struct http_fixture *f, uint16_t *out_port, int *out_descriptor)
{
    struct socket_listen listen = {.backlog = 512};
    struct socket_address bound = {0};
    struct stack_socket *socket = NULL;
    int descriptor = -1;

    assert_int_equal(socket_address_parse(span_lit("127.0.0.1"), &listen.address), ERR_OK);
    assert_int_equal(socket_listen(&listen, &descriptor, &bound), ERR_OK);
    /* Small and fixed, as are the clients' below, so that it is known how much of an answer the kernel takes. */
    assert_int_equal(setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &(int){KERNEL_BYTES}, sizeof(int)), 0);
    assert_int_equal(stack_kernel_adopt(f->stack, descriptor, &socket), ERR_OK);
    *out_port = bound.port;
    *out_descriptor = descriptor;
    return socket;
}

int http_fixture_open(void **state)
{
    static const uint8_t seed[LIMITS_SEED_BYTES] = {9};
    static struct http_fixture fixture;
    struct http_fixture *const f = &fixture;
    int redirect_listener = -1;

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
    assert_int_equal(tls_server_cert(f->tls, 1, span_str(tls_peer_certificate)), ERR_OK);
    const struct http_server_options options = {
        .loop = f->loop,
        .stack = f->stack,
        .tls = f->tls,
        .limits = f->limits,
        .handler = &handler,
        .context = f,
        .body_max = HTTP_FIXTURE_BODY_MAX,
        .response_max = HTTP_FIXTURE_RESPONSE_MAX,
        .arena_max = 1 << 20,
    };
    assert_int_equal(http_server_new(&options, &f->server), ERR_OK);
    assert_int_equal(http_server_listen(f->server, listen_on(f, &f->port, &f->listener)), ERR_OK);
    assert_int_equal(http_redirect_new(&options, 8443, &f->redirect), ERR_OK);
    assert_int_equal(http_server_listen(f->redirect, listen_on(f, &f->redirect_port, &redirect_listener)), ERR_OK);
    *state = f;
    return 0;
}

void http_client_close(struct http_client *client)
{
    if (client->descriptor >= 0) {
        (void)close(client->descriptor);
        client->descriptor = -1;
    }
}

int http_fixture_close(void **state)
{
    struct http_fixture *const f = *state;

    for (size_t i = 0; i < f->parked_count; i++) {
        if (f->parked[i] != NULL) {
            http_respond(f->parked[i], &(struct http_response){.status = 200});
        }
    }
    for (size_t i = 0; i < f->client_count; i++) {
        http_client_close(&f->clients[i]);
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

struct http_client *http_client_plain(struct http_fixture *f, uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct http_client *const client = &f->clients[f->client_count++];

    client->reads = true;
    client->descriptor = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(client->descriptor >= 0);
    assert_int_equal(setsockopt(client->descriptor, SOL_SOCKET, SO_RCVBUF, &(int){KERNEL_BYTES}, sizeof(int)), 0);
    assert_int_equal(connect(client->descriptor, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(fcntl(client->descriptor, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(setsockopt(client->descriptor, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), 0);
    assert_int_equal(buf_new((size_t)8 << 20, &client->got), ERR_OK);
    return client;
}

void http_client_move(struct http_client *client)
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

void http_turn(struct http_fixture *f)
{
    for (size_t i = 0; i < f->client_count; i++) {
        http_client_move(&f->clients[i]);
    }
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
    if (f->keeper.job != NULL && !f->keeper_sleeps) {
        tls_keeper_answer(&f->keeper);
    }
}

void http_turns(struct http_fixture *f, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        http_turn(f);
    }
}

struct http_client *http_client_open(struct http_fixture *f)
{
    struct http_client *const client = http_client_plain(f, f->port);
    int result = 1;

    client->tls = tls_peer_new(&(struct tls_peer_options){.version = 0x0304, .protocol = "http/1.1"});
    for (size_t i = 0; i < HTTP_FIXTURE_TURNS_MAX && result == 1; i++) {
        result = tls_peer_connect(client->tls);
        http_turn(f);
    }
    assert_int_equal(result, 0);
    return client;
}

void http_client_send(struct http_client *client, struct span text)
{
    if (client->tls != NULL) {
        tls_peer_write(client->tls, text);
    } else {
        assert_int_equal(send(client->descriptor, text.data, text.len, MSG_NOSIGNAL), text.len);
    }
}

size_t http_count(struct span text, const char *part)
{
    const struct span what = span_str(part);
    size_t count = 0;

    for (size_t i = 0; i + what.len <= text.len; i++) {
        count += span_equal(span_of(text.data + i, what.len), what) ? 1 : 0;
    }
    return count;
}

/* Turns until the client has read that text so many times. */
void http_await(struct http_fixture *f, struct http_client *client, const char *text, size_t times)
{
    for (size_t i = 0; i < HTTP_FIXTURE_TURNS_MAX; i++) {
        http_turn(f);
        if (client->tls != NULL && client->reads) {
            (void)tls_peer_read(client->tls, client->got);
        }
        if (http_count(buf_all(client->got), text) >= times) {
            return;
        }
    }
    fail_msg("did not get %s; got %.*s", text, (int)num_min(buf_len(client->got), 2000),
             (const char *)buf_all(client->got).data);
}

void http_await_end(struct http_fixture *f, struct http_client *client)
{
    for (size_t i = 0; i < HTTP_FIXTURE_TURNS_MAX && !client->ended; i++) {
        http_turn(f);
    }
    assert_true(client->ended);
    if (client->tls != NULL) {
        (void)tls_peer_read(client->tls, client->got);
    }
}

void http_advance(struct http_fixture *f, uint64_t ms)
{
    f->now_ms += ms;
    http_turns(f, 4);
}

const char *http_got(struct http_client *client)
{
    static char text[4096];
    const size_t len = num_min(buf_len(client->got), sizeof(text) - 1);

    memcpy(text, buf_all(client->got).data, len);
    text[len] = '\0';
    return text;
}
