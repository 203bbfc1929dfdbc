/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/token_ask.h"

#include "hal/base/fault.h"

static void must(enum err err)
{
    INVARIANT(err == ERR_OK);
}

struct msg token_ask_about(enum msg_type type, const char *environment)
{
    struct msg request = MSG_NEW(type);

    must(MSG_SET(&request.as.token_environment, span_str(environment)));
    return request;
}

struct msg token_ask_sign(const char *environment_name)
{
    struct msg request = MSG_NEW(MSG_TOKEN_SIGN);

    request.as.token_sign.request = 7;
    must(MSG_SET(&request.as.token_sign.environment_id, span_lit(TOKEN_ENVIRONMENT)));
    must(MSG_SET(&request.as.token_sign.project, span_lit(TOKEN_PROJECT)));
    must(MSG_SET(&request.as.token_sign.environment, span_str(environment_name)));
    must(MSG_SET(&request.as.token_sign.user, span_lit(TOKEN_USER)));
    must(MSG_SET(&request.as.token_sign.session, span_lit(TOKEN_SESSION)));
    request.as.token_sign.access_s = MSG_ACCESS_S_MAX;
    request.as.token_sign.refresh_s = MSG_REFRESH_S_MAX;
    return request;
}
