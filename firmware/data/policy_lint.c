/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Warnings about a policy, from the policy, its schema and its indexes.
 *
 * What depends on a requester is asked of the evaluator for the kinds of requester that have no custom role. A rule that
 * names a role is taken for one that somebody meets. */
#include "firmware/data/policy_lint.h"

#include <stdio.h>

#include "firmware/data/policy_filters.h"
#include "hal/base/fault.h"

struct lint {
    struct json_out *out;
    const struct catalog_table *table;
    struct rls_table rls;
    size_t count;
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

static bool names_a_role(struct span expression)
{
    struct span rest = expression;
    bool found = false;
    while (!found && rest.len >= 5) {
        found = span_equal(span_of(rest.data, 5), span_lit("role:"));
        rest = span_of(rest.data + 1, rest.len - 1);
    }
    return found;
}

static bool may(const struct rls_bound *bound, enum rls_op op)
{
    const enum rls_verdict verdict = rls_decide(bound, op).verdict;

    return verdict == RLS_ALLOW || verdict == RLS_OWNER;
}

/* May they read every row, as far as the table is concerned? */
static bool sees_all(const struct rls_bound *bound)
{
    return rls_decide(bound, RLS_READ).verdict == RLS_ALLOW &&
           (!rls_filters_apply(bound) || bound->settings.row_filter_scope == RLS_FILTER_LIST);
}

/* Is there somebody who may write the column and not read all that is in it? */
static bool writes_blindly(const struct lint *lint, struct span column)
{
    const struct rls_policy *policy = lint->table->policy;
    const size_t rule = rls_column_rule(policy, column);
    bool blind = rule < RLS_COLUMNS_MAX && names_a_role(rls_column_source(policy, rule, RLS_COLUMN_WRITE)) &&
                 rls_column_source(policy, rule, RLS_COLUMN_READ).len > 0;

    for (size_t i = 0; !blind && i < ARRAY_LENGTH(kinds); i++) {
        struct rls_bound bound;
        rls_bind(&lint->rls, &kinds[i], &bound);
        const enum rls_verdict write = rls_column_at(&bound, rule, RLS_COLUMN_WRITE);
        blind = (may(&bound, RLS_CREATE) || may(&bound, RLS_UPDATE)) && (write == RLS_ALLOW || write == RLS_OWNER) &&
                (rls_column_at(&bound, rule, RLS_COLUMN_READ) != RLS_ALLOW || !sees_all(&bound));
    }
    return blind;
}

static void look_at_unique(struct lint *lint)
{
    for (size_t i = 0; i < lint->table->index_count; i++) {
        const struct catalog_index *index = &lint->table->indexes[i];
        for (size_t at = 0; index->def.unique && at < index->def.field_count; at++) {
            const struct span column = span_of(index->fields[at].data, span_find(index->fields[at], '.'));
            if (writes_blindly(lint, column)) {
                warn_of(lint, "unique-column-hidden: a conflict tells whether another row has a value in ", column,
                        " also to whoever may write it and not read it");
                break;
            }
        }
    }
}

static void look_at_owner_limit(struct lint *lint, const struct rls_settings *settings)
{
    bool visible = false;

    for (size_t i = 0; settings->max_rows_per_owner > 0 && !visible && i < ARRAY_LENGTH(kinds); i++) {
        struct rls_bound bound;
        rls_bind(&lint->rls, &kinds[i], &bound);
        visible =
            bound.who.id.len > 0 && may(&bound, RLS_CREATE) && (!may(&bound, RLS_LIST) || rls_filters_apply(&bound));
    }
    if (visible) {
        warn(lint,
             span_lit("owner-limit-visible: maxRowsPerOwner tells how many rows an owner has, also those that they "
                      "may not see"));
    }
}

void policy_lint_write(struct json_out *out, const struct catalog_table *table, enum rls_preset preset)
{
    const struct rls_settings settings = rls_policy_settings(table->policy, preset);
    const uint32_t bits = rls_policy_warnings(table->policy, preset);
    struct lint lint = {
        .out = out, .table = table, .rls = {.name = table->record.name, .policy = table->policy, .preset = preset}};

    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        if ((bits & bit) != 0) {
            warn(&lint, span_str(rls_warning_text(bit)));
        }
    }
    look_at_filters(&lint, &settings);
    look_at_rules(&lint);
    look_at_unique(&lint);
    look_at_owner_limit(&lint, &settings);
}
