/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Start: the list of destinations from the supervisor -> CA certificates -> give up rights -> lanes -> say ready. From then
 * on the main thread waits for the supervisor, the worker, and the lanes.
 *
 * The worker is the upper end, but is checked like anybody: a job that is not of the table, out of its bounds, for a
 * destination that is not on the list, or sent while all lanes of its kind are busy ends this process, and the
 * supervisor starts another. What a job needs is sent with it; nothing of it stays when it is answered. */
#include "firmware/courier/courier.h"

#include <unistd.h>

#include "crypto/crypto.h"
#include "firmware/courier/lane.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/board.h"
#include "hal/poller.h"
#include "hal/sandbox.h"
#include "hal/socket.h"
#include "hal/trust.h"

#define OPEN_FILES      64
#define LOCKED_BYTES    ((size_t)1 << 20)
#define EVENTS          8
#define SEND_TIMEOUT_MS 5000 /* a worker that does not read for so long is gone, or as good as */
#define FETCH_GRACE_MS  3000 /* for requests after the word to stop: whoever follows us, and all jobs, wait for that */

struct courier {
    enum msg_state state;
    struct mono_time leave_at; /* when stopping: even if requests are under way */
    struct msg_channel *control;
    struct msg_channel *jobs;
    bool jobs_closed; /* the worker is gone */
    const struct hal_clock *clock;
    struct poller *poller;
    struct courier_list list;
    struct tls_roots *shared; /* the system's CAs; NULL: nobody needs them, or there are none */
    bool inside; /* the worker connects */
    struct reach *reaches[OUTBOUND_LANES]; /* NULL unless inside */
    struct lane *lanes[OUTBOUND_LANES];
    bool collecting[OUTBOUND_LANES]; /* its job is not complete yet */
    uint32_t at[OUTBOUND_LANES];     /* the destination of the job that it has, or had last */
    struct msg in;
    struct msg out;
};

/* --- the list --- */

static enum err take_destination(struct courier *courier)
{
    const uint32_t index = courier->in.as.destination.index;

    ENSURE(index == courier->list.count && index < OUTBOUND_DESTINATIONS_MAX, ERR_MALFORMED, "a list out of order");
    struct courier_destination *const destination = &courier->list.items[index];
    destination->host = courier->in.as.destination.host;
    destination->to = (struct outbound_destination){
        .kind = (enum outbound_kind)courier->in.as.destination.kind,
        .tls = (enum outbound_tls)courier->in.as.destination.tls,
        .port = (uint16_t)courier->in.as.destination.port,
        .host = MSG_VIEW(&destination->host),
    };
    ENSURE(outbound_destination_fits(&destination->to), ERR_MALFORMED, "a destination that does not fit");
    TRY(buf_new(OUTBOUND_CA_MAX, &destination->ca));
    if (destination->to.kind == OUTBOUND_TIME) {
        TRY(time_server_new(&destination->time));
    }
    courier->list.count++;
    return ERR_OK;
}

static enum err take_ca(struct courier *courier)
{
    ENSURE(courier->list.count != 0, ERR_MALFORMED, "a CA of no destination");
    struct courier_destination *const destination = &courier->list.items[courier->list.count - 1];

    TRY(buf_put(destination->ca, MSG_VIEW(&courier->in.as.part)));
    destination->to.ca = buf_all(destination->ca);
    return ERR_OK;
}

static enum err receive_start(struct courier *courier)
{
    for (;;) {
        TRY(msg_recv(courier->control, MSG_STARTING, &courier->in));
        if (courier->in.type == MSG_COURIER_DESTINATION) {
            TRY(take_destination(courier));
        } else if (courier->in.type == MSG_COURIER_DESTINATION_CA) {
            TRY(take_ca(courier));
        } else {
            break;
        }
    }
    ENSURE(courier->in.type == MSG_COURIER_START, ERR_CANCELLED, "stopped before the start");
    courier->inside = courier->in.as.courier_start == 1;
    TRY(channel_set_timeout(courier->in.fd, SEND_TIMEOUT_MS));
    TRY(msg_channel_new(courier->in.fd, MSG_JOBS, MSG_LOWER, &courier->jobs));
    return ERR_OK;
}

/* --- whom to trust --- */

static enum err shared_roots(struct courier *courier, struct tls_roots **out_roots)
{
    SCOPED_BUF struct buf *pem = NULL;

    if (courier->shared == NULL) {
        TRY(buf_new(TRUST_PEM_MAX, &pem));
        TRY(trust_read(pem));
        TRY(tls_roots_new(TLS_ROOTS_SYSTEM, buf_all(pem), &courier->shared));
    }
    *out_roots = courier->shared;
    return ERR_OK;
}

/* Without roots a destination is not reached, and the others are. */
static enum err read_roots(struct courier *courier)
{
    for (size_t i = 0; i < courier->list.count; i++) {
        struct courier_destination *const destination = &courier->list.items[i];
        const struct span ca = destination->to.ca;
        if (destination->to.tls == OUTBOUND_CLEAR) {
            continue;
        }

        destination->shared = ca.len == 0;
        const enum err err = destination->shared ? shared_roots(courier, &destination->roots)
                                                 : tls_roots_new(TLS_ROOTS_PINNED, ca, &destination->roots);
        if (err == ERR_NO_MEMORY) {
            TRY(err);
        }
        if (err != ERR_OK) {
            log_fault(LOG_ERROR, "no_ca_to_trust");
        }
    }
    return ERR_OK;
}

static enum err give_up_rights(struct courier *courier)
{
    uint16_t ports[OUTBOUND_DESTINATIONS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < courier->list.count; i++) {
        if (courier->list.items[i].to.tls != OUTBOUND_CLEAR) { /* that one is UDP */
            ports[count++] = courier->list.items[i].to.port;
        }
    }
    TRY(sandbox_drop_user(board_desc.courier_uid, board_desc.courier_gid));
    const struct sandbox_spec spec = {
        .profile = courier->inside ? SANDBOX_COURIER_INSIDE : SANDBOX_COURIER,
        .directory_fd = -1,
        .ports = ports,
        .port_count = count,
    };
    return sandbox_enter(&spec);
}

/* --- jobs --- */

/* What the first message says of each kind. */
struct begun {
    uint64_t number;
    uint32_t destination;
    uint32_t bytes;
};

/* A lane of that kind that has nothing to do. */
static enum err find_lane(const struct courier *courier, enum outbound_kind kind, size_t *out_lane)
{
    for (size_t i = 0; i < OUTBOUND_LANES; i++) {
        if (outbound_lane_kind(i) == kind && !lane_is_busy(courier->lanes[i]) && !courier->collecting[i]) {
            *out_lane = i;
            return ERR_OK;
        }
    }
    FAIL(ERR_MALFORMED, "more jobs than there are lanes", kind);
}

/* Is a lane at it, or about to be? */
static bool is_visited(const struct courier *courier, uint32_t destination)
{
    for (size_t i = 0; i < OUTBOUND_LANES; i++) {
        if ((lane_is_busy(courier->lanes[i]) || courier->collecting[i]) && courier->at[i] == destination) {
            return true;
        }
    }
    return false;
}

static enum err begin_job(struct courier *courier, enum outbound_kind kind, const struct begun *begun,
                          size_t *out_lane)
{
    ENSURE(begun->destination < courier->list.count && courier->list.items[begun->destination].to.kind == kind,
           ERR_MALFORMED, "a job for nobody on the list");
    /* What was agreed with a time server is used by one thread at a time: time_server.h. */
    ENSURE(kind != OUTBOUND_TIME || !is_visited(courier, begun->destination), ERR_MALFORMED,
           "a question for a server that another lane is asking");
    TRY(find_lane(courier, kind, out_lane));
    courier->at[*out_lane] = begun->destination;
    struct lane_job *const job = lane_job(courier->lanes[*out_lane]);
    job->number = begun->number;
    job->destination = begun->destination;
    job->bytes = begun->bytes;
    courier->collecting[*out_lane] = true;
    return ERR_OK;
}

static void start_if_complete(struct courier *courier, size_t lane)
{
    const struct lane_job *const job = lane_job(courier->lanes[lane]);

    if (buf_len(job->text) == job->bytes) {
        courier->collecting[lane] = false;
        lane_start(courier->lanes[lane]);
    }
}

static enum err take_mail(struct courier *courier)
{
    const struct msg *const in = &courier->in;
    const struct begun begun = {
        .number = in->as.job_mail.job, .destination = in->as.job_mail.destination, .bytes = in->as.job_mail.bytes};
    size_t lane = 0;

    TRY(begin_job(courier, OUTBOUND_SMTP, &begun, &lane));
    struct lane_job *const job = lane_job(courier->lanes[lane]);
    job->as.mail.from = in->as.job_mail.from;
    job->as.mail.to = in->as.job_mail.to;
    job->as.mail.user = in->as.job_mail.user;
    job->as.mail.password = in->as.job_mail.password;
    start_if_complete(courier, lane);
    return ERR_OK;
}

static enum err take_fetch(struct courier *courier)
{
    const struct msg *const in = &courier->in;
    const struct begun begun = {
        .number = in->as.job_fetch.job, .destination = in->as.job_fetch.destination, .bytes = in->as.job_fetch.bytes};
    size_t lane = 0;

    TRY(begin_job(courier, OUTBOUND_HTTPS, &begun, &lane));
    struct lane_job *const job = lane_job(courier->lanes[lane]);
    job->as.fetch.method = in->as.job_fetch.method;
    job->as.fetch.path = in->as.job_fetch.path;
    job->as.fetch.authorization = in->as.job_fetch.authorization;
    start_if_complete(courier, lane);
    return ERR_OK;
}

static enum err take_time(struct courier *courier)
{
    const struct begun begun = {.number = courier->in.as.job_time.job,
                                .destination = courier->in.as.job_time.destination};
    size_t lane = 0;

    TRY(begin_job(courier, OUTBOUND_TIME, &begun, &lane));
    start_if_complete(courier, lane);
    return ERR_OK;
}

static enum err take_part(struct courier *courier)
{
    const struct span bytes = MSG_VIEW(&courier->in.as.job_part.bytes);

    for (size_t lane = 0; lane < OUTBOUND_LANES; lane++) {
        if (!courier->collecting[lane]) {
            continue;
        }
        struct lane_job *const job = lane_job(courier->lanes[lane]);
        if (job->number != courier->in.as.job_part.job) {
            continue;
        }
        ENSURE(bytes.len <= job->bytes - buf_len(job->text), ERR_MALFORMED, "more of a job than was said");
        TRY(buf_put(job->text, bytes));
        start_if_complete(courier, lane);
        return ERR_OK;
    }
    FAIL(ERR_MALFORMED, "a part of no job", bytes.len);
}

/* The supervisor, which sees the same, says stop. */
static enum err forget_worker(struct courier *courier)
{
    courier->jobs_closed = true;
    return poller_remove(courier->poller, msg_channel_fd(courier->jobs));
}

static enum err on_jobs(struct courier *courier)
{
    const enum err err = msg_recv(courier->jobs, courier->state, &courier->in);

    if (err == ERR_AGAIN || err == ERR_TIMEOUT) {
        return ERR_OK;
    }
    if (err == ERR_CLOSED) {
        return forget_worker(courier);
    }
    TRY(err);
    enum err taken = ERR_OK;
    if (courier->state == MSG_STOPPING) {
        taken = ERR_OK; /* comes too late: whoever follows us does it */
    } else if (courier->in.type == MSG_JOB_MAIL) {
        taken = take_mail(courier);
    } else if (courier->in.type == MSG_JOB_FETCH) {
        taken = take_fetch(courier);
    } else if (courier->in.type == MSG_JOB_TIME) {
        taken = take_time(courier);
    } else {
        taken = take_part(courier);
    }
    msg_wipe(&courier->in);
    TRY(taken);
    return ERR_OK;
}

/* --- answers --- */

static enum err send_reading(struct courier *courier, const struct lane_job *job)
{
    courier->out = MSG_NEW(MSG_JOB_READING);
    courier->out.as.job_reading.job = job->number;
    courier->out.as.job_reading.unix_ns = job->reading.unix_ns;
    courier->out.as.job_reading.at_ns = job->reading.at.ns;
    courier->out.as.job_reading.delay_ns = job->reading.delay_ns;
    courier->out.as.job_reading.distance_ns = job->reading.distance_ns;
    courier->out.as.job_reading.stratum = job->reading.stratum;
    return msg_send(courier->jobs, &courier->out);
}

static enum err send_answer(struct courier *courier, const struct lane_job *job)
{
    struct span rest = buf_all(job->body);

    if (courier->list.items[job->destination].time != NULL && job->answer.result == OUTBOUND_DONE) {
        TRY(send_reading(courier, job));
    }
    while (rest.len != 0) {
        const size_t part = num_min(rest.len, MSG_PART_MAX);
        courier->out = MSG_NEW(MSG_JOB_ANSWER);
        courier->out.as.job_part.job = job->number;
        TRY(MSG_SET(&courier->out.as.job_part.bytes, span_of(rest.data, part)));
        TRY(msg_send(courier->jobs, &courier->out));
        rest = span_of(rest.data + part, rest.len - part);
    }
    courier->out = MSG_NEW(MSG_JOB_DONE);
    courier->out.as.job_done.job = job->number;
    courier->out.as.job_done.result = (uint32_t)job->answer.result;
    courier->out.as.job_done.stage = (uint32_t)job->answer.stage;
    courier->out.as.job_done.status = job->answer.status;
    return msg_send(courier->jobs, &courier->out);
}

static const char *job_name(enum outbound_kind kind)
{
    static const char *const names[] = {
        [OUTBOUND_SMTP] = "mail", [OUTBOUND_HTTPS] = "fetch", [OUTBOUND_TIME] = "time"};
    _Static_assert(ARRAY_LENGTH(names) == OUTBOUND_KINDS, "every job has a name");

    return names[kind];
}

/* A worker that is gone needs no answer. One that lives would wait for it, and never give that lane another job: where it
 * cannot be answered this process ends, and whoever comes next can. */
static enum err on_lane(struct courier *courier, struct lane *lane)
{
    if (!lane_finished(lane)) {
        return ERR_OK;
    }
    const struct lane_job *const job = lane_job(lane);
    LOG(LOG_INFO, "job_done", LOG_LITERAL("kind", job_name(courier->list.items[job->destination].to.kind)),
        LOG_LITERAL("stage", outbound_stage_name(job->answer.stage)), LOG_NUMBER("result", job->answer.result),
        LOG_NUMBER("status", job->answer.status));
    const enum err err = courier->jobs_closed ? ERR_OK : send_answer(courier, job);
    msg_wipe(&courier->out);
    lane_clear(lane);
    if (err == ERR_CLOSED) {
        fault_clear();
        return forget_worker(courier);
    }
    ENSURE(err == ERR_OK, err, "an answer that was not taken");
    return ERR_OK;
}

/* --- the main thread --- */

static enum err on_control(struct courier *courier)
{
    const enum err err = msg_recv(courier->control, courier->state, &courier->in);

    if (err == ERR_AGAIN || err == ERR_TIMEOUT) {
        return ERR_OK;
    }
    TRY(err);
    if (courier->in.type == MSG_COURIER_STOP) {
        courier->state = MSG_STOPPING;
        courier->leave_at = mono_add_ms(hal_clock_mono(courier->clock), FETCH_GRACE_MS);
    } else if (courier->in.type == MSG_COURIER_ASK) {
        courier->out = MSG_NEW(MSG_COURIER_ANSWER);
        TRY(msg_send(courier->control, &courier->out));
    }
    return ERR_OK;
}

static enum err dispatch(struct courier *courier, const struct poller_event *event)
{
    if (event->context == courier->control) {
        return on_control(courier);
    }
    if (event->context == courier->jobs) {
        return courier->jobs_closed ? ERR_OK : on_jobs(courier);
    }
    return on_lane(courier, event->context);
}

static bool is_busy(const struct courier *courier)
{
    for (size_t i = 0; i < OUTBOUND_LANES; i++) {
        if (lane_is_busy(courier->lanes[i])) {
            return true;
        }
    }
    return false;
}

/* How long the main thread may sleep; 0: what is under way is not waited for any more. A mail is, as long as the supervisor
 * lets us: cut off between its text and the relay's answer it would be sent twice. */
static int wait_ms(const struct courier *courier)
{
    if (courier->state != MSG_STOPPING || lane_is_busy(courier->lanes[0])) {
        return POLLER_FOREVER;
    }
    return (int)mono_ms_between(hal_clock_mono(courier->clock), courier->leave_at); /* at most FETCH_GRACE_MS */
}

static enum err serve(struct courier *courier)
{
    struct poller_event events[EVENTS];
    size_t count = 0;

    courier->state = MSG_OPERATIONAL;
    courier->out = MSG_NEW(MSG_COURIER_READY);
    TRY(msg_send(courier->control, &courier->out));
    while (courier->state != MSG_STOPPING || (is_busy(courier) && wait_ms(courier) != 0)) {
        TRY(poller_wait(courier->poller, wait_ms(courier), events, EVENTS, &count));
        for (size_t i = 0; i < count; i++) {
            TRY(dispatch(courier, &events[i]));
        }
    }
    return ERR_OK;
}

static enum err start_lanes(struct courier *courier)
{
    TRY(poller_new(&courier->poller));
    TRY(poller_add(courier->poller, msg_channel_fd(courier->control), POLLER_READ, courier->control));
    TRY(poller_add(courier->poller, msg_channel_fd(courier->jobs), POLLER_READ, courier->jobs));
    for (size_t i = 0; i < OUTBOUND_LANES; i++) {
        if (courier->inside) {
            TRY(reach_new(msg_channel_fd(courier->jobs), &courier->reaches[i]));
        }
        TRY(lane_new(outbound_lane_kind(i), &courier->list, courier->clock, courier->reaches[i], &courier->lanes[i]));
        TRY(poller_add(courier->poller, lane_fd(courier->lanes[i]), POLLER_READ, courier->lanes[i]));
    }
    return ERR_OK;
}

static enum err start(struct courier *courier)
{
    const struct sandbox_limits limits = {.open_files = OPEN_FILES, .locked_bytes = LOCKED_BYTES};

    TRY(sandbox_begin(&limits));
    TRY(sandbox_refuse_root());
    TRY(process_signals_block()); /* ends come from the supervisor, in order; signals of a terminal are not heard */
    TRY(crypto_start());
    TRY(msg_channel_new(COURIER_FD_CONTROL, MSG_TO_COURIER, MSG_LOWER, &courier->control));
    TRY(receive_start(courier));
    TRY(read_roots(courier));
    TRY(give_up_rights(courier));
    return start_lanes(courier);
}

/* After serve: no lane is busy. */
static void end(struct courier *courier)
{
    for (size_t i = 0; i < OUTBOUND_LANES; i++) {
        lane_free(courier->lanes[i]);
        reach_free(courier->reaches[i]);
    }
    tls_roots_free(courier->shared);
    for (size_t i = 0; i < courier->list.count; i++) {
        buf_free(courier->list.items[i].ca);
        time_server_free(courier->list.items[i].time);
        if (!courier->list.items[i].shared) {
            tls_roots_free(courier->list.items[i].roots);
        }
    }
    msg_channel_free(courier->jobs);
    msg_channel_free(courier->control);
    poller_free(courier->poller);
    msg_wipe(&courier->in);
    mem_free(courier);
}

enum err courier_run(void)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct courier), &memory));
    struct courier *const courier = memory;
    courier->clock = hal_clock_system();
    TRY(start(courier));
    TRY(serve(courier));
    if (is_busy(courier)) {
        _exit(0); /* lanes still wait for servers that do not answer: nothing can be put in order behind their backs */
    }
    end(courier);
    return ERR_OK;
}
