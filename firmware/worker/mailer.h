/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sends the mails that wait in the outboxes: one at a time, from the queue (firmware/data/mail_queue.h) to the courier
 * (net/outbound.h), and tells the queue what became of it. It belongs to one reactor's thread, blocks nobody, and sets
 * no timer while no mail waits. */
#ifndef FIRMWARE_WORKER_MAILER_H
#define FIRMWARE_WORKER_MAILER_H

#include "firmware/data/data.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "net/loop.h"
#include "net/outbound.h"

struct mailer;

/* loop and data outlive it. It looks at the queue as soon as the loop runs. ERR_NO_MEMORY. */
enum err mailer_new(struct loop *loop, struct data *data, struct outbound outbound, struct mailer **out_mailer)
    MUST_USE;

/* After mailer_drain has told, or when the loop never ran. NULL is fine. */
void mailer_free(struct mailer *mailer);

/* On the loop's thread: what data_config.on_mails told. */
void mailer_note(struct mailer *mailer, unsigned int notes);

/* On the loop's thread, once: takes no more mails from the queue; on_drained follows when nothing is under way any more,
 * perhaps at once. A mail at hand stays in the queue unless its fate is known by then. */
void mailer_drain(struct mailer *mailer, void (*on_drained)(void *context), void *context);

#endif
