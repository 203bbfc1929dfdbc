/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Settings of the kernel for a box that runs one program. For its first process. */
#ifndef HAL_KERNEL_H
#define HAL_KERNEL_H

#include "hal/base/attr.h"
#include "hal/base/err.h"

/* No commands by the console's keys, no other kernel started from this one, no tracing of other processes, no addresses of the
 * kernel for programs, and so on: the list is in kernel.c. One that this kernel does not know is passed over with a log line.
 * ERR_IO, ERR_REFUSED: it knows it, and does not take it. */
enum err kernel_harden(void) MUST_USE;

/* As many open files as a program here may ask for, for this process and those that it starts. ERR_REFUSED. */
enum err kernel_allow_files(void) MUST_USE;

#endif
