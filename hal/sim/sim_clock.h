/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A clock that stands still until it is moved. One thread moves it, any may read it, as hal/clock.h promises. */
#ifndef HAL_SIM_CLOCK_H
#define HAL_SIM_CLOCK_H

#include "hal/clock.h"

struct sim_clock {
    struct hal_clock base; /* &clock.base is the clock */
    struct mono_time mono;
    struct wall_time wall;
};

/* Starts at 1 s after boot, 2026-01-01T00:00:00Z. */
void sim_clock_init(struct sim_clock *clock);

/* Time passes: both clocks go on. */
void sim_clock_advance_ms(struct sim_clock *clock, uint64_t ms);

/* Somebody sets the calendar, forward or back. */
void sim_clock_set_wall(struct sim_clock *clock, struct wall_time wall);

#endif
