/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which of the two slots holds the root that the command line names. */
#ifndef FIRMWARE_BOOT_ROOT_H
#define FIRMWARE_BOOT_ROOT_H

#include <stdbool.h>

#include "firmware/boot_words.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/blockdev.h"

/* Is this the top block of the tree of hashes that the words name? top: one block. */
bool boot_root_is_named(const struct boot_words *words, struct span top);

/* The slot whose tree of hashes is the one that the words name; the first, if both are. Waits for disks for up to ten
 * seconds each. out_label is a literal. ERR_NOT_FOUND: neither is it; ERR_TIMEOUT and others of blockdev_wait(): a slot is
 * not there at all, or not once. Blocks. */
enum err boot_root_find(const struct boot_words *words, struct blockdev *out_device, const char **out_label) MUST_USE;

#endif
