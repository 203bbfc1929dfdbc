/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One requester on one policy: everything that depends on them alone, found once per request, and the questions about
 * columns and row filters, which are then look-ups.
 *
 * Verdicts are kept as bytes far apart in bits, so that a bound stays small enough to be copied; a byte that is none of
 * them denies. */
#include "firmware/rls/rls.h"

#include "firmware/rls/rls_int.h"
#include "hal/base/num.h"

#define BYTE_ALLOW 0xa6
#define BYTE_OWNER 0x59

static uint8_t byte_of(enum rls_verdict verdict)
{
    if (verdict == RLS_ALLOW) {
        return BYTE_ALLOW;
    }
    return verdict == RLS_OWNER ? BYTE_OWNER : 0;
}

static enum rls_verdict verdict_of(uint8_t byte)
{
    if (byte == BYTE_ALLOW) {
        return RLS_ALLOW;
    }
    return byte == BYTE_OWNER ? RLS_OWNER : RLS_DENY;
}

/* Notes which of the roles that the policy names this role is. */
static void note_role(const struct rls_policy *policy, struct span role, struct rls_facts *facts)
{
    for (size_t i = 0; i < policy->role_count; i++) {
        if (span_equal(rls_piece_of(policy, rls_role_entry(policy, i)->text), role)) {
            facts->roles[i / 64] |= UINT64_C(1) << (i % 64);
        }
    }
}

static void find_facts(const struct rls_policy *policy, const struct rls_who *who, struct rls_facts *facts)
{
    const size_t roles = num_min(who->role_count, RLS_WHO_ROLES_MAX);
    *facts = (struct rls_facts){.user = who->group == RLS_USER || who->group == RLS_ADMIN,
                                .admin = who->group == RLS_ADMIN,
                                .role_count = policy == NULL ? 0 : policy->role_count};
    for (size_t i = 0; i < roles; i++) {
        if (!rls_role_name_valid(who->roles[i])) {
            continue;
        }
        facts->any_role = true;
        if (facts->role_count > 0) {
            note_role(policy, who->roles[i], facts);
        }
    }
}

static uint8_t run(const struct rls_policy *policy, const struct rls_rule *rule, const struct rls_facts *facts)
{
    return byte_of(rls_evaluate(rls_piece_of(policy, rule->program), facts));
}

/* A column rule without an expression for one of the two inherits what the table's decision allows: everything. */
static uint8_t run_column(const struct rls_policy *policy, const struct rls_rule *rule, const struct rls_facts *facts)
{
    return rule->program.len == 0 ? BYTE_ALLOW : run(policy, rule, facts);
}

void rls_bind(const struct rls_table *table, const struct rls_who *who, struct rls_bound *out_bound)
{
    const struct rls_policy *policy = table->policy;
    struct rls_bound *bound = out_bound;
    bound->made = RLS_BOUND;
    bound->table = *table;
    bound->who = *who;
    bound->settings = rls_policy_settings(policy, table->preset);
    find_facts(policy, who, &bound->facts);
    for (size_t i = 0; i < rls_column_count(policy); i++) {
        const struct rls_entry *entry = rls_column_entry(policy, i);
        bound->columns[i][0] = run_column(policy, &entry->first, &bound->facts);
        bound->columns[i][1] = run_column(policy, &entry->second, &bound->facts);
    }
    for (size_t i = 0; i < rls_filter_count(policy); i++) {
        const uint8_t byte = run(policy, &rls_filter_entry(policy, i)->first, &bound->facts);
        bound->filters[i] = byte == BYTE_OWNER && who->id.len == 0 ? 0 : byte; /* `self` of nobody */
    }
}

/* --- columns --- */

bool rls_columns_any(const struct rls_policy *policy)
{
    return rls_column_count(policy) > 0;
}

/* The rule of that name among those sorted by name. */
static size_t find_rule(const struct rls_policy *policy, struct span field)
{
    size_t low = 0;
    size_t high = rls_column_count(policy);
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (span_compare(rls_column_name(policy, middle), field) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const bool found = low < rls_column_count(policy) && span_equal(rls_column_name(policy, low), field);
    return found ? low : RLS_NO_RULE;
}

size_t rls_column_rule(const struct rls_policy *policy, struct span field)
{
    return rls_field_is_system(field) ? RLS_SYSTEM_FIELD : find_rule(policy, field);
}

enum rls_verdict rls_column_at(const struct rls_bound *bound, size_t rule, enum rls_access access)
{
    const size_t use = access == RLS_COLUMN_WRITE ? 1 : 0;
    if (bound->made != RLS_BOUND) {
        return RLS_DENY;
    }
    if (rule == RLS_SYSTEM_FIELD) {
        return use == 1 ? RLS_DENY : RLS_ALLOW;
    }
    if (rule == RLS_NO_RULE || bound->who.group == RLS_ADMIN) {
        return RLS_ALLOW;
    }
    return rule < rls_column_count(bound->table.policy) ? verdict_of(bound->columns[rule][use]) : RLS_DENY;
}

enum rls_verdict rls_column(const struct rls_bound *bound, struct span field, enum rls_access access)
{
    return rls_column_at(bound, rls_column_rule(bound->table.policy, field), access);
}

/* --- row filters --- */

bool rls_filters_apply(const struct rls_bound *bound)
{
    return bound->made != RLS_BOUND || (bound->who.group != RLS_ADMIN && rls_filter_count(bound->table.policy) > 0);
}

enum rls_verdict rls_filter(const struct rls_bound *bound, size_t filter)
{
    const bool known = bound->made == RLS_BOUND && filter < rls_filter_count(bound->table.policy);
    return known ? verdict_of(bound->filters[filter]) : RLS_DENY;
}
