/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is asked of a request before anything is hashed or written: its fields, and how often. Counters are those of the
 * one table that all reactors share. Spec: contract 1.9, 5.3. */
#include "firmware/api/sign_int.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"

#define SIGN_INS_WINDOW_S 900u
#define HOUR_S            3600u
#define MAILS_NEXT_S      30u
#define MS_PER_S          1000

/* --- limits --- */

static enum err refuse_often(struct api_request *request, enum refusal_code code, int64_t reset_s)
{
    const int64_t left = reset_s - request->now.ms / MS_PER_S;
    const enum err err = refuse(&request->refusal, code, "Too many attempts (429), please try again later");

    request->refusal.retry_after_s = left < 1 ? 1 : (uint32_t)num_min((size_t)left, HOUR_S);
    return err;
}

enum err sign_take(struct api_request *request, struct limits_rule rule, struct span key)
{
    struct limits_state state = {0, 0};

    if (limits_take(request->api->options.limits, &rule, key, request->now, &state) == ERR_OK) {
        return ERR_OK;
    }
    fault_clear();
    return refuse_often(request, REFUSAL_AUTH_TOO_MANY_REQUESTS, state.reset_s);
}

/* What failed sign-ins are counted for: environment, email and the salt of the password, once with the address and once
 * for all addresses. A password that was reset has another salt, so nothing is counted against it yet (contract 1.9). An
 * address without one has a salt of zeros. */
#define FAILED_KEY_MAX (AUTH_UUID_BYTES + ACCOUNT_EMAIL_MAX + PWHASH_SALT_BYTES + 32)
struct failed_key {
    uint8_t bytes[FAILED_KEY_MAX];
    struct span account;
    struct span with_address;
};

static void failed_key_of(const struct sign *sign, struct failed_key *out)
{
    const struct span environment = sign_environment(sign);
    const struct span address = sign->request->headers.auth.address;
    const size_t address_len = num_min(address.len, 32);
    size_t at = num_min(environment.len, AUTH_UUID_BYTES);

    memcpy(out->bytes, environment.data, at);
    memcpy(out->bytes + at, sign->email.text, sign->email.len);
    at += sign->email.len;
    memcpy(out->bytes + at, sign->login.password.salt, PWHASH_SALT_BYTES);
    at += PWHASH_SALT_BYTES;
    out->account = span_of(out->bytes, at);
    if (address_len > 0) {
        memcpy(out->bytes + at, address.data, address_len);
    }
    out->with_address = span_of(out->bytes, at + address_len);
}

/* Of one address, and of all. */
struct failed_rules {
    struct limits_rule here, anywhere;
};

static struct failed_rules failed_rules_of(const struct api_request *request)
{
    const struct auth_settings settings = sign_settings(request);

    return (struct failed_rules){{AUTH_LIMIT_SIGN_INS, settings.sign_in_failures, SIGN_INS_WINDOW_S},
                                 {AUTH_LIMIT_ACCOUNT, settings.account_failures, SIGN_INS_WINDOW_S}};
}

/* Contract 1.9: after that many failures even the right password is refused for the rest of the window. */
enum err sign_check_lockout(const struct sign *sign)
{
    struct api_request *request = sign->request;
    struct limits *limits = request->api->options.limits;
    const struct failed_rules rules = failed_rules_of(request);
    struct limits_state state = {0, 0};
    struct failed_key key;

    failed_key_of(sign, &key);
    if (limits_look(limits, &rules.here, key.with_address, request->now, &state) != ERR_OK) {
        fault_clear();
        return refuse_often(request, REFUSAL_AUTH_TOO_MANY_LOGIN_ATTEMPTS, state.reset_s);
    }
    if (limits_look(limits, &rules.anywhere, key.account, request->now, &state) != ERR_OK) {
        fault_clear();
        return refuse_often(request, REFUSAL_AUTH_ACCOUNT_LOCKED, state.reset_s);
    }
    return ERR_OK;
}

void sign_count_failure(const struct sign *sign)
{
    struct api_request *request = sign->request;
    struct limits *limits = request->api->options.limits;
    const struct failed_rules rules = failed_rules_of(request);
    struct limits_state state = {0, 0};
    struct failed_key key;

    failed_key_of(sign, &key);
    const enum err here = limits_take(limits, &rules.here, key.with_address, request->now, &state);
    const enum err anywhere = limits_take(limits, &rules.anywhere, key.account, request->now, &state);
    if (here != ERR_OK || anywhere != ERR_OK) {
        fault_clear(); /* as many as there may be: the next one is refused */
    }
}

/* Contract 1.9: mails to an address, whether or not it is somebody's: 5 an hour, and one in 30 seconds. false: as many as
 * there may be. */
static bool take_mail(const struct sign *sign, struct limits_state *out_state)
{
    const struct api_request *request = sign->request;
    const struct auth_settings settings = sign_settings(request);
    const struct limits_rule rules[] = {{AUTH_LIMIT_MAILS_NEXT, settings.mails_next, MAILS_NEXT_S},
                                        {AUTH_LIMIT_MAILS, settings.mails, HOUR_S}};
    const struct span environment = sign_environment(sign);
    uint8_t key[AUTH_UUID_BYTES + ACCOUNT_EMAIL_MAX];
    const size_t at = num_min(environment.len, AUTH_UUID_BYTES);

    memcpy(key, environment.data, at);
    memcpy(key + at, sign->email.text, sign->email.len);
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        if (limits_take(request->api->options.limits, &rules[i], span_of(key, at + sign->email.len), request->now,
                        out_state) != ERR_OK) {
            fault_clear();
            return false;
        }
    }
    return true;
}

enum err sign_take_mail(const struct sign *sign)
{
    struct limits_state state = {0, 0};

    return take_mail(sign, &state)
               ? ERR_OK
               : refuse_often(sign->request, REFUSAL_AUTH_TOO_MANY_CODE_REQUESTS, state.reset_s);
}

bool sign_may_mail(const struct sign *sign)
{
    struct limits_state state = {0, 0};

    return take_mail(sign, &state);
}

/* --- fields --- */

enum err sign_refuse_field(struct api_request *request, struct span name, const char *why)
{
    return REFUSE_TEXT(&request->refusal, REFUSAL_AUTH_INVALID_REQUEST, name, span_lit(" "), span_str(why));
}

/* A text that has to be there; anything else in its place, an object of operators for one, is no text. */
enum err sign_read_text(struct api_request *request, struct span name, struct span *out_text)
{
    const struct json_value *value = json_find(request->body, name);

    if (value == NULL || value->type != JSON_STRING || value->as.text.len == 0) {
        return sign_refuse_field(request, name, "is required and must be a string");
    }
    *out_text = value->as.text;
    return ERR_OK;
}

enum err sign_read_maybe(struct api_request *request, struct span name, struct span *out_text)
{
    if (doc_has(request->body, name) && json_find(request->body, name)->type != JSON_STRING) {
        return sign_refuse_field(request, name, "must be a string");
    }
    *out_text = doc_text(request->body, name);
    return ERR_OK;
}

enum err sign_read_code(struct sign *sign, struct span name)
{
    return sign_read_maybe(sign->request, name, &sign->data.mfa_code);
}

enum err sign_read_name(struct sign *sign)
{
    TRY(sign_read_text(sign->request, span_lit("name"), &sign->data.name));
    return data_name_fits(sign->data.name)
               ? ERR_OK
               : sign_refuse_field(sign->request, span_lit("name"), "must have 1 to 100 characters");
}

enum err sign_read_email(struct sign *sign)
{
    struct api_request *request = sign->request;
    struct span text = SPAN_NONE;

    TRY(sign_read_text(request, span_lit("email"), &text));
    const enum err err = account_email_read(text, &sign->email);
    if (err != ERR_OK) {
        fault_clear();
        return refuse(&request->refusal, REFUSAL_AUTH_INVALID_EMAIL, "email is not a valid address");
    }
    sign->data.email = span_of(sign->email.text, sign->email.len);
    return ERR_OK;
}

static struct span when(bool asked, const char *text)
{
    return asked ? span_str(text) : SPAN_NONE;
}

enum err sign_check_password(struct api_request *request, struct span password)
{
    const struct auth_settings settings = sign_settings(request);
    bool breached = false;
    char least[SPAN_U64_TEXT_MAX];

    if (!account_password_fits(password, &settings)) {
        return REFUSE_TEXT(&request->refusal, REFUSAL_AUTH_INVALID_PASSWORD_FORMAT, span_lit("password must have "),
                           span_from_u64(settings.password_min, least), span_lit(" to 128 characters"),
                           when(settings.password_upper, ", an upper-case letter"),
                           when(settings.password_lower, ", a lower-case letter"),
                           when(settings.password_digit, ", a digit"),
                           when(settings.password_special, ", a special character"));
    }
    if (settings.password_breached) {
        TRY(data_password_breached(request->api->reader, password, &breached));
    }
    return breached ? refuse(&request->refusal, REFUSAL_AUTH_WEAK_PASSWORD,
                             "password is on a list of breached passwords, please choose another")
                    : ERR_OK;
}
