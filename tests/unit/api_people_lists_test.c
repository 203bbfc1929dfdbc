/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists of users, and the built-in tables as administrators read them. Spec: contract 4.1, 4.7, 5.10; K21. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/api_user.h"

/* Ada, Bob, Cid and \xc3\x89va, in this order; Bob is an administrator and called bobby, Cid's address has "ada" in it. */
static void sign_up_four(struct api_box *box, struct api_user out_users[4])
{
    static const char *const bodies[] = {
        "{\"email\":\"one@example.com\",\"password\":\"abc123\",\"name\":\"Ada\"}",
        "{\"email\":\"two@example.com\",\"password\":\"abc123\",\"name\":\"Bob\"}",
        "{\"email\":\"ada.three@example.com\",\"password\":\"abc123\",\"name\":\"Cid\"}",
        "{\"email\":\"a.four@example.com\",\"password\":\"abc123\",\"name\":\"\xc3\x89va\"}",
    };

    for (size_t i = 0; i < 4; i++) {
        api_user_take(api_box_send(box, "POST", box->publishable, SIGN_UP, bodies[i]), &out_users[i]);
        sim_clock_advance_ms(&box->clock, 5);
    }
    (void)api_user_manage(box, "PATCH", &out_users[1], "/role", "{\"role\":\"admin\"}");
    (void)api_user_manage(box, "PATCH", &out_users[1], "/profile", "{\"nickname\":\"bobby\"}");
}

/* The first letters of the names in a list; '\xc3' is \xc3\x89va. */
static const char *names_of(const struct api_answer *answer)
{
    static char names[16];
    char path[32];
    char name[64];
    size_t count = 0;

    if (answer->status != 200) {
        print_message("%s\n", answer->body);
    }
    assert_int_equal(answer->status, 200);
    for (size_t i = 0; i < sizeof names - 1; i++) {
        (void)snprintf(path, sizeof path, "items.%zu.name", i);
        if (!api_answer_member(answer, path, name, sizeof name)) {
            break;
        }
        names[count++] = name[0] == '\xc3' ? 'E' : name[0];
    }
    names[count] = 0;
    return names;
}

static void administrators_sort_and_search_users_by_what_the_contract_names(void **state)
{
    static const struct {
        const char *query, *names;
    } cases[] = {
        {"", "ECBA"},
        {"?sortBy=createdAt", "ECBA"},
        {"?sortBy=createdAt&sortDirection=asc", "ABCE"},
        {"?sortDirection=ASC", "ABCE"},
        {"?sortBy=updatedAt", "BECA"},
        {"?sortBy=name&sortDirection=asc", "ABCE"},
        {"?sortBy=email&sortDirection=asc", "ECAB"},
        {"?sortBy=role&sortDirection=asc", "BACE"},
        {"?search=ADA", "CA"},
        {"?search=ada&searchType=name", "A"},
        {"?search=ada&searchType=email", "C"},
        {"?search=bobb", "B"},
        {"?search=bobb&searchType=nickname", "B"},
        {"?search=bobb&searchType=name", ""},
        {"?search=%C3%A9V", "E"},
        {"?search=", "ECBA"},
        {"?search=abc123", ""},
        {"?search=user", ""},
        {"?search=a&sortBy=email&sortDirection=asc&limit=1&page=2", "C"},
        {"?sortBy=name&limit=2&page=2", "BA"},
        {"?unknown=1", "ECBA"},
    };
    struct api_box *box = *state;
    struct api_user users[4];
    char target[160];
    sign_up_four(box, users);

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        (void)snprintf(target, sizeof target, "/v1/users%s", cases[i].query);
        const char *names = names_of(api_box_get(box, box->secret, target));
        if (strcmp(names, cases[i].names) != 0) {
            print_message("%s\n", target);
        }
        assert_string_equal(names, cases[i].names);
        (void)snprintf(target, sizeof target, "/v1/data/users%s", cases[i].query);
        assert_string_equal(names_of(api_user_ask(box, box->publishable, &users[1], "GET", target, NULL)),
                            cases[i].names);
    }
    assert_string_equal(
        api_answer_text(api_box_get(box, box->secret, "/v1/users?search=ada&limit=1"), "pagination.total"), "2");
}

static void attack_01_who_sees_public_fields_alone_asks_about_no_others(void **state)
{
    static const char *const forbidden[] = {"sortBy=email", "sortBy=role", "sortBy=updatedAt",
                                            "search=a&searchType=email", "includeAccounts=true"};
    struct api_box *box = *state;
    struct api_user users[4];
    char target[160];
    sign_up_four(box, users);

    for (size_t i = 0; i < ARRAY_LENGTH(forbidden); i++) {
        (void)snprintf(target, sizeof target, "/v1/users?%s", forbidden[i]);
        assert_refused(api_user_ask(box, box->publishable, &users[0], "GET", target, NULL), 403, "user/forbidden");
    }
    const struct api_answer *seen =
        api_user_ask(box, box->publishable, &users[0], "GET", "/v1/users?search=example.com", NULL);
    assert_string_equal(api_answer_text(seen, "pagination.total"), "0");
    seen = api_user_ask(box, box->publishable, &users[0], "GET", "/v1/users?search=ada", NULL);
    assert_string_equal(names_of(seen), "A"); /* not Cid, whose address has it */
    assert_string_equal(api_answer_text(seen, "pagination.total"), "1");
    assert_null(strstr(seen->body, "@"));
    seen = api_user_ask(box, box->publishable, &users[0], "GET",
                        "/v1/users?sortBy=name&sortDirection=asc&search=b&includeAccounts=false", NULL);
    assert_string_equal(names_of(seen), "B");
    assert_string_equal(api_answer_text(seen, "items.0"), "{5}");
}

static void attack_10_a_project_that_hides_who_there_is_keeps_lists_and_checks_to_administrators(void **state)
{
    static const char *const body = "{\"type\":\"credentials\",\"providerAccountId\":\"one@example.com\"}";
    struct api_box *box = *state;
    struct api_user users[4];
    char target[160];
    char project[64];
    sign_up_four(box, users);
    assert_true(
        api_answer_member(api_box_get(box, box->secret, "/v1/admin/projects"), "items.0.id", project, sizeof project));
    (void)snprintf(target, sizeof target, "/v1/admin/projects/%s", project);
    assert_int_equal(
        api_box_send(box, "PATCH", box->secret, target, "{\"settings\":{\"securityPreset\":\"hardened\"}}")->status,
        200);

    assert_refused(api_user_ask(box, box->publishable, &users[0], "GET", "/v1/users", NULL), 403, "user/forbidden");
    assert_refused(api_user_ask(box, box->publishable, &users[1], "GET", "/v1/users", NULL), 403,
                   "user/forbidden"); /* an administrator without a second factor counts as none here */
    assert_string_equal(names_of(api_box_get(box, box->secret, "/v1/users")), "ECBA");
    assert_string_equal(names_of(api_user_ask(box, box->secret, &users[0], "GET", "/v1/users", NULL)), "ECBA");
    assert_string_equal(api_box_send(box, "POST", box->publishable, "/v1/auth/accounts/check", body)->body,
                        "{\"exists\":false}");
}

/* Each setting alone: who lists users, and whether a check knows somebody. */
static void attack_10_each_setting_hides_what_it_says(void **state)
{
    static const struct {
        const char *settings;
        bool listed, known;
    } cases[] = {
        {"{\"usersListVisibility\":\"admin-only\"}", false, true},
        {"{\"usersListVisibility\":\"public-fields\",\"enumerationProtection\":true}", false, false},
        {"{\"enumerationProtection\":false}", true, true},
    };
    struct api_box *box = *state;
    struct api_user users[4];
    char project[64];
    char target[160];
    char body[160];
    sign_up_four(box, users);
    assert_true(
        api_answer_member(api_box_get(box, box->secret, "/v1/admin/projects"), "items.0.id", project, sizeof project));

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        (void)snprintf(target, sizeof target, "/v1/admin/projects/%s", project);
        (void)snprintf(body, sizeof body, "{\"settings\":%s}", cases[i].settings);
        assert_int_equal(api_box_send(box, "PATCH", box->secret, target, body)->status, 200);
        assert_int_equal(api_user_ask(box, box->publishable, &users[0], "GET", "/v1/users", NULL)->status,
                         cases[i].listed ? 200 : 403);
        assert_string_equal(names_of(api_user_ask(box, box->publishable, &users[1], "GET", "/v1/users", NULL)), "ECBA");
        const struct api_answer *known =
            api_box_send(box, "POST", box->publishable, "/v1/auth/accounts/check",
                         "{\"type\":\"credentials\",\"providerAccountId\":\"one@example.com\"}");
        assert_string_equal(known->body, cases[i].known
                                             ? "{\"exists\":true,\"type\":\"credentials\",\"provider\":\"credentials\"}"
                                             : "{\"exists\":false}");
    }
}

static void a_parameter_that_is_not_offered_is_refused(void **state)
{
    static const char *const refused[] = {
        "/v1/users?sortBy=password",
        "/v1/users?sortBy=nickname",
        "/v1/users?sortBy=id%00",
        "/v1/users?sortBy=",
        "/v1/users?sortDirection=up",
        "/v1/users?search=a&searchType=role",
        "/v1/users?search=a&search=b",
        "/v1/users?sortBy=name&sortBy=name",
        "/v1/users?includeAccounts=maybe",
        "/v1/users?page=0",
        "/v1/users?limit=0",
        "/v1/users?limit=-1",
        "/v1/users?page=1&page=2",
        "/v1/users?orFilters=[]",
        "/v1/users?select=email",
        "/v1/users?offset=1",
        "/v1/data/sessions?search=a",
        "/v1/data/sessions?sortBy=email",
        "/v1/data/accounts?sortBy=password",
        "/v1/data/accounts?includeAccounts=true",
    };
    struct api_box *box = *state;
    char target[400];

    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        assert_refused(api_box_get(box, box->secret, refused[i]), 400, "common/invalid-parameters");
    }
    (void)snprintf(target, sizeof target, "/v1/users?search=%0257d", 1);
    assert_refused(api_box_get(box, box->secret, target), 400, "common/invalid-parameters");
}

static void users_come_with_their_accounts_when_asked(void **state)
{
    struct api_box *box = *state;
    struct api_user users[4];
    sign_up_four(box, users);

    const struct api_answer *got = api_box_get(box, box->secret, "/v1/users?includeAccounts=true&limit=2");
    assert_string_equal(names_of(got), "EC");
    assert_string_equal(api_answer_text(got, "items.1.id"), users[2].id);
    assert_string_equal(api_answer_text(got, "items.1.accounts"), "[1]");
    assert_string_equal(api_answer_text(got, "items.1.accounts.0"), "{5}");
    assert_string_equal(api_answer_text(got, "items.1.accounts.0.userId"), users[2].id);
    assert_string_equal(api_answer_text(got, "items.1.accounts.0.provider"), "credentials");
    assert_string_equal(api_answer_text(got, "pagination.total"), "4");
    got = api_box_get(box, box->secret, "/v1/users?includeAccounts=true&sortBy=name&sortDirection=asc&limit=2&page=2");
    assert_string_equal(names_of(got), "CE");
    assert_string_equal(api_answer_text(got, "items.1.accounts.0.userId"), users[3].id);
    assert_null(strstr(api_box_get(box, box->secret, "/v1/users")->body, "accounts"));
}

static void accounts_are_a_built_in_table_without_hashes(void **state)
{
    struct api_box *box = *state;
    struct api_user users[4];
    char target[128];
    char id[64];
    sign_up_four(box, users);

    const struct api_answer *got =
        api_box_get(box, box->secret, "/v1/data/accounts?sortBy=connectedAt&sortDirection=asc");
    assert_string_equal(api_answer_text(got, "pagination.total"), "4");
    assert_string_equal(api_answer_text(got, "items.0"),
                        "{5}"); /* id, userId, provider, providerAccountId, connectedAt */
    assert_string_equal(api_answer_text(got, "items.0.userId"), users[0].id);
    assert_true(api_answer_member(got, "items.0.id", id, sizeof id));
    (void)snprintf(target, sizeof target, "/v1/data/accounts/%s", id);
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, target), "userId"), users[0].id);
    assert_refused(api_box_get(box, box->secret, "/v1/data/accounts/11111111-1111-4111-8111-111111111111"), 404,
                   "data/not-found");
    assert_refused(api_user_ask(box, box->publishable, &users[0], "GET", target, NULL), 403,
                   "data/system-table-access");
    assert_refused(api_box_send(box, "DELETE", box->secret, target, NULL), 403, "data/system-table-access");
    got = api_box_get(box, box->secret, "/v1/data/sessions?sortBy=lastActivityAt&sortDirection=asc");
    assert_string_equal(api_answer_text(got, "items.0.userId"), users[0].id);
}

static void built_in_tables_are_described_to_administrators(void **state)
{
    static const struct {
        const char *name, *field, *type;
    } cases[] = {{"users", "schema.properties.mfaEnabled.bsonType", "bool"},
                 {"sessions", "schema.properties.lastActivityAt.bsonType", "date"},
                 {"accounts", "schema.properties.providerAccountId.bsonType", "string"}};
    struct api_box *box = *state;
    struct api_user user;
    char target[128];
    char path[128];
    api_user_sign_up(box, &user);

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        (void)snprintf(target, sizeof target, "/v1/data/%s/spec", cases[i].name);
        const struct api_answer *spec = api_box_get(box, box->secret, target);
        assert_int_equal(spec->status, 200);
        assert_string_equal(api_answer_text(spec, "tableName"), cases[i].name);
        assert_string_equal(api_answer_text(spec, cases[i].field), cases[i].type);
        assert_string_equal(api_answer_text(spec, "permissions"), "{0}");
        assert_string_equal(api_answer_text(spec, "indexes"), "[1]");
        assert_null(strstr(spec->body, "assword"));
        assert_refused(api_user_ask(box, box->publishable, &user, "GET", target, NULL), 403,
                       "data/system-table-access");
        assert_refused(api_box_get(box, box->publishable, target), 403, "data/system-table-access");
        (void)snprintf(target, sizeof target, "/v1/data/%s/openapi", cases[i].name);
        const struct api_answer *openapi = api_box_get(box, box->secret, target);
        assert_int_equal(openapi->status, 200);
        (void)snprintf(path, sizeof path, "components.schemas.%s.type", cases[i].name);
        assert_string_equal(api_answer_text(openapi, path), "object");
        assert_null(strstr(openapi->body, "\"post\""));
        assert_null(strstr(openapi->body, "\"patch\""));
        assert_null(strstr(openapi->body, "\"delete\""));
    }
    assert_refused(api_box_get(box, box->secret, "/v1/data/files/spec"), 404, "data/table-not-found");
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(administrators_sort_and_search_users_by_what_the_contract_names),
        T(attack_01_who_sees_public_fields_alone_asks_about_no_others),
        T(attack_10_a_project_that_hides_who_there_is_keeps_lists_and_checks_to_administrators),
        T(attack_10_each_setting_hides_what_it_says),
        T(a_parameter_that_is_not_offered_is_refused),
        T(users_come_with_their_accounts_when_asked),
        T(accounts_are_a_built_in_table_without_hashes),
        T(built_in_tables_are_described_to_administrators),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
