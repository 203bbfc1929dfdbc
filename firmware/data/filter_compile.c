/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From andFilters and orFilters to clauses.
 *
 * The shapes are few and flat: an object of fields, or a list of such objects; a field with a plain value or an object of
 * operators. So there is nothing to recurse into, and what nests deeper can only be a value to be equal to. Anything that
 * begins with "$" and is not in the table of operators is refused. */
#include "firmware/data/filter.h"

#include <stdlib.h>
#include <string.h>

#include "firmware/data/filter_int.h"
#include "firmware/data/value.h"
#include "hal/base/fault.h"
#include "hal/base/num.h"

enum err filter_refuse(struct filter_problem *out_problem, struct span field, const char *why, enum err err)
{
    out_problem->why = why;
    out_problem->field_len = num_min(field.len, FILTER_PROBLEM_MAX);
    if (out_problem->field_len > 0) {
        memcpy(out_problem->field, field.data, out_problem->field_len);
    }
    return err;
}

/* --- fields --- */

static bool is_letter(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_name_byte(uint8_t byte)
{
    return is_letter(byte) || (byte >= '0' && byte <= '9') || byte == '_';
}

static bool field_name_valid(struct span name)
{
    bool valid =
        name.len > 0 && name.len <= FILTER_FIELD_MAX && is_letter(name.data[0]) && name.data[name.len - 1] != '.';
    for (size_t i = 1; valid && i < name.len; i++) {
        valid = is_name_byte(name.data[i]) || (name.data[i] == '.' && name.data[i - 1] != '.');
    }
    return valid;
}

static uint16_t system_column(struct span name)
{
    static const struct {
        const char *name;
        uint16_t column;
    } columns[] = {{"id", ROW_COLUMN_ID},
                   {"createdBy", ROW_COLUMN_CREATED_BY},
                   {"createdAt", ROW_COLUMN_CREATED_AT},
                   {"updatedAt", ROW_COLUMN_UPDATED_AT}};
    for (size_t i = 0; i < ARRAY_LENGTH(columns); i++) {
        if (span_equal(span_str(columns[i].name), name)) {
            return columns[i].column;
        }
    }
    return ROW_COLUMN_NONE;
}

enum err filter_field(const struct schema *schema, struct span name, struct row_field *out_field)
{
    ENSURE(field_name_valid(name), ERR_MALFORMED, "not a field name");
    const size_t dot = span_find(name, '.');
    const size_t skipped = num_min(dot + 1, name.len);
    struct row_field field = {.name = span_of(name.data, dot),
                              .path = span_of(name.data + skipped, name.len - skipped)};
    field.column = field.path.len == 0 ? system_column(name) : ROW_COLUMN_NONE;
    if (field.column == ROW_COLUMN_NONE) {
        const struct schema_field *declared = schema_find(schema, field.name);
        field.column = declared == NULL ? ROW_COLUMN_NONE : declared->column;
    }
    *out_field = field;
    return ERR_OK;
}

enum err filter_guard(const struct filter_scope *scope, struct span name, bool *out_owner_only,
                      struct filter_problem *out_problem)
{
    const struct span top = span_of(name.data, span_find(name, '.'));
    const enum rls_verdict verdict = rls_column(scope->rls, top, RLS_COLUMN_QUERY);
    *out_owner_only = verdict == RLS_OWNER;
    if (verdict != RLS_ALLOW && verdict != RLS_OWNER) {
        return filter_refuse(out_problem, name, "may not be used in a query", ERR_DENIED);
    }
    return ERR_OK;
}

/* Does the field hold instants, or a list of them? */
static bool is_date_field(const struct schema *schema, struct span name)
{
    const struct schema_field *field = schema_resolve(schema, name);
    if (field != NULL && field->type == SCHEMA_ARRAY && field->items != NULL) {
        field = field->items;
    }
    return span_equal(name, span_lit("createdAt")) || span_equal(name, span_lit("updatedAt")) ||
           (field != NULL && field->type == SCHEMA_DATE);
}

/* --- what a value holds --- */

/* What nests inside a value: the walk that looks for what has a meaning and for what nests too deep. */
struct level {
    const struct json_value *container;
    size_t next;
};

static const struct json_value *next_child(struct level *level)
{
    const size_t at = level->next;
    level->next++;
    if (level->container->type == JSON_ARRAY) {
        return at < level->container->as.array.count ? &level->container->as.array.items[at] : NULL;
    }
    return at < level->container->as.object.count ? &level->container->as.object.members[at].value : NULL;
}

static bool is_container(const struct json_value *value)
{
    return value->type == JSON_ARRAY || value->type == JSON_OBJECT;
}

static bool is_dollar(struct span name)
{
    return name.len > 0 && name.data[0] == '$';
}

static bool has_operator(const struct json_value *operand)
{
    bool found = false;
    for (size_t i = 0; operand->type == JSON_OBJECT && i < operand->as.object.count; i++) {
        found = found || is_dollar(operand->as.object.members[i].name);
    }
    return found;
}

/* What a value holds, itself or anywhere in it. */
struct sight {
    bool user;      /* VALUE_USER */
    bool operators; /* names that begin with $ */
};

/* The value is shallow, or the filter is refused in any case. */
static struct sight look_into(const struct json_value *value)
{
    struct sight sight = {value_is_user(value), has_operator(value)};
    struct level levels[FILTER_DEPTH_MAX];
    size_t depth = 0;
    if (is_container(value)) {
        levels[0] = (struct level){value, 0};
        depth = 1;
    }
    while (depth > 0) {
        const struct json_value *child = next_child(&levels[depth - 1]);
        if (child == NULL) {
            depth--;
            continue;
        }
        sight.user = sight.user || value_is_user(child);
        sight.operators = sight.operators || has_operator(child);
        if (is_container(child) && depth < FILTER_DEPTH_MAX) {
            levels[depth] = (struct level){child, 0};
            depth++;
        }
    }
    return sight;
}

/* --- operands --- */

struct compiler {
    const struct filter_scope *scope;
    struct filter *filter;
    struct filter_problem *problem;
    struct filter_problem denied; /* the first field that may not be asked about; told when nothing is malformed */
    struct span name;             /* of the field at hand */
    bool dates;                   /* it holds instants */
    size_t clause_room, group_room;
};

static enum err refuse(const struct compiler *c, const char *why)
{
    return filter_refuse(c->problem, c->name, why, ERR_MALFORMED);
}

/* A text given for a date becomes an instant; everything else stays. */
static enum err convert_date(const struct compiler *c, const struct json_value *value, struct json_value *out_value)
{
    *out_value = *value;
    if (!c->dates || value->type != JSON_STRING) {
        return ERR_OK;
    }
    out_value->type = JSON_DATE;
    if (time_parse_iso(value->as.text, &out_value->as.date) != ERR_OK) {
        return refuse(c, "needs an ISO 8601 date");
    }
    return ERR_OK;
}

static enum err convert_operand(const struct compiler *c, const struct json_value *value,
                                const struct json_value **out_value)
{
    void *memory = NULL;
    TRY(arena_alloc(c->scope->arena, sizeof(struct json_value), &memory));
    struct json_value *copy = memory;
    TRY(convert_date(c, value, copy));
    if (c->dates && value->type == JSON_ARRAY) {
        TRY(arena_alloc_array(c->scope->arena, value->as.array.count, sizeof(struct json_value), &memory));
        struct json_value *items = memory;
        for (size_t i = 0; i < value->as.array.count; i++) {
            TRY(convert_date(c, &value->as.array.items[i], &items[i]));
        }
        copy->as.array.items = items;
    }
    *out_value = copy;
    return ERR_OK;
}

static int compare_in_set(const void *a, const void *b)
{
    return value_compare(a, b);
}

static enum err compile_set(const struct compiler *c, const struct json_value *operand, struct filter_clause *clause)
{
    void *memory = NULL;
    if (operand->type != JSON_ARRAY) {
        return refuse(c, "needs a list");
    }
    if (operand->as.array.count > FILTER_IN_MAX) {
        return refuse(c, "has a list of more than 500 values");
    }
    TRY(arena_alloc_array(c->scope->arena, operand->as.array.count, sizeof(struct row_value), &memory));
    struct row_value *set = memory;
    size_t count = 0;
    for (size_t i = 0; i < operand->as.array.count; i++) {
        struct json_value value;
        TRY(convert_date(c, &operand->as.array.items[i], &value));
        if (is_container(&value)) {
            return refuse(c, "needs a list of plain values");
        }
        if (clause->of_user && value_is_user(&value)) {
            continue; /* asked for at each evaluation */
        }
        set[count] = value_of_json(&value);
        count++;
    }
    if (count > 0) {
        qsort(set, count, sizeof(set[0]), compare_in_set);
    }
    clause->set = set;
    clause->set_count = count;
    return ERR_OK;
}

static enum err compile_bound(const struct compiler *c, const struct json_value *operand, struct filter_clause *clause)
{
    struct json_value value;
    TRY(convert_date(c, operand, &value));
    if (value.type == JSON_NULL || is_container(&value)) {
        return refuse(c, "can only be compared with a number, a text, a date or true and false");
    }
    clause->bound = value_of_json(&value);
    return ERR_OK;
}

static enum err compile_regex(const struct compiler *c, const struct json_value *operand,
                              const struct json_value *options, struct filter_clause *clause)
{
    enum regex_case letters = REGEX_CASE_SENSITIVE;
    if (operand->type != JSON_STRING || clause->of_user) {
        return refuse(c, clause->of_user ? "cannot have $userId as $regex" : "needs a text as $regex");
    }
    if (options != NULL) {
        if (options->type != JSON_STRING || !span_equal(options->as.text, span_lit("i"))) {
            return refuse(c, "knows only \"i\" as $options");
        }
        letters = REGEX_CASE_IGNORED;
    }
    const enum err err = regex_compile(c->scope->arena, operand->as.text, letters, &clause->regex);
    if (err == ERR_MALFORMED || err == ERR_UNSUPPORTED || err == ERR_RANGE) {
        return refuse(c, "has a regular expression that is not supported");
    }
    return err;
}

static enum err compile_contains(const struct compiler *c, const struct json_value *operand,
                                 struct filter_clause *clause)
{
    if (operand->type != JSON_STRING || operand->as.text.len > NEEDLE_MAX) {
        return refuse(c, "needs a text of at most 256 bytes as $contains");
    }
    if (clause->of_user) {
        return refuse(c, "cannot have $userId as $contains");
    }
    return needle_new(c->scope->arena, operand->as.text, &clause->needle);
}

static enum err compile_operand(const struct compiler *c, const struct json_value *operand,
                                const struct json_value *options, struct filter_clause *clause)
{
    switch (clause->op) {
    case FILTER_EQ:
    case FILTER_NE:
        TRY(convert_operand(c, operand, &clause->operand));
        clause->scalar = !is_container(clause->operand);
        clause->bound = value_of_json(clause->operand);
        clause->is_owner = clause->of_user && clause->scalar && clause->field.column == ROW_COLUMN_CREATED_BY;
        return ERR_OK;
    case FILTER_GT:
    case FILTER_GTE:
    case FILTER_LT:
    case FILTER_LTE:
        return compile_bound(c, operand, clause);
    case FILTER_IN:
    case FILTER_NIN:
        return compile_set(c, operand, clause);
    case FILTER_REGEX:
        return compile_regex(c, operand, options, clause);
    case FILTER_EXISTS:
        clause->exists = operand->type == JSON_BOOL && operand->as.boolean;
        return operand->type == JSON_BOOL ? ERR_OK : refuse(c, "needs true or false as $exists");
    case FILTER_CONTAINS:
        return compile_contains(c, operand, clause);
    }
    return refuse(c, "has an operator that does not exist");
}

static void guard_clause(struct compiler *c, struct filter_clause *clause)
{
    struct filter_problem denied = {.why = NULL};
    const enum err err = filter_guard(c->scope, c->name, &clause->owner_only, &denied);

    if (err != ERR_OK && c->denied.why == NULL) {
        c->denied = denied;
    }
}

static enum err add_clause(struct compiler *c, enum filter_op op, const struct json_value *operand,
                           const struct json_value *options)
{
    struct filter_clause clause = {.op = op};
    const struct sight sight = look_into(operand);
    clause.of_user = c->scope->kind == FILTER_OF_POLICY && sight.user;
    if (c->filter->clause_count == c->clause_room) {
        return refuse(c, "is one condition too many: a query may have 64");
    }
    if (filter_field(c->scope->schema, c->name, &clause.field) != ERR_OK) {
        return refuse(c, "is not a field name");
    }
    if (sight.operators) {
        return refuse(c, "has an operator inside a value; name what is nested with dots");
    }
    clause.plain = clause.field.path.len == 0 && clause.field.column != ROW_COLUMN_ID;
    if (c->scope->kind == FILTER_OF_CLIENT) {
        guard_clause(c, &clause);
    }
    TRY(compile_operand(c, operand, options, &clause));
    c->filter->clauses[c->filter->clause_count] = clause;
    c->filter->clause_count++;
    return ERR_OK;
}

/* --- members --- */

static const struct {
    const char *name;
    enum filter_op op;
} operators[] = {
    {"$eq", FILTER_EQ},
    {"$ne", FILTER_NE},
    {"$gt", FILTER_GT},
    {"$gte", FILTER_GTE},
    {"$lt", FILTER_LT},
    {"$lte", FILTER_LTE},
    {"$in", FILTER_IN},
    {"$nin", FILTER_NIN},
    {"$regex", FILTER_REGEX},
    {"$exists", FILTER_EXISTS},
    {"$contains", FILTER_CONTAINS},
};

/* An object of operators, such as {"$gte":1,"$lt":5}. */
static enum err compile_operators(struct compiler *c, const struct json_value *object)
{
    const struct json_value *options = json_find(object, span_lit("$options"));
    if (options != NULL && json_find(object, span_lit("$regex")) == NULL) {
        return refuse(c, "has $options without $regex");
    }
    for (size_t i = 0; i < object->as.object.count; i++) {
        const struct json_member *member = &object->as.object.members[i];
        size_t at = 0;
        while (at < ARRAY_LENGTH(operators) && !span_equal(span_str(operators[at].name), member->name)) {
            at++;
        }
        if (&member->value == options) {
            continue;
        }
        if (at == ARRAY_LENGTH(operators)) {
            return refuse(c, is_dollar(member->name) ? "has an operator that does not exist"
                                                     : "mixes operators and fields");
        }
        TRY(add_clause(c, operators[at].op, &member->value, options));
    }
    return ERR_OK;
}

static enum err compile_member(struct compiler *c, const struct json_member *member)
{
    c->name = member->name;
    c->dates = is_date_field(c->scope->schema, member->name);
    if (is_dollar(member->name)) {
        return refuse(c, "is not supported; use andFilters and orFilters");
    }
    return has_operator(&member->value) ? compile_operators(c, &member->value)
                                        : add_clause(c, FILTER_EQ, &member->value, NULL);
}

static enum err compile_object(struct compiler *c, const struct json_value *object)
{
    for (size_t i = 0; i < object->as.object.count; i++) {
        TRY(compile_member(c, &object->as.object.members[i]));
    }
    return ERR_OK;
}

static enum err end_group(struct compiler *c, size_t first)
{
    if (c->filter->group_count == c->group_room) {
        return refuse(c, "is one group too many: a query may have 64");
    }
    c->filter->groups[c->filter->group_count] = (struct filter_group){first, c->filter->clause_count - first};
    c->filter->group_count++;
    return ERR_OK;
}

/* An object: each member is a group of its own. A list: each object is one. */
static enum err compile_or(struct compiler *c, const struct json_value *or_filters)
{
    if (or_filters->type == JSON_OBJECT) {
        for (size_t i = 0; i < or_filters->as.object.count; i++) {
            const size_t first = c->filter->clause_count;
            TRY(compile_member(c, &or_filters->as.object.members[i]));
            TRY(end_group(c, first));
        }
        return ERR_OK;
    }
    for (size_t i = 0; i < or_filters->as.array.count; i++) {
        const struct json_value *object = &or_filters->as.array.items[i];
        const size_t first = c->filter->clause_count;
        c->name = span_lit("orFilters");
        if (object->type != JSON_OBJECT) {
            return refuse(c, "must be an object or a list of objects");
        }
        TRY(compile_object(c, object));
        TRY(end_group(c, first));
    }
    return ERR_OK;
}

/* --- depth and size --- */

/* Does the value nest at most FILTER_DEPTH_MAX deep? */
static bool is_shallow(const struct json_value *value)
{
    struct level levels[FILTER_DEPTH_MAX];
    size_t depth = 1;
    levels[0] = (struct level){value, 0};
    while (depth > 0) {
        const struct json_value *child = next_child(&levels[depth - 1]);
        if (child == NULL) {
            depth--;
        } else if (is_container(child)) {
            if (depth == FILTER_DEPTH_MAX) {
                return false;
            }
            levels[depth] = (struct level){child, 0};
            depth++;
        }
    }
    return true;
}

static enum err check_shape(struct compiler *c, const struct json_value *value, const char *name, bool list)
{
    c->name = c->scope->kind == FILTER_OF_POLICY ? SPAN_NONE : span_str(name);
    if (value->type != JSON_OBJECT && !(list && value->type == JSON_ARRAY)) {
        return refuse(c, "must be an object");
    }
    return is_shallow(value) ? ERR_OK : refuse(c, "nests too deep");
}

/* How many clauses and groups a filter can have at most; more than that are refused on the way. */
static void count_object(const struct json_value *object, size_t *clauses)
{
    for (size_t i = 0; object->type == JSON_OBJECT && i < object->as.object.count; i++) {
        const struct json_value *operand = &object->as.object.members[i].value;
        *clauses += operand->type == JSON_OBJECT ? num_min(1 + operand->as.object.count, FILTER_CLAUSES_MAX) : 1;
    }
}

static enum err make_room(struct compiler *c, const struct json_value *and_filters, const struct json_value *or_filters)
{
    size_t clauses = 0;
    size_t groups = 0;
    void *memory = NULL;

    if (and_filters != NULL) {
        count_object(and_filters, &clauses);
    }
    if (or_filters != NULL && or_filters->type == JSON_OBJECT) {
        count_object(or_filters, &clauses);
        groups = or_filters->as.object.count;
    }
    for (size_t i = 0; or_filters != NULL && or_filters->type == JSON_ARRAY && i < or_filters->as.array.count; i++) {
        count_object(&or_filters->as.array.items[i], &clauses);
        groups++;
    }
    c->clause_room = num_min(clauses, FILTER_CLAUSES_MAX);
    c->group_room = num_min(groups, FILTER_CLAUSES_MAX);
    TRY(arena_alloc_array(c->scope->arena, c->clause_room, sizeof(struct filter_clause), &memory));
    c->filter->clauses = memory;
    TRY(arena_alloc_array(c->scope->arena, c->group_room, sizeof(struct filter_group), &memory));
    c->filter->groups = memory;
    return ERR_OK;
}

static enum err compile_both(struct compiler *c, const struct json_value *and_filters,
                             const struct json_value *or_filters)
{
    if (and_filters != NULL) {
        TRY(check_shape(c, and_filters, "andFilters", false));
    }
    if (or_filters != NULL) {
        TRY(check_shape(c, or_filters, "orFilters", true));
    }
    TRY(make_room(c, and_filters, or_filters));
    if (and_filters != NULL) {
        TRY(compile_object(c, and_filters));
    }
    c->filter->and_count = c->filter->clause_count;
    if (or_filters != NULL) {
        TRY(compile_or(c, or_filters));
    }
    if (c->denied.why != NULL) {
        *c->problem = c->denied;
        return ERR_DENIED;
    }
    return ERR_OK;
}

enum err filter_new(const struct filter_scope *scope, const struct json_value *and_filters,
                    const struct json_value *or_filters, const struct filter **out_filter,
                    struct filter_problem *out_problem)
{
    void *memory = NULL;
    struct filter_problem problem = {.why = NULL};
    TRY(arena_alloc(scope->arena, sizeof(struct filter), &memory));
    struct compiler c = {.scope = scope, .filter = memory, .problem = &problem};

    const enum err err = compile_both(&c, and_filters, or_filters);
    if (err == ERR_MALFORMED || err == ERR_DENIED) {
        *out_problem = problem;
    }
    TRY(err);
    *out_filter = c.filter;
    return ERR_OK;
}
