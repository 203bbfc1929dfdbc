/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One loop over two channels. Nothing is done in the background: a question of the worker is answered when its work is done,
 * and installing waits for the keeper's word, which the supervisor brings. */
#include "firmware/updater/updater.h"

#include <string.h>

#include <generated/vendor_keys.h>

#include "crypto/crypto.h"
#include "firmware/msg.h"
#include "firmware/updater/intake.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/log_limit.h"
#include "hal/base/mem.h"
#include "hal/board.h"
#include "hal/clock.h"
#include "hal/poller.h"
#include "hal/sandbox.h"
#include "hal/socket.h"

#define OPEN_FILES      32
#define LOCKED_BYTES    ((size_t)1 << 16)
#define EVENTS          4
#define SEND_TIMEOUT_MS 5000 /* a worker that does not read for so long is gone, or as good as */

static const uint8_t update_key[SIGN_PUBLIC_BYTES] = VENDOR_UPDATE_KEY;
static const uint8_t policy_key[SIGN_PUBLIC_BYTES] = VENDOR_POLICY_KEY;

struct updater {
    bool stopping;
    struct msg_channel *control;
    struct msg_channel *worker; /* NULL: none, or it is gone */
    struct poller *poller;
    struct bootslot *slot;
    struct intake *intake;
    struct msg_version running;
    enum err slot_err; /* why nothing can be installed */
    bool trial;
    bool approving;      /* the supervisor was asked, and a worker waits */
    uint32_t piece_left; /* bytes of a piece that are still to come */
    enum err piece_err;
    struct log_limit lines; /* of what a worker was refused */
    struct msg in;
    struct msg out;
};

/* --- the worker --- */

static enum err answer(struct updater *updater, enum err err)
{
    const struct update_info *const info = intake_info(updater->intake);
    const enum msg_update_phase phase = intake_phase(updater->intake);
    struct msg *const out = &updater->out;

    if (updater->worker == NULL) {
        return ERR_OK;
    }
    *out = MSG_NEW(MSG_UPDATE_STATUS);
    out->as.update_status.err = (uint32_t)err;
    out->as.update_status.phase = (uint32_t)phase;
    out->as.update_status.received = intake_received(updater->intake);
    out->as.update_status.running = updater->running;
    out->as.update_status.trial = updater->trial ? 1 : 0;
    if (info != NULL) {
        out->as.update_status.security = info->security;
        TRY(MSG_SET(&out->as.update_status.version, span_str(info->version)));
    }
    return msg_send(updater->worker, out);
}

static enum err answer_logged(struct updater *updater, enum err err)
{
    if (err != ERR_OK) {
        log_limit_fault(&updater->lines, hal_clock_mono(hal_clock_system()), LOG_WARN, "update_refused");
    }
    return answer(updater, err);
}

static enum err on_piece(struct updater *updater)
{
    updater->piece_left = updater->in.as.update_piece.bytes;
    updater->piece_err = ERR_OK;
    if (intake_phase(updater->intake) == MSG_UPDATE_RECEIVING &&
        updater->in.as.update_piece.offset != intake_received(updater->intake)) {
        updater->piece_err = ERR_CONFLICT; /* a request came twice, or not at all; nothing is lost */
    }
    return updater->piece_left == 0 ? answer(updater, updater->piece_err) : ERR_OK;
}

static enum err on_bytes(struct updater *updater)
{
    const struct span bytes = MSG_VIEW(&updater->in.as.part);

    ENSURE(bytes.len != 0 && bytes.len <= updater->piece_left, ERR_MALFORMED, "bytes that were not announced");
    if (updater->piece_err == ERR_OK) {
        updater->piece_err = intake_feed(updater->intake, bytes);
    }
    updater->piece_left -= (uint32_t)bytes.len;
    return updater->piece_left == 0 ? answer_logged(updater, updater->piece_err) : ERR_OK;
}

static enum err ask_for_approval(struct updater *updater)
{
    struct span policy = SPAN_NONE;

    TRY(intake_policy(updater->intake, &policy));
    updater->out = MSG_NEW(MSG_UPDATER_APPROVE);
    TRY(MSG_SET(&updater->out.as.keeper_policy, policy));
    return msg_send(updater->control, &updater->out);
}

static enum err on_install(struct updater *updater)
{
    const enum err err = ask_for_approval(updater);

    updater->approving = err == ERR_OK;
    return err == ERR_OK ? ERR_OK : answer_logged(updater, err);
}

static enum err begin(struct updater *updater)
{
    TRY(updater->slot_err);
    ENSURE(!updater->trial, ERR_STATE, "the running image is on trial");
    return intake_begin(updater->intake);
}

static enum err handle_worker(struct updater *updater)
{
    const enum msg_type type = updater->in.type;

    ENSURE(!updater->approving, ERR_STATE, "asked again before the answer");
    ENSURE((updater->piece_left != 0) == (type == MSG_UPDATE_BYTES), ERR_STATE, "a piece that is not whole");
    if (type == MSG_UPDATE_BYTES) {
        return on_bytes(updater);
    }
    if (type == MSG_UPDATE_PIECE) {
        return on_piece(updater);
    }
    if (type == MSG_UPDATE_INSTALL) {
        return on_install(updater);
    }
    return answer_logged(updater, type == MSG_UPDATE_BEGIN ? begin(updater) : ERR_OK);
}

static enum err drop_worker(struct updater *updater)
{
    if (updater->worker != NULL) {
        TRY(poller_remove(updater->poller, msg_channel_fd(updater->worker)));
        msg_channel_free(updater->worker);
        updater->worker = NULL;
    }
    updater->piece_left = 0;
    return ERR_OK;
}

static enum err on_worker(struct updater *updater)
{
    if (updater->worker == NULL) {
        return ERR_OK;
    }
    enum err err = msg_recv(updater->worker, MSG_OPERATIONAL, &updater->in);
    if (err == ERR_AGAIN || err == ERR_TIMEOUT) {
        return ERR_OK;
    }
    err = err == ERR_OK ? handle_worker(updater) : err;
    if (err == ERR_OK) {
        return ERR_OK;
    }
    TRY(drop_worker(updater));
    if (err != ERR_CLOSED && err != ERR_TIMEOUT) {
        log_fault(LOG_ERROR, "worker_refused");
        updater->out = MSG_NEW(MSG_UPDATER_OFFENCE);
        TRY(msg_send(updater->control, &updater->out));
    }
    fault_clear();
    return ERR_OK;
}

/* --- the supervisor --- */

/* The bytes that a worker did not bring to an end are gone with it. */
static enum err take_worker(struct updater *updater)
{
    const int fd = updater->in.fd;

    updater->in.fd = -1;
    TRY(drop_worker(updater));
    TRY(channel_set_timeout(fd, SEND_TIMEOUT_MS));
    TRY(msg_channel_new(fd, MSG_UPDATES, MSG_UPPER, &updater->worker));
    return poller_add(updater->poller, fd, POLLER_READ, &updater->worker);
}

static enum err on_approved(struct updater *updater, enum err approved)
{
    ENSURE(updater->approving, ERR_STATE, "an approval that nobody asked for");
    updater->approving = false;
    const enum err err = approved == ERR_OK ? intake_install(updater->intake) : approved;
    if (err == ERR_OK) {
        LOG(LOG_INFO, "update_installed", LOG_TEXT("version", span_str(intake_info(updater->intake)->version)));
    }
    if (answer_logged(updater, err) != ERR_OK) {
        log_fault(LOG_WARN, "worker_not_told");
    }
    if (err == ERR_OK) {
        updater->out = MSG_NEW(MSG_UPDATER_INSTALLED);
        TRY(msg_send(updater->control, &updater->out));
    }
    return ERR_OK;
}

static enum err on_bless(struct updater *updater)
{
    const enum err err = updater->slot_err == ERR_OK ? bootslot_bless(updater->slot) : updater->slot_err;

    if (err == ERR_OK && updater->trial) {
        updater->trial = false;
        LOG(LOG_INFO, "image_blessed", LOG_TEXT("version", MSG_VIEW(&updater->running)));
    }
    updater->out = MSG_NEW(MSG_UPDATER_BLESSED);
    updater->out.as.err = (uint32_t)err;
    fault_clear();
    return msg_send(updater->control, &updater->out);
}

static enum err on_control(struct updater *updater)
{
    const enum err err = msg_recv(updater->control, MSG_OPERATIONAL, &updater->in);

    if (err == ERR_AGAIN || err == ERR_TIMEOUT) {
        return ERR_OK;
    }
    TRY(err);
    if (updater->in.type == MSG_UPDATER_STOP) {
        updater->stopping = true;
    } else if (updater->in.type == MSG_UPDATER_WORKER) {
        TRY(take_worker(updater));
    } else if (updater->in.type == MSG_UPDATER_APPROVED) {
        TRY(on_approved(updater, (enum err)updater->in.as.err));
    } else if (updater->in.type == MSG_UPDATER_BLESS) {
        TRY(on_bless(updater));
    } else {
        updater->out = MSG_NEW(MSG_UPDATER_ANSWER);
        TRY(msg_send(updater->control, &updater->out));
    }
    return ERR_OK;
}

/* --- start --- */

/* What the loader has given up, so that whoever wonders why the box runs the image before finds the answer. */
static enum err tell_given_up(const struct updater *updater)
{
    struct bootslot_entry entries[BOOTSLOT_ENTRIES_MAX];
    size_t count = 0;

    TRY(bootslot_list(updater->slot, entries, &count));
    for (size_t i = 0; i < count; i++) {
        if (entries[i].trial && entries[i].left == 0) {
            LOG(LOG_WARN, "image_given_up", LOG_TEXT("version", span_str(entries[i].version)),
                LOG_NUMBER("tries", entries[i].done));
        }
    }
    return ERR_OK;
}

static enum err open_slot(struct updater *updater)
{
    struct intake_options options = {
        .update_key = update_key,
        .policy_key = policy_key,
        .board = span_str(board_desc.name),
        .running = MSG_VIEW(&updater->running),
        .security = CONFIG_FIRMWARE_SECURITY_VERSION,
    };
    const int root = updater->in.fd;

    updater->in.fd = -1;
    TRY(bootslot_new(UPDATER_FD_FOLDER, root, options.running, &updater->slot));
    options.slot = updater->slot;
    TRY(intake_new(&options, &updater->intake));
    updater->slot_err = bootslot_on_trial(updater->slot, &updater->trial);
    if (tell_given_up(updater) != ERR_OK) {
        log_fault(LOG_WARN, "images_not_listed");
    }
    if (updater->slot_err != ERR_OK) { /* the box runs, and cannot be updated */
        log_fault(LOG_WARN, "no_slots");
    }
    return ERR_OK;
}

static enum err start(struct updater *updater)
{
    const struct sandbox_limits limits = {.open_files = OPEN_FILES, .locked_bytes = LOCKED_BYTES};
    const struct sandbox_spec spec = {.profile = SANDBOX_KEEPER, .directory_fd = UPDATER_FD_FOLDER};

    TRY(sandbox_begin(&limits));
    TRY(sandbox_refuse_root());
    TRY(process_signals_block());
    TRY(crypto_start());
    TRY(msg_channel_new(UPDATER_FD_CONTROL, MSG_TO_UPDATER, MSG_LOWER, &updater->control));
    TRY(msg_recv(updater->control, MSG_STARTING, &updater->in));
    ENSURE(updater->in.type == MSG_UPDATER_START, ERR_CANCELLED, "stopped before the start");
    updater->running = updater->in.as.updater_start;
    TRY(sandbox_enter(&spec));
    TRY(open_slot(updater));
    TRY(poller_new(&updater->poller));
    TRY(poller_add(updater->poller, msg_channel_fd(updater->control), POLLER_READ, &updater->control));
    updater->out = MSG_NEW(MSG_UPDATER_READY);
    updater->out.as.updater_ready.err = (uint32_t)updater->slot_err;
    updater->out.as.updater_ready.trial = updater->trial ? 1 : 0;
    return msg_send(updater->control, &updater->out);
}

static enum err serve(struct updater *updater)
{
    struct poller_event events[EVENTS];
    size_t count = 0;

    while (!updater->stopping) {
        TRY(poller_wait(updater->poller, POLLER_FOREVER, events, EVENTS, &count));
        for (size_t i = 0; i < count; i++) {
            TRY(events[i].context == &updater->control ? on_control(updater) : on_worker(updater));
        }
    }
    return ERR_OK;
}

enum err updater_run(void)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct updater), &memory));
    struct updater *const updater = memory;
    TRY(start(updater)); /* after an error the process ends, and with it all that it has */
    TRY(serve(updater));
    intake_free(updater->intake);
    bootslot_free(updater->slot);
    msg_channel_free(updater->worker);
    msg_channel_free(updater->control);
    poller_free(updater->poller);
    mem_free(updater);
    return ERR_OK;
}
