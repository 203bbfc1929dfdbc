/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The root hash is the hash of the top block of the tree, which lies right behind the data: one block of each slot tells
 * whether it is the one that was signed together with this program. All other blocks are the kernel's to check, as they are
 * read. So one signed kernel image serves both slots, and neither label decides anything. */
#include "firmware/boot_root.h"

#include "crypto/block_hash.h"
#include "crypto/ct.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/mapper.h"

#define WAIT_MS 10000

static const char *const labels[] = {"root-a", "root-b"};

bool boot_root_is_named(const struct boot_words *words, struct span top)
{
    uint8_t digest[BLOCK_HASH_BYTES];

    _Static_assert(BLOCK_HASH_BYTES == BOOT_HASH_BYTES, "the tree is one of SHA-256");
    block_hash(span_of(words->salt, words->salt_len), top, digest);
    return ct_equal(span_array(digest), span_array(words->root_hash));
}

/* A slot that cannot be looked at is as good as none: the other one may do. */
static bool is_in(const struct boot_words *words, const struct blockdev *device)
{
    SCOPED_BUF struct buf *block = NULL;
    uint8_t *at = NULL;

    if (buf_new(MAPPER_BLOCK_BYTES, &block) != ERR_OK || buf_reserve(block, MAPPER_BLOCK_BYTES, &at) != ERR_OK ||
        blockdev_read(device, words->blocks * MAPPER_BLOCK_BYTES, at, MAPPER_BLOCK_BYTES) != ERR_OK) {
        log_fault(LOG_WARN, "slot_not_read");
        return false;
    }
    buf_commit(block, MAPPER_BLOCK_BYTES);
    return boot_root_is_named(words, buf_all(block));
}

enum err boot_root_find(const struct boot_words *words, struct blockdev *out_device, const char **out_label)
{
    for (size_t i = 0; i < ARRAY_LENGTH(labels); i++) {
        struct blockdev device = {.major = 0};
        TRY(blockdev_wait(span_str(labels[i]), WAIT_MS, &device));
        if (is_in(words, &device)) {
            *out_device = device;
            *out_label = labels[i];
            return ERR_OK;
        }
    }
    FAIL(ERR_NOT_FOUND, "neither slot holds the root that the command line names", 0);
}
