/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reset button and the tamper line, as events. On the host both are signals to the supervisor: SIGUSR1 is the
 * button, SIGUSR2 the line (the case was opened). One thread. */
#ifndef HAL_TAMPER_H
#define HAL_TAMPER_H

#include "hal/base/attr.h"
#include "hal/base/err.h"

enum hal_tamper_event { HAL_TAMPER_BUTTON, HAL_TAMPER_OPENED };

struct hal_tamper;

struct hal_tamper_ops {
    int (*fd)(const struct hal_tamper *tamper);
    enum err (*next)(struct hal_tamper *tamper, enum hal_tamper_event *out_event);
    void (*close)(struct hal_tamper *tamper);
};

struct hal_tamper {
    const struct hal_tamper_ops *ops;
};

/* The host's. Blocks SIGUSR1 and SIGUSR2 for this thread and those it starts, so call it before any.
 * ERR_IO, ERR_NO_MEMORY. */
enum err hal_tamper_open_signals(struct hal_tamper **out_tamper) MUST_USE;

/* Readable when an event waits. */
static inline int hal_tamper_fd(const struct hal_tamper *tamper)
{
    return tamper->ops->fd(tamper);
}

/* The next event, without waiting. ERR_AGAIN when there is none, ERR_IO. */
static inline MUST_USE enum err hal_tamper_next(struct hal_tamper *tamper, enum hal_tamper_event *out_event)
{
    return tamper->ops->next(tamper, out_event);
}

/* NULL is fine. */
static inline void hal_tamper_close(struct hal_tamper *tamper)
{
    if (tamper != NULL) {
        tamper->ops->close(tamper);
    }
}

#endif
