/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Schemas and policies as JSON: the canonical full form that is stored and returned, and the matcher that schemas use. */
#ifndef FIRMWARE_DATA_SCHEMA_JSON_H
#define FIRMWARE_DATA_SCHEMA_JSON_H

#include "firmware/rls/rls.h"
#include "firmware/rls/scope.h"
#include "firmware/schema/schema.h"
#include "hal/base/span.h"
#include "net/json_out.h"

/* The matcher for schema_new(): firmware/data/regex.h. Its work is a struct regex_work. */
extern const struct schema_matcher schema_json_matcher;

/* {"bsonType":"object","required":[...],"properties":{...}}: what schema_new() reads back to the same schema.
 * reader: NULL, or only the fields that this requester may read on some row are written (spec for a non-admin). */
void schema_json_write(struct json_out *out, const struct schema *schema, const struct rls_bound *reader);

/* The same as OpenAPI 3.0 says it, the system fields in front: a component, contract 4.7. */
void schema_json_write_openapi(struct json_out *out, const struct schema *schema, const struct rls_bound *reader);

/* The member `permissions` as an object: as configured; when nothing is, the default matrix or null. */
enum policy_json_unset { POLICY_JSON_DEFAULT, POLICY_JSON_NULL };
void policy_json_write_permissions(struct json_out *out, const struct rls_policy *policy, enum policy_json_unset unset);

/* The members `expressionPermissions`, `columnPermissions` and `rowFilters` with their names, into an open object. */
void policy_json_write_rules(struct json_out *out, const struct rls_policy *policy);

/* For rls_compile(). */
enum err policy_json_text(struct buf *out, const struct json_value *value) MUST_USE;

/* The member `security`: the settings that the policy itself sets. */
void policy_json_write_security(struct json_out *out, const struct rls_policy *policy);

/* The list of scopes of a key, or null. */
void scope_json_write(struct json_out *out, struct span compiled);

#endif
