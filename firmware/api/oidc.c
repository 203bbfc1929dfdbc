/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signing in, and linking an account, by an OpenID Connect issuer. None of the steps blocks the reactor; those in brackets
 * are left out when what they bring is there:
 *
 *   fields -> provider -> limit -> [document and keys of the issuer] -> [code for an ID token] -> verify
 *     -> [newer keys -> verify] -> look-up -> keeper: tokens -> writer -> answer
 *
 * What an issuer has to do with nobody else learns of: code, verifier, secret and tokens are in no log.
 * Spec: contract 5.8; RFC 6749 section 4.1.3; RFC 7636 (codeVerifier); OpenID Connect Core 1.0. */
#include "firmware/api/oidc_int.h"
#include "firmware/api/sign_int.h"

#include <string.h>

#include "firmware/mail/base64.h"
#include "firmware/mail/link.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "net/json.h"

#define TRIES_A_MINUTE 30u
#define MINUTE_S       60u
#define RETRY_S        2
#define VERIFIER_MIN   43 /* RFC 7636 section 4.1 */
#define NAME_BYTES     100
#define STATUS_OK      200
#define MS_PER_S       1000

struct oidc_sign {
    struct oidc_wait wait;
    struct outbound_job job;
    struct sign *sign;
    struct data_oidc provider;
    struct oidc_fields fields;
    struct buf *answer; /* of the token endpoint, while it is waited for */
    struct id_claims claims;
    bool links;       /* an account of who asks; otherwise signs in */
    bool exchanged;   /* the ID token was got for the code */
    bool asked_again; /* for newer keys */
};

/* --- refusals --- */

static enum err refuse_code(struct oidc_sign *oidc)
{
    return refuse(&oidc->sign->request->refusal, REFUSAL_AUTH_INVALID_OAUTH_CODE, NULL);
}

/* The issuer, or the way to it. */
static enum err refuse_failed(struct oidc_sign *oidc)
{
    fault_clear();
    return refuse(&oidc->sign->request->refusal, REFUSAL_AUTH_OAUTH_CALLBACK_FAILED, NULL);
}

/* What the courier says at once, when it takes a job. */
static enum err refuse_busy(struct oidc_sign *oidc, enum err err)
{
    struct api_request *request = oidc->sign->request;

    if (err != ERR_LIMIT) {
        return err == ERR_RANGE || err == ERR_CLOSED ? refuse_failed(oidc) : err;
    }
    fault_clear();
    const enum err denied = refuse(&request->refusal, REFUSAL_COMMON_UNAVAILABLE, "Too many sign-ins at a time");
    request->refusal.retry_after_s = RETRY_S;
    return denied;
}

/* --- fields --- */

static bool is_verifier(struct span text)
{
    const struct span marks = span_lit("-._~");

    for (size_t i = 0; i < text.len; i++) {
        const uint8_t byte = text.data[i];
        if (!((byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
              span_find(marks, byte) < marks.len)) {
            return false;
        }
    }
    return text.len >= VERIFIER_MIN;
}

/* Codes are exchanged for the address that is configured, or for one that the project lets codes lead to. */
static enum err check_redirect(struct oidc_sign *oidc)
{
    struct api_request *request = oidc->sign->request;
    const struct span configured = oidc->provider.redirect_uri;
    struct span *given = &oidc->fields.redirect_uri;

    if (given->len == 0) {
        *given = configured;
    }
    if (given->len == 0) {
        return sign_refuse_field(request, span_lit("redirectUri"), "is required with a code");
    }
    if (configured.len != 0 && !span_equal(*given, configured) && !cors_redirects(request->project, *given)) {
        return sign_refuse_field(request, span_lit("redirectUri"), "is none that this provider is configured for");
    }
    return ERR_OK;
}

static enum err check_fields(struct oidc_sign *oidc)
{
    struct api_request *request = oidc->sign->request;
    const struct oidc_fields *fields = &oidc->fields;

    oidc->sign->data.mfa_code = fields->mfa_code;
    if (fields->verifier.len != 0 && !is_verifier(fields->verifier)) {
        return sign_refuse_field(request, span_lit("codeVerifier"), "must be 43 to 128 unreserved characters");
    }
    if (fields->id_token.len != 0) {
        return ERR_OK;
    }
    if (fields->code.len == 0 && fields->error.len != 0) {
        return refuse_code(oidc); /* RFC 6749 section 4.1.2.1 */
    }
    if (fields->code.len == 0) {
        return sign_refuse_field(request, span_lit("code"), "or idToken is required");
    }
    return check_redirect(oidc);
}

/* --- who it is --- */

static struct span name_of(struct oidc_sign *oidc)
{
    const struct account_email *email = &oidc->claims.email;
    const struct span address = span_of(email->text, email->len);
    const struct span name = span_cut(oidc->claims.name, NAME_BYTES);

    return name.len != 0 ? name : span_of(address.data, span_find(address, '@'));
}

/* The token is the issuer's: who is that here? */
static enum err accept(struct oidc_sign *oidc)
{
    struct sign *sign = oidc->sign;
    struct data_identity *identity = &sign->data.identity;
    uint8_t digest[SHA256_BYTES];

    *identity = (struct data_identity){.provider = oidc->provider.name,
                                       .issuer = oidc->provider.issuer,
                                       .subject = oidc->claims.subject,
                                       .email = span_of(oidc->claims.email.text, oidc->claims.email.len),
                                       .name = name_of(oidc),
                                       .may_keep = oidc->exchanged};
    if (oidc->links) {
        return request_submit(sign->request, &sign->data);
    }
    data_identity_digest(identity, digest);
    const enum err err = data_find_identity(&sign->people, sign_environment(sign), digest, sign->user_id);
    identity->known = err == ERR_OK;
    if (err == ERR_NOT_FOUND) {
        TRY(sign_take_sign_up(sign->request));
        auth_uuid_make(sign->request->api->random, sign->user_id);
    } else {
        TRY(err);
    }
    sign->data.user_id = span_array(sign->user_id);
    return sign_new_session(sign);
}

/* --- the steps --- */

static enum err go_on(struct oidc_sign *oidc);

static void on_ready(struct oidc_wait *wait, enum err err)
{
    struct oidc_sign *oidc = (struct oidc_sign *)wait;

    enum err begun = ERR_OK;
    if (err == ERR_OK) {
        begun = go_on(oidc);
    } else {
        begun = err == ERR_LIMIT ? refuse_busy(oidc, err) : refuse_failed(oidc);
    }
    request_begun(oidc->sign->request, begun);
}

static void log_refused(const struct oidc_sign *oidc)
{
    const struct log_field fields[] = {LOG_TEXT("provider", oidc->provider.name),
                                       LOG_TEXT("environment", sign_environment(oidc->sign))};

    log_event(LOG_WARN, "id_token_refused", fields, ARRAY_LENGTH(fields));
    log_fault(LOG_WARN, "id_token_refused_why");
}

/* An unknown key may be a new one: it is asked for once. If that cannot be found out, the token is not to blame. */
static enum err verify(struct oidc_sign *oidc, const struct oidc_known *known)
{
    struct api_request *request = oidc->sign->request;
    const struct id_expected expected = {.issuer = oidc->provider.issuer,
                                         .client_id = oidc->provider.client_id,
                                         .nonce = oidc->fields.nonce,
                                         .now_s = request->now.ms / MS_PER_S};

    const enum err err =
        id_token_verify(oidc->fields.id_token, known->keys, &expected, request->exchange->arena, &oidc->claims);
    if (err == ERR_OK) {
        return accept(oidc);
    }
    if (err == ERR_NO_MEMORY) {
        return err;
    }
    if (err == ERR_NOT_FOUND && !oidc->asked_again) {
        oidc->asked_again = true;
        const enum err again = oidc_look_again(request->api, &oidc->provider, &oidc->wait);
        if (again == ERR_AGAIN) {
            fault_clear();
            return ERR_OK; /* on_ready */
        }
        if (again != ERR_NOT_FOUND) {
            return refuse_busy(oidc, again);
        }
    }
    log_refused(oidc);
    return refuse_code(oidc);
}

/* --- a code for an ID token --- */

/* Our fault and the issuer's is no fault of whoever signs in: RFC 6749 section 5.2. */
static bool is_configuration(struct span error)
{
    return span_equal(error, span_lit("invalid_client")) || span_equal(error, span_lit("unauthorized_client")) ||
           span_equal(error, span_lit("unsupported_grant_type"));
}

static enum err read_exchanged(struct oidc_sign *oidc, struct span body)
{
    const struct outbound_job *job = &oidc->job;
    const bool refused = job->status >= 400 && job->status < 500;
    const struct json_value *json = NULL;

    if (job->result == OUTBOUND_TEMPORARY && job->stage == OUTBOUND_AT_QUEUE) {
        return refuse_busy(oidc, ERR_LIMIT);
    }
    if (job->result != OUTBOUND_DONE || (job->status != STATUS_OK && !refused)) {
        oidc_log_failure(&oidc->provider, "token", job);
        return refuse_failed(oidc);
    }
    const enum err err = json_parse(body, oidc->sign->request->exchange->arena, &json);
    if (err != ERR_OK || (refused && is_configuration(doc_text(json, span_lit("error"))))) {
        oidc_log_failure(&oidc->provider, "token", job);
        return err == ERR_NO_MEMORY ? err : refuse_failed(oidc);
    }
    oidc->fields.id_token = refused ? SPAN_NONE : doc_text(json, span_lit("id_token"));
    oidc->exchanged = true;
    return oidc->fields.id_token.len != 0 ? go_on(oidc) : refuse_code(oidc);
}

static void on_exchanged(struct outbound_job *job)
{
    void *place = (char *)job - offsetof(struct oidc_sign, job);
    struct oidc_sign *oidc = place;
    SCOPED_BUF struct buf *answer = TAKE(oidc->answer);

    request_begun(oidc->sign->request, read_exchanged(oidc, buf_all(answer)));
}

static enum err put_pair(struct buf *form, const char *name, struct span value)
{
    if (value.len == 0) {
        return ERR_OK;
    }
    TRY(buf_put(form, buf_len(form) == 0 ? SPAN_NONE : span_lit("&")));
    TRY(buf_put(form, span_str(name)));
    TRY(buf_put(form, span_lit("=")));
    return mail_encoded_put(form, value);
}

static enum err make_form(const struct oidc_sign *oidc, bool with_secret, struct span *out_form)
{
    SCOPED_BUF struct buf *form = NULL;

    TRY(buf_new(OUTBOUND_BODY_MAX, &form));
    TRY(put_pair(form, "grant_type", span_lit("authorization_code")));
    TRY(put_pair(form, "code", oidc->fields.code));
    TRY(put_pair(form, "redirect_uri", oidc->fields.redirect_uri));
    TRY(put_pair(form, "code_verifier", oidc->fields.verifier));
    if (with_secret || oidc->provider.client_secret.len == 0) {
        TRY(put_pair(form, "client_id", oidc->provider.client_id));
        TRY(put_pair(form, "client_secret", oidc->provider.client_secret));
    }
    return arena_copy(oidc->sign->request->exchange->arena, buf_all(form), out_form);
}

/* Id and secret are encoded as in a form before they are joined: RFC 6749 section 2.3.1. */
static enum err make_basic(const struct oidc_sign *oidc, struct span *out_value)
{
    SCOPED_BUF struct buf *pair = NULL;
    SCOPED_BUF struct buf *value = NULL;

    TRY(buf_new(OUTBOUND_AUTHORIZATION_MAX, &pair));
    TRY(mail_encoded_put(pair, oidc->provider.client_id));
    TRY(buf_put(pair, span_lit(":")));
    TRY(mail_encoded_put(pair, oidc->provider.client_secret));
    TRY(buf_new(OUTBOUND_AUTHORIZATION_MAX, &value));
    TRY(buf_put(value, span_lit("Basic ")));
    TRY(mail_base64_put(value, buf_all(pair)));
    return arena_copy(oidc->sign->request->exchange->arena, buf_all(value), out_value);
}

static enum err prepare_exchange(struct oidc_sign *oidc, const struct oidc_known *known)
{
    struct outbound_fetch *fetch = &oidc->job.fetch;
    const bool basic = !known->secret_in_form && oidc->provider.client_secret.len != 0;

    *fetch = (struct outbound_fetch){.method = OUTBOUND_POST};
    TRY(make_form(oidc, !basic, &fetch->body));
    TRY(basic ? make_basic(oidc, &fetch->authorization) : ERR_OK);
    TRY(oidc_destination(&oidc->provider, &oidc->job.to));
    return arena_copy(oidc->sign->request->exchange->arena, known->token_path, &fetch->path);
}

static enum err exchange(struct oidc_sign *oidc, const struct oidc_known *known)
{
    struct api_request *request = oidc->sign->request;
    const struct outbound *outbound = &request->api->options.outbound;
    SCOPED_BUF struct buf *answer = NULL;

    enum err err = prepare_exchange(oidc, known);
    if (err == ERR_RANGE) {
        fault_clear();
        return sign_refuse_field(request, span_lit("code"), "is too long");
    }
    TRY(err);
    TRY(buf_new(OUTBOUND_ANSWER_MAX, &answer));
    oidc->job.done = on_exchanged;
    oidc->job.loop = request->exchange->loop;
    oidc->job.fetch.answer = answer;
    err = outbound->submit(outbound->context, &oidc->job);
    if (err != ERR_OK) {
        return refuse_busy(oidc, err);
    }
    oidc->answer = TAKE(answer);
    return ERR_OK;
}

static enum err go_on(struct oidc_sign *oidc)
{
    struct oidc_known known;

    const enum err err = oidc_look(oidc->sign->request->api, &oidc->provider, &oidc->wait, &known);
    if (err == ERR_AGAIN) {
        return ERR_OK; /* on_ready */
    }
    if (err != ERR_OK) {
        return refuse_busy(oidc, err);
    }
    return oidc->fields.id_token.len != 0 ? verify(oidc, &known) : exchange(oidc, &known);
}

/* --- the beginning --- */

static enum err refuse_state(struct api_request *request, enum data_oidc_state state)
{
    return refuse(&request->refusal,
                  state == DATA_OIDC_UNKNOWN ? REFUSAL_AUTH_UNSUPPORTED_PROVIDER : REFUSAL_AUTH_OAUTH_NOT_CONFIGURED,
                  NULL);
}

static enum err oidc_sign_new(struct api_request *request, struct oidc_sign **out_oidc)
{
    void *memory = NULL;

    TRY(arena_alloc(request->exchange->arena, sizeof(struct oidc_sign), &memory));
    struct oidc_sign *oidc = memory;
    oidc->wait.ready = on_ready;
    TRY(sign_new(request, &oidc->sign));
    *out_oidc = oidc;
    return ERR_OK;
}

static enum err find_provider(struct oidc_sign *oidc, struct span name)
{
    struct api_request *request = oidc->sign->request;
    const struct catalog_environment *place = catalog_environment(request->catalog, sign_environment(oidc->sign));

    const enum data_oidc_state state = data_oidc_find(place, name, &oidc->provider);
    return state == DATA_OIDC_READY ? ERR_OK : refuse_state(request, state);
}

/* A code that was taken before, of somebody who had yet to show a second factor, is not sent again. It is found by all
 * that the client had to know for it. */
static void digest_code(const struct oidc_sign *oidc, uint8_t out_digest[SHA256_BYTES])
{
    const struct span parts[] = {oidc->provider.name, oidc->provider.issuer, oidc->fields.code,
                                 oidc->fields.redirect_uri, oidc->fields.verifier};
    char text[DATA_CODE_TEXT_BYTES];
    uint8_t digest[SHA256_BYTES];

    sha256_parts(parts, ARRAY_LENGTH(parts), digest);
    hex_encode(span_array(digest), text);
    const struct data_code_of of = {
        .purpose = DATA_CODE_OAUTH, .environment_id = sign_environment(oidc->sign), .code = span_array(text)};
    data_code_digest(&of, out_digest);
}

static enum err find_kept(struct oidc_sign *oidc, bool *out_kept)
{
    struct sign *sign = oidc->sign;
    struct data_code code;

    *out_kept = false;
    if (oidc->links || oidc->fields.id_token.len != 0) {
        return ERR_OK;
    }
    digest_code(oidc, sign->data.presented);
    const enum err err = data_find_code(&sign->people, sign_environment(sign), sign->data.presented, &code);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    if (code.has_user && sign->request->now.ms < code.ends_at.ms) {
        memcpy(sign->user_id, code.user, sizeof sign->user_id);
        *out_kept = true;
    }
    return ERR_OK;
}

static enum err go_on_kept(struct oidc_sign *oidc)
{
    struct sign *sign = oidc->sign;

    sign->data.identity = (struct data_identity){
        .provider = oidc->provider.name, .issuer = oidc->provider.issuer, .known = true, .kept = true};
    sign->data.user_id = span_array(sign->user_id);
    return sign_new_session(sign);
}

/* Each try costs the issuer and the courier something. */
static enum err begin(struct oidc_sign *oidc)
{
    static const struct limits_rule tries = {AUTH_LIMIT_OAUTH, TRIES_A_MINUTE, MINUTE_S};
    struct api_request *request = oidc->sign->request;
    bool kept = false;

    TRY(check_fields(oidc));
    TRY(sign_take(request, tries, request->headers.auth.address));
    TRY(find_kept(oidc, &kept));
    return kept ? go_on_kept(oidc) : go_on(oidc);
}

static enum err start_callback(struct api_request *request)
{
    struct oidc_sign *oidc = NULL;

    TRY(oidc_sign_new(request, &oidc));
    TRY(find_provider(oidc, request->params[0]));
    TRY(oidc_fields_read_body(request, &oidc->fields));
    return begin(oidc);
}

void handle_provider_callback(struct api_request *request)
{
    request_begun(request, start_callback(request));
}

static enum err start_link(struct api_request *request)
{
    struct oidc_sign *oidc = NULL;
    struct span provider = SPAN_NONE;

    TRY(oidc_sign_new(request, &oidc));
    TRY(request_object(request));
    TRY(sign_read_text(request, span_lit("provider"), &provider));
    TRY(find_provider(oidc, provider));
    TRY(oidc_fields_read_body(request, &oidc->fields));
    oidc->links = true;
    return begin(oidc);
}

void handle_account_link(struct api_request *request)
{
    request_begun(request, start_link(request));
}

/* --- without a key: the issuer sends the browser here --- */

/* Is it what the query names, if it names anything? */
static bool is_meant(const struct catalog_environment *place, const struct oidc_fields *fields)
{
    return (fields->project.len == 0 || span_equal(place->record.parent, fields->project)) &&
           (fields->environment.len == 0 || span_equal(place->record.name, fields->environment));
}

/* The one environment that has this provider, whether it is ready there or not. Two are told apart by projectId and
 * environment, which stand in the query, because the address that is registered at the issuer may have one, or in the
 * state: a code must not get to another issuer, nor its person to another environment, because ours was switched off. */
static enum err find_place(struct oidc_sign *oidc, struct span name)
{
    struct api_request *request = oidc->sign->request;
    enum data_oidc_state best = data_oidc_find(NULL, name, &oidc->provider);
    struct data_oidc provider;
    size_t configured = 0;
    size_t cursor = 0;

    for (;;) {
        const struct catalog_record *record = catalog_next(request->catalog, CATALOG_ENVIRONMENT, &cursor);
        if (record == NULL) {
            break;
        }
        const struct catalog_environment *place = (const struct catalog_environment *)record;
        const enum data_oidc_state state =
            is_meant(place, &oidc->fields) ? data_oidc_find(place, name, &provider) : DATA_OIDC_UNKNOWN;
        best = state > best ? state : best;
        configured += state > DATA_OIDC_KNOWN ? 1u : 0u;
        if (state == DATA_OIDC_READY) {
            oidc->provider = provider;
            request->place = record->id;
        }
    }
    if (best == DATA_OIDC_READY && configured > 1) {
        return sign_refuse_field(request, span_lit("projectId"),
                                 "and environment are required in the query or the state");
    }
    return best == DATA_OIDC_READY ? ERR_OK : refuse_state(request, best);
}

static enum err start_visit(struct api_request *request)
{
    struct oidc_sign *oidc = NULL;

    TRY(oidc_sign_new(request, &oidc));
    const enum err read = oidc_fields_read_query(request, &oidc->fields);
    TRY(find_place(oidc, request->params[0]));
    TRY(read);
    request->project =
        catalog_project(request->catalog, catalog_environment(request->catalog, request->place)->record.parent);
    return begin(oidc);
}

void handle_provider_visit(struct api_request *request)
{
    request_begun(request, start_visit(request));
}
