/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DER as certificates need it: what x509.c writes and x509_read.c reads back. */
#ifndef CRYPTO_X509_INT_H
#define CRYPTO_X509_INT_H

#include "hal/base/buf.h"
#include "crypto/x509.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OID = 0x06,
    DER_UTF8_STRING = 0x0c,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_NAME_DNS = 0x82,     /* [2] of GeneralName */
    DER_NAME_IP = 0x87,      /* [7] */
    DER_KEY_ID = 0x80,       /* [0] of AuthorityKeyIdentifier */
    DER_VERSION = 0xa0,      /* [0] of TBSCertificate */
    DER_EXTENSIONS = 0xa3    /* [3] */
};

/* The contents of OBJECT IDENTIFIERs. RFC 5280 section 4.2; RFC 5480; RFC 5758. */
#define OID_COMMON_NAME span_lit("\x55\x04\x03")
#define OID_SKI span_lit("\x55\x1d\x0e")
#define OID_KEY_USAGE span_lit("\x55\x1d\x0f")
#define OID_SAN span_lit("\x55\x1d\x11")
#define OID_BASIC span_lit("\x55\x1d\x13")
#define OID_AKI span_lit("\x55\x1d\x23")
#define OID_EXT_KEY_USAGE span_lit("\x55\x1d\x25")
#define OID_SERVER_AUTH span_lit("\x2b\x06\x01\x05\x05\x07\x03\x01")
#define OID_EC_KEY span_lit("\x2a\x86\x48\xce\x3d\x02\x01")
#define OID_P256 span_lit("\x2a\x86\x48\xce\x3d\x03\x01\x07")
#define OID_ECDSA_SHA256 span_lit("\x2a\x86\x48\xce\x3d\x04\x03\x02")

/* Writes one element, its length in the shortest form. ERR_RANGE, ERR_NO_MEMORY. */
enum err der_put(struct buf *out, enum der_tag tag, struct span content) MUST_USE;

/* Puts an element whose content is all that was written to `content`, and empties `content`. */
enum err der_put_buf(struct buf *out, enum der_tag tag, struct buf *content) MUST_USE;

/* Reading: the next element must have the tag; its content. ERR_MALFORMED, also for a length not in the shortest form. */
enum err der_get(struct reader *reader, enum der_tag tag, struct span *out_content) MUST_USE;

/* Is the next element of that tag? */
bool der_is_next(const struct reader *reader, enum der_tag tag);

/* The parts of a certificate, as spans into it. */
struct x509_parts {
    struct span tbs;        /* with tag and length: what is signed */
    struct span signature;  /* DER of the two numbers */
    struct span issuer;     /* content of the Name */
    struct span subject;
    struct span validity;
    struct span public_key; /* the point, SIGN_PUBLIC_BYTES */
    struct span extensions; /* content of the SEQUENCE OF Extension */
};
enum err x509_split(struct span der, struct x509_parts *out_parts) MUST_USE;

/* When a certificate ends. ERR_MALFORMED. */
enum err x509_until(struct span der, struct wall_time *out_until) MUST_USE;

#endif
