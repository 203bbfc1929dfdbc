/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The data volume: partition `data`, encrypted, mounted over the worker's directory. */
#ifndef FIRMWARE_INIT_VOLUME_H
#define FIRMWARE_INIT_VOLUME_H

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/board.h"

#define INIT_STATE_DIR "/var/lib/rowlock"

/* Maps it, as the board has it, with the key of the kernel's keyring, which is taken from there, and mounts it. At the first time ever it is made
 * empty before. ERR_NOT_FOUND: no such key; ERR_TIMEOUT, ERR_CONFLICT: no such partition, or two; ERR_IO, ERR_REFUSED: another
 * key, or damaged. A log line has said so. Blocks. */
enum err volume_open(const struct board_desc *board) MUST_USE;

#endif
