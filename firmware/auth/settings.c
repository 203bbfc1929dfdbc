/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One table says of each setting where it is given, what it may be, and where it is kept; everything else walks it. */
#include "firmware/auth/settings.h"

#include <string.h>

#include "firmware/auth/account.h"
#include "hal/base/fault.h"

#define STRICT_MIN    8
#define DAYS_MAX      3650
#define MINUTES_MAX   1440  /* as long as the other codes hold */
#define GRACE_MAX_MS  60000 /* a successor is kept as long; a client that comes later has lost it */
#define SESSIONS_FEW  20
#define MAGIC_MINUTES 15
#define LIMIT_MAX     1000000 /* so good as none; fits a counter */

enum setting_type {
    SETTING_BOOL,
    SETTING_CHOICE, /* of two texts; the second is true */
    SETTING_NUMBER,
    SETTING_NUMBER_OR_NEVER /* null is 0 */
};

struct auth_setting {
    struct span name;
    enum auth_setting_place place;
    enum setting_type type;
    size_t offset; /* in struct auth_settings: of a bool or a uint32_t */
    int64_t least, most;
    struct span choices[2];
};

#define LITERAL(text)                                                                                                  \
    {                                                                                                                  \
        (const uint8_t *)("" text), sizeof(text) - 1                                                                   \
    }
#define NO_CHOICES                                                                                                     \
    {                                                                                                                  \
        {0},                                                                                                           \
        {                                                                                                              \
            0                                                                                                          \
        }                                                                                                              \
    }
#define BOOL_SETTING(text, place, member)                                                                              \
    {                                                                                                                  \
        LITERAL(text), place, SETTING_BOOL, offsetof(struct auth_settings, member), 0, 0, NO_CHOICES                   \
    }
#define CHOICE_SETTING(text, place, member, first, second)                                                             \
    {                                                                                                                  \
        LITERAL(text), place, SETTING_CHOICE, offsetof(struct auth_settings, member), 0, 0,                            \
        {                                                                                                              \
            LITERAL(first), LITERAL(second)                                                                            \
        }                                                                                                              \
    }
#define NUMBER_SETTING(text, place, type, member, least, most)                                                         \
    {                                                                                                                  \
        LITERAL(text), place, type, offsetof(struct auth_settings, member), least, most, NO_CHOICES                    \
    }
#define LIMIT_SETTING(text, member)                                                                                    \
    NUMBER_SETTING(text, AUTH_SETTING_PROJECT, SETTING_NUMBER, member, 1, LIMIT_MAX)

static const struct auth_setting table[] = {
    NUMBER_SETTING("minLength", AUTH_SETTING_PASSWORD, SETTING_NUMBER, password_min, ACCOUNT_PASSWORD_MIN,
                   ACCOUNT_PASSWORD_MAX),
    BOOL_SETTING("requireUppercase", AUTH_SETTING_PASSWORD, password_upper),
    BOOL_SETTING("requireLowercase", AUTH_SETTING_PASSWORD, password_lower),
    BOOL_SETTING("requireNumbers", AUTH_SETTING_PASSWORD, password_digit),
    BOOL_SETTING("requireSpecialChars", AUTH_SETTING_PASSWORD, password_special),
    NUMBER_SETTING("expirationDays", AUTH_SETTING_PASSWORD, SETTING_NUMBER_OR_NEVER, password_days, 1, DAYS_MAX),
    CHOICE_SETTING("breachedList", AUTH_SETTING_PASSWORD, password_breached, "off", "on"),
    BOOL_SETTING("magicLinkEnabled", AUTH_SETTING_EMAIL, magic_link_enabled),
    NUMBER_SETTING("magicLinkExpirationMinutes", AUTH_SETTING_EMAIL, SETTING_NUMBER, magic_link_minutes, 1,
                   MINUTES_MAX),
    BOOL_SETTING("requireEmailVerification", AUTH_SETTING_EMAIL, require_email_verification),
    BOOL_SETTING("signupEnabled", AUTH_SETTING_EMAIL, signup_enabled),
    NUMBER_SETTING("refreshReuseGraceMs", AUTH_SETTING_PROJECT, SETTING_NUMBER, refresh_reuse_grace_ms, 0,
                   GRACE_MAX_MS),
    BOOL_SETTING("invalidateAccessOnRefresh", AUTH_SETTING_PROJECT, invalidate_access_on_refresh),
    BOOL_SETTING("keepCurrentSession", AUTH_SETTING_PROJECT, keep_current_session),
    BOOL_SETTING("enumerationProtection", AUTH_SETTING_PROJECT, enumeration_protection),
    CHOICE_SETTING("usersListVisibility", AUTH_SETTING_PROJECT, users_list_admin_only, "public-fields", "admin-only"),
    BOOL_SETTING("mfaDisableRequiresCode", AUTH_SETTING_PROJECT, mfa_disable_requires_code),
    BOOL_SETTING("requireMfaForAdmins", AUTH_SETTING_PROJECT, require_mfa_for_admins),
    NUMBER_SETTING("maxSessionsPerUser", AUTH_SETTING_PROJECT, SETTING_NUMBER, max_sessions, 1, AUTH_SESSIONS_MAX),
    LIMIT_SETTING("signInFailures", sign_in_failures),
    LIMIT_SETTING("accountFailures", account_failures),
    LIMIT_SETTING("signUpsPerHour", sign_ups),
    LIMIT_SETTING("refreshesPerMinute", refreshes),
    LIMIT_SETTING("mailsPerHour", mails),
    LIMIT_SETTING("mailsPerHalfMinute", mails_next),
    LIMIT_SETTING("mfaFailures", mfa_failures),
    LIMIT_SETTING("accountChecksPerMinute", account_checks),
};
_Static_assert(ARRAY_LENGTH(table) <= 32, "a bit of auth_overrides.given for each");

/* --- the table --- */

const struct auth_setting *auth_setting_next(unsigned int places, size_t *at)
{
    while (*at < ARRAY_LENGTH(table)) {
        const struct auth_setting *setting = &table[(*at)++];
        if (((unsigned int)setting->place & places) != 0) {
            return setting;
        }
    }
    return NULL;
}

const struct auth_setting *auth_setting_find(unsigned int places, struct span name)
{
    const struct auth_setting *setting = NULL;
    size_t at = 0;

    while ((setting = auth_setting_next(places, &at)) != NULL) {
        if (span_equal(setting->name, name)) {
            return setting;
        }
    }
    return NULL;
}

struct span auth_setting_name(const struct auth_setting *setting)
{
    return setting->name;
}

bool auth_setting_fits(const struct auth_setting *setting, const struct json_value *value)
{
    switch (setting->type) {
    case SETTING_BOOL:
        return value->type == JSON_BOOL;
    case SETTING_CHOICE:
        return value->type == JSON_STRING &&
               (span_equal(value->as.text, setting->choices[0]) || span_equal(value->as.text, setting->choices[1]));
    case SETTING_NUMBER_OR_NEVER:
        if (value->type == JSON_NULL) {
            return true;
        }
        break;
    case SETTING_NUMBER:
        break;
    }
    return value->type == JSON_INT && value->as.integer >= setting->least && value->as.integer <= setting->most;
}

/* Where settings keep it: of a bool, or of a number. */
static bool *flag_of(const struct auth_setting *setting, struct auth_settings *settings)
{
    return (bool *)(void *)((char *)settings + setting->offset);
}

static uint32_t *number_of(const struct auth_setting *setting, struct auth_settings *settings)
{
    return (uint32_t *)(void *)((char *)settings + setting->offset);
}

/* A value that fits. */
static void set(const struct auth_setting *setting, const struct json_value *value, struct auth_settings *settings)
{
    switch (setting->type) {
    case SETTING_BOOL:
        *flag_of(setting, settings) = value->as.boolean;
        return;
    case SETTING_CHOICE:
        *flag_of(setting, settings) = span_equal(value->as.text, setting->choices[1]);
        return;
    case SETTING_NUMBER:
    case SETTING_NUMBER_OR_NEVER:
        *number_of(setting, settings) = value->type == JSON_NULL ? 0 : (uint32_t)value->as.integer;
        return;
    }
}

void auth_setting_write(const struct auth_setting *setting, const struct auth_settings *settings, struct json_out *out)
{
    struct auth_settings copy = *settings;

    switch (setting->type) {
    case SETTING_BOOL:
        json_out_member_bool(out, setting->name, *flag_of(setting, &copy));
        return;
    case SETTING_CHOICE:
        json_out_member_text(out, setting->name, setting->choices[*flag_of(setting, &copy) ? 1 : 0]);
        return;
    case SETTING_NUMBER_OR_NEVER:
        if (*number_of(setting, &copy) == 0) {
            json_out_member_null(out, setting->name);
            return;
        }
        break;
    case SETTING_NUMBER:
        break;
    }
    json_out_member_int(out, setting->name, (int64_t)*number_of(setting, &copy));
}

/* --- passwords --- */

static bool is_preset(const struct json_value *value)
{
    return value->type == JSON_STRING &&
           (span_equal(value->as.text, span_lit("documented")) || span_equal(value->as.text, span_lit("strict")));
}

bool auth_policy_fits(const struct json_value *policy)
{
    if (policy->type != JSON_OBJECT) {
        return false;
    }
    for (size_t i = 0; i < policy->as.object.count; i++) {
        const struct json_member *member = &policy->as.object.members[i];
        const struct auth_setting *setting = auth_setting_find(AUTH_SETTING_PASSWORD, member->name);
        const bool fits = setting != NULL ? auth_setting_fits(setting, &member->value)
                                          : span_equal(member->name, span_lit("preset")) && is_preset(&member->value);
        if (!fits) {
            return false;
        }
    }
    return true;
}

static void use_preset(bool strict, struct auth_settings *settings)
{
    settings->password_min = strict ? STRICT_MIN : ACCOUNT_PASSWORD_MIN;
    settings->password_upper = strict;
    settings->password_lower = strict;
    settings->password_digit = strict;
    settings->password_special = strict;
    settings->password_breached = strict;
}

/* --- the layers --- */

static struct auth_settings defaults(enum auth_preset preset)
{
    const bool hardened = preset == AUTH_HARDENED;
    struct auth_settings settings = {.magic_link_enabled = true,
                                     .magic_link_minutes = MAGIC_MINUTES,
                                     .signup_enabled = true,
                                     .enumeration_protection = hardened,
                                     .users_list_admin_only = hardened,
                                     .mfa_disable_requires_code = hardened,
                                     .require_mfa_for_admins = hardened,
                                     .max_sessions = SESSIONS_FEW,
                                     .sign_in_failures = 5,
                                     .account_failures = 50,
                                     .sign_ups = 600,
                                     .refreshes = 10,
                                     .mails = 5,
                                     .mails_next = 1,
                                     .mfa_failures = 5,
                                     .account_checks = 30};

    use_preset(hardened, &settings);
    return settings;
}

struct auth_settings auth_settings_operators(void)
{
    struct auth_settings settings = defaults(AUTH_HARDENED);

    settings.signup_enabled = false;
    settings.magic_link_enabled = false;
    settings.invalidate_access_on_refresh = true;
    return settings;
}

struct auth_settings auth_settings_strictest(void)
{
    struct auth_settings settings = auth_settings_operators();

    settings.require_email_verification = true;
    return settings;
}

/* What doc gives of the places, and a bit for each. */
static enum err take(const struct json_value *doc, unsigned int places, struct auth_settings *settings, uint32_t *given)
{
    const struct auth_setting *setting = NULL;
    size_t at = 0;

    while ((setting = auth_setting_next(places, &at)) != NULL) {
        const struct json_value *value = json_find(doc, setting->name);
        if (value != NULL) {
            ENSURE(auth_setting_fits(setting, value), ERR_DAMAGED, "a setting of no possible value");
            set(setting, value, settings);
            *given |= UINT32_C(1) << (at - 1);
        }
    }
    return ERR_OK;
}

enum err auth_settings_read(const struct json_value *settings, enum auth_preset preset,
                            struct auth_settings *out_settings)
{
    const struct json_value *policy = json_find(settings, span_lit("passwordPolicy"));
    const struct json_value *passwords = json_find(policy, span_lit("preset"));
    struct auth_settings read = defaults(preset);
    uint32_t given = 0;

    if (passwords != NULL) {
        ENSURE(is_preset(passwords), ERR_DAMAGED, "a preset of passwords that is none");
        use_preset(span_equal(passwords->as.text, span_lit("strict")), &read);
    }
    TRY(take(policy, AUTH_SETTING_PASSWORD, &read, &given));
    TRY(take(settings, AUTH_SETTING_PROJECT, &read, &given));
    *out_settings = read;
    return ERR_OK;
}

enum err auth_overrides_read(const struct json_value *provider, struct auth_overrides *out_overrides)
{
    struct auth_overrides read = {.given = 0};

    TRY(take(provider, AUTH_SETTING_PROVIDER, &read.values, &read.given));
    *out_overrides = read;
    return ERR_OK;
}

struct auth_settings auth_settings_over(const struct auth_settings *settings, const struct auth_overrides *overrides)
{
    struct auth_settings all = *settings;
    struct auth_settings own = overrides->values;

    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        if ((overrides->given & (UINT32_C(1) << i)) == 0) {
            continue;
        }
        if (table[i].type == SETTING_BOOL || table[i].type == SETTING_CHOICE) {
            *flag_of(&table[i], &all) = *flag_of(&table[i], &own);
        } else {
            *number_of(&table[i], &all) = *number_of(&table[i], &own);
        }
    }
    return all;
}
