/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/outbound.h: which destinations there may be, and when two of them are one. */
#include "net/outbound.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "hal/base/fault.h"

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
                                        "relay", "example.7-7", "127.0.0.0x1", "127.0X1", "0x7f.1", "example.7a"};

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

#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END   "-----END CERTIFICATE-----\n"

static void certificates_fit_whole(void **state)
{
    static const char *const good[] = {
        BEGIN "MIIB\n" END,
        BEGIN "MIIB\nab+/09==\n" END BEGIN "MIIC\n" END,
        BEGIN "MIIB\n" END "\nthe other one:\n" BEGIN "MIIC\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\r\nMIIB\r\n-----END CERTIFICATE-----\r\n",
    };
    static const char *const bad[] = {
        "", "MIIB", BEGIN, BEGIN "MIIB\n", BEGIN END, END, BEGIN "MIIB\n" BEGIN "MIIC\n" END,
        BEGIN "MIIB\n" END END, BEGIN "MIIB\n" END BEGIN "MIIC\n", BEGIN "MI-B\n" END, BEGIN "MIIB\n\n" END,
        BEGIN "MIIB\n" "-----END RSA PRIVATE KEY-----\n", "text\n" BEGIN "MIIB\n" END,
        BEGIN "MIIB\n" END "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----MIIB-----END CERTIFICATE-----", BEGIN "MIIB\n" END "caf\xc3\xa9\n",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        assert_true(outbound_ca_fits(span_str(good[i])));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        print_message("%zu\n", i);
        assert_false(outbound_ca_fits(span_str(bad[i])));
    }
}

static void certificates_have_8192_bytes(void **state)
{
    static uint8_t text[OUTBOUND_CA_MAX + 1];
    const struct span begin = span_lit(BEGIN);
    const struct span end = span_lit(END);

    for (size_t len = OUTBOUND_CA_MAX; len <= sizeof text; len++) {
        memset(text, 'A', sizeof text);
        memcpy(text, begin.data, begin.len);
        memcpy(text + len - end.len, end.data, end.len);
        text[len - end.len - 1] = '\n';
        assert_int_equal(outbound_ca_fits(span_of(text, len)), len == OUTBOUND_CA_MAX);
    }
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

static void only_time_servers_are_reached_in_clear(void **state)
{
    struct outbound_destination other = relay;

    other.tls = OUTBOUND_CLEAR;
    assert_false(outbound_destination_fits(&other));
    other.kind = OUTBOUND_HTTPS;
    assert_false(outbound_destination_fits(&other));
    other.kind = OUTBOUND_TIME;
    assert_true(outbound_destination_fits(&other));
    other.tls = OUTBOUND_TLS;
    assert_true(outbound_destination_fits(&other));
    other.tls = OUTBOUND_STARTTLS;
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

static void a_job_of_the_wrong_form_is_none(void **state)
{
    SCOPED_BUF struct buf *answer = NULL;
    static uint8_t text[OUTBOUND_MAIL_MAX + 1];
    const struct outbound_job mail = {.to = relay,
                                      .mail = {.from = span_lit("a@b.example"),
                                               .to = span_lit("c@d.example"),
                                               .text = span_of(text, OUTBOUND_MAIL_MAX)}};
    struct outbound_job fetch = {
        .to = {.kind = OUTBOUND_HTTPS, .tls = OUTBOUND_TLS, .port = 443, .host = span_lit("id.example")},
        .fetch = {.method = OUTBOUND_GET, .path = span_lit("/keys")}};
    struct outbound_job bad[12];
    assert_int_equal(buf_new(16, &answer), ERR_OK);
    fetch.fetch.answer = answer;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        bad[i] = i < 6 ? mail : fetch;
    }
    bad[0].to.host = span_lit("192.0.2.1");
    bad[1].mail.to = span_lit("c@d.example\r\nDATA");
    bad[2].mail.from = SPAN_NONE;
    bad[3].mail.text = span_array(text);
    bad[4].mail.user = span_of(text, OUTBOUND_USER_MAX + 1);
    bad[5].mail.password = span_of(text, OUTBOUND_PASSWORD_MAX + 1);
    bad[6].fetch.path = span_lit("/a b");
    bad[7].fetch.path = span_lit("keys");
    bad[8].fetch.authorization = span_lit("Basic x\r\nHost: y");
    bad[9].fetch.body = span_lit("a=b"); /* with GET */
    bad[10].fetch.answer = NULL;
    bad[11].to.tls = OUTBOUND_STARTTLS;

    assert_int_equal(outbound_job_check(&mail), ERR_OK);
    assert_int_equal(outbound_job_check(&fetch), ERR_OK);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_int_equal(outbound_job_check(&bad[i]), ERR_RANGE);
    }
    fault_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_hosts_fit),
        cmocka_unit_test(addresses_and_what_is_no_name_do_not_fit),
        cmocka_unit_test(a_label_has_63_bytes_and_a_name_253),
        cmocka_unit_test(certificates_fit_whole),
        cmocka_unit_test(certificates_have_8192_bytes),
        cmocka_unit_test(a_destination_has_a_port_a_name_and_a_protection_of_its_kind),
        cmocka_unit_test(only_time_servers_are_reached_in_clear),
        cmocka_unit_test(destinations_are_one_if_everything_but_the_case_of_the_name_is_the_same),
        cmocka_unit_test(every_stage_has_a_name_of_its_own),
        cmocka_unit_test(a_job_of_the_wrong_form_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
