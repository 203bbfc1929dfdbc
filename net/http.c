/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests of one connection, one after the other:
 *
 *   IDLE -> HEAD -> (BODY ->) HANDLING -> SENDING -> IDLE ...                -> DONE when it is to be closed
 *
 * A request stays where it was received, at the front of the connection's input (with chunks: decoded into a buffer of
 * its own, behind a copy of its head), until it is answered; nothing is read meanwhile, so its spans hold. What a client
 * sent ahead waits behind it. After CONFIG_NET_HTTP_PIPELINE_MAX answers in one turn the rest waits for the next.
 *
 * An exchange outlives its connection: when the socket goes, the connection's memory stays until http_respond. */
#include "net/http.h"

#include <string.h>

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "net/http_conn_int.h"
#include "net/http_int.h"

static void respond_empty(struct http_conn *http, unsigned int status);

/* --- the end of a request --- */

static void free_http_conn(struct http_conn *http)
{
    struct http_server *const server = http->server;

    loop_timer_clear(server->options.loop, &http->answer);
    loop_slice_stop(server->options.loop, &http->again);
    buf_free(http->unchunked);
    conn_release(http->conn);
    mem_free(http);
    http_server_check_drained(server);
}

/* Forgets the request that was answered; it may have held a password, so nothing of it stays in the input. */
static void drop_request(struct http_conn *http)
{
    struct buf *const in = conn_in(http->conn);
    struct span request = SPAN_NONE;
    /* A chunked request has been taken from the input already. */
    const size_t bytes = http->unchunked != NULL ? 0 : http->head_bytes + http->body_bytes;

    INVARIANT(buf_get(in, bytes, &request) == ERR_OK);
    buf_compact(in);
    buf_free(http->unchunked);
    http->unchunked = NULL;
    buf_reset(conn_head(http->conn));
    buf_reset(conn_body(http->conn));
    arena_reset(conn_arena(http->conn));
    http->scanned = 0;
    http->head_bytes = 0;
    http->body_bytes = 0;
}

static void rest(struct http_conn *http)
{
    http->state = HTTP_STATE_IDLE;
    conn_rest(http->conn);
    conn_deadline(http->conn, CONFIG_NET_HTTP_IDLE_MS);
}

/* The answer is with the network. */
static void finish_answer(struct http_conn *http)
{
    if (http->close || http->server->draining) {
        http->state = HTTP_STATE_DONE;
        conn_close(http->conn);
        return;
    }
    drop_request(http);
    conn_resume(http->conn);
    if (buf_unread(conn_in(http->conn)).len == 0 && http->ended) {
        http->state = HTTP_STATE_DONE;
        conn_close(http->conn);
        return;
    }
    if (buf_unread(conn_in(http->conn)).len == 0) {
        rest(http);
        return;
    }
    http->state = HTTP_STATE_IDLE;
    if (!http->pumping && http->again.link == NULL) {
        loop_slice_start(http->server->options.loop, &http->again);
    }
}

/* --- answering --- */

struct buf *http_body(struct http_exchange *exchange)
{
    return conn_body(((struct http_conn *)exchange)->conn);
}

/* The head, or that of an empty 500 in place of one that would break the framing. */
static void write_head(struct http_conn *http, const struct http_response *response, struct span *body)
{
    static const struct http_response broken = {.status = 500, .close = true};
    struct buf *const head = conn_head(http->conn);
    const bool bodiless = response->status == 204 || response->status == 304;
    struct http_reply reply = {
        .response = response,
        .body_bytes = body->len,
        .close = http->close,
        .without_length = bodiless,
    };

    if (bodiless || http->exchange.method == HTTP_HEAD) {
        *body = SPAN_NONE;
    }
    if (http_reply_write(&reply, head) == ERR_OK) {
        return;
    }
    fault_clear();
    buf_reset(head);
    http->close = true;
    *body = SPAN_NONE;
    reply = (struct http_reply){.response = &broken, .close = true};
    INVARIANT(http_reply_write(&reply, head) == ERR_OK);
}

void http_respond(struct http_exchange *exchange, const struct http_response *response)
{
    struct http_conn *const http = (struct http_conn *)exchange;

    INVARIANT(http->state == HTTP_STATE_HANDLING);
    loop_timer_clear(http->server->options.loop, &http->answer);
    http->server->exchanges--;
    http->state = HTTP_STATE_SENDING;
    if (http->gone) {
        free_http_conn(http);
        return;
    }
    struct span body = buf_all(conn_body(http->conn));

    http->close = http->close || response->close || http->server->draining;
    write_head(http, response, &body);
    const enum err err = conn_send(http->conn, buf_all(conn_head(http->conn)), body);

    if (err == ERR_OK) {
        finish_answer(http);
    } else if (err == ERR_CLOSED) {
        http->state = HTTP_STATE_DONE; /* on_gone is on its way */
    }
}

static void respond_empty(struct http_conn *http, unsigned int status)
{
    const struct http_response response = {.status = status, .close = true};

    buf_reset(conn_body(http->conn));
    http_respond(&http->exchange, &response);
}

/* --- asking the handler --- */

void http_conn_cancel(struct http_conn *http, enum err why)
{
    if (http->state == HTTP_STATE_HANDLING && !http->cancelled) {
        http->cancelled = true;
        if (http->exchange.on_cancel != NULL) {
            http->exchange.on_cancel(&http->exchange, why);
        }
    }
}

static void on_answer_deadline(struct loop_timer *timer)
{
    http_conn_cancel((struct http_conn *)(void *)((uint8_t *)timer - offsetof(struct http_conn, answer)), ERR_TIMEOUT);
}

/* What both a request and a refusal carry. */
static void begin_exchange(struct http_conn *http)
{
    struct loop *const loop = http->server->options.loop;

    http->exchange = (struct http_exchange){
        .method = HTTP_OTHER,
        .arena = conn_arena(http->conn),
        .peer = conn_peer(http->conn),
        .tls = http->tls,
        .loop = loop,
        .received = loop_now(loop),
        .deadline = mono_add_ms(loop_now(loop), CONFIG_NET_HTTP_ANSWER_MS),
    };
    http->state = HTTP_STATE_HANDLING;
    http->cancelled = false;
    http->server->exchanges++;
    conn_pause(http->conn);
    conn_deadline(http->conn, 0);
    buf_reset(conn_head(http->conn));
    buf_reset(conn_body(http->conn));
}

/* The parsed head becomes part of the exchange. */
static enum err fill_exchange(struct http_conn *http)
{
    const struct http_head *const head = &http->server->head;
    struct http_exchange *const exchange = &http->exchange;
    void *memory = NULL;

    exchange->method = head->method;
    exchange->method_name = head->method_name;
    exchange->path = head->path;
    exchange->query = head->query;
    exchange->has_query = head->has_query;
    exchange->host = head->host;
    TRY(arena_alloc(exchange->arena, head->header_count * sizeof(struct http_header), &memory));
    if (head->header_count > 0) {
        memcpy(memory, head->headers, head->header_count * sizeof(struct http_header));
    }
    exchange->headers = memory;
    exchange->header_count = head->header_count;
    const enum err err = http_path_split(head->path, exchange->arena, &exchange->segments, &exchange->segment_count);

    exchange->path_ok = err == ERR_OK;
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return ERR_OK;
    }
    return err;
}

/* Answers a request that is none with that status, and closes. parsed: the head is, as far as it goes. */
enum http_refusal_head { HTTP_REFUSAL_BARE, HTTP_REFUSAL_PARSED };

static void refuse(struct http_conn *http, unsigned int status, enum http_refusal_head parsed)
{
    fault_clear();
    begin_exchange(http);
    http->close = true;
    if (parsed == HTTP_REFUSAL_PARSED && fill_exchange(http) != ERR_OK) {
        fault_clear();
    }
    if (!http->server->redirects && http->server->options.handler->on_refused != NULL) {
        http->server->options.handler->on_refused(http->server->options.context, &http->exchange, status);
    }
    if (http->state == HTTP_STATE_HANDLING) {
        respond_empty(http, status);
    }
}

static unsigned int status_of(enum err err)
{
    return err == ERR_RANGE ? 413 : err == ERR_NO_MEMORY || err == ERR_LIMIT ? 503 : 400;
}

static struct http_head_rules rules_of(const struct http_server *server)
{
    return (struct http_head_rules){
        .scheme = server->redirects ? span_lit("http") : span_lit("https"),
        .body_max = server->options.body_max,
    };
}

static void dispatch(struct http_conn *http, struct span body)
{
    struct loop *const loop = http->server->options.loop;

    begin_exchange(http);
    http->close = http->server->head.close;
    if (fill_exchange(http) != ERR_OK) {
        fault_clear();
        respond_empty(http, 503);
        return;
    }
    http->exchange.body = body;
    if (http->server->redirects) {
        http_redirect_respond(http->server, &http->exchange);
        return;
    }
    loop_timer_set(loop, &http->answer, http->exchange.deadline);
    http->server->options.handler->on_request(http->server->options.context, &http->exchange);
}

/* --- reading --- */

static enum err begin_chunks(struct http_conn *http)
{
    struct span head = SPAN_NONE;

    http->chunks = (struct http_chunks){.state = HTTP_CHUNK_SIZE};
    TRY(buf_new(HTTP_HEAD_MAX + http->server->options.body_max, &http->unchunked));
    TRY(buf_get(conn_in(http->conn), http->head_bytes, &head));
    return buf_put(http->unchunked, head);
}

/* The head is complete: parses it and says how its body comes. ERR_AGAIN: more is needed. */
static enum err take_head(struct http_conn *http)
{
    const struct http_head_rules rules = rules_of(http->server);
    const struct span bytes = buf_unread(conn_in(http->conn));
    struct http_head *const head = &http->server->head;

    TRY(http_head_parse(span_of(bytes.data, http->head_bytes), &rules, head));
    http->body_bytes = head->framing == HTTP_LENGTH ? head->body_bytes : 0;
    if (head->framing == HTTP_CHUNKED) {
        TRY(begin_chunks(http));
    }
    return ERR_OK;
}

/* The client waits for a word before it sends the body. */
static void invite_body(struct http_conn *http)
{
    if (conn_send(http->conn, span_lit("HTTP/1.1 100 Continue\r\n\r\n"), SPAN_NONE) == ERR_CLOSED) {
        http->state = HTTP_STATE_DONE;
    }
}

/* Is the body here? Chunks are decoded as far as they have come. */
static enum err take_body(struct http_conn *http)
{
    struct buf *const in = conn_in(http->conn);

    if (http->unchunked != NULL) {
        const enum err err = http_chunks_take(&http->chunks, http->server->options.body_max, in, http->unchunked);

        buf_compact(in);
        return err == ERR_AGAIN && conn_holds(http->conn, buf_len(http->unchunked)) != ERR_OK ? ERR_LIMIT : err;
    }
    return buf_unread(in).len >= http->head_bytes + http->body_bytes ? ERR_OK : ERR_AGAIN;
}

/* Parses the head where it lies now: the input may have moved while the body came. */
static enum err parse_again(struct http_conn *http)
{
    const struct http_head_rules rules = rules_of(http->server);
    const struct span bytes = http->unchunked != NULL ? buf_all(http->unchunked) : buf_unread(conn_in(http->conn));

    return http_head_parse(span_of(bytes.data, http->head_bytes), &rules, &http->server->head);
}

/* Refuses a request after its head. The answer needs the head too: without its Origin a web page could not read why. */
static void refuse_body(struct http_conn *http, unsigned int status)
{
    refuse(http, status, parse_again(http) == ERR_OK ? HTTP_REFUSAL_PARSED : HTTP_REFUSAL_BARE);
}

static void complete(struct http_conn *http)
{
    const struct span all = http->unchunked != NULL ? buf_all(http->unchunked) : buf_unread(conn_in(http->conn));
    const size_t end = http->unchunked != NULL ? all.len : http->head_bytes + http->body_bytes;

    if (parse_again(http) != ERR_OK) {
        refuse(http, 400, HTTP_REFUSAL_BARE);
        return;
    }
    dispatch(http, span_of(all.data + http->head_bytes, end - http->head_bytes));
}

/* Goes on with a request. ERR_OK: it was dispatched or refused; ERR_AGAIN: more is needed. */
static enum err step(struct http_conn *http)
{
    enum err err = ERR_OK;

    if (http->state == HTTP_STATE_IDLE) {
        http->state = HTTP_STATE_HEAD;
        conn_deadline(http->conn, CONFIG_NET_HTTP_HEADER_MS);
    }
    if (http->state == HTTP_STATE_HEAD) {
        err = http_head_end(buf_unread(conn_in(http->conn)), &http->scanned, &http->head_bytes);
        if (err == ERR_AGAIN) {
            return ERR_AGAIN;
        }
        if (err != ERR_OK) {
            refuse(http, status_of(err), HTTP_REFUSAL_BARE);
            return ERR_OK;
        }
        err = take_head(http);
        if (err != ERR_OK) {
            refuse(http, status_of(err), HTTP_REFUSAL_PARSED);
            return ERR_OK;
        }
        http->state = HTTP_STATE_BODY;
        err = take_body(http);
        if (err == ERR_OK && http->unchunked == NULL) { /* the usual case: nothing has moved */
            const struct span bytes = buf_unread(conn_in(http->conn));

            dispatch(http, span_of(bytes.data + http->head_bytes, http->body_bytes));
            return ERR_OK;
        }
        if (err == ERR_AGAIN) {
            conn_deadline(http->conn, CONFIG_NET_HTTP_BODY_MS);
            if (http->server->head.expects_continue) {
                invite_body(http);
            }
            return ERR_AGAIN;
        }
    } else {
        err = take_body(http);
    }
    if (err == ERR_OK) {
        complete(http);
    } else if (err != ERR_AGAIN) {
        refuse_body(http, status_of(err));
        err = ERR_OK;
    }
    return err;
}

static bool can_step(const struct http_conn *http)
{
    return !http->gone && (http->state == HTTP_STATE_IDLE || http->state == HTTP_STATE_HEAD ||
                           http->state == HTTP_STATE_BODY);
}

static bool has_input(const struct http_conn *http)
{
    return http->state != HTTP_STATE_IDLE || buf_unread(conn_in(http->conn)).len > 0;
}

static void pump(struct http_conn *http)
{
    size_t turns = 0;
    bool more = true;

    http->pumping = true;
    /* An idle connection has handed its input back, so the state is looked at first. */
    while (more && turns < CONFIG_NET_HTTP_PIPELINE_MAX) {
        more = step(http) == ERR_OK && can_step(http) && conn_is_busy(http->conn) && has_input(http);
        turns++;
    }
    http->pumping = false;
    if (more && http->again.link == NULL) {
        conn_pause(http->conn);
        loop_slice_start(http->server->options.loop, &http->again);
    } else if (!more && http->ended && can_step(http)) { /* what is left will never be complete */
        http->state = HTTP_STATE_DONE;
        conn_close(http->conn);
    }
}

static enum loop_slice_result pump_again(struct loop_slice *slice, struct mono_time until)
{
    struct http_conn *const http = (struct http_conn *)(void *)((uint8_t *)slice - offsetof(struct http_conn, again));
    (void)until;

    if (can_step(http) && conn_is_busy(http->conn)) {
        conn_resume(http->conn);
        pump(http);
    }
    return LOOP_SLICE_DONE;
}

/* --- what the connection tells --- */

static enum err on_open(void *context, struct conn *conn, void **out_state)
{
    struct http_server *const server = context;
    void *memory = NULL;

    ENSURE(!server->draining, ERR_CANCELLED, "the server stops");
    TRY(mem_alloc(sizeof(struct http_conn), &memory));
    struct http_conn *const http = memory;

    http->server = server;
    http->conn = conn;
    if (conn_tls(conn) != NULL) {
        http->tls = tls_info(conn_tls(conn));
    }
    http->answer.on_time = on_answer_deadline;
    http->again.run = pump_again;
    conn_deadline(conn, CONFIG_NET_HTTP_IDLE_MS);
    *out_state = http;
    return ERR_OK;
}

static void on_input(void *state, struct conn *conn)
{
    struct http_conn *const http = state;
    (void)conn;

    if (can_step(http) && http->again.link == NULL) {
        pump(http);
    }
}

static void on_sent(void *state, struct conn *conn)
{
    struct http_conn *const http = state;
    (void)conn;

    if (http->state == HTTP_STATE_SENDING) {
        finish_answer(http);
    }
}

static void on_deadline(void *state, struct conn *conn)
{
    struct http_conn *const http = state;

    if (http->state == HTTP_STATE_HEAD) {
        refuse(http, 408, HTTP_REFUSAL_BARE);
    } else if (http->state == HTTP_STATE_BODY) {
        refuse_body(http, 408);
    } else if (http->state == HTTP_STATE_IDLE) {
        http->state = HTTP_STATE_DONE;
        conn_close(conn);
    }
}

static void on_half_close(void *state, struct conn *conn)
{
    struct http_conn *const http = state;

    http->ended = true;
    if (can_step(http) && http->again.link == NULL) { /* nothing complete is left, and nothing more comes */
        http->state = HTTP_STATE_DONE;
        conn_close(conn);
    }
}

static void on_gone(void *state, struct conn *conn)
{
    struct http_conn *const http = state;
    (void)conn;

    http->gone = true;
    if (http->state == HTTP_STATE_HANDLING) {
        http_conn_cancel(http, ERR_CLOSED);
    } else {
        free_http_conn(http);
    }
}

const struct conn_handler http_conn_handler = {
    .on_open = on_open,
    .on_input = on_input,
    .on_sent = on_sent,
    .on_deadline = on_deadline,
    .on_half_close = on_half_close,
    .on_gone = on_gone,
};

