/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One loop over the ends and messages of the children, signals, and a tick of a second. The courier is in courier.c.
 *
 *   start      keeper; when it has told the state: worker; when that answers: the report
 *   unlocked   the keeper tells another state: the worker is asked to end, and one for the new state follows
 *   worker     dies: started again after a wait; nothing that was acknowledged is lost, because it is on disk. Too many
 *              crashes in a while, whether it had answered requests in between or not: it meets something in the
 *              database, and the next one serves without (state failed) until the box is started again
 *   keeper     dies: started again if the board permits it, and unseals again; its worker serves open connections until
 *              then and is replaced, because its channels lead nowhere
 *   either     is not ready in time, or stays silent: killed, and treated as one that crashed (health.h)
 *   SIGTERM    listening ends; worker (drains), keeper (shuts the TPM down), supervisor
 *
 * The listening sockets are the supervisor's: while a worker is replaced, connections wait in their queues. When the box
 * is to end they are refused at once. */
#include "firmware/supervisor/supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "firmware/supervisor/pin.h"
#include "firmware/supervisor/supervisor_int.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/board.h"
#include "hal/sandbox.h"
#include "hal/socket.h"

#define TICK_MS         1000U
#define NAMES_MS        60000U /* how late a new address is noticed */
#define WORKER_KILL_MS  10000U /* draining takes up to 5 s */
#define KEEPER_KILL_MS  60000U /* a TPM that has stopped answering is given up after a while */
#define OPEN_FILES      (CONFIG_NET_CONNECTIONS_MAX + 1024) /* also the hard limit of the children */
#define LOCKED_BYTES    ((size_t)8 << 20) /* what an ordinary user may lock; fewer secrets than that */
#define LOCKED_LEAST    ((size_t)2 << 20) /* with less of it a worker of two reactors does not start */
#define EVENTS          16

/* --- what follows from the state --- */

static enum hal_light light_of(enum board_state state)
{
    switch (state) {
    case BOARD_UNPROVISIONED:
        return HAL_LIGHT_UNPROVISIONED;
    case BOARD_LOCKED:
        return HAL_LIGHT_LOCKED;
    case BOARD_OPERATIONAL:
        return HAL_LIGHT_OPERATIONAL;
    case BOARD_FAILED:
    case BOARD_STATE_COUNT:
        return HAL_LIGHT_FAILED;
    }
    return HAL_LIGHT_FAILED;
}

/* New clients are refused from here on, whatever the worker is doing; those that are connected are its business. */
static void stop_listening(struct supervisor *supervisor)
{
    for (size_t i = 0; i < MSG_REACTORS_MAX; i++) {
        socket_refuse(supervisor->https[i]);
    }
    socket_refuse(supervisor->http);
    socket_refuse(supervisor->admin);
}

void supervisor_begin_end(struct supervisor *supervisor, int exit_status)
{
    stop_listening(supervisor);
    supervisor->ending = true;
    supervisor->exit_status = exit_status;
}

static void replace_worker(struct supervisor *supervisor)
{
    child_stop(&supervisor->worker, MSG_WORKER_STOP, hal_clock_mono(supervisor->clock), WORKER_KILL_MS);
}

/* Starts and ends what the state asks for; called after every event. */
static void advance(struct supervisor *supervisor)
{
    const struct mono_time now = hal_clock_mono(supervisor->clock);

    supervisor_advance_courier(supervisor, now);
    supervisor_advance_updater(supervisor, now);
    if (supervisor->ending) {
        child_stop(&supervisor->worker, MSG_WORKER_STOP, now, WORKER_KILL_MS);
        if (!supervisor->worker.runs && !supervisor->courier.runs && !supervisor->updater.runs) {
            child_stop(&supervisor->keeper, MSG_KEEPER_STOP, now, KEEPER_KILL_MS);
        }
        return;
    }
    if (!supervisor->keeper.runs && now.ns >= supervisor->keeper.start_at.ns &&
        supervisor_start_keeper(supervisor, SPAN_NONE) != ERR_OK) {
        child_give_up(&supervisor->keeper, now);
    }
    if (supervisor->keeper.runs && !supervisor->keeper.stopping && supervisor->known && !supervisor->worker.runs &&
        supervisor_has_updater(supervisor) &&
        now.ns >= supervisor->worker.start_at.ns && supervisor_has_volume(supervisor) &&
        supervisor_start_worker(supervisor) != ERR_OK) {
        child_give_up(&supervisor->worker, now);
    }
}

/* --- messages --- */

static void on_keeper_state(struct supervisor *supervisor)
{
    const enum board_state state = (enum board_state)supervisor->in.as.keeper_state.state;
    const char *reason = NULL;
    const bool changed = state != supervisor->state || !supervisor->known;

    supervisor->state = state;
    supervisor->reason = (enum life_reason)supervisor->in.as.keeper_state.reason;
    supervisor->first = supervisor->in.as.keeper_state.first == 1;
    supervisor->known = true;
    hal_onward_saw(&supervisor->calendar, (struct wall_time){(int64_t)supervisor->in.as.keeper_state.date_ms});
    if (supervisor->keeper.state == MSG_STARTING) {
        health_ready(&supervisor->keeper.health, hal_clock_mono(supervisor->clock));
    }
    supervisor->keeper.state = state == BOARD_OPERATIONAL ? MSG_OPERATIONAL : MSG_LOCKED;
    reason = life_reason_name(supervisor->reason);
    LOG(LOG_INFO, "state", LOG_LITERAL("state", life_state_name(state)),
        LOG_LITERAL("reason", reason != NULL ? reason : ""));
    hal_status_light(supervisor->status, light_of(state));
    if (supervisor->mode == MSG_MODE_CHECK && state != BOARD_OPERATIONAL) {
        (void)fprintf(stderr, "rowlock: the box is %s (%s)\n", life_state_name(state), reason != NULL ? reason : "-");
        supervisor_begin_end(supervisor, 2);
    } else if (changed) {
        replace_worker(supervisor);
    }
}

/* Without the file nobody can pin the CA, but the box serves those who have. */
static void on_keeper_ca(struct supervisor *supervisor)
{
    if (supervisor_write_ca(supervisor, MSG_VIEW(&supervisor->in.as.keeper_ca)) != ERR_OK) {
        log_fault(LOG_ERROR, "ca_file_not_written");
    }
}

static void on_keeper(struct supervisor *supervisor)
{
    if (supervisor->in.type == MSG_KEEPER_STATE) {
        on_keeper_state(supervisor);
    } else if (supervisor->in.type == MSG_KEEPER_CA) {
        on_keeper_ca(supervisor);
    } else if (supervisor->in.type == MSG_KEEPER_RECOVERY) {
        supervisor->news.recovery = supervisor->in.as.keeper_recovery;
    } else if (supervisor->in.type == MSG_KEEPER_OFFENCE) {
        child_condemn(&supervisor->worker, "it sent the keeper what it may not");
    } else if (supervisor->in.type == MSG_KEEPER_ANSWER) {
        child_answered(&supervisor->keeper);
    } else {
        supervisor_on_image(supervisor);
    }
}

static enum err on_worker(struct supervisor *supervisor)
{
    if (supervisor->in.type == MSG_WORKER_BOOTSTRAP) {
        supervisor->news.project = supervisor->in.as.worker_bootstrap.project;
        supervisor->news.environment = supervisor->in.as.worker_bootstrap.environment;
        supervisor->news.publishable = supervisor->in.as.worker_bootstrap.publishable;
        supervisor->news.secret = supervisor->in.as.worker_bootstrap.secret;
    } else if (supervisor->in.type == MSG_WORKER_SETUP) {
        supervisor->news.setup = supervisor->in.as.worker_setup;
    } else if (supervisor->in.type == MSG_WORKER_FAILED) {
        supervisor->failed = true;
        supervisor->failure = (enum life_reason)supervisor->in.as.reason;
        hal_status_light(supervisor->status, HAL_LIGHT_FAILED);
    } else if (supervisor->in.type == MSG_WORKER_CHECKED) {
        const bool done = supervisor->in.as.worker_checked.err == ERR_OK;
        supervisor_begin_end(supervisor, !done ? 2 : supervisor->in.as.worker_checked.findings != 0 ? 1 : 0);
    } else if (supervisor->in.type == MSG_WORKER_READY) {
        supervisor->worker.state = supervisor->state == BOARD_OPERATIONAL ? MSG_OPERATIONAL : MSG_LOCKED;
        health_ready(&supervisor->worker.health, hal_clock_mono(supervisor->clock));
        TRY(supervisor_answers(supervisor));
        supervisor_bless(supervisor);
    } else if (supervisor->in.type == MSG_WORKER_ADDRESSES) {
        supervisor_on_addresses(supervisor);
        TRY(supervisor_look_at_report(supervisor));
    } else if (supervisor->in.type == MSG_WORKER_TIME) {
        supervisor_on_time(supervisor);
    } else if (supervisor->in.type == MSG_WORKER_ANSWER) {
        child_answered(&supervisor->worker);
    } else if (supervisor->in.type == MSG_WORKER_PLAN) {
        supervisor_on_plan(supervisor);
    } else {
        supervisor_on_destination(supervisor);
    }
    return ERR_OK;
}

/* A child that sends what it may not is killed, and then treated like any that died. */
static enum err on_message(struct supervisor *supervisor, struct child *child)
{
    if (child->control == NULL) {
        return ERR_OK; /* it ended by an event before this one */
    }
    const enum err err =
        msg_recv(child->control, child->stopping ? MSG_STOPPING : child->state, &supervisor->in);
    if (err == ERR_AGAIN || err == ERR_TIMEOUT) {
        return ERR_OK;
    }
    if (err == ERR_CLOSED) {
        TRY(poller_remove(supervisor->poller, msg_channel_fd(child->control))); /* its end follows */
        return ERR_OK;
    }
    if (err != ERR_OK) {
        log_limit_fault(&supervisor->lines.refused, hal_clock_mono(supervisor->clock), LOG_ERROR, "child_refused");
        child_condemn(child, "it sent what it may not");
        return ERR_OK;
    }
    enum err handled = ERR_OK;
    if (child == &supervisor->keeper) {
        on_keeper(supervisor);
    } else if (child == &supervisor->courier) {
        supervisor_on_courier(supervisor);
    } else if (child == &supervisor->updater) {
        supervisor_on_updater(supervisor);
    } else {
        handled = on_worker(supervisor);
    }
    msg_wipe(&supervisor->in);
    TRY(handled);
    return ERR_OK;
}

/* --- ends --- */

static void on_keeper_end(struct supervisor *supervisor, enum child_end how)
{
    struct health *const health = &supervisor->keeper.health;
    const bool often = how == CHILD_CRASHED && health_crashed(health, hal_clock_mono(supervisor->clock));

    supervisor->known = false;
    mem_wipe(&supervisor->news.recovery, sizeof(supervisor->news.recovery)); /* the next keeper has another, if any */
    if (supervisor->ending) {
        return;
    }
    /* There is no giving up: without a keeper nobody could be told of it. */
    hal_status_light(supervisor->status, often ? HAL_LIGHT_FAILED : HAL_LIGHT_STARTING);
    if (board_permits(supervisor->state, BOARD_RESTART_KEEPER) != BOARD_ALLOW ||
        supervisor->mode == MSG_MODE_CHECK) {
        LOG(LOG_ERROR, "keeper_not_restarted", LOG_LITERAL("then", "stop"));
        supervisor_begin_end(supervisor, supervisor->mode == MSG_MODE_CHECK ? 2 : 1);
    }
}

/* Only a worker that opens the rows can have met something in them, and one whose keeper died had another reason. */
static void on_worker_crash(struct supervisor *supervisor)
{
    const struct child *const worker = &supervisor->worker;

    if (supervisor->given_up || supervisor->state != BOARD_OPERATIONAL || !supervisor->keeper.runs) {
        return;
    }
    supervisor->given_up = health_crashed(&supervisor->worker.health, hal_clock_mono(supervisor->clock));
    if (supervisor->given_up) {
        supervisor->failure = worker->at_fault ? LIFE_REASON_WORKER_FAILED : LIFE_REASON_STORAGE_DAMAGED;
        LOG(LOG_ERROR, "rows_given_up", LOG_LITERAL("reason", life_reason_name(supervisor->failure)));
        hal_status_light(supervisor->status, HAL_LIGHT_FAILED);
    }
}

static void on_end(struct supervisor *supervisor, struct child *child)
{
    const enum child_end how = child_reap(child, supervisor->poller, hal_clock_mono(supervisor->clock));

    if (how == CHILD_RUNS) {
        return;
    }
    supervisor_plan_lost(supervisor, child);
    if (child == &supervisor->worker) {
        supervisor->report_is_due = false;
        mem_wipe(&supervisor->news.setup, sizeof(supervisor->news.setup)); /* it went with the worker */
    }
    if (child == &supervisor->keeper) {
        on_keeper_end(supervisor, how);
    } else if (child == &supervisor->courier) {
        return; /* it is started again, and nothing else follows */
    } else if (child == &supervisor->updater) {
        replace_worker(supervisor); /* whose channel leads nowhere */
    } else if (supervisor->mode == MSG_MODE_CHECK && !supervisor->ending) {
        (void)fputs("rowlock: what checks the database was stopped before the end, as a damaged file may do; "
                    "not all of it was looked at\n", stderr); /* the exit status says it, too */
        supervisor_begin_end(supervisor, 2);
    } else if (how == CHILD_CRASHED) {
        on_worker_crash(supervisor);
    }
}

/* A keeper that cannot be told is about to be started again, and asks for the names then. */
static void look_at_names(struct supervisor *supervisor)
{
    if (supervisor->keeper.runs && supervisor->known && !supervisor->ending &&
        supervisor_look_at_names(supervisor) != ERR_OK) {
        log_fault(LOG_WARN, "names_not_told");
    }
    supervisor->next_names = mono_add_ms(hal_clock_mono(supervisor->clock), NAMES_MS);
}

static enum err on_signal(struct supervisor *supervisor)
{
    const enum err err = process_signal_next(supervisor->signals);

    if (err == ERR_AGAIN) {
        return ERR_OK;
    }
    TRY(err);
    if (!supervisor->ending) { /* who stops us may say so more than once */
        LOG(LOG_INFO, "stopping", LOG_LITERAL("by", "signal"));
        supervisor_begin_end(supervisor, supervisor->mode == MSG_MODE_CHECK ? 2 : 0);
    }
    return ERR_OK;
}

static enum err on_tamper(struct supervisor *supervisor)
{
    enum hal_tamper_event event = HAL_TAMPER_BUTTON;

    const enum err err = hal_tamper_next(supervisor->tamper, &event);
    if (err == ERR_AGAIN) {
        return ERR_OK;
    }
    TRY(err);
    LOG(LOG_WARN, "hardware", LOG_LITERAL("what", event == HAL_TAMPER_BUTTON ? "button" : "case-opened"));
    hal_status_sound(supervisor->status, event == HAL_TAMPER_BUTTON ? HAL_SOUND_ACKNOWLEDGE : HAL_SOUND_ALARM);
    return ERR_OK;
}

/* A virtual machine that was copied must not go on with counters and random generators that its twin has, too. Both
 * children notice by themselves: the worker writes nothing more, and the keeper ends at the next message, of which the one
 * to stop is sure to come. The next worker waits for the next keeper. */
static void look_at_generation(struct supervisor *supervisor)
{
    uint8_t now[HAL_VMGENID_BYTES];

    if (!supervisor->has_generation) {
        return;
    }
    if (hal_vmgenid_read(supervisor->vmgenid, now) != ERR_OK) {
        log_fault(LOG_WARN, "generation_not_read");
        return;
    }
    if (memcmp(now, supervisor->keeper_generation, sizeof(now)) != 0) {
        child_stop(&supervisor->keeper, MSG_KEEPER_STOP, hal_clock_mono(supervisor->clock), KEEPER_KILL_MS);
    }
    if (memcmp(now, supervisor->generation, sizeof(now)) != 0 && supervisor->worker.runs) {
        LOG(LOG_WARN, "generation_changed", LOG_LITERAL("then", "new keeper and worker"));
        child_kill(&supervisor->worker); /* not asked: it must not seal one more value */
    }
}

/* While a child stays silent the watchdog is not fed: if it cannot be ended and replaced, the box is to start anew. */
static enum err tick(struct supervisor *supervisor)
{
    const struct mono_time now = hal_clock_mono(supervisor->clock);

    hal_status_beat(supervisor->status);
    child_look_at(&supervisor->worker, MSG_WORKER_ASK, now);
    child_look_at(&supervisor->keeper, MSG_KEEPER_ASK, now);
    child_look_at(&supervisor->courier, MSG_COURIER_ASK, now);
    child_look_at(&supervisor->updater, MSG_UPDATER_ASK, now);
    if (!supervisor->worker.silent && !supervisor->keeper.silent) {
        TRY(hal_watchdog_feed(supervisor->watchdog));
    }
    child_kill_if_late(&supervisor->worker, now);
    child_kill_if_late(&supervisor->keeper, now);
    child_kill_if_late(&supervisor->courier, now);
    child_kill_if_late(&supervisor->updater, now);
    if (supervisor_trial_failed(supervisor, now) && !supervisor->ending) {
        supervisor_end_trial(supervisor);
    }
    look_at_generation(supervisor);
    TRY(supervisor_look_at_report(supervisor));
    if (now.ns >= supervisor->next_names.ns) {
        look_at_names(supervisor);
    }
    supervisor->next_tick = mono_add_ms(now, TICK_MS);
    return ERR_OK;
}

static enum err dispatch(struct supervisor *supervisor, const struct poller_event *event)
{
    if (event->context == &supervisor->keeper || event->context == &supervisor->worker ||
        event->context == &supervisor->courier || event->context == &supervisor->updater) {
        TRY(on_message(supervisor, event->context));
    } else if (event->context == &supervisor->keeper.process) {
        on_end(supervisor, &supervisor->keeper);
    } else if (event->context == &supervisor->worker.process) {
        on_end(supervisor, &supervisor->worker);
    } else if (event->context == &supervisor->courier.process) {
        on_end(supervisor, &supervisor->courier);
    } else if (event->context == &supervisor->updater.process) {
        on_end(supervisor, &supervisor->updater);
    } else if (event->context == &supervisor->signals) {
        TRY(on_signal(supervisor));
    } else if (event->context == &supervisor->starters) {
        FAIL(ERR_CLOSED, "a starter has ended", 0); /* nobody could start its child again */
    } else if (event->context == &supervisor->volume) {
        TRY(supervisor_on_init(supervisor));
    } else {
        TRY(on_tamper(supervisor));
    }
    return ERR_OK;
}

/* Until the next tick, or earlier if a child is to be started before it. */
static int wait_ms(const struct supervisor *supervisor)
{
    const struct mono_time now = hal_clock_mono(supervisor->clock);
    uint64_t wait = mono_ms_between(now, supervisor->next_tick);

    if (!supervisor->keeper.runs) {
        wait = num_min(wait, mono_ms_between(now, supervisor->keeper.start_at));
    } else if (!supervisor->worker.runs && supervisor->known && supervisor->volume != VOLUME_ASKED) {
        wait = num_min(wait, mono_ms_between(now, supervisor->worker.start_at));
    }
    wait = num_min(wait, supervisor_courier_wait_ms(supervisor, now));
    return (int)wait + 1;
}

static enum err run(struct supervisor *supervisor)
{
    struct poller_event events[EVENTS];
    size_t count = 0;

    while (!supervisor->ending || supervisor->worker.runs || supervisor->courier.runs ||
           supervisor->updater.runs || supervisor->keeper.runs) {
        TRY(poller_wait(supervisor->poller, wait_ms(supervisor), events, EVENTS, &count));
        for (size_t i = 0; i < count; i++) {
            TRY(dispatch(supervisor, &events[i]));
        }
        if (hal_clock_mono(supervisor->clock).ns >= supervisor->next_tick.ns) {
            TRY(tick(supervisor));
        }
        advance(supervisor);
    }
    return ERR_OK;
}

/* --- start --- */

static enum err open_directories(struct supervisor *supervisor)
{
    TRY(datadir_open_to_give(supervisor->options->data, board_desc.supervisor_uid, board_desc.supervisor_gid,
                             &supervisor->dir));
    TRY(datadir_lock(supervisor->dir));
    ENSURE(supervisor->mode == MSG_MODE_SERVE || datadir_has(supervisor->dir, "ca.pem"), ERR_NOT_FOUND,
           "no box in this directory");
    TRY(datadir_open_for(supervisor->dir, "keeper", board_desc.keeper_uid, board_desc.keeper_gid,
                         &supervisor->keeper_dir));
    TRY(supervisor_open_worker_dir(supervisor));
    TRY(datadir_where(supervisor->dir, PATH_MAX_BYTES - sizeof("/ca.pem"), supervisor->ca_file));
    memcpy(supervisor->ca_file + strlen(supervisor->ca_file), "/ca.pem", sizeof("/ca.pem"));
    return ERR_OK;
}

/* What needs root comes first, for instance a low port. It is given up, for good, before anything that a child or the TPM
 * has said is read: from here on whoever takes the supervisor over has what the service user has. */
static enum err open_all(struct supervisor *supervisor)
{
    TRY(supervisor_open_devices(supervisor));
    hal_status_light(supervisor->status, HAL_LIGHT_STARTING);
    TRY(open_directories(supervisor));
    if (supervisor->mode == MSG_MODE_SERVE) {
        TRY(supervisor_listen(supervisor));
        supervisor_open_slots(supervisor);
    }
    TRY(supervisor_open_starters(supervisor));
    TRY(sandbox_drop_user(board_desc.supervisor_uid, board_desc.supervisor_gid));
    TRY(process_can_start());
    return ERR_OK;
}

static enum err start(struct supervisor *supervisor)
{
    const struct sandbox_limits limits = {
        .open_files = OPEN_FILES, .locked_bytes = LOCKED_BYTES, .locked_least = LOCKED_LEAST};
    uint8_t pin[PIN_READ_BYTES] = {0};
    size_t pin_len = 0;

    TRY(sandbox_begin(&limits));
    TRY(sandbox_is_possible());
    enum err err = pin_read(supervisor->options, pin, &pin_len);
    err = err != ERR_OK ? err : open_all(supervisor);
    if (err == ERR_OK) {
        supervisor->next_tick = hal_clock_mono(supervisor->clock);
        err = supervisor_start_keeper(supervisor, span_of(pin, pin_len));
    }
    mem_wipe(pin, sizeof(pin));
    TRY(err);
    return ERR_OK;
}

static void end(struct supervisor *supervisor)
{
    if (supervisor->poller != NULL) {
        child_done(&supervisor->worker, supervisor->poller);
        child_done(&supervisor->courier, supervisor->poller);
        child_done(&supervisor->updater, supervisor->poller);
        child_done(&supervisor->keeper, supervisor->poller);
    }
    supervisor_close_starters(supervisor);
    for (size_t i = 0; i < MSG_REACTORS_MAX; i++) {
        socket_close(supervisor->https[i]);
    }
    socket_close(supervisor->http);
    socket_close(supervisor->admin);
    socket_close(supervisor->frames);
    destinations_clear(&supervisor->told);
    destinations_clear(&supervisor->list);
    socket_close(supervisor->slot_folder);
    socket_close(supervisor->slot_root);
    socket_close(supervisor->keeper_dir);
    socket_close(supervisor->worker_dir);
    socket_close(supervisor->signals);
    if (supervisor->status != NULL) {
        hal_status_light(supervisor->status, HAL_LIGHT_OFF);
    }
    hal_status_close(supervisor->status);
    hal_tamper_close(supervisor->tamper);
    hal_vmgenid_close(supervisor->vmgenid);
    hal_watchdog_close(supervisor->watchdog);
    poller_free(supervisor->poller);
    datadir_close(supervisor->dir);
    mem_wipe(supervisor, sizeof(*supervisor));
    mem_free(supervisor);
}

/* Children that still run when the supervisor fails are killed by the kernel as it ends. */
static int supervise(const struct options *options, enum msg_worker_mode mode)
{
    void *memory = NULL;

    log_open("supervisor", LOG_INFO);
    if (mem_alloc(sizeof(struct supervisor), &memory) != ERR_OK) {
        log_fault(LOG_ERROR, "supervisor_failed");
        return mode == MSG_MODE_CHECK ? 2 : 1;
    }
    struct supervisor *const supervisor = memory;
    *supervisor = (struct supervisor){.options = options, .mode = mode, .http = -1, .admin = -1, .frames = -1, .keeper_dir = -1,
                                      .worker_dir = -1, .signals = -1, .slot_folder = -1, .slot_root = -1};
    memset(supervisor->https, 0xff, sizeof(supervisor->https)); /* -1 each */
    child_init(&supervisor->keeper, "keeper", MSG_TO_KEEPER, &health_of_keeper);
    child_init(&supervisor->courier, "courier", MSG_TO_COURIER, &health_of_courier);
    child_init(&supervisor->updater, "updater", MSG_TO_UPDATER, &health_of_courier);
    child_init(&supervisor->worker, "worker", MSG_TO_WORKER,
               mode == MSG_MODE_CHECK ? &health_of_check : &health_of_worker);
    supervisor_init_starters(supervisor);
    enum err err = start(supervisor);
    if (err == ERR_OK) {
        err = run(supervisor);
    }
    int status = supervisor->exit_status;
    if (err != ERR_OK) {
        log_fault(LOG_ERROR, "supervisor_failed");
        child_kill(&supervisor->worker);
        child_kill(&supervisor->courier);
        child_kill(&supervisor->updater);
        child_kill(&supervisor->keeper);
        status = mode == MSG_MODE_CHECK ? 2 : 1;
    }
    end(supervisor);
    return status;
}

int supervisor_serve(const struct options *options)
{
    return supervise(options, MSG_MODE_SERVE);
}

int supervisor_check(const struct options *options)
{
    return supervise(options, MSG_MODE_CHECK);
}
