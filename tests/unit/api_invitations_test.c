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
#define LINK_TO_BOB "{\"method\":\"magiclink\",\"email\":\"" BOB "\"}"
#define INVITATIONS "/v1/auth/invitations"
#define WEEK_S      UINT64_C(604800)
#define MONTH_S     UINT64_C(2592000)
#define CODE_MAX    (DATA_CODE_TEXT_BYTES + 1)
#define EMAIL_MAX   128

/* Ada is an administrator. Bob signs up when it matters. */
struct fixture {
    struct api_box *box;
    struct api_user ada;
    struct api_user bob;
    char code[CODE_MAX]; /* of his invitation */
};

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.box = api_box_new()};
    api_user_sign_up(fixture.box, &fixture.ada);
    *state = &fixture;
    return 0;
}

static int set_up_admin(void **state)
{
    (void)set_up(state);
    const struct fixture *f = *state;
    assert_int_equal(api_user_manage(f->box, "PATCH", &f->ada, "/role", "{\"role\":\"admin\"}")->status, 200);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    api_box_free(f->box);
    return 0;
}

static void sign_in(struct fixture *f)
{
    api_user_take(api_box_post(f->box, SIGN_IN, ACCOUNT(ADA, "abc123")), &f->ada);
}

static const struct api_answer *invite_by(struct fixture *f, const char *key, const char *email)
{
    char body[512];

    (void)snprintf(
        body, sizeof body,
        "{\"resourceType\":\"project\",\"resourceId\":\"%.36s\",\"resourceRole\":\"member\",\"email\":\"%s\"}",
        f->box->first.project_id, email);
    return api_user_ask(f->box, key, &f->ada, "POST", INVITATIONS, body);
}

static const struct api_answer *invite(struct fixture *f, const char *email)
{
    return invite_by(f, f->box->publishable, email);
}

static void invite_bob_by(struct fixture *f, const char *key)
{
    assert_int_equal(invite_by(f, key, BOB)->status, 201);
    api_mail_token(f->box, BOB, "invitation", f->code);
}

static void invite_bob(struct fixture *f)
{
    invite_bob_by(f, f->box->publishable);
}

static int set_up_invited(void **state)
{
    (void)set_up_admin(state);
    invite_bob(*state);
    return 0;
}

static const struct api_answer *answer_to(struct fixture *f, const char *path, const char *code)
{
    char body[256];

    (void)snprintf(body, sizeof body, "{\"token\":\"%s\",\"email\":\"" BOB "\"}", code);
    return api_box_post(f->box, path, body);
}

static const struct api_answer *accept(struct fixture *f)
{
    return answer_to(f, INVITATIONS "/accept", f->code);
}

/* Signs Bob up, when his address may have another mail, and confirms it. */
static void make_bob(struct fixture *f)
{
    char code[CODE_MAX];

    api_box_pass_s(f->box, 30);
    api_user_take(api_box_post(f->box, SIGN_UP, ACCOUNT(BOB, "abc123")), &f->bob);
    api_mail_token(f->box, BOB, "signup_confirmation", code);
    assert_int_equal(api_mail_confirm(f->box, BOB, code)->status, 200);
}

static bool is_member(struct fixture *f)
{
    return strstr(api_user_manage(f->box, "GET", &f->bob, "", NULL)->body, "\"roles\":[\"member\"]") != NULL;
}

static uint64_t stored(struct fixture *f)
{
    return api_stored_rows(f->box, api_stored_environment(f->box)->people.invitations);
}

/* --- time --- */

static void an_invitation_holds_for_seven_days_and_no_longer(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;

    api_box_pass_s(box, WEEK_S);
    assert_refused(accept(f), 410, "auth/invitation-expired");
    assert_refused(answer_to(f, INVITATIONS "/reject", f->code), 410, "auth/invitation-expired");
    sign_in(f);
    const struct api_answer *list =
        api_user_ask(box, box->publishable, &f->ada, "GET", INVITATIONS "?status=expired", NULL);
    assert_string_equal(api_answer_text(list, "items.0.status"), "expired");
    invite_bob(f);
    api_box_pass_s(box, WEEK_S - 1);

    assert_string_equal(api_answer_text(accept(f), "status"), "accepted");
}

static void an_invitation_outlives_a_restart(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;

    api_box_restart(box);

    make_bob(f);
    assert_int_equal(accept(f)->status, 200);
    assert_true(is_member(f));
}

static void invitations_go_after_thirty_days_with_whatever_is_written(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;

    api_box_pass_s(box, MONTH_S - 60);
    sign_in(f);
    assert_int_equal(stored(f), 1);
    api_box_pass_s(box, 61);
    make_bob(f);

    assert_int_equal(stored(f), 0);
    assert_refused(accept(f), 401, "auth/invalid-token");
}

/* --- how many --- */

static void attack_11_an_address_gets_no_more_invitations_than_other_mails(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;

    assert_int_equal(invite(f, BOB)->status, 201);
    assert_refused(invite(f, BOB), 429, "auth/too-many-code-requests");
    assert_refused(api_box_post(box, "/v1/auth/password/reset/request", "{\"email\":\"" BOB "\"}"), 429,
                   "auth/too-many-code-requests");

    assert_int_equal(api_mail_count(box, BOB, NULL), 1);
}

/* As many as there may be, in one call each, without the mail. */
static void fill(struct fixture *f)
{
    char email[EMAIL_MAX];

    for (unsigned int i = 0; i < CONFIG_DATA_INVITATIONS_MAX; i++) {
        (void)snprintf(email, sizeof email, "guest%u@example.com", i);
        assert_int_equal(invite(f, email)->status, 201);
    }
}

static void attack_13_a_full_table_takes_no_more_until_one_is_over(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;
    char code[CODE_MAX];
    char body[128];
    fill(f);

    assert_refused(invite(f, BOB), 507, "common/insufficient-storage");
    api_mail_token(box, "guest7@example.com", "invitation", code);
    (void)snprintf(body, sizeof body, "{\"token\":\"%s\",\"email\":\"guest7@example.com\"}", code);
    assert_int_equal(api_box_post(box, INVITATIONS "/reject", body)->status, 200);
    api_box_pass_s(box, 30);

    assert_int_equal(invite(f, BOB)->status, 201);
    assert_int_equal(stored(f), CONFIG_DATA_INVITATIONS_MAX);
    assert_refused(api_box_post(box, INVITATIONS "/reject", body), 401, "auth/invalid-token");
    assert_int_equal(api_user_ask(box, box->publishable, &f->ada, "DELETE", "/v1/auth/withdraw", NULL)->status, 200);
    assert_int_equal(stored(f), 0);
}

/* --- once --- */

static void attack_11_of_two_answers_at_once_one_counts(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;
    char body[256];
    (void)snprintf(body, sizeof body, "{\"token\":\"%s\"}", f->code);
    const struct api_ask ask = {
        .method = "POST", .target = INVITATIONS "/accept", .key = box->publishable, .body = body};

    api_box_twice(box, &ask, 200, 400);
}

static void attack_11_a_new_invitation_ends_the_one_before(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;
    char old[CODE_MAX];
    memcpy(old, f->code, sizeof old);
    api_box_pass_s(box, 30);

    invite_bob(f);

    assert_refused(answer_to(f, INVITATIONS "/accept", old), 401, "auth/invalid-token");
    assert_int_equal(accept(f)->status, 200);
}

/* --- who may still give --- */

enum ending { DEMOTED, BANNED, GONE, ENDINGS };

static void end(struct fixture *f, enum ending ending)
{
    const struct api_answer *answer =
        ending == DEMOTED  ? api_user_manage(f->box, "PATCH", &f->ada, "/role", "{\"role\":\"user\"}")
        : ending == BANNED ? api_user_manage(f->box, "PATCH", &f->ada, "/ban", "{\"banned\":true}")
                           : api_user_manage(f->box, "DELETE", &f->ada, "", NULL);

    assert_int_equal(answer->status, 200);
}

static void check_ending(struct fixture *f, enum ending ending, bool accepted_before)
{
    if (accepted_before) {
        assert_int_equal(accept(f)->status, 200);
    }
    end(f, ending);

    if (!accepted_before) {
        assert_refused(accept(f), 401, "auth/invalid-token");
    }
    make_bob(f);
    assert_false(is_member(f));
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
    struct fixture *f = *state;
    struct api_box *box = f->box;
    char value[DATA_KEY_BYTES + 1];
    char target[128];
    char id[64];
    const struct api_answer *key =
        api_box_send(box, "POST", box->secret, "/v1/admin/api-keys", "{\"name\":\"k\",\"type\":\"secret\"}");
    assert_true(api_answer_member(key, "value", value, sizeof value));
    assert_true(api_answer_member(key, "id", id, sizeof id));
    invite_bob_by(f, value); /* Ada is no administrator but by the key */
    make_bob(f);
    (void)snprintf(target, sizeof target, "/v1/admin/api-keys/%s/revoke", id);
    assert_int_equal(api_box_send(box, "POST", box->secret, target, NULL)->status, 200);

    assert_refused(accept(f), 401, "auth/invalid-token");

    assert_false(is_member(f));
    api_box_pass_s(box, 30);
    invite_bob_by(f, box->secret);
    assert_int_equal(accept(f)->status, 200);
    assert_true(is_member(f));
}

static void attack_12_a_key_that_may_not_change_users_invites_nobody(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;
    char value[DATA_KEY_BYTES + 1];
    const struct api_answer *key =
        api_box_send(box, "POST", box->secret, "/v1/admin/api-keys",
                     "{\"name\":\"k\",\"type\":\"publishable\",\"scopes\":[\"users:read\",\"posts:*\"]}");
    assert_true(api_answer_member(key, "value", value, sizeof value));

    assert_refused(invite_by(f, value, BOB), 403, "auth/forbidden");

    assert_int_equal(api_mail_count(box, BOB, NULL), 0);
    assert_int_equal(invite(f, BOB)->status, 201);
}

/* By a link that signs in, which confirms the address too. */
static void open_link(struct api_box *box)
{
    char code[CODE_MAX];

    assert_int_equal(api_box_post(box, SIGN_IN, LINK_TO_BOB)->status, 200);
    api_mail_token(box, BOB, "magic_link", code);
    assert_int_equal(api_mail_open(box, code)->status, 200);
}

static void attack_12_a_role_that_was_taken_away_does_not_come_again(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;
    char confirmation[CODE_MAX];
    api_user_take(api_box_post(box, SIGN_UP, ACCOUNT(BOB, "abc123")), &f->bob);
    api_mail_token(box, BOB, "signup_confirmation", confirmation);
    api_box_pass_s(box, 30);
    invite_bob(f);
    assert_int_equal(accept(f)->status, 200);
    assert_false(is_member(f));
    api_box_pass_s(box, 30);
    open_link(box);
    assert_true(is_member(f));
    assert_int_equal(api_user_manage(box, "PATCH", &f->bob, "/role", "{\"role\":\"user\",\"roles\":[]}")->status, 200);

    assert_int_equal(api_mail_confirm(box, BOB, confirmation)->status, 200);

    assert_false(is_member(f));
}

/* Whoever signed up first with an address that is not theirs has neither session nor password when the role comes. */
static void attack_12_a_link_gives_the_role_to_nobody_but_who_opens_it(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;
    api_user_take(api_box_post(box, SIGN_UP, ACCOUNT(BOB, "abc123")), &f->bob);
    api_box_pass_s(box, 30);
    invite_bob(f);
    assert_int_equal(accept(f)->status, 200);
    assert_int_equal(api_user_me(box, &f->bob)->status, 200);
    api_box_pass_s(box, 30);

    open_link(box);

    assert_true(is_member(f));
    assert_refused(api_user_me(box, &f->bob), 401, "auth/session-expired");
    assert_refused(api_box_post(box, SIGN_IN, ACCOUNT(BOB, "abc123")), 401, "auth/invalid-credentials");
}

static void a_role_waits_for_whoever_a_link_signs_up(void **state)
{
    struct fixture *f = *state;
    struct api_box *box = f->box;
    assert_int_equal(accept(f)->status, 200);
    api_box_pass_s(box, 30);
    assert_int_equal(api_box_post(box, SIGN_UP, LINK_TO_BOB)->status, 201);
    api_box_pass_s(box, 30);

    open_link(box);

    const struct api_answer *found = api_box_get(box, box->secret, "/v1/users?search=bob&searchType=email");
    assert_non_null(strstr(found->body, "\"roles\":[\"member\"]"));
}

#define WITH_USER(name)    cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define WITH_ADMIN(name)   cmocka_unit_test_setup_teardown(name, set_up_admin, tear_down)
#define WITH_INVITED(name) cmocka_unit_test_setup_teardown(name, set_up_invited, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_INVITED(an_invitation_holds_for_seven_days_and_no_longer),
        WITH_INVITED(an_invitation_outlives_a_restart),
        WITH_INVITED(invitations_go_after_thirty_days_with_whatever_is_written),
        WITH_ADMIN(attack_11_an_address_gets_no_more_invitations_than_other_mails),
        WITH_ADMIN(attack_13_a_full_table_takes_no_more_until_one_is_over),
        WITH_INVITED(attack_11_of_two_answers_at_once_one_counts),
        WITH_INVITED(attack_11_a_new_invitation_ends_the_one_before),
        WITH_INVITED(attack_12_nobody_gives_what_they_may_not_give_any_more_demoted),
        WITH_INVITED(attack_12_nobody_gives_what_they_may_not_give_any_more_banned),
        WITH_INVITED(attack_12_nobody_gives_what_they_may_not_give_any_more_gone),
        WITH_INVITED(attack_12_nor_to_an_account_that_comes_later),
        WITH_USER(attack_12_an_invitation_by_a_secret_key_ends_with_the_key),
        WITH_ADMIN(attack_12_a_key_that_may_not_change_users_invites_nobody),
        WITH_ADMIN(attack_12_a_role_that_was_taken_away_does_not_come_again),
        WITH_ADMIN(attack_12_a_link_gives_the_role_to_nobody_but_who_opens_it),
        WITH_INVITED(a_role_waits_for_whoever_a_link_signs_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
