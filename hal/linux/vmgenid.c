/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The generation from a file of 16 raw bytes that the platform keeps current. The descriptor stays open, so that the
 * sandbox needs no right to open it again. */
#include "hal/vmgenid.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/linux/sys_int.h"

struct file_vmgenid {
    struct hal_vmgenid base;
    int fd; /* -1: none */
};

static enum err file_read(struct hal_vmgenid *vmgenid, uint8_t out_id[HAL_VMGENID_BYTES])
{
    const struct file_vmgenid *self = (const struct file_vmgenid *)vmgenid;
    uint8_t id[HAL_VMGENID_BYTES];

    if (self->fd < 0) {
        return ERR_UNSUPPORTED;
    }
    const ssize_t got = pread(self->fd, id, sizeof(id), 0);
    if (got < 0) {
        FAIL(ERR_IO, "reading the VM generation", errno);
    }
    ENSURE(got == (ssize_t)sizeof(id), ERR_MALFORMED, "the VM generation is shorter than 16 bytes");
    memcpy(out_id, id, sizeof(id));
    return ERR_OK;
}

static int file_fd(const struct hal_vmgenid *vmgenid)
{
    return ((const struct file_vmgenid *)vmgenid)->fd;
}

static void file_close(struct hal_vmgenid *vmgenid)
{
    sys_close(((struct file_vmgenid *)vmgenid)->fd);
    mem_free(vmgenid);
}

static const struct hal_vmgenid_ops file_ops = {file_read, file_fd, file_close};

enum err hal_vmgenid_take_fd(int take_fd, struct hal_vmgenid **out_vmgenid)
{
    void *memory = NULL;

    const enum err err = mem_alloc(sizeof(struct file_vmgenid), &memory);
    if (err != ERR_OK) {
        sys_close(take_fd);
        return err;
    }
    struct file_vmgenid *self = memory;
    self->base.ops = &file_ops;
    self->fd = take_fd;

    *out_vmgenid = &self->base;
    return ERR_OK;
}

enum err hal_vmgenid_open(const char *path, struct hal_vmgenid **out_vmgenid)
{
    int fd = -1;

    if (path[0] != '\0') {
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            FAIL_ERRNO(errno, "opening the VM generation");
        }
    }
    return hal_vmgenid_take_fd(fd, out_vmgenid);
}
