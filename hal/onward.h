/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A calendar that does not go back: another clock whose steps back are not followed. What was over once (a token, a session,
 * a code, the window of a limit) stays over, whoever sets the clock of the machine, and what is written later is dated
 * later. Steps forward are followed, and so is a step back of less than a second, which a clock that is kept in time
 * may take. A clock that was wrong, ahead of the time, and is set right is therefore believed by new processes only.
 *
 * Any thread may read it. It lives as long as whoever reads it. */
#ifndef HAL_ONWARD_H
#define HAL_ONWARD_H

#include <stdatomic.h>

#include "hal/clock.h"

struct hal_onward {
    struct hal_clock base; /* &onward.base is the clock */
    const struct hal_clock *clock;
    atomic_llong *ahead_ms;    /* of the calendar before the other clock: the most there was */
    atomic_llong ahead_of_all; /* where that is kept */
};

/* Borrows the clock. The object must stay where it is. */
void hal_onward_init(struct hal_onward *onward, const struct hal_clock *clock);

/* Another process that follows the same calendar was there already: this one is not behind it from here on. */
void hal_onward_saw(const struct hal_onward *onward, struct wall_time seen);

/* By how much the other clock is behind, in milliseconds; 0: it is not, or by less than a second. */
int64_t hal_onward_lag_ms(const struct hal_onward *onward);

#endif
