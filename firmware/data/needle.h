/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looking for a piece of text whatever the case of its letters, in time linear in the text. Letters are those of Latin,
 * Greek, Cyrillic and Armenian whose other case has as many bytes in UTF-8. */
#ifndef FIRMWARE_DATA_NEEDLE_H
#define FIRMWARE_DATA_NEEDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"

#define NEEDLE_MAX 256 /* bytes */

struct needle; /* immutable, in its arena */

/* ERR_RANGE past NEEDLE_MAX, ERR_NO_MEMORY. An empty needle is found everywhere. */
enum err needle_new(struct arena *arena, struct span text, const struct needle **out_needle) MUST_USE;
bool needle_in(const struct needle *needle, struct span text);

#endif
