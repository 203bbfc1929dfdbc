/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The list of destinations, as it comes from a worker that may be anybody's: message by message, each checked. */
#ifndef FIRMWARE_SUPERVISOR_DESTINATIONS_H
#define FIRMWARE_SUPERVISOR_DESTINATIONS_H

#include <stdbool.h>

#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"

/* What a courier may reach. */
struct destination {
    uint32_t kind; /* enum outbound_kind */
    uint32_t tls;  /* enum outbound_tls */
    uint32_t port;
    uint32_t ca_bytes;
    struct msg_name host;
    struct buf *ca; /* ca_bytes of it, when it is whole */
};

struct destinations {
    uint32_t number; /* the worker's */
    uint32_t wanted; /* how many there are to come */
    bool complete;   /* all have come, and all of their CAs */
    size_t count;
    struct destination items[OUTBOUND_DESTINATIONS_MAX];
};

/* Takes MSG_WORKER_DESTINATION or MSG_WORKER_DESTINATION_CA; the first destination of a list ends the list before.
 * ERR_MALFORMED: out of order, not of one list, more than was said, or nothing that a courier reaches: the sender is to
 * be ended. ERR_NO_MEMORY. */
enum err destinations_take(struct destinations *list, const struct msg *msg) MUST_USE;

void destinations_clear(struct destinations *list);

#endif
