/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two boot slots of a board, and the files by which the boot loader (systemd-boot) chooses between them.
 *
 * An image is a kernel image and its policy in one folder of the ESP, and a root file system in one of two partitions:
 *
 *   rowlock-1.2.0.efi          blessed: started whenever it is the newest
 *   rowlock-1.3.0+3.efi        on trial: the loader counts a try down in the name at each start, +2-1, +1-2, and starts
 *   rowlock-1.3.0+0-3.efi      others first when none is left
 *   rowlock-1.3.0.policy
 *   rowlock.efi.tmp, rowlock.policy.tmp    being written: no names that the loader looks at
 *
 * An update writes the partition of the image that does not run. Before its first byte the other image's files go, because
 * their root is about to; the running one's are never touched. Nothing bears a bootable name before all of it is on disk. So
 * a power cut at any moment leaves the running image, or both.
 *
 * One process has it, which may be stopped at any moment; an object belongs to one thread. All calls block. */
#ifndef HAL_BOOTSLOT_H
#define HAL_BOOTSLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/blockdev.h"

#define BOOTSLOT_VERSION_MAX 63 /* of [A-Za-z0-9._~-] */
#define BOOTSLOT_ENTRIES_MAX 16
#define BOOTSLOT_TRIES       3 /* that a new image has; at most 9 */

struct bootslot;

struct bootslot_entry {
    char version[BOOTSLOT_VERSION_MAX + 1]; /* NUL-ended */
    bool trial;                             /* not blessed yet */
    uint32_t left;                          /* tries, on trial */
    uint32_t done;
};

/* Both need root. The folder of images, writable for those who may by its owner; the partition, for writing. ERR_NOT_FOUND,
 * ERR_REFUSED and others of open(2). The caller closes it. */
enum err bootslot_open_folder(const char *path, int *out_folder) MUST_USE;
enum err bootslot_open_root(const struct blockdev *device, int *out_root) MUST_USE;

/* What the name of a file says. Pure. ERR_NOT_FOUND: it is no image of ours. */
enum err bootslot_read_name(struct span name, struct bootslot_entry *out_entry) MUST_USE;

enum bootslot_part { BOOTSLOT_IMAGE, BOOTSLOT_ROOT, BOOTSLOT_POLICY, BOOTSLOT_PARTS };

/* take_folder: the folder of images, EFI/Linux of the ESP. take_root: the partition of the root that does not run, for
 * writing. Both are taken, also on failure. running: the version that runs. ERR_RANGE, ERR_NO_MEMORY. */
enum err bootslot_new(int take_folder, int take_root, struct span running, struct bootslot **out_slot) MUST_USE;
void bootslot_free(struct bootslot *slot); /* NULL is fine */

/* The images that there are, in no order; those beyond BOOTSLOT_ENTRIES_MAX are passed over. ERR_IO and others of
 * getdents(2). */
enum err bootslot_list(struct bootslot *slot, struct bootslot_entry out_entries[BOOTSLOT_ENTRIES_MAX],
                       size_t *out_count) MUST_USE;

/* Is the image that runs on trial? ERR_NOT_FOUND: it is not one of this folder's (a kernel that was started directly). */
enum err bootslot_on_trial(struct bootslot *slot, bool *out_trial) MUST_USE;

/* Begins an update, or begins it anew: removes what is left of others, and of the image that is in the other slot.
 * ERR_STATE: the running image is on trial itself, and the other one is what the box falls back to
 * ERR_NOT_FOUND: the running image has no file
 * ERR_EXISTS: the version is the running one's
 * ERR_RANGE: the root does not fit into its slot; ERR_FULL: the files do not fit onto the ESP, beside the running ones
 * ERR_IO and others. */
enum err bootslot_begin(struct bootslot *slot, struct span version, const uint32_t bytes[BOOTSLOT_PARTS]) MUST_USE;

/* Writes a piece of a part at its place. ERR_STATE: not begun; ERR_RANGE: outside of what was begun; ERR_FULL, ERR_IO. */
enum err bootslot_write(struct bootslot *slot, enum bootslot_part part, uint32_t offset, struct span bytes) MUST_USE;

/* All of it was written and verified: puts it on disk, and then gives it the name under which it is tried at the next start.
 * ERR_STATE: not begun, or parts are missing; ERR_FULL, ERR_IO: it is not, or may be, bootable, and begun no more. */
enum err bootslot_commit(struct bootslot *slot) MUST_USE;

/* The running image passed its test: from now on it is started without counting. What is blessed already stays so.
 * ERR_NOT_FOUND, ERR_IO. */
enum err bootslot_bless(struct bootslot *slot) MUST_USE;

static inline void bootslot_free_scoped(struct bootslot **slot)
{
    bootslot_free(*slot);
}
#define SCOPED_BOOTSLOT SCOPED(bootslot_free_scoped)

#endif
