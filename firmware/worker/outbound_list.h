/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The destinations of the courier, as the worker keeps them: those that jobs have named of late. */
#ifndef FIRMWARE_WORKER_OUTBOUND_LIST_H
#define FIRMWARE_WORKER_OUTBOUND_LIST_H

#include <stdbool.h>

#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/time.h"
#include "net/outbound.h"

/* They are asked every 1024 s at the latest, and the keys that were agreed with them live in the courier. */
#define OUTBOUND_LIST_TIME_IDLE_MS UINT64_C(2100000)

struct outbound_entry {
    uint64_t id;                    /* from 1 on; never given to another */
    struct outbound_destination to; /* views of the rest */
    struct msg_name host;
    struct buf *ca;
    struct mono_time used;
    struct mono_time paused_until;    /* it did not answer, and is left alone; 0: never */
    enum outbound_stage failed_stage; /* that is where */
};

struct outbound_list {
    uint32_t number; /* of what was told last; 0: nothing yet */
    bool changed;    /* since then */
    uint64_t last_id;
    size_t count;
    struct outbound_entry items[OUTBOUND_DESTINATIONS_MAX];
};

/* Its place; count if it is not on the list. */
size_t outbound_list_find(const struct outbound_list *list, const struct outbound_destination *to);

/* Notes that it is wanted now. A new one takes the place of the one that was wanted longest ago, but of none that is
 * wanted now too. ERR_LIMIT: so many are; ERR_NO_MEMORY. */
enum err outbound_list_want(struct outbound_list *list, const struct outbound_destination *to, struct mono_time now)
    MUST_USE;

/* Leaves the entry with this id alone for so long. NULL: it is left alone already, or not on the list any more. */
const struct outbound_entry *outbound_list_pause(struct outbound_list *list, uint64_t id, enum outbound_stage stage,
                                                 struct mono_time now, uint64_t pause_ms);

/* Is it left alone now, and how far did the one come who found out? */
bool outbound_list_is_paused(const struct outbound_list *list, const struct outbound_destination *to,
                             struct mono_time now, enum outbound_stage *out_stage);

/* Tells all of it under a new number. ERR_AGAIN: not all could be sent, to be tried again later; others of msg_send. */
enum err outbound_list_tell(struct outbound_list *list, struct msg_channel *control, struct msg *scratch) MUST_USE;

/* Forgets those that nobody has wanted for so long; time servers after OUTBOUND_LIST_TIME_IDLE_MS at the earliest. */
void outbound_list_age(struct outbound_list *list, uint64_t idle_ms, struct mono_time now);

/* Until the next one is to be forgotten; UINT64_MAX: the list is empty. */
uint64_t outbound_list_wait_ms(const struct outbound_list *list, uint64_t idle_ms, struct mono_time now);

void outbound_list_clear(struct outbound_list *list);

#endif
