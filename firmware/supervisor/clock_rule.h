/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How far a worker's word may set the clock of a box. Pure.
 *
 *   a clock in doubt     was before the date of the image at the start of the box (or within a day of it, as one is that began
 *                        there), or before the latest date that the box has kept: it had lost the time
 *   small steps          up to CLOCK_RULE_NEAR_MS, one in CLOCK_RULE_PAUSE_MS; what is led and not stepped, at any time
 *   large steps          the first setting of a clock in doubt; and the first by a source that has authenticated itself, once
 *
 * So whoever can forge plain NTP moves a clock that is believed by a quarter of an hour at a time. Who has authenticated itself
 * the worker says, and nobody can look: one that is taken over has the one large step, unless NTS has set the clock since the
 * box was started, and moves it by a quarter of an hour at a time from then on. Nothing is ever set before the date of
 * the image (firmware/init), and no date set back brings anything back (hal/onward.h). */
#ifndef FIRMWARE_SUPERVISOR_CLOCK_RULE_H
#define FIRMWARE_SUPERVISOR_CLOCK_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/time.h"

#define CLOCK_RULE_NEAR_MS  INT64_C(1000000) /* RFC 5905 appendix A.1.1: what is more panics there */
#define CLOCK_RULE_PAUSE_MS UINT64_C(600000)

/* All zero at the start of the box. */
struct clock_rule {
    bool was_set;
    bool was_authenticated; /* and by such a source */
    struct mono_time next_step;
};

struct clock_ask {
    int64_t off_ms; /* by which the clock is behind; before 0: ahead */
    bool authenticated;
    bool doubted;
    struct mono_time now;
};

/* ERR_REFUSED: too far; ERR_AGAIN: too soon after the last step. */
enum err clock_rule_judge(const struct clock_rule *rule, const struct clock_ask *ask) MUST_USE;

/* It was done. */
void clock_rule_note(struct clock_rule *rule, const struct clock_ask *ask);

/* Does it take a step? */
bool clock_rule_steps(const struct clock_ask *ask);

#endif
