/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys that the kernel uses and no program can read (`logon` keys), in a keyring that the first process of the box shares with
 * those that it starts. */
#ifndef HAL_KERNEL_KEY_H
#define HAL_KERNEL_KEY_H

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

/* Of the data volume. */
#define KERNEL_KEY_VOLUME        "rowlock:data"
#define KERNEL_KEY_VOLUME_BYTES  64 /* AES-256-XTS */
#define KERNEL_KEY_TAGGED_BYTES  96 /* the same, and HMAC-SHA-256 over each block */

/* A new, empty keyring for this process and those that it starts from here on. ERR_REFUSED, ERR_LIMIT. */
enum err kernel_key_begin(void) MUST_USE;

/* Puts a key there, in place of one of that name. name: a literal with a ':' in it. The bytes are the caller's to wipe. Also
 * from inside the keeper's sandbox. ERR_REFUSED, ERR_LIMIT. */
enum err kernel_key_put(const char *name, struct span key) MUST_USE;

/* Takes it away; the kernel wipes it. ERR_NOT_FOUND, ERR_REFUSED. */
enum err kernel_key_drop(const char *name) MUST_USE;

#endif
