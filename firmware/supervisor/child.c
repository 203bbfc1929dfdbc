/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/supervisor/child.h"

#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/num.h"
#include "hal/socket.h"

#define SEND_TIMEOUT_MS 5000 /* a child that does not read for so long is not worth waiting for */
#define CHILD_FDS 2

void child_init(struct child *child, const char *command, enum msg_channel_kind kind,
                const struct health_limits *limits)
{
    *child = (struct child){.command = command, .kind = kind, .process = {.pidfd = -1}};
    health_init(&child->health, limits);
}

static enum err watch(struct child *child, struct poller *poller)
{
    TRY(poller_add(poller, child->process.pidfd, POLLER_READ, &child->process));
    TRY(poller_add(poller, msg_channel_fd(child->control), POLLER_READ, child));
    return ERR_OK;
}

static enum err begin(struct child *child, const int *fds, size_t fd_count)
{
    const struct process_spec spec = {.arguments = {child->command}, .fds = fds, .fd_count = fd_count};

    return child->starter != NULL ? starter_start(child->starter, fds, fd_count, &child->process)
                                  : process_start(&spec, &child->process);
}

static enum err collect(struct child *child, struct process *process, enum process_end *out_end, int *out_number)
{
    return child->starter != NULL ? starter_reap(child->starter, process, out_end, out_number)
                                  : process_reap(process, 0, out_end, out_number);
}

/* A starter that does not obey has ended, and its child with it; the supervisor finds out. */
void child_kill(struct child *child)
{
    if (!child->runs) {
        return;
    }
    if (child->starter == NULL) {
        process_kill(&child->process);
    } else if (starter_kill(child->starter) != ERR_OK) {
        log_fault(LOG_ERROR, "child_not_killed");
    }
}

enum err child_start(struct child *child, struct poller *poller, int directory_fd, struct mono_time now)
{
    int ends[2] = {-1, -1};

    TRY(channel_pair(ends));
    enum err err = channel_set_timeout(ends[0], SEND_TIMEOUT_MS);
    if (err == ERR_OK) {
        err = msg_channel_new(ends[0], child->kind, MSG_UPPER, &child->control);
    }
    if (err != ERR_OK) {
        socket_close(ends[0]);
        socket_close(ends[1]);
        TRY(err);
    }
    const int fds[CHILD_FDS] = {ends[1], directory_fd};
    err = begin(child, fds, directory_fd >= 0 ? CHILD_FDS : 1);
    socket_close(ends[1]);
    if (err != ERR_OK) {
        msg_channel_free(child->control);
        child->control = NULL;
        TRY(err);
    }
    child->state = MSG_STARTING;
    child->runs = true;
    child->stopping = false;
    child->started = now;
    child->silent = false;
    child->at_fault = false;
    health_started(&child->health, now);
    LOG(LOG_INFO, "child_started", LOG_LITERAL("child", child->command), LOG_NUMBER("pid", child->process.pid));
    TRY(watch(child, poller));
    return ERR_OK;
}

void child_stop(struct child *child, enum msg_type stop, struct mono_time now, unsigned int kill_after_ms)
{
    const struct msg msg = MSG_NEW(stop);

    if (!child->runs || child->stopping) {
        return;
    }
    child->stopping = true;
    child->kill_at = mono_add_ms(now, kill_after_ms);
    if (msg_send(child->control, &msg) != ERR_OK) {
        log_fault(LOG_WARN, "child_not_asked");
        child_kill(child);
    }
}

void child_done(struct child *child, struct poller *poller)
{
    if (child->control != NULL) {
        if (poller_remove(poller, msg_channel_fd(child->control)) != ERR_OK) {
            fault_clear(); /* removed when the other end closed */
        }
        msg_channel_free(child->control);
        child->control = NULL;
    }
}

/* How long to wait after one more end, before_ms after the one before it. */
static unsigned int wait_after(unsigned int before_ms)
{
    return before_ms == 0 ? CHILD_BACKOFF_FIRST_MS : (unsigned int)num_min((size_t)before_ms * 2, CHILD_BACKOFF_LAST_MS);
}

enum child_end child_reap(struct child *child, struct poller *poller, struct mono_time now)
{
    enum process_end end = PROCESS_EXITED;
    int number = 0;
    const int pid = child->process.pid;

    if (!child->runs) {
        return CHILD_RUNS;
    }
    const int pidfd = child->process.pidfd;
    struct process process = child->process;
    if (poller_remove(poller, pidfd) != ERR_OK) {
        log_fault(LOG_WARN, "child_not_polled");
    }
    if (collect(child, &process, &end, &number) != ERR_OK) {
        fault_clear();
        if (poller_add(poller, pidfd, POLLER_READ, &child->process) != ERR_OK) {
            log_fault(LOG_WARN, "child_not_polled");
        }
        return CHILD_RUNS;
    }
    child->process = process;
    child->runs = false;
    child->silent = false;
    health_ended(&child->health);
    const bool steady = mono_ms_between(child->started, now) >= CHILD_STEADY_MS;
    const bool orderly = child->stopping && end == PROCESS_EXITED && number == 0;
    child->backoff_ms = orderly ? 0 : wait_after(steady ? 0 : child->backoff_ms);
    child->start_at = mono_add_ms(now, child->backoff_ms);
    LOG(orderly ? LOG_INFO : LOG_ERROR, "child_ended", LOG_LITERAL("child", child->command), LOG_NUMBER("pid", pid),
        LOG_LITERAL("how", end == PROCESS_EXITED ? "exit" : "signal"), LOG_NUMBER("number", number));
    child_done(child, poller);
    const bool killed = end == PROCESS_KILLED && process_is_kill(number);
    return child->at_fault || (!child->stopping && !killed) ? CHILD_CRASHED : CHILD_ENDED;
}

void child_condemn(struct child *child, const char *why)
{
    if (child->runs && !child->at_fault) {
        LOG(LOG_ERROR, "child_condemned", LOG_LITERAL("child", child->command),
            LOG_NUMBER("pid", child->process.pid), LOG_LITERAL("why", why));
        child->at_fault = true;
        child_kill(child);
    }
}

void child_answered(struct child *child)
{
    if (!health_answered(&child->health)) {
        child_condemn(child, "it answered unasked");
    }
}

static void ask(struct child *child, enum msg_type question)
{
    const struct msg msg = MSG_NEW(question);

    if (msg_send(child->control, &msg) != ERR_OK) {
        log_fault(LOG_WARN, "child_not_asked"); /* its end follows, or its silence */
    }
}

void child_look_at(struct child *child, enum msg_type question, struct mono_time now)
{
    if (!child->runs || child->stopping) {
        return; /* its end is awaited already */
    }
    const enum health_verdict verdict = health_look(&child->health, now);
    const bool silent = verdict != HEALTH_WELL && verdict != HEALTH_ASK;
    if (silent && !child->silent) {
        LOG(LOG_WARN, "child_silent", LOG_LITERAL("child", child->command), LOG_NUMBER("pid", child->process.pid));
    }
    child->silent = silent;
    switch (verdict) {
    case HEALTH_WELL:
    case HEALTH_SILENT:
        break;
    case HEALTH_ASK:
        ask(child, question);
        break;
    case HEALTH_LATE:
        child_condemn(child, "not ready in time");
        break;
    case HEALTH_HUNG:
        child_condemn(child, "no answer");
        break;
    }
}

void child_give_up(struct child *child, struct mono_time now)
{
    log_fault(LOG_ERROR, "child_not_started");
    if (child->runs) {
        child_kill(child);
    } else {
        child->start_at = mono_add_ms(now, CHILD_BACKOFF_LAST_MS);
    }
}

void child_kill_if_late(struct child *child, struct mono_time now)
{
    if (child->runs && child->stopping && now.ns >= child->kill_at.ns) {
        LOG(LOG_ERROR, "child_killed", LOG_LITERAL("child", child->command), LOG_NUMBER("pid", child->process.pid));
        child_kill(child);
        child->kill_at = mono_add_ms(now, CHILD_BACKOFF_LAST_MS);
    }
}
