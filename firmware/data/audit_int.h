/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The audit log, for the files of this folder. */
#ifndef FIRMWARE_DATA_AUDIT_INT_H
#define FIRMWARE_DATA_AUDIT_INT_H

#include "firmware/audit/chain.h"
#include "firmware/data/audit.h"
#include "firmware/data/data_int.h"
#include "firmware/data/list.h"

/* Where the log stands: at the opening, and after each transaction. */
enum err audit_open(struct data *data) MUST_USE;
void audit_committed(struct data *data);
void audit_aborted(struct data *data);
void audit_close(struct data *data);

/* Records what the call did, if that is recorded: the last thing in its transaction. data->text is used up.
 * ERR_FULL, ERR_IO, ERR_RANGE ...: then the call did not happen either. */
enum err audit_call(struct data_txn *txn, const struct data_call *call) MUST_USE;

/* Puts the text of a record into its row. */
enum err audit_put(struct data_txn *txn, uint64_t seq, struct span text) MUST_USE;

/* The row of a record, and the record of a row. */
struct row_id audit_row_of(uint64_t seq);
uint64_t audit_seq_of(struct row_id id);

/* The oldest or the newest row of it. ERR_NOT_FOUND: there is none. */
enum err audit_end_row(struct store_snap *snap, bool newest, struct row *out_row) MUST_USE;

/* --- audit_list.c --- */

/* The list of data_list_audit over a snapshot, which it borrows. */
enum err audit_list_new(const struct data_admin *admin, struct store_snap *snap, struct list_query **out_query) MUST_USE;

/* `fromSeq` and `toSeq` of the query; 0: not given. ERR_DENIED. */
enum err audit_range_read(const struct data_admin *admin, uint64_t *out_from, uint64_t *out_to) MUST_USE;

/* --- audit_check.c --- */

struct audit_check;
struct audit_check_input {
    struct store_snap *snap; /* borrowed; no other scan meanwhile */
    uint64_t from, to;       /* 0: from the oldest, to the newest */
    struct buf *out;         /* borrowed; the answer is appended */
};

/* The caller frees it. ERR_NO_MEMORY, and failures of the look-up. */
enum err audit_check_new(const struct audit_check_input *input, struct audit_check **out_check) MUST_USE;
void audit_check_free(struct audit_check *check); /* NULL is fine */

/* As list_query_step. */
enum err audit_check_step(struct audit_check *check, struct store_budget *budget) MUST_USE;

#endif
