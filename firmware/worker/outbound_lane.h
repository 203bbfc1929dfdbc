/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each lane of the courier has at hand, as the worker keeps it. Arrays here have OUTBOUND_LANES items. */
#ifndef FIRMWARE_WORKER_OUTBOUND_LANE_H
#define FIRMWARE_WORKER_OUTBOUND_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/time.h"
#include "net/outbound.h"

struct outbound_lane {
    uint64_t number;          /* of what the courier has; 0: nothing */
    struct outbound_job *job; /* the same; NULL: whoever asked was told that its time was over */
    uint64_t place;           /* whom it is for: outbound_entry.id */
    struct mono_time since;   /* when it was given */
    bool read;                /* a time server has said what time it is */
    unsigned int ways;        /* that the courier was given for it */
};

/* The one that has this job; NULL: none. */
struct outbound_lane *outbound_lane_find(struct outbound_lane *lanes, uint64_t number);

/* Is a lane at that place? */
bool outbound_lane_is_at(const struct outbound_lane *lanes, uint64_t place);

/* Takes MSG_JOB_READING for a lane of that kind. ERR_MALFORMED: it was not asked, or this is no time. */
enum err outbound_lane_read(struct outbound_lane *lane, enum outbound_kind kind, const struct msg *msg) MUST_USE;

#endif
