/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The devices a process was given. A pointer is NULL where the process has no business with the device: only the keeper
 * has the TPM, only the supervisor the watchdog, status, tamper line. Borrowed from whoever opened them. */
#ifndef HAL_HAL_H
#define HAL_HAL_H

#include "hal/board.h"
#include "hal/clock.h"
#include "hal/datadir.h"
#include "hal/entropy.h"
#include "hal/status.h"
#include "hal/tamper.h"
#include "hal/tpm.h"
#include "hal/vmgenid.h"
#include "hal/watchdog.h"

struct hal {
    const struct board_desc *board;
    const struct hal_clock *clock;
    struct hal_entropy *entropy;
    struct hal_tpm *tpm;
    struct hal_watchdog *watchdog;
    struct hal_status *status;
    struct hal_tamper *tamper;
    struct hal_vmgenid *vmgenid;
    struct datadir *datadir;
};

#endif
