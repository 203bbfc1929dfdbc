/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/conn.h below what HTTP shows of it: where connections come from, and what is left of one. */
/* link: --wrap=tls_write --wrap=mem_alloc */
#include "net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "hal/base/config.h"
#include "hal/base/mem.h"
#include "hal/socket.h"
#include "tests/lib/http_fixture.h"

enum err __real_tls_write(struct tls *tls, struct tls_io *io, struct span plain);
enum err __wrap_tls_write(struct tls *tls, struct tls_io *io, struct span plain);

static struct refusal {
    bool armed;
    struct span plain; /* what was to be encrypted */
    uint8_t copy[512];
} refusal;

/* Refuses to encrypt once armed, and notes what. */
enum err __wrap_tls_write(struct tls *tls, struct tls_io *io, struct span plain)
{
    if (!refusal.armed) {
        return __real_tls_write(tls, io, plain);
    }
    refusal.plain = plain;
    assert_in_range(plain.len, 1, sizeof refusal.copy - 1);
    memcpy(refusal.copy, plain.data, plain.len);
    return ERR_NO_MEMORY;
}

enum err __real_mem_alloc(size_t bytes, void **out_memory);
enum err __wrap_mem_alloc(size_t bytes, void **out_memory);

static size_t refused_alloc; /* counts down to the one that is refused; 0: none */

enum err __wrap_mem_alloc(size_t bytes, void **out_memory)
{
    if (refused_alloc > 0) {
        refused_alloc--;
        if (refused_alloc == 0) {
            return ERR_NO_MEMORY;
        }
    }
    return __real_mem_alloc(bytes, out_memory);
}

/* The supervisor ends the listening before the worker hears that it is to drain: a socket that is ready for ever and gives
 * no connection must not keep the reactor busy until then. */
static void conn_a_listener_that_refuses_is_closed_and_open_connections_go_on(void **state)
{
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);

    socket_refuse(f->listener);
    http_turn(f);

    assert_int_equal(fcntl(f->listener, F_GETFD), -1);
    assert_int_equal(errno, EBADF);
    http_client_send(client, span_lit("GET /fine HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_await(f, client, "fine", 1);
}

static void conn_keeps_nothing_of_an_answer_that_could_not_be_encrypted(void **state)
{
    static const uint8_t nothing[sizeof refusal.copy];
    struct http_fixture *const f = *state;
    struct http_client *const client = http_client_open(f);
    http_client_send(client, span_lit("GET /later HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_turns(f, 50);
    assert_int_equal(f->parked_count, 1);

    refusal.armed = true;
    http_fixture_respond(f->parked[0], 200, span_lit("token"));
    f->parked[0] = NULL;
    http_await_end(f, client);
    refusal.armed = false;

    assert_non_null(strstr((const char *)refusal.copy, "token")); /* the NUL follows: it is not full */
    assert_memory_equal(refusal.plain.data, nothing, refusal.plain.len);
}

/* Others hold all places but one, which the next client would find taken. */
static void conn_a_client_for_whom_there_is_no_memory_takes_no_place(void **state)
{
    struct http_fixture *const f = *state;
    bool untouched = false;
    size_t at = 0;

    for (size_t i = 0; i + 1 < CONFIG_NET_CONNECTIONS_MAX; i++) {
        assert_int_equal(limits_hold(f->limits, LIMITS_KIND_CONNECTIONS, SPAN_NONE, CONFIG_NET_CONNECTIONS_MAX), ERR_OK);
    }
    while (!untouched) {
        struct http_client *const client = http_client_plain(f, f->port);

        at++;
        refused_alloc = at;
        for (size_t i = 0; i < HTTP_FIXTURE_TURNS_MAX && refused_alloc > 0 && !client->ended && !untouched; i++) {
            http_turn(f);
            untouched = http_server_connections(f->server) == 1;
        }
        assert_false(client->ended && refused_alloc > 0); /* no other reason to turn it away */
        refused_alloc = 0;
        http_client_close(client);
        http_advance(f, 1000); /* a listener that found no memory looks again later */
        assert_int_equal(http_server_connections(f->server), 0);
    }

    assert_true(at > 2); /* there is a socket and a connection to make */
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, http_fixture_open, http_fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(conn_a_listener_that_refuses_is_closed_and_open_connections_go_on),
        FIXTURE_TEST(conn_keeps_nothing_of_an_answer_that_could_not_be_encrypted),
        FIXTURE_TEST(conn_a_client_for_whom_there_is_no_memory_takes_no_place),
    };

    if (crypto_start() != ERR_OK) {
        return 1;
    }
    return cmocka_run_group_tests_name("net/conn", tests, NULL, NULL);
}
