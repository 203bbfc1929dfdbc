/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Links in mails: an address with a query behind it. Pure. Spec: RFC 3986. */
#ifndef FIRMWARE_MAIL_LINK_H
#define FIRMWARE_MAIL_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define MAIL_URL_MAX 1024 /* bytes of an address that a client gives */

/* May a link lead there at all? scheme:rest, as RFC 3986 writes it and at most MAIL_URL_MAX bytes, so what stands in it can
 * end neither a header nor a tag; and the scheme is none that a browser runs or reads files by. */
bool mail_url_is_plain(struct span url);

/* Without its query and fragment. A view. */
struct span mail_url_place(struct span url);

/* The origin (scheme://host[:port]) of a plain http or https address without user information. A view. Empty: it is no
 * such address. */
struct span mail_url_origin(struct span url);

/* Appends a text of which every byte but the unreserved ones is percent-encoded. ERR_RANGE, ERR_NO_MEMORY. */
enum err mail_encoded_put(struct buf *out, struct span text) MUST_USE;

/* One parameter of the query; an empty value leaves it out. */
struct mail_parameter {
    struct span name; /* of unreserved characters */
    struct span value;
};

/* Appends the address with the parameters behind what query it has, percent-encoded, before its fragment. ERR_RANGE,
 * ERR_NO_MEMORY. */
enum err mail_link_put(struct buf *out, struct span url, const struct mail_parameter *parameters, size_t count)
    MUST_USE;

#endif
