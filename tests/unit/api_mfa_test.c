/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Second factors: set up, stored, asked for, taken away. Spec: contract 5.3, 5.7. */
/* link: --wrap=http_respond --wrap=http_body */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/api/request_int.h"
#include "firmware/data/mfa_int.h"
#include "tests/lib/api_mail.h"
#include "tests/lib/api_mfa.h"
#include "tests/lib/api_stored.h"
#include "tests/lib/api_write.h"

#define ADA         "ada@example.com"
#define BOB         "bob@example.com"
#define WRONG       "!!!!!!" /* no code, now or ever */
#define BODY_MAX    256
#define STEP_MS     (TOTP_STEP_S * UINT64_C(1000))
#define MINUTE_MS   UINT64_C(60000)
#define LINK_TO_ADA "{\"method\":\"magiclink\",\"email\":\"" ADA "\"}"

static const struct api_answer *disable(struct api_box *box, const struct api_user *user, const char *code)
{
    char body[BODY_MAX];

    (void)snprintf(body, sizeof body,
                   code == NULL ? "{\"password\":\"abc123\"}" : "{\"password\":\"abc123\",\"code\":\"%s\"}", code);
    return api_user_ask(box, box->publishable, user, "POST", MFA_DISABLE, body);
}

/* Ada confirms her address: a mail to one that is not confirmed takes the second factor away. */
static void confirm_address(struct api_box *box)
{
    char code[DATA_CODE_TEXT_BYTES + 1];

    api_mail_token(box, ADA, "signup_confirmation", code);
    assert_int_equal(api_mail_confirm(box, ADA, code)->status, 200);
}

static bool has(const char *bytes, size_t size, const char *text)
{
    return memmem(bytes, size, text, strlen(text)) != NULL;
}

/* --- setting up --- */

static void an_app_counts_once_a_code_of_it_confirmed_it(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    char first[16];

    api_app_enable(box, &f->user, &f->app);
    assert_string_equal(api_app_is_on(box, &f->user), "false");
    api_user_take(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123")), &f->user);
    const struct api_answer *answer = api_app_confirm(box, &f->user, api_app_code(box, &f->app, 0));

    assert_int_equal(answer->status, 200);
    assert_true(api_answer_member(answer, "backupCodes.9", first, sizeof first));
    assert_string_equal(first, f->app.backup[9]);
    assert_string_equal(api_app_is_on(box, &f->user), "true");
    assert_refused(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123")), 403, "auth/mfa-required");
}

static void setting_up_ends_after_ten_minutes_and_not_before(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    char row[2048];

    api_app_enable(box, &f->user, &f->app);
    sim_clock_advance_ms(&box->clock, 10 * MINUTE_MS);
    assert_refused(api_app_confirm(box, &f->user, api_app_code(box, &f->app, 0)), 400, "auth/mfa-setup-expired");
    assert_int_equal(api_app_rows(box, row, sizeof row), 0);
    assert_refused(api_app_confirm(box, &f->user, api_app_code(box, &f->app, 0)), 400, "auth/mfa-setup-expired");
    api_app_enable(box, &f->user, &f->app);
    sim_clock_advance_ms(&box->clock, 10 * MINUTE_MS - 1);

    assert_int_equal(api_app_confirm(box, &f->user, api_app_code(box, &f->app, 0))->status, 200);
}

static void setting_up_again_makes_the_former_key_worthless(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    struct api_app former;
    char row[2048];

    api_app_enable(box, &f->user, &former);
    api_app_enable(box, &f->user, &f->app);

    assert_memory_not_equal(former.key, f->app.key, sizeof f->app.key);
    assert_string_not_equal(former.backup[0], f->app.backup[0]);
    assert_refused(api_app_confirm(box, &f->user, api_app_code(box, &former, 0)), 401, "auth/invalid-mfa-code");
    assert_int_equal(api_app_confirm(box, &f->user, api_app_code(box, &f->app, 0))->status, 200);
    assert_int_equal(api_app_rows(box, row, sizeof row), 1);
}

static void a_backup_code_confirms_nothing(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    api_app_enable(box, &f->user, &f->app);

    assert_refused(api_app_confirm(box, &f->user, f->app.backup[0]), 401, "auth/invalid-mfa-code");
    assert_string_equal(api_app_is_on(box, &f->user), "false");
}

static void attack_11_of_two_confirmations_at_once_one_succeeds(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    char body[64];
    api_app_enable(box, &f->user, &f->app);
    (void)snprintf(body, sizeof body, "{\"code\":\"%s\"}", api_app_code(box, &f->app, 0));
    const struct api_ask ask = {
        .method = "POST", .target = MFA_CONFIRM, .key = box->publishable, .header = f->user.header, .body = body};

    struct api_box_pending *first = api_box_begin(box, &ask);
    struct api_box_pending *second = api_box_begin(box, &ask);

    assert_int_equal(api_box_finish(box, first)->status, 200);
    assert_refused(api_box_finish(box, second), 400, "auth/mfa-setup-expired");
}

static void the_url_says_whose_key_it_is(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    char secret[64];
    char url[API_ANSWER_TEXT_MAX];
    api_user_take(api_box_post(box, SIGN_UP, ACCOUNT("a+d/a@example.com", "abc123")), &f->user);
    char target[128];
    (void)snprintf(target, sizeof target, "/v1/admin/projects/%s",
                   api_answer_text(api_box_get(box, box->secret, "/v1/admin/projects"), "items.0.id"));
    assert_int_equal(api_box_send(box, "PATCH", box->secret, target, "{\"name\":\"My & app\"}")->status, 200);

    const struct api_answer *answer =
        api_user_ask(box, box->publishable, &f->user, "POST", MFA_ENABLE, "{\"password\":\"abc123\"}");

    assert_true(api_answer_member(answer, "secret", secret, sizeof secret));
    (void)snprintf(url, sizeof url,
                   "otpauth://totp/My%%20%%26%%20app:a%%2Bd%%2Fa@example.com?secret=%s&issuer=My%%20%%26%%20app",
                   secret);
    assert_string_equal(api_answer_text(answer, "qrCodeUrl"), url);
}

static void what_is_stored_of_backup_codes_is_digests(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    char row[2048];

    api_app_turn_on_now(box, &f->user, &f->app);

    assert_int_equal(api_app_rows(box, row, sizeof row), 1);
    for (size_t i = 0; i < 10; i++) {
        assert_false(has(row, sizeof row, f->app.backup[i]));
    }
}

static void the_buffer_that_rows_are_built_in_forgets_the_key(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    char hex[HEX_BYTES(TOTP_KEY_BYTES) + 1] = {0};
    uint8_t *bytes = NULL;

    api_app_enable(box, &f->user, &f->app);

    hex_encode(span_array(f->app.key), hex);
    assert_int_equal(buf_len(box->data->row), 0);
    assert_int_equal(buf_reserve(box->data->row, 512, &bytes), ERR_OK); /* what was written lies there */
    assert_false(has((const char *)bytes, 512, hex));
}

/* Rows cannot be told to hold the same code, and what was pending leaves nothing behind. */
static void digests_of_equal_codes_of_two_users_differ(void **state)
{
    struct mfa ada = {.pending = true};
    struct mfa bob = {.pending = true};
    char zeros[sizeof ada.fresh] = {0};
    (void)state;
    memset(ada.fresh, 'a', sizeof ada.fresh);
    memset(bob.fresh, 'a', sizeof bob.fresh);

    mfa_turn_on(span_lit("33333333-3333-4333-8333-333333333333"), &ada);
    mfa_turn_on(span_lit("44444444-4444-4444-8444-444444444444"), &bob);

    assert_memory_equal(ada.codes[0], ada.codes[9], sizeof ada.codes[0]);
    assert_memory_not_equal(ada.codes[0], bob.codes[0], sizeof ada.codes[0]);
    assert_memory_equal(ada.fresh, zeros, sizeof zeros);
    assert_true(ada.code_count == MFA_CODES && !ada.pending);
}

/* --- taking it away --- */

static void a_factor_that_is_taken_away_is_gone_with_its_codes(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    struct api_app former;
    char row[2048];
    assert_refused(disable(box, &f->user, NULL), 400, "auth/mfa-not-enabled");
    api_app_turn_on(box, &f->user, &former);

    assert_refused(disable(box, &f->user, WRONG), 401, "auth/invalid-mfa-code");
    assert_string_equal(api_app_is_on(box, &f->user), "true");
    const struct api_answer *answer = disable(box, &f->user, former.backup[0]);
    assert_int_equal(answer->status, 200);
    assert_string_equal(answer->body, "{}");

    assert_int_equal(api_app_rows(box, row, sizeof row), 0);
    assert_string_equal(api_app_is_on(box, &f->user), "false");
    api_user_take(api_app_sign_in(box, ADA, WRONG), &f->user); /* nobody asks for one */
    api_app_turn_on(box, &f->user, &f->app);
    assert_refused(api_app_sign_in(box, ADA, former.backup[1]), 401, "auth/invalid-mfa-code");
    assert_refused(api_app_sign_in(box, ADA, api_app_code(box, &former, 0)), 401, "auth/invalid-mfa-code");
    assert_int_equal(disable(box, &f->user, NULL)->status, 200);
}

static void attack_11_of_two_at_once_that_take_it_away_with_one_code_one_succeeds(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    char body[BODY_MAX];
    char in[BODY_MAX];
    (void)snprintf(body, sizeof body, "{\"password\":\"abc123\",\"code\":\"%s\"}", f->app.backup[0]);
    const struct api_ask ask = {
        .method = "POST", .target = MFA_DISABLE, .key = box->publishable, .header = f->user.header, .body = body};
    const struct api_ask other = {
        .method = "POST", .target = SIGN_IN, .key = box->publishable, .body = api_app_body(in, ADA, f->app.backup[0])};

    struct api_box_pending *first = api_box_begin(box, &ask);
    struct api_box_pending *second = api_box_begin(box, &ask);
    struct api_box_pending *third = api_box_begin(box, &other);
    const unsigned int one = api_box_finish(box, first)->status;
    const unsigned int two = api_box_finish(box, second)->status;
    const unsigned int three = api_box_finish(box, third)->status;

    /* Whoever comes second finds none; a sign-in then needs none, and one that came first has used the code up. */
    const bool taken_away = (one == 200 && two == 400) || (one == 400 && two == 200);
    assert_true(taken_away ? three == 200 : one == 401 && two == 401 && three == 200);
    assert_string_equal(api_app_is_on(box, &f->user), taken_away ? "false" : "true");
}

static void a_factor_goes_with_its_user(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    struct api_user bob;
    char row[2048];
    api_user_take(api_box_post(box, SIGN_UP, ACCOUNT(BOB, "abc123")), &bob);
    api_app_turn_on(box, &f->user, &f->app);
    api_app_enable(box, &bob, &f->app);
    assert_int_equal(api_app_rows(box, row, sizeof row), 2);

    assert_int_equal(api_user_ask(box, box->publishable, &f->user, "DELETE", "/v1/auth/withdraw", NULL)->status, 200);
    assert_int_equal(api_app_rows(box, row, sizeof row), 1);
    assert_int_equal(api_user_manage(box, "DELETE", &bob, "", NULL)->status, 200);

    assert_int_equal(api_app_rows(box, row, sizeof row), 0);
    api_user_sign_up(box, &f->user);
    api_user_take(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "abc123")), &f->user);
}

static void a_new_password_leaves_the_factor_as_it_is(void **state)
{
    struct api_box *box = ((struct api_mfa *)*state)->box;
    char code[DATA_CODE_TEXT_BYTES + 1];
    confirm_address(box);

    api_mail_ask_reset(box, ADA, code);
    assert_int_equal(api_mail_reset(box, ADA, code)->status, 200);

    assert_refused(api_box_post(box, SIGN_IN, ACCOUNT(ADA, "other1")), 403, "auth/mfa-required");
}

/* --- other ways in --- */

static const struct api_answer *open_link(struct api_box *box, const char *token, const char *code)
{
    char body[BODY_MAX];

    (void)snprintf(body, sizeof body, code == NULL ? "{\"token\":\"%s\"}" : "{\"token\":\"%s\",\"mfaCode\":\"%s\"}",
                   token, code);
    return api_box_post(box, LINK_CALLBACK, body);
}

static void attack_11_a_sign_in_link_needs_the_code_and_holds_until_it_comes(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    char token[DATA_CODE_TEXT_BYTES + 1];
    confirm_address(box);
    assert_int_equal(api_box_post(box, SIGN_IN, LINK_TO_ADA)->status, 200);
    api_mail_token(box, ADA, "magic_link", token);

    assert_refused(open_link(box, token, NULL), 403, "auth/mfa-required");
    assert_refused(open_link(box, token, WRONG), 401, "auth/invalid-mfa-code");
    api_user_take(open_link(box, token, api_app_code(box, &f->app, 0)), &f->user);

    assert_string_equal(api_app_is_on(box, &f->user), "true");
    assert_refused(open_link(box, token, f->app.backup[0]), 401, "auth/invalid-token");
    assert_refused(api_app_sign_in(box, ADA, api_app_code(box, &f->app, 0)), 401, "auth/invalid-mfa-code");
    api_user_take(api_app_sign_in(box, ADA, f->app.backup[0]), &f->user); /* the used link took no code */
}

/* Its row is written before the password's is: a password that is stored anew with the sign-in must still find it. */
static void a_password_is_stored_anew_by_a_sign_in_with_a_code(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    struct data_people people;
    struct data_login login;
    const struct catalog *catalog = box->data->current;
    const struct span environment = api_stored_environment(box)->record.id;
    (void)data_directory(box->api->reader, catalog, NULL, &people);
    assert_int_equal(data_find_login(&people, environment, span_lit(ADA), &login), ERR_OK);
    struct data_sign sign = {.user_id = span_array(login.user),
                             .session_id = span_lit("44444444-4444-4444-8444-444444444444"),
                             .password = login.password,
                             .stronger = login.password,
                             .has_stronger = true,
                             .mfa_code = span_str(f->app.backup[0])};
    memset(sign.stronger.hash, 's', sizeof sign.stronger.hash);

    api_write(box, &(struct data_call){.operation = data_sign_in, .place = environment, .sign = &sign});

    assert_int_equal(data_find_login(&people, environment, span_lit(ADA), &login), ERR_OK);
    assert_memory_equal(login.password.hash, sign.stronger.hash, sizeof sign.stronger.hash);
}

static void attack_08_fields_of_another_kind_are_refused_and_empty_ones_are_none(void **state)
{
    static const char *const odd[] = {"123456", "true", "[\"123456\"]", "{\"$ne\":null}"};
    static const char *const none[] = {"null", "\"\""};
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    char body[BODY_MAX];

    for (size_t i = 0; i < ARRAY_LENGTH(odd); i++) {
        (void)snprintf(body, sizeof body, "{\"email\":\"" ADA "\",\"password\":\"abc123\",\"mfaCode\":%s}", odd[i]);
        assert_refused(api_box_post(box, SIGN_IN, body), 400, "auth/invalid-request");
        (void)snprintf(body, sizeof body, "{\"password\":\"abc123\",\"code\":%s}", odd[i]);
        assert_refused(api_user_ask(box, box->publishable, &f->user, "POST", MFA_DISABLE, body), 400,
                       "auth/invalid-request");
        (void)snprintf(body, sizeof body, "{\"code\":%s}", odd[i]);
        assert_refused(api_user_ask(box, box->publishable, &f->user, "POST", MFA_CONFIRM, body), 400,
                       "auth/invalid-request");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(none); i++) {
        (void)snprintf(body, sizeof body, "{\"email\":\"" ADA "\",\"password\":\"abc123\",\"mfaCode\":%s}", none[i]);
        assert_refused(api_box_post(box, SIGN_IN, body), 403, "auth/mfa-required");
        (void)snprintf(body, sizeof body, "{\"code\":%s}", none[i]);
        assert_refused(api_user_ask(box, box->publishable, &f->user, "POST", MFA_CONFIRM, body), 400,
                       "auth/invalid-request");
    }
}

/* --- what projects ask for --- */

static void set_preset(struct api_box *box, const char *preset)
{
    char target[128];
    char body[128];

    (void)snprintf(target, sizeof target, "/v1/admin/projects/%s",
                   api_answer_text(api_box_get(box, box->secret, "/v1/admin/projects"), "items.0.id"));
    (void)snprintf(body, sizeof body, "{\"settings\":{\"securityPreset\":\"%s\"}}", preset);
    assert_int_equal(api_box_send(box, "PATCH", box->secret, target, body)->status, 200);
}

static void a_hardened_project_lets_nobody_take_it_away_without_a_code(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    set_preset(box, "hardened");

    assert_refused(disable(box, &f->user, NULL), 403, "auth/mfa-required");
    assert_refused(disable(box, &f->user, ""), 403, "auth/mfa-required");
    assert_refused(disable(box, &f->user, WRONG), 401, "auth/invalid-mfa-code");
    assert_string_equal(api_app_is_on(box, &f->user), "true");

    assert_int_equal(disable(box, &f->user, api_app_code(box, &f->app, 0))->status, 200);
}

/* Only administrators see the address of another user. Reading changes nothing, so the account stays remembered. */
static bool is_admin(struct api_box *box, const struct api_user *user, const struct api_user *other)
{
    char target[128];
    char email[64];
    (void)snprintf(target, sizeof target, "/v1/users/%s", other->id);

    const struct api_answer *answer = api_user_ask(box, box->publishable, user, "GET", target, NULL);

    assert_int_equal(answer->status, 200);
    return api_answer_member(answer, "email", email, sizeof email);
}

/* And only they ban: the writer asks for itself. */
static unsigned int ban(struct api_box *box, const struct api_user *user, const struct api_user *other)
{
    char target[128];
    (void)snprintf(target, sizeof target, "/v1/users/%s/ban", other->id);

    return api_user_ask(box, box->publishable, user, "PATCH", target, "{\"banned\":false}")->status;
}

static void attack_03_an_administrator_without_one_is_a_user_of_a_hardened_project_at_once(void **state)
{
    struct api_mfa *f = *state;
    struct api_box *box = f->box;
    struct api_user bob;
    api_user_take(api_box_post(box, SIGN_UP, ACCOUNT(BOB, "abc123")), &bob);
    assert_int_equal(api_user_manage(box, "PATCH", &f->user, "/role", "{\"role\":\"admin\"}")->status, 200);

    assert_true(is_admin(box, &f->user, &bob));
    set_preset(box, "hardened");
    assert_false(is_admin(box, &f->user, &bob));
    assert_int_equal(ban(box, &f->user, &bob), 403);
    assert_int_equal(api_user_ask(box, box->secret, &f->user, "GET", "/v1/users", NULL)->status,
                     200); /* the key's right */
    assert_false(is_admin(box, &f->user, &bob));
    set_preset(box, "compat");
    assert_true(is_admin(box, &f->user, &bob));
    assert_int_equal(ban(box, &f->user, &bob), 200);
    set_preset(box, "hardened");
    api_app_turn_on(box, &f->user, &f->app);
    assert_true(is_admin(box, &f->user, &bob));
    assert_true(is_admin(box, &f->user, &bob)); /* by what is remembered */
    assert_int_equal(ban(box, &f->user, &bob), 200);
    assert_int_equal(disable(box, &f->user, api_app_code(box, &f->app, 0))->status, 200);
    assert_false(is_admin(box, &f->user, &bob));
}

int main(void)
{
#define T(test)       cmocka_unit_test_setup_teardown(test, api_mfa_set_up, api_mfa_tear_down)
#define WITH_ON(test) cmocka_unit_test_setup_teardown(test, api_mfa_set_up_on, api_mfa_tear_down)
    const struct CMUnitTest tests[] = {
        T(an_app_counts_once_a_code_of_it_confirmed_it),
        T(setting_up_ends_after_ten_minutes_and_not_before),
        T(setting_up_again_makes_the_former_key_worthless),
        T(a_backup_code_confirms_nothing),
        T(attack_11_of_two_confirmations_at_once_one_succeeds),
        T(the_url_says_whose_key_it_is),
        T(what_is_stored_of_backup_codes_is_digests),
        T(the_buffer_that_rows_are_built_in_forgets_the_key),
        cmocka_unit_test(digests_of_equal_codes_of_two_users_differ),
        T(a_factor_that_is_taken_away_is_gone_with_its_codes),
        WITH_ON(attack_11_of_two_at_once_that_take_it_away_with_one_code_one_succeeds),
        T(a_factor_goes_with_its_user),
        WITH_ON(a_new_password_leaves_the_factor_as_it_is),
        WITH_ON(attack_11_a_sign_in_link_needs_the_code_and_holds_until_it_comes),
        WITH_ON(a_password_is_stored_anew_by_a_sign_in_with_a_code),
        WITH_ON(attack_08_fields_of_another_kind_are_refused_and_empty_ones_are_none),
        WITH_ON(a_hardened_project_lets_nobody_take_it_away_without_a_code),
        T(attack_03_an_administrator_without_one_is_a_user_of_a_hardened_project_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
