/* SPDX-License-Identifier: GPL-3.0-or-later */
/* May this requester have this row for this operation? Owner and row filters as one predicate, for every path: lists,
 * single reads, targets of writes, answers to writes, tests of policies. Spec: contract 3.6, 3.8, 9.1 (rowFilterScope). */
#ifndef FIRMWARE_DATA_ROW_GATE_H
#define FIRMWARE_DATA_ROW_GATE_H

#include <stdbool.h>

#include "firmware/data/policy_filters.h"
#include "firmware/data/regex.h"
#include "firmware/rls/rls.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/json_value.h"
#include "storage/row.h"

/* What a gate is made from; all borrowed for the life of the gate. */
struct row_gate_input {
    const struct rls_bound *bound;
    const struct policy_filters *filters; /* of the bound's policy; NULL when it has none */
    enum rls_op op;
    enum rls_verdict verdict; /* of rls_decide(bound, op) */
    struct regex_work *work;  /* for row filters alone, see policy_filters_match() */
};

/* One requester, one operation, one table: everything that no row changes. Open only so that it can lie in other objects. */
struct row_gate {
    const struct rls_bound *bound;
    enum rls_verdict verdict;
    bool filtered; /* row filters are asked for this operation */
    struct policy_filters_bound filters;
    struct regex_work *work;
};

/* Makes one; once per request. */
struct row_gate row_gate_of(const struct row_gate_input *input);

/* Are row filters asked for this operation? rowFilterScope says for which; lists always. */
bool row_gate_filters(const struct row_gate *gate);

/* Can there be rows that the gate holds back? */
bool row_gate_may_hide(const struct row_gate *gate);

/* Owner and row filters are both asked, whatever the first says, so that the work does not tell which one refused.
 * ERR_DAMAGED. */
enum err row_gate_passes(const struct row_gate *gate, const struct row *row, bool *out_passes) MUST_USE;

/* Does this one row filter let the row pass? For who has a decision explained: row_gate_passes decides. ERR_DAMAGED. */
enum err row_gate_filter_passes(const struct row_gate *gate, size_t filter, const struct row *row, bool *out_passes)
    MUST_USE;

/* May whoever asks send this body? owns: of the row, or for a create that there is an owner to be. System fields are
 * dropped from bodies, not refused. Spec: contract 3.7 (write). */
bool row_gate_writable(const struct rls_bound *bound, const struct json_value *body, bool owns);

#endif
