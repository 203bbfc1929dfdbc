/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mails of the API box, as an operator reads them. */
#ifndef TESTS_LIB_API_MAIL_H
#define TESTS_LIB_API_MAIL_H

#include "firmware/data/codes.h"
#include "tests/lib/api_user.h"

/* How many mails of a category an address has; NULL: of any. */
size_t api_mail_count(struct api_box *box, const char *email, const char *category);

/* The token of the newest one. Fails the test if there is none. */
void api_mail_token(struct api_box *box, const char *email, const char *category,
                    char out_token[DATA_CODE_TEXT_BYTES + 1]);

#endif
