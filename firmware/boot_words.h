/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the image's signed command line says to us: words that begin with "rowlock.". */
#ifndef FIRMWARE_BOOT_WORDS_H
#define FIRMWARE_BOOT_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define BOOT_HASH_BYTES  32
#define BOOT_SALT_MAX    32
#define BOOT_BLOCKS_MAX  UINT32_MAX /* of 4096 bytes: 16 TiB */
#define BOOT_VERSION_MAX 63         /* of [A-Za-z0-9._+~-] */

struct boot_words {
    uint8_t root_hash[BOOT_HASH_BYTES]; /* rowlock.verity: of the root's tree of hashes */
    uint64_t blocks;                    /* rowlock.blocks: of data in the root */
    uint8_t salt[BOOT_SALT_MAX];        /* rowlock.salt */
    size_t salt_len;
    char version[BOOT_VERSION_MAX + 1]; /* rowlock.version: NUL-ended */
};

/* Reads a command line: words with blanks between. Each of ours has to be there, once; words of others are passed over.
 * ERR_MALFORMED: one is missing, twice, unknown, or not of its form. */
enum err boot_words_read(struct span line, struct boot_words *out_words) MUST_USE;

/* Those that this kernel was started with. Also ERR_NO_MEMORY, and the errors of bootline_read(). */
enum err boot_words_of_kernel(struct boot_words *out_words) MUST_USE;

#endif
