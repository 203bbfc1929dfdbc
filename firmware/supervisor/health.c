/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/supervisor/health.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"

#define QUESTIONS 8U /* asked after silence_ms / QUESTIONS without one */

void health_init(struct health *health, const struct health_limits *limits)
{
    *health = (struct health){.limits = limits, .phase = HEALTH_ENDED};
}

static void enter(struct health *health, enum health_phase phase, struct mono_time now)
{
    health->phase = phase;
    health->asked = false;
    health->looked = now;
    health->waited_ms = 0;
}

void health_started(struct health *health, struct mono_time now)
{
    enter(health, HEALTH_STARTING, now);
}

void health_ready(struct health *health, struct mono_time now)
{
    enter(health, HEALTH_READY, now);
}

bool health_answered(struct health *health)
{
    if (!health->asked) {
        return false;
    }
    health->asked = false;
    health->waited_ms = 0;
    return true;
}

void health_ended(struct health *health)
{
    health->phase = HEALTH_ENDED;
}

static enum health_verdict look_at_ready(struct health *health)
{
    const unsigned int silence_ms = health->limits->silence_ms;

    if (!health->asked) {
        if (health->waited_ms < silence_ms / QUESTIONS) {
            return HEALTH_WELL;
        }
        health->asked = true;
        health->waited_ms = 0;
        return HEALTH_ASK;
    }
    if (health->waited_ms >= silence_ms) {
        return HEALTH_HUNG;
    }
    return health->waited_ms >= silence_ms / 2 ? HEALTH_SILENT : HEALTH_WELL;
}

enum health_verdict health_look(struct health *health, struct mono_time now)
{
    health->waited_ms += num_min(mono_ms_between(health->looked, now), HEALTH_STEP_MAX_MS);
    health->looked = now;
    switch (health->phase) {
    case HEALTH_ENDED:
        return HEALTH_WELL;
    case HEALTH_STARTING:
        return health->limits->start_ms != 0 && health->waited_ms >= health->limits->start_ms ? HEALTH_LATE : HEALTH_WELL;
    case HEALTH_READY:
        return look_at_ready(health);
    }
    return HEALTH_HUNG; /* no such phase: nothing to vouch for */
}

bool health_crashed(struct health *health, struct mono_time now)
{
    size_t recent = 0;

    INVARIANT(health->limits->crashes != 0 && health->limits->crashes <= HEALTH_CRASHES_MAX);
    if (health->crash_count == HEALTH_CRASHES_MAX) {
        memmove(health->crashes, health->crashes + 1, (HEALTH_CRASHES_MAX - 1) * sizeof(health->crashes[0]));
        health->crash_count--;
    }
    health->crashes[health->crash_count] = now;
    health->crash_count++;
    for (size_t i = 0; i < health->crash_count; i++) {
        recent += mono_ms_between(health->crashes[i], now) < health->limits->window_ms ? 1 : 0;
    }
    return recent >= health->limits->crashes;
}
