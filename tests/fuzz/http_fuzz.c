/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/http_int.h: a head is found and read the same whether it comes whole or in pieces, every view lies inside the
 * bytes, and a chunked body is the same in whatever pieces it comes. The first byte is the size of the pieces. */
#include "hal/base/buf.h"
#include "hal/base/num.h"
#include "net/http_int.h"
#include "tests/fuzz/fuzz.h"

#define BODY_MAX 4096

static bool inside(struct span part, struct span whole)
{
    return part.len == 0 || (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

static void check_head(struct span head)
{
    const struct http_head_rules rules = {.scheme = span_lit("https"), .body_max = BODY_MAX};
    struct http_head parsed = {0};

    if (http_head_parse(head, &rules, &parsed) != ERR_OK) {
        return;
    }
    FUZZ_CHECK(parsed.header_count <= HTTP_HEADERS_MAX && parsed.host.len > 0);
    FUZZ_CHECK(inside(parsed.method_name, head) && inside(parsed.query, head) && inside(parsed.host, head));
    FUZZ_CHECK(parsed.framing != HTTP_LENGTH || parsed.body_bytes <= BODY_MAX);
    for (size_t i = 0; i < parsed.header_count; i++) {
        FUZZ_CHECK(http_is_token(parsed.headers[i].name));
        FUZZ_CHECK(inside(parsed.headers[i].name, head) && inside(parsed.headers[i].value, head));
        FUZZ_CHECK(span_find(parsed.headers[i].value, '\n') == parsed.headers[i].value.len);
    }
}

static enum err chunks_in_pieces(struct span body, size_t piece, struct buf *out_body)
{
    struct http_chunks chunks = {0};
    SCOPED_BUF struct buf *in = NULL;
    enum err got = ERR_AGAIN;

    FUZZ_CHECK(buf_new(body.len + 1, &in) == ERR_OK);
    for (size_t at = 0; at < body.len && got == ERR_AGAIN; at += piece) {
        FUZZ_CHECK(buf_put(in, span_of(body.data + at, num_min(piece, body.len - at))) == ERR_OK);
        got = http_chunks_take(&chunks, BODY_MAX, in, out_body);
    }
    FUZZ_CHECK(buf_len(out_body) <= BODY_MAX);
    return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t whole_scanned = 0;
    size_t whole_end = 0;
    size_t scanned = 0;
    size_t end = 0;
    enum err got = ERR_AGAIN;

    fault_clear();
    if (size < 2) {
        return 0;
    }
    const size_t piece = data[0] % 16 + 1u;
    const struct span bytes = span_of(data + 1, size - 1);
    const enum err whole = http_head_end(bytes, &whole_scanned, &whole_end);

    for (size_t len = num_min(piece, bytes.len); got == ERR_AGAIN; len = num_min(len + piece, bytes.len)) {
        got = http_head_end(span_of(bytes.data, len), &scanned, &end);
        if (len == bytes.len) {
            break;
        }
    }
    FUZZ_CHECK(got == whole && end == whole_end);
    if (whole == ERR_OK) {
        check_head(span_of(bytes.data, whole_end));
    }

    SCOPED_BUF struct buf *at_once = NULL;
    SCOPED_BUF struct buf *in_pieces = NULL;

    FUZZ_CHECK(buf_new(BODY_MAX, &at_once) == ERR_OK && buf_new(BODY_MAX, &in_pieces) == ERR_OK);
    const enum err first = chunks_in_pieces(bytes, bytes.len, at_once);
    const enum err second = chunks_in_pieces(bytes, piece, in_pieces);

    FUZZ_CHECK(first == second);
    FUZZ_CHECK(first != ERR_OK || span_equal(buf_all(at_once), buf_all(in_pieces)));
    return 0;
}
