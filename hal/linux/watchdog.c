/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's watchdog device. Writing anything feeds it; "V" before the close disarms it. */
#include "hal/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/watchdog.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/linux/sys_int.h"

struct linux_watchdog {
    struct hal_watchdog base;
    int fd; /* -1: there is none, feeding does nothing */
};

static struct linux_watchdog *of(struct hal_watchdog *watchdog)
{
    return (struct linux_watchdog *)watchdog;
}

static enum err device_feed(struct hal_watchdog *watchdog)
{
    if (of(watchdog)->fd >= 0 && write(of(watchdog)->fd, "f", 1) != 1) {
        FAIL(ERR_IO, "feeding the watchdog", errno);
    }
    return ERR_OK;
}

static void device_close(struct hal_watchdog *watchdog)
{
    struct linux_watchdog *self = of(watchdog);

    if (self->fd >= 0 && write(self->fd, "V", 1) != 1) {
        LOG(LOG_ERROR, "watchdog-not-disarmed", LOG_NUMBER("errno", errno));
    }
    sys_close(self->fd);
    mem_free(self);
}

static const struct hal_watchdog_ops device_ops = {device_feed, device_close};

/* A machine may have several of them, and which one the kernel has put first matters to whoever relies on it. */
static void tell_which(int fd, unsigned int timeout_s)
{
    struct watchdog_info info = {.options = 0};

    const bool is_told = ioctl(fd, WDIOC_GETSUPPORT, &info) == 0;
    const size_t len = is_told ? strnlen((const char *)info.identity, sizeof(info.identity)) : 0;
    LOG(LOG_INFO, "watchdog-armed", LOG_TEXT("device", span_of(info.identity, len)), LOG_NUMBER("seconds", timeout_s));
}

static enum err arm(const char *path, unsigned int timeout_s, int *out_fd)
{
    int seconds = (int)timeout_s;

    ENSURE(timeout_s > 0 && timeout_s <= INT_MAX / 2, ERR_RANGE, "watchdog time");
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        FAIL(errno == ENOENT ? ERR_NO_DEVICE : sys_err(errno), "opening the watchdog", errno);
    }
    if (ioctl(fd, WDIOC_SETTIMEOUT, &seconds) != 0) {
        const int error = errno;
        (void)!write(fd, "V", 1); /* opening armed it; nothing more can be done if this fails */
        sys_close(fd);
        FAIL(error == ENOTTY ? ERR_NO_DEVICE : ERR_RANGE, "setting the watchdog's time", error);
    }
    tell_which(fd, timeout_s);
    *out_fd = fd;
    return ERR_OK;
}

enum err hal_watchdog_open(const char *path, unsigned int timeout_s, struct hal_watchdog **out_watchdog)
{
    void *memory = NULL;
    int fd = -1;

    if (path[0] != '\0') {
        TRY(arm(path, timeout_s, &fd));
    } else {
        log_event(LOG_INFO, "watchdog-none", NULL, 0);
    }
    const enum err err = mem_alloc(sizeof(struct linux_watchdog), &memory);
    if (err != ERR_OK) {
        sys_close(fd);
        return err;
    }
    struct linux_watchdog *self = memory;
    self->base.ops = &device_ops;
    self->fd = fd;

    *out_watchdog = &self->base;
    return ERR_OK;
}
