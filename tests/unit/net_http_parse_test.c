/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The strict readers of net/http_int.h and net/http.h: tables of good and bad heads, chunks, paths and queries. */
#include "net/http_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"

#define BODY_MAX 100000

static const struct http_head_rules rules = {
    .scheme = {(const uint8_t *)"https", 5},
    .body_max = BODY_MAX,
};

static struct http_head head;

/* Finds the end and parses; the bytes come whole. */
static enum err parse(struct span text)
{
    size_t scanned = 0;
    size_t bytes = 0;
    const enum err err = http_head_end(text, &scanned, &bytes);

    return err != ERR_OK ? err : http_head_parse(span_of(text.data, bytes), &rules, &head);
}

static void http_head_parse_reads_a_request(void **state)
{
    assert_int_equal(parse(span_lit("PATCH /v1/data/posts/1?x=1?2 HTTP/1.1\r\nhost:box:8443\r\nX-Empty:\r\n"
                                    "X-Api-Key: \t pk_1 \t\r\nContent-Length: 12\r\nConnection: keep-alive, Close\r\n\r\n")),
                     ERR_OK);

    assert_int_equal(head.method, HTTP_PATCH);
    assert_true(span_equal(head.path, span_lit("/v1/data/posts/1")));
    assert_true(head.has_query);
    assert_true(span_equal(head.query, span_lit("x=1?2")));
    assert_true(span_equal(head.host, span_lit("box:8443")));
    assert_int_equal(head.header_count, 5);
    assert_int_equal(head.headers[1].value.len, 0);
    assert_true(span_equal(head.headers[2].value, span_lit("pk_1")));
    assert_int_equal(head.framing, HTTP_LENGTH);
    assert_int_equal(head.body_bytes, 12);
    assert_true(head.close);
    assert_false(head.expects_continue);
}

static void http_head_parse_accepts_what_is_unusual_and_clear(void **state)
{
    static const char *const good[] = {
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET https://h/x HTTP/1.1\r\nHost: H\r\n\r\n",
        "GET HTTPS://h:1?x HTTP/1.1\r\nHost: h:1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
        "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /{a}?[b]={\"c\":1}|^` HTTP/1.1\r\nHost: [::1]:1\r\n\r\n",
        "DELETE /x HTTP/1.1\r\nHost: 10.0.0.1\r\nContent-Length: 0\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX: a\tb\xff\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 00010\r\n\r\n",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        if (parse(span_str(good[i])) != ERR_OK) {
            fail_msg("refused: %s", good[i]);
        }
    }
}

#define VALUE_BYTES 37 /* several words of eight, and a rest */

/* Long values are read eight bytes at a time: no place in them may hide what the others do not. */
static void attack_12_a_byte_is_judged_alike_at_every_place_of_a_long_value(void **state)
{
    static const char before[] = "GET / HTTP/1.1\r\nHost: h\r\nX: a";
    static const char behind[] = "a\r\n\r\n";
    char text[sizeof before + VALUE_BYTES + sizeof behind];

    for (size_t at = 0; at < VALUE_BYTES; at++) {
        for (int byte = 0; byte <= UINT8_MAX; byte++) {
            const enum err expected = byte == '\t' || (byte >= 0x20 && byte != 0x7f) ? ERR_OK : ERR_MALFORMED;
            memcpy(text, before, sizeof before - 1);
            memset(text + sizeof before - 1, 'a', VALUE_BYTES);
            text[sizeof before - 1 + at] = (char)byte;
            memcpy(text + sizeof before - 1 + VALUE_BYTES, behind, sizeof behind - 1);

            const enum err err = parse(span_of(text, sizeof before - 1 + VALUE_BYTES + sizeof behind - 1));

            if (err != expected) {
                fail_msg("byte %d at %zu: %d", byte, at, (int)err);
            }
        }
    }
}

#define START "GET / HTTP/1.1\r\nHost: h\r\n"

static const struct {
    const char *text;
    enum err err;
} bad_heads[] = {
    {"\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"GET / HTTP/1.1\nHost: h\n\n", ERR_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: h\n\r\n", ERR_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", ERR_MALFORMED},
    {"GET / HTTP/1.0\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"GET / http/1.1\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"GET / HTTP/1.1 \r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"GET /\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"GET\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {" GET / HTTP/1.1\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"G(T / HTTP/1.1\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH / HTTP/1.1\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", ERR_MALFORMED},
    {"GET * HTTP/1.1\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"GET x HTTP/1.1\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"GET /#f HTTP/1.1\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"GET /\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"GET https://other/ HTTP/1.1\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"GET https://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"GET https:/h HTTP/1.1\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"GET https:// HTTP/1.1\r\nHost: h\r\n\r\n", ERR_MALFORMED},
    {"GET / HTTP/1.1\r\n\r\n", ERR_MALFORMED},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", ERR_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: h, i\r\n\r\n", ERR_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: h/x\r\n\r\n", ERR_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: h:\r\n\r\n", ERR_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: h:65536\r\n\r\n", ERR_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: h:8 0\r\n\r\n", ERR_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", ERR_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: []\r\n\r\n", ERR_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", ERR_MALFORMED},
    {START "Host: h\r\n\r\n", ERR_MALFORMED},
    {START "hOST: i\r\n\r\n", ERR_MALFORMED},
    {START " folded\r\n\r\n", ERR_MALFORMED},
    {START "X: a\r\n b\r\n\r\n", ERR_MALFORMED},
    {START "X: a\r\n\tb\r\n\r\n", ERR_MALFORMED},
    {START "X : a\r\n\r\n", ERR_MALFORMED},
    {START "X\t: a\r\n\r\n", ERR_MALFORMED},
    {START ": a\r\n\r\n", ERR_MALFORMED},
    {START "X\r\n\r\n", ERR_MALFORMED},
    {START "X(: a\r\n\r\n", ERR_MALFORMED},
    {START "\xc3\xa9: a\r\n\r\n", ERR_MALFORMED},
    {START "X: a\x01\r\n\r\n", ERR_MALFORMED},
    {START "X: a\x7f\r\n\r\n", ERR_MALFORMED},
    {START "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", ERR_MALFORMED},
    {START "Content-Length: 1\r\ncontent-length: 2\r\n\r\n", ERR_MALFORMED},
    {START "Content-Length: 1, 1\r\n\r\n", ERR_MALFORMED},
    {START "Content-Length: -1\r\n\r\n", ERR_MALFORMED},
    {START "Content-Length: +1\r\n\r\n", ERR_MALFORMED},
    {START "Content-Length: 0x1\r\n\r\n", ERR_MALFORMED},
    {START "Content-Length: 1 2\r\n\r\n", ERR_MALFORMED},
    {START "Content-Length: 1e3\r\n\r\n", ERR_MALFORMED},
    {START "Content-Length: \r\n\r\n", ERR_MALFORMED},
    {START "Content-Length: 99999999999999999999999999\r\n\r\n", ERR_MALFORMED},
    {START "Content-Length: 18446744073709551616\r\n\r\n", ERR_MALFORMED},
    {START "Content-Length: 100001\r\n\r\n", ERR_RANGE},
    {START "Content-Length: 9999999999999999999\r\n\r\n", ERR_RANGE},
    {START "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", ERR_MALFORMED},
    {START "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", ERR_MALFORMED},
    {START "Transfer-Encoding: identity\r\n\r\n", ERR_MALFORMED},
    {START "Transfer-Encoding: gzip, chunked\r\n\r\n", ERR_MALFORMED},
    {START "Transfer-Encoding: chunked, chunked\r\n\r\n", ERR_MALFORMED},
    {START "Transfer-Encoding: chunked;q=1\r\n\r\n", ERR_MALFORMED},
    {START "Transfer-Encoding: \x0b" "chunked\r\n\r\n", ERR_MALFORMED},
    {START "Transfer-Encoding:\r\n\r\n", ERR_MALFORMED},
    {START "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", ERR_MALFORMED},
    {START "Expect: 200-ok\r\n\r\n", ERR_MALFORMED},
};

static void attack_12_http_head_parse_refuses_what_two_readers_could_read_in_two_ways(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(bad_heads); i++) {
        const enum err err = parse(span_str(bad_heads[i].text));

        if (err != bad_heads[i].err) {
            fail_msg("%s for: %s", err_name(err), bad_heads[i].text);
        }
    }
    assert_int_equal(parse(span_of("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n", 28)), ERR_MALFORMED);
    assert_int_equal(parse(span_of(START "X: \0\r\n\r\n", sizeof(START) + 7)), ERR_MALFORMED);
}

/* The same verdict in whatever pieces a head comes, and never one before its last byte that the whole does not earn. */
static void attack_12_http_heads_read_the_same_byte_by_byte(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(bad_heads); i++) {
        const struct span text = span_str(bad_heads[i].text);
        enum err err = ERR_AGAIN;
        size_t scanned = 0;
        size_t bytes = 0;

        for (size_t len = 1; len <= text.len && err == ERR_AGAIN; len++) {
            err = http_head_end(span_of(text.data, len), &scanned, &bytes);
        }
        err = err != ERR_OK ? err : http_head_parse(span_of(text.data, bytes), &rules, &head);
        assert_int_equal(err, bad_heads[i].err);
    }
}

static void http_head_end_waits_for_the_empty_line_at_every_cut(void **state)
{
    const struct span text = span_lit("GET / HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\nGET");

    for (size_t cut = 0; cut <= text.len; cut++) {
        size_t scanned = 0;
        size_t bytes = 0;
        const enum err first = http_head_end(span_of(text.data, cut), &scanned, &bytes);

        assert_int_equal(first, cut >= text.len - 3 ? ERR_OK : ERR_AGAIN);
        if (first == ERR_AGAIN) {
            assert_int_equal(http_head_end(text, &scanned, &bytes), ERR_OK);
        }
        assert_int_equal(bytes, text.len - 3);
    }
}

static void attack_12_http_head_end_sees_a_line_end_out_of_place_wherever_it_stands_and_wherever_the_head_is_cut(void **state)
{
    static const char good[] = "GET / HTTP/1.1\r\nHost: h\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\ta\r\n\r\n";
    static const char bad[] = {'\r', '\n', '\0'};
    const size_t len = sizeof good - 1;
    char text[sizeof good];
    size_t bytes = 0;

    for (size_t at = 0; at < len; at++) {
        for (size_t i = 0; good[at] != '\r' && good[at] != '\n' && i < sizeof bad; i++) {
            memcpy(text, good, len);
            text[at] = bad[i];
            for (size_t cut = 0; cut <= len; cut++) {
                size_t scanned = 0;
                enum err err = http_head_end(span_of(text, cut), &scanned, &bytes);
                assert_int_not_equal(err, ERR_OK);
                assert_true(err == ERR_AGAIN || cut > at);
                err = err == ERR_AGAIN ? http_head_end(span_of(text, len), &scanned, &bytes) : err;
                assert_int_equal(err, ERR_MALFORMED);
                fault_clear();
            }
        }
    }
}

static void attack_12_http_is_value_sees_every_control_character_wherever_it_stands(void **state)
{
    uint8_t text[100];

    for (size_t at = 0; at < sizeof text; at++) {
        for (unsigned int byte = 0; byte <= UINT8_MAX; byte++) {
            const bool control = (byte < ' ' && byte != '\t') || byte == 0x7f;
            memset(text, 'a', sizeof text);
            text[at] = (uint8_t)byte;
            assert_int_equal(http_is_value(span_array(text)), !control);
            assert_true(http_is_value(span_of(text, at)));
        }
    }
    memset(text, '\t', sizeof text);
    assert_true(http_is_value(span_array(text)));
    assert_true(http_is_value(SPAN_NONE));
}

static void http_is_token_takes_the_characters_of_the_rfc_and_no_others(void **state)
{
    static const char characters[] =
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    for (unsigned int byte = 0; byte <= UINT8_MAX; byte++) {
        const uint8_t text[3] = {'a', (uint8_t)byte, 'a'};
        assert_int_equal(http_is_token(span_array(text)), byte != 0 && strchr(characters, (int)byte) != NULL);
    }
    assert_false(http_is_token(SPAN_NONE));
}

static void attack_13_http_heads_have_a_greatest_length_and_number_of_headers(void **state)
{
    static char text[HTTP_HEAD_MAX + 16];
    size_t scanned = 0;
    size_t bytes = 0;

    memset(text, 'a', sizeof(text));
    memcpy(text + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
    assert_int_equal(http_head_end(span_of(text, sizeof(text)), &scanned, &bytes), ERR_OK);
    scanned = 0;
    memset(text, 'a', sizeof(text));
    memcpy(text + HTTP_HEAD_MAX - 3, "\r\n\r\n", 4);
    assert_int_equal(http_head_end(span_of(text, sizeof(text)), &scanned, &bytes), ERR_RANGE);

    size_t len = (size_t)snprintf(text, sizeof(text), START);
    for (size_t i = 1; i < HTTP_HEADERS_MAX; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "X: y\r\n");
    }
    (void)snprintf(text + len, sizeof(text) - len, "\r\n");
    assert_int_equal(parse(span_str(text)), ERR_OK);
    (void)snprintf(text + len, sizeof(text) - len, "X: y\r\n\r\n");
    assert_int_equal(parse(span_str(text)), ERR_RANGE);
}

/* --- chunks --- */

/* In two pieces, cut anywhere. */
static enum err take_chunks(struct span text, size_t cut, struct buf *body, size_t *out_left)
{
    struct http_chunks chunks = {.state = HTTP_CHUNK_SIZE};
    SCOPED_BUF struct buf *in = NULL;

    buf_reset(body);
    assert_int_equal(buf_new(4096, &in), ERR_OK);
    assert_int_equal(buf_put(in, span_of(text.data, cut)), ERR_OK);
    enum err err = http_chunks_take(&chunks, 16, in, body);

    if (err == ERR_AGAIN) {
        assert_int_equal(buf_put(in, span_of(text.data + cut, text.len - cut)), ERR_OK);
        err = http_chunks_take(&chunks, 16, in, body);
    }
    *out_left = buf_unread(in).len;
    return err;
}

static void http_chunks_take_decodes_at_every_cut(void **state)
{
    const struct span text = span_lit("1\r\na\r\n00F\r\nbcdefghijklmnop\r\n0\r\n\r\n");
    SCOPED_BUF struct buf *body = NULL;
    size_t left = 0;

    assert_int_equal(buf_new(64, &body), ERR_OK);
    for (size_t cut = 0; cut <= text.len; cut++) {
        assert_int_equal(take_chunks(text, cut, body, &left), ERR_OK);
        assert_true(span_equal(buf_all(body), span_lit("abcdefghijklmnop")));
        assert_int_equal(left, 0);
    }
}

static void http_chunks_take_leaves_what_comes_behind(void **state)
{
    SCOPED_BUF struct buf *body = NULL;
    size_t left = 0;

    assert_int_equal(buf_new(64, &body), ERR_OK);
    const struct span text = span_lit("1\r\na\r\n0\r\n\r\nGET ");
    assert_int_equal(take_chunks(text, text.len, body, &left), ERR_OK);
    assert_int_equal(left, 4);
}

static void attack_12_http_chunks_take_refuses_bad_chunks(void **state)
{
    static const struct {
        const char *text;
        enum err err;
    } cases[] = {
        {"\r\n", ERR_MALFORMED},          {"g\r\n", ERR_MALFORMED},        {"-1\r\n", ERR_MALFORMED},
        {"+1\r\n", ERR_MALFORMED},        {"0x1\r\n", ERR_MALFORMED},      {" 1\r\n", ERR_MALFORMED},
        {"1 \r\n", ERR_MALFORMED},        {"1;a=b\r\n", ERR_MALFORMED},    {"1\na\r\n", ERR_MALFORMED},
        {"1\r\rna", ERR_MALFORMED},       {"1\r\nab\r\n", ERR_MALFORMED},  {"1\r\na\n", ERR_MALFORMED},
        {"000000001\r\n", ERR_MALFORMED}, {"0\r\nX: y\r\n\r\n", ERR_MALFORMED},
        {"0\r\n\n", ERR_MALFORMED},       {"11\r\n", ERR_RANGE},           {"ffffffff\r\n", ERR_RANGE},
        {"fffffffff\r\n", ERR_MALFORMED}, {"f\r\nbcdefghijklmnop\r\n2\r\n", ERR_RANGE},
        {"1\r\na\r\n0\r\n", ERR_AGAIN},
    };
    SCOPED_BUF struct buf *body = NULL;
    size_t left = 0;

    assert_int_equal(buf_new(64, &body), ERR_OK);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct span text = span_str(cases[i].text);

        for (size_t cut = 0; cut <= text.len; cut++) {
            const enum err err = take_chunks(text, cut, body, &left);

            if (err != cases[i].err) {
                fail_msg("%s for %s cut at %zu", err_name(err), cases[i].text, cut);
            }
        }
    }
}

/* --- answers --- */

static void http_reply_write_writes_only_what_cannot_end_a_header(void **state)
{
    static const struct http_header bad[] = {
        {{(const uint8_t *)"X", 1}, {(const uint8_t *)"a\r\nB: c", 7}}, {{(const uint8_t *)"X", 1}, {(const uint8_t *)"a\n", 2}},
        {{(const uint8_t *)"X", 1}, {(const uint8_t *)"a\0b", 3}},       {{(const uint8_t *)"X Y", 3}, {(const uint8_t *)"a", 1}},
        {{(const uint8_t *)"X:", 2}, {(const uint8_t *)"a", 1}},         {{(const uint8_t *)"", 0}, {(const uint8_t *)"a", 1}},
        {{(const uint8_t *)"content-length", 14}, {(const uint8_t *)"1", 1}},
        {{(const uint8_t *)"Connection", 10}, {(const uint8_t *)"close", 5}},
    };
    SCOPED_BUF struct buf *text = NULL;

    assert_int_equal(buf_new(4096, &text), ERR_OK);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        const struct http_response response = {.status = 200, .headers = &bad[i], .header_count = 1};
        const struct http_reply reply = {.response = &response};

        assert_int_equal(http_reply_write(&reply, text), ERR_MALFORMED);
    }
    const struct http_response odd = {.status = 99};
    assert_int_equal(http_reply_write(&(struct http_reply){.response = &odd}, text), ERR_MALFORMED);
}

/* --- paths and queries --- */

static int make_arena(void **state)
{
    struct arena *arena = NULL;

    assert_int_equal(arena_new(4096, 1 << 20, &arena), ERR_OK);
    *state = arena;
    return 0;
}

static int free_arena(void **state)
{
    arena_free(*state);
    return 0;
}

static void http_path_split_decodes_each_segment_once(void **state)
{
    const struct span *segments = NULL;
    size_t count = 0;

    assert_int_equal(http_path_split(span_lit("/v1/da%74a/%25%32%66/caf%c3%A9+x/"), *state, &segments, &count), ERR_OK);
    assert_int_equal(count, 4);
    assert_true(span_equal(segments[0], span_lit("v1")));
    assert_true(span_equal(segments[1], span_lit("data")));
    assert_true(span_equal(segments[2], span_lit("%2f")));
    assert_true(span_equal(segments[3], span_lit("caf\xc3\xa9+x")));
    assert_int_equal(http_path_split(span_lit("/"), *state, &segments, &count), ERR_OK);
    assert_int_equal(count, 0);
}

static void attack_05_http_path_split_knows_no_path_with_tricks(void **state)
{
    static const char *const bad[] = {
        "", "*", "v1", "//", "/a//b", "/a//", "//a", "/.", "/..", "/a/../b", "/%2e", "/%2E%2e/a", "/a%2fb", "/a%2Fb",
        "/a%5cb", "/a\\b", "/a%00", "/%", "/%2", "/%zz", "/%c3", "/%ff", "/%c0%af", "/%ed%a0%80",
        "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17",
    };
    const struct span *segments = NULL;
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        if (http_path_split(span_str(bad[i]), *state, &segments, &count) != ERR_NOT_FOUND) {
            fail_msg("exists: %s", bad[i]);
        }
    }
}

static void http_query_next_shows_every_parameter_decoded(void **state)
{
    struct http_query query = http_query_of(span_lit("a=1&&b=x+y%2Bz&a=2&c&d=&%65=%3D=&"));
    static const char *const pairs[][2] = {{"a", "1"}, {"b", "x y+z"}, {"a", "2"}, {"c", ""}, {"d", ""}, {"e", "=="}};
    struct span name = SPAN_NONE;
    struct span value = SPAN_NONE;

    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
        assert_int_equal(http_query_next(&query, *state, &name, &value), ERR_OK);
        assert_true(span_equal(name, span_str(pairs[i][0])));
        assert_true(span_equal(value, span_str(pairs[i][1])));
    }
    assert_int_equal(http_query_next(&query, *state, &name, &value), ERR_NOT_FOUND);
    assert_int_equal(http_query_next(&query, *state, &name, &value), ERR_NOT_FOUND);
}

static void http_query_next_tells_of_what_is_no_text_and_goes_on(void **state)
{
    struct http_query query = http_query_of(span_lit("a=%&%ff=1&b=%00&c=3"));
    struct span name = SPAN_NONE;
    struct span value = SPAN_NONE;

    assert_int_equal(http_query_next(&query, *state, &name, &value), ERR_MALFORMED);
    assert_int_equal(http_query_next(&query, *state, &name, &value), ERR_MALFORMED);
    assert_int_equal(http_query_next(&query, *state, &name, &value), ERR_MALFORMED);
    assert_int_equal(http_query_next(&query, *state, &name, &value), ERR_OK);
    assert_true(span_equal(value, span_lit("3")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_head_parse_reads_a_request),
        cmocka_unit_test(http_head_parse_accepts_what_is_unusual_and_clear),
        cmocka_unit_test(attack_12_http_head_parse_refuses_what_two_readers_could_read_in_two_ways),
        cmocka_unit_test(attack_12_a_byte_is_judged_alike_at_every_place_of_a_long_value),
        cmocka_unit_test(attack_12_http_heads_read_the_same_byte_by_byte),
        cmocka_unit_test(http_head_end_waits_for_the_empty_line_at_every_cut),
        cmocka_unit_test(
            attack_12_http_head_end_sees_a_line_end_out_of_place_wherever_it_stands_and_wherever_the_head_is_cut),
        cmocka_unit_test(attack_12_http_is_value_sees_every_control_character_wherever_it_stands),
        cmocka_unit_test(http_is_token_takes_the_characters_of_the_rfc_and_no_others),
        cmocka_unit_test(attack_13_http_heads_have_a_greatest_length_and_number_of_headers),
        cmocka_unit_test(http_chunks_take_decodes_at_every_cut),
        cmocka_unit_test(http_chunks_take_leaves_what_comes_behind),
        cmocka_unit_test(attack_12_http_chunks_take_refuses_bad_chunks),
        cmocka_unit_test(http_reply_write_writes_only_what_cannot_end_a_header),
        cmocka_unit_test_setup_teardown(http_path_split_decodes_each_segment_once, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(attack_05_http_path_split_knows_no_path_with_tricks, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(http_query_next_shows_every_parameter_decoded, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(http_query_next_tells_of_what_is_no_text_and_goes_on, make_arena, free_arena),
    };

    return cmocka_run_group_tests_name("net/http_parse", tests, NULL, NULL);
}
