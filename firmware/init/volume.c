/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether the volume was ever made is a file beside it, on the state partition, written when an empty file system is on the
 * disk. What does not look like a file system after that is damaged, or was opened with another key, and is left as it is: to
 * make a new one would destroy what the right key opens. Without the file nothing was ever served from the volume.
 *
 * 1. partition, its size; the mapping with the key; the key leaves the keyring
 * 2. no file: empty file system, fsync
 * 3. mount
 * 4. no file: file, fsync. A power cut before that does 2 again. */
#include "firmware/init/volume.h"

#include <stdbool.h>

#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/blockdev.h"
#include "hal/board.h"
#include "hal/kernel_key.h"
#include "hal/mapper.h"
#include "hal/mounts.h"
#include "hal/volume.h"

#define LABEL      span_lit("data")
#define MAPPED     "data"
#define MADE       "volume-made"
#define DIRECTORY  "db"
#define WAIT_MS    10000

static enum err map(struct blockdev *out_mapped)
{
    struct blockdev partition = {.major = 0};
    struct mapper_crypt crypt = {.device = &partition, .key_name = KERNEL_KEY_VOLUME};

    TRY(blockdev_wait(LABEL, WAIT_MS, &partition));
    TRY(blockdev_sectors(&partition, &crypt.sectors));
    const enum err err = mapper_crypt(MAPPED, &crypt, out_mapped);
    if (kernel_key_drop(KERNEL_KEY_VOLUME) != ERR_OK) {
        log_fault(LOG_WARN, "key_not_dropped");
    }
    TRY(err);
    return ERR_OK;
}

static enum err mount_mapped(const struct blockdev *mapped)
{
    const struct mounts_owner owner = {.uid = board_desc.worker_uid, .gid = board_desc.worker_gid};
    bool is_made = false;

    TRY(mounts_has(INIT_STATE_DIR, MADE, &is_made));
    if (!is_made) {
        LOG(LOG_INFO, "volume_made", LOG_LITERAL("what", "an empty file system"));
        TRY(volume_fill(mapped));
    }
    TRY(volume_mount(mapped, INIT_STATE_DIR, DIRECTORY, &owner));
    if (!is_made) {
        TRY(mounts_mark(INIT_STATE_DIR, MADE));
    }
    return ERR_OK;
}

enum err volume_open(void)
{
    struct blockdev mapped = {.major = 0};

    TRY(map(&mapped));
    const enum err err = mount_mapped(&mapped);
    if (err != ERR_OK && mapper_remove(MAPPED) != ERR_OK) {
        log_fault(LOG_WARN, "volume_not_unmapped");
        return err;
    }
    TRY(err);
    return ERR_OK;
}
