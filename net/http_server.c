/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A port that speaks HTTP: its life, its draining, and the port that only redirects. The redirect repeats a target whose
 * every byte the parser has allowed and a host that http_host_split has; nothing else of the request goes into it. */
#include <stddef.h>

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "net/http_conn_int.h"

#define REDIRECT_BODY_MAX ((size_t)65536) /* read and ignored before the answer */
#define PORT_HTTPS 443

/* --- redirects --- */

void http_redirect_respond(struct http_server *server, struct http_exchange *exchange)
{
    struct buf *const text = http_body(exchange); /* borrowed: the answer has no body */
    struct span name = SPAN_NONE;
    struct span port = SPAN_NONE;
    struct span location = SPAN_NONE;
    char digits[SPAN_U64_TEXT_MAX];
    enum err err = http_host_split(exchange->host, &name, &port);

    err = err != ERR_OK ? err : buf_put(text, span_lit("https://"));
    err = err != ERR_OK ? err : buf_put(text, name);
    if (server->redirect_port != PORT_HTTPS) {
        err = err != ERR_OK ? err : buf_put(text, span_lit(":"));
        err = err != ERR_OK ? err : buf_put(text, span_from_u64(server->redirect_port, digits));
    }
    err = err != ERR_OK ? err : buf_put(text, exchange->path.data[0] == '/' ? exchange->path : span_lit("/"));
    if (exchange->has_query) {
        err = err != ERR_OK ? err : buf_put(text, span_lit("?"));
        err = err != ERR_OK ? err : buf_put(text, exchange->query);
    }
    err = err != ERR_OK ? err : arena_copy(exchange->arena, buf_all(text), &location);
    buf_reset(text);
    const struct http_header header = {span_lit("Location"), location};
    const struct http_response response = {
        .status = err == ERR_OK ? 308 : 400,
        .headers = &header,
        .header_count = err == ERR_OK ? 1 : 0,
    };

    http_respond(exchange, &response);
}

/* --- draining --- */

void http_server_check_drained(struct http_server *server)
{
    if (server->on_drained != NULL && conn_group_count(server->group) == 0 && server->drained.link == NULL) {
        loop_slice_start(server->options.loop, &server->drained);
    }
}

static enum loop_slice_result tell_drained(struct loop_slice *slice, struct mono_time until)
{
    struct http_server *const server =
        (struct http_server *)(void *)((uint8_t *)slice - offsetof(struct http_server, drained));
    (void)until;

    server->on_drained(server->drained_context);
    return LOOP_SLICE_DONE;
}

static void visit_cancel(void *state, struct conn *conn)
{
    struct http_conn *const http = state;

    http_conn_cancel(http, ERR_CANCELLED);
    if (http->state != HTTP_STATE_HANDLING) {
        conn_drop(conn);
    }
}

static void on_grace(struct loop_timer *timer)
{
    struct http_server *const server =
        (struct http_server *)(void *)((uint8_t *)timer - offsetof(struct http_server, grace));

    conn_group_each(server->group, visit_cancel);
}

enum err http_server_new(const struct http_server_options *options, struct http_server **out_server)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct http_server), &memory));
    struct http_server *const server = memory;

    server->options = *options;
    server->grace.on_time = on_grace;
    server->drained.run = tell_drained;
    const struct conn_group_options group = {
        .loop = options->loop,
        .stack = options->stack,
        .tls = options->tls,
        .limits = options->limits,
        .handler = &http_conn_handler,
        .context = server,
        .input_max = HTTP_HEAD_MAX + options->body_max,
        .body_max = options->response_max,
        .arena_max = options->arena_max,
    };
    const enum err err = conn_group_new(&group, &server->group);

    if (err != ERR_OK) {
        mem_free(server);
        FAIL(err, "no HTTP server", 0);
    }
    *out_server = server;
    return ERR_OK;
}

enum err http_redirect_new(const struct http_server_options *options, uint16_t https_port,
                           struct http_server **out_server)
{
    struct http_server_options plain = *options;
    struct http_server *server = NULL;

    plain.tls = NULL;
    plain.body_max = REDIRECT_BODY_MAX;
    TRY(http_server_new(&plain, &server));
    server->redirects = true;
    server->redirect_port = https_port;
    *out_server = server;
    return ERR_OK;
}

enum err http_server_listen(struct http_server *server, struct stack_socket *take_listener)
{
    return conn_group_listen(server->group, take_listener);
}

static void visit_drain(void *state, struct conn *conn)
{
    struct http_conn *const http = state;

    if (http->state == HTTP_STATE_IDLE && http->again.link == NULL) {
        http->state = HTTP_STATE_DONE;
        conn_close(conn);
    }
}

void http_server_drain(struct http_server *server, unsigned int grace_ms, void (*on_drained)(void *context),
                       void *context)
{
    struct loop *const loop = server->options.loop;

    server->draining = true;
    server->on_drained = on_drained;
    server->drained_context = context;
    conn_group_deafen(server->group);
    conn_group_each(server->group, visit_drain);
    loop_timer_set(loop, &server->grace, mono_add_ms(loop_now(loop), grace_ms));
    http_server_check_drained(server);
}

size_t http_server_connections(const struct http_server *server)
{
    return conn_group_count(server->group);
}

size_t http_server_exchanges(const struct http_server *server)
{
    return server->exchanges;
}

void http_server_free(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    INVARIANT(server->exchanges == 0);
    server->on_drained = NULL;
    loop_timer_clear(server->options.loop, &server->grace);
    loop_slice_stop(server->options.loop, &server->drained);
    conn_group_free(server->group);
    mem_free(server);
}
