/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PID 1 of a box. */
#ifndef FIRMWARE_INIT_INIT_H
#define FIRMWARE_INIT_INIT_H

/* Starts the box and keeps root for it; does not return but to say that this is no box's first process, or that the start
 * failed, after which the kernel starts the machine again. Exit status: 1. */
int init_run(void);

#endif
