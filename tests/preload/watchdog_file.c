/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Linked into a program, it makes a plain file pass for the kernel's watchdog: the file takes the time to be set, and
 * holds a line for that and for each byte written to it, with the wall clock in ms: "1700000000000 timeout 60",
 * "1700000001000 f". */
#include <dlfcn.h>
#include <linux/watchdog.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static int device = -1;

static void note(const char *what, int number)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_REALTIME, &now);
    dprintf(device, "%lld%03ld %s", (long long)now.tv_sec, now.tv_nsec / 1000000, what);
    dprintf(device, number < 0 ? "\n" : " %d\n", number);
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
    va_list rest;
    union {
        void *symbol;
        int (*call)(int, unsigned long, ...);
    } real = {dlsym(RTLD_NEXT, "ioctl")};

    va_start(rest, request);
    void *const argument = va_arg(rest, void *);
    va_end(rest);
    if (request == WDIOC_SETTIMEOUT) {
        device = fd;
        note("timeout", *(const int *)argument);
        return 0;
    }
    return real.call(fd, request, argument);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t count)
{
    union {
        void *symbol;
        ssize_t (*call)(int, const void *, size_t);
    } real = {dlsym(RTLD_NEXT, "write")};

    if (fd == device && fd >= 0 && count == 1) {
        const char what[] = {*(const char *)bytes, '\0'};
        note(what, -1);
        return 1;
    }
    return real.call(fd, bytes, count);
}
