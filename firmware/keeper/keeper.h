/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keeper: the process that owns the TPM, the root key, the signing keys and the TLS private keys. It has no network
 * and no files but its own directory. Started by the supervisor with two descriptors. */
#ifndef FIRMWARE_KEEPER_KEEPER_H
#define FIRMWARE_KEEPER_KEEPER_H

#include "hal/base/attr.h"
#include "hal/base/err.h"

#define KEEPER_FD_CONTROL   3 /* MSG_TO_KEEPER, lower end */
#define KEEPER_FD_DIRECTORY 4 /* the keeper's own */

#define KEEPER_TICK_MS 60000U

struct keeper;

/* tick_ms: how often the TPM is probed, and certificates and ticket keys are looked after; KEEPER_TICK_MS but in a test.
 * ERR_NO_MEMORY. */
enum err keeper_new(unsigned int tick_ms, struct keeper **out_keeper) MUST_USE;

/* Runs until the supervisor says stop or is gone. Once in a process. ERR_CLOSED: the supervisor was gone before the start;
 * any other error: why the keeper cannot go on. */
enum err keeper_run(struct keeper *keeper) MUST_USE;

/* Ends whatever runs, shuts the TPM down and wipes the keys, after an error of keeper_run as well. May take as long as the
 * TPM does, so errors are told before. NULL is fine. */
void keeper_free(struct keeper *keeper);

#endif
