/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The clocks of a box, which only root may set: the kernel's, and the battery-backed one that it begins with. */
#ifndef FIRMWARE_INIT_CLOCK_H
#define FIRMWARE_INIT_CLOCK_H

#include <stdbool.h>

#include "firmware/init_link.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/time.h"

struct init_clock {
    struct wall_time image; /* the date of it: no clock is set before that */
    int rtc;                /* -1: the machine has none */
    bool was_set;           /* by somebody who knew the time: only then is the battery-backed one, too */
    struct mono_time next;  /* when it is written again */
};

/* Before the process gives up its rights. ERR_IO. */
enum err init_clock_open(struct init_clock *out_clock) MUST_USE;

/* Errors of calendar_correct(), which are for whoever asked: nothing is changed then, and the fault trail is empty. After a step
 * the battery-backed clock is written at once. */
enum err init_clock_set(struct init_clock *clock, const struct init_time *time) MUST_USE;

/* Writes it if an hour has passed. To be called now and then. */
void init_clock_keep(struct init_clock *clock);

#endif
