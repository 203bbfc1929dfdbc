/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Invitations over time, answered at once, and when what they were sent by ends. What apps see of them:
 * tests/blackbox/test_auth_invitations.py. Spec: contract 5.9. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/invitations_int.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "tests/lib/api_mail.h"
#include "tests/lib/api_stored.h"
#include "tests/lib/api_write.h"

#define ADA         "ada@example.com"
#define BOB         "bob@example.com"
#define INVITATIONS "/v1/auth/invitations"
#define WEEK_S      UINT64_C(604800)
#define MONTH_S     UINT64_C(2592000)
#define CODE_MAX    (DATA_CODE_TEXT_BYTES + 1)
#define EMAIL_MAX   128

/* Ada, who is an administrator. Bob signs up when it matters. */
static void make_admin(struct api_box *box, struct api_user *out_admin)
{
    api_user_sign_up(box, out_admin);
    assert_int_equal(api_user_manage(box, "PATCH", out_admin, "/role", "{\"role\":\"admin\"}")->status, 200);
}

static void sign_in(struct api_box *box, struct api_user *admin)
{
    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT(ADA, "abc123")), admin);
}

static const struct api_answer *invite(struct api_box *box, const char *key, const struct api_user *admin,
                                       const char *email)
{
    char body[512];

    (void)snprintf(
        body, sizeof body,
        "{\"resourceType\":\"project\",\"resourceId\":\"%.36s\",\"resourceRole\":\"member\",\"email\":\"%s\"}",
        box->first.project_id, email);
    return api_user_ask(box, key, admin, "POST", INVITATIONS, body);
}

static void invite_bob(struct api_box *box, const char *key, const struct api_user *admin, char code[CODE_MAX])
{
    assert_int_equal(invite(box, key, admin, BOB)->status, 201);
    api_mail_token(box, BOB, "invitation", code);
}

static const struct api_answer *answer_to(struct api_box *box, const char *path, const char *code)
{
    char body[256];

    (void)snprintf(body, sizeof body, "{\"token\":\"%s\",\"email\":\"" BOB "\"}", code);
    return api_box_send(box, "POST", box->publishable, path, body);
}

static const struct api_answer *accept(struct api_box *box, const char *code)
{
    return answer_to(box, INVITATIONS "/accept", code);
}

/* Signs Bob up, and confirms his address. */
static void make_bob(struct api_box *box, struct api_user *out_bob)
{
    char body[256];
    char code[CODE_MAX];

    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_UP, ACCOUNT(BOB, "abc123")), out_bob);
    api_mail_token(box, BOB, "signup_confirmation", code);
    (void)snprintf(body, sizeof body, "{\"email\":\"" BOB "\",\"token\":\"%s\"}", code);
    assert_int_equal(api_box_send(box, "POST", box->publishable, "/v1/auth/email/verify/confirm", body)->status, 200);
}

static bool is_member(struct api_box *box, const struct api_user *bob)
{
    return strstr(api_user_manage(box, "GET", bob, "", NULL)->body, "\"roles\":[\"member\"]") != NULL;
}

static uint64_t stored(struct api_box *box)
{
    return api_stored_rows(box, api_stored_environment(box)->people.invitations);
}

/* --- time --- */

static void an_invitation_holds_for_seven_days_and_no_longer(void **state)
{
    struct api_box *box = *state;
    struct api_user admin;
    char code[CODE_MAX];
    make_admin(box, &admin);
    invite_bob(box, box->publishable, &admin, code);

    api_box_pass_s(box, WEEK_S);
    assert_refused(accept(box, code), 410, "auth/invitation-expired");
    assert_refused(answer_to(box, INVITATIONS "/reject", code), 410, "auth/invitation-expired");
    sign_in(box, &admin);
    const struct api_answer *list =
        api_user_ask(box, box->publishable, &admin, "GET", INVITATIONS "?status=expired", NULL);
    assert_string_equal(api_answer_text(list, "items.0.status"), "expired");
    invite_bob(box, box->publishable, &admin, code);
    api_box_pass_s(box, WEEK_S - 1);

    assert_string_equal(api_answer_text(accept(box, code), "status"), "accepted");
}

static void an_invitation_outlives_a_restart(void **state)
{
    struct api_box *box = *state;
    struct api_user admin;
    struct api_user bob;
    char code[CODE_MAX];
    make_admin(box, &admin);
    invite_bob(box, box->publishable, &admin, code);

    api_box_restart(box);

    make_bob(box, &bob);
    assert_int_equal(accept(box, code)->status, 200);
    assert_true(is_member(box, &bob));
}

static void invitations_go_after_thirty_days_with_whatever_is_written(void **state)
{
    struct api_box *box = *state;
    struct api_user admin;
    struct api_user bob;
    char code[CODE_MAX];
    make_admin(box, &admin);
    invite_bob(box, box->publishable, &admin, code);

    api_box_pass_s(box, MONTH_S - 60);
    sign_in(box, &admin);
    assert_int_equal(stored(box), 1);
    api_box_pass_s(box, 61);
    make_bob(box, &bob);

    assert_int_equal(stored(box), 0);
    assert_refused(accept(box, code), 401, "auth/invalid-token");
}

/* --- how many --- */

static void attack_11_an_address_gets_no_more_invitations_than_other_mails(void **state)
{
    struct api_box *box = *state;
    struct api_user admin;
    make_admin(box, &admin);

    assert_int_equal(invite(box, box->publishable, &admin, BOB)->status, 201);
    assert_refused(invite(box, box->publishable, &admin, BOB), 429, "auth/too-many-code-requests");
    assert_refused(
        api_box_send(box, "POST", box->publishable, "/v1/auth/password/reset/request", "{\"email\":\"" BOB "\"}"), 429,
        "auth/too-many-code-requests");

    assert_int_equal(api_mail_count(box, BOB, NULL), 1);
}

/* As many as there may be, in one call each, without the mail. */
static void fill(struct api_box *box, const struct api_user *admin)
{
    char email[EMAIL_MAX];

    for (unsigned int i = 0; i < CONFIG_DATA_INVITATIONS_MAX; i++) {
        (void)snprintf(email, sizeof email, "guest%u@example.com", i);
        assert_int_equal(invite(box, box->publishable, admin, email)->status, 201);
    }
}

static void attack_13_a_full_table_takes_no_more_until_one_is_over(void **state)
{
    struct api_box *box = *state;
    struct api_user admin;
    char code[CODE_MAX];
    char body[128];
    make_admin(box, &admin);
    fill(box, &admin);

    assert_refused(invite(box, box->publishable, &admin, BOB), 507, "common/insufficient-storage");
    api_mail_token(box, "guest7@example.com", "invitation", code);
    (void)snprintf(body, sizeof body, "{\"token\":\"%s\",\"email\":\"guest7@example.com\"}", code);
    assert_int_equal(api_box_send(box, "POST", box->publishable, INVITATIONS "/reject", body)->status, 200);
    api_box_pass_s(box, 30);

    assert_int_equal(invite(box, box->publishable, &admin, BOB)->status, 201);
    assert_int_equal(stored(box), CONFIG_DATA_INVITATIONS_MAX);
    assert_refused(api_box_send(box, "POST", box->publishable, INVITATIONS "/reject", body), 401, "auth/invalid-token");
    assert_int_equal(api_user_ask(box, box->publishable, &admin, "DELETE", "/v1/auth/withdraw", NULL)->status, 200);
    assert_int_equal(stored(box), 0);
}

/* --- once --- */

static void attack_11_of_two_answers_at_once_one_counts(void **state)
{
    struct api_box *box = *state;
    struct api_user admin;
    char code[CODE_MAX];
    char body[256];
    make_admin(box, &admin);
    invite_bob(box, box->publishable, &admin, code);
    (void)snprintf(body, sizeof body, "{\"token\":\"%s\"}", code);
    const struct api_ask ask = {
        .method = "POST", .target = INVITATIONS "/accept", .key = box->publishable, .body = body};

    api_box_twice(box, &ask, 200, 400);
}

static void attack_11_a_new_invitation_ends_the_one_before(void **state)
{
    struct api_box *box = *state;
    struct api_user admin;
    char old[CODE_MAX];
    char code[CODE_MAX];
    make_admin(box, &admin);
    invite_bob(box, box->publishable, &admin, old);
    api_box_pass_s(box, 30);

    invite_bob(box, box->publishable, &admin, code);

    assert_refused(accept(box, old), 401, "auth/invalid-token");
    assert_int_equal(accept(box, code)->status, 200);
}

/* --- who may still give --- */

enum ending { DEMOTED, BANNED, GONE, ENDINGS };

static void end(struct api_box *box, struct api_user *admin, enum ending ending)
{
    const struct api_answer *answer =
        ending == DEMOTED  ? api_user_manage(box, "PATCH", admin, "/role", "{\"role\":\"user\"}")
        : ending == BANNED ? api_user_manage(box, "PATCH", admin, "/ban", "{\"banned\":true}")
                           : api_user_manage(box, "DELETE", admin, "", NULL);

    assert_int_equal(answer->status, 200);
}

static void check_ending(struct api_box *box, enum ending ending, bool accepted_before)
{
    struct api_user admin;
    struct api_user bob;
    char code[CODE_MAX];
    make_admin(box, &admin);
    invite_bob(box, box->publishable, &admin, code);
    if (accepted_before) {
        assert_int_equal(accept(box, code)->status, 200);
    }
    end(box, &admin, ending);

    if (!accepted_before) {
        assert_refused(accept(box, code), 401, "auth/invalid-token");
    }
    make_bob(box, &bob);
    assert_false(is_member(box, &bob));
}

static void attack_12_nobody_gives_what_they_may_not_give_any_more_demoted(void **state)
{
    check_ending(*state, DEMOTED, false);
}

static void attack_12_nobody_gives_what_they_may_not_give_any_more_banned(void **state)
{
    check_ending(*state, BANNED, false);
}

static void attack_12_nobody_gives_what_they_may_not_give_any_more_gone(void **state)
{
    check_ending(*state, GONE, false);
}

static void attack_12_nor_to_an_account_that_comes_later(void **state)
{
    check_ending(*state, DEMOTED, true);
}

static void attack_12_an_invitation_by_a_secret_key_ends_with_the_key(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    struct api_user bob;
    char value[DATA_KEY_BYTES + 1];
    char target[128];
    char id[64];
    char code[CODE_MAX];
    const struct api_answer *key =
        api_box_send(box, "POST", box->secret, "/v1/admin/api-keys", "{\"name\":\"k\",\"type\":\"secret\"}");
    assert_true(api_answer_member(key, "value", value, sizeof value));
    assert_true(api_answer_member(key, "id", id, sizeof id));
    api_user_sign_up(box, &user); /* no administrator but by the key */
    invite_bob(box, value, &user, code);
    make_bob(box, &bob);
    (void)snprintf(target, sizeof target, "/v1/admin/api-keys/%s/revoke", id);
    assert_int_equal(api_box_send(box, "POST", box->secret, target, NULL)->status, 200);

    assert_refused(accept(box, code), 401, "auth/invalid-token");

    assert_false(is_member(box, &bob));
    api_box_pass_s(box, 30);
    invite_bob(box, box->secret, &user, code);
    assert_int_equal(accept(box, code)->status, 200);
    assert_true(is_member(box, &bob));
}

static void attack_12_a_key_that_may_not_change_users_invites_nobody(void **state)
{
    struct api_box *box = *state;
    struct api_user admin;
    char value[DATA_KEY_BYTES + 1];
    const struct api_answer *key =
        api_box_send(box, "POST", box->secret, "/v1/admin/api-keys",
                     "{\"name\":\"k\",\"type\":\"publishable\",\"scopes\":[\"users:read\",\"posts:*\"]}");
    assert_true(api_answer_member(key, "value", value, sizeof value));
    make_admin(box, &admin);

    assert_refused(invite(box, value, &admin, BOB), 403, "auth/forbidden");

    assert_int_equal(api_mail_count(box, BOB, NULL), 0);
    assert_int_equal(invite(box, box->publishable, &admin, BOB)->status, 201);
}

/* By a link that signs in, which confirms the address too. */
static void open_link(struct api_box *box)
{
    char body[128];
    char code[CODE_MAX];

    assert_int_equal(
        api_box_send(box, "POST", box->publishable, SIGN_IN, "{\"method\":\"magiclink\",\"email\":\"" BOB "\"}")
            ->status,
        200);
    api_mail_token(box, BOB, "magic_link", code);
    (void)snprintf(body, sizeof body, "{\"token\":\"%s\"}", code);
    assert_int_equal(api_box_send(box, "POST", box->publishable, "/v1/auth/email/callback", body)->status, 200);
}

static void attack_12_a_role_that_was_taken_away_does_not_come_again(void **state)
{
    struct api_box *box = *state;
    struct api_user admin;
    struct api_user bob;
    char code[CODE_MAX];
    char confirmation[CODE_MAX];
    char body[256];
    make_admin(box, &admin);
    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_UP, ACCOUNT(BOB, "abc123")), &bob);
    api_mail_token(box, BOB, "signup_confirmation", confirmation);
    invite_bob(box, box->publishable, &admin, code);
    assert_int_equal(accept(box, code)->status, 200);
    assert_false(is_member(box, &bob));
    api_box_pass_s(box, 30);
    open_link(box);
    assert_true(is_member(box, &bob));
    assert_int_equal(api_user_manage(box, "PATCH", &bob, "/role", "{\"role\":\"user\",\"roles\":[]}")->status, 200);

    (void)snprintf(body, sizeof body, "{\"email\":\"" BOB "\",\"token\":\"%s\"}", confirmation);
    assert_int_equal(api_box_send(box, "POST", box->publishable, "/v1/auth/email/verify/confirm", body)->status, 200);

    assert_false(is_member(box, &bob));
}

static void a_role_waits_for_whoever_a_link_signs_up(void **state)
{
    struct api_box *box = *state;
    struct api_user admin;
    char code[CODE_MAX];
    make_admin(box, &admin);
    invite_bob(box, box->publishable, &admin, code);
    assert_int_equal(accept(box, code)->status, 200);
    api_box_pass_s(box, 30);
    assert_int_equal(
        api_box_send(box, "POST", box->publishable, SIGN_UP, "{\"method\":\"magiclink\",\"email\":\"" BOB "\"}")
            ->status,
        201);
    api_box_pass_s(box, 30);

    open_link(box);

    const struct api_answer *found = api_box_get(box, box->secret, "/v1/users?search=bob&searchType=email");
    assert_non_null(strstr(found->body, "\"roles\":[\"member\"]"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_invitation_holds_for_seven_days_and_no_longer),
        T(an_invitation_outlives_a_restart),
        T(invitations_go_after_thirty_days_with_whatever_is_written),
        T(attack_11_an_address_gets_no_more_invitations_than_other_mails),
        T(attack_13_a_full_table_takes_no_more_until_one_is_over),
        T(attack_11_of_two_answers_at_once_one_counts),
        T(attack_11_a_new_invitation_ends_the_one_before),
        T(attack_12_nobody_gives_what_they_may_not_give_any_more_demoted),
        T(attack_12_nobody_gives_what_they_may_not_give_any_more_banned),
        T(attack_12_nobody_gives_what_they_may_not_give_any_more_gone),
        T(attack_12_nor_to_an_account_that_comes_later),
        T(attack_12_an_invitation_by_a_secret_key_ends_with_the_key),
        T(attack_12_a_key_that_may_not_change_users_invites_nobody),
        T(attack_12_a_role_that_was_taken_away_does_not_come_again),
        T(a_role_waits_for_whoever_a_link_signs_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
