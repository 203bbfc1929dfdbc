/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The strict reader of request heads and chunks. What RFC 9112 lets a server tolerate and two servers may tolerate
 * differently is refused: bare CR or LF, folded lines, white space before a colon, an empty line before the request,
 * repeated Content-Length even when equal, any Transfer-Encoding but one "chunked", HTTP/1.0, chunk extensions, trailers.
 * Spec: RFC 9112 sections 2.2, 3, 5, 6, 7.1. */
#include "net/http_int.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"

#define METHOD_MAX 32    /* longer than any method that was ever registered */
#define CHUNK_DIGITS 8   /* 4 GiB; the body's own limit is far below */
#define CRLF_BYTES 2
#define PORT_MAX 65535

#define NAME(text) {(const uint8_t *)("" text), sizeof(text) - 1}

static bool is_alnum(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

/* 1 for a character of a token. Requests and answers have some fifteen names, and each is looked at. */
/* clang-format off */
static const uint8_t is_token_byte[UINT8_MAX + 1] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1,
    ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1, ['~'] = 1,
    ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1,
    ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1,
    ['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1,
    ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1,
    ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1,
    ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1, ['t'] = 1,
    ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1,
};
/* clang-format on */

#define WORD_BYTES sizeof(uint64_t)
#define EACH_BYTE  UINT64_C(0x0101010101010101)

/* Eight bytes at once: is one of them CR or below? A byte that is not borrows only from one that is, so the answer for the
 * whole is exact. */
static bool word_has_low(const uint8_t *bytes)
{
    uint64_t word = 0;

    memcpy(&word, bytes, sizeof word);
    return ((word - EACH_BYTE * ('\r' + 1)) & ~word & (EACH_BYTE * 0x80)) != 0;
}

bool http_is_token(struct span text)
{
    uint8_t good = 1;

    for (size_t i = 0; i < text.len; i++) {
        good &= is_token_byte[text.data[i]];
    }
    return good == 1 && text.len > 0;
}

static bool is_control(uint8_t byte)
{
    return byte < ' ' || byte == 0x7f;
}

#define BLOCK_BYTES 32

/* A fixed count and no way out of the loop, so that compilers make vectors of it. */
static bool block_has_control(const uint8_t *bytes)
{
    uint8_t found = 0;

    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        found |= (uint8_t)(bytes[i] < ' ') | (uint8_t)(bytes[i] == 0x7f);
    }
    return found != 0;
}

/* Of a block at least; the last one reaches back over what was looked at. */
static bool blocks_have_control(struct span text)
{
    for (size_t i = 0; text.len - i >= BLOCK_BYTES; i += BLOCK_BYTES) {
        if (block_has_control(text.data + i)) {
            return true;
        }
    }
    return block_has_control(text.data + text.len - BLOCK_BYTES);
}

bool http_is_value(struct span text)
{
    if (text.len >= BLOCK_BYTES && !blocks_have_control(text)) {
        return true;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (is_control(text.data[i]) && text.data[i] != '\t') {
            return false;
        }
    }
    return true;
}

/* From here on, the first byte that may be CR, LF or NUL; end if there is none. */
static size_t find_low(const uint8_t *bytes, size_t from, size_t end)
{
    size_t i = from;

    while (end - i >= BLOCK_BYTES && !block_has_control(bytes + i)) {
        i += BLOCK_BYTES;
    }
    while (end - i >= WORD_BYTES && !word_has_low(bytes + i)) {
        i += WORD_BYTES;
    }
    while (i < end && bytes[i] > '\r') {
        i++;
    }
    return i;
}

enum err http_head_end(struct span bytes, size_t *scanned, size_t *out_bytes)
{
    const size_t end = num_min(bytes.len, HTTP_HEAD_MAX);

    for (size_t i = *scanned; i < end; i++) {
        const bool after_cr = i > 0 && bytes.data[i - 1] == '\r';

        i = after_cr ? i : find_low(bytes.data, i, end);
        if (i == end) {
            break;
        }
        const uint8_t byte = bytes.data[i];

        ENSURE(byte != 0 && (byte == '\n') == after_cr, ERR_MALFORMED, "a CR, LF or NUL on its own");
        if (byte == '\n') {
            ENSURE(i > 1, ERR_MALFORMED, "an empty line before the request");
            if (i >= 3 && bytes.data[i - 2] == '\n') {
                *out_bytes = i + 1;
                return ERR_OK;
            }
        }
    }
    ENSURE(bytes.len < HTTP_HEAD_MAX, ERR_RANGE, "the head is too long");
    *scanned = end;
    return ERR_AGAIN;
}

/* The next line without its CRLF; http_head_end has seen to it that each has one. */
static struct span next_line(struct span *rest)
{
    const size_t len = span_find(*rest, '\r');
    const struct span line = span_of(rest->data, len);

    INVARIANT(rest->len >= len + CRLF_BYTES);
    *rest = span_of(rest->data + len + CRLF_BYTES, rest->len - len - CRLF_BYTES);
    return line;
}

/* --- request line --- */

static enum http_method method_of(struct span name)
{
    static const struct {
        struct span name;
        enum http_method method;
    } methods[] = {
        {NAME("GET"), HTTP_GET},     {NAME("HEAD"), HTTP_HEAD},     {NAME("POST"), HTTP_POST},
        {NAME("PUT"), HTTP_PUT},     {NAME("PATCH"), HTTP_PATCH},   {NAME("DELETE"), HTTP_DELETE},
        {NAME("OPTIONS"), HTTP_OPTIONS},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(methods); i++) {
        if (span_equal(name, methods[i].name)) {
            return methods[i].method;
        }
    }
    return HTTP_OTHER;
}

static enum err split_target(struct span target, struct http_head *out_head)
{
    const size_t mark = span_find(target, '?');

    out_head->path = span_of(target.data, mark);
    out_head->has_query = mark < target.len;
    out_head->query = out_head->has_query ? span_of(target.data + mark + 1, target.len - mark - 1) : SPAN_NONE;
    return ERR_OK;
}

/* scheme://authority/path: the authority is kept in host until the Host header is compared with it. */
static enum err parse_absolute(struct span target, struct span scheme, struct http_head *out_head)
{
    const size_t colon = span_find(target, ':');

    ENSURE(colon + 3 < target.len && target.data[colon + 1] == '/' && target.data[colon + 2] == '/', ERR_MALFORMED,
           "not a target");
    ENSURE(span_equal_nocase(span_of(target.data, colon), scheme), ERR_MALFORMED, "a target of another scheme");
    const struct span rest = span_of(target.data + colon + 3, target.len - colon - 3);
    const size_t end = num_min(span_find(rest, '/'), span_find(rest, '?'));
    struct span name = SPAN_NONE;
    struct span port = SPAN_NONE;

    out_head->host = span_of(rest.data, end);
    TRY(http_host_split(out_head->host, &name, &port));
    TRY(split_target(span_of(rest.data + end, rest.len - end), out_head));
    if (out_head->path.len == 0) {
        out_head->path = span_lit("/");
    }
    return ERR_OK;
}

static enum err parse_target(struct span target, struct span scheme, struct http_head *out_head)
{
    ENSURE(target.len > 0, ERR_MALFORMED, "no target");
    for (size_t i = 0; i < target.len; i++) {
        ENSURE(target.data[i] > 0x20 && target.data[i] < 0x7f && target.data[i] != '#', ERR_MALFORMED,
               "a character that no target has");
    }
    if (target.data[0] == '/') {
        return split_target(target, out_head);
    }
    if (span_equal(target, span_lit("*"))) {
        ENSURE(out_head->method == HTTP_OPTIONS, ERR_MALFORMED, "* is for OPTIONS");
        out_head->path = target;
        return ERR_OK;
    }
    return parse_absolute(target, scheme, out_head);
}

static enum err parse_request_line(struct span line, struct span scheme, struct http_head *out_head)
{
    const size_t first = span_find(line, ' ');

    ENSURE(first < line.len && first <= METHOD_MAX, ERR_MALFORMED, "not a request line");
    const struct span name = span_of(line.data, first);
    const struct span rest = span_of(line.data + first + 1, line.len - first - 1);
    const size_t second = span_find(rest, ' ');

    ENSURE(http_is_token(name), ERR_MALFORMED, "a method is a token");
    ENSURE(!span_equal(name, span_lit("CONNECT")), ERR_MALFORMED, "not a proxy");
    ENSURE(second < rest.len, ERR_MALFORMED, "no version");
    ENSURE(span_equal(span_of(rest.data + second + 1, rest.len - second - 1), span_lit("HTTP/1.1")), ERR_MALFORMED,
           "not HTTP/1.1");
    out_head->method_name = name;
    out_head->method = method_of(name);
    return parse_target(span_of(rest.data, second), scheme, out_head);
}

/* --- headers --- */

static enum err parse_header(struct span line, struct http_header *out_header)
{
    const size_t colon = span_find(line, ':');
    const struct span name = span_of(line.data, colon);

    ENSURE(colon < line.len && http_is_token(name), ERR_MALFORMED, "not a header line"); /* a fold has no token either */
    const struct span value = span_trim(span_of(line.data + colon + 1, line.len - colon - 1));

    ENSURE(http_is_value(value), ERR_MALFORMED, "a control character in a header");
    *out_header = (struct http_header){name, value};
    return ERR_OK;
}

enum err http_host_split(struct span host, struct span *out_name, struct span *out_port)
{
    const bool bracket = host.len > 0 && host.data[0] == '[';
    const size_t name_end = bracket ? span_find(host, ']') + 1 : span_find(host, ':');
    uint64_t port = 0;

    ENSURE(name_end > (bracket ? 2u : 0u) && name_end <= host.len, ERR_MALFORMED, "no host");
    for (size_t i = bracket ? 1 : 0; i < name_end - (bracket ? 1 : 0); i++) {
        const uint8_t byte = host.data[i];

        ENSURE(is_alnum(byte) || byte == '.' || byte == '-' || byte == '_' || (bracket && byte == ':'), ERR_MALFORMED,
               "a character that no host has");
    }
    *out_name = span_of(host.data, name_end);
    *out_port = SPAN_NONE;
    if (name_end < host.len) {
        const struct span digits = span_of(host.data + name_end + 1, host.len - name_end - 1);

        ENSURE(host.data[name_end] == ':' && span_to_u64(digits, PORT_MAX, &port) == ERR_OK, ERR_MALFORMED,
               "not a port");
        *out_port = digits;
    }
    return ERR_OK;
}

/* What the headers that decide framing have said so far. */
struct framing {
    size_t hosts;
    size_t lengths;
    size_t encodings;
    bool too_long; /* the body; told last, so that whoever answers knows the headers behind the length as well */
};

static enum err take_host(struct span value, struct http_head *head)
{
    struct span name = SPAN_NONE;
    struct span port = SPAN_NONE;

    TRY(http_host_split(value, &name, &port));
    ENSURE(head->host.len == 0 || span_equal_nocase(head->host, value), ERR_MALFORMED,
           "the target names another host than Host");
    head->host = value;
    return ERR_OK;
}

static enum err take_length(struct span value, size_t body_max, struct framing *framing, struct http_head *head)
{
    uint64_t length = 0;
    const enum err err = span_to_u64(value, body_max, &length); /* digits alone: no sign, no list, no space inside */

    if (err == ERR_RANGE) {
        fault_clear();
        framing->too_long = true;
        return ERR_OK;
    }
    TRY(err);
    head->framing = length > 0 ? HTTP_LENGTH : HTTP_NO_BODY;
    head->body_bytes = (size_t)length;
    return ERR_OK;
}

static void take_connection(struct span value, struct http_head *head)
{
    struct span rest = value;

    while (rest.len > 0) {
        const size_t comma = span_find(rest, ',');

        if (span_equal_nocase(span_trim(span_of(rest.data, comma)), span_lit("close"))) {
            head->close = true;
        }
        rest = comma < rest.len ? span_of(rest.data + comma + 1, rest.len - comma - 1) : SPAN_NONE;
    }
}

static enum err take_header(const struct http_header *header, size_t body_max, struct framing *framing,
                            struct http_head *head)
{
    if (span_equal_nocase(header->name, span_lit("Host"))) {
        ENSURE(framing->hosts++ == 0, ERR_MALFORMED, "two Host headers");
        return take_host(header->value, head);
    }
    if (span_equal_nocase(header->name, span_lit("Content-Length"))) {
        ENSURE(framing->lengths++ == 0, ERR_MALFORMED, "two Content-Length headers");
        return take_length(header->value, body_max, framing, head);
    }
    if (span_equal_nocase(header->name, span_lit("Transfer-Encoding"))) {
        ENSURE(framing->encodings++ == 0, ERR_MALFORMED, "two Transfer-Encoding headers");
        ENSURE(span_equal_nocase(header->value, span_lit("chunked")), ERR_MALFORMED, "an encoding we do not know");
        head->framing = HTTP_CHUNKED;
    } else if (span_equal_nocase(header->name, span_lit("Expect"))) {
        ENSURE(span_equal_nocase(header->value, span_lit("100-continue")), ERR_MALFORMED, "an expectation");
        head->expects_continue = true;
    } else if (span_equal_nocase(header->name, span_lit("Connection"))) {
        take_connection(header->value, head);
    }
    return ERR_OK;
}

enum err http_head_parse(struct span bytes, const struct http_head_rules *rules, struct http_head *out_head)
{
    struct framing framing = {0};
    struct span rest = bytes;

    out_head->header_count = 0;
    out_head->method = HTTP_OTHER;
    out_head->method_name = SPAN_NONE;
    out_head->path = SPAN_NONE;
    out_head->query = SPAN_NONE;
    out_head->has_query = false;
    out_head->host = SPAN_NONE;
    out_head->framing = HTTP_NO_BODY;
    out_head->body_bytes = 0;
    out_head->close = false;
    out_head->expects_continue = false;

    TRY(parse_request_line(next_line(&rest), rules->scheme, out_head));
    for (struct span line = next_line(&rest); line.len > 0; line = next_line(&rest)) {
        ENSURE(out_head->header_count < HTTP_HEADERS_MAX, ERR_RANGE, "too many headers");
        struct http_header *const header = &out_head->headers[out_head->header_count];

        TRY(parse_header(line, header));
        out_head->header_count++;
        TRY(take_header(header, rules->body_max, &framing, out_head));
    }
    ENSURE(framing.hosts == 1, ERR_MALFORMED, "no Host header");
    ENSURE(framing.lengths == 0 || framing.encodings == 0, ERR_MALFORMED, "Content-Length and Transfer-Encoding");
    ENSURE(!framing.too_long, ERR_RANGE, "the body is too long");
    return ERR_OK;
}

/* --- chunks --- */

static uint8_t hex_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return (uint8_t)(byte - '0');
    }
    if (byte >= 'a' && byte <= 'f') {
        return (uint8_t)(byte - 'a' + 10);
    }
    return byte >= 'A' && byte <= 'F' ? (uint8_t)(byte - 'A' + 10) : UINT8_MAX;
}

/* 1 to 8 hex digits and CRLF. */
static enum err take_size(struct http_chunks *chunks, size_t body_max, struct buf *in)
{
    const struct span bytes = buf_unread(in);
    size_t digits = 0;
    size_t size = 0;
    struct span line = SPAN_NONE;

    while (digits < bytes.len && hex_value(bytes.data[digits]) != UINT8_MAX) {
        ENSURE(digits < CHUNK_DIGITS, ERR_MALFORMED, "the size of a chunk is too long");
        size = size * 16 + hex_value(bytes.data[digits]);
        digits++;
    }
    if (digits == bytes.len) {
        return ERR_AGAIN;
    }
    ENSURE(digits > 0 && bytes.data[digits] == '\r', ERR_MALFORMED, "not the size of a chunk");
    if (digits + 1 == bytes.len) {
        return ERR_AGAIN;
    }
    ENSURE(bytes.data[digits + 1] == '\n', ERR_MALFORMED, "not the size of a chunk");
    ENSURE(size <= body_max - chunks->taken, ERR_RANGE, "the body is too long");
    TRY(buf_get(in, digits + CRLF_BYTES, &line));
    chunks->left = size;
    chunks->taken += size;
    chunks->state = size == 0 ? HTTP_CHUNK_LAST : HTTP_CHUNK_DATA;
    return ERR_OK;
}

static enum err take_data(struct http_chunks *chunks, struct buf *in, struct buf *out_body)
{
    const size_t len = num_min(chunks->left, buf_unread(in).len);
    struct span data = SPAN_NONE;

    if (len == 0) {
        return ERR_AGAIN;
    }
    TRY(buf_get(in, len, &data));
    TRY(buf_put(out_body, data));
    chunks->left -= len;
    if (chunks->left == 0) {
        chunks->state = HTTP_CHUNK_END;
    }
    return ERR_OK;
}

static enum err take_line_end(struct http_chunks *chunks, struct buf *in)
{
    const struct span bytes = buf_unread(in);
    struct span end = SPAN_NONE;

    ENSURE(bytes.len < 1 || bytes.data[0] == '\r', ERR_MALFORMED, "a chunk does not end where it should");
    ENSURE(bytes.len < 2 || bytes.data[1] == '\n', ERR_MALFORMED, "a chunk does not end where it should");
    if (bytes.len < CRLF_BYTES) {
        return ERR_AGAIN;
    }
    TRY(buf_get(in, CRLF_BYTES, &end));
    chunks->state = chunks->state == HTTP_CHUNK_LAST ? HTTP_CHUNK_DONE : HTTP_CHUNK_SIZE;
    return ERR_OK;
}

enum err http_chunks_take(struct http_chunks *chunks, size_t body_max, struct buf *in, struct buf *out_body)
{
    enum err err = ERR_OK;

    while (err == ERR_OK && chunks->state != HTTP_CHUNK_DONE) { /* each round takes a byte at least */
        switch (chunks->state) {
        case HTTP_CHUNK_SIZE:
            err = take_size(chunks, body_max, in);
            break;
        case HTTP_CHUNK_DATA:
            err = take_data(chunks, in, out_body);
            break;
        case HTTP_CHUNK_END:
        case HTTP_CHUNK_LAST:
            err = take_line_end(chunks, in);
            break;
        case HTTP_CHUNK_DONE:
            break;
        }
    }
    return err;
}
