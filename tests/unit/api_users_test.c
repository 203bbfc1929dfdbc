/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Users as administrators and they themselves see and change them. Spec: contract 4.1, 5.10. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/auth/verify.h"
#include "tests/lib/api_user.h"

static void who_may_manage_users_is_decided_before_the_id_is_looked_up(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    const char *nobody = "/v1/users/11111111-1111-4111-8111-111111111111";

    assert_refused(api_box_get(box, box->publishable, nobody), 401, "user/unauthorized");
    assert_refused(api_user_ask(box, box->publishable, &user, "PATCH", nobody, "{}"), 403, "user/forbidden");
    assert_refused(api_user_ask(box, box->publishable, &user, "PATCH",
                                "/v1/users/11111111-1111-4111-8111-111111111111/role", "{}"),
                   403, "user/forbidden");
    assert_refused(api_box_get(box, box->secret, nobody), 404, "user/not-found");
}

static void attack_07_a_user_changes_their_name_and_nothing_else(void **state)
{
    struct api_box *box = *state;
    char target[128];
    struct api_user user;
    api_user_sign_up(box, &user);
    (void)snprintf(target, sizeof target, "/v1/users/%s", user.id);

    const struct api_answer *answer =
        api_user_ask(box, box->publishable, &user, "PATCH", target,
                     "{\"name\":\"Ada L.\",\"role\":\"admin\",\"roles\":[\"x\"],\"email\":\"b@c.dd\",\"banned\":true}");

    assert_int_equal(answer->status, 200);
    assert_string_equal(api_answer_text(answer, "name"), "Ada L.");
    assert_string_equal(api_answer_text(answer, "role"), "user");
    assert_string_equal(api_answer_text(answer, "roles"), "[0]");
    assert_string_equal(api_answer_text(answer, "email"), "ada@example.com");
}

static void roles_are_names_of_their_own(void **state)
{
    static const char *const refused[] = {
        "{}",
        "{\"role\":\"root\"}",
        "{\"role\":null}",
        "{\"role\":{\"$ne\":1}}",
        "{\"role\":\"user\",\"roles\":null}",
        "{\"role\":\"user\",\"roles\":\"x\"}",
        "{\"role\":\"user\",\"roles\":[\"admin\"]}",
        "{\"role\":\"user\",\"roles\":[\"self\"]}",
        "{\"role\":\"user\",\"roles\":[\"Moderator\"]}",
        "{\"role\":\"user\",\"roles\":[\"\"]}",
        "{\"role\":\"user\",\"roles\":[1]}",
        "{\"role\":\"user\",\"roles\":[\"a23456789012345678901234567890123\"]}",
    };
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);

    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        assert_refused(api_user_manage(box, "PATCH", &user, "/role", refused[i]), 400, "user/invalid-role");
    }
    assert_string_equal(api_answer_text(api_user_manage(box, "PATCH", &user, "/role",
                                                        "{\"role\":\"guest\",\"roles\":[\"a\",\"b\",\"a\"]}"),
                                        "roles"),
                        "[2]");
}

static void a_user_has_at_most_twenty_roles(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    char body[512];
    size_t len = (size_t)snprintf(body, sizeof body, "{\"role\":\"user\",\"roles\":[\"r0\"");
    api_user_sign_up(box, &user);
    for (unsigned int role = 1; role < AUTH_ROLES_MAX; role++) {
        len += (size_t)snprintf(body + len, sizeof body - len, ",\"r%u\"", role);
    }

    (void)snprintf(body + len, sizeof body - len, "]}");
    assert_string_equal(api_answer_text(api_user_manage(box, "PATCH", &user, "/role", body), "roles"), "[20]");
    (void)snprintf(body + len, sizeof body - len, ",\"one-more\"]}");
    assert_refused(api_user_manage(box, "PATCH", &user, "/role", body), 400, "user/invalid-role");
}

static void vector_31_a_secret_key_writes_on_behalf_of_a_user(void **state)
{
    struct api_box *box = *state;
    char table[64];
    struct api_user user;
    api_box_table(box, BOARD, table);
    api_user_sign_up(box, &user);
    char header[128];
    (void)snprintf(header, sizeof header, "X-On-Behalf-Of: %s", user.id);
    const struct api_ask ask = {
        .method = "POST", .target = "/v1/data/posts", .key = box->secret, .body = "{}", .header = header};

    assert_string_equal(api_answer_text(api_box_ask(box, &ask), "createdBy"), user.id);
}

static void a_request_on_behalf_of_two_users_is_on_behalf_of_none(void **state)
{
    struct api_box *box = *state;
    char table[64];
    struct api_user user;
    char header[128];
    api_box_table(box, BOARD, table);
    api_user_sign_up(box, &user);
    (void)snprintf(header, sizeof header, "X-On-Behalf-Of: %s", user.id);
    const struct api_ask ask = {.method = "POST",
                                .target = "/v1/data/posts",
                                .key = box->secret,
                                .body = "{}",
                                .header = header,
                                .header2 = header};

    assert_refused(api_box_ask(box, &ask), 400, "data/invalid-header");
}

static void a_user_who_withdraws_leaves_the_address_and_nothing_else(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user again;
    api_user_sign_up(box, &user);

    assert_int_equal(api_user_ask(box, box->publishable, &user, "DELETE", "/v1/auth/withdraw", NULL)->status, 200);

    assert_refused(api_user_me(box, &user), 401, "auth/session-expired");
    assert_refused(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT("ada@example.com", "abc123")), 401,
                   "auth/invalid-credentials");
    assert_refused(api_user_manage(box, "GET", &user, "", NULL), 404, "user/not-found");
    api_user_sign_up(box, &again);
    assert_string_not_equal(again.id, user.id);
}

static void sign_up_some(struct api_box *box, unsigned int count, struct api_user *out_last)
{
    char body[256];

    for (unsigned int i = 0; i < count; i++) {
        (void)snprintf(body, sizeof body, "{\"email\":\"u%u@example.com\",\"password\":\"abc123\",\"name\":\"U%u\"}", i,
                       i);
        api_user_take(api_box_send(box, "POST", box->publishable, SIGN_UP, body), out_last);
    }
}

static void users_are_listed_newest_first_with_what_the_reader_may_see(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    sign_up_some(box, 5, &user);

    const struct api_answer *all = api_box_get(box, box->secret, "/v1/users?limit=2&page=2");
    assert_int_equal(all->status, 200);
    assert_string_equal(api_answer_text(all, "pagination.total"), "5");
    assert_string_equal(api_answer_text(all, "items"), "[2]");
    assert_string_equal(api_answer_text(all, "items.0.email"), "u2@example.com");
    assert_string_equal(api_answer_text(all, "items.1.name"), "U1");

    const struct api_answer *seen = api_user_ask(box, box->publishable, &user, "GET", "/v1/users?limit=1", NULL);
    assert_string_equal(api_answer_text(seen, "items.0.name"), "U4");
    assert_string_equal(api_answer_text(seen, "items.0"), "{5}"); /* id, name, nickname, image, createdAt */
    assert_null(strstr(seen->body, "@"));
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, "/v1/users?page=9"), "items"), "[0]");
    assert_refused(api_box_get(box, box->publishable, "/v1/users"), 401, "user/unauthorized");
    assert_refused(api_box_get(box, box->secret, "/v1/users?andFilters={}"), 400, "common/invalid-parameters");
}

static void built_in_tables_show_administrators_the_same_and_no_secret(void **state)
{
    struct api_box *box = *state;
    char target[128];
    struct api_user user;
    api_user_sign_up(box, &user);

    const struct api_answer *users = api_box_get(box, box->secret, "/v1/data/users");
    assert_string_equal(api_answer_text(users, "items.0.id"), user.id);
    assert_string_equal(api_answer_text(users, "items.0.email"), "ada@example.com");
    (void)snprintf(target, sizeof target, "/v1/data/users/%s", user.id);
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, target), "name"), "Ada");
    const struct api_answer *sessions = api_box_get(box, box->secret, "/v1/data/sessions");
    assert_string_equal(api_answer_text(sessions, "items.0.userId"), user.id);
    assert_string_equal(api_answer_text(sessions, "items.0"), "{8}"); /* as in contract 5.4 */
    assert_string_equal(api_answer_text(api_box_get(box, box->secret, "/v1/data/files"), "pagination.total"), "0");

    assert_refused(api_user_ask(box, box->publishable, &user, "GET", "/v1/data/users", NULL), 403,
                   "data/system-table-access");
    assert_refused(api_user_ask(box, box->publishable, &user, "GET", target, NULL), 403, "data/system-table-access");
    assert_refused(api_box_send(box, "PATCH", box->secret, target, "{\"name\":\"x\"}"), 403,
                   "data/system-table-access");
    assert_refused(api_box_get(box, box->secret, "/v1/data/users/11111111-1111-4111-8111-111111111111"), 404,
                   "data/not-found");
}

static void an_environment_takes_its_users_and_keys_along(void **state)
{
    struct api_box *box = *state;
    char target[128];
    char environment[64];
    struct api_user user;
    api_user_sign_up(box, &user);
    const struct api_answer *list = api_box_get(box, box->secret, "/v1/admin/environments");
    assert_true(api_answer_member(list, "items.0.id", environment, sizeof environment));
    (void)snprintf(target, sizeof target, "/v1/admin/environments/%s", environment);
    assert_int_equal(box->environment_count, 1);

    assert_int_equal(api_box_send(box, "DELETE", box->secret, target, "{\"confirmName\":\"dev\"}")->status, 200);

    assert_int_equal(box->environment_count, 0); /* the keeper's keys are destroyed */
    assert_refused(api_user_me(box, &user), 404, "data/environment-not-found");
}

static void ids_of_any_length_are_absent_and_nothing_worse(void **state)
{
    static const char *const methods[][2] = {{"PATCH", ""}, {"DELETE", ""}, {"PATCH", "/role"}, {"PATCH", "/ban"}};
    struct api_box *box = *state;
    char id[9001];
    char target[9100];
    struct api_user user;
    api_user_sign_up(box, &user);
    memset(id, 'a', sizeof id - 1);
    id[sizeof id - 1] = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(methods); i++) {
        (void)snprintf(target, sizeof target, "/v1/users/%s%s", id, methods[i][1]);
        assert_refused(api_box_send(box, methods[i][0], box->secret, target, "{\"role\":\"user\",\"banned\":true}"),
                       404, "user/not-found");
    }
    (void)snprintf(target, sizeof target, "/v1/auth/sessions/%s", id);
    assert_refused(api_user_ask(box, box->publishable, &user, "DELETE", target, NULL), 404, "auth/session-not-found");
}

static void a_user_without_fields_is_not_made(void **state)
{
    static const struct {
        const char *body, *code;
    } cases[] = {
        {NULL, "user/invalid-request"},
        {"[]", "user/invalid-request"},
        {"null", "user/invalid-request"},
        {"1", "user/invalid-request"},
        {"{", "user/invalid-request"},
        {"{}", "user/invalid-name"},
        {"{\"name\":{},\"email\":[]}", "user/invalid-name"},
        {"{\"name\":\"A\",\"email\":null}", "user/invalid-request"},
        {"{\"name\":\"A\",\"email\":\"a@b.cc\",\"role\":null}", "user/invalid-role"},
        {"{\"name\":\"A\",\"email\":\"a@b.cc\",\"roles\":null}", "user/invalid-role"},
    };
    struct api_box *box = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_refused(api_box_send(box, "POST", box->secret, "/v1/users", cases[i].body), 400, cases[i].code);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(ids_of_any_length_are_absent_and_nothing_worse),
        T(a_user_without_fields_is_not_made),
        T(who_may_manage_users_is_decided_before_the_id_is_looked_up),
        T(attack_07_a_user_changes_their_name_and_nothing_else),
        T(roles_are_names_of_their_own),
        T(a_user_has_at_most_twenty_roles),
        T(vector_31_a_secret_key_writes_on_behalf_of_a_user),
        T(a_request_on_behalf_of_two_users_is_on_behalf_of_none),
        T(a_user_who_withdraws_leaves_the_address_and_nothing_else),
        T(users_are_listed_newest_first_with_what_the_reader_may_see),
        T(built_in_tables_show_administrators_the_same_and_no_secret),
        T(an_environment_takes_its_users_and_keys_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
