/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The compiled policy: one block of memory that holds everything the policy says, and how it is made from a draft.
 *
 * Layout: the fixed part, the entries (column rules sorted by name, row filters in their order, the roles that
 * programs name by number), the bytes. Parts of the bytes are named by place and length. Each expression stands there
 * twice, as text and as program. Nothing changes a policy once it is made. */
#include "firmware/rls/rls.h"

#include <stdlib.h>
#include <string.h>

#include "firmware/rls/rls_int.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"

_Static_assert(_Alignof(struct rls_entry) <= _Alignof(struct rls_policy), "entries may stand behind a policy");

/* What the stored form has beside the bytes fits the rest: stored.c asserts it. */
#define PIECES_MAX (RLS_POLICY_BYTES - RLS_STORED_OVERHEAD)

/* --- what it says --- */

bool rls_policy_configured(const struct rls_policy *policy)
{
    return policy != NULL && policy->head.configured;
}

bool rls_policy_has_expressions(const struct rls_policy *policy)
{
    return policy != NULL && policy->head.expressions;
}

bool rls_policy_says_anything(const struct rls_policy *policy)
{
    return rls_policy_configured(policy) || rls_policy_has_expressions(policy);
}

bool rls_policy_has_columns(const struct rls_policy *policy)
{
    return policy != NULL && policy->head.columns_given;
}

bool rls_policy_has_filters(const struct rls_policy *policy)
{
    return policy != NULL && policy->head.filters_given;
}

bool rls_policy_has_subject(const struct rls_policy *policy, enum rls_subject subject)
{
    return policy != NULL && (size_t)subject < RLS_SUBJECTS && (policy->head.subjects[subject] & SUBJECT_PRESENT) != 0;
}

enum rls_right rls_policy_right(const struct rls_policy *policy, enum rls_subject subject, enum rls_op op)
{
    if ((size_t)op >= RLS_OPS || !rls_policy_has_subject(policy, subject)) {
        return RLS_UNSET;
    }
    const uint32_t word = policy->head.subjects[subject];
    return (enum rls_right)((word >> (2 * (unsigned int)op)) & 3u);
}

struct span rls_policy_expression(const struct rls_policy *policy, enum rls_op op)
{
    return policy == NULL || (size_t)op >= RLS_OPS ? SPAN_NONE : rls_piece_of(policy, policy->ops[op].source);
}

size_t rls_column_count(const struct rls_policy *policy)
{
    return policy == NULL ? 0 : policy->column_count;
}

struct span rls_column_name(const struct rls_policy *policy, size_t rule)
{
    return rule >= rls_column_count(policy) ? SPAN_NONE : rls_piece_of(policy, rls_column_entry(policy, rule)->text);
}

struct span rls_column_source(const struct rls_policy *policy, size_t rule, enum rls_access access)
{
    if (rule >= rls_column_count(policy)) {
        return SPAN_NONE;
    }
    const struct rls_entry *entry = rls_column_entry(policy, rule);
    return rls_piece_of(policy, access == RLS_COLUMN_WRITE ? entry->second.source : entry->first.source);
}

size_t rls_filter_count(const struct rls_policy *policy)
{
    return policy == NULL ? 0 : policy->filter_count;
}

struct span rls_filter_source(const struct rls_policy *policy, size_t filter)
{
    return filter >= rls_filter_count(policy) ? SPAN_NONE
                                              : rls_piece_of(policy, rls_filter_entry(policy, filter)->first.source);
}

struct span rls_filter_text(const struct rls_policy *policy, size_t filter)
{
    return filter >= rls_filter_count(policy) ? SPAN_NONE
                                              : rls_piece_of(policy, rls_filter_entry(policy, filter)->text);
}

size_t rls_role_count(const struct rls_policy *policy)
{
    return policy == NULL ? 0 : policy->role_count;
}

struct span rls_role_name(const struct rls_policy *policy, size_t role)
{
    return role >= rls_role_count(policy) ? SPAN_NONE : rls_piece_of(policy, rls_role_entry(policy, role)->text);
}

struct span rls_policy_tests(const struct rls_policy *policy)
{
    return policy == NULL ? SPAN_NONE : rls_piece_of(policy, policy->tests);
}

void rls_policy_free(struct rls_policy *policy)
{
    mem_free(policy);
}

/* --- drafts --- */

enum err rls_draft_new(struct rls_draft **out_draft)
{
    void *memory = NULL;
    TRY(mem_alloc(sizeof(struct rls_draft), &memory));
    *out_draft = memory;
    return rls_settings_parse(NULL, &(*out_draft)->head, NULL);
}

void rls_draft_free(struct rls_draft *draft)
{
    mem_free(draft);
}

void rls_draft_copy(const struct rls_policy *policy, struct rls_draft *draft)
{
    if (policy == NULL) {
        return;
    }
    draft->head = policy->head;
    for (unsigned int op = 0; op < RLS_OPS; op++) {
        draft->ops[op] = rls_policy_expression(policy, (enum rls_op)op);
    }
    for (size_t i = 0; i < policy->column_count; i++) {
        draft->columns[i] = (struct rls_draft_column){.name = rls_column_name(policy, i),
                                                      .read = rls_column_source(policy, i, RLS_COLUMN_READ),
                                                      .write = rls_column_source(policy, i, RLS_COLUMN_WRITE)};
    }
    for (size_t i = 0; i < policy->filter_count; i++) {
        draft->filters[i] =
            (struct rls_draft_filter){.source = rls_filter_source(policy, i), .text = rls_filter_text(policy, i)};
    }
    draft->column_count = policy->column_count;
    draft->filter_count = policy->filter_count;
    draft->tests = rls_policy_tests(policy);
}

/* --- from a draft to a policy --- */

/* Collects the bytes; entries and rules are filled in with places in them. */
struct maker {
    const struct rls_draft *draft;
    struct buf *bytes;
    struct rls_policy head;
    struct rls_entry entries[RLS_ENTRIES_MAX];
    struct rls_roles roles;
    struct rls_program program; /* of the expression at hand */
    struct rls_problem problem;
};

static void maker_done(struct maker **maker)
{
    if (*maker != NULL) {
        buf_free((*maker)->bytes);
        mem_free(*maker);
    }
}

static enum err put_piece(struct maker *maker, struct span bytes, struct rls_piece *out_piece)
{
    const size_t at = buf_len(maker->bytes);
    const enum err err = buf_put(maker->bytes, bytes);
    if (err == ERR_RANGE) {
        return rls_refuse(&maker->problem, "policy", SPAN_NONE, "is larger than 64 KiB");
    }
    TRY(err);
    *out_piece = (struct rls_piece){(uint32_t)at, (uint32_t)bytes.len};
    return ERR_OK;
}

/* Where an expression stands in the policy, for problems. */
struct place {
    const char *prefix;
    struct span name;
    const char *member;
};

static enum err put_rule(struct maker *maker, struct place place, struct span text, struct rls_rule *out_rule)
{
    const char *why = rls_expression_compile(text, &maker->roles, &maker->program);
    if (why != NULL) {
        return rls_refuse_member(&maker->problem, place.prefix, place.name, place.member, why);
    }
    TRY(put_piece(maker, text, &out_rule->source));
    return put_piece(maker, span_of(maker->program.code, maker->program.len), &out_rule->program);
}

static enum err put_rule_if_any(struct maker *maker, struct place place, struct span text, struct rls_rule *out_rule)
{
    return text.data == NULL ? ERR_OK : put_rule(maker, place, text, out_rule);
}

static enum err put_ops(struct maker *maker)
{
    for (unsigned int op = 0; op < RLS_OPS; op++) {
        const struct place place = {"expressionPermissions", span_str(rls_op_name((enum rls_op)op)), ""};
        TRY(put_rule_if_any(maker, place, maker->draft->ops[op], &maker->head.ops[op]));
    }
    return ERR_OK;
}

static enum err put_columns(struct maker *maker)
{
    maker->head.column_count = maker->draft->column_count;
    for (size_t i = 0; i < maker->draft->column_count; i++) {
        const struct rls_draft_column *column = &maker->draft->columns[i];
        struct rls_entry *entry = &maker->entries[i];
        const struct place read = {"columnPermissions", column->name, "read"};
        const struct place write = {"columnPermissions", column->name, "write"};
        TRY(put_piece(maker, column->name, &entry->text));
        TRY(put_rule_if_any(maker, read, column->read, &entry->first));
        TRY(put_rule_if_any(maker, write, column->write, &entry->second));
    }
    return ERR_OK;
}

static enum err put_filters(struct maker *maker)
{
    maker->head.filter_count = maker->draft->filter_count;
    for (size_t i = 0; i < maker->draft->filter_count; i++) {
        const struct rls_draft_filter *filter = &maker->draft->filters[i];
        struct rls_entry *entry = &maker->entries[maker->draft->column_count + i];
        const struct place place = {"rowFilters", rls_filter_ordinal(i), "expression"};
        TRY(put_rule(maker, place, filter->source, &entry->first));
        TRY(put_piece(maker, filter->text, &entry->text));
    }
    return ERR_OK;
}

static enum err put_roles(struct maker *maker)
{
    const size_t before = maker->draft->column_count + maker->draft->filter_count;
    maker->head.role_count = maker->roles.count;
    for (size_t i = 0; i < maker->roles.count; i++) {
        TRY(put_piece(maker, maker->roles.names[i], &maker->entries[before + i].text));
    }
    return ERR_OK;
}

static enum err put_all(struct maker *maker)
{
    maker->head.head = maker->draft->head;
    TRY(put_ops(maker));
    TRY(put_columns(maker));
    TRY(put_filters(maker));
    TRY(put_piece(maker, maker->draft->tests, &maker->head.tests));
    return put_roles(maker);
}

static enum err make_block(const struct maker *maker, struct rls_policy **out_policy)
{
    const size_t count = maker->head.column_count + maker->head.filter_count + maker->head.role_count;
    const size_t entries = count * sizeof(struct rls_entry);
    const struct span bytes = buf_all(maker->bytes);
    void *memory = NULL;
    TRY(mem_alloc(sizeof(struct rls_policy) + entries + bytes.len, &memory));
    uint8_t *at = memory;
    memcpy(at, &maker->head, sizeof(struct rls_policy));
    memcpy(at + sizeof(struct rls_policy), maker->entries, entries);
    if (bytes.len > 0) {
        memcpy(at + sizeof(struct rls_policy) + entries, bytes.data, bytes.len);
    }
    *out_policy = memory;
    return ERR_OK;
}

static int compare_columns(const void *a, const void *b)
{
    const struct rls_draft_column *x = a;
    const struct rls_draft_column *y = b;
    return span_compare(x->name, y->name);
}

enum err rls_draft_publish(struct rls_draft *draft, struct rls_policy **out_policy, struct rls_problem *out_problem)
{
    SCOPED(maker_done) struct maker *maker = NULL;
    void *memory = NULL;
    qsort(draft->columns, draft->column_count, sizeof(struct rls_draft_column), compare_columns);
    TRY(mem_alloc(sizeof(*maker), &memory));
    maker = memory;
    maker->draft = draft;
    TRY(buf_new(PIECES_MAX, &maker->bytes));
    const enum err err = put_all(maker);
    if (err == ERR_MALFORMED) {
        *out_problem = maker->problem;
    }
    TRY(err);
    return make_block(maker, out_policy);
}
