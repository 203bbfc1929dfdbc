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
#include <stdint.h>

#include "firmware/data/filter.h"
#include "firmware/rls/rls.h"
#include "firmware/schema/schema.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

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

/* Which rows can pass at all, without looking at one. */
enum policy_reach {
    POLICY_REACH_NONE,  /* no row */
    POLICY_REACH_OWNED, /* only rows that the requester owns */
    POLICY_REACH_ALL,   /* any row may */
};

/* The filters of one requester, found once per request and then asked about each row. It may be copied, and lives as long
 * as the filters. Cleared memory shows no row. */
struct policy_filters_bound {
    enum policy_reach reach;
    const struct policy_filters *filters; /* of which some are asked about each row; or NULL: reach says it all */
    uint32_t any;                         /* those that show the rows they hold for, one bit each */
    uint32_t owned;                       /* and those that do so if the requester owns the row */
};

/* Binds. filters are those of the bound's policy, NULL when it has none; others show no row. Where none apply to the
 * requester, every row is shown. */
struct policy_filters_bound policy_filters_bind(const struct policy_filters *filters, const struct rls_bound *bound);

/* Do the row filters let the requester see this row? One that cannot be decided within CONFIG_DATA_POLICY_STEPS is not
 * shown. The subject's work is refilled for each row and shared with nothing that a client pays from: hidden rows must not
 * be felt in a client's budget. ERR_DAMAGED. */
enum err policy_filters_match(const struct policy_filters_bound *bound, const struct filter_subject *subject,
                              bool *out_match) MUST_USE;

/* Does this one filter show them the row? For who has a decision explained: policy_filters_match decides. ERR_DAMAGED. */
enum err policy_filters_contribute(const struct policy_filters_bound *bound, size_t filter,
                                   const struct filter_subject *subject, bool *out_match) MUST_USE;

/* The first filter that asks about this top-level field: its position, or rls_filter_count(). */
size_t policy_filters_naming(const struct policy_filters *filters, const struct rls_policy *policy, struct span field);

/* The top-level name of each condition of a filter, one after the other; false: there is no such condition. */
bool policy_filters_field(const struct policy_filters *filters, size_t filter, size_t condition, struct span *out_name);

#endif
