/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/cli/remote.h"

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/resolve.h"
#include "hal/socket.h"
#include "net/tls_client.h"

#define ADDRESSES_MAX 8
#define STEP_MS       30000U
#define ANSWER_MS     130000U /* an update that is synced before it is answered: the worker waits for two minutes */
#define CHUNK_BYTES   16384
#define HEAD_BYTES    4096

struct remote {
    struct remote_options options;
    struct tls_roots *roots;
    int fd; /* -1: not connected */
    unsigned int wait_ms;
    struct tls_client *tls;
    struct buf *head;
    struct buf *in;
};

/* --- bytes, below TLS --- */

static enum err way_send(void *context, struct span bytes, size_t *out_sent)
{
    const struct remote *const remote = context;

    for (;;) {
        TRY(socket_wait(remote->fd, SOCKET_WAIT_WRITE, STEP_MS));
        const enum err err = socket_send(remote->fd, bytes, out_sent);
        if (err != ERR_AGAIN) {
            return err;
        }
    }
}

static enum err way_receive(void *context, uint8_t *out_bytes, size_t max, size_t *out_len)
{
    const struct remote *const remote = context;

    for (;;) {
        TRY(socket_wait(remote->fd, SOCKET_WAIT_READ, remote->wait_ms));
        const enum err err = socket_receive(remote->fd, out_bytes, max, out_len);
        if (err != ERR_AGAIN) {
            return err;
        }
    }
}

/* --- the connection --- */

static void disconnect(struct remote *remote)
{
    tls_client_free(remote->tls);
    remote->tls = NULL;
    socket_close(remote->fd);
    remote->fd = -1;
}

static enum err connect_to(struct remote *remote, const struct socket_address *address)
{
    TRY(socket_connect(address, &remote->fd));
    TRY(socket_wait(remote->fd, SOCKET_WAIT_WRITE, STEP_MS));
    return socket_connected(remote->fd);
}

static enum err connect_to_one(struct remote *remote)
{
    struct socket_address addresses[ADDRESSES_MAX];
    size_t count = 0;
    enum err err = ERR_NOT_FOUND;

    TRY(resolve_name(remote->options.host, remote->options.port, ADDRESSES_MAX, addresses, &count));
    for (size_t i = 0; i < count; i++) {
        err = connect_to(remote, &addresses[i]);
        if (err == ERR_OK) {
            return ERR_OK;
        }
        disconnect(remote);
    }
    return err;
}

static enum err connect_all(struct remote *remote)
{
    const struct tls_way way = {.send = way_send, .receive = way_receive, .context = remote};

    remote->wait_ms = STEP_MS;
    TRY(connect_to_one(remote));
    return tls_client_new(remote->roots, remote->options.name, &way, &remote->tls);
}

enum err remote_new(const struct remote_options *options, struct remote **out_remote)
{
    SCOPED_REMOTE struct remote *remote = NULL;
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct remote), &memory));
    remote = memory;
    *remote = (struct remote){.options = *options, .fd = -1};
    TRY(tls_roots_new(TLS_ROOTS_PINNED, options->ca, &remote->roots));
    TRY(buf_new(HEAD_BYTES, &remote->head));
    TRY(buf_new(ANSWER_MAX, &remote->in));
    *out_remote = TAKE(remote);
    return ERR_OK;
}

void remote_free(struct remote *remote)
{
    if (remote == NULL) {
        return;
    }
    disconnect(remote);
    tls_roots_free(remote->roots);
    buf_free(remote->head);
    buf_free(remote->in);
    mem_free(remote);
}

/* Has the box ended it meanwhile, as it does with one on which nothing was asked for a minute? Between an answer and the next
 * request it has nothing else to say. */
static bool is_over(const struct remote *remote)
{
    const bool over = socket_wait(remote->fd, SOCKET_WAIT_READ, 0) == ERR_OK;

    fault_clear();
    return over;
}

/* --- a request --- */

static enum err write_head(struct remote *remote, const struct remote_ask *ask)
{
    char port[SPAN_U64_TEXT_MAX];
    char length[SPAN_U64_TEXT_MAX];
    const struct span parts[] = {
        span_str(ask->method), span_lit(" "), ask->path, span_lit(" HTTP/1.1\r\nHost: "),
        remote->options.name, span_lit(":"), span_from_u64(remote->options.port, port),
        span_lit("\r\nUser-Agent: rowlock\r\nAccept: application/json\r\n"),
        ask->bearer.len != 0 ? span_lit("Authorization: Bearer ") : SPAN_NONE, ask->bearer,
        ask->bearer.len != 0 ? span_lit("\r\n") : SPAN_NONE,
        ask->body.len != 0 ? span_lit("Content-Type: ") : SPAN_NONE, ask->body.len != 0 ? ask->type : SPAN_NONE,
        ask->body.len != 0 ? span_lit("\r\n") : SPAN_NONE,
        span_lit("Content-Length: "), span_from_u64(ask->body.len, length), span_lit("\r\n\r\n"),
    };

    buf_reset(remote->head);
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        TRY(buf_put(remote->head, parts[i]));
    }
    return ERR_OK;
}

static enum err receive(void *context, struct buf *in)
{
    struct remote *const remote = context;
    const size_t room = num_min(buf_room(in), CHUNK_BYTES);
    uint8_t *at = NULL;
    size_t len = 0;

    ENSURE(room != 0, ERR_RANGE, "an answer that is too long");
    TRY(buf_reserve(in, room, &at));
    TRY(tls_client_receive(remote->tls, at, room, &len));
    buf_commit(in, len);
    return ERR_OK;
}

static enum err exchange(struct remote *remote, const struct remote_ask *ask, struct answer *out_answer)
{
    const struct answer_source source = {.receive = receive, .context = remote};

    if (remote->fd >= 0 && is_over(remote)) {
        disconnect(remote);
    }
    if (remote->fd < 0) {
        TRY(connect_all(remote));
    }
    buf_wipe(remote->in); /* of before: it may hold tokens */
    TRY(write_head(remote, ask));
    TRY(tls_client_send(remote->tls, buf_all(remote->head)));
    if (ask->body.len != 0) {
        TRY(tls_client_send(remote->tls, ask->body));
    }
    remote->wait_ms = ANSWER_MS;
    return answer_read(&source, remote->in, out_answer);
}

enum err remote_send(struct remote *remote, const struct remote_ask *ask, struct answer *out_answer)
{
    struct answer answer = {.status = 0};

    const enum err err = exchange(remote, ask, &answer);
    if (err != ERR_OK || answer.closes) {
        disconnect(remote);
    }
    TRY(err);
    *out_answer = answer;
    return ERR_OK;
}
