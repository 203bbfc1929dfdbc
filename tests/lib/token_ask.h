/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a worker asks the keeper about tokens. */
#ifndef TESTS_LIB_TOKEN_ASK_H
#define TESTS_LIB_TOKEN_ASK_H

#include "firmware/msg.h"

#define TOKEN_ENVIRONMENT "44444444-4444-4444-8444-444444444444"
#define TOKEN_USER        "11111111-1111-4111-8111-111111111111"
#define TOKEN_SESSION     "22222222-2222-4222-8222-222222222222"
#define TOKEN_PROJECT     "33333333-3333-4333-8333-333333333333"

/* MSG_TOKEN_KEYS, _DROP or _NEXT, and MSG_TOKEN_SIGN for TOKEN_USER in the environment of that name. */
struct msg token_ask_about(enum msg_type type, const char *environment);
struct msg token_ask_sign(const char *environment_name);

#endif
