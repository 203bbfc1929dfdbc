/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a person in front of the box sees and hears: a status light and a buzzer. The host writes log lines. One
 * thread. */
#ifndef HAL_STATUS_H
#define HAL_STATUS_H

#include "hal/base/attr.h"

enum hal_light {
    HAL_LIGHT_OFF,
    HAL_LIGHT_STARTING,
    HAL_LIGHT_UNPROVISIONED,
    HAL_LIGHT_LOCKED,
    HAL_LIGHT_OPERATIONAL,
    HAL_LIGHT_FAILED,
    HAL_LIGHT_COUNT
};

enum hal_sound { HAL_SOUND_ACKNOWLEDGE, HAL_SOUND_ALARM, HAL_SOUND_COUNT };

struct hal_status;

struct hal_status_ops {
    void (*light)(struct hal_status *status, enum hal_light light);
    void (*sound)(struct hal_status *status, enum hal_sound sound);
};

struct hal_status {
    const struct hal_status_ops *ops;
};

/* The host's: one log line for each change. A constant. */
struct hal_status *hal_status_log(void);

static inline void hal_status_light(struct hal_status *status, enum hal_light light)
{
    status->ops->light(status, light);
}

static inline void hal_status_sound(struct hal_status *status, enum hal_sound sound)
{
    status->ops->sound(status, sound);
}

#endif
