/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The texts of mails: categories, their built-in templates, and the filling in of variables.
 *
 * A template holds variables as {{ name }}. In a body, which is HTML, a value is escaped; in a subject, which becomes a
 * field of the mail's header, control characters become spaces. A value is never read as a template again, an unknown
 * variable is empty, and what has no end is text. Pure. Spec: contract 6, email-templates. */
#ifndef FIRMWARE_MAIL_TEMPLATE_H
#define FIRMWARE_MAIL_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

enum mail_category {
    MAIL_SIGNUP_CONFIRMATION,
    MAIL_PASSWORD_RESET,
    MAIL_MAGIC_LINK,
    MAIL_EMAIL_VERIFICATION,
    MAIL_INVITATION,
    MAIL_CATEGORIES
};

struct span mail_category_name(enum mail_category category);

/* False: there is none of that name. */
bool mail_category_find(struct span name, enum mail_category *out_category);

enum mail_variable {
    MAIL_USER_NAME,
    MAIL_USER_EMAIL,
    MAIL_RESET_LINK,
    MAIL_VERIFY_LINK,
    MAIL_LINK, /* magicLink */
    MAIL_INVITER_NAME,
    MAIL_RESOURCE_NAME,
    MAIL_VARIABLES
};

struct span mail_variable_name(enum mail_variable variable);

/* An empty one is left out of the text. */
struct mail_values {
    struct span of[MAIL_VARIABLES]; /* UTF-8; no more than MAIL_VALUE_MAX bytes of each are used */
};

struct mail_template {
    struct span subject, body; /* UTF-8 */
};

/* How a mail looks that is made from a built-in template. An empty part is left out. */
struct mail_brand {
    struct span name;     /* of the sender, below the text */
    struct span logo_url; /* above it */
    struct span color;    /* #rgb or #rrggbb */
};

#define MAIL_SUBJECT_MAX 200              /* bytes of a template's subject */
#define MAIL_BODY_MAX    ((size_t)16384)  /* bytes of a template's body */
#define MAIL_PLACES_MAX  16               /* variables of one text */
#define MAIL_VALUE_MAX   ((size_t)4608)   /* the longest link: one of ours that carries one of MAIL_URL_MAX, encoded */
#define MAIL_TEXT_MAX    ((size_t)524288) /* a body that was filled in: every place holds the longest value, escaped */

/* The built-in one. */
struct mail_template mail_template_default(enum mail_category category);

/* Can it be stored: not empty, not too long, not too many variables, no control characters in the subject, none but
 * white space in the body? NULL: yes. Otherwise a literal that says what is wrong. */
const char *mail_template_problem(const struct mail_template *template);

/* Appends the text with its variables filled in. For a template without a problem, an `out` of MAIL_TEXT_MAX is enough.
 * ERR_RANGE: it is not; ERR_NO_MEMORY. */
enum err mail_render_subject(struct span subject, const struct mail_values *values, struct buf *out) MUST_USE;
enum err mail_render_body(struct span body, const struct mail_values *values, struct buf *out) MUST_USE;

/* The same with a frame around it, unless the brand is empty; enough are MAIL_TEXT_MAX bytes for a built-in template. */
enum err mail_render_branded(struct span body, const struct mail_values *values, const struct mail_brand *brand,
                             struct buf *out) MUST_USE;

#endif
