/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What commands say: text on standard error, or with --json one line on standard output. What a box has said goes to a terminal without
 * anything that a terminal would obey. */
#ifndef FIRMWARE_CLI_TELL_H
#define FIRMWARE_CLI_TELL_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/base/err.h"
#include "hal/base/json_value.h"
#include "hal/base/span.h"

/* Statuses that commands go by; any other is a refusal. */
#define REPLY_OK           200
#define REPLY_UNAUTHORIZED 401 /* the token's time is over */
#define REPLY_FORBIDDEN    403
#define REPLY_TOO_MANY     429 /* later, as the next */
#define REPLY_UNAVAILABLE  503

/* An answer of a box. */
struct reply {
    unsigned int status;
    const struct json_value *body; /* NULL: it was no JSON */
};

/* A text of its body; SPAN_NONE: there is none of that name. */
struct span reply_text(const struct reply *reply, const char *name);

struct tell {
    bool json;
    bool has_bar; /* standard error is a terminal, and nothing else is wanted there */
    bool drawn;   /* a bar is on the line */
};

void tell_init(bool json, struct tell *out_tell);

/* "rowlock: what: why" */
void tell_failure(struct tell *tell, const char *what, enum err err);
void tell_refusal(struct tell *tell, const char *what, const struct reply *reply);

/* How much of it is there. Nothing where there is no bar. */
void tell_progress(struct tell *tell, uint64_t done, uint64_t total);

/* The outcome: the box's own words as JSON, or a sentence and a text of the box. */
void tell_done(struct tell *tell, const struct reply *reply, const char *sentence, struct span about);

#endif
