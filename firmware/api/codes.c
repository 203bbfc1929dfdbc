/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mails with codes, and the codes that come back: sign-in links and confirmed addresses. What is asked for an address that
 * is nobody's takes the same way to the writer, which answers the same. Spec: contract 5.3, 5.6. */
#include "firmware/api/sign_int.h"

#include "firmware/mail/link.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "net/http.h"

/* --- sending --- */

static enum err send(struct sign *sign, enum mail_category category)
{
    TRY(sign_take_mail(sign));
    sign->request->hold_ms = sign->request->api->options.mail_hold_ms;
    TRY(sign_make_mail(sign, category));
    return request_submit(sign->request, &sign->data);
}

enum err sign_send_link(struct sign *sign, data_operation *operation)
{
    if (!sign_settings(sign->request).magic_link_enabled) {
        return refuse(&sign->request->refusal, REFUSAL_AUTH_MAGICLINK_DISABLED, NULL);
    }
    sign->request->operation = operation;
    return send(sign, MAIL_MAGIC_LINK);
}

static enum err start_send(struct api_request *request, enum mail_category category)
{
    struct sign *sign = NULL;

    TRY(sign_new(request, &sign));
    TRY(request_object(request));
    TRY(sign_read_callback(sign));
    TRY(sign_read_email(sign));
    return send(sign, category);
}

void handle_reset_request(struct api_request *request)
{
    request_begun(request, start_send(request, MAIL_PASSWORD_RESET));
}

void handle_confirmation_send(struct api_request *request)
{
    request_begun(request, start_send(request, MAIL_SIGNUP_CONFIRMATION));
}

void handle_verify_send(struct api_request *request)
{
    request_begun(request, start_send(request, MAIL_EMAIL_VERIFICATION));
}

/* --- what came back --- */

enum err sign_find_code(struct sign *sign, const struct data_code_of *of, struct data_code *out_code)
{
    data_code_digest(of, sign->data.presented);
    return data_find_code(&sign->people, of->environment_id, sign->data.presented, out_code);
}

static enum err refuse_code(struct api_request *request)
{
    return refuse(&request->refusal, REFUSAL_AUTH_INVALID_TOKEN, "The token is not valid");
}

static enum err start_verify_confirm(struct api_request *request)
{
    struct data_code_of of = {.purpose = DATA_CODE_VERIFY};
    struct sign *sign = NULL;

    TRY(sign_new(request, &sign));
    TRY(request_object(request));
    TRY(sign_read_email(sign));
    TRY(sign_read_text(request, span_lit("token"), &of.code));
    of.environment_id = sign_environment(sign);
    of.email = sign->data.email;
    data_code_digest(&of, sign->data.presented);
    return request_submit(request, &sign->data);
}

void handle_verify_confirm(struct api_request *request)
{
    request_begun(request, start_verify_confirm(request));
}

static enum err start_magic_callback(struct api_request *request)
{
    struct data_code_of of = {.purpose = DATA_CODE_MAGIC};
    struct data_code code;
    struct sign *sign = NULL;

    TRY(sign_new(request, &sign));
    TRY(request_object(request));
    TRY(sign_read_text(request, span_lit("token"), &of.code));
    if (!sign_settings(request).magic_link_enabled) {
        return refuse(&request->refusal, REFUSAL_AUTH_MAGICLINK_DISABLED, NULL);
    }
    TRY(sign_read_code(sign, span_lit("mfaCode")));
    of.environment_id = sign_environment(sign);
    const enum err err = sign_find_code(sign, &of, &code);
    if (err == ERR_NOT_FOUND) {
        return refuse_code(request);
    }
    TRY(err);
    if (request->now.ms >= code.ends_at.ms) {
        return refuse(&request->refusal, REFUSAL_AUTH_TOKEN_EXPIRED, "The link has expired");
    }
    if (code.has_user) {
        memcpy(sign->user_id, code.user, sizeof sign->user_id);
    } else {
        auth_uuid_make(request->api->random, sign->user_id);
    }
    sign->data.user_id = span_array(sign->user_id);
    return sign_new_session(sign);
}

void handle_magic_callback(struct api_request *request)
{
    request_begun(request, start_magic_callback(request));
}

/* --- a link that is opened in a browser, without a key --- */

struct visit {
    struct span token, email, callback;
};

static enum err read_visit(struct api_request *request, struct visit *out)
{
    struct http_query walk = http_query_of(request->exchange->query);
    struct span name = SPAN_NONE;
    struct span value = SPAN_NONE;
    enum err err = ERR_OK;

    while ((err = http_query_next(&walk, request->exchange->arena, &name, &value)) == ERR_OK) {
        out->token = span_equal(name, span_lit("token")) ? value : out->token;
        out->email = span_equal(name, span_lit("email")) ? value : out->email;
        out->callback = span_equal(name, span_lit("callbackUrl")) ? value : out->callback;
    }
    if (err == ERR_MALFORMED || err == ERR_NOT_FOUND) {
        fault_clear();
        return err == ERR_NOT_FOUND ? ERR_OK : refuse_code(request);
    }
    return err;
}

/* Which environment a code is of: its digest holds in one of them at most. There are few, see
 * CONFIG_DATA_ENVIRONMENTS_MAX. ERR_NOT_FOUND. */
static enum err find_place(struct sign *sign, struct span token, const struct catalog_environment **out_place)
{
    const struct catalog *catalog = sign->request->catalog;
    struct data_code_of of = {.purpose = DATA_CODE_VERIFY, .email = sign->data.email, .code = token};
    struct data_code code;
    size_t cursor = 0;

    for (;;) {
        const struct catalog_record *record = catalog_next(catalog, CATALOG_ENVIRONMENT, &cursor);
        if (record == NULL) {
            return ERR_NOT_FOUND;
        }
        of.environment_id = record->id;
        const enum err err = sign_find_code(sign, &of, &code);
        if (err != ERR_NOT_FOUND) {
            *out_place = (const struct catalog_environment *)record;
            return err;
        }
    }
}

static const struct limits_rule failures = {AUTH_LIMIT_FAILURES, AUTH_FAILURES_DEFAULT, AUTH_WINDOW_S};

/* A visitor without a key pays for wrong codes as others do for wrong keys. */
static enum err check_failures(struct api_request *request)
{
    struct limits_state state = {0, 0};

    if (limits_look(request->api->options.limits, &failures, request->headers.auth.address, request->now, &state) ==
        ERR_OK) {
        return ERR_OK;
    }
    fault_clear();
    const enum err err = refuse(&request->refusal, REFUSAL_DATA_RATE_LIMIT_EXCEEDED, NULL);
    request->refusal.retry_after_s = failures.window_s;
    return err;
}

static enum err refuse_visit(struct api_request *request)
{
    struct limits_state state = {0, 0};

    if (limits_take(request->api->options.limits, &failures, request->headers.auth.address, request->now, &state) !=
        ERR_OK) {
        fault_clear(); /* the next one is refused for it */
    }
    return refuse_code(request);
}

/* callbackUrl?verified=true&email= for a place that the project lets it lead to. */
static enum err set_location(struct sign *sign, struct span callback)
{
    const struct mail_parameter parameters[] = {{span_lit("verified"), span_lit("true")},
                                                {span_lit("email"), sign->data.email}};
    SCOPED_BUF struct buf *link = NULL;

    if (!cors_redirects(sign->request->project, callback)) {
        return ERR_OK;
    }
    TRY(buf_new(MAIL_VALUE_MAX, &link));
    TRY(mail_link_put(link, callback, parameters, ARRAY_LENGTH(parameters)));
    sign->data.redirects = true;
    return arena_copy(sign->request->exchange->arena, buf_all(link), &sign->request->location);
}

static enum err start_visit(struct api_request *request)
{
    const struct catalog_environment *place = NULL;
    struct visit visit = {SPAN_NONE, SPAN_NONE, SPAN_NONE};
    struct sign *sign = NULL;

    TRY(check_failures(request));
    TRY(sign_new(request, &sign));
    TRY(read_visit(request, &visit));
    if (account_email_read(visit.email, &sign->email) != ERR_OK) {
        fault_clear();
        return refuse_visit(request);
    }
    sign->data.email = span_of(sign->email.text, sign->email.len);
    const enum err err = find_place(sign, visit.token, &place);
    if (err == ERR_NOT_FOUND) {
        return refuse_visit(request);
    }
    TRY(err);
    request->place = place->record.id;
    request->project = catalog_project(request->catalog, place->record.parent);
    request->bare = true; /* its body has an envelope of its own */
    TRY(set_location(sign, visit.callback));
    return request_submit(request, &sign->data);
}

void handle_verify_visit(struct api_request *request)
{
    request_begun(request, start_visit(request));
}
