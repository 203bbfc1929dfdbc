/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/linux/sys_int.h"

#include <errno.h>
#include <unistd.h>

#include "hal/base/fault.h"

struct errno_row {
    int error;
    enum err err;
};

/* EWOULDBLOCK is EAGAIN on Linux. */
/* clang-format off */
static const struct errno_row errno_rows[] = {
    {EAGAIN, ERR_AGAIN},         {EINTR, ERR_AGAIN},         {ENOMEM, ERR_NO_MEMORY},       {ENOBUFS, ERR_NO_MEMORY},
    {ENOSPC, ERR_FULL},          {EDQUOT, ERR_FULL},         {EFBIG, ERR_FULL},             {EMFILE, ERR_LIMIT},
    {ENFILE, ERR_LIMIT},         {EACCES, ERR_REFUSED},      {EPERM, ERR_REFUSED},          {EROFS, ERR_REFUSED},
    {ELOOP, ERR_REFUSED},        {ENOTDIR, ERR_REFUSED},     {ENOENT, ERR_NOT_FOUND},       {ESRCH, ERR_NOT_FOUND},
    {EADDRNOTAVAIL, ERR_NOT_FOUND}, {EEXIST, ERR_EXISTS}, {EADDRINUSE, ERR_EXISTS},      {EPIPE, ERR_CLOSED},
    {ECONNRESET, ERR_CLOSED},    {ECONNABORTED, ERR_CLOSED}, {ENOTCONN, ERR_CLOSED},        {ETIMEDOUT, ERR_CLOSED},
    {EHOSTUNREACH, ERR_CLOSED},  {ENETUNREACH, ERR_CLOSED},  {EMSGSIZE, ERR_RANGE},         {ENAMETOOLONG, ERR_RANGE},
    {ENODEV, ERR_NO_DEVICE},     {ENXIO, ERR_NO_DEVICE},     {EBUSY, ERR_REFUSED},          {ENOSYS, ERR_UNSUPPORTED},
    {EOPNOTSUPP, ERR_UNSUPPORTED}, {ECONNREFUSED, ERR_CLOSED},
};
/* clang-format on */

enum err sys_err(int error)
{
    for (size_t i = 0; i < ARRAY_LENGTH(errno_rows); i++) {
        if (errno_rows[i].error == error) {
            return errno_rows[i].err;
        }
    }
    return ERR_IO;
}

void sys_close(int fd)
{
    if (fd >= 0) {
        (void)close(fd); /* Linux has let go of it whatever close says */
    }
}

enum err sys_read_at(int fd, uint64_t offset, uint8_t *out_bytes, size_t len, size_t *out_got)
{
    size_t done = 0;

    while (done < len) {
        const ssize_t got = pread(fd, out_bytes + done, len - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            FAIL(ERR_IO, "reading at a place", errno);
        }
        if (got == 0) {
            break;
        }
        done += (size_t)got;
    }
    *out_got = done;
    return ERR_OK;
}
