/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Carries out a plan: reads the rows of a table in slices and writes {"items":[...],"pagination":{...}}.
 *
 * Every condition (owner, filter, search) is applied before anything is counted, sorted or paged. Without filter and
 * search and in id order only the rows up to the end of the page are touched, and the total is the table's exact counter;
 * an owner's list reads the createdBy index. A list in another order keeps the best rows of one page in memory, at most
 * CONFIG_DATA_SORT_BYTES, and scans once more for each such amount that a deep page skips.
 *
 * The query belongs to the snapshot's thread. One scan of the snapshot is under way while it runs.
 * Spec: contract 1.8, 3.6 (list), 4.3. */
#ifndef FIRMWARE_DATA_LIST_H
#define FIRMWARE_DATA_LIST_H

#include "firmware/data/plan.h"
#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "net/json_out.h"
#include "storage/store.h"

struct list_query;

/* Rows that are not of a table that the API manages: what takes and writes them instead. Borrowed, as the context. */
struct list_rows {
    store_filter *take; /* NULL: every row */
    /* May begin a scan of the snapshot in a list that is sorted. */
    enum err (*write)(void *context, struct json_out *out, const struct row *row);
    void *context;
};

struct list_input {
    const struct plan *plan;      /* borrowed */
    const struct list_rows *rows; /* NULL: the plan says. Otherwise it says only order and page */
    struct store_snap *snap;      /* borrowed; no other scan meanwhile */
    struct table_id table;
    struct buf *out; /* borrowed; the body is appended */
};

/* The caller frees it with list_query_free(), before plan and snapshot end. ERR_NO_MEMORY, ERR_NOT_FOUND (no such
 * table), ERR_DAMAGED. */
enum err list_query_new(const struct list_input *input, struct list_query **out_query) MUST_USE;
void list_query_free(struct list_query *query); /* NULL is fine */

static inline void list_query_free_scoped(struct list_query **query)
{
    list_query_free(*query);
}
#define SCOPED_LIST SCOPED(list_query_free_scoped)

/* Goes on until done or until the budget is used up.
 * ERR_OK         the body is complete
 * ERR_AGAIN      call again with a new budget
 * ERR_BUDGET     filters and search used up the request's steps: 400
 * ERR_RANGE      the body would be larger than the buffer may be, or one sort key larger than the sort memory
 * ERR_DAMAGED, ERR_NO_MEMORY: the list failed; so does every further call */
enum err list_query_step(struct list_query *query, struct store_budget *budget) MUST_USE;

#endif
