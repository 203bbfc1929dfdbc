/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/init/clock.h"

#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/calendar.h"
#include "hal/clock.h"
#include "hal/rtc.h"

#define WRITE_MS 3600000U /* a bad chip is a second late after some hours */

enum err init_clock_open(struct init_clock *out_clock)
{
    struct init_clock clock = {.rtc = -1};

    TRY(rtc_image_date(&clock.image));
    const enum err err = rtc_open(&clock.rtc);
    if (err == ERR_NOT_FOUND) {
        fault_clear();
    } else if (err != ERR_OK) {
        log_fault(LOG_WARN, "no_rtc");
    }
    *out_clock = clock;
    return ERR_OK;
}

/* A chip that cannot be written is no reason to do without the time. */
static void write_rtc(struct init_clock *clock)
{
    if (clock->rtc >= 0 && rtc_write(clock->rtc, hal_clock_wall(hal_clock_system())) != ERR_OK) {
        log_fault(LOG_WARN, "rtc_not_set");
    }
    clock->next = mono_add_ms(hal_clock_mono(hal_clock_system()), WRITE_MS);
}

enum err init_clock_set(struct init_clock *clock, const struct init_time *time)
{
    bool stepped = false;

    const enum err err = calendar_correct(time->unix_ns, time->at, clock->image, &stepped);
    if (err != ERR_OK) {
        fault_clear(); /* this process goes on, and its next line must not tell of this */
        return err;
    }
    if (stepped || !clock->was_set) {
        write_rtc(clock);
    }
    clock->was_set = true;
    return ERR_OK;
}

void init_clock_keep(struct init_clock *clock)
{
    if (clock->was_set && hal_clock_mono(hal_clock_system()).ns >= clock->next.ns) {
        write_rtc(clock);
    }
}
