/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/rtc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtc.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#include "hal/base/fault.h"
#include "hal/linux/sys_int.h"

#define DEVICE    "/dev/rtc0" /* the one that the kernel reads at its start */
#define MS_PER_S  1000
#define FIRST_S   INT64_C(946684800)  /* 2000-01-01: what every chip can hold, as the next */
#define LAST_S    INT64_C(4102444799) /* 2099-12-31 */

static enum err file_date(struct timespec *out_date)
{
    struct stat file;

    if (stat("/proc/self/exe", &file) != 0) {
        FAIL_ERRNO(errno, "looking at the program's file");
    }
    *out_date = file.st_mtim;
    return ERR_OK;
}

enum err rtc_image_date(struct wall_time *out_date)
{
    struct timespec date = {0, 0};

    TRY(file_date(&date));
    *out_date = (struct wall_time){(int64_t)date.tv_sec * MS_PER_S};
    return ERR_OK;
}

enum err rtc_not_before_image(bool *out_was_set)
{
    struct timespec date = {0, 0};
    struct timespec now = {0, 0};

    TRY(file_date(&date));
    INVARIANT(clock_gettime(CLOCK_REALTIME, &now) == 0);
    const bool is_early = now.tv_sec < date.tv_sec;
    if (is_early && clock_settime(CLOCK_REALTIME, &date) != 0) {
        FAIL(ERR_REFUSED, "setting the clock", errno);
    }
    *out_was_set = is_early;
    return ERR_OK;
}

enum err rtc_open(int *out_fd)
{
    const int fd = open(DEVICE, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        FAIL_ERRNO(errno, "opening the battery-backed clock");
    }
    *out_fd = fd;
    return ERR_OK;
}

enum err rtc_write(int fd, struct wall_time now)
{
    const int64_t s = (now.ms + MS_PER_S / 2) / MS_PER_S;
    const time_t seconds = (time_t)s;
    struct tm fields = {.tm_sec = 0};

    ENSURE(s >= FIRST_S && s <= LAST_S, ERR_RANGE, "a date that no chip holds");
    INVARIANT(gmtime_r(&seconds, &fields) != NULL);
    const struct rtc_time time = {.tm_sec = fields.tm_sec, .tm_min = fields.tm_min, .tm_hour = fields.tm_hour,
                                  .tm_mday = fields.tm_mday, .tm_mon = fields.tm_mon, .tm_year = fields.tm_year,
                                  .tm_wday = fields.tm_wday, .tm_yday = fields.tm_yday};
    if (ioctl(fd, RTC_SET_TIME, &time) != 0) {
        FAIL_ERRNO(errno, "setting the battery-backed clock");
    }
    return ERR_OK;
}
