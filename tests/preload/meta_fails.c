/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A disk that fails when it is told to: linked into a program, it refuses LMDB's last write of a commit while the file
 * "disk-fails" beside the data directory begins with a 1. The file is opened before the process gives up its rights. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define EXPORT     __attribute__((visibility("default")))
#define ORDER      "/proc/self/fd/4/../../disk-fails" /* WORKER_FD_DIRECTORY */
#define META_BYTES 8192                               /* the first two pages */

static int order = -1;

__attribute__((constructor)) static void look(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "worker") == 0) {
        order = open(ORDER, O_RDONLY | O_CLOEXEC);
    }
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off_t) = NULL;
    char told = '0';

    if (offset < META_BYTES && order >= 0 && pread(order, &told, 1, 0) == 1 && told == '1') {
        errno = EIO;
        return -1;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "pwrite");
    return real(fd, bytes, len, offset);
}
