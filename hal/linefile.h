/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file of lines that is looked up where it lies: nothing of it is held in memory, however long it is.
 *
 * Its lines are in ascending order of their bytes (`LC_ALL=C sort -u`), end with LF or CRLF, and have at most
 * LINEFILE_LINE_MAX bytes. Any thread may look in one at the same time. */
#ifndef HAL_LINEFILE_H
#define HAL_LINEFILE_H

#include <stdbool.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define LINEFILE_LINE_MAX 1024 /* bytes, without its end */

struct linefile;

/* Opens the plain file of that name in a directory; both end in NUL. It is the one that is there now: of a file that is
 * put in its place later nothing is seen. The caller closes it.
 * ERR_NOT_FOUND; ERR_REFUSED: a link, no plain file, or others than its owner may write it; ERR_IO; ERR_RANGE: a path of
 * 1 KiB or more; ERR_NO_MEMORY. */
enum err linefile_open(const char *directory, const char *name, struct linefile **out_file) MUST_USE;

void linefile_close(struct linefile *file); /* NULL is fine */

/* Is the line in it? Blocks for a read of 2 KiB for each halving: 30 for a file of 1 GiB. An empty line is never found.
 * ERR_IO; ERR_DAMAGED: it has longer lines than it may. In a file without order a line may be missed. */
enum err linefile_has(const struct linefile *file, struct span line, bool *out_found) MUST_USE;

#endif
