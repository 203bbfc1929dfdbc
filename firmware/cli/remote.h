/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A box at the other end of a connection. */
#ifndef FIRMWARE_CLI_REMOTE_H
#define FIRMWARE_CLI_REMOTE_H

#include <stdint.h>

#include "firmware/cli/answer.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

struct remote;

struct remote_options {
    struct span host; /* name or address; borrowed, as the next, until remote_free */
    struct span name; /* in its certificate */
    uint16_t port;
    struct span ca;   /* PEM: whom to trust, and nobody else */
};

/* Connects when first asked. ERR_MALFORMED: no certificate in ca; ERR_NO_MEMORY. */
enum err remote_new(const struct remote_options *options, struct remote **out_remote) MUST_USE;
void remote_free(struct remote *remote); /* NULL is fine */

static inline void remote_free_scoped(struct remote **remote)
{
    remote_free(*remote);
}
#define SCOPED_REMOTE SCOPED(remote_free_scoped)

struct remote_ask {
    const char *method;
    struct span path;  /* with its query */
    struct span bearer; /* empty: none */
    struct span type;  /* of the body */
    struct span body;
};

/* One request and its answer, over the connection of before while there is one. Blocks, each step for half a minute, an answer for
 * two minutes. out_answer lives until the next request.
 *   ERR_NOT_FOUND   no such host, or no way there
 *   ERR_CLOSED, ERR_TIMEOUT, ERR_REFUSED   nobody answers, or not any more: another try may go better
 *   ERR_AUTH        not the box whose CA was given, or another name in its certificate
 *   ERR_UNSUPPORTED, ERR_MALFORMED, ERR_RANGE   no HTTPS of a box; ERR_NO_MEMORY */
enum err remote_send(struct remote *remote, const struct remote_ask *ask, struct answer *out_answer) MUST_USE;

#endif
