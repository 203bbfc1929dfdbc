/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The build's configuration, as plain constants.
 *
 * Every option of every Kconfig file has a name here, whether it is on or off: a bool is 0 or 1, an int or hex is a
 * number, a string is a literal. A misspelt option therefore does not compile. */
#ifndef HAL_BASE_CONFIG_H
#define HAL_BASE_CONFIG_H

#include <generated/kconfig.h>

/* True when the bool option is on. For a plain `if`, so that both branches compile: if (CONFIG_ON(HAL_X)) ... */
#define CONFIG_ON(name) (CONFIG_##name == 1)

#endif
