/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TLS, client side, over a way to another server that may wait: for the courier's lanes, never for a reactor.
 *
 * TLS 1.3 and 1.2; AEAD suites with forward secrecy only. The server shows a chain to a trusted CA, valid now, for the
 * name that was asked for (a dNSName, or the common name where there is none); there is no switch for less. No
 * resumption, no client certificates, no revocation lists.
 * A connection belongs to one thread; roots may be used by several, as long as nobody frees them.
 * Spec: RFC 8446, RFC 5246, RFC 6125, RFC 6066 (server name). */
#ifndef NET_TLS_CLIENT_H
#define NET_TLS_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/secret.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

/* Whom to trust. */
struct tls_roots;

/* How to take a list of certificates: of one that somebody pins each must be one, also that of a server itself; of the
 * system's what this library cannot read (an old algorithm) is left out. */
enum tls_roots_kind { TLS_ROOTS_PINNED, TLS_ROOTS_SYSTEM };

/* Reads certificates in PEM; what stands between them is passed over. ERR_MALFORMED: there is none, or (pinned) one that
 * cannot be read; ERR_NO_MEMORY. */
enum err tls_roots_new(enum tls_roots_kind kind, struct span pem, struct tls_roots **out_roots) MUST_USE;
void tls_roots_free(struct tls_roots *roots); /* after its connections; NULL is fine */

/* The bytes below. Both wait, and answer ERR_TIMEOUT when the time is over, ERR_CLOSED when the other side is gone. */
struct tls_way {
    enum err (*send)(void *context, struct span bytes, size_t *out_sent);             /* at least one byte of them */
    enum err (*receive)(void *context, uint8_t *out_bytes, size_t max, size_t *out_len); /* 1 to max bytes */
    void *context;
};

#define TLS_CLIENT_NAME_MAX 253 /* of several labels, or localhost */

struct tls_client;

/* Greets the server by this name and checks what it shows. way is copied; its context is borrowed until tls_client_free.
 *   ERR_AUTH         not to be trusted: no known CA, another name, not valid now, a signature that is wrong
 *   ERR_UNSUPPORTED  no common version or suite
 *   ERR_MALFORMED    its bytes are no TLS, or it refused us
 *   ERR_TIMEOUT, ERR_CLOSED of the way; ERR_RANGE no name of a server; ERR_NO_MEMORY */
enum err tls_client_new(struct tls_roots *roots, struct span name, const struct tls_way *way,
                        struct tls_client **out_client) MUST_USE;

/* The same, with TLS 1.3 alone, and only if the server chooses this protocol by ALPN (ERR_UNSUPPORTED). Its keys may be
 * exported. Spec: RFC 7301. */
enum err tls_client_new_protocol(struct tls_roots *roots, struct span name, const char *protocol,
                                 const struct tls_way *way, struct tls_client **out_client) MUST_USE;

/* A key of out_key's length that only this client and its server can know, for this label and context, of a connection that
 * tls_client_new_protocol has made. ERR_STATE: of another. Spec: RFC 8446 section 7.5, RFC 5705. */
enum err tls_client_export(struct tls_client *client, const char *label, struct span context,
                           struct secret *out_key) MUST_USE;

/* Says that nothing more will be sent, if there is a connection, and frees. NULL is fine. */
void tls_client_free(struct tls_client *client);

/* Reads 1 to max bytes. ERR_CLOSED: the server has finished, or is gone; ERR_AUTH, ERR_MALFORMED; errors of the way. */
enum err tls_client_receive(struct tls_client *client, uint8_t *out_bytes, size_t max, size_t *out_len) MUST_USE;

/* Sends all of it. Errors as tls_client_receive. */
enum err tls_client_send(struct tls_client *client, struct span bytes) MUST_USE;

#endif
