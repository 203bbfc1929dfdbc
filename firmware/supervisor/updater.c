/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The updater: one for the whole life of a box that has slots. It is started before the worker, which gets a channel to it.
 *
 *   install   the updater has an update whole and asks for approval -> the keeper looks at the policy -> its word goes back ->
 *             installed: the box ends in order, and the machine starts anew from the other slot
 *   trial     an image on trial that answers requests from its rows has unsealed its key, opened its rows and its sockets: it is
 *             blessed, and after that the keeper raises the minimum version. One that is not there in time, or cannot open its
 *             rows, which no wait mends, is given up: the machine starts anew until its tries are used up, and then from the
 *             image before. A box that waits for its PIN has all the time there is
 *   blessing  again at each start: a power cut may have come between the two halves of it */
#include "firmware/supervisor/supervisor_int.h"

#include <fcntl.h>
#include <string.h>

#include "firmware/boot_words.h"
#include "firmware/boot_root.h"
#include "hal/base/buf.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/board.h"
#include "hal/bootline.h"
#include "hal/bootslot.h"
#include "hal/process.h"
#include "hal/socket.h"

#define UPDATER_KILL_MS 60000U /* an update that is being synced */
#define TRIAL_MS        180000U

/* --- what needs root --- */

static enum err read_words(struct boot_words *out_words)
{
    SCOPED_BUF struct buf *line = NULL;

    TRY(buf_new(BOOTLINE_MAX, &line));
    TRY(bootline_read(line));
    return boot_words_read(buf_all(line), out_words);
}

/* The one of the two that stage1 did not take. */
static enum err find_other(const struct boot_words *words, struct blockdev *out_device)
{
    struct blockdev running = {.major = 0};
    const char *label = NULL;

    TRY(boot_root_find(words, &running, &label));
    return blockdev_find(strcmp(label, "root-a") == 0 ? span_lit("root-b") : span_lit("root-a"), out_device);
}

static enum err open_slots(struct supervisor *supervisor)
{
    struct boot_words words = {.blocks = 0};
    struct blockdev other = {.major = 0};

    TRY(read_words(&words));
    TRY(MSG_SET(&supervisor->version, span_str(words.version)));
    TRY(find_other(&words, &other));
    TRY(bootslot_open_root(&other, &supervisor->slot_root));
    return bootslot_open_folder(board_desc.image_folder, &supervisor->slot_folder);
}

void supervisor_open_slots(struct supervisor *supervisor)
{
    if (board_desc.image_folder != NULL && open_slots(supervisor) != ERR_OK) {
        log_fault(LOG_ERROR, "no_slots");
    }
}

/* --- the process --- */

static bool has_slots(const struct supervisor *supervisor)
{
    return supervisor->slot_folder >= 0 && supervisor->slot_root >= 0;
}

bool supervisor_has_updater(const struct supervisor *supervisor)
{
    return !has_slots(supervisor) || (supervisor->updater.runs && supervisor->updater.state == MSG_OPERATIONAL);
}

static enum err start_updater(struct supervisor *supervisor, struct mono_time now)
{
    TRY(child_start(&supervisor->updater, supervisor->poller, supervisor->slot_folder, now));
    supervisor->out = MSG_NEW(MSG_UPDATER_START);
    supervisor->out.fd = supervisor->slot_root;
    supervisor->out.as.updater_start = supervisor->version;
    return msg_send(supervisor->updater.control, &supervisor->out);
}

void supervisor_advance_updater(struct supervisor *supervisor, struct mono_time now)
{
    struct child *const updater = &supervisor->updater;

    if (supervisor->ending) {
        child_stop(updater, MSG_UPDATER_STOP, now, UPDATER_KILL_MS);
    } else if (has_slots(supervisor) && !updater->runs && now.ns >= updater->start_at.ns &&
               start_updater(supervisor, now) != ERR_OK) {
        child_give_up(updater, now);
    }
}

enum err supervisor_connect_updater(struct supervisor *supervisor)
{
    SCOPED_FD int upper = -1;
    SCOPED_FD int lower = -1;
    int ends[2] = {-1, -1};

    if (!has_slots(supervisor) || supervisor->mode != MSG_MODE_SERVE) {
        return ERR_OK;
    }
    TRY(channel_pair(ends));
    upper = ends[0];
    lower = ends[1];
    supervisor->out = MSG_NEW(MSG_UPDATER_WORKER);
    supervisor->out.fd = upper;
    TRY(msg_send(supervisor->updater.control, &supervisor->out));
    supervisor->out = MSG_NEW(MSG_WORKER_FD);
    supervisor->out.as.with_fd.kind = MSG_FD_UPDATES;
    supervisor->out.fd = lower;
    return msg_send(supervisor->worker.control, &supervisor->out);
}

/* --- what it says, and the keeper --- */

static void tell(struct supervisor *supervisor, struct child *child)
{
    if (!child->runs || child->stopping || child->control == NULL ||
        msg_send(child->control, &supervisor->out) != ERR_OK) {
        log_limit_fault(&supervisor->lines.untold, hal_clock_mono(supervisor->clock), LOG_WARN, "child_not_told");
    }
}

static void on_ready(struct supervisor *supervisor)
{
    const struct mono_time now = hal_clock_mono(supervisor->clock);

    supervisor->updater.state = MSG_OPERATIONAL;
    health_ready(&supervisor->updater.health, now);
    if (supervisor->in.as.updater_ready.err == ERR_OK) {
        supervisor->trial = supervisor->in.as.updater_ready.trial == 1;
        supervisor->trial_until = mono_add_ms(now, TRIAL_MS);
        LOG(LOG_INFO, "slots", LOG_TEXT("version", MSG_VIEW(&supervisor->version)),
            LOG_LITERAL("image", supervisor->trial ? "on trial" : "blessed"));
    }
}

static void on_approve(struct supervisor *supervisor)
{
    const struct msg_policy policy = supervisor->in.as.keeper_policy;

    if (supervisor->keeper.state != MSG_OPERATIONAL) { /* nobody could approve it */
        supervisor->out = MSG_NEW(MSG_UPDATER_APPROVED);
        supervisor->out.as.err = ERR_STATE;
        tell(supervisor, &supervisor->updater);
        return;
    }
    supervisor->out = MSG_NEW(MSG_KEEPER_APPROVE);
    supervisor->out.as.keeper_policy = policy;
    tell(supervisor, &supervisor->keeper);
}

static void on_blessed(struct supervisor *supervisor)
{
    if (supervisor->in.as.err != ERR_OK) {
        LOG(LOG_WARN, "image_not_blessed", LOG_LITERAL("error", err_name((enum err)supervisor->in.as.err)));
        return;
    }
    supervisor->trial = false;
    supervisor->out = MSG_NEW(MSG_KEEPER_BLESS);
    tell(supervisor, &supervisor->keeper);
}

void supervisor_on_updater(struct supervisor *supervisor)
{
    if (supervisor->in.type == MSG_UPDATER_READY) {
        on_ready(supervisor);
    } else if (supervisor->in.type == MSG_UPDATER_APPROVE) {
        on_approve(supervisor);
    } else if (supervisor->in.type == MSG_UPDATER_BLESSED) {
        on_blessed(supervisor);
    } else if (supervisor->in.type == MSG_UPDATER_INSTALLED) {
        LOG(LOG_INFO, "stopping", LOG_LITERAL("by", "update"));
        supervisor_begin_end(supervisor, 0);
    } else if (supervisor->in.type == MSG_UPDATER_OFFENCE) {
        child_condemn(&supervisor->worker, "it sent the updater what it may not");
    } else {
        child_answered(&supervisor->updater);
    }
}

void supervisor_on_image(struct supervisor *supervisor)
{
    const uint32_t err = supervisor->in.as.keeper_image.err;

    if (supervisor->in.type == MSG_KEEPER_APPROVED) {
        supervisor->out = MSG_NEW(MSG_UPDATER_APPROVED);
        supervisor->out.as.err = err;
        tell(supervisor, &supervisor->updater);
    } else if (supervisor->in.type == MSG_KEEPER_PLANNED) {
        supervisor_on_planned(supervisor, (enum err)err);
    } else if (err != ERR_OK) {
        LOG(LOG_ERROR, "minimum_not_raised", LOG_LITERAL("error", err_name((enum err)err)));
    } else {
        LOG(LOG_INFO, "minimum_version", LOG_NUMBER("security", supervisor->in.as.keeper_image.minimum));
    }
}

void supervisor_bless(struct supervisor *supervisor)
{
    if (has_slots(supervisor) && supervisor->state == BOARD_OPERATIONAL && !supervisor->failed) {
        supervisor->out = MSG_NEW(MSG_UPDATER_BLESS);
        tell(supervisor, &supervisor->updater);
    }
}

bool supervisor_trial_failed(const struct supervisor *supervisor, struct mono_time now)
{
    const bool waits = supervisor->state == BOARD_LOCKED &&
                       (supervisor->reason == LIFE_REASON_PIN || supervisor->reason == LIFE_REASON_TPM_LOCKOUT);

    return supervisor->trial && (supervisor->failed || (!waits && now.ns >= supervisor->trial_until.ns));
}

void supervisor_end_trial(struct supervisor *supervisor)
{
    const enum board_state state = supervisor->failed ? BOARD_FAILED : supervisor->state;
    const enum life_reason reason = supervisor->failed ? supervisor->failure : supervisor->reason;
    const char *const name = life_reason_name(reason);

    LOG(LOG_ERROR, "trial_failed", LOG_TEXT("version", MSG_VIEW(&supervisor->version)),
        LOG_LITERAL("state", life_state_name(state)), LOG_LITERAL("reason", name != NULL ? name : "no-answer"));
    supervisor_begin_end(supervisor, 1);
}
