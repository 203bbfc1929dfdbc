/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/worker/outbound_lane.h"

#include "hal/base/fault.h"

struct outbound_lane *outbound_lane_find(struct outbound_lane *lanes, uint64_t number)
{
    for (size_t i = 0; i < OUTBOUND_LANES; i++) {
        if (number != 0 && lanes[i].number == number) {
            return &lanes[i];
        }
    }
    return NULL;
}

bool outbound_lane_is_at(const struct outbound_lane *lanes, uint64_t place)
{
    for (size_t i = 0; i < OUTBOUND_LANES; i++) {
        if (lanes[i].number != 0 && lanes[i].place == place) {
            return true;
        }
    }
    return false;
}

enum err outbound_lane_read(struct outbound_lane *lane, enum outbound_kind kind, const struct msg *msg)
{
    const struct outbound_reading reading = {
        .unix_ns = msg->as.job_reading.unix_ns,
        .at = {msg->as.job_reading.at_ns},
        .delay_ns = msg->as.job_reading.delay_ns,
        .distance_ns = msg->as.job_reading.distance_ns,
        .stratum = msg->as.job_reading.stratum,
    };

    ENSURE(kind == OUTBOUND_TIME && !lane->read, ERR_MALFORMED, "the time, unasked");
    ENSURE(outbound_reading_fits(&reading), ERR_MALFORMED, "no time");
    lane->read = true;
    if (lane->job != NULL) {
        lane->job->reading = reading;
        lane->job->reading.authenticated = lane->job->to.tls == OUTBOUND_TLS;
    }
    return ERR_OK;
}
