/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A temporary directory of a test's own. */
#ifndef TESTS_LIB_TEMP_H
#define TESTS_LIB_TEMP_H

#include "hal/base/span.h"

#define TEMP_PATH_MAX 128
#define TEMP_TEXT_MAX 64

struct temp_dir {
    char path[TEMP_PATH_MAX];
};

/* Makes a directory under /tmp, 0700. Stops the test program if it cannot. */
struct temp_dir temp_dir_make(void);

/* Removes it and all that is below it, to a depth of eight. */
void temp_dir_remove(const struct temp_dir *dir);

/* Writes a file below it: a new one with 0600, or anew one that is there. Stops the test program if it cannot. */
void temp_put(const struct temp_dir *dir, const char *name, struct span content);

/* What is in a file below it, which is text: its first TEMP_TEXT_MAX - 1 bytes. Lives until the next call. Stops the test program
 * where there is none. */
const char *temp_text(const struct temp_dir *dir, const char *name);

#endif
