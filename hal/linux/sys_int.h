/* SPDX-License-Identifier: GPL-3.0-or-later */
/* errno ends here: every driver of hal/linux turns it into our codes the same way. */
#ifndef HAL_LINUX_SYS_INT_H
#define HAL_LINUX_SYS_INT_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

/* The code for an errno value; ERR_IO for those that nobody handles apart. */
enum err sys_err(int error) MUST_USE;

/* Closes a descriptor that was only read, or whose content nobody will look at; a negative one is fine. */
void sys_close(int fd);

static inline void sys_close_scoped(const int *fd)
{
    sys_close(*fd);
}
#define SCOPED_SYS_FD SCOPED(sys_close_scoped)

/* Reads from a place on. out_got is less than len only where the file ends before. ERR_IO; out_bytes is undefined then. */
enum err sys_read_at(int fd, uint64_t offset, uint8_t *out_bytes, size_t len, size_t *out_got) MUST_USE;

/* Names the errno of a failed call in the fault trail and returns its code from the function that uses it. */
#define FAIL_ERRNO(error, why)                                                                                         \
    do {                                                                                                               \
        const int fail_errno_ = (error);                                                                               \
        FAIL(sys_err(fail_errno_), why, fail_errno_);                                                                  \
    } while (0)

#endif
