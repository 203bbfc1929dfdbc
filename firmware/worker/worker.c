/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Start: descriptors and orders from the supervisor -> give up rights -> certificate and ticket keys from the keeper ->
 * open the rows, if the state allows -> start the reactors -> say ready. From then on the main thread waits for the
 * supervisor, the keeper's notices and the ends of reactors.
 *
 * Locked, failed or unprovisioned it is the same program with no rows: the API's table of routes decides what is legal.
 * A database that does not open makes the state failed; the worker goes on and says so. */
#include "firmware/worker/worker.h"

#include "crypto/aead.h"
#include "crypto/crypto.h"
#include "crypto/random.h"
#include "crypto/x509.h"
#include "firmware/worker/frames.h"
#include "firmware/worker/tickets.h"
#include "firmware/worker/worker_int.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/board.h"
#include "hal/process.h"
#include "hal/sandbox.h"
#include "hal/socket.h"
#include "net/json.h"
#include "net/tls.h"

#define OPEN_FILES_MORE  512 /* besides connections: listeners, channels, queues, the database */
#define LOCKED_BYTES    ((size_t)8 << 20) /* what an ordinary user may lock; fewer secrets than that */
#define LIMIT_KEYS       32768
#define EVENTS           16

/* --- orders and descriptors --- */

static enum err take_fd(struct worker *worker)
{
    const int fd = worker->in.fd;
    const uint32_t index = worker->in.as.with_fd.index;

    worker->in.fd = -1;
    switch ((enum msg_fd_kind)worker->in.as.with_fd.kind) {
    case MSG_FD_CALLS:
        worker->calls_fd = fd;
        return ERR_OK;
    case MSG_FD_NOTICES:
        worker->notices_fd = fd;
        return ERR_OK;
    case MSG_FD_HTTP:
        worker->parts[0].http_fd = fd;
        return ERR_OK;
    case MSG_FD_HTTPS:
        INVARIANT(index < MSG_REACTORS_MAX);
        worker->parts[index].https_fd = fd;
        return ERR_OK;
    case MSG_FD_REACTOR:
        INVARIANT(index < MSG_REACTORS_MAX);
        TRY(channel_set_nonblocking(fd));
        TRY(msg_channel_new(fd, MSG_REACTOR, MSG_LOWER, &worker->parts[index].channel));
        return ERR_OK;
    case MSG_FD_GENERATION:
        TRY(hal_vmgenid_take_fd(fd, &worker->vmgenid));
        TRY(hal_vmgenid_read(worker->vmgenid, worker->generation));
        return ERR_OK;
    case MSG_FD_UPDATES:
        worker->updates_fd = fd;
        return ERR_OK;
    case MSG_FD_ADMIN:
        worker->parts[0].admin_fd = fd;
        worker->plan.admin_apart = true;
        return ERR_OK;
    case MSG_FD_KINDS:
        break;
    }
    FAIL(ERR_MALFORMED, "no such kind of descriptor", fd);
}

static enum err receive_start(struct worker *worker)
{
    for (;;) {
        TRY(msg_recv(worker->control, MSG_STARTING, &worker->in));
        if (worker->in.type == MSG_WORKER_START) {
            break;
        }
        ENSURE(worker->in.type != MSG_WORKER_STOP, ERR_CANCELLED, "stopped before the start");
        TRY(worker->in.type == MSG_WORKER_FRAMES ? frames_take(&worker->in, &worker->parts[0]) : take_fd(worker));
    }
    worker->reactor_count = worker->in.as.worker_start.reactors;
    worker->shown = worker->in.as.worker_start.first == 1 ? DATA_BOOTSTRAP_UNSEEN : DATA_BOOTSTRAP_SHOWN;
    worker->plan.state = (enum board_state)worker->in.as.worker_start.state;
    worker->plan.reason = (enum life_reason)worker->in.as.worker_start.reason;
    worker->plan.http_port = (uint16_t)worker->in.as.worker_start.http_port;
    worker->plan.https_port = (uint16_t)worker->in.as.worker_start.https_port;
    worker->url = worker->in.as.worker_start.url;
    worker->plan.sets_clock = worker->in.as.worker_start.sets_clock == 1;
    worker->date = (struct wall_time){(int64_t)worker->in.as.worker_start.date_ms};
    worker->plan.url = MSG_VIEW(&worker->url);
    return ERR_OK;
}

static enum err give_up_rights(struct worker *worker)
{
    TRY(sandbox_drop_user(board_desc.worker_uid, board_desc.worker_gid));
    TRY(datadir_take_fd(WORKER_FD_DIRECTORY, &worker->dir));
    const struct sandbox_spec spec = {
        .profile = SANDBOX_WORKER,
        .directory_fd = datadir_fd(worker->dir),
    };
    return sandbox_enter(&spec);
}

/* --- what the keeper tells --- */

/* A reactor that cannot take it keeps the certificate it has. */
static void cert_to(struct worker *worker, struct reactor *reactor)
{
    if (reactor_cert(reactor, worker->cert_number, buf_all(worker->cert_pem)) != ERR_OK) {
        log_fault(LOG_ERROR, "certificate_not_taken");
    }
}

static enum err take_cert(struct worker *worker)
{
    buf_reset(worker->cert_pem);
    TRY(x509_to_pem(MSG_VIEW(&worker->in.as.cert.leaf), worker->cert_pem));
    worker->cert_number = worker->in.as.cert.number;
    for (size_t i = 0; i < worker->reactor_count && worker->reactors[i] != NULL; i++) {
        cert_to(worker, worker->reactors[i]);
    }
    return ERR_OK;
}

static enum err take_notice(struct worker *worker)
{
    TRY(msg_recv(worker->notices, worker->state, &worker->in));
    const enum err err = worker->in.type == MSG_CERT ? take_cert(worker)
                                                         : tickets_publish(&worker->in, worker->plan.ticket_keys);
    msg_wipe(&worker->in);
    TRY(err);
    return ERR_OK;
}

/* --- reactors --- */

static enum err make_shared(struct worker *worker)
{
    uint8_t seed[LIMITS_SEED_BYTES];
    uint8_t names_seed[4];

    random_fill(worker->random, names_seed, sizeof(names_seed));
    json_seed(get_u32be(names_seed));
    hal_onward_init(&worker->plan.calendar, hal_clock_system());
    hal_onward_saw(&worker->plan.calendar, worker->date);
    worker->plan.slab = worker->slab;
    random_fill(worker->random, seed, sizeof(seed));
    TRY(limits_new(LIMIT_KEYS, seed, &worker->plan.limits));
    TRY(snapshot_cell_new(MSG_REACTORS_MAX, NULL, &worker->plan.ticket_keys));
    TRY(snapshot_cell_new(MSG_REACTORS_MAX, NULL, &worker->plan.times));
    TRY(queue_new((size_t)REACTOR_EVENTS * MSG_REACTORS_MAX + REACTOR_WRITER_EVENTS,
                  &worker->plan.events));
    return ERR_OK;
}

static enum err on_ready(struct worker *worker)
{
    const struct msg ready = MSG_NEW(MSG_WORKER_READY);

    worker->ready++;
    if (worker->ready == worker->reactor_count && worker->state != MSG_STOPPING) {
        worker->state = worker->plan.data != NULL ? MSG_OPERATIONAL : MSG_LOCKED;
        TRY(msg_send(worker->control, &ready));
        LOG(LOG_INFO, "worker_ready", LOG_LITERAL("state", life_state_name(worker->plan.state)),
            LOG_NUMBER("reactors", worker->reactor_count));
    }
    return ERR_OK;
}

/* The supervisor hears of life when every thread that serves connections has shown some. */
static enum err on_alive(struct worker *worker)
{
    const struct msg answer = MSG_NEW(MSG_WORKER_ANSWER);

    worker->asked--;
    if (worker->asked == 0 && worker->state != MSG_STOPPING) {
        TRY(msg_send(worker->control, &answer));
    }
    return ERR_OK;
}

static enum err on_ask(struct worker *worker)
{
    ENSURE(worker->asked == 0, ERR_STATE, "asked again before the answer");
    for (size_t i = 0; i < worker->reactor_count; i++) {
        TRY(reactor_ask(worker->reactors[i]));
        worker->asked++;
    }
    return ERR_OK;
}

static enum err tell_time(struct worker *worker, struct reactor *reactor)
{
    struct timekeeper_word word;
    struct msg *const msg = &worker->out;

    reactor_time(reactor, &word);
    *msg = MSG_NEW(MSG_WORKER_TIME);
    msg->as.worker_time.unix_ns = word.reading.unix_ns;
    msg->as.worker_time.at_ns = word.reading.at.ns;
    msg->as.worker_time.authenticated = word.reading.authenticated ? 1 : 0;
    TRY(MSG_SET(&msg->as.worker_time.source, span_str(word.source)));
    return msg_send(worker->control, msg);
}

static enum err on_reactor(struct worker *worker)
{
    void *item = NULL;

    const enum err err = queue_pop(worker->plan.events, &item);
    if (err == ERR_AGAIN) {
        return ERR_OK;
    }
    TRY(err);
    const struct reactor_event *const event = item;
    switch (event->kind) {
    case REACTOR_READY:
        TRY(on_ready(worker));
        return ERR_OK;
    case REACTOR_ALIVE:
        TRY(on_alive(worker));
        return ERR_OK;
    case REACTOR_ENDED:
        worker->running--;
        ENSURE(event->err == ERR_OK && worker->state == MSG_STOPPING, ERR_CANCELLED, "a reactor ended by itself");
        return ERR_OK;
    case REACTOR_ADDRESSES:
        return frames_tell(event->reactor, worker->control);
    case REACTOR_TIME:
        return tell_time(worker, event->reactor);
    case REACTOR_MAILS:
        reactor_mails(worker->reactors[0], atomic_exchange(&worker->mail_notes, 0));
        return ERR_OK;
    case REACTOR_ROWS_CLOSED:
        FAIL(ERR_CLOSED, "the rows can only be opened anew", 0); /* by the next worker */
    }
    FAIL(ERR_BUG, "no such event", event->kind);
}

/* Reactors start one after the other and have their certificate before they are counted as ready: posts to a loop are
 * carried out in order, and so are its first connections. */
static enum err start_reactors(struct worker *worker)
{
    for (size_t i = 0; i < worker->reactor_count; i++) {
        worker->parts[i].index = i;
        TRY(reactor_start(&worker->plan, &worker->parts[i], &worker->reactors[i]));
        worker->running++;
        cert_to(worker, worker->reactors[i]);
    }
    return ERR_OK;
}

static void stop_reactors(struct worker *worker)
{
    for (size_t i = 0; i < worker->reactor_count && worker->reactors[i] != NULL; i++) {
        reactor_drain(worker->reactors[i]);
    }
}

/* --- the main thread --- */

static enum err on_control(struct worker *worker)
{
    const enum err err = msg_recv(worker->control, worker->state, &worker->in);

    if (err == ERR_AGAIN) {
        return ERR_OK;
    }
    TRY(err);
    if (worker->in.type == MSG_WORKER_STOP && worker->state != MSG_STOPPING) {
        worker->state = MSG_STOPPING;
        outbound_link_stop(worker->outbound);
        stop_reactors(worker);
    } else if (worker->in.type == MSG_WORKER_ASK) {
        TRY(on_ask(worker));
    } else if (worker->in.type == MSG_WORKER_PLANNED) {
        TRY(plan_link_answer(worker->plans, &worker->in));
    } else if (worker->in.type == MSG_WORKER_COURIER) {
        const int fd = worker->in.fd;
        worker->in.fd = -1;
        TRY(outbound_link_courier(worker->outbound, worker->in.as.list, fd));
    }
    return ERR_OK;
}

static enum err on_notice(struct worker *worker)
{
    const enum err err = take_notice(worker);

    if (err == ERR_AGAIN) {
        fault_clear();
        return ERR_OK;
    }
    if (err == ERR_CLOSED) {
        fault_clear(); /* the keeper died; open connections go on until the supervisor replaces this worker */
        TRY(poller_remove(worker->poller, worker->notices_fd));
        return ERR_OK;
    }
    TRY(err);
    return ERR_OK;
}

static enum err poll_all(struct worker *worker)
{
    TRY(poller_new(&worker->poller));
    TRY(channel_set_nonblocking(msg_channel_fd(worker->control)));
    TRY(channel_set_nonblocking(worker->notices_fd));
    TRY(poller_add(worker->poller, msg_channel_fd(worker->control), POLLER_READ, worker->control));
    TRY(poller_add(worker->poller, worker->notices_fd, POLLER_READ, worker->notices));
    TRY(poller_add(worker->poller, queue_fd(worker->plan.events), POLLER_READ, worker->plan.events));
    if (worker->data != NULL) {
        TRY(outbound_link_new(hal_clock_system(), worker->poller, worker->control, &worker->outbound));
        worker->plan.outbound = outbound_link_table(worker->outbound);
    }
    return ERR_OK;
}

static enum err dispatch(struct worker *worker, const struct poller_event *event)
{
    if (event->context == worker->control) {
        TRY(on_control(worker));
    } else if (event->context == worker->notices) {
        TRY(on_notice(worker));
    } else if (event->context != worker->plan.events) {
        return ERR_OK; /* the link's: it is looked after in each turn */
    } else {
        TRY(on_reactor(worker));
    }
    return ERR_OK;
}

static enum err serve(struct worker *worker)
{
    struct poller_event events[EVENTS];
    size_t count = 0;

    while (worker->state != MSG_STOPPING || worker->running != 0) {
        TRY(poller_wait(worker->poller, outbound_link_wait_ms(worker->outbound), events, EVENTS, &count));
        for (size_t i = 0; i < count; i++) {
            TRY(dispatch(worker, &events[i]));
        }
        outbound_link_run(worker->outbound);
        plan_link_run(worker->plans);
    }
    return ERR_OK;
}

static enum err start(struct worker *worker)
{
    const struct sandbox_limits limits = {.open_files = CONFIG_NET_CONNECTIONS_MAX + OPEN_FILES_MORE,
                                          .locked_bytes = LOCKED_BYTES};

    TRY(sandbox_begin(&limits));
    TRY(sandbox_refuse_root());
    TRY(process_signals_block()); /* ends come from the supervisor, in order; signals of a terminal are not heard */
    TRY(crypto_start());
    TRY(msg_channel_new(WORKER_FD_CONTROL, MSG_TO_WORKER, MSG_LOWER, &worker->control));
    TRY(receive_start(worker));
    TRY(about_read(board_desc.image_about, &worker->about));
    TRY(give_up_rights(worker));
    TRY(crypto_slab_new(&worker->slab));
    TRY(random_new(SPAN_NONE, &worker->random));
    return ERR_OK;
}

static enum err start_serving(struct worker *worker)
{
    ENSURE(worker->notices_fd >= 0 && worker->calls_fd >= 0, ERR_MALFORMED, "a channel to the keeper is missing");
    TRY(make_shared(worker));
    TRY(buf_new(ABOUT_TEXT_MAX, &worker->about_answer));
    TRY(about_write(&worker->about, worker->about_answer));
    TRY(about_version(&worker->about, worker->version));
    worker->plan.about = buf_all(worker->about_answer);
    worker->plan.version = worker->version;
    TRY(buf_new(X509_PEM_MAX, &worker->cert_pem));
    TRY(msg_channel_new(worker->notices_fd, MSG_NOTICES, MSG_LOWER, &worker->notices));
    while (worker->cert_number == 0) {
        TRY(take_notice(worker));
    }
    TRY(worker_open_rows(worker));
    TRY(poll_all(worker));
    if (worker->updates_fd >= 0) {
        TRY(update_link_new(worker->updates_fd, &worker->updates));
    }
    TRY(plan_link_new(worker->poller, worker->control, &worker->plans));
    worker->plan.plans = plan_link_table(worker->plans);
    worker->plan.updates = update_link_table(worker->updates);
    TRY(start_reactors(worker));
    if (worker->outbound != NULL) {
        outbound_link_reach(worker->outbound, reactor_reach(worker->reactors[0]));
    }
    return ERR_OK;
}

static enum err work(struct worker *worker)
{
    TRY(start(worker));
    if (worker->in.as.worker_start.mode == MSG_MODE_CHECK) {
        TRY(worker_check_rows(worker));
        return ERR_OK;
    }
    TRY(start_serving(worker));
    TRY(serve(worker));
    return ERR_OK;
}

/* After serve has ended in order. Rows are closed after the last reactor that might use them. */
static void end(struct worker *worker)
{
    for (size_t i = 0; i < MSG_REACTORS_MAX; i++) {
        reactor_join(worker->reactors[i]);
    }
    outbound_link_free(worker->outbound);
    update_link_free(worker->updates);
    plan_link_free(worker->plans);
    auth_hash_pool_free(worker->plan.hashes);
    data_close(worker->data);
    table_keys_free(worker->keys);
    random_free(worker->random);
    hal_vmgenid_close(worker->vmgenid);
    secret_slab_free(worker->slab);
    queue_free(worker->plan.events);
    snapshot_cell_free(worker->plan.ticket_keys);
    snapshot_cell_free(worker->plan.times);
    limits_free(worker->plan.limits);
    msg_channel_free(worker->notices);
    msg_channel_free(worker->control);
    poller_free(worker->poller);
    buf_free(worker->cert_pem);
    buf_free(worker->about_answer);
    about_done(&worker->about);
    datadir_close(worker->dir);
    msg_wipe(&worker->in);
    mem_free(worker);
}

enum err worker_run(void)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct worker), &memory));
    struct worker *const worker = memory;
    worker->calls_fd = -1;
    worker->notices_fd = -1;
    worker->updates_fd = -1;
    for (size_t i = 0; i < MSG_REACTORS_MAX; i++) {
        worker->parts[i] = (struct reactor_parts){.index = i, .https_fd = -1, .http_fd = -1, .admin_fd = -1};
    }
    TRY(work(worker));
    end(worker);
    return ERR_OK;
}
