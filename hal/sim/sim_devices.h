/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The small devices in memory: what they were told can be read, what they report can be set. */
#ifndef HAL_SIM_DEVICES_H
#define HAL_SIM_DEVICES_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/status.h"
#include "hal/tamper.h"
#include "hal/vmgenid.h"
#include "hal/watchdog.h"

struct sim_status {
    struct hal_status base; /* &status.base is the device */
    enum hal_light light;
    size_t sounds[HAL_SOUND_COUNT];
    size_t beats;
    size_t closed;
};
void sim_status_init(struct sim_status *status);

struct sim_watchdog {
    struct hal_watchdog base;
    size_t fed;
    size_t closed;
    enum err feed; /* what feeding answers; ERR_OK at first */
};
void sim_watchdog_init(struct sim_watchdog *watchdog);

struct sim_vmgenid {
    struct hal_vmgenid base;
    enum err err; /* what reading answers; ERR_OK at first */
    uint8_t id[HAL_VMGENID_BYTES];
};
void sim_vmgenid_init(struct sim_vmgenid *vmgenid);

#define SIM_TAMPER_EVENTS_MAX 16

struct sim_tamper {
    struct hal_tamper base;
    int fd;
    enum hal_tamper_event events[SIM_TAMPER_EVENTS_MAX];
    size_t count;
};

/* ERR_IO. hal_tamper_close gives the descriptor back. */
enum err sim_tamper_init(struct sim_tamper *tamper) MUST_USE;

/* The button is pressed, the case opened. ERR_LIMIT when SIM_TAMPER_EVENTS_MAX wait already. */
enum err sim_tamper_happen(struct sim_tamper *tamper, enum hal_tamper_event event) MUST_USE;

#endif
