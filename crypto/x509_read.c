/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading back the certificates that x509.c wrote: strict, because anything else is damage. Not a general parser, and no
 * chain building: it decides when to renew, and whether a file is still the one it was. */
#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "crypto/ct.h"
#include "crypto/hash.h"
#include "crypto/x509_int.h"

/* The next element must be the one algorithm that our certificates are signed with: the outer copy is not signed. */
static enum err get_algorithm(struct reader *reader)
{
    struct span content = SPAN_NONE;
    struct span oid = SPAN_NONE;

    TRY(der_get(reader, DER_SEQUENCE, &content));
    struct reader inner = reader_of(content);

    TRY(der_get(&inner, DER_OID, &oid));
    ENSURE(inner.rest.len == 0 && span_equal(oid, OID_ECDSA_SHA256), ERR_MALFORMED, "algorithm of a certificate");
    return ERR_OK;
}

static enum err get_tbs(struct reader *tbs, struct x509_parts *out_parts)
{
    struct span ignored = SPAN_NONE;
    struct span content = SPAN_NONE;

    TRY(der_get(tbs, DER_VERSION, &ignored));
    TRY(der_get(tbs, DER_INTEGER, &ignored));
    TRY(get_algorithm(tbs));
    TRY(der_get(tbs, DER_SEQUENCE, &out_parts->issuer));
    TRY(der_get(tbs, DER_SEQUENCE, &out_parts->validity));
    TRY(der_get(tbs, DER_SEQUENCE, &out_parts->subject));
    TRY(der_get(tbs, DER_SEQUENCE, &content));
    struct reader key = reader_of(content);

    TRY(der_get(&key, DER_SEQUENCE, &ignored));
    TRY(der_get(&key, DER_BIT_STRING, &content));
    ENSURE(content.len == 1 + SIGN_PUBLIC_BYTES, ERR_MALFORMED, "public key of a certificate");
    out_parts->public_key = span_of(content.data + 1, SIGN_PUBLIC_BYTES);
    TRY(der_get(tbs, DER_EXTENSIONS, &content));
    ENSURE(tbs->rest.len == 0, ERR_MALFORMED, "bytes behind the extensions of a certificate");
    struct reader extensions = reader_of(content);

    TRY(der_get(&extensions, DER_SEQUENCE, &out_parts->extensions));
    ENSURE(extensions.rest.len == 0, ERR_MALFORMED, "bytes behind the extensions of a certificate");
    return ERR_OK;
}

enum err x509_split(struct span der, struct x509_parts *out_parts)
{
    struct reader whole = reader_of(der);
    struct x509_parts parts = {.tbs = SPAN_NONE};
    struct span content = SPAN_NONE;

    ENSURE(der.len <= X509_DER_MAX, ERR_MALFORMED, "a certificate that is too long");
    TRY(der_get(&whole, DER_SEQUENCE, &content));
    ENSURE(whole.rest.len == 0, ERR_MALFORMED, "bytes behind a certificate");
    struct reader outer = reader_of(content);

    TRY(der_get(&outer, DER_SEQUENCE, &parts.tbs));
    struct reader tbs = reader_of(parts.tbs);

    parts.tbs = span_of(content.data, content.len - outer.rest.len);
    TRY(get_algorithm(&outer));
    TRY(der_get(&outer, DER_BIT_STRING, &parts.signature));
    ENSURE(outer.rest.len == 0 && parts.signature.len > 1 && parts.signature.data[0] == 0, ERR_MALFORMED,
           "signature of a certificate");
    parts.signature = span_of(parts.signature.data + 1, parts.signature.len - 1);
    TRY(get_tbs(&tbs, &parts));
    *out_parts = parts;
    return ERR_OK;
}

/* "YYMMDDHHMMSSZ" or "YYYYMMDDHHMMSSZ", through the reader of ISO dates, which checks the calendar. */
static enum err get_time(struct reader *reader, struct wall_time *out_time)
{
    const bool full_year = der_is_next(reader, DER_GENERALIZED_TIME);
    uint8_t iso[20] = "20xx-xx-xxTxx:xx:xxZ";
    static const uint8_t places[14] = {0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18};
    struct span text = SPAN_NONE;

    TRY(der_get(reader, full_year ? DER_GENERALIZED_TIME : DER_UTC_TIME, &text));
    const size_t skipped = full_year ? 0 : 2; /* a UTCTime of ours is of this century */

    ENSURE(text.len == 15 - skipped && text.data[text.len - 1] == 'Z', ERR_MALFORMED, "a time in a certificate");
    for (size_t i = skipped; i < sizeof(places); i++) {
        iso[places[i]] = text.data[i - skipped];
    }
    return time_parse_iso(span_array(iso), out_time);
}

static enum err get_validity(struct span validity, struct wall_time *out_from, struct wall_time *out_until)
{
    struct reader reader = reader_of(validity);

    TRY(get_time(&reader, out_from));
    TRY(get_time(&reader, out_until));
    ENSURE(reader.rest.len == 0 && out_from->ms < out_until->ms, ERR_MALFORMED, "lifetime of a certificate");
    return ERR_OK;
}

enum err x509_until(struct span der, struct wall_time *out_until)
{
    struct x509_parts parts = {.tbs = SPAN_NONE};
    struct wall_time from = {0};
    struct wall_time until = {0};

    TRY(x509_split(der, &parts));
    TRY(get_validity(parts.validity, &from, &until));
    *out_until = until;
    return ERR_OK;
}

static enum err get_names(struct span value, struct x509_names *out_names)
{
    struct reader outer = reader_of(value);
    struct span content = SPAN_NONE;

    TRY(der_get(&outer, DER_SEQUENCE, &content));
    ENSURE(outer.rest.len == 0, ERR_MALFORMED, "bytes behind the names of a certificate");
    struct reader reader = reader_of(content);

    while (reader.rest.len != 0) {
        struct span name = SPAN_NONE;
        const bool is_dns = der_is_next(&reader, DER_NAME_DNS);

        TRY(der_get(&reader, is_dns ? DER_NAME_DNS : DER_NAME_IP, &name));
        const enum err err = is_dns ? x509_names_add_dns(out_names, name) : x509_names_add_ip(out_names, name);

        ENSURE(err == ERR_OK, ERR_MALFORMED, "a name in a certificate");
    }
    return ERR_OK;
}

/* BasicConstraints: an empty SEQUENCE is a leaf; ours of a CA begins with TRUE. */
static enum err get_basic(struct span value, bool *out_is_ca)
{
    struct reader outer = reader_of(value);
    struct span content = SPAN_NONE;
    struct span flag = SPAN_NONE;

    TRY(der_get(&outer, DER_SEQUENCE, &content));
    if (content.len == 0) {
        *out_is_ca = false;
        return ERR_OK;
    }
    struct reader reader = reader_of(content);

    TRY(der_get(&reader, DER_BOOLEAN, &flag));
    ENSURE(span_equal(flag, span_lit("\xff")), ERR_MALFORMED, "constraints of a certificate");
    *out_is_ca = true;
    return ERR_OK;
}

static enum err get_extension(struct span extension, struct x509_info *out_info)
{
    struct reader reader = reader_of(extension);
    struct span oid = SPAN_NONE;
    struct span ignored = SPAN_NONE;
    struct span value = SPAN_NONE;

    TRY(der_get(&reader, DER_OID, &oid));
    if (der_is_next(&reader, DER_BOOLEAN)) {
        TRY(der_get(&reader, DER_BOOLEAN, &ignored));
    }
    TRY(der_get(&reader, DER_OCTET_STRING, &value));
    ENSURE(reader.rest.len == 0, ERR_MALFORMED, "bytes behind an extension of a certificate");
    if (span_equal(oid, OID_SAN)) {
        return get_names(value, &out_info->names);
    }
    return span_equal(oid, OID_BASIC) ? get_basic(value, &out_info->is_ca) : ERR_OK;
}

enum err x509_read(struct span der, struct x509_info *out_info)
{
    struct x509_parts parts = {.tbs = SPAN_NONE};
    struct x509_info info = {.is_ca = false};

    TRY(x509_split(der, &parts));
    TRY(get_validity(parts.validity, &info.not_before, &info.not_after));
    memcpy(info.public_key, parts.public_key.data, SIGN_PUBLIC_BYTES);
    struct reader extensions = reader_of(parts.extensions);

    while (extensions.rest.len != 0) {
        struct span extension = SPAN_NONE;

        TRY(der_get(&extensions, DER_SEQUENCE, &extension));
        TRY(get_extension(extension, &info));
    }
    *out_info = info;
    return ERR_OK;
}

enum err x509_verify(struct span ca_der, struct span leaf_der)
{
    struct x509_parts ca = {.tbs = SPAN_NONE};
    struct x509_parts leaf = {.tbs = SPAN_NONE};
    uint8_t digest[SHA256_BYTES];

    TRY(x509_split(ca_der, &ca));
    TRY(x509_split(leaf_der, &leaf));
    ENSURE(span_equal(leaf.issuer, ca.subject), ERR_AUTH, "a certificate of another issuer");
    sha256(leaf.tbs, digest);
    return sign_verify_der(ca.public_key.data, span_array(digest), leaf.signature, SIGN_LOW_S);
}

enum err x509_is_of(struct span der, const uint8_t public_key[SIGN_PUBLIC_BYTES])
{
    struct x509_parts parts = {.tbs = SPAN_NONE};

    TRY(x509_split(der, &parts));
    ENSURE(ct_equal(parts.public_key, span_of(public_key, SIGN_PUBLIC_BYTES)), ERR_AUTH, "a certificate of another key");
    return ERR_OK;
}

enum err x509_is_ca_of(struct span der, const uint8_t public_key[SIGN_PUBLIC_BYTES])
{
    void *memory = NULL;

    TRY(x509_is_of(der, public_key));
    TRY(mem_alloc(sizeof(struct x509_info), &memory)); /* too large for some stacks */
    struct x509_info *const info = memory;
    const enum err err = x509_read(der, info);
    const bool is_ca = err == ERR_OK && info->is_ca;

    mem_free(info);
    TRY(err);
    ENSURE(is_ca, ERR_AUTH, "not a CA's certificate");
    return x509_verify(der, der);
}
