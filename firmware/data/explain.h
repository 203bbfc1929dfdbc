/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why somebody may do something, or not: what an administrator asks about a table, an operation and a requester, and, if
 * they like, about one row.
 *
 * The answer is what the functions of requests say: data_access_open decides, data_access_row looks at the row, plan_new
 * plans the list. The parts that they went through are asked one by one of the functions that they call. Nothing is
 * decided here. Spec: contract 3.5, 3.6, 6 (POST /explain). */
#ifndef FIRMWARE_DATA_EXPLAIN_H
#define FIRMWARE_DATA_EXPLAIN_H

#include "firmware/auth/refusal.h"
#include "firmware/data/access.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/json_value.h"

/* What a client sees of a refusal: the table of public codes is above this folder. */
struct explain_code {
    unsigned int status;
    const char *code;
};
typedef struct explain_code explain_code_of(enum refusal_code code);

/* Answers {"tableId","op","requester":{"group","userId"?,"roles"?},"rowId"?}. tableId may be the name of a built-in table.
 * The requester's key is taken to be unrestricted, and their credentials to be good: steps 1 to 5 are not theirs.
 * ERR_DENIED: the question is not one, or there is no such table of the key's environment. ERR_CONFLICT as data_read. */
enum err data_explain(const struct data_admin *admin, const struct json_value *body, explain_code_of *code_of) MUST_USE;

#endif
