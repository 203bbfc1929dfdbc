/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of the outbox, for the files of this folder. */
#ifndef FIRMWARE_DATA_OUTBOX_INT_H
#define FIRMWARE_DATA_OUTBOX_INT_H

#include "firmware/data/people_int.h"
#include "firmware/mail/template.h"

#define OUTBOX_KEPT_MS INT64_C(604800000) /* 7 days: contract 5.11 */
#define OUTBOX_QUEUED  span_lit("queued") /* statuses */
#define OUTBOX_LOCAL   span_lit("local")
#define OUTBOX_SENT    span_lit("sent")
#define OUTBOX_FAILED  span_lit("failed")

/* Columns. A number is never given to another thing. */
enum outbox_column {
    OUTBOX_ID = 1,
    OUTBOX_TO,
    OUTBOX_CATEGORY, /* its name */
    OUTBOX_SUBJECT,
    OUTBOX_BODY, /* HTML */
    OUTBOX_LINK,
    OUTBOX_CODE,
    OUTBOX_STATUS,
    OUTBOX_ATTEMPTS,
    OUTBOX_NEXT_AT, /* of mails that were written before there was a queue; it says nothing */
    OUTBOX_DUE_AT,  /* of queued ones alone, whose order this is */
    OUTBOX_COLUMN_END
};

/* A mail as a row says; all spans are views into it. */
struct outbox_mail {
    struct row row;
    struct span id, to, category, subject, body, link, code;
    struct span status; /* local: it goes nowhere else. queued, sent, failed: by the relay */
    int64_t attempts;
    struct wall_time due_at; /* of a queued one: when it is tried next */
};
enum err outbox_read(const struct row *row, struct outbox_mail *out_mail) MUST_USE;

/* What a mail is made of. */
struct outbox_order {
    enum mail_category category;
    struct span
        to; /* as account_email_read makes it, so no header can end in it; its code_owner_of_email owns the row */
    struct span link, code;
    struct mail_values values;
};

/* Some mails of more than 7 days go. */
enum err outbox_sweep(struct data_txn *txn) MUST_USE;

/* Renders and stores a mail. data->text is used up, here and below. */
enum err outbox_put(struct data_txn *txn, const struct outbox_order *order, struct row_id *out_row) MUST_USE;

/* A mail, and room for it: some of more than 7 days go, or the oldest where there are as many as there may be. */
enum err outbox_send(struct data_txn *txn, const struct outbox_order *order) MUST_USE;

/* The same work for a mail that does not stay: what is over goes, and the oldest is there again in the end, so that mails to
 * nobody empty no outbox. */
enum err outbox_pretend(struct data_txn *txn, const struct outbox_order *order) MUST_USE;

/* Stores a mail that was found in this transaction again. Its views end. */
enum err outbox_replace(struct data_txn *txn, const struct outbox_mail *mail) MUST_USE;

/* Some of the mails that wait in the queue of the transaction's environment are due now: the relay is another. */
enum err outbox_hurry(struct data_txn *txn) MUST_USE;

void outbox_write(struct json_out *out, const struct outbox_mail *mail);

/* --- lists: outbox_list.c --- */

struct outbox_filter {
    char email[HEX_BYTES(SHA256_BYTES)]; /* code_owner_of_email */
    size_t email_len;                    /* 0: any */
    struct span category;                /* empty: any */
};
enum err outbox_filter_read(struct arena *arena, struct span query, struct outbox_filter *out, struct refusal *refusal)
    MUST_USE;

struct outbox_list;

struct outbox_list_input {
    struct store_snap *snap; /* borrowed; no other scan meanwhile */
    struct table_id outbox;
    struct span environment; /* its id, for the log; borrowed */
    struct outbox_filter filter;
    struct data_page page;
    struct wall_time now;
    struct buf *out;
};

/* The caller frees it. ERR_NO_MEMORY; ERR_NOT_FOUND: the table is gone. */
enum err outbox_list_new(const struct outbox_list_input *input, struct outbox_list **out_list) MUST_USE;
void outbox_list_free(struct outbox_list *list); /* NULL is fine */

/* As list_query_step. */
enum err outbox_list_step(struct outbox_list *list, struct store_budget *budget) MUST_USE;

#endif
