/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening the rows, and what their writer thread asks and tells the rest of the worker. What is wrong with the rows is a state of
 * its own, and no reason to end: the worker goes on and says so. */
#include "firmware/worker/worker_int.h"

#include <string.h>

#include "firmware/worker/check.h"
#include "firmware/worker/setup.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/board.h"
#include "hal/process.h"

#define KEEPER_WAIT_MS 60000 /* the keeper answers at once, unless its disk or the TPM is slow */

/* On the writer thread. A copy of this machine has the epochs and counters that this process has, so neither may seal with
 * them any more: the supervisor, which sees the same, starts another process. */
static enum err may_seal(void *context)
{
    const struct worker *const worker = context;
    uint8_t now[HAL_VMGENID_BYTES];

    if (worker->vmgenid == NULL) {
        return ERR_OK;
    }
    TRY(hal_vmgenid_read(worker->vmgenid, now));
    ENSURE(memcmp(now, worker->generation, sizeof(now)) == 0, ERR_CANCELLED, "this machine was copied");
    return ERR_OK;
}

/* On the writer thread. */
static void on_rows_closed(void *context)
{
    struct worker *const worker = context;

    worker->rows_closed.kind = REACTOR_ROWS_CLOSED;
    INVARIANT(queue_push(worker->plan.events, &worker->rows_closed) == ERR_OK);
}

/* On the writer thread. */
static void on_mails(void *context, unsigned int notes)
{
    struct worker *const worker = context;

    if (atomic_fetch_or(&worker->mail_notes, notes) == 0) {
        worker->mails.kind = REACTOR_MAILS;
        INVARIANT(queue_push(worker->plan.events, &worker->mails) == ERR_OK);
    }
}

static enum err make_data_config(struct worker *worker, struct data_config *out_config)
{
    struct msg_channel *calls = NULL;

    TRY(channel_set_timeout(worker->calls_fd, KEEPER_WAIT_MS));
    TRY(msg_channel_new(worker->calls_fd, MSG_CALLS, MSG_LOWER, &calls));
    worker->calls_fd = -1;
    TRY(table_keys_new(calls, &worker->keys));
    out_config->keys = table_keys_view(worker->keys);
    out_config->slab = worker->slab;
    out_config->random = worker->random;
    out_config->clock = &worker->plan.calendar.base;
    out_config->readers = worker->reactor_count;
    out_config->must_exist = worker->shown == DATA_BOOTSTRAP_SHOWN; /* what was shown had been on disk */
    out_config->may_seal = may_seal;
    out_config->on_closed = on_rows_closed;
    out_config->on_mails = on_mails;
    out_config->context = worker;
    return ERR_OK;
}

static enum err bootstrap(struct worker *worker)
{
    struct data_bootstrap made = {.made = false};
    struct msg *const msg = &worker->out;

    TRY(data_bootstrap(worker->data, worker->shown, &made));
    enum err err = ERR_OK;
    *msg = MSG_NEW(MSG_WORKER_BOOTSTRAP);
    if (made.made) {
        err = MSG_SET(&msg->as.worker_bootstrap.project, span_array(made.project_id));
        INVARIANT(err == ERR_OK);
        err = MSG_SET(&msg->as.worker_bootstrap.environment, span_of(made.environment, made.environment_len));
        INVARIANT(err == ERR_OK);
        err = MSG_SET(&msg->as.worker_bootstrap.publishable, span_array(made.publishable_key));
        INVARIANT(err == ERR_OK);
        err = MSG_SET(&msg->as.worker_bootstrap.secret, span_array(made.secret_key));
        INVARIANT(err == ERR_OK);
        err = msg_send(worker->control, msg);
    }
    const bool has_operator = made.has_operator;
    data_bootstrap_wipe(&made);
    msg_wipe(msg);
    TRY(err);
    return has_operator ? ERR_OK
                        : setup_offer(worker->control, hal_clock_mono(&worker->plan.calendar.base), &worker->plan.setup);
}

static enum err open_rows(struct worker *worker)
{
    char path[DATADIR_PATH_BYTES];
    struct data_config config = {.path = path, .limits = worker->plan.limits};

    datadir_path(worker->dir, path);
    TRY(make_data_config(worker, &config));
    TRY(data_open(&config, &worker->data));
    return bootstrap(worker);
}

enum err worker_open_rows(struct worker *worker)
{
    if (board_permits(worker->plan.state, BOARD_SERVE_DATA) != BOARD_ALLOW) {
        return ERR_OK;
    }
    const enum err err = open_rows(worker);
    if (err == ERR_CLOSED || err == ERR_TIMEOUT || err == ERR_NO_MEMORY) {
        TRY(err);
    }
    if (err != ERR_OK) {
        log_fault(LOG_ERROR, "rows_not_opened");
        data_close(worker->data);
        worker->data = NULL;
        worker->plan.state = BOARD_FAILED;
        worker->plan.reason = err == ERR_ROLLBACK ? LIFE_REASON_ROLLBACK : LIFE_REASON_STORAGE_DAMAGED;
        worker->out = MSG_NEW(MSG_WORKER_FAILED);
        worker->out.as.reason = (uint32_t)worker->plan.reason;
        TRY(msg_send(worker->control, &worker->out));
    }
    worker->plan.data = worker->data;
    if (worker->data != NULL) {
        TRY(auth_hash_pool_new(&worker->plan.calendar.base, auth_hash_threads(), CONFIG_AUTH_HASH_QUEUE, &worker->plan.hashes));
    }
    return ERR_OK;
}

enum err worker_check_rows(struct worker *worker)
{
    char path[DATADIR_PATH_BYTES];
    struct data_config config = {.path = path};

    datadir_path(worker->dir, path);
    TRY(make_data_config(worker, &config));
    TRY(check_tell(&config, worker->control));
    return ERR_OK;
}
