/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The email provider of an environment: what it says itself about passwords, sign-up and links, over its project's
 * settings. It stands in the environment's document (`emailProvider`). Spec: contract 6. */
#ifndef FIRMWARE_DATA_PROVIDERS_H
#define FIRMWARE_DATA_PROVIDERS_H

#include "firmware/data/access.h"
#include "firmware/data/call.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"

/* GET /v1/admin/auth-providers/email: what holds, wherever it comes from. ERR_DENIED. */
enum err data_get_email_provider(const struct data_admin *admin) MUST_USE;

/* PUT: changes what the body names. null takes it back, so that the project decides; of expirationDays it means never. */
data_operation data_email_provider_set;

#endif
