/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/conn.h below what HTTP shows of it: where connections come from, and what is left of one. */
#include "net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "hal/socket.h"
#include "tests/lib/http_fixture.h"

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

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, http_fixture_open, http_fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(conn_a_listener_that_refuses_is_closed_and_open_connections_go_on),
    };

    if (crypto_start() != ERR_OK) {
        return 1;
    }
    return cmocka_run_group_tests_name("net/conn", tests, NULL, NULL);
}
