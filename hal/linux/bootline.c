/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/bootline.h"

#include "hal/base/fault.h"
#include "hal/linux/boot_int.h"

enum err bootline_read(struct buf *buf)
{
    TRY(boot_read_file("/proc/cmdline", buf));
    return ERR_OK;
}
