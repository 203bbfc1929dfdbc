/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nothing that is mounted here may hold devices or give rights by a file's mode, but the file system of devices itself;
 * nothing is run from what can be written. */
#include "hal/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/linux/sys_int.h"

#define NEW_ROOT     "/root"
#define STANDARD_FDS 3

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
