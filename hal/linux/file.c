/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "hal/base/fault.h"
#include "hal/linux/boot_int.h"
#include "hal/linux/sys_int.h"

enum err file_read(const char *path, struct buf *buf)
{
    return boot_read_file(path, buf);
}

enum err file_open(const char *path, int *out_fd, uint64_t *out_bytes)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a pipe must not wait for its writer */
    struct stat about = {0};

    if (fd < 0) {
        FAIL_ERRNO(errno, "opening a file");
    }
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        sys_close(fd);
        FAIL(ERR_MALFORMED, "not a regular file", 0);
    }
    *out_fd = fd;
    *out_bytes = (uint64_t)about.st_size;
    return ERR_OK;
}

enum err file_read_at(int fd, uint64_t offset, size_t len, uint8_t *out_bytes)
{
    size_t got = 0;

    TRY(sys_read_at(fd, offset, out_bytes, len, &got));
    ENSURE(got == len, ERR_MALFORMED, "a file that ends too early");
    return ERR_OK;
}
