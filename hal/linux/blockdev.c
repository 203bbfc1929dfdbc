/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The label is the disk's own word, and whoever can put a disk into the box can give it any: it only says where to look.
 * What is read there is checked by others, or sealed. */
#include "hal/blockdev.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/linux/boot_int.h"
#include "hal/linux/sys_int.h"

#define CLASS         "/sys/class/block"
#define UEVENT_MAX    4096
#define DEVICES_MAX   1024
#define NUMBER_MAX    0xfffff /* what the kernel keeps for a minor number */
#define WAIT_STEP_MS  20
#define CLEARED_BYTES 4096

/* --- one device --- */

struct found {
    struct span major;
    struct span minor;
    struct span name;
    struct span type;
    struct span label;
};

struct key {
    struct span name;
    struct span *value;
};

static enum err take_line(struct span line, struct found *found)
{
    const struct key keys[] = {
        {span_lit("MAJOR="), &found->major}, {span_lit("MINOR="), &found->minor}, {span_lit("DEVNAME="), &found->name},
        {span_lit("DEVTYPE="), &found->type}, {span_lit("PARTNAME="), &found->label},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        if (span_starts_with(line, keys[i].name)) {
            ENSURE(keys[i].value->data == NULL, ERR_MALFORMED, "a block device says something twice");
            *keys[i].value = span_of(line.data + keys[i].name.len, line.len - keys[i].name.len);
        }
    }
    return ERR_OK;
}

static enum err take_lines(struct span uevent, struct found *out_found)
{
    struct found found = {.major = SPAN_NONE};

    while (uevent.len != 0) { /* each turn takes a byte at least */
        const size_t end = span_find(uevent, '\n');
        const size_t taken = end < uevent.len ? end + 1 : end;
        TRY(take_line(span_of(uevent.data, end), &found));
        uevent = span_of(uevent.data + taken, uevent.len - taken);
    }
    *out_found = found;
    return ERR_OK;
}

static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        const uint8_t c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) {
            return false;
        }
    }
    return name.len != 0 && name.len <= BLOCKDEV_NAME_MAX;
}

enum err blockdev_parse(struct span uevent, struct span label, struct blockdev *out_device)
{
    struct blockdev device = {.path = "/dev/"};
    struct found found = {.major = SPAN_NONE};
    uint64_t major = 0;
    uint64_t minor = 0;

    TRY(take_lines(uevent, &found));
    if (!span_equal(found.type, span_lit("partition")) || found.label.data == NULL || !span_equal(found.label, label)) {
        return ERR_NOT_FOUND;
    }
    TRY(span_to_u64(found.major, NUMBER_MAX, &major));
    TRY(span_to_u64(found.minor, NUMBER_MAX, &minor));
    ENSURE(is_name(found.name), ERR_MALFORMED, "a name that is no device's");
    device.major = (unsigned int)major;
    device.minor = (unsigned int)minor;
    memcpy(device.path + sizeof("/dev/") - 1, found.name.data, found.name.len);

    *out_device = device;
    return ERR_OK;
}

/* --- all of them --- */

static enum err look_at(const char *name, struct span label, struct blockdev *out_device)
{
    char path[sizeof(CLASS) + NAME_MAX + sizeof("//uevent")];
    SCOPED_BUF struct buf *uevent = NULL;

    (void)snprintf(path, sizeof(path), "%s/%s/uevent", CLASS, name); /* fits any name */
    TRY(buf_new(UEVENT_MAX, &uevent));
    const enum err err = boot_read_file(path, uevent);
    if (err == ERR_NOT_FOUND || err == ERR_NO_DEVICE) {
        fault_clear();
        return ERR_NOT_FOUND; /* it went away meanwhile */
    }
    TRY(err);
    return blockdev_parse(buf_all(uevent), label, out_device);
}

static void close_directory(DIR **directory)
{
    if (*directory != NULL) {
        (void)closedir(*directory); /* was only read */
    }
}

enum err blockdev_find(struct span label, struct blockdev *out_device)
{
    struct blockdev device = {.major = 0};
    bool found = false;
    size_t count = 0;
    SCOPED(close_directory) DIR *directory = opendir(CLASS);

    if (directory == NULL) {
        FAIL_ERRNO(errno, "opening the list of block devices");
    }
    for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        ENSURE(++count <= DEVICES_MAX, ERR_RANGE, "more block devices than any box has");
        const enum err err = look_at(entry->d_name, label, &device);
        if (err == ERR_NOT_FOUND) {
            continue;
        }
        TRY(err);
        ENSURE(!found, ERR_CONFLICT, "two partitions of one label");
        found = true;
    }
    if (!found) {
        return ERR_NOT_FOUND;
    }
    *out_device = device;
    return ERR_OK;
}

enum err blockdev_wait(struct span label, unsigned int timeout_ms, struct blockdev *out_device)
{
    const struct timespec step = {0, WAIT_STEP_MS * 1000000L};

    for (unsigned int waited_ms = 0;; waited_ms += WAIT_STEP_MS) {
        const enum err err = blockdev_find(label, out_device);
        if (err != ERR_NOT_FOUND) {
            TRY(err);
            return ERR_OK;
        }
        ENSURE(waited_ms < timeout_ms, ERR_TIMEOUT, "there is no partition of that label");
        (void)nanosleep(&step, NULL); /* woken early only means looking early */
    }
}

/* --- its content --- */

static enum err open_device(const struct blockdev *device, int *out_fd)
{
    const int fd = open(device->path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        FAIL_ERRNO(errno, "opening a block device");
    }
    *out_fd = fd;
    return ERR_OK;
}

enum err blockdev_sectors(const struct blockdev *device, uint64_t *out_sectors)
{
    SCOPED_SYS_FD int fd = -1;
    uint64_t bytes = 0;

    TRY(open_device(device, &fd));
    if (ioctl(fd, BLKGETSIZE64, &bytes) != 0) {
        FAIL(ERR_IO, "asking for the size of a block device", errno);
    }
    *out_sectors = bytes / BLOCKDEV_SECTOR_BYTES;
    return ERR_OK;
}

enum err blockdev_read(const struct blockdev *device, uint64_t offset, uint8_t *out_bytes, size_t len)
{
    SCOPED_SYS_FD int fd = -1;
    size_t got = 0;

    ENSURE(offset <= INT64_MAX - len, ERR_RANGE, "an offset that no device has");
    TRY(open_device(device, &fd));
    TRY(sys_read_at(fd, offset, out_bytes, len, &got));
    ENSURE(got == len, ERR_RANGE, "a block device ends before that");
    return ERR_OK;
}

enum err blockdev_clear(const struct blockdev *device)
{
    static const uint8_t zeros[CLEARED_BYTES];
    SCOPED_SYS_FD const int fd = open(device->path, O_WRONLY | O_CLOEXEC);

    if (fd < 0) {
        FAIL_ERRNO(errno, "opening a block device");
    }
    if (pwrite(fd, zeros, sizeof(zeros), 0) != (ssize_t)sizeof(zeros) || fsync(fd) != 0) {
        FAIL(ERR_IO, "clearing a block device", errno);
    }
    return ERR_OK;
}
