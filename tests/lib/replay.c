/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/replay.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX  64
#define NAME_BYTES 256
#define PAGE       4096u
#define HEAD_BYTES 28
#define DELETED    " (deleted)" /* a file that is open and has lost its name */

struct call {
    char kind;
    bool synced; /* a write through a descriptor that syncs */
    uint64_t start;
    uint64_t offset;
    uint64_t len;
    char name[NAME_BYTES];
    const uint8_t *bytes;
};

struct replay {
    uint8_t *log;
    struct call *calls;
    size_t count;
};

static void must(bool fine, const char *what)
{
    if (!fine) {
        fprintf(stderr, "replay: %s\n", what);
        abort();
    }
}

struct replay *replay_open(const char *log)
{
    struct replay *replay = calloc(1, sizeof(*replay));
    struct stat state = {0};
    const int fd = open(log, O_RDONLY | O_CLOEXEC);
    size_t at = 0;

    must(replay != NULL && fd >= 0 && fstat(fd, &state) == 0, "no log");
    const size_t size = (size_t)state.st_size;
    replay->log = malloc(size + 1);
    replay->calls = calloc(size / HEAD_BYTES + 1, sizeof(struct call));
    must(replay->log != NULL && replay->calls != NULL, "no memory");
    must(read(fd, replay->log, size) == (ssize_t)size, "log cut short");
    close(fd);
    while (at < size) {
        struct call *call = &replay->calls[replay->count];
        must(size - at >= HEAD_BYTES && replay->log[at] == 'R', "log out of step");
        call->kind = (char)replay->log[at + 1];
        call->synced = replay->log[at + 2] != 0;
        const size_t name_len = replay->log[at + 3];
        memcpy(&call->start, replay->log + at + 4, 8);
        memcpy(&call->offset, replay->log + at + 12, 8);
        memcpy(&call->len, replay->log + at + 20, 8);
        memcpy(call->name, replay->log + at + HEAD_BYTES, name_len);
        call->bytes = replay->log + at + HEAD_BYTES + name_len;
        at += HEAD_BYTES + name_len + call->len;
        replay->count++;
    }
    must(at == size, "log cut short");
    return replay;
}

void replay_free(struct replay *replay)
{
    if (replay != NULL) {
        free(replay->log);
        free(replay->calls);
        free(replay);
    }
}

size_t replay_points(const struct replay *replay)
{
    return replay->count;
}

uint64_t replay_time(const struct replay *replay, size_t point)
{
    return point < replay->count ? replay->calls[point].start : UINT64_MAX;
}

const char *replay_name(const struct replay *replay, size_t point)
{
    return point < replay->count ? replay->calls[point].name : NULL;
}

/* --- building --- */

struct file {
    char name[NAME_BYTES]; /* empty: free */
    int fd;
};

struct build {
    const struct replay *replay;
    const char *folder;
    size_t point;
    uint32_t choice;
    uint64_t random;
    struct file files[FILES_MAX];
};

static bool chosen(struct build *build)
{
    if (build->choice < 2) {
        return build->choice == 0;
    }
    build->random = build->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (build->random >> 40) % 2 == 0;
}

static void path_of(const struct build *build, const char *name, char out_path[1024])
{
    snprintf(out_path, 1024, "%s/%s", build->folder, name);
}

static struct file *find_file(struct build *build, const char *name)
{
    for (size_t at = 0; at < FILES_MAX; at++) {
        if (strcmp(build->files[at].name, name) == 0) {
            return &build->files[at];
        }
    }
    return NULL;
}

static void forget_file(struct file *file)
{
    if (file != NULL) {
        close(file->fd);
        file->name[0] = 0;
    }
}

/* NULL: there is none, and none is made. */
static struct file *open_named(struct build *build, const char *name, int flags)
{
    struct file *found = find_file(build, name);
    char path[1024];

    if (found != NULL) {
        return found;
    }
    path_of(build, name, path);
    const int fd = open(path, O_RDWR | O_CLOEXEC | flags, 0600);
    if (fd < 0) {
        return NULL;
    }
    found = find_file(build, "");
    must(found != NULL, "too many files");
    snprintf(found->name, sizeof(found->name), "%s", name);
    found->fd = fd;
    return found;
}

static struct file *file_named(struct build *build, const char *name)
{
    struct file *file = open_named(build, name, O_CREAT);

    must(file != NULL, "cannot make a file");
    return file;
}

/* Its name goes to another file, or to none; who has it open goes on writing to it. */
static void lose_name(struct build *build, const char *name)
{
    struct file *file = open_named(build, name, 0);
    char deleted[NAME_BYTES];

    must(snprintf(deleted, sizeof(deleted), "%s" DELETED, name) < NAME_BYTES, "name too long");
    forget_file(find_file(build, deleted));
    if (file != NULL) {
        memcpy(file->name, deleted, sizeof(deleted));
    }
}

/* Is this a sync of the folder that the file lies in? */
static bool is_folder_of(const char *folder, const char *name)
{
    const char *slash = strrchr(name, '/');
    const size_t len = slash == NULL ? 0 : (size_t)(slash - name);

    return strlen(folder) == len && memcmp(folder, name, len) == 0;
}

/* The name of a file after a call: it may have got another, or lost it. */
static void follow_name(const struct call *call, char name[NAME_BYTES])
{
    const bool is_rename = call->kind == 'N';
    const bool is_target = is_rename && strlen(name) == call->len && memcmp(call->bytes, name, call->len) == 0;

    if (is_rename && strcmp(call->name, name) == 0) {
        snprintf(name, NAME_BYTES, "%.*s", (int)call->len, (const char *)call->bytes);
    } else if (is_target || (call->kind == 'U' && strcmp(call->name, name) == 0)) {
        must(strlen(name) + sizeof(DELETED) <= NAME_BYTES, "name too long");
        strcat(name, DELETED);
    }
}

/* Was there, up to the point, a sync ('S') of the file that the call names, or ('F') of its folder? */
static bool is_followed(const struct build *build, size_t at, char kind)
{
    char name[NAME_BYTES];

    memcpy(name, build->replay->calls[at].name, sizeof(name));
    for (size_t later = at + 1; later < build->point; later++) {
        const struct call *call = &build->replay->calls[later];
        if (call->kind == kind && (kind == 'F' ? is_folder_of(call->name, name) : strcmp(call->name, name) == 0)) {
            return true;
        }
        if (kind == 'S' && (call->kind == 'N' || call->kind == 'U')) {
            follow_name(call, name);
        }
    }
    return false;
}

static void put(const struct file *file, const uint8_t *bytes, uint64_t len, uint64_t offset)
{
    must(pwrite(file->fd, bytes, len, (off_t)offset) == (ssize_t)len, "cannot write");
}

static void replay_write(struct build *build, size_t at)
{
    const struct call *call = &build->replay->calls[at];
    const struct file *file = file_named(build, call->name);

    if (call->synced || is_followed(build, at, 'S')) {
        put(file, call->bytes, call->len, call->offset);
        return;
    }
    for (uint64_t done = 0; done < call->len;) { /* the disk's choice, page by page */
        const uint64_t room = PAGE - (call->offset + done) % PAGE;
        const uint64_t len = room < call->len - done ? room : call->len - done;
        if (chosen(build)) {
            put(file, call->bytes + done, len, call->offset + done);
        }
        done += len;
    }
}

static void replay_rename(struct build *build, size_t at)
{
    const struct call *call = &build->replay->calls[at];
    char from[1024];
    char to[1024];
    char name[NAME_BYTES];
    struct file *file = file_named(build, call->name);

    snprintf(name, sizeof(name), "%.*s", (int)call->len, (const char *)call->bytes);
    lose_name(build, name);
    path_of(build, call->name, from);
    path_of(build, name, to);
    if (is_followed(build, at, 'F') || chosen(build)) {
        must(rename(from, to) == 0, "cannot rename");
    }
    snprintf(file->name, sizeof(file->name), "%s", name); /* later calls name it so */
}

static void replay_removal(struct build *build, size_t at)
{
    const struct call *call = &build->replay->calls[at];
    char path[1024];

    lose_name(build, call->name);
    path_of(build, call->name, path);
    if (is_followed(build, at, 'F') || chosen(build)) {
        must(unlink(path) == 0, "cannot remove");
    }
}

static bool is_lock(const char *name)
{
    const size_t len = strlen(name);

    return len >= 8 && strcmp(name + len - 8, "lock.mdb") == 0;
}

static void replay_call(struct build *build, size_t at)
{
    const struct call *call = &build->replay->calls[at];

    if (is_lock(call->name)) {
        return; /* made anew at every start */
    }
    if (call->kind == 'W') {
        replay_write(build, at);
    } else if (call->kind == 'N') {
        replay_rename(build, at);
    } else if (call->kind == 'U') {
        replay_removal(build, at);
    } else if (call->kind == 'T' && (is_followed(build, at, 'S') || chosen(build))) {
        must(ftruncate(file_named(build, call->name)->fd, (off_t)call->offset) == 0, "cannot resize");
    }
}

void replay_build(const struct replay *replay, size_t point, uint32_t choice, const char *folder)
{
    struct build build = {
        .replay = replay, .folder = folder, .point = point, .choice = choice, .random = choice + (uint64_t)point * 977};

    for (size_t at = 0; at < point; at++) {
        replay_call(&build, at);
    }
    for (size_t at = 0; at < FILES_MAX; at++) {
        if (build.files[at].name[0] != 0) {
            close(build.files[at].fd);
        }
    }
}
