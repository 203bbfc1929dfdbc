/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `rowlock updater`: the process that writes the slot which does not run. The supervisor starts it on boards that have slots,
 * with descriptors at fixed numbers: its channel, and the folder of images on the ESP; the partition comes in a message.
 *
 * It believes nobody. Bytes come from the worker, which may be anybody's: they are looked at only as an update file that the
 * vendor signed, and nothing else ever reaches the slot (firmware/update/update.h). What it may write is that one partition and
 * that one folder; the running root is not among its descriptors. Before an update gets a bootable name the keeper has
 * approved its policy. What a taken-over worker can do is to have the vendor's newer image installed.
 *
 *   begin -> pieces, each verified and written -> whole -> install: policy checked, approved by the keeper, named -> the
 *   supervisor ends and the box starts anew */
#ifndef FIRMWARE_UPDATER_UPDATER_H
#define FIRMWARE_UPDATER_UPDATER_H

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/process.h"

#define UPDATER_FD_CONTROL PROCESS_FD_FIRST
#define UPDATER_FD_FOLDER  (PROCESS_FD_FIRST + 1)

/* Runs until the supervisor says stop. ERR_CLOSED: it is gone. */
enum err updater_run(void) MUST_USE;

#endif
