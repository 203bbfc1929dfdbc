/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TLS, server side, between two pieces of memory: it never touches a socket, a clock or a private key.
 *
 * TLS 1.3 and 1.2; AEAD suites with forward secrecy only; groups X25519MLKEM768, X25519, P-256, P-384; ALPN http/1.1;
 * tickets with a key exchange only; no early data, no renegotiation. The private key lives in the keeper: when a
 * handshake needs a signature it hands out the fields that the signature is about and parks until the answer comes.
 * Everything here belongs to one reactor's thread. Spec: RFC 8446, RFC 5246, RFC 8422, RFC 7627. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/snapshot.h"
#include "hal/base/span.h"
#include "crypto/secret_slab.h"

/* --- signatures --- */

#define TLS_RANDOM_BYTES 32
#define TLS_TRANSCRIPT_MAX 48  /* SHA-384 */
#define TLS_POINT_MAX 97       /* P-384, uncompressed */
#define TLS_SIGNATURE_MAX 72   /* ECDSA P-256 in DER */

enum tls_sign_kind { TLS_SIGN_13 = 1, TLS_SIGN_12 = 2 };
enum tls_hash { TLS_SHA256 = 1, TLS_SHA384 = 2 };

/* What is to be signed, by fields; from them the signer builds content and digest itself:
 *   1.3  64 spaces | "TLS 1.3, server CertificateVerify" | 0 | transcript      RFC 8446 section 4.4.3
 *   1.2  client random | server random | 3 | group(2) | length(1) | point      RFC 8422 section 5.4
 * and signs it with ECDSA P-256 and SHA-256, whatever the hash of the transcript is. */
struct tls_sign_request {
    enum tls_sign_kind kind;
    uint32_t certificate;                   /* the number of the one that this handshake shows, see tls_server_cert */
    enum tls_hash transcript_hash;          /* 1.3: also says how long transcript is, 32 or 48 */
    uint8_t transcript[TLS_TRANSCRIPT_MAX]; /* 1.3 */
    uint8_t client_random[TLS_RANDOM_BYTES]; /* 1.2, as the rest */
    uint8_t server_random[TLS_RANDOM_BYTES];
    uint16_t group; /* IANA number: 23 P-256, 24 P-384, 29 X25519 */
    uint8_t point[TLS_POINT_MAX];
    size_t point_bytes;
};

/* One signature under way. It lies in the connection; a signer reads `request`, may use `tag` and answers once. */
struct tls_sign_job {
    struct tls_sign_request request;
    uint64_t tag; /* the signer's own: the number of the message that it sent */
    void *owner;  /* tls's own */
};

/* Where signatures come from. In the worker: the reactor's channel to the keeper. */
struct tls_signer {
    /* Asks for a signature and returns at once; tls_sign_answer follows, not from inside of start, on this thread.
     * ERR_LIMIT: too many under way; any error ends the handshake. */
    enum err (*start)(void *context, struct tls_sign_job *job);
    /* The connection is gone: do not answer this job any more, it is freed after this call. */
    void (*cancel)(void *context, struct tls_sign_job *job);
    void *context;
};

/* Delivers an answer: signature in DER with ERR_OK, or any error, which ends that handshake. Resumes the connection
 * before it returns. The signature is not trusted: a wrong one never leaves this process. */
void tls_sign_answer(struct tls_sign_job *job, enum err err, struct span signature);

/* --- ticket keys --- */

#define TLS_TICKET_NAME_BYTES 16
#define TLS_TICKET_KEY_BYTES 32

struct tls_ticket_key {
    uint8_t name[TLS_TICKET_NAME_BYTES]; /* random, stands in clear in each ticket */
    uint8_t key[TLS_TICKET_KEY_BYTES];
};

/* A value for a snapshot cell: tickets are made with current, and opened with current or previous (NULL before the
 * first rotation). The keys are copied into locked memory; the caller wipes its own. ERR_NO_MEMORY. */
enum err tls_ticket_keys_new(const struct tls_ticket_key *current, const struct tls_ticket_key *previous,
                             struct snapshot **out_keys) MUST_USE;

/* --- a server: what the connections of one reactor share --- */

struct tls_server;

struct tls_server_options {
    struct tls_signer signer;           /* copied */
    struct snapshot_cell *ticket_keys;  /* of tls_ticket_keys_new values; borrowed. An empty cell: no tickets */
    size_t ticket_slot;                 /* this reactor's slot in the cell */
    struct secret_slab *slab;           /* borrowed: room for one aead */
};

/* A server without a certificate: every handshake fails until tls_server_cert. ERR_NO_MEMORY, ERR_UNSUPPORTED: the
 * library lacks what we need. */
enum err tls_server_new(const struct tls_server_options *options, struct tls_server **out_server) MUST_USE;

/* After its connections. NULL is fine. */
void tls_server_free(struct tls_server *server);

/* Uses this chain (PEM, the leaf first, P-256) for handshakes that begin from now on; handshakes under way and
 * connections keep the old one. number is the signer's and comes back in each request for a signature.
 * ERR_MALFORMED: not a chain, or the leaf's key is not P-256; the old one then stays. */
enum err tls_server_cert(struct tls_server *server, uint32_t number, struct span chain_pem) MUST_USE;

/* --- a connection --- */

struct tls;

/* What a call works on. `in` is what came from the network: a call takes from its front what it uses. `out` is what
 * goes to the network: a call appends, and a record that does not fit is ERR_RANGE: keep TLS_RECORD_ROOM free. */
struct tls_io {
    struct span in;
    struct buf *out;
};

#define TLS_RECORD_PLAIN 16384                          /* the most plaintext in one record */
#define TLS_RECORD_ROOM ((size_t)TLS_RECORD_PLAIN + 512) /* a full record with its frame */
#define TLS_HANDSHAKE_ROOM ((size_t)32768)              /* the longest flight we send: chain, key share, tickets */

/* Who hears that a parked handshake can go on. Embedded in the connection. */
struct tls_waiter {
    void (*on_resume)(struct tls_waiter *waiter);
};

/* Starts one connection. waiter is borrowed until tls_free. ERR_NO_MEMORY, ERR_STATE: no certificate yet. */
enum err tls_new(struct tls_server *server, struct tls_waiter *waiter, struct tls **out_tls) MUST_USE;

/* Cancels a signature under way. NULL is fine. */
void tls_free(struct tls *tls);

/* Goes on with the handshake. ERR_OK: done, its memory is freed.
 * ERR_AGAIN      needs more input, or parks for a signature: tls_is_parked() tells which
 * anything else  over; send what is in `out` (an alert) and close.
 *   ERR_MALFORMED the peer's bytes; ERR_UNSUPPORTED no common version, suite, group or protocol;
 *   ERR_AUTH a signature or tag is wrong; ERR_LIMIT, ERR_NO_MEMORY, ERR_STALE_KEY ours */
enum err tls_handshake(struct tls *tls, struct tls_io *io) MUST_USE;
bool tls_is_parked(const struct tls *tls);

/* Appends plaintext to out_plain, until `in` is used up (ERR_OK) or out_plain has no room for a record (ERR_LIMIT; the
 * rest stays in `in`). ERR_CLOSED: the peer has said that it is finished; errors as above otherwise. */
enum err tls_read(struct tls *tls, struct tls_io *io, struct buf *out_plain) MUST_USE;

/* One record of at most TLS_RECORD_PLAIN bytes. */
enum err tls_write(struct tls *tls, struct tls_io *io, struct span plain) MUST_USE;

/* Says that nothing more will be sent. */
void tls_finish(struct tls *tls, struct tls_io *io);

/* Of a finished handshake. */
struct tls_info {
    unsigned int version; /* 0x0304 or 0x0303 */
    bool resumed;
    const char *suite; /* the library's name of it, a literal */
    const char *group; /* as suite; "" when resumed without one */
};
struct tls_info tls_info(const struct tls *tls);

#endif
