/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTTP/1.1, server side, strict: a message that two readers could understand in two ways is refused and its connection
 * closed. Parsed requests go to one handler, which answers now or later.
 *
 * Everything belongs to the loop's thread. Spec: RFC 9110, RFC 9112; contract 1.1. */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"
#include "hal/base/time.h"
#include "net/limits.h"
#include "net/loop.h"
#include "net/stack.h"
#include "net/tls.h"

#define HTTP_HEAD_MAX ((size_t)32768) /* request line and headers; contract 1.1 */
#define HTTP_HEADERS_MAX 100          /* of one request */
#define HTTP_SEGMENTS_MAX 16          /* of a path; our longest route has 9 */

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER /* a well-formed name that is none of these: 405 on a known path */
};

struct http_header {
    struct span name;  /* a token, in the case it was sent in */
    struct span value; /* without white space around it; never holds CR, LF or NUL */
};

/* One request and the right to answer it.
 *
 * The exchange, its spans and its arena live until http_respond, however long that takes and whatever happens to the
 * connection: nothing else ends an exchange, so memory of the arena may be lent to another thread. If the client goes
 * away, the deadline passes or the server stops, on_cancel is called (once, if set): the answer will reach nobody, or
 * come too late; finish soon and call http_respond all the same. */
struct http_exchange {
    enum http_method method;
    struct span method_name;
    struct span path;  /* as sent, begins with '/'; "*" for OPTIONS * */
    struct span query; /* as sent, after the first '?'; has_query tells an empty one from none */
    bool has_query;

    /* The path's segments, decoded once, one trailing '/' dropped: "/v1/data/" is {"v1","data"}, "/" has none.
     * path_ok is false when a segment holds an encoded '/', '\', NUL, a bad escape or invalid UTF-8, is "." or "..", is
     * empty, or when there are too many: such a path does not exist (404). */
    bool path_ok;
    const struct span *segments;
    size_t segment_count;

    const struct http_header *headers; /* in the order sent; includes Host and framing headers */
    size_t header_count;
    struct span host; /* value of the one Host header */
    struct span body; /* complete, unchunked; empty when there is none */

    struct arena *arena; /* for whatever serves this request */
    const struct socket_address *peer;
    struct tls_info tls;
    struct loop *loop;
    struct mono_time received; /* when the request was complete */
    struct mono_time deadline; /* CONFIG_NET_HTTP_ANSWER_MS later; then on_cancel is called with ERR_TIMEOUT */

    /* The handler's. why: ERR_CLOSED the client is gone; ERR_TIMEOUT; ERR_CANCELLED the server stops. */
    void (*on_cancel)(struct http_exchange *exchange, enum err why);
    void *user;
};

/* --- answering --- */

struct http_response {
    unsigned int status; /* 200 .. 599 */
    const struct http_header *headers; /* borrowed for the call; none that frames: see http_respond */
    size_t header_count;
    bool close; /* close the connection after it */
};

/* The buffer in which the body is built; starts empty, belongs to the exchange, holds up to response_max bytes. */
struct buf *http_body(struct http_exchange *exchange);

/* Answers with the given head and what is in http_body: from on_request itself or later, exactly once. The exchange is
 * dead afterwards. Content-Length and Connection are written here and only here; for HEAD, 204 and 304 no body is sent.
 * A header that could break the framing (CR, LF, NUL, a name that is no token) turns the answer into an empty 500. */
void http_respond(struct http_exchange *exchange, const struct http_response *response);

struct http_handler {
    void (*on_request)(void *context, struct http_exchange *exchange);

    /* The request was refused by this layer with that status (400, 408, 413, 503). The handler writes the body and
     * headers and calls http_respond with the same status before it returns; the connection is closed in any case.
     * Method, path and headers of the exchange are those that could be read, often none. */
    void (*on_refused)(void *context, struct http_exchange *exchange, unsigned int status);
};

/* --- paths and queries --- */

/* Splits and decodes a path by the rules at http_exchange.segments. Nothing is allocated but in the arena.
 * ERR_NOT_FOUND: no such path can exist; ERR_NO_MEMORY. */
enum err http_path_split(struct span path, struct arena *arena, const struct span **out_segments,
                         size_t *out_count) MUST_USE;

/* Walks the parameters of a query in order, repeated ones included. */
struct http_query {
    struct span rest;
};

static inline struct http_query http_query_of(struct span query)
{
    return (struct http_query){query};
}

/* The next parameter, decoded ('+' is a space) into the arena where that changes it; a name without '=' has an empty
 * value; empty pieces ("a=1&&b=2") are passed over.
 * ERR_NOT_FOUND: no more; ERR_MALFORMED: a bad escape, NUL or invalid UTF-8 (the walk goes on after it);
 * ERR_NO_MEMORY. */
enum err http_query_next(struct http_query *query, struct arena *arena, struct span *out_name,
                         struct span *out_value) MUST_USE;

/* --- servers --- */

struct http_server;

struct http_server_options {
    struct loop *loop;
    struct stack *stack;
    struct tls_server *tls; /* NULL only for http_redirect_new */
    struct limits *limits;
    const struct http_handler *handler;
    void *context;       /* the handler's */
    size_t body_max;     /* of one request; more is 413 */
    size_t response_max; /* of one response's body */
    size_t arena_max;    /* of one request's arena */
};

/* Serves the handler over TLS. Everything in options is borrowed for the server's life. ERR_NO_MEMORY. */
enum err http_server_new(const struct http_server_options *options, struct http_server **out_server) MUST_USE;

/* Answers every well-formed request of a plain port with 308 to the same path on https://<host>[:https_port], and
 * everything else with 400; nothing more. `handler` is not used. ERR_NO_MEMORY. */
enum err http_redirect_new(const struct http_server_options *options, uint16_t https_port,
                           struct http_server **out_server) MUST_USE;

/* Accepts from take_listener from now on. ERR_IO. */
enum err http_server_listen(struct http_server *server, struct stack_socket *take_listener) MUST_USE;

/* Stops in order: accepts no more, closes idle connections, lets exchanges under way answer (with Connection: close)
 * for up to grace_ms, after that cancels them. on_drained is called from the loop when the last connection is gone and
 * the last exchange has answered. */
void http_server_drain(struct http_server *server, unsigned int grace_ms, void (*on_drained)(void *context),
                       void *context);

/* Open connections, and exchanges not yet answered. */
size_t http_server_connections(const struct http_server *server);
size_t http_server_exchanges(const struct http_server *server);

/* After draining, or when no exchange is under way. NULL is fine. */
void http_server_free(struct http_server *server);

#endif
