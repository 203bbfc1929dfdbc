/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/rtc.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>

#include "hal/base/fault.h"
#include "hal/linux/sys_int.h"

enum err rtc_not_before_image(bool *out_was_set)
{
    struct stat file;
    struct timespec now = {0, 0};

    if (stat("/proc/self/exe", &file) != 0) {
        FAIL_ERRNO(errno, "looking at the program's file");
    }
    INVARIANT(clock_gettime(CLOCK_REALTIME, &now) == 0);
    const bool is_early = now.tv_sec < file.st_mtim.tv_sec;
    if (is_early && clock_settime(CLOCK_REALTIME, &file.st_mtim) != 0) {
        FAIL(ERR_REFUSED, "setting the clock", errno);
    }
    *out_was_set = is_early;
    return ERR_OK;
}
