/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The predicate on one row. Deny is what is left when nothing says otherwise. */
#include "firmware/data/row_gate.h"

#include "firmware/schema/schema.h"
#include "hal/base/fault.h"

/* rowFilterScope says for which operations; lists always. */
static bool filters_asked(const struct rls_bound *bound, enum rls_op op)
{
    const enum rls_filter_scope scope = bound->settings.row_filter_scope;

    if (!rls_filters_apply(bound)) {
        return false;
    }
    switch (op) {
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

struct row_gate row_gate_of(const struct row_gate_input *input)
{
    return (struct row_gate){.bound = input->bound,
                             .verdict = input->verdict,
                             .filtered = filters_asked(input->bound, input->op),
                             .filters = policy_filters_bind(input->filters, input->bound),
                             .work = input->work};
}

bool row_gate_filters(const struct row_gate *gate)
{
    return gate->filtered;
}

bool row_gate_may_hide(const struct row_gate *gate)
{
    return gate->verdict != RLS_ALLOW || gate->filtered;
}

static struct filter_subject subject_of(const struct row_gate *gate, const struct row *row)
{
    return (struct filter_subject){.row = row,
                                   .owns = rls_owns(&gate->bound->who, row->created_by),
                                   .user = gate->bound->who.id,
                                   .work = gate->work};
}

enum err row_gate_passes(const struct row_gate *gate, const struct row *row, bool *out_passes)
{
    const struct filter_subject subject = subject_of(gate, row);
    const bool decided = gate->verdict == RLS_ALLOW || (gate->verdict == RLS_OWNER && subject.owns);
    bool shown = true;

    *out_passes = false;
    if (gate->filtered) {
        TRY(policy_filters_match(&gate->filters, &subject, &shown));
    }
    *out_passes = decided && shown;
    return ERR_OK;
}

enum err row_gate_filter_passes(const struct row_gate *gate, size_t filter, const struct row *row, bool *out_passes)
{
    const struct filter_subject subject = subject_of(gate, row);

    return policy_filters_contribute(&gate->filters, filter, &subject, out_passes);
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
