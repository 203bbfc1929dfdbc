/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which of several time servers is believed: RFC 5905 section 11.2.1 in small. Each reading is an interval, the offset give or take
 * what may be wrong with it; believed are those that share an instant with more than half of all. Of them the most exact one counts.
 * Where any server has authenticated itself, those that have not have no voice. Pure. */
#ifndef FIRMWARE_WORKER_TIME_PICK_H
#define FIRMWARE_WORKER_TIME_PICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"

#define TIME_PICK_ERROR_MAX_NS UINT64_C(1500000000) /* RFC 5905 section 11.1: MAXDIST; who knows it no better has no voice */

struct time_voice {
    bool is_there;      /* the server has answered */
    bool authenticated;
    int64_t offset_ns;  /* by which the clock here is behind, within 2^62 */
    uint64_t error_ns;
};

/* ERR_NOT_FOUND: nobody has a voice; ERR_CONFLICT: there is no majority. */
enum err time_pick(const struct time_voice *voices, size_t count, size_t *out_chosen) MUST_USE;

#endif
