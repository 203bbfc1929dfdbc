/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One lane for each kind of job: a queue of those that wait, and the one that the courier has. States of a lane:
 *
 *   free     the first that waits is sent, if its destination is on the list that the courier was given
 *   sending  text or body go out in parts, as far as the channel takes them
 *   sent     the answer is awaited; its bytes are collected in the job
 *   left     the job's time was over before the answer came: whoever asked knows, and the answer will be dropped
 *
 * The list and the courier follow the jobs, not the other way round: see the header. A courier that says what it may not
 * is dropped like one that is gone, and a new one asked for by telling the list again. */
#include "firmware/worker/outbound.h"

#include "firmware/worker/outbound_list.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/base/queue.h"
#include "hal/process.h"
#include "hal/socket.h"

#define S_MS         1000u
#define IDLE_MS      ((uint64_t)CONFIG_COURIER_IDLE_S * S_MS)
#define READ_AT_ONCE 64   /* messages taken in one turn */
#define RETRY_MS     200u /* for a list that could not be told at once */
#define GRACE_MS     3000u /* for what is under way when the worker stops; less than it has for its own requests */

struct lane {
    struct outbound_job *first; /* those that wait */
    struct outbound_job *last;
    uint64_t number;            /* of what the courier has; 0: nothing */
    struct outbound_job *job;   /* the same; NULL: left */
};

struct outbound_link {
    const struct hal_clock *clock;
    struct poller *poller;
    struct msg_channel *control;
    struct queue *submitted;
    struct queue *places; /* one item for each job that may still be taken in */
    struct lane lanes[OUTBOUND_KINDS];
    struct outbound_list list;
    struct mono_time tell_at;  /* not before */
    struct msg_channel *channel; /* NULL: no courier */
    uint32_t channel_list;       /* the number of the list that it was given */
    bool full;                   /* the channel took no more */
    bool stopped;
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
    const unsigned int seconds = job->to.kind == OUTBOUND_SMTP ? CONFIG_COURIER_MAIL_S : CONFIG_COURIER_FETCH_S;

    TRY(outbound_job_check(job));
    job->until = mono_add_ms(hal_clock_mono(link->clock), (uint64_t)seconds * S_MS);
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

static struct outbound_job *take_first(struct lane *lane)
{
    struct outbound_job *const job = lane->first;

    if (job != NULL) {
        lane->first = job->next;
        lane->last = lane->first == NULL ? NULL : lane->last;
        job->next = NULL;
    }
    return job;
}

static void append(struct lane *lane, struct outbound_job *job)
{
    job->next = NULL;
    if (lane->last != NULL) {
        lane->last->next = job;
    } else {
        lane->first = job;
    }
    lane->last = job;
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
    for (unsigned int kind = 0; kind < OUTBOUND_KINDS; kind++) {
        struct lane *const lane = &link->lanes[kind];
        struct outbound_job *const job = lane->job;
        lane->job = NULL;
        lane->number = 0;
        if (job != NULL) {
            answer(link, job, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER, 0);
        }
    }
}

/* --- answers of the courier --- */

static struct lane *lane_of(struct outbound_link *link, uint64_t number)
{
    for (unsigned int kind = 0; kind < OUTBOUND_KINDS; kind++) {
        if (number != 0 && link->lanes[kind].number == number) {
            return &link->lanes[kind];
        }
    }
    return NULL;
}

static size_t bytes_of(const struct outbound_job *job)
{
    return job->to.kind == OUTBOUND_SMTP ? job->mail.text.len : job->fetch.body.len;
}

static enum err take_answer(struct outbound_link *link)
{
    struct lane *const lane = lane_of(link, link->msg.as.job_part.job);

    ENSURE(lane == &link->lanes[OUTBOUND_HTTPS], ERR_MALFORMED, "an answer to no request");
    if (lane->job != NULL) {
        ENSURE(buf_put(lane->job->fetch.answer, MSG_VIEW(&link->msg.as.job_part.bytes)) == ERR_OK, ERR_MALFORMED,
               "an answer that is too long");
    }
    return ERR_OK;
}

static enum err take_done(struct outbound_link *link)
{
    struct lane *const lane = lane_of(link, link->msg.as.job_done.job);

    ENSURE(lane != NULL, ERR_MALFORMED, "an answer to no job");
    struct outbound_job *const job = lane->job;
    ENSURE(job == NULL || job->sent == bytes_of(job), ERR_MALFORMED, "an answer to half a job");
    lane->job = NULL;
    lane->number = 0;
    if (job != NULL) {
        answer(link, job, (enum outbound_result)link->msg.as.job_done.result,
               (enum outbound_stage)link->msg.as.job_done.stage, link->msg.as.job_done.status);
    }
    return ERR_OK;
}

static enum err take_message(struct outbound_link *link)
{
    const enum err err = msg_recv(link->channel, MSG_OPERATIONAL, &link->msg);

    if (err != ERR_OK) {
        return err; /* ERR_AGAIN and ERR_CLOSED are no faults */
    }
    const enum err taken = link->msg.type == MSG_JOB_ANSWER ? take_answer(link) : take_done(link);
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

static enum err fill_mail(const struct outbound_job *job, size_t destination, struct msg *out_msg)
{
    *out_msg = MSG_NEW(MSG_JOB_MAIL);
    out_msg->as.job_mail.job = job->number;
    out_msg->as.job_mail.destination = (uint32_t)destination;
    out_msg->as.job_mail.bytes = (uint32_t)job->mail.text.len;
    TRY(MSG_SET(&out_msg->as.job_mail.from, job->mail.from));
    TRY(MSG_SET(&out_msg->as.job_mail.to, job->mail.to));
    TRY(MSG_SET(&out_msg->as.job_mail.user, job->mail.user));
    return MSG_SET(&out_msg->as.job_mail.password, job->mail.password);
}

static enum err fill_fetch(const struct outbound_job *job, size_t destination, struct msg *out_msg)
{
    *out_msg = MSG_NEW(MSG_JOB_FETCH);
    out_msg->as.job_fetch.job = job->number;
    out_msg->as.job_fetch.destination = (uint32_t)destination;
    out_msg->as.job_fetch.bytes = (uint32_t)job->fetch.body.len;
    out_msg->as.job_fetch.method = (uint32_t)job->fetch.method;
    TRY(MSG_SET(&out_msg->as.job_fetch.path, job->fetch.path));
    return MSG_SET(&out_msg->as.job_fetch.authorization, job->fetch.authorization);
}

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
    const struct span all = job->to.kind == OUTBOUND_SMTP ? job->mail.text : job->fetch.body;

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

static enum err begin(struct outbound_link *link, struct lane *lane)
{
    struct outbound_job *const job = lane->first;
    const size_t destination = outbound_list_find(&link->list, &job->to);

    if (destination == link->list.count) {
        return ERR_OK; /* there are too many at the moment */
    }
    job->number = link->last_number + 1;
    TRY(job->to.kind == OUTBOUND_SMTP ? fill_mail(job, destination, &link->msg)
                                      : fill_fetch(job, destination, &link->msg));
    const enum err err = put(link);
    if (err != ERR_OK) {
        return err;
    }
    link->last_number = job->number;
    lane->number = job->number;
    lane->job = take_first(lane);
    return ERR_OK;
}

static enum err pump_lane(struct outbound_link *link, struct lane *lane)
{
    if (lane->number == 0 && lane->first != NULL && !link->list.changed && link->channel_list == link->list.number) {
        const enum err err = begin(link, lane);
        if (err != ERR_OK) {
            return err;
        }
    }
    return lane->job != NULL ? send_parts(link, lane->job) : ERR_OK;
}

static void pump(struct outbound_link *link)
{
    for (unsigned int kind = 0; kind < OUTBOUND_KINDS && link->channel != NULL && !link->full; kind++) {
        const enum err err = pump_lane(link, &link->lanes[kind]);
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
        append(&link->lanes[job->to.kind], job);
    }
    fault_clear();
}

static void end_late_ones(struct outbound_link *link, struct lane *lane, struct mono_time now)
{
    struct lane rest = {.first = NULL};

    for (struct outbound_job *job = take_first(lane); job != NULL; job = take_first(lane)) {
        if (now.ns >= job->until.ns) {
            answer(link, job, OUTBOUND_TEMPORARY, OUTBOUND_AT_QUEUE, 0);
        } else {
            append(&rest, job);
        }
    }
    lane->first = rest.first;
    lane->last = rest.last;
    struct outbound_job *const job = lane->job;
    if (job == NULL || now.ns < job->until.ns) {
        return;
    }
    if (job->sent < bytes_of(job)) {
        drop_channel(link); /* a courier that does not read: what is left of the job can never be sent */
        link->list.changed = true;
        return;
    }
    lane->job = NULL; /* number stays: the lane is taken until the courier answers */
    answer(link, job, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER, 0);
}

static void keep_list(struct outbound_link *link, struct mono_time now)
{
    for (unsigned int kind = 0; kind < OUTBOUND_KINDS; kind++) {
        if (link->lanes[kind].job != NULL &&
            outbound_list_want(&link->list, &link->lanes[kind].job->to, now) != ERR_OK) {
            fault_clear(); /* it is under way already */
        }
        for (const struct outbound_job *job = link->lanes[kind].first; job != NULL; job = job->next) {
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
        end_late_ones(link, &link->lanes[kind], now);
    }
    if (!link->stopped) {
        keep_list(link, now);
        tell_list(link, now);
    }
    pump(link);
}

static uint64_t lane_wait_ms(const struct lane *lane, struct mono_time now)
{
    uint64_t wait = UINT64_MAX;

    if (lane->job != NULL) {
        wait = mono_ms_between(now, lane->job->until);
    }
    for (const struct outbound_job *job = lane->first; job != NULL; job = job->next) {
        wait = num_min(wait, mono_ms_between(now, job->until));
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
    uint64_t wait = list_wait_ms(link, now);

    for (unsigned int kind = 0; kind < OUTBOUND_KINDS; kind++) {
        wait = num_min(wait, lane_wait_ms(&link->lanes[kind], now));
    }
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
        for (struct outbound_job *job = take_first(&link->lanes[kind]); job != NULL;
             job = take_first(&link->lanes[kind])) {
            answer(link, job, OUTBOUND_TEMPORARY, OUTBOUND_AT_QUEUE, 0);
        }
        if (link->lanes[kind].job != NULL) {
            const struct mono_time end = mono_add_ms(hal_clock_mono(link->clock), GRACE_MS);
            link->lanes[kind].job->until.ns = num_min(link->lanes[kind].job->until.ns, end.ns);
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

struct outbound outbound_link_table(struct outbound_link *link)
{
    return (struct outbound){.submit = on_submit, .context = link};
}
