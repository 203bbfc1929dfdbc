/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/courier/smtp.h against relays that follow a script: good ones, and such as no relay should be. */
#include "firmware/courier/smtp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/courier/smtp_reply.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define SENT_MAX 300000
#define SAID_MAX 70000

/* What the relay waits for, and what it says then. wants: a line without its end; TEXT the text of a mail with its end;
 * TLS the handshake; NULL nothing. */
struct step {
    const char *wants;
    const char *says;
};
#define TEXT "(text)"
#define TLS  "(tls)"

struct relay {
    const struct step *steps; /* ends with says NULL */
    size_t at;
    size_t chunk; /* bytes given at once */
    bool secure;
    size_t secret_in_clear; /* bytes that came before TLS, but for those that may */
    char sent[SENT_MAX];    /* by us */
    size_t sent_len;
    size_t seen; /* of sent, by the script */
    char said[SAID_MAX];
    size_t said_len;
    size_t given;
    char text[SENT_MAX]; /* of the mail, as it came */
    size_t text_len;
};

static void say(struct relay *relay, const char *words)
{
    const size_t len = strlen(words);

    assert_true(relay->said_len + len <= SAID_MAX);
    memcpy(relay->said + relay->said_len, words, len);
    relay->said_len += len;
}

/* Where the end of what is wanted is, or 0. */
static size_t find_end(const struct relay *relay, const char *mark)
{
    const size_t len = strlen(mark);

    for (size_t at = relay->seen; at + len <= relay->sent_len; at++) {
        if (memcmp(relay->sent + at, mark, len) == 0) {
            return at + len;
        }
    }
    return 0;
}

static bool step_is_met(struct relay *relay, const char *wants)
{
    if (wants == NULL) {
        return true;
    }
    if (strcmp(wants, TLS) == 0) {
        return relay->secure;
    }
    if (strcmp(wants, TEXT) == 0) {
        const size_t end = find_end(relay, "\r\n.\r\n");
        if (end == 0) {
            return false;
        }
        relay->text_len = end - relay->seen - 3;
        memcpy(relay->text, relay->sent + relay->seen, relay->text_len);
        relay->seen = end;
        return true;
    }
    const size_t end = find_end(relay, "\r\n");
    if (end == 0) {
        return false;
    }
    assert_int_equal(end - 2 - relay->seen, strlen(wants));
    assert_memory_equal(relay->sent + relay->seen, wants, strlen(wants));
    relay->seen = end;
    return true;
}

static void follow(struct relay *relay)
{
    while (relay->steps[relay->at].says != NULL && step_is_met(relay, relay->steps[relay->at].wants)) {
        say(relay, relay->steps[relay->at].says);
        relay->at++;
    }
}

static enum err on_send(void *context, struct span bytes)
{
    struct relay *const relay = context;

    assert_true(relay->sent_len + bytes.len <= SENT_MAX);
    if (bytes.len != 0) {
        memcpy(relay->sent + relay->sent_len, bytes.data, bytes.len);
    }
    relay->sent_len += bytes.len;
    relay->secret_in_clear += !relay->secure && !span_starts_with(bytes, span_lit("EHLO ")) &&
                                      !span_starts_with(bytes, span_lit("STARTTLS\r\n"))
                                  ? bytes.len
                                  : 0;
    follow(relay);
    return ERR_OK;
}

static enum err on_receive(void *context, struct buf *in)
{
    struct relay *const relay = context;

    follow(relay);
    if (relay->given == relay->said_len) {
        return ERR_CLOSED;
    }
    size_t len = relay->said_len - relay->given;
    len = len < relay->chunk ? len : relay->chunk;
    len = len < buf_room(in) ? len : buf_room(in);
    ENSURE(len != 0, ERR_RANGE, "no room");
    TRY(buf_put(in, span_of(relay->said + relay->given, len)));
    relay->given += len;
    return ERR_OK;
}

static enum err on_start_tls(void *context)
{
    struct relay *const relay = context;

    assert_false(relay->secure);
    ENSURE(relay->given == relay->said_len, ERR_MALFORMED, "words in the place of a handshake"); /* as TLS would find */
    relay->secure = true;
    return ERR_OK;
}

static const struct outbound_mail mail = {
    .from = {(const uint8_t *)"box@shop.example", 16},
    .to = {(const uint8_t *)"ann@example.com", 15},
    .user = {(const uint8_t *)"user", 4},
    .password = {(const uint8_t *)"secret", 6},
    .text = {(const uint8_t *)"Subject: x\r\n\r\nhello\r\n", 21},
};

struct run {
    struct relay relay;
    struct courier_answer answer;
};

static struct run *run_job(const struct step *steps, enum outbound_tls tls, const struct outbound_mail *of, size_t chunk)
{
    const struct courier_job job = {.to = {.kind = OUTBOUND_SMTP, .tls = tls, .port = 587, .host = span_lit("localhost")},
                                    .mail = *of};
    void *memory = NULL;

    assert_int_equal(mem_alloc(sizeof(struct run), &memory), ERR_OK);
    struct run *const run = memory;
    run->relay.steps = steps;
    run->relay.chunk = chunk;
    run->relay.secure = tls == OUTBOUND_TLS;
    struct stream stream = {on_send, on_receive, on_start_tls, &run->relay};
    smtp_send(&stream, &job, &run->answer);
    fault_clear();
    return run;
}

static struct run *run_steps(const struct step *steps)
{
    return run_job(steps, OUTBOUND_STARTTLS, &mail, SAID_MAX);
}

static void assert_answer(struct run *take_run, enum outbound_result result, enum outbound_stage stage, uint32_t status)
{
    assert_int_equal(take_run->answer.result, result);
    assert_int_equal(take_run->answer.stage, stage);
    assert_int_equal(take_run->answer.status, status);
    assert_int_equal(take_run->relay.secret_in_clear, 0);
    mem_free(take_run);
}

#define GREETING {NULL, "220 relay.example ESMTP\r\n"}
#define HELLO "EHLO shop.example"
#define IN_CLEAR {HELLO, "250-relay.example\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n"}
#define UP_TO_TLS GREETING, IN_CLEAR, {"STARTTLS", "220 go ahead\r\n"}, {TLS, ""}
#define UP_TO_HELLO UP_TO_TLS, {HELLO, "250-relay.example\r\n250-SIZE 100000\r\n250 AUTH LOGIN PLAIN\r\n"}
#define AUTH_PLAIN "AUTH PLAIN AHVzZXIAc2VjcmV0"
#define UP_TO_AUTH UP_TO_HELLO, {AUTH_PLAIN, "235 ok\r\n"}
#define FROM "MAIL FROM:<box@shop.example> SIZE=21"
#define TO "RCPT TO:<ann@example.com>"
#define UP_TO_DATA UP_TO_AUTH, {FROM, "250 ok\r\n"}, {TO, "250 ok\r\n"}, {"DATA", "354 go\r\n"}
#define END {NULL, NULL}

static const struct step good[] = {UP_TO_DATA, {TEXT, "250 2.0.0 taken\r\n"}, {"QUIT", ""}, END};

static void a_mail_is_handed_over_in_order_and_under_tls(void **state)
{
    struct run *run = run_steps(good);

    assert_int_equal(run->relay.at, ARRAY_LENGTH(good) - 1);
    assert_int_equal(run->relay.text_len, 21);
    assert_memory_equal(run->relay.text, mail.text.data, 21);
    assert_answer(run, OUTBOUND_DONE, OUTBOUND_AT_END, 250);
}

static void replies_may_come_byte_by_byte(void **state)
{
    assert_answer(run_job(good, OUTBOUND_STARTTLS, &mail, 1), OUTBOUND_DONE, OUTBOUND_AT_END, 250);
}

static void over_tls_from_the_first_byte_there_is_no_starttls(void **state)
{
    static const struct step steps[] = {GREETING, {HELLO, "250-relay.example\r\n250-STARTTLS\r\n250 AUTH LOGIN\r\n"},
                                        {"AUTH LOGIN", "334 VXNlcm5hbWU6\r\n"}, {"dXNlcg==", "334 UGFzc3dvcmQ6\r\n"},
                                        {"c2VjcmV0", "235 ok\r\n"}, {"MAIL FROM:<box@shop.example>", "250 ok\r\n"},
                                        {TO, "251 ok\r\n"}, {"DATA", "354 go\r\n"}, {TEXT, "250 taken\r\n"},
                                        {"QUIT", ""}, END};
    struct run *run = run_job(steps, OUTBOUND_TLS, &mail, SAID_MAX);

    assert_int_equal(run->relay.at, ARRAY_LENGTH(steps) - 1);
    assert_answer(run, OUTBOUND_DONE, OUTBOUND_AT_END, 250);
}

static void a_relay_without_a_user_gets_no_sign_in(void **state)
{
    static const struct step steps[] = {UP_TO_HELLO, {FROM, "250 ok\r\n"}, {TO, "250 ok\r\n"}, {"DATA", "354 go\r\n"},
                                        {TEXT, "250 taken\r\n"}, {"QUIT", ""}, END};
    struct outbound_mail nobody = mail;
    nobody.user = SPAN_NONE;
    nobody.password = SPAN_NONE;

    assert_answer(run_job(steps, OUTBOUND_STARTTLS, &nobody, SAID_MAX), OUTBOUND_DONE, OUTBOUND_AT_END, 250);
}

static void nothing_is_sent_to_a_relay_that_offers_no_starttls(void **state)
{
    static const struct step steps[] = {GREETING, {HELLO, "250-relay.example\r\n250 AUTH PLAIN LOGIN\r\n"}, END};

    assert_answer(run_steps(steps), OUTBOUND_TEMPORARY, OUTBOUND_AT_STARTTLS, 250);
}

static void a_relay_that_refuses_starttls_gets_nothing(void **state)
{
    static const struct step steps[] = {GREETING, IN_CLEAR, {"STARTTLS", "454 not now\r\n"}, END};

    assert_answer(run_steps(steps), OUTBOUND_TEMPORARY, OUTBOUND_AT_STARTTLS, 454);
}

/* CVE-2011-0411 and its kind: who sits between puts replies behind the 220, which the relay's TLS must not vouch for. */
static void words_behind_the_answer_to_starttls_end_the_conversation(void **state)
{
    static const struct step steps[] = {
        GREETING, IN_CLEAR, {"STARTTLS", "220 go ahead\r\n250-relay.example\r\n250 AUTH PLAIN\r\n"}, {TLS, ""}, END};
    struct run *run = run_steps(steps);

    assert_false(run->relay.secure);
    assert_answer(run, OUTBOUND_TEMPORARY, OUTBOUND_AT_STARTTLS, 0);
    run = run_job(steps, OUTBOUND_STARTTLS, &mail, 14); /* they come after the reply was read */
    assert_false(run->relay.secure);
    assert_answer(run, OUTBOUND_TEMPORARY, OUTBOUND_AT_TLS, 220);
}

static void what_was_offered_in_clear_counts_for_nothing_under_tls(void **state)
{
    static const struct step steps[] = {UP_TO_TLS, {HELLO, "250 relay.example\r\n"}, END};

    assert_answer(run_steps(steps), OUTBOUND_TEMPORARY, OUTBOUND_AT_SIGN_IN, 250);
}

static void a_wrong_password_is_for_the_settings_to_repair(void **state)
{
    static const struct step steps[] = {UP_TO_HELLO, {AUTH_PLAIN, "535 5.7.8 no\r\n"}, END};

    assert_answer(run_steps(steps), OUTBOUND_TEMPORARY, OUTBOUND_AT_SIGN_IN, 535);
}

static void a_relay_that_wants_a_sign_in_says_so_at_any_time_and_it_is_for_the_settings_to_repair(void **state)
{
    static const struct step from[] = {UP_TO_HELLO, {FROM, "530 5.7.0 Authentication required\r\n"}, END};
    static const struct step to[] = {UP_TO_AUTH, {FROM, "250 ok\r\n"}, {TO, "535 not you\r\n"}, END};
    static const struct step data[] = {
        UP_TO_AUTH, {FROM, "250 ok\r\n"}, {TO, "250 ok\r\n"}, {"DATA", "534 too weak\r\n"}, END};
    static const struct step other[] = {UP_TO_AUTH, {FROM, "531 no\r\n"}, END};
    struct outbound_mail nobody = mail;
    nobody.user = SPAN_NONE;
    nobody.password = SPAN_NONE;

    assert_answer(run_job(from, OUTBOUND_STARTTLS, &nobody, SAID_MAX), OUTBOUND_TEMPORARY, OUTBOUND_AT_SIGN_IN, 530);
    assert_answer(run_steps(to), OUTBOUND_TEMPORARY, OUTBOUND_AT_SIGN_IN, 535);
    assert_answer(run_steps(data), OUTBOUND_TEMPORARY, OUTBOUND_AT_SIGN_IN, 534);
    assert_answer(run_steps(other), OUTBOUND_REFUSED, OUTBOUND_AT_FROM, 531);
}

static void five_hundreds_about_the_mail_are_final_and_four_hundreds_are_not(void **state)
{
    static const struct step from5[] = {UP_TO_AUTH, {FROM, "550 no\r\n"}, END};
    static const struct step from4[] = {UP_TO_AUTH, {FROM, "451 later\r\n"}, END};
    static const struct step to5[] = {UP_TO_AUTH, {FROM, "250 ok\r\n"}, {TO, "550-5.1.1 nobody\r\n550 of that name\r\n"}, END};
    static const struct step to4[] = {UP_TO_AUTH, {FROM, "250 ok\r\n"}, {TO, "450 greylisted\r\n"}, END};
    static const struct step data5[] = {
        UP_TO_AUTH, {FROM, "250 ok\r\n"}, {TO, "250 ok\r\n"}, {"DATA", "554 no\r\n"}, END};
    static const struct step text5[] = {UP_TO_DATA, {TEXT, "552 too much\r\n"}, END};
    static const struct step text4[] = {UP_TO_DATA, {TEXT, "452 full\r\n"}, END};

    assert_answer(run_steps(from5), OUTBOUND_REFUSED, OUTBOUND_AT_FROM, 550);
    assert_answer(run_steps(from4), OUTBOUND_TEMPORARY, OUTBOUND_AT_FROM, 451);
    assert_answer(run_steps(to5), OUTBOUND_REFUSED, OUTBOUND_AT_TO, 550);
    assert_answer(run_steps(to4), OUTBOUND_TEMPORARY, OUTBOUND_AT_TO, 450);
    assert_answer(run_steps(data5), OUTBOUND_REFUSED, OUTBOUND_AT_DATA, 554);
    assert_answer(run_steps(text5), OUTBOUND_REFUSED, OUTBOUND_AT_DATA, 552);
    assert_answer(run_steps(text4), OUTBOUND_TEMPORARY, OUTBOUND_AT_DATA, 452);
}

static void a_relay_that_wants_nobody_now_is_asked_again_later(void **state)
{
    static const struct step greeting4[] = {{NULL, "421 too busy\r\n"}, END};
    static const struct step greeting5[] = {{NULL, "554 no service\r\n"}, END};
    static const struct step hello5[] = {GREETING, {HELLO, "502 what?\r\n"}, END};
    static const struct step any4[] = {UP_TO_AUTH, {FROM, "421 shutting down\r\n"}, END};

    assert_answer(run_steps(greeting4), OUTBOUND_TEMPORARY, OUTBOUND_AT_GREETING, 421);
    assert_answer(run_steps(greeting5), OUTBOUND_TEMPORARY, OUTBOUND_AT_GREETING, 554);
    assert_answer(run_steps(hello5), OUTBOUND_TEMPORARY, OUTBOUND_AT_GREETING, 502);
    assert_answer(run_steps(any4), OUTBOUND_TEMPORARY, OUTBOUND_AT_FROM, 421);
}

static void a_connection_that_drops_is_no_verdict(void **state)
{
    static const struct step at_once[] = {END};
    static const struct step in_text[] = {UP_TO_DATA, END};
    static const struct step in_line[] = {UP_TO_AUTH, {FROM, "250 o"}, END};

    assert_answer(run_steps(at_once), OUTBOUND_TEMPORARY, OUTBOUND_AT_GREETING, 0);
    assert_answer(run_steps(in_text), OUTBOUND_TEMPORARY, OUTBOUND_AT_DATA, 0);
    assert_answer(run_steps(in_line), OUTBOUND_TEMPORARY, OUTBOUND_AT_FROM, 0);
}

static void replies_that_are_none_end_the_conversation(void **state)
{
    static const char *const words[] = {"hello\r\n", "\r\n", "22 relay\r\n", "220relay\r\n", "-20 relay\r\n", "999 relay\r\n",
                                        "199 relay\r\n", "220 relay\n", "220-a\r\n221 b\r\n", "220 a\r\n220 b\r\n",
                                        "220-a\r\n", "2200 relay\r\n", "\xff\xff\xff relay\r\n"};

    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        const struct step steps[] = {{NULL, words[i]}, END};
        struct run *const run = run_steps(steps);
        assert_int_equal(run->relay.sent_len, 0);
        assert_answer(run, OUTBOUND_TEMPORARY, OUTBOUND_AT_GREETING, 0);
    }
}

static void endless_lines_and_endless_replies_are_cut(void **state)
{
    static char line[SAID_MAX];
    static char lines[SAID_MAX];
    const struct step one[] = {{NULL, line}, END};
    const struct step many[] = {{NULL, lines}, END};
    memset(line, 'x', sizeof(line) - 1);
    memcpy(line, "220 ", 4);
    for (size_t at = 0; at + 8 < sizeof(lines); at += 7) {
        memcpy(lines + at, "220-x\r\n", 8);
    }

    struct run *run = run_steps(one);
    assert_true(run->relay.given <= SMTP_LINE_MAX);
    assert_answer(run, OUTBOUND_TEMPORARY, OUTBOUND_AT_GREETING, 0);
    run = run_steps(many);
    assert_true(run->relay.given <= SMTP_LINES_MAX * 7 + SMTP_LINE_MAX);
    assert_answer(run, OUTBOUND_TEMPORARY, OUTBOUND_AT_GREETING, 0);
}

static void a_line_and_a_reply_have_their_limits_and_no_less(void **state)
{
    char line[SMTP_LINE_MAX + 2];
    static char lines[SAID_MAX];
    const struct step one[] = {{NULL, line}, END};
    const struct step many[] = {{NULL, lines}, END};
    memset(line, 'x', sizeof(line));
    memcpy(line, "220 ", 4);
    memcpy(line + SMTP_LINE_MAX - 2, "\r\n", 3);
    for (size_t i = 0; i < SMTP_LINES_MAX; i++) {
        memcpy(lines + i * 7, i + 1 < SMTP_LINES_MAX ? "220-x\r\n" : "220 x\r\n", 8);
    }

    /* Both are taken: what fails is that the relay is gone when it is greeted. */
    struct run *run = run_steps(one);
    assert_int_equal(run->relay.sent_len, sizeof(HELLO) + 1);
    mem_free(run);
    run = run_steps(many);
    assert_int_equal(run->relay.sent_len, sizeof(HELLO) + 1);
    mem_free(run);
    memcpy(line + SMTP_LINE_MAX - 2, "x\r\n", 4);
    run = run_steps(one);
    assert_int_equal(run->relay.sent_len, 0);
    mem_free(run);
}

static void dots_are_doubled_and_line_ends_are_made_whole(void **state)
{
    static const struct {
        const char *text;
        const char *sent;
    } cases[] = {
        {"a\r\n", "a\r\n"},
        {"a", "a\r\n"},
        {"a\nb\rc\r\n", "a\r\nb\r\nc\r\n"},
        {".\r\n", "..\r\n"},
        {"..a\r\n.b\n.c\r.", "...a\r\n..b\r\n..c\r\n..\r\n"},
        {"a\n.\nMAIL FROM:<x@y.example>\n", "a\r\n..\r\nMAIL FROM:<x@y.example>\r\n"},
        {"a\r.\rb", "a\r\n..\r\nb\r\n"},
        {"\r\r\n\n", "\r\n\r\n\r\n"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char from[64] = "MAIL FROM:<box@shop.example> SIZE=";
        char digits[SPAN_U64_TEXT_MAX];
        const struct span number = span_from_u64(strlen(cases[i].sent), digits);
        memcpy(from + strlen(from), number.data, number.len);
        const struct step all[] = {UP_TO_AUTH, {from, "250 ok\r\n"}, {TO, "250 ok\r\n"}, {"DATA", "354 go\r\n"},
                                   {TEXT, "250 ok\r\n"}, END};
        struct outbound_mail other = mail;
        other.text = span_str(cases[i].text);

        struct run *run = run_job(all, OUTBOUND_STARTTLS, &other, SAID_MAX);

        assert_int_equal(run->relay.text_len, strlen(cases[i].sent));
        assert_memory_equal(run->relay.text, cases[i].sent, run->relay.text_len);
        assert_answer(run, OUTBOUND_DONE, OUTBOUND_AT_END, 250);
    }
}

static void the_longest_mail_of_dots_arrives_whole(void **state)
{
    static char text[OUTBOUND_MAIL_MAX];
    static const struct step steps[] = {
        GREETING, {HELLO, "250 relay.example\r\n"}, {"MAIL FROM:<box@shop.example>", "250 ok\r\n"}, {TO, "250 ok\r\n"},
        {"DATA", "354 go\r\n"}, {TEXT, "250 ok\r\n"}, END};
    struct outbound_mail other = mail;
    other.user = SPAN_NONE;
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = i % 2 == 0 ? '.' : '\n';
    }
    other.text = span_array(text);

    struct run *run = run_job(steps, OUTBOUND_TLS, &other, SAID_MAX);

    assert_int_equal(run->relay.text_len, sizeof(text) * 2);
    for (size_t at = 0; at < run->relay.text_len; at += 4) {
        assert_memory_equal(run->relay.text + at, "..\r\n", 4);
    }
    assert_answer(run, OUTBOUND_DONE, OUTBOUND_AT_END, 250);
}

static void a_mail_that_is_longer_than_the_relay_takes_is_refused_without_asking(void **state)
{
    static const struct step exact[] = {
        UP_TO_TLS, {HELLO, "250-relay.example\r\n250-SIZE 21\r\n250 AUTH PLAIN\r\n"}, {AUTH_PLAIN, "235 ok\r\n"},
        {FROM, "250 ok\r\n"}, {TO, "250 ok\r\n"}, {"DATA", "354 go\r\n"}, {TEXT, "250 taken\r\n"}, END};
    static const struct step less[] = {
        UP_TO_TLS, {HELLO, "250-relay.example\r\n250-SIZE 20\r\n250 AUTH PLAIN\r\n"}, {AUTH_PLAIN, "235 ok\r\n"}, END};

    assert_answer(run_steps(exact), OUTBOUND_DONE, OUTBOUND_AT_END, 250);
    assert_answer(run_steps(less), OUTBOUND_REFUSED, OUTBOUND_AT_DATA, 0);
}

static void a_mailbox_with_a_line_end_in_it_never_gets_to_the_relay(void **state)
{
    static const char *const bad[] = {"", "a@b.example\r\nRCPT TO:<c@d.example>", "a b@c.example", "a@b.example>", "<a@b.example",
                                      "\xc3\xa4@b.example", "a@b.example\n"};
    static const struct step steps[] = {UP_TO_AUTH, {FROM, "250 ok\r\n"}, {TO, "250 ok\r\n"}, END};

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct outbound_mail other = mail;
        other.to = span_str(bad[i]);
        struct run *run = run_job(steps, OUTBOUND_STARTTLS, &other, SAID_MAX);
        assert_null(strstr(run->relay.sent, "RCPT"));
        assert_answer(run, OUTBOUND_REFUSED, OUTBOUND_AT_TO, 0);
    }
}

static void a_mail_that_was_taken_stays_taken_when_the_farewell_fails(void **state)
{
    static const struct step steps[] = {UP_TO_DATA, {TEXT, "250 taken\r\n"}, END};

    assert_answer(run_steps(steps), OUTBOUND_DONE, OUTBOUND_AT_END, 250);
}

static void offers_are_read_as_they_are_written(void **state)
{
    struct smtp_offers offers = {.starttls = false};

    smtp_offers_add(&offers, span_lit("AUTH=PLAIN"));
    smtp_offers_add(&offers, span_lit("STARTTLSX"));
    smtp_offers_add(&offers, span_lit("X STARTTLS"));
    smtp_offers_add(&offers, span_lit(""));
    smtp_offers_add(&offers, span_lit("SIZE -1"));
    assert_false(offers.plain || offers.login || offers.starttls || offers.size_max != 0);
    assert_true(offers.size);
    smtp_offers_add(&offers, span_lit("size 35882577"));
    smtp_offers_add(&offers, span_lit("Auth CRAM-MD5  login plain2"));
    smtp_offers_add(&offers, span_lit("starttls"));
    assert_true(offers.login && offers.starttls && !offers.plain && offers.size_max == 35882577);
    smtp_offers_add(&offers, span_lit("SIZE 99999999999999999999999"));
    assert_true(offers.size_max == 35882577);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mail_is_handed_over_in_order_and_under_tls),
        cmocka_unit_test(replies_may_come_byte_by_byte),
        cmocka_unit_test(over_tls_from_the_first_byte_there_is_no_starttls),
        cmocka_unit_test(a_relay_without_a_user_gets_no_sign_in),
        cmocka_unit_test(nothing_is_sent_to_a_relay_that_offers_no_starttls),
        cmocka_unit_test(a_relay_that_refuses_starttls_gets_nothing),
        cmocka_unit_test(words_behind_the_answer_to_starttls_end_the_conversation),
        cmocka_unit_test(what_was_offered_in_clear_counts_for_nothing_under_tls),
        cmocka_unit_test(a_wrong_password_is_for_the_settings_to_repair),
        cmocka_unit_test(a_relay_that_wants_a_sign_in_says_so_at_any_time_and_it_is_for_the_settings_to_repair),
        cmocka_unit_test(five_hundreds_about_the_mail_are_final_and_four_hundreds_are_not),
        cmocka_unit_test(a_relay_that_wants_nobody_now_is_asked_again_later),
        cmocka_unit_test(a_connection_that_drops_is_no_verdict),
        cmocka_unit_test(replies_that_are_none_end_the_conversation),
        cmocka_unit_test(endless_lines_and_endless_replies_are_cut),
        cmocka_unit_test(a_line_and_a_reply_have_their_limits_and_no_less),
        cmocka_unit_test(dots_are_doubled_and_line_ends_are_made_whole),
        cmocka_unit_test(the_longest_mail_of_dots_arrives_whole),
        cmocka_unit_test(a_mail_that_is_longer_than_the_relay_takes_is_refused_without_asking),
        cmocka_unit_test(a_mailbox_with_a_line_end_in_it_never_gets_to_the_relay),
        cmocka_unit_test(a_mail_that_was_taken_stays_taken_when_the_farewell_fails),
        cmocka_unit_test(offers_are_read_as_they_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
