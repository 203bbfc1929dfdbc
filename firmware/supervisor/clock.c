/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The clock of a box: the worker says what servers have told it, this process whether that may be, and the first process, which
 * has root, sets it. On a host the clock is the host's business, and nobody is asked. */
#include "firmware/supervisor/supervisor_int.h"

#include "firmware/init_link.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/rtc.h"

#define DAY_MS INT64_C(86400000)

enum err supervisor_open_clock(struct supervisor *supervisor)
{
    supervisor->clock = hal_clock_system();
    hal_onward_init(&supervisor->calendar, supervisor->clock);
    if (supervisor->options->init_fd < 0) {
        return ERR_OK;
    }
    TRY(rtc_image_date(&supervisor->image));
    supervisor_look_at_clock(supervisor);
    return ERR_OK;
}

/* A clock that had lost the time does not find it by going on for a day. */
void supervisor_look_at_clock(struct supervisor *supervisor)
{
    supervisor->clock_doubted = hal_clock_wall(supervisor->clock).ms < supervisor->image.ms + DAY_MS;
}

static bool is_doubted(const struct supervisor *supervisor)
{
    return supervisor->clock_doubted || hal_onward_lag_ms(&supervisor->calendar) != 0;
}

/* Each refusal is told once, and again when the clock was set in between. */
static void tell_refused(struct supervisor *supervisor, const struct clock_setting *setting)
{
    const int64_t off_ms = setting->ask.off_ms;

    if (!supervisor->clock_refused) {
        LOG_LIMITED(&supervisor->lines.clock_refused, setting->ask.now, LOG_WARN, "clock_step_refused",
                    LOG_TEXT("source", MSG_VIEW(&setting->source)),
                    LOG_LITERAL("clock", off_ms < 0 ? "ahead" : "behind"),
                    LOG_NUMBER("seconds", (uint64_t)(off_ms < 0 ? -off_ms : off_ms) / 1000));
    }
    supervisor->clock_refused = true;
}

static enum err read_setting(const struct supervisor *supervisor, struct init_time *out_time,
                             struct clock_setting *out_setting)
{
    const struct mono_time now = hal_clock_mono(supervisor->clock);
    const struct wall_time wall = hal_clock_wall(supervisor->clock);
    const uint64_t at_ns = supervisor->in.as.worker_time.at_ns;
    const uint64_t unix_ms = supervisor->in.as.worker_time.unix_ns / TIME_NS_PER_MS;

    ENSURE(at_ns <= now.ns, ERR_MALFORMED, "a time of an instant to come");
    out_time->unix_ns = supervisor->in.as.worker_time.unix_ns;
    out_time->at.ns = at_ns;
    out_setting->from = wall;
    out_setting->to.ms = (int64_t)(unix_ms + mono_ms_between(out_time->at, now));
    out_setting->source = supervisor->in.as.worker_time.source;
    out_setting->ask = (struct clock_ask){.off_ms = out_setting->to.ms - wall.ms,
                                          .authenticated = supervisor->in.as.worker_time.authenticated == 1,
                                          .doubted = is_doubted(supervisor),
                                          .now = now};
    return ERR_OK;
}

void supervisor_on_time(struct supervisor *supervisor)
{
    struct init_time time = {.unix_ns = 0};
    struct clock_setting setting = {.ask = {.off_ms = 0}};

    if (read_setting(supervisor, &time, &setting) != ERR_OK) {
        fault_clear();
        child_condemn(&supervisor->worker, "it told a time that cannot be");
        return;
    }
    if (supervisor->options->init_fd < 0 || supervisor->clock_asked || supervisor->volume == VOLUME_ASKED) {
        return; /* the next reading comes */
    }
    if (supervisor->worker.state != MSG_OPERATIONAL) {
        return; /* one that served a locked box and ends: it had nobody to ask */
    }
    const enum err err = clock_rule_judge(&supervisor->clock_rule, &setting.ask);
    if (err == ERR_REFUSED) {
        tell_refused(supervisor, &setting);
    }
    if (err == ERR_OK && init_link_ask_time(supervisor->options->init_fd, &time) != ERR_OK) {
        log_limit_fault(&supervisor->lines.clock_not_set, setting.ask.now, LOG_WARN, "clock_not_set");
    } else if (err == ERR_OK) {
        supervisor->clock_asked = true;
        supervisor->setting = setting;
    }
}

void supervisor_on_clock_set(struct supervisor *supervisor, enum err result)
{
    const struct clock_setting *const setting = &supervisor->setting;
    char from[TIME_ISO_BYTES];
    char to[TIME_ISO_BYTES];

    supervisor->clock_asked = false;
    if (result != ERR_OK) {
        LOG_LIMITED(&supervisor->lines.clock_not_set, hal_clock_mono(supervisor->clock), LOG_WARN, "clock_not_set",
                    LOG_LITERAL("error", err_name(result)));
        return;
    }
    if (clock_rule_steps(&setting->ask)) {
        time_format_iso(setting->from, from);
        time_format_iso(setting->to, to);
        LOG(LOG_WARN, "clock_stepped", LOG_TEXT("from", span_array(from)), LOG_TEXT("to", span_array(to)),
            LOG_TEXT("source", MSG_VIEW(&setting->source)),
            LOG_LITERAL("authenticated", setting->ask.authenticated ? "yes" : "no"));
    } else if (!supervisor->clock_rule.was_set) {
        LOG(LOG_INFO, "clock_led", LOG_TEXT("source", MSG_VIEW(&setting->source)),
            LOG_LITERAL("authenticated", setting->ask.authenticated ? "yes" : "no"));
    }
    clock_rule_note(&supervisor->clock_rule, &setting->ask);
    supervisor->clock_refused = false;
}
