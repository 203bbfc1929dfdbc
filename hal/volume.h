/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file system of the data volume. For the first process of the box: needs root. */
#ifndef HAL_VOLUME_H
#define HAL_VOLUME_H

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/blockdev.h"
#include "hal/mounts.h"

/* Puts an empty file system on a device, from the image's own copy of one, and has it on the disk. Whatever was there is
 * lost. ERR_NOT_FOUND (the image has none), ERR_RANGE (the device is smaller), ERR_IO. Blocks. */
enum err volume_fill(const struct blockdev *device) MUST_USE;

/* Mounts it over the directory `name` of `parent`, for a user alone (0700), grown to the size of the device. A link in the
 * place of the directory is not followed. What the journal holds is taken over by the kernel.
 * ERR_IO, ERR_REFUSED: it is none, or damaged; ERR_NOT_FOUND: no such directory. Blocks. */
enum err volume_mount(const struct blockdev *device, const char *parent, const char *name,
                      const struct mounts_owner *owner) MUST_USE;

#endif
