/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines of a relay's replies, and what it offers. Pure. Spec: RFC 5321 section 4.2. */
#ifndef FIRMWARE_COURIER_SMTP_REPLY_H
#define FIRMWARE_COURIER_SMTP_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define SMTP_LINE_MAX  1024 /* bytes with the line end: twice what RFC 5321 allows, because some relays are chatty */
#define SMTP_LINES_MAX 64   /* of one reply */

struct smtp_line {
    unsigned int code; /* 200 to 599 */
    bool last;         /* of its reply */
    struct span text;  /* without code and line end */
};

/* Takes the next line from what was received. Its text is a view that lives until the next change of in.
 * ERR_AGAIN: not whole yet, nothing was taken; ERR_MALFORMED: no line of a reply, or longer than SMTP_LINE_MAX. */
enum err smtp_line_take(struct buf *in, struct smtp_line *out_line) MUST_USE;

/* What EHLO was answered with. */
struct smtp_offers {
    bool starttls;
    bool plain;
    bool login;
    bool size;
    uint64_t size_max; /* bytes; 0: not said */
};

/* Adds what a line of the answer to EHLO, not the first, says. What we do not know, or what is not of its form, is none. */
void smtp_offers_add(struct smtp_offers *offers, struct span text);

#endif
