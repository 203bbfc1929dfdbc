/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sanitizers replace mlock() and munlock() by calls that do nothing and report success. Whether secrets are locked is
 * what some tests are about, so test programs get the system's back. */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("default"))) int mlock(const void *memory, size_t bytes)
{
    return (int)syscall(SYS_mlock, memory, bytes);
}

__attribute__((visibility("default"))) int munlock(const void *memory, size_t bytes)
{
    return (int)syscall(SYS_munlock, memory, bytes);
}
