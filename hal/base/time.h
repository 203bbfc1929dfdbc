/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Instants. Two kinds that must not be mixed: time since boot for timeouts, time of the calendar for records. */
#ifndef HAL_BASE_TIME_H
#define HAL_BASE_TIME_H

#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

struct mono_time {
    uint64_t ns; /* since an arbitrary start; never goes back */
};

struct wall_time {
    int64_t ms; /* since 1970-01-01T00:00:00Z, without leap seconds; may step */
};

#define TIME_NS_PER_MS UINT64_C(1000000)
#define TIME_ISO_BYTES 24 /* "2026-01-02T03:04:05.678Z" */
#define TIME_WALL_MS_MAX INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z, the last instant that the format holds */

static inline struct mono_time mono_add_ms(struct mono_time time, uint64_t ms)
{
    return (struct mono_time){time.ns + ms * TIME_NS_PER_MS};
}

/* Whole milliseconds from earlier to later; 0 if later is not later. */
static inline uint64_t mono_ms_between(struct mono_time earlier, struct mono_time later)
{
    return later.ns <= earlier.ns ? 0 : (later.ns - earlier.ns) / TIME_NS_PER_MS;
}

/* Writes TIME_ISO_BYTES characters, without a NUL. The instant must lie in the years 0 to 9999 (clamped otherwise).
 * Spec: contract 1.7. */
void time_format_iso(struct wall_time time, char out_text[TIME_ISO_BYTES]);

/* Reads an ISO 8601 calendar date ("2026-01-02") or date-time with optional seconds, fraction and offset ("Z",
 * "+02:00"); a date is midnight UTC, no offset means UTC; digits of a fraction past the third are dropped.
 * ERR_MALFORMED for anything else, also for a 30th of February. Spec: contract 4.5, type date. */
enum err time_parse_iso(struct span text, struct wall_time *out_time) MUST_USE;

#endif
