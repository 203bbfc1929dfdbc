/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The calendar is the monotonic clock plus what it was ever ahead of that, which is one number that only grows. */
#include "hal/onward.h"

#define TOLERATED_MS 1000

static int64_t mono_ms(const struct hal_onward *onward)
{
    return (int64_t)(hal_clock_mono(onward->clock).ns / TIME_NS_PER_MS);
}

static void raise_to(atomic_llong *most, int64_t value)
{
    long long seen = atomic_load_explicit(most, memory_order_relaxed);

    while (seen < value && !atomic_compare_exchange_weak_explicit(most, &seen, value, memory_order_relaxed,
                                                                  memory_order_relaxed)) {
        /* another thread has seen another clock; the later one holds */
    }
}

/* The calendar now, and what the other clock says. */
static int64_t look(const struct hal_onward *onward, int64_t *out_wall_ms)
{
    const int64_t since = mono_ms(onward);

    *out_wall_ms = hal_clock_wall(onward->clock).ms;
    raise_to(onward->ahead_ms, *out_wall_ms - since);
    return since + atomic_load_explicit(onward->ahead_ms, memory_order_relaxed);
}

static struct wall_time onward_wall(const struct hal_clock *clock)
{
    int64_t wall_ms = 0;
    const int64_t calendar_ms = look((const struct hal_onward *)clock, &wall_ms);

    return (struct wall_time){calendar_ms - wall_ms < TOLERATED_MS ? wall_ms : calendar_ms};
}

static struct mono_time onward_mono(const struct hal_clock *clock)
{
    return hal_clock_mono(((const struct hal_onward *)clock)->clock);
}

void hal_onward_init(struct hal_onward *onward, const struct hal_clock *clock)
{
    static const struct hal_clock_ops ops = {onward_mono, onward_wall};

    onward->base.ops = &ops;
    onward->clock = clock;
    onward->ahead_ms = &onward->ahead_of_all;
    atomic_init(&onward->ahead_of_all, hal_clock_wall(clock).ms - mono_ms(onward));
}

void hal_onward_saw(const struct hal_onward *onward, struct wall_time seen)
{
    raise_to(onward->ahead_ms, seen.ms - mono_ms(onward));
}

int64_t hal_onward_lag_ms(const struct hal_onward *onward)
{
    int64_t wall_ms = 0;
    const int64_t lag_ms = look(onward, &wall_ms) - wall_ms;

    return lag_ms < TOLERATED_MS ? 0 : lag_ms;
}
