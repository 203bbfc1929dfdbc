/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ways to sign in other than by password. Nobody but the user and this box is there: as long as no issuer is configured,
 * the two providers that are known say so and every other name is none. Spec: contract 5.8, 5.11. */
#include "firmware/api/sign_int.h"

#include "hal/base/fault.h"

#define CHECKS_A_MINUTE 30u
#define MINUTE_S        60u

static enum err refuse_provider(struct api_request *request, struct span provider)
{
    if (!data_provider_is_known(provider)) {
        return refuse(&request->refusal, REFUSAL_AUTH_UNSUPPORTED_PROVIDER, NULL);
    }
    return refuse(&request->refusal, REFUSAL_AUTH_OAUTH_NOT_CONFIGURED, NULL);
}

/* Whatever it was called with: nothing of it could be exchanged for anything. */
void handle_provider_callback(struct api_request *request)
{
    request_finish(request, refuse_provider(request, request->params[0]));
}

static enum err link_account(struct api_request *request)
{
    struct span provider = SPAN_NONE;

    TRY(request_object(request));
    TRY(sign_read_text(request, span_lit("provider"), &provider));
    return refuse_provider(request, provider);
}

void handle_account_link(struct api_request *request)
{
    request_finish(request, link_account(request));
}

/* --- is there an account? --- */

/* Users of other providers there are none. */
static enum err find_oauth(struct sign *sign)
{
    struct span provider = SPAN_NONE;

    TRY(sign_read_text(sign->request, span_lit("provider"), &provider));
    return data_provider_is_known(provider) ? ERR_OK
                                            : refuse(&sign->request->refusal, REFUSAL_AUTH_UNSUPPORTED_PROVIDER, NULL);
}

static enum err find_credentials(struct sign *sign, struct span address)
{
    if (account_email_read(address, &sign->email) != ERR_OK) {
        fault_clear();
        return refuse(&sign->request->refusal, REFUSAL_AUTH_INVALID_EMAIL, "providerAccountId is not a valid address");
    }
    return data_find_login(&sign->people, sign_environment(sign), span_of(sign->email.text, sign->email.len),
                           &sign->login);
}

static enum err read_check(struct sign *sign)
{
    struct api_request *request = sign->request;
    const struct json_value *provider = NULL;
    struct span type = SPAN_NONE;
    struct span account = SPAN_NONE;

    TRY(request_object(request));
    TRY(sign_read_text(request, span_lit("type"), &type));
    TRY(sign_read_text(request, span_lit("providerAccountId"), &account));
    if (span_equal(type, span_lit("oauth"))) {
        return find_oauth(sign);
    }
    if (!span_equal(type, span_lit("credentials"))) {
        return sign_refuse_field(request, span_lit("type"), "must be credentials or oauth");
    }
    provider = json_find(request->body, span_lit("provider"));
    if (provider != NULL && provider->type != JSON_STRING && provider->type != JSON_NULL) {
        return sign_refuse_field(request, span_lit("provider"), "must be a string");
    }
    return find_credentials(sign, account);
}

static enum err check_account(struct api_request *request)
{
    static const struct limits_rule checks = {AUTH_LIMIT_CHECKS, CHECKS_A_MINUTE, MINUTE_S};
    struct sign *sign = NULL;
    struct json_out out;

    TRY(sign_new(request, &sign));
    TRY(sign_take(request, checks, request->headers.auth.address));
    TRY(read_check(sign));
    const struct auth_settings settings = catalog_auth_settings(request->catalog, sign_environment(sign));
    const bool told = sign->login.found && !settings.enumeration_protection;
    TRY(request_begin_body(request));
    json_out_init(&out, http_body(request->exchange));
    json_out_object(&out);
    json_out_member_bool(&out, span_lit("exists"), told);
    if (told) {
        json_out_member_text(&out, span_lit("type"), span_lit("credentials"));
        json_out_member_text(&out, span_lit("provider"), span_lit("credentials"));
    }
    json_out_object_end(&out);
    return json_out_finish(&out);
}

void handle_account_check(struct api_request *request)
{
    request_finish(request, check_account(request));
}
