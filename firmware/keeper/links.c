/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The worker's channels: signatures, tokens and unlocking for reactors, keys for the store, notices.
 *
 * Everything that arrives here is hostile. A question is answered at once, with a result or an error; the answer always
 * fits, because a reactor has few signatures under way and the store waits for each answer. A channel that is full
 * therefore belongs to a worker that does not keep to the rules. */
#include "firmware/keeper/keeper_int.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/process.h"
#include "hal/socket.h"

#define UNLOCK_MS 1000U    /* contract 1.1: one try a second */
#define TICKET_MS 3600000U /* architecture.md section 7: hourly */

static void link_end(struct keeper *keeper, struct link *link)
{
    if (link->channel == NULL) {
        return;
    }
    if (poller_remove(keeper->poller, msg_channel_fd(link->channel)) != ERR_OK) {
        log_fault(LOG_WARN, "link_not_polled");
    }
    msg_channel_free(link->channel);
    link->channel = NULL;
    link->unlocking = false;
}

void keeper_links_end(struct keeper *keeper)
{
    for (size_t i = 0; i < LINKS_MAX; i++) {
        link_end(keeper, &keeper->links[i]);
    }
}

/* The worker broke the rules: its channels end here, the process by the supervisor's hand. */
static void offence(struct keeper *keeper)
{
    const struct msg msg = MSG_NEW(MSG_KEEPER_OFFENCE);

    log_fault(LOG_ERROR, "worker_refused");
    keeper_links_end(keeper);
    if (msg_send(keeper->control, &msg) != ERR_OK) {
        log_fault(LOG_ERROR, "offence_not_told");
    }
}

static struct link *link_of_kind(struct keeper *keeper, enum msg_fd_kind kind)
{
    for (size_t i = 0; i < LINKS_MAX; i++) {
        if (keeper->links[i].channel != NULL && keeper->links[i].kind == kind) {
            return &keeper->links[i];
        }
    }
    return NULL;
}

static void send_or_offence(struct keeper *keeper, struct link *link, const struct msg *msg)
{
    const enum err err = msg_send(link->channel, msg);

    if (err == ERR_CLOSED) {
        fault_clear();
        link_end(keeper, link); /* that reactor has ended, or the worker has */
    } else if (err != ERR_OK) {
        offence(keeper);
    }
}

void keeper_links_tell_cert(struct keeper *keeper)
{
    struct link *const link = link_of_kind(keeper, MSG_FD_NOTICES);
    struct msg msg = MSG_NEW(MSG_CERT);

    if (link == NULL) {
        return;
    }
    if (identity_cert(keeper->identity, &msg) != ERR_OK) {
        log_fault(LOG_ERROR, "no_certificate");
        return;
    }
    send_or_offence(keeper, link, &msg);
}

void keeper_links_tell_tickets(struct keeper *keeper)
{
    struct link *const link = link_of_kind(keeper, MSG_FD_NOTICES);

    if (link != NULL) {
        send_or_offence(keeper, link, &keeper->tickets);
    }
}

void keeper_tickets_rotate(struct keeper *keeper)
{
    struct random *random = NULL;
    struct msg next = MSG_NEW(MSG_TICKETS);

    if (random_new(SPAN_NONE, &random) != ERR_OK) {
        log_fault(LOG_ERROR, "ticket_keys_not_rotated");
        return;
    }
    random_fill(random, next.as.tickets.current_name, sizeof(next.as.tickets.current_name));
    random_fill(random, next.as.tickets.current_key, sizeof(next.as.tickets.current_key));
    random_free(random);
    if (keeper->tickets.type == MSG_TICKETS) {
        next.as.tickets.has_previous = 1;
        memcpy(next.as.tickets.previous_name, keeper->tickets.as.tickets.current_name, MSG_TICKET_NAME_BYTES);
        memcpy(next.as.tickets.previous_key, keeper->tickets.as.tickets.current_key, MSG_KEY_BYTES);
    }
    keeper->tickets = next;
    keeper->tickets_made = hal_clock_mono(keeper->clock);
    msg_wipe(&next);
}

void keeper_tickets_keep(struct keeper *keeper)
{
    if (mono_ms_between(keeper->tickets_made, hal_clock_mono(keeper->clock)) >= TICKET_MS) {
        keeper_tickets_rotate(keeper);
        keeper_links_tell_tickets(keeper);
    }
}

enum err keeper_links_add(struct keeper *keeper, struct msg *msg)
{
    static const enum msg_channel_kind kinds[] = {
        [MSG_FD_REACTOR] = MSG_REACTOR, [MSG_FD_CALLS] = MSG_CALLS, [MSG_FD_NOTICES] = MSG_NOTICES};
    const uint32_t index = msg->as.with_fd.index;
    const uint32_t kind = msg->as.with_fd.kind;
    struct msg_channel *channel = NULL;

    if (index == 0) {
        keeper_links_end(keeper);
    }
    ENSURE(keeper->links[index].channel == NULL, ERR_STATE, "a channel of that number is there already");
    TRY(channel_set_nonblocking(msg->fd));
    TRY(msg_channel_new(msg->fd, kinds[kind], MSG_UPPER, &channel));
    msg->fd = -1;
    keeper->links[index] = (struct link){.channel = channel, .kind = (enum msg_fd_kind)kind};
    TRY(poller_add(keeper->poller, msg_channel_fd(channel), POLLER_READ, &keeper->links[index]));
    if (kind == MSG_FD_NOTICES) {
        keeper_links_tell_cert(keeper);
        keeper_links_tell_tickets(keeper);
    }
    return ERR_OK;
}

static void sign(struct keeper *keeper, struct link *link, const struct msg *request)
{
    SCOPED_MSG struct msg answer = MSG_NEW(MSG_SIGNED);

    answer.as.signature.request =
        request->type == MSG_SIGN_TLS13 ? request->as.sign_tls13.request : request->as.sign_tls12.request;
    const enum err err = identity_sign(keeper->identity, request, &answer.as.signature.signature);
    answer.as.signature.err = (uint32_t)err;
    if (err == ERR_MALFORMED) {
        offence(keeper); /* our worker asks for nothing of the kind */
        return;
    }
    fault_clear();
    send_or_offence(keeper, link, &answer);
}

static void unlock_answer(struct keeper *keeper, struct link *link, uint64_t request, enum err err)
{
    SCOPED_MSG struct msg answer = MSG_NEW(MSG_UNLOCKED);

    answer.as.unlocked.request = request;
    answer.as.unlocked.err = (uint32_t)err;
    send_or_offence(keeper, link, &answer);
}

/* The worker that asked may have been replaced meanwhile: its successor would take an answer it did not ask for as an
 * offence of ours. */
void keeper_links_answer_unlock(struct keeper *keeper, const struct tpm_job *job)
{
    struct link *const link = &keeper->links[job->link];

    if (link->unlocking) {
        link->unlocking = false;
        unlock_answer(keeper, link, job->request, job->err);
    }
}

static enum tpm_job_kind job_of(enum msg_unlock_kind kind)
{
    static const enum tpm_job_kind jobs[] = {[MSG_UNLOCK_PIN] = TPM_JOB_UNLOCK_PIN,
                                             [MSG_UNLOCK_RECOVERY] = TPM_JOB_UNLOCK_RECOVERY,
                                             [MSG_UNLOCK_DATE_BACK] = TPM_JOB_UNLOCK_DATE_BACK};
    _Static_assert(ARRAY_LENGTH(jobs) == MSG_UNLOCK_KINDS, "each is a job");

    return jobs[kind];
}

static enum err unlock_begin(struct keeper *keeper, const struct link *link, const struct msg *request)
{
    const struct mono_time now = hal_clock_mono(keeper->clock);
    struct tpm_job job = {
        .kind = job_of((enum msg_unlock_kind)request->as.unlock.kind),
        .text = request->as.unlock.text,
        .request = request->as.unlock.request,
        .link = (size_t)(link - keeper->links),
    };

    enum err err = ERR_OK;
    if (keeper->state != MSG_LOCKED || board_permits(vault_state(keeper->vault), BOARD_UNLOCK) != BOARD_ALLOW) {
        err = ERR_STATE;
    } else if (keeper->last_unlock.ns != 0 && mono_ms_between(keeper->last_unlock, now) < UNLOCK_MS) {
        err = ERR_LIMIT;
    } else {
        keeper->last_unlock = now;
        err = tpm_thread_do(keeper->tpm_thread, &job);
    }
    mem_wipe(&job, sizeof(job));
    return err;
}

static void unlock(struct keeper *keeper, struct link *link, const struct msg *request)
{
    const enum err err = tpm_thread_is_busy(keeper->tpm_thread) ? ERR_LIMIT : unlock_begin(keeper, link, request);

    if (err != ERR_OK) {
        fault_clear();
        unlock_answer(keeper, link, request->as.unlock.request, err);
        return;
    }
    link->unlocking = true;
}

/* Answers with a key, new or opened or wrapped again. */
static enum err table_key(struct keeper *keeper, const struct msg *request, struct msg *out_answer)
{
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_BUF struct buf *wrapped = NULL;
    const uint32_t table = request->as.key_request.table;
    const struct span given = MSG_VIEW(&request->as.key_request.wrapped);

    TRY(buf_new(MSG_WRAPPED_MAX, &wrapped));
    if (request->type == MSG_KEY_NEW) {
        TRY(vault_table_new(keeper->vault, table, &key, wrapped));
    } else if (request->type == MSG_KEY_OPEN) {
        TRY(vault_table_open(keeper->vault, table, given, &key));
        TRY(buf_put(wrapped, given));
    } else {
        TRY(vault_table_rewrap(keeper->vault, table, given, wrapped));
    }
    if (key != NULL) {
        ENSURE(secret_len(key) == MSG_KEY_BYTES, ERR_DAMAGED, "a table key of another length");
        memcpy(out_answer->as.key.key, secret_reveal(key).data, MSG_KEY_BYTES);
    }
    TRY(MSG_SET(&out_answer->as.key.wrapped, buf_all(wrapped)));
    out_answer->type = MSG_KEY;
    return ERR_OK;
}

/* Tokens and peppers. Ids that are none are no accident. */
static void serve_users(struct keeper *keeper, struct link *link, const struct msg *request)
{
    const bool tokens = request->type == MSG_TOKEN_SIGN;
    SCOPED_MSG struct msg answer = MSG_NEW(tokens ? MSG_TOKEN_SIGNED : MSG_PEPPERED);

    const enum err err = tokens ? tokens_sign(keeper->tokens, keeper->vault, request, &answer)
                                : tokens_pepper(keeper->tokens, keeper->vault, request, &answer);
    if (err == ERR_MALFORMED) {
        offence(keeper);
        return;
    }
    if (err != ERR_OK) {
        log_limit_fault(&keeper->users_lines, hal_clock_mono(keeper->clock), LOG_WARN, "users_not_served");
        msg_wipe(&answer);
        answer.type = tokens ? MSG_TOKEN_SIGNED : MSG_PEPPERED;
    }
    if (tokens) {
        answer.as.token_signed.request = request->as.token_sign.request;
        answer.as.token_signed.err = (uint32_t)err;
    } else {
        answer.as.peppered.request = request->as.pepper.request;
        answer.as.peppered.err = (uint32_t)err;
    }
    send_or_offence(keeper, link, &answer);
}

/* The keys of an environment, and which have any; what is not answered with keys is answered MSG_DONE. */
static enum err token_keys(struct keeper *keeper, const struct msg *request, struct msg *out_answer)
{
    if (request->type == MSG_TOKEN_DROP) {
        return tokens_drop(keeper->tokens, keeper->vault, request);
    }
    if (request->type == MSG_TOKEN_RETIRE) {
        return tokens_retire(keeper->tokens, keeper->vault, request);
    }
    if (request->type == MSG_TOKEN_USE) {
        tokens_use(keeper->tokens, request);
        return ERR_OK;
    }
    if (request->type == MSG_TOKEN_NEXT) {
        TRY(tokens_next(keeper->vault, request, out_answer));
    } else if (request->type == MSG_TOKEN_ROTATE) {
        TRY(tokens_rotate(keeper->tokens, keeper->vault, request, out_answer));
    } else {
        TRY(tokens_keys(keeper->tokens, keeper->vault, request, out_answer));
    }
    out_answer->type = MSG_TOKEN_PUBLIC;
    return ERR_OK;
}

static bool is_about_tokens(const struct msg *request)
{
    return request->type >= MSG_TOKEN_KEYS && request->type <= MSG_TOKEN_RETIRE;
}

static void call(struct keeper *keeper, struct link *link, const struct msg *request)
{
    SCOPED_MSG struct msg answer = MSG_NEW(MSG_DONE);
    bool pending = false;
    enum err err = ERR_OK;

    if (request->type == MSG_ROTATE_BEGIN) {
        err = vault_rotate_begin(keeper->vault);
    } else if (request->type == MSG_ROTATE_END) {
        err = vault_rotate_end(keeper->vault);
    } else if (request->type == MSG_ROTATE_PENDING) {
        err = vault_rotate_pending(keeper->vault, &pending);
    } else if (is_about_tokens(request)) {
        err = token_keys(keeper, request, &answer);
    } else {
        err = table_key(keeper, request, &answer);
    }
    if (err != ERR_OK) {
        log_limit_fault(&keeper->call_lines, hal_clock_mono(keeper->clock), LOG_WARN, "call_failed");
        msg_wipe(&answer);
        answer.type = MSG_DONE;
    }
    if (answer.type == MSG_DONE) {
        answer.as.done.err = (uint32_t)err;
        answer.as.done.pending = pending ? 1 : 0;
    }
    send_or_offence(keeper, link, &answer);
}

static void answer_request(struct keeper *keeper, struct link *link)
{
    if (keeper->in.type == MSG_SIGN_TLS13 || keeper->in.type == MSG_SIGN_TLS12) {
        sign(keeper, link, &keeper->in);
    } else if (keeper->in.type == MSG_UNLOCK) {
        unlock(keeper, link, &keeper->in);
    } else if (keeper->in.type == MSG_TOKEN_SIGN || keeper->in.type == MSG_PEPPER) {
        serve_users(keeper, link, &keeper->in);
    } else {
        call(keeper, link, &keeper->in);
    }
    msg_wipe(&keeper->in);
}

void keeper_links_serve(struct keeper *keeper, struct link *link)
{
    if (link->channel == NULL) {
        return; /* ended by an event before this one */
    }
    const enum err err = msg_recv(link->channel, keeper->state, &keeper->in);
    if (err == ERR_AGAIN) {
        return;
    }
    if (err == ERR_CLOSED) {
        link_end(keeper, link); /* that reactor has ended, or the worker has */
        return;
    }
    if (err != ERR_OK) {
        offence(keeper);
        return;
    }
    answer_request(keeper, link);
}
