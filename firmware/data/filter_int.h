/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The compiled filter, shared by its compiler and its evaluator. */
#ifndef FIRMWARE_DATA_FILTER_INT_H
#define FIRMWARE_DATA_FILTER_INT_H

#include "firmware/data/filter.h"
#include "firmware/data/needle.h"
#include "firmware/data/regex.h"

enum filter_op {
    FILTER_EQ,
    FILTER_NE,
    FILTER_GT,
    FILTER_GTE,
    FILTER_LT,
    FILTER_LTE,
    FILTER_IN,
    FILTER_NIN,
    FILTER_REGEX,
    FILTER_EXISTS,
    FILTER_CONTAINS,
};

struct filter_clause {
    struct row_field field;
    enum filter_op op;
    bool owner_only;                  /* holds on owned rows alone: the field may be read there alone */
    bool plain;                       /* the field is neither the id nor inside another */
    bool is_owner;                    /* createdBy is, or is not, VALUE_USER */
    bool of_user;                     /* the operand has VALUE_USER in it: without an id the clause does not hold */
    bool exists;                      /* operand of $exists */
    bool scalar;                      /* of equality: the operand holds no others, and is in bound as well */
    const struct json_value *operand; /* of equality */
    struct row_value bound;           /* of an order comparison */
    const struct row_value *set;      /* of $in and $nin, sorted, without VALUE_USER */
    size_t set_count;
    const struct regex *regex;
    const struct needle *needle;
};

/* All clauses of a group hold. */
struct filter_group {
    size_t first, count;
};

/* The clauses [0, and_count) hold, and, if there are groups, some group holds. */
struct filter {
    struct filter_clause *clauses;
    size_t clause_count;
    size_t and_count;
    struct filter_group *groups;
    size_t group_count;
};

/* Sets out_problem to the field and why, and answers err. */
enum err filter_refuse(struct filter_problem *out_problem, struct span field, const char *why, enum err err) MUST_USE;

/* What rls_column says of a field in a query: ERR_DENIED for never; out_owner_only for owned rows alone. */
enum err filter_guard(const struct filter_scope *scope, struct span name, bool *out_owner_only,
                      struct filter_problem *out_problem) MUST_USE;

#endif
