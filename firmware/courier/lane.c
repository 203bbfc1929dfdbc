/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a lane holds is for one job: the memory that it is collected in, and sent from. */
#include "firmware/courier/lane.h"

#include "firmware/courier/connection.h"
#include "firmware/courier/fetch.h"
#include "firmware/courier/smtp.h"
#include "firmware/job_thread.h"
#include "hal/base/fault.h"
#include "hal/base/log_limit.h"
#include "hal/base/mem.h"

#define S_MS 1000u

struct lane {
    enum outbound_kind kind;
    const struct courier_list *list;
    const struct hal_clock *clock;
    struct reach *reach;
    struct lane_job job;
    struct log_limit unreached_lines; /* the thread's, as the next: a worker may send jobs as fast as they fail */
    struct log_limit failed_lines;
    struct job_thread *thread;
};

/* The job as smtp.c and fetch.c want it: views of the lane's memory. */
static struct courier_job view_of(const struct lane *lane, const struct outbound_destination *to)
{
    const struct lane_job *const job = &lane->job;
    struct courier_job view = {.to = *to};

    if (lane->kind == OUTBOUND_SMTP) {
        view.mail = (struct outbound_mail){
            .from = MSG_VIEW(&job->as.mail.from),
            .to = MSG_VIEW(&job->as.mail.to),
            .user = MSG_VIEW(&job->as.mail.user),
            .password = MSG_VIEW(&job->as.mail.password),
            .text = buf_all(job->text),
        };
    } else {
        view.fetch = (struct outbound_fetch){
            .method = (enum outbound_method)job->as.fetch.method,
            .path = MSG_VIEW(&job->as.fetch.path),
            .authorization = MSG_VIEW(&job->as.fetch.authorization),
            .body = buf_all(job->text),
        };
    }
    return view;
}

static void log_failure(struct lane *lane)
{
    if (lane->job.answer.result != OUTBOUND_DONE) {
        log_limit_fault(&lane->failed_lines, hal_clock_mono(lane->clock), LOG_INFO, "job_failed");
    }
}

static void connect_and_run(struct lane *lane, const struct connection_options *options)
{
    const struct courier_job view = view_of(lane, options->to);
    struct connection *connection = NULL;
    struct courier_answer *const answer = &lane->job.answer;

    *answer = (struct courier_answer){.result = OUTBOUND_TEMPORARY, .stage = OUTBOUND_AT_RESOLVE};
    if (connection_open(options, &connection, &answer->stage) != ERR_OK) {
        log_limit_fault(&lane->unreached_lines, hal_clock_mono(lane->clock), LOG_WARN, "destination_not_reached");
        return;
    }
    if (lane->kind == OUTBOUND_SMTP) {
        smtp_send(connection_stream(connection), &view, answer);
    } else {
        fetch_run(connection_stream(connection), &view, answer, lane->job.body);
    }
    log_failure(lane);
    connection_free(connection);
}

static void carry_out(void *context)
{
    struct lane *const lane = context;
    const struct courier_destination *const destination = &lane->list->items[lane->job.destination];
    const struct connection_options options = {
        .to = &destination->to,
        .roots = destination->roots,
        .clock = lane->clock,
        .reach = lane->reach,
        .job = lane->job.number,
        .until = mono_add_ms(hal_clock_mono(lane->clock), (uint64_t)outbound_kind_s(lane->kind) * S_MS),
    };

    if (destination->time != NULL) {
        time_server_ask(destination->time, &options, &lane->job.answer, &lane->job.reading);
        log_failure(lane);
    } else {
        connect_and_run(lane, &options);
    }
    fault_clear();
}

static void lane_free_scoped(struct lane **lane)
{
    lane_free(*lane);
}

enum err lane_new(enum outbound_kind kind, const struct courier_list *list, const struct hal_clock *clock,
                  struct reach *reach, struct lane **out_lane)
{
    void *memory = NULL;
    SCOPED(lane_free_scoped) struct lane *lane = NULL;

    TRY(mem_alloc(sizeof(struct lane), &memory));
    lane = memory;
    lane->kind = kind;
    lane->list = list;
    lane->clock = clock;
    lane->reach = reach;
    TRY(buf_new(kind == OUTBOUND_SMTP ? OUTBOUND_MAIL_MAX : OUTBOUND_BODY_MAX, &lane->job.text));
    TRY(buf_new(OUTBOUND_ANSWER_MAX, &lane->job.body));
    TRY(job_thread_new(carry_out, lane, &lane->thread));
    *out_lane = TAKE(lane);
    return ERR_OK;
}

void lane_free(struct lane *lane)
{
    if (lane == NULL) {
        return;
    }
    job_thread_free(lane->thread);
    buf_free(lane->job.text);
    buf_free(lane->job.body);
    mem_wipe(lane, sizeof(*lane));
    mem_free(lane);
}

struct lane_job *lane_job(struct lane *lane)
{
    INVARIANT(!lane_is_busy(lane));
    return &lane->job;
}

void lane_start(struct lane *lane)
{
    INVARIANT(job_thread_start(lane->thread) == ERR_OK);
}

bool lane_is_busy(const struct lane *lane)
{
    return job_thread_is_busy(lane->thread);
}

int lane_fd(const struct lane *lane)
{
    return job_thread_fd(lane->thread);
}

bool lane_finished(struct lane *lane)
{
    return job_thread_finished(lane->thread);
}

void lane_clear(struct lane *lane)
{
    struct lane_job *const job = lane_job(lane);
    struct buf *const text = job->text;
    struct buf *const body = job->body;

    buf_wipe(text);
    buf_wipe(body);
    mem_wipe(job, sizeof(*job));
    job->text = text;
    job->body = body;
}
