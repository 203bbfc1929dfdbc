/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A user of the API box, who signs up and asks with an access token. */
#ifndef TESTS_LIB_API_USER_H
#define TESTS_LIB_API_USER_H

#include "firmware/auth/token.h"
#include "tests/lib/api_box.h"

#define SIGN_UP                  "/v1/auth/email/signup"
#define SIGN_IN                  "/v1/auth/email/signin"
#define REFRESH                  "/v1/auth/refresh"
#define ACCOUNT(email, password) "{\"email\":\"" email "\",\"password\":\"" password "\",\"name\":\"Ada\"}"
#define BOARD                                                                                                          \
    "{\"tableName\":\"posts\",\"schema\":{},\"permissions\":{\"user\":{\"create\":true,\"read\":true,\"list\":true},"  \
    "\"self\":{\"update\":true,\"delete\":true},\"guest\":{\"read\":true,\"list\":true}}}"

struct api_user {
    char id[64];
    char access[AUTH_TOKEN_MAX + 1];
    char refresh[AUTH_TOKEN_MAX + 1];
    char header[AUTH_TOKEN_MAX + 32];
};

/* From a TokenPair, with whatever of it is there. Then: ada@example.com with the password abc123; a request with the
 * user's token; GET me; and /v1/users/<id><rest> with the secret key. */
void api_user_take(const struct api_answer *answer, struct api_user *out_user);
void api_user_sign_up(struct api_box *box, struct api_user *out_user);
const struct api_answer *api_user_ask(struct api_box *box, const char *key, const struct api_user *user,
                                      const char *method, const char *target, const char *body);
const struct api_answer *api_user_me(struct api_box *box, const struct api_user *user);
const struct api_answer *api_user_manage(struct api_box *box, const char *method, const struct api_user *user,
                                         const char *rest, const char *body);

#endif
