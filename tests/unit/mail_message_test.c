/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mails as a relay gets them. A second reader, Python's, is in tests/blackbox/test_auth_relay.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/mail/message.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"

static char text[MAIL_MESSAGE_MAX + 1];

static struct mail_message usual(void)
{
    return (struct mail_message){.date = {INT64_C(1795478709123)}, /* 2026-11-24T00:05:09.123Z */
                                 .id = span_lit("11111111-1111-4111-8111-111111111111"),
                                 .from_name = span_lit("Shop"),
                                 .from = span_lit("noreply@shop.example"),
                                 .to = span_lit("ada@example.com"),
                                 .subject = span_lit("Hello"),
                                 .html = span_lit("<p>Hi</p>\n")};
}

static const char *built(const struct mail_message *message)
{
    SCOPED_BUF struct buf *out = NULL;

    assert_int_equal(buf_new(MAIL_MESSAGE_MAX, &out), ERR_OK);
    assert_int_equal(mail_message_put(out, message), ERR_OK);
    const struct span all = buf_all(out);
    memcpy(text, all.data, all.len);
    text[all.len] = 0;
    return text;
}

static enum err refusal_of(const struct mail_message *message)
{
    SCOPED_BUF struct buf *out = NULL;

    assert_int_equal(buf_new(MAIL_MESSAGE_MAX, &out), ERR_OK);
    const enum err err = mail_message_put(out, message);
    assert_int_equal(buf_len(out), 0);
    fault_clear();
    return err;
}

/* The part between two marks. */
static struct span between(const char *whole, const char *first, const char *last)
{
    const char *from = strstr(whole, first);
    assert_non_null(from);
    const char *to = strstr(from + strlen(first), last);
    assert_non_null(to);
    return span_of(from + strlen(first), (size_t)(to - from) - strlen(first));
}

static unsigned int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = strchr(digits, c);

    assert_true(at != NULL && c != 0);
    return (unsigned int)(at - digits);
}

/* Decodes whole quads, and says how many bytes they were. */
static size_t decode(struct span base64, char *out)
{
    size_t len = 0;

    assert_int_equal(base64.len % 4, 0);
    for (size_t i = 0; i < base64.len; i += 4) {
        const char *quad = (const char *)base64.data + i;
        const unsigned int third = quad[2] == '=' ? 0 : digit_of(quad[2]);
        const unsigned int fourth = quad[3] == '=' ? 0 : digit_of(quad[3]);
        const unsigned int group = digit_of(quad[0]) << 18 | digit_of(quad[1]) << 12 | third << 6 | fourth;
        out[len++] = (char)(group >> 16);
        if (quad[2] != '=') {
            out[len++] = (char)(group >> 8 & 255u);
        }
        if (quad[3] != '=') {
            out[len++] = (char)(group & 255u);
        }
    }
    return len;
}

/* Encoded words of a field put together again; each has to be UTF-8 by itself. */
static void decode_words(struct span field, char *out)
{
    size_t len = 0;

    while (field.len > 0) {
        assert_true(span_starts_with(field, span_lit("=?utf-8?B?")));
        const size_t end = 10 + span_find(span_of(field.data + 10, field.len - 10), '?');
        const size_t more = decode(span_of(field.data + 10, end - 10), out + len);
        assert_true(more > 0 && span_is_utf8(span_of(out + len, more)));
        len += more;
        assert_int_equal(field.data[end + 1], '=');
        field = span_of(field.data + end + 2, field.len - end - 2);
        if (field.len > 0) {
            assert_true(span_starts_with(field, span_lit("\r\n ")));
            field = span_of(field.data + 3, field.len - 3);
        }
    }
    out[len] = 0;
}

/* No line is longer, none begins with a dot, and each ends in CRLF. */
static void assert_lines(const char *mail, size_t longest)
{
    while (*mail != 0) {
        const char *end = strstr(mail, "\r\n");
        assert_non_null(end);
        assert_null(memchr(mail, '\n', (size_t)(end - mail)));
        assert_true((size_t)(end - mail) <= longest && *mail != '.');
        mail = end + 2;
    }
}

static void a_mail_has_its_fields_and_its_body(void **state)
{
    const struct mail_message message = usual();

    const char *mail = built(&message);

    assert_string_equal(mail, "Date: Tue, 24 Nov 2026 00:05:09 +0000\r\n"
                              "Message-ID: <11111111-1111-4111-8111-111111111111@shop.example>\r\n"
                              "From: \"Shop\"\r\n <noreply@shop.example>\r\n"
                              "To: <ada@example.com>\r\n"
                              "Subject: Hello\r\n"
                              "MIME-Version: 1.0\r\n"
                              "Content-Type: text/html; charset=utf-8\r\n"
                              "Content-Transfer-Encoding: base64\r\n"
                              "Auto-Submitted: auto-generated\r\n"
                              "\r\n"
                              "PHA+SGk8L3A+Cg==\r\n");
}

static void a_date_is_that_of_the_calendar(void **state)
{
    static const struct {
        int64_t ms;
        const char *line;
    } cases[] = {{0, "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"},
                 {INT64_C(951782399999), "Date: Mon, 28 Feb 2000 23:59:59 +0000\r\n"},
                 {INT64_C(951782400000), "Date: Tue, 29 Feb 2000 00:00:00 +0000\r\n"},
                 {INT64_C(4102444799000), "Date: Thu, 31 Dec 2099 23:59:59 +0000\r\n"},
                 {INT64_MIN, "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"},
                 {INT64_MAX, "Date: Fri, 31 Dec 9999 23:59:59 +0000\r\n"}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct mail_message message = usual();
        message.date.ms = cases[i].ms;
        assert_ptr_equal(strstr(built(&message), cases[i].line), text);
    }
}

static void a_sender_without_a_name_is_an_address(void **state)
{
    struct mail_message message = usual();
    message.from_name = SPAN_NONE;

    assert_non_null(strstr(built(&message), "\r\nFrom: <noreply@shop.example>\r\n"));
}

static void what_means_something_in_a_name_is_quoted(void **state)
{
    struct mail_message message = usual();
    message.from_name = span_lit("Ada \"the\" <a@b.c>, \\o/");

    assert_non_null(
        strstr(built(&message), "\r\nFrom: \"Ada \\\"the\\\" <a@b.c>, \\\\o/\"\r\n <noreply@shop.example>\r\n"));
}

static void a_name_of_quotes_stays_on_a_line_of_76(void **state)
{
    struct mail_message message = usual();
    const struct span quotes = span_lit("\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"");

    for (size_t len = 30; len <= quotes.len; len++) {
        message.from_name = span_of(quotes.data, len);
        const struct span line = between(built(&message), "\r\nFrom: ", "\r\n");
        assert_in_range(line.len, 1, 76 - strlen("From: "));
        assert_int_equal(line.data[0], len <= 34 ? '"' : '=');
    }
}

static void other_letters_become_words_of_whole_code_points_on_lines_of_76(void **state)
{
    static const char *const letters[] = {"x\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xc3\xa4"};
    static char name[1025];
    static char back[1025];

    for (size_t letter = 0; letter < ARRAY_LENGTH(letters); letter++) {
        for (size_t count = 1; count <= 64; count++) {
            struct mail_message message = usual();
            name[0] = 0;
            for (size_t i = 0; i < count; i++) {
                strcat(name, letters[letter]);
            }
            message.from_name = message.subject = span_str(name);

            const char *mail = built(&message);

            assert_lines(mail, 76);
            decode_words(between(mail, "\r\nSubject: ", "\r\nMIME-"), back);
            assert_string_equal(back, name);
            decode_words(between(mail, "\r\nFrom: ", "\r\n <noreply"), back);
            assert_string_equal(back, name);
        }
    }
}

static void a_text_that_would_be_read_otherwise_is_encoded(void **state)
{
    static char longest[70];
    static char back[256];
    memset(longest, 'x', 68);
    const char *const cases[] = {"=?utf-8?B?SGk=?=", " begins", "ends ", longest};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct mail_message message = usual();
        message.subject = span_str(cases[i]);
        decode_words(between(built(&message), "\r\nSubject: ", "\r\nMIME-"), back);
        assert_string_equal(back, cases[i]);
    }
    struct mail_message message = usual();
    message.subject = span_of(longest, 67);
    assert_lines(built(&message), 76);
    assert_non_null(strstr(text, "Subject: xxx"));
}

static void no_value_becomes_another_field(void **state)
{
    static const char *const bad[] = {
        "Ada\r\nBcc: eve@example.com", "Ada\nBcc: e", "Ada\rBcc: e", "a\tb", "a\x7f", "\xff"};
    static const char *const addresses[] = {"ada@example.com\r\nBcc: e@example.com",
                                            "ada@example.com>\r\n",
                                            "a b@example.com",
                                            "a@b@example.com",
                                            "<a@example.com>",
                                            "a@example.com,b@example.com",
                                            "ada",
                                            "@b.c",
                                            "a@",
                                            "",
                                            "\"a\"@example.com",
                                            "\xc3\xa4@example.com",
                                            "a@b.c\x7f"};
    static const char *const ids[] = {"", "a@b", "a b", "a\r\nb", "<a>"};

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct mail_message named = usual();
        struct mail_message about = usual();
        named.from_name = about.subject = span_str(bad[i]);
        assert_int_equal(refusal_of(&named), ERR_MALFORMED);
        assert_int_equal(refusal_of(&about), ERR_MALFORMED);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++) {
        struct mail_message from = usual();
        struct mail_message to = usual();
        from.from = to.to = span_str(addresses[i]);
        assert_int_equal(refusal_of(&from), ERR_MALFORMED);
        assert_int_equal(refusal_of(&to), ERR_MALFORMED);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++) {
        struct mail_message message = usual();
        message.id = span_str(ids[i]);
        assert_int_equal(refusal_of(&message), ERR_MALFORMED);
    }
    struct mail_message message = usual();
    message.subject = span_lit("a\0b");
    assert_int_equal(refusal_of(&message), ERR_MALFORMED);
}

static void a_body_of_any_length_comes_back_from_lines_of_76(void **state)
{
    static char body[600];
    static char back[600];

    for (size_t len = 0; len < sizeof body; len++) {
        struct mail_message message = usual();
        size_t got = 0;
        body[len] = (char)(len * 7);
        message.html = span_of(body, len);

        const char *at = strstr(built(&message), "\r\n\r\n") + 4;

        assert_lines(text, 76);
        while (*at != 0) {
            const char *end = strstr(at, "\r\n");
            got += decode(span_of(at, (size_t)(end - at)), back + got);
            at = end + 2;
        }
        assert_int_equal(got, len);
        assert_memory_equal(back, body, len);
    }
}

static void a_mail_that_is_too_large_is_none(void **state)
{
    static char body[MAIL_MESSAGE_MAX];
    struct mail_message message = usual();
    SCOPED_BUF struct buf *out = NULL;
    memset(body, 'x', sizeof body);
    message.html = span_array(body);
    assert_int_equal(buf_new(MAIL_MESSAGE_MAX, &out), ERR_OK);

    assert_int_equal(mail_message_put(out, &message), ERR_RANGE);

    fault_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mail_has_its_fields_and_its_body),
        cmocka_unit_test(a_date_is_that_of_the_calendar),
        cmocka_unit_test(a_sender_without_a_name_is_an_address),
        cmocka_unit_test(what_means_something_in_a_name_is_quoted),
        cmocka_unit_test(a_name_of_quotes_stays_on_a_line_of_76),
        cmocka_unit_test(other_letters_become_words_of_whole_code_points_on_lines_of_76),
        cmocka_unit_test(a_text_that_would_be_read_otherwise_is_encoded),
        cmocka_unit_test(no_value_becomes_another_field),
        cmocka_unit_test(a_body_of_any_length_comes_back_from_lines_of_76),
        cmocka_unit_test(a_mail_that_is_too_large_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
