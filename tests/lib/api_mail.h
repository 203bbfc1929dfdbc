/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mails of the API box, as an operator reads them. */
#ifndef TESTS_LIB_API_MAIL_H
#define TESTS_LIB_API_MAIL_H

#include "firmware/data/codes.h"
#include "tests/lib/api_user.h"

#define RESET_REQUEST  "/v1/auth/password/reset/request"
#define RESET_CONFIRM  "/v1/auth/password/reset/confirm"
#define VERIFY_CONFIRM "/v1/auth/email/verify/confirm"
#define LINK_CALLBACK  "/v1/auth/email/callback"

/* How many mails of a category an address has; NULL: of any. */
size_t api_mail_count(struct api_box *box, const char *email, const char *category);

/* The token of the newest one. Fails the test if there is none. */
void api_mail_token(struct api_box *box, const char *email, const char *category,
                    char out_token[DATA_CODE_TEXT_BYTES + 1]);

/* Asks for a mail, and takes its token: for another password, half a minute later, when the address may have the next mail;
 * for an address that the user wants in place of the own one. */
void api_mail_ask_reset(struct api_box *box, const char *email, char out_token[DATA_CODE_TEXT_BYTES + 1]);
void api_mail_ask_address(struct api_box *box, const struct api_user *user, const char *email,
                          char out_token[DATA_CODE_TEXT_BYTES + 1]);

/* What comes of it: the address is confirmed; the password becomes "other1"; whoever has the link is signed in. */
const struct api_answer *api_mail_confirm(struct api_box *box, const char *email, const char *token);
const struct api_answer *api_mail_reset(struct api_box *box, const char *email, const char *token);
const struct api_answer *api_mail_open(struct api_box *box, const char *token);

#endif
