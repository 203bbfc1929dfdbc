/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The decision function: contract 3.5, step by step, for a requester bound to a policy.
 *
 * It trusts nothing but its own table of the default matrix: a bound that rls_bind did not make, operations, groups and
 * subjects outside their range deny, and only the two far-apart verdicts ever open anything. No allocation, no recursion;
 * the only loops run over fixed tables and over programs of bounded length. */
#include "firmware/rls/rls.h"

#include "firmware/rls/rls_int.h"

/* Steps of contract 3.5. */
#define STEP_ADMIN       1
#define STEP_BUILT_IN    2
#define STEP_SYSTEM      3
#define STEP_GUEST_OFF   4
#define STEP_EXPRESSIONS 5
#define STEP_MATRIX      6

/* Contract 3.3: create, read, update, delete, list. */
static const enum rls_right default_matrix[RLS_SUBJECTS][RLS_OPS] = {
    [RLS_SUBJECT_ADMIN] = {RLS_YES, RLS_YES, RLS_YES, RLS_YES, RLS_YES},
    [RLS_SUBJECT_USER] = {RLS_YES, RLS_YES, RLS_NO, RLS_NO, RLS_YES},
    [RLS_SUBJECT_GUEST] = {RLS_NO, RLS_YES, RLS_NO, RLS_NO, RLS_YES},
};

enum rls_right rls_default_right(enum rls_subject subject, enum rls_op op)
{
    const bool in_range = (size_t)subject < RLS_SUBJECTS && (size_t)op < RLS_OPS;
    return in_range ? default_matrix[subject][op] : RLS_UNSET;
}

/* What the matrix says to a subject, and by which operation's right. */
struct answer {
    enum rls_right right;
    enum rls_op by;
};

static enum rls_right right_of(const struct rls_policy *policy, enum rls_subject subject, enum rls_op op)
{
    return rls_policy_configured(policy) ? rls_policy_right(policy, subject, op) : rls_default_right(subject, op);
}

/* lookup(subject, op) of contract 3.3. `list` without a value follows `read`; an explicit false does not. */
static struct answer lookup(const struct rls_policy *policy, enum rls_subject subject, enum rls_op op)
{
    const enum rls_right right = right_of(policy, subject, op);
    if (op == RLS_LIST && right == RLS_UNSET) {
        return (struct answer){right_of(policy, subject, RLS_READ), RLS_READ};
    }
    return (struct answer){right, op};
}

static struct rls_decision decided(enum rls_verdict verdict, uint8_t step)
{
    return (struct rls_decision){.verdict = verdict, .step = step};
}

static struct rls_decision decide_matrix(const struct rls_bound *bound, enum rls_op op)
{
    const struct rls_policy *policy = bound->table.policy;
    const enum rls_subject subject = bound->who.group == RLS_USER ? RLS_SUBJECT_USER : RLS_SUBJECT_GUEST;
    const struct answer group = lookup(policy, subject, op);
    const struct answer self = lookup(policy, RLS_SUBJECT_SELF, op);
    struct rls_decision decision = {.verdict = RLS_DENY, .step = STEP_MATRIX, .by = group.by, .subject = subject};
    if (!rls_policy_configured(policy) && bound->settings.require_explicit) {
        decision.unset = true;
        return decision;
    }
    if (group.right == RLS_YES) {
        decision.verdict = RLS_ALLOW;
        return decision;
    }
    if (op != RLS_CREATE && bound->who.id.len > 0 && self.right == RLS_YES) {
        decision.verdict = RLS_OWNER;
        decision.by = self.by;
        decision.subject = RLS_SUBJECT_SELF;
        return decision;
    }
    decision.unset = group.right == RLS_UNSET;
    return decision;
}

static struct rls_decision decide_expression(const struct rls_bound *bound, enum rls_op op)
{
    const struct rls_policy *policy = bound->table.policy;
    const bool follows = op == RLS_LIST && policy->ops[op].program.len == 0;
    const enum rls_op by = follows ? RLS_READ : op;
    const struct span program = rls_piece_of(policy, policy->ops[by].program);
    const enum rls_verdict said = rls_evaluate(program, &bound->facts);
    struct rls_decision decision = {.verdict = RLS_DENY, .step = STEP_EXPRESSIONS, .by = by, .unset = program.len == 0};
    if (said == RLS_ALLOW) {
        decision.verdict = RLS_ALLOW;
    } else if (said == RLS_OWNER && bound->who.id.len > 0) {
        decision.verdict = op == RLS_CREATE ? RLS_ALLOW : RLS_OWNER; /* they will own what they create */
        decision.self = true;
    }
    return decision;
}

struct rls_decision rls_decide(const struct rls_bound *bound, enum rls_op op)
{
    const struct span name = bound->table.name;
    if ((size_t)op >= RLS_OPS || bound->made != RLS_BOUND) {
        return decided(RLS_DENY, 0);
    }
    if (bound->who.group == RLS_ADMIN) {
        return decided(RLS_ALLOW, STEP_ADMIN);
    }
    struct rls_decision system = decided(RLS_DENY, STEP_BUILT_IN);
    system.reason = RLS_REASON_SYSTEM_TABLE;
    if (rls_table_is_built_in(name)) {
        return system;
    }
    if (name.len > 0 && name.data[0] == '_' && !rls_policy_says_anything(bound->table.policy)) {
        system.step = STEP_SYSTEM;
        return system;
    }
    if (bound->settings.guest_off && bound->who.group != RLS_USER) {
        return decided(RLS_DENY, STEP_GUEST_OFF);
    }
    return rls_policy_has_expressions(bound->table.policy) ? decide_expression(bound, op) : decide_matrix(bound, op);
}

bool rls_owns(const struct rls_who *who, struct span created_by)
{
    return who->id.len > 0 && span_equal(who->id, created_by);
}
