/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators of the API box: the first by the setup code, others by hand with the first one's password. */
#ifndef TESTS_LIB_API_OPERATOR_H
#define TESTS_LIB_API_OPERATOR_H

#include "firmware/auth/setup_code.h"
#include "tests/lib/api_user.h"

#define OPERATOR_ADMIN    "/v1/admin/auth"
#define OPERATOR_EMAIL    "root@example.com"
#define OPERATOR_PASSWORD "Correct-horse-battery-7"

/* A code, as a start of the worker makes it; and what is answered to whoever uses it. */
void api_operator_offer(struct api_box *box, char out_code[SETUP_CODE_CHARS + 1]);
const struct api_answer *api_operator_set_up(struct api_box *box, const char *code);

/* The owner; another one of that role, role@example.com; and one who signs in. */
void api_operator_make_owner(struct api_box *box);
void api_operator_make(struct api_box *box, const char *role);
void api_operator_sign_in(struct api_box *box, const char *email, struct api_user *out_operator);

/* The owner, made and signed in. */
void api_operator_owner(struct api_box *box, struct api_user *out_owner);

/* A request of an operator, without an API key. */
const struct api_answer *api_operator_ask(struct api_box *box, const struct api_user *operator, const char *method,
                                          const char *target, const char *body);

#endif
