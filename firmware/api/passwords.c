/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A new password: by a code from a mail, or by the old password. The new one is compared with the old one, so both are
 * hashed; the writer decides again on the code, or on the old password, and ends the sessions. Spec: contract 5.5. */
#include "firmware/api/sign_int.h"

#include "crypto/ct.h"
#include "hal/base/fault.h"

static enum err refuse_same(struct sign *sign)
{
    return refuse(&sign->request->refusal, REFUSAL_AUTH_SAME_AS_PREVIOUS_PASSWORD, NULL);
}

/* --- by a code --- */

static enum err refuse_code(struct sign *sign)
{
    return refuse(&sign->request->refusal, REFUSAL_AUTH_VERIFICATION_TOKEN_NOT_FOUND, NULL);
}

/* The new password was hashed as the old one is. */
static enum err compared_with_old(struct sign *sign)
{
    return sign_hash_is(sign, &sign->login.password) ? refuse_same(sign)
                                                     : sign_hash_new(sign, sign->password, sign_submit_hashed);
}

/* Whose code it is. A wrong code, one of another address and one of nobody's answer the same. */
static enum err check_code(struct sign *sign, struct span token)
{
    const struct data_code_of of = {
        .purpose = DATA_CODE_RESET, .environment_id = sign_environment(sign), .email = sign->data.email, .code = token};
    struct data_code code;

    const enum err err = sign_find_code(sign, &of, &code);
    if (err == ERR_NOT_FOUND) {
        return refuse_code(sign);
    }
    TRY(err);
    if (sign->request->now.ms >= code.ends_at.ms) {
        return refuse(&sign->request->refusal, REFUSAL_AUTH_VERIFICATION_TOKEN_EXPIRED, NULL);
    }
    TRY(data_find_login_of(&sign->people, sign_environment(sign), span_array(code.user), &sign->login));
    return span_equal(span_of(sign->login.email, sign->login.email_len), sign->data.email) ? ERR_OK : refuse_code(sign);
}

static enum err start_reset(struct api_request *request)
{
    struct span token = SPAN_NONE;
    struct sign *sign = NULL;

    TRY(sign_new(request, &sign));
    TRY(request_object(request));
    TRY(sign_read_email(sign));
    TRY(sign_read_text(request, span_lit("token"), &token));
    TRY(sign_read_text(request, span_lit("newPassword"), &sign->password));
    TRY(sign_check_password(request, sign->password));
    TRY(check_code(sign, token));
    return sign->login.found ? sign_hash_like(sign, sign->password, &sign->login.password, compared_with_old)
                             : sign_hash_new(sign, sign->password, sign_submit_hashed);
}

void handle_reset_confirm(struct api_request *request)
{
    request_begun(request, start_reset(request));
}

/* --- by the old one --- */

/* The password that was said to be the current one was hashed. Guesses are counted as those of a sign-in are: a stolen
 * access token must not be worth more of them. */
static enum err compared_with_current(struct sign *sign)
{
    struct span current = SPAN_NONE;

    TRY(sign_check_lockout(sign));
    if (!sign->login.found || !sign_hash_is(sign, &sign->login.password)) {
        sign_count_failure(sign);
        return refuse(&sign->request->refusal, REFUSAL_AUTH_INVALID_PASSWORD, NULL);
    }
    TRY(sign_read_text(sign->request, span_lit("currentPassword"), &current));
    if (ct_equal(current, sign->password)) {
        return refuse_same(sign);
    }
    sign->data.password = sign->login.password;
    return sign_hash_new(sign, sign->password, sign_submit_hashed);
}

static enum err start_change(struct api_request *request)
{
    struct span current = SPAN_NONE;
    struct sign *sign = NULL;

    TRY(sign_new(request, &sign));
    TRY(request_object(request));
    TRY(sign_read_text(request, span_lit("currentPassword"), &current));
    TRY(sign_read_text(request, span_lit("newPassword"), &sign->password));
    TRY(sign_check_password(request, sign->password));
    return sign_hash_own(sign, current, compared_with_current);
}

void handle_password_change(struct api_request *request)
{
    request_begun(request, start_change(request));
}
