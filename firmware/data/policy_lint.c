/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Warnings about a policy, from the policy, its schema and its indexes.
 *
 * What depends on a requester is asked of the evaluator, for requesters of each kind without custom roles, with each role
 * that the policy names and with all of them. */
#include "firmware/data/policy_lint.h"

#include "firmware/data/policy_filters.h"
#include "hal/base/fault.h"
#include "hal/base/num.h"

struct lint {
    struct json_out *out;
    const struct catalog_table *table;
    struct rls_table rls;
    struct span roles[RLS_ROLES_MAX]; /* that the policy names */
    size_t role_count;
    size_t count; /* of warnings */
};

static void warn(struct lint *lint, struct span text)
{
    if (lint->count < POLICY_LINT_MAX) {
        json_out_text(lint->out, text);
        lint->count++;
    }
}

/* "code: the row filter asks about x, tail": what and tail are literals. */
static void warn_of(struct lint *lint, const char *what, struct span name, const char *tail)
{
    const struct span parts[] = {span_str(what), name, span_str(tail)};
    SCOPED_BUF struct buf *text = NULL;
    enum err err = buf_new(512, &text);

    for (size_t i = 0; err == ERR_OK && i < ARRAY_LENGTH(parts); i++) {
        err = buf_put(text, parts[i]);
    }
    if (err != ERR_OK) {
        fault_clear(); /* a warning that does not fit is told without the name */
        warn(lint, span_str(what));
        return;
    }
    warn(lint, buf_all(text));
}

/* --- columns --- */

static bool begins_an_index(const struct catalog_table *table, struct span column)
{
    for (size_t i = 0; i < table->index_count; i++) {
        const struct span first = table->indexes[i].fields[0];
        if (span_equal(span_of(first.data, span_find(first, '.')), column)) {
            return true;
        }
    }
    return false;
}

static void look_at_column(struct lint *lint, struct span column, const char *unknown, const char *slow)
{
    if (schema_is_system_field(column)) {
        return; /* every table has an index on each */
    }
    if (schema_find(lint->table->schema, column) == NULL) {
        warn_of(lint, unknown, column, ", which the schema does not declare");
    } else if (!begins_an_index(lint->table, column)) {
        warn_of(lint, slow, column, ", with which no index begins");
    }
}

static void look_at_rules(struct lint *lint)
{
    const size_t count = rls_column_count(lint->table->policy);

    for (size_t i = 0; i < count && lint->count < POLICY_LINT_MAX; i++) {
        look_at_column(lint, rls_column_name(lint->table->policy, i), "column-unknown: a column rule is on ",
                       "rule-not-indexed: a column rule is on ");
    }
}

/* Is the column named by a condition before this one? */
static bool named_before(const struct catalog_table *table, size_t filter, size_t condition, struct span column)
{
    struct span name = SPAN_NONE;
    for (size_t i = 0; i <= filter; i++) {
        for (size_t at = 0; (i < filter || at < condition) && policy_filters_field(table->filters, i, at, &name);
             at++) {
            if (span_equal(name, column)) {
                return true;
            }
        }
    }
    return false;
}

static void look_at_filters(struct lint *lint, const struct rls_settings *settings)
{
    const struct catalog_table *table = lint->table;
    const size_t count = rls_filter_count(table->policy);
    struct span name = SPAN_NONE;

    if (count > 0 && settings->row_filter_scope == RLS_FILTER_LIST) {
        warn(lint,
             span_lit("filter-list-only: row filters hold for lists alone; whoever may read and knows an id reads "
                      "the row (rowFilterScope)"));
    }
    for (size_t i = 0; i < count && lint->count < POLICY_LINT_MAX; i++) {
        for (size_t at = 0; policy_filters_field(table->filters, i, at, &name); at++) {
            if (!named_before(table, i, at, name)) {
                look_at_column(lint, name, "column-unknown: a row filter asks about ",
                               "rule-not-indexed: a row filter asks about ");
            }
        }
    }
}

/* --- what answers to writes tell --- */

static const struct rls_who kinds[] = {
    {.group = RLS_GUEST},
    {.group = RLS_GUEST, .id = {(const uint8_t *)"somebody", 8}},
    {.group = RLS_USER, .id = {(const uint8_t *)"somebody", 8}},
};

/* Binds one requester of those that there may be: of each kind one without custom roles, one with each role that the
 * policy names, one with them all. false: that number is past the last. */
static bool bind_somebody(const struct lint *lint, size_t number, struct rls_bound *out_bound)
{
    const size_t part = number / ARRAY_LENGTH(kinds);
    struct rls_who who = kinds[number % ARRAY_LENGTH(kinds)];

    if (part > 0 && (lint->role_count == 0 || part > lint->role_count + 1)) {
        return false;
    }
    if (part > 0) {
        const bool all = part > lint->role_count;
        who.roles = all ? lint->roles : &lint->roles[part - 1];
        who.role_count = all ? lint->role_count : 1;
    }
    rls_bind(&lint->rls, &who, out_bound);
    return true;
}

static bool may(const struct rls_bound *bound, enum rls_op op)
{
    const enum rls_verdict verdict = rls_decide(bound, op).verdict;

    return verdict == RLS_ALLOW || verdict == RLS_OWNER;
}

static struct span column_of(const struct catalog_index *index, size_t at)
{
    return span_of(index->fields[at].data, span_find(index->fields[at], '.'));
}

/* Can a write of theirs meet a conflict of the index? A new row does, also where it has no value, unless the index is
 * sparse and they cannot fill its columns; a changed one does if they may write one of them. */
static bool meets_conflicts(const struct lint *lint, const struct rls_bound *bound, const struct catalog_index *index)
{
    bool changes = false;
    bool fills = true;

    for (size_t at = 0; at < index->def.field_count; at++) {
        const struct span column = column_of(index, at);
        const struct schema_field *field = schema_find(lint->table->schema, column);
        const enum rls_verdict write = rls_column(bound, column, RLS_COLUMN_WRITE);
        const bool writable = write == RLS_ALLOW || write == RLS_OWNER;
        changes = changes || writable;
        fills =
            fills && (writable || schema_is_system_field(column) || (field != NULL && field->default_value != NULL));
    }
    return (may(bound, RLS_CREATE) && (fills || !index->def.sparse)) || (may(bound, RLS_UPDATE) && changes);
}

/* Which column of the index they may not read in every row, counted from 1; 0: there is none. */
static uint8_t blind_column(const struct rls_bound *bound, const struct catalog_index *index)
{
    for (size_t at = 0; at < index->def.field_count; at++) {
        if (rls_column(bound, column_of(index, at), RLS_COLUMN_READ) != RLS_ALLOW) {
            return (uint8_t)(at + 1);
        }
    }
    return 0;
}

/* May they read every row with which one that they write can clash? Where createdBy is part of the index, those are
 * their own, unless they may change rows of others. */
static bool sees_rivals(const struct rls_bound *bound, const struct catalog_index *index)
{
    const enum rls_verdict read = rls_decide(bound, RLS_READ).verdict;
    bool own = false;

    for (size_t at = 0; at < index->def.field_count; at++) {
        own = own || span_equal(index->fields[at], span_lit("createdBy"));
    }
    if (own && read == RLS_OWNER && rls_decide(bound, RLS_UPDATE).verdict != RLS_ALLOW) {
        return !rls_filters_apply(bound);
    }
    return read == RLS_ALLOW && rls_decide(bound, RLS_LIST).verdict != RLS_OWNER && !rls_filters_apply(bound);
}

/* What conflicts of a unique index tell somebody. */
struct leak {
    uint8_t blind; /* a value of a column that they may not read: see blind_column() */
    bool unseen;   /* that a row is there which they may not read */
};

static void look_at_index(const struct lint *lint, const struct rls_bound *bound, const struct catalog_index *index,
                          struct leak *leak)
{
    const bool known = leak->blind > 0 && leak->unseen;

    if (!known && index->def.unique && meets_conflicts(lint, bound, index)) {
        leak->blind = leak->blind > 0 ? leak->blind : blind_column(bound, index);
        leak->unseen = leak->unseen || !sees_rivals(bound, index);
    }
}

static void warn_of_leak(struct lint *lint, const struct catalog_index *index, const struct leak *leak)
{
    if (leak->blind > 0) {
        warn_of(lint, "unique-column-hidden: a conflict tells whether another row has a value in ",
                column_of(index, leak->blind - 1u), " also to whoever may write rows and not read it");
    }
    if (leak->unseen) {
        warn_of(lint, "unique-row-hidden: a conflict tells whether there is another row with a value in ",
                column_of(index, 0), " also to whoever may write rows and not read that one");
    }
}

/* Does the limit tell them of rows that they may not see? */
static bool counts_unseen(const struct rls_bound *bound)
{
    return bound->settings.max_rows_per_owner > 0 && bound->who.id.len > 0 && may(bound, RLS_CREATE) &&
           (!may(bound, RLS_LIST) || rls_filters_apply(bound));
}

/* Each requester is bound once: with many roles and rules that is most of the work. */
static void look_at_requesters(struct lint *lint)
{
    const struct catalog_table *table = lint->table;
    const size_t count = num_min(table->index_count, CATALOG_ALL_INDEXES_MAX);
    struct leak leaks[CATALOG_ALL_INDEXES_MAX] = {{0, false}};
    struct rls_bound bound;
    bool counted = false;

    for (size_t number = 0; bind_somebody(lint, number, &bound); number++) {
        for (size_t i = 0; i < count; i++) {
            look_at_index(lint, &bound, &table->indexes[i], &leaks[i]);
        }
        counted = counted || counts_unseen(&bound);
    }
    for (size_t i = 0; i < count; i++) {
        warn_of_leak(lint, &table->indexes[i], &leaks[i]);
    }
    if (counted) {
        warn(lint,
             span_lit("owner-limit-visible: maxRowsPerOwner tells how many rows an owner has, also those that they "
                      "may not see"));
    }
}

void policy_lint_write(struct json_out *out, const struct catalog_table *table, enum rls_preset preset)
{
    const struct rls_settings settings = rls_policy_settings(table->policy, preset);
    struct lint lint = {
        .out = out, .table = table, .rls = {.name = table->record.name, .policy = table->policy, .preset = preset}};

    lint.role_count = rls_role_count(table->policy);
    for (size_t i = 0; i < lint.role_count; i++) {
        lint.roles[i] = rls_role_name(table->policy, i);
    }
    const uint32_t bits = rls_policy_warnings(&lint.rls);
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        if ((bits & bit) != 0) {
            warn(&lint, span_str(rls_warning_text(bit)));
        }
    }
    look_at_filters(&lint, &settings);
    look_at_rules(&lint);
    look_at_requesters(&lint);
}
