/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the supervisor opens before it gives root up: the small devices, and a starter for each child with a user of its own. */
#include "firmware/supervisor/supervisor_int.h"

#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/board.h"

/* A box whose light is not there does without. */
static void open_light(struct supervisor *supervisor)
{
    supervisor->status = hal_status_log();
    if (board_desc.light[0] != '\0' && hal_status_open_light(board_desc.light, &supervisor->status) != ERR_OK) {
        log_fault(LOG_WARN, "no_light");
    }
}

enum err supervisor_open_devices(struct supervisor *supervisor)
{
    TRY(supervisor_open_clock(supervisor));
    open_light(supervisor);
    TRY(process_signals_open(&supervisor->signals));
    TRY(hal_tamper_open_signals(&supervisor->tamper));
    TRY(hal_watchdog_open(board_desc.watchdog, board_desc.watchdog_s, &supervisor->watchdog));
    TRY(hal_vmgenid_open(board_desc.vmgenid, &supervisor->vmgenid));
    TRY(poller_new(&supervisor->poller));
    TRY(poller_add(supervisor->poller, supervisor->signals, POLLER_READ, &supervisor->signals));
    if (supervisor->options->init_fd >= 0) {
        TRY(poller_add(supervisor->poller, supervisor->options->init_fd, POLLER_READ, &supervisor->volume));
    }
    TRY(poller_add(supervisor->poller, hal_tamper_fd(supervisor->tamper), POLLER_READ, supervisor->tamper));
    return ERR_OK;
}

void supervisor_init_starters(struct supervisor *supervisor)
{
    for (size_t i = 0; i < STARTERS; i++) {
        starter_init(&supervisor->starters[i]);
    }
}

/* Started by somebody else than root all are one user, as on a board that has one for all. */
enum err supervisor_open_starters(struct supervisor *supervisor)
{
    struct child *const children[STARTERS] = {&supervisor->keeper, &supervisor->worker, &supervisor->courier};
    const unsigned int users[STARTERS] = {board_desc.keeper_uid, board_desc.worker_uid, board_desc.courier_uid};

    for (size_t i = 0; i < STARTERS; i++) {
        if (geteuid() != 0 || users[i] == board_desc.supervisor_uid) {
            continue;
        }
        TRY(starter_open(&supervisor->starters[i], children[i]->command));
        TRY(poller_add(supervisor->poller, supervisor->starters[i].process.pidfd, POLLER_READ, &supervisor->starters));
        children[i]->starter = &supervisor->starters[i];
    }
    return ERR_OK;
}

void supervisor_close_starters(struct supervisor *supervisor)
{
    for (size_t i = 0; i < STARTERS; i++) {
        starter_close(&supervisor->starters[i]);
    }
}
