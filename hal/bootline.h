/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line that the kernel was started with. */
#ifndef HAL_BOOTLINE_H
#define HAL_BOOTLINE_H

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"

#define BOOTLINE_MAX 4096 /* bytes; the kernels of our boards keep 2048 */

/* Appends it, with the line end that the kernel puts behind it. ERR_RANGE (longer than the buffer's room), ERR_NOT_FOUND (no
 * proc is mounted), ERR_IO, ERR_NO_MEMORY. */
enum err bootline_read(struct buf *buf) MUST_USE;

#endif
