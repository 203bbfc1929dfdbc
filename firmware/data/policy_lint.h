/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the author of a policy should look at again: found when a policy is saved, told as warnings, never refused.
 *
 *   guest-broader        guests have a right that users do not have
 *   guest-writes         guests may create, update or delete
 *   unconfigured         nothing is configured: every key may read
 *   filter-list-only     row filters do not hold for single reads
 *   column-unknown       a column rule or row filter names what the schema does not declare
 *   rule-not-indexed     a column rule or row filter is on a column with which no index begins
 *   unique-column-hidden a conflict tells a writer of a value in a column that they may not read
 *   unique-row-hidden    a conflict tells a writer of a value in a row that they may not read
 *   owner-limit-visible  maxRowsPerOwner tells an owner of rows that they may not see
 *
 * Each is one text, "<code>: <sentence>". Spec: contract 6 (PUT policy). */
#ifndef FIRMWARE_DATA_POLICY_LINT_H
#define FIRMWARE_DATA_POLICY_LINT_H

#include "firmware/data/catalog.h"
#include "firmware/rls/rls.h"
#include "net/json_out.h"

#define POLICY_LINT_MAX 100 /* warnings of one answer */

/* Writes the warnings about a table's policy as items of an open list. */
void policy_lint_write(struct json_out *out, const struct catalog_table *table, enum rls_preset preset);

#endif
