/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `rowlock plan-secure-boot`: tells a box what PCR 7 will be after the keys of its firmware have changed. */
#include "firmware/cli/cli.h"

#include "firmware/cli/session.h"
#include "firmware/cli/tell.h"
#include "firmware/cli/words.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "net/json_out.h"

#define BODY_MAX  256
#define OK_STATUS 200

static enum err ask(struct session *session, const char *pcr7, struct reply *out_reply)
{
    SCOPED_BUF struct buf *body = NULL;
    struct json_out out;

    TRY(buf_new(BODY_MAX, &body));
    json_out_init(&out, body);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("pcr7"), span_str(pcr7));
    json_out_object_end(&out);
    TRY(json_out_finish(&out));
    const struct session_ask plan = {"POST", span_lit("/v1/admin/secure-boot/plan"), SESSION_JSON, buf_all(body)};
    return session_send(session, &plan, out_reply);
}

static enum cli_status plan(const struct words *words, struct tell *tell, struct session *session)
{
    struct reply reply = {.body = NULL};

    const enum err err = ask(session, words->pcr7, &reply);
    if (err != ERR_OK) {
        tell_failure(tell, "the box", err);
        return CLI_NOT_REACHED;
    }
    if (reply.status != OK_STATUS) {
        tell_refusal(tell, "refused", &reply);
        return CLI_REFUSED;
    }
    tell_done(tell, &reply, "planned; the box opens as it is today, and with PCR 7 ", span_str(words->pcr7));
    return CLI_DONE;
}

int cli_plan_secure_boot(int argc, char **argv)
{
    struct session *session = NULL;
    struct words words = {.pcr7 = NULL};
    struct tell tell = {.json = false};

    if (words_read(WORDS_PLAN, (size_t)argc, argv, &words) != ERR_OK) {
        fault_clear();
        return CLI_USAGE;
    }
    tell_init(words.json, &tell);
    enum cli_status status = session_open(&words, &tell, &session);
    if (status == CLI_DONE) {
        status = plan(&words, &tell, session);
    }
    session_close(session);
    return (int)status;
}
