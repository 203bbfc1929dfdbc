/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/base/log_limit.h"

#include "hal/base/fault.h"

static void begin(struct log_limit *limit, struct mono_time now, const char *event)
{
    if (limit->left_out != 0) {
        LOG(LOG_WARN, "lines_left_out", LOG_LITERAL("of", event), LOG_NUMBER("count", limit->left_out));
    }
    *limit = (struct log_limit){.until = mono_add_ms(now, LOG_LIMIT_MS)};
}

bool log_limit_take(struct log_limit *limit, struct mono_time now, const char *event)
{
    if (now.ns >= limit->until.ns) {
        begin(limit, now, event);
    }
    if (limit->lines == LOG_LIMIT_LINES) {
        limit->left_out++;
        return false;
    }
    limit->lines++;
    return true;
}

void log_limit_fault(struct log_limit *limit, struct mono_time now, enum log_level level, const char *event)
{
    if (log_limit_take(limit, now, event)) {
        log_fault(level, event);
    } else {
        fault_clear();
    }
}
