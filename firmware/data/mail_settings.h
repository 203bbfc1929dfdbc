/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who the mails of an environment are from, how they look, and which relay takes them; and what each of these may be.
 * Pure. Spec: contract 6, email-settings. */
#ifndef FIRMWARE_DATA_MAIL_SETTINGS_H
#define FIRMWARE_DATA_MAIL_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/base/span.h"
#include "net/outbound.h"

#define MAIL_SENDER_MAX    100 /* code points of the sender's name */
#define MAIL_STARTTLS_PORT 587 /* RFC 6409 */
#define MAIL_TLS_PORT      465 /* RFC 8314 */

struct mail_relay {
    struct outbound_destination to; /* an empty host: there is no relay */
    struct span user, password;     /* both or neither */
};

struct mail_settings {
    struct span sender_email; /* as account_email_read makes it */
    struct span sender_name;
    struct span logo_url;
    struct span brand_color;
    bool override_defaults; /* mails of built-in templates wear logo, colour and name */
    struct mail_relay relay;
};

/* "starttls", "tls". False: no such kind. */
struct span mail_tls_name(enum outbound_tls tls);
bool mail_tls_find(struct span name, enum outbound_tls *out_tls);

/* Can it be that: a user or a password without control characters; certificates as PEM; a name of the sender, in one line;
 * an http(s) address of a picture; #rgb or #rrggbb? */
bool mail_user_fits(struct span user);
bool mail_password_fits(struct span password);
bool mail_ca_fits(struct span pem);
bool mail_sender_name_fits(struct span name);
bool mail_logo_fits(struct span url);
bool mail_color_fits(struct span color);

#endif
