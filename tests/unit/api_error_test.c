/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The error table is the contract's, whole: 1.4, 1.6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/api/error.h"
#include "hal/base/fault.h"

struct known {
    const char *code;
    unsigned int status;
    const char *name;
};

/* Contract 1.6, row by row. */
static const struct known contract[] = {
    {"auth/unauthorized", 401, "UNAUTHORIZED"},
    {"auth/invalid-token-format", 401, "INVALID_TOKEN"},
    {"auth/invalid-token", 401, "INVALID_TOKEN"},
    {"auth/token-expired", 401, "TOKEN_EXPIRED"},
    {"auth/token-revoked", 401, "TOKEN_REVOKED"},
    {"auth/session-expired", 401, "SESSION_EXPIRED"},
    {"auth/invalid-refresh-token", 401, "INVALID_REFRESH_TOKEN"},
    {"auth/invalid-credentials", 401, "INVALID_CREDENTIALS"},
    {"auth/invalid-password", 401, "INVALID_PASSWORD"},
    {"auth/invalid-mfa-code", 401, "INVALID_MFA_CODE"},
    {"auth/verification-token-expired", 401, "VERIFICATION_TOKEN_EXPIRED"},
    {"auth/invalid-oauth-code", 401, "INVALID_OAUTH_CODE"},
    {"common/authentication-required", 401, "AUTHENTICATION_REQUIRED"},
    {"user/unauthorized", 401, "UNAUTHORIZED"},
    {"auth/mfa-required", 403, "MFA_REQUIRED"},
    {"auth/account-banned", 403, "ACCOUNT_BANNED"},
    {"auth/email-not-verified", 403, "EMAIL_NOT_VERIFIED"},
    {"auth/forbidden", 403, "FORBIDDEN"},
    {"user/forbidden", 403, "FORBIDDEN"},
    {"file/access-denied", 403, "ACCESS_DENIED"},
    {"data/permission-denied", 403, "PERMISSION_DENIED"},
    {"data/scope-insufficient", 403, "SCOPE_INSUFFICIENT"},
    {"data/system-table-access", 403, "SYSTEM_TABLE_ACCESS"},
    {"data/project-access-denied", 403, "PROJECT_ACCESS_DENIED"},
    {"data/table-not-found", 404, "TABLE_NOT_FOUND"},
    {"data/not-found", 404, "NOT_FOUND"},
    {"data/environment-not-found", 404, "ENVIRONMENT_NOT_FOUND"},
    {"data/project-not-found", 404, "PROJECT_NOT_FOUND"},
    {"user/not-found", 404, "NOT_FOUND"},
    {"auth/session-not-found", 404, "NOT_FOUND"},
    {"auth/invitation-not-found", 404, "NOT_FOUND"},
    {"auth/template-not-found", 404, "NOT_FOUND"},
    {"auth/verification-token-not-found", 404, "NOT_FOUND"},
    {"file/not-found", 404, "NOT_FOUND"},
    {"common/not-found", 404, "NOT_FOUND"},
    {"data/validation-error", 400, "VALIDATION_ERROR"},
    {"data/invalid-header", 400, "INVALID_HEADER"},
    {"common/invalid-parameters", 400, "INVALID_PARAMETERS"},
    {"auth/invalid-request", 400, "INVALID_REQUEST"},
    {"auth/invalid-email", 400, "INVALID_EMAIL"},
    {"auth/invalid-password-format", 400, "INVALID_PASSWORD_FORMAT"},
    {"auth/weak-password", 400, "WEAK_PASSWORD"},
    {"auth/same-as-previous-password", 400, "SAME_AS_PREVIOUS_PASSWORD"},
    {"auth/mfa-not-enabled", 400, "MFA_NOT_ENABLED"},
    {"auth/mfa-setup-expired", 400, "MFA_SETUP_EXPIRED"},
    {"auth/mfa-backup-codes-exhausted", 400, "MFA_BACKUP_CODES_EXHAUSTED"},
    {"auth/already-verified", 400, "ALREADY_VERIFIED"},
    {"auth/magiclink-disabled", 400, "MAGICLINK_DISABLED"},
    {"auth/unsupported-provider", 400, "UNSUPPORTED_PROVIDER"},
    {"auth/oauth-not-configured", 400, "OAUTH_NOT_CONFIGURED"},
    {"auth/last-auth-method", 400, "LAST_AUTH_METHOD"},
    {"auth/invitation-already-accepted", 400, "INVITATION_ALREADY_ACCEPTED"},
    {"auth/magiclink-not-available-for-social", 400, "MAGICLINK_NOT_AVAILABLE_FOR_SOCIAL"},
    {"user/invalid-role", 400, "INVALID_ROLE"},
    {"user/invalid-name", 400, "INVALID_NAME"},
    {"user/invalid-nickname", 400, "INVALID_NICKNAME"},
    {"user/invalid-request", 400, "INVALID_REQUEST"},
    {"file/invalid-name", 400, "INVALID_NAME"},
    {"file/file-too-large", 400, "FILE_TOO_LARGE"},
    {"file/file-too-small", 400, "FILE_TOO_SMALL"},
    {"file/invalid-format", 400, "INVALID_FORMAT"},
    {"file/invalid-path", 400, "INVALID_PATH"},
    {"file/invalid-part-number-range", 400, "INVALID_PART_NUMBER_RANGE"},
    {"file/invalid-parts-array", 400, "INVALID_PARTS_ARRAY"},
    {"file/s3-key-too-long", 400, "S3_KEY_TOO_LONG"},
    {"file/original-name-too-long", 400, "ORIGINAL_NAME_TOO_LONG"},
    {"file/mime-type-too-long", 400, "MIME_TYPE_TOO_LONG"},
    {"file/size-negative", 400, "SIZE_NEGATIVE"},
    {"auth/email-already-exists", 409, "EMAIL_ALREADY_EXISTS"},
    {"auth/account-already-linked", 409, "ACCOUNT_ALREADY_LINKED"},
    {"auth/account-exists-different-provider", 409, "ACCOUNT_EXISTS_DIFFERENT_PROVIDER"},
    {"auth/mfa-already-enabled", 409, "MFA_ALREADY_ENABLED"},
    {"file/s3-key-already-exists", 409, "S3_KEY_ALREADY_EXISTS"},
    {"data/duplicate-value", 409, "DUPLICATE_VALUE"},
    {"common/conflict", 409, "CONFLICT"},
    {"auth/invitation-expired", 410, "INVITATION_EXPIRED"},
    {"data/rate-limit-exceeded", 429, "RATE_LIMIT_EXCEEDED"},
    {"auth/too-many-requests", 429, "TOO_MANY_REQUESTS"},
    {"auth/too-many-login-attempts", 429, "TOO_MANY_LOGIN_ATTEMPTS"},
    {"auth/too-many-code-requests", 429, "TOO_MANY_CODE_REQUESTS"},
    {"auth/account-locked", 429, "ACCOUNT_LOCKED"},
    {"auth/oauth-callback-failed", 500, "OAUTH_CALLBACK_FAILED"},
    {"file/bucket-not-configured", 500, "BUCKET_NOT_CONFIGURED"},
    {"file/upload-init-failed", 500, "UPLOAD_INIT_FAILED"},
    {"common/internal-error", 500, "INTERNAL_ERROR"},
    {"common/method-not-allowed", 405, "METHOD_NOT_ALLOWED"},
    {"common/payload-too-large", 413, "PAYLOAD_TOO_LARGE"},
    {"common/request-timeout", 408, "REQUEST_TIMEOUT"},
    {"common/unavailable", 503, "UNAVAILABLE"},
    {"common/insufficient-storage", 507, "INSUFFICIENT_STORAGE"},
};

static const struct error_entry *find(const char *code)
{
    for (int i = 1; i < REFUSAL_CODE_COUNT; i++) {
        const struct error_entry *entry = error_entry((enum refusal_code)i);
        if (strcmp(entry->code, code) == 0) {
            return entry;
        }
    }
    return NULL;
}

static void each_code_of_the_contract_has_its_status_and_name(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(contract); i++) {
        const struct error_entry *entry = find(contract[i].code);
        if (entry == NULL) {
            print_message("%s\n", contract[i].code);
        }
        assert_non_null(entry);
        assert_int_equal(entry->status, contract[i].status);
        assert_string_equal(entry->name, contract[i].name);
    }
    assert_int_equal(ARRAY_LENGTH(contract), REFUSAL_CODE_COUNT - 1);
}

static void each_row_stands_in_its_place_and_has_a_message(void **state)
{
    for (int i = 0; i < REFUSAL_CODE_COUNT; i++) {
        const struct error_entry *entry = error_entry((enum refusal_code)i);
        assert_int_equal(entry->refusal, i);
        assert_true(strlen(entry->message) > 0);
        if (entry->status == 429) {
            assert_non_null(strstr(entry->message, "429"));
        }
    }
    assert_non_null(strstr(error_entry(REFUSAL_AUTH_EMAIL_ALREADY_EXISTS)->message, "already exists"));
}

static void a_code_that_is_none_answers_as_an_internal_error(void **state)
{
    assert_int_equal(error_entry(REFUSAL_CODE_COUNT)->status, 500);
    assert_int_equal(error_entry(REFUSAL_NONE)->status, 500);
}

static void written(enum error_form form, const char *expected)
{
    struct refusal refusal = {0};
    SCOPED_BUF struct buf *out = NULL;
    assert_int_equal(refuse(&refusal, REFUSAL_DATA_NOT_FOUND, "none \"here\""), ERR_DENIED);
    assert_int_equal(buf_new(4096, &out), ERR_OK);

    assert_int_equal(error_write(out, &refusal, form, span_lit("r1")), ERR_OK);

    assert_int_equal(buf_len(out), strlen(expected));
    assert_memory_equal(buf_all(out).data, expected, strlen(expected));
}

static void the_body_is_the_superset_or_the_legacy_form(void **state)
{
    written(ERROR_SUPERSET, "{\"success\":false,\"statusCode\":404,\"error\":{\"code\":\"data/"
                            "not-found\",\"message\":\"none \\\"here\\\"\"},"
                            "\"message\":\"none \\\"here\\\"\",\"errorCode\":\"NOT_FOUND\",\"requestId\":\"r1\"}");
    written(ERROR_LEGACY, "{\"success\":false,\"statusCode\":404,\"error\":\"NOT_FOUND\","
                          "\"message\":\"none \\\"here\\\"\",\"errorCode\":\"NOT_FOUND\",\"requestId\":\"r1\"}");
}

static void a_full_disk_is_507_and_a_full_queue_503(void **state)
{
    struct refusal refusal = {0};

    error_of_failure(ERR_FULL, &refusal);
    assert_int_equal(error_entry(refusal.code)->status, 507);
    error_of_failure(ERR_LIMIT, &refusal);
    assert_int_equal(error_entry(refusal.code)->status, 503);
    assert_true(refusal.retry_after_s >= 1);
    error_of_failure(ERR_DAMAGED, &refusal);
    assert_int_equal(error_entry(refusal.code)->status, 500);
}

static void a_long_name_in_a_message_is_cut_between_characters(void **state)
{
    struct refusal refusal = {0};
    char name[400];
    for (size_t i = 0; i + 2 <= sizeof name; i += 2) {
        memcpy(name + i, "\xc3\xa9", 2);
    }

    assert_int_equal(REFUSE_TEXT(&refusal, REFUSAL_DATA_VALIDATION_ERROR, span_lit("x"), span_array(name)), ERR_DENIED);

    assert_true(refusal.message_len < 200);
    assert_true(span_is_utf8(span_of(refusal.message, refusal.message_len)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_code_of_the_contract_has_its_status_and_name),
        cmocka_unit_test(each_row_stands_in_its_place_and_has_a_message),
        cmocka_unit_test(a_code_that_is_none_answers_as_an_internal_error),
        cmocka_unit_test(the_body_is_the_superset_or_the_legacy_form),
        cmocka_unit_test(a_full_disk_is_507_and_a_full_queue_503),
        cmocka_unit_test(a_long_name_in_a_message_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
