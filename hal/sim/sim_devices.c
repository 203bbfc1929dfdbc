/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/sim/sim_devices.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hal/base/fault.h"

static void status_light(struct hal_status *status, enum hal_light light)
{
    ((struct sim_status *)status)->light = light;
}

static void status_sound(struct hal_status *status, enum hal_sound sound)
{
    ((struct sim_status *)status)->sounds[sound]++;
}

static void status_beat(struct hal_status *status)
{
    ((struct sim_status *)status)->beats++;
}

static void status_close(struct hal_status *status)
{
    ((struct sim_status *)status)->closed++;
}

static const struct hal_status_ops status_ops = {status_light, status_sound, status_beat, status_close};

void sim_status_init(struct sim_status *status)
{
    *status = (struct sim_status){.base = {&status_ops}, .light = HAL_LIGHT_OFF};
}

static enum err watchdog_feed(struct hal_watchdog *watchdog)
{
    struct sim_watchdog *self = (struct sim_watchdog *)watchdog;

    self->fed += self->feed == ERR_OK ? 1u : 0u;
    return self->feed;
}

static void watchdog_close(struct hal_watchdog *watchdog)
{
    ((struct sim_watchdog *)watchdog)->closed++;
}

static const struct hal_watchdog_ops watchdog_ops = {watchdog_feed, watchdog_close};

void sim_watchdog_init(struct sim_watchdog *watchdog)
{
    *watchdog = (struct sim_watchdog){.base = {&watchdog_ops}, .feed = ERR_OK};
}

static enum err vmgenid_read(struct hal_vmgenid *vmgenid, uint8_t out_id[HAL_VMGENID_BYTES])
{
    const struct sim_vmgenid *self = (const struct sim_vmgenid *)vmgenid;

    if (self->err == ERR_OK) {
        memcpy(out_id, self->id, sizeof(self->id));
    }
    return self->err;
}

static int vmgenid_fd(const struct hal_vmgenid *vmgenid UNUSED)
{
    return -1;
}

static void vmgenid_close(struct hal_vmgenid *vmgenid UNUSED)
{
}

static const struct hal_vmgenid_ops vmgenid_ops = {vmgenid_read, vmgenid_fd, vmgenid_close};

void sim_vmgenid_init(struct sim_vmgenid *vmgenid)
{
    *vmgenid = (struct sim_vmgenid){.base = {&vmgenid_ops}, .err = ERR_OK};
}

static int tamper_fd(const struct hal_tamper *tamper)
{
    return ((const struct sim_tamper *)tamper)->fd;
}

static enum err tamper_next(struct hal_tamper *tamper, enum hal_tamper_event *out_event)
{
    struct sim_tamper *self = (struct sim_tamper *)tamper;
    eventfd_t number = 0;

    if (self->count == 0) {
        return ERR_AGAIN;
    }
    *out_event = self->events[0];
    self->count--;
    memmove(self->events, self->events + 1, self->count * sizeof(self->events[0]));
    ENSURE(eventfd_read(self->fd, &number) == 0, ERR_IO, "eventfd");
    return ERR_OK;
}

static void tamper_close(struct hal_tamper *tamper)
{
    (void)close(tamper_fd(tamper));
}

static const struct hal_tamper_ops tamper_ops = {tamper_fd, tamper_next, tamper_close};

enum err sim_tamper_init(struct sim_tamper *tamper)
{
    const int fd = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);

    ENSURE(fd >= 0, ERR_IO, "eventfd");
    *tamper = (struct sim_tamper){.base = {&tamper_ops}, .fd = fd};
    return ERR_OK;
}

enum err sim_tamper_happen(struct sim_tamper *tamper, enum hal_tamper_event event)
{
    ENSURE(tamper->count < SIM_TAMPER_EVENTS_MAX, ERR_LIMIT, "events wait already");
    ENSURE(eventfd_write(tamper->fd, 1) == 0, ERR_IO, "eventfd");
    tamper->events[tamper->count] = event;
    tamper->count++;
    return ERR_OK;
}
