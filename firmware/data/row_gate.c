/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The predicate on one row. Deny is what is left when nothing says otherwise. */
#include "firmware/data/row_gate.h"

#include "firmware/schema/schema.h"
#include "hal/base/fault.h"

bool row_gate_filters(const struct row_gate *gate)
{
    const enum rls_filter_scope scope = gate->bound->settings.row_filter_scope;

    if (!rls_filters_apply(gate->bound)) {
        return false;
    }
    switch (gate->op) {
    case RLS_LIST:
        return true;
    case RLS_READ:
        return scope != RLS_FILTER_LIST;
    case RLS_UPDATE:
    case RLS_DELETE:
        return scope != RLS_FILTER_LIST && scope != RLS_FILTER_READ;
    case RLS_CREATE:
        return false; /* there is no row yet */
    }
    return true;
}

bool row_gate_may_hide(const struct row_gate *gate)
{
    return gate->verdict != RLS_ALLOW || row_gate_filters(gate);
}

enum err row_gate_passes(const struct row_gate *gate, const struct row *row, bool *out_passes)
{
    const bool owns = rls_owns(&gate->bound->who, row->created_by);
    const bool decided = gate->verdict == RLS_ALLOW || (gate->verdict == RLS_OWNER && owns);
    bool shown = true;

    *out_passes = false;
    if (row_gate_filters(gate)) {
        TRY(policy_filters_match(gate->filters, gate->bound, row, gate->work, &shown));
    }
    *out_passes = decided && shown;
    return ERR_OK;
}

bool row_gate_writable(const struct rls_bound *bound, const struct json_value *body, bool owns)
{
    bool writable = true;
    for (size_t i = 0; writable && i < body->as.object.count; i++) {
        const struct span name = body->as.object.members[i].name;
        if (!schema_is_system_field(name)) { /* those are dropped, not refused: contract 4.2 */
            const enum rls_verdict verdict = rls_column(bound, name, RLS_COLUMN_WRITE);
            writable = verdict == RLS_ALLOW || (verdict == RLS_OWNER && owns);
        }
    }
    return writable;
}
