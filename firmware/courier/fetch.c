/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The answer is read line by line out of a buffer that is as large as a head may be, and no line is looked at before its
 * CRLF is there. What two readers could understand in two ways is refused: bare CR or LF, folded lines, white space before
 * a colon, two lengths, a length beside chunks, chunk extensions, trailers. A body without a length ends with the
 * connection, which anybody on the way can end early: refused too. Spec: RFC 9112 sections 2.2, 4, 5, 6, 7.1. */
#include "firmware/courier/fetch.h"

#include <stdbool.h>

#include "hal/base/fault.h"

#define HEAD_MAX     16384 /* bytes of status line and header fields, interim answers included */
#define FIELDS_MAX   100
#define INTERIM_MAX  4 /* answers 1xx before the real one */
#define REQUEST_MAX  (OUTBOUND_PATH_MAX + OUTBOUND_HOST_MAX + OUTBOUND_AUTHORIZATION_MAX + OUTBOUND_BODY_MAX + 512)
#define CHUNK_DIGITS 8
#define HTTPS_PORT   443
#define NO_LENGTH    SIZE_MAX

struct fetch {
    struct stream *stream;
    struct buf *in;
    struct buf *body;
    size_t body_max;    /* of what body may hold when all is there */
    size_t head_bytes;  /* read so far */
    bool stream_failed; /* what went wrong was the connection, not what came over it */
};

/* What the head says of the body. */
struct head {
    uint32_t status;
    size_t length; /* NO_LENGTH: not told */
    bool chunked;
};

/* --- the request --- */

static enum err put_all(struct buf *to, const struct span *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        TRY(buf_put(to, parts[i]));
    }
    return ERR_OK;
}

static enum err put_body(struct buf *to, const struct outbound_fetch *fetch)
{
    char digits[SPAN_U64_TEXT_MAX];
    const struct span parts[] = {
        span_lit("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "),
        span_from_u64(fetch->body.len, digits),
        span_lit("\r\n\r\n"),
        fetch->body,
    };

    return put_all(to, parts, ARRAY_LENGTH(parts));
}

static enum err put_request(struct buf *to, const struct courier_job *job)
{
    const struct outbound_fetch *fetch = &job->fetch;
    const bool post = fetch->method == OUTBOUND_POST;
    const bool usual_port = job->to.port == HTTPS_PORT;
    const bool signs_in = fetch->authorization.len != 0;
    char digits[SPAN_U64_TEXT_MAX];
    const struct span parts[] = {
        post ? span_lit("POST ") : span_lit("GET "),
        fetch->path,
        span_lit(" HTTP/1.1\r\nHost: "),
        job->to.host,
        usual_port ? SPAN_NONE : span_lit(":"),
        usual_port ? SPAN_NONE : span_from_u64(job->to.port, digits),
        span_lit("\r\nUser-Agent: rowlock\r\nAccept: application/json\r\nConnection: close\r\n"),
        signs_in ? span_lit("Authorization: ") : SPAN_NONE,
        fetch->authorization,
        signs_in ? span_lit("\r\n") : SPAN_NONE,
    };

    TRY(put_all(to, parts, ARRAY_LENGTH(parts)));
    return post ? put_body(to, fetch) : buf_put(to, span_lit("\r\n"));
}

static enum err send_request(struct stream *stream, const struct courier_job *job)
{
    SCOPED_BUF struct buf *request = NULL; /* wiped: it may hold a secret */

    TRY(buf_new(REQUEST_MAX, &request));
    TRY(put_request(request, job));
    return stream_send(stream, buf_all(request));
}

/* --- lines --- */

static enum err receive(struct fetch *fetch)
{
    buf_compact(fetch->in);
    ENSURE(buf_room(fetch->in) != 0, ERR_RANGE, "a line that is too long");
    const enum err err = stream_receive(fetch->stream, fetch->in);
    fetch->stream_failed = err != ERR_OK;
    return err;
}

/* Visible characters, blanks, and what is no ASCII. */
static bool is_field_text(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t byte = text.data[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) {
            return false;
        }
    }
    return true;
}

/* The next line, without its CRLF. The view lives until the next line. */
static enum err take_line(struct fetch *fetch, struct span *out_line)
{
    struct span line = SPAN_NONE;
    size_t len = 0;

    for (;;) { /* ends: each turn takes a byte or more, and the buffer is bounded */
        const struct span all = buf_unread(fetch->in);
        len = span_find(all, '\n');
        if (len < all.len) {
            break;
        }
        TRY(receive(fetch));
    }
    TRY(buf_get(fetch->in, len + 1, &line));
    fetch->head_bytes += len + 1;
    ENSURE(fetch->head_bytes <= HEAD_MAX, ERR_RANGE, "a head that is too long");
    ENSURE(len != 0 && line.data[len - 1] == '\r', ERR_MALFORMED, "a line that ends in a bare LF");
    *out_line = span_of(line.data, len - 1);
    ENSURE(is_field_text(*out_line), ERR_MALFORMED, "a line with control characters");
    return ERR_OK;
}

/* --- the head --- */

/* "HTTP/1.1 200 OK"; the reason may be empty, its blank may not. */
static enum err read_status(struct span line, uint32_t *out_status)
{
    const struct span version = span_lit("HTTP/1.1 ");
    const size_t digits = 3;
    uint64_t status = 0;

    ENSURE(span_starts_with(line, version) && line.len > version.len + digits &&
               line.data[version.len + digits] == ' ',
           ERR_MALFORMED, "no status line of HTTP/1.1");
    ENSURE(span_to_u64(span_of(line.data + version.len, digits), 599, &status) == ERR_OK && status >= 100,
           ERR_MALFORMED, "no status");
    *out_status = (uint32_t)status;
    return ERR_OK;
}

static bool is_name(struct span name)
{
    const struct span marks = span_lit("!#$%&'*+-.^_`|~");

    for (size_t i = 0; i < name.len; i++) {
        const uint8_t byte = name.data[i];
        if (!((byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
              span_find(marks, byte) < marks.len)) {
            return false;
        }
    }
    return name.len != 0;
}

static enum err read_length(struct span value, struct head *head)
{
    uint64_t length = 0;

    ENSURE(head->length == NO_LENGTH && value.len != 0, ERR_MALFORMED, "two lengths, or an empty one");
    for (size_t i = 0; i < value.len; i++) {
        ENSURE(value.data[i] >= '0' && value.data[i] <= '9', ERR_MALFORMED, "a length that is no number");
    }
    ENSURE(span_to_u64(value, OUTBOUND_ANSWER_MAX, &length) == ERR_OK, ERR_RANGE, "a body that is too long");
    head->length = (size_t)length;
    return ERR_OK;
}

static enum err read_field(struct span line, struct head *head)
{
    const size_t colon = span_find(line, ':');
    const struct span name = span_of(line.data, colon);

    ENSURE(colon < line.len && is_name(name), ERR_MALFORMED, "no header field");
    const struct span value = span_trim(span_of(line.data + colon + 1, line.len - colon - 1));
    if (span_equal_nocase(name, span_lit("Content-Length"))) {
        return read_length(value, head);
    }
    if (span_equal_nocase(name, span_lit("Transfer-Encoding"))) {
        ENSURE(!head->chunked && span_equal_nocase(value, span_lit("chunked")), ERR_MALFORMED, "another encoding");
        head->chunked = true;
    } else if (span_equal_nocase(name, span_lit("Content-Encoding"))) {
        ENSURE(span_equal_nocase(value, span_lit("identity")), ERR_MALFORMED, "a body in a form nobody asked for");
    }
    return ERR_OK;
}

static enum err read_head(struct fetch *fetch, struct head *out)
{
    struct head head = {.length = NO_LENGTH};
    struct span line = SPAN_NONE;

    TRY(take_line(fetch, &line));
    TRY(read_status(line, &head.status));
    for (size_t fields = 0;; fields++) {
        TRY(take_line(fetch, &line));
        if (line.len == 0) {
            break;
        }
        ENSURE(fields < FIELDS_MAX, ERR_RANGE, "too many header fields");
        TRY(read_field(line, &head));
    }
    ENSURE(!head.chunked || head.length == NO_LENGTH, ERR_MALFORMED, "a length beside chunks");
    *out = head;
    return ERR_OK;
}

/* --- the body --- */

static enum err take_bytes(struct fetch *fetch, size_t len)
{
    while (len != 0) {
        const struct span held = buf_unread(fetch->in);
        const size_t now = held.len < len ? held.len : len;
        struct span bytes = SPAN_NONE;

        TRY(buf_get(fetch->in, now, &bytes));
        TRY(buf_put(fetch->body, bytes));
        len -= now;
        if (len != 0) {
            TRY(receive(fetch));
        }
    }
    return ERR_OK;
}

static enum err read_chunk_size(struct span line, size_t *out_size)
{
    size_t size = 0;

    ENSURE(line.len != 0 && line.len <= CHUNK_DIGITS, ERR_MALFORMED, "no size of a chunk");
    for (size_t i = 0; i < line.len; i++) {
        const uint8_t byte = line.data[i];
        const bool digit = byte >= '0' && byte <= '9';
        const uint8_t lower = (uint8_t)(byte | 0x20);
        ENSURE(digit || (lower >= 'a' && lower <= 'f'), ERR_MALFORMED, "no size of a chunk");
        size = size * 16 + (digit ? (size_t)(byte - '0') : (size_t)(lower - 'a') + 10);
    }
    *out_size = size;
    return ERR_OK;
}

/* A line inside of a body: it does not count as head. */
static enum err take_chunk_line(struct fetch *fetch, struct span *out_line)
{
    fetch->head_bytes = 0;
    return take_line(fetch, out_line);
}

static enum err read_chunks(struct fetch *fetch)
{
    struct span line = SPAN_NONE;
    size_t size = 0;

    for (;;) { /* ends: each chunk but the last makes the body longer, which is bounded */
        TRY(take_chunk_line(fetch, &line));
        TRY(read_chunk_size(line, &size));
        ENSURE(size <= fetch->body_max - buf_len(fetch->body), ERR_RANGE, "a body that is too long");
        TRY(take_bytes(fetch, size));
        TRY(take_chunk_line(fetch, &line));
        ENSURE(line.len == 0, ERR_MALFORMED, "a chunk that does not end, or a trailer");
        if (size == 0) {
            return ERR_OK;
        }
    }
}

/* 204 and 304 have none, whatever the head says of a length: RFC 9112 section 6.3. */
static enum err read_body(struct fetch *fetch, const struct head *head)
{
    if (head->status == 204 || head->status == 304) {
        return ERR_OK;
    }
    if (head->chunked) {
        return read_chunks(fetch);
    }
    ENSURE(head->length != NO_LENGTH, ERR_MALFORMED, "a body that ends with the connection");
    return take_bytes(fetch, head->length);
}

static enum err read_answer(struct fetch *fetch, uint32_t *out_status)
{
    struct head head = {.length = NO_LENGTH};

    for (size_t interim = 0;; interim++) {
        TRY(read_head(fetch, &head));
        if (head.status >= 200) {
            break;
        }
        ENSURE(interim < INTERIM_MAX && head.status != 101, ERR_MALFORMED, "no end of interim answers");
        ENSURE(!head.chunked && head.length == NO_LENGTH, ERR_MALFORMED, "an interim answer with a body");
    }
    *out_status = head.status;
    return read_body(fetch, &head);
}

/* --- together --- */

/* What the connection or our memory is to blame for may go better another time. */
static enum outbound_result result_of(const struct fetch *fetch, enum err err)
{
    return fetch->stream_failed || (err != ERR_MALFORMED && err != ERR_RANGE) ? OUTBOUND_TEMPORARY : OUTBOUND_REFUSED;
}

void fetch_run(struct stream *stream, const struct courier_job *job, struct courier_answer *out_answer,
               struct buf *body)
{
    struct fetch fetch = {.stream = stream, .body = body, .body_max = buf_len(body) + OUTBOUND_ANSWER_MAX};
    SCOPED_BUF struct buf *in = NULL;
    uint32_t status = 0;

    *out_answer = (struct courier_answer){OUTBOUND_TEMPORARY, OUTBOUND_AT_REQUEST, 0};
    enum err err = buf_new(HEAD_MAX, &in);
    if (err == ERR_OK) {
        err = send_request(stream, job);
    }
    if (err == ERR_OK) {
        fetch.in = in;
        err = read_answer(&fetch, &status);
        out_answer->stage = err == ERR_OK ? OUTBOUND_AT_END : OUTBOUND_AT_ANSWER;
        out_answer->result = err == ERR_OK ? OUTBOUND_DONE : result_of(&fetch, err);
        out_answer->status = status;
    }
    fault_clear();
}
