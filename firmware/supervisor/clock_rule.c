/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/supervisor/clock_rule.h"

#include "hal/calendar.h"

static bool is_within(int64_t off_ms, int64_t bound_ms)
{
    return off_ms < bound_ms && off_ms > -bound_ms;
}

bool clock_rule_steps(const struct clock_ask *ask)
{
    return !is_within(ask->off_ms, CALENDAR_SLEW_MS);
}

enum err clock_rule_judge(const struct clock_rule *rule, const struct clock_ask *ask)
{
    const bool is_first = ask->authenticated ? !rule->was_authenticated : !rule->was_set && ask->doubted;

    if (!clock_rule_steps(ask) || is_first) {
        return ERR_OK;
    }
    if (!is_within(ask->off_ms, CLOCK_RULE_NEAR_MS + 1)) {
        return ERR_REFUSED;
    }
    return ask->now.ns < rule->next_step.ns ? ERR_AGAIN : ERR_OK;
}

void clock_rule_note(struct clock_rule *rule, const struct clock_ask *ask)
{
    rule->was_set = true;
    rule->was_authenticated = rule->was_authenticated || ask->authenticated;
    if (clock_rule_steps(ask)) {
        rule->next_step = mono_add_ms(ask->now, CLOCK_RULE_PAUSE_MS);
    }
}
