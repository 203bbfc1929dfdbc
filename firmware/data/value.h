/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Comparing stored values with each other and with values of a query. Pure. Spec: contract 4.3 (order), 4.4 (equality).
 */
#ifndef FIRMWARE_DATA_VALUE_H
#define FIRMWARE_DATA_VALUE_H

#include <stdbool.h>

#include "firmware/data/regex.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/json_value.h"
#include "storage/row.h"

/* The text that stands for the requester's id in the filters of a policy: contract 3.8. */
#define VALUE_USER "$userId"
bool value_is_user(const struct json_value *json);

/* How values sort: missing and null, numbers, strings (bytes), objects, arrays, booleans, dates. Objects, and arrays,
 * are ordered by their stored bytes. Negative, zero or positive. */
int value_compare(const struct row_value *a, const struct row_value *b);

/* The stored form of a plain value of a query; a container becomes an empty one of its kind. */
struct row_value value_of_json(const struct json_value *json);

/* Equal as $eq means it for one value: null equals missing, numbers by value, objects whatever the order of their
 * members, arrays element by element. operand nests at most VALUE_DEPTH_MAX deep. A member of an object is looked for
 * among all of the operand's, which is paid for from work. user: what each text of the operand that is exactly
 * VALUE_USER stands for; empty: for itself. ERR_BUDGET, ERR_DAMAGED. */
#define VALUE_DEPTH_MAX 4
enum err value_equals(const struct row_value *value, const struct json_value *operand, struct span user,
                      struct regex_work *work, bool *out_equal) MUST_USE;

#endif
