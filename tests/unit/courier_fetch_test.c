/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/courier/fetch.h against servers that answer well, badly, slowly and not at all. */
#include "firmware/courier/fetch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define OK "HTTP/1.1 200 OK\r\n"

/* The other side: what it sends, in pieces of so many bytes, and how it ends. */
struct server {
    struct stream stream;
    struct span answer;
    size_t at, piece;
    enum err end;      /* when all is sent */
    enum err send_err; /* of what is sent to it */
    struct buf *got;
    struct buf *body;
    struct courier_answer result;
};

static enum err server_send(void *context, struct span bytes)
{
    struct server *server = context;

    TRY(server->send_err);
    return buf_put(server->got, bytes);
}

static enum err server_receive(void *context, struct buf *in)
{
    struct server *server = context;
    const size_t left = server->answer.len - server->at;
    size_t now = server->piece < left ? server->piece : left;

    if (left == 0) {
        return server->end;
    }
    assert_true(buf_room(in) != 0);
    now = now < buf_room(in) ? now : buf_room(in);
    TRY(buf_put(in, span_of(server->answer.data + server->at, now)));
    server->at += now;
    return ERR_OK;
}

static int set_up(void **state)
{
    void *memory = NULL;

    assert_int_equal(mem_alloc(sizeof(struct server), &memory), ERR_OK);
    struct server *server = memory;
    server->stream = (struct stream){.send = server_send, .receive = server_receive, .context = server};
    server->end = ERR_CLOSED;
    server->piece = SIZE_MAX;
    assert_int_equal(buf_new(65536, &server->got), ERR_OK);
    assert_int_equal(buf_new(OUTBOUND_ANSWER_MAX, &server->body), ERR_OK);
    *state = server;
    return 0;
}

static int tear_down(void **state)
{
    struct server *server = *state;

    buf_free(server->got);
    buf_free(server->body);
    mem_free(server);
    fault_clear();
    return 0;
}

static struct courier_job get_job(void)
{
    return (struct courier_job){.to = {.kind = OUTBOUND_HTTPS, .port = 443, .host = span_lit("id.example")},
                                .fetch = {.method = OUTBOUND_GET, .path = span_lit("/keys")}};
}

static enum outbound_result run_with(struct server *server, const struct courier_job *job, struct span answer,
                                     size_t piece)
{
    server->answer = answer;
    server->at = 0;
    server->piece = piece;
    buf_reset(server->got);
    buf_reset(server->body);
    fetch_run(&server->stream, job, &server->result, server->body);
    return server->result.result;
}

static enum outbound_result run(struct server *server, const char *answer)
{
    const struct courier_job job = get_job();

    return run_with(server, &job, span_str(answer), SIZE_MAX);
}

static void a_request_says_what_it_has_to_and_nothing_else(void **state)
{
    struct server *server = *state;
    struct courier_job job = get_job();

    assert_int_equal(run_with(server, &job, span_lit(OK "Content-Length: 0\r\n\r\n"), 1), OUTBOUND_DONE);
    assert_true(
        span_equal(buf_all(server->got), span_lit("GET /keys HTTP/1.1\r\nHost: id.example\r\nUser-Agent: rowlock\r\n"
                                                  "Accept: application/json\r\nConnection: close\r\n\r\n")));
    job.to.port = 8443;
    job.fetch = (struct outbound_fetch){.method = OUTBOUND_POST,
                                        .path = span_lit("/token"),
                                        .authorization = span_lit("Basic eA=="),
                                        .body = span_lit("code=1")};
    assert_int_equal(run_with(server, &job, span_lit(OK "Content-Length: 0\r\n\r\n"), 1), OUTBOUND_DONE);
    assert_true(span_equal(buf_all(server->got),
                           span_lit("POST /token HTTP/1.1\r\nHost: id.example:8443\r\nUser-Agent: rowlock\r\n"
                                    "Accept: application/json\r\nConnection: close\r\nAuthorization: Basic eA==\r\n"
                                    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\n"
                                    "code=1")));
}

static void an_answer_is_read_in_pieces_of_any_size(void **state)
{
    static const struct {
        const char *answer, *body;
        uint32_t status;
    } cases[] = {
        {OK "Content-Length: 5\r\n\r\nhello", "hello", 200},
        {OK "content-length:5\r\nX-Other: a: b\r\n\r\nhello and more", "hello", 200},
        {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n00A\r\n and again\r\n0\r\n\r\n", "hello and again", 200},
        {OK "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", "", 200},
        {"HTTP/1.1 401 \r\nContent-Length: 2\r\n\r\n{}", "{}", 401},
        {"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n", "", 302},
        {"HTTP/1.1 204 No Content\r\n\r\n", "", 204},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "", 304},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK "Content-Length: 1\r\n\r\nx",
         "x", 200},
    };
    struct server *server = *state;
    const struct courier_job job = get_job();

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        for (size_t piece = 1; piece < 80; piece += 13) {
            assert_int_equal(run_with(server, &job, span_str(cases[i].answer), piece), OUTBOUND_DONE);
            assert_int_equal(server->result.status, cases[i].status);
            assert_int_equal(server->result.stage, OUTBOUND_AT_END);
            assert_true(span_equal(buf_all(server->body), span_str(cases[i].body)));
        }
    }
}

static void an_answer_that_two_readers_could_read_in_two_ways_is_refused(void **state)
{
    static const char *const cases[] = {
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n" OK "Content-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nContent-Length: 1\r\n\r\nx" OK "Content-Length: 0\r\n\r\n",
        "\r\n" OK "Content-Length: 0\r\n\r\n",
        "<html>\r\n",
        "220 mail.example ESMTP\r\n",
        OK "\r\n", /* until the end of the connection */
        OK "Connection: close\r\n\r\nhello",
        OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        OK "Content-Length: 5, 5\r\n\r\nhello",
        OK "Content-Length: +5\r\n\r\nhello",
        OK "Content-Length: 0x5\r\n\r\nhello",
        OK "Content-Length:\r\n\r\nhello",
        OK "Content-Length: -1\r\n\r\nhello",
        OK "Content-Length: 18446744073709551617\r\n\r\nhello",
        OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK "Transfer-Encoding: identity\r\n\r\n",
        OK "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
        OK "Content-Length : 5\r\n\r\nhello",
        OK " Content-Length: 5\r\n\r\nhello",
        OK "X: a\r\n b\r\nContent-Length: 5\r\n\r\nhello",
        OK "no colon\r\nContent-Length: 5\r\n\r\nhello",
        OK ": nameless\r\nContent-Length: 5\r\n\r\nhello",
        OK "X: a\rb\r\nContent-Length: 5\r\n\r\nhello",
        OK "X: a\nContent-Length: 5\r\n\r\nhello",
        OK "Content-Length: 5\n\nhello",
        OK "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n000000005\r\nhello\r\n0\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\nffffffff\r\nhello",
        OK "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: a\r\n\r\n",
    };
    struct server *server = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const enum outbound_result got = run(server, cases[i]);
        if (got != OUTBOUND_REFUSED) {
            print_message("%s\n", cases[i]);
        }
        assert_int_equal(got, OUTBOUND_REFUSED);
        assert_int_equal(server->result.stage, OUTBOUND_AT_ANSWER);
    }
    const struct courier_job job = get_job();
    assert_int_equal(run_with(server, &job, span_lit(OK "X: a\0b\r\nContent-Length: 0\r\n\r\n"), SIZE_MAX),
                     OUTBOUND_REFUSED);
}

static void a_cut_answer_is_no_answer(void **state)
{
    static const char *const cases[] = {
        OK "Content-Length: 5\r\n\r\nhello",
        OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    };
    static const enum err ends[] = {ERR_CLOSED, ERR_TIMEOUT, ERR_MALFORMED, ERR_AUTH};
    struct server *server = *state;
    const struct courier_job job = get_job();

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        for (size_t len = 0; len < strlen(cases[i]); len++) {
            server->end = ends[len % ARRAY_LENGTH(ends)];
            assert_int_equal(run_with(server, &job, span_of(cases[i], len), 7), OUTBOUND_TEMPORARY);
            assert_int_equal(server->result.stage, OUTBOUND_AT_ANSWER);
        }
    }
    server->send_err = ERR_CLOSED;
    assert_int_equal(run(server, cases[0]), OUTBOUND_TEMPORARY);
    assert_int_equal(server->result.stage, OUTBOUND_AT_REQUEST);
}

/* head, `count` times `piece`, tail. */
static struct span repeat(struct buf *text, const char *head, const char *piece, size_t count)
{
    buf_reset(text);
    assert_int_equal(buf_put(text, span_str(head)), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(buf_put(text, span_str(piece)), ERR_OK);
    }
    return buf_all(text);
}

static void an_answer_has_a_longest_form(void **state)
{
    struct server *server = *state;
    const struct courier_job job = get_job();
    SCOPED_BUF struct buf *text = NULL;
    assert_int_equal(buf_new(1 << 20, &text), ERR_OK);

    assert_int_equal(run_with(server, &job, repeat(text, OK "Content-Length: 65536\r\n\r\n", "x", 65536), 4000),
                     OUTBOUND_DONE);
    assert_int_equal(buf_len(server->body), OUTBOUND_ANSWER_MAX);
    assert_int_equal(run_with(server, &job, repeat(text, OK "Content-Length: 65537\r\n\r\n", "x", 65537), 4000),
                     OUTBOUND_REFUSED);
    assert_int_equal(
        run_with(server, &job, repeat(text, OK "Transfer-Encoding: chunked\r\n\r\n", "4\r\nabcd\r\n", 16385), 4000),
        OUTBOUND_REFUSED);
    assert_int_equal(buf_len(server->body), OUTBOUND_ANSWER_MAX);
    assert_int_equal(run_with(server, &job, repeat(text, OK, "X: y\r\n", 101), 4000), OUTBOUND_REFUSED);
    assert_int_equal(run_with(server, &job, repeat(text, OK "X: ", "x", 16400), 4000), OUTBOUND_REFUSED);
    assert_int_equal(run_with(server, &job,
                              repeat(text, OK,
                                     "X: 0123456789012345678901234567890123456789"
                                     "0123456789012345678901234567890123456789"
                                     "0123456789012345678901234567890123456789"
                                     "0123456789012345678901234567890123456789\r\n",
                                     99),
                              4000),
                     OUTBOUND_TEMPORARY); /* some 16,300 bytes: cut, not too long */
    char line[200] = "X: ";
    memset(line + 3, 'y', 162);
    memcpy(line + 165, "\r\n", 3);
    assert_int_equal(run_with(server, &job, repeat(text, OK, line, 99), 4000), OUTBOUND_REFUSED); /* some 16,600 */
    assert_int_equal(run_with(server, &job, repeat(text, "", "HTTP/1.1 100 Continue\r\n\r\n", 6), 4000),
                     OUTBOUND_REFUSED);
    assert_int_equal(run_with(server, &job, repeat(text, "", "x", 20000), 4000), OUTBOUND_REFUSED);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_request_says_what_it_has_to_and_nothing_else),
        T(an_answer_is_read_in_pieces_of_any_size),
        T(an_answer_that_two_readers_could_read_in_two_ways_is_refused),
        T(a_cut_answer_is_no_answer),
        T(an_answer_has_a_longest_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
