/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The answer of a box to a request. Its CA was given, so it is the box that was meant, or one that somebody took over: lengths are
 * bounded, and what is not as the API answers is refused. */
#ifndef FIRMWARE_CLI_ANSWER_H
#define FIRMWARE_CLI_ANSWER_H

#include <stdbool.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define ANSWER_MAX 262144 /* bytes, head and body */

/* Where its bytes come from: appends at least one to `in`, or fails. */
struct answer_source {
    enum err (*receive)(void *context, struct buf *in);
    void *context;
};

struct answer {
    unsigned int status;
    struct span body; /* in the buffer that it was read into */
    bool closes;      /* the box wants no more over this connection */
};

/* Reads one answer into `in`, which is empty and made for ANSWER_MAX bytes. ERR_MALFORMED: not one of HTTP/1.1 with a length;
 * ERR_RANGE: longer than it may be; errors of the source. Spec: RFC 9112. */
enum err answer_read(const struct answer_source *source, struct buf *in, struct answer *out_answer) MUST_USE;

#endif
