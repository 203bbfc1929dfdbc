/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/calendar.h"

#include <errno.h>
#include <sys/timex.h>
#include <time.h>

#include "hal/base/fault.h"
#include "hal/clock.h"
#include "hal/linux/sys_int.h"

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US 1000
#define OLDEST_NS ((uint64_t)CALENDAR_OLDEST_S * (uint64_t)NS_PER_S)
#define LAST_S    INT64_C(7258118399) /* 2199-12-31T23:59:59Z: nanoseconds of it fit 64 bits */

static int64_t wall_ns(void)
{
    struct timespec now = {0, 0};

    INVARIANT(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* The kernel goes a little faster or slower until the rest is made up for; a rest from before is forgotten. */
static enum err slew(int64_t by_ns)
{
    struct timex change = {.modes = ADJ_OFFSET_SINGLESHOT, .offset = (long)(by_ns / NS_PER_US)};

    ENSURE(adjtimex(&change) >= 0, ERR_REFUSED, "leading the clock");
    return ERR_OK;
}

static enum err step(int64_t to_ns)
{
    const struct timespec to = {.tv_sec = (time_t)(to_ns / NS_PER_S), .tv_nsec = (long)(to_ns % NS_PER_S)};

    TRY(slew(0)); /* what was under way would come on top */
    if (clock_settime(CLOCK_REALTIME, &to) != 0) {
        FAIL(ERR_REFUSED, "setting the clock", errno);
    }
    return ERR_OK;
}

enum err calendar_correct(uint64_t unix_ns, struct mono_time at, struct wall_time floor, bool *out_stepped)
{
    const uint64_t mono_ns = hal_clock_mono(hal_clock_system()).ns;

    ENSURE(at.ns <= mono_ns && mono_ns - at.ns <= OLDEST_NS, ERR_EXPIRED, "a time that is not of now");
    ENSURE(unix_ns <= (uint64_t)(LAST_S * NS_PER_S), ERR_RANGE, "a time after all times");
    const int64_t to_ns = (int64_t)(unix_ns + (mono_ns - at.ns));
    ENSURE(to_ns / NS_PER_MS >= floor.ms, ERR_RANGE, "a time before the image was made");
    const int64_t off_ns = to_ns - wall_ns();
    const bool is_far = off_ns >= CALENDAR_SLEW_MS * NS_PER_MS || off_ns <= -CALENDAR_SLEW_MS * NS_PER_MS;
    TRY(is_far ? step(to_ns) : slew(off_ns));
    *out_stepped = is_far;
    return ERR_OK;
}
