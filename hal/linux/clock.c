/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/clock.h"

#include <time.h>

#include "hal/base/fault.h"

#define NS_PER_S UINT64_C(1000000000)

static struct timespec now(clockid_t which)
{
    struct timespec time = {0, 0};

    INVARIANT(clock_gettime(which, &time) == 0);
    INVARIANT(time.tv_sec >= 0);
    return time;
}

static struct mono_time system_mono(const struct hal_clock *clock UNUSED)
{
    const struct timespec time = now(CLOCK_BOOTTIME);

    return (struct mono_time){(uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec};
}

static struct wall_time system_wall(const struct hal_clock *clock UNUSED)
{
    const struct timespec time = now(CLOCK_REALTIME);

    return (struct wall_time){(int64_t)time.tv_sec * 1000 + (int64_t)time.tv_nsec / 1000000};
}

static const struct hal_clock_ops system_ops = {system_mono, system_wall};
static const struct hal_clock system_clock = {&system_ops};

const struct hal_clock *hal_clock_system(void)
{
    return &system_clock;
}
