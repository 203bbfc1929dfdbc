/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A binary search over byte offsets. The line, if it is there, begins in [low, high); each step reads the first line that
 * begins in the upper half of it, and gives one half up. */
#include "hal/linefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/linux/sys_int.h"

#define PATH_BYTES 1024
#define WINDOW     ((size_t)2 * (LINEFILE_LINE_MAX + 2)) /* the rest of one line, and the whole of the next */

struct linefile {
    int fd;
    uint64_t bytes;
};

static void close_here(const int *fd)
{
    sys_close(*fd);
}

/* By its whole path: a process that may read a directory's files may not always read the directory. */
static enum err open_here(const char *directory, const char *name, int *out_fd)
{
    char path[PATH_BYTES];
    const int len = snprintf(path, sizeof path, "%s/%s", directory, name);

    ENSURE(len > 0 && (size_t)len < sizeof path, ERR_RANGE, "a path that is too long");
    *out_fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (*out_fd < 0) {
        FAIL_ERRNO(errno, "opening a list");
    }
    return ERR_OK;
}

enum err linefile_open(const char *directory, const char *name, struct linefile **out_file)
{
    struct stat status;
    void *memory = NULL;
    SCOPED(close_here) int fd = -1;

    TRY(open_here(directory, name, &fd));
    if (fstat(fd, &status) != 0) {
        FAIL_ERRNO(errno, "fstat");
    }
    ENSURE(S_ISREG(status.st_mode), ERR_REFUSED, "not a plain file");
    ENSURE((status.st_mode & (S_IWGRP | S_IWOTH)) == 0, ERR_REFUSED, "others may write the list");
    TRY(mem_alloc(sizeof(struct linefile), &memory));
    struct linefile *file = memory;
    *file = (struct linefile){.fd = fd, .bytes = (uint64_t)status.st_size};
    fd = -1;
    *out_file = file;
    return ERR_OK;
}

void linefile_close(struct linefile *file)
{
    if (file != NULL) {
        sys_close(file->fd);
        mem_free(file);
    }
}

/* What lies at an offset, as much as there is up to WINDOW. */
static enum err read_window(const struct linefile *file, uint64_t at, uint8_t window[WINDOW], size_t *out_len)
{
    const size_t want = file->bytes - at < WINDOW ? (size_t)(file->bytes - at) : WINDOW;
    size_t got = 0;

    TRY(sys_read_at(file->fd, at, window, want, &got));
    ENSURE(got == want, ERR_IO, "a list ended early");
    *out_len = want;
    return ERR_OK;
}

/* The first line that begins at an offset or behind it. */
struct found_line {
    uint64_t begins; /* the file's length: none does */
    uint64_t next;   /* behind its end */
    struct span text;
};

static enum err line_from(const struct linefile *file, uint64_t at, uint8_t window[WINDOW], struct found_line *out_line)
{
    const uint64_t from = at == 0 ? 0 : at - 1; /* a line begins behind an LF */
    struct found_line line = {.begins = file->bytes, .next = file->bytes, .text = SPAN_NONE};
    size_t len = 0;

    TRY(read_window(file, from, window, &len));
    const size_t skipped = at == 0 ? 0 : span_find(span_of(window, len), '\n') + 1;
    ENSURE(skipped <= LINEFILE_LINE_MAX + 2 || skipped > len, ERR_DAMAGED, "a line that is too long");
    ENSURE(skipped <= len || from + len == file->bytes, ERR_DAMAGED, "a line that is too long");
    if (skipped < len) {
        const struct span rest = span_of(window + skipped, len - skipped);
        const size_t end = span_find(rest, '\n');
        ENSURE(end < rest.len || from + len == file->bytes, ERR_DAMAGED, "a line that is too long");
        line.begins = from + skipped;
        line.next = line.begins + end + 1;
        line.text = span_of(rest.data, end > 0 && rest.data[end - 1] == '\r' ? end - 1 : end);
    }
    *out_line = line;
    return ERR_OK;
}

enum err linefile_has(const struct linefile *file, struct span line, bool *out_found)
{
    uint8_t window[WINDOW];
    struct found_line at = {0};
    uint64_t low = 0;
    uint64_t high = file->bytes;
    bool found = false;

    while (low < high && !found && line.len > 0) { /* ends: [low, high) shrinks */
        const uint64_t middle = low + (high - low) / 2;
        TRY(line_from(file, middle, window, &at));
        const int order = at.begins >= high ? 1 : span_compare(at.text, line);
        found = order == 0;
        if (order < 0) {
            low = at.next;
        } else {
            high = middle;
        }
    }
    mem_wipe(window, sizeof window);
    *out_found = found;
    return ERR_OK;
}
