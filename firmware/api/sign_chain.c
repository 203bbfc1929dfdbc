/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The steps that do not run on the reactor, each of which goes on where the one before it ended:
 *
 *   keeper: pepper -> pool: Argon2id -> what the caller named -> keeper: tokens -> writer -> answer
 */
#include "firmware/api/sign_int.h"

#include <string.h>

#include "crypto/ct.h"
#include "hal/base/fault.h"

#define USER_AGENT_MAX 256
#define POOL_RETRY_S   2
#define MS_PER_S       1000

enum err sign_new(struct api_request *request, struct sign **out_sign)
{
    const struct http_exchange *exchange = request->exchange;
    void *memory = NULL;
    size_t len = 0;

    TRY(arena_alloc(exchange->arena, sizeof(struct sign), &memory));
    struct sign *sign = memory;
    sign->request = request;
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

struct span sign_environment(const struct sign *sign)
{
    const struct api_request *request = sign->request;

    return request->auth.key != NULL ? request->auth.key->environment_id : request->place;
}

struct auth_settings sign_settings(const struct api_request *request)
{
    if (request->auth.key == NULL && request->place.len == 0) { /* the first operator is being made */
        return auth_settings_operators();
    }
    return catalog_auth_settings(request->catalog, request->auth.key != NULL ? request->auth.key->environment_id
                                                                             : request->place);
}

/* --- tokens and the writer --- */

static void on_tokens(struct api_token_job *job, enum err err)
{
    void *place = (char *)job - offsetof(struct sign, tokens);
    struct sign *sign = place;

    if (err != ERR_OK) {
        request_finish(sign->request, err);
        return;
    }
    if (sign->request->api->options.calendar != NULL) {
        hal_onward_saw(sign->request->api->options.calendar, (struct wall_time){sign->tokens.issued_s * MS_PER_S});
    }
    sign->data.issued_s = sign->tokens.issued_s;
    sign->data.access_s = sign->tokens.access_s;
    sign->data.refresh_s = sign->tokens.refresh_s;
    sign->data.access_token = span_of(sign->tokens.access, sign->tokens.access_len);
    sign->data.refresh_token = span_of(sign->tokens.refresh, sign->tokens.refresh_len);
    sha256(sign->data.refresh_token, sign->data.refresh);
    request_begun(sign->request, request_submit(sign->request, &sign->data));
}

enum err sign_tokens(struct sign *sign)
{
    const struct api_keeper *keeper = &sign->request->api->options.keeper;
    const struct api_request *request = sign->request;
    const struct auth_key *key = request->auth.key;
    const struct catalog_environment *place =
        key != NULL ? NULL : catalog_environment(request->catalog, request->place);

    INVARIANT(key != NULL || place != NULL);
    sign->tokens.done = on_tokens;
    sign->tokens.environment_id = key != NULL ? key->environment_id : place->record.id;
    sign->tokens.project_id = key != NULL ? key->project_id : place->record.parent;
    sign->tokens.environment = key != NULL ? key->environment : place->record.name;
    sign->tokens.user = sign->data.user_id;
    sign->tokens.session = sign->data.session_id;
    return keeper->sign_tokens(keeper->context, &sign->tokens);
}

enum err sign_new_session(struct sign *sign)
{
    auth_uuid_make(sign->request->api->random, sign->session_id);
    sign->data.session_id = span_array(sign->session_id);
    sign->tokens.access_s = AUTH_TOKEN_ACCESS_S;
    sign->tokens.refresh_s = AUTH_TOKEN_REFRESH_S;
    return sign_tokens(sign);
}

/* --- hashing --- */

bool sign_hash_is(const struct sign *sign, const struct data_password *password)
{
    return ct_equal(span_array(sign->hash.hash), span_array(password->hash));
}

void sign_keep_hash(const struct sign *sign, struct data_password *out)
{
    out->pepper_version = sign->pepper.version;
    out->cost = sign->hash.cost;
    memcpy(out->salt, sign->hash.salt, sizeof out->salt);
    memcpy(out->hash, sign->hash.hash, sizeof out->hash);
}

static enum err refuse_overloaded(struct api_request *request)
{
    const enum err denied = refuse(&request->refusal, REFUSAL_COMMON_UNAVAILABLE, "Too many sign-ins at a time");

    request->refusal.retry_after_s = POOL_RETRY_S;
    return denied;
}

static void on_hashed(struct auth_hash_job *job)
{
    void *place = (char *)job - offsetof(struct sign, hash);
    struct sign *sign = place;
    enum err err = job->err;

    if (err == ERR_OK) {
        err = sign->hashed(sign);
    } else if (err == ERR_TIMEOUT) {
        err = refuse_overloaded(sign->request);
    }
    mem_wipe(job->hash, sizeof job->hash);
    request_begun(sign->request, err);
}

/* Hashes what the keeper made of the password. */
static enum err hash(struct sign *sign)
{
    struct api_request *request = sign->request;
    struct auth_hash_job *job = &sign->hash;

    job->done = on_hashed;
    job->loop = request->exchange->loop;
    memcpy(job->input, sign->pepper.mac, sizeof job->input);
    mem_wipe(sign->pepper.mac, sizeof sign->pepper.mac);
    const enum err err = auth_hash_submit(request->api->options.hashes, job);
    if (err == ERR_LIMIT) {
        fault_clear();
        mem_wipe(job->input, sizeof job->input);
        return refuse_overloaded(request);
    }
    return err;
}

static void on_peppered(struct api_pepper_job *job, enum err err)
{
    void *place = (char *)job - offsetof(struct sign, pepper);
    struct sign *sign = place;

    request_begun(sign->request, err == ERR_OK ? hash(sign) : err);
}

static enum err pepper(struct sign *sign, struct span password)
{
    const struct api_keeper *keeper = &sign->request->api->options.keeper;

    sign->pepper.done = on_peppered;
    sha256(password, sign->pepper.digest);
    return keeper->pepper(keeper->context, &sign->pepper);
}

enum err sign_hash_new(struct sign *sign, struct span password, enum err (*hashed)(struct sign *sign))
{
    sign->hashed = hashed;
    sign->pepper.version = 0;
    sign->hash.cost = pwhash_cost_now();
    random_fill(sign->request->api->random, sign->hash.salt, sizeof sign->hash.salt);
    return pepper(sign, password);
}

enum err sign_submit_hashed(struct sign *sign)
{
    sign_keep_hash(sign, &sign->data.stronger);
    sign->data.has_stronger = true;
    return request_submit(sign->request, &sign->data);
}

enum err sign_hash_like(struct sign *sign, struct span password, const struct data_password *like,
                        enum err (*hashed)(struct sign *sign))
{
    sign->hashed = hashed;
    sign->pepper.version = like->pepper_version;
    sign->hash.cost = like->cost;
    memcpy(sign->hash.salt, like->salt, sizeof sign->hash.salt);
    return pepper(sign, password);
}

enum err sign_hash_own(struct sign *sign, struct span password, enum err (*hashed)(struct sign *sign))
{
    struct data_login *login = &sign->login;

    TRY(data_find_login_of(&sign->people, sign_environment(sign), sign->request->auth.principal.user, login));
    memcpy(sign->email.text, login->email, login->email_len);
    sign->email.len = login->email_len;
    TRY(sign_check_lockout(sign));
    return login->found ? sign_hash_like(sign, password, &login->password, hashed)
                        : sign_hash_new(sign, password, hashed);
}
