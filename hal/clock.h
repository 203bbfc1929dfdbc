/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two clocks: one for timeouts, one for the calendar (hal/base/time.h). Any thread may read them. Real:
 * hal_clock_system; for tests one that is stepped by hand: hal/sim/sim_clock.h. */
#ifndef HAL_CLOCK_H
#define HAL_CLOCK_H

#include "hal/base/time.h"

struct hal_clock;

struct hal_clock_ops {
    struct mono_time (*mono)(const struct hal_clock *clock);
    struct wall_time (*wall)(const struct hal_clock *clock);
};

struct hal_clock {
    const struct hal_clock_ops *ops;
};

/* The kernel's clocks: CLOCK_BOOTTIME (counts while suspended, so that a timeout does not outlast a sleep) and
 * CLOCK_REALTIME. A constant; never fails. */
const struct hal_clock *hal_clock_system(void);

static inline struct mono_time hal_clock_mono(const struct hal_clock *clock)
{
    return clock->ops->mono(clock);
}

static inline struct wall_time hal_clock_wall(const struct hal_clock *clock)
{
    return clock->ops->wall(clock);
}

#endif
