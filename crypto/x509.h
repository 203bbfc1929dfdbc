/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The box's own small certificate authority and its server certificates: ECDSA P-256 with SHA-256, DER out.
 * Spec: RFC 5280; RFC 6125 (names in subjectAltName only). */
#ifndef CRYPTO_X509_H
#define CRYPTO_X509_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/base/time.h"
#include "crypto/random.h"
#include "crypto/secret.h"
#include "crypto/sign.h"

#define X509_DNS_MAX 13        /* names in one certificate; a struct of them must fit a stack frame */
#define X509_DNS_BYTES_MAX 253 /* RFC 1035 */
#define X509_IP_MAX 16
#define X509_DER_MAX 8192
#define X509_PEM_MAX 12288
#define X509_CA_DAYS 3650
#define X509_LEAF_DAYS 90    /* short enough that a stolen key is of use for one season */
#define X509_SKEW_HOURS 1    /* how far a client's clock may be behind ours */
#define X509_COMMON_NAME_MAX 60

/* What a certificate is for. Plain values; the strings are held here so that they outlive what they came from. */
struct x509_dns {
    uint8_t len;
    char text[X509_DNS_BYTES_MAX];
};
struct x509_ip {
    uint8_t len; /* 4 or 16 */
    uint8_t bytes[16];
};
struct x509_names {
    struct x509_dns dns[X509_DNS_MAX];
    size_t dns_count;
    struct x509_ip ip[X509_IP_MAX];
    size_t ip_count;
};

/* May it stand in a certificate as a name? */
bool x509_is_host_name(struct span name);

/* Adds one; adding it twice is adding it once. ERR_MALFORMED (not a host name of letters, digits, '-', '.' and at most
 * one leading "*."; not 4 or 16 bytes), ERR_LIMIT (no room). */
enum err x509_names_add_dns(struct x509_names *names, struct span name) MUST_USE;
enum err x509_names_add_ip(struct x509_names *names, struct span address) MUST_USE;

/* A self-signed CA: CA:TRUE, pathlen 0, keyCertSign and cRLSign, X509_CA_DAYS from now less the skew. Appends DER.
 * ERR_RANGE (common name empty or too long), ERR_MALFORMED (not a key), ERR_NO_MEMORY, ERR_REFUSED, ERR_BUG. */
enum err x509_ca_new(const struct secret *ca_private, struct random *random, struct span common_name,
                     struct wall_time now, struct buf *out_der) MUST_USE;

/* A server certificate: CA:FALSE, digitalSignature, serverAuth, the names; X509_LEAF_DAYS, never past the CA's end.
 * Appends DER. ERR_MALFORMED (no name, CA unreadable, or not the CA of that key), ERR_EXPIRED (the CA's time is over),
 * ERR_NO_MEMORY, ERR_REFUSED, ERR_BUG. */
struct x509_leaf {
    const struct secret *ca_private;
    struct span ca_der;
    const struct x509_names *names;
    struct wall_time now;
    uint8_t public_key[SIGN_PUBLIC_BYTES]; /* the server's */
};
enum err x509_leaf_new(const struct x509_leaf *leaf, struct random *random, struct buf *out_der) MUST_USE;

/* Appends "-----BEGIN CERTIFICATE-----..." with its last line end. ERR_RANGE (no room). */
enum err x509_to_pem(struct span der, struct buf *out_pem) MUST_USE;

/* The way back: appends the DER form of a text that x509_to_pem() could have written, and of no other. ERR_MALFORMED;
 * ERR_RANGE (no room, or longer than X509_PEM_MAX); ERR_NO_MEMORY. */
enum err x509_from_pem(struct span pem, struct buf *out_der) MUST_USE;

/* SHA-256 of the DER form. */
#define X509_FINGERPRINT_BYTES 32
void x509_fingerprint(struct span der, uint8_t out_fingerprint[X509_FINGERPRINT_BYTES]);

/* What one of our own certificates says. ERR_MALFORMED (not one of ours, or damaged). Does not check the signature. */
struct x509_info {
    struct wall_time not_before;
    struct wall_time not_after;
    struct x509_names names;
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    bool is_ca;
};
enum err x509_read(struct span der, struct x509_info *out_info) MUST_USE;

/* ERR_OK if leaf was signed by the key in ca. ERR_AUTH, ERR_MALFORMED, ERR_NO_MEMORY. */
enum err x509_verify(struct span ca_der, struct span leaf_der) MUST_USE;

/* ERR_OK if the certificate is for that key; x509_is_ca_of: and is a CA's, signed by that key itself.
 * ERR_AUTH, ERR_MALFORMED, ERR_NO_MEMORY. */
enum err x509_is_of(struct span der, const uint8_t public_key[SIGN_PUBLIC_BYTES]) MUST_USE;
enum err x509_is_ca_of(struct span der, const uint8_t public_key[SIGN_PUBLIC_BYTES]) MUST_USE;

/* Time for a new one? Two thirds of its life are over, it is not valid yet (the clock was set back), or its names are not
 * exactly these, in whatever order. */
bool x509_wants_renewal(const struct x509_info *info, const struct x509_names *names, struct wall_time now);

#endif
