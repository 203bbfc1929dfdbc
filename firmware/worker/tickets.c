/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/worker/tickets.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "net/tls.h"

enum err tickets_publish(const struct msg *tickets, struct snapshot_cell *cell)
{
    struct tls_ticket_key current;
    struct tls_ticket_key previous;
    struct snapshot *keys = NULL;

    memcpy(current.name, tickets->as.tickets.current_name, sizeof(current.name));
    memcpy(current.key, tickets->as.tickets.current_key, sizeof(current.key));
    memcpy(previous.name, tickets->as.tickets.previous_name, sizeof(previous.name));
    memcpy(previous.key, tickets->as.tickets.previous_key, sizeof(previous.key));
    const enum err err = tls_ticket_keys_new(&current, tickets->as.tickets.has_previous == 1 ? &previous : NULL, &keys);
    mem_wipe(&current, sizeof(current));
    mem_wipe(&previous, sizeof(previous));
    TRY(err);
    snapshot_publish(cell, keys);
    return ERR_OK;
}
