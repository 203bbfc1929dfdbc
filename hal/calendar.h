/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Setting the calendar clock of the machine by what somebody who knows the time has said. Needs root. */
#ifndef HAL_CALENDAR_H
#define HAL_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/time.h"

#define CALENDAR_SLEW_MS 128 /* from here on the clock steps; below it is led there, 0.5 ms a second. Spec: RFC 5905 section 11.3 */

#define CALENDAR_OLDEST_S 60 /* what is older was held back by somebody */

/* At the instant `at` of the clock since boot it was unix_ns after 1970; the clock is made to say so now. A clock that would be
 * before `floor`, or after the year 2199, is left as it is: ERR_RANGE; so where `at` is to come or older than CALENDAR_OLDEST_S: ERR_EXPIRED.
 * ERR_REFUSED: not permitted. Does not block. */
enum err calendar_correct(uint64_t unix_ns, struct mono_time at, struct wall_time floor, bool *out_stepped) MUST_USE;

#endif
