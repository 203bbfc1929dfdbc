/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answers compiled filters and searches on row views.
 *
 * A missing field is a value of its own kind, so every operator says what it makes of it. If the stored value is a list,
 * an operator that asks for something holds when the list itself or any element has it; $ne and $nin are the opposite of
 * $eq and $in, never a third thing.
 *
 * What a client can make long is paid for from the request's steps, at the prices below: elements of lists, texts that
 * are looked through, members of objects. Comparing plain values is not: no operand is longer than a filter. */
#include "firmware/data/filter.h"

#include "firmware/data/filter_int.h"
#include "firmware/data/value.h"
#include "hal/base/fault.h"

/* A step of the matcher takes some 5 ns, looking through a byte of text or walking over one of a row less than 1 ns. */
#define TEXT_BYTES_A_STEP 16u
#define PATH_BYTES_A_STEP 64u

static enum err pay_bytes(struct regex_work *work, size_t bytes, size_t bytes_a_step)
{
    return regex_work_spend(work, 1 + bytes / bytes_a_step);
}

/* Every object on a dotted way is walked through. What is paid follows the size of the column that the name begins with,
 * never that of the row: a client must not feel in its steps what it may not read. */
static enum err find_on_way(const struct row *row, const struct row_field *field, struct regex_work *work,
                            char id_text[ROW_ID_TEXT_BYTES], struct row_value *out_value)
{
    const struct row_field column = {.column = field->column, .name = field->name};
    struct row_value value;

    TRY(row_find(row, &column, id_text, &value));
    TRY(pay_bytes(work, value.bytes.len, PATH_BYTES_A_STEP));
    return row_find_in(&value, field->path, out_value);
}

static inline enum err find(const struct row *row, const struct row_field *field, struct regex_work *work,
                            char id_text[ROW_ID_TEXT_BYTES], struct row_value *out_value)
{
    return field->path.len == 0 ? row_find(row, field, id_text, out_value)
                                : find_on_way(row, field, work, id_text, out_value);
}

static bool in_sorted(const struct filter_clause *clause, const struct row_value *value)
{
    size_t low = 0;
    size_t high = clause->set_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = value_compare(value, &clause->set[middle]);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return false;
}

/* A container has the order of its bytes, and the set holds none. */
static bool in_set(const struct filter_clause *clause, const struct filter_subject *subject,
                   const struct row_value *value)
{
    if (value->type == ROW_ARRAY || value->type == ROW_OBJECT) {
        return false;
    }
    return in_sorted(clause, value) ||
           (clause->of_user && value->type == ROW_STRING && span_equal(value->bytes, subject->user));
}

static bool is_number(const struct row_value *value)
{
    return value->type == ROW_INT || value->type == ROW_DOUBLE;
}

/* Same type and ordered as the operator says. */
static bool ordered(const struct filter_clause *clause, const struct filter_subject *subject,
                    const struct row_value *value)
{
    struct row_value bound = clause->bound;
    if (clause->of_user) {
        bound.bytes = subject->user;
    }
    if (value->type != bound.type && !(is_number(value) && is_number(&bound))) {
        return false;
    }
    const int order = value_compare(value, &bound);
    const bool below = clause->op == FILTER_LT || clause->op == FILTER_LTE;
    const bool or_equal = clause->op == FILTER_GTE || clause->op == FILTER_LTE;
    return (order == 0 && or_equal) || (below ? order < 0 : order > 0);
}

/* Is it a text in which the needle occurs? */
static enum err text_contains(struct regex_work *work, const struct needle *needle, const struct row_value *value,
                              bool *out_match)
{
    *out_match = false;
    if (value->type == ROW_STRING) {
        TRY(pay_bytes(work, value->bytes.len, TEXT_BYTES_A_STEP));
        *out_match = needle_in(needle, value->bytes);
    }
    return ERR_OK;
}

/* The most frequent of all conditions, decided without more ado: equality of a text, a whole number compared with a
 * whole number. false: it is none of these. */
static inline bool holds_at_once(const struct filter_clause *clause, const struct filter_subject *subject,
                                 const struct row_value *value, bool *out_holds)
{
    const bool equality = clause->op == FILTER_EQ || clause->op == FILTER_NE;
    const struct row_value *bound = &clause->bound;
    if (equality && clause->scalar && bound->type == ROW_STRING && value->type == ROW_STRING) {
        *out_holds = span_equal(value->bytes, clause->of_user ? subject->user : bound->bytes);
        return true;
    }
    if (bound->type != ROW_INT || value->type != ROW_INT || (equality && !clause->scalar)) {
        return false;
    }
    const bool equal = value->integer == bound->integer;
    const bool less = value->integer < bound->integer;
    const bool below = clause->op == FILTER_LT || clause->op == FILTER_LTE;
    const bool or_equal = clause->op == FILTER_GTE || clause->op == FILTER_LTE || equality;
    *out_holds = (equal && or_equal) || (!equality && !equal && less == below);
    return true;
}

/* The asking form of the operator ($ne as $eq, $nin as $in) on one value that is not looked into. */
static enum err holds_for_one(const struct filter_clause *clause, const struct filter_subject *subject,
                              const struct row_value *value, bool *out_holds)
{
    switch (clause->op) {
    case FILTER_EQ:
    case FILTER_NE:
        return value_equals(value, clause->operand, clause->of_user ? subject->user : SPAN_NONE, subject->work,
                            out_holds);
    case FILTER_GT:
    case FILTER_GTE:
    case FILTER_LT:
    case FILTER_LTE:
        *out_holds = ordered(clause, subject, value);
        return ERR_OK;
    case FILTER_IN:
    case FILTER_NIN:
        *out_holds = in_set(clause, subject, value);
        return ERR_OK;
    case FILTER_REGEX:
        *out_holds = false;
        return value->type == ROW_STRING ? regex_match(clause->regex, value->bytes, subject->work, out_holds) : ERR_OK;
    case FILTER_CONTAINS:
        return text_contains(subject->work, clause->needle, value, out_holds);
    case FILTER_EXISTS:
        *out_holds = (value->type != ROW_MISSING) == clause->exists;
        return ERR_OK;
    }
    *out_holds = false;
    return ERR_OK;
}

static enum err holds_for_element(const struct filter_clause *clause, const struct filter_subject *subject,
                                  const struct row_value *list, bool *out_holds)
{
    struct row_iter iter = row_iter_of(list);
    struct row_member element;
    enum err err = ERR_OK;
    *out_holds = false;
    while (!*out_holds && (err = row_iter_next(&iter, &element)) == ERR_OK) {
        TRY(regex_work_spend(subject->work, 1));
        TRY(holds_for_one(clause, subject, &element.value, out_holds));
    }
    ENSURE(err == ERR_OK || err == ERR_NOT_FOUND, ERR_DAMAGED, "a stored list is damaged");
    return ERR_OK;
}

/* What the asking form says of the value that the field has. */
static enum err holds_for_value(const struct filter_clause *clause, const struct filter_subject *subject,
                                const struct row_value *value, bool *out_holds)
{
    TRY(holds_for_one(clause, subject, value, out_holds));
    if (!*out_holds && value->type == ROW_ARRAY && clause->op != FILTER_EXISTS) {
        return holds_for_element(clause, subject, value, out_holds);
    }
    return ERR_OK;
}

static enum err holds_on_way(const struct filter_clause *clause, const struct filter_subject *subject, bool *out_holds)
{
    char id_text[ROW_ID_TEXT_BYTES];
    struct row_value value;

    TRY(find(subject->row, &clause->field, subject->work, id_text, &value));
    return holds_for_value(clause, subject, &value, out_holds);
}

static inline enum err holds_for_row(const struct filter_clause *clause, const struct filter_subject *subject,
                                     bool *out_holds)
{
    struct row_value value;

    if (clause->is_owner) {
        *out_holds = span_equal(subject->row->created_by, subject->user);
        return ERR_OK;
    }
    if (!clause->plain) {
        return holds_on_way(clause, subject, out_holds);
    }
    TRY(row_find(subject->row, &clause->field, NULL, &value));
    if (holds_at_once(clause, subject, &value, out_holds)) {
        return ERR_OK;
    }
    return holds_for_value(clause, subject, &value, out_holds);
}

static inline enum err clause_match(const struct filter_clause *clause, const struct filter_subject *subject,
                                    bool *out_match)
{
    const bool negated = clause->op == FILTER_NE || clause->op == FILTER_NIN;
    bool holds = false;

    *out_match = false;
    if ((clause->owner_only && !subject->owns) || (clause->of_user && subject->user.len == 0)) {
        return ERR_OK;
    }
    TRY(holds_for_row(clause, subject, &holds));
    *out_match = holds != negated;
    return ERR_OK;
}

static enum err all_match(const struct filter_clause *clauses, size_t count, const struct filter_subject *subject,
                          bool *out_match)
{
    bool match = true;

    for (size_t i = 0; match && i < count; i++) {
        TRY(clause_match(&clauses[i], subject, &match));
    }
    *out_match = match;
    return ERR_OK;
}

static enum err match_with_groups(const struct filter *filter, const struct filter_subject *subject, bool *out_match)
{
    bool match = false;
    bool some = false;

    TRY(all_match(filter->clauses, filter->and_count, subject, &match));
    for (size_t i = 0; match && !some && i < filter->group_count; i++) {
        const struct filter_group *group = &filter->groups[i];
        TRY(all_match(filter->clauses + group->first, group->count, subject, &some));
    }
    *out_match = match && some;
    return ERR_OK;
}

enum err filter_match(const struct filter *filter, const struct filter_subject *subject, bool *out_match)
{
    return filter->group_count == 0 ? all_match(filter->clauses, filter->and_count, subject, out_match)
                                    : match_with_groups(filter, subject, out_match);
}

/* --- search --- */

struct search {
    const struct filter_scope *scope;
    const struct needle *needle;
    bool one_field;
    bool owner_only; /* of the one field */
    struct row_field field;
};

enum err search_new(const struct filter_scope *scope, struct span text, const struct row_field *field,
                    const struct search **out_search, struct filter_problem *out_problem)
{
    void *memory = NULL;
    struct filter_problem problem = {.why = NULL};
    TRY(arena_alloc(scope->arena, sizeof(struct search), &memory));
    struct search *search = memory;
    if (text.len == 0 || text.len > FILTER_SEARCH_MAX) {
        *out_problem = problem;
        return filter_refuse(out_problem, span_lit("search"), "must have 1 to 256 bytes", ERR_MALFORMED);
    }
    TRY(needle_new(scope->arena, text, &search->needle));
    search->scope = scope;
    if (field != NULL) {
        const enum err err = filter_guard(scope, field->name, &search->owner_only, &problem);
        if (err != ERR_OK) {
            *out_problem = problem;
            return err;
        }
        search->one_field = true;
        search->field = *field;
    }
    *out_search = search;
    return ERR_OK;
}

/* A text, or any text of a list. */
static enum err value_contains(const struct search *search, const struct row_value *value, bool *out_match)
{
    struct row_iter iter = row_iter_of(value);
    struct regex_work *work = search->scope->work;
    struct row_member element;
    enum err err = ERR_NOT_FOUND;
    TRY(text_contains(work, search->needle, value, out_match));
    while (value->type == ROW_ARRAY && !*out_match && (err = row_iter_next(&iter, &element)) == ERR_OK) {
        TRY(regex_work_spend(work, 1));
        TRY(text_contains(work, search->needle, &element.value, out_match));
    }
    ENSURE(err == ERR_OK || err == ERR_NOT_FOUND, ERR_DAMAGED, "a stored list is damaged");
    return ERR_OK;
}

/* May this column be searched on this row? A column that the schema no longer knows is not searched. */
static bool may_search(const struct search *search, const struct row_member *member, bool owns)
{
    struct span name = member->name;
    if (member->column != ROW_COLUMN_EXTRA) {
        const struct schema_field *field = schema_find_column(search->scope->schema, member->column);
        if (field == NULL) {
            return false;
        }
        name = field->name;
    }
    const enum rls_verdict verdict = rls_column(search->scope->rls, name, RLS_COLUMN_QUERY);
    return verdict == RLS_ALLOW || (verdict == RLS_OWNER && owns);
}

static enum err search_columns(const struct search *search, const struct row *row, bool owns, bool *out_match)
{
    struct row_iter iter = row_iter_columns(row);
    struct row_member member;
    enum err err = ERR_OK;
    bool match = false;
    while (!match && (err = row_iter_next(&iter, &member)) == ERR_OK) {
        if (may_search(search, &member, owns)) {
            TRY(value_contains(search, &member.value, &match));
        }
    }
    ENSURE(err == ERR_OK || err == ERR_NOT_FOUND, ERR_DAMAGED, "a stored row is damaged");
    *out_match = match;
    return ERR_OK;
}

enum err search_match(const struct search *search, const struct row *row, bool owns, bool *out_match)
{
    char id_text[ROW_ID_TEXT_BYTES];
    struct row_value value;
    if (!search->one_field) {
        return search_columns(search, row, owns, out_match);
    }
    if (search->owner_only && !owns) {
        *out_match = false;
        return ERR_OK;
    }
    TRY(find(row, &search->field, search->scope->work, id_text, &value));
    return value_contains(search, &value, out_match);
}
