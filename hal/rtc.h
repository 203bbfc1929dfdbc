/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The clock at the start of the box. The kernel sets its calendar clock from the machine's battery-backed one. */
#ifndef HAL_RTC_H
#define HAL_RTC_H

#include <stdbool.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

/* Sets the calendar clock to the date of this program's file if it is earlier: a battery that is empty, or a machine without
 * such a clock. The file's date is the image's, signed with it. Before certificates are looked at. ERR_IO, ERR_REFUSED. */
enum err rtc_not_before_image(bool *out_was_set) MUST_USE;

#endif
