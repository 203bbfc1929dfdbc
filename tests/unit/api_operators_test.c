/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The first operator and how operators sign in. Spec: contract 6, 10.1. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/operators.h"
#include "firmware/data/people_int.h"
#include "hal/base/fault.h"
#include "tests/lib/api_operator.h"
#include "tests/lib/api_stored.h"
#include "tests/lib/store_raw.h"

#define ADMIN                        OPERATOR_ADMIN
#define EMAIL                        OPERATOR_EMAIL
#define PASSWORD                     OPERATOR_PASSWORD
#define WRONG_CODE                   "AAAAAAAAAAAAAAAA"
#define SECOND_MS                    1000
#define CODE_LIFE_MS                 900000
#define CREDENTIALS(email, password) "{\"email\":\"" email "\",\"password\":\"" password "\"}"

static const struct api_answer *sign_in(struct api_box *box, const char *body)
{
    return api_box_send(box, "POST", NULL, ADMIN "/signin", body);
}

struct fixture {
    struct api_box *box;
    struct api_user owner;
    char code[SETUP_CODE_CHARS + 1];
};

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.box = api_box_new()};
    *state = &fixture;
    return 0;
}

static int set_up_code(void **state)
{
    (void)set_up(state);
    struct fixture *f = *state;
    api_operator_offer(f->box, f->code);
    return 0;
}

static int set_up_owner(void **state)
{
    (void)set_up(state);
    struct fixture *f = *state;
    api_operator_make_owner(f->box);
    api_operator_sign_in(f->box, EMAIL, &f->owner);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    api_box_free(f->box);
    return 0;
}

static const struct api_answer *me(struct api_box *box, const struct api_user *user)
{
    return api_user_ask(box, NULL, user, "GET", ADMIN "/me", NULL);
}

static void the_setup_code_makes_an_owner_who_signs_in(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;

    const struct api_answer *made = api_operator_set_up(box, f->code);

    assert_int_equal(made->status, 201);
    assert_string_equal(api_answer_text(made, "role"), "owner");
    assert_string_equal(api_answer_text(made, "email"), EMAIL);
    assert_null(strstr(made->body, "assword"));
    api_operator_sign_in(box, EMAIL, &f->owner);
    assert_string_equal(api_answer_text(me(box, &f->owner), "role"), "owner");
    assert_string_equal(api_answer_text(me(box, &f->owner), "id"), f->owner.id);
}

static void a_code_that_is_not_the_one_makes_nobody(void **state)
{
    static const char *const wrong[] = {WRONG_CODE, "", "A", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    struct fixture *f = *state;
    struct api_box *box = f->box;

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        sim_clock_advance_ms(&box->clock, SECOND_MS);
        const bool empty = wrong[i][0] == 0;
        assert_refused(api_operator_set_up(box, wrong[i]), empty ? 400 : 401,
                       empty ? "auth/invalid-request" : "auth/invalid-credentials");
    }
    assert_null(operators_place(box->data->current));
    box->setup.there = false;
    sim_clock_advance_ms(&box->clock, SECOND_MS);
    assert_refused(api_operator_set_up(box, f->code), 401, "auth/invalid-credentials");
}

static void attack_11_the_setup_code_is_tried_once_a_second(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;
    assert_refused(api_operator_set_up(box, WRONG_CODE), 401, "auth/invalid-credentials");

    assert_refused(api_operator_set_up(box, f->code), 429, "auth/too-many-requests");
    sim_clock_advance_ms(&box->clock, SECOND_MS);
    assert_int_equal(api_operator_set_up(box, f->code)->status, 201);
}

static void the_setup_code_is_over_after_fifteen_minutes(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;

    sim_clock_advance_ms(&box->clock, CODE_LIFE_MS);
    assert_refused(api_operator_set_up(box, f->code), 401, "auth/invalid-credentials");
    api_operator_offer(box, f->code);
    sim_clock_advance_ms(&box->clock, CODE_LIFE_MS - 1);
    assert_int_equal(api_operator_set_up(box, f->code)->status, 201);
}

static void the_setup_code_dies_when_it_is_used_also_across_a_restart(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;
    assert_int_equal(api_operator_set_up(box, f->code)->status, 201);

    sim_clock_advance_ms(&box->clock, SECOND_MS);
    assert_refused(api_operator_set_up(box, f->code), 401, "auth/invalid-credentials");
    api_box_restart(box);
    sim_clock_advance_ms(&box->clock, SECOND_MS);
    assert_refused(api_operator_set_up(box, f->code), 401, "auth/invalid-credentials");
    assert_non_null(operators_place(box->data->current));
    api_operator_sign_in(box, EMAIL, &f->owner);
}

static void two_who_use_the_code_at_once_make_one_owner(void **state)
{
    const struct api_ask ask[] = {{.method = "POST", .target = ADMIN "/setup"},
                                  {.method = "POST", .target = ADMIN "/setup"}};
    struct api_box_pending *pending[ARRAY_LENGTH(ask)];
    struct fixture *f = *state;
    struct api_box *box = f->box;
    char body[ARRAY_LENGTH(ask)][256];

    for (size_t i = 0; i < ARRAY_LENGTH(ask); i++) {
        struct api_ask each = ask[i];
        (void)snprintf(body[i], sizeof body[i],
                       "{\"setupCode\":\"%s\",\"email\":\"o%zu@example.com\",\"password\":\"" PASSWORD
                       "\",\"name\":\"Root\"}",
                       f->code, i);
        each.body = body[i];
        pending[i] = api_box_begin(box, &each);
        sim_clock_advance_ms(&box->clock, SECOND_MS); /* the limit does not keep the second from trying */
    }

    assert_int_equal(api_box_finish(box, pending[0])->status, 201);
    assert_refused(api_box_finish(box, pending[1]), 409, "common/conflict");
}

static void fields_of_the_setup_are_checked_and_its_body_is_small(void **state)
{
    static const struct {
        const char *body;
        unsigned int status;
        const char *code;
    } cases[] = {
        {"{\"setupCode\":\"x\",\"email\":\"no\",\"password\":\"" PASSWORD "\",\"name\":\"R\"}", 400,
         "auth/invalid-email"},
        {"{\"setupCode\":\"x\",\"email\":\"a@example.com\",\"password\":\"abc\",\"name\":\"R\"}", 400,
         "auth/invalid-password-format"},
        {"{\"setupCode\":\"x\",\"email\":\"a@example.com\",\"password\":\"" PASSWORD "\"}", 400,
         "auth/invalid-request"},
        {"{\"setupCode\":{\"$ne\":1},\"email\":\"a@example.com\",\"password\":\"" PASSWORD "\",\"name\":\"R\"}", 400,
         "auth/invalid-request"},
        {"[]", 400, "common/invalid-parameters"},
    };
    struct fixture *f = *state;
    struct api_box *box = f->box;
    char large[5000];

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_refused(api_box_send(box, "POST", NULL, ADMIN "/setup", cases[i].body), cases[i].status, cases[i].code);
    }
    memset(large, ' ', sizeof large);
    large[sizeof large - 1] = 0;
    assert_refused(api_box_send(box, "POST", NULL, ADMIN "/setup", large), 413, "common/payload-too-large");
}

static void without_an_operator_nobody_signs_in(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;

    assert_refused(sign_in(box, CREDENTIALS(EMAIL, PASSWORD)), 401, "auth/unauthorized");
    assert_refused(api_box_get(box, NULL, ADMIN "/me"), 401, "auth/unauthorized");
}

static void wrong_credentials_of_operators_are_refused_and_counted(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;

    assert_refused(sign_in(box, CREDENTIALS("nobody@example.com", PASSWORD)), 401, "auth/invalid-credentials");
    for (int i = 0; i < 5; i++) {
        assert_refused(sign_in(box, CREDENTIALS(EMAIL, "wrong horse")), 401, "auth/invalid-credentials");
    }
    assert_refused(sign_in(box, CREDENTIALS(EMAIL, PASSWORD)), 429, "auth/too-many-login-attempts");
    assert_refused(sign_in(box, "{\"method\":\"magiclink\",\"email\":\"" EMAIL "\"}"), 400, "auth/magiclink-disabled");
}

#define BODY_MAX (AUTH_TOKEN_MAX + 32)

static void write_refresh(const struct api_user *user, char out_body[BODY_MAX])
{
    (void)snprintf(out_body, BODY_MAX, "{\"refreshToken\":\"%s\"}", user->refresh);
}

static void an_operator_refreshes_and_signs_out(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;
    struct api_user next;
    char body[BODY_MAX];
    write_refresh(&f->owner, body);
    sim_clock_advance_ms(&box->clock, SECOND_MS);

    api_user_take(api_box_send(box, "POST", NULL, ADMIN "/refresh", body), &next);

    assert_int_equal(me(box, &next)->status, 200);
    assert_refused(api_box_send(box, "POST", box->publishable, REFRESH, body), 401, "auth/invalid-refresh-token");
    assert_int_equal(api_user_ask(box, NULL, &next, "POST", ADMIN "/signout", NULL)->status, 200);
    assert_refused(me(box, &next), 401, "auth/session-expired");
    assert_refused(api_user_ask(box, NULL, &next, "POST", ADMIN "/signout", NULL), 401, "auth/session-expired");
}

static void a_refresh_token_used_twice_ends_the_sessions_of_the_operator(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;
    struct api_user next;
    char body[BODY_MAX];
    write_refresh(&f->owner, body);
    sim_clock_advance_ms(&box->clock, SECOND_MS);
    api_user_take(api_box_send(box, "POST", NULL, ADMIN "/refresh", body), &next);

    assert_refused(api_box_send(box, "POST", NULL, ADMIN "/refresh", body), 401, "auth/invalid-refresh-token");

    assert_refused(me(box, &next), 401, "auth/session-expired");
}

static void an_operator_changes_the_password(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;

    assert_refused(api_user_ask(box, NULL, &f->owner, "POST", ADMIN "/password/change",
                                "{\"currentPassword\":\"wrong horse\",\"newPassword\":\"Another-horse-battery-8\"}"),
                   401, "auth/invalid-password");
    assert_int_equal(api_user_ask(box, NULL, &f->owner, "POST", ADMIN "/password/change",
                                  "{\"currentPassword\":\"" PASSWORD "\",\"newPassword\":\"Another-horse-battery-8\"}")
                         ->status,
                     200);

    assert_refused(sign_in(box, CREDENTIALS(EMAIL, PASSWORD)), 401, "auth/invalid-credentials");
    assert_int_equal(sign_in(box, CREDENTIALS(EMAIL, "Another-horse-battery-8"))->status, 200);
}

static void an_operator_has_a_second_factor(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;

    const struct api_answer *begun =
        api_user_ask(box, NULL, &f->owner, "POST", ADMIN "/mfa/enable", "{\"password\":\"" PASSWORD "\"}");

    assert_int_equal(begun->status, 200);
    assert_non_null(strstr(begun->body, "issuer=Rowlock"));
}

static void attack_09_an_operator_is_nobody_to_the_data_api(void **state)
{
    static const char *const targets[] = {"/v1/data/posts", "/v1/auth/me", "/v1/users"};
    struct fixture *f = *state;
    struct api_box *box = f->box;
    char id[37];
    api_box_table(box, BOARD, id);

    for (size_t i = 0; i < ARRAY_LENGTH(targets); i++) {
        assert_refused(api_user_ask(box, NULL, &f->owner, "GET", targets[i], NULL), 401, "auth/unauthorized");
        assert_refused(api_user_ask(box, box->publishable, &f->owner, "GET", targets[i], NULL), 403,
                       "data/project-access-denied");
        assert_refused(api_user_ask(box, box->secret, &f->owner, "GET", targets[i], NULL), 403,
                       "data/project-access-denied");
    }
    assert_refused(api_box_send(box, "POST", box->publishable, SIGN_IN, CREDENTIALS(EMAIL, PASSWORD)), 401,
                   "auth/invalid-credentials");
}

static void attack_09_a_user_of_an_app_is_no_operator(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;
    struct api_user user;
    char body[BODY_MAX];
    api_user_sign_up(box, &user);
    write_refresh(&user, body);

    assert_refused(me(box, &user), 403, "data/project-access-denied");
    assert_refused(api_user_ask(box, box->secret, &user, "GET", ADMIN "/me", NULL), 403, "data/project-access-denied");
    assert_refused(api_user_ask(box, box->publishable, &user, "GET", ADMIN "/me", NULL), 403, "auth/forbidden");
    assert_refused(api_box_get(box, box->secret, ADMIN "/me"), 401, "auth/unauthorized");
    assert_refused(api_box_send(box, "POST", NULL, ADMIN "/refresh", body), 401, "auth/invalid-refresh-token");
    assert_refused(sign_in(box, CREDENTIALS("ada@example.com", "abc123")), 401, "auth/invalid-credentials");
}

static void the_place_of_the_operators_shows_nowhere(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;
    char target[128];
    char kid[64];
    const struct catalog_environment *place = operators_place(box->data->current);

    assert_string_equal(api_answer_text(api_box_get(box, box->secret, "/v1/admin/environments"), "pagination.total"),
                        "1");
    assert_true(api_answer_member(api_box_get(box, NULL, "/.well-known/jwks.json"), "keys.0.kid", kid, sizeof kid));
    assert_false(api_answer_member(api_box_get(box, NULL, "/.well-known/jwks.json"), "keys.1.kid", kid, sizeof kid));
    (void)snprintf(target, sizeof target, "/v1/admin/environments/%.*s", (int)place->record.id.len,
                   (const char *)place->record.id.data);
    assert_refused(api_box_get(box, box->secret, target), 404, "common/not-found");
    assert_refused(api_box_send(box, "DELETE", box->secret, target, "{\"confirmName\":\"operators\"}"), 404,
                   "common/not-found");
}

#define NEW_OPERATOR(email, role)                                                                                      \
    "{\"email\":\"" email "\",\"password\":\"" PASSWORD "\",\"name\":\"O\",\"role\":\"" role "\"}"
#define OPERATORS "/v1/admin/operators"

#define TARGET_MAX 128

/* m@example.com, and the path of that operator. */
static void make_member(struct fixture *f, char out_target[TARGET_MAX], struct api_user *out_member)
{
    const struct api_answer *made =
        api_operator_ask(f->box, &f->owner, "POST", OPERATORS, NEW_OPERATOR("m@example.com", "member"));

    assert_int_equal(made->status, 201);
    (void)snprintf(out_target, TARGET_MAX, OPERATORS "/%s", api_answer_text(made, "id"));
    api_operator_sign_in(f->box, "m@example.com", out_member);
}

static void an_owner_makes_changes_and_removes_operators(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;
    struct api_user member;
    char target[TARGET_MAX];
    make_member(f, target, &member);

    assert_refused(api_operator_ask(box, &f->owner, "POST", OPERATORS, NEW_OPERATOR("M@example.com", "member")), 409,
                   "common/conflict");
    assert_refused(api_operator_ask(box, &member, "GET", "/v1/admin/projects", NULL), 403, "auth/forbidden");
    assert_refused(api_operator_ask(box, &member, "PATCH", target, "{\"role\":\"owner\"}"), 403, "auth/forbidden");
    assert_string_equal(
        api_answer_text(api_operator_ask(box, &f->owner, "PATCH", target, "{\"role\":\"admin\"}"), "role"), "admin");
    assert_int_equal(api_operator_ask(box, &member, "GET", "/v1/admin/projects", NULL)->status, 200);
    assert_string_equal(api_answer_text(api_operator_ask(box, &f->owner, "GET", OPERATORS, NULL), "items.0.email"),
                        "m@example.com");

    assert_int_equal(api_operator_ask(box, &f->owner, "DELETE", target, NULL)->status, 200);
    assert_refused(me(box, &member), 401, "auth/session-expired");
    assert_refused(sign_in(box, CREDENTIALS("m@example.com", PASSWORD)), 401, "auth/invalid-credentials");
    assert_string_equal(api_answer_text(api_operator_ask(box, &f->owner, "GET", OPERATORS, NULL), "pagination.total"),
                        "1");
    assert_refused(api_operator_ask(box, &f->owner, "DELETE", target, NULL), 404, "common/not-found");
}

static void the_last_owner_stays(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;
    char target[128];
    (void)snprintf(target, sizeof target, OPERATORS "/%s", f->owner.id);

    assert_refused(api_operator_ask(box, &f->owner, "DELETE", target, NULL), 409, "common/conflict");
    assert_refused(api_operator_ask(box, &f->owner, "PATCH", target, "{\"role\":\"admin\"}"), 409, "common/conflict");
    assert_int_equal(api_operator_ask(box, &f->owner, "PATCH", target, "{\"name\":\"N\",\"role\":\"owner\"}")->status,
                     200);
    assert_int_equal(
        api_operator_ask(box, &f->owner, "POST", OPERATORS, NEW_OPERATOR("second@example.com", "owner"))->status, 201);
    assert_int_equal(api_operator_ask(box, &f->owner, "DELETE", target, NULL)->status, 200);
    assert_refused(me(box, &f->owner), 401, "auth/session-expired");
    api_operator_sign_in(box, "second@example.com", &f->owner);
    assert_string_equal(api_answer_text(me(box, &f->owner), "role"), "owner");
}

static void an_owner_gives_another_operator_an_address_and_a_password(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;
    struct api_user member;
    char target[TARGET_MAX];
    make_member(f, target, &member);

    assert_refused(api_operator_ask(box, &f->owner, "PATCH", target, "{\"email\":\"" EMAIL "\"}"), 409,
                   "common/conflict");
    assert_string_equal(
        api_answer_text(api_operator_ask(box, &f->owner, "PATCH", target, "{\"email\":\"N@Example.com\"}"), "email"),
        "n@example.com");
    assert_int_equal(me(box, &member)->status, 200);
    assert_refused(sign_in(box, CREDENTIALS("m@example.com", PASSWORD)), 401, "auth/invalid-credentials");
    assert_int_equal(
        api_operator_ask(box, &f->owner, "PATCH", target, "{\"password\":\"Another-horse-battery-8\"}")->status, 200);

    assert_refused(me(box, &member), 401, "auth/session-expired");
    assert_refused(sign_in(box, CREDENTIALS("n@example.com", PASSWORD)), 401, "auth/invalid-credentials");
    assert_int_equal(sign_in(box, CREDENTIALS("n@example.com", "Another-horse-battery-8"))->status, 200);
    (void)snprintf(target, sizeof target, OPERATORS "/%s", f->owner.id);
    assert_refused(api_operator_ask(box, &f->owner, "PATCH", target, "{\"password\":\"Another-horse-battery-8\"}"), 403,
                   "auth/forbidden");
    assert_int_equal(me(box, &f->owner)->status, 200);
}

/* Contract 6: such a key manages nothing, whoever's token comes with it. Elsewhere the token is of another place. */
static void a_publishable_key_manages_nothing_with_an_operators_token(void **state)
{
    static const char *const admin[] = {"/v1/admin/tables", "/v1/admin/projects", "/v1/admin/operators",
                                        "/v1/admin/organizations", "/v1/admin/outbox", ADMIN "/me", ADMIN "/sessions"};
    static const char *const others[] = {"/v1/auth/me", "/v1/users", "/v1/data/notes", "/v1/auth/invitations"};
    struct fixture *f = *state;
    struct api_box *box = f->box;

    for (size_t i = 0; i < ARRAY_LENGTH(admin); i++) {
        assert_refused(api_user_ask(box, box->publishable, &f->owner, "GET", admin[i], NULL), 403, "auth/forbidden");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        assert_refused(api_user_ask(box, box->publishable, &f->owner, "GET", others[i], NULL), 403,
                       "data/project-access-denied");
    }
    assert_refused(api_user_ask(box, box->secret, &f->owner, "GET", "/v1/admin/tables", NULL), 403,
                   "data/project-access-denied");
    assert_refused(api_user_ask(box, box->publishable, &f->owner, "POST", ADMIN "/signout", NULL), 403,
                   "auth/forbidden");
    assert_int_equal(me(box, &f->owner)->status, 200);
}

static void attack_07_fields_of_an_operator_are_checked(void **state)
{
    static const char *const changes[] = {"{\"role\":\"root\"}",    "{\"roles\":[\"owner\"]}", "{\"email\":\"nobody\"}",
                                          "{\"role\":{\"$ne\":1}}", "{\"id\":\"x\"}",          "[]",
                                          "{\"email\":7}",          "{\"password\":\"short\"}", "{\"password\":[]}",
                                          "{\"name\":null}",      "{\"role\":null}",        "{\"email\":null}",
                                          "{\"password\":null}"};
    struct fixture *f = *state;
    struct api_box *box = f->box;
    char target[128];
    (void)snprintf(target, sizeof target, OPERATORS "/%s", f->owner.id);

    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
        assert_refused(api_operator_ask(box, &f->owner, "PATCH", target, changes[i]), 400, "common/invalid-parameters");
    }
    assert_refused(api_operator_ask(box, &f->owner, "POST", OPERATORS, NEW_OPERATOR("m@example.com", "root")), 400,
                   "common/invalid-parameters");
    assert_refused(api_operator_ask(box, &f->owner, "POST", OPERATORS,
                                    "{\"email\":\"m@example.com\",\"password\":\"" PASSWORD "\",\"name\":\"O\"}"),
                   400, "common/invalid-parameters");
}

static void attack_19_a_session_of_an_operator_put_back_is_found_at_start(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;
    struct raw old;
    const struct raw_prefix prefix = raw_table(operators_place(box->data->current)->people.sessions);
    struct store_box disk = api_stored_disk(box);
    api_box_close(box);
    assert_true(raw_find(&disk, ENGINE_ROWS, RAW_SPAN(prefix), 0, &old));
    assert_int_equal(api_box_open(box), ERR_OK);
    assert_int_equal(api_user_ask(box, NULL, &f->owner, "POST", ADMIN "/signout", NULL)->status, 200);
    api_box_close(box);

    raw_put(&disk, ENGINE_ROWS, &old);

    assert_int_equal(api_box_open(box), ERR_ROLLBACK);
    fault_clear();
}

#define T(name)          cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define WITH_CODE(name)  cmocka_unit_test_setup_teardown(name, set_up_code, tear_down)
#define WITH_OWNER(name) cmocka_unit_test_setup_teardown(name, set_up_owner, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CODE(the_setup_code_makes_an_owner_who_signs_in),
        WITH_CODE(a_code_that_is_not_the_one_makes_nobody),
        WITH_CODE(attack_11_the_setup_code_is_tried_once_a_second),
        WITH_CODE(the_setup_code_is_over_after_fifteen_minutes),
        WITH_CODE(the_setup_code_dies_when_it_is_used_also_across_a_restart),
        WITH_CODE(two_who_use_the_code_at_once_make_one_owner),
        T(fields_of_the_setup_are_checked_and_its_body_is_small),
        T(without_an_operator_nobody_signs_in),
        WITH_OWNER(wrong_credentials_of_operators_are_refused_and_counted),
        WITH_OWNER(an_operator_refreshes_and_signs_out),
        WITH_OWNER(a_refresh_token_used_twice_ends_the_sessions_of_the_operator),
        WITH_OWNER(an_operator_changes_the_password),
        WITH_OWNER(an_operator_has_a_second_factor),
        WITH_OWNER(attack_09_an_operator_is_nobody_to_the_data_api),
        WITH_OWNER(attack_09_a_user_of_an_app_is_no_operator),
        WITH_OWNER(the_place_of_the_operators_shows_nowhere),
        WITH_OWNER(an_owner_makes_changes_and_removes_operators),
        WITH_OWNER(the_last_owner_stays),
        WITH_OWNER(an_owner_gives_another_operator_an_address_and_a_password),
        WITH_OWNER(a_publishable_key_manages_nothing_with_an_operators_token),
        WITH_OWNER(attack_07_fields_of_an_operator_are_checked),
        WITH_OWNER(attack_19_a_session_of_an_operator_put_back_is_found_at_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
