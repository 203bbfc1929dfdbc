/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of HTTP below the connection: heads, chunks, and the text of answers. Pure functions over bytes. */
#ifndef NET_HTTP_INT_H
#define NET_HTTP_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "net/http.h"

/* Looks for the end of a head, the empty line. scanned is where the last call on the same bytes stopped (0 at first), so
 * that a head that comes in pieces is read once. *out_bytes counts the empty line.
 * ERR_AGAIN      more is needed; *scanned is moved
 * ERR_MALFORMED  a CR without LF, an LF without CR, a NUL, an empty line at the front
 * ERR_RANGE      no end within HTTP_HEAD_MAX */
enum err http_head_end(struct span bytes, size_t *scanned, size_t *out_bytes) MUST_USE;

enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED };

struct http_head {
    enum http_method method;
    struct span method_name;
    struct span path;
    struct span query;
    bool has_query;
    struct span host;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    enum http_framing framing;
    size_t body_bytes; /* HTTP_LENGTH */
    bool close;        /* the client asks to close after this one */
    bool expects_continue;
};

struct http_head_rules {
    struct span scheme; /* "https" or "http": what an absolute target must name */
    size_t body_max;
};

/* Parses a whole head, the empty line included. Spans point into bytes.
 * ERR_MALFORMED  400; *out_head is partly written: method, path and the headers before the bad one may be there
 * ERR_RANGE      413: the body is longer than body_max, and *out_head is whole; or there are too many headers */
enum err http_head_parse(struct span bytes, const struct http_head_rules *rules, struct http_head *out_head) MUST_USE;

/* "name", "name:8443", "[::1]:8443" and nothing else. ERR_MALFORMED. */
enum err http_host_split(struct span host, struct span *out_name, struct span *out_port) MUST_USE;

/* A body in chunks, decoded as it comes. */
struct http_chunks {
    enum { HTTP_CHUNK_SIZE, HTTP_CHUNK_DATA, HTTP_CHUNK_END, HTTP_CHUNK_LAST, HTTP_CHUNK_DONE } state;
    size_t left; /* of the data of this chunk */
    size_t taken; /* of all chunks */
};

/* Takes from `in` what it can and appends the data to out_body.
 * ERR_OK the body is complete; ERR_AGAIN; ERR_MALFORMED also for extensions and trailers; ERR_RANGE longer than
 * body_max; ERR_NO_MEMORY. */
enum err http_chunks_take(struct http_chunks *chunks, size_t body_max, struct buf *in, struct buf *out_body) MUST_USE;

/* Writes status line and headers up to the empty line. ERR_MALFORMED: a header that could break the framing. */
struct http_reply {
    const struct http_response *response;
    size_t body_bytes;
    bool close;
    bool without_length; /* 204 and 304 */
};
enum err http_reply_write(const struct http_reply *reply, struct buf *out_text) MUST_USE;

/* Is it a token of RFC 9110 section 5.6.2? */
bool http_is_token(struct span text);

/* May it stand in the value of a header: is no control character in it but the tab? RFC 9110 section 5.5. */
bool http_is_value(struct span text);

#endif
