/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Links in mails, and which addresses of a client may stand in them. Spec: RFC 3986; contract 5.6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/mail/link.h"
#include "hal/base/fault.h"

static void assert_link(const char *url, const struct mail_parameter *parameters, size_t count, const char *wanted)
{
    SCOPED_BUF struct buf *out = NULL;

    assert_int_equal(buf_new(4096, &out), ERR_OK);
    assert_int_equal(mail_link_put(out, span_str(url), parameters, count), ERR_OK);
    assert_true(span_equal(buf_all(out), span_str(wanted)));
}

static void parameters_follow_the_query_and_precede_the_fragment(void **state)
{
    const struct mail_parameter two[] = {{span_lit("token"), span_lit("ab")}, {span_lit("email"), span_lit("c")}};

    assert_link("https://a.example", two, 2, "https://a.example?token=ab&email=c");
    assert_link("https://a.example/x?y=1", two, 2, "https://a.example/x?y=1&token=ab&email=c");
    assert_link("https://a.example/x#/y?z", two, 2, "https://a.example/x?token=ab&email=c#/y?z");
    assert_link("https://a.example/x", two, 0, "https://a.example/x");
}

static void values_are_encoded_and_empty_ones_left_out(void **state)
{
    const struct mail_parameter three[] = {{span_lit("a"), SPAN_NONE},
                                           {span_lit("email"), span_lit("a+b&c=d@e.f")},
                                           {span_lit("url"), span_lit("http://x/?\r\n\xc3\xa4~")}};

    assert_link("https://a.example", three, 3,
                "https://a.example?email=a%2Bb%26c%3Dd%40e.f&url=http%3A%2F%2Fx%2F%3F%0D%0A%C3%A4~");
}

static void a_full_buffer_is_told(void **state)
{
    const struct mail_parameter one[] = {{span_lit("token"), span_lit("abcd")}};
    SCOPED_BUF struct buf *out = NULL;
    assert_int_equal(buf_new(20, &out), ERR_OK);

    assert_int_equal(mail_link_put(out, span_lit("https://a.example"), one, 1), ERR_RANGE);
    fault_clear();
}

static void the_origin_of_an_address_ends_before_path_query_and_fragment(void **state)
{
    static const struct {
        const char *url, *origin;
    } cases[] = {
        {"https://a.example", "https://a.example"},
        {"https://a.example:8443/x@y", "https://a.example:8443"},
        {"http://localhost:3000?x=1", "http://localhost:3000"},
        {"https://a.example#x", "https://a.example"},
        {"http://[::1]:80/", "http://[::1]:80"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_true(span_equal(mail_url_origin(span_str(cases[i].url)), span_str(cases[i].origin)));
    }
}

static void what_is_no_plain_web_address_has_no_origin(void **state)
{
    static char longest[MAIL_URL_MAX + 2];
    static const char *const bad[] = {
        "",
        "a.example",
        "//a.example",
        "https://",
        "https:///x",
        "javascript:alert(1)",
        "HTTPS://a.example",
        "https://user@a.example/",
        "https://localhost:3000@evil.example/",
        "https://a.example\\@evil.example",
        "https://a.example/ x",
        "https://a.example/\r\nSet-Cookie: x",
        "https://a.example/\"><script>",
        "https://a.example/'",
        "https://\xc3\xa4.example/",
    };
    memset(longest, 'a', sizeof longest - 1);
    memcpy(longest, "https://a/", 10);

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_int_equal(mail_url_origin(span_str(bad[i])).len, 0);
    }
    assert_int_equal(mail_url_origin(span_of("https://a\0b", 11)).len, 0);
    assert_int_equal(mail_url_origin(span_str(longest)).len, 0);
    assert_int_not_equal(mail_url_origin(span_of(longest, MAIL_URL_MAX)).len, 0);
}

static void a_scheme_of_an_app_is_plain_and_one_that_a_browser_runs_is_not(void **state)
{
    static const char *const good[] = {"myapp://verified", "com.example.app:/cb?x=1", "https://a.example/#/in"};
    static const char *const bad[] = {"javascript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd",
                                      "MyApp://x",           "my app://x",       "1app://x",   "myapp",
                                      "myapp:",              ":x",               "",           "myapp://\"><script>"};

    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        assert_true(mail_url_is_plain(span_str(good[i])));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_false(mail_url_is_plain(span_str(bad[i])));
    }
}

static void the_place_of_an_address_ends_before_query_and_fragment(void **state)
{
    assert_true(span_equal(mail_url_place(span_lit("myapp://in?a#b")), span_lit("myapp://in")));
    assert_true(span_equal(mail_url_place(span_lit("myapp://in#b?a")), span_lit("myapp://in")));
    assert_true(span_equal(mail_url_place(span_lit("myapp://in")), span_lit("myapp://in")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_follow_the_query_and_precede_the_fragment),
        cmocka_unit_test(values_are_encoded_and_empty_ones_left_out),
        cmocka_unit_test(a_full_buffer_is_told),
        cmocka_unit_test(the_origin_of_an_address_ends_before_path_query_and_fragment),
        cmocka_unit_test(a_scheme_of_an_app_is_plain_and_one_that_a_browser_runs_is_not),
        cmocka_unit_test(the_place_of_an_address_ends_before_query_and_fragment),
        cmocka_unit_test(what_is_no_plain_web_address_has_no_origin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
