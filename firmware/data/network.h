/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The network settings of the appliance: of whom it asks the time. They stand in the document of its one organization (`network`),
 * sealed as every row. Spec: contract 10.2, /v1/admin/network. */
#ifndef FIRMWARE_DATA_NETWORK_H
#define FIRMWARE_DATA_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firmware/data/access.h"
#include "firmware/data/call.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define NETWORK_TIME_SERVERS_MAX 4    /* one that lies is outvoted by two; OUTBOUND_TIMES */
#define NETWORK_NTS_PORT         4460 /* of the key exchange: RFC 8915 */
#define NETWORK_NTP_PORT         123

struct network_time_server {
    struct span host;
    struct span ca; /* PEM; empty: the system's. With NTS alone */
    uint16_t port;
    bool nts; /* else plain NTP, whose answers anybody on the way can forge */
};

struct network_time {
    size_t count;
    struct network_time_server servers[NETWORK_TIME_SERVERS_MAX];
};

/* What is stored: views into the catalogue. None, if nothing is, or if what is there may not be. */
void network_time_read(const struct catalog *catalog, struct network_time *out_time);

/* The members of `time`: `servers`. */
void network_time_write(struct json_out *out, const struct network_time *time);

/* PUT: replaces what the body names. ERR_DENIED common/invalid-parameters. */
data_operation data_network_set;

#endif
