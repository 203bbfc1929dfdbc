/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the JSON of a policy to a draft of it.
 *
 * Every name and every value is checked against a table; what is not in a table is refused, so a misspelt group cannot
 * become a silent "no" or, worse, a right that nobody sees. The expressions are compiled when the draft is published. */
#include "firmware/rls/rls.h"

#include <string.h>

#include "firmware/rls/rls_int.h"
#include "hal/base/fault.h"
#include "hal/base/num.h"

/* --- problems --- */

static void where_put(struct rls_problem *problem, struct span text)
{
    const size_t len = num_min(text.len, sizeof(problem->where) - problem->where_len);
    memcpy(problem->where + problem->where_len, text.data, len);
    problem->where_len += len;
}

enum err rls_refuse_member(struct rls_problem *out_problem, const char *prefix, struct span name, const char *member,
                           const char *why)
{
    const struct span below[] = {name, span_str(member)};
    *out_problem = (struct rls_problem){.why = why};
    where_put(out_problem, span_str(prefix));
    for (size_t i = 0; i < ARRAY_LENGTH(below); i++) {
        if (below[i].len > 0) {
            where_put(out_problem, span_lit("."));
            where_put(out_problem, below[i]);
        }
    }
    return ERR_MALFORMED;
}

enum err rls_refuse(struct rls_problem *out_problem, const char *prefix, struct span name, const char *why)
{
    return rls_refuse_member(out_problem, prefix, name, "", why);
}

static bool is_null(const struct json_value *value)
{
    return value == NULL || value->type == JSON_NULL;
}

/* --- permissions --- */

static size_t subject_of(struct span name)
{
    size_t subject = 0;
    while (subject < RLS_SUBJECTS && !span_equal(span_str(rls_subject_name((enum rls_subject)subject)), name)) {
        subject++;
    }
    return subject;
}

/* One entry of `permissions`: {"create": true, ...}. */
static enum err parse_subject(const struct json_value *entry, struct span name, uint16_t *out_rights,
                              struct rls_problem *out_problem)
{
    uint16_t rights = SUBJECT_PRESENT;
    if (entry->type != JSON_OBJECT) {
        return rls_refuse(out_problem, "permissions", name, "must be an object of operations");
    }
    for (size_t i = 0; i < entry->as.object.count; i++) {
        const struct json_member *member = &entry->as.object.members[i];
        enum rls_op op;
        if (!rls_op_named(member->name, &op)) {
            return rls_refuse(out_problem, "permissions", name, "has an operation that does not exist");
        }
        if (member->value.type != JSON_BOOL) {
            return rls_refuse(out_problem, "permissions", name, "must have true or false for each operation");
        }
        const unsigned int right = member->value.as.boolean ? RLS_YES : RLS_NO;
        rights = (uint16_t)(rights | (right << (2 * (unsigned int)op)));
    }
    *out_rights = rights;
    return ERR_OK;
}

static enum err parse_permissions(const struct json_value *permissions, struct rls_head *head,
                                  struct rls_problem *out_problem)
{
    head->configured = false;
    memset(head->subjects, 0, sizeof(head->subjects));
    if (is_null(permissions)) {
        return ERR_OK;
    }
    if (permissions->type != JSON_OBJECT) {
        return rls_refuse(out_problem, "permissions", SPAN_NONE, "must be an object or null");
    }
    for (size_t i = 0; i < permissions->as.object.count; i++) {
        const struct json_member *member = &permissions->as.object.members[i];
        const size_t subject = subject_of(member->name);
        if (subject == RLS_SUBJECTS) {
            return rls_refuse(out_problem, "permissions", member->name, "is not one of admin, user, guest, self");
        }
        TRY(parse_subject(&member->value, member->name, &head->subjects[subject], out_problem));
    }
    head->configured = true;
    return ERR_OK;
}

/* --- expressions --- */

/* A JSON text, as the source of an expression: never absent, even when it is empty, which no expression is. */
static bool source_of(const struct json_value *value, struct span *out_source)
{
    if (value->type != JSON_STRING) {
        return false;
    }
    *out_source = value->as.text.len == 0 ? span_lit("") : value->as.text;
    return true;
}

static enum err parse_expressions(const struct json_value *expressions, struct rls_draft *draft,
                                  struct rls_problem *out_problem)
{
    static const char member_name[] = "expressionPermissions";
    if (is_null(expressions)) {
        return ERR_OK;
    }
    if (expressions->type != JSON_OBJECT || expressions->as.object.count == 0) {
        return rls_refuse(out_problem, member_name, SPAN_NONE, "must be null or an object with some operation");
    }
    for (size_t i = 0; i < expressions->as.object.count; i++) {
        const struct json_member *member = &expressions->as.object.members[i];
        enum rls_op op;
        if (!rls_op_named(member->name, &op)) {
            return rls_refuse(out_problem, member_name, member->name, "is not an operation");
        }
        if (!source_of(&member->value, &draft->ops[op])) {
            return rls_refuse(out_problem, member_name, member->name, "must be an expression");
        }
    }
    draft->head.expressions = true;
    return ERR_OK;
}

/* --- columns --- */

/* {"read":expression,"write":expression}, each of which may be left out. */
static enum err parse_column(const struct json_member *field, struct rls_draft_column *out_column,
                             struct rls_problem *out_problem)
{
    static const char member_name[] = "columnPermissions";
    struct rls_draft_column column = {.name = field->name};
    if (!rls_field_name_valid(field->name)) {
        return rls_refuse(out_problem, member_name, field->name,
                          rls_field_is_system(field->name) ? "is a system field"
                                                           : "is not a name that a field may have");
    }
    if (field->value.type != JSON_OBJECT) {
        return rls_refuse(out_problem, member_name, field->name, "must be an object of read and write");
    }
    for (size_t i = 0; i < field->value.as.object.count; i++) {
        const struct json_member *member = &field->value.as.object.members[i];
        const bool read = span_equal(member->name, span_lit("read"));
        if (!read && !span_equal(member->name, span_lit("write"))) {
            return rls_refuse(out_problem, member_name, field->name, "may have read and write, nothing else");
        }
        if (!source_of(&member->value, read ? &column.read : &column.write)) {
            return rls_refuse_member(out_problem, member_name, field->name, read ? "read" : "write",
                                     "must be an expression");
        }
    }
    *out_column = column;
    return ERR_OK;
}

static enum err parse_columns(const struct json_value *columns, struct rls_draft *draft,
                              struct rls_problem *out_problem)
{
    if (is_null(columns)) {
        return ERR_OK;
    }
    if (columns->type != JSON_OBJECT) {
        return rls_refuse(out_problem, "columnPermissions", SPAN_NONE, "must be an object of fields or null");
    }
    if (columns->as.object.count > RLS_COLUMNS_MAX) {
        return rls_refuse(out_problem, "columnPermissions", SPAN_NONE, "has more than 200 fields");
    }
    for (size_t i = 0; i < columns->as.object.count; i++) {
        TRY(parse_column(&columns->as.object.members[i], &draft->columns[i], out_problem));
    }
    draft->column_count = columns->as.object.count;
    draft->head.columns_given = true;
    return ERR_OK;
}

/* --- row filters and tests --- */

/* {"expression":expression,"filter":object}: number i of the list. */
static enum err parse_filter(const struct json_value *entry, size_t i, struct rls_draft_filter *out_filter,
                             struct rls_problem *out_problem)
{
    const struct json_value *source = json_find(entry, span_lit("expression"));
    const struct json_value *filter = json_find(entry, span_lit("filter"));
    if (source == NULL || filter == NULL || filter->type != JSON_OBJECT || entry->as.object.count != 2 ||
        !source_of(source, &out_filter->source)) {
        return rls_refuse(out_problem, "rowFilters", rls_filter_ordinal(i), "must be an object {expression, filter}");
    }
    return ERR_OK;
}

static enum err parse_filters(const struct json_value *filters, struct rls_draft *draft,
                              struct rls_problem *out_problem)
{
    if (is_null(filters)) {
        return ERR_OK;
    }
    if (filters->type != JSON_ARRAY) {
        return rls_refuse(out_problem, "rowFilters", SPAN_NONE, "must be a list or null");
    }
    if (filters->as.array.count > RLS_FILTERS_MAX) {
        return rls_refuse(out_problem, "rowFilters", SPAN_NONE, "has more than 20 filters");
    }
    for (size_t i = 0; i < filters->as.array.count; i++) {
        TRY(parse_filter(&filters->as.array.items[i], i, &draft->filters[i], out_problem));
    }
    draft->filter_count = filters->as.array.count;
    draft->head.filters_given = true;
    return ERR_OK;
}

static enum err check_tests(const struct json_value *tests, struct rls_problem *out_problem)
{
    if (is_null(tests)) {
        return ERR_OK;
    }
    if (tests->type != JSON_ARRAY || tests->as.array.count > RLS_TESTS_MAX) {
        return rls_refuse(out_problem, "tests", SPAN_NONE, "must be a list of at most 50 tests or null");
    }
    return ERR_OK;
}

/* Writes one value behind the others. */
static enum err put_text(rls_text_writer *write, const struct json_value *value, struct buf *texts,
                         struct span *out_text, struct rls_problem *out_problem)
{
    const size_t before = buf_len(texts);
    const enum err err = write(texts, value);
    if (err == ERR_RANGE) {
        return rls_refuse(out_problem, "policy", SPAN_NONE, "is larger than 64 KiB");
    }
    TRY(err);
    *out_text = span_of(NULL, buf_len(texts) - before);
    return ERR_OK;
}

/* The filters and the tests as texts. The buffer may move while it grows, so the draft gets lengths first. */
static enum err put_texts(const struct json_value *policy, rls_text_writer *write, struct buf *texts,
                          struct rls_draft *draft, struct rls_problem *out_problem)
{
    const struct json_value *filters = json_find(policy, span_lit("rowFilters"));
    const struct json_value *tests = json_find(policy, span_lit("tests"));
    size_t at = 0;
    for (size_t i = 0; i < draft->filter_count; i++) {
        const struct json_value *filter = json_find(&filters->as.array.items[i], span_lit("filter"));
        TRY(put_text(write, filter, texts, &draft->filters[i].text, out_problem));
    }
    if (!is_null(tests)) {
        TRY(put_text(write, tests, texts, &draft->tests, out_problem));
    }
    for (size_t i = 0; i < draft->filter_count; i++) {
        draft->filters[i].text.data = buf_all(texts).data + at;
        at += draft->filters[i].text.len;
    }
    if (!is_null(tests)) {
        draft->tests.data = buf_all(texts).data + at;
    }
    return ERR_OK;
}

/* --- the whole --- */

static enum err check_members(const struct json_value *policy, struct rls_problem *out_problem)
{
    static const char *const members[] = {
        "permissions", "expressionPermissions", "columnPermissions", "rowFilters", "security", "tests"};
    if (!is_null(policy) && policy->type != JSON_OBJECT) {
        return rls_refuse(out_problem, "policy", SPAN_NONE, "must be an object");
    }
    for (size_t i = 0; !is_null(policy) && i < policy->as.object.count; i++) {
        const struct span name = policy->as.object.members[i].name;
        bool known = false;
        for (size_t m = 0; m < ARRAY_LENGTH(members); m++) {
            known = known || span_equal(span_str(members[m]), name);
        }
        if (!known) {
            return rls_refuse(out_problem, "policy", name, "is not a member of a policy");
        }
    }
    return ERR_OK;
}

static enum err parse_policy(const struct json_value *policy, struct rls_draft *draft, struct rls_problem *out_problem)
{
    TRY(check_members(policy, out_problem));
    TRY(parse_permissions(json_find(policy, span_lit("permissions")), &draft->head, out_problem));
    TRY(parse_expressions(json_find(policy, span_lit("expressionPermissions")), draft, out_problem));
    TRY(parse_columns(json_find(policy, span_lit("columnPermissions")), draft, out_problem));
    TRY(parse_filters(json_find(policy, span_lit("rowFilters")), draft, out_problem));
    TRY(check_tests(json_find(policy, span_lit("tests")), out_problem));
    return rls_settings_parse(json_find(policy, span_lit("security")), &draft->head, out_problem);
}

enum err rls_compile(const struct json_value *policy, rls_text_writer *write, struct rls_policy **out_policy,
                     struct rls_problem *out_problem)
{
    SCOPED_RLS_DRAFT struct rls_draft *draft = NULL;
    SCOPED_BUF struct buf *texts = NULL;
    TRY(rls_draft_new(&draft));
    TRY(parse_policy(policy, draft, out_problem));
    TRY(buf_new(RLS_POLICY_BYTES, &texts));
    TRY(put_texts(policy, write, texts, draft, out_problem));
    return rls_draft_publish(draft, out_policy, out_problem);
}

enum err rls_policy_with_permissions(const struct rls_policy *policy, const struct json_value *permissions,
                                     struct rls_policy **out_policy, struct rls_problem *out_problem)
{
    SCOPED_RLS_DRAFT struct rls_draft *draft = NULL;
    TRY(rls_draft_new(&draft));
    rls_draft_copy(policy, draft);
    TRY(parse_permissions(permissions, &draft->head, out_problem));
    return rls_draft_publish(draft, out_policy, out_problem);
}

enum err rls_policy_without_columns(const struct rls_policy *policy, const struct span *fields, size_t count,
                                    struct rls_policy **out_policy)
{
    SCOPED_RLS_DRAFT struct rls_draft *draft = NULL;
    struct rls_problem problem;
    size_t kept = 0;
    TRY(rls_draft_new(&draft));
    rls_draft_copy(policy, draft);
    for (size_t i = 0; i < draft->column_count; i++) {
        bool goes = false;
        for (size_t f = 0; f < count; f++) {
            goes = goes || span_equal(draft->columns[i].name, fields[f]);
        }
        if (!goes) {
            draft->columns[kept] = draft->columns[i];
            kept++;
        }
    }
    draft->column_count = kept;
    return rls_draft_publish(draft, out_policy, &problem);
}
