/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the settings of all environments together make the appliance connect to. */
#ifndef FIRMWARE_DATA_DESTINATIONS_H
#define FIRMWARE_DATA_DESTINATIONS_H

#include "firmware/data/call.h"
#include "firmware/data/catalog.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"

/* After a change of settings, in its transaction: are there no more different destinations than the courier may reach?
 * ERR_DENIED common/conflict, and the operation takes its change back by failing. */
enum err destinations_check(const struct catalog *catalog, struct refusal *refusal) MUST_USE;

#endif
