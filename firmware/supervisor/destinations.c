/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/supervisor/destinations.h"

#include "hal/base/fault.h"

void destinations_clear(struct destinations *list)
{
    for (size_t i = 0; i < list->count; i++) {
        buf_free(list->items[i].ca);
    }
    *list = (struct destinations){.count = 0};
}

/* Has all of its CA come? */
static bool last_is_whole(const struct destinations *list)
{
    const struct destination *const last = list->count == 0 ? NULL : &list->items[list->count - 1];

    return last == NULL || buf_len(last->ca) == last->ca_bytes;
}

static bool fits(const struct destination *destination)
{
    const struct outbound_destination to = {
        .kind = (enum outbound_kind)destination->kind,
        .tls = (enum outbound_tls)destination->tls,
        .port = (uint16_t)destination->port,
        .host = MSG_VIEW(&destination->host),
    };

    return destination->port <= UINT16_MAX && outbound_destination_fits(&to);
}

static enum err add(struct destinations *list, const struct msg *msg)
{
    struct destination *const destination = &list->items[list->count];

    destination->kind = msg->as.destination.kind;
    destination->tls = msg->as.destination.tls;
    destination->port = msg->as.destination.port;
    destination->host = msg->as.destination.host;
    destination->ca_bytes = msg->as.destination.ca_bytes;
    ENSURE(fits(destination), ERR_MALFORMED, "a destination that does not fit");
    TRY(buf_new(OUTBOUND_CA_MAX, &destination->ca));
    list->count++;
    return ERR_OK;
}

static enum err take_destination(struct destinations *list, const struct msg *msg)
{
    const uint32_t index = msg->as.destination.index;

    if (index == 0) {
        destinations_clear(list);
        list->number = msg->as.destination.list;
        list->wanted = msg->as.destination.count;
    }
    ENSURE(msg->as.destination.count == list->wanted && msg->as.destination.list == list->number, ERR_MALFORMED,
           "a destination of another list");
    ENSURE(index == list->count && last_is_whole(list), ERR_MALFORMED, "a list out of order");
    if (list->wanted == 0) {
        return ERR_OK;
    }
    ENSURE(index < list->wanted, ERR_MALFORMED, "more destinations than were said");
    return add(list, msg);
}

static enum err take_ca(struct destinations *list, struct span part)
{
    ENSURE(!last_is_whole(list), ERR_MALFORMED, "a CA of no destination");
    struct destination *const last = &list->items[list->count - 1];

    ENSURE(part.len != 0 && part.len <= last->ca_bytes - buf_len(last->ca), ERR_MALFORMED, "more of a CA than was said");
    return buf_put(last->ca, part);
}

enum err destinations_take(struct destinations *list, const struct msg *msg)
{
    const bool is_ca = msg->type == MSG_WORKER_DESTINATION_CA;

    list->complete = false;
    TRY(is_ca ? take_ca(list, MSG_VIEW(&msg->as.part)) : take_destination(list, msg));
    list->complete = list->count == list->wanted && last_is_whole(list);
    return ERR_OK;
}
