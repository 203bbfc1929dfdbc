/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The head is looked at when all of it is there. An answer has a length, always: chunks, and a body that ends with the connection, are
 * not what a box sends. */
#include "firmware/cli/answer.h"

#include "hal/base/fault.h"

#define HEAD_MAX 16384
#define STATUS_AT 9 /* behind "HTTP/1.1 " */
#define NO_LENGTH SIZE_MAX

/* Where the head ends, behind its empty line; 0: not there yet. */
static size_t head_bytes(struct span all)
{
    const struct span end = span_lit("\r\n\r\n");

    for (size_t at = 0; at + end.len <= all.len; at++) {
        if (span_starts_with(span_of(all.data + at, all.len - at), end)) {
            return at + end.len;
        }
    }
    return 0;
}

static enum err read_head(const struct answer_source *source, struct buf *in, size_t *out_len)
{
    size_t len = 0;

    while (len == 0) { /* ends: each turn takes a byte or more */
        ENSURE(buf_len(in) < HEAD_MAX, ERR_RANGE, "a head that is too long");
        TRY(source->receive(source->context, in));
        len = head_bytes(buf_all(in));
    }
    *out_len = len;
    return ERR_OK;
}

/* The next line of the head, without its end. */
static struct span take_line(struct span *rest)
{
    const size_t end = span_find(*rest, '\r');
    const struct span line = span_of(rest->data, end);

    *rest = end + 2 <= rest->len ? span_of(rest->data + end + 2, rest->len - end - 2) : SPAN_NONE;
    return line;
}

static enum err read_field(struct span line, size_t *length, struct answer *answer)
{
    const size_t colon = span_find(line, ':');
    const struct span name = span_of(line.data, colon);
    uint64_t number = 0;

    ENSURE(colon < line.len && colon != 0, ERR_MALFORMED, "no header field");
    const struct span value = span_trim(span_of(line.data + colon + 1, line.len - colon - 1));
    ENSURE(!span_equal_nocase(name, span_lit("Transfer-Encoding")), ERR_MALFORMED, "an answer in chunks");
    if (span_equal_nocase(name, span_lit("Content-Length"))) {
        ENSURE(*length == NO_LENGTH, ERR_MALFORMED, "two lengths");
        ENSURE(span_to_u64(value, ANSWER_MAX, &number) == ERR_OK, ERR_RANGE, "a body that is too long");
        *length = (size_t)number;
    } else if (span_equal_nocase(name, span_lit("Connection"))) {
        answer->closes = span_equal_nocase(value, span_lit("close"));
    }
    return ERR_OK;
}

static enum err parse_head(struct span head, size_t *out_length, struct answer *answer)
{
    struct span rest = head;
    const struct span first = take_line(&rest);
    uint64_t status = 0;

    ENSURE(span_starts_with(first, span_lit("HTTP/1.1 ")) && first.len >= STATUS_AT + 3, ERR_MALFORMED, "no status line");
    ENSURE(span_to_u64(span_of(first.data + STATUS_AT, 3), 599, &status) == ERR_OK && status >= 200, ERR_MALFORMED, "no status");
    answer->status = (unsigned int)status;
    for (struct span line = take_line(&rest); line.len != 0; line = take_line(&rest)) {
        TRY(read_field(line, out_length, answer));
    }
    return ERR_OK;
}

enum err answer_read(const struct answer_source *source, struct buf *in, struct answer *out_answer)
{
    struct answer answer = {.status = 0};
    size_t length = NO_LENGTH;
    size_t head = 0;

    TRY(read_head(source, in, &head));
    TRY(parse_head(span_of(buf_all(in).data, head), &length, &answer));
    ENSURE(length != NO_LENGTH || answer.status == 204, ERR_MALFORMED, "an answer without a length");
    length = answer.status == 204 ? 0 : length;
    ENSURE(length <= ANSWER_MAX - head, ERR_RANGE, "a body that is too long");
    while (buf_len(in) < head + length) {
        TRY(source->receive(source->context, in));
    }
    ENSURE(buf_len(in) == head + length, ERR_MALFORMED, "more than was asked for");
    answer.body = span_of(buf_all(in).data + head, length);
    *out_answer = answer;
    return ERR_OK;
}
