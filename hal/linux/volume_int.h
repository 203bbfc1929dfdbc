/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A request of ext4 that no header of the kernel's for programs has. */
#ifndef HAL_LINUX_VOLUME_INT_H
#define HAL_LINUX_VOLUME_INT_H

#include <stdint.h>
#include <sys/ioctl.h>

#define VOLUME_RESIZE _IOW('f', 16, uint64_t) /* EXT4_IOC_RESIZE_FS */

#endif
