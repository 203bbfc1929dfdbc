/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/worker/update_link.h"

#include <pthread.h>
#include <string.h>

#include "firmware/msg.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/base/queue.h"
#include "hal/process.h"
#include "hal/socket.h"

#define JOBS_MAX  4 /* one owner, one file; each holds a MiB of a reactor's */
#define WAIT_MS   60000
#define ANSWER_MS 120000 /* removing files of the ESP, or a slot that is synced and approved */

_Static_assert(API_UPDATE_VERSION_BYTES > MSG_VERSION_MAX, "with the NUL");

struct update_link {
    struct msg_channel *channel;
    struct queue *jobs;
    pthread_t thread;
    bool runs;
    bool broken; /* the thread's: a question has no answer yet, so there is none to another */
    struct msg msg;
};

static enum err send_bytes(struct update_link *link, struct span bytes)
{
    struct span rest = bytes;

    while (rest.len != 0) {
        const size_t part = num_min(rest.len, MSG_PART_MAX);
        link->msg = MSG_NEW(MSG_UPDATE_BYTES);
        TRY(MSG_SET(&link->msg.as.part, span_of(rest.data, part)));
        TRY(msg_send(link->channel, &link->msg));
        rest = span_of(rest.data + part, rest.len - part);
    }
    return ERR_OK;
}

static enum err send_question(struct update_link *link, const struct api_update_job *job)
{
    static const enum msg_type types[] = {[API_UPDATE_ASK] = MSG_UPDATE_ASK,
                                          [API_UPDATE_BEGIN] = MSG_UPDATE_BEGIN,
                                          [API_UPDATE_PIECE] = MSG_UPDATE_PIECE,
                                          [API_UPDATE_INSTALL] = MSG_UPDATE_INSTALL};

    link->msg = MSG_NEW(types[job->kind]);
    if (job->kind == API_UPDATE_PIECE) {
        link->msg.as.update_piece.offset = job->offset;
        link->msg.as.update_piece.bytes = (uint32_t)job->bytes.len;
    }
    TRY(msg_send(link->channel, &link->msg));
    return job->kind == API_UPDATE_PIECE ? send_bytes(link, job->bytes) : ERR_OK;
}

static void copy_text(const struct msg_version *from, char out_text[API_UPDATE_VERSION_BYTES])
{
    memcpy(out_text, from->data, from->len);
    out_text[from->len] = '\0';
}

static void take_status(const struct msg *msg, struct api_update_job *job)
{
    static const char *const phases[] = {[MSG_UPDATE_NONE] = "none",
                                         [MSG_UPDATE_RECEIVING] = "receiving",
                                         [MSG_UPDATE_WHOLE] = "complete",
                                         [MSG_UPDATE_INSTALLED] = "installed"};
    _Static_assert(ARRAY_LENGTH(phases) == MSG_UPDATE_PHASES, "each has a name");

    job->phase = phases[msg->as.update_status.phase];
    job->received = msg->as.update_status.received;
    job->security = msg->as.update_status.security;
    job->trial = msg->as.update_status.trial == 1;
    copy_text(&msg->as.update_status.version, job->version);
    copy_text(&msg->as.update_status.running, job->running);
    job->has_status = true;
}

static enum err carry_out(struct update_link *link, struct api_update_job *job)
{
    ENSURE(!link->broken, ERR_CLOSED, "the updater is gone");
    link->broken = true; /* until the answer is there */
    TRY(send_question(link, job));
    TRY(msg_recv(link->channel, MSG_OPERATIONAL, &link->msg));
    link->broken = false;
    take_status(&link->msg, job);
    return (enum err)link->msg.as.update_status.err;
}

static void on_post(struct loop_post *post)
{
    struct api_update_job *const job =
        (struct api_update_job *)(void *)((char *)post - offsetof(struct api_update_job, post));

    job->done(job, job->err);
}

static void *run(void *argument)
{
    struct update_link *const link = argument;
    void *item = NULL;

    for (;;) {
        const enum err err = queue_wait(link->jobs, WAIT_MS, &item);
        if (err == ERR_CLOSED) {
            return NULL;
        }
        if (err != ERR_OK) {
            continue; /* nothing to do yet */
        }
        struct api_update_job *const job = item;
        job->err = carry_out(link, job);
        if (link->broken) {
            log_fault(LOG_ERROR, "no_updater");
        }
        fault_clear();
        job->post.run = on_post;
        INVARIANT(loop_post(job->loop, &job->post) ==
                  ERR_OK); /* an exchange keeps its loop, which has a place for each */
    }
}

static void free_scoped(struct update_link **link)
{
    update_link_free(*link);
}

enum err update_link_new(int take_fd, struct update_link **out_link)
{
    SCOPED_FD int fd = take_fd;
    SCOPED(free_scoped) struct update_link *link = NULL;
    void *memory = NULL;

    TRY(channel_set_timeout(fd, ANSWER_MS));
    TRY(mem_alloc(sizeof(struct update_link), &memory));
    link = memory;
    TRY(msg_channel_new(fd, MSG_UPDATES, MSG_LOWER, &link->channel));
    fd = -1;
    TRY(queue_new(JOBS_MAX, &link->jobs));
    ENSURE(pthread_create(&link->thread, NULL, run, link) == 0, ERR_LIMIT, "no thread for updates");
    link->runs = true;
    *out_link = TAKE(link);
    return ERR_OK;
}

void update_link_free(struct update_link *link)
{
    if (link == NULL) {
        return;
    }
    if (link->runs) {
        queue_close(link->jobs);
        INVARIANT(pthread_join(link->thread, NULL) == 0);
    }
    queue_free(link->jobs);
    msg_channel_free(link->channel);
    mem_free(link);
}

static enum err start(void *context, struct api_update_job *job)
{
    struct update_link *const link = context;

    ENSURE(job->bytes.len <= MSG_UPDATE_PIECE_MAX, ERR_RANGE, "a piece that is too long");
    return queue_push(link->jobs, job);
}

struct api_updates update_link_table(struct update_link *link)
{
    return (struct api_updates){.start = link != NULL ? start : NULL, .context = link};
}
