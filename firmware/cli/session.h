/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An operator's session with a box, from the sign-in to the sign-out. */
#ifndef FIRMWARE_CLI_SESSION_H
#define FIRMWARE_CLI_SESSION_H

#include "firmware/cli/cli.h"
#include "firmware/cli/tell.h"
#include "firmware/cli/words.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

struct session;

/* Reads the CA and the password (a file, or what is typed), and signs in; a code of a second factor is asked for at the terminal. Says
 * what went wrong. CLI_DONE: *out_session is the caller's. */
enum cli_status session_open(const struct words *words, struct tell *tell, struct session **out_session) MUST_USE;

/* Signs out, as far as the box can be reached. NULL is fine. */
void session_close(struct session *session);

/* As with session_close, without a word to the box: it is about to start anew. */
void session_forget(struct session *session);

struct session_ask {
    const char *method;
    struct span path;
    const char *type; /* of the body */
    struct span body;
};

#define SESSION_JSON  "application/json"
#define SESSION_BYTES "application/octet-stream"

/* One request and its answer, which lives until the next one; an access token whose time is over is exchanged once. Errors of
 * remote_send(). */
enum err session_send(struct session *session, const struct session_ask *ask, struct reply *out_reply) MUST_USE;

#endif
