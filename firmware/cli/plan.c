/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `rowlock plan-secure-boot FILE`: brings a box the vendor's signed plan of what PCR 7 will be after the keys of its firmware have
 * changed. Whether the plan is good is decided by the box; here it only has to be a short text. */
#include "firmware/cli/cli.h"

#include "crypto/boot_plan.h"
#include "firmware/cli/session.h"
#include "firmware/cli/tell.h"
#include "firmware/cli/words.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/file.h"
#include "net/json_out.h"

#define BODY_MAX (2 * BOOT_PLAN_MAX + 16) /* each character may need two */

/* Printable ASCII and ends of lines: what JSON carries in two bytes at most. */
static enum err read_plan(const char *path, struct buf **out_plan)
{
    SCOPED_BUF struct buf *plan = NULL;

    TRY(buf_new(BOOT_PLAN_MAX, &plan));
    TRY(file_read(path, plan));
    const struct span text = buf_all(plan);
    ENSURE(text.len != 0, ERR_MALFORMED, "an empty file");
    for (size_t i = 0; i < text.len; i++) {
        ENSURE(text.data[i] == '\n' || (text.data[i] >= ' ' && text.data[i] <= '~'), ERR_MALFORMED, "not a text");
    }
    *out_plan = TAKE(plan);
    return ERR_OK;
}

static enum err ask(struct session *session, struct span plan, struct reply *out_reply)
{
    SCOPED_BUF struct buf *body = NULL;
    struct json_out out;

    TRY(buf_new(BODY_MAX, &body));
    json_out_init(&out, body);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("plan"), plan);
    json_out_object_end(&out);
    TRY(json_out_finish(&out));
    const struct session_ask asked = {"POST", span_lit("/v1/admin/secure-boot/plan"), SESSION_JSON, buf_all(body)};
    return session_send(session, &asked, out_reply);
}

static enum cli_status send_plan(const struct words *words, struct tell *tell, struct session *session, struct span plan)
{
    struct reply reply = {.body = NULL};

    const enum err err = ask(session, plan, &reply);
    if (err != ERR_OK) {
        tell_failure(tell, "the box", err);
        return CLI_NOT_REACHED;
    }
    if (reply.status != REPLY_OK) {
        tell_refusal(tell, "refused", &reply);
        return CLI_REFUSED;
    }
    tell_done(tell, &reply, "planned; the box opens as it is today, and as the plan says: ", span_str(words->file));
    return CLI_DONE;
}

static enum cli_status bring(const struct words *words, struct tell *tell)
{
    SCOPED_BUF struct buf *plan = NULL;
    struct session *session = NULL;

    const enum err err = read_plan(words->file, &plan);
    if (err != ERR_OK) {
        tell_failure(tell, words->file, err);
        return CLI_REFUSED;
    }
    enum cli_status status = session_open(words, tell, &session);
    if (status == CLI_DONE) {
        status = send_plan(words, tell, session, buf_all(plan));
    }
    session_close(session);
    return status;
}

int cli_plan_secure_boot(int argc, char **argv)
{
    struct words words = {.file = NULL};
    struct tell tell = {.json = false};

    if (words_read(WORDS_PLAN, (size_t)argc, argv, &words) != ERR_OK) {
        fault_clear();
        return CLI_USAGE;
    }
    tell_init(words.json, &tell);
    const enum cli_status status = bring(&words, &tell);
    return (int)status;
}
