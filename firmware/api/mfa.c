/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Turning a second factor on and off. Passwords are compared here, codes by the writer. Spec: contract 5.7. */
#include "firmware/api/sign_int.h"

#include "hal/base/fault.h"

/* The password was hashed as that of the user who asks is. Guesses are counted as those of a sign-in are. */
static enum err compared(struct sign *sign)
{
    TRY(sign_check_lockout(sign));
    if (!sign->login.found || !sign_hash_is(sign, &sign->login.password)) {
        sign_count_failure(sign);
        return refuse(&sign->request->refusal, REFUSAL_AUTH_INVALID_CREDENTIALS, NULL);
    }
    sign->data.password = sign->login.password;
    return request_submit(sign->request, &sign->data);
}

/* A code counts where there is one to be tried, which `enable` has not. */
static enum err start_change(struct api_request *request)
{
    struct span password = SPAN_NONE;
    struct sign *sign = NULL;

    TRY(sign_new(request, &sign));
    TRY(request_object(request));
    TRY(sign_read_text(request, span_lit("password"), &password));
    TRY(sign_read_code(sign, span_lit("code")));
    return sign_hash_own(sign, password, compared);
}

void handle_mfa_enable(struct api_request *request)
{
    request_begun(request, start_change(request));
}

void handle_mfa_disable(struct api_request *request)
{
    request_begun(request, start_change(request));
}

static enum err start_confirm(struct api_request *request)
{
    struct sign *sign = NULL;

    TRY(sign_new(request, &sign));
    TRY(request_object(request));
    TRY(sign_read_text(request, span_lit("code"), &sign->data.mfa_code));
    return request_submit(request, &sign->data);
}

void handle_mfa_confirm(struct api_request *request)
{
    request_begun(request, start_confirm(request));
}
