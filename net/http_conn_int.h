/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What http.c, the requests of one connection, and http_server.c, all connections of a port, know of each other. */
#ifndef NET_HTTP_CONN_INT_H
#define NET_HTTP_CONN_INT_H

#include "net/conn.h"
#include "net/http_int.h"

enum http_state {
    HTTP_STATE_IDLE,
    HTTP_STATE_HEAD,
    HTTP_STATE_BODY,
    HTTP_STATE_HANDLING,
    HTTP_STATE_SENDING,
    HTTP_STATE_DONE
};

struct http_conn {
    struct http_exchange exchange; /* first: handlers hold it */
    struct http_server *server;
    struct conn *conn;
    struct tls_info tls;
    struct loop_timer answer; /* the deadline of an exchange */
    struct loop_slice again;  /* goes on with what was sent ahead */
    struct buf *unchunked;    /* head and decoded body of a chunked request; NULL otherwise */
    struct http_chunks chunks;
    enum http_state state;
    size_t scanned;    /* how far the end of the head was looked for */
    size_t head_bytes; /* once it is complete */
    size_t body_bytes; /* HTTP_LENGTH */
    bool close;        /* after this answer */
    bool pumping;      /* inside pump(): an answer must not start the next request itself */
    bool cancelled;    /* on_cancel was called */
    bool ended;        /* the client sends no more */
    bool gone;         /* the socket is */
};

struct http_server {
    struct http_server_options options;
    struct conn_group *group;
    uint16_t redirect_port; /* of the https URL */
    bool redirects;
    bool draining;
    size_t exchanges;
    struct loop_timer grace;
    struct loop_slice drained;
    void (*on_drained)(void *context);
    void *drained_context;
    struct http_head head; /* of the request that is being parsed */
};

extern const struct conn_handler http_conn_handler; /* its context is the server */

/* Tells the handler of an exchange, once. */
void http_conn_cancel(struct http_conn *http, enum err why);

/* Answers 308 to the same target on the https port. */
void http_redirect_respond(struct http_server *server, struct http_exchange *exchange);

/* After a connection is gone: was it the last one of a server that drains? */
void http_server_check_drained(struct http_server *server);

#endif
