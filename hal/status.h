/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a person in front of the box sees and hears: a status light and a buzzer. Every change is a line of the log; the host
 * has no more than that. A box with one light tells its states apart by how it blinks (hal/linux/light.c). One thread. */
#ifndef HAL_STATUS_H
#define HAL_STATUS_H

#include "hal/base/attr.h"
#include "hal/base/err.h"

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
    void (*beat)(struct hal_status *status);
    void (*close)(struct hal_status *status);
};

struct hal_status {
    const struct hal_status_ops *ops;
};

/* The host's: one log line for each change. A constant. */
struct hal_status *hal_status_log(void);

/* The same with a light, at one of these places:
 *   led:/sys/class/leds/NAME   a light that the kernel has a driver for; a NAME that begins with '*' is the first by name that
 *                              ends with the rest, because what stands before it may be a number that the kernel chose
 *   gpio:/dev/gpiochipN:LINE   a line of a GPIO chip, high when the light is on; gpio-low: low then
 * Needs root, and is used without it afterwards. The caller closes it.
 * ERR_MALFORMED (none of these), ERR_NOT_FOUND, ERR_NO_DEVICE (what is there is no light), ERR_REFUSED, ERR_IO, ERR_NO_MEMORY. */
enum err hal_status_open_light(const char *place, struct hal_status **out_status) MUST_USE;

static inline void hal_status_light(struct hal_status *status, enum hal_light light)
{
    status->ops->light(status, light);
}

static inline void hal_status_sound(struct hal_status *status, enum hal_sound sound)
{
    status->ops->sound(status, sound);
}

/* Once a second: the light goes on with its pattern. */
static inline void hal_status_beat(struct hal_status *status)
{
    status->ops->beat(status);
}

/* The light stays as it is. NULL is fine, and so is the host's. */
static inline void hal_status_close(struct hal_status *status)
{
    if (status != NULL) {
        status->ops->close(status);
    }
}

#endif
