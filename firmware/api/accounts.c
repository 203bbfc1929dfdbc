/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Is there an account? Spec: contract 5.8. */
#include "firmware/api/sign_int.h"

#include "firmware/data/oidc.h"
#include "hal/base/fault.h"

#define MINUTE_S        60u

struct check {
    struct span type, provider;
    bool found;
};

/* Users of a provider that is not configured there are none. */
static enum err find_oauth(struct sign *sign, struct span subject, struct check *check)
{
    struct api_request *request = sign->request;
    const struct catalog_environment *place = catalog_environment(request->catalog, sign_environment(sign));
    struct data_identity identity = {.subject = subject};
    uint8_t digest[SHA256_BYTES];
    struct data_oidc provider;

    TRY(sign_read_text(request, span_lit("provider"), &check->provider));
    const enum data_oidc_state state = data_oidc_find(place, check->provider, &provider);
    if (state == DATA_OIDC_UNKNOWN) {
        return refuse(&request->refusal, REFUSAL_AUTH_UNSUPPORTED_PROVIDER, NULL);
    }
    if (state != DATA_OIDC_READY) {
        return ERR_OK;
    }
    identity.provider = provider.name;
    identity.issuer = provider.issuer;
    data_identity_digest(&identity, digest);
    const enum err err = data_find_identity(&sign->people, sign_environment(sign), digest, sign->user_id);
    check->found = err == ERR_OK;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err find_credentials(struct sign *sign, struct span address, struct check *check)
{
    if (account_email_read(address, &sign->email) != ERR_OK) {
        fault_clear();
        return refuse(&sign->request->refusal, REFUSAL_AUTH_INVALID_EMAIL, "providerAccountId is not a valid address");
    }
    TRY(data_find_login(&sign->people, sign_environment(sign), span_of(sign->email.text, sign->email.len),
                        &sign->login));
    check->found = sign->login.found;
    return ERR_OK;
}

static enum err read_check(struct sign *sign, struct check *check)
{
    struct api_request *request = sign->request;
    struct span account = SPAN_NONE;

    TRY(request_object(request));
    TRY(sign_read_text(request, span_lit("type"), &check->type));
    TRY(sign_read_text(request, span_lit("providerAccountId"), &account));
    if (span_equal(check->type, span_lit("oauth"))) {
        return find_oauth(sign, account, check);
    }
    if (!span_equal(check->type, span_lit("credentials"))) {
        return sign_refuse_field(request, span_lit("type"), "must be credentials or oauth");
    }
    TRY(sign_read_maybe(request, span_lit("provider"), &check->provider)); /* whatever it says, it is this one */
    check->provider = check->type;
    return find_credentials(sign, account, check);
}

static enum err check_account(struct api_request *request)
{
    const struct limits_rule checks = {AUTH_LIMIT_CHECKS, sign_settings(request).account_checks, MINUTE_S};
    struct check check = {.found = false};
    struct sign *sign = NULL;
    struct json_out out;

    TRY(sign_new(request, &sign));
    TRY(sign_take(request, checks, request->headers.auth.address));
    TRY(read_check(sign, &check));
    const struct auth_settings settings = catalog_auth_settings(request->catalog, sign_environment(sign));
    const bool told = check.found && !settings.enumeration_protection;
    TRY(request_begin_body(request));
    json_out_init(&out, http_body(request->exchange));
    json_out_object(&out);
    json_out_member_bool(&out, span_lit("exists"), told);
    if (told) {
        json_out_member_text(&out, span_lit("type"), check.type);
        json_out_member_text(&out, span_lit("provider"), check.provider);
    }
    json_out_object_end(&out);
    return json_out_finish(&out);
}

void handle_account_check(struct api_request *request)
{
    request_finish(request, check_account(request));
}
