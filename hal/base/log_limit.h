/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines that somebody else can cause as often as they like, by messages from another process or datagrams: so many in a while,
 * and the others are counted. The first line after the while says how many there were (`lines_left_out`), so nobody can fill
 * the log, and nobody can hide that they tried.
 *
 * Each kind of line has a limit of its own, or one would hide the other. A limit belongs to one thread, and is all zero at
 * first. */
#ifndef HAL_BASE_LOG_LIMIT_H
#define HAL_BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/log.h"
#include "hal/base/time.h"

#define LOG_LIMIT_LINES 8u     /* at once: what goes wrong by itself is told whole */
#define LOG_LIMIT_MS    60000u /* the while */

struct log_limit {
    struct mono_time until; /* the end of this while */
    unsigned int lines;     /* in it, so far */
    uint64_t left_out;
};

/* Is there a line left for this event, a literal? It counts as written. */
bool log_limit_take(struct log_limit *limit, struct mono_time now, const char *event) MUST_USE;

/* As log_fault(). The trail is cleared in any case. */
void log_limit_fault(struct log_limit *limit, struct mono_time now, enum log_level level, const char *event);

/* As LOG(). */
#define LOG_LIMITED(limit, now, level, event, ...)                                                                     \
    do {                                                                                                               \
        if (log_limit_take((limit), (now), "" event)) {                                                                \
            LOG((level), event, __VA_ARGS__);                                                                          \
        }                                                                                                              \
    } while (0)

#endif
