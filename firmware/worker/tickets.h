/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ticket keys from the keeper to the reactors. */
#ifndef FIRMWARE_WORKER_TICKETS_H
#define FIRMWARE_WORKER_TICKETS_H

#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/snapshot.h"

/* Publishes what MSG_TICKETS brought. ERR_NO_MEMORY. */
enum err tickets_publish(const struct msg *tickets, struct snapshot_cell *cell) MUST_USE;

#endif
