/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/linux/boot_int.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/linux/sys_int.h"

#define STEP_BYTES 512

/* One step may be cut short, also by a file that grows: the end is where nothing more comes. */
enum err boot_read_file(const char *path, struct buf *buf)
{
    uint8_t step[STEP_BYTES];
    SCOPED_SYS_FD const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        FAIL_ERRNO(errno, "opening a file of the start");
    }
    for (;;) { /* ends: the buffer has a maximum */
        const ssize_t got = read(fd, step, sizeof(step));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            FAIL(ERR_IO, "reading a file of the start", errno);
        }
        if (got == 0) {
            return ERR_OK;
        }
        TRY(buf_put(buf, span_of(step, (size_t)got)));
    }
}

enum err boot_write_file(const char *path, struct span text)
{
    SCOPED_SYS_FD const int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0) {
        FAIL_ERRNO(errno, "opening a setting of the kernel");
    }
    if (write(fd, text.data, text.len) != (ssize_t)text.len) {
        FAIL(ERR_IO, "writing a setting of the kernel", errno);
    }
    return ERR_OK;
}
