/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signing up, signing in and refreshing. Each is a chain of steps, none of which blocks the reactor:
 *
 *   fields -> limits -> look-up -> keeper: pepper -> pool: Argon2id -> keeper: tokens -> writer -> answer
 *
 * Refreshing has no password and begins at the tokens. The writer decides again on everything that the look-up found. An
 * unknown address takes the same way as a wrong password, with a hash of nobody's. Nothing about an account is told
 * before its password was right. Spec: contract 5.2 to 5.4. */
#include "firmware/api/sign_int.h"

#include "crypto/ct.h"
#include "hal/base/fault.h"

#define HOUR_S   3600u
#define MINUTE_S 60u
#define MS_PER_S 1000

enum method { BY_PASSWORD, BY_LINK };

static enum err read_method(struct api_request *request, enum method *out_method)
{
    const struct json_value *method = json_find(request->body, span_lit("method"));
    const bool is_text = method != NULL && method->type == JSON_STRING;

    if (method == NULL || (is_text && span_equal(method->as.text, span_lit("password")))) {
        *out_method = BY_PASSWORD;
        return ERR_OK;
    }
    if (is_text && span_equal(method->as.text, span_lit("magiclink"))) {
        *out_method = BY_LINK;
        return ERR_OK;
    }
    return sign_refuse_field(request, span_lit("method"), "must be password or magiclink");
}

/* What signing up and in have in common. */
static enum err begin(struct api_request *request, struct sign **out_sign, enum method *out_method)
{
    TRY(sign_new(request, out_sign));
    TRY(request_object(request));
    TRY(read_method(request, out_method));
    TRY(sign_read_callback(*out_sign));
    return sign_read_email(*out_sign);
}

/* --- signing up --- */

static enum err hashed_new(struct sign *sign)
{
    sign_keep_hash(sign, &sign->data.password);
    return sign_new_session(sign);
}

enum err sign_take_sign_up(struct api_request *request)
{
    const struct limits_rule rule = {AUTH_LIMIT_SIGN_UPS, sign_settings(request).sign_ups, HOUR_S};

    return sign_take(request, rule, request->headers.auth.address);
}

/* Whoever opens the link signs up, with this name or without one. */
static enum err sign_up_by_link(struct sign *sign)
{
    if (doc_has(sign->request->body, span_lit("name"))) {
        TRY(sign_read_name(sign));
    }
    TRY(sign_take_sign_up(sign->request));
    return sign_send_link(sign, data_magic_sign_up);
}

static enum err start_sign_up(struct api_request *request)
{
    struct sign *sign = NULL;
    enum method method = BY_PASSWORD;
    bool taken = false;

    TRY(begin(request, &sign, &method));
    if (!sign_settings(request).signup_enabled) {
        return refuse(&request->refusal, REFUSAL_AUTH_FORBIDDEN, "Sign-up is closed");
    }
    if (method == BY_LINK) {
        return sign_up_by_link(sign);
    }
    TRY(sign_read_text(request, span_lit("password"), &sign->password));
    TRY(sign_read_name(sign));
    TRY(sign_check_password(request, sign->password));
    TRY(sign_take_sign_up(request));
    TRY(data_email_taken(&sign->people, sign_environment(sign), sign->data.email, &taken));
    if (taken) {
        return refuse(&request->refusal, REFUSAL_AUTH_EMAIL_ALREADY_EXISTS, "A user with this email already exists");
    }
    auth_uuid_make(request->api->random, sign->user_id);
    sign->data.user_id = span_array(sign->user_id);
    if (sign_may_mail(sign)) { /* the limit is one of mails: whoever had as many asks for a confirmation later */
        TRY(sign_make_mail(sign, MAIL_SIGNUP_CONFIRMATION));
    }
    return sign_hash_new(sign, sign->password, hashed_new);
}

/* --- signing in --- */

static bool is_weaker(struct pwhash_cost cost)
{
    const struct pwhash_cost now = pwhash_cost_now();

    return cost.memory_kib < now.memory_kib || cost.passes < now.passes;
}

static enum err hashed_stronger(struct sign *sign)
{
    sign_keep_hash(sign, &sign->data.stronger);
    sign->data.has_stronger = true;
    return sign_new_session(sign);
}

/* The password of a sign-in was hashed. Others that began at the same time may have failed meanwhile: however many
 * guesses are under way at once, those beyond the limit learn nothing. */
static enum err compare(struct sign *sign)
{
    struct data_login *login = &sign->login;
    const bool right = sign_hash_is(sign, &login->password);

    TRY(sign_check_lockout(sign));
    if (!login->found || !right) {
        sign_count_failure(sign);
        return refuse(&sign->request->refusal, REFUSAL_AUTH_INVALID_CREDENTIALS, NULL);
    }
    sign->data.user_id = span_array(login->user);
    sign->data.password = login->password;
    if (is_weaker(login->password.cost)) {
        return sign_hash_new(sign, sign->password, hashed_stronger);
    }
    return sign_new_session(sign);
}

/* As the stored password was hashed; or as somebody else's was, for an address that is nobody's: those of a time when
 * hashes cost less would be told by it. */
static enum err hash_to_compare(struct sign *sign)
{
    const struct data_password *like = &sign->login.password;

    return sign->login.found || like->cost.passes != 0 ? sign_hash_like(sign, sign->password, like, compare)
                                                       : sign_hash_new(sign, sign->password, compare);
}

static enum err start_sign_in(struct api_request *request)
{
    struct sign *sign = NULL;
    enum method method = BY_PASSWORD;

    TRY(begin(request, &sign, &method));
    if (method == BY_LINK && request->operators) {
        return refuse(&request->refusal, REFUSAL_AUTH_MAGICLINK_DISABLED, NULL);
    }
    if (method == BY_LINK) {
        return sign_send_link(sign, data_magic_sign_in);
    }
    TRY(sign_read_text(request, span_lit("password"), &sign->password));
    TRY(sign_read_code(sign, span_lit("mfaCode")));
    TRY(data_find_login(&sign->people, sign_environment(sign), sign->data.email, &sign->login));
    TRY(sign_check_lockout(sign));
    return hash_to_compare(sign);
}

/* --- refreshing --- */

static enum err refuse_refresh(struct api_request *request)
{
    fault_clear();
    return refuse(&request->refusal, REFUSAL_AUTH_INVALID_REFRESH_TOKEN, NULL);
}

struct refresh {
    struct auth_token_parts parts;
    struct auth_token_bytes bytes;
    struct auth_claims claims;
    const struct auth_token_key *signer;
    struct data_session session;
};

/* What a refresh token says that would be of the key's own environment. Its signature is not verified. ERR_AUTH,
 * ERR_MALFORMED. */
static enum err read_refresh(const struct api_request *request, struct span token, struct refresh *out)
{
    const struct auth_directory directory = catalog_directory(request->catalog);
    const struct auth_key *key = request->auth.key;
    struct auth_place place = {.key_ends_ms = 0};

    TRY(auth_token_split(token, &out->parts));
    out->signer = directory.find_token_key(directory.context, key, out->parts.header, &place);
    ENSURE(out->signer != NULL && request->now.ms < place.key_ends_ms &&
               span_equal(place.environment_id, key->environment_id),
           ERR_AUTH, "not of this environment");
    TRY(auth_token_read(&out->parts, &out->bytes, &out->claims));
    ENSURE(out->claims.type == AUTH_TOKEN_REFRESH && span_equal(out->claims.project, key->project_id) &&
               span_equal(out->claims.environment, key->environment),
           ERR_AUTH, "not a refresh token of this environment");
    ENSURE(out->claims.issued_s <= request->now.ms / MS_PER_S + AUTH_TOKEN_EARLY_S, ERR_AUTH, "signed in the future");
    return ERR_OK;
}

/* Did we sign it? The token whose digest its session has is one that we gave out, byte for byte: a digest costs 1 us
 * where the signature costs 50. Any other one has to be verified before anything follows from what it says, above all the
 * end of all sessions that a used one brings. The writer compares with the session again. */
static enum err check_refresh(struct sign *sign, struct refresh *refresh, bool *out_found)
{
    const enum err err = data_find_session(&sign->people, sign_environment(sign), sign->data.session_id,
                                           sign->data.user_id, &refresh->session);

    *out_found = err == ERR_OK;
    if (err != ERR_NOT_FOUND) {
        TRY(err);
    }
    if (*out_found && ct_equal(span_array(refresh->session.refresh), span_array(sign->data.presented))) {
        return ERR_OK;
    }
    return auth_token_verify(&refresh->parts, refresh->signer);
}

/* How long the next tokens may live: no longer than what is left of the session's 30 days. */
static enum err set_lives(struct sign *sign, struct wall_time began)
{
    const int64_t left_s = (began.ms + DATA_SESSION_MAX_MS - sign->request->now.ms) / MS_PER_S;

    if (left_s < 1) {
        return refuse(&sign->request->refusal, REFUSAL_AUTH_SESSION_EXPIRED, NULL);
    }
    sign->tokens.access_s = left_s < AUTH_TOKEN_ACCESS_S ? (uint32_t)left_s : AUTH_TOKEN_ACCESS_S;
    sign->tokens.refresh_s = left_s < AUTH_TOKEN_REFRESH_S ? (uint32_t)left_s : AUTH_TOKEN_REFRESH_S;
    return ERR_OK;
}

static enum err go_on_refreshing(struct sign *sign, const struct refresh *refresh, bool found)
{
    struct api_request *request = sign->request;
    const struct limits_rule rule = {AUTH_LIMIT_REFRESHES, sign_settings(request).refreshes, MINUTE_S};

    if (request->now.ms / MS_PER_S >= refresh->claims.expires_s) {
        return refuse(&request->refusal, REFUSAL_AUTH_SESSION_EXPIRED, NULL);
    }
    TRY(sign_take(request, rule, sign->data.session_id));
    if (!found) {
        return refuse_refresh(request);
    }
    TRY(set_lives(sign, refresh->session.began));
    request->bare = true; /* contract 1.4: never wrapped */
    return sign_tokens(sign);
}

static enum err start_refresh(struct api_request *request)
{
    struct span token = SPAN_NONE;
    struct sign *sign = NULL;
    struct refresh refresh;
    bool found = false;

    TRY(sign_new(request, &sign));
    TRY(request_object(request));
    TRY(sign_read_text(request, span_lit("refreshToken"), &token));
    enum err err = read_refresh(request, token, &refresh);
    if (err == ERR_OK) {
        TRY(arena_copy(request->exchange->arena, refresh.claims.user, &sign->data.user_id));
        TRY(arena_copy(request->exchange->arena, refresh.claims.session, &sign->data.session_id));
        sha256(token, sign->data.presented);
        err = check_refresh(sign, &refresh, &found);
    }
    if (err == ERR_AUTH || err == ERR_MALFORMED) {
        return refuse_refresh(request);
    }
    TRY(err);
    return go_on_refreshing(sign, &refresh, found);
}

/* --- another organization: there is one, that of the key --- */

/* The refresh token that the session had until now is consumed, as by a refresh. */
static enum err start_switch(struct api_request *request)
{
    const struct limits_rule rule = {AUTH_LIMIT_REFRESHES, sign_settings(request).refreshes, MINUTE_S};
    struct span organization = SPAN_NONE;
    struct data_session session;
    struct sign *sign = NULL;

    TRY(sign_new(request, &sign));
    TRY(request_object(request));
    TRY(sign_read_text(request, span_lit("organizationId"), &organization));
    if (request->project == NULL || !span_equal(organization, request->project->record.parent)) {
        return refuse(&request->refusal, REFUSAL_AUTH_FORBIDDEN, NULL);
    }
    TRY(sign_take(request, rule, request->auth.principal.session));
    sign->data.user_id = request->auth.principal.user;
    sign->data.session_id = request->auth.principal.session;
    const enum err err =
        data_find_session(&sign->people, sign_environment(sign), sign->data.session_id, sign->data.user_id, &session);
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return refuse(&request->refusal, REFUSAL_AUTH_SESSION_EXPIRED, NULL);
    }
    TRY(err);
    TRY(set_lives(sign, session.began));
    return sign_tokens(sign);
}

void handle_switch(struct api_request *request)
{
    request_begun(request, start_switch(request));
}

void handle_sign_up(struct api_request *request)
{
    request_begun(request, start_sign_up(request));
}

void handle_sign_in(struct api_request *request)
{
    request_begun(request, start_sign_in(request));
}

void handle_refresh(struct api_request *request)
{
    request_begun(request, start_refresh(request));
}
