/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whose address it is does not show in the work for an answer that tells nothing of it, counted in rows opened. (The time
 * of it: `make timing`.) Spec: contract 1.6 auth/invalid-credentials, 5.3. */
/* link: --wrap=http_respond --wrap=http_body --wrap=row_read */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/api_user.h"

#define NO_CODE  "0000000000000000000000000000000000000000000000000000000000000000"
#define FIRST    "aaa@example.com"
#define BEHIND   "zzz@example.com"
#define FAILURES 5 /* contract 1.9 */

static unsigned int rows_read;

enum err __real_row_read(struct row_id id, struct span encoded, struct row *out_row);
enum err __wrap_row_read(struct row_id id, struct span encoded, struct row *out_row);
enum err __wrap_row_read(struct row_id id, struct span encoded, struct row *out_row)
{
    rows_read++;
    return __real_row_read(id, encoded, out_row);
}

/* A request, its body before and behind the address, and its answer. */
struct form {
    const char *path, *before, *behind;
    unsigned int status;
};
static const struct form fails = {SIGN_IN, "{\"email\":\"", "\",\"password\":\"abc124\"}", 401};
static const struct form is_locked = {SIGN_IN, "{\"email\":\"", "\",\"password\":\"abc124\"}", 429};
static const struct form checks = {"/v1/auth/accounts/check", "{\"type\":\"credentials\",\"providerAccountId\":\"",
                                   "\"}", 200};
static const struct form confirms = {"/v1/auth/password/reset/confirm", "{\"email\":\"",
                                     "\",\"token\":\"" NO_CODE "\",\"newPassword\":\"another1\"}", 404};

/* How many rows it costs. */
static unsigned int cost(struct api_box *box, const struct form *form, const char *email)
{
    char body[512];

    (void)snprintf(body, sizeof body, "%s%s%s", form->before, email, form->behind);
    rows_read = 0;
    assert_int_equal(api_box_send(box, "POST", box->publishable, form->path, body)->status, form->status);
    return rows_read;
}

static void attack_10_an_unknown_address_costs_a_sign_in_what_a_known_one_does(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);

    const unsigned int known = cost(box, &fails, "ada@example.com");

    assert_int_equal(known, 2); /* the user and the password */
    assert_int_equal(cost(box, &fails, FIRST), known);
    assert_int_equal(cost(box, &fails, BEHIND), known);
}

/* ada has a password, bob and eve have none; the one who stands in for an unknown address may have one or not. */
static void attack_10_an_account_without_a_password_costs_what_one_with_it_does(void **state)
{
    static const char *const emails[] = {"ada@example.com", "bob@example.com", "eve@example.com", "bo@example.com",
                                         BEHIND};
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    for (size_t i = 1; i < 3; i++) {
        char body[128];
        (void)snprintf(body, sizeof body, "{\"email\":\"%s\",\"name\":\"A user\"}", emails[i]);
        assert_int_equal(api_box_send(box, "POST", box->secret, "/v1/users", body)->status, 201);
    }

    for (size_t i = 0; i < ARRAY_LENGTH(emails); i++) {
        assert_int_equal(cost(box, &fails, emails[i]), 2);
    }
}

static void attack_10_an_unknown_address_that_is_locked_costs_what_a_known_one_does(void **state)
{
    static const char *const emails[] = {"ada@example.com", FIRST, BEHIND};
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    for (size_t i = 0; i < ARRAY_LENGTH(emails) * FAILURES; i++) {
        (void)cost(box, &fails, emails[i % ARRAY_LENGTH(emails)]);
    }

    for (size_t i = 0; i < ARRAY_LENGTH(emails); i++) {
        assert_int_equal(cost(box, &is_locked, emails[i]), 2);
    }
}

static void attack_10_what_is_not_told_of_an_account_does_not_show_in_its_cost(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);
    api_box_settings(box, "\"enumerationProtection\":true");

    const unsigned int known = cost(box, &checks, "ada@example.com");

    assert_int_equal(known, 2);
    assert_int_equal(cost(box, &checks, FIRST), known);
    assert_int_equal(cost(box, &checks, BEHIND), known);
    assert_int_equal(cost(box, &confirms, FIRST), cost(box, &confirms, "ada@example.com"));
}

/* Where there is nobody at all, a row the less is read. */
static void attack_10_somebody_is_looked_at_for_a_mail_to_nobody_too(void **state)
{
    static const struct form asks = {"/v1/auth/password/reset/request", "{\"email\":\"", "\"}", 200};
    struct api_box *box = *state;
    const unsigned int alone = cost(box, &asks, "zoe@example.com");
    assert_int_equal(cost(box, &asks, "zed@example.com"), alone);

    assert_int_equal(
        api_box_send(box, "POST", box->secret, "/v1/users", "{\"email\":\"ada@example.com\",\"name\":\"A\"}")->status,
        201);

    assert_int_equal(cost(box, &asks, FIRST), alone + 1);
    assert_int_equal(cost(box, &asks, BEHIND), alone + 1);
}

static void an_address_of_an_empty_place_is_unknown(void **state)
{
    struct api_box *box = *state;

    assert_int_equal(cost(box, &fails, FIRST), 0);
}

/* The one who stands in for them has a password, and it is not theirs. */
static void the_password_of_another_opens_no_unknown_address(void **state)
{
    struct api_box *box = *state;
    struct api_user user;
    api_user_sign_up(box, &user);

    assert_refused(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT(FIRST, "abc123")), 401,
                   "auth/invalid-credentials");
    assert_refused(api_box_send(box, "POST", box->publishable, SIGN_IN, ACCOUNT(BEHIND, "abc123")), 401,
                   "auth/invalid-credentials");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(attack_10_an_unknown_address_costs_a_sign_in_what_a_known_one_does,
                                        api_box_set_up, api_box_tear_down),
        cmocka_unit_test_setup_teardown(attack_10_an_account_without_a_password_costs_what_one_with_it_does,
                                        api_box_set_up, api_box_tear_down),
        cmocka_unit_test_setup_teardown(attack_10_an_unknown_address_that_is_locked_costs_what_a_known_one_does,
                                        api_box_set_up, api_box_tear_down),
        cmocka_unit_test_setup_teardown(attack_10_what_is_not_told_of_an_account_does_not_show_in_its_cost,
                                        api_box_set_up, api_box_tear_down),
        cmocka_unit_test_setup_teardown(attack_10_somebody_is_looked_at_for_a_mail_to_nobody_too, api_box_set_up,
                                        api_box_tear_down),
        cmocka_unit_test_setup_teardown(an_address_of_an_empty_place_is_unknown, api_box_set_up, api_box_tear_down),
        cmocka_unit_test_setup_teardown(the_password_of_another_opens_no_unknown_address, api_box_set_up,
                                        api_box_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
