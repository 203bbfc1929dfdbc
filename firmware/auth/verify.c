/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verification order of contract 2.1. Each step is one line of auth_verify; the first that fails answers.
 *
 * Every refused request costs something: what fails before the rate limit (step 9) is counted for the address, and
 * beyond that limit answered as 429, so that guessing is slow and the log stays short; what fails after it has taken a
 * unit of the key. Requests that are in order go on meanwhile, also from the same address. */
#include "firmware/auth/verify.h"

#include <string.h>

#include "firmware/rls/scope.h"
#include "hal/base/fault.h"
#include "hal/base/num.h"

#define JWT_PARTS   3

static uint32_t seconds_until(int64_t reset_s, struct wall_time now)
{
    const int64_t left = reset_s - now.ms / 1000;

    if (left < 1) {
        return 1;
    }
    return left > (int64_t)AUTH_WINDOW_S ? AUTH_WINDOW_S : (uint32_t)left;
}

static enum err refuse_rate(struct refusal *out, int64_t reset_s, struct wall_time now)
{
    const enum err err = refuse(out, REFUSAL_DATA_RATE_LIMIT_EXCEEDED, "Too many requests (429), please retry later");

    out->retry_after_s = seconds_until(reset_s, now);
    return err;
}

/* Counts a failed credential for the address; the refusal becomes 429 when there were too many. */
static enum err count_failure(const struct auth_request *request, struct limits *limits, struct wall_time now,
                              struct refusal *refusal)
{
    const struct limits_rule rule = {AUTH_LIMIT_FAILURES, AUTH_FAILURES_DEFAULT, AUTH_WINDOW_S};
    struct limits_state state = {0, 0};

    if (limits_take(limits, &rule, request->address, now, &state) != ERR_OK) {
        return refuse_rate(refusal, state.reset_s, now);
    }
    return ERR_DENIED;
}

enum err auth_check_key(const struct auth_directory *directory, const uint8_t hash[SHA256_BYTES], struct wall_time now,
                        const struct auth_key **out_key, struct refusal *out_refusal)
{
    const struct auth_key *key = directory->find_key(directory->context, hash);

    if (key == NULL) {
        return refuse(out_refusal, REFUSAL_AUTH_INVALID_TOKEN, "The API key is not known");
    }
    if (key->revoked) {
        return refuse(out_refusal, REFUSAL_AUTH_TOKEN_REVOKED, "The API key has been revoked");
    }
    if (now.ms >= key->expires_at_ms) {
        return refuse(out_refusal, REFUSAL_AUTH_TOKEN_EXPIRED, "The API key has expired");
    }
    if (!directory->has_project(directory->context, key)) {
        return refuse(out_refusal, REFUSAL_DATA_PROJECT_NOT_FOUND, NULL);
    }
    if (!directory->has_environment(directory->context, key)) {
        return refuse(out_refusal, REFUSAL_DATA_ENVIRONMENT_NOT_FOUND, NULL);
    }
    *out_key = key;
    return ERR_OK;
}

/* Steps 1 to 6. */
static enum err find_key(const struct auth_request *request, const struct auth_directory *directory,
                         struct wall_time now, struct auth_outcome *out, struct refusal *refusal)
{
    uint8_t hash[SHA256_BYTES];

    if (request->key.count > 1) {
        return refuse(refusal, REFUSAL_DATA_INVALID_HEADER, "X-API-Key must be sent once");
    }
    if (request->key.count == 0 || request->key.value.len == 0) {
        return refuse(refusal, REFUSAL_AUTH_UNAUTHORIZED, "An API key is required in the X-API-Key header");
    }
    if (!auth_key_is_well_formed(request->key.value)) {
        return refuse(refusal, REFUSAL_AUTH_INVALID_TOKEN_FORMAT, "The API key is not of the form pk_... or sk_...");
    }
    auth_key_hash(request->key.value, hash);
    out->key = directory->find_key(directory->context, hash);
    return auth_check_key(directory, hash, now, &out->principal.key, refusal);
}

/* Step 7. Sent twice, the header contradicts itself and therefore the key's binding. */
static enum err check_binding(const struct auth_request *request, const struct auth_key *key, struct refusal *refusal)
{
    const struct auth_header *project = &request->project;
    const struct auth_header *environment = &request->environment;

    if (project->count > 1 || (project->count == 1 && !span_equal(project->value, key->project_id))) {
        return refuse(refusal, REFUSAL_DATA_PROJECT_ACCESS_DENIED, "X-Project-Id differs from the project of the key");
    }
    if (environment->count > 1 || (environment->count == 1 && !span_equal(environment->value, key->environment))) {
        return refuse(refusal, REFUSAL_DATA_PROJECT_ACCESS_DENIED,
                      "X-Environment differs from the environment of the key");
    }
    return ERR_OK;
}

static bool is_base64url(uint8_t byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
           byte == '-' || byte == '_';
}

/* "Bearer", exactly one space, then three non-empty base64url parts with dots between. */
static bool is_bearer_jwt(struct span value)
{
    const struct span scheme = span_lit("Bearer ");
    size_t parts = 1;
    size_t part_len = 0;

    if (value.len <= scheme.len || !span_equal_nocase(span_of(value.data, scheme.len), scheme)) {
        return false;
    }
    for (size_t i = scheme.len; i < value.len; i++) {
        if (value.data[i] == '.') {
            if (part_len == 0) {
                return false;
            }
            parts++;
            part_len = 0;
        } else if (is_base64url(value.data[i])) {
            part_len++;
        } else {
            return false;
        }
    }
    return parts == JWT_PARTS && part_len > 0;
}

/* Step 8. Spec: contract 1.2 Authorization and 2.3, as far as users exist. */
static enum err check_token(const struct auth_request *request, struct refusal *refusal)
{
    if (request->authorization.count == 0) {
        return ERR_OK;
    }
    if (request->authorization.count > 1 || !is_bearer_jwt(request->authorization.value)) {
        return refuse(refusal, REFUSAL_AUTH_INVALID_TOKEN_FORMAT, "Authorization must be: Bearer <access token>");
    }
    return refuse(refusal, REFUSAL_AUTH_INVALID_TOKEN, "The access token is not valid");
}

/* Contract 1.2, X-On-Behalf-Of. There are no users yet, so whoever it names is unknown. */
static enum err check_on_behalf(const struct auth_request *request, const struct auth_key *key, struct refusal *refusal)
{
    if (request->on_behalf.count == 0) {
        return ERR_OK;
    }
    if (key->type != AUTH_KEY_SECRET) {
        return refuse(refusal, REFUSAL_AUTH_FORBIDDEN, "X-On-Behalf-Of needs a secret key");
    }
    return refuse(refusal, REFUSAL_USER_NOT_FOUND, "The user named by X-On-Behalf-Of does not exist");
}

struct span auth_bucket(const struct auth_key *key, struct span address, uint8_t bytes[AUTH_BUCKET_MAX])
{
    const size_t address_len = num_min(address.len, AUTH_ADDRESS_MAX);

    memcpy(bytes, key->hash, SHA256_BYTES);
    if (address_len > 0) {
        memcpy(bytes + SHA256_BYTES, address.data, address_len);
    }
    return span_of(bytes, SHA256_BYTES + address_len);
}

static struct limits_rule rate_rule(const struct auth_directory *directory, const struct auth_key *key)
{
    return (struct limits_rule){AUTH_LIMIT_REQUESTS, directory->requests_per_minute(directory->context, key),
                                AUTH_WINDOW_S};
}

/* Step 9. */
static enum err take_rate(const struct auth_request *request, const struct auth_directory *directory,
                          struct limits *limits, struct wall_time now, struct auth_outcome *out,
                          struct refusal *refusal)
{
    uint8_t bytes[AUTH_BUCKET_MAX];
    const struct span key = auth_bucket(out->key, request->address, bytes);
    const struct limits_rule rule = rate_rule(directory, out->key);
    struct limits_state state = {0, 0};

    const enum err err = limits_take(limits, &rule, key, now, &state);
    out->rate = (struct auth_rate){true, rule.limit, state.remaining, state.reset_s};
    return err == ERR_OK ? ERR_OK : refuse_rate(refusal, state.reset_s, now);
}

/* For a request that is refused after its key was found: what is left, without taking a unit. */
static void look_at_rate(const struct auth_request *request, const struct auth_directory *directory,
                         struct limits *limits, struct wall_time now, struct auth_outcome *out)
{
    uint8_t bytes[AUTH_BUCKET_MAX];
    const struct span key = auth_bucket(out->key, request->address, bytes);
    const struct limits_rule rule = rate_rule(directory, out->key);
    struct limits_state state = {0, 0};

    if (limits_look(limits, &rule, key, now, &state) != ERR_OK) {
        fault_clear(); /* none is left, which is what the state says */
    }
    out->rate = (struct auth_rate){true, rule.limit, state.remaining, state.reset_s};
}

static struct rls_who who_of(const struct auth_key *key)
{
    return (struct rls_who){
        .group = key->type == AUTH_KEY_SECRET ? RLS_ADMIN : RLS_GUEST, .id = SPAN_NONE, .roles = NULL, .role_count = 0};
}

/* Steps 7 and 8. */
static enum err check_rest(const struct auth_request *request, const struct auth_key *key, struct refusal *refusal)
{
    TRY(check_binding(request, key, refusal));
    return check_token(request, refusal);
}

enum err auth_verify(const struct auth_request *request, const struct auth_directory *directory, struct limits *limits,
                     struct wall_time now, struct auth_outcome *out_outcome, struct refusal *out_refusal)
{
    struct auth_outcome *out = out_outcome;

    out->key = NULL;
    out->rate = (struct auth_rate){false, 0, 0, 0};
    if (find_key(request, directory, now, out, out_refusal) != ERR_OK) {
        return count_failure(request, limits, now, out_refusal);
    }
    if (check_rest(request, out->key, out_refusal) != ERR_OK) {
        look_at_rate(request, directory, limits, now, out);
        return count_failure(request, limits, now, out_refusal);
    }
    TRY(take_rate(request, directory, limits, now, out, out_refusal));
    TRY(check_on_behalf(request, out->key, out_refusal));
    out->principal.key = out->key;
    out->principal.who = who_of(out->key);
    auth_key_touch(out->key, now);
    return ERR_OK;
}

enum err auth_check_scope(const struct auth_key *key, struct span table, enum rls_op op, struct refusal *out_refusal)
{
    if (scope_check(key->scopes, table, op) == RLS_ALLOW) {
        return ERR_OK;
    }
    return REFUSE_TEXT(out_refusal, REFUSAL_DATA_SCOPE_INSUFFICIENT, span_lit("API Key scope does not include "), table,
                       span_lit(":"), span_str(rls_op_name(op)));
}

enum err auth_check_admin(const struct auth_key *key, struct refusal *out_refusal)
{
    if (key->type != AUTH_KEY_SECRET) {
        return refuse(out_refusal, REFUSAL_AUTH_FORBIDDEN, "Managing needs a secret key");
    }
    if (scope_check_all(key->scopes) != RLS_ALLOW) {
        return refuse(out_refusal, REFUSAL_DATA_SCOPE_INSUFFICIENT, "API Key scope does not include *:*");
    }
    return ERR_OK;
}
