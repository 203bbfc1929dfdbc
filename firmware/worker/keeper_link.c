/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each job has a slot; a question carries the slot's place and how often it was used, so that a late answer to a job that
 * was cancelled meets nobody else. States of a slot:
 *
 *   free -> waiting -> sent -> free
 *              |        `-> abandoned -> free      cancelled: the answer is still to come
 *              `-> free                            cancelled before it was sent
 *
 * When the keeper is gone every job is answered with ERR_CLOSED, from the loop, and new ones are refused: connections that
 * are open go on, new handshakes wait for the worker's successor. */
#include "firmware/worker/keeper_link.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"

#define READ_AT_ONCE 64 /* answers taken in one turn of the loop */

enum job_kind { JOB_SIGN, JOB_UNLOCK, JOB_TOKENS, JOB_PEPPER };

/* A question of one kind; exactly that pointer is set. */
struct job {
    enum job_kind kind;
    struct tls_sign_job *sign;
    struct api_unlock_job *unlock;
    struct api_token_job *tokens;
    struct api_pepper_job *pepper;
};

enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_SENT, SLOT_ABANDONED };

struct slot {
    enum slot_state state;
    uint32_t uses;
    struct job job;
    struct slot *next; /* in the list of free ones or of those that wait */
};

struct slots {
    struct slot *first;
    struct slot *last;
};

struct keeper_link {
    struct loop_watch watch; /* first: the loop hands this back */
    struct loop *loop;
    struct msg_channel *channel;
    bool closed;
    size_t sent;
    struct slots free;
    struct slots waiting;
    struct msg msg; /* at hand; wiped after each */
    struct slot table[LINK_JOBS_MAX];
};

static void append(struct slots *list, struct slot *slot)
{
    slot->next = NULL;
    if (list->last != NULL) {
        list->last->next = slot;
    } else {
        list->first = slot;
    }
    list->last = slot;
}

static struct slot *take_first(struct slots *list)
{
    struct slot *const slot = list->first;

    if (slot != NULL) {
        list->first = slot->next;
        if (list->first == NULL) {
            list->last = NULL;
        }
        slot->next = NULL;
    }
    return slot;
}

static void release(struct keeper_link *link, struct slot *slot)
{
    slot->state = SLOT_FREE;
    slot->job = (struct job){.kind = slot->job.kind};
    slot->uses++;
    append(&link->free, slot);
}

static uint64_t number_of(const struct keeper_link *link, const struct slot *slot)
{
    return (uint64_t)slot->uses << 32 | (uint64_t)(slot - link->table);
}

/* The slot of an answer, or NULL if there is none that waits for it. */
static struct slot *slot_of(struct keeper_link *link, uint64_t number)
{
    const uint64_t place = number & UINT32_MAX;

    if (place >= LINK_JOBS_MAX) {
        return NULL;
    }
    struct slot *const slot = &link->table[place];
    return number_of(link, slot) == number ? slot : NULL;
}

static enum err fill_sign(struct keeper_link *link, const struct slot *slot, struct msg *out_msg)
{
    const struct tls_sign_request *const request = &slot->job.sign->request;

    if (request->kind == TLS_SIGN_13) {
        const size_t bytes = request->transcript_hash == TLS_SHA384 ? 48 : 32;
        *out_msg = MSG_NEW(MSG_SIGN_TLS13);
        out_msg->as.sign_tls13.request = number_of(link, slot);
        out_msg->as.sign_tls13.certificate = request->certificate;
        TRY(MSG_SET(&out_msg->as.sign_tls13.transcript, span_of(request->transcript, bytes)));
        return ERR_OK;
    }
    *out_msg = MSG_NEW(MSG_SIGN_TLS12);
    out_msg->as.sign_tls12.request = number_of(link, slot);
    out_msg->as.sign_tls12.certificate = request->certificate;
    memcpy(out_msg->as.sign_tls12.client_random, request->client_random, TLS_RANDOM_BYTES);
    memcpy(out_msg->as.sign_tls12.server_random, request->server_random, TLS_RANDOM_BYTES);
    out_msg->as.sign_tls12.group = request->group;
    TRY(MSG_SET(&out_msg->as.sign_tls12.point, span_of(request->point, request->point_bytes)));
    return ERR_OK;
}

static uint32_t kind_of(const struct api_unlock_job *job)
{
    if (!job->is_recovery_key) {
        return MSG_UNLOCK_PIN;
    }
    return job->sets_date_back ? MSG_UNLOCK_DATE_BACK : MSG_UNLOCK_RECOVERY;
}

static enum err fill_unlock(struct keeper_link *link, const struct slot *slot, struct msg *out_msg)
{
    *out_msg = MSG_NEW(MSG_UNLOCK);
    out_msg->as.unlock.request = number_of(link, slot);
    out_msg->as.unlock.kind = kind_of(slot->job.unlock);
    TRY(MSG_SET(&out_msg->as.unlock.text, slot->job.unlock->text));
    return ERR_OK;
}

static enum err fill_tokens(struct keeper_link *link, const struct slot *slot, struct msg *out_msg)
{
    const struct api_token_job *const job = slot->job.tokens;

    *out_msg = MSG_NEW(MSG_TOKEN_SIGN);
    out_msg->as.token_sign.request = number_of(link, slot);
    TRY(MSG_SET(&out_msg->as.token_sign.environment_id, job->environment_id));
    TRY(MSG_SET(&out_msg->as.token_sign.project, job->project_id));
    TRY(MSG_SET(&out_msg->as.token_sign.environment, job->environment));
    TRY(MSG_SET(&out_msg->as.token_sign.user, job->user));
    TRY(MSG_SET(&out_msg->as.token_sign.session, job->session));
    out_msg->as.token_sign.access_s = job->access_s;
    out_msg->as.token_sign.refresh_s = job->refresh_s;
    return ERR_OK;
}

static enum err fill_pepper(struct keeper_link *link, const struct slot *slot, struct msg *out_msg)
{
    *out_msg = MSG_NEW(MSG_PEPPER);
    out_msg->as.pepper.request = number_of(link, slot);
    out_msg->as.pepper.version = slot->job.pepper->version;
    memcpy(out_msg->as.pepper.digest, slot->job.pepper->digest, MSG_DIGEST_BYTES);
    return ERR_OK;
}

static enum err fill(struct keeper_link *link, const struct slot *slot, struct msg *out_msg)
{
    switch (slot->job.kind) {
    case JOB_SIGN:
        return fill_sign(link, slot, out_msg);
    case JOB_UNLOCK:
        return fill_unlock(link, slot, out_msg);
    case JOB_TOKENS:
        return fill_tokens(link, slot, out_msg);
    case JOB_PEPPER:
        return fill_pepper(link, slot, out_msg);
    }
    FAIL(ERR_BUG, "a job of no kind", slot->job.kind);
}

/* Sends what waits, as far as it may. A failure leaves the job waiting: it is answered when the loop hears that the
 * channel is gone. */
static void pump(struct keeper_link *link)
{
    while (!link->closed && link->sent < LINK_SENT_MAX && link->waiting.first != NULL) {
        struct slot *const slot = link->waiting.first;
        enum err err = fill(link, slot, &link->msg);

        INVARIANT(err == ERR_OK); /* checked when the job was taken */
        err = msg_send(link->channel, &link->msg);
        msg_wipe(&link->msg);
        if (err != ERR_OK) {
            fault_clear();
            return;
        }
        (void)take_first(&link->waiting); /* it is slot */
        slot->state = SLOT_SENT;
        link->sent++;
    }
}

/* Puts one question in the queue. out_tag: by it the job finds its slot again. */
static enum err ask(struct keeper_link *link, const struct job *job, uint64_t *out_tag)
{
    ENSURE(!link->closed, ERR_CLOSED, "the keeper is gone");
    struct slot *const slot = take_first(&link->free);
    ENSURE(slot != NULL, ERR_LIMIT, "too many signatures under way");
    slot->state = SLOT_WAITING;
    slot->job = *job;
    append(&link->waiting, slot);
    *out_tag = number_of(link, slot);
    pump(link);
    return ERR_OK;
}

static enum err on_start(void *context, struct tls_sign_job *job)
{
    ENSURE(job->request.point_bytes <= MSG_POINT_MAX, ERR_RANGE, "a point that is too long");
    return ask(context, &(struct job){.kind = JOB_SIGN, .sign = job}, &job->tag);
}

static void on_cancel(void *context, struct tls_sign_job *job)
{
    struct keeper_link *const link = context;
    struct slot *const slot = slot_of(link, job->tag);

    if (slot == NULL || slot->job.sign != job) {
        return; /* answered already */
    }
    if (slot->state == SLOT_SENT) {
        slot->state = SLOT_ABANDONED;
        slot->job.sign = NULL;
        return;
    }
    struct slots rest = {NULL, NULL};
    for (struct slot *other = take_first(&link->waiting); other != NULL; other = take_first(&link->waiting)) {
        if (other != slot) {
            append(&rest, other);
        }
    }
    link->waiting = rest;
    release(link, slot);
}

static enum err on_unlock(void *context, struct api_unlock_job *job)
{
    ENSURE(job->text.len <= MSG_RECOVERY_MAX, ERR_MALFORMED, "longer than any recovery key");
    return ask(context, &(struct job){.kind = JOB_UNLOCK, .unlock = job}, &job->tag);
}

static enum err on_tokens(void *context, struct api_token_job *job)
{
    ENSURE(job->environment_id.len <= MSG_UUID_BYTES && job->project_id.len <= MSG_UUID_BYTES &&
               job->environment.len <= MSG_ENVIRONMENT_MAX && job->user.len <= MSG_UUID_BYTES &&
               job->session.len <= MSG_UUID_BYTES && job->access_s <= MSG_ACCESS_S_MAX &&
               job->refresh_s <= MSG_REFRESH_S_MAX,
           ERR_RANGE, "a token that is too long or lives too long");
    return ask(context, &(struct job){.kind = JOB_TOKENS, .tokens = job}, &job->tag);
}

static enum err on_pepper(void *context, struct api_pepper_job *job)
{
    return ask(context, &(struct job){.kind = JOB_PEPPER, .pepper = job}, &job->tag);
}

/* --- answers --- */

static void take_tokens(struct api_token_job *job, const struct msg *answer)
{
    job->issued_s = (int64_t)answer->as.token_signed.issued_s;
    job->access_len = answer->as.token_signed.access.len;
    job->refresh_len = answer->as.token_signed.refresh.len;
    memcpy(job->access, answer->as.token_signed.access.data, job->access_len);
    memcpy(job->refresh, answer->as.token_signed.refresh.data, job->refresh_len);
}

static void take_mac(struct api_pepper_job *job, const struct msg *answer)
{
    job->version = answer->as.peppered.version;
    memcpy(job->mac, answer->as.peppered.mac, sizeof job->mac);
}

/* Gives an answer to whoever asked. The slot is free before that, because the answer may lead to the next question.
 * answer: NULL when there is only an error. */
static void deliver(struct keeper_link *link, struct slot *slot, enum err err, const struct msg *answer)
{
    const struct job job = slot->job;

    release(link, slot);
    if (job.sign != NULL) {
        tls_sign_answer(job.sign, err, answer == NULL ? SPAN_NONE : MSG_VIEW(&answer->as.signature.signature));
    } else if (job.unlock != NULL) {
        job.unlock->done(job.unlock, err);
    } else if (job.tokens != NULL) {
        if (err == ERR_OK) {
            take_tokens(job.tokens, answer);
        }
        job.tokens->done(job.tokens, err);
    } else if (job.pepper != NULL) {
        if (err == ERR_OK) {
            take_mac(job.pepper, answer);
        }
        job.pepper->done(job.pepper, err);
    }
}

struct answer_head {
    enum job_kind kind; /* of the question */
    uint64_t number;
    enum err err;
};

static enum err read_head(const struct msg *msg, struct answer_head *out)
{
    if (msg->type == MSG_SIGNED) {
        *out = (struct answer_head){JOB_SIGN, msg->as.signature.request, (enum err)msg->as.signature.err};
    } else if (msg->type == MSG_UNLOCKED) {
        *out = (struct answer_head){JOB_UNLOCK, msg->as.unlocked.request, (enum err)msg->as.unlocked.err};
    } else if (msg->type == MSG_TOKEN_SIGNED) {
        *out = (struct answer_head){JOB_TOKENS, msg->as.token_signed.request, (enum err)msg->as.token_signed.err};
    } else if (msg->type == MSG_PEPPERED) {
        *out = (struct answer_head){JOB_PEPPER, msg->as.peppered.request, (enum err)msg->as.peppered.err};
    } else {
        FAIL(ERR_MALFORMED, "an answer of no kind", msg->type);
    }
    return ERR_OK;
}

static enum err take_answer(struct keeper_link *link)
{
    SCOPED_MSG struct msg msg = MSG_NEW(MSG_SIGNED);
    struct answer_head head = {JOB_SIGN, 0, ERR_OK};

    TRY(msg_recv(link->channel, MSG_OPERATIONAL, &msg));
    TRY(read_head(&msg, &head));
    struct slot *const slot = slot_of(link, head.number);

    ENSURE(slot != NULL && (slot->state == SLOT_SENT || slot->state == SLOT_ABANDONED) && slot->job.kind == head.kind,
           ERR_MALFORMED, "an answer that nobody asked for");
    link->sent--;
    deliver(link, slot, head.err, &msg);
    return ERR_OK;
}

static void gone(struct keeper_link *link)
{
    LOG(LOG_WARN, "keeper_gone", LOG_NUMBER("sent", link->sent));
    link->closed = true;
    loop_watch_stop(link->loop, &link->watch);
    for (size_t i = 0; i < LINK_JOBS_MAX; i++) {
        if (link->table[i].state == SLOT_SENT || link->table[i].state == SLOT_ABANDONED) {
            deliver(link, &link->table[i], ERR_CLOSED, NULL);
        }
    }
    for (struct slot *slot = take_first(&link->waiting); slot != NULL; slot = take_first(&link->waiting)) {
        deliver(link, slot, ERR_CLOSED, NULL);
    }
    link->sent = 0;
}

static void on_ready(struct loop_watch *watch, unsigned int ready)
{
    struct keeper_link *const link = (struct keeper_link *)watch;

    (void)ready; /* reading tells all */
    for (size_t i = 0; i < READ_AT_ONCE; i++) {
        const enum err err = take_answer(link);
        if (err == ERR_AGAIN) {
            fault_clear();
            break;
        }
        if (err != ERR_OK) {
            log_fault(LOG_WARN, "keeper_link_failed");
            gone(link);
            return;
        }
    }
    pump(link);
}

enum err keeper_link_new(struct loop *loop, struct msg_channel *take_channel, struct keeper_link **out_link)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct keeper_link), &memory));
    struct keeper_link *const link = memory;
    link->loop = loop;
    link->channel = take_channel;
    link->watch = (struct loop_watch){.on_ready = on_ready, .descriptor = msg_channel_fd(take_channel)};
    for (size_t i = 0; i < LINK_JOBS_MAX; i++) {
        link->table[i].uses = 1;
        append(&link->free, &link->table[i]);
    }
    const enum err err = loop_watch_start(loop, &link->watch, LOOP_READ);
    if (err != ERR_OK) {
        mem_free(link);
        TRY(err);
    }
    *out_link = link;
    return ERR_OK;
}

void keeper_link_free(struct keeper_link *link)
{
    if (link == NULL) {
        return;
    }
    if (!link->closed) {
        loop_watch_stop(link->loop, &link->watch);
    }
    msg_channel_free(link->channel);
    mem_free(link);
}

struct tls_signer keeper_link_signer(struct keeper_link *link)
{
    return (struct tls_signer){.start = on_start, .cancel = on_cancel, .context = link};
}

struct api_unlock keeper_link_unlock(struct keeper_link *link)
{
    return (struct api_unlock){.start = on_unlock, .context = link};
}

struct api_keeper keeper_link_keeper(struct keeper_link *link)
{
    return (struct api_keeper){.sign_tokens = on_tokens, .pepper = on_pepper, .context = link};
}
