/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who gets in, by which path, and with which headers: contract 1.1 to 1.3, 1.9, 1.10, 2, 3.9 rows 113 to 130. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/auth/key.h"
#include "firmware/auth/verify.h"
#include "hal/base/config.h"
#include "tests/lib/api_box.h"

#define TEXT 512
#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define JWT   "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2ln"

static int setup(void **state)
{
    struct api_box *box = api_box_new();
    char id[64];
    api_box_table(box, "{\"tableName\":\"posts\",\"schema\":{\"title\":{\"type\":\"string\"}}}", id);
    api_box_table(box, "{\"tableName\":\"tags\"}", id);
    *state = box;
    return 0;
}

static const struct api_answer *ask(struct api_box *box, const char *key, const char *header, const char *header2)
{
    const struct api_ask request = {
        .method = "GET", .target = "/v1/data/posts", .key = key, .header = header, .header2 = header2};

    return api_box_ask(box, &request);
}

static const char *make_key(struct api_box *box, const char *rest, char out_id[64])
{
    static char value[128];
    char body[512];

    (void)snprintf(body, sizeof body, "{\"name\":\"k\",%s}", rest);
    const struct api_answer *made = api_box_send(box, "POST", box->secret, "/v1/admin/api-keys", body);
    if (made->status != 201) {
        print_message("%s\n", made->body);
    }
    assert_int_equal(made->status, 201);
    assert_true(api_answer_member(made, "id", out_id, 64));
    assert_true(api_answer_member(made, "value", value, sizeof value));
    return value;
}

/* --- keys --- */

static void a_key_is_checked_in_the_contracts_order(void **state)
{
    struct api_box *box = *state;
    char upper[DATA_KEY_BYTES + 1];
    memcpy(upper, box->publishable, sizeof upper);
    bool changed = false;
    for (size_t i = 3; i < DATA_KEY_BYTES; i++) {
        if (upper[i] >= 'a' && upper[i] <= 'f') {
            upper[i] = (char)(upper[i] - 'a' + 'A');
            changed = true;
        }
    }

    assert_true(changed);
    assert_refused(ask(box, NULL, NULL, NULL), 401, "auth/unauthorized");
    assert_refused(ask(box, "", NULL, NULL), 401, "auth/unauthorized");
    assert_refused(ask(box, NULL, "Authorization: Bearer " JWT, NULL), 401, "auth/unauthorized");
    assert_refused(ask(box, "pk_0123", NULL, NULL), 401, "auth/invalid-token-format");
    assert_refused(ask(box, "xk_" HEX64, NULL, NULL), 401, "auth/invalid-token-format");
    assert_refused(ask(box, "pk_" HEX64, NULL, NULL), 401, "auth/invalid-token");
    assert_refused(ask(box, upper, NULL, NULL), 401, "auth/invalid-token");
    assert_refused(ask(box, box->publishable, "X-API-Key: pk_" HEX64, NULL), 400, "data/invalid-header");
    assert_int_equal(ask(box, box->publishable, NULL, NULL)->status, 200);
}

static void a_revoked_key_is_revoked_before_it_is_expired(void **state)
{
    struct api_box *box = *state;
    char id[64];
    char target[TEXT];
    char key[128];
    (void)snprintf(key, sizeof key, "%s",
                   make_key(box, "\"type\":\"publishable\",\"expiresAt\":\"2026-01-01T00:01:00Z\"", id));
    assert_int_equal(ask(box, key, NULL, NULL)->status, 200);

    sim_clock_advance_ms(&box->clock, 59999);
    assert_int_equal(ask(box, key, NULL, NULL)->status, 200);
    sim_clock_advance_ms(&box->clock, 1);
    assert_refused(ask(box, key, NULL, NULL), 401, "auth/token-expired");
    (void)snprintf(target, sizeof target, "/v1/admin/api-keys/%s/revoke", id);
    assert_int_equal(api_box_send(box, "POST", box->secret, target, NULL)->status, 200);

    assert_refused(ask(box, key, NULL, NULL), 401, "auth/token-revoked");
}

static void a_deleted_key_stays_revoked_and_is_listed_no_more(void **state)
{
    struct api_box *box = *state;
    char id[64];
    char target[TEXT];
    char key[128];
    (void)snprintf(key, sizeof key, "%s", make_key(box, "\"type\":\"publishable\"", id));
    (void)snprintf(target, sizeof target, "/v1/admin/api-keys/%s", id);

    assert_refused(api_box_send(box, "DELETE", box->secret, target, "{\"confirmName\":\"wrong\"}"), 400,
            "common/invalid-parameters");
    assert_int_equal(api_box_send(box, "DELETE", box->secret, target, "{\"confirmName\":\"k\"}")->status, 200);

    assert_refused(ask(box, key, NULL, NULL), 401, "auth/token-revoked");
    assert_refused(api_box_get(box, box->secret, target), 404, "common/not-found");
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, "/v1/admin/api-keys"), "pagination.total"), "2");
    api_box_restart(box);
    assert_refused(ask(box, key, NULL, NULL), 401, "auth/token-revoked");
}

static void delete_key(struct api_box *box, const char *id)
{
    char target[TEXT];
    (void)snprintf(target, sizeof target, "/v1/admin/api-keys/%s", id);

    assert_int_equal(api_box_send(box, "DELETE", box->secret, target, "{\"confirmName\":\"k\"}")->status, 200);
}

#define NEW_KEY "{\"name\":\"k\",\"type\":\"publishable\"}"

static void attack_13_a_project_has_so_many_keys_and_a_deleted_one_gives_its_place(void **state)
{
    struct api_box *box = *state;
    char id[64];
    for (size_t made = 2; made < CONFIG_DATA_PROJECT_KEYS_MAX; made++) { /* 2: the box's own */
        (void)make_key(box, "\"type\":\"publishable\"", id);
    }

    assert_refused(api_box_send(box, "POST", box->secret, "/v1/admin/api-keys", NEW_KEY), 507,
                   "common/insufficient-storage");

    delete_key(box, id);
    assert_int_equal(api_box_send(box, "POST", box->secret, "/v1/admin/api-keys", NEW_KEY)->status, 201);
    assert_refused(api_box_send(box, "POST", box->secret, "/v1/admin/api-keys", NEW_KEY), 507,
                   "common/insufficient-storage");
}

static void attack_13_of_deleted_keys_the_last_ones_are_remembered(void **state)
{
    struct api_box *box = *state;
    char first[128] = "";
    char second[128] = "";
    char id[64];

    for (size_t i = 0; i < CONFIG_DATA_DELETED_KEYS_MAX + 1; i++) {
        const char *const key = make_key(box, "\"type\":\"publishable\"", id);
        if (i < 2) {
            (void)snprintf(i == 0 ? first : second, sizeof first, "%s", key);
        }
        delete_key(box, id);
    }

    assert_refused(ask(box, first, NULL, NULL), 401, "auth/invalid-token");
    assert_refused(ask(box, second, NULL, NULL), 401, "auth/token-revoked");
    api_box_restart(box);
    assert_refused(ask(box, first, NULL, NULL), 401, "auth/invalid-token");
    assert_refused(ask(box, second, NULL, NULL), 401, "auth/token-revoked");
    assert_int_equal(ask(box, box->publishable, NULL, NULL)->status, 200);
}

static void the_binding_headers_must_agree_with_the_key(void **state)
{
    struct api_box *box = *state;
    char header[TEXT];
    (void)snprintf(header, sizeof header, "X-Project-Id: %.36s", box->first.project_id);

    assert_int_equal(ask(box, box->publishable, header, "X-Environment: dev")->status, 200);
    assert_refused(ask(box, box->publishable, "X-Environment: prod", NULL), 403, "data/project-access-denied");
    const struct api_answer *other = ask(box, box->publishable, "X-Project-Id: other", NULL);
    assert_refused(other, 403, "data/project-access-denied");
    assert_non_null(strstr(other->headers, "X-RateLimit-Remaining: 5999\n")); /* one was taken above, none by this */
}

static void attack_09_no_token_is_valid_and_none_becomes_a_guest(void **state)
{
    static const struct {
        const char *header, *code;
    } cases[] = {
        {"Authorization: Bearer " JWT, "auth/invalid-token"},
        {"Authorization: bearer " JWT, "auth/invalid-token"},
        {"Authorization: Bearer  " JWT, "auth/invalid-token-format"},
        {"Authorization: Bearer a.b", "auth/invalid-token-format"},
        {"Authorization: Bearer a..c", "auth/invalid-token-format"},
        {"Authorization: Bearer a.b.c.d", "auth/invalid-token-format"},
        {"Authorization: Bearer a.b.", "auth/invalid-token"}, /* as the algorithm `none` has it */
        {"Authorization: Basic dXNlcjpwYXNz", "auth/invalid-token-format"},
        {"Authorization: Bearer sk_" HEX64, "auth/invalid-token-format"},
        {"Authorization: Bearer", "auth/invalid-token-format"},
    };
    struct api_box *box = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_refused(ask(box, box->publishable, cases[i].header, NULL), 401, cases[i].code);
        assert_refused(ask(box, box->secret, cases[i].header, NULL), 401, cases[i].code);
    }
}

static void on_behalf_of_needs_a_secret_key_and_a_user(void **state)
{
    struct api_box *box = *state;

    assert_refused(ask(box, box->publishable, "X-On-Behalf-Of: 11111111-1111-4111-8111-111111111111", NULL), 403,
            "auth/forbidden");
    assert_refused(ask(box, box->secret, "X-On-Behalf-Of: 11111111-1111-4111-8111-111111111111", NULL), 404,
                   "user/not-found");
}

static void attack_13_no_refused_header_is_free_of_the_rate_limits(void **state)
{
    struct api_box *box = *state;
    const struct api_answer *answer = NULL;

    assert_non_null(strstr(ask(box, box->secret, NULL, NULL)->headers, "X-RateLimit-Remaining: 5997\n"));
    answer = ask(box, box->secret, "X-On-Behalf-Of: 11111111-1111-4111-8111-111111111111", NULL);
    assert_non_null(strstr(answer->headers, "X-RateLimit-Remaining: 5996\n"));
    for (unsigned int i = 0; i < AUTH_FAILURES_DEFAULT; i++) {
        assert_refused(ask(box, box->publishable, "X-Environment: prod", NULL), 403, "data/project-access-denied");
    }
    answer = ask(box, box->publishable, "X-Environment: prod", NULL);
    assert_refused(answer, 429, "data/rate-limit-exceeded");
    assert_non_null(strstr(answer->headers, "Retry-After: "));
    assert_refused(ask(box, box->publishable, "X-Environment: prod", "X-Forwarded-For: 203.0.113.9"), 429,
                   "data/rate-limit-exceeded"); /* the address is the socket's, whatever the client says */
    assert_int_equal(ask(box, box->publishable, NULL, NULL)->status, 200);
}

static void scopes_are_checked_before_the_table_is_looked_up(void **state)
{
    static const struct {
        const char *key, *method, *target;
        unsigned int status;
        const char *code;
    } cases[] = {
        {"\"type\":\"publishable\",\"scopes\":[\"posts:read\"]", "GET", "/v1/data/posts", 200, ""},
        {"\"type\":\"publishable\",\"scopes\":[\"posts:list\"]", "GET", "/v1/data/posts/000000000000000000000000", 403,
         "data/scope-insufficient"},
        {"\"type\":\"secret\",\"scopes\":[\"posts:*\"]", "GET", "/v1/data/tags", 403, "data/scope-insufficient"},
        {"\"type\":\"secret\",\"scopes\":[\"*:read\"]", "PATCH", "/v1/data/posts/000000000000000000000000", 403,
         "data/scope-insufficient"},
        {"\"type\":\"publishable\",\"scopes\":[\"posts:read\"]", "GET", "/v1/data/nosuch", 403,
         "data/scope-insufficient"},
        {"\"type\":\"secret\",\"scopes\":[\"posts:*\"]", "GET", "/v1/admin/tables", 403, "data/scope-insufficient"},
        {"\"type\":\"secret\",\"scopes\":[\"*:*\"]", "GET", "/v1/admin/tables", 200, ""},
    };
    struct api_box *box = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char id[64];
        const char *key = make_key(box, cases[i].key, id);
        const struct api_answer *answer =
            api_box_send(box, cases[i].method, key, cases[i].target, cases[i].method[0] == 'P' ? "{}" : NULL);
        assert_int_equal(answer->status, cases[i].status);
        if (cases[i].status != 200) {
            assert_string_equal(api_answer_text(answer, "error.code"), cases[i].code);
        }
    }
}

static void the_rate_limit_answers_429_and_says_when(void **state)
{
    struct api_box *box = *state;
    char target[TEXT];
    (void)snprintf(target, sizeof target, "/v1/admin/projects/%.36s", box->first.project_id);
    assert_int_equal(
        api_box_send(box, "PATCH", box->secret, target, "{\"settings\":{\"requestsPerMinute\":3}}")->status, 200);

    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(box, box->publishable, NULL, NULL)->status, 200);
    }
    const struct api_answer *answer = ask(box, box->publishable, NULL, NULL);

    assert_refused(answer, 429, "data/rate-limit-exceeded");
    assert_non_null(strstr(answer->headers, "X-RateLimit-Limit: 3\n"));
    assert_non_null(strstr(answer->headers, "X-RateLimit-Remaining: 0\n"));
    assert_non_null(strstr(answer->headers, "X-RateLimit-Reset: 1767225660\n"));
    assert_non_null(strstr(answer->headers, "Retry-After: 60\n"));
    sim_clock_advance_ms(&box->clock, 60000);
    assert_int_equal(ask(box, box->publishable, NULL, NULL)->status, 200);
}

static void attack_10_guessing_keys_is_slowed_down_for_the_address(void **state)
{
    struct api_box *box = *state;

    for (int i = 0; i < 300; i++) {
        assert_refused(ask(box, "pk_" HEX64, NULL, NULL), 401, "auth/invalid-token");
    }

    assert_refused(ask(box, "pk_" HEX64, NULL, NULL), 429, "data/rate-limit-exceeded");
    assert_int_equal(ask(box, box->publishable, NULL, NULL)->status, 200);
}

/* --- paths --- */

static void attack_05_tricks_with_paths_find_nothing(void **state)
{
    static const char *const targets[] = {
        "/v1/data/posts/../tags",
        "/v1/data/./posts",
        "/v1//data/posts",
        "/v1/data/posts//",
        "/v1/data/%2e%2e/tags",
        "/v1/data/po%2fsts",
        "/v1/data/posts%00",
        "/v1/data/posts%5cx",
        "/v1/data/%c0%ae",
        "/v1/data/posts%zz",
        "/V1/data/posts",
        "/v1/data/posts/a/b",
        "/v1/admin",
        "/v1/users/a/b",
        "/v1/storage",
        "/v1/batch",
        "/v1/healthz",
        "/v1/system",
        "/v1/openapi.json",
        "/",
        "/v1",
        "/v1/admin/projects/x/y",
        "/v1/auth/nothing",
    };
    struct api_box *box = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(targets); i++) {
        const struct api_answer *answer = api_box_get(box, box->secret, targets[i]);

        assert_refused(answer, 404, "common/not-found");
    }
    assert_refused(api_box_get(box, box->secret, "/v1/data/_posts"), 404, "data/table-not-found");
    assert_refused(api_box_get(box, box->secret, "/v1/data/%70osts%20"), 404, "data/table-not-found");
    assert_int_equal(api_box_get(box, box->secret, "/v1/data/%70osts")->status, 200); /* decoded once */
    assert_refused(api_box_get(box, box->secret, "/v1/data/%2570osts"), 404, "data/table-not-found");
}

static void a_wrong_method_names_those_that_there_are(void **state)
{
    struct api_box *box = *state;

    const struct api_answer *answer = api_box_send(box, "PATCH", NULL, "/v1/data/posts", "{}");

    assert_refused(answer, 405, "common/method-not-allowed");
    assert_non_null(strstr(answer->headers, "Allow: GET, POST, OPTIONS\n"));
    assert_refused(api_box_send(box, "BREW", NULL, "/healthz", NULL), 405, "common/method-not-allowed");
}

/* --- headers of answers --- */

static void every_answer_carries_the_headers_of_the_contract(void **state)
{
    struct api_box *box = *state;

    const struct api_answer *answer = ask(box, box->publishable, "X-Request-Id: my.request_1-x", NULL);
    assert_non_null(strstr(answer->headers, "Content-Type: application/json; charset=utf-8\n"));
    assert_non_null(strstr(answer->headers, "X-Request-Id: my.request_1-x\n"));
    assert_non_null(strstr(answer->headers, "Cache-Control: no-store\n"));
    assert_non_null(strstr(answer->headers, "X-Content-Type-Options: nosniff\n"));
    assert_non_null(strstr(answer->headers, "Strict-Transport-Security: "));
    assert_non_null(strstr(answer->headers, "X-RateLimit-Limit: 6000\n"));
    assert_null(strstr(answer->headers, "Access-Control"));
    answer = ask(box, box->publishable, "X-Request-Id: not valid", NULL);
    assert_null(strstr(answer->headers, "not valid"));
    assert_non_null(strstr(answer->headers, "X-Request-Id: "));
}

static void no_two_requests_are_given_the_same_id(void **state)
{
    struct api_box *box = *state;
    char ids[150][AUTH_UUID_BYTES];

    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++) {
        const char *const header = strstr(ask(box, box->publishable, NULL, NULL)->headers, "X-Request-Id: ");
        assert_non_null(header);
        memcpy(ids[i], header + strlen("X-Request-Id: "), AUTH_UUID_BYTES);
        assert_true(auth_uuid_is_well_formed(span_array(ids[i])));
        for (size_t other = 0; other < i; other++) {
            assert_memory_not_equal(ids[i], ids[other], AUTH_UUID_BYTES);
        }
    }
}

static void a_preflight_needs_no_key_and_no_route(void **state)
{
    struct api_box *box = *state;
    const struct api_ask request = {
        .method = "OPTIONS", .target = "/v1/data/posts", .header = "Origin: https://app.example"};

    const struct api_answer *answer = api_box_ask(box, &request);

    assert_int_equal(answer->status, 204);
    assert_int_equal(answer->body_len, 0);
    assert_non_null(strstr(answer->headers, "Access-Control-Allow-Origin: https://app.example\n"));
    assert_non_null(strstr(answer->headers, "Vary: Origin\n"));
    assert_non_null(strstr(answer->headers, "Access-Control-Allow-Methods: GET, POST, PATCH, PUT, DELETE, OPTIONS\n"));
    assert_non_null(strstr(answer->headers,
                           "Access-Control-Allow-Headers: X-API-Key, Authorization, Content-Type, X-Request-Id\n"));
    assert_non_null(strstr(answer->headers, "Access-Control-Max-Age: 600\n"));
    assert_null(strstr(answer->headers, "Allow-Credentials"));
}

static void options_is_answered_without_an_origin_too(void **state)
{
    struct api_box *box = *state;

    const struct api_answer *answer = api_box_send(box, "OPTIONS", NULL, "/v1/data/posts", NULL);

    assert_int_equal(answer->status, 204);
    assert_null(strstr(answer->headers, "Access-Control"));
}

static bool allows(struct api_box *box, const char *key, const char *origin)
{
    char header[TEXT];
    (void)snprintf(header, sizeof header, "Origin: %s", origin);
    return strstr(ask(box, key, header, NULL)->headers, "Access-Control-Allow-Origin: ") != NULL;
}

static void origins_follow_the_projects_list(void **state)
{
    struct api_box *box = *state;
    char target[TEXT];
    (void)snprintf(target, sizeof target, "/v1/admin/projects/%.36s/cors", box->first.project_id);
    assert_true(allows(box, box->publishable, "https://any.example"));
    assert_true(allows(box, NULL, "https://any.example")); /* also on a 401 */

    assert_int_equal(
        api_box_send(box, "PUT", box->secret, target, "{\"origins\":[\"https://app.example:8443\"]}")->status, 200);

    assert_true(allows(box, box->publishable, "https://app.example:8443"));
    assert_false(allows(box, box->publishable, "https://app.example"));
    assert_false(allows(box, box->publishable, "https://app.example:8443.evil.example"));
    assert_true(allows(box, box->publishable, "http://localhost:3000"));
    assert_true(allows(box, box->publishable, "http://127.0.0.1"));
    assert_false(allows(box, box->publishable, "http://localhost.evil.example"));
    assert_false(allows(box, box->publishable, "http://localhost:"));
    assert_false(allows(box, NULL, "https://any.example"));
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, target), "origins.0"),
                        "https://app.example:8443");
}

static void origins_that_are_none_are_refused(void **state)
{
    static const char *const bodies[] = {
        "{\"origins\":[\"*\"]}",
        "{\"origins\":[\"https://*.example\"]}",
        "{\"origins\":[\"http://app.example\"]}",
        "{\"origins\":[\"app.example\"]}",
        "{\"origins\":[\"https://app.example/path\"]}",
        "{\"origins\":[\"https://\"]}",
        "{\"origins\":[\"https://a\",\"https://b\",\"https://c\",\"https://d\"]}",
        "{\"origins\":\"https://a\"}",
        "{\"origins\":[5]}",
        "{}",
    };
    struct api_box *box = *state;
    char target[TEXT];
    (void)snprintf(target, sizeof target, "/v1/admin/projects/%.36s/cors", box->first.project_id);

    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        assert_refused(api_box_send(box, "PUT", box->secret, target, bodies[i]), 400, "common/invalid-parameters");
    }
}

/* --- states --- */

static void a_locked_box_answers_health_and_state_alone(void **state)
{
    struct api_box *box = *state;
    struct api *locked = api_box_in_state(box, BOARD_LOCKED, LIFE_REASON_NO_TPM);
    struct api_ask request = {.method = "GET", .target = "/healthz", .api = locked};

    assert_int_equal(api_box_ask(box, &request)->status, 200);
    request.target = "/v1/system/state";
    const struct api_answer *told = api_box_ask(box, &request);
    assert_string_equal(api_answer_text(told, "state"), "locked");
    assert_string_equal(api_answer_text(told, "version"), "test");
    request.target = "/readyz";
    assert_refused(api_box_ask(box, &request), 503, "common/unavailable");
    request.target = "/v1/data/posts";
    request.key = box->secret;
    request.header = "Origin: https://app.example";
    const struct api_answer *rows = api_box_ask(box, &request);
    assert_refused(rows, 503, "common/unavailable");
    assert_non_null(strstr(rows->headers, "Retry-After: "));
    assert_non_null(strstr(rows->headers, "Access-Control-Allow-Origin: https://app.example\n"));
    api_free(locked);
}

static void attack_13_unlocking_reads_a_small_body_only(void **state)
{
    struct api_box *box = *state;
    struct api *locked = api_box_in_state(box, BOARD_LOCKED, LIFE_REASON_NO_TPM);
    char body[1025 + 1] = "{\"pin\":\"1234\"}";
    const size_t len = strlen(body);
    memset(body + len, ' ', 1025 - len);
    const struct api_ask ask = {.method = "POST", .target = "/v1/system/unlock", .body = body, .api = locked};

    assert_refused(api_box_ask(box, &ask), 413, "common/payload-too-large");
    body[1024] = '\0';
    assert_refused(api_box_ask(box, &ask), 503, "common/unavailable"); /* read, and nobody here to ask */
    api_free(locked);
}

static void a_rollback_is_accepted_with_the_recovery_key_alone(void **state)
{
    struct api_box *box = *state;
    struct api *locked = api_box_in_state(box, BOARD_LOCKED, LIFE_REASON_NO_TPM);
    struct api_ask ask = {.method = "POST", .target = "/v1/system/unlock", .api = locked};

    ask.body = "{\"pin\":\"1234\",\"acceptRollback\":true}";
    assert_refused(api_box_ask(box, &ask), 400, "common/invalid-parameters");
    ask.body = "{\"recoveryKey\":\"words\",\"acceptRollback\":\"true\"}";
    assert_refused(api_box_ask(box, &ask), 400, "common/invalid-parameters");
    ask.body = "{\"pin\":\"1234\",\"acceptRollback\":false}";
    assert_refused(api_box_ask(box, &ask), 503, "common/unavailable"); /* read, and nobody here to ask */
    ask.body = "{\"recoveryKey\":\"words\",\"acceptRollback\":true}";
    assert_refused(api_box_ask(box, &ask), 503, "common/unavailable");
    api_free(locked);
}

static void attack_07_what_unlocks_is_a_text_and_one_alone(void **state)
{
    static const char *const refused[] = {
        "{}", "{\"pin\":null}", "{\"pin\":1234}",
        "{\"pin\":\"1234\",\"setDateBack\":true}",
        "{\"recoveryKey\":\"words\",\"setDateBack\":\"true\"}",
        "{\"pin\":1234,\"recoveryKey\":\"words\"}",
        "{\"pin\":{\"$ne\":1},\"recoveryKey\":\"words\"}",
        "{\"pin\":\"1234\",\"recoveryKey\":true}",
        "{\"pin\":\"1234\",\"recoveryKey\":[\"words\"]}",
        "{\"pin\":\"1234\",\"recoveryKey\":\"words\"}",
    };
    struct api_box *box = *state;
    struct api *locked = api_box_in_state(box, BOARD_LOCKED, LIFE_REASON_NO_TPM);
    struct api_ask ask = {.method = "POST", .target = "/v1/system/unlock", .api = locked};

    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        ask.body = refused[i];
        assert_refused(api_box_ask(box, &ask), 400, "common/invalid-parameters");
    }
    ask.body = "{\"pin\":null,\"recoveryKey\":\"words\"}";
    assert_refused(api_box_ask(box, &ask), 503, "common/unavailable"); /* read, and nobody here to ask */
    api_free(locked);
}

static void an_operational_box_does_not_unlock(void **state)
{
    struct api_box *box = *state;

    assert_refused(api_box_send(box, "POST", NULL, "/v1/system/unlock", "{\"pin\":\"1234\"}"), 503,
                   "common/unavailable");
    assert_string_equal(api_answer_text(api_box_get(box, NULL, "/v1/system/state"), "reason"), "null");
    assert_string_equal(api_answer_text(api_box_get(box, NULL, "/.well-known/jwks.json"), "keys.0.alg"), "ES256");
    assert_int_equal(api_box_get(box, NULL, "/readyz")->status, 200);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, api_box_tear_down)
    const struct CMUnitTest tests[] = {
        T(a_key_is_checked_in_the_contracts_order),
        T(a_revoked_key_is_revoked_before_it_is_expired),
        T(a_deleted_key_stays_revoked_and_is_listed_no_more),
        T(attack_13_a_project_has_so_many_keys_and_a_deleted_one_gives_its_place),
        T(attack_13_of_deleted_keys_the_last_ones_are_remembered),
        T(the_binding_headers_must_agree_with_the_key),
        T(attack_09_no_token_is_valid_and_none_becomes_a_guest),
        T(on_behalf_of_needs_a_secret_key_and_a_user),
        T(attack_13_no_refused_header_is_free_of_the_rate_limits),
        T(scopes_are_checked_before_the_table_is_looked_up),
        T(the_rate_limit_answers_429_and_says_when),
        T(attack_10_guessing_keys_is_slowed_down_for_the_address),
        T(attack_05_tricks_with_paths_find_nothing),
        T(a_wrong_method_names_those_that_there_are),
        T(every_answer_carries_the_headers_of_the_contract),
        T(no_two_requests_are_given_the_same_id),
        T(a_preflight_needs_no_key_and_no_route),
        T(options_is_answered_without_an_origin_too),
        T(origins_follow_the_projects_list),
        T(origins_that_are_none_are_refused),
        T(a_locked_box_answers_health_and_state_alone),
        T(attack_13_unlocking_reads_a_small_body_only),
        T(a_rollback_is_accepted_with_the_recovery_key_alone),
        T(attack_07_what_unlocks_is_a_text_and_one_alone),
        T(an_operational_box_does_not_unlock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
