/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How often the keeper does something for the worker: a bucket of one second's worth, filled by the clock. A taken-over
 * worker cannot use the keeper's keys as a service for the world. Belongs to one thread. */
#ifndef FIRMWARE_KEEPER_BUCKET_H
#define FIRMWARE_KEEPER_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/log_limit.h"
#include "hal/base/time.h"

struct bucket {
    uint64_t per_s;
    uint64_t left; /* what may be taken at once */
    struct mono_time filled;
    bool limiting;    /* said so in the log */
    struct log_limit lines;
    const char *what; /* for the log: a literal */
};

void bucket_init(struct bucket *bucket, uint64_t per_s, const char *what, struct mono_time now);

/* Takes one. ERR_LIMIT: none is left; the log says so once. */
enum err bucket_take(struct bucket *bucket, struct mono_time now) MUST_USE;

#endif
