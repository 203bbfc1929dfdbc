/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The host has no light and no buzzer: it writes what they would do. */
#include "hal/status.h"

#include "hal/base/fault.h"
#include "hal/base/log.h"

static const char *const light_names[HAL_LIGHT_COUNT] = {
    [HAL_LIGHT_OFF] = "off",       [HAL_LIGHT_STARTING] = "starting",       [HAL_LIGHT_UNPROVISIONED] = "unprovisioned",
    [HAL_LIGHT_LOCKED] = "locked", [HAL_LIGHT_OPERATIONAL] = "operational", [HAL_LIGHT_FAILED] = "failed",
};

static const char *const sound_names[HAL_SOUND_COUNT] = {
    [HAL_SOUND_ACKNOWLEDGE] = "acknowledge",
    [HAL_SOUND_ALARM] = "alarm",
};

static void log_light(struct hal_status *status UNUSED, enum hal_light light)
{
    INVARIANT((unsigned int)light < HAL_LIGHT_COUNT);
    LOG(LOG_INFO, "status-light", LOG_LITERAL("light", light_names[light]));
}

static void log_sound(struct hal_status *status UNUSED, enum hal_sound sound)
{
    INVARIANT((unsigned int)sound < HAL_SOUND_COUNT);
    LOG(LOG_INFO, "status-sound", LOG_LITERAL("sound", sound_names[sound]));
}

static void log_beat(struct hal_status *status UNUSED)
{
}

static void log_close(struct hal_status *status UNUSED)
{
}

static const struct hal_status_ops log_ops = {log_light, log_sound, log_beat, log_close};
static struct hal_status log_status = {&log_ops};

struct hal_status *hal_status_log(void)
{
    return &log_status;
}
