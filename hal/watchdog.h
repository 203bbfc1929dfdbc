/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The watchdog: resets the box unless it is fed in time. A host has none and says so once. One thread. */
#ifndef HAL_WATCHDOG_H
#define HAL_WATCHDOG_H

#include "hal/base/attr.h"
#include "hal/base/err.h"

struct hal_watchdog;

struct hal_watchdog_ops {
    enum err (*feed)(struct hal_watchdog *watchdog);
    void (*close)(struct hal_watchdog *watchdog);
};

struct hal_watchdog {
    const struct hal_watchdog_ops *ops;
};

/* Opens and arms the watchdog at a path ("/dev/watchdog"), or, for "", one that only writes log lines.
 * ERR_NO_DEVICE, ERR_REFUSED (busy or not permitted), ERR_RANGE (the device does not know that time), ERR_NO_MEMORY. */
enum err hal_watchdog_open(const char *path, unsigned int timeout_s, struct hal_watchdog **out_watchdog) MUST_USE;

/* Puts the reset off by another timeout_s. ERR_IO. */
static inline MUST_USE enum err hal_watchdog_feed(struct hal_watchdog *watchdog)
{
    return watchdog->ops->feed(watchdog);
}

/* Disarms (an orderly end) and frees. NULL is fine. */
static inline void hal_watchdog_close(struct hal_watchdog *watchdog)
{
    if (watchdog != NULL) {
        watchdog->ops->close(watchdog);
    }
}

#endif
