/* SPDX-License-Identifier: GPL-3.0-or-later */
/* https addresses of other machines, as strict as they have to be to send secrets there. Pure. Spec: RFC 3986. */
#ifndef FIRMWARE_AUTH_HTTPS_URL_H
#define FIRMWARE_AUTH_HTTPS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define HTTPS_URL_MAX      255 /* bytes */
#define HTTPS_PORT_DEFAULT 443

/* Views into the text. */
struct https_url {
    struct span host; /* a name of letters, digits, '-' and '.', lower case: certificates are for names */
    uint16_t port;    /* HTTPS_PORT_DEFAULT where none is given */
    struct span path; /* from its '/' on; empty where there is none. Of characters that may stand in a request line */
};

/* https://host[:port][/path] and nothing else: no user, no query, no fragment, no other scheme, no capital in scheme or
 * host. ERR_MALFORMED; also for more than HTTPS_URL_MAX bytes. */
enum err https_url_read(struct span text, struct https_url *out_url) MUST_USE;

/* Do both lead to the same host and port? */
bool https_url_same_place(const struct https_url *a, const struct https_url *b);

#endif
