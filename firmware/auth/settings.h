/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a project and an environment say about signing in: contract 5.2, 6 (auth-providers/email), 9.2. The values are
 * parsed once, when a document is read into the catalogue; catalog_auth_settings() puts them together. Pure.
 *
 * Three layers, the later over the earlier: the defaults of the project's preset; the project's settings; what the
 * environment says itself. */
#ifndef FIRMWARE_AUTH_SETTINGS_H
#define FIRMWARE_AUTH_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/json_value.h"
#include "hal/base/span.h"
#include "net/json_out.h"

#define AUTH_SESSIONS_MAX 50 /* that maxSessionsPerUser may allow */

struct auth_settings {
    /* New passwords: sign-up, change, reset. Lengths are in code points; the most is ACCOUNT_PASSWORD_MAX. */
    uint32_t password_min;
    bool password_upper, password_lower, password_digit, password_special;
    bool password_breached; /* refuse those of the local list */
    uint32_t password_days; /* how old a password may be at sign-in; 0: as old as it gets */

    bool magic_link_enabled;
    uint32_t magic_link_minutes;
    bool require_email_verification;
    bool signup_enabled;

    uint32_t refresh_reuse_grace_ms; /* 0: reuse ends everything */
    bool invalidate_access_on_refresh;
    bool keep_current_session; /* when the password is changed */
    bool enumeration_protection;
    bool users_list_admin_only;
    bool mfa_disable_requires_code;
    bool require_mfa_for_admins;
    uint32_t max_sessions; /* of one user; the oldest end */

    /* Limits of contract 1.9; at least 1. */
    uint32_t sign_in_failures; /* in 15 minutes, of an account from one address */
    uint32_t account_failures; /* in 15 minutes, of an account from all */
    uint32_t sign_ups;         /* an hour, from one address */
    uint32_t refreshes;        /* a minute, of a session */
    uint32_t mails;            /* an hour, to an address */
    uint32_t mails_next;       /* in 30 seconds, to an address */
    uint32_t mfa_failures;     /* in 15 minutes, of a user */
    uint32_t account_checks;   /* a minute, from one address */
};

/* Where a setting is given. */
enum auth_setting_place {
    AUTH_SETTING_PROJECT = 1,  /* in `settings` of a project */
    AUTH_SETTING_PASSWORD = 2, /* in its passwordPolicy, and in the email provider of an environment */
    AUTH_SETTING_EMAIL = 4     /* in the email provider only */
};
#define AUTH_SETTING_PROVIDER ((unsigned int)AUTH_SETTING_PASSWORD | (unsigned int)AUTH_SETTING_EMAIL)

struct auth_setting;

/* The setting of that name in one of the places (a union of enum auth_setting_place); NULL: there is none. */
const struct auth_setting *auth_setting_find(unsigned int places, struct span name);

/* The settings of the places, one after the other: at starts at 0. NULL: no more. */
const struct auth_setting *auth_setting_next(unsigned int places, size_t *at);
struct span auth_setting_name(const struct auth_setting *setting);

/* May it have that value? null is no value, but where it means "never". */
bool auth_setting_fits(const struct auth_setting *setting, const struct json_value *value);

/* The value that settings have of it, as a member of an open object. */
void auth_setting_write(const struct auth_setting *setting, const struct auth_settings *settings, struct json_out *out);

/* Is it a passwordPolicy that a project may have: a preset and settings of passwords? */
bool auth_policy_fits(const struct json_value *policy);

/* Which defaults of contract 9.2 hold. */
enum auth_preset { AUTH_COMPAT, AUTH_HARDENED };

/* What a project says, over the defaults of its preset. settings: of the stored document; NULL is fine. ERR_DAMAGED: a value
 * that may not be. */
enum err auth_settings_read(const struct json_value *settings, enum auth_preset preset,
                            struct auth_settings *out_settings) MUST_USE;

/* What an environment says itself. */
struct auth_overrides {
    struct auth_settings values;
    uint32_t given; /* a bit for each setting that it has */
};

/* ERR_DAMAGED. provider: its stored part of the document; NULL is fine. */
enum err auth_overrides_read(const struct json_value *provider, struct auth_overrides *out_overrides) MUST_USE;

/* settings with the overrides over them. */
struct auth_settings auth_settings_over(const struct auth_settings *settings, const struct auth_overrides *overrides);

/* What holds for operators: strict passwords, nobody signs up, and no link of a mail signs in. */
struct auth_settings auth_settings_operators(void);

/* What holds where nothing is known: nobody signs up, and everything else is as strict as a preset makes it. */
struct auth_settings auth_settings_strictest(void);

#endif
