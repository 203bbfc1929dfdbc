/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why a request is refused: one of the public codes of contract 1.6, and a sentence for a person.
 *
 * A function that may refuse returns ERR_DENIED and has filled a struct refusal; every other error is a failure of ours.
 * The status and the public names of a code stand in one table, firmware/api/error.c. A message never holds values of
 * rows, other people's data, tokens or paths of the machine; names that the requester sent are cut and stay UTF-8. */
#ifndef FIRMWARE_AUTH_REFUSAL_H
#define FIRMWARE_AUTH_REFUSAL_H

#include <stddef.h>
#include <stdint.h>

#include "firmware/schema/schema.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

/* In the order of the table in firmware/api/error.c. */
enum refusal_code {
    REFUSAL_NONE,
    REFUSAL_AUTH_UNAUTHORIZED,
    REFUSAL_AUTH_INVALID_TOKEN_FORMAT,
    REFUSAL_AUTH_INVALID_TOKEN,
    REFUSAL_AUTH_TOKEN_EXPIRED,
    REFUSAL_AUTH_TOKEN_REVOKED,
    REFUSAL_AUTH_SESSION_EXPIRED,
    REFUSAL_AUTH_INVALID_REFRESH_TOKEN,
    REFUSAL_AUTH_INVALID_CREDENTIALS,
    REFUSAL_AUTH_INVALID_PASSWORD,
    REFUSAL_AUTH_INVALID_MFA_CODE,
    REFUSAL_AUTH_VERIFICATION_TOKEN_EXPIRED,
    REFUSAL_AUTH_INVALID_OAUTH_CODE,
    REFUSAL_COMMON_AUTHENTICATION_REQUIRED,
    REFUSAL_USER_UNAUTHORIZED,
    REFUSAL_AUTH_MFA_REQUIRED,
    REFUSAL_AUTH_ACCOUNT_BANNED,
    REFUSAL_AUTH_EMAIL_NOT_VERIFIED,
    REFUSAL_AUTH_FORBIDDEN,
    REFUSAL_USER_FORBIDDEN,
    REFUSAL_FILE_ACCESS_DENIED,
    REFUSAL_DATA_PERMISSION_DENIED,
    REFUSAL_DATA_SCOPE_INSUFFICIENT,
    REFUSAL_DATA_SYSTEM_TABLE_ACCESS,
    REFUSAL_DATA_PROJECT_ACCESS_DENIED,
    REFUSAL_DATA_TABLE_NOT_FOUND,
    REFUSAL_DATA_NOT_FOUND,
    REFUSAL_DATA_ENVIRONMENT_NOT_FOUND,
    REFUSAL_DATA_PROJECT_NOT_FOUND,
    REFUSAL_USER_NOT_FOUND,
    REFUSAL_AUTH_SESSION_NOT_FOUND,
    REFUSAL_AUTH_INVITATION_NOT_FOUND,
    REFUSAL_AUTH_TEMPLATE_NOT_FOUND,
    REFUSAL_AUTH_VERIFICATION_TOKEN_NOT_FOUND,
    REFUSAL_FILE_NOT_FOUND,
    REFUSAL_COMMON_NOT_FOUND,
    REFUSAL_DATA_VALIDATION_ERROR,
    REFUSAL_DATA_INVALID_HEADER,
    REFUSAL_COMMON_INVALID_PARAMETERS,
    REFUSAL_AUTH_INVALID_REQUEST,
    REFUSAL_AUTH_INVALID_EMAIL,
    REFUSAL_AUTH_INVALID_PASSWORD_FORMAT,
    REFUSAL_AUTH_WEAK_PASSWORD,
    REFUSAL_AUTH_SAME_AS_PREVIOUS_PASSWORD,
    REFUSAL_AUTH_MFA_NOT_ENABLED,
    REFUSAL_AUTH_MFA_SETUP_EXPIRED,
    REFUSAL_AUTH_MFA_BACKUP_CODES_EXHAUSTED,
    REFUSAL_AUTH_ALREADY_VERIFIED,
    REFUSAL_AUTH_MAGICLINK_DISABLED,
    REFUSAL_AUTH_UNSUPPORTED_PROVIDER,
    REFUSAL_AUTH_OAUTH_NOT_CONFIGURED,
    REFUSAL_AUTH_LAST_AUTH_METHOD,
    REFUSAL_AUTH_INVITATION_ALREADY_ACCEPTED,
    REFUSAL_AUTH_MAGICLINK_NOT_AVAILABLE_FOR_SOCIAL,
    REFUSAL_USER_INVALID_ROLE,
    REFUSAL_USER_INVALID_NAME,
    REFUSAL_USER_INVALID_NICKNAME,
    REFUSAL_USER_INVALID_REQUEST,
    REFUSAL_FILE_INVALID_NAME,
    REFUSAL_FILE_FILE_TOO_LARGE,
    REFUSAL_FILE_FILE_TOO_SMALL,
    REFUSAL_FILE_INVALID_FORMAT,
    REFUSAL_FILE_INVALID_PATH,
    REFUSAL_FILE_INVALID_PART_NUMBER_RANGE,
    REFUSAL_FILE_INVALID_PARTS_ARRAY,
    REFUSAL_FILE_S3_KEY_TOO_LONG,
    REFUSAL_FILE_ORIGINAL_NAME_TOO_LONG,
    REFUSAL_FILE_MIME_TYPE_TOO_LONG,
    REFUSAL_FILE_SIZE_NEGATIVE,
    REFUSAL_AUTH_EMAIL_ALREADY_EXISTS,
    REFUSAL_AUTH_ACCOUNT_ALREADY_LINKED,
    REFUSAL_AUTH_ACCOUNT_EXISTS_DIFFERENT_PROVIDER,
    REFUSAL_AUTH_MFA_ALREADY_ENABLED,
    REFUSAL_FILE_S3_KEY_ALREADY_EXISTS,
    REFUSAL_DATA_DUPLICATE_VALUE,
    REFUSAL_COMMON_CONFLICT,
    REFUSAL_AUTH_INVITATION_EXPIRED,
    REFUSAL_DATA_RATE_LIMIT_EXCEEDED,
    REFUSAL_AUTH_TOO_MANY_REQUESTS,
    REFUSAL_AUTH_TOO_MANY_LOGIN_ATTEMPTS,
    REFUSAL_AUTH_TOO_MANY_CODE_REQUESTS,
    REFUSAL_AUTH_ACCOUNT_LOCKED,
    REFUSAL_AUTH_OAUTH_CALLBACK_FAILED,
    REFUSAL_FILE_BUCKET_NOT_CONFIGURED,
    REFUSAL_FILE_UPLOAD_INIT_FAILED,
    REFUSAL_COMMON_INTERNAL_ERROR,
    REFUSAL_COMMON_METHOD_NOT_ALLOWED,
    REFUSAL_COMMON_PAYLOAD_TOO_LARGE,
    REFUSAL_COMMON_REQUEST_TIMEOUT,
    REFUSAL_COMMON_UNAVAILABLE,
    REFUSAL_COMMON_INSUFFICIENT_STORAGE,
    REFUSAL_CODE_COUNT
};

#define REFUSAL_MESSAGE_MAX 512

struct refusal {
    enum refusal_code code;
    char message[REFUSAL_MESSAGE_MAX]; /* may be empty: the table's sentence is used */
    size_t message_len;
    const struct schema_report *report; /* for `details`, or NULL; lives in the arena of the request */
    uint32_t retry_after_s;             /* 0: no Retry-After */
};

/* Fills a refusal and returns ERR_DENIED. why is a literal, or NULL for the table's sentence. */
enum err refuse(struct refusal *out, enum refusal_code code, const char *why) MUST_USE;

/* As refuse, with a message put together from parts; what does not fit is cut at a character. */
enum err refuse_parts(struct refusal *out, enum refusal_code code, const struct span *parts, size_t count) MUST_USE;

/* refuse_parts with the parts written as a list. */
#define REFUSE_TEXT(out, code, ...)                                                                                    \
    refuse_parts((out), (code), (const struct span[]){__VA_ARGS__},                                                    \
                 sizeof((const struct span[]){__VA_ARGS__}) / sizeof(struct span))

#endif
