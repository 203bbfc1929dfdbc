/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses that secrets are sent to. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/auth/https_url.h"
#include "hal/base/fault.h"

static void an_https_address_is_taken_apart(void **state)
{
    static const struct {
        const char *text, *host, *path;
        uint16_t port;
    } cases[] = {
        {"https://id.example", "id.example", "", 443},
        {"https://id.example/", "id.example", "/", 443},
        {"https://id.example:8443/realms/a-b_c~%20", "id.example", "/realms/a-b_c~%20", 8443},
        {"https://1.id2:1/x", "1.id2", "/x", 1},
        {"https://a.b:65535", "a.b", "", 65535},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct https_url url;

        assert_int_equal(https_url_read(span_str(cases[i].text), &url), ERR_OK);

        assert_true(span_equal(url.host, span_str(cases[i].host)));
        assert_true(span_equal(url.path, span_str(cases[i].path)));
        assert_int_equal(url.port, cases[i].port);
    }
}

static void what_could_be_read_in_two_ways_is_no_address(void **state)
{
    static const char *const cases[] = {
        "",
        "https://",
        "https:///x",
        "http://id.example",
        "HTTPS://id.example",
        "https:/id.example",
        "https://ID.example",
        "https://user@id.example",
        "https://user:word@id.example/",
        "https://id.example:0",
        "https://id.example:65536",
        "https://id.example:",
        "https://id.example:+1",
        "https://id.example:8443:1",
        "https://id..example",
        "https://.example",
        "https://example.",
        "https://[::1]/",
        "https://192.0.2.7",
        "https://id.7/",
        "https://id.example?x",
        "https://id.example/?x",
        "https://id.example/#x",
        "https://id.example/a b",
        "https://id.example/\r\nHost: other",
        "https://id.example/\\other",
        "https://id.example\\@other",
        "https://id.example/\x7f",
        "https://id.ex\xc3\xa4mple/",
        "//id.example",
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct https_url url = {.port = 7};

        if (https_url_read(span_str(cases[i]), &url) != ERR_MALFORMED) {
            print_message("taken: %s\n", cases[i]);
        }
        assert_int_equal(https_url_read(span_str(cases[i]), &url), ERR_MALFORMED);
        assert_int_equal(url.port, 7);
    }
}

static void an_address_has_a_longest_form(void **state)
{
    char text[HTTPS_URL_MAX + 1];
    struct https_url url;
    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text, "https://id.example/", strlen("https://id.example/"));

    assert_int_equal(https_url_read(span_of(text, HTTPS_URL_MAX), &url), ERR_OK);
    assert_int_equal(https_url_read(span_of(text, HTTPS_URL_MAX + 1), &url), ERR_MALFORMED);
}

static void a_place_is_a_host_and_a_port(void **state)
{
    struct https_url a;
    struct https_url b;
    struct https_url port;
    struct https_url host;
    (void)state;
    assert_int_equal(https_url_read(span_lit("https://id.example"), &a), ERR_OK);
    assert_int_equal(https_url_read(span_lit("https://id.example:443/token"), &b), ERR_OK);
    assert_int_equal(https_url_read(span_lit("https://id.example:444"), &port), ERR_OK);
    assert_int_equal(https_url_read(span_lit("https://id.example.com"), &host), ERR_OK);

    assert_true(https_url_same_place(&a, &b));
    assert_false(https_url_same_place(&a, &port));
    assert_false(https_url_same_place(&a, &host));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_https_address_is_taken_apart),
        cmocka_unit_test(what_could_be_read_in_two_ways_is_no_address),
        cmocka_unit_test(an_address_has_a_longest_form),
        cmocka_unit_test(a_place_is_a_host_and_a_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
