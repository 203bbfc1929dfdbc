/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/api_mail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct api_answer *mails(struct api_box *box, const char *email, const char *category)
{
    char target[512];

    (void)snprintf(target, sizeof target, "/v1/admin/outbox?email=%s%s%s", email, category == NULL ? "" : "&category=",
                   category == NULL ? "" : category);
    const struct api_answer *answer = api_box_get(box, box->secret, target);
    assert_int_equal(answer->status, 200);
    return answer;
}

size_t api_mail_count(struct api_box *box, const char *email, const char *category)
{
    return (size_t)strtoul(api_answer_text(mails(box, email, category), "pagination.total"), NULL, 10);
}

void api_mail_token(struct api_box *box, const char *email, const char *category,
                    char out_token[DATA_CODE_TEXT_BYTES + 1])
{
    assert_true(
        api_answer_member(mails(box, email, category), "items.0.token", out_token, DATA_CODE_TEXT_BYTES + 1));
}

void api_mail_ask_reset(struct api_box *box, const char *email, char out_token[DATA_CODE_TEXT_BYTES + 1])
{
    char body[256];

    (void)snprintf(body, sizeof body, "{\"email\":\"%s\"}", email);
    api_box_pass_s(box, 30); /* of a sign-up there was one */
    assert_int_equal(api_box_post(box, RESET_REQUEST, body)->status, 200);
    api_mail_token(box, email, "password_reset", out_token);
}

void api_mail_ask_address(struct api_box *box, const struct api_user *user, const char *email,
                          char out_token[DATA_CODE_TEXT_BYTES + 1])
{
    char body[256];

    (void)snprintf(body, sizeof body, "{\"email\":\"%s\"}", email);
    assert_int_equal(api_user_ask(box, box->publishable, user, "POST", "/v1/auth/email/verify/send", body)->status,
                     200);
    api_mail_token(box, email, "email_verification", out_token);
}

const struct api_answer *api_mail_confirm(struct api_box *box, const char *email, const char *token)
{
    char body[256];

    (void)snprintf(body, sizeof body, "{\"email\":\"%s\",\"token\":\"%s\"}", email, token);
    return api_box_post(box, VERIFY_CONFIRM, body);
}

const struct api_answer *api_mail_reset(struct api_box *box, const char *email, const char *token)
{
    char body[256];

    (void)snprintf(body, sizeof body, "{\"email\":\"%s\",\"token\":\"%s\",\"newPassword\":\"other1\"}", email, token);
    return api_box_post(box, RESET_CONFIRM, body);
}

const struct api_answer *api_mail_open(struct api_box *box, const char *token)
{
    char body[128];

    (void)snprintf(body, sizeof body, "{\"token\":\"%s\"}", token);
    return api_box_post(box, LINK_CALLBACK, body);
}
