/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/sim/sim_clock.h"

#define START_WALL_MS INT64_C(1767225600000) /* 2026-01-01 */

static struct mono_time sim_mono(const struct hal_clock *clock)
{
    return (struct mono_time){__atomic_load_n(&((const struct sim_clock *)clock)->mono.ns, __ATOMIC_RELAXED)};
}

static struct wall_time sim_wall(const struct hal_clock *clock)
{
    return (struct wall_time){__atomic_load_n(&((const struct sim_clock *)clock)->wall.ms, __ATOMIC_RELAXED)};
}

static const struct hal_clock_ops sim_ops = {sim_mono, sim_wall};

void sim_clock_init(struct sim_clock *clock)
{
    *clock = (struct sim_clock){.base = {&sim_ops}, .mono = {1000 * TIME_NS_PER_MS}, .wall = {START_WALL_MS}};
}

void sim_clock_advance_ms(struct sim_clock *clock, uint64_t ms)
{
    __atomic_store_n(&clock->mono.ns, mono_add_ms(clock->mono, ms).ns, __ATOMIC_RELAXED);
    __atomic_store_n(&clock->wall.ms, clock->wall.ms + (int64_t)ms, __ATOMIC_RELAXED);
}

void sim_clock_set_wall(struct sim_clock *clock, struct wall_time wall)
{
    __atomic_store_n(&clock->wall.ms, wall.ms, __ATOMIC_RELAXED);
}
