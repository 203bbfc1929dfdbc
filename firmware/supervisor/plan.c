/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A planned change of Secure Boot on its way from the worker to the keeper and back; what it says is for the keeper alone to judge.
 * One at a time; an answer that comes when the worker that asked is gone is nobody's. */
#include "firmware/supervisor/supervisor_int.h"

#include "hal/base/fault.h"
#include "hal/base/log.h"

static void answer(struct supervisor *supervisor, uint64_t number, enum err err)
{
    supervisor->out = MSG_NEW(MSG_WORKER_PLANNED);
    supervisor->out.as.worker_planned.number = number;
    supervisor->out.as.worker_planned.err = (uint32_t)err;
    if (supervisor->worker.control == NULL || msg_send(supervisor->worker.control, &supervisor->out) != ERR_OK) {
        log_limit_fault(&supervisor->lines.untold, hal_clock_mono(supervisor->clock), LOG_WARN, "child_not_told");
    }
}

static enum err ask_keeper(struct supervisor *supervisor)
{
    const struct child *const keeper = &supervisor->keeper;

    ENSURE(!supervisor->plan_asked, ERR_LIMIT, "another plan is under way");
    ENSURE(keeper->runs && !keeper->stopping && keeper->state == MSG_OPERATIONAL, ERR_STATE, "the box is not open");
    supervisor->out = MSG_NEW(MSG_KEEPER_PLAN);
    supervisor->out.as.keeper_plan = supervisor->in.as.worker_plan.plan;
    return msg_send(keeper->control, &supervisor->out);
}

void supervisor_on_plan(struct supervisor *supervisor)
{
    const uint64_t number = supervisor->in.as.worker_plan.number;

    const enum err err = ask_keeper(supervisor);
    if (err != ERR_OK) {
        fault_clear();
        answer(supervisor, number, err);
        return;
    }
    supervisor->plan_asked = true;
    supervisor->plan_of_worker = true;
    supervisor->plan_number = number;
}

void supervisor_on_planned(struct supervisor *supervisor, enum err err)
{
    if (supervisor->plan_asked && supervisor->plan_of_worker) {
        answer(supervisor, supervisor->plan_number, err);
    }
    supervisor->plan_asked = false;
    LOG_LIMITED(&supervisor->lines.plans, hal_clock_mono(supervisor->clock), err == ERR_OK ? LOG_INFO : LOG_WARN,
                "secure_boot_planned", LOG_LITERAL("error", err_name(err)));
}

void supervisor_plan_lost(struct supervisor *supervisor, const struct child *child)
{
    if (child == &supervisor->worker) {
        supervisor->plan_of_worker = false;
    } else if (child == &supervisor->keeper && supervisor->plan_asked) {
        supervisor_on_planned(supervisor, ERR_CLOSED);
    }
}
