/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/temp.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "hal/base/attr.h"
#include "hal/base/fault.h"

#define DEPTH 8

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
