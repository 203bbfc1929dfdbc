/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mail templates of an environment: built in, or an operator's, which stand in the environment's document
 * (`mailTemplates`). Spec: contract 6. */
#ifndef FIRMWARE_DATA_TEMPLATES_H
#define FIRMWARE_DATA_TEMPLATES_H

#include "firmware/data/access.h"
#include "firmware/data/call.h"
#include "firmware/data/catalog.h"
#include "firmware/mail/template.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/json_value.h"
#include "hal/base/span.h"

/* What a mail of the environment is made from; views into the catalogue. */
struct mail_template data_template(const struct catalog_environment *environment, enum mail_category category);

/* What a mail of that template wears: that of email_settings.h if they say so and the template is built in. */
struct mail_brand data_brand(const struct catalog_environment *environment, enum mail_category category);

/* All of them, and one by the name of its category. ERR_DENIED auth/template-not-found. */
enum err data_list_templates(const struct data_admin *admin) MUST_USE;
enum err data_get_template(const struct data_admin *admin, struct span category) MUST_USE;

/* Subject and body with sample values: of the template, or of what `body` (NULL: none) has in its place. ERR_DENIED. */
enum err data_preview_template(const struct data_admin *admin, struct span category, const struct json_value *body)
    MUST_USE;

data_operation data_template_set;

#endif
