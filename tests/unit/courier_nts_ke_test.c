/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/courier/nts_ke.h against messages that are right, and such as no server should send. */
#include "firmware/courier/nts_ke.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"

#define HOST     span_lit("time.example")
#define PROTOCOL "\x80\x01\x00\x02\x00\x00"
#define CIPHER   "\x80\x04\x00\x02\x00\x0f"
#define COOKIE   "\x00\x05\x00\x04" "cook"
#define END      "\x80\x00\x00\x00"
#define BYTES(text) span_of((text), sizeof(text) - 1)

/* The other side: says this in pieces of so many bytes, and is gone. */
struct server {
    struct stream stream;
    struct span says;
    size_t piece;
    uint8_t heard[64];
    size_t heard_len;
};

static enum err server_send(void *context, struct span bytes)
{
    struct server *const server = context;

    assert_true(bytes.len <= sizeof(server->heard) - server->heard_len);
    memcpy(server->heard + server->heard_len, bytes.data, bytes.len);
    server->heard_len += bytes.len;
    return ERR_OK;
}

static enum err server_receive(void *context, struct buf *in)
{
    struct server *const server = context;
    const size_t now = server->piece < server->says.len ? server->piece : server->says.len;

    if (now == 0) {
        return ERR_CLOSED;
    }
    TRY(buf_put(in, span_of(server->says.data, now)));
    server->says = span_of(server->says.data + now, server->says.len - now);
    return ERR_OK;
}

static struct server server_of(struct span says, size_t piece)
{
    return (struct server){
        .stream = {.send = server_send, .receive = server_receive}, .says = says, .piece = piece};
}

static enum err run(struct server *server, struct nts_session *session, uint16_t *out_port)
{
    *session = (struct nts_session){.count = 0};
    server->stream.context = server;
    const enum err err = nts_ke_run(&server->stream, HOST, session, out_port);
    fault_clear();
    return err;
}

static enum err outcome(struct span message)
{
    struct server server = server_of(message, SIZE_MAX);
    struct nts_session session;
    uint16_t port = 0;

    const enum err err = run(&server, &session, &port);
    assert_true((err == ERR_OK) == (port != 0));
    return err;
}

static void a_client_offers_one_protocol_and_one_cipher(void **state)
{
    struct server server = server_of(BYTES(PROTOCOL CIPHER COOKIE END), SIZE_MAX);
    struct nts_session session;
    uint16_t port = 0;

    assert_int_equal(run(&server, &session, &port), ERR_OK);

    assert_int_equal(server.heard_len, 16);
    assert_memory_equal(server.heard, PROTOCOL CIPHER END, 16);
}

static void a_message_is_read_in_whatever_pieces_it_comes(void **state)
{
    static const char message[] = PROTOCOL CIPHER "\x80\x07\x00\x02\x12\x34"
                                  "\x80\x06\x00\x0c" "TIME.example" COOKIE "\x00\x05\x00\x02" "hi"
                                  "\x40\x00\x00\x03" "xyz" END "and what comes after";

    for (size_t piece = 1; piece < sizeof(message); piece++) {
        struct server server = server_of(BYTES(message), piece);
        struct nts_session session;
        uint16_t port = 0;

        assert_int_equal(run(&server, &session, &port), ERR_OK);
        assert_int_equal(port, 0x1234);
        assert_int_equal(session.count, 2);
        assert_int_equal(session.cookies[0].len, 4);
        assert_memory_equal(session.cookies[0].bytes, "cook", 4);
        assert_int_equal(session.cookies[1].len, 2);
        assert_memory_equal(session.cookies[1].bytes, "hi", 2);
    }
}

static void ntp_has_its_port_unless_the_server_says_another(void **state)
{
    struct server server = server_of(BYTES(PROTOCOL CIPHER COOKIE END), SIZE_MAX);
    struct nts_session session;
    uint16_t port = 0;

    assert_int_equal(run(&server, &session, &port), ERR_OK);
    assert_int_equal(port, 123);
}

static void eight_cookies_are_kept_and_no_more(void **state)
{
    struct server server = server_of(
        BYTES(PROTOCOL CIPHER COOKIE COOKIE COOKIE COOKIE COOKIE COOKIE COOKIE COOKIE COOKIE COOKIE END), SIZE_MAX);
    struct nts_session session;
    uint16_t port = 0;

    assert_int_equal(run(&server, &session, &port), ERR_OK);
    assert_int_equal(session.count, NTS_COOKIES_MAX);
}

static void a_message_that_is_cut_anywhere_is_refused(void **state)
{
    static const char message[] = PROTOCOL CIPHER COOKIE END;

    for (size_t len = 0; len < sizeof(message) - 1; len++) {
        assert_int_equal(outcome(span_of(message, len)), ERR_CLOSED);
    }
}

static void a_message_that_lacks_something_is_refused(void **state)
{
    assert_int_equal(outcome(BYTES(CIPHER COOKIE END)), ERR_MALFORMED);
    assert_int_equal(outcome(BYTES(PROTOCOL COOKIE END)), ERR_MALFORMED);
    assert_int_equal(outcome(BYTES(PROTOCOL CIPHER END)), ERR_MALFORMED);
}

static void records_that_may_come_once_are_refused_when_they_come_twice(void **state)
{
    assert_int_equal(outcome(BYTES(PROTOCOL PROTOCOL CIPHER COOKIE END)), ERR_MALFORMED);
    assert_int_equal(outcome(BYTES(PROTOCOL CIPHER CIPHER COOKIE END)), ERR_MALFORMED);
    assert_int_equal(outcome(BYTES(PROTOCOL CIPHER COOKIE "\x80\x07\x00\x02\x00\x7b\x80\x07\x00\x02\x00\x7b" END)),
                     ERR_MALFORMED);
    assert_int_equal(outcome(BYTES(PROTOCOL CIPHER COOKIE "\x80\x06\x00\x0ctime.example\x80\x06\x00\x0ctime.example" END)),
                     ERR_MALFORMED);
}

static void records_of_another_form_are_refused(void **state)
{
    assert_int_equal(outcome(BYTES("\x80\x01\x00\x01\x00" CIPHER COOKIE END)), ERR_MALFORMED);
    assert_int_equal(outcome(BYTES("\x80\x01\x00\x04\x00\x00\x00\x01" CIPHER COOKIE END)), ERR_MALFORMED);
    assert_int_equal(outcome(BYTES(PROTOCOL CIPHER COOKIE "\x80\x07\x00\x01\x7b" END)), ERR_MALFORMED);
    assert_int_equal(outcome(BYTES(PROTOCOL CIPHER COOKIE "\x80\x07\x00\x02\x00\x00" END)), ERR_MALFORMED);
    assert_int_equal(outcome(BYTES(PROTOCOL CIPHER "\x00\x05\x00\x00" END)), ERR_MALFORMED);
    assert_int_equal(outcome(BYTES(PROTOCOL CIPHER COOKIE "\x80\x00\x00\x01x")), ERR_MALFORMED);
}

static void another_protocol_or_cipher_is_refused(void **state)
{
    assert_int_equal(outcome(BYTES("\x80\x01\x00\x00" CIPHER COOKIE END)), ERR_UNSUPPORTED);
    assert_int_equal(outcome(BYTES("\x80\x01\x00\x02\x00\x01" CIPHER COOKIE END)), ERR_UNSUPPORTED);
    assert_int_equal(outcome(BYTES(PROTOCOL "\x80\x04\x00\x00" COOKIE END)), ERR_UNSUPPORTED);
    assert_int_equal(outcome(BYTES(PROTOCOL "\x80\x04\x00\x02\x00\x1e" COOKIE END)), ERR_UNSUPPORTED);
}

static void what_is_critical_and_unknown_is_refused(void **state)
{
    assert_int_equal(outcome(BYTES(PROTOCOL CIPHER "\xc0\x00\x00\x00" COOKIE END)), ERR_UNSUPPORTED);
    assert_int_equal(outcome(BYTES(PROTOCOL CIPHER "\x40\x00\x00\x00" COOKIE END)), ERR_OK);
}

static void errors_and_warnings_of_the_server_are_heard(void **state)
{
    assert_int_equal(outcome(BYTES("\x80\x02\x00\x02\x00\x01" END)), ERR_REFUSED);
    assert_int_equal(outcome(BYTES(PROTOCOL CIPHER COOKIE "\x80\x03\x00\x02\x00\x01" END)), ERR_REFUSED);
}

static void another_host_for_ntp_is_refused(void **state)
{
    assert_int_equal(outcome(BYTES(PROTOCOL CIPHER COOKIE "\x80\x06\x00\x0c" "tima.example" END)), ERR_DENIED);
    assert_int_equal(outcome(BYTES(PROTOCOL CIPHER COOKIE "\x80\x06\x00\x09" "127.0.0.1" END)), ERR_DENIED);
    assert_int_equal(outcome(BYTES(PROTOCOL CIPHER COOKIE "\x80\x06\x00\x00" END)), ERR_DENIED);
}

/* A cookie of len bytes, in a message that is right otherwise. */
static enum err outcome_of_cookie(size_t len)
{
    static uint8_t message[NTS_KE_ANSWER_MAX];
    size_t at = 0;
    const uint8_t head[] = {0, 5, (uint8_t)(len >> 8), (uint8_t)len};

    memcpy(message + at, PROTOCOL CIPHER, 12);
    at += 12;
    memcpy(message + at, head, sizeof(head));
    at += sizeof(head);
    memset(message + at, 'c', len);
    at += len;
    memcpy(message + at, END, 4);
    return outcome(span_of(message, at + 4));
}

static void cookies_have_their_length(void **state)
{
    assert_int_equal(outcome_of_cookie(NTS_COOKIE_MAX), ERR_OK);
    assert_int_equal(outcome_of_cookie(NTS_COOKIE_MAX + 1), ERR_MALFORMED);
}

static void a_message_without_an_end_is_refused(void **state)
{
    static uint8_t many[(NTS_KE_RECORDS_MAX + 1) * 4];
    static uint8_t large[NTS_KE_ANSWER_MAX + 1] = {0x40, 0, 0xff, 0xff};

    for (size_t i = 0; i < sizeof(many); i += 4) {
        many[i] = 0x40;
    }
    assert_int_equal(outcome(span_array(many)), ERR_MALFORMED);
    assert_int_equal(outcome(span_array(large)), ERR_RANGE);
}

static void the_contexts_of_the_keys_are_those_of_rfc_8915(void **state)
{
    uint8_t context[NTS_KE_CONTEXT_BYTES];

    nts_ke_context(NTS_KE_TO_SERVER, context);
    assert_memory_equal(context, "\x00\x00\x00\x0f\x00", 5);
    nts_ke_context(NTS_KE_TO_CLIENT, context);
    assert_memory_equal(context, "\x00\x00\x00\x0f\x01", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_offers_one_protocol_and_one_cipher),
        cmocka_unit_test(a_message_is_read_in_whatever_pieces_it_comes),
        cmocka_unit_test(ntp_has_its_port_unless_the_server_says_another),
        cmocka_unit_test(eight_cookies_are_kept_and_no_more),
        cmocka_unit_test(a_message_that_is_cut_anywhere_is_refused),
        cmocka_unit_test(a_message_that_lacks_something_is_refused),
        cmocka_unit_test(records_that_may_come_once_are_refused_when_they_come_twice),
        cmocka_unit_test(records_of_another_form_are_refused),
        cmocka_unit_test(another_protocol_or_cipher_is_refused),
        cmocka_unit_test(what_is_critical_and_unknown_is_refused),
        cmocka_unit_test(errors_and_warnings_of_the_server_are_heard),
        cmocka_unit_test(another_host_for_ntp_is_refused),
        cmocka_unit_test(cookies_have_their_length),
        cmocka_unit_test(a_message_without_an_end_is_refused),
        cmocka_unit_test(the_contexts_of_the_keys_are_those_of_rfc_8915),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
