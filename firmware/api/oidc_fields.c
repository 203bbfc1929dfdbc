/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a client sends to sign in by an issuer: one table for body and query. */
#include "firmware/api/oidc_int.h"
#include "firmware/api/sign_int.h"

#include "firmware/mail/link.h"
#include "hal/base/fault.h"

#define CODE_MAX  2048 /* bytes of a code, and of what an issuer says instead */
#define NONCE_MAX 255

static const struct field {
    struct span name;
    size_t offset; /* of its span in struct oidc_fields */
    size_t most;   /* bytes */
} field_table[] = {
#define FIELD(text, member, most)                                                                                      \
    {                                                                                                                  \
        {(const uint8_t *)("" text), sizeof(text) - 1}, offsetof(struct oidc_fields, member), most                     \
    }
    FIELD("code", code, CODE_MAX),
    FIELD("redirectUri", redirect_uri, MAIL_URL_MAX),
    FIELD("idToken", id_token, ID_TOKEN_MAX),
    FIELD("nonce", nonce, NONCE_MAX),
    FIELD("codeVerifier", verifier, OIDC_VERIFIER_MAX),
    FIELD("mfaCode", mfa_code, NONCE_MAX),
    FIELD("error", error, CODE_MAX),
    FIELD("projectId", project, AUTH_UUID_BYTES),
    FIELD("environment", environment, AUTH_ENVIRONMENT_MAX),
};

static struct span *field_of(struct oidc_fields *fields, const struct field *field)
{
    void *place = (char *)fields + field->offset;

    return place;
}

static enum err take_field(struct api_request *request, const struct field *field, struct span text,
                           struct oidc_fields *fields)
{
    if (text.len > field->most) {
        return sign_refuse_field(request, field->name, "is too long");
    }
    *field_of(fields, field) = text;
    return ERR_OK;
}

/* Absent, null and empty are none. */
enum err oidc_fields_read_body(struct api_request *request, struct oidc_fields *out_fields)
{
    struct oidc_fields fields = {.state = SPAN_NONE};

    TRY(request_object(request));
    for (size_t i = 0; i < ARRAY_LENGTH(field_table); i++) {
        struct span text = SPAN_NONE;
        TRY(sign_read_maybe(request, field_table[i].name, &text));
        TRY(take_field(request, &field_table[i], text, &fields));
    }
    *out_fields = fields;
    return ERR_OK;
}

static enum err take_parameter(struct api_request *request, struct span name, struct span value,
                               struct oidc_fields *fields)
{
    if (span_equal(name, span_lit("state"))) {
        fields->state = value;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(field_table); i++) {
        if (span_equal(name, field_table[i].name)) {
            return take_field(request, &field_table[i], value, fields);
        }
    }
    return ERR_OK; /* session_state and whatever else the issuer adds */
}

/* A state without a place is none of our business, and no fault. */
static void take_place(struct oidc_fields *fields)
{
    const struct span state = fields->state;

    if (fields->project.len != 0 || fields->environment.len != 0 || state.len <= AUTH_UUID_BYTES ||
        state.data[AUTH_UUID_BYTES] != '.' || !auth_uuid_is_well_formed(span_of(state.data, AUTH_UUID_BYTES))) {
        return;
    }
    const struct span rest = span_of(state.data + AUTH_UUID_BYTES + 1, state.len - AUTH_UUID_BYTES - 1);
    const size_t len = span_find(rest, '.');
    if (len != 0 && len != rest.len) {
        fields->project = span_of(state.data, AUTH_UUID_BYTES);
        fields->environment = span_of(rest.data, len);
    }
}

enum err oidc_fields_read_query(struct api_request *request, struct oidc_fields *out_fields)
{
    struct oidc_fields fields = {.state = SPAN_NONE};
    struct http_query walk = http_query_of(request->exchange->query);
    struct span name = SPAN_NONE;
    struct span value = SPAN_NONE;
    enum err err = ERR_OK;

    while ((err = http_query_next(&walk, request->exchange->arena, &name, &value)) == ERR_OK) {
        TRY(take_parameter(request, name, value, &fields));
    }
    if (err == ERR_MALFORMED) {
        fault_clear();
        return sign_refuse_field(request, span_lit("query"), "is not well-formed");
    }
    ENSURE(err == ERR_NOT_FOUND, err, "the query of a callback");
    fault_clear();
    take_place(&fields);
    *out_fields = fields;
    return ERR_OK;
}
