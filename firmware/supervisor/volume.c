/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The data volume of a box: the worker's directory is empty until the first process has mounted it there, which it can when the
 * keeper has handed over the key. A box whose volume cannot be mounted serves no rows, as one whose rows are damaged. */
#include "firmware/supervisor/supervisor_int.h"

#include "firmware/init_link.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/board.h"
#include "hal/socket.h"

enum err supervisor_open_worker_dir(struct supervisor *supervisor)
{
    int fd = -1;

    TRY(datadir_open_for(supervisor->dir, "db", board_desc.worker_uid, board_desc.worker_gid, &fd));
    socket_close(supervisor->worker_dir);
    supervisor->worker_dir = fd;
    return ERR_OK;
}

static void do_without(struct supervisor *supervisor)
{
    log_fault(LOG_ERROR, "no_data_volume");
    supervisor->volume = VOLUME_THERE; /* there will be no other */
    supervisor->given_up = true;
    supervisor->failure = LIFE_REASON_STORAGE_DAMAGED;
    hal_status_light(supervisor->status, HAL_LIGHT_FAILED);
}

bool supervisor_has_volume(struct supervisor *supervisor)
{
    if (!board_desc.data_volume || supervisor->options->init_fd < 0 || supervisor->state != BOARD_OPERATIONAL) {
        return true;
    }
    if (supervisor->volume == VOLUME_NOT_ASKED && !supervisor->clock_asked) { /* answers do not say to what */
        supervisor->volume = VOLUME_ASKED;
        if (init_link_ask(supervisor->options->init_fd, INIT_MAP_VOLUME) != ERR_OK) {
            do_without(supervisor);
        }
    }
    return supervisor->volume == VOLUME_THERE;
}

enum err supervisor_on_init(struct supervisor *supervisor)
{
    enum err result = ERR_BUG;

    const enum err err = init_link_take(supervisor->options->init_fd, &result);
    if (err == ERR_AGAIN || err == ERR_TIMEOUT) {
        return ERR_OK;
    }
    TRY(err);
    if (supervisor->volume != VOLUME_ASKED && supervisor->clock_asked) { /* there is never more than one of the two */
        supervisor_on_clock_set(supervisor, result);
        return ERR_OK;
    }
    ENSURE(supervisor->volume == VOLUME_ASKED, ERR_STATE, "an answer that was not asked for");
    supervisor->volume = VOLUME_THERE;
    if (result != ERR_OK || supervisor_open_worker_dir(supervisor) != ERR_OK) {
        do_without(supervisor);
    }
    return ERR_OK;
}
