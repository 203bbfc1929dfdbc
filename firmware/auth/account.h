/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an address and a password have to look like. Pure. Spec: contract 5.1, 5.2. */
#ifndef FIRMWARE_AUTH_ACCOUNT_H
#define FIRMWARE_AUTH_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

struct auth_settings;

#define ACCOUNT_EMAIL_MAX    254 /* bytes */
#define ACCOUNT_PASSWORD_MIN 6   /* code points */
#define ACCOUNT_PASSWORD_MAX 128

/* An address in the one form in which it is stored and compared: white space around it dropped, letters lower case.
 * Printable ASCII only, so no two addresses look alike and none can break a mail's header.
 * ERR_MALFORMED: not an address. */
struct account_email {
    char text[ACCOUNT_EMAIL_MAX];
    size_t len;
};
enum err account_email_read(struct span text, struct account_email *out_email) MUST_USE;

/* Is the password as long as the policy of settings asks for, not too long, and of the classes that it asks for? Letters
 * and digits are those of ASCII; whatever is neither is a special character. */
bool account_password_fits(struct span password, const struct auth_settings *settings);

#endif
