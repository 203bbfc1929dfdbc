/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a disk may hold after a power cut, from the log of tests/preload/recorder.c.
 *
 * A cut at point p: the calls 0 to p-1 were carried out. Of those, writes to a file that were followed by a sync of the
 * file, and writes through a descriptor that syncs each, are on disk. Each page of the others may be there or not, and so
 * may a rename or removal that no sync of the folder followed. */
#ifndef TESTS_LIB_REPLAY_H
#define TESTS_LIB_REPLAY_H

#include <stddef.h>
#include <stdint.h>

struct replay;

/* Stops the test program if the log cannot be read. */
struct replay *replay_open(const char *log);
void replay_free(struct replay *replay);

/* Number of calls; points are 0 to this. */
size_t replay_points(const struct replay *replay);
/* When the call behind a point began, on the monotonic clock: what was acknowledged before it must be found after the
 * cut. UINT64_MAX behind the last. */
uint64_t replay_time(const struct replay *replay, size_t point);

/* The file or folder that a call is about; NULL behind the last. */
const char *replay_name(const struct replay *replay, size_t point);

/* Fills a folder, empty or as it was when the recording began, with what is there after a cut. choice 0: everything that was written; 1: only what must be
 * there; others: a subset that follows from the number. */
void replay_build(const struct replay *replay, size_t point, uint32_t choice, const char *folder);

#endif
