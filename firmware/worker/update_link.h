/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The worker's end of updates: jobs of all reactors in, one after the other to the updater. A thread of its own waits for its
 * answers, so no reactor does; the link belongs to the worker's main thread. */
#ifndef FIRMWARE_WORKER_UPDATE_LINK_H
#define FIRMWARE_WORKER_UPDATE_LINK_H

#include "firmware/api/api.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"

struct update_link;

/* take_fd, the channel to the updater, is taken, also on failure. Starts the thread. ERR_NO_MEMORY, ERR_LIMIT, ERR_IO. */
enum err update_link_new(int take_fd, struct update_link **out_link) MUST_USE;

/* After the reactors. NULL is fine. */
void update_link_free(struct update_link *link);

/* For api_options; of NULL: a board without slots. Valid as long as the link. */
struct api_updates update_link_table(struct update_link *link);

#endif
