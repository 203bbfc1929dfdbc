/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/linux/sys_int.h"
#include "hal/socket.h"

#define BUNDLE      "/etc/ssl/certs/ca-certificates.crt" /* Debian's, and of what descends from it */
#define CHUNK_BYTES 16384

enum err trust_read(struct buf *out_pem)
{
    SCOPED_FD int fd = open(BUNDLE, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    uint8_t *at = NULL;

    if (fd < 0) {
        FAIL_ERRNO(errno, "the system's CA certificates");
    }
    for (;;) {
        TRY(buf_reserve(out_pem, CHUNK_BYTES, &at));
        const ssize_t got = read(fd, at, CHUNK_BYTES);
        if (got < 0 && errno != EINTR) {
            FAIL_ERRNO(errno, "the system's CA certificates");
        }
        if (got == 0) {
            return ERR_OK;
        }
        buf_commit(out_pem, got > 0 ? (size_t)got : 0);
    }
}
