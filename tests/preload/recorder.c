/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Preloaded under a program (LD_PRELOAD), it writes down what the program asks of one folder's files: every write with
 * its bytes, sync, change of size and rename, in the order in which they were carried out. tests/lib/replay.h builds from
 * it what a disk may hold after a power cut.
 *
 *   ROWLOCK_RECORD=<log file>  ROWLOCK_RECORD_UNDER=<folder>
 *
 * The appliance starts keeper and worker without an environment and shut in. So there it is linked into the program, and
 * both record the data directory, which holds the one that each is handed as a descriptor, to the file "recorded" beside
 * it, if there is one; it is opened before they give up their rights.
 *
 * record = 'R' kind(1) flags(1) name length(1) | start ns(8) | offset(8) | length(8) | name | bytes    host byte order
 *   kind 'W' write, 'S' sync of a file, 'F' sync of a folder, 'T' size (offset), 'N' rename (bytes: the new name),
 *   'U' removal; a file that was replaced or removed while it is open is called "<name> (deleted)"
 *   flags 1: the descriptor syncs each write (O_DSYNC) */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define OWN_DIRECTORY "/proc/self/fd/4" /* WORKER_FD_DIRECTORY, KEEPER_FD_DIRECTORY */
#define BOX_LOG OWN_DIRECTORY "/../../recorded"

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static char under[PATH_MAX];
static size_t under_len;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_msync)(void *, size_t, int);
static int (*real_ftruncate)(int, off_t);
static int (*real_renameat)(int, const char *, int, const char *);
static int (*real_unlinkat)(int, const char *, int);

static void begin(const char *path, int flags)
{
    under_len = strlen(under);
    log_fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0600);
}

/* Of the folder that lies in the data directory. What is above it may be closed to the process, so only links are read. */
static void begin_in_box(void)
{
    const ssize_t len = readlink(OWN_DIRECTORY, under, sizeof(under) - 1);

    if (len > 0 && memrchr(under, '/', (size_t)len) != NULL) {
        *(char *)memrchr(under, '/', (size_t)len) = 0;
        begin(BOX_LOG, 0);
    }
}

static void begin_as_told(void)
{
    const char *path = getenv("ROWLOCK_RECORD");
    const char *folder = getenv("ROWLOCK_RECORD_UNDER");

    if (path != NULL && folder != NULL && realpath(folder, under) != NULL) {
        begin(path, O_CREAT);
    }
}

/* glibc hands constructors what it hands main(). */
__attribute__((constructor)) static void start(int argc, char **argv)
{
    *(void **)&real_write = dlsym(RTLD_NEXT, "write");
    *(void **)&real_writev = dlsym(RTLD_NEXT, "writev");
    *(void **)&real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    *(void **)&real_pwritev = dlsym(RTLD_NEXT, "pwritev");
    *(void **)&real_fsync = dlsym(RTLD_NEXT, "fsync");
    *(void **)&real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    *(void **)&real_msync = dlsym(RTLD_NEXT, "msync");
    *(void **)&real_ftruncate = dlsym(RTLD_NEXT, "ftruncate");
    *(void **)&real_renameat = dlsym(RTLD_NEXT, "renameat");
    *(void **)&real_unlinkat = dlsym(RTLD_NEXT, "unlinkat");
    if (argc == 2 && (strcmp(argv[1], "worker") == 0 || strcmp(argv[1], "keeper") == 0)) {
        begin_in_box();
    } else {
        begin_as_told();
    }
}

/* The name below the folder, or NULL: not one of its files. */
static const char *name_below(const char *path)
{
    if (log_fd < 0 || strncmp(path, under, under_len) != 0) {
        return NULL;
    }
    if (path[under_len] == 0) {
        return "";
    }
    return path[under_len] == '/' ? path + under_len + 1 : NULL;
}

static const char *name_of(int fd, char buffer[PATH_MAX])
{
    char link[64];

    if (log_fd < 0) {
        return NULL;
    }
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    const ssize_t len = readlink(link, buffer, PATH_MAX - 1);
    if (len <= 0) {
        return NULL;
    }
    buffer[len] = 0;
    return name_below(buffer);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct record {
    uint8_t kind;
    const char *name;
    int fd; /* -1: none */
    uint64_t start;
    uint64_t offset;
};

/* One writev, so that records of several processes do not mix. */
static void record(const struct record *what, const struct iovec *parts, int count, size_t len)
{
    uint8_t head[28] = {'R', what->kind, 0, (uint8_t)strlen(what->name)};
    struct iovec all[2 + 1024];
    size_t left = len;
    int used = 2;
    const uint64_t length = len;

    if (what->fd >= 0 && (fcntl(what->fd, F_GETFL) & O_DSYNC) != 0) {
        head[2] = 1;
    }
    memcpy(head + 4, &what->start, 8);
    memcpy(head + 12, &what->offset, 8);
    memcpy(head + 20, &length, 8);
    all[0] = (struct iovec){head, sizeof(head)};
    all[1] = (struct iovec){(void *)(uintptr_t)what->name, head[3]};
    for (int at = 0; at < count && left > 0 && used < 1024; at++) {
        all[used] = parts[at];
        all[used].iov_len = parts[at].iov_len < left ? parts[at].iov_len : left;
        left -= all[used].iov_len;
        used++;
    }
    const ssize_t written = real_writev(log_fd, all, used);
    if (written != (ssize_t)(sizeof(head) + head[3] + len)) {
        abort(); /* a log with a hole would prove nothing */
    }
}

static ssize_t vector(int fd, const struct iovec *parts, int count, off_t offset, int at_offset)
{
    char buffer[PATH_MAX];
    const char *name = name_of(fd, buffer);

    if (name == NULL) {
        return at_offset ? real_pwritev(fd, parts, count, offset) : real_writev(fd, parts, count);
    }
    pthread_mutex_lock(&order);
    const off_t from = at_offset ? offset : lseek(fd, 0, SEEK_CUR);
    const struct record what = {'W', name, fd, now_ns(), (uint64_t)from};
    const ssize_t done = at_offset ? real_pwritev(fd, parts, count, offset) : real_writev(fd, parts, count);
    const int error = errno;
    if (done > 0) {
        record(&what, parts, count, (size_t)done);
    }
    pthread_mutex_unlock(&order);
    errno = error;
    return done;
}

EXPORT ssize_t write(int fd, const void *bytes, size_t len)
{
    const struct iovec part = {(void *)(uintptr_t)bytes, len};

    return log_fd < 0 ? real_write(fd, bytes, len) : vector(fd, &part, 1, 0, 0);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return vector(fd, parts, count, 0, 0);
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    const struct iovec part = {(void *)(uintptr_t)bytes, len};

    return log_fd < 0 ? real_pwrite(fd, bytes, len, offset) : vector(fd, &part, 1, offset, 1);
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t offset)
{
    return pwrite(fd, bytes, len, offset);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    return vector(fd, parts, count, offset, 1);
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
{
    return vector(fd, parts, count, offset, 1);
}

static int synced(int fd, int (*real)(int))
{
    char buffer[PATH_MAX];
    const char *name = name_of(fd, buffer);
    struct stat state = {0};

    if (name == NULL) {
        return real(fd);
    }
    pthread_mutex_lock(&order);
    const int folder = fstat(fd, &state) == 0 && S_ISDIR(state.st_mode);
    const struct record what = {folder ? 'F' : 'S', name, -1, now_ns(), 0};
    const int done = real(fd);
    const int error = errno;
    if (done == 0) {
        record(&what, NULL, 0, 0);
    }
    pthread_mutex_unlock(&order);
    errno = error;
    return done;
}

EXPORT int fsync(int fd)
{
    return synced(fd, real_fsync);
}

EXPORT int fdatasync(int fd)
{
    return synced(fd, real_fdatasync);
}

/* A writable map of the database would write behind our back; none is expected, so a sync of one is a defect. */
EXPORT int msync(void *address, size_t len, int flags)
{
    if (log_fd >= 0) {
        abort();
    }
    return real_msync(address, len, flags);
}

static int resized(int fd, off_t size)
{
    char buffer[PATH_MAX];
    const char *name = name_of(fd, buffer);

    if (name == NULL) {
        return real_ftruncate(fd, size);
    }
    pthread_mutex_lock(&order);
    const struct record what = {'T', name, -1, now_ns(), (uint64_t)size};
    const int done = real_ftruncate(fd, size);
    const int error = errno;
    if (done == 0) {
        record(&what, NULL, 0, 0);
    }
    pthread_mutex_unlock(&order);
    errno = error;
    return done;
}

EXPORT int ftruncate(int fd, off_t size)
{
    return resized(fd, size);
}

EXPORT int ftruncate64(int fd, off_t size)
{
    return resized(fd, size);
}

/* The folder of a path may be a descriptor's link, and those above it closed to the process: then the link alone is
 * read. */
static const char *name_at(int at, const char *path, char buffer[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    const char *last = slash == NULL ? path : slash + 1;
    char folder[PATH_MAX] = ".";

    if (log_fd < 0) {
        return NULL;
    }
    if (slash != NULL) {
        snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
    } else if (at != AT_FDCWD) {
        snprintf(folder, sizeof(folder), "/proc/self/fd/%d", at);
    }
    ssize_t len = readlink(folder, buffer, PATH_MAX - 1);
    if (len < 0) {
        len = realpath(folder, buffer) == NULL ? -1 : (ssize_t)strlen(buffer);
    }
    if (len < 0 || (size_t)len + 1 + strlen(last) >= PATH_MAX) {
        return NULL;
    }
    buffer[len] = '/';
    strcpy(buffer + len + 1, last);
    return name_below(buffer);
}

EXPORT int renameat(int from_at, const char *from, int to_at, const char *to)
{
    char from_buffer[PATH_MAX];
    char to_buffer[PATH_MAX];
    const char *from_name = name_at(from_at, from, from_buffer);
    const char *to_name = name_at(to_at, to, to_buffer);

    if (from_name == NULL || to_name == NULL) {
        return real_renameat(from_at, from, to_at, to);
    }
    pthread_mutex_lock(&order);
    const struct record what = {'N', from_name, -1, now_ns(), 0};
    const struct iovec part = {(void *)(uintptr_t)to_name, strlen(to_name)};
    const int done = real_renameat(from_at, from, to_at, to);
    const int error = errno;
    if (done == 0) {
        record(&what, &part, 1, part.iov_len);
    }
    pthread_mutex_unlock(&order);
    errno = error;
    return done;
}

EXPORT int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

EXPORT int unlinkat(int at, const char *path, int flags)
{
    char buffer[PATH_MAX];
    const char *name = name_at(at, path, buffer);

    if (name == NULL) {
        return real_unlinkat(at, path, flags);
    }
    pthread_mutex_lock(&order);
    const struct record what = {'U', name, -1, now_ns(), 0};
    const int done = real_unlinkat(at, path, flags);
    const int error = errno;
    if (done == 0) {
        record(&what, NULL, 0, 0);
    }
    pthread_mutex_unlock(&order);
    errno = error;
    return done;
}

EXPORT int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}
