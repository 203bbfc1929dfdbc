/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tests that a policy carries: who, which operation, which row, and whether it must be allowed. They are run when the
 * policy is saved, by the functions that requests go through: a row is encoded and read as a stored one is.
 *
 * {"as": "guest" | "user" | "admin" | {"group", "userId"?, "roles"?}, "op": "create" ... "list", "row": {...},
 *  "body"?: {...}, "expect": "allow" | "deny" | {"allow": true, "hidden": ["email"]}, "name"?: "..."}
 *
 * A user without a userId has the id POLICY_WHO_USER. In a row and a body the text "$userId", as a value or an item of
 * one, is the id of whoever asks. A row's createdBy is what the row says, otherwise nobody; its times are those of the
 * run. create and update are sent the body, or, without one, the row's fields. hidden: exactly these columns of the row
 * are left out of the answer. Only what the policy decides is tested: a row need not have the required fields. */
#ifndef FIRMWARE_DATA_POLICY_TESTS_H
#define FIRMWARE_DATA_POLICY_TESTS_H

#include <stdbool.h>

#include "firmware/data/policy_filters.h"
#include "firmware/data/regex.h"
#include "firmware/rls/rls.h"
#include "firmware/schema/schema.h"
#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"
#include "hal/base/time.h"

#define POLICY_TEST_NAME_MAX 64 /* bytes; what is said about a test fits beside it: SCHEMA_REASON_MAX */

/* What the tests run on; all borrowed. */
struct policy_tests {
    struct arena *arena;
    struct rls_table table; /* its policy has the tests */
    const struct schema *schema;
    const struct policy_filters *filters; /* of that policy and schema */
    struct regex_work *work;              /* for the row filters */
    struct regex_work *schema_work;       /* for the patterns of the schema; filled by the caller */
    struct buf *row;                      /* is reset; allows ROW_BYTES_MAX */
    struct wall_time now;
};

/* Runs all of them.
 * ERR_MALFORMED  a test is not one; the problem names it as "tests.3.op"
 * ERR_DENIED     some did not hold; out_report names the first of them, "tests.3", with what was expected and what came
 * ERR_BUDGET     the patterns of the schema use up schema_work
 * ERR_NO_MEMORY, ERR_DAMAGED */
enum err policy_tests_run(const struct policy_tests *tests, struct schema_report *out_report,
                          struct rls_problem *out_problem) MUST_USE;

/* The same one by one, for who must not be held up by all of them. */
struct policy_test_run;

/* out is NULL when the policy has no tests; it lives in the arena of tests, which it borrows. report, which it borrows, is
 * cleared. ERR_NO_MEMORY, ERR_DAMAGED. */
enum err policy_tests_begin(const struct policy_tests *tests, struct schema_report *report,
                            struct policy_test_run **out_run) MUST_USE;

/* Runs the next one, and notes in the report if it does not hold. ERR_NOT_FOUND: there is none left; others as
 * policy_tests_run, but never ERR_DENIED. */
enum err policy_tests_next(struct policy_test_run *run, struct rls_problem *out_problem) MUST_USE;

/* Does a test of the policy name this column in a row, in a body or as hidden? out_test is then its position.
 * ERR_NO_MEMORY, ERR_DAMAGED. */
enum err policy_tests_naming(struct arena *arena, const struct rls_policy *policy, struct span field, bool *out_named,
                             size_t *out_test) MUST_USE;

#endif
