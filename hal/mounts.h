/* SPDX-License-Identifier: GPL-3.0-or-later */
/* File systems at boot. For those who start the box: needs root. */
#ifndef HAL_MOUNTS_H
#define HAL_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>

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

/* What the box writes and forgets: /run and /tmp, in memory. ERR_NOT_FOUND, ERR_REFUSED, ERR_IO. */
enum err mounts_scratch(void) MUST_USE;

/* Who a file or a file system is for. */
struct mounts_owner {
    unsigned int uid;
    unsigned int gid;
};

/* Mounts an ext4 for a user alone (0700); what its journal holds of an earlier run is taken over by the kernel, so nothing
 * else checks it. No programs, devices, or rights by a file's mode. ERR_REFUSED, ERR_IO: it is none, or damaged. */
enum err mounts_state(const struct blockdev *device, const char *target, const struct mounts_owner *owner) MUST_USE;

/* Mounts a FAT the same way. Each change of a folder is written as it is made: the kernel gives a renamed file an entry without
 * size and content at first, and no fsync of the folder writes the right one. */
enum err mounts_esp(const struct blockdev *device, const char *target, const struct mounts_owner *owner) MUST_USE;

/* Gives a device to a user, 0600. ERR_NOT_FOUND, ERR_REFUSED. */
enum err mounts_give(const char *path, const struct mounts_owner *owner) MUST_USE;

/* Makes a folder that everybody may look into (0755). ERR_EXISTS, ERR_REFUSED. */
enum err mounts_folder(const char *path) MUST_USE;

/* Is there a file of that name in a directory that may be in another user's hands? ERR_IO: that cannot be told. */
enum err mounts_has(const char *directory, const char *name, bool *out_there) MUST_USE;

/* Makes an empty file of that name there, and has it on the disk. ERR_EXISTS, ERR_FULL, ERR_IO. */
enum err mounts_mark(const char *directory, const char *name) MUST_USE;

/* Copies a small file into a new one that everybody may read (0644). ERR_NOT_FOUND, ERR_RANGE (more than max bytes), ERR_EXISTS,
 * ERR_FULL, ERR_IO, ERR_NO_MEMORY. */
enum err mounts_copy(const char *from, const char *to, size_t max) MUST_USE;

/* Becomes the program at a path, with these words (ended by NULL, the first is its name) and an empty environment. Only
 * returns to say that it could not: ERR_NOT_FOUND, ERR_REFUSED and others of execve(2). */
enum err mounts_run(const char *path, const char *const *words) MUST_USE;

#endif
