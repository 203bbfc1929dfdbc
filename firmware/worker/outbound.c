/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A queue for each kind of job, and the lanes of the courier: one for mails, OUTBOUND_FETCHES for requests, OUTBOUND_TIMES
 * for the time. States of a lane:
 *
 *   free     the first that waits for a destination that no other lane is at is sent, if that is on the list that the
 *            courier was given
 *   sending  text or body go out in parts, as far as the channel takes them
 *   sent     the answer is awaited; its bytes are collected in the job
 *   left     the job's time was over before the answer came: whoever asked knows, and the answer will be dropped
 *
 * The list and the courier follow the jobs, not the other way round: see the header. A courier that says what it may not
 * is dropped like one that is gone, and a new one asked for by telling the list again.
 *
 * A server that does not answer holds one lane and no more. When that is known it is left alone for a while, and whoever
 * asks for it meanwhile, or waits, is told at once. */
#include "firmware/worker/outbound.h"

#include "firmware/worker/outbound_lane.h"
#include "firmware/worker/outbound_list.h"
#include "firmware/worker/outbound_message.h"
#include "firmware/worker/outbound_queue.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/num.h"
#include "hal/base/queue.h"
#include "hal/process.h"
#include "hal/socket.h"

#define S_MS         1000u
#define IDLE_MS      ((uint64_t)CONFIG_COURIER_IDLE_S * S_MS)
#define READ_AT_ONCE 64   /* messages taken in one turn */
#define RETRY_MS     200u /* for a list that could not be told at once */
#define GRACE_MS     3000u /* for what is under way when the worker stops; less than it has for its own requests */
#define PAUSE_MS     ((uint64_t)CONFIG_COURIER_PAUSE_S * S_MS)
#define FETCH_MS     ((uint64_t)CONFIG_COURIER_FETCH_S * S_MS)
#define SLOW_MS      (FETCH_MS < 12000 ? FETCH_MS / 4 : 3000) /* what fails sooner costs little, and is tried again at once */
#define WAITING_MAX  (CONFIG_COURIER_JOBS / 4) /* requests to one server: others find places, too */

struct outbound_link {
    const struct hal_clock *clock;
    struct poller *poller;
    struct msg_channel *control;
    struct queue *submitted;
    struct queue *places; /* one item for each job that may still be taken in */
    struct outbound_queue waiting[OUTBOUND_KINDS];
    struct outbound_lane lanes[OUTBOUND_LANES];
    struct outbound_list list;
    struct mono_time tell_at;  /* not before */
    struct msg_channel *channel; /* NULL: no courier */
    uint32_t channel_list;       /* the number of the list that it was given */
    bool full;                   /* the channel took no more */
    bool stopped;
    struct outbound_reach reach;
    uint64_t last_number;
    struct msg msg; /* at hand; wiped after each */
};

/* --- taking jobs in: any thread --- */

static void give_place(struct outbound_link *link)
{
    INVARIANT(queue_push(link->places, link) == ERR_OK); /* there are never more than at first */
}

static enum err on_submit(void *context, struct outbound_job *job)
{
    struct outbound_link *const link = context;

    TRY(outbound_job_check(job));
    job->until = mono_add_ms(hal_clock_mono(link->clock), (uint64_t)outbound_kind_s(job->to.kind) * S_MS);
    job->next = NULL;
    job->sent = 0;
    void *place = NULL;
    ENSURE(queue_pop(link->places, &place) == ERR_OK, ERR_LIMIT, "as many jobs as may wait");
    const enum err err = queue_push(link->submitted, job);
    if (err != ERR_OK) {
        give_place(link);
        TRY(err);
    }
    return ERR_OK;
}

/* --- answers to whoever asked --- */

static void run_done(struct loop_post *post)
{
    struct outbound_job *const job = (void *)((char *)post - offsetof(struct outbound_job, post));

    job->done(job);
}

static void answer(struct outbound_link *link, struct outbound_job *job, enum outbound_result result,
                   enum outbound_stage stage, uint32_t status)
{
    job->result = result;
    job->stage = stage;
    job->status = status;
    job->post.run = run_done;
    give_place(link);
    INVARIANT(loop_post(job->loop, &job->post) == ERR_OK); /* the loop has room for every job that can be under way */
}

/* --- lanes --- */

static enum outbound_kind kind_of(const struct outbound_link *link, const struct outbound_lane *lane)
{
    return outbound_lane_kind((size_t)(lane - link->lanes));
}

/* A server that took its time and did not answer. Relays are left alone by whoever sends mails. */
static void leave_alone(struct outbound_link *link, const struct outbound_lane *lane, enum outbound_stage stage)
{
    const struct mono_time now = hal_clock_mono(link->clock);
    const uint64_t lost_ms = mono_ms_between(lane->since, now);
    const struct outbound_entry *entry = NULL;

    if (lane->number != 0 && kind_of(link, lane) == OUTBOUND_HTTPS && lost_ms >= SLOW_MS) {
        entry = outbound_list_pause(&link->list, lane->place, stage, now, PAUSE_MS);
    }
    if (entry != NULL) {
        LOG(LOG_WARN, "destination_left_alone", LOG_TEXT("host", entry->to.host), LOG_NUMBER("port", entry->to.port),
            LOG_LITERAL("stage", outbound_stage_name(stage)), LOG_NUMBER("lost_ms", lost_ms),
            LOG_NUMBER("pause_ms", PAUSE_MS));
    }
}

/* What was under way is lost. */
static void drop_channel(struct outbound_link *link)
{
    if (link->channel == NULL) {
        return;
    }
    if (poller_remove(link->poller, msg_channel_fd(link->channel)) != ERR_OK) {
        fault_clear();
    }
    msg_channel_free(link->channel);
    link->channel = NULL;
    link->channel_list = 0;
    for (size_t i = 0; i < OUTBOUND_LANES; i++) {
        struct outbound_job *const job = link->lanes[i].job;
        leave_alone(link, &link->lanes[i], OUTBOUND_AT_ANSWER);
        link->lanes[i] = (struct outbound_lane){.number = 0};
        if (job != NULL) {
            answer(link, job, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER, 0);
        }
    }
}

/* --- answers of the courier --- */

static enum err take_answer(struct outbound_link *link)
{
    struct outbound_lane *const lane = outbound_lane_find(link->lanes, link->msg.as.job_part.job);

    ENSURE(lane != NULL && kind_of(link, lane) == OUTBOUND_HTTPS, ERR_MALFORMED, "an answer to no request");
    if (lane->job != NULL) {
        ENSURE(buf_put(lane->job->fetch.answer, MSG_VIEW(&link->msg.as.job_part.bytes)) == ERR_OK, ERR_MALFORMED,
               "an answer that is too long");
    }
    return ERR_OK;
}

static enum err take_reading(struct outbound_link *link)
{
    struct outbound_lane *const lane = outbound_lane_find(link->lanes, link->msg.as.job_reading.job);

    ENSURE(lane != NULL, ERR_MALFORMED, "the time for nobody");
    return outbound_lane_read(lane, kind_of(link, lane), &link->msg);
}

static enum err take_done(struct outbound_link *link)
{
    const enum outbound_result result = (enum outbound_result)link->msg.as.job_done.result;
    const enum outbound_stage stage = (enum outbound_stage)link->msg.as.job_done.stage;
    struct outbound_lane *const lane = outbound_lane_find(link->lanes, link->msg.as.job_done.job);

    ENSURE(lane != NULL, ERR_MALFORMED, "an answer to no job");
    struct outbound_job *const job = lane->job;
    ENSURE(job == NULL || job->sent == outbound_bytes(job).len, ERR_MALFORMED, "an answer to half a job");
    ENSURE(result != OUTBOUND_DONE || lane->read == (kind_of(link, lane) == OUTBOUND_TIME), ERR_MALFORMED,
           "an answer without the time");
    if (result == OUTBOUND_TEMPORARY) {
        leave_alone(link, lane, stage);
    }
    *lane = (struct outbound_lane){.number = 0};
    if (job != NULL) {
        answer(link, job, result, stage, link->msg.as.job_done.status);
    }
    return ERR_OK;
}

static enum err take_reach(struct outbound_link *link)
{
    return outbound_reach_take(&link->reach, outbound_lane_find(link->lanes, link->msg.as.job_reach.job), &link->msg);
}

static enum err take_any(struct outbound_link *link)
{
    const enum msg_type type = link->msg.type;

    if (type == MSG_JOB_REACH) {
        return take_reach(link);
    }
    if (type == MSG_JOB_READING) {
        return take_reading(link);
    }
    return type == MSG_JOB_ANSWER ? take_answer(link) : take_done(link);
}

static enum err take_message(struct outbound_link *link)
{
    const enum err err = msg_recv(link->channel, MSG_OPERATIONAL, &link->msg);

    if (err != ERR_OK) {
        return err; /* ERR_AGAIN and ERR_CLOSED are no faults */
    }
    const enum err taken = take_any(link);
    msg_wipe(&link->msg);
    return taken;
}

static void take_messages(struct outbound_link *link)
{
    for (size_t i = 0; i < READ_AT_ONCE && link->channel != NULL; i++) {
        const enum err err = take_message(link);
        if (err == ERR_AGAIN) {
            return;
        }
        if (err == ERR_CLOSED) {
            fault_clear();
            drop_channel(link); /* the supervisor starts another one */
        } else if (err != ERR_OK) {
            log_fault(LOG_ERROR, "courier_refused");
            drop_channel(link);
            link->list.changed = true;
        }
    }
}

/* --- sending --- */

/* Sends what is in msg. ERR_AGAIN: the channel is full, and the poller will tell when it is not. */
static enum err put(struct outbound_link *link)
{
    const enum err err = msg_send(link->channel, &link->msg);

    msg_wipe(&link->msg);
    if (err == ERR_AGAIN) {
        fault_clear();
        link->full = true;
        return poller_set(link->poller, msg_channel_fd(link->channel), POLLER_READ | POLLER_WRITE, &link->channel) ==
                       ERR_OK
                   ? ERR_AGAIN
                   : ERR_IO;
    }
    return err;
}

static enum err send_parts(struct outbound_link *link, struct outbound_job *job)
{
    const struct span all = outbound_bytes(job);

    while (job->sent < all.len) {
        const size_t part = num_min(all.len - job->sent, MSG_PART_MAX);
        link->msg = MSG_NEW(MSG_JOB_PART);
        link->msg.as.job_part.job = job->number;
        TRY(MSG_SET(&link->msg.as.job_part.bytes, span_of(all.data + job->sent, part)));
        const enum err err = put(link);
        if (err != ERR_OK) {
            return err;
        }
        job->sent += part;
    }
    return ERR_OK;
}

/* The first that waits for a place that is on the list and that no lane is at. NULL: none. */
static struct outbound_job *choose(const struct outbound_link *link, enum outbound_kind kind, size_t *out_destination)
{
    for (struct outbound_job *job = link->waiting[kind].first; job != NULL; job = job->next) {
        const size_t destination = outbound_list_find(&link->list, &job->to);
        if (destination != link->list.count && !outbound_lane_is_at(link->lanes, link->list.items[destination].id)) {
            *out_destination = destination;
            return job;
        }
    }
    return NULL;
}

static enum err begin(struct outbound_link *link, struct outbound_lane *lane)
{
    const enum outbound_kind kind = kind_of(link, lane);
    size_t destination = 0;
    struct outbound_job *const job = choose(link, kind, &destination);

    if (job == NULL) {
        return ERR_OK;
    }
    job->number = link->last_number + 1;
    TRY(outbound_message(job, destination, &link->msg));
    const enum err err = put(link);
    if (err != ERR_OK) {
        return err;
    }
    link->last_number = job->number;
    outbound_queue_remove(&link->waiting[kind], job);
    *lane = (struct outbound_lane){.number = job->number,
                          .job = job,
                          .place = link->list.items[destination].id,
                          .since = hal_clock_mono(link->clock)};
    return ERR_OK;
}

static enum err pump_lane(struct outbound_link *link, struct outbound_lane *lane)
{
    if (lane->number == 0 && !link->list.changed && link->channel_list == link->list.number) {
        const enum err err = begin(link, lane);
        if (err != ERR_OK) {
            return err;
        }
    }
    return lane->job != NULL ? send_parts(link, lane->job) : ERR_OK;
}

static void pump(struct outbound_link *link)
{
    for (size_t i = 0; i < OUTBOUND_LANES && link->channel != NULL && !link->full; i++) {
        const enum err err = pump_lane(link, &link->lanes[i]);
        if (err != ERR_OK && err != ERR_AGAIN) {
            log_fault(LOG_WARN, "courier_not_told");
            drop_channel(link);
            link->list.changed = link->list.changed || err != ERR_CLOSED; /* one that lives: nobody replaces it unasked */
        }
    }
}

/* --- time, and the list --- */

static void take_submitted(struct outbound_link *link)
{
    void *item = NULL;

    while (queue_pop(link->submitted, &item) == ERR_OK) {
        struct outbound_job *const job = item;
        struct outbound_queue *const queue = &link->waiting[job->to.kind];
        if (job->to.kind == OUTBOUND_HTTPS && outbound_queue_count(queue, &job->to) >= WAITING_MAX) {
            answer(link, job, OUTBOUND_TEMPORARY, OUTBOUND_AT_QUEUE, 0);
        } else {
            outbound_queue_append(queue, job);
        }
    }
    fault_clear();
}

/* Of those that wait: whose time is over, and who wants to reach a server that is left alone. */
static void end_waiting(struct outbound_link *link, struct outbound_queue *queue, struct mono_time now)
{
    struct outbound_job *next = NULL;

    for (struct outbound_job *job = queue->first; job != NULL; job = next) {
        enum outbound_stage stage = OUTBOUND_AT_QUEUE;
        const bool paused = outbound_list_is_paused(&link->list, &job->to, now, &stage);
        next = job->next;
        if (paused || now.ns >= job->until.ns) {
            outbound_queue_remove(queue, job);
            answer(link, job, OUTBOUND_TEMPORARY, stage, 0);
        }
    }
}

static void end_late_one(struct outbound_link *link, struct outbound_lane *lane, struct mono_time now)
{
    struct outbound_job *const job = lane->job;
    if (job == NULL || now.ns < job->until.ns) {
        return;
    }
    if (job->sent < outbound_bytes(job).len) {
        drop_channel(link); /* a courier that does not read: what is left of the job can never be sent */
        link->list.changed = true;
        return;
    }
    leave_alone(link, lane, OUTBOUND_AT_ANSWER);
    lane->job = NULL; /* number stays: the lane is taken until the courier answers */
    answer(link, job, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER, 0);
}

static void keep_list(struct outbound_link *link, struct mono_time now)
{
    for (size_t i = 0; i < OUTBOUND_LANES; i++) {
        if (link->lanes[i].job != NULL && outbound_list_want(&link->list, &link->lanes[i].job->to, now) != ERR_OK) {
            fault_clear(); /* it is under way already */
        }
    }
    for (unsigned int kind = 0; kind < OUTBOUND_KINDS; kind++) {
        for (const struct outbound_job *job = link->waiting[kind].first; job != NULL; job = job->next) {
            if (outbound_list_want(&link->list, &job->to, now) != ERR_OK) {
                fault_clear(); /* its turn comes, or its time is over */
            }
        }
    }
    outbound_list_age(&link->list, IDLE_MS, now);
}

static void tell_list(struct outbound_link *link, struct mono_time now)
{
    if (!link->list.changed || now.ns < link->tell_at.ns) {
        return;
    }
    const enum err err = outbound_list_tell(&link->list, link->control, &link->msg);
    msg_wipe(&link->msg);
    if (err == ERR_OK) {
        link->tell_at = mono_add_ms(now, CONFIG_COURIER_CHANGE_MS);
    } else {
        log_fault(LOG_WARN, "destinations_not_told");
        link->tell_at = mono_add_ms(now, RETRY_MS);
    }
}

void outbound_link_run(struct outbound_link *link)
{
    if (link == NULL) {
        return;
    }
    const struct mono_time now = hal_clock_mono(link->clock);

    if (link->full && link->channel != NULL &&
        poller_set(link->poller, msg_channel_fd(link->channel), POLLER_READ, &link->channel) != ERR_OK) {
        log_fault(LOG_WARN, "courier_not_polled");
    }
    link->full = false;
    take_submitted(link);
    take_messages(link);
    for (unsigned int kind = 0; kind < OUTBOUND_KINDS; kind++) {
        end_waiting(link, &link->waiting[kind], now);
    }
    for (size_t i = 0; i < OUTBOUND_LANES; i++) {
        end_late_one(link, &link->lanes[i], now);
    }
    if (!link->stopped) {
        keep_list(link, now);
        tell_list(link, now);
    }
    pump(link);
}

/* Until the first job's time is over. */
static uint64_t jobs_wait_ms(const struct outbound_link *link, struct mono_time now)
{
    uint64_t wait = UINT64_MAX;

    for (size_t i = 0; i < OUTBOUND_LANES; i++) {
        if (link->lanes[i].job != NULL) {
            wait = num_min(wait, mono_ms_between(now, link->lanes[i].job->until));
        }
    }
    for (unsigned int kind = 0; kind < OUTBOUND_KINDS; kind++) {
        wait = num_min(wait, outbound_queue_wait_ms(&link->waiting[kind], now));
    }
    return wait;
}

/* Until something has to do with the list. */
static uint64_t list_wait_ms(const struct outbound_link *link, struct mono_time now)
{
    if (link->stopped) {
        return UINT64_MAX;
    }
    if (link->list.changed) {
        return mono_ms_between(now, link->tell_at);
    }
    return outbound_list_wait_ms(&link->list, IDLE_MS, now);
}

int outbound_link_wait_ms(const struct outbound_link *link)
{
    if (link == NULL) {
        return POLLER_FOREVER;
    }
    const struct mono_time now = hal_clock_mono(link->clock);
    const uint64_t wait = num_min(list_wait_ms(link, now), jobs_wait_ms(link, now));

    return wait == UINT64_MAX ? POLLER_FOREVER : (int)num_min(wait, INT32_MAX - 1) + 1;
}

/* --- life --- */

enum err outbound_link_courier(struct outbound_link *link, uint32_t number, int take_fd)
{
    enum err err = link == NULL ? ERR_STATE : channel_set_nonblocking(take_fd);
    if (err == ERR_OK) {
        take_messages(link); /* the last words of the one before */
        drop_channel(link);
    }
    if (err == ERR_OK) {
        err = msg_channel_new(take_fd, MSG_JOBS, MSG_UPPER, &link->channel);
    }
    if (err != ERR_OK) {
        socket_close(take_fd);
        TRY(err);
    }
    err = poller_add(link->poller, take_fd, POLLER_READ, &link->channel);
    if (err != ERR_OK) {
        msg_channel_free(link->channel);
        link->channel = NULL;
        TRY(err);
    }
    link->channel_list = number;
    link->full = false;
    outbound_link_run(link);
    return ERR_OK;
}

void outbound_link_stop(struct outbound_link *link)
{
    void *item = NULL;

    if (link == NULL) {
        return;
    }
    link->stopped = true;
    if (poller_remove(link->poller, queue_fd(link->submitted)) != ERR_OK) {
        fault_clear(); /* it never was in it */
    }
    queue_close(link->submitted);
    while (queue_pop(link->submitted, &item) == ERR_OK) {
        answer(link, item, OUTBOUND_TEMPORARY, OUTBOUND_AT_QUEUE, 0);
    }
    fault_clear();
    for (unsigned int kind = 0; kind < OUTBOUND_KINDS; kind++) {
        while (link->waiting[kind].first != NULL) {
            struct outbound_job *const job = link->waiting[kind].first;
            outbound_queue_remove(&link->waiting[kind], job);
            answer(link, job, OUTBOUND_TEMPORARY, OUTBOUND_AT_QUEUE, 0);
        }
    }
    for (size_t i = 0; i < OUTBOUND_LANES; i++) {
        if (link->lanes[i].job != NULL) {
            const struct mono_time end = mono_add_ms(hal_clock_mono(link->clock), GRACE_MS);
            link->lanes[i].job->until.ns = num_min(link->lanes[i].job->until.ns, end.ns);
        }
    }
}

static void link_free_scoped(struct outbound_link **link)
{
    outbound_link_free(*link);
}

enum err outbound_link_new(const struct hal_clock *clock, struct poller *poller, struct msg_channel *control,
                           struct outbound_link **out_link)
{
    void *memory = NULL;
    SCOPED(link_free_scoped) struct outbound_link *link = NULL;

    TRY(mem_alloc(sizeof(struct outbound_link), &memory));
    link = memory;
    link->clock = clock;
    link->poller = poller;
    link->control = control;
    TRY(queue_new(CONFIG_COURIER_JOBS, &link->places));
    for (size_t i = 0; i < CONFIG_COURIER_JOBS; i++) {
        give_place(link);
    }
    TRY(queue_new(CONFIG_COURIER_JOBS, &link->submitted));
    TRY(poller_add(poller, queue_fd(link->submitted), POLLER_READ, link->submitted));
    *out_link = TAKE(link);
    return ERR_OK;
}

void outbound_link_free(struct outbound_link *link)
{
    if (link == NULL) {
        return;
    }
    msg_channel_free(link->channel);
    queue_free(link->submitted);
    queue_free(link->places);
    outbound_list_clear(&link->list);
    mem_free(link);
}

void outbound_link_reach(struct outbound_link *link, struct outbound_reach reach)
{
    link->reach = reach;
}

struct outbound outbound_link_table(struct outbound_link *link)
{
    return (struct outbound){.submit = on_submit, .context = link};
}
