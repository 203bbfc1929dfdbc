/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A requester as an author of policies names one: "guest", "user", "admin" or {"group", "userId"?, "roles"?}; in the tests
 * of a policy and where a decision is explained. */
#ifndef FIRMWARE_DATA_POLICY_WHO_H
#define FIRMWARE_DATA_POLICY_WHO_H

#include <stdbool.h>
#include <stddef.h>

#include "firmware/rls/rls.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/json_value.h"
#include "hal/base/mem.h"

#define POLICY_WHO_USER "test-user" /* the id of a user without a userId: no stored row is theirs */

/* Reads one; as may be NULL. out_who borrows from as and the arena. ERR_MALFORMED: it is none; the problem names it as
 * where, or a member of that, and out_who is untouched. ERR_NO_MEMORY. */
enum err policy_who_read(struct arena *arena, const struct json_value *as, const char *where, struct rls_who *out_who,
                         struct rls_problem *out_problem) MUST_USE;

/* As it stands in JSON: "guest". A static string. */
const char *policy_group_name(enum rls_group group);

/* Has an object only members of these names? A misspelt one must not be passed over. */
bool policy_members_known(const struct json_value *object, const char *const *names, size_t count);

#endif
