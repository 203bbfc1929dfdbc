/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The row filters of one policy, compiled against the schema of its table: made when the table enters the catalogue, and
 * for a check when a policy is saved. Immutable, read by all threads, freed with the table.
 *
 * Who may see which row is decided here and in row_gate.c alone: lists, single reads, writes, the tests of a policy and
 * explanations ask the same functions. Spec: contract 3.8. */
#ifndef FIRMWARE_DATA_POLICY_FILTERS_H
#define FIRMWARE_DATA_POLICY_FILTERS_H

#include <stdbool.h>
#include <stddef.h>

#include "firmware/data/regex.h"
#include "firmware/rls/rls.h"
#include "firmware/schema/schema.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "storage/row.h"

#define POLICY_REGEX_MAX                                                                                               \
    32 /* regular expressions of one policy: each may take 64 KiB, for as long as the table is there */

struct policy_filters;

/* Compiles. out is NULL when the policy has no row filter. The caller frees it with policy_filters_free(); nothing is
 * borrowed. ERR_MALFORMED: a filter is not one of contract 4.4, or $userId stands where it cannot be compared; the problem
 * names it as "rowFilters.2.filter.title". ERR_NO_MEMORY. */
enum err policy_filters_new(const struct rls_policy *policy, const struct schema *schema,
                            struct policy_filters **out_filters, struct rls_problem *out_problem) MUST_USE;
void policy_filters_free(struct policy_filters *filters); /* NULL is fine */

static inline void policy_filters_free_scoped(struct policy_filters **filters)
{
    policy_filters_free(*filters);
}
#define SCOPED_POLICY_FILTERS SCOPED(policy_filters_free_scoped)

/* Do the row filters let the requester see this row? Yes when none apply to them. filters are those of the bound's policy.
 * A row that cannot be decided within CONFIG_DATA_POLICY_STEPS is not shown. work is refilled for each row and shared
 * with nothing that a client pays from: hidden rows must not be felt in a client's budget. ERR_DAMAGED. */
enum err policy_filters_match(const struct policy_filters *filters, const struct rls_bound *bound,
                              const struct row *row, struct regex_work *work, bool *out_match) MUST_USE;

/* Does this one filter show them the row? For who has a decision explained: policy_filters_match decides. ERR_DAMAGED. */
struct policy_asked {
    const struct row *row;
    struct regex_work *work; /* refilled */
};
enum err policy_filters_contribute(const struct policy_filters *filters, const struct rls_bound *bound, size_t filter,
                                   const struct policy_asked *asked, bool *out_match) MUST_USE;

/* Which rows can pass at all, without looking at one. */
enum policy_reach {
    POLICY_REACH_NONE,  /* no row */
    POLICY_REACH_OWNED, /* only rows that the requester owns */
    POLICY_REACH_ALL,   /* any row may */
};
enum policy_reach policy_filters_reach(const struct rls_bound *bound);

/* The first filter that asks about this top-level field: its position, or rls_filter_count(). */
size_t policy_filters_naming(const struct policy_filters *filters, const struct rls_policy *policy, struct span field);

/* The top-level name of each condition of a filter, one after the other; false: there is no such condition. */
bool policy_filters_field(const struct policy_filters *filters, size_t filter, size_t condition, struct span *out_name);

#endif
