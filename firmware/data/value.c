/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Order and equality of values. Integers and doubles are compared exactly, never by rounding one to the other. Nesting
 * is bounded by the query's operand, so equality keeps a stack of that depth and no more. */
#include "firmware/data/value.h"

#include "hal/base/fault.h"

/* Ranks of contract 4.3. */
static int rank_of(enum row_type type)
{
    switch (type) {
    case ROW_MISSING:
    case ROW_NULL:
        return 0;
    case ROW_INT:
    case ROW_DOUBLE:
        return 1;
    case ROW_STRING:
        return 2;
    case ROW_OBJECT:
        return 3;
    case ROW_ARRAY:
        return 4;
    case ROW_BOOL:
        return 5;
    case ROW_DATE:
        return 6;
    }
    return 0;
}

static int order_int(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int order_double(double a, double b)
{
    return (a > b) - (a < b);
}

#define TWO_63 9223372036854775808.0

static int order_int_double(int64_t a, double b)
{
    if (b >= TWO_63) {
        return -1;
    }
    if (b < -TWO_63) {
        return 1;
    }
    const int64_t whole = (int64_t)b;
    return a != whole ? order_int(a, whole) : order_double(0.0, b - (double)whole);
}

static int order_numbers(const struct row_value *a, const struct row_value *b)
{
    if (a->type == ROW_INT) {
        return b->type == ROW_INT ? order_int(a->integer, b->integer) : order_int_double(a->integer, b->number);
    }
    return b->type == ROW_INT ? -order_int_double(b->integer, a->number) : order_double(a->number, b->number);
}

int value_compare(const struct row_value *a, const struct row_value *b)
{
    const int rank = rank_of(a->type);
    if (rank != rank_of(b->type)) {
        return rank - rank_of(b->type);
    }
    switch (a->type) {
    case ROW_MISSING:
    case ROW_NULL:
        return 0;
    case ROW_INT:
    case ROW_DOUBLE:
        return order_numbers(a, b);
    case ROW_STRING:
    case ROW_OBJECT:
    case ROW_ARRAY:
        return span_compare(a->bytes, b->bytes);
    case ROW_BOOL:
        return order_int(a->boolean, b->boolean);
    case ROW_DATE:
        return order_int(a->date.ms, b->date.ms);
    }
    return 0;
}

bool value_is_user(const struct json_value *json)
{
    return json->type == JSON_STRING && span_equal(json->as.text, span_lit(VALUE_USER));
}

struct row_value value_of_json(const struct json_value *json)
{
    switch (json->type) {
    case JSON_NULL:
        return (struct row_value){.type = ROW_NULL};
    case JSON_BOOL:
        return (struct row_value){.type = ROW_BOOL, .boolean = json->as.boolean};
    case JSON_INT:
        return (struct row_value){.type = ROW_INT, .integer = json->as.integer};
    case JSON_DOUBLE:
        return (struct row_value){.type = ROW_DOUBLE, .number = json->as.real};
    case JSON_STRING:
        return (struct row_value){.type = ROW_STRING, .bytes = json->as.text};
    case JSON_DATE:
        return (struct row_value){.type = ROW_DATE, .date = json->as.date};
    case JSON_ARRAY:
        return (struct row_value){.type = ROW_ARRAY};
    case JSON_OBJECT:
        return (struct row_value){.type = ROW_OBJECT};
    }
    return (struct row_value){.type = ROW_MISSING};
}

#define MEMBERS_A_STEP 4u /* names that are compared in the time of one step of the matcher */

/* A container whose elements are being compared. */
struct pair {
    struct row_iter iter;
    const struct json_value *operand;
    size_t seen; /* elements or members passed */
};

enum step { STEP_EQUAL, STEP_DIFFERENT, STEP_DESCEND };

/* Compares what can be compared without looking inside. */
static enum step compare_outside(const struct row_value *value, const struct json_value *operand, struct span user)
{
    struct row_value other = value_of_json(operand);
    if (user.len > 0 && value_is_user(operand)) {
        other.bytes = user;
    }
    if (rank_of(value->type) != rank_of(other.type)) {
        return STEP_DIFFERENT;
    }
    if (value->type == ROW_OBJECT || value->type == ROW_ARRAY) {
        return STEP_DESCEND;
    }
    return value_compare(value, &other) == 0 ? STEP_EQUAL : STEP_DIFFERENT;
}

static size_t size_of(const struct json_value *container)
{
    return container->type == JSON_ARRAY ? container->as.array.count : container->as.object.count;
}

/* The operand's value that belongs to the member just read; NULL if there is none. */
static enum err partner(const struct pair *pair, const struct row_member *member, struct regex_work *work,
                        const struct json_value **out_partner)
{
    const bool object = pair->operand->type == JSON_OBJECT;
    const size_t count = size_of(pair->operand);

    if (object) {
        TRY(regex_work_spend(work, 1 + count / MEMBERS_A_STEP));
        *out_partner = json_find(pair->operand, member->name);
        return ERR_OK;
    }
    *out_partner = pair->seen < count ? &pair->operand->as.array.items[pair->seen] : NULL;
    return ERR_OK;
}

enum err value_equals(const struct row_value *value, const struct json_value *operand, struct span user,
                      struct regex_work *work, bool *out_equal)
{
    struct pair pairs[VALUE_DEPTH_MAX];
    struct row_value left = *value;
    const struct json_value *right = operand;
    size_t depth = 0;
    for (;;) {
        const enum step step = compare_outside(&left, right, user);
        if (step == STEP_DIFFERENT) {
            *out_equal = false;
            return ERR_OK;
        }
        if (step == STEP_DESCEND) {
            ENSURE(depth < VALUE_DEPTH_MAX, ERR_BUG, "an operand deeper than a filter allows");
            pairs[depth] = (struct pair){.iter = row_iter_of(&left), .operand = right};
            depth++;
        }
        right = NULL;
        while (depth > 0 && right == NULL) {
            struct pair *pair = &pairs[depth - 1];
            struct row_member member;
            const enum err err = row_iter_next(&pair->iter, &member);
            if (err == ERR_NOT_FOUND && pair->seen == size_of(pair->operand)) {
                depth--;
                continue;
            }
            if (err != ERR_OK && err != ERR_NOT_FOUND) {
                FAIL(err, "a stored container is damaged", 0);
            }
            if (err == ERR_OK) {
                TRY(partner(pair, &member, work, &right));
            }
            pair->seen++;
            if (right == NULL) {
                *out_equal = false;
                return ERR_OK;
            }
            left = member.value;
        }
        if (right == NULL) {
            *out_equal = true;
            return ERR_OK;
        }
    }
}
