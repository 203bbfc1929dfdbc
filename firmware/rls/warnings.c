/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an author may not have meant, as far as a policy alone shows it. The policy is asked as a request would ask it, for
 * a guest without and a user with an id, so a warning cannot differ from what the evaluator does. */
#include "firmware/rls/rls.h"

#include "firmware/rls/rls_int.h"

uint32_t rls_policy_warnings(const struct rls_table *table)
{
    const struct rls_who guest = {.group = RLS_GUEST};
    const struct rls_who user = {.group = RLS_USER, .id = span_lit("u")};
    struct rls_bound as_guest;
    struct rls_bound as_user;
    uint32_t warnings = 0;
    rls_bind(table, &guest, &as_guest);
    rls_bind(table, &user, &as_user);
    if (!rls_policy_says_anything(table->policy)) {
        return rls_decide(&as_guest, RLS_READ).verdict == RLS_ALLOW ? RLS_WARN_UNCONFIGURED : 0;
    }
    for (unsigned int op = 0; op < RLS_OPS; op++) {
        const bool may = rls_decide(&as_guest, (enum rls_op)op).verdict == RLS_ALLOW;
        const bool writes = op == RLS_CREATE || op == RLS_UPDATE || op == RLS_DELETE;
        if (may && rls_decide(&as_user, (enum rls_op)op).verdict != RLS_ALLOW) {
            warnings |= RLS_WARN_GUEST_BROADER;
        }
        if (may && writes) {
            warnings |= RLS_WARN_GUEST_WRITES;
        }
    }
    return warnings;
}

const char *rls_warning_text(uint32_t bit)
{
    switch (bit) {
    case RLS_WARN_GUEST_BROADER:
        return "guest-broader: guests have a right that signed-in users do not have; groups do not inherit from each "
               "other";
    case RLS_WARN_GUEST_WRITES:
        return "guest-writes: anybody with a publishable key may write to this table";
    case RLS_WARN_UNCONFIGURED:
        return "unconfigured: nothing is configured, so anybody with a publishable key may read this table";
    }
    return "";
}
