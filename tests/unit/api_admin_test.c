/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The management API over a real database: contract 6. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/api_box.h"

#define TEXT 512

static const struct api_answer *done(const struct api_answer *answer, unsigned int status)
{
    if (answer->status != status) {
        print_message("%s\n", answer->body);
    }
    assert_int_equal(answer->status, status);
    return answer;
}

static const char *at(const char *base, const char *id, const char *rest)
{
    static char text[4][TEXT];
    static unsigned int next;
    char *place = text[next++ % 4];

    (void)snprintf(place, TEXT, "/v1/admin/%s/%s%s", base, id, rest);
    return place;
}

static const struct api_answer *post(struct api_box *box, const char *target, const char *body)
{
    return api_box_send(box, "POST", box->secret, target, body);
}

/* --- who --- */

static void managing_needs_an_unrestricted_secret_key(void **state)
{
    struct api_box *box = *state;

    assert_refused(api_box_get(box, box->publishable, "/v1/admin/tables"), 403, "auth/forbidden");
    assert_refused(api_box_send(box, "POST", box->publishable, "/v1/admin/tables", "{}"), 403, "auth/forbidden");
    assert_refused(api_box_get(box, NULL, "/v1/admin/tables"), 401, "auth/unauthorized");
    assert_refused(post(box, "/v1/admin/projects", "{\"slug\":\"x\",\"name\":\"x\"}"), 403, "auth/forbidden");
    assert_refused(api_box_send(box, "DELETE", box->secret, "/v1/admin/projects/x", NULL), 403, "auth/forbidden");
    assert_refused(api_box_get(box, box->secret, "/v1/admin/organizations"), 403, "auth/forbidden");
    assert_refused(api_box_get(box, box->secret, "/v1/admin/operators"), 403, "auth/forbidden");
}

/* --- projects and environments --- */

static void the_own_project_is_shown_and_changed(void **state)
{
    struct api_box *box = *state;
    char id[64] = "";
    memcpy(id, box->first.project_id, DATA_UUID_BYTES);

    assert_string_equal(api_answer_text(api_box_get(box, box->secret, "/v1/admin/projects"), "items.0.id"), id);
    const struct api_answer *changed =
        done(api_box_send(box, "PATCH", box->secret, at("projects", id, ""),
                          "{\"name\":\"Shop\",\"settings\":{\"allowLocalhostOrigins\":false}}"),
             200);

    assert_string_equal(api_answer_text(changed, "name"), "Shop");
    assert_string_equal(api_answer_text(changed, "settings.allowLocalhostOrigins"), "false");
    assert_string_equal(api_answer_text(changed, "environmentCount"), "1");
    assert_string_equal(api_answer_text(changed, "status"), "active");
    api_box_restart(box);
    const struct api_answer *read = done(api_box_get(box, box->secret, at("projects", id, "")), 200);
    assert_string_equal(api_answer_text(read, "name"), "Shop");
    assert_refused(api_box_get(box, box->secret, at("projects", "11111111-1111-4111-8111-111111111111", "")), 404,
            "common/not-found");
}

static void settings_that_are_unknown_wrong_or_of_later_features_are_refused(void **state)
{
    static const char *const bodies[] = {
        "{\"settings\":{\"nosuch\":1}}",
        "{\"settings\":{\"responseEnvelope\":\"half\"}}",
        "{\"settings\":{\"allowLocalhostOrigins\":\"yes\"}}",
        "{\"settings\":{\"requestsPerMinute\":0}}",
        "{\"settings\":{\"maxSessionsPerUser\":51}}",
        "{\"settings\":{\"storage\":{}}}",
        "{\"settings\":{\"signupEnabled\":true}}",
        "{\"settings\":{\"passwordPolicy\":{\"minLength\":5}}}",
        "{\"settings\":[]}",
        "{\"settings\":null}",
        "{\"name\":null}",
        "{\"name\":\"\"}",
        "{\"name\":5}",
        "[]",
    };
    struct api_box *box = *state;
    char id[64] = "";
    memcpy(id, box->first.project_id, DATA_UUID_BYTES);

    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        assert_refused(api_box_send(box, "PATCH", box->secret, at("projects", id, ""), bodies[i]), 400,
                "common/invalid-parameters");
    }
}

static void environments_are_made_and_the_own_one_is_deleted_with_its_tables(void **state)
{
    struct api_box *box = *state;
    char table[64];
    char id[64];
    char other[64];
    api_box_table(box, "{\"tableName\":\"posts\"}", table);
    assert_true(
        api_answer_member(api_box_get(box, box->secret, "/v1/admin/environments"), "items.0.id", id, sizeof id));

    const struct api_answer *made = done(post(box, "/v1/admin/environments", "{\"environment\":\"staging\"}"), 201);
    assert_string_equal(api_answer_text(made, "environmentType"), "staging");
    assert_true(api_answer_member(made, "id", other, sizeof other));
    assert_refused(post(box, "/v1/admin/environments", "{\"environment\":\"staging\"}"), 409, "common/conflict");
    assert_refused(post(box, "/v1/admin/environments", "{\"environment\":\"No Name\"}"), 400,
                   "common/invalid-parameters");
    assert_refused(post(box, "/v1/admin/environments", "{\"environment\":\"x\",\"projectId\":\"other\"}"), 403,
            "auth/forbidden");
    assert_refused(
        api_box_send(box, "DELETE", box->secret, at("environments", other, ""), "{\"confirmName\":\"staging\"}"), 403,
        "auth/forbidden");
    assert_refused(api_box_send(box, "DELETE", box->secret, at("environments", id, ""), "{\"confirmName\":\"no\"}"),
                   400, "common/invalid-parameters");
    done(api_box_send(box, "DELETE", box->secret, at("environments", id, ""), "{\"confirmName\":\"dev\"}"), 200);

    assert_refused(api_box_get(box, box->secret, "/v1/data/posts"), 404, "data/environment-not-found");
}

/* --- tables --- */

static void a_table_is_made_shown_changed_and_dropped(void **state)
{
    struct api_box *box = *state;
    char id[64];

    const struct api_answer *made =
        done(post(box, "/v1/admin/tables",
                  "{\"tableName\":\"posts\",\"displayName\":\"Posts\",\"schema\":{\"title\":{\"type\":\"string\"}},"
                  "\"permissions\":{\"guest\":{\"create\":true,\"read\":true},\"admin\":{\"read\":false}}}"),
             201);
    assert_true(api_answer_member(made, "id", id, sizeof id));
    assert_string_equal(api_answer_text(made, "status"), "deployed");
    assert_string_equal(api_answer_text(made, "rowCount"), "0");
    assert_string_equal(api_answer_text(made, "schema.bsonType"), "object");
    assert_string_equal(api_answer_text(made, "permissions.admin.read"), "false");
    assert_string_equal(api_answer_text(made, "columnPermissions"), "null");
    assert_non_null(strstr(made->body, "\"warnings\":[\""));
    done(post(box, "/v1/data/posts", "{\"title\":\"a\"}"), 201);
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, "/v1/admin/tables"), "items.0.rowCount"), "1");
    const struct api_answer *changed = done(api_box_send(box, "PATCH", box->secret, at("tables", id, ""),
                                                         "{\"description\":\"d\",\"permissions\":{\"user\":{}}}"),
                                            200);
    assert_string_equal(api_answer_text(changed, "displayName"), "Posts");
    assert_string_equal(api_answer_text(changed, "description"), "d");
    assert_non_null(strstr(api_answer_text(changed, "permissions.guest"), "missing"));
    const struct api_answer *cleared = done(
        api_box_send(box, "PATCH", box->secret, at("tables", id, ""), "{\"displayName\":null,\"description\":null}"), 200);
    assert_string_equal(api_answer_text(cleared, "displayName"), "null");
    assert_string_equal(api_answer_text(cleared, "description"), "null");
    assert_refused(api_box_send(box, "DELETE", box->secret, at("tables", id, ""), "{}"), 400,
                   "common/invalid-parameters");
    done(api_box_send(box, "DELETE", box->secret, at("tables", id, ""), "{\"confirmName\":\"posts\"}"), 200);
    assert_refused(api_box_get(box, box->secret, at("tables", id, "")), 404, "common/not-found");
    assert_refused(api_box_get(box, box->secret, "/v1/data/posts"), 404, "data/table-not-found");
    done(post(box, "/v1/admin/tables", "{\"tableName\":\"posts\"}"), 201);
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, "/v1/data/posts"), "pagination.total"), "0");
}

struct body_case {
    const char *body;
    unsigned int status;
    const char *code;
};

static void a_table_that_cannot_be_is_refused(void **state)
{
    static const struct body_case cases[] = {
        {"{}", 400, "common/invalid-parameters"},
        {"{\"tableName\":5}", 400, "common/invalid-parameters"},
        {"{\"tableName\":\"posts\"}", 409, "common/conflict"},
        {"{\"tableName\":\"users\"}", 400, "data/validation-error"},
        {"{\"tableName\":\"admin\"}", 400, "data/validation-error"},
        {"{\"tableName\":\"_x\"}", 400, "data/validation-error"},
        {"{\"tableName\":\"a b\"}", 400, "data/validation-error"},
        {"{\"tableName\":\"t\",\"schema\":{\"a\":{\"type\":\"nosuch\"}}}", 400, "data/validation-error"},
        {"{\"tableName\":\"t\",\"schema\":{\"id\":{\"type\":\"string\"}}}", 400, "data/validation-error"},
        {"{\"tableName\":\"t\",\"permissions\":{\"nosuch\":{}}}", 400, "data/validation-error"},
        {"{\"tableName\":\"t\",\"permissions\":{\"user\":{\"read\":1}}}", 400, "data/validation-error"},
        {"{\"tableName\":\"t\",\"expressionPermissions\":{\"read\":\"owner\"}}", 400, "data/validation-error"},
        {"{\"tableName\":\"t\",\"columnPermissions\":{\"id\":{\"read\":\"admin\"}}}", 400, "data/validation-error"},
        {"{\"tableName\":\"t\",\"rowFilters\":[{\"expression\":\"user\",\"filter\":{\"a\":{\"$no\":1}}}]}", 400,
         "data/validation-error"},
        {"{\"tableName\":\"t\",\"security\":{\"nosuch\":true}}", 400, "data/validation-error"},
        {"{\"tableName\":\"t\",\"environment\":\"prod\"}", 403, "auth/forbidden"},
        {"{\"tableName\":\"t\",\"indexes\":[{\"name\":\"_id_\",\"fields\":{\"a\":1}}]}", 400,
         "common/invalid-parameters"},
        {"{\"tableName\":\"t\",\"indexes\":[{\"name\":\"i\",\"fields\":{\"a\":2}}]}", 400, "common/invalid-parameters"},
        {"{\"tableName\":\"t\",\"indexes\":[{\"name\":\"i\",\"fields\":{}}]}", 400, "common/invalid-parameters"},
        {"[]", 400, "common/invalid-parameters"},
        {"{", 400, "common/invalid-parameters"},
    };
    struct api_box *box = *state;
    done(post(box, "/v1/admin/tables", "{\"tableName\":\"posts\"}"), 201);

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_refused(post(box, "/v1/admin/tables", cases[i].body), cases[i].status, cases[i].code);
    }
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, "/v1/admin/tables"), "pagination.total"), "1");
    done(post(box, "/v1/admin/tables", "{\"tableName\":\"_jobs\",\"system\":true}"), 201);
    assert_refused(api_box_get(box, box->publishable, "/v1/data/_jobs"), 403, "data/system-table-access");
}

static void putting_a_policy_replaces_it_whole(void **state)
{
    struct api_box *box = *state;
    char id[64];
    api_box_table(box,
                  "{\"tableName\":\"posts\",\"permissions\":{\"guest\":{\"read\":true}},"
                  "\"security\":{\"additionalFields\":\"reject\"}}",
                  id);

    const struct api_answer *set = done(api_box_send(box, "PUT", box->secret, at("tables", id, "/policy"),
                                                     "{\"permissions\":{\"user\":{\"read\":true}}}"),
                                        200);

    assert_non_null(strstr(api_answer_text(set, "permissions.guest"), "missing"));
    assert_non_null(strstr(api_answer_text(set, "security.additionalFields"), "missing"));
    assert_refused(api_box_get(box, box->publishable, "/v1/data/posts"), 403, "data/permission-denied");
    done(api_box_send(box, "PUT", box->secret, at("tables", id, "/policy"), "{}"), 200);
    done(api_box_get(box, box->publishable, "/v1/data/posts"), 200); /* unset: the default matrix */
    assert_refused(api_box_send(box, "PUT", box->secret, at("tables", id, "/policy"), "{\"rowFilters\":[{}]}"), 400,
            "data/validation-error");
}

static void a_policy_with_expressions_and_columns_is_echoed_and_applied(void **state)
{
    struct api_box *box = *state;
    char id[64];
    api_box_table(box, "{\"tableName\":\"posts\"}", id);
    done(post(box, "/v1/data/posts", "{\"title\":\"t\",\"notes\":\"n\"}"), 201);

    const struct api_answer *set =
        done(api_box_send(box, "PUT", box->secret, at("tables", id, "/policy"),
                          "{\"expressionPermissions\":{\"read\":\"public\",\"create\":\"guest\"},"
                          "\"columnPermissions\":{\"notes\":{\"read\":\"role:a | admin\",\"write\":\"self\"}}}"),
             200);

    assert_string_equal(api_answer_text(set, "expressionPermissions.read"), "public");
    assert_string_equal(api_answer_text(set, "columnPermissions.notes.read"), "role:a | admin");
    const struct api_answer *list = done(api_box_get(box, box->publishable, "/v1/data/posts"), 200);
    assert_non_null(strstr(list->body, "title"));
    assert_null(strstr(list->body, "notes"));
    assert_refused(api_box_get(box, box->publishable, "/v1/data/posts?sortBy=notes"), 403, "data/permission-denied");
    assert_refused(api_box_send(box, "POST", box->publishable, "/v1/data/posts", "{\"notes\":null}"), 403,
                   "data/permission-denied");
    done(api_box_send(box, "POST", box->publishable, "/v1/data/posts", "{\"title\":\"u\"}"), 201);
}

static void a_field_that_is_removed_takes_its_column_rule_with_it(void **state)
{
    struct api_box *box = *state;
    char id[64];
    api_box_table(box,
                  "{\"tableName\":\"posts\",\"schema\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"string\"}},"
                  "\"columnPermissions\":{\"a\":{\"read\":\"admin\"},\"b\":{\"read\":\"admin\"}}}",
                  id);

    done(post(box, at("tables", id, "/fields"), "{\"fieldsToRemove\":[\"a\"]}"), 200);

    const struct api_answer *table = done(api_box_get(box, box->secret, at("tables", id, "")), 200);
    assert_non_null(strstr(api_answer_text(table, "columnPermissions.a"), "missing"));
    assert_string_equal(api_answer_text(table, "columnPermissions.b.read"), "admin");
}

/* --- fields, versions, indexes --- */

static void a_unique_field_is_removed_from_a_table_of_many_rows(void **state)
{
    struct api_box *box = *state;
    char id[64];
    api_box_table(
        box,
        "{\"tableName\":\"t\",\"schema\":{\"slug\":{\"type\":\"string\",\"unique\":true},\"a\":{\"type\":\"int\"}},"
        "\"indexes\":[{\"name\":\"both\",\"fields\":{\"a\":1,\"slug\":1},\"unique\":true}]}",
        id);
    done(post(box, "/v1/data/t", "{\"slug\":\"x\",\"a\":1}"), 201);
    done(post(box, "/v1/data/t", "{\"slug\":\"y\",\"a\":1}"), 201);

    const struct api_answer *changed =
        done(post(box, at("tables", id, "/fields"), "{\"fieldsToRemove\":[\"slug\"]}"), 200);

    assert_string_equal(api_answer_text(changed, "schemaVersion"), "2");
    assert_null(strstr(changed->body, "slug"));
    assert_null(strstr(api_box_get(box, box->secret, "/v1/data/t")->body, "slug"));
    done(post(box, "/v1/data/t", "{\"a\":1}"), 201);
}

static void a_removed_field_takes_its_data_along(void **state)
{
    struct api_box *box = *state;
    char id[64];
    char row[128];
    api_box_table(
        box, "{\"tableName\":\"posts\",\"schema\":{\"title\":{\"type\":\"string\"},\"old\":{\"type\":\"string\"}}}",
        id);
    const struct api_answer *made =
        done(post(box, "/v1/data/posts", "{\"title\":\"a\",\"old\":\"gone\",\"x\":1}"), 201);
    (void)snprintf(row, sizeof row, "/v1/data/posts/%s", api_answer_text(made, "id"));

    const struct api_answer *changed =
        done(post(box, at("tables", id, "/fields"),
                  "{\"fieldsToAddOrUpdate\":{\"new\":{\"type\":\"int\"}},\"fieldsToRemove\":[\"old\"],"
                  "\"requiredFieldsToAdd\":[\"title\"]}"),
             200);

    assert_string_equal(api_answer_text(changed, "schemaVersion"), "2");
    const struct api_answer *read = done(api_box_get(box, box->secret, row), 200);
    assert_null(strstr(read->body, "gone"));
    assert_string_equal(api_answer_text(read, "x"), "1");
    done(post(box, at("tables", id, "/schema/rollback"), "{\"version\":1}"), 200);
    assert_null(strstr(api_box_get(box, box->secret, row)->body, "gone"));
    const struct api_answer *versions = done(api_box_get(box, box->secret, at("tables", id, "/schema/versions")), 200);
    assert_string_equal(api_answer_text(versions, "pagination.total"), "3");
    assert_string_equal(api_answer_text(versions, "items.0.version"), "3");
    assert_string_equal(api_answer_text(versions, "items.0.current"), "true");
    assert_string_equal(api_answer_text(versions, "items.2.schema.properties.old.bsonType"), "string");
    const struct api_answer *second = done(api_box_get(box, box->secret, at("tables", id, "/schema/versions/2")), 200);
    assert_string_equal(api_answer_text(second, "schema.properties.new.bsonType"), "int");
    assert_refused(api_box_get(box, box->secret, at("tables", id, "/schema/versions/4")), 404, "common/not-found");
    assert_refused(post(box, at("tables", id, "/schema/rollback"), "{\"version\":3}"), 400,
                   "common/invalid-parameters");
    assert_refused(post(box, at("tables", id, "/fields"), "{\"fieldsToRemove\":[\"nosuch\"]}"), 400,
                   "data/validation-error");
}

static void indexes_are_added_enforced_and_removed(void **state)
{
    struct api_box *box = *state;
    char id[64];
    api_box_table(box, "{\"tableName\":\"posts\",\"schema\":{\"a\":{\"type\":\"int\"},\"b\":{\"type\":\"int\"}}}", id);
    done(post(box, "/v1/data/posts", "{\"a\":1,\"b\":1}"), 201);
    done(post(box, "/v1/data/posts", "{\"a\":1,\"b\":2}"), 201);

    assert_refused(post(box, at("tables", id, "/indexes"),
                 "{\"indexesToAddOrUpdate\":[{\"name\":\"ua\",\"fields\":{\"a\":1},\"unique\":true}]}"),
            409, "data/duplicate-value");
    const struct api_answer *made =
        done(post(box, at("tables", id, "/indexes"),
                  "{\"indexesToAddOrUpdate\":[{\"name\":\"uab\",\"fields\":{\"a\":1,\"b\":-1},\"unique\":true}]}"),
             200);
    assert_string_equal(api_answer_text(made, "indexVersion"), "2");
    assert_string_equal(api_answer_text(made, "indexes.0.fields.b"), "-1");
    assert_refused(post(box, "/v1/data/posts", "{\"a\":1,\"b\":2}"), 409, "data/duplicate-value");
    api_box_restart(box);
    sim_clock_advance_ms(&box->clock, 1000); /* ids of two processes sort by the second alone */
    assert_refused(post(box, "/v1/data/posts", "{\"a\":1,\"b\":2}"), 409, "data/duplicate-value");
    assert_refused(post(box, at("tables", id, "/indexes"), "{\"indexesToRemove\":[\"idx_createdBy\"]}"), 400,
            "common/invalid-parameters");
    assert_refused(post(box, at("tables", id, "/indexes"), "{\"indexesToRemove\":[\"nosuch\"]}"), 400,
            "common/invalid-parameters");
    done(post(box, at("tables", id, "/indexes"), "{\"indexesToRemove\":[\"uab\"]}"), 200);
    done(post(box, "/v1/data/posts", "{\"a\":1,\"b\":2}"), 201);
    const struct api_answer *versions = done(api_box_get(box, box->secret, at("tables", id, "/indexes/versions")), 200);
    assert_string_equal(api_answer_text(versions, "pagination.total"), "3");
    assert_string_equal(api_answer_text(versions, "items.1.indexes.0.name"), "uab");
}

static void a_unique_flag_makes_and_drops_its_index(void **state)
{
    struct api_box *box = *state;
    char id[64];
    api_box_table(box, "{\"tableName\":\"posts\",\"schema\":{\"a\":{\"type\":\"int\"}}}", id);
    done(post(box, "/v1/data/posts", "{\"a\":1}"), 201);
    done(post(box, "/v1/data/posts", "{\"a\":1}"), 201);

    assert_refused(
        post(box, at("tables", id, "/fields"), "{\"fieldsToAddOrUpdate\":{\"a\":{\"type\":\"int\",\"unique\":true}}}"),
        409, "data/duplicate-value");
    /* Both rows lack c, and null collides with null; the field that goes along stays, with its data. */
    done(post(box, at("tables", id, "/fields"),
              "{\"fieldsToAddOrUpdate\":{\"c\":{\"type\":\"int\",\"unique\":true}},"
              "\"fieldsToRemove\":[\"a\"]}"),
         409);
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, "/v1/data/posts"), "items.1.a"), "1");
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, at("tables", id, "")), "schemaVersion"), "1");
}

/* --- keys --- */

static void keys_are_made_and_shown_once(void **state)
{
    struct api_box *box = *state;

    const struct api_answer *made =
        done(post(box, "/v1/admin/api-keys",
                  "{\"name\":\"app\",\"type\":\"secret\",\"scopes\":[\"posts:read\",\"*:list\"]}"),
             201);
    const char *id = api_answer_text(made, "id");
    assert_int_equal(strlen(api_answer_text(made, "value")), DATA_KEY_BYTES);
    assert_int_equal(strlen(api_answer_text(made, "prefix")), 11);
    assert_string_equal(api_answer_text(made, "status"), "active");
    assert_string_equal(api_answer_text(made, "lastUsedAt"), "null");
    const struct api_answer *read = done(api_box_get(box, box->secret, at("api-keys", id, "")), 200);
    assert_null(strstr(read->body, "\"value\""));
    assert_null(strstr(read->body, "\"hash\""));
    assert_string_equal(api_answer_text(read, "scopes.0"), "posts:read");
    const struct api_answer *shown =
        done(post(box, "/v1/admin/api-keys", "{\"name\":\"page\",\"type\":\"publishable\"}"), 201);
    read = done(api_box_get(box, box->secret, at("api-keys", api_answer_text(shown, "id"), "")), 200);
    assert_int_equal(strlen(api_answer_text(read, "value")), DATA_KEY_BYTES);
    assert_string_equal(api_answer_text(read, "scopes"), "null");
}

static void a_hidden_publishable_key_is_shown_once_too(void **state)
{
    struct api_box *box = *state;
    char id[64] = "";
    memcpy(id, box->first.project_id, DATA_UUID_BYTES);
    done(api_box_send(box, "PATCH", box->secret, at("projects", id, ""),
                      "{\"settings\":{\"revealPublishableKeys\":false}}"),
         200);

    const struct api_answer *made =
        done(post(box, "/v1/admin/api-keys", "{\"name\":\"page\",\"type\":\"publishable\"}"), 201);

    assert_int_equal(strlen(api_answer_text(made, "value")), DATA_KEY_BYTES);
    const struct api_answer *list = done(api_box_get(box, box->secret, "/v1/admin/api-keys"), 200);
    assert_null(strstr(list->body, "\"value\""));
}

static void keys_that_cannot_be_are_refused(void **state)
{
    static const struct body_case cases[] = {
        {"{\"type\":\"secret\"}", 400, "common/invalid-parameters"},
        {"{\"name\":\"k\"}", 400, "common/invalid-parameters"},
        {"{\"name\":\"k\",\"type\":\"root\"}", 400, "common/invalid-parameters"},
        {"{\"name\":\"k\",\"type\":\"secret\",\"scopes\":[]}", 400, "common/invalid-parameters"},
        {"{\"name\":\"k\",\"type\":\"secret\",\"scopes\":[\"posts\"]}", 400, "common/invalid-parameters"},
        {"{\"name\":\"k\",\"type\":\"secret\",\"scopes\":\"*:*\"}", 400, "common/invalid-parameters"},
        {"{\"name\":\"k\",\"type\":\"secret\",\"expiresAt\":\"2020-01-01\"}", 400, "common/invalid-parameters"},
        {"{\"name\":\"k\",\"type\":\"secret\",\"expiresAt\":\"soon\"}", 400, "common/invalid-parameters"},
        {"{\"name\":\"k\",\"type\":\"secret\",\"environment\":\"prod\"}", 403, "auth/forbidden"},
        {"{\"name\":\"k\",\"type\":\"secret\",\"projectId\":\"x\"}", 403, "auth/forbidden"},
    };
    struct api_box *box = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_refused(post(box, "/v1/admin/api-keys", cases[i].body), cases[i].status, cases[i].code);
    }
    assert_refused(post(box, "/v1/admin/api-keys/nosuch/revoke", NULL), 404, "common/not-found");
}

static void the_last_use_of_a_key_is_stored_once_a_minute_with_another_write(void **state)
{
    struct api_box *box = *state;
    char table[64];
    api_box_table(box, "{\"tableName\":\"posts\"}", table);
    sim_clock_advance_ms(&box->clock, 120000);
    done(api_box_get(box, box->publishable, "/v1/data/posts"), 200);
    done(post(box, "/v1/data/posts", "{}"), 201);

    api_box_restart(box);

    const struct api_answer *list = done(api_box_get(box, box->secret, "/v1/admin/api-keys"), 200);
    assert_string_equal(api_answer_text(list, "items.1.type"), "publishable");
    assert_string_equal(api_answer_text(list, "items.1.lastUsedAt"), "2026-01-01T00:02:00.000Z");
}

static void lists_have_pages(void **state)
{
    struct api_box *box = *state;
    for (int i = 0; i < 5; i++) {
        char body[64];
        char id[64];
        (void)snprintf(body, sizeof body, "{\"tableName\":\"t%d\"}", i);
        api_box_table(box, body, id);
    }

    const struct api_answer *page = done(api_box_get(box, box->secret, "/v1/admin/tables?page=2&limit=2"), 200);

    assert_string_equal(api_answer_text(page, "items"), "[2]");
    assert_string_equal(api_answer_text(page, "items.0.tableName"), "t2");
    assert_string_equal(api_answer_text(page, "pagination.totalPages"), "3");
    assert_string_equal(api_answer_text(page, "pagination.hasNext"), "true");
    assert_string_equal(api_answer_text(page, "pagination.hasPrev"), "true");
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, "/v1/admin/tables?page=9"), "items"), "[0]");
    page = done(api_box_get(box, box->secret, "/v1/admin/tables?limit=184467440737095516170000"), 200);
    assert_string_equal(api_answer_text(page, "pagination.limit"), "100");
    assert_refused(api_box_get(box, box->secret, "/v1/admin/tables?page=0"), 400, "common/invalid-parameters");
    assert_refused(api_box_get(box, box->secret, "/v1/admin/tables?limit=1&limit=1"), 400, "common/invalid-parameters");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)
    const struct CMUnitTest tests[] = {
        T(a_unique_field_is_removed_from_a_table_of_many_rows),
        T(managing_needs_an_unrestricted_secret_key),
        T(the_own_project_is_shown_and_changed),
        T(settings_that_are_unknown_wrong_or_of_later_features_are_refused),
        T(environments_are_made_and_the_own_one_is_deleted_with_its_tables),
        T(a_table_is_made_shown_changed_and_dropped),
        T(a_table_that_cannot_be_is_refused),
        T(putting_a_policy_replaces_it_whole),
        T(a_policy_with_expressions_and_columns_is_echoed_and_applied),
        T(a_field_that_is_removed_takes_its_column_rule_with_it),
        T(a_removed_field_takes_its_data_along),
        T(indexes_are_added_enforced_and_removed),
        T(a_unique_flag_makes_and_drops_its_index),
        T(keys_are_made_and_shown_once),
        T(a_hidden_publishable_key_is_shown_once_too),
        T(keys_that_cannot_be_are_refused),
        T(the_last_use_of_a_key_is_stored_once_a_minute_with_another_write),
        T(lists_have_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
