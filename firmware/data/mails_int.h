/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A code and the mail that brings it, together: for the operations on users. */
#ifndef FIRMWARE_DATA_MAILS_INT_H
#define FIRMWARE_DATA_MAILS_INT_H

#include "firmware/data/codes_int.h"
#include "firmware/data/outbox_int.h"

struct mails_order {
    enum data_code_purpose purpose;
    const struct data_mail *mail;
    const struct person *person; /* NULL: the address is nobody's */
    struct span email;           /* where it goes; empty: to the person's */
    struct span name;            /* of who signs up by the code; or empty */
};

/* Stores both. ERR_FULL and other failures of the store. */
enum err mails_send(struct data_txn *txn, const struct mails_order *order) MUST_USE;

/* The same work, with nothing left of it in the end: an address that gets no mail takes no less time (contract 5.5). */
enum err mails_pretend(struct data_txn *txn, const struct mails_order *order) MUST_USE;

#endif
