/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/boot_policy.h"

#include "hal/linux/boot_int.h"

enum err boot_policy_read(const char *path, struct buf *buf)
{
    return boot_read_file(path, buf);
}
