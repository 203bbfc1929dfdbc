/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/resolve.h and hal/trust.h: what this machine knows of names and of CAs. No name of anybody else is asked for. */
#include "hal/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/trust.h"

static void localhost_is_this_machine_with_the_port_that_was_asked_for(void **state)
{
    struct socket_address addresses[4];
    size_t count = 0;
    char text[SOCKET_ADDRESS_TEXT_MAX];
    size_t len = 0;

    assert_int_equal(resolve_name(span_lit("localhost"), 587, ARRAY_LENGTH(addresses), addresses, &count), ERR_OK);

    assert_in_range(count, 1, ARRAY_LENGTH(addresses));
    for (size_t i = 0; i < count; i++) {
        socket_address_format(&addresses[i], text, &len);
        assert_true(strcmp(text, "127.0.0.1") == 0 || strcmp(text, "::1") == 0);
        assert_int_equal(addresses[i].port, 587);
    }
}

static void no_more_addresses_are_given_than_there_is_room_for(void **state)
{
    struct socket_address addresses[2] = {{.port = 0}, {.port = 7}};
    size_t count = 0;

    assert_int_equal(resolve_name(span_lit("localhost"), 25, 1, addresses, &count), ERR_OK);

    assert_int_equal(count, 1);
    assert_int_equal(addresses[1].port, 7);
}

static void what_has_not_the_length_of_a_name_is_none(void **state)
{
    struct socket_address address;
    size_t count = 9;
    char name[RESOLVE_NAME_MAX + 1];
    memset(name, 'a', sizeof(name));

    assert_int_equal(resolve_name(SPAN_NONE, 25, 1, &address, &count), ERR_RANGE);
    assert_int_equal(resolve_name(span_array(name), 25, 1, &address, &count), ERR_RANGE);

    assert_int_equal(count, 9);
    fault_clear();
}

static void the_systems_cas_are_read_whole_and_never_cut_in_silence(void **state)
{
    SCOPED_BUF struct buf *pem = NULL;
    SCOPED_BUF struct buf *small = NULL;
    assert_int_equal(buf_new(TRUST_PEM_MAX, &pem), ERR_OK);
    assert_int_equal(buf_new(32768, &small), ERR_OK);

    assert_int_equal(trust_read(pem), ERR_OK);
    assert_int_equal(trust_read(small), ERR_RANGE);

    assert_true(span_starts_with(buf_all(pem), span_lit("-----BEGIN CERTIFICATE-----\n")));
    fault_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(localhost_is_this_machine_with_the_port_that_was_asked_for),
        cmocka_unit_test(no_more_addresses_are_given_than_there_is_room_for),
        cmocka_unit_test(what_has_not_the_length_of_a_name_is_none),
        cmocka_unit_test(the_systems_cas_are_read_whole_and_never_cut_in_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
