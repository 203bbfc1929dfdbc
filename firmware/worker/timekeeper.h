/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asks the time servers of the settings, all of them in one round, and tells what time it is when enough of them agree
 * (time_pick.h). It belongs to one reactor's thread and blocks nobody. Rounds are 64 s apart, up to 1024 s while the clock is
 * right; 16 s and more where nobody was reached. */
#ifndef FIRMWARE_WORKER_TIMEKEEPER_H
#define FIRMWARE_WORKER_TIMEKEEPER_H

#include <stdbool.h>
#include <stddef.h>

#include "firmware/api/api.h"
#include "firmware/data/network.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/snapshot.h"
#include "hal/clock.h"
#include "net/loop.h"
#include "net/outbound.h"

/* What time it is, and who says so. */
struct timekeeper_word {
    struct outbound_reading reading;
    char source[OUTBOUND_HOST_MAX + 1];
};

struct timekeeper_options {
    struct loop *loop;
    const struct hal_clock *clock; /* as the machine has it, not hal/onward.h */
    struct outbound outbound;
    void (*settings)(void *context, struct network_time *out_time); /* views of the moment */
    void (*tell)(void *context, const struct timekeeper_word *word);
    void *context;                 /* of the two, which run on the loop's thread */
    struct snapshot_cell *cell;    /* where the state is published for timekeeper_read */
};

struct timekeeper;

/* Everything in options is borrowed for its life. It looks at the settings as soon as the loop runs. ERR_NO_MEMORY. */
enum err timekeeper_new(const struct timekeeper_options *options, struct timekeeper **out_keeper) MUST_USE;

/* After timekeeper_drain has told, or when the loop never ran. NULL is fine. */
void timekeeper_free(struct timekeeper *keeper);

/* On the loop's thread, once: asks nobody any more; on_drained follows when nothing is under way, perhaps at once. */
void timekeeper_drain(struct timekeeper *keeper, void (*on_drained)(void *context), void *context);

/* For struct api_clock: the state in the cell, for the reader that owns slot `reactor`. */
void timekeeper_read(void *cell, size_t reactor, struct api_clock_state *out_state);

#endif
