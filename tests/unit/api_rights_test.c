/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every route of /v1/admin for every role of contract 10.1, and where an operator manages. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/api/request_int.h"
#include "firmware/data/data_int.h"
#include "firmware/data/operators.h"
#include "hal/base/fault.h"
#include "tests/lib/api_operator.h"

#define A      "/v1/admin/"
#define NO_ID  "11111111-1111-4111-8111-111111111111"
#define DENIED 403

/* Who may: what they are answered is `status`; the others 403 auth/forbidden, and whoever has no credential 401. */
enum may { OWNER, APPLIANCE, AUDITORS, AUDIT, SETTINGS, TABLES, ANYBODY, KEYLESS };

static const char *const roles[] = {"owner", "admin", "member", "auditor", "backup", "metrics"};

struct line {
    const char *method, *pattern;
    enum may may;
    unsigned int status;
    const char *body;
};

static const struct line lines[] = {
    {"POST", A "auth/setup", KEYLESS, 0, "{}"},
    {"POST", A "auth/signin", KEYLESS, 0, "{}"},
    {"POST", A "auth/refresh", KEYLESS, 0, "{}"},
    {"POST", A "auth/password/change", ANYBODY, 400, "{}"},
    {"POST", A "auth/mfa/enable", ANYBODY, 400, "{}"},
    {"POST", A "auth/mfa/confirm", ANYBODY, 400, "{}"},
    {"POST", A "auth/mfa/disable", ANYBODY, 400, "{}"},
    {"GET", A "auth/me", ANYBODY, 200, NULL},
    {"GET", A "auth/sessions", ANYBODY, 200, NULL},
    {"DELETE", A "auth/sessions/:id", ANYBODY, 404, NULL},
    {"GET", A "organizations", APPLIANCE, 200, NULL},
    {"GET", A "organizations/:id", APPLIANCE, 404, NULL},
    {"PATCH", A "organizations/:id", APPLIANCE, 404, "{}"},
    {"GET", A "operators", OWNER, 200, NULL},
    {"POST", A "operators", OWNER, 400, "{}"},
    {"PATCH", A "operators/:id", OWNER, 404, "{}"},
    {"DELETE", A "operators/:id", OWNER, 404, NULL},
    {"GET", A "network", APPLIANCE, 200, NULL},
    {"PUT", A "network", APPLIANCE, 200, "{\"time\":null}"},
    {"GET", A "updates", OWNER, 409, NULL},
    {"POST", A "updates", OWNER, 409, "{}"},
    {"POST", A "updates/bytes", OWNER, 400, "{}"},
    {"POST", A "updates/install", OWNER, 409, "{}"},
    {"POST", A "secure-boot/plan", OWNER, 400, "{}"},
    {"POST", A "system/keys/rotate", OWNER, 400, "{}"},
    {"GET", A "projects", SETTINGS, 200, NULL},
    {"POST", A "projects", APPLIANCE, 400, "{}"},
    {"GET", A "projects/:id", SETTINGS, 200, NULL},
    {"PATCH", A "projects/:id", SETTINGS, 200, "{\"description\":\"d\"}"},
    {"DELETE", A "projects/:id", APPLIANCE, 400, "{}"},
    {"GET", A "projects/:id/cors", SETTINGS, 200, NULL},
    {"PUT", A "projects/:id/cors", SETTINGS, 200, "{\"origins\":[]}"},
    {"GET", A "environments", SETTINGS, 200, NULL},
    {"POST", A "environments", SETTINGS, 400, "{}"},
    {"GET", A "environments/:id", SETTINGS, 200, NULL},
    {"DELETE", A "environments/:id", SETTINGS, 400, "{\"confirmName\":\"no\"}"},
    {"GET", A "tables", TABLES, 200, NULL},
    {"POST", A "tables", TABLES, 400, "{}"},
    {"GET", A "tables/:id", TABLES, 200, NULL},
    {"PATCH", A "tables/:id", TABLES, 200, "{\"description\":\"d\"}"},
    {"DELETE", A "tables/:id", TABLES, 400, "{\"confirmName\":\"no\"}"},
    {"PUT", A "tables/:id/policy", TABLES, 200, "{\"permissions\":{\"user\":{\"read\":true}}}"},
    {"POST", A "tables/:id/fields", TABLES, 200, "{}"},
    {"POST", A "tables/:id/indexes", TABLES, 200, "{}"},
    {"GET", A "tables/:id/indexes/versions", TABLES, 200, NULL},
    {"GET", A "tables/:id/schema/versions", TABLES, 200, NULL},
    {"GET", A "tables/:id/schema/versions/:version", TABLES, 200, NULL},
    {"POST", A "tables/:id/schema/rollback", TABLES, 400, "{\"version\":99}"},
    {"POST", A "explain", TABLES, 400, "{}"},
    {"POST", A "simulate", TABLES, 400, "{}"},
    {"GET", A "api-keys", SETTINGS, 200, NULL},
    {"POST", A "api-keys", SETTINGS, 400, "{}"},
    {"GET", A "api-keys/:id", SETTINGS, 200, NULL},
    {"DELETE", A "api-keys/:id", SETTINGS, 400, "{\"confirmName\":\"no\"}"},
    {"POST", A "api-keys/:id/revoke", SETTINGS, 200, "{}"},
    {"GET", A "auth-providers/email", SETTINGS, 200, NULL},
    {"PUT", A "auth-providers/email", SETTINGS, 200, "{}"},
    {"GET", A "auth-providers/:provider", SETTINGS, 404, NULL},
    {"PUT", A "auth-providers/:provider", SETTINGS, 400, "{}"},
    {"DELETE", A "auth-providers/:provider", SETTINGS, 404, NULL},
    {"GET", A "email-settings", SETTINGS, 200, NULL},
    {"PUT", A "email-settings", SETTINGS, 200, "{}"},
    {"GET", A "email-templates", SETTINGS, 200, NULL},
    {"GET", A "email-templates/:category", SETTINGS, 200, NULL},
    {"PUT", A "email-templates/:category", SETTINGS, 400, "{}"},
    {"POST", A "email-templates/:category/preview", SETTINGS, 200, "{}"},
    {"GET", A "audit", AUDIT, 200, NULL},
    {"GET", A "audit/verify", AUDITORS, 200, NULL},
    {"GET", A "outbox", SETTINGS, 200, NULL},
    {"GET", A "outbox/:id", SETTINGS, 404, NULL},
    {"POST", A "auth/signout", ANYBODY, 200, NULL}, /* the last: what follows would have no session */
};

static bool may(enum may who, const char *role)
{
    const bool owner = strcmp(role, "owner") == 0;
    const bool admin = owner || strcmp(role, "admin") == 0;

    switch (who) {
    case OWNER:
        return owner;
    case APPLIANCE: /* the same right; never a key */
    case SETTINGS:
        return admin;
    case AUDITORS: /* the same right; never a key */
    case AUDIT:
        return admin || strcmp(role, "auditor") == 0;
    case TABLES:
        return admin || strcmp(role, "member") == 0;
    case ANYBODY:
        return true;
    case KEYLESS:
        return false;
    }
    return false;
}

static const char *method_name(enum http_method method)
{
    static const struct {
        enum http_method method;
        const char *name;
    } names[] = {
        {HTTP_GET, "GET"}, {HTTP_POST, "POST"}, {HTTP_PUT, "PUT"}, {HTTP_PATCH, "PATCH"}, {HTTP_DELETE, "DELETE"}};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (names[i].method == method) {
            return names[i].name;
        }
    }
    return "none";
}

static bool is_listed(const struct route *route)
{
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        if (strcmp(lines[i].pattern, route->pattern) == 0 && strcmp(lines[i].method, method_name(route->method)) == 0) {
            return true;
        }
    }
    return false;
}

static void every_route_of_admin_is_in_the_table(void **state)
{
    size_t count = 0;
    size_t found = 0;
    const struct route *routes = route_table(&count);
    (void)state;

    for (size_t i = 0; i < count; i++) {
        if (strncmp(routes[i].pattern, A, strlen(A)) == 0) {
            if (!is_listed(&routes[i])) {
                print_message("%s %s\n", method_name(routes[i].method), routes[i].pattern);
            }
            assert_true(is_listed(&routes[i]));
            found++;
        }
    }
    assert_int_equal(found, ARRAY_LENGTH(lines));
}

struct world {
    struct api_box *box;
    char table[64], key[64], environment[64];
    struct api_user operators[ARRAY_LENGTH(roles)];
};

static void make_world(struct api_box *box, struct world *out)
{
    out->box = box;
    api_box_table(box, "{\"tableName\":\"notes\",\"schema\":{\"text\":{\"type\":\"string\"}}}", out->table);
    const struct api_answer *key =
        api_box_send(box, "POST", box->secret, A "api-keys", "{\"name\":\"k\",\"type\":\"publishable\"}");
    assert_true(api_answer_member(key, "id", out->key, sizeof out->key));
    assert_true(api_answer_member(api_box_get(box, box->secret, A "environments"), "items.0.id", out->environment,
                                  sizeof out->environment));
    api_operator_make_owner(box);
    for (size_t i = 0; i < ARRAY_LENGTH(roles); i++) {
        char email[64];
        (void)snprintf(email, sizeof email, "%s@example.com", roles[i]);
        if (i > 0) {
            api_operator_make(box, roles[i]);
        }
        api_operator_sign_in(box, i == 0 ? OPERATOR_EMAIL : email, &out->operators[i]);
    }
}

/* The pattern with something that there is in place of each parameter, and the place in the query. */
static void target_of(const struct world *world, const char *pattern, char *out, size_t size)
{
    const char *id = strstr(pattern, "tables") != NULL     ? world->table
                     : strstr(pattern, "api-keys") != NULL ? world->key
                     : strstr(pattern, "environments")     ? world->environment
                     : strstr(pattern, "projects")         ? world->box->first.project_id
                                                           : NO_ID;
    size_t at = 0;

    while (*pattern != 0 && at + DATA_UUID_BYTES + 2 < size) {
        if (*pattern != ':') {
            out[at++] = *pattern++;
            continue;
        }
        const size_t len = strcspn(pattern, "/");
        const char *value = strncmp(pattern, ":version", len) == 0    ? "1"
                            : strncmp(pattern, ":category", len) == 0 ? "magic_link"
                                                                      : id;
        const size_t value_len = strnlen(value, DATA_UUID_BYTES);
        memcpy(out + at, value, value_len);
        at += value_len;
        pattern += len;
    }
    (void)snprintf(out + at, size - at, "?projectId=%.36s&environment=dev", world->box->first.project_id);
}

static void a_role_may_what_the_contract_says_and_nothing_else(void **state)
{
    struct world world;
    char target[512];
    make_world(*state, &world);

    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        if (lines[i].may == KEYLESS) {
            continue;
        }
        target_of(&world, lines[i].pattern, target, sizeof target);
        assert_refused(api_box_send(world.box, lines[i].method, NULL, target, lines[i].body), 401, "auth/unauthorized");
        for (size_t role = 0; role < ARRAY_LENGTH(roles); role++) {
            const struct api_answer *answer =
                api_operator_ask(world.box, &world.operators[role], lines[i].method, target, lines[i].body);
            const bool allowed = may(lines[i].may, roles[role]);
            if (answer->status != (allowed ? lines[i].status : DENIED)) {
                print_message("%s %s as %s: %s\n", lines[i].method, target, roles[role], answer->body);
            }
            assert_int_equal(answer->status, allowed ? lines[i].status : DENIED);
            if (!allowed) {
                assert_string_equal(api_answer_text(answer, "error.code"), "auth/forbidden");
            }
        }
    }
}

static void a_secret_key_is_refused_what_is_an_operators(void **state)
{
    struct world world;
    char target[512];
    make_world(*state, &world);

    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        target_of(&world, lines[i].pattern, target, sizeof target);
        if (lines[i].may == OWNER || lines[i].may == APPLIANCE || lines[i].may == AUDITORS) {
            assert_refused(api_box_send(world.box, lines[i].method, world.box->secret, target, lines[i].body), 403,
                           "auth/forbidden");
        }
        if (lines[i].may != KEYLESS && lines[i].may != ANYBODY) {
            assert_refused(api_box_send(world.box, lines[i].method, world.box->publishable, target, lines[i].body), 403,
                           "auth/forbidden");
            assert_refused(api_user_ask(world.box, world.box->publishable, &world.operators[0], lines[i].method, target,
                                        lines[i].body),
                           403, "auth/forbidden");
        }
    }
}

static void an_operator_names_the_place_by_body_query_or_id(void **state)
{
    struct world world;
    char text[512];
    make_world(*state, &world);
    struct api_box *box = world.box;
    const struct api_user *owner = &world.operators[0];

    assert_refused(api_operator_ask(box, owner, "GET", A "tables", NULL), 400, "common/invalid-parameters");
    assert_refused(api_operator_ask(box, owner, "GET", A "tables?projectId=" NO_ID "&environment=dev", NULL), 404,
                   "common/not-found");
    (void)snprintf(text, sizeof text, A "tables?projectId=%.36s&environment=prod", box->first.project_id);
    assert_refused(api_operator_ask(box, owner, "GET", text, NULL), 404, "common/not-found");
    (void)snprintf(text, sizeof text, "{\"projectId\":\"%.36s\",\"environment\":\"prod\"}", box->first.project_id);
    const struct api_answer *made = api_operator_ask(box, owner, "POST", A "environments", text);
    assert_int_equal(made->status, 201);
    (void)snprintf(text, sizeof text,
                   "{\"projectId\":\"%.36s\",\"environment\":\"prod\",\"tableName\":\"there\",\"schema\":{}}",
                   box->first.project_id);
    assert_int_equal(api_operator_ask(box, owner, "POST", A "tables", text)->status, 201);
    (void)snprintf(text, sizeof text, A "tables?projectId=%.36s&environment=prod", box->first.project_id);
    assert_string_equal(api_answer_text(api_operator_ask(box, owner, "GET", text, NULL), "items.0.tableName"), "there");
    (void)snprintf(text, sizeof text, "{\"projectId\":\"%.36s\",\"environment\":\"prod\",\"minLength\":12}",
                   box->first.project_id);
    assert_refused(api_operator_ask(box, owner, "PUT", A "auth-providers/email?environment=dev", text), 400,
                   "common/invalid-parameters");
    assert_refused(api_operator_ask(box, owner, "PUT", A "auth-providers/email?projectId=" NO_ID, text), 400,
                   "common/invalid-parameters");
    assert_int_equal(api_operator_ask(box, owner, "PUT", A "auth-providers/email?environment=prod", text)->status, 200);
    (void)snprintf(text, sizeof text, A "tables/%s?environment=prod", world.table);
    assert_refused(api_operator_ask(box, owner, "GET", text, NULL), 400, "common/invalid-parameters");
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, A "tables"), "items.0.tableName"), "notes");
    (void)snprintf(text, sizeof text, A "tables/%s", world.table);
    assert_int_equal(api_operator_ask(box, owner, "GET", text, NULL)->status, 200);
    (void)snprintf(text, sizeof text, "{\"tableId\":\"%s\",\"op\":\"list\",\"requester\":{\"group\":\"guest\"}}",
                   world.table);
    assert_int_equal(api_operator_ask(box, owner, "POST", A "explain", text)->status, 200);
    assert_refused(api_operator_ask(box, owner, "GET", A "tables/" NO_ID, NULL), 404, "common/not-found");
}

static void an_operator_makes_a_project_with_its_first_environment(void **state)
{
    static const char *const refused[] = {"{\"slug\":\"Shop\",\"name\":\"Shop\"}",
                                          "{\"slug\":\"shop\"}",
                                          "{\"name\":\"Shop\"}",
                                          "{\"slug\":\"shop\",\"name\":\"Shop\",\"primaryCloud\":\"moon\"}",
                                          "{\"slug\":\"shop\",\"name\":\"Shop\",\"organizationId\":\"" NO_ID "\"}",
                                          "{\"slug\":\"shop\",\"name\":\"Shop\",\"status\":\"x\"}"};
    struct world world;
    char target[256];
    make_world(*state, &world);
    const struct api_user *admin = &world.operators[1];

    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        assert_refused(api_operator_ask(world.box, admin, "POST", A "projects", refused[i]), 400,
                       "common/invalid-parameters");
    }
    const struct api_answer *made =
        api_operator_ask(world.box, admin, "POST", A "projects", "{\"slug\":\"shop\",\"name\":\"Shop\"}");
    assert_int_equal(made->status, 201);
    assert_string_equal(api_answer_text(made, "primaryCloud"), "onprem");
    assert_string_equal(api_answer_text(made, "environmentCount"), "1");
    (void)snprintf(target, sizeof target, A "api-keys?projectId=%s&environment=dev", api_answer_text(made, "id"));
    assert_refused(api_operator_ask(world.box, admin, "POST", A "projects", "{\"slug\":\"shop\",\"name\":\"S\"}"), 409,
                   "common/conflict");

    const struct api_answer *key =
        api_operator_ask(world.box, admin, "POST", target, "{\"name\":\"k\",\"type\":\"secret\"}");
    assert_int_equal(key->status, 201);
    char value[DATA_KEY_BYTES + 1];
    assert_true(api_answer_member(key, "value", value, sizeof value));
    assert_string_equal(api_answer_text(api_box_get(world.box, value, A "tables"), "pagination.total"), "0");
    assert_string_equal(api_answer_text(api_box_get(world.box, value, A "projects"), "items.0.slug"), "shop");
}

static void an_operator_sees_every_project_and_not_their_own_place(void **state)
{
    struct world world;
    char target[128];
    make_world(*state, &world);
    const struct span place = operators_place(world.box->data->current)->record.id;
    (void)snprintf(target, sizeof target, A "environments/%.36s", (const char *)place.data);

    const struct api_user *owner = &world.operators[0];
    assert_string_equal(
        api_answer_text(api_operator_ask(world.box, owner, "GET", A "projects", NULL), "pagination.total"), "1");
    assert_string_equal(
        api_answer_text(api_operator_ask(world.box, owner, "GET", A "environments", NULL), "pagination.total"), "1");
    assert_refused(api_operator_ask(world.box, owner, "GET", target, NULL), 404, "common/not-found");
    assert_refused(api_operator_ask(world.box, owner, "DELETE", target, "{\"confirmName\":\"operators\"}"), 404,
                   "common/not-found");
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_of_admin_is_in_the_table),
        T(a_role_may_what_the_contract_says_and_nothing_else),
        T(a_secret_key_is_refused_what_is_an_operators),
        T(an_operator_names_the_place_by_body_query_or_id),
        T(an_operator_makes_a_project_with_its_first_environment),
        T(an_operator_sees_every_project_and_not_their_own_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
