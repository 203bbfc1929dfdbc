/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A temporary directory of a test's own. */
#ifndef TESTS_LIB_TEMP_H
#define TESTS_LIB_TEMP_H

#define TEMP_PATH_MAX 128

struct temp_dir {
    char path[TEMP_PATH_MAX];
};

/* Makes a directory under /tmp, 0700. Stops the test program if it cannot. */
struct temp_dir temp_dir_make(void);

/* Removes it and all that is below it, to a depth of eight. */
void temp_dir_remove(const struct temp_dir *dir);

#endif
