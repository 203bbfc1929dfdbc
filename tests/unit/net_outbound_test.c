/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/outbound.h: which destinations there may be, and when two of them are one. */
#include "net/outbound.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct outbound_destination relay = {
    .kind = OUTBOUND_SMTP, .tls = OUTBOUND_STARTTLS, .port = 587, .host = {(const uint8_t *)"mail.example", 12}};

static void names_of_hosts_fit(void **state)
{
    static const char *const names[] = {"localhost", "LocalHost", "mail.example.com", "x-1.example", "1.example", "A.B.C3"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_true(outbound_host_fits(span_str(names[i])));
    }
}

static void addresses_and_what_is_no_name_do_not_fit(void **state)
{
    static const char *const names[] = {"", ".", "a.", ".a", "a..b", "-a", "a-", "192.0.2.1", "::1", "[::1]", "a b",
                                        "a_b", "a\r\nb", "a/b", "user@host", "host:25", "7",
                                        "relay", "example.7-7"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_false(outbound_host_fits(span_str(names[i])));
    }
    assert_false(outbound_host_fits(span_lit("a\0b")));
}

static void a_label_has_63_bytes_and_a_name_253(void **state)
{
    char text[300];

    memset(text, 'a', sizeof(text));
    text[63] = '.';
    assert_true(outbound_host_fits(span_of(text, 64 + 63)));
    assert_false(outbound_host_fits(span_of(text, 64 + 64)));
    for (size_t at = 63; at < sizeof(text); at += 64) {
        text[at] = '.';
    }
    assert_true(outbound_host_fits(span_of(text, 253)));
    assert_false(outbound_host_fits(span_of(text, 254)));
}

static void a_destination_has_a_port_a_name_and_a_protection_of_its_kind(void **state)
{
    static const uint8_t ca[OUTBOUND_CA_MAX + 1] = {0};
    struct outbound_destination other = relay;

    assert_true(outbound_destination_fits(&other));
    other.port = 0;
    assert_false(outbound_destination_fits(&other));
    other = relay;
    other.kind = OUTBOUND_HTTPS; /* which has no STARTTLS */
    assert_false(outbound_destination_fits(&other));
    other.tls = OUTBOUND_TLS;
    assert_true(outbound_destination_fits(&other));
    other.tls = OUTBOUND_TLS_KINDS;
    assert_false(outbound_destination_fits(&other));
    other = relay;
    other.ca = span_of(ca, OUTBOUND_CA_MAX);
    assert_true(outbound_destination_fits(&other));
    other.ca = span_array(ca);
    assert_false(outbound_destination_fits(&other));
}

static void destinations_are_one_if_everything_but_the_case_of_the_name_is_the_same(void **state)
{
    struct outbound_destination other = relay;

    other.host = span_lit("MAIL.example");
    assert_true(outbound_destination_equal(&relay, &other));
    other.host = span_lit("mail2.example");
    assert_false(outbound_destination_equal(&relay, &other));
    other = relay;
    other.port = 588;
    assert_false(outbound_destination_equal(&relay, &other));
    other = relay;
    other.tls = OUTBOUND_TLS;
    assert_false(outbound_destination_equal(&relay, &other));
    other = relay;
    other.ca = span_lit("another CA");
    assert_false(outbound_destination_equal(&relay, &other));
}

static void every_stage_has_a_name_of_its_own(void **state)
{
    for (unsigned int a = 0; a < OUTBOUND_STAGES; a++) {
        for (unsigned int b = 0; b < a; b++) {
            assert_string_not_equal(outbound_stage_name((enum outbound_stage)a),
                                    outbound_stage_name((enum outbound_stage)b));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_hosts_fit),
        cmocka_unit_test(addresses_and_what_is_no_name_do_not_fit),
        cmocka_unit_test(a_label_has_63_bytes_and_a_name_253),
        cmocka_unit_test(a_destination_has_a_port_a_name_and_a_protection_of_its_kind),
        cmocka_unit_test(destinations_are_one_if_everything_but_the_case_of_the_name_is_the_same),
        cmocka_unit_test(every_stage_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
