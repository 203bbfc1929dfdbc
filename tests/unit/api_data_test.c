/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The data routes over a real database: contract 3.6 and 4. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/api_box.h"

#define TEXT 512

static const char *path(const char *base, const char *id)
{
    static char text[4][TEXT];
    static unsigned int next;
    char *place = text[next++ % 4];

    (void)snprintf(place, TEXT, "%s/%s", base, id);
    return place;
}

#define POSTS                                                                                                          \
    "{\"tableName\":\"posts\",\"schema\":{\"bsonType\":\"object\",\"required\":[\"title\"],\"properties\":{"           \
    "\"title\":{\"bsonType\":\"string\",\"maxLength\":10},\"slug\":{\"bsonType\":\"string\",\"unique\":true},"         \
    "\"day\":{\"bsonType\":\"date\"},\"count\":{\"bsonType\":\"int\",\"default\":3}}}"

static char table[64];

static void make_posts(struct api_box *box, const char *rest)
{
    char body[2048];

    (void)snprintf(body, sizeof body, "%s%s}", POSTS, rest);
    api_box_table(box, body, table);
}

static const char *make_row(struct api_box *box, const char *body)
{
    static char id[4][64];
    static unsigned int next;
    char *place = id[next++ % 4];
    const struct api_answer *made = api_box_send(box, "POST", box->secret, "/v1/data/posts", body);

    assert_int_equal(made->status, 201);
    assert_true(api_answer_member(made, "id", place, 64));
    return place;
}

static void a_row_that_was_created_is_read_and_listed(void **state)
{
    struct api_box *box = *state;
    make_posts(box, "");

    const char *id = make_row(box, "{\"title\":\"a\",\"n\":5,\"day\":\"2026-02-03\"}");
    const struct api_answer *read = api_box_get(box, box->publishable, path("/v1/data/posts", id));
    assert_int_equal(read->status, 200);
    assert_string_equal(api_answer_text(read, "title"), "a");
    assert_string_equal(api_answer_text(read, "n"), "5");
    assert_string_equal(api_answer_text(read, "count"), "3");
    assert_string_equal(api_answer_text(read, "day"), "2026-02-03T00:00:00.000Z");
    assert_string_equal(api_answer_text(read, "createdBy"), "");
    const struct api_answer *list = api_box_get(box, box->publishable, "/v1/posts/");
    assert_int_equal(list->status, 200);
    assert_string_equal(api_answer_text(list, "pagination.total"), "1");
    assert_string_equal(api_answer_text(list, "items.0.id"), id);
    assert_non_null(strstr(list->body, "\"hasNext\":false"));
}

/* A byte below 0x20 is one byte in storage and six in an answer. */
static void attack_13_a_row_that_no_answer_could_carry_is_not_stored(void **state)
{
    struct api_box *box = *state;
    static char body[(8u << 20) + 4096];
    size_t len = (size_t)snprintf(body, sizeof body, "{\"a\":\"");
    make_posts(box, "");
    const char *id = make_row(box, "{\"title\":\"a\"}");

    while (len < (8u << 20)) {
        memcpy(body + len, "\\u0001", 6);
        len += 6;
    }
    (void)snprintf(body + len, sizeof body - len, "\"}");
    assert_refused(api_box_send(box, "PATCH", box->secret, path("/v1/data/posts", id), body), 400,
                   "data/validation-error");
    const struct api_answer *read = api_box_get(box, box->secret, path("/v1/data/posts", id));
    assert_int_equal(read->status, 200);
    assert_null(strstr(read->body, "u0001"));
}

static void an_update_merges_and_moves_updated_at_forward_on_a_clock_that_stands_still(void **state)
{
    struct api_box *box = *state;
    make_posts(box, "");
    const char *id = make_row(box, "{\"title\":\"a\",\"n\":5}");

    const struct api_answer *first =
        api_box_send(box, "PATCH", box->secret, path("/v1/data/posts", id), "{\"title\":\"b\"}");

    assert_int_equal(first->status, 200);
    assert_string_equal(api_answer_text(first, "title"), "b");
    assert_string_equal(api_answer_text(first, "n"), "5");
    assert_string_equal(api_answer_text(first, "createdAt"), "2026-01-01T00:00:00.000Z");
    assert_string_equal(api_answer_text(first, "updatedAt"), "2026-01-01T00:00:00.001Z");
    const struct api_answer *second = api_box_send(box, "PATCH", box->secret, path("/v1/data/posts", id), "{}");
    assert_int_equal(second->status, 200);
    assert_string_equal(api_answer_text(second, "updatedAt"), "2026-01-01T00:00:00.002Z");
}

static void a_deleted_row_is_gone(void **state)
{
    struct api_box *box = *state;
    make_posts(box, "");
    const char *id = make_row(box, "{\"title\":\"a\"}");

    const struct api_answer *gone = api_box_send(box, "DELETE", box->secret, path("/v1/data/posts", id), NULL);

    assert_int_equal(gone->status, 200);
    assert_string_equal(gone->body, "{\"success\":true}");
    assert_refused(api_box_send(box, "DELETE", box->secret, path("/v1/data/posts", id), NULL), 404, "data/not-found");
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, "/v1/data/posts"), "pagination.total"), "0");
}

static void rows_survive_a_restart(void **state)
{
    struct api_box *box = *state;
    make_posts(box,
               ",\"permissions\":{\"guest\":{\"read\":true}},\"indexes\":[{\"name\":\"by_n\",\"fields\":{\"n\":-1}}]");
    const char *id = make_row(box, "{\"title\":\"a\",\"slug\":\"s\"}");

    api_box_restart(box);

    assert_int_equal(api_box_get(box, box->publishable, path("/v1/data/posts", id))->status, 200);
    assert_refused(api_box_send(box, "POST", box->publishable, "/v1/data/posts", "{\"title\":\"a\"}"), 403,
                   "data/permission-denied");
    assert_refused(api_box_send(box, "POST", box->secret, "/v1/data/posts", "{\"title\":\"b\",\"slug\":\"s\"}"), 409,
                   "data/duplicate-value");
}

struct refusal_case {
    const char *method, *target, *body;
    bool guest;
    unsigned int status;
    const char *code;
};

static void each_step_that_fails_answers_with_its_code(void **state)
{
    static const struct refusal_case cases[] = {
        {"GET", "/v1/data/nosuch", NULL, true, 404, "data/table-not-found"},
        {"GET", "/v1/data/Posts", NULL, true, 404, "data/table-not-found"},
        {"GET", "/v1/data/9posts", NULL, true, 404, "data/table-not-found"},
        {"GET", "/v1/data/users", NULL, true, 403, "data/system-table-access"},
        {"POST", "/v1/data/users", "{}", false, 403, "data/system-table-access"},
        {"GET", "/v1/data/users/000000000000000000000000", NULL, false, 404, "data/not-found"},
        {"GET", "/v1/data/files/spec", NULL, false, 404, "data/table-not-found"},
        {"GET", "/v1/data/posts/000000000000000000000000", NULL, true, 404, "data/not-found"},
        {"GET", "/v1/data/posts/not-an-id", NULL, true, 404, "data/not-found"},
        {"PATCH", "/v1/data/posts/not-an-id", "{}", false, 404, "data/not-found"},
        {"DELETE", "/v1/data/posts/not-an-id", NULL, false, 404, "data/not-found"},
        {"PATCH", "/v1/data/posts/not-an-id", "{}", true, 403, "data/permission-denied"},
        {"DELETE", "/v1/data/posts/not-an-id", NULL, true, 403, "data/permission-denied"},
        {"POST", "/v1/data/posts", "{\"title\":\"a\"}", true, 403, "data/permission-denied"},
        {"POST", "/v1/data/posts", NULL, false, 400, "data/validation-error"},
        {"POST", "/v1/data/posts", "[]", false, 400, "data/validation-error"},
        {"POST", "/v1/data/posts", "[{\"title\":\"a\"}]", false, 400, "data/validation-error"},
        {"POST", "/v1/data/posts", "{\"title\":\"a\",\"title\":\"b\"}", false, 400, "data/validation-error"},
        {"POST", "/v1/data/posts", "{\"title\":", false, 400, "data/validation-error"},
        {"POST", "/v1/data/posts", "{}", false, 400, "data/validation-error"},
        {"POST", "/v1/data/posts", "{\"title\":5}", false, 400, "data/validation-error"},
        {"POST", "/v1/data/posts", "{\"title\":\"12345678901\"}", false, 400, "data/validation-error"},
        {"POST", "/v1/data/posts", "{\"title\":\"a\",\"$x\":1}", false, 400, "data/validation-error"},
        {"POST", "/v1/data/posts", "{\"title\":\"a\",\"a.b\":1}", false, 400, "data/validation-error"},
        {"GET", "/v1/data/posts?page=0", NULL, true, 400, "common/invalid-parameters"},
        {"GET", "/v1/data/posts?limit=x", NULL, true, 400, "common/invalid-parameters"},
        {"GET", "/v1/data/posts?limit=1&limit=2", NULL, true, 400, "common/invalid-parameters"},
        {"GET", "/v1/data/posts?sortBy=nosuch", NULL, true, 400, "common/invalid-parameters"},
        {"GET", "/v1/data/posts?andFilters=%7B%22%24where%22%3A1%7D", NULL, true, 400, "common/invalid-parameters"},
        {"PUT", "/v1/data/posts/000000000000000000000000", "{}", false, 405, "common/method-not-allowed"},
        {"DELETE", "/v1/data/posts", NULL, false, 405, "common/method-not-allowed"},
        {"PATCH", "/v1/data/posts", "{}", false, 405, "common/method-not-allowed"},
        {"GET", "/v1/data", NULL, false, 404, "common/not-found"},
        {"GET", "/v2/data/posts", NULL, false, 404, "common/not-found"},
    };
    struct api_box *box = *state;
    make_posts(box, "");

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const char *key = cases[i].guest ? box->publishable : box->secret;
        assert_refused(api_box_send(box, cases[i].method, key, cases[i].target, cases[i].body), cases[i].status,
                       cases[i].code);
    }
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, "/v1/data/posts"), "pagination.total"), "0");
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, "/v1/data/users?limit=5"), "pagination.limit"),
                        "5");
}

static void a_validation_error_names_each_field(void **state)
{
    struct api_box *box = *state;
    make_posts(box, "");

    const struct api_answer *answer =
        api_box_send(box, "POST", box->secret, "/v1/data/posts", "{\"slug\":5,\"day\":\"x\"}");

    assert_int_equal(answer->status, 400);
    assert_string_equal(api_answer_text(answer, "success"), "false");
    assert_string_equal(api_answer_text(answer, "statusCode"), "400");
    assert_string_equal(api_answer_text(answer, "errorCode"), "VALIDATION_ERROR");
    assert_string_equal(api_answer_text(answer, "details"), "[3]");
    assert_string_equal(api_answer_text(answer, "message"), api_answer_text(answer, "error.message"));
    assert_non_null(strstr(answer->headers, api_answer_text(answer, "requestId")));
}

static void a_duplicate_names_the_fields_and_no_value(void **state)
{
    struct api_box *box = *state;
    make_posts(box, "");
    (void)make_row(box, "{\"title\":\"a\",\"slug\":\"taken-value\"}");

    const struct api_answer *answer =
        api_box_send(box, "POST", box->secret, "/v1/data/posts", "{\"title\":\"b\",\"slug\":\"taken-value\"}");

    assert_refused(answer, 409, "data/duplicate-value");
    assert_non_null(strstr(answer->body, "slug"));
    assert_null(strstr(answer->body, "taken-value"));
}

static void a_body_needs_the_json_content_type(void **state)
{
    static const struct {
        const char *type;
        unsigned int status;
    } cases[] = {{"application/json", 201},
                 {"application/json; charset=utf-8", 201},
                 {"Application/JSON", 201},
                 {"application/json;charset=\"UTF-8\"", 201},
                 {"text/plain", 400},
                 {"application/jsonp", 400},
                 {"application/json ; boundary=x; charset=Utf-8 ", 201},
                 {"application/json; charset=latin1", 400},
                 {"application/json; charset=utf-80", 400},
                 {"application/json; charset=utf-8x; charset=utf-8", 400},
                 {"application/json; charset=\"utf-8", 400},
                 {"application/json; charset=", 400},
                 {"application/json; charset", 400},
                 {"application/json charset=utf-8", 400}};
    struct api_box *box = *state;
    make_posts(box, "");

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct api_ask ask = {.method = "POST",
                                    .target = "/v1/data/posts",
                                    .key = box->secret,
                                    .body = "{\"title\":\"a\",\"slug\":null,\"n\":1}",
                                    .content_type = cases[i].type};
        const struct api_answer *answer = api_box_ask(box, &ask);
        /* a null in a unique column collides with the one before it: 409 says the body was read */
        const unsigned int expected = cases[i].status == 201 && i > 0 ? 409 : cases[i].status;
        assert_int_equal(answer->status, expected);
        if (cases[i].status == 400) {
            assert_string_equal(api_answer_text(answer, "error.code"), "data/invalid-header");
        }
    }
}

/* Scopes, policy settings, envelope. */

static void a_wrapped_project_wraps_successes_only(void **state)
{
    struct api_box *box = *state;
    char project[64] = "";
    char target[128];
    make_posts(box, "");
    memcpy(project, box->first.project_id, DATA_UUID_BYTES);
    (void)snprintf(target, sizeof target, "/v1/admin/projects/%s", project);

    const struct api_answer *set = api_box_send(box, "PATCH", box->secret, target,
                                                "{\"settings\":{\"responseEnvelope\":\"wrapped\",\"errorEnvelope\":"
                                                "\"legacy\"}}");
    assert_int_equal(set->status, 200);

    const struct api_answer *list = api_box_get(box, box->secret, "/v1/data/posts");
    assert_string_equal(api_answer_text(list, "success"), "true");
    assert_string_equal(api_answer_text(list, "data.pagination.total"), "0");
    const struct api_answer *made = api_box_send(box, "POST", box->secret, "/v1/data/posts", "{\"title\":\"a\"}");
    assert_int_equal(made->status, 201);
    assert_string_equal(api_answer_text(made, "data.title"), "a");
    const struct api_answer *refused = api_box_get(box, box->secret, "/v1/data/nosuch");
    assert_string_equal(api_answer_text(refused, "error"), "TABLE_NOT_FOUND");
    assert_string_equal(api_answer_text(refused, "message"), "There is no such table");
}

static void policy_settings_that_apply_now_work(void **state)
{
    struct api_box *box = *state;
    make_posts(box, ",\"permissions\":{\"guest\":{\"create\":true}},"
                    "\"security\":{\"writeResponse\":\"minimal\",\"additionalFields\":\"reject\"}");

    const struct api_answer *made = api_box_send(box, "POST", box->publishable, "/v1/data/posts", "{\"title\":\"a\"}");
    assert_int_equal(made->status, 201);
    assert_null(strstr(made->body, "title"));
    assert_non_null(strstr(made->body, "createdAt"));
    assert_refused(api_box_send(box, "POST", box->publishable, "/v1/data/posts", "{\"title\":\"a\",\"x\":1}"), 400,
                   "data/validation-error");
    assert_refused(api_box_get(box, box->publishable, "/v1/data/posts"), 403, "data/permission-denied");
}

static void spec_and_openapi_describe_the_schema(void **state)
{
    struct api_box *box = *state;
    make_posts(box, ",\"indexes\":[{\"name\":\"by_day\",\"fields\":{\"day\":-1}}]");

    const struct api_answer *spec = api_box_get(box, box->publishable, "/v1/data/posts/spec");
    assert_int_equal(spec->status, 200);
    assert_string_equal(api_answer_text(spec, "tableName"), "posts");
    assert_string_equal(api_answer_text(spec, "schema.properties.title.bsonType"), "string");
    assert_string_equal(api_answer_text(spec, "indexes.0.name"), "_id_");
    assert_string_equal(api_answer_text(spec, "permissions.guest.read"), "true");
    assert_non_null(strstr(spec->body, "\"uniq_slug\""));
    assert_non_null(strstr(spec->body, "\"by_day\",\"key\":{\"day\":-1}"));
    assert_null(strstr(spec->body, "rowFilters"));
    const struct api_answer *openapi = api_box_get(box, box->publishable, "/v1/posts/openapi");
    assert_int_equal(openapi->status, 200);
    assert_string_equal(api_answer_text(openapi, "openapi"), "3.0.0");
    assert_string_equal(api_answer_text(openapi, "info.title"), "posts API");
    assert_string_equal(api_answer_text(openapi, "components.schemas.posts.properties.count.type"), "integer");
    assert_non_null(strstr(openapi->body, "\"/v1/data/posts/{id}\""));
}

static void attack_07_system_fields_of_a_body_are_dropped(void **state)
{
    struct api_box *box = *state;
    make_posts(box, ",\"permissions\":{\"guest\":{\"create\":true,\"read\":true,\"update\":true}}");

    const struct api_answer *made =
        api_box_send(box, "POST", box->publishable, "/v1/data/posts",
                     "{\"title\":\"a\",\"id\":\"0123456789abcdef01234567\",\"_id\":\"x\",\"createdBy\":\"someone\","
                     "\"createdAt\":\"2001-01-01T00:00:00Z\",\"updatedAt\":\"2001-01-01T00:00:00Z\",\"__proto__\":{"
                     "\"admin\":true}}");
    assert_int_equal(made->status, 201);
    assert_string_equal(api_answer_text(made, "createdBy"), "");
    assert_string_equal(api_answer_text(made, "createdAt"), "2026-01-01T00:00:00.000Z");
    assert_string_not_equal(api_answer_text(made, "id"), "0123456789abcdef01234567");
    assert_null(strstr(made->body, "_id\":"));
    const char *target = path("/v1/data/posts", api_answer_text(made, "id"));
    const struct api_answer *changed =
        api_box_send(box, "PATCH", box->publishable, target, "{\"createdBy\":\"me\",\"id\":\"y\",\"title\":\"b\"}");
    assert_int_equal(changed->status, 200);
    assert_string_equal(api_answer_text(changed, "createdBy"), "");
    assert_string_equal(api_answer_text(changed, "title"), "b");
}

static void attack_04_limits_and_pages_at_their_edges(void **state)
{
    static const struct {
        const char *query, *limit;
        unsigned int status;
    } cases[] = {{"limit=200", "100", 200},
                 {"limit=100", "100", 200},
                 {"limit=1&page=99999", "1", 200},
                 {"limit=0", "", 400},
                 {"limit=-1", "", 400},
                 {"limit=null", "", 400},
                 {"limit=99999999999999999999", "100", 200},
                 {"page=-1", "", 400}};
    struct api_box *box = *state;
    make_posts(box, "");
    (void)make_row(box, "{\"title\":\"a\"}");

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char target[TEXT];
        (void)snprintf(target, sizeof target, "/v1/data/posts?%s", cases[i].query);
        const struct api_answer *answer = api_box_get(box, box->publishable, target);
        assert_int_equal(answer->status, cases[i].status);
        if (cases[i].status == 200) {
            assert_string_equal(api_answer_text(answer, "pagination.limit"), cases[i].limit);
        }
    }
}

/* --- what changed while a write waited --- */

static const char *make_key(struct api_box *box, const char *rest, char out_id[64])
{
    static char value[128];
    char body[512];

    (void)snprintf(body, sizeof body, "{\"name\":\"k\",%s}", rest);
    const struct api_answer *made = api_box_send(box, "POST", box->secret, "/v1/admin/api-keys", body);
    assert_int_equal(made->status, 201);
    assert_true(api_answer_member(made, "id", out_id, 64));
    assert_true(api_answer_member(made, "value", value, sizeof value));
    return value;
}

static void attack_03_a_key_revoked_while_its_write_waits_writes_nothing(void **state)
{
    struct api_box *box = *state;
    char id[64];
    char target[TEXT];
    make_posts(box, "");
    const char *key = make_key(box, "\"type\":\"secret\"", id);
    (void)snprintf(target, sizeof target, "/v1/admin/api-keys/%s/revoke", id);

    /* Both pass the reactor's check before either is carried out; the revocation stands first in the queue. */
    const struct api_ask revoke = {.method = "POST", .target = target, .key = box->secret};
    const struct api_ask create = {
        .method = "POST", .target = "/v1/data/posts", .key = key, .body = "{\"title\":\"late\"}"};
    struct api_box_pending *first = api_box_begin(box, &revoke);
    struct api_box_pending *second = api_box_begin(box, &create);

    assert_int_equal(api_box_finish(box, first)->status, 200);
    assert_refused(api_box_finish(box, second), 401, "auth/token-revoked");
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, "/v1/data/posts"), "pagination.total"), "0");
}

static void attack_03_a_policy_changed_while_a_write_waits_decides(void **state)
{
    struct api_box *box = *state;
    char target[TEXT];
    make_posts(box, ",\"permissions\":{\"guest\":{\"create\":true}}");
    (void)snprintf(target, sizeof target, "/v1/admin/tables/%s/policy", table);

    const struct api_ask close = {
        .method = "PUT", .target = target, .key = box->secret, .body = "{\"permissions\":{\"guest\":{}}}"};
    const struct api_ask create = {
        .method = "POST", .target = "/v1/data/posts", .key = box->publishable, .body = "{\"title\":\"late\"}"};
    struct api_box_pending *first = api_box_begin(box, &close);
    struct api_box_pending *second = api_box_begin(box, &create);

    assert_int_equal(api_box_finish(box, first)->status, 200);
    assert_refused(api_box_finish(box, second), 403, "data/permission-denied");
}

static void attack_03_a_table_dropped_while_a_write_waits_is_not_found(void **state)
{
    struct api_box *box = *state;
    char target[TEXT];
    make_posts(box, "");
    (void)snprintf(target, sizeof target, "/v1/admin/tables/%s", table);

    const struct api_ask drop = {
        .method = "DELETE", .target = target, .key = box->secret, .body = "{\"confirmName\":\"posts\"}"};
    const struct api_ask create = {
        .method = "POST", .target = "/v1/data/posts", .key = box->secret, .body = "{\"title\":\"late\"}"};
    struct api_box_pending *first = api_box_begin(box, &drop);
    struct api_box_pending *second = api_box_begin(box, &create);

    assert_int_equal(api_box_finish(box, first)->status, 200);
    assert_refused(api_box_finish(box, second), 404, "data/table-not-found");
}

static void a_full_map_answers_507_and_keeps_what_there_was(void **state)
{
    struct api_box *box = *state;
    char *body = calloc(1, 1000000);
    char total[32];
    int made = 0;
    unsigned int status = 201;
    make_posts(box, "");
    const size_t front = (size_t)snprintf(body, 64, "{\"title\":\"a\",\"x\":\"");
    memset(body + front, 'x', 900000);

    for (; made < 100; made++) { /* the map of the box has 64 MiB */
        char slug[64];
        const int len = snprintf(slug, sizeof slug, "\",\"slug\":\"%d\"}", made);
        memcpy(body + front + 900000, slug, (size_t)len + 1);
        const struct api_answer *answer = api_box_send(box, "POST", box->secret, "/v1/data/posts", body);
        status = answer->status;
        if (status != 201) {
            assert_refused(answer, 507, "common/insufficient-storage");
            break;
        }
    }
    free(body);

    assert_int_equal(status, 507);
    (void)snprintf(total, sizeof total, "%d", made);
    const struct api_answer *list = api_box_get(box, box->secret, "/v1/data/posts?select=title");
    assert_int_equal(list->status, 200);
    assert_string_equal(api_answer_text(list, "pagination.total"), total);
}

static void a_long_list_is_answered_in_slices(void **state)
{
    struct api_box *box = *state;
    make_posts(box, "");
    for (int i = 0; i < 40; i++) {
        char body[64];
        (void)snprintf(body, sizeof body, "{\"title\":\"%d\",\"slug\":\"%d\",\"n\":%d}", i, i, i % 7);
        (void)make_row(box, body);
    }

    const struct api_answer *list =
        api_box_get(box, box->publishable, "/v1/data/posts?sortBy=count&sortDirection=asc&limit=5&page=2");
    assert_int_equal(list->status, 200);
    assert_string_equal(api_answer_text(list, "items"), "[5]");
    assert_string_equal(api_answer_text(list, "pagination.total"), "40");
    const struct api_answer *filtered = api_box_get(
        box, box->publishable, "/v1/data/posts?andFilters=%7B%22n%22%3A%7B%22%24gte%22%3A5%7D%7D&limit=3&select=title");
    assert_int_equal(filtered->status, 200);
    assert_string_equal(api_answer_text(filtered, "pagination.total"), "10");
    assert_null(strstr(filtered->body, "\"n\""));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)
    const struct CMUnitTest tests[] = {
        T(a_row_that_was_created_is_read_and_listed),
        T(attack_13_a_row_that_no_answer_could_carry_is_not_stored),
        T(an_update_merges_and_moves_updated_at_forward_on_a_clock_that_stands_still),
        T(a_deleted_row_is_gone),
        T(rows_survive_a_restart),
        T(each_step_that_fails_answers_with_its_code),
        T(a_validation_error_names_each_field),
        T(a_duplicate_names_the_fields_and_no_value),
        T(a_body_needs_the_json_content_type),
        T(a_wrapped_project_wraps_successes_only),
        T(policy_settings_that_apply_now_work),
        T(spec_and_openapi_describe_the_schema),
        T(attack_07_system_fields_of_a_body_are_dropped),
        T(attack_04_limits_and_pages_at_their_edges),
        T(attack_03_a_key_revoked_while_its_write_waits_writes_nothing),
        T(attack_03_a_policy_changed_while_a_write_waits_decides),
        T(attack_03_a_table_dropped_while_a_write_waits_is_not_found),
        T(a_full_map_answers_507_and_keeps_what_there_was),
        T(a_long_list_is_answered_in_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
