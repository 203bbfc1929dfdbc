/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The machine's power button. For the first process of a box. */
#ifndef HAL_BUTTON_H
#define HAL_BUTTON_H

#include <stdbool.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

/* A descriptor that is readable when the button was used. The first input device that has such a key, and is no keyboard, is the one.
 * ERR_NOT_FOUND: there is none. */
enum err button_open(int *out_fd) MUST_USE;

/* Takes what has happened, without waiting. out_pressed: it was pressed, once or more often. ERR_IO: the device is gone. */
enum err button_take(int fd, bool *out_pressed) MUST_USE;

#endif
