/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of contract 1.6, whole, also the codes of features that are still to come, so that a client's author finds
 * one list; and the error body, which satisfies every documented variant at once (contract 1.4). */
#include "firmware/api/error.h"

#include "hal/base/attr.h"
#include "hal/base/fault.h"
#include "net/json_out.h"

/* In the order of enum refusal_code: tests/unit/api_error_test.c holds each row against its place. */
static const struct error_entry entries[] = {
    {REFUSAL_NONE, 500, "common/internal-error", "INTERNAL_ERROR", "Something went wrong on this side"},
    {REFUSAL_AUTH_UNAUTHORIZED, 401, "auth/unauthorized", "UNAUTHORIZED", "Authentication is required"},
    {REFUSAL_AUTH_INVALID_TOKEN_FORMAT, 401, "auth/invalid-token-format", "INVALID_TOKEN",
     "The credential is malformed"},
    {REFUSAL_AUTH_INVALID_TOKEN, 401, "auth/invalid-token", "INVALID_TOKEN", "The credential is not valid"},
    {REFUSAL_AUTH_TOKEN_EXPIRED, 401, "auth/token-expired", "TOKEN_EXPIRED", "The credential has expired"},
    {REFUSAL_AUTH_TOKEN_REVOKED, 401, "auth/token-revoked", "TOKEN_REVOKED", "The credential has been revoked"},
    {REFUSAL_AUTH_SESSION_EXPIRED, 401, "auth/session-expired", "SESSION_EXPIRED", "Session expired"},
    {REFUSAL_AUTH_INVALID_REFRESH_TOKEN, 401, "auth/invalid-refresh-token", "INVALID_REFRESH_TOKEN",
     "Invalid refresh token"},
    {REFUSAL_AUTH_INVALID_CREDENTIALS, 401, "auth/invalid-credentials", "INVALID_CREDENTIALS", "Invalid credentials"},
    {REFUSAL_AUTH_INVALID_PASSWORD, 401, "auth/invalid-password", "INVALID_PASSWORD", "Invalid password"},
    {REFUSAL_AUTH_INVALID_MFA_CODE, 401, "auth/invalid-mfa-code", "INVALID_MFA_CODE", "Invalid mfa code"},
    {REFUSAL_AUTH_VERIFICATION_TOKEN_EXPIRED, 401, "auth/verification-token-expired", "VERIFICATION_TOKEN_EXPIRED",
     "Verification token expired"},
    {REFUSAL_AUTH_INVALID_OAUTH_CODE, 401, "auth/invalid-oauth-code", "INVALID_OAUTH_CODE", "Invalid oauth code"},
    {REFUSAL_COMMON_AUTHENTICATION_REQUIRED, 401, "common/authentication-required", "AUTHENTICATION_REQUIRED",
     "Authentication required"},
    {REFUSAL_USER_UNAUTHORIZED, 401, "user/unauthorized", "UNAUTHORIZED", "Unauthorized"},
    {REFUSAL_AUTH_MFA_REQUIRED, 403, "auth/mfa-required", "MFA_REQUIRED", "Mfa required"},
    {REFUSAL_AUTH_ACCOUNT_BANNED, 403, "auth/account-banned", "ACCOUNT_BANNED", "Account banned"},
    {REFUSAL_AUTH_EMAIL_NOT_VERIFIED, 403, "auth/email-not-verified", "EMAIL_NOT_VERIFIED", "Email not verified"},
    {REFUSAL_AUTH_FORBIDDEN, 403, "auth/forbidden", "FORBIDDEN", "This is not allowed with this credential"},
    {REFUSAL_USER_FORBIDDEN, 403, "user/forbidden", "FORBIDDEN", "Forbidden"},
    {REFUSAL_FILE_ACCESS_DENIED, 403, "file/access-denied", "ACCESS_DENIED", "Access denied"},
    {REFUSAL_DATA_PERMISSION_DENIED, 403, "data/permission-denied", "PERMISSION_DENIED",
     "You do not have permission to perform this operation"},
    {REFUSAL_DATA_SCOPE_INSUFFICIENT, 403, "data/scope-insufficient", "SCOPE_INSUFFICIENT",
     "API Key scope does not include this operation"},
    {REFUSAL_DATA_SYSTEM_TABLE_ACCESS, 403, "data/system-table-access", "SYSTEM_TABLE_ACCESS",
     "This table is reserved for the system"},
    {REFUSAL_DATA_PROJECT_ACCESS_DENIED, 403, "data/project-access-denied", "PROJECT_ACCESS_DENIED",
     "The credential belongs to another project or environment"},
    {REFUSAL_DATA_TABLE_NOT_FOUND, 404, "data/table-not-found", "TABLE_NOT_FOUND", "There is no such table"},
    {REFUSAL_DATA_NOT_FOUND, 404, "data/not-found", "NOT_FOUND", "There is no such row"},
    {REFUSAL_DATA_ENVIRONMENT_NOT_FOUND, 404, "data/environment-not-found", "ENVIRONMENT_NOT_FOUND",
     "The environment of the API key does not exist"},
    {REFUSAL_DATA_PROJECT_NOT_FOUND, 404, "data/project-not-found", "PROJECT_NOT_FOUND",
     "The project of the API key does not exist"},
    {REFUSAL_USER_NOT_FOUND, 404, "user/not-found", "NOT_FOUND", "There is no such user"},
    {REFUSAL_AUTH_SESSION_NOT_FOUND, 404, "auth/session-not-found", "NOT_FOUND", "Session not found"},
    {REFUSAL_AUTH_INVITATION_NOT_FOUND, 404, "auth/invitation-not-found", "NOT_FOUND", "Invitation not found"},
    {REFUSAL_AUTH_TEMPLATE_NOT_FOUND, 404, "auth/template-not-found", "NOT_FOUND", "Template not found"},
    {REFUSAL_AUTH_VERIFICATION_TOKEN_NOT_FOUND, 404, "auth/verification-token-not-found", "NOT_FOUND",
     "Verification token not found"},
    {REFUSAL_FILE_NOT_FOUND, 404, "file/not-found", "NOT_FOUND", "Not found"},
    {REFUSAL_COMMON_NOT_FOUND, 404, "common/not-found", "NOT_FOUND", "There is nothing at this address"},
    {REFUSAL_DATA_VALIDATION_ERROR, 400, "data/validation-error", "VALIDATION_ERROR", "Validation failed"},
    {REFUSAL_DATA_INVALID_HEADER, 400, "data/invalid-header", "INVALID_HEADER", "A header of the request is not valid"},
    {REFUSAL_COMMON_INVALID_PARAMETERS, 400, "common/invalid-parameters", "INVALID_PARAMETERS",
     "A parameter of the request is not valid"},
    {REFUSAL_AUTH_INVALID_REQUEST, 400, "auth/invalid-request", "INVALID_REQUEST", "Invalid request"},
    {REFUSAL_AUTH_INVALID_EMAIL, 400, "auth/invalid-email", "INVALID_EMAIL", "Invalid email"},
    {REFUSAL_AUTH_INVALID_PASSWORD_FORMAT, 400, "auth/invalid-password-format", "INVALID_PASSWORD_FORMAT",
     "Invalid password format"},
    {REFUSAL_AUTH_WEAK_PASSWORD, 400, "auth/weak-password", "WEAK_PASSWORD", "Weak password"},
    {REFUSAL_AUTH_SAME_AS_PREVIOUS_PASSWORD, 400, "auth/same-as-previous-password", "SAME_AS_PREVIOUS_PASSWORD",
     "Same as previous password"},
    {REFUSAL_AUTH_MFA_NOT_ENABLED, 400, "auth/mfa-not-enabled", "MFA_NOT_ENABLED", "Mfa not enabled"},
    {REFUSAL_AUTH_MFA_SETUP_EXPIRED, 400, "auth/mfa-setup-expired", "MFA_SETUP_EXPIRED", "Mfa setup expired"},
    {REFUSAL_AUTH_MFA_BACKUP_CODES_EXHAUSTED, 400, "auth/mfa-backup-codes-exhausted", "MFA_BACKUP_CODES_EXHAUSTED",
     "Mfa backup codes exhausted"},
    {REFUSAL_AUTH_ALREADY_VERIFIED, 400, "auth/already-verified", "ALREADY_VERIFIED", "Already verified"},
    {REFUSAL_AUTH_MAGICLINK_DISABLED, 400, "auth/magiclink-disabled", "MAGICLINK_DISABLED", "Magiclink disabled"},
    {REFUSAL_AUTH_UNSUPPORTED_PROVIDER, 400, "auth/unsupported-provider", "UNSUPPORTED_PROVIDER",
     "Unsupported provider"},
    {REFUSAL_AUTH_OAUTH_NOT_CONFIGURED, 400, "auth/oauth-not-configured", "OAUTH_NOT_CONFIGURED",
     "Oauth not configured"},
    {REFUSAL_AUTH_LAST_AUTH_METHOD, 400, "auth/last-auth-method", "LAST_AUTH_METHOD", "Last auth method"},
    {REFUSAL_AUTH_INVITATION_ALREADY_ACCEPTED, 400, "auth/invitation-already-accepted", "INVITATION_ALREADY_ACCEPTED",
     "Invitation already accepted"},
    {REFUSAL_AUTH_MAGICLINK_NOT_AVAILABLE_FOR_SOCIAL, 400, "auth/magiclink-not-available-for-social",
     "MAGICLINK_NOT_AVAILABLE_FOR_SOCIAL", "Magiclink not available for social"},
    {REFUSAL_USER_INVALID_ROLE, 400, "user/invalid-role", "INVALID_ROLE", "Invalid role"},
    {REFUSAL_USER_INVALID_NAME, 400, "user/invalid-name", "INVALID_NAME", "Invalid name"},
    {REFUSAL_USER_INVALID_NICKNAME, 400, "user/invalid-nickname", "INVALID_NICKNAME", "Invalid nickname"},
    {REFUSAL_USER_INVALID_REQUEST, 400, "user/invalid-request", "INVALID_REQUEST", "Invalid request"},
    {REFUSAL_FILE_INVALID_NAME, 400, "file/invalid-name", "INVALID_NAME", "Invalid name"},
    {REFUSAL_FILE_FILE_TOO_LARGE, 400, "file/file-too-large", "FILE_TOO_LARGE", "File too large"},
    {REFUSAL_FILE_FILE_TOO_SMALL, 400, "file/file-too-small", "FILE_TOO_SMALL", "File too small"},
    {REFUSAL_FILE_INVALID_FORMAT, 400, "file/invalid-format", "INVALID_FORMAT", "Invalid format"},
    {REFUSAL_FILE_INVALID_PATH, 400, "file/invalid-path", "INVALID_PATH", "Invalid path"},
    {REFUSAL_FILE_INVALID_PART_NUMBER_RANGE, 400, "file/invalid-part-number-range", "INVALID_PART_NUMBER_RANGE",
     "Invalid part number range"},
    {REFUSAL_FILE_INVALID_PARTS_ARRAY, 400, "file/invalid-parts-array", "INVALID_PARTS_ARRAY", "Invalid parts array"},
    {REFUSAL_FILE_S3_KEY_TOO_LONG, 400, "file/s3-key-too-long", "S3_KEY_TOO_LONG", "S3 key too long"},
    {REFUSAL_FILE_ORIGINAL_NAME_TOO_LONG, 400, "file/original-name-too-long", "ORIGINAL_NAME_TOO_LONG",
     "Original name too long"},
    {REFUSAL_FILE_MIME_TYPE_TOO_LONG, 400, "file/mime-type-too-long", "MIME_TYPE_TOO_LONG", "Mime type too long"},
    {REFUSAL_FILE_SIZE_NEGATIVE, 400, "file/size-negative", "SIZE_NEGATIVE", "Size negative"},
    {REFUSAL_AUTH_EMAIL_ALREADY_EXISTS, 409, "auth/email-already-exists", "EMAIL_ALREADY_EXISTS",
     "An account with this email already exists"},
    {REFUSAL_AUTH_ACCOUNT_ALREADY_LINKED, 409, "auth/account-already-linked", "ACCOUNT_ALREADY_LINKED",
     "Account already linked"},
    {REFUSAL_AUTH_ACCOUNT_EXISTS_DIFFERENT_PROVIDER, 409, "auth/account-exists-different-provider",
     "ACCOUNT_EXISTS_DIFFERENT_PROVIDER", "Account exists different provider"},
    {REFUSAL_AUTH_MFA_ALREADY_ENABLED, 409, "auth/mfa-already-enabled", "MFA_ALREADY_ENABLED", "Mfa already enabled"},
    {REFUSAL_FILE_S3_KEY_ALREADY_EXISTS, 409, "file/s3-key-already-exists", "S3_KEY_ALREADY_EXISTS",
     "S3 key already exists"},
    {REFUSAL_DATA_DUPLICATE_VALUE, 409, "data/duplicate-value", "DUPLICATE_VALUE",
     "A row with the same value already exists"},
    {REFUSAL_COMMON_CONFLICT, 409, "common/conflict", "CONFLICT", "The name is taken already"},
    {REFUSAL_AUTH_INVITATION_EXPIRED, 410, "auth/invitation-expired", "INVITATION_EXPIRED", "Invitation expired"},
    {REFUSAL_DATA_RATE_LIMIT_EXCEEDED, 429, "data/rate-limit-exceeded", "RATE_LIMIT_EXCEEDED",
     "Too many requests (429), please retry later"},
    {REFUSAL_AUTH_TOO_MANY_REQUESTS, 429, "auth/too-many-requests", "TOO_MANY_REQUESTS",
     "Too many requests (429), please retry later"},
    {REFUSAL_AUTH_TOO_MANY_LOGIN_ATTEMPTS, 429, "auth/too-many-login-attempts", "TOO_MANY_LOGIN_ATTEMPTS",
     "Too many login attempts (429), please retry later"},
    {REFUSAL_AUTH_TOO_MANY_CODE_REQUESTS, 429, "auth/too-many-code-requests", "TOO_MANY_CODE_REQUESTS",
     "Too many code requests (429), please retry later"},
    {REFUSAL_AUTH_ACCOUNT_LOCKED, 429, "auth/account-locked", "ACCOUNT_LOCKED",
     "Account locked (429), please retry later"},
    {REFUSAL_AUTH_OAUTH_CALLBACK_FAILED, 500, "auth/oauth-callback-failed", "OAUTH_CALLBACK_FAILED",
     "Oauth callback failed"},
    {REFUSAL_FILE_BUCKET_NOT_CONFIGURED, 500, "file/bucket-not-configured", "BUCKET_NOT_CONFIGURED",
     "Bucket not configured"},
    {REFUSAL_FILE_UPLOAD_INIT_FAILED, 500, "file/upload-init-failed", "UPLOAD_INIT_FAILED", "Upload init failed"},
    {REFUSAL_COMMON_INTERNAL_ERROR, 500, "common/internal-error", "INTERNAL_ERROR",
     "Something went wrong on this side"},
    {REFUSAL_COMMON_METHOD_NOT_ALLOWED, 405, "common/method-not-allowed", "METHOD_NOT_ALLOWED",
     "The address does not support this method"},
    {REFUSAL_COMMON_PAYLOAD_TOO_LARGE, 413, "common/payload-too-large", "PAYLOAD_TOO_LARGE",
     "The request is too large"},
    {REFUSAL_COMMON_REQUEST_TIMEOUT, 408, "common/request-timeout", "REQUEST_TIMEOUT",
     "The request took too long to arrive"},
    {REFUSAL_COMMON_UNAVAILABLE, 503, "common/unavailable", "UNAVAILABLE",
     "The service is not available now, please retry later"},
    {REFUSAL_COMMON_INSUFFICIENT_STORAGE, 507, "common/insufficient-storage", "INSUFFICIENT_STORAGE",
     "The storage is full, nothing was written"},
};
_Static_assert(ARRAY_LENGTH(entries) == REFUSAL_CODE_COUNT, "every code has its row");

const struct error_entry *error_entry(enum refusal_code code)
{
    return &entries[(size_t)code < ARRAY_LENGTH(entries) ? (size_t)code : (size_t)REFUSAL_COMMON_INTERNAL_ERROR];
}

static void write_details(struct json_out *out, const struct schema_report *report)
{
    json_out_name(out, span_lit("details"));
    json_out_array(out);
    for (size_t i = 0; i < report->count; i++) {
        const struct schema_violation *violation = &report->items[i];
        char text[SCHEMA_MESSAGE_MAX];
        const size_t len = schema_violation_detail(violation, text);
        json_out_object(out);
        json_out_member_text(out, span_lit("field"), span_of(violation->field, violation->field_len));
        json_out_member_text(out, span_lit("rule"), span_str(schema_rule_name(violation->rule)));
        json_out_member_text(out, span_lit("message"), span_of(text, len));
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

enum err error_write(struct buf *to, const struct refusal *refusal, enum error_form form, struct span request_id)
{
    const struct error_entry *entry = error_entry(refusal->code);
    const struct span message =
        refusal->message_len == 0 ? span_str(entry->message) : span_of(refusal->message, refusal->message_len);
    struct json_out out;

    json_out_init(&out, to);
    json_out_object(&out);
    json_out_member_bool(&out, span_lit("success"), false);
    json_out_member_int(&out, span_lit("statusCode"), entry->status);
    json_out_name(&out, span_lit("error"));
    if (form == ERROR_LEGACY) {
        json_out_text(&out, span_str(entry->name));
    } else {
        json_out_object(&out);
        json_out_member_text(&out, span_lit("code"), span_str(entry->code));
        json_out_member_text(&out, span_lit("message"), message);
        json_out_object_end(&out);
    }
    json_out_member_text(&out, span_lit("message"), message);
    json_out_member_text(&out, span_lit("errorCode"), span_str(entry->name));
    json_out_member_text(&out, span_lit("requestId"), request_id);
    if (refusal->report != NULL) {
        write_details(&out, refusal->report);
    }
    json_out_object_end(&out);
    return json_out_finish(&out);
}

static enum refusal_code code_of(enum err err)
{
    switch (err) {
    case ERR_FULL:
        return REFUSAL_COMMON_INSUFFICIENT_STORAGE;
    case ERR_NO_MEMORY:
    case ERR_TIMEOUT:
    case ERR_AGAIN:
    case ERR_LIMIT:
    case ERR_BUDGET:
    case ERR_CLOSED:
    case ERR_CANCELLED:
    case ERR_IO:
    case ERR_CONFLICT:
        return REFUSAL_COMMON_UNAVAILABLE;
    case ERR_OK:
    case ERR_RANGE:
    case ERR_MALFORMED:
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
    case ERR_REFUSED:
    case ERR_AUTH:
    case ERR_DENIED:
    case ERR_POLICY:
    case ERR_PIN:
    case ERR_LOCKED:
    case ERR_NO_DEVICE:
    case ERR_DEVICE:
    case ERR_STALE_KEY:
    case ERR_DAMAGED:
    case ERR_ROLLBACK:
    case ERR_UNSUPPORTED:
    case ERR_STATE:
    case ERR_EXPIRED:
    case ERR_REVOKED:
    case ERR_VERSION:
    case ERR_BUG:
    case ERR_COUNT:
        return REFUSAL_COMMON_INTERNAL_ERROR;
    }
    return REFUSAL_COMMON_INTERNAL_ERROR;
}

void error_of_failure(enum err err, struct refusal *out_refusal)
{
    const enum refusal_code code = code_of(err);

    if (refuse(out_refusal, code, NULL) != ERR_OK && code == REFUSAL_COMMON_UNAVAILABLE) {
        out_refusal->retry_after_s = 1;
    }
}
