/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The PIN that whoever starts the box hands over in a descriptor. */
#ifndef FIRMWARE_SUPERVISOR_PIN_H
#define FIRMWARE_SUPERVISOR_PIN_H

#include <stddef.h>
#include <stdint.h>

#include "firmware/msg.h"
#include "firmware/supervisor/options.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"

#define PIN_READ_BYTES (MSG_PIN_MAX + 3) /* with a line end, and one more to see that it is too long */

/* Reads and closes the descriptor of the options, if there is one; out_pin is written in any case and wiped by the caller, and
 * out_len stays as it is if there is none. Blocks until the other end is closed. ERR_MALFORMED: none, or too long; ERR_IO. */
enum err pin_read(const struct options *options, uint8_t out_pin[PIN_READ_BYTES], size_t *out_len) MUST_USE;

#endif
