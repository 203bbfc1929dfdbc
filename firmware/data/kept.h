/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counters of failed sign-ins that outlive the process: the kept part of net/limits in a system table, a row for each
 * block. For data.c. */
#ifndef FIRMWARE_DATA_KEPT_H
#define FIRMWARE_DATA_KEPT_H

#include "firmware/data/data_int.h"

/* At start, before the writer runs: reads what was kept. A block that cannot be read is begun anew, and logged.
 * ERR_ROLLBACK: rows are older than the last commit, or gone; ERR_NO_MEMORY. Without limits nothing is kept. */
enum err kept_open(struct data *data, struct limits *limits) MUST_USE;

/* Writes everything that changed: the last operation before the writer is stopped. */
void kept_flush(struct data *data);

/* After the writer. NULL is fine. */
void kept_free(struct data_kept *kept);

#endif
