/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Base64 with padding, as mails have it. Pure. Spec: RFC 4648 section 4. */
#ifndef FIRMWARE_MAIL_BASE64_H
#define FIRMWARE_MAIL_BASE64_H

#include <stddef.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

/* Appends bytes as one line, without an end of line. Time depends on the length alone. ERR_RANGE, ERR_NO_MEMORY. */
enum err mail_base64_put(struct buf *out, struct span bytes) MUST_USE;

#endif
