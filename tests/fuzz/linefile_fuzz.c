/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/linefile.h: whatever a file holds, a line is found only if it is there, a file in order keeps none back, and only one
 * with a line that is too long is damaged. What stands before the first LF is asked for, the rest is the file. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hal/linefile.h"
#include "tests/fuzz/fuzz.h"

#define FILE_NAME "list"

static char directory[] = "/tmp/rowlock-fuzz-XXXXXX";

static void remove_directory(void)
{
    FUZZ_CHECK(chdir(directory) == 0 && unlink(FILE_NAME) == 0 && rmdir(directory) == 0);
}

static struct linefile *file_of(struct span text)
{
    static int fd = -1;
    struct linefile *file = NULL;

    if (fd < 0) {
        FUZZ_CHECK(mkdtemp(directory) != NULL && atexit(remove_directory) == 0);
        const int at = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        fd = openat(at, FILE_NAME, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        FUZZ_CHECK(fd >= 0 && close(at) == 0);
    }
    FUZZ_CHECK(pwrite(fd, text.data, text.len, 0) == (ssize_t)text.len && ftruncate(fd, (off_t)text.len) == 0);
    FUZZ_CHECK(linefile_open(directory, FILE_NAME, &file) == ERR_OK);
    return file;
}

/* What a walk from line to line says. */
struct truth {
    bool there;
    bool sorted;
    bool damaged; /* a line has more bytes than it may, its CR not counted */
};

static struct truth walk(struct span rest, struct span wanted)
{
    struct truth truth = {.sorted = true};
    struct span before = SPAN_NONE;

    while (rest.len > 0) {
        const size_t end = span_find(rest, '\n');
        const struct span line = span_of(rest.data, end > 0 && rest.data[end - 1] == '\r' ? end - 1 : end);

        truth.there = truth.there || span_equal(line, wanted);
        truth.sorted = truth.sorted && span_compare(before, line) <= 0;
        truth.damaged = truth.damaged || line.len > LINEFILE_LINE_MAX;
        before = line;
        rest = end == rest.len ? SPAN_NONE : span_of(rest.data + end + 1, rest.len - end - 1);
    }
    return truth;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span input = span_of(data, size);
    const size_t at = span_find(input, '\n');
    const struct span wanted = span_of(data, at);
    const struct span text = at == size ? SPAN_NONE : span_of(data + at + 1, size - at - 1);
    const struct truth truth = walk(text, wanted);
    bool found = false;

    fault_clear();
    struct linefile *file = file_of(text);
    const enum err err = linefile_has(file, wanted, &found);
    linefile_close(file);

    FUZZ_CHECK(err == ERR_OK || (err == ERR_DAMAGED && truth.damaged && !found));
    FUZZ_CHECK(!found || (truth.there && wanted.len > 0));
    if (err == ERR_OK && truth.sorted && !truth.damaged && wanted.len > 0) {
        FUZZ_CHECK(found == truth.there);
    }
    return 0;
}
