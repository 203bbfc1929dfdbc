/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nothing that is mounted here may hold devices or give rights by a file's mode, but the file system of devices itself;
 * nothing is run from what can be written. */
#include "hal/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/linux/boot_int.h"
#include "hal/linux/sys_int.h"

#define NEW_ROOT     "/root"
#define STANDARD_FDS 3
#define PRIVATE_FLAGS (MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_NOATIME)
#define ESP_OPTIONS_BYTES 128

struct row {
    const char *type;
    const char *target;
    unsigned long flags;
    const char *options;
};

static const struct row kernel_rows[] = {
    {"devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=0755"},
    {"proc", "/proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL},
    {"sysfs", "/sys", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL},
};

static enum err mount_one(const struct row *row)
{
    if (mount(row->type, row->target, row->type, row->flags, row->options) != 0) {
        FAIL_ERRNO(errno, "mounting a file system of the kernel");
    }
    return ERR_OK;
}

enum err mounts_kernel(void)
{
    for (size_t i = 0; i < ARRAY_LENGTH(kernel_rows); i++) {
        TRY(mount_one(&kernel_rows[i]));
    }
    return ERR_OK;
}

enum err mounts_console(void)
{
    const int fd = open("/dev/console", O_RDWR | O_NOCTTY);

    if (fd < 0) {
        FAIL_ERRNO(errno, "opening the console");
    }
    for (int i = 0; i < STANDARD_FDS; i++) {
        if (i != fd && dup2(fd, i) < 0) {
            FAIL_ERRNO(errno, "dup2");
        }
    }
    if (fd >= STANDARD_FDS) {
        sys_close(fd);
    }
    return ERR_OK;
}

static enum err move_into(const char *from, const char *to)
{
    if (mount(from, to, NULL, MS_MOVE, NULL) != 0) {
        FAIL_ERRNO(errno, "moving a mount");
    }
    return ERR_OK;
}

/* The first root cannot be unmounted; it is covered, and a change of the root leaves no way back to it. */
static enum err enter(void)
{
    if (chdir(NEW_ROOT) != 0) {
        FAIL_ERRNO(errno, "chdir");
    }
    TRY(move_into(".", "/"));
    if (chroot(".") != 0 || chdir("/") != 0) {
        FAIL_ERRNO(errno, "chroot");
    }
    return ERR_OK;
}

enum err mounts_root(const struct blockdev *device)
{
    if (mount(device->path, NEW_ROOT, "squashfs", MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) != 0) {
        FAIL_ERRNO(errno, "mounting the root");
    }
    TRY(move_into("/dev", NEW_ROOT "/dev"));
    TRY(move_into("/proc", NEW_ROOT "/proc"));
    TRY(move_into("/sys", NEW_ROOT "/sys"));
    return enter();
}

/* --- what belongs to the box --- */

static const struct row scratch_rows[] = {
    {"tmpfs", "/run", MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=0755,size=16m"},
    {"tmpfs", "/tmp", MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=1777,size=64m"},
};

enum err mounts_scratch(void)
{
    for (size_t i = 0; i < ARRAY_LENGTH(scratch_rows); i++) {
        TRY(mount_one(&scratch_rows[i]));
    }
    return ERR_OK;
}

enum err mounts_state(const struct blockdev *device, const char *target, const struct mounts_owner *owner)
{
    if (mount(device->path, target, "ext4", PRIVATE_FLAGS, "errors=remount-ro") != 0) {
        FAIL_ERRNO(errno, "mounting an ext4");
    }
    if (chown(target, owner->uid, owner->gid) != 0 || chmod(target, S_IRWXU) != 0) {
        FAIL_ERRNO(errno, "giving a file system away");
    }
    return ERR_OK;
}

enum err mounts_esp(const struct blockdev *device, const char *target, const struct mounts_owner *owner)
{
    char options[ESP_OPTIONS_BYTES];

    (void)snprintf(options, sizeof(options), "uid=%u,gid=%u,umask=0077,shortname=mixed,utf8,errors=remount-ro", owner->uid,
                   owner->gid); /* fits any numbers */
    if (mount(device->path, target, "vfat", PRIVATE_FLAGS | MS_DIRSYNC, options) != 0) {
        FAIL_ERRNO(errno, "mounting a FAT");
    }
    return ERR_OK;
}

enum err mounts_give(const char *path, const struct mounts_owner *owner)
{
    if (chown(path, owner->uid, owner->gid) != 0 || chmod(path, S_IRUSR | S_IWUSR) != 0) {
        FAIL_ERRNO(errno, "giving a device away");
    }
    return ERR_OK;
}

enum err mounts_folder(const char *path)
{
    if (mkdir(path, S_IRWXU | S_IRGRP | S_IXGRP | S_IROTH | S_IXOTH) != 0) {
        FAIL_ERRNO(errno, "making a folder");
    }
    return ERR_OK;
}

enum err mounts_has(const char *directory, const char *name, bool *out_there)
{
    struct stat status;
    SCOPED_SYS_FD const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    const bool is_there = fd >= 0 && fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (fd < 0 || (!is_there && errno != ENOENT)) {
        FAIL(ERR_IO, "looking for a file", errno);
    }
    *out_there = is_there;
    return ERR_OK;
}

enum err mounts_mark(const char *directory, const char *name)
{
    SCOPED_SYS_FD const int above = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    SCOPED_SYS_FD const int file = openat(above, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                          S_IRUSR | S_IWUSR);

    if (file < 0) {
        FAIL_ERRNO(errno, "making a file");
    }
    if (fsync(file) != 0 || fsync(above) != 0) {
        FAIL(ERR_IO, "fsync", errno);
    }
    return ERR_OK;
}

static enum err put_all(const char *to, struct span bytes)
{
    SCOPED_SYS_FD const int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                      S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH);

    if (fd < 0) {
        FAIL_ERRNO(errno, "making a file");
    }
    if (write(fd, bytes.data, bytes.len) != (ssize_t)bytes.len) {
        FAIL(ERR_IO, "writing a file", errno);
    }
    return ERR_OK;
}

enum err mounts_copy(const char *from, const char *to, size_t max)
{
    SCOPED_BUF struct buf *content = NULL;

    TRY(buf_new(max, &content));
    TRY(boot_read_file(from, content));
    TRY(put_all(to, buf_all(content)));
    return ERR_OK;
}

enum err mounts_run(const char *path, const char *const *words)
{
    const char *const none[] = {NULL};
    /* execve only reads the strings; its prototype is older than const. */
    union {
        const char *const *from;
        char *const *to;
    } arguments = {.from = words}, environment = {.from = none};

    (void)execve(path, arguments.to, environment.to);
    FAIL_ERRNO(errno, "execve");
}
