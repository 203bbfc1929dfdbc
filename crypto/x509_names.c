/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The names in a certificate, its PEM form, its fingerprint, and when it wants to be replaced. */
#include "crypto/x509.h"

#include <string.h>

#include "hal/base/fault.h"
#include "crypto/hash.h"

#define PEM_LINE  64
#define PEM_BEGIN "-----BEGIN CERTIFICATE-----\n"
#define PEM_END   "-----END CERTIFICATE-----\n"

static bool is_label_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

/* Labels of letters, digits and inner hyphens, 1 to 63 long, joined by dots; "*" may be the whole first one of several. */
bool x509_is_host_name(struct span name)
{
    const bool wild = span_starts_with(name, span_lit("*."));
    size_t label = 0;

    if (name.len == 0 || name.len > X509_DNS_BYTES_MAX) {
        return false;
    }
    for (size_t i = wild ? 2 : 0; i <= name.len; i++) {
        const bool end = i == name.len || name.data[i] == '.';

        if (end && (label == 0 || label > 63 || name.data[i - 1] == '-' || name.data[i - label] == '-')) {
            return false;
        }
        if (!end && !is_label_letter(name.data[i])) {
            return false;
        }
        label = end ? 0 : label + 1;
    }
    return true;
}

static bool has_dns(const struct x509_names *names, struct span name)
{
    for (size_t i = 0; i < names->dns_count; i++) {
        if (span_equal_nocase(span_of(names->dns[i].text, names->dns[i].len), name)) {
            return true;
        }
    }
    return false;
}

static bool has_ip(const struct x509_names *names, struct span address)
{
    for (size_t i = 0; i < names->ip_count; i++) {
        if (span_equal(span_of(names->ip[i].bytes, names->ip[i].len), address)) {
            return true;
        }
    }
    return false;
}

enum err x509_names_add_dns(struct x509_names *names, struct span name)
{
    ENSURE(x509_is_host_name(name), ERR_MALFORMED, "not a host name");
    if (has_dns(names, name)) {
        return ERR_OK;
    }
    ENSURE(names->dns_count < X509_DNS_MAX, ERR_LIMIT, "too many names for one certificate");
    struct x509_dns *const dns = &names->dns[names->dns_count++];

    dns->len = (uint8_t)name.len;
    memcpy(dns->text, name.data, name.len);
    return ERR_OK;
}

enum err x509_names_add_ip(struct x509_names *names, struct span address)
{
    ENSURE(address.len == 4 || address.len == 16, ERR_MALFORMED, "not an IP address");
    if (has_ip(names, address)) {
        return ERR_OK;
    }
    ENSURE(names->ip_count < X509_IP_MAX, ERR_LIMIT, "too many addresses for one certificate");
    struct x509_ip *const ip = &names->ip[names->ip_count++];

    ip->len = (uint8_t)address.len;
    memcpy(ip->bytes, address.data, address.len);
    return ERR_OK;
}

/* Both are sets, so equal counts and one inside the other is equality. */
static bool same_names(const struct x509_names *a, const struct x509_names *b)
{
    bool same = a->dns_count == b->dns_count && a->ip_count == b->ip_count;

    for (size_t i = 0; same && i < a->dns_count; i++) {
        same = has_dns(b, span_of(a->dns[i].text, a->dns[i].len));
    }
    for (size_t i = 0; same && i < a->ip_count; i++) {
        same = has_ip(b, span_of(a->ip[i].bytes, a->ip[i].len));
    }
    return same;
}

bool x509_wants_renewal(const struct x509_info *info, const struct x509_names *names, struct wall_time now)
{
    const int64_t life_ms = info->not_after.ms - info->not_before.ms;

    return now.ms < info->not_before.ms || now.ms - info->not_before.ms >= life_ms / 3 * 2 ||
           !same_names(&info->names, names);
}

void x509_fingerprint(struct span der, uint8_t out_fingerprint[X509_FINGERPRINT_BYTES])
{
    sha256(der, out_fingerprint);
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Certificates are public, so a table may be indexed by their bytes. */
static void encode_three(struct span in, char out_text[4])
{
    const uint32_t bits = (uint32_t)in.data[0] << 16 | (in.len > 1 ? (uint32_t)in.data[1] << 8 : 0) |
                          (in.len > 2 ? (uint32_t)in.data[2] : 0);

    out_text[0] = base64[bits >> 18];
    out_text[1] = base64[bits >> 12 & 63];
    out_text[2] = in.len > 1 ? base64[bits >> 6 & 63] : '=';
    out_text[3] = in.len > 2 ? base64[bits & 63] : '=';
}

static enum err put_pem(struct span der, struct buf *out_pem)
{
    size_t column = 0;

    TRY(buf_put(out_pem, span_lit(PEM_BEGIN)));
    for (size_t at = 0; at < der.len; at += 3) {
        char text[4];

        encode_three(span_of(der.data + at, der.len - at < 3 ? der.len - at : 3), text);
        TRY(buf_put(out_pem, span_of(text, 4)));
        column += 4;
        if (column == PEM_LINE || at + 3 >= der.len) {
            TRY(buf_put_u8(out_pem, '\n'));
            column = 0;
        }
    }
    return buf_put(out_pem, span_lit(PEM_END));
}

enum err x509_to_pem(struct span der, struct buf *out_pem)
{
    const size_t before = buf_len(out_pem);
    const enum err err = put_pem(der, out_pem);

    if (err != ERR_OK) {
        buf_truncate(out_pem, before);
    }
    return err;
}

/* Takes letters as they come; whether they stood where they should, is looked at afterwards. */
static enum err take_letters(struct span letters, struct buf *out_der)
{
    uint32_t bits = 0;
    unsigned int held = 0;

    for (size_t i = 0; i < letters.len; i++) {
        if (letters.data[i] == '\n' || letters.data[i] == '=') {
            continue;
        }
        const size_t value = span_find(span_str(base64), letters.data[i]);
        ENSURE(value < sizeof(base64) - 1, ERR_MALFORMED, "no letter of Base64");
        bits = (bits << 6 | (uint32_t)value) & 0xffffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            TRY(buf_put_u8(out_der, (uint8_t)(bits >> held & 0xff)));
        }
    }
    return ERR_OK;
}

/* Writing it again tells whether each letter was in its place. */
static enum err take_pem(struct span pem, struct buf *out_der)
{
    const size_t before = buf_len(out_der);
    const size_t edges = sizeof(PEM_BEGIN) - 1 + sizeof(PEM_END) - 1;
    struct span letters = SPAN_NONE;
    SCOPED_BUF struct buf *again = NULL;

    ENSURE(pem.len <= X509_PEM_MAX, ERR_RANGE, "a long certificate");
    ENSURE(pem.len > edges, ERR_MALFORMED, "a short certificate");
    TRY(span_slice(pem, sizeof(PEM_BEGIN) - 1, pem.len - edges, &letters));
    TRY(take_letters(letters, out_der));
    TRY(buf_new(X509_PEM_MAX, &again));
    const struct span all = buf_all(out_der);
    TRY(put_pem(span_of(all.data + before, all.len - before), again));
    ENSURE(span_equal(buf_all(again), pem), ERR_MALFORMED, "another form of a certificate");
    return ERR_OK;
}

enum err x509_from_pem(struct span pem, struct buf *out_der)
{
    const size_t before = buf_len(out_der);
    const enum err err = take_pem(pem, out_der);

    if (err != ERR_OK) {
        buf_truncate(out_der, before);
    }
    return err;
}
