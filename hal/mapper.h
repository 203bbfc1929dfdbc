/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Devices that the kernel makes of other devices (device mapper). For those who start the box: needs root.
 *
 * Each call makes one device of one part and activates it; the name is ours, a literal. A device whose making fails half-way
 * is removed again. Spec: Linux Documentation/admin-guide/device-mapper/verity.rst, dm-crypt.rst, dm-integrity.rst. */
#ifndef HAL_MAPPER_H
#define HAL_MAPPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/blockdev.h"

#define MAPPER_BLOCK_BYTES 4096
#define MAPPER_HASH_BYTES  32 /* SHA-256 */
#define MAPPER_SALT_MAX    32

/* Data, and behind it its tree of hashes, in one partition, without a superblock. */
struct mapper_verity {
    const struct blockdev *device;
    uint64_t blocks; /* of data */
    uint8_t root_hash[MAPPER_HASH_BYTES];
    uint8_t salt[MAPPER_SALT_MAX];
    size_t salt_len;
};

/* A read-only device of which nothing is read that the root hash does not vouch for: the kernel stops the machine at the
 * first block that differs. ERR_NOT_FOUND (no device mapper), ERR_NO_DEVICE, ERR_EXISTS, ERR_REFUSED, ERR_IO. */
enum err mapper_verity(const char *name, const struct mapper_verity *verity, struct blockdev *out_device) MUST_USE;

struct mapper_crypt {
    const struct blockdev *device;
    uint64_t sectors;       /* of the result */
    const char *key_name; /* of a `logon` key that this process can find in its keyrings */
    bool has_tags;        /* the device below has room for them (mapper_integrity); the key is 96 bytes, and 64 without */
};

/* An encrypted device, AES-256-XTS; with tags each block of 4 KiB is authenticated by HMAC-SHA-256, and one that somebody
 * changed, or put back at another place, is an error of reading. The kernel copies the key. ERR_NOT_FOUND also: there is no such key. Others as above. */
enum err mapper_crypt(const char *name, const struct mapper_crypt *crypt, struct blockdev *out_device) MUST_USE;

/* A device with room for a tag beside each block of 4 KiB, in a journal, so that both are on the disk or neither. One whose
 * first block is all zeros is made so before. out_sectors: what is left for data. ERR_MALFORMED: its first block is something
 * else. Others as above. */
enum err mapper_integrity(const char *name, const struct blockdev *device, struct blockdev *out_device,
                          uint64_t *out_sectors) MUST_USE;

/* Removes a device that nobody uses. ERR_NO_DEVICE: there is none; ERR_REFUSED: it is in use; ERR_IO. */
enum err mapper_remove(const char *name) MUST_USE;

#endif
