/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The first operator, by the setup code. How operators sign in, refresh and sign out is sign.c's, as for everybody.
 * Spec: contract 6, 10.1; `POST /v1/admin/auth/setup {setupCode,email,password,name}` is ours. */
#include "firmware/api/sign_int.h"

#include "firmware/api/error.h"
#include "firmware/data/operators.h"
#include "hal/base/fault.h"

/* Contract 10.2 gives a try to unlock a second; this is the same kind of secret. For everybody together. */
#define TRIES_A_SECOND 1u
#define SECOND_S       1u
#define SETUP_BODY_MAX 4096 /* who has no credential yet makes us parse no more */

static enum err refuse_code(struct api_request *request)
{
    return refuse(&request->refusal, REFUSAL_AUTH_INVALID_CREDENTIALS, "The setup code is not valid");
}

static enum err check_code(struct api_request *request)
{
    const struct api_options *options = &request->api->options;
    const struct limits_rule rule = {AUTH_LIMIT_SETUP, TRIES_A_SECOND, SECOND_S};
    struct span code = SPAN_NONE;

    TRY(sign_read_text(request, span_lit("setupCode"), &code));
    TRY(sign_take(request, rule, span_lit("setup")));
    if (options->setup == NULL || operators_place(request->catalog) != NULL ||
        !setup_code_is(options->setup, code, hal_clock_mono(options->clock))) {
        return refuse_code(request);
    }
    return ERR_OK;
}

static enum err hashed_new(struct sign *sign)
{
    sign_keep_hash(sign, &sign->data.password);
    return request_submit(sign->request, &sign->data);
}

/* A new operator, from the body: all but the id and what the password is hashed to. */
static enum err read_operator(struct api_request *request, struct sign **out_sign)
{
    struct sign *sign = NULL;

    TRY(sign_new(request, &sign));
    TRY(request_object(request));
    TRY(sign_read_email(sign));
    TRY(sign_read_text(request, span_lit("password"), &sign->password));
    TRY(sign_read_name(sign));
    TRY(sign_check_password(request, sign->password));
    *out_sign = sign;
    return ERR_OK;
}

static enum err make_operator(struct sign *sign)
{
    auth_uuid_make(sign->request->api->random, sign->user_id);
    sign->data.user_id = span_array(sign->user_id);
    return sign_hash_new(sign, sign->password, hashed_new);
}

static enum err start_setup(struct api_request *request)
{
    struct sign *sign = NULL;

    if (request->exchange->body.len > SETUP_BODY_MAX) {
        return refuse(&request->refusal, REFUSAL_COMMON_PAYLOAD_TOO_LARGE, NULL);
    }
    TRY(read_operator(request, &sign));
    TRY(check_code(request));
    request->operators = true;
    return make_operator(sign);
}

/* --- others --- */

/* Here wrong fields are those of management, not of whoever signs in: contract 6. */
static enum err as_management(struct api_request *request, enum err err)
{
    if (err == ERR_DENIED && error_entry(request->refusal.code)->status == 400) {
        request->refusal.code = REFUSAL_COMMON_INVALID_PARAMETERS;
    }
    return err;
}

static enum err start_create(struct api_request *request)
{
    struct sign *sign = NULL;

    TRY(as_management(request, read_operator(request, &sign)));
    return make_operator(sign);
}

void handle_operator_create(struct api_request *request)
{
    request_begun(request, start_create(request));
}

/* Address and password, if they are to change. */
static enum err read_change(struct api_request *request, struct sign **out_sign)
{
    struct sign *sign = NULL;

    TRY(sign_new(request, &sign));
    TRY(request_object(request));
    if (json_find(request->body, span_lit("email")) != NULL) {
        TRY(sign_read_email(sign));
    }
    if (json_find(request->body, span_lit("password")) != NULL) {
        TRY(sign_read_text(request, span_lit("password"), &sign->password));
        TRY(sign_check_password(request, sign->password));
    }
    *out_sign = sign;
    return ERR_OK;
}

static enum err start_update(struct api_request *request)
{
    struct sign *sign = NULL;

    TRY(as_management(request, read_change(request, &sign)));
    return sign->password.len != 0 ? sign_hash_new(sign, sign->password, sign_submit_hashed)
                                   : request_submit(request, &sign->data);
}

void handle_operator_update(struct api_request *request)
{
    request_begun(request, start_update(request));
}

void handle_operator_setup(struct api_request *request)
{
    request_begun(request, start_setup(request));
}
