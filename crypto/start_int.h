/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the libraries' parts of the start give to start.c. */
#ifndef CRYPTO_START_INT_H
#define CRYPTO_START_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

/* ERR_BUG (does not start), ERR_VERSION (below the floor). */
enum err wolf_start(void) MUST_USE;
enum err sodium_start(void) MUST_USE;

uint32_t wolf_version_linked(void); /* as 0xMMmmmppp, of the library, not of the headers */
const char *wolf_version(void);
const char *sodium_version(void);

/* Was wolfCrypt built with assembly that it chooses at run time? Does AES-GCM use the processor's instructions?
 * ERR_NO_MEMORY. */
bool wolf_has_assembly(void);
enum err wolf_uses_native_aes(bool *out_native) MUST_USE;

/* What the processor offers. */
bool cpu_has_aes(void);
bool cpu_has_sha(void);

#endif
