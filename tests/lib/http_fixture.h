/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Servers of net/http.h and their clients in one thread, over real sockets on the loopback, with a clock that the test
 * moves. Nothing sleeps: each step turns the loop until what is awaited is there.
 *
 * The handler of the fixture: /later parks the exchange, /echo answers the body, /big 4 MiB, /nothing 204, /inject a
 * header that would break the framing, any other path its first segment. */
#ifndef TESTS_LIB_HTTP_FIXTURE_H
#define TESTS_LIB_HTTP_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/clock.h"
#include "net/http.h"
#include "tests/lib/tls_peer.h"

#define HTTP_FIXTURE_TURNS_MAX 20000
#define HTTP_FIXTURE_BODY_MAX ((size_t)4 << 20)
#define HTTP_FIXTURE_RESPONSE_MAX ((size_t)4 << 20)
#define HTTP_FIXTURE_CLIENTS_MAX 300

struct http_client {
    int descriptor;
    struct tls_peer *tls; /* NULL: plain */
    struct buf *got;
    bool ended; /* the server has closed, in order or not */
    bool reads; /* off: a client that does not read */
};

struct http_fixture {
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
    int listener; /* the descriptor of server's; borrowed */
    struct http_client clients[HTTP_FIXTURE_CLIENTS_MAX];
    size_t client_count;

    size_t requests;
    size_t refusals;
    unsigned int refused_with;
    char refused_origin[64]; /* the Origin that the handler of refusals saw */
    struct http_exchange *parked[8];
    size_t parked_count;
    enum err cancelled;
    size_t cancels;
    bool drained;
};

/* Answers with that text. */
void http_fixture_respond(struct http_exchange *exchange, unsigned int status, struct span text);
/* For cmocka: state is a struct http_fixture. */
int http_fixture_open(void **state);
void http_client_close(struct http_client *client);
int http_fixture_close(void **state);
/* Connects, without TLS. */
struct http_client *http_client_plain(struct http_fixture *f, uint16_t port);
/* Carries bytes between a client and its socket, once. */
void http_client_move(struct http_client *client);
void http_turn(struct http_fixture *f);
/* Turns clients and loop. */
void http_turns(struct http_fixture *f, size_t count);
/* Connects and shakes hands. */
struct http_client *http_client_open(struct http_fixture *f);
void http_client_send(struct http_client *client, struct span text);
/* How often part stands in text. */
size_t http_count(struct span text, const char *part);
/* Turns until the client has read that text so many times. */
void http_await(struct http_fixture *f, struct http_client *client, const char *text, size_t times);
/* Turns until the server has closed. */
void http_await_end(struct http_fixture *f, struct http_client *client);
/* Moves the clock. */
void http_advance(struct http_fixture *f, uint64_t ms);
/* What the client has read, as text; valid until the next call. */
const char *http_got(struct http_client *client);

#endif
