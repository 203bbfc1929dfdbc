/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The end of the machine's run. For its first process. */
#ifndef HAL_POWER_H
#define HAL_POWER_H

#include "hal/base/attr.h"

/* Writes what is not on the disks or the console yet, and starts the machine again. Where the kernel refuses, the process
 * ends, upon which the kernel stops, and with "panic=-1" on its command line starts the machine again, too. */
NO_RETURN void power_restart(void);

/* The same, and turns the machine off. */
NO_RETURN void power_off(void);

#endif
