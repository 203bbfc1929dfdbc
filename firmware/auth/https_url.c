/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Split at the first '/' and the first ':'; each part has to consist of what may stand in it, and nothing is decoded. So no
 * other reader of the address can find another host in it. */
#include "firmware/auth/https_url.h"

#include "hal/base/fault.h"
#include "net/outbound.h"

/* In the one form in which two of them are compared byte by byte. */
static bool is_host(struct span host)
{
    for (size_t i = 0; i < host.len; i++) {
        if (host.data[i] >= 'A' && host.data[i] <= 'Z') {
            return false;
        }
    }
    return outbound_host_fits(host);
}

/* Visible characters but those that end a path or that a careless reader takes for a separator. */
static bool is_path(struct span path)
{
    for (size_t i = 0; i < path.len; i++) {
        const uint8_t byte = path.data[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '?' || byte == '#' || byte == '\\' || byte == '"' || byte == '<' ||
            byte == '>') {
            return false;
        }
    }
    return true;
}

enum err https_url_read(struct span text, struct https_url *out_url)
{
    const struct span scheme = span_lit("https://");
    uint64_t port = HTTPS_PORT_DEFAULT;

    ENSURE(text.len <= HTTPS_URL_MAX && span_starts_with(text, scheme), ERR_MALFORMED, "no https address");
    const struct span rest = span_of(text.data + scheme.len, text.len - scheme.len);
    const size_t slash = span_find(rest, '/');
    const struct span place = span_of(rest.data, slash);
    const size_t colon = span_find(place, ':');
    const struct https_url url = {span_of(place.data, colon), 0, span_of(rest.data + slash, rest.len - slash)};
    if (colon < place.len) {
        const struct span digits = span_of(place.data + colon + 1, place.len - colon - 1);
        ENSURE(span_to_u64(digits, UINT16_MAX, &port) == ERR_OK && port != 0, ERR_MALFORMED, "no port");
    }
    ENSURE(is_host(url.host) && is_path(url.path), ERR_MALFORMED, "no host or no path");
    *out_url = url;
    out_url->port = (uint16_t)port;
    return ERR_OK;
}

bool https_url_same_place(const struct https_url *a, const struct https_url *b)
{
    return span_equal(a->host, b->host) && a->port == b->port;
}
