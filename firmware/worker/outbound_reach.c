/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/worker/outbound_reach.h"

#include "hal/base/fault.h"
#include "hal/socket.h"

/* Where NTS is spoken, the port of NTP is agreed upon between courier and server. */
static bool port_fits(const struct outbound_destination *destination, enum msg_reach_kind kind, uint32_t port)
{
    if (destination->kind != OUTBOUND_TIME) {
        return kind == MSG_REACH_TCP && port == destination->port;
    }
    if (destination->tls == OUTBOUND_CLEAR) {
        return kind == MSG_REACH_UDP && port == destination->port;
    }
    return kind == MSG_REACH_TCP ? port == destination->port : port != 0;
}

static bool leads_to(const struct outbound_destination *destination, const struct msg *msg)
{
    return port_fits(destination, (enum msg_reach_kind)msg->as.job_reach.kind, msg->as.job_reach.port) &&
           span_equal_nocase(MSG_VIEW(&msg->as.job_reach.host), destination->host);
}

enum err outbound_reach_take(const struct outbound_reach *reach, struct outbound_lane *lane, struct msg *msg)
{
    SCOPED_FD int fd = msg->fd;

    msg->fd = -1;
    ENSURE(reach->open != NULL, ERR_MALFORMED, "a way out for one that has its own");
    if (lane == NULL || lane->job == NULL) {
        return ERR_OK;
    }
    const struct outbound_destination *const destination = &lane->job->to;
    ENSURE(leads_to(destination, msg), ERR_MALFORMED, "a way to somewhere else");
    ENSURE(lane->ways < OUTBOUND_WAYS_MAX, ERR_MALFORMED, "more ways than a job takes");
    lane->ways++;
    const struct relay_to to = {.kind = (enum msg_reach_kind)msg->as.job_reach.kind,
                                .port = (uint16_t)msg->as.job_reach.port,
                                .life_s = outbound_kind_s(destination->kind),
                                .host = msg->as.job_reach.host};
    reach->open(reach->context, &to, fd);
    fd = -1;
    return ERR_OK;
}
