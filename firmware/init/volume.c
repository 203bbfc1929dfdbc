/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether the volume was ever made is a file beside it, on the state partition, written when an empty file system is on the
 * disk. What does not look like a file system after that is damaged, or was opened with another key, and is left as it is: to
 * make a new one would destroy what the right key opens. Without the file nothing was ever served from the volume.
 *
 * 1. partition, its size; where the board has tags: room for them, made anew if there is no file; the mapping with the key; the
 *    key leaves the keyring
 * 2. no file: empty file system, fsync
 * 3. mount
 * 4. no file: file, fsync. A power cut before that does 2 again. */
#include "firmware/init/volume.h"

#include <stdbool.h>

#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/blockdev.h"
#include "hal/kernel_key.h"
#include "hal/mapper.h"
#include "hal/mounts.h"
#include "hal/volume.h"

#define LABEL      span_lit("data")
#define MAPPED     "data"
#define TAGGED     "data-tags"
#define MADE       "volume-made"
#define DIRECTORY  "db"
#define WAIT_MS    10000

/* What the encrypted device lies on, and how large it is. */
static enum err find_below(const struct board_desc *board, bool is_made, struct blockdev *out_below, uint64_t *out_sectors)
{
    struct blockdev partition = {.major = 0};

    TRY(blockdev_wait(LABEL, WAIT_MS, &partition));
    if (!board->data_has_tags) {
        TRY(blockdev_sectors(&partition, out_sectors));
        *out_below = partition;
        return ERR_OK;
    }
    if (!is_made) {
        TRY(blockdev_clear(&partition));
    }
    TRY(mapper_integrity(TAGGED, &partition, out_below, out_sectors));
    return ERR_OK;
}

static enum err map(const struct board_desc *board, bool is_made, struct blockdev *out_mapped)
{
    struct blockdev below = {.major = 0};
    struct mapper_crypt crypt = {.device = &below, .key_name = KERNEL_KEY_VOLUME, .has_tags = board->data_has_tags};

    enum err err = find_below(board, is_made, &below, &crypt.sectors);
    err = err != ERR_OK ? err : mapper_crypt(MAPPED, &crypt, out_mapped);
    if (kernel_key_drop(KERNEL_KEY_VOLUME) != ERR_OK) {
        log_fault(LOG_WARN, "key_not_dropped");
    }
    TRY(err);
    return ERR_OK;
}

static enum err mount_mapped(const struct board_desc *board, bool is_made, const struct blockdev *mapped)
{
    const struct mounts_owner owner = {.uid = board->worker_uid, .gid = board->worker_gid};

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

/* What is left of an attempt that came to nothing: a second one finds the names free. What is not there is no error. */
static void unmap(void)
{
    const char *const names[] = {MAPPED, TAGGED};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (mapper_remove(names[i]) != ERR_OK) {
            fault_clear();
        }
    }
}

static enum err open_or_not(const struct board_desc *board)
{
    struct blockdev mapped = {.major = 0};
    bool is_made = false;

    TRY(mounts_has(INIT_STATE_DIR, MADE, &is_made));
    TRY(map(board, is_made, &mapped));
    TRY(mount_mapped(board, is_made, &mapped));
    return ERR_OK;
}

enum err volume_open(const struct board_desc *board)
{
    const enum err err = open_or_not(board);

    if (err != ERR_OK) {
        log_fault(LOG_ERROR, "no_data_volume");
        unmap();
    }
    return err;
}
