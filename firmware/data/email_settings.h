/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mail settings of an environment: sender, looks and relay. They stand in the environment's document
 * (`emailSettings`), sealed as every row, the relay's password included; no answer has it. Spec: contract 6. */
#ifndef FIRMWARE_DATA_EMAIL_SETTINGS_H
#define FIRMWARE_DATA_EMAIL_SETTINGS_H

#include "firmware/data/access.h"
#include "firmware/data/call.h"
#include "firmware/data/mail_settings.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/json_value.h"
#include "hal/base/mem.h"

/* Reads them as they are stored (NULL: none yet); the views are into the document or the arena. ERR_DAMAGED. */
enum err email_settings_read(const struct json_value *stored, struct arena *arena, struct mail_settings *out_settings)
    MUST_USE;

/* GET /v1/admin/email-settings. ERR_DENIED. */
enum err data_get_email_settings(const struct data_admin *admin) MUST_USE;

/* PUT: changes what the body names; null takes it back. `smtp` is replaced as a whole, but for a password that is not
 * named: it stays while the relay does, and another relay has to be given one, so that nobody has it sent to a machine of
 * theirs. */
data_operation data_email_settings_set;

#endif
