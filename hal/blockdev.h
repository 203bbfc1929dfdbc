/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Partitions by the label in the partition table, as the kernel tells them in sysfs. For those who start the box. */
#ifndef HAL_BLOCKDEV_H
#define HAL_BLOCKDEV_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define BLOCKDEV_NAME_MAX     31 /* of [A-Za-z0-9_-] */
#define BLOCKDEV_PATH_BYTES   (BLOCKDEV_NAME_MAX + 6) /* with the folder of devices before it, and the NUL */
#define BLOCKDEV_SECTOR_BYTES 512 /* the kernel's unit, whatever the disk's is */

struct blockdev {
    unsigned int major;
    unsigned int minor;
    char path[BLOCKDEV_PATH_BYTES]; /* NUL-ended */
};

/* What the kernel says of a block device ("KEY=value" lines, some of them from the disk). ERR_NOT_FOUND: it is no partition
 * of that label. ERR_MALFORMED: a key twice, numbers that are none, or a name that is no device's. */
enum err blockdev_parse(struct span uevent, struct span label, struct blockdev *out_device) MUST_USE;

/* The partition of that label. ERR_NOT_FOUND; ERR_CONFLICT: there are two, of which neither is ours any more than the other;
 * ERR_MALFORMED, ERR_IO. */
enum err blockdev_find(struct span label, struct blockdev *out_device) MUST_USE;

/* blockdev_find, again and again for up to timeout_ms: disks are found while programs run. ERR_TIMEOUT instead of
 * ERR_NOT_FOUND. Blocks. */
enum err blockdev_wait(struct span label, unsigned int timeout_ms, struct blockdev *out_device) MUST_USE;

/* Its size. ERR_NO_DEVICE and others of open(2), ERR_IO. */
enum err blockdev_sectors(const struct blockdev *device, uint64_t *out_sectors) MUST_USE;

/* Reads exactly len bytes. ERR_RANGE: it ends before; ERR_NO_DEVICE and others of open(2), ERR_IO. Blocks. */
enum err blockdev_read(const struct blockdev *device, uint64_t offset, uint8_t *out_bytes, size_t len) MUST_USE;

/* Puts zeros in the place of its first 4 KiB, and has them on the disk. ERR_NO_DEVICE and others of open(2), ERR_IO. */
enum err blockdev_clear(const struct blockdev *device) MUST_USE;

#endif
