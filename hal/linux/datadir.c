/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The data directory. Everything goes through the directory's descriptor and *at calls with O_NOFOLLOW.
 *
 * Replacing a file, in order, so that at each moment either content is whole on disk:
 * 1. a new file "name.new" (what a crash left of one is removed first), written, fsync
 * 2. the old file is opened, so that its content can still be reached after the rename
 * 3. rename over the old name, fsync of the directory: from here on the new content stands
 * 4. the old content is overwritten through the open descriptor, fsync; a crash before that leaves old blocks behind,
 *    which is why it is called best effort */
#include "hal/datadir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/linux/sys_int.h"

#define DIRECTORY_MODE 0700
#define PRIVATE_MODE   0600
#define PUBLIC_MODE    0644
#define OTHERS         (S_IRWXG | S_IRWXO)
#define WRITE_OTHERS   (S_IWGRP | S_IWOTH)
#define NEW_SUFFIX     ".new"
#define LOCK_NAME      "lock"
#define NEW_NAME_MAX   (DATADIR_NAME_MAX + sizeof(NEW_SUFFIX))
#define OVERWRITE_STEP 4096

struct datadir {
    int fd;
    int lock_fd; /* -1: not locked */
};

static void close_scoped(const int *fd)
{
    sys_close(*fd);
}
#define SCOPED_HERE SCOPED(close_scoped)

static enum err check_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const size_t len = strnlen(name, DATADIR_NAME_MAX + 1);

    ENSURE(len > 0 && len <= DATADIR_NAME_MAX, ERR_MALFORMED, "length of a file name");
    ENSURE(name[0] != '.' && strspn(name, allowed) == len, ERR_MALFORMED, "characters of a file name");
    return ERR_OK;
}

/* Closed to all others, and this process's, or of the user that is named. */
static enum err check_directory_of(int fd, uid_t user)
{
    struct stat status;

    if (fstat(fd, &status) != 0) {
        FAIL_ERRNO(errno, "fstat");
    }
    ENSURE(S_ISDIR(status.st_mode), ERR_REFUSED, "not a directory");
    ENSURE(status.st_uid == geteuid() || status.st_uid == user, ERR_REFUSED, "the directory belongs to somebody else");
    ENSURE((status.st_mode & OTHERS) == 0, ERR_REFUSED, "the directory is open to others");
    return ERR_OK;
}

static enum err check_directory(int fd)
{
    return check_directory_of(fd, geteuid());
}

/* Who may not read another user's directory hands over one that only says where it is. */
static enum err open_if_only_named(int *fd)
{
    const int flags = fcntl(*fd, F_GETFL);

    if (flags < 0 || (flags & O_PATH) == 0) {
        return ERR_OK;
    }
    const int opened = openat(*fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0) {
        FAIL_ERRNO(errno, "opening a directory");
    }
    sys_close(*fd);
    *fd = opened;
    return ERR_OK;
}

enum err datadir_take_fd(int take_fd, struct datadir **out_dir)
{
    void *memory = NULL;
    SCOPED_HERE int fd = take_fd;

    TRY(check_directory(fd));
    TRY(open_if_only_named(&fd));
    TRY(mem_alloc(sizeof(struct datadir), &memory));
    struct datadir *dir = memory;
    *dir = (struct datadir){.fd = fd, .lock_fd = -1};
    fd = -1;

    *out_dir = dir;
    return ERR_OK;
}

static enum err make_directory(int parent, const char *name, int *out_fd)
{
    if (mkdirat(parent, name, DIRECTORY_MODE) != 0 && errno != EEXIST) {
        FAIL_ERRNO(errno, "mkdir");
    }
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES) {
        fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (fd < 0) {
        FAIL_ERRNO(errno, "opening a directory");
    }

    *out_fd = fd;
    return ERR_OK;
}

enum err datadir_open(const char *path, struct datadir **out_dir)
{
    int fd = -1;

    TRY(make_directory(AT_FDCWD, path, &fd));
    return datadir_take_fd(fd, out_dir);
}

/* Root's, or the user's already? */
static enum err check_giveable(int fd, unsigned int uid)
{
    struct stat status;

    if (fstat(fd, &status) != 0) {
        FAIL_ERRNO(errno, "fstat");
    }
    ENSURE((status.st_mode & OTHERS) == 0, ERR_REFUSED, "the directory is open to others");
    ENSURE(status.st_uid == 0 || status.st_uid == uid, ERR_REFUSED, "the directory belongs to somebody else");
    return ERR_OK;
}

/* Makes root's new directory the user's. */
static enum err give_to(int fd, unsigned int uid, unsigned int gid)
{
    if (geteuid() != 0) {
        return check_directory_of(fd, uid);
    }
    TRY(check_giveable(fd, uid));
    if (fchown(fd, uid, gid) != 0) {
        FAIL_ERRNO(errno, "giving a directory away");
    }
    return ERR_OK;
}

/* Is it a box's to be? One with a lock was a box's before; one that root keeps other things in must stay root's, whatever
 * was typed. A file system that was mounted for the box has a lost+found. */
static enum err check_is_ours(int fd, DIR *entries)
{
    if (faccessat(fd, LOCK_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        return ERR_OK;
    }
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        ENSURE(strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                   strcmp(entry->d_name, "lost+found") == 0,
               ERR_REFUSED, "a directory of root's that holds other things");
    }
    rewinddir(entries);
    return ERR_OK;
}

/* A file with two names is not given: the other may lie anywhere. */
static enum err give_file(int dir_fd, const char *name, uid_t uid, gid_t gid)
{
    struct stat status;
    SCOPED_HERE const int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0) {
        FAIL_ERRNO(errno, "opening a file to give away");
    }
    if (fstat(fd, &status) != 0) {
        FAIL_ERRNO(errno, "fstat");
    }
    if (S_ISREG(status.st_mode) && status.st_nlink == 1 && status.st_uid == 0 && fchown(fd, uid, gid) != 0) {
        FAIL_ERRNO(errno, "giving a file away");
    }
    return ERR_OK;
}

/* Some file systems do not say what an entry is, only what its inode is. */
static bool is_plain(int dir_fd, const struct dirent *entry)
{
    struct stat status;

    return entry->d_type == DT_REG || (entry->d_type == DT_UNKNOWN &&
                                       fstatat(dir_fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                                       S_ISREG(status.st_mode));
}

static enum err give_all(int fd, DIR *entries, uid_t uid, gid_t gid)
{
    TRY(check_is_ours(fd, entries));
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        if (is_plain(fd, entry)) {
            TRY(give_file(fd, entry->d_name, uid, gid));
        }
    }
    return give_to(fd, uid, gid);
}

enum err datadir_open_to_give(const char *path, unsigned int uid, unsigned int gid, struct datadir **out_dir)
{
    void *memory = NULL;

    if (geteuid() != 0) {
        return datadir_open(path, out_dir);
    }
    SCOPED_HERE int fd = -1;
    TRY(make_directory(AT_FDCWD, path, &fd));
    TRY(check_giveable(fd, uid));
    DIR *const entries = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (entries == NULL) {
        FAIL_ERRNO(errno, "listing a directory");
    }
    const enum err err = give_all(fd, entries, uid, gid);
    (void)closedir(entries);
    TRY(err);
    TRY(mem_alloc(sizeof(struct datadir), &memory));
    struct datadir *const dir = memory;
    *dir = (struct datadir){.fd = fd, .lock_fd = -1};
    fd = -1;

    *out_dir = dir;
    return ERR_OK;
}

enum err datadir_open_for(const struct datadir *dir, const char *name, unsigned int uid, unsigned int gid, int *out_fd)
{
    SCOPED_HERE int fd = -1;

    TRY(check_name(name));
    TRY(make_directory(dir->fd, name, &fd));
    TRY(give_to(fd, uid, gid));
    *out_fd = fd;
    fd = -1;
    return ERR_OK;
}

void datadir_close(struct datadir *dir)
{
    if (dir != NULL) {
        sys_close(dir->lock_fd);
        sys_close(dir->fd);
        mem_free(dir);
    }
}

int datadir_fd(const struct datadir *dir)
{
    return dir->fd;
}

void datadir_path(const struct datadir *dir, char out_path[DATADIR_PATH_BYTES])
{
    const int len = snprintf(out_path, DATADIR_PATH_BYTES, "/proc/self/fd/%d", dir->fd);

    INVARIANT(len > 0 && len < DATADIR_PATH_BYTES);
}

enum err datadir_where(const struct datadir *dir, size_t max, char *out_path)
{
    char link[DATADIR_PATH_BYTES];

    datadir_path(dir, link);
    const ssize_t len = readlink(link, out_path, max);
    if (len < 0) {
        FAIL_ERRNO(errno, "where a directory lies");
    }
    ENSURE((size_t)len < max, ERR_RANGE, "a path that is too long");
    out_path[len] = '\0';
    return ERR_OK;
}

enum err datadir_lock(struct datadir *dir)
{
    ENSURE(dir->lock_fd < 0, ERR_STATE, "locked already");
    SCOPED_HERE int fd = openat(dir->fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, PRIVATE_MODE);
    if (fd < 0) {
        FAIL_ERRNO(errno, "opening the lock");
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        FAIL(errno == EWOULDBLOCK ? ERR_CONFLICT : sys_err(errno), "another process uses this directory", errno);
    }
    dir->lock_fd = fd;
    fd = -1;
    return ERR_OK;
}

/* Opens a file that must be one of ours. O_NONBLOCK: a FIFO put there must not hold us. */
static enum err open_file(const struct datadir *dir, const char *name, int access, int *out_fd, size_t *out_bytes)
{
    struct stat status;
    SCOPED_HERE int fd = openat(dir->fd, name, access | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0) {
        FAIL_ERRNO(errno, "opening a file");
    }
    if (fstat(fd, &status) != 0) {
        FAIL_ERRNO(errno, "fstat");
    }
    ENSURE(S_ISREG(status.st_mode) && status.st_nlink == 1, ERR_REFUSED, "not a plain file");
    ENSURE(status.st_uid == geteuid(), ERR_REFUSED, "the file belongs to somebody else");
    ENSURE((status.st_mode & WRITE_OTHERS) == 0, ERR_REFUSED, "others may write the file");
    ENSURE(status.st_size >= 0 && status.st_size <= DATADIR_FILE_MAX, ERR_RANGE, "the file is too long");

    *out_bytes = (size_t)status.st_size;
    *out_fd = fd;
    fd = -1;
    return ERR_OK;
}

bool datadir_has(const struct datadir *dir, const char *name)
{
    return check_name(name) == ERR_OK && faccessat(dir->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

enum err datadir_look(const struct datadir *dir, const char *name, bool *out_there)
{
    TRY(check_name(name));
    const bool there = faccessat(dir->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (!there && errno != ENOENT) {
        FAIL_ERRNO(errno, "whether a file is there");
    }
    *out_there = there;
    return ERR_OK;
}

enum err datadir_read(const struct datadir *dir, const char *name, struct buf *buf)
{
    SCOPED_HERE int fd = -1;
    size_t bytes = 0;
    uint8_t *at = NULL;
    size_t done = 0;

    TRY(check_name(name));
    TRY(open_file(dir, name, O_RDONLY, &fd, &bytes));
    TRY(buf_reserve(buf, bytes, &at));
    while (done < bytes) {
        const ssize_t got = read(fd, at + done, bytes - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        ENSURE(got > 0, ERR_IO, "the file ended early or could not be read");
        done += (size_t)got;
    }
    buf_commit(buf, bytes);
    return ERR_OK;
}

static enum err write_all(int fd, struct span content)
{
    size_t done = 0;

    while (done < content.len) {
        const ssize_t put = write(fd, content.data + done, content.len - done);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            FAIL_ERRNO(errno, "writing a file");
        }
        done += (size_t)put;
    }
    return ERR_OK;
}

static enum err sync_fd(int fd)
{
    if (fsync(fd) != 0) {
        FAIL_ERRNO(errno, "fsync");
    }
    return ERR_OK;
}

/* Zeros over the whole content, on disk. */
static enum err overwrite(int fd, size_t bytes)
{
    static const uint8_t zeros[OVERWRITE_STEP];

    if (lseek(fd, 0, SEEK_SET) != 0) {
        FAIL_ERRNO(errno, "lseek");
    }
    for (size_t done = 0; done < bytes; done += OVERWRITE_STEP) {
        TRY(write_all(fd, span_of(zeros, num_min(bytes - done, OVERWRITE_STEP))));
    }
    return sync_fd(fd);
}

static enum err write_new(const struct datadir *dir, const char *new_name, mode_t mode, struct span content)
{
    if (unlinkat(dir->fd, new_name, 0) != 0 && errno != ENOENT) {
        FAIL_ERRNO(errno, "removing what a crash left");
    }
    SCOPED_HERE const int fd = openat(dir->fd, new_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) {
        FAIL_ERRNO(errno, "making a file");
    }
    if (fchmod(fd, mode) != 0) { /* whatever the umask */
        FAIL_ERRNO(errno, "fchmod");
    }
    TRY(write_all(fd, content));
    return sync_fd(fd);
}

static enum err replace(const struct datadir *dir, const char *name, mode_t mode, struct span content)
{
    char new_name[NEW_NAME_MAX];
    SCOPED_HERE int old_fd = -1;
    size_t old_bytes = 0;

    TRY(check_name(name));
    ENSURE(content.len <= DATADIR_FILE_MAX, ERR_RANGE, "content too long");
    (void)snprintf(new_name, sizeof(new_name), "%s" NEW_SUFFIX, name); /* fits by check_name */
    const enum err err = open_file(dir, name, O_WRONLY, &old_fd, &old_bytes);
    ENSURE(err == ERR_OK || err == ERR_NOT_FOUND, err, "what lies there is not ours to replace");
    fault_clear();
    TRY(write_new(dir, new_name, mode, content));
    if (renameat(dir->fd, new_name, dir->fd, name) != 0) {
        FAIL_ERRNO(errno, "rename");
    }
    TRY(sync_fd(dir->fd));
    if (old_fd >= 0 && overwrite(old_fd, old_bytes) != ERR_OK) {
        fault_clear(); /* best effort; the new content stands, and the caller must not be told otherwise */
    }
    return ERR_OK;
}

enum err datadir_write(const struct datadir *dir, const char *name, struct span content)
{
    return replace(dir, name, PRIVATE_MODE, content);
}

enum err datadir_write_public(const struct datadir *dir, const char *name, struct span content)
{
    return replace(dir, name, PUBLIC_MODE, content);
}

enum err datadir_remove(const struct datadir *dir, const char *name)
{
    SCOPED_HERE int fd = -1;
    size_t bytes = 0;

    TRY(check_name(name));
    TRY(open_file(dir, name, O_WRONLY, &fd, &bytes));
    TRY(overwrite(fd, bytes));
    if (unlinkat(dir->fd, name, 0) != 0) {
        FAIL_ERRNO(errno, "unlink");
    }
    return sync_fd(dir->fd);
}
