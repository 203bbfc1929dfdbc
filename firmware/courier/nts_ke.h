/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The exchange of keys that goes before NTS: one message each way over TLS, after which both sides derive the same keys from
 * the handshake. The server is who its certificate says; its message is bounded and read strictly all the same.
 * Spec: RFC 8915 section 4. */
#ifndef FIRMWARE_COURIER_NTS_KE_H
#define FIRMWARE_COURIER_NTS_KE_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware/courier/nts.h"
#include "firmware/courier/stream.h"
#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define NTS_KE_PROTOCOL     "ntske/1" /* of ALPN */
#define NTS_KE_LABEL        "EXPORTER-network-time-security"
#define NTS_KE_CONTEXT_BYTES 5
#define NTS_KE_ANSWER_MAX   8192 /* bytes: eight cookies of the longest, and room */
#define NTS_KE_RECORDS_MAX  64

/* The context of the exporter, for the keys of AEAD_AES_SIV_CMAC_256 in NTPv4. */
enum nts_ke_key { NTS_KE_TO_SERVER, NTS_KE_TO_CLIENT };
void nts_ke_context(enum nts_ke_key key, uint8_t out_context[NTS_KE_CONTEXT_BYTES]);

/* Is the end of the message among these bytes? ERR_AGAIN: not yet; ERR_MALFORMED: it never will be. */
enum err nts_ke_is_whole(struct span bytes) MUST_USE;

/* Reads a whole message: cookies to a session that has none, and the port of NTP.
 *   ERR_MALFORMED    not of its form; no cookie
 *   ERR_UNSUPPORTED  the server has another protocol or cipher, or says something critical that we do not know
 *   ERR_REFUSED      it says that we are wrong, or cannot
 *   ERR_DENIED       NTP is served by another host, which nobody has named to us */
enum err nts_ke_read(struct span message, struct span host, struct nts_session *session, uint16_t *out_port) MUST_USE;

/* Asks and reads. Errors of the stream and of the above. */
enum err nts_ke_run(struct stream *stream, struct span host, struct nts_session *session, uint16_t *out_port) MUST_USE;

#endif
