/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses are compared byte by byte with what RFC 3986 lets stand in them, and nothing is decoded: what was looked at is
 * what is sent. Schemes are refused by name, because apps have their own. */
#include "firmware/mail/link.h"

#include "hal/base/fault.h"

static bool is_unreserved(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

/* What RFC 3986 lets stand in an address, and nothing that is a delimiter elsewhere. */
static bool is_url_byte(uint8_t byte)
{
    return is_unreserved(byte) || (byte != 0 && strchr(":/?#[]@!$&()*+,;=%", byte) != NULL);
}

static bool is_scheme(struct span scheme)
{
    static const char *const refused[] = {"javascript", "vbscript", "data", "blob", "file", "about", "view-source"};

    if (scheme.len == 0 || scheme.data[0] < 'a' || scheme.data[0] > 'z') {
        return false;
    }
    for (size_t i = 0; i < scheme.len; i++) {
        const uint8_t byte = scheme.data[i];
        if (!((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '+' || byte == '-' ||
              byte == '.')) {
            return false;
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        if (span_equal(scheme, span_str(refused[i]))) {
            return false;
        }
    }
    return true;
}

bool mail_url_is_plain(struct span url)
{
    const size_t colon = span_find(url, ':');

    if (url.len > MAIL_URL_MAX || colon + 1 >= url.len || !is_scheme(span_of(url.data, colon))) {
        return false;
    }
    for (size_t i = 0; i < url.len; i++) {
        if (!is_url_byte(url.data[i])) {
            return false;
        }
    }
    return true;
}

struct span mail_url_place(struct span url)
{
    size_t end = 0;

    while (end < url.len && url.data[end] != '?' && url.data[end] != '#') {
        end++;
    }
    return span_of(url.data, end);
}

struct span mail_url_origin(struct span url)
{
    const struct span https = span_lit("https://");
    const struct span http = span_lit("http://");
    const size_t scheme = span_starts_with(url, https) ? https.len : (span_starts_with(url, http) ? http.len : 0);
    size_t end = scheme;

    if (scheme == 0 || !mail_url_is_plain(url)) {
        return SPAN_NONE;
    }
    while (end < url.len && url.data[end] != '/' && url.data[end] != '?' && url.data[end] != '#') {
        if (url.data[end] == '@') {
            return SPAN_NONE;
        }
        end++;
    }
    return end == scheme ? SPAN_NONE : span_of(url.data, end);
}

enum err mail_encoded_put(struct buf *out, struct span text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        const uint8_t byte = text.data[i];
        const uint8_t encoded[] = {'%', (uint8_t)digits[byte >> 4], (uint8_t)digits[byte & 15u]};
        TRY(buf_put(out, is_unreserved(byte) ? span_of(&byte, 1) : span_array(encoded)));
    }
    return ERR_OK;
}

enum err mail_link_put(struct buf *out, struct span url, const struct mail_parameter *parameters, size_t count)
{
    const size_t end = span_find(url, '#');
    const struct span fragment = span_of(url.data + end, url.len - end);
    bool more = span_find(span_of(url.data, end), '?') < end;

    TRY(buf_put(out, span_of(url.data, end)));
    for (size_t i = 0; i < count; i++) {
        if (parameters[i].value.len != 0) {
            TRY(buf_put(out, more ? span_lit("&") : span_lit("?")));
            TRY(buf_put(out, parameters[i].name));
            TRY(buf_put(out, span_lit("=")));
            TRY(mail_encoded_put(out, parameters[i].value));
            more = true;
        }
    }
    return buf_put(out, fragment);
}
