/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Guarded pages for the other holders of key material in this folder. */
#ifndef CRYPTO_SECRET_INT_H
#define CRYPTO_SECRET_INT_H

#include <stddef.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

/* Zeroed, locked, guarded memory; a size that is a multiple of n, a power of two up to a page, is aligned to n.
 * ERR_NO_MEMORY, ERR_REFUSED (not locked). */
enum err secret_map(size_t bytes, void **out_memory) MUST_USE;

/* Wipes and gives back. NULL is fine. */
void secret_unmap(void *memory);

#endif
