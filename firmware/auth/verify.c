/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verification order of contract 2.1. Each step is one line of auth_verify; the first that fails answers.
 *
 * Every refused request costs something: what fails before the rate limit (step 9) is counted for the address, and
 * beyond that limit answered as 429, so that guessing is slow and the log stays short; what fails after it has taken a
 * unit of the key. Requests that are in order go on meanwhile, also from the same address. */
#include "firmware/auth/verify.h"

#include <string.h>

#include "firmware/auth/token_cache.h"
#include "firmware/rls/scope.h"
#include "hal/base/fault.h"
#include "hal/base/num.h"

#define MS_PER_S 1000

/* A token on its way through the steps. */
struct token_use {
    struct auth_token_parts parts;
    struct auth_bearer bearer;
    struct span environment_id;          /* whose key signed it */
    struct token_remembered *remembered; /* NULL: it is new */
};

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

/* Steps 3 to 6 of a key that was looked up; NULL: it was not found. */
static enum err check_key(const struct auth_directory *directory, const struct auth_key *key, struct wall_time now,
                          struct refusal *out_refusal)
{
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
    return ERR_OK;
}

enum err auth_check_key(const struct auth_directory *directory, const uint8_t hash[SHA256_BYTES], struct wall_time now,
                        const struct auth_key **out_key, struct refusal *out_refusal)
{
    const struct auth_key *key = directory->find_key(directory->context, hash);

    TRY(check_key(directory, key, now, out_refusal));
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
    return check_key(directory, out->key, now, refusal);
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

/* --- step 8: contract 1.2 Authorization, and 2.3 --- */

/* "Bearer" in any case and exactly one space before a token: one that is remembered, or else one of the right shape. */
static enum err read_bearer(const struct auth_directory *directory, struct span value, struct span *out_token,
                            struct token_use *out_use)
{
    const struct span scheme = span_lit("Bearer ");

    ENSURE(value.len > scheme.len && span_equal_nocase(span_of(value.data, scheme.len), scheme), ERR_MALFORMED,
           "no bearer");
    *out_token = span_of(value.data + scheme.len, value.len - scheme.len);
    if (auth_token_cut(*out_token, &out_use->parts)) {
        out_use->remembered = token_cache_find(directory->cache, &out_use->parts);
    }
    return out_use->remembered != NULL ? ERR_OK : auth_token_split(*out_token, &out_use->parts);
}

/* Verifies a token that is not remembered. */
static enum err verify_token(const struct auth_token_parts *parts, const struct auth_token_key *key,
                             const struct auth_place *place, struct auth_bearer *out_bearer)
{
    struct auth_token_bytes bytes;
    struct auth_claims claims;

    TRY(auth_token_verify(parts, key));
    TRY(auth_token_read(parts, &bytes, &claims));
    ENSURE(claims.type == AUTH_TOKEN_ACCESS, ERR_AUTH, "not an access token");
    ENSURE(span_equal(claims.project, place->project_id) && span_equal(claims.environment, place->environment),
           ERR_AUTH, "signed for another place than the key's");
    out_bearer->present = true;
    out_bearer->issued_s = claims.issued_s;
    out_bearer->expires_s = claims.expires_s;
    memcpy(out_bearer->user, claims.user.data, sizeof out_bearer->user);
    memcpy(out_bearer->session, claims.session.data, sizeof out_bearer->session);
    return ERR_OK;
}

/* What a token says, from memory or by its signature; the key that signed it must be held now in both cases. ERR_AUTH,
 * ERR_MALFORMED: it is not valid. */
static enum err trust_token(const struct auth_directory *directory, const struct auth_key *key, struct span token,
                            struct wall_time now, struct token_use *use)
{
    struct auth_place place = {.key_ends_ms = 0};

    const struct auth_token_key *signer =
        directory->find_token_key(directory->context, key, use->parts.header, &place);
    ENSURE(signer != NULL && now.ms < place.key_ends_ms, ERR_AUTH, "a token of no key of ours");
    use->environment_id = place.environment_id;
    if (use->remembered != NULL) {
        use->bearer = use->remembered->bearer;
    } else {
        TRY(verify_token(&use->parts, signer, &place, &use->bearer));
        sha256(token, use->bearer.digest);
    }
    ENSURE(use->bearer.issued_s <= now.ms / MS_PER_S + AUTH_TOKEN_EARLY_S, ERR_AUTH, "a token of a time to come");
    return ERR_OK;
}

static enum err refuse_state(enum auth_account_state state, struct refusal *refusal)
{
    switch (state) {
    case AUTH_ALIVE:
        return ERR_OK;
    case AUTH_SESSION_ENDED:
        return refuse(refusal, REFUSAL_AUTH_SESSION_EXPIRED, "The session of the access token has ended");
    case AUTH_USER_GONE:
        return refuse(refusal, REFUSAL_AUTH_UNAUTHORIZED, "The user of the access token does not exist any more");
    case AUTH_BANNED:
        return refuse(refusal, REFUSAL_AUTH_ACCOUNT_BANNED, "The account is banned");
    }
    return refuse(refusal, REFUSAL_AUTH_SESSION_EXPIRED, NULL);
}

/* Is it still time, and what do the records say? */
static enum err check_account(const struct auth_account *account, const struct auth_bearer *bearer,
                              struct wall_time now, struct refusal *refusal)
{
    if (now.ms / MS_PER_S >= bearer->expires_s) {
        return refuse(refusal, REFUSAL_AUTH_TOKEN_EXPIRED, "The access token has expired");
    }
    if (account->state == AUTH_ALIVE && now.ms >= account->session_ends_ms) {
        return refuse_state(AUTH_SESSION_ENDED, refusal);
    }
    return refuse_state(account->state, refusal);
}

/* The setting is asked for each request, because what is remembered of an account does not end when it changes. */
static enum rls_group group_of(const struct auth_directory *directory, const struct auth_key *key,
                               const struct auth_account *account)
{
    if (key->type == AUTH_KEY_SECRET) {
        return RLS_ADMIN;
    }
    return account->group == RLS_ADMIN && !account->has_mfa && directory->admins_need_mfa(directory->context, key)
               ? RLS_USER
               : account->group;
}

/* The principal of a live account; an API key that is secret stays admin. */
static enum err principal_of(const struct auth_directory *directory, const struct auth_asker *asker,
                             const struct auth_account *account, struct auth_principal *out)
{
    struct span *roles = NULL;
    void *memory = NULL;

    TRY(arena_alloc_array(asker->arena, account->role_count, sizeof *roles, &memory));
    roles = memory;
    for (size_t i = 0; i < account->role_count; i++) {
        roles[i] = account->roles[i];
    }
    out->user = span_array(asker->bearer->user);
    out->session = span_array(asker->bearer->session);
    out->who = (struct rls_who){
        .group = group_of(directory, asker->key, account),
        .id = out->user,
        .roles = roles,
        .role_count = account->role_count,
    };
    return ERR_OK;
}

static struct auth_principal principal_of_key(const struct auth_key *key)
{
    return (struct auth_principal){
        .key = key,
        .who = {.group = key->type == AUTH_KEY_SECRET ? RLS_ADMIN : RLS_GUEST, .id = SPAN_NONE},
    };
}

/* Looks session and user up, unless nothing changed since they were remembered. */
static enum err find_account(const struct auth_directory *directory, const struct auth_asker *asker,
                             struct token_use *use, struct auth_account *out_account)
{
    const struct auth_people *people = &directory->people;
    const uint64_t generation = people->generation(people->context);

    if (use->remembered != NULL && token_cache_account(use->remembered, generation, asker->arena, out_account)) {
        return ERR_OK;
    }
    TRY(people->find_account(people->context, asker->key, asker->bearer, asker->arena, out_account));
    if (use->remembered == NULL) {
        use->remembered = token_cache_put(directory->cache, &use->parts, asker->bearer);
    }
    token_remember_account(use->remembered, generation, out_account);
    return ERR_OK;
}

/* The checks that follow a signature that holds, in the order of contract 2.3. */
static enum err check_bearer(const struct auth_directory *directory, const struct auth_asker *asker,
                             struct token_use *use, struct wall_time now, struct auth_outcome *out,
                             struct refusal *refusal)
{
    struct auth_account account = {.state = AUTH_SESSION_ENDED};

    if (now.ms / MS_PER_S >= asker->bearer->expires_s) {
        return refuse(refusal, REFUSAL_AUTH_TOKEN_EXPIRED, "The access token has expired");
    }
    if (!span_equal(use->environment_id, asker->key->environment_id)) {
        return refuse(refusal, REFUSAL_DATA_PROJECT_ACCESS_DENIED,
                      "The access token belongs to another project or environment than the API key");
    }
    TRY(find_account(directory, asker, use, &account));
    TRY(check_account(&account, asker->bearer, now, refusal));
    return principal_of(directory, asker, &account, &out->principal);
}

static enum err check_token(const struct auth_request *request, const struct auth_directory *directory,
                            struct wall_time now, struct auth_outcome *out, struct refusal *refusal)
{
    struct token_use use = {.remembered = NULL};
    struct span token = SPAN_NONE;

    if (request->authorization.count == 0) {
        return ERR_OK;
    }
    if (request->authorization.count > 1 ||
        read_bearer(directory, request->authorization.value, &token, &use) != ERR_OK) {
        fault_clear();
        return refuse(refusal, REFUSAL_AUTH_INVALID_TOKEN_FORMAT, "Authorization must be: Bearer <access token>");
    }
    const enum err err = trust_token(directory, out->key, token, now, &use);
    if (err == ERR_AUTH || err == ERR_MALFORMED) {
        fault_clear();
        return refuse(refusal, REFUSAL_AUTH_INVALID_TOKEN, "The access token is not valid");
    }
    TRY(err);
    out->bearer = use.bearer;
    const struct auth_asker asker = {.key = out->key, .bearer = &out->bearer, .arena = request->arena};
    return check_bearer(directory, &asker, &use, now, out, refusal);
}

/* Contract 1.2, X-On-Behalf-Of: the user who becomes the requester's id. */
static enum err check_on_behalf(const struct auth_directory *directory, const struct auth_key *key, struct span user,
                                struct auth_principal *principal, struct refusal *refusal)
{
    bool found = false;

    if (key->type != AUTH_KEY_SECRET) {
        return refuse(refusal, REFUSAL_AUTH_FORBIDDEN, "X-On-Behalf-Of needs a secret key");
    }
    if (auth_uuid_is_well_formed(user)) {
        TRY(directory->people.has_user(directory->people.context, key, user, &found));
    }
    if (!found) {
        return refuse(refusal, REFUSAL_USER_NOT_FOUND, "The user named by X-On-Behalf-Of does not exist");
    }
    principal->who.id = user;
    return ERR_OK;
}

enum err auth_identify(const struct auth_directory *directory, const struct auth_asker *asker, struct wall_time now,
                       struct auth_principal *out_principal, struct refusal *out_refusal)
{
    struct auth_account account = {.state = AUTH_SESSION_ENDED};
    struct auth_principal principal = principal_of_key(asker->key);

    if (asker->bearer->present) {
        TRY(directory->people.find_account(directory->people.context, asker->key, asker->bearer, asker->arena,
                                           &account));
        TRY(check_account(&account, asker->bearer, now, out_refusal));
        TRY(principal_of(directory, asker, &account, &principal));
    }
    if (asker->on_behalf.len != 0) {
        TRY(check_on_behalf(directory, asker->key, asker->on_behalf, &principal, out_refusal));
    }
    *out_principal = principal;
    return ERR_OK;
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

/* Steps 7 and 8. */
static enum err check_rest(const struct auth_request *request, const struct auth_directory *directory,
                           struct wall_time now, struct auth_outcome *out, struct refusal *refusal)
{
    TRY(check_binding(request, out->key, refusal));
    const enum err err = check_token(request, directory, now, out, refusal);
    if (err == ERR_DENIED && request->token_may_fail) {
        out->principal = principal_of_key(out->key);
        out->bearer.present = false;
        refusal->code = REFUSAL_NONE;
        return ERR_OK;
    }
    return err;
}

enum err auth_verify(const struct auth_request *request, const struct auth_directory *directory, struct limits *limits,
                     struct wall_time now, struct auth_outcome *out_outcome, struct refusal *out_refusal)
{
    struct auth_outcome *out = out_outcome;

    *out = (struct auth_outcome){.key = NULL};
    if (find_key(request, directory, now, out, out_refusal) != ERR_OK) {
        return count_failure(request, limits, now, out_refusal);
    }
    out->principal = principal_of_key(out->key);
    const enum err err = check_rest(request, directory, now, out, out_refusal);
    if (err != ERR_OK) {
        look_at_rate(request, directory, limits, now, out);
        return err == ERR_DENIED ? count_failure(request, limits, now, out_refusal) : err;
    }
    TRY(take_rate(request, directory, limits, now, out, out_refusal));
    if (request->on_behalf.count > 1) {
        return refuse(out_refusal, REFUSAL_DATA_INVALID_HEADER, "X-On-Behalf-Of must be sent once");
    }
    if (request->on_behalf.count == 1) {
        out->on_behalf = request->on_behalf.value;
        TRY(check_on_behalf(directory, out->key, out->on_behalf, &out->principal, out_refusal));
    }
    auth_key_touch(out->key, now);
    return ERR_OK;
}

enum err auth_verify_operator(const struct auth_request *request, const struct auth_directory *directory,
                              struct limits *limits, struct wall_time now, struct auth_outcome *out_outcome,
                              struct refusal *out_refusal)
{
    struct auth_outcome *out = out_outcome;

    *out = (struct auth_outcome){.key = request->place};
    out->principal = principal_of_key(request->place);
    const enum err err = check_token(request, directory, now, out, out_refusal);
    if (err != ERR_OK) {
        look_at_rate(request, directory, limits, now, out);
        return err == ERR_DENIED ? count_failure(request, limits, now, out_refusal) : err;
    }
    return take_rate(request, directory, limits, now, out, out_refusal);
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
