/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The courier: started for a list of destinations, and for that one only.
 *
 *   list       told by the worker, in parts; complete, it waits until the last change is CONFIG_COURIER_CHANGE_MS ago
 *   change     each destination is logged, the courier that there is is asked to end, and one with the new list follows;
 *              the empty list has none
 *   worker     ends: its list is worth nothing any more
 *   courier    dies: started again after a wait; its jobs are the worker's business. It never fails the box, and the
 *              watchdog does not ask after it */
#include "firmware/supervisor/supervisor_int.h"

#include "hal/base/buf.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/num.h"
#include "hal/socket.h"

#define COURIER_KILL_MS 10000U /* a mail that is being taken may take a moment; then it is sent again */

void supervisor_on_destination(struct supervisor *supervisor)
{
    if (destinations_take(&supervisor->told, &supervisor->in) != ERR_OK) {
        log_limit_fault(&supervisor->lines.refused, hal_clock_mono(supervisor->clock), LOG_ERROR, "child_refused");
        child_condemn(&supervisor->worker, "it sent what it may not");
    }
}

static void change_list(struct supervisor *supervisor, struct mono_time now)
{
    destinations_clear(&supervisor->list);
    supervisor->list = supervisor->told;
    supervisor->told = (struct destinations){.count = 0};
    supervisor->next_list = mono_add_ms(now, CONFIG_COURIER_CHANGE_MS);
    for (size_t i = 0; i < supervisor->list.count; i++) {
        const struct destination *const destination = &supervisor->list.items[i];
        LOG(LOG_INFO, "courier_destination", LOG_NUMBER("list", supervisor->list.number),
            LOG_LITERAL("kind", outbound_kind_name((enum outbound_kind)destination->kind)),
            LOG_LITERAL("tls", outbound_tls_name((enum outbound_tls)destination->tls)),
            LOG_TEXT("host", MSG_VIEW(&destination->host)), LOG_NUMBER("port", destination->port),
            LOG_NUMBER("ca_bytes", destination->ca_bytes));
    }
    child_stop(&supervisor->courier, MSG_COURIER_STOP, now, COURIER_KILL_MS);
}

static enum err send_ca(struct supervisor *supervisor, struct span ca)
{
    struct span rest = ca;

    while (rest.len != 0) {
        const size_t part = num_min(rest.len, MSG_PART_MAX);
        supervisor->out = MSG_NEW(MSG_COURIER_DESTINATION_CA);
        TRY(MSG_SET(&supervisor->out.as.part, span_of(rest.data, part)));
        TRY(msg_send(supervisor->courier.control, &supervisor->out));
        rest = span_of(rest.data + part, rest.len - part);
    }
    return ERR_OK;
}

static enum err send_list(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->list.count; i++) {
        const struct destination *const destination = &supervisor->list.items[i];
        supervisor->out = MSG_NEW(MSG_COURIER_DESTINATION);
        supervisor->out.as.destination.list = supervisor->list.number;
        supervisor->out.as.destination.index = (uint32_t)i;
        supervisor->out.as.destination.count = (uint32_t)supervisor->list.count;
        supervisor->out.as.destination.kind = destination->kind;
        supervisor->out.as.destination.tls = destination->tls;
        supervisor->out.as.destination.port = destination->port;
        supervisor->out.as.destination.ca_bytes = destination->ca_bytes;
        supervisor->out.as.destination.host = destination->host;
        TRY(msg_send(supervisor->courier.control, &supervisor->out));
        TRY(send_ca(supervisor, buf_all(destination->ca)));
    }
    return ERR_OK;
}

static enum err start_courier(struct supervisor *supervisor, struct mono_time now)
{
    SCOPED_FD int upper = -1;
    SCOPED_FD int lower = -1;
    int ends[2] = {-1, -1};

    TRY(child_start(&supervisor->courier, supervisor->poller, -1, now));
    TRY(send_list(supervisor));
    TRY(channel_pair(ends));
    upper = ends[0];
    lower = ends[1];
    supervisor->out = MSG_NEW(MSG_COURIER_START);
    supervisor->out.fd = lower;
    supervisor->out.as.courier_start = supervisor->frames >= 0 ? 1 : 0;
    TRY(msg_send(supervisor->courier.control, &supervisor->out));
    supervisor->out = MSG_NEW(MSG_WORKER_COURIER);
    supervisor->out.fd = upper;
    supervisor->out.as.list = supervisor->list.number;
    return msg_send(supervisor->worker.control, &supervisor->out);
}

/* Only a worker that serves rows has settings, and only while it runs is there anybody to work for. */
static bool may_run(const struct supervisor *supervisor)
{
    return supervisor->worker.runs && !supervisor->worker.stopping && supervisor->worker.state == MSG_OPERATIONAL &&
           supervisor->state == BOARD_OPERATIONAL && !supervisor->failed;
}

void supervisor_advance_courier(struct supervisor *supervisor, struct mono_time now)
{
    struct child *const courier = &supervisor->courier;

    if (supervisor->ending || !may_run(supervisor)) {
        destinations_clear(&supervisor->told);
        destinations_clear(&supervisor->list);
        child_stop(courier, MSG_COURIER_STOP, now, COURIER_KILL_MS);
        return;
    }
    if (supervisor->told.complete && now.ns >= supervisor->next_list.ns) {
        change_list(supervisor, now);
    }
    if (!courier->runs && supervisor->list.count != 0 && now.ns >= courier->start_at.ns &&
        start_courier(supervisor, now) != ERR_OK) {
        child_give_up(courier, now);
    }
}

void supervisor_on_courier(struct supervisor *supervisor)
{
    if (supervisor->in.type == MSG_COURIER_READY) {
        supervisor->courier.state = MSG_OPERATIONAL;
        health_ready(&supervisor->courier.health, hal_clock_mono(supervisor->clock));
    } else {
        child_answered(&supervisor->courier);
    }
}

uint64_t supervisor_courier_wait_ms(const struct supervisor *supervisor, struct mono_time now)
{
    uint64_t wait = UINT64_MAX;

    if (supervisor->told.complete) {
        wait = mono_ms_between(now, supervisor->next_list);
    }
    if (!supervisor->courier.runs && supervisor->list.count != 0) {
        wait = num_min(wait, mono_ms_between(now, supervisor->courier.start_at));
    }
    return wait;
}
