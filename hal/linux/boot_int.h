/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the drivers for starting the box share. */
#ifndef HAL_LINUX_BOOT_INT_H
#define HAL_LINUX_BOOT_INT_H

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

/* Appends all of a file whose size nobody knows before: one of the kernel's, or a list of ours. ERR_RANGE (more than the
 * buffer's room), ERR_NO_MEMORY, and those of open(2) and read(2). */
enum err boot_read_file(const char *path, struct buf *buf) MUST_USE;

/* Writes text to a file of the kernel's in one call. ERR_IO and those of open(2). */
enum err boot_write_file(const char *path, struct span text) MUST_USE;

#endif
