/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/temp.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "hal/base/attr.h"
#include "hal/base/fault.h"

#define DEPTH      8
#define PATH_BYTES (TEMP_PATH_MAX + 128)

struct temp_dir temp_dir_make(void)
{
    struct temp_dir dir = {"/tmp/rowlock-test-XXXXXX"};

    INVARIANT(mkdtemp(dir.path) != NULL);
    return dir;
}

static int remove_one(const char *path, const struct stat *status UNUSED, int type UNUSED, struct FTW *walk UNUSED)
{
    (void)remove(path);
    return 0;
}

void temp_dir_remove(const struct temp_dir *dir)
{
    (void)nftw(dir->path, remove_one, DEPTH, FTW_DEPTH | FTW_PHYS);
}

/* By stdio and umask, so that it also works where a test has put something in the place of open() or fchmod(). */
static FILE *open_named(const struct temp_dir *dir, const char *name, const char *mode)
{
    char path[PATH_BYTES];
    const int len = snprintf(path, sizeof(path), "%s/%s", dir->path, name);

    INVARIANT(len > 0 && (size_t)len < sizeof(path));
    const mode_t before = umask(077);
    FILE *const file = fopen(path, mode);
    (void)umask(before);
    INVARIANT(file != NULL);
    return file;
}

void temp_put(const struct temp_dir *dir, const char *name, struct span content)
{
    FILE *const file = open_named(dir, name, "we");

    INVARIANT(content.len == 0 || fwrite(content.data, 1, content.len, file) == content.len);
    INVARIANT(fclose(file) == 0);
}

const char *temp_text(const struct temp_dir *dir, const char *name)
{
    static char text[TEMP_TEXT_MAX];
    FILE *const file = open_named(dir, name, "re");

    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    INVARIANT(ferror(file) == 0 && fclose(file) == 0);
    return text;
}
