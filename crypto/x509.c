/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing the two certificates that this box makes.
 *
 * The DER is written here, not by wolfCrypt's generator: that one knows no IP address in subjectAltName, marks neither
 * BasicConstraints nor the key usage of a server as we want them, and holds a 22 KB struct of options that we do not use.
 * Two forms of certificate need some forty elements; tests read them back with wolfCrypt's parser, openssl and ours.
 *
 *   both: v3, random serial of 16 bytes, ecdsa-with-SHA256, P-256, SKI = SHA-256(point) cut to 20 (RFC 7093), AKI
 *   CA:   basicConstraints critical CA:TRUE pathlen 0, keyUsage critical keyCertSign cRLSign
 *   leaf: basicConstraints critical CA:FALSE, keyUsage critical digitalSignature, extKeyUsage serverAuth, subjectAltName
 *
 * Spec: RFC 5280 section 4. */
#include "crypto/x509.h"

#include <string.h>

#include "hal/base/fault.h"
#include "crypto/hash.h"
#include "crypto/x509_int.h"

#define SERIAL_BYTES 16
#define KEY_ID_BYTES 20
#define DAY_MS INT64_C(86400000)
#define SKEW_MS (X509_SKEW_HOURS * INT64_C(3600000))
#define PART_MAX 6144 /* the extensions: sixteen names of 253 bytes and some */

/* What differs between the two. */
struct form {
    struct span issuer; /* content of a Name */
    struct span subject;
    const uint8_t *public_key;
    const uint8_t *issuer_key;
    const struct x509_names *names; /* NULL: a CA */
    struct wall_time from;
    struct wall_time until;
};

/* Scratch for elements whose length must be known before they are put: outer ones hold inner ones. */
struct scratch {
    struct buf *tbs;
    struct buf *extensions;
    struct buf *extension;
    struct buf *content;
};

static void scratch_free_scoped(struct scratch *scratch)
{
    buf_free(scratch->tbs);
    buf_free(scratch->extensions);
    buf_free(scratch->extension);
    buf_free(scratch->content);
}

static enum err scratch_init(struct scratch *out_scratch)
{
    TRY(buf_new(X509_DER_MAX, &out_scratch->tbs));
    TRY(buf_new(PART_MAX, &out_scratch->extensions));
    TRY(buf_new(PART_MAX, &out_scratch->extension));
    return buf_new(PART_MAX, &out_scratch->content);
}

/* scratch->content as the value of an extension. */
static enum err put_extension(struct scratch *scratch, struct span oid, bool critical)
{
    TRY(der_put(scratch->extension, DER_OID, oid));
    if (critical) {
        TRY(der_put(scratch->extension, DER_BOOLEAN, span_lit("\xff")));
    }
    TRY(der_put_buf(scratch->extension, DER_OCTET_STRING, scratch->content));
    return der_put_buf(scratch->extensions, DER_SEQUENCE, scratch->extension);
}

static void key_id(const uint8_t *public_key, uint8_t out_id[KEY_ID_BYTES])
{
    uint8_t digest[SHA256_BYTES];

    sha256(span_of(public_key, SIGN_PUBLIC_BYTES), digest);
    memcpy(out_id, digest, KEY_ID_BYTES);
}

static enum err put_key_ids(struct scratch *scratch, const struct form *form)
{
    uint8_t id[KEY_ID_BYTES];

    key_id(form->public_key, id);
    TRY(der_put(scratch->content, DER_OCTET_STRING, span_array(id)));
    TRY(put_extension(scratch, OID_SKI, false));
    key_id(form->issuer_key, id);
    TRY(der_put(scratch->extension, DER_KEY_ID, span_array(id)));
    TRY(der_put_buf(scratch->content, DER_SEQUENCE, scratch->extension));
    return put_extension(scratch, OID_AKI, false);
}

static enum err put_ca_extensions(struct scratch *scratch)
{
    TRY(der_put(scratch->content, DER_SEQUENCE, span_lit("\x01\x01\xff\x02\x01\x00"))); /* CA TRUE, pathlen 0 */
    TRY(put_extension(scratch, OID_BASIC, true));
    TRY(der_put(scratch->content, DER_BIT_STRING, span_lit("\x01\x06"))); /* bits 5 and 6 */
    return put_extension(scratch, OID_KEY_USAGE, true);
}

static enum err put_names(struct scratch *scratch, const struct x509_names *names)
{
    for (size_t i = 0; i < names->dns_count; i++) {
        TRY(der_put(scratch->extension, DER_NAME_DNS, span_of(names->dns[i].text, names->dns[i].len)));
    }
    for (size_t i = 0; i < names->ip_count; i++) {
        TRY(der_put(scratch->extension, DER_NAME_IP, span_of(names->ip[i].bytes, names->ip[i].len)));
    }
    TRY(der_put_buf(scratch->content, DER_SEQUENCE, scratch->extension));
    return put_extension(scratch, OID_SAN, false);
}

static enum err put_leaf_extensions(struct scratch *scratch, const struct x509_names *names)
{
    TRY(der_put(scratch->content, DER_SEQUENCE, SPAN_NONE)); /* CA FALSE is the default, which DER leaves out */
    TRY(put_extension(scratch, OID_BASIC, true));
    TRY(der_put(scratch->content, DER_BIT_STRING, span_lit("\x07\x80"))); /* bit 0: digitalSignature */
    TRY(put_extension(scratch, OID_KEY_USAGE, true));
    TRY(der_put(scratch->extension, DER_OID, OID_SERVER_AUTH));
    TRY(der_put_buf(scratch->content, DER_SEQUENCE, scratch->extension));
    TRY(put_extension(scratch, OID_EXT_KEY_USAGE, false));
    return put_names(scratch, names);
}

/* UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280 section 4.1.2.5). */
static enum err put_time(struct buf *out, struct wall_time time)
{
    char iso[TIME_ISO_BYTES]; /* 2026-01-02T03:04:05.678Z */
    uint8_t text[15];
    size_t len = 0;

    time_format_iso(time, iso);
    for (size_t i = 0; i < 19; i++) {
        if (iso[i] >= '0' && iso[i] <= '9') {
            text[len++] = (uint8_t)iso[i];
        }
    }
    text[len++] = 'Z';
    const bool short_form = span_compare(span_of(text, 4), span_lit("2050")) < 0;

    return short_form ? der_put(out, DER_UTC_TIME, span_of(text + 2, len - 2))
                      : der_put(out, DER_GENERALIZED_TIME, span_of(text, len));
}

static enum err put_public_key(struct scratch *scratch, const uint8_t *public_key)
{
    TRY(der_put(scratch->extension, DER_OID, OID_EC_KEY));
    TRY(der_put(scratch->extension, DER_OID, OID_P256));
    TRY(der_put_buf(scratch->content, DER_SEQUENCE, scratch->extension));
    TRY(buf_put_u8(scratch->extension, 0)); /* no unused bits */
    TRY(buf_put(scratch->extension, span_of(public_key, SIGN_PUBLIC_BYTES)));
    TRY(der_put_buf(scratch->content, DER_BIT_STRING, scratch->extension));
    return der_put_buf(scratch->tbs, DER_SEQUENCE, scratch->content);
}

static enum err put_extensions(struct scratch *scratch, const struct form *form)
{
    TRY(form->names == NULL ? put_ca_extensions(scratch) : put_leaf_extensions(scratch, form->names));
    TRY(put_key_ids(scratch, form));
    TRY(der_put_buf(scratch->content, DER_SEQUENCE, scratch->extensions));
    return der_put_buf(scratch->tbs, DER_EXTENSIONS, scratch->content);
}

static enum err put_algorithm(struct scratch *scratch, struct buf *out)
{
    TRY(der_put(scratch->content, DER_OID, OID_ECDSA_SHA256));
    return der_put_buf(out, DER_SEQUENCE, scratch->content);
}

static enum err put_tbs(struct scratch *scratch, const struct form *form, struct random *random)
{
    uint8_t serial[SERIAL_BYTES];

    random_fill(random, serial, sizeof(serial));
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive, and no zero in front */
    TRY(der_put(scratch->tbs, DER_VERSION, span_lit("\x02\x01\x02")));
    TRY(der_put(scratch->tbs, DER_INTEGER, span_array(serial)));
    TRY(put_algorithm(scratch, scratch->tbs));
    TRY(der_put(scratch->tbs, DER_SEQUENCE, form->issuer));
    TRY(put_time(scratch->content, form->from));
    TRY(put_time(scratch->content, form->until));
    TRY(der_put_buf(scratch->tbs, DER_SEQUENCE, scratch->content));
    TRY(der_put(scratch->tbs, DER_SEQUENCE, form->subject));
    TRY(put_public_key(scratch, form->public_key));
    return put_extensions(scratch, form);
}

/* Certificate ::= SEQUENCE { tbs, algorithm, BIT STRING of the signature } */
static enum err put_certificate(const struct form *form, struct signer *signer, struct random *random, struct buf *out_der)
{
    SCOPED(scratch_free_scoped) struct scratch scratch = {.tbs = NULL};
    SCOPED_BUF struct buf *whole = NULL;
    uint8_t digest[SHA256_BYTES];
    uint8_t signature[1 + SIGN_DER_MAX] = {0};
    size_t len = 0;

    TRY(scratch_init(&scratch));
    TRY(buf_new(X509_DER_MAX, &whole));
    TRY(put_tbs(&scratch, form, random));
    TRY(der_put_buf(whole, DER_SEQUENCE, scratch.tbs));
    sha256(buf_all(whole), digest);
    TRY(signer_sign_der(signer, span_array(digest), signature + 1, &len));
    TRY(put_algorithm(&scratch, whole));
    TRY(der_put(whole, DER_BIT_STRING, span_of(signature, 1 + len)));
    const size_t before = buf_len(out_der);
    const enum err err = der_put_buf(out_der, DER_SEQUENCE, whole);

    if (err != ERR_OK) {
        buf_truncate(out_der, before);
    }
    return err;
}

/* Name with one common name. */
static enum err make_name(struct span common_name, struct buf *out_name)
{
    SCOPED(scratch_free_scoped) struct scratch scratch = {.tbs = NULL};

    TRY(scratch_init(&scratch));
    TRY(der_put(scratch.content, DER_OID, OID_COMMON_NAME));
    TRY(der_put(scratch.content, DER_UTF8_STRING, common_name));
    TRY(der_put_buf(scratch.extension, DER_SEQUENCE, scratch.content));
    return der_put_buf(out_name, DER_SET, scratch.extension);
}

enum err x509_ca_new(const struct secret *ca_private, struct random *random, struct span common_name,
                     struct wall_time now, struct buf *out_der)
{
    SCOPED_SIGNER struct signer *signer = NULL;
    SCOPED_BUF struct buf *name = NULL;
    uint8_t public_key[SIGN_PUBLIC_BYTES];

    ENSURE(common_name.len >= 1 && common_name.len <= X509_COMMON_NAME_MAX && span_is_utf8(common_name), ERR_RANGE,
           "common name of a CA");
    TRY(signer_new(ca_private, random, &signer));
    signer_public(signer, public_key);
    TRY(buf_new(256, &name));
    TRY(make_name(common_name, name));
    const struct form form = {
        .issuer = buf_all(name),
        .subject = buf_all(name),
        .public_key = public_key,
        .issuer_key = public_key,
        .from = {now.ms - SKEW_MS},
        .until = {now.ms + X509_CA_DAYS * DAY_MS},
    };

    return put_certificate(&form, signer, random, out_der);
}

enum err x509_leaf_new(const struct x509_leaf *leaf, struct random *random, struct buf *out_der)
{
    SCOPED_SIGNER struct signer *signer = NULL;
    SCOPED_BUF struct buf *name = NULL;
    struct x509_parts ca = {.tbs = SPAN_NONE};
    struct wall_time ca_until = {0};
    uint8_t ca_public[SIGN_PUBLIC_BYTES];

    ENSURE(leaf->names->dns_count + leaf->names->ip_count != 0, ERR_MALFORMED, "a certificate without a name");
    TRY(x509_split(leaf->ca_der, &ca));
    TRY(x509_until(leaf->ca_der, &ca_until));
    TRY(signer_new(leaf->ca_private, random, &signer));
    signer_public(signer, ca_public);
    ENSURE(span_equal(span_array(ca_public), ca.public_key), ERR_MALFORMED, "not the CA of that key");
    ENSURE(leaf->now.ms < ca_until.ms, ERR_EXPIRED, "the CA's time is over");
    const int64_t until_ms = leaf->now.ms + X509_LEAF_DAYS * DAY_MS - SKEW_MS;

    TRY(buf_new(256, &name));
    TRY(make_name(span_lit("Rowlock"), name));
    const struct form form = {
        .issuer = ca.subject,
        .subject = buf_all(name),
        .public_key = leaf->public_key,
        .issuer_key = ca_public,
        .names = leaf->names,
        .from = {leaf->now.ms - SKEW_MS},
        .until = {until_ms < ca_until.ms ? until_ms : ca_until.ms},
    };

    return put_certificate(&form, signer, random, out_der);
}
