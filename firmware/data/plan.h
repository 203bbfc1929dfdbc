/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the query string of a list request to a plan: which rows, in which order, which page, which fields. Everything a
 * client can write there is checked here; a plan can be carried out as it is.
 *
 * A plan is made for one requester and one decision and lives in the arena of its request. The requester's own conditions
 * are part of it, so counting, sorting and paging see only rows that they may see.
 * Spec: contract 3.6 (list), 4.3. */
#ifndef FIRMWARE_DATA_PLAN_H
#define FIRMWARE_DATA_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firmware/data/filter.h"
#include "firmware/data/row_gate.h"
#include "firmware/rls/rls.h"
#include "firmware/schema/schema.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"
#include "storage/row.h"

#define PLAN_LIMIT_DEFAULT 20
#define PLAN_LIMIT_MAX     100
#define PLAN_NUMBER_MAX    (UINT64_C(1) << 53) /* a page beyond it could not be echoed exactly */
#define PLAN_SELECT_MAX    256                 /* names in select; more than a schema can declare */

/* Reads an integer of any number of digits, leading zeros included; one above PLAN_NUMBER_MAX counts as that plus one.
 * ERR_MALFORMED: anything but digits, or none. */
enum err plan_number(struct span text, uint64_t *out_number) MUST_USE;

/* Which fields are wanted. System fields always are. */
struct row_select {
    bool all;
    const struct span *names;
    size_t count;
};

struct plan {
    uint64_t page, limit, skip;
    struct row_field sort; /* ROW_COLUMN_ID unless sortBy says otherwise */
    bool descending;
    const struct filter *filter; /* or NULL */
    const struct search *search; /* or NULL */
    struct regex_work *work;     /* the steps of filter and search; NULL without either */
    const struct row_gate *gate; /* which rows the requester may have at all; before everything else */
    bool by_owner;               /* those are rows that they own, and no others */
    bool no_rows;                /* or none */
    struct row_select select;
    const struct rls_bound *rls;
    const struct schema *schema;
    const size_t *column_rules; /* as in struct catalog_table */
};

/* What a plan is made from; all borrowed for the life of the plan. */
struct plan_input {
    struct arena *arena;
    const struct schema *schema;
    const size_t *column_rules;  /* as in struct catalog_table */
    const struct row_gate *gate; /* of RLS_LIST */
    struct span query;           /* what follows "?", not decoded */
};

/* Makes a plan.
 * ERR_MALFORMED  a parameter is refused: 400 common/invalid-parameters; the problem names it
 * ERR_DENIED     403 data/permission-denied: the verdict is neither RLS_ALLOW nor RLS_OWNER, or a field is named that the
 *                requester may not ask about
 * ERR_NO_MEMORY
 * out_problem is written on the first two. */
enum err plan_new(const struct plan_input *input, const struct plan **out_plan, struct filter_problem *out_problem)
    MUST_USE;

/* Only `select` or `fields` of a query string, for a single read. Errors as plan_new. */
enum err plan_select(struct arena *arena, struct span query, struct row_select *out_select,
                     struct filter_problem *out_problem) MUST_USE;

/* Is the field wanted? */
bool row_selects(const struct row_select *select, struct span name);

#endif
