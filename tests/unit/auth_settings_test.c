/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Settings of signing in: the layers, the presets, and what no setting may be. Spec: contract 5.2, 6, 9.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/auth/settings.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "net/json.h"

static const struct json_value *parse(struct arena *arena, const char *text)
{
    const struct json_value *value = NULL;

    assert_int_equal(json_parse(span_str(text), arena, &value), ERR_OK);
    return value;
}

static int set_up(void **state)
{
    struct arena *arena = NULL;

    assert_int_equal(arena_new(1024, (size_t)1 << 20, &arena), ERR_OK);
    *state = arena;
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

static void a_project_that_says_nothing_has_the_defaults_of_its_preset(void **state)
{
    struct auth_settings plain;
    struct auth_settings hardened;
    (void)state;

    assert_int_equal(auth_settings_read(NULL, AUTH_COMPAT, &plain), ERR_OK);
    assert_int_equal(auth_settings_read(NULL, AUTH_HARDENED, &hardened), ERR_OK);

    assert_int_equal(plain.password_min, 6);
    assert_int_equal(hardened.password_min, 8);
    assert_int_equal(plain.max_sessions, 20);
    assert_int_equal(hardened.max_sessions, 20);
    assert_int_equal(plain.magic_link_minutes, 15);
    assert_int_equal(plain.sign_in_failures, 5);
    assert_int_equal(plain.account_failures, 50);
    assert_int_equal(plain.sign_ups, 600);
    assert_int_equal(plain.refreshes, 10);
    assert_int_equal(plain.mails, 5);
    assert_int_equal(plain.mfa_failures, 5);
    assert_int_equal(plain.account_checks, 30);
    assert_int_equal(plain.refresh_reuse_grace_ms, 0);
    assert_int_equal(hardened.refresh_reuse_grace_ms, 0);
    assert_true(plain.signup_enabled && plain.magic_link_enabled && !plain.require_email_verification);
    assert_true(hardened.signup_enabled && hardened.magic_link_enabled && !hardened.require_email_verification);
    assert_false(plain.password_upper || plain.password_lower || plain.password_digit || plain.password_special ||
                 plain.password_breached);
    assert_true(hardened.password_upper && hardened.password_lower && hardened.password_digit &&
                hardened.password_special && hardened.password_breached);
    assert_false(plain.enumeration_protection || plain.users_list_admin_only || plain.mfa_disable_requires_code ||
                 plain.require_mfa_for_admins);
    assert_true(hardened.enumeration_protection && hardened.users_list_admin_only &&
                hardened.mfa_disable_requires_code && hardened.require_mfa_for_admins);
    assert_false(hardened.keep_current_session || hardened.invalidate_access_on_refresh);
}

static void a_project_says_more_than_its_preset_and_an_environment_more_than_its_project(void **state)
{
    struct auth_settings project;
    struct auth_overrides overrides;
    const struct json_value *said =
        parse(*state, "{\"passwordPolicy\":{\"preset\":\"documented\",\"minLength\":10,\"expirationDays\":90},"
                      "\"usersListVisibility\":\"public-fields\",\"maxSessionsPerUser\":3}");
    const struct json_value *own = parse(*state, "{\"minLength\":12,\"expirationDays\":null,\"signupEnabled\":false}");

    assert_int_equal(auth_settings_read(said, AUTH_HARDENED, &project), ERR_OK);
    assert_int_equal(auth_overrides_read(own, &overrides), ERR_OK);
    const struct auth_settings all = auth_settings_over(&project, &overrides);

    assert_int_equal(project.password_min, 10);
    assert_int_equal(project.password_days, 90);
    assert_false(project.password_upper);
    assert_false(project.users_list_admin_only);
    assert_int_equal(all.password_min, 12);
    assert_int_equal(all.password_days, 0);
    assert_int_equal(all.max_sessions, 3);
    assert_false(all.signup_enabled);
    assert_true(all.magic_link_enabled);
    assert_true(all.enumeration_protection);
}

static void a_value_that_may_not_be_fits_nowhere_and_is_damage_where_it_is_stored(void **state)
{
    static const char *const damaged[] = {"{\"refreshReuseGraceMs\":60001}",
                                          "{\"refreshReuseGraceMs\":-1}",
                                          "{\"refreshReuseGraceMs\":null}",
                                          "{\"keepCurrentSession\":1}",
                                          "{\"usersListVisibility\":\"everybody\"}",
                                          "{\"maxSessionsPerUser\":0}",
                                          "{\"maxSessionsPerUser\":51}",
                                          "{\"passwordPolicy\":{\"preset\":\"weak\"}}",
                                          "{\"passwordPolicy\":{\"minLength\":5}}",
                                          "{\"passwordPolicy\":{\"minLength\":129}}",
                                          "{\"passwordPolicy\":{\"breachedList\":true}}"};
    struct auth_settings settings;
    struct auth_overrides overrides;

    for (size_t i = 0; i < ARRAY_LENGTH(damaged); i++) {
        assert_int_equal(auth_settings_read(parse(*state, damaged[i]), AUTH_COMPAT, &settings), ERR_DAMAGED);
        fault_clear();
    }
    assert_int_equal(auth_overrides_read(parse(*state, "{\"magicLinkExpirationMinutes\":1441}"), &overrides),
                     ERR_DAMAGED);
    fault_clear();
    assert_false(auth_policy_fits(parse(*state, "{\"minimum\":8}")));
    assert_false(auth_policy_fits(parse(*state, "{\"minLength\":\"8\"}")));
    assert_false(auth_policy_fits(parse(*state, "[]")));
    assert_true(auth_policy_fits(parse(*state, "{\"preset\":\"strict\",\"expirationDays\":null,\"minLength\":128}")));
    assert_null(auth_setting_find(AUTH_SETTING_PROJECT, span_lit("minLength")));
    assert_null(auth_setting_find(AUTH_SETTING_PROVIDER, span_lit("maxSessionsPerUser")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_project_that_says_nothing_has_the_defaults_of_its_preset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_project_says_more_than_its_preset_and_an_environment_more_than_its_project,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_value_that_may_not_be_fits_nowhere_and_is_damage_where_it_is_stored, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
