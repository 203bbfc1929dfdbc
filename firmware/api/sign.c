/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signing up, signing in and refreshing. Each is a chain of steps, none of which blocks the reactor:
 *
 *   fields -> limits -> look-up -> keeper: pepper -> pool: Argon2id -> keeper: tokens -> writer -> answer
 *
 * Refreshing has no password and begins at the tokens. The writer decides again on everything that the look-up found. An
 * unknown address takes the same way as a wrong password, with a hash of nobody's. Nothing about an account is told
 * before its password was right. Spec: contract 5.2 to 5.4. */
#include "firmware/api/request_int.h"

#include <string.h>

#include "crypto/ct.h"
#include "firmware/auth/account.h"
#include "firmware/data/doc.h"
#include "firmware/data/people.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/num.h"
#include "hal/socket.h"

#define SIGN_UPS_AN_HOUR   600u
#define HOUR_S             3600u
#define SIGN_INS_FAILED    5u
#define ACCOUNT_FAILED     50u
#define SIGN_INS_WINDOW_S  900u
#define REFRESHES_A_MINUTE 10u
#define MINUTE_S           60u
#define USER_AGENT_MAX     256 /* bytes; what a client says beyond is cut */
#define POOL_RETRY_S       2
#define MS_PER_S           1000

enum sign_kind { SIGN_UP, SIGN_IN, SIGN_STRONGER, SIGN_REFRESH };

/* One of them on its way; in the arena of the request. */
struct sign {
    struct api_request *request;
    enum sign_kind kind; /* SIGN_STRONGER: the password was right, and is hashed anew at today's cost */
    struct account_email email;
    struct span password;
    struct data_login login;
    struct data_people people;
    struct data_sign data;
    char user_id[AUTH_UUID_BYTES];
    char session_id[AUTH_UUID_BYTES];
    char address[SOCKET_ADDRESS_TEXT_MAX];
    struct api_pepper_job pepper;
    struct auth_hash_job hash;
    struct api_token_job tokens;
};

static enum err new_sign(struct api_request *request, enum sign_kind kind, struct sign **out_sign)
{
    const struct http_exchange *exchange = request->exchange;
    void *memory = NULL;
    size_t len = 0;

    TRY(arena_alloc(exchange->arena, sizeof(struct sign), &memory));
    struct sign *sign = memory;
    sign->request = request;
    sign->kind = kind;
    (void)data_directory(request->api->reader, request->catalog, NULL, &sign->people); /* fills people */
    if (exchange->peer != NULL) {
        socket_address_format(exchange->peer, sign->address, &len);
    }
    sign->data.address = span_of(sign->address, len);
    const struct span agent = request->headers.user_agent.value;
    sign->data.user_agent = span_is_utf8(agent) ? span_cut(agent, USER_AGENT_MAX) : SPAN_NONE;
    *out_sign = sign;
    return ERR_OK;
}

static struct span environment_of(const struct sign *sign)
{
    return sign->request->auth.key->environment_id;
}

/* --- limits --- */

static enum err refuse_often(struct api_request *request, enum refusal_code code, int64_t reset_s)
{
    const int64_t left = reset_s - request->now.ms / MS_PER_S;
    const enum err err = refuse(&request->refusal, code, "Too many attempts (429), please try again later");

    request->refusal.retry_after_s = left < 1 ? 1 : (uint32_t)num_min((size_t)left, HOUR_S);
    return err;
}

static enum err take(struct api_request *request, struct limits_rule rule, struct span key)
{
    struct limits_state state = {0, 0};

    if (limits_take(request->api->options.limits, &rule, key, request->now, &state) == ERR_OK) {
        return ERR_OK;
    }
    fault_clear();
    return refuse_often(request, REFUSAL_AUTH_TOO_MANY_REQUESTS, state.reset_s);
}

/* What failed sign-ins are counted for: environment and email, once with the address and once for all addresses. */
#define FAILED_KEY_MAX (AUTH_UUID_BYTES + ACCOUNT_EMAIL_MAX + 32)
struct failed_key {
    uint8_t bytes[FAILED_KEY_MAX];
    struct span account;
    struct span with_address;
};

static void failed_key_of(const struct sign *sign, struct failed_key *out)
{
    const struct span environment = environment_of(sign);
    const struct span address = sign->request->headers.auth.address;
    const size_t address_len = num_min(address.len, 32);
    size_t at = num_min(environment.len, AUTH_UUID_BYTES);

    memcpy(out->bytes, environment.data, at);
    memcpy(out->bytes + at, sign->email.text, sign->email.len);
    at += sign->email.len;
    out->account = span_of(out->bytes, at);
    if (address_len > 0) {
        memcpy(out->bytes + at, address.data, address_len);
    }
    out->with_address = span_of(out->bytes, at + address_len);
}

static const struct limits_rule failed_sign_ins = {AUTH_LIMIT_SIGN_INS, SIGN_INS_FAILED, SIGN_INS_WINDOW_S};
static const struct limits_rule failed_account = {AUTH_LIMIT_ACCOUNT, ACCOUNT_FAILED, SIGN_INS_WINDOW_S};

/* Contract 1.9: after that many failures even the right password is refused for the rest of the window. */
static enum err check_lockout(const struct sign *sign)
{
    struct api_request *request = sign->request;
    struct limits *limits = request->api->options.limits;
    struct limits_state state = {0, 0};
    struct failed_key key;

    failed_key_of(sign, &key);
    if (limits_look(limits, &failed_sign_ins, key.with_address, request->now, &state) != ERR_OK) {
        fault_clear();
        return refuse_often(request, REFUSAL_AUTH_TOO_MANY_LOGIN_ATTEMPTS, state.reset_s);
    }
    if (limits_look(limits, &failed_account, key.account, request->now, &state) != ERR_OK) {
        fault_clear();
        return refuse_often(request, REFUSAL_AUTH_ACCOUNT_LOCKED, state.reset_s);
    }
    return ERR_OK;
}

static void count_failure(const struct sign *sign)
{
    struct api_request *request = sign->request;
    struct limits *limits = request->api->options.limits;
    struct limits_state state = {0, 0};
    struct failed_key key;

    failed_key_of(sign, &key);
    const enum err here = limits_take(limits, &failed_sign_ins, key.with_address, request->now, &state);
    const enum err anywhere = limits_take(limits, &failed_account, key.account, request->now, &state);
    if (here != ERR_OK || anywhere != ERR_OK) {
        fault_clear(); /* as many as there may be: the next one is refused */
    }
}

/* --- fields --- */

static enum err refuse_field(struct api_request *request, struct span name, const char *why)
{
    return REFUSE_TEXT(&request->refusal, REFUSAL_AUTH_INVALID_REQUEST, name, span_lit(" "), span_str(why));
}

/* A text that has to be there; anything else in its place, an object of operators for one, is no text. */
static enum err read_text(struct api_request *request, struct span name, struct span *out_text)
{
    const struct json_value *value = json_find(request->body, name);

    if (value == NULL || value->type != JSON_STRING || value->as.text.len == 0) {
        return refuse_field(request, name, "is required and must be a string");
    }
    *out_text = value->as.text;
    return ERR_OK;
}

static enum err read_method(struct api_request *request)
{
    const struct json_value *method = json_find(request->body, span_lit("method"));

    if (method == NULL || (method->type == JSON_STRING && span_equal(method->as.text, span_lit("password")))) {
        return ERR_OK;
    }
    if (method->type == JSON_STRING && span_equal(method->as.text, span_lit("magiclink"))) {
        return refuse(&request->refusal, REFUSAL_AUTH_MAGICLINK_DISABLED, NULL);
    }
    return refuse_field(request, span_lit("method"), "must be password or magiclink");
}

static enum err read_email(struct sign *sign)
{
    struct api_request *request = sign->request;
    struct span text = SPAN_NONE;

    TRY(read_text(request, span_lit("email"), &text));
    const enum err err = account_email_read(text, &sign->email);
    if (err != ERR_OK) {
        fault_clear();
        return refuse(&request->refusal, REFUSAL_AUTH_INVALID_EMAIL, "email is not a valid address");
    }
    sign->data.email = span_of(sign->email.text, sign->email.len);
    return ERR_OK;
}

static enum err read_credentials(struct sign *sign)
{
    TRY(request_object(sign->request));
    TRY(read_method(sign->request));
    TRY(read_email(sign));
    return read_text(sign->request, span_lit("password"), &sign->password);
}

/* --- the chain, from its end to its beginning --- */

static void submit(struct sign *sign)
{
    struct api_request *request = sign->request;

    sign->data.issued_s = sign->tokens.issued_s;
    sign->data.access_s = sign->tokens.access_s;
    sign->data.refresh_s = sign->tokens.refresh_s;
    sign->data.access_token = span_of(sign->tokens.access, sign->tokens.access_len);
    sign->data.refresh_token = span_of(sign->tokens.refresh, sign->tokens.refresh_len);
    sha256(sign->data.refresh_token, sign->data.refresh);
    request->bare = sign->kind == SIGN_REFRESH; /* contract 1.4: never wrapped */
    request_begun(request, request_submit(request, &sign->data));
}

static void on_tokens(struct api_token_job *job, enum err err)
{
    void *place = (char *)job - offsetof(struct sign, tokens);
    struct sign *sign = place;

    if (err != ERR_OK) {
        request_finish(sign->request, err);
        return;
    }
    submit(sign);
}

static enum err sign_tokens(struct sign *sign)
{
    const struct api_keeper *keeper = &sign->request->api->options.keeper;
    const struct auth_key *key = sign->request->auth.key;

    sign->tokens.done = on_tokens;
    sign->tokens.environment_id = key->environment_id;
    sign->tokens.project_id = key->project_id;
    sign->tokens.environment = key->environment;
    sign->tokens.user = sign->data.user_id;
    sign->tokens.session = sign->data.session_id;
    return keeper->sign_tokens(keeper->context, &sign->tokens);
}

/* Tokens of a session that begins now. */
static enum err sign_new_session(struct sign *sign)
{
    auth_uuid_make(sign->request->api->random, sign->session_id);
    sign->data.session_id = span_array(sign->session_id);
    sign->tokens.access_s = AUTH_TOKEN_ACCESS_S;
    sign->tokens.refresh_s = AUTH_TOKEN_REFRESH_S;
    return sign_tokens(sign);
}

static void keep_hash(const struct sign *sign, struct data_password *out)
{
    out->pepper_version = sign->pepper.version;
    out->cost = sign->hash.cost;
    memcpy(out->salt, sign->hash.salt, sizeof out->salt);
    memcpy(out->hash, sign->hash.hash, sizeof out->hash);
}

static enum err pepper(struct sign *sign, uint32_t version);

static bool is_weaker(struct pwhash_cost cost)
{
    const struct pwhash_cost now = pwhash_cost_now();

    return cost.memory_kib < now.memory_kib || cost.passes < now.passes;
}

/* The password of a sign-in was hashed. Others that began at the same time may have failed meanwhile: however many
 * guesses are under way at once, those beyond the limit learn nothing. */
static enum err compare(struct sign *sign)
{
    struct data_login *login = &sign->login;
    const bool right = ct_equal(span_array(sign->hash.hash), span_array(login->password.hash));

    TRY(check_lockout(sign));
    if (!login->found || !right) {
        count_failure(sign);
        return refuse(&sign->request->refusal, REFUSAL_AUTH_INVALID_CREDENTIALS, NULL);
    }
    sign->data.user_id = span_array(login->user);
    sign->data.password = login->password;
    if (is_weaker(login->password.cost)) {
        sign->kind = SIGN_STRONGER;
        return pepper(sign, 0);
    }
    return sign_new_session(sign);
}

static enum err hashed(struct sign *sign)
{
    switch (sign->kind) {
    case SIGN_UP:
        keep_hash(sign, &sign->data.password);
        return sign_new_session(sign);
    case SIGN_IN:
        return compare(sign);
    case SIGN_STRONGER:
        keep_hash(sign, &sign->data.stronger);
        sign->data.has_stronger = true;
        return sign_new_session(sign);
    case SIGN_REFRESH:
        break;
    }
    FAIL(ERR_BUG, "a hash that nobody asked for", sign->kind);
}

static void on_hashed(struct auth_hash_job *job)
{
    void *place = (char *)job - offsetof(struct sign, hash);
    struct sign *sign = place;

    const enum err err = job->err == ERR_OK ? hashed(sign) : job->err;
    mem_wipe(job->hash, sizeof job->hash);
    request_begun(sign->request, err);
}

/* Hashes what the keeper made of the password: with the stored salt and cost to compare, with new ones to keep. */
static enum err hash(struct sign *sign)
{
    struct api_request *request = sign->request;
    struct auth_hash_job *job = &sign->hash;

    job->done = on_hashed;
    job->loop = request->exchange->loop;
    memcpy(job->input, sign->pepper.mac, sizeof job->input);
    mem_wipe(sign->pepper.mac, sizeof sign->pepper.mac);
    if (sign->kind == SIGN_IN && sign->login.found) {
        job->cost = sign->login.password.cost;
        memcpy(job->salt, sign->login.password.salt, sizeof job->salt);
    } else {
        job->cost = pwhash_cost_now();
        random_fill(request->api->random, job->salt, sizeof job->salt);
    }
    const enum err err = auth_hash_submit(request->api->options.hashes, job);
    if (err == ERR_LIMIT) {
        fault_clear();
        mem_wipe(job->input, sizeof job->input);
        const enum err denied = refuse(&request->refusal, REFUSAL_COMMON_UNAVAILABLE, "Too many sign-ins at a time");
        request->refusal.retry_after_s = POOL_RETRY_S;
        return denied;
    }
    return err;
}

static void on_peppered(struct api_pepper_job *job, enum err err)
{
    void *place = (char *)job - offsetof(struct sign, pepper);
    struct sign *sign = place;

    request_begun(sign->request, err == ERR_OK ? hash(sign) : err);
}

/* version: 0 for a password that is to be kept. */
static enum err pepper(struct sign *sign, uint32_t version)
{
    const struct api_keeper *keeper = &sign->request->api->options.keeper;

    sign->pepper.done = on_peppered;
    sign->pepper.version = version;
    sha256(sign->password, sign->pepper.digest);
    return keeper->pepper(keeper->context, &sign->pepper);
}

/* --- the routes --- */

static enum err start_sign_up(struct api_request *request)
{
    const struct limits_rule rule = {AUTH_LIMIT_SIGN_UPS, SIGN_UPS_AN_HOUR, HOUR_S};
    struct sign *sign = NULL;
    bool taken = false;

    TRY(new_sign(request, SIGN_UP, &sign));
    TRY(read_credentials(sign));
    TRY(read_text(request, span_lit("name"), &sign->data.name));
    if (!data_name_fits(sign->data.name)) {
        return refuse_field(request, span_lit("name"), "must have 1 to 100 characters");
    }
    if (!account_password_fits(sign->password)) {
        return refuse(&request->refusal, REFUSAL_AUTH_INVALID_PASSWORD_FORMAT,
                      "password must have 6 to 128 characters");
    }
    TRY(take(request, rule, request->headers.auth.address));
    TRY(data_email_taken(&sign->people, environment_of(sign), sign->data.email, &taken));
    if (taken) {
        return refuse(&request->refusal, REFUSAL_AUTH_EMAIL_ALREADY_EXISTS, "A user with this email already exists");
    }
    auth_uuid_make(request->api->random, sign->user_id);
    sign->data.user_id = span_array(sign->user_id);
    return pepper(sign, 0);
}

static enum err start_sign_in(struct api_request *request)
{
    struct sign *sign = NULL;

    TRY(new_sign(request, SIGN_IN, &sign));
    TRY(read_credentials(sign));
    TRY(check_lockout(sign));
    TRY(data_find_login(&sign->people, environment_of(sign), sign->data.email, &sign->login));
    return pepper(sign, sign->login.found ? sign->login.password.pepper_version : 0);
}

static enum err refuse_refresh(struct api_request *request)
{
    fault_clear();
    return refuse(&request->refusal, REFUSAL_AUTH_INVALID_REFRESH_TOKEN, NULL);
}

/* A refresh token of the key's own environment, signed by us. ERR_AUTH, ERR_MALFORMED. */
static enum err verify_refresh(struct api_request *request, struct span token, struct auth_token_bytes *bytes,
                               struct auth_claims *out_claims)
{
    const struct auth_directory directory = catalog_directory(request->catalog);
    const struct auth_key *key = request->auth.key;
    struct auth_place place = {SPAN_NONE, SPAN_NONE, SPAN_NONE};
    struct auth_token_parts parts;

    TRY(auth_token_split(token, &parts));
    const struct auth_token_key *signer = directory.find_token_key(directory.context, key, parts.header, &place);
    ENSURE(signer != NULL && span_equal(place.environment_id, key->environment_id), ERR_AUTH,
           "not of this environment");
    TRY(auth_token_verify(&parts, signer));
    TRY(auth_token_read(&parts, bytes, out_claims));
    ENSURE(out_claims->type == AUTH_TOKEN_REFRESH && span_equal(out_claims->project, key->project_id) &&
               span_equal(out_claims->environment, key->environment),
           ERR_AUTH, "not a refresh token of this environment");
    return ERR_OK;
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

static enum err start_refresh(struct api_request *request)
{
    const struct limits_rule rule = {AUTH_LIMIT_REFRESHES, REFRESHES_A_MINUTE, MINUTE_S};
    struct auth_token_bytes bytes;
    struct auth_claims claims;
    struct sign *sign = NULL;
    struct span token = SPAN_NONE;
    struct wall_time began = {0};

    TRY(new_sign(request, SIGN_REFRESH, &sign));
    TRY(request_object(request));
    TRY(read_text(request, span_lit("refreshToken"), &token));
    enum err err = verify_refresh(request, token, &bytes, &claims);
    if (err == ERR_AUTH || err == ERR_MALFORMED) {
        return refuse_refresh(request);
    }
    TRY(err);
    if (request->now.ms / MS_PER_S >= claims.expires_s) {
        return refuse(&request->refusal, REFUSAL_AUTH_SESSION_EXPIRED, NULL);
    }
    TRY(take(request, rule, claims.session));
    TRY(arena_copy(request->exchange->arena, claims.user, &sign->data.user_id));
    TRY(arena_copy(request->exchange->arena, claims.session, &sign->data.session_id));
    sha256(token, sign->data.presented);
    err = data_find_session(&sign->people, environment_of(sign), sign->data.session_id, sign->data.user_id, &began);
    if (err == ERR_NOT_FOUND) {
        return refuse_refresh(request);
    }
    TRY(err);
    TRY(set_lives(sign, began));
    return sign_tokens(sign);
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
