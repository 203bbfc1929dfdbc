/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The clock at the start of the box. The kernel sets its calendar clock from the machine's battery-backed one. */
#ifndef HAL_RTC_H
#define HAL_RTC_H

#include <stdbool.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/time.h"

/* The date of this program's file: the image's, signed with it. ERR_IO. */
enum err rtc_image_date(struct wall_time *out_date) MUST_USE;

/* Sets the calendar clock to the date of the image if it is earlier: a battery that is empty, or a machine without such a
 * clock. Before certificates are looked at. ERR_IO, ERR_REFUSED. */
enum err rtc_not_before_image(bool *out_was_set) MUST_USE;

/* The battery-backed clock, to be set; the caller closes it with socket_close(). Needs root. ERR_NOT_FOUND: the machine has none;
 * ERR_IO, ERR_REFUSED. */
enum err rtc_open(int *out_fd) MUST_USE;

/* Sets it to the second that is nearest. ERR_RANGE: a date that it cannot hold; ERR_IO: it was not set. May block for some
 * milliseconds. */
enum err rtc_write(int fd, struct wall_time now) MUST_USE;

#endif
