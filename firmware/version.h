/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The version of the firmware, as `rowlock version` and /v1/system/state say it. */
#ifndef FIRMWARE_VERSION_H
#define FIRMWARE_VERSION_H

#define ROWLOCK_VERSION "0.1.0"

#endif
