/* SPDX-License-Identifier: GPL-3.0-or-later */
/* File systems at boot. For those who start the box: needs root. */
#ifndef HAL_MOUNTS_H
#define HAL_MOUNTS_H

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/blockdev.h"

/* The kernel's own file systems: devices, processes, sysfs. ERR_NOT_FOUND (no mount point), ERR_REFUSED, ERR_IO. */
enum err mounts_kernel(void) MUST_USE;

/* The standard descriptors on the console. ERR_NO_DEVICE and others of open(2). */
enum err mounts_console(void) MUST_USE;

/* Makes the squashfs on a device the root of this process and of those it starts, with the kernel's file systems in it; what
 * was the root before is out of reach. ERR_REFUSED, ERR_IO: no squashfs, or it cannot be read; ERR_NOT_FOUND. */
enum err mounts_root(const struct blockdev *device) MUST_USE;

/* Becomes the program at a path, with these words (ended by NULL, the first is its name) and an empty environment. Only
 * returns to say that it could not: ERR_NOT_FOUND, ERR_REFUSED and others of execve(2). */
enum err mounts_run(const char *path, const char *const *words) MUST_USE;

#endif
