/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The authenticator app of a user of the API box, whose clock is the box's. */
#ifndef TESTS_LIB_API_MFA_H
#define TESTS_LIB_API_MFA_H

#include "crypto/totp.h"
#include "tests/lib/api_user.h"

#define MFA_ENABLE  "/v1/auth/mfa/enable"
#define MFA_CONFIRM "/v1/auth/mfa/confirm"
#define MFA_DISABLE "/v1/auth/mfa/disable"

struct api_app {
    uint8_t key[TOTP_KEY_BYTES];
    char backup[10][16];
    char code[8]; /* of the last api_app_code */
};

/* A box with ada@example.com and her app, which is there once the test or set_up_on has turned it on. */
struct api_mfa {
    struct api_box *box;
    struct api_user user;
    struct api_app app;
};

/* For cmocka. set_up_on: as api_app_turn_on leaves it. */
int api_mfa_set_up(void **state);
int api_mfa_set_up_on(void **state);
int api_mfa_tear_down(void **state);

/* The code of the step that is `steps` after that of now. It lives until the next call. */
const char *api_app_code(struct api_box *box, struct api_app *app, int steps);

/* Sets one up for a user with the password abc123: until it is pending; until it is on. */
void api_app_enable(struct api_box *box, const struct api_user *user, struct api_app *out_app);
const struct api_answer *api_app_confirm(struct api_box *box, const struct api_user *user, const char *code);
void api_app_turn_on_now(struct api_box *box, const struct api_user *user, struct api_app *out_app);

/* The same, and then on to steps of which none is used. */
void api_app_turn_on(struct api_box *box, const struct api_user *user, struct api_app *out_app);

/* What `me` says: "true" or "false". */
const char *api_app_is_on(struct api_box *box, const struct api_user *user);

/* A sign-in with the password abc123 and a code. */
#define API_APP_BODY_MAX 256
const char *api_app_body(char body[API_APP_BODY_MAX], const char *email, const char *code);
const struct api_answer *api_app_sign_in(struct api_box *box, const char *email, const char *code);

/* How many second factors are stored; and the newest row, as it is encoded, with zeros behind it. */
uint64_t api_app_rows(struct api_box *box, char *out_row, size_t size);

#endif
