/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A mail as it goes to a relay: header fields, and an HTML body in base64. Pure. Lines end in CRLF; none of those with
 * encoded words or of the body is longer than 76 characters, and none begins with a dot.
 *
 * No value can become another field: what has a control character in it, or an address that is not one, makes no mail at
 * all. Spec: RFC 5322; RFC 2045, 2047; RFC 3834 section 5. */
#ifndef FIRMWARE_MAIL_MESSAGE_H
#define FIRMWARE_MAIL_MESSAGE_H

#include <stddef.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/base/time.h"

#define MAIL_MESSAGE_MAX ((size_t)98304) /* bytes; the courier takes no more */

struct mail_message {
    struct wall_time date;
    struct span id;        /* left of the @ in its Message-ID: letters, digits and '-'. The domain is that of `from` */
    struct span from_name; /* UTF-8; may be empty */
    struct span from, to;  /* addresses, as account_email_read makes them */
    struct span subject;   /* UTF-8 */
    struct span html;      /* UTF-8 */
};

/* Appends the mail. ERR_MALFORMED: a field would not stay within its line, or is no UTF-8; ERR_RANGE: larger than `out`
 * may be; ERR_NO_MEMORY. */
enum err mail_message_put(struct buf *out, const struct mail_message *message) MUST_USE;

#endif
