/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The evaluator: contract 3.5, step by step, over a compiled policy.
 *
 * It trusts nothing but its own table of the default matrix: operations, groups and subjects outside their range deny,
 * and only the two far-apart verdicts ever open anything. No allocation, no recursion; the only loops run over fixed
 * tables of this file. */
#include "firmware/rls/rls.h"

#include "firmware/rls/rls_int.h"

#define TABLE_NAME_MAX 64

static const struct rls_decision allow = {RLS_ALLOW, RLS_REASON_PERMISSION};
static const struct rls_decision owner = {RLS_OWNER, RLS_REASON_PERMISSION};
static const struct rls_decision deny = {RLS_DENY, RLS_REASON_PERMISSION};
static const struct rls_decision deny_system = {RLS_DENY, RLS_REASON_SYSTEM_TABLE};

/* Contract 3.3: create, read, update, delete, list. */
static const enum rls_right default_matrix[RLS_SUBJECTS][RLS_OPS] = {
    [RLS_SUBJECT_ADMIN] = {RLS_YES, RLS_YES, RLS_YES, RLS_YES, RLS_YES},
    [RLS_SUBJECT_USER] = {RLS_YES, RLS_YES, RLS_NO, RLS_NO, RLS_YES},
    [RLS_SUBJECT_GUEST] = {RLS_NO, RLS_YES, RLS_NO, RLS_NO, RLS_YES},
};

static bool in_range(enum rls_subject subject, enum rls_op op)
{
    return (size_t)subject < RLS_SUBJECTS && (size_t)op < RLS_OPS;
}

bool rls_policy_configured(const struct rls_policy *policy)
{
    return policy != NULL && policy->configured;
}

bool rls_policy_has_subject(const struct rls_policy *policy, enum rls_subject subject)
{
    return policy != NULL && (size_t)subject < RLS_SUBJECTS && (policy->subjects[subject] & SUBJECT_PRESENT) != 0;
}

enum rls_right rls_policy_right(const struct rls_policy *policy, enum rls_subject subject, enum rls_op op)
{
    if (!in_range(subject, op) || !rls_policy_has_subject(policy, subject)) {
        return RLS_UNSET;
    }
    const uint32_t word = policy->subjects[subject];
    return (enum rls_right)((word >> (2 * (unsigned int)op)) & 3u);
}

enum rls_right rls_default_right(enum rls_subject subject, enum rls_op op)
{
    return in_range(subject, op) ? default_matrix[subject][op] : RLS_UNSET;
}

/* lookup(subject, op) of contract 3.3. `list` without a value follows `read`; an explicit false does not. */
static bool lookup(const struct rls_policy *policy, enum rls_subject subject, enum rls_op op)
{
    if (!rls_policy_configured(policy)) {
        return rls_default_right(subject, op) == RLS_YES;
    }
    enum rls_right right = rls_policy_right(policy, subject, op);
    if (op == RLS_LIST && right == RLS_UNSET) {
        right = rls_policy_right(policy, subject, RLS_READ);
    }
    return right == RLS_YES;
}

static struct rls_decision decide_boolean(const struct rls_table *table, const struct rls_settings *settings,
                                          enum rls_op op, const struct rls_who *who)
{
    const bool configured = rls_policy_configured(table->policy);
    const enum rls_subject subject = who->group == RLS_USER ? RLS_SUBJECT_USER : RLS_SUBJECT_GUEST;

    if (!configured && settings->require_explicit) {
        return deny;
    }
    if (lookup(table->policy, subject, op)) {
        return allow;
    }
    if (configured && op != RLS_CREATE && who->id.len > 0 && lookup(table->policy, RLS_SUBJECT_SELF, op)) {
        return owner;
    }
    return deny;
}

struct rls_decision rls_decide(const struct rls_table *table, enum rls_op op, const struct rls_who *who)
{
    if ((size_t)op >= RLS_OPS) {
        return deny;
    }
    if (who->group == RLS_ADMIN) {
        return allow;
    }
    if (rls_table_is_built_in(table->name)) {
        return deny_system;
    }
    if (table->name.len > 0 && table->name.data[0] == '_' && !rls_policy_configured(table->policy)) {
        return deny_system;
    }
    const struct rls_settings settings = rls_policy_settings(table->policy, table->preset);
    if (settings.guest_off && who->group != RLS_USER) {
        return deny;
    }
    return decide_boolean(table, &settings, op, who);
}

bool rls_owns(const struct rls_who *who, struct span created_by)
{
    return who->id.len > 0 && created_by.len > 0 && span_equal(who->id, created_by);
}

static bool is_system_field(struct span field)
{
    return span_equal(field, span_lit("id")) || span_equal(field, span_lit("createdBy")) ||
           span_equal(field, span_lit("createdAt")) || span_equal(field, span_lit("updatedAt"));
}

enum rls_verdict rls_column(const struct rls_table *table, const struct rls_who *who, struct span field,
                            enum rls_access access)
{
    /* No policy that this version compiles has column permissions, so every field inherits the table's decision. */
    (void)table;
    (void)who;
    return access == RLS_COLUMN_WRITE && is_system_field(field) ? RLS_DENY : RLS_ALLOW;
}

bool rls_table_is_built_in(struct span name)
{
    static const char *const names[] = {"users", "accounts", "sessions", "files"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (span_equal(span_str(names[i]), name)) {
            return true;
        }
    }
    return false;
}

static bool is_letter(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

bool rls_table_name_valid(struct span name)
{
    if (name.len == 0 || name.len > TABLE_NAME_MAX || !(is_letter(name.data[0]) || name.data[0] == '_')) {
        return false;
    }
    for (size_t i = 1; i < name.len; i++) {
        const uint8_t byte = name.data[i];
        if (!is_letter(byte) && !(byte >= '0' && byte <= '9') && byte != '_' && byte != '-') {
            return false;
        }
    }
    return true;
}

static bool guest_broader(const struct rls_policy *policy)
{
    bool broader = false;
    for (unsigned int op = 0; op < RLS_OPS; op++) {
        broader = broader || (lookup(policy, RLS_SUBJECT_GUEST, (enum rls_op)op) &&
                              !lookup(policy, RLS_SUBJECT_USER, (enum rls_op)op));
    }
    return broader;
}

uint32_t rls_policy_warnings(const struct rls_policy *policy, enum rls_preset preset)
{
    const struct rls_settings settings = rls_policy_settings(policy, preset);
    uint32_t warnings = 0;
    if (!rls_policy_configured(policy)) {
        return settings.require_explicit ? 0 : RLS_WARN_UNCONFIGURED;
    }
    if (settings.guest_off) {
        return 0;
    }
    if (guest_broader(policy)) {
        warnings |= RLS_WARN_GUEST_BROADER;
    }
    if (lookup(policy, RLS_SUBJECT_GUEST, RLS_CREATE) || lookup(policy, RLS_SUBJECT_GUEST, RLS_UPDATE) ||
        lookup(policy, RLS_SUBJECT_GUEST, RLS_DELETE)) {
        warnings |= RLS_WARN_GUEST_WRITES;
    }
    return warnings;
}

const char *rls_warning_text(uint32_t bit)
{
    switch (bit) {
    case RLS_WARN_GUEST_BROADER:
        return "guests have a right that signed-in users do not have; groups do not inherit from each other";
    case RLS_WARN_GUEST_WRITES:
        return "anybody with a publishable key may write to this table";
    case RLS_WARN_UNCONFIGURED:
        return "nothing is configured: anybody with a publishable key may read this table";
    }
    return "";
}
