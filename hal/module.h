/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Kernel modules: at boot, for those who start the box. There is no loading by need. */
#ifndef HAL_MODULE_H
#define HAL_MODULE_H

#include <stddef.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

/* Loads the modules that the image's list names, one absolute path a line, in its order. One that is loaded already is fine,
 * and so is one whose device is not there (a list serves machines that differ): a log line says so. out_count: lines that
 * were read. ERR_NOT_FOUND (no list, or a file that it names), ERR_MALFORMED (a line that is no absolute path), ERR_REFUSED
 * (the kernel does not take it), ERR_RANGE (more than 64 KiB of list), ERR_IO, ERR_NO_MEMORY. Blocks. */
enum err module_load_list(size_t *out_count) MUST_USE;

/* No module is loaded after this, whoever asks, until the machine is started again. ERR_IO. */
enum err module_load_no_more(void) MUST_USE;

#endif
