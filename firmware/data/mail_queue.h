/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The queue of mails of all environments: rows of their outboxes with the status `queued`, each with the time when it is
 * due. An index has them in that order, so the first is found at once, however many there are.
 *
 * Whoever sends takes turns at it, one at a time. A turn is one operation of the writer thread: it settles the mail of
 * the turn before and hands out the next one. So what became of a mail is on disk before another is tried, and a mail is
 * sent twice only if the appliance dies between the relay's answer and the next turn.
 *
 * A row that cannot be read is passed over, and an outbox where one does not even open is left alone for a minute: the log
 * says so once an hour, and all other mails go on.
 *
 * A mail that could not be sent is tried again after 1 and 5 minutes, half an hour, 2 and 6 hours, and has failed then.
 * Spec: contract 5.11. */
#ifndef FIRMWARE_DATA_MAIL_QUEUE_H
#define FIRMWARE_DATA_MAIL_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firmware/data/data.h"
#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"
#include "hal/base/time.h"
#include "net/loop.h"
#include "net/outbound.h"

enum data_mail_outcome {
    DATA_MAIL_NONE,  /* there was no mail, or nothing is known of it: it is due as before */
    DATA_MAIL_SENT,  /* the relay has it */
    DATA_MAIL_LATER, /* to be tried again */
    DATA_MAIL_FAILED /* refused for good */
};

#define DATA_MAIL_NEVER  UINT64_MAX
#define DATA_MAIL_PAUSES 16

/* An environment whose relay was not reached: the mails that wait for it need not all find that out. */
struct data_mail_pause {
    char environment[DATA_UUID_BYTES];
    struct mono_time until; /* 0: none */
};

struct data_mail_turn;

/* Makes one, to be used over and over. ERR_NO_MEMORY. */
enum err data_mail_turn_new(struct data *data, struct loop *loop, struct data_mail_turn **out_turn) MUST_USE;
void data_mail_turn_free(struct data_mail_turn *turn); /* not between a begin and its done; NULL is fine */

/* What a turn has found. */
struct data_mail_found {
    bool mail;        /* it is in data_mail_turn_letter */
    uint64_t wait_ms; /* without one: when to look again; DATA_MAIL_NEVER: when data_config.on_mails tells */
};

/* Begins a turn: settles the mail that the turn before has found and finds the next. pauses: DATA_MAIL_PAUSES of them,
 * copied. done comes on the loop's thread, once; err: nothing was settled, and the next turn is to be given the same
 * outcome.
 * ERR_LIMIT: too much waits for the writer; then done is not called. */
typedef void data_mail_done(void *context, enum err err, const struct data_mail_found *found);
enum err data_mail_turn_begin(struct data_mail_turn *turn, enum data_mail_outcome outcome,
                              const struct data_mail_pause *pauses, data_mail_done *done, void *context) MUST_USE;

/* The mail of the last turn and where it goes; views until the next one begins. */
struct data_letter {
    struct span environment; /* its id */
    struct span id;          /* of the mail, as the outbox shows it */
    int64_t attempts;        /* before this one */
    struct outbound_destination to;
    struct outbound_mail mail;
};
const struct data_letter *data_mail_turn_letter(const struct data_mail_turn *turn);

/* Wipes that mail, and gives its memory back. What it was is still settled by the next turn. */
void data_mail_turn_wipe(struct data_mail_turn *turn);

#endif
