/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The empty file system is made with the image, because a program that makes one is large and would be in every image for one
 * use in a box's life. It is small, and grows to the device the first time that it is mounted; later the kernel finds nothing
 * to do.
 *
 * It is mounted where nobody else can look, put in order, and then moved: the directory that it goes to is in another user's
 * hands, so it is opened without following a link, and the move goes to what was opened. */
#include "hal/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/linux/sys_int.h"
#include "hal/linux/volume_int.h"

#define TEMPLATE    "/usr/share/rowlock/data.ext4"
#define PLACE       "/run/volume"
#define STEP_BYTES  65536 /* whole pages: of a part of one the kernel would read the rest first */
#define BLOCK_BYTES 4096 /* of the template's file system */
#define FLAGS       (MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_NOATIME)

static enum err copy_all(int from, int to)
{
    SCOPED_BUF struct buf *step = NULL;
    uint8_t *at = NULL;

    TRY(buf_new(STEP_BYTES, &step));
    TRY(buf_reserve(step, STEP_BYTES, &at));
    for (;;) { /* ends: a file of the image has an end */
        const ssize_t got = read(from, at, STEP_BYTES);
        if (got < 0) {
            FAIL(ERR_IO, "reading the empty file system", errno);
        }
        if (got == 0) {
            return ERR_OK;
        }
        const ssize_t put = write(to, at, (size_t)got);
        if (put != got) {
            FAIL(put < 0 && errno != ENOSPC ? ERR_IO : ERR_RANGE, "writing the empty file system", put < 0 ? errno : 0);
        }
    }
}

/* ext4 reads the last block before it grows to it, and of a device with tags nothing can be read that was never written. */
static enum err write_last(const struct blockdev *device, int to)
{
    static const uint8_t zeros[BLOCK_BYTES];
    uint64_t sectors = 0;

    TRY(blockdev_sectors(device, &sectors));
    const uint64_t blocks = sectors / (BLOCK_BYTES / BLOCKDEV_SECTOR_BYTES);
    ENSURE(blocks > 1 && blocks <= INT64_MAX / BLOCK_BYTES, ERR_RANGE, "a data volume of no size");
    if (pwrite(to, zeros, sizeof(zeros), (off_t)((blocks - 1) * BLOCK_BYTES)) != (ssize_t)sizeof(zeros)) {
        FAIL(ERR_IO, "writing the last block of the data volume", errno);
    }
    return ERR_OK;
}

enum err volume_fill(const struct blockdev *device)
{
    SCOPED_SYS_FD const int from = open(TEMPLATE, O_RDONLY | O_CLOEXEC);
    SCOPED_SYS_FD const int to = open(device->path, O_WRONLY | O_CLOEXEC);

    ENSURE(from >= 0, ERR_NOT_FOUND, "the image has no empty file system");
    ENSURE(to >= 0, ERR_IO, "opening the data volume");
    TRY(write_last(device, to));
    TRY(copy_all(from, to));
    if (fsync(to) != 0) {
        FAIL(ERR_IO, "fsync of the data volume", errno);
    }
    return ERR_OK;
}

/* Grown a little less, or not at all, it still serves. */
static void grow(int root, const struct blockdev *device)
{
    uint64_t sectors = 0;

    if (blockdev_sectors(device, &sectors) != ERR_OK) {
        log_fault(LOG_WARN, "volume-not-grown");
        return;
    }
    const uint64_t blocks = sectors / (BLOCK_BYTES / BLOCKDEV_SECTOR_BYTES);
    if (ioctl(root, VOLUME_RESIZE, &blocks) != 0) {
        LOG(LOG_WARN, "volume-not-grown", LOG_NUMBER("errno", errno));
    }
}

static enum err put_in_order(const struct blockdev *device, const struct mounts_owner *owner)
{
    SCOPED_SYS_FD const int root = open(PLACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (root < 0) {
        FAIL_ERRNO(errno, "opening the data volume's root");
    }
    grow(root, device);
    if (unlinkat(root, "lost+found", AT_REMOVEDIR) != 0 && errno != ENOENT) {
        LOG(LOG_WARN, "lost-and-found-kept", LOG_NUMBER("errno", errno)); /* something was found once */
    }
    if (fchown(root, owner->uid, owner->gid) != 0 || fchmod(root, S_IRWXU) != 0) {
        FAIL_ERRNO(errno, "giving the data volume away");
    }
    return ERR_OK;
}

static enum err move_to(const char *parent, const char *name)
{
    char path[32];
    SCOPED_SYS_FD const int above = open(parent, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    SCOPED_SYS_FD const int target = openat(above, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (target < 0) {
        FAIL_ERRNO(errno, "opening the data volume's place");
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", target); /* fits any number */
    if (mount(PLACE, path, NULL, MS_MOVE, NULL) != 0) {
        FAIL_ERRNO(errno, "moving the data volume to its place");
    }
    return ERR_OK;
}

enum err volume_mount(const struct blockdev *device, const char *parent, const char *name,
                      const struct mounts_owner *owner)
{
    if (mkdir(PLACE, S_IRWXU) != 0 && errno != EEXIST) {
        FAIL_ERRNO(errno, "making a place for the data volume");
    }
    if (mount(device->path, PLACE, "ext4", FLAGS, "errors=remount-ro") != 0) {
        FAIL_ERRNO(errno, "mounting the data volume");
    }
    enum err err = put_in_order(device, owner);
    err = err != ERR_OK ? err : move_to(parent, name);
    if (err != ERR_OK) {
        (void)umount2(PLACE, MNT_DETACH); /* nobody uses it */
        TRY(err);
    }
    return ERR_OK;
}
