/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Everything of a reactor is made, used and freed on its own thread; the main thread only posts to its loop. */
#include "firmware/worker/reactor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "firmware/data/data.h"
#include "firmware/worker/keeper_link.h"
#include "firmware/worker/mailer.h"
#include "firmware/worker/timekeeper.h"
#include "firmware/worker/relay.h"
#include "firmware/worker/worker.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/log_limit.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/socket.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/stack.h"
#include "net/tls.h"

#define PLAIN_BYTES_MAX ((size_t)65536) /* of a request on the plain port and its answer: headers only */
/* Posts that may wait at once: completions of all that the writer, the hash pool and the courier hold, of the requests of
 * one turn, ways for the courier (OUTBOUND_WAYS_MAX of a job), and a few of ours.
 * A completion that finds no room would stop the program. */
#define POSTS_MAX                                                                                                      \
    (CONFIG_STORAGE_WRITE_QUEUE + CONFIG_STORAGE_GROUP_MAX + CONFIG_AUTH_HASH_QUEUE + CONFIG_AUTH_HASH_THREADS +        \
     CONFIG_COURIER_JOBS + 1024)

/* What a reactor listens on: two ports of the kernel's sockets, the same of the stack in user space, and that of the
 * administrator, which is the kernel's. */
enum server_kind { SERVER_HTTPS, SERVER_HTTP, SERVER_LWIP_HTTPS, SERVER_LWIP_HTTP, SERVER_ADMIN, SERVERS };

struct own_post {
    struct loop_post post; /* first: the loop hands this back */
    struct reactor *reactor;
};

struct reactor {
    const struct reactor_plan *plan;
    struct reactor_parts parts;
    pthread_t thread;
    struct loop *loop;
    struct stack *stack;
    struct stack *lwip; /* NULL: another reactor owns it, or nobody */
    bool has_lwip;         /* the same, for the main thread */
    struct relays *relays; /* over it */
    struct log_limit reach_lines; /* the main thread's */
    struct keeper_link *link;
    struct tls_server *tls;
    struct api *api;
    struct http_server *servers[SERVERS]; /* NULL: no such port */
    struct mailer *mailer;    /* of index 0, where something can be sent; else NULL */
    atomic_uint mail_notes;   /* for it, on their way */
    struct timekeeper *timekeeper; /* the same */
    struct reactor_event time;
    struct timekeeper_word word; /* with that event, until the main thread has heard it */
    atomic_bool telling_time;
    size_t draining;          /* of servers, mailer and timekeeper: those that have not drained yet */
    struct own_post drain;
    struct own_post mails;
    struct own_post ask;
    struct own_post heard;
    struct reactor_event ready;
    struct reactor_event alive;
    struct reactor_event ended;
    struct reactor_event addresses;
    struct socket_address told[STACK_LWIP_ADDRESSES_MAX]; /* with that event, until the main thread has heard it */
    size_t told_count;
    struct socket_address now[STACK_LWIP_ADDRESSES_MAX];
    size_t now_count;
    bool telling;     /* the event is on its way, or the answer to it */
    bool has_changed; /* since it went */
    struct log_hold lines; /* of one turn: requests share the write of their lines */
};

struct cert_post {
    struct loop_post post; /* first: the loop hands this back */
    struct reactor *reactor;
    uint32_t number;
    size_t pem_len;
    uint8_t pem[];
};

struct reach_post {
    struct loop_post post; /* first: the loop hands this back */
    struct reactor *reactor;
    struct relay_to to;
    int fd;
};

static enum err make_api(struct reactor *reactor)
{
    const struct tls_server_options tls = {
        .signer = keeper_link_signer(reactor->link),
        .ticket_keys = reactor->plan->ticket_keys,
        .ticket_slot = reactor->parts.index,
        .slab = reactor->plan->slab,
    };
    const struct api_options api = {
        .mail_hold_ms = CONFIG_API_MAIL_HOLD_MS,
        .loop = reactor->loop,
        .limits = reactor->plan->limits,
        .clock = &reactor->plan->calendar.base,
        .calendar = &reactor->plan->calendar,
        .reactor = reactor->parts.index,
        .data = reactor->plan->data,
        .state = reactor->plan->state,
        .reason = reactor->plan->reason,
        .version = reactor->plan->version,
        .url = reactor->plan->url,
        .unlock = keeper_link_unlock(reactor->link),
        .keeper = keeper_link_keeper(reactor->link),
        .hashes = reactor->plan->hashes,
        .setup = &reactor->plan->setup,
        .outbound = reactor->plan->outbound,
        .updates = reactor->plan->updates,
        .plans = reactor->plan->plans,
        .time = {.read = reactor->plan->times != NULL ? timekeeper_read : NULL,
                 .context = reactor->plan->times,
                 .is_set = reactor->plan->sets_clock},
        .about = reactor->plan->about,
    };

    TRY(tls_server_new(&tls, &reactor->tls));
    TRY(api_new(&api, &reactor->api));
    return ERR_OK;
}

static enum err make_server(struct reactor *reactor, enum server_kind kind, struct stack *stack,
                            struct stack_socket *take_listener)
{
    struct http_server **const out_server = &reactor->servers[kind];
    const bool is_data_only = reactor->plan->admin_apart && kind != SERVER_ADMIN;
    const struct http_server_options server = {
        .loop = reactor->loop,
        .stack = stack,
        .tls = reactor->tls,
        .limits = reactor->plan->limits,
        .handler = is_data_only ? api_data_handler() : api_handler(),
        .context = reactor->api,
        .body_max = CONFIG_API_REQUEST_BODY_MAX,
        .response_max = CONFIG_API_RESPONSE_MAX,
        .arena_max = (size_t)CONFIG_WORKER_ARENA_KIB << 10,
    };
    enum err err = http_server_new(&server, out_server);

    err = err != ERR_OK ? err : http_server_listen(*out_server, take_listener);
    if (err != ERR_OK) {
        stack->ops->close(take_listener);
        TRY(err);
    }
    return ERR_OK;
}

static enum err make_redirect(struct reactor *reactor, struct stack *stack, struct stack_socket *take_listener,
                              struct http_server **out_server)
{
    const struct http_server_options plain = {
        .loop = reactor->loop,
        .stack = stack,
        .limits = reactor->plan->limits,
        .response_max = PLAIN_BYTES_MAX,
        .arena_max = PLAIN_BYTES_MAX,
    };

    enum err err = http_redirect_new(&plain, reactor->plan->https_port, out_server);

    err = err != ERR_OK ? err : http_server_listen(*out_server, take_listener);
    if (err != ERR_OK) {
        stack->ops->close(take_listener);
        TRY(err);
    }
    return ERR_OK;
}

static enum err listen_in_kernel(struct reactor *reactor)
{
    struct stack_socket *socket = NULL;

    TRY(stack_kernel_new(reactor->loop, &reactor->stack));
    if (reactor->parts.https_fd >= 0) {
        TRY(stack_kernel_adopt(reactor->stack, reactor->parts.https_fd, &socket));
        reactor->parts.https_fd = -1;
        TRY(make_server(reactor, SERVER_HTTPS, reactor->stack, socket));
    }
    if (reactor->parts.admin_fd >= 0) {
        TRY(stack_kernel_adopt(reactor->stack, reactor->parts.admin_fd, &socket));
        reactor->parts.admin_fd = -1;
        TRY(make_server(reactor, SERVER_ADMIN, reactor->stack, socket));
    }
    if (reactor->parts.http_fd >= 0) {
        TRY(stack_kernel_adopt(reactor->stack, reactor->parts.http_fd, &socket));
        reactor->parts.http_fd = -1;
        TRY(make_redirect(reactor, reactor->stack, socket, &reactor->servers[SERVER_HTTP]));
    }
    return ERR_OK;
}

/* --- the stack in user space --- */

/* The main thread reads what was told and answers; only then the next news go. */
static void tell_addresses(struct reactor *reactor)
{
    memcpy(reactor->told, reactor->now, sizeof(reactor->told));
    reactor->told_count = reactor->now_count;
    reactor->telling = true;
    reactor->has_changed = false;
    INVARIANT(queue_push(reactor->plan->events, &reactor->addresses) == ERR_OK); /* one at a time */
}

static void on_addresses(void *context, const struct socket_address *addresses, size_t count)
{
    struct reactor *const reactor = context;

    memcpy(reactor->now, addresses, count * sizeof(*addresses));
    reactor->now_count = count;
    reactor->has_changed = true;
    if (!reactor->telling) {
        tell_addresses(reactor);
    }
}

static void on_heard(struct loop_post *post)
{
    struct reactor *const reactor = ((struct own_post *)post)->reactor;

    reactor->telling = false;
    if (reactor->has_changed) {
        tell_addresses(reactor);
    }
}

void reactor_addresses(struct reactor *reactor, struct socket_address *out_addresses, size_t *out_count)
{
    memcpy(out_addresses, reactor->told, reactor->told_count * sizeof(*out_addresses));
    *out_count = reactor->told_count;
    if (loop_post(reactor->loop, &reactor->heard.post) != ERR_OK) {
        fault_clear(); /* it is ending, and has nothing more to tell */
    }
}

static enum err listen_in_lwip(struct reactor *reactor)
{
    struct stack_lwip_options options = reactor->parts.net;
    struct stack_socket *socket = NULL;

    options.loop = reactor->loop;
    options.slab = reactor->plan->slab;
    options.on_addresses = on_addresses;
    options.context = reactor;
    TRY(stack_lwip_new(&options, TAKE(reactor->parts.frame), &reactor->lwip));
    TRY(relays_new(reactor->loop, reactor->lwip, reactor->stack, &reactor->relays));
    TRY(stack_lwip_listen(reactor->lwip, reactor->plan->https_port, &socket));
    TRY(make_server(reactor, SERVER_LWIP_HTTPS, reactor->lwip, socket));
    if (reactor->plan->http_port != 0) {
        TRY(stack_lwip_listen(reactor->lwip, reactor->plan->http_port, &socket));
        TRY(make_redirect(reactor, reactor->lwip, socket, &reactor->servers[SERVER_LWIP_HTTP]));
    }
    return ERR_OK;
}

/* One reactor does it for all: the queue is one. */
static enum err make_mailer(struct reactor *reactor)
{
    const struct reactor_plan *const plan = reactor->plan;

    if (reactor->parts.index == 0 && plan->data != NULL && plan->outbound.submit != NULL) {
        TRY(mailer_new(reactor->loop, plan->data, plan->outbound, &reactor->mailer));
    }
    return ERR_OK;
}

/* --- the time --- */

static void read_time_settings(void *context, struct network_time *out_time)
{
    const struct reactor *const reactor = context;

    network_time_read(api_catalog(reactor->api), out_time);
}

/* One that the main thread has not come to yet is worth more than none, and the next follows. */
static void tell_time(void *context, const struct timekeeper_word *word)
{
    struct reactor *const reactor = context;

    if (!atomic_load(&reactor->telling_time)) {
        reactor->word = *word;
        atomic_store(&reactor->telling_time, true);
        INVARIANT(queue_push(reactor->plan->events, &reactor->time) == ERR_OK); /* one at a time */
    }
}

void reactor_time(struct reactor *reactor, struct timekeeper_word *out_word)
{
    *out_word = reactor->word;
    atomic_store(&reactor->telling_time, false);
}

static enum err make_timekeeper(struct reactor *reactor)
{
    const struct reactor_plan *const plan = reactor->plan;
    const struct timekeeper_options options = {.loop = reactor->loop,
                                               .clock = plan->calendar.clock,
                                               .outbound = plan->outbound,
                                               .settings = read_time_settings,
                                               .tell = tell_time,
                                               .context = reactor,
                                               .cell = plan->times};

    if (reactor->parts.index == 0 && plan->data != NULL && plan->outbound.submit != NULL) {
        TRY(timekeeper_new(&options, &reactor->timekeeper));
    }
    return ERR_OK;
}

static enum err set_up(struct reactor *reactor)
{
    TRY(keeper_link_new(reactor->loop, reactor->parts.channel, &reactor->link));
    reactor->parts.channel = NULL;
    TRY(make_api(reactor));
    TRY(listen_in_kernel(reactor));
    if (CONFIG_ON(NET_STACK_LWIP) && reactor->parts.frame != NULL) {
        TRY(listen_in_lwip(reactor));
    }
    TRY(make_mailer(reactor));
    TRY(make_timekeeper(reactor));
    return ERR_OK;
}

static void drop_parts(struct reactor_parts *parts)
{
    msg_channel_free(parts->channel);
    socket_close(parts->https_fd);
    socket_close(parts->admin_fd);
    socket_close(parts->http_fd);
    hal_frame_close(parts->frame);
}

/* In the reverse order of set_up, whatever of it was reached. */
static void tear_down(struct reactor *reactor)
{
    timekeeper_free(reactor->timekeeper);
    mailer_free(reactor->mailer);
    for (size_t i = 0; i < SERVERS; i++) {
        http_server_free(reactor->servers[i]);
    }
    api_free(reactor->api);
    tls_server_free(reactor->tls);
    keeper_link_free(reactor->link);
    relays_free(reactor->relays);
    stack_free(reactor->lwip);
    stack_free(reactor->stack);
    drop_parts(&reactor->parts);
}

static void *run(void *argument)
{
    struct reactor *const reactor = argument;

    log_hold_begin(&reactor->lines);
    enum err err = set_up(reactor);
    if (err == ERR_OK) {
        INVARIANT(queue_push(reactor->plan->events, &reactor->ready) == ERR_OK); /* there is room for every event */
        err = loop_run(reactor->loop);
    }
    if (err != ERR_OK) {
        log_fault(LOG_ERROR, "reactor_failed");
    }
    tear_down(reactor);
    log_hold_end();
    reactor->ended.err = err;
    INVARIANT(queue_push(reactor->plan->events, &reactor->ended) == ERR_OK);
    return NULL;
}

static void on_drained(void *context)
{
    struct reactor *const reactor = context;

    reactor->draining--;
    if (reactor->draining == 0) {
        loop_stop(reactor->loop);
    }
}

static void on_drain(struct loop_post *post)
{
    struct reactor *const reactor = ((struct own_post *)post)->reactor;

    reactor->draining = (reactor->mailer != NULL ? 1u : 0u) + (reactor->timekeeper != NULL ? 1u : 0u);
    for (size_t i = 0; i < SERVERS; i++) {
        reactor->draining += reactor->servers[i] != NULL;
    }
    if (reactor->mailer != NULL) {
        mailer_drain(reactor->mailer, on_drained, reactor);
    }
    if (reactor->timekeeper != NULL) {
        timekeeper_drain(reactor->timekeeper, on_drained, reactor);
    }
    for (size_t i = 0; i < SERVERS; i++) {
        if (reactor->servers[i] != NULL) {
            http_server_drain(reactor->servers[i], WORKER_GRACE_MS, on_drained, reactor);
        }
    }
}

static void on_ask(struct loop_post *post)
{
    struct reactor *const reactor = ((struct own_post *)post)->reactor;

    if (reactor->parts.index == 0 && reactor->plan->data != NULL) {
        data_keep(reactor->plan->data);
    }
    INVARIANT(queue_push(reactor->plan->events, &reactor->alive) == ERR_OK); /* the main thread asks once at a time */
}

static void on_mails(struct loop_post *post)
{
    struct reactor *const reactor = ((struct own_post *)post)->reactor;
    const unsigned int notes = atomic_exchange(&reactor->mail_notes, 0);

    if (reactor->mailer != NULL) {
        mailer_note(reactor->mailer, notes);
    }
}

static void on_cert(struct loop_post *post)
{
    struct cert_post *const cert = (struct cert_post *)post;

    if (tls_server_cert(cert->reactor->tls, cert->number, span_of(cert->pem, cert->pem_len)) != ERR_OK) {
        log_fault(LOG_ERROR, "certificate_refused");
    }
    mem_free(cert);
}

/* What a reactor that never ran was given. */
static void give_up(struct reactor *reactor)
{
    loop_free(reactor->loop);
    tear_down(reactor);
    mem_free(reactor);
}

enum err reactor_start(const struct reactor_plan *plan, struct reactor_parts *take_parts, struct reactor **out_reactor)
{
    void *memory = NULL;
    struct reactor_parts parts = *take_parts;

    *take_parts = (struct reactor_parts){.index = take_parts->index, .https_fd = -1, .http_fd = -1, .admin_fd = -1};
    enum err err = mem_alloc(sizeof(struct reactor), &memory);
    if (err != ERR_OK) {
        drop_parts(&parts);
        TRY(err);
    }
    struct reactor *const reactor = memory;
    reactor->parts = parts;
    reactor->has_lwip = CONFIG_ON(NET_STACK_LWIP) && parts.frame != NULL;
    reactor->plan = plan;
    reactor->drain = (struct own_post){.post = {.run = on_drain}, .reactor = reactor};
    reactor->ask = (struct own_post){.post = {.run = on_ask}, .reactor = reactor};
    reactor->heard = (struct own_post){.post = {.run = on_heard}, .reactor = reactor};
    reactor->addresses = (struct reactor_event){.kind = REACTOR_ADDRESSES, .reactor = reactor};
    reactor->time = (struct reactor_event){.kind = REACTOR_TIME, .reactor = reactor};
    reactor->mails = (struct own_post){.post = {.run = on_mails}, .reactor = reactor};
    reactor->alive = (struct reactor_event){.kind = REACTOR_ALIVE, .reactor = reactor};
    reactor->ready = (struct reactor_event){.kind = REACTOR_READY, .reactor = reactor};
    reactor->ended = (struct reactor_event){.kind = REACTOR_ENDED, .reactor = reactor};
    err = loop_new(&plan->calendar.base, POSTS_MAX, &reactor->loop);
    if (err == ERR_OK && pthread_create(&reactor->thread, NULL, run, reactor) != 0) {
        err = ERR_LIMIT;
    }
    if (err != ERR_OK) {
        give_up(reactor);
        FAIL(err, "no thread for a reactor", plan->state);
    }
    *out_reactor = reactor;
    return ERR_OK;
}

enum err reactor_cert(struct reactor *reactor, uint32_t number, struct span chain_pem)
{
    size_t bytes = 0;
    void *memory = NULL;

    TRY(num_add(sizeof(struct cert_post), chain_pem.len, &bytes));
    TRY(mem_alloc(bytes, &memory));
    struct cert_post *const cert = memory;
    cert->post.run = on_cert;
    cert->reactor = reactor;
    cert->number = number;
    cert->pem_len = chain_pem.len;
    memcpy(cert->pem, chain_pem.data, chain_pem.len);
    const enum err err = loop_post(reactor->loop, &cert->post);
    if (err != ERR_OK) {
        mem_free(cert);
        TRY(err);
    }
    return ERR_OK;
}

enum err reactor_ask(struct reactor *reactor)
{
    TRY(loop_post(reactor->loop, &reactor->ask.post));
    return ERR_OK;
}

void reactor_mails(struct reactor *reactor, unsigned int notes)
{
    if (atomic_fetch_or(&reactor->mail_notes, notes) == 0 && loop_post(reactor->loop, &reactor->mails.post) != ERR_OK) {
        fault_clear(); /* it is ending; the next start looks at the queue */
        atomic_store(&reactor->mail_notes, 0);
    }
}

static void on_reach(struct loop_post *post)
{
    struct reach_post *const reach = (struct reach_post *)post;

    if (reach->reactor->relays != NULL) {
        relays_open(reach->reactor->relays, &reach->to, reach->fd);
    } else {
        socket_close(reach->fd);
    }
    mem_free(reach);
}

static void open_reach(void *context, const struct relay_to *to, int take_fd)
{
    struct reactor *const reactor = context;
    void *memory = NULL;
    enum err err = mem_alloc(sizeof(struct reach_post), &memory);

    if (err == ERR_OK) {
        struct reach_post *const reach = memory;
        *reach = (struct reach_post){.post = {.run = on_reach}, .reactor = reactor, .to = *to, .fd = take_fd};
        err = loop_post(reactor->loop, &reach->post);
    }
    if (err != ERR_OK) {
        log_limit_fault(&reactor->reach_lines, hal_clock_mono(hal_clock_system()), LOG_WARN, "not_relayed");
        mem_free(memory);
        socket_close(take_fd);
    }
}

struct outbound_reach reactor_reach(struct reactor *reactor)
{
    return (struct outbound_reach){.open = reactor->has_lwip ? open_reach : NULL, .context = reactor};
}

void reactor_drain(struct reactor *reactor)
{
    if (loop_post(reactor->loop, &reactor->drain.post) != ERR_OK) {
        log_fault(LOG_WARN, "reactor_not_drained");
        loop_stop(reactor->loop);
    }
}

void reactor_join(struct reactor *reactor)
{
    if (reactor == NULL) {
        return;
    }
    INVARIANT(pthread_join(reactor->thread, NULL) == 0);
    loop_free(reactor->loop);
    mem_free(reactor);
}
