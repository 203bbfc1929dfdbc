/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The version of the source. Images are built of it under a version of their own: firmware/worker/about.h says which one runs. */
#ifndef FIRMWARE_VERSION_H
#define FIRMWARE_VERSION_H

#define ROWLOCK_VERSION "0.1.0"

#endif
