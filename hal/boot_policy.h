/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The signed policy of the running image, which PID 1 has put where the board says (board_desc.image_policy). */
#ifndef HAL_BOOT_POLICY_H
#define HAL_BOOT_POLICY_H

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"

/* Appends its bytes; what they are worth is the reader's to find out. ERR_NOT_FOUND: there is none; ERR_RANGE: more than
 * the buffer has room for; ERR_REFUSED, ERR_IO, ERR_NO_MEMORY. */
enum err boot_policy_read(const char *path, struct buf *buf) MUST_USE;

#endif
