/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What NTS adds to a packet of NTP, so that the answer can only be this server's, and only to this question: extension
 * fields with a number that is used once, a cookie by which the server finds the keys again, and a seal over all before it.
 * Pure but for random numbers. Spec: RFC 8915 sections 5.3 to 5.7, RFC 7822. */
#ifndef FIRMWARE_COURIER_NTS_H
#define FIRMWARE_COURIER_NTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/random.h"
#include "crypto/secret.h"
#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define NTS_COOKIES_MAX  8   /* what RFC 8915 wants a client to keep */
#define NTS_COOKIE_MAX   256 /* bytes of one; servers make them of some 100 */
#define NTS_UNIQUE_BYTES 32
#define NTS_PACKET_MAX   1232 /* what IPv6 carries everywhere without fragments: 1280 less the headers */

struct nts_cookie {
    size_t len;
    uint8_t bytes[NTS_COOKIE_MAX];
};

/* What one exchange of keys has given. */
struct nts_session {
    struct secret *to_server; /* SIV_KEY_BYTES; NULL: there are no keys */
    struct secret *to_client;
    size_t count;
    struct nts_cookie cookies[NTS_COOKIES_MAX]; /* each is used once */
};

/* Forgets all. Of a session that is all zero, too. */
void nts_session_done(struct nts_session *session);

/* Keeps a cookie; one too many is dropped. ERR_RANGE: empty, or longer than NTS_COOKIE_MAX. */
enum err nts_session_add(struct nts_session *session, struct span cookie) MUST_USE;

/* Makes the packet that begins with this question: takes a cookie, asks for as many as are missing, and seals. packet is
 * empty, of NTS_PACKET_MAX. ERR_NOT_FOUND: there is no cookie left; ERR_RANGE. */
enum err nts_seal(struct nts_session *session, struct random *random, struct span question, struct buf *packet,
                  uint8_t out_unique[NTS_UNIQUE_BYTES]) MUST_USE;

/* Is this packet about the question with that number, be it sealed or not? */
bool nts_is_about(struct span packet, const uint8_t unique[NTS_UNIQUE_BYTES]);

/* Is it the server's answer to that question? Only then its new cookies are taken, and its first bytes are to be believed;
 * what comes behind the seal is not looked at. ERR_MALFORMED: fields that are none, missing, or there twice; ERR_AUTH:
 * another question, or not sealed by the server. */
enum err nts_open(struct nts_session *session, struct span packet, const uint8_t unique[NTS_UNIQUE_BYTES]) MUST_USE;

#endif
