/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Devices that the kernel makes of other devices (device mapper). For those who start the box: needs root.
 *
 * Each call makes one device of one part and activates it; the name is ours, a literal. A device whose making fails half-way
 * is removed again. Spec: Linux Documentation/admin-guide/device-mapper/verity.rst, dm-crypt.rst, dm-integrity.rst. */
#ifndef HAL_MAPPER_H
#define HAL_MAPPER_H

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
    const char *key_name;   /* of a `logon` key that this process can find in its keyrings, 64 bytes: AES-256-XTS */
    unsigned int tag_bytes; /* for each sector in the device below, 0: none */
};

/* An encrypted device. The kernel copies the key. ERR_NOT_FOUND also: there is no such key. Others as above. */
enum err mapper_crypt(const char *name, const struct mapper_crypt *crypt, struct blockdev *out_device) MUST_USE;

/* Removes a device that nobody uses. ERR_NO_DEVICE: there is none; ERR_REFUSED: it is in use; ERR_IO. */
enum err mapper_remove(const char *name) MUST_USE;

#endif
