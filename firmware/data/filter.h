/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Filters and search: conditions on a row, checked and compiled once, then answered on row views without allocation.
 * They come from a client's query or, filters only, from a policy's rowFilters.
 *
 * andFilters: every member holds. orFilters: some member holds, or, written as an array, some object all of whose
 * members hold. Meaning of the operators: contract 4.4. Number of clauses, depth, size and the work of regular
 * expressions are bounded. A filter is immutable and lives in the arena it was compiled into. */
#ifndef FIRMWARE_DATA_FILTER_H
#define FIRMWARE_DATA_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "firmware/data/regex.h"
#include "firmware/rls/rls.h"
#include "firmware/schema/schema.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/json_value.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"
#include "storage/row.h"

#define FILTER_TEXT_MAX    (16u * 1024) /* bytes of one filter, decoded; contract 4.4 */
#define FILTER_CLAUSES_MAX 64           /* field and operator pairs of both filters together */
#define FILTER_DEPTH_MAX   4            /* arrays and objects inside each other, the filter itself included */
#define FILTER_IN_MAX      500          /* values of one $in or $nin */
#define FILTER_FIELD_MAX   255          /* bytes of a dotted name */
#define FILTER_SEARCH_MAX  256          /* bytes of `search` */

/* Why a query is refused: `why` is a literal; `field` names the parameter or field it is about and is cut to fit. */
#define FILTER_PROBLEM_MAX 96
struct filter_problem {
    const char *why;
    char field[FILTER_PROBLEM_MAX];
    size_t field_len;
};

/* Whose filter it is. */
enum filter_kind {
    FILTER_OF_CLIENT, /* names are held against the column rules; VALUE_USER is a text like any other */
    FILTER_OF_POLICY, /* any name; VALUE_USER stands for the requester's id, whoever that is when a row is asked about */
};

/* For whom and on which table a filter is compiled; all borrowed for the life of the filter. */
struct filter_scope {
    enum filter_kind kind;
    struct arena *arena;
    const struct schema *schema;
    const struct rls_bound *rls; /* of a client's alone, as the next */
    struct regex_work *work;     /* of the request; a search pays from it */
};

struct filter;

/* Compiles both filters; either may be NULL. The trees are borrowed for the life of the filter.
 * ERR_MALFORMED  a field name, operator or operand is not allowed, or a limit is passed
 * ERR_DENIED     a clause names a field that the requester may never read, and nothing is malformed
 * ERR_NO_MEMORY
 * out_problem is written on the first two. */
enum err filter_new(const struct filter_scope *scope, const struct json_value *and_filters,
                    const struct json_value *or_filters, const struct filter **out_filter,
                    struct filter_problem *out_problem) MUST_USE;

/* A row that a filter is asked about, and for whom; all borrowed. */
struct filter_subject {
    const struct row *row;
    bool owns;               /* rls_owns() for this row */
    struct span user;        /* what VALUE_USER stands for in a policy's filter; empty: nobody */
    struct regex_work *work; /* pays for whatever else a client can make long, see filter.c */
};

/* Does the row satisfy the filter? A clause on a field that only owners may read holds on owned rows alone. A clause of a
 * policy whose operand has VALUE_USER in it holds for nobody without an id, $ne and $nin included: contract 3.8.
 * ERR_BUDGET when the steps of work are used up, ERR_DAMAGED. */
enum err filter_match(const struct filter *filter, const struct filter_subject *subject, bool *out_match) MUST_USE;

struct search;

/* Compiles a search for text (1 to FILTER_SEARCH_MAX bytes) in one field, or, with field NULL, in every string field and
 * every string inside an array; system fields are not searched. Letters match in either case (needle.h), every other
 * character only itself. Without a field, fields that the requester may not read are skipped; a named one is treated as
 * in a filter. Errors as filter_new. Work is linear in the text that is searched, and is paid for from scope->work:
 * search_match answers ERR_BUDGET when that is used up. */
enum err search_new(const struct filter_scope *scope, struct span text, const struct row_field *field,
                    const struct search **out_search, struct filter_problem *out_problem) MUST_USE;
enum err search_match(const struct search *search, const struct row *row, bool owns, bool *out_match) MUST_USE;

/* The field that a name means, for sorting, searching and filtering: system field, declared field or a dotted path.
 * Every well-formed name is one, also if nothing declares it. ERR_MALFORMED if it is not
 * ^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*$ or is longer than FILTER_FIELD_MAX. The field borrows name. */
enum err filter_field(const struct schema *schema, struct span name, struct row_field *out_field) MUST_USE;

#endif
