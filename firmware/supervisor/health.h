/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What to make of a child's signs of life: when it is asked for one, when it is given up, and when it has crashed too
 * often. Decides only: the clock is passed in, and the caller asks, kills and logs.
 *
 *   start    a child that is not ready start_ms after its start is late
 *   silence  a ready child is asked again some time after each answer; one that has not answered silence_ms after a
 *            question is hung, and silent from half of that on
 *   crashes  counted over all children of this name, however long each of them lived and served
 *
 * Time is counted from look to look, and no step counts for more than HEALTH_STEP_MAX_MS: where the supervisor itself or
 * the whole machine stood still, the child had no chance to answer either. */
#ifndef FIRMWARE_SUPERVISOR_HEALTH_H
#define FIRMWARE_SUPERVISOR_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/time.h"

#define HEALTH_STEP_MAX_MS 2000U /* twice the time from one look to the next */
#define HEALTH_CRASHES_MAX 20U

struct health_limits {
    unsigned int start_ms;   /* 0: takes as long as it takes */
    unsigned int silence_ms;
    unsigned int crashes;    /* so many within window_ms are too many; at most HEALTH_CRASHES_MAX */
    unsigned int window_ms;
};

/* From Kconfig; limits.c. */
extern const struct health_limits health_of_keeper;
extern const struct health_limits health_of_worker;
extern const struct health_limits health_of_courier;
extern const struct health_limits health_of_check; /* a worker that checks a database */

enum health_phase { HEALTH_ENDED, HEALTH_STARTING, HEALTH_READY };

enum health_verdict {
    HEALTH_WELL,
    HEALTH_ASK,    /* send it a question; said once, until the answer */
    HEALTH_SILENT, /* wait, but do not vouch for it */
    HEALTH_LATE,   /* end it */
    HEALTH_HUNG    /* end it */
};

struct health {
    const struct health_limits *limits;
    enum health_phase phase;
    bool asked;
    struct mono_time looked;
    uint64_t waited_ms; /* for the start, the next question or its answer */
    size_t crash_count;
    struct mono_time crashes[HEALTH_CRASHES_MAX]; /* the latest, oldest first */
};

/* limits is borrowed. No child has run yet. */
void health_init(struct health *health, const struct health_limits *limits);

/* What happens to the child. */
void health_started(struct health *health, struct mono_time now);
void health_ready(struct health *health, struct mono_time now);
void health_ended(struct health *health);

/* It answered; false: it was not asked. */
bool health_answered(struct health *health);

/* To be asked about once a second. */
enum health_verdict health_look(struct health *health, struct mono_time now);

/* It ended by a fault of its own. Is that one too many? */
bool health_crashed(struct health *health, struct mono_time now);

#endif
