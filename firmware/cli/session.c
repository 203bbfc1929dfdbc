/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Password and tokens lie in buffers, which are wiped when they are freed. The password is forgotten with the sign-in. */
#include "firmware/cli/session.h"

#include "crypto/crypto.h"
#include "crypto/random.h"
#include "firmware/cli/remote.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/file.h"
#include "hal/terminal.h"
#include "net/json.h"
#include "net/json_out.h"

#define CA_MAX       65536
#define PASSWORD_MAX 1024
#define CODE_MAX     64
#define TOKEN_MAX    4096
#define BODY_MAX     16384
#define TREE_MAX     ((size_t)8 << 20)

struct session {
    struct remote *remote;
    struct arena *arena; /* the last answer */
    struct buf *ca;
    struct buf *access;
    struct buf *refresh;
    struct buf *body;
};

void session_forget(struct session *session)
{
    if (session == NULL) {
        return;
    }
    remote_free(session->remote);
    arena_free(session->arena);
    buf_free(session->ca);
    buf_free(session->access);
    buf_free(session->refresh);
    buf_free(session->body);
    mem_free(session);
}

static void forget_scoped(struct session **session)
{
    session_forget(*session);
}

/* --- requests --- */

static enum err send_once(struct session *session, const struct session_ask *ask, struct reply *out_reply)
{
    const struct remote_ask sent = {.method = ask->method, .path = ask->path, .bearer = buf_all(session->access),
                                    .type = span_str(ask->type), .body = ask->body};
    struct answer answer = {.status = 0};
    struct reply reply = {.body = NULL};

    TRY(remote_send(session->remote, &sent, &answer));
    arena_reset(session->arena);
    reply.status = answer.status;
    if (json_parse(answer.body, session->arena, &reply.body) != ERR_OK) {
        fault_clear(); /* the status says enough */
        reply.body = NULL;
    }
    *out_reply = reply;
    return ERR_OK;
}

/* Takes the tokens of an answer; ERR_MALFORMED: it holds none. */
static enum err take_tokens(struct session *session, const struct reply *reply)
{
    const struct span access = reply_text(reply, "accessToken");
    const struct span refresh = reply_text(reply, "refreshToken");

    ENSURE(access.len != 0 && refresh.len != 0, ERR_MALFORMED, "an answer without tokens");
    buf_wipe(session->access);
    buf_wipe(session->refresh);
    TRY(buf_put(session->access, access));
    return buf_put(session->refresh, refresh);
}

/* ERR_DENIED: the session is over; ERR_TIMEOUT: not now. */
static enum err exchange_tokens(struct session *session)
{
    struct reply reply = {.body = NULL};
    struct json_out out;

    buf_wipe(session->body);
    json_out_init(&out, session->body);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("refreshToken"), buf_all(session->refresh));
    json_out_object_end(&out);
    TRY(json_out_finish(&out));
    buf_wipe(session->access);
    const struct session_ask ask = {"POST", span_lit("/v1/admin/auth/refresh"), SESSION_JSON, buf_all(session->body)};
    TRY(send_once(session, &ask, &reply));
    ENSURE(reply.status != REPLY_UNAVAILABLE && reply.status != REPLY_TOO_MANY, ERR_TIMEOUT, "the box is busy");
    ENSURE(reply.status == REPLY_OK, ERR_DENIED, "the session is over");
    return take_tokens(session, &reply);
}

enum err session_send(struct session *session, const struct session_ask *ask, struct reply *out_reply)
{
    struct reply reply = {.body = NULL};

    TRY(send_once(session, ask, &reply));
    if (reply.status == REPLY_UNAUTHORIZED && buf_len(session->refresh) != 0) {
        TRY(exchange_tokens(session));
        TRY(send_once(session, ask, &reply));
    }
    *out_reply = reply;
    return ERR_OK;
}

/* --- signing in --- */

static void trim_end(struct buf *line)
{
    size_t len = buf_len(line);

    while (len != 0 && (buf_all(line).data[len - 1] == '\n' || buf_all(line).data[len - 1] == '\r')) {
        len--;
    }
    buf_truncate(line, len);
}

static enum err read_password(const struct words *words, struct buf *password)
{
    if (words->password_file == NULL) {
        TRY(terminal_ask("Password: ", TERMINAL_HIDDEN, password));
    } else {
        TRY(file_read(words->password_file, password));
        trim_end(password);
    }
    ENSURE(buf_len(password) != 0, ERR_MALFORMED, "no password");
    return ERR_OK;
}

static enum err write_sign_in(struct session *session, const char *email, struct span password, struct span code)
{
    struct json_out out;

    buf_wipe(session->body);
    json_out_init(&out, session->body);
    json_out_object(&out);
    json_out_member_text(&out, span_lit("email"), span_str(email));
    json_out_member_text(&out, span_lit("password"), password);
    if (code.len != 0) {
        json_out_member_text(&out, span_lit("mfaCode"), code);
    }
    json_out_object_end(&out);
    return json_out_finish(&out);
}

static bool wants_code(const struct reply *reply)
{
    return reply->status == REPLY_FORBIDDEN && span_equal(reply_text(reply, "errorCode"), span_lit("MFA_REQUIRED"));
}

static enum err ask_sign_in(struct session *session, const char *email, struct span password, struct reply *out_reply)
{
    SCOPED_BUF struct buf *code = NULL;
    const struct span path = span_lit("/v1/admin/auth/signin");

    TRY(buf_new(CODE_MAX, &code));
    TRY(write_sign_in(session, email, password, SPAN_NONE));
    TRY(send_once(session, &(struct session_ask){"POST", path, SESSION_JSON, buf_all(session->body)}, out_reply));
    if (wants_code(out_reply)) {
        TRY(terminal_ask("Code: ", TERMINAL_SHOWN, code));
        *out_reply = (struct reply){.body = NULL}; /* a code was typed: what fails from here on is not the want of one */
        TRY(write_sign_in(session, email, password, buf_all(code)));
        TRY(send_once(session, &(struct session_ask){"POST", path, SESSION_JSON, buf_all(session->body)}, out_reply));
    }
    buf_wipe(session->body);
    return ERR_OK;
}

static enum cli_status sign_in(struct session *session, const struct words *words, struct tell *tell)
{
    SCOPED_BUF struct buf *password = NULL;
    struct reply reply = {.body = NULL};

    enum err err = buf_new(PASSWORD_MAX, &password);
    err = err != ERR_OK ? err : read_password(words, password);
    if (err != ERR_OK) {
        tell_failure(tell, words->password_file != NULL ? words->password_file : "password", err);
        return CLI_NOT_SIGNED;
    }
    err = ask_sign_in(session, words->email, buf_all(password), &reply);
    if (err != ERR_OK) {
        const bool nobody_typed = wants_code(&reply);
        tell_failure(tell, nobody_typed ? "a code is needed" : "signing in", err);
        return nobody_typed ? CLI_NOT_SIGNED : CLI_NOT_REACHED;
    }
    if (reply.status != REPLY_OK || take_tokens(session, &reply) != ERR_OK) {
        fault_clear();
        tell_refusal(tell, "signing in", &reply);
        return reply.status < REPLY_TOO_MANY ? CLI_NOT_SIGNED : CLI_REFUSED;
    }
    return CLI_DONE;
}

/* --- the session --- */

static enum err start_json(void)
{
    struct random *random = NULL;
    uint8_t seed[4];

    TRY(random_new(SPAN_NONE, &random));
    random_fill(random, seed, sizeof(seed));
    random_free(random);
    json_seed(get_u32be(seed));
    return ERR_OK;
}

static enum err make(const struct words *words, struct session *session)
{
    TRY(crypto_start());
    TRY(start_json());
    TRY(buf_new(CA_MAX, &session->ca));
    TRY(buf_new(TOKEN_MAX, &session->access));
    TRY(buf_new(TOKEN_MAX, &session->refresh));
    TRY(buf_new(BODY_MAX, &session->body));
    TRY(arena_new(0, TREE_MAX, &session->arena));
    TRY(file_read(words->ca, session->ca));
    const struct remote_options options = {words->host, words->name, words->port, buf_all(session->ca)};
    return remote_new(&options, &session->remote);
}

enum cli_status session_open(const struct words *words, struct tell *tell, struct session **out_session)
{
    SCOPED(forget_scoped) struct session *session = NULL;
    void *memory = NULL;

    enum err err = mem_alloc(sizeof(struct session), &memory);
    if (err == ERR_OK) {
        session = memory;
        err = make(words, session);
    }
    if (err != ERR_OK) {
        tell_failure(tell, words->ca, err);
        return CLI_REFUSED;
    }
    const enum cli_status status = sign_in(session, words, tell);
    if (status == CLI_DONE) {
        *out_session = TAKE(session);
    }
    return status;
}

void session_close(struct session *session)
{
    struct reply reply;

    if (session != NULL) {
        const struct session_ask ask = {"POST", span_lit("/v1/admin/auth/signout"), SESSION_JSON, SPAN_NONE};
        if (session_send(session, &ask, &reply) != ERR_OK) { /* with a token whose time is over nobody is signed out */
            fault_clear(); /* the session ends by itself */
        }
        session_forget(session);
    }
}
