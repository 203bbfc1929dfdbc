/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answers that come at their hour. A row that is kept and one that is not take microseconds more or less in the writer,
 * whatever is done about it; so whether a mail was sent must not be what ends the wait.
 * Spec: contract 5.5 (identical for unknown email). */
#include "firmware/api/request_int.h"

#include <stddef.h>

#include "hal/base/fault.h"

static void on_time(struct loop_timer *timer)
{
    struct api_request *request = (void *)((char *)timer - offsetof(struct api_request, hold));

    request->hold_ms = 0;
    request_finish(request, request->held);
}

bool request_hold(struct api_request *request, enum err err)
{
    const struct http_exchange *exchange = request->exchange;

    if (request->hold_ms == 0 || (err != ERR_OK && err != ERR_DENIED)) {
        return false;
    }
    const uint64_t waited_ms = mono_ms_between(exchange->received, loop_clock_now(exchange->loop));
    const uint64_t holds = waited_ms / request->hold_ms + 1;

    fault_clear();
    request->held = err;
    request->hold.on_time = on_time;
    loop_timer_set(exchange->loop, &request->hold, mono_add_ms(exchange->received, holds * request->hold_ms));
    return true;
}
