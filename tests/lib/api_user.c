/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/api_user.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

void api_user_take(const struct api_answer *answer, struct api_user *out_user)
{
    if (answer->status != 200 && answer->status != 201) {
        print_message("%s\n", answer->body);
    }
    assert_true(answer->status == 200 || answer->status == 201);
    assert_true(api_answer_member(answer, "accessToken", out_user->access, sizeof out_user->access));
    assert_true(api_answer_member(answer, "refreshToken", out_user->refresh, sizeof out_user->refresh));
    (void)api_answer_member(answer, "user.id", out_user->id, sizeof out_user->id);
    (void)snprintf(out_user->header, sizeof out_user->header, "Authorization: Bearer %s", out_user->access);
}

void api_user_sign_up(struct api_box *box, struct api_user *out_user)
{
    api_user_take(api_box_send(box, "POST", box->publishable, SIGN_UP, ACCOUNT("ada@example.com", "abc123")), out_user);
}

const struct api_answer *api_user_ask(struct api_box *box, const char *key, const struct api_user *user,
                                      const char *method, const char *target, const char *body)
{
    const struct api_ask ask = {.method = method, .target = target, .key = key, .body = body, .header = user->header};

    return api_box_ask(box, &ask);
}

const struct api_answer *api_user_me(struct api_box *box, const struct api_user *user)
{
    return api_user_ask(box, box->publishable, user, "GET", "/v1/auth/me", NULL);
}

const struct api_answer *api_user_manage(struct api_box *box, const char *method, const struct api_user *user,
                                         const char *rest, const char *body)
{
    char target[128];

    (void)snprintf(target, sizeof target, "/v1/users/%s%s", user->id, rest);
    return api_box_send(box, method, box->secret, target, body);
}
