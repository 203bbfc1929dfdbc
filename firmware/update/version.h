/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The order of versions, which has to be that of the boot loader: it starts the newest image that it finds. Pure. */
#ifndef FIRMWARE_UPDATE_VERSION_H
#define FIRMWARE_UPDATE_VERSION_H

#include "hal/base/attr.h"
#include "hal/base/span.h"

enum version_order { VERSION_OLDER, VERSION_SAME, VERSION_NEWER };

/* What `version` is beside `other`. Two texts that differ can be the same version: 1.01 and 1.1.
 * Spec: UAPI.10 Version Format Specification; systemd 252, strverscmp_improved. */
enum version_order version_compare(struct span version, struct span other) MUST_USE;

#endif
