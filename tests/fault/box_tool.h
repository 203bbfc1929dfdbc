/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of box_tool share. */
#ifndef TESTS_FAULT_BOX_TOOL_H
#define TESTS_FAULT_BOX_TOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/base/err.h"
#include "storage/store.h"

/* --- box_tool.c --- */

/* End the program with a line "bad ..." unless all is well. */
void must(enum err err, const char *what);
void must_be(bool fine, const char *what);
void print_trail(void);
enum err open_store(const char *folder, struct store **out_store);
/* Unseals the keeper's files in this folder instead of those before. */
enum err open_keeper(const char *folder);

/* --- box_look.c --- */

/* What clients did: "<row id, or ?> <ns of the acknowledgement, or 0> <number after it, or gone>", one change in a line,
 * sorted by row, those of a row in the order in which they were sent. ?: an insert whose answer never came. */
void history_read(const char *path);
void history_free(void);

struct look {
    char why[160]; /* the last thing that is wrong; empty: nothing is */
    uint64_t rows;
    uint64_t acked; /* changes that had been acknowledged at that time */
};

/* Opens the database, runs fsck, and compares every row of the first user's table with the history as of `time`; in a
 * process of its own. One that does not come to an end is told of as why, and by its own words on stderr. */
bool is_sound(struct look *look, const char *folder, uint64_t time);

/* --- box_cuts.c --- */

/* The command "cuts"; base may be NULL. */
bool do_cuts(const char *log, const char *count, const char *folder, const char *base);

#endif
