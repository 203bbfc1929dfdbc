/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TLS by wolfSSL, whose types end in this file.
 *
 * How a signature is made without a key and without waiting:
 *   1. wolfSSL, deep in its handshake, calls sign_callback with a digest.
 *   2. The callback collects the fields of the signature from the handshake, builds the digest from them again and
 *      refuses if it is not the same one: then the fields would not say what is signed.
 *   3. It hands the fields to the signer and returns WC_PENDING_E. wolfSSL saves its state; wolfSSL_accept returns.
 *   4. tls_sign_answer keeps the answer and wakes the connection, which calls tls_handshake again.
 *   5. wolfSSL calls sign_callback again, which checks the signature against the certificate and gives it.
 *
 * wolfSSL holds a "private key" that is only the certificate's public key: with a signing callback it accepts that.
 * Of the signature algorithms that a client offers for a P-256 key, wolfSSL takes ECDSA with SHA-256, in 1.3 because the
 * curve demands it and in 1.2 because it is the weakest that is allowed. A client that offers only stronger ones for 1.2
 * is refused in step 2. What we read from <wolfssl/internal.h>: the two randoms, the transcript hash, the group and the
 * temporary key. */
#include "net/tls.h"

#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/error-ssl.h>
#include <wolfssl/internal.h>

#include "crypto/ct.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/sign.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "net/tls_int.h"

#define CERTIFICATE_DER_MAX 8192
#define SPKI_BYTES 91      /* a P-256 key: spki_head and the point */
#define SPKI_ROOM 1024     /* for keys of other kinds, which are refused */
#define TICKET_HINT_S 3600 /* the time between two rotations: a ticket opens for at least so long */
#define SIGN_PREFIX_BYTES 64 /* the spaces at the front of a TLS 1.3 signature's content */
#define CURVE_NAMED 3u       /* RFC 8422 section 5.4: ECCurveType named_curve */
#define GROUP_P256 23u
#define GROUP_P384 24u
#define GROUP_X25519 29u

static const char suites[] = "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256:"
                             "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
                             "ECDHE-ECDSA-CHACHA20-POLY1305";

/* SubjectPublicKeyInfo of a P-256 key up to the point: id-ecPublicKey, prime256v1, BIT STRING. RFC 5480. */
static const uint8_t spki_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
                                    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
_Static_assert(sizeof(spki_head) + SIGN_PUBLIC_BYTES == SPKI_BYTES, "a P-256 key has one form");

/* A certificate chain and everything derived from it. Lives until the last connection that began with it is gone. */
struct tls_chain {
    WOLFSSL_CTX *context;
    uint32_t number; /* the signer's */
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    size_t users;
};

struct tls_server {
    struct tls_server_options options;
    struct tls_chain *chain; /* NULL before tls_server_cert */
    struct tls_tickets *tickets;
};

enum sign_state { SIGN_NONE, SIGN_PENDING, SIGN_ANSWERED, SIGN_FAILED };

struct tls {
    WOLFSSL *ssl;
    struct tls_server *server;
    struct tls_chain *chain;
    struct tls_waiter *waiter;
    struct tls_io *io; /* during a call */
    enum sign_state sign;
    struct tls_sign_job job;
    uint8_t digest[SHA256_BYTES];
    uint8_t signature[TLS_SIGNATURE_MAX];
    size_t signature_bytes;
};

/* What the caller can do about a code of wolfSSL. */
static enum err from_wolf(int code)
{
    switch (code) {
    case WOLFSSL_ERROR_WANT_READ:
    case WC_PENDING_E:
        return ERR_AGAIN;
    case WOLFSSL_ERROR_ZERO_RETURN:
    case SOCKET_PEER_CLOSED_E:
        return ERR_CLOSED;
    case MEMORY_E:
    case WOLFSSL_ERROR_WANT_WRITE: /* `out` was full */
        return ERR_NO_MEMORY;
    case VERSION_ERROR:
    case MATCH_SUITE_ERROR:
    case UNSUPPORTED_SUITE:
    case ECC_CURVE_ERROR:
    case UNKNOWN_ALPN_PROTOCOL_NAME_E:
    case EXT_NOT_ALLOWED:
    case SECURE_RENEGOTIATION_E:
        return ERR_UNSUPPORTED;
    case VERIFY_MAC_ERROR:
    case DECRYPT_ERROR:
    case VERIFY_FINISHED_ERROR:
    case SIG_VERIFY_E:
    case AES_GCM_AUTH_E:
        return ERR_AUTH;
    case BAD_STATE_E: /* sign_callback's */
        return ERR_STATE;
    default: /* hundreds of codes, all of them about bytes that do not fit */
        return ERR_MALFORMED;
    }
}

static enum err tls_error(struct tls *tls, int result)
{
    const int code = wolfSSL_get_error(tls->ssl, result);

    FAIL(from_wolf(code), "TLS", code);
}

/* --- network --- */

static int give_input(WOLFSSL *ssl, char *buffer, int room, void *context)
{
    struct tls *const tls = context;
    (void)ssl;

    if (tls->io == NULL || tls->io->in.len == 0 || room <= 0) {
        return WOLFSSL_CBIO_ERR_WANT_READ;
    }
    const size_t len = num_min((size_t)room, tls->io->in.len);

    memcpy(buffer, tls->io->in.data, len);
    tls->io->in = span_of(tls->io->in.data + len, tls->io->in.len - len);
    return (int)len;
}

static int take_output(WOLFSSL *ssl, char *buffer, int len, void *context)
{
    struct tls *const tls = context;
    (void)ssl;

    if (tls->io == NULL || len < 0 || buf_put(tls->io->out, span_of(buffer, (size_t)len)) != ERR_OK) {
        return WOLFSSL_CBIO_ERR_WANT_WRITE;
    }
    return len;
}

/* --- signatures --- */

static enum err fields_13(struct tls *tls, struct tls_sign_request *out_request)
{
    HS_Hashes *const hashes = tls->ssl->hsHashes;
    int result = 0;

    out_request->kind = TLS_SIGN_13;
    if (tls->ssl->specs.mac_algorithm == sha384_mac) {
        out_request->transcript_hash = TLS_SHA384;
        result = wc_Sha384GetHash(&hashes->hashSha384, out_request->transcript);
    } else {
        out_request->transcript_hash = TLS_SHA256;
        result = wc_Sha256GetHash(&hashes->hashSha256, out_request->transcript);
    }
    if (result != 0) {
        FAIL(ERR_BUG, "no transcript", result);
    }
    return ERR_OK;
}

static enum err fields_12(struct tls *tls, struct tls_sign_request *out_request)
{
    WOLFSSL *const ssl = tls->ssl;
    word32 point_bytes = TLS_POINT_MAX;
    int result = 0;

    ENSURE(ssl->arrays != NULL && ssl->eccTempKey != NULL, ERR_BUG, "no handshake to sign");
    out_request->kind = TLS_SIGN_12;
    memcpy(out_request->client_random, ssl->arrays->clientRandom, TLS_RANDOM_BYTES);
    memcpy(out_request->server_random, ssl->arrays->serverRandom, TLS_RANDOM_BYTES);
    if (ssl->ecdhCurveOID == ECC_X25519_OID) {
        out_request->group = GROUP_X25519;
        /* wolfSSL keeps keys of all groups behind this one pointer. */
        result = wc_curve25519_export_public_ex((curve25519_key *)(void *)ssl->eccTempKey, out_request->point,
                                                &point_bytes, EC25519_LITTLE_ENDIAN);
    } else {
        out_request->group = ssl->ecdhCurveOID == ECC_SECP384R1_OID ? GROUP_P384 : GROUP_P256;
        result = wc_ecc_export_x963(ssl->eccTempKey, out_request->point, &point_bytes);
    }
    if (result != 0) {
        FAIL(ERR_BUG, "no temporary key", result);
    }
    out_request->point_bytes = point_bytes;
    return ERR_OK;
}

/* The digest that these fields stand for, as the signer will build it. RFC 8446 section 4.4.3; RFC 8422 section 5.4. */
static void digest_of(const struct tls_sign_request *request, uint8_t out_digest[SHA256_BYTES])
{
    static const char label[] = "TLS 1.3, server CertificateVerify"; /* with its NUL, which is part of the content */
    struct sha256_stream stream;
    uint8_t spaces[SIGN_PREFIX_BYTES];
    const uint8_t curve[] = {CURVE_NAMED, (uint8_t)(request->group >> 8), (uint8_t)request->group,
                             (uint8_t)request->point_bytes};

    sha256_init(&stream);
    if (request->kind == TLS_SIGN_13) {
        memset(spaces, ' ', sizeof(spaces));
        sha256_update(&stream, span_array(spaces));
        sha256_update(&stream, span_array(label));
        sha256_update(&stream, span_of(request->transcript,
                                       request->transcript_hash == TLS_SHA384 ? SHA384_BYTES : SHA256_BYTES));
    } else {
        sha256_update(&stream, span_array(request->client_random));
        sha256_update(&stream, span_array(request->server_random));
        sha256_update(&stream, span_array(curve));
        sha256_update(&stream, span_of(request->point, request->point_bytes));
    }
    sha256_final(&stream, out_digest);
}

static enum err start_signature(struct tls *tls, struct span digest)
{
    struct tls_sign_request request = {.certificate = tls->chain->number};

    if (wolfSSL_version(tls->ssl) == TLS1_3_VERSION) {
        TRY(fields_13(tls, &request));
    } else {
        TRY(fields_12(tls, &request));
    }
    digest_of(&request, tls->digest);
    ENSURE(ct_equal(digest, span_array(tls->digest)), ERR_UNSUPPORTED, "asked to sign something else than the fields");

    tls->job = (struct tls_sign_job){.request = request, .owner = tls};
    tls->sign = SIGN_PENDING;
    const enum err err = tls->server->options.signer.start(tls->server->options.signer.context, &tls->job);

    if (err != ERR_OK) {
        tls->sign = SIGN_FAILED;
        FAIL(err, "the signer takes no request", 0);
    }
    return ERR_OK;
}

static int give_signature(struct tls *tls, uint8_t *out, word32 *out_len)
{
    const struct span signature = span_of(tls->signature, tls->signature_bytes);

    if (signature.len > *out_len ||
        sign_verify_der(tls->chain->public_key, span_array(tls->digest), signature, SIGN_ANY_S) != ERR_OK) {
        tls->sign = SIGN_FAILED;
        return SIG_VERIFY_E;
    }
    memcpy(out, signature.data, signature.len);
    *out_len = (word32)signature.len;
    tls->sign = SIGN_NONE;
    return 0;
}

static int sign_callback(WOLFSSL *ssl, const unsigned char *in, unsigned int in_len, unsigned char *out,
                         word32 *out_len, const unsigned char *key, unsigned int key_len, void *context)
{
    struct tls *const tls = context;
    (void)ssl;
    (void)key;
    (void)key_len;

    switch (tls->sign) {
    case SIGN_NONE:
        return start_signature(tls, span_of(in, in_len)) == ERR_OK ? WC_PENDING_E : BAD_STATE_E;
    case SIGN_PENDING:
        return WC_PENDING_E;
    case SIGN_ANSWERED:
        return give_signature(tls, out, out_len);
    case SIGN_FAILED:
        return BAD_STATE_E;
    }
    return BAD_STATE_E;
}

void tls_sign_answer(struct tls_sign_job *job, enum err err, struct span signature)
{
    struct tls *const tls = job->owner;

    INVARIANT(tls->sign == SIGN_PENDING);
    if (err != ERR_OK || signature.len > sizeof(tls->signature)) {
        tls->sign = SIGN_FAILED;
    } else {
        memcpy(tls->signature, signature.data, signature.len);
        tls->signature_bytes = signature.len;
        tls->sign = SIGN_ANSWERED;
    }
    tls->waiter->on_resume(tls->waiter);
}

/* --- tickets --- */

/* The last ticket of a chain? Sessions that follow from each other count their tickets in one byte, and wolfSSL breaks off
 * the handshake that would make the 257th, without an alert. A full handshake begins a new chain.
 * Spec: RFC 8446 section 4.6.1, ticket_nonce. */
static bool ends_chain(struct span ticket)
{
    const size_t at = offsetof(InternalTicket, ticketNonce);

    return ticket.len > at && ticket.data[offsetof(InternalTicket, ticketNonceLen)] > 0 && ticket.data[at] == UINT8_MAX;
}

static int ticket_callback(WOLFSSL *ssl, unsigned char name[WOLFSSL_TICKET_NAME_SZ],
                           unsigned char iv[WOLFSSL_TICKET_IV_SZ], unsigned char mac[WOLFSSL_TICKET_MAC_SZ], int encrypt,
                           unsigned char *ticket, int len, int *out_len, void *context)
{
    struct tls_server *const server = context;
    struct tls_ticket_parts parts = {.name = name, .iv = iv, .mac = mac, .body = ticket, .body_bytes = (size_t)len};
    (void)ssl;

    if (len < 0) {
        return WOLFSSL_TICKET_RET_REJECT;
    }
    const enum err err = encrypt != 0 ? tls_tickets_seal(server->tickets, &parts)
                                      : tls_tickets_open(server->tickets, &parts);

    if (err != ERR_OK || (encrypt == 0 && ends_chain(span_of(ticket, (size_t)len)))) {
        fault_clear(); /* not a failure of the connection: it goes on without a ticket */
        return WOLFSSL_TICKET_RET_REJECT;
    }
    *out_len = len;
    /* Also for a ticket of the previous key: in 1.3 wolfSSL takes WOLFSSL_TICKET_RET_CREATE for a refusal (and makes a new
     * ticket in any case), in 1.2 the client shakes hands once more after the next rotation. */
    return WOLFSSL_TICKET_RET_OK;
}

/* --- server --- */

static void chain_unuse(struct tls_chain *chain)
{
    if (chain == NULL || --chain->users > 0) {
        return;
    }
    wolfSSL_CTX_free(chain->context);
    mem_free(chain);
}

static void chain_unuse_scoped(struct tls_chain **chain)
{
    chain_unuse(*chain);
}

/* What does not depend on the certificate. */
static enum err set_rules(struct tls_server *server, WOLFSSL_CTX *context)
{
    int groups[] = {WOLFSSL_X25519MLKEM768, WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1};

    ENSURE(wolfSSL_CTX_SetMinVersion(context, WOLFSSL_TLSV1_2) == WOLFSSL_SUCCESS, ERR_UNSUPPORTED, "no least version");
    ENSURE(wolfSSL_CTX_set_cipher_list(context, suites) == WOLFSSL_SUCCESS, ERR_UNSUPPORTED, "a suite is missing");
    ENSURE(wolfSSL_CTX_set_groups(context, groups, ARRAY_LENGTH(groups)) == WOLFSSL_SUCCESS, ERR_UNSUPPORTED,
           "a group is missing");
    ENSURE(wolfSSL_CTX_only_dhe_psk(context) == 0, ERR_UNSUPPORTED, "tickets without a key exchange");
    ENSURE(wolfSSL_CTX_set_TicketEncCb(context, ticket_callback) == WOLFSSL_SUCCESS, ERR_UNSUPPORTED, "no tickets");
    ENSURE(wolfSSL_CTX_set_TicketEncCtx(context, server) == WOLFSSL_SUCCESS, ERR_UNSUPPORTED, "no tickets");
    ENSURE(wolfSSL_CTX_set_TicketHint(context, TICKET_HINT_S) == WOLFSSL_SUCCESS, ERR_UNSUPPORTED, "no tickets");
    ENSURE(wolfSSL_CTX_set_group_messages(context) == WOLFSSL_SUCCESS, ERR_UNSUPPORTED, "no flights");
    (void)wolfSSL_CTX_set_session_cache_mode(context, WOLFSSL_SESS_CACHE_OFF); /* answers the mode */
    wolfSSL_CTX_SetIORecv(context, give_input);
    wolfSSL_CTX_SetIOSend(context, take_output);
    wolfSSL_CTX_SetEccSignCb(context, sign_callback);
    return ERR_OK;
}

/* The leaf's public key, which must be one of P-256. */
static enum err leaf_key(struct span chain_pem, uint8_t out_spki[SPKI_BYTES])
{
    SCOPED_BUF struct buf *certificate = NULL;
    uint8_t *der = NULL;
    uint8_t spki[SPKI_ROOM];
    word32 spki_bytes = sizeof(spki);

    ENSURE(chain_pem.len <= TLS_CHAIN_PEM_MAX, ERR_MALFORMED, "the chain is too long");
    TRY(buf_new(CERTIFICATE_DER_MAX, &certificate));
    TRY(buf_reserve(certificate, CERTIFICATE_DER_MAX, &der));
    const int der_bytes = wc_CertPemToDer(chain_pem.data, (int)chain_pem.len, der, CERTIFICATE_DER_MAX, CERT_TYPE);

    if (der_bytes <= 0) {
        FAIL(ERR_MALFORMED, "the chain is not PEM", der_bytes);
    }
    const int result = wc_GetSubjectPubKeyInfoDerFromCert(der, (word32)der_bytes, spki, &spki_bytes);

    if (result != 0) {
        FAIL(ERR_MALFORMED, "the leaf is no certificate", result);
    }
    ENSURE(spki_bytes == SPKI_BYTES && span_equal(span_of(spki, sizeof(spki_head)), span_array(spki_head)),
           ERR_MALFORMED, "the leaf's key is not P-256");
    memcpy(out_spki, spki, SPKI_BYTES);
    return ERR_OK;
}

enum err tls_server_cert(struct tls_server *server, uint32_t number, struct span chain_pem)
{
    SCOPED(chain_unuse_scoped) struct tls_chain *chain = NULL;
    uint8_t spki[SPKI_BYTES];
    void *memory = NULL;

    TRY(leaf_key(chain_pem, spki));
    TRY(mem_alloc(sizeof(struct tls_chain), &memory));
    chain = memory;
    chain->users = 1;
    chain->number = number;
    memcpy(chain->public_key, spki + sizeof(spki_head), SIGN_PUBLIC_BYTES);
    chain->context = wolfSSL_CTX_new(wolfSSLv23_server_method());
    ENSURE(chain->context != NULL, ERR_NO_MEMORY, "no TLS context");
    TRY(set_rules(server, chain->context));

    int result = wolfSSL_CTX_use_certificate_chain_buffer_format(chain->context, chain_pem.data, (long)chain_pem.len,
                                                                 WOLFSSL_FILETYPE_PEM);
    if (result != WOLFSSL_SUCCESS) {
        FAIL(ERR_MALFORMED, "not a certificate chain", result);
    }
    result = wolfSSL_CTX_use_PrivateKey_buffer(chain->context, spki, SPKI_BYTES, WOLFSSL_FILETYPE_ASN1);
    if (result != WOLFSSL_SUCCESS) {
        FAIL(ERR_UNSUPPORTED, "no key by public half", result);
    }

    chain_unuse(server->chain);
    server->chain = TAKE(chain);
    return ERR_OK;
}

enum err tls_server_new(const struct tls_server_options *options, struct tls_server **out_server)
{
    void *memory = NULL;

    ENSURE(wolfSSL_Init() == WOLFSSL_SUCCESS, ERR_UNSUPPORTED, "wolfSSL does not start");
    TRY(mem_alloc(sizeof(struct tls_server), &memory));
    struct tls_server *const server = memory;

    server->options = *options;
    const enum err err = tls_tickets_new(options, &server->tickets);

    if (err != ERR_OK) {
        mem_free(server);
        FAIL(err, "no TLS server", 0);
    }
    *out_server = server;
    return ERR_OK;
}

void tls_server_free(struct tls_server *server)
{
    if (server == NULL) {
        return;
    }
    chain_unuse(server->chain);
    tls_tickets_free(server->tickets);
    mem_free(server);
}

/* --- connections --- */

enum err tls_new(struct tls_server *server, struct tls_waiter *waiter, struct tls **out_tls)
{
    char protocol[] = "http/1.1";
    void *memory = NULL;

    ENSURE(server->chain != NULL, ERR_STATE, "no certificate yet");
    TRY(mem_alloc(sizeof(struct tls), &memory));
    struct tls *const tls = memory;

    tls->server = server;
    tls->waiter = waiter;
    tls->chain = server->chain;
    tls->chain->users++;
    tls->ssl = wolfSSL_new(tls->chain->context);
    if (tls->ssl == NULL || wolfSSL_UseALPN(tls->ssl, protocol, sizeof(protocol) - 1,
                                            WOLFSSL_ALPN_FAILED_ON_MISMATCH) != WOLFSSL_SUCCESS) {
        tls_free(tls);
        FAIL(ERR_NO_MEMORY, "no TLS connection", 0);
    }
    if (!tls_tickets_ready(server->tickets) &&
        (wolfSSL_no_ticket_TLSv13(tls->ssl) != 0 || wolfSSL_NoTicketTLSv12(tls->ssl) != WOLFSSL_SUCCESS)) {
        tls_free(tls);
        FAIL(ERR_BUG, "tickets cannot be turned off", 0);
    }
    wolfSSL_SetIOReadCtx(tls->ssl, tls);
    wolfSSL_SetIOWriteCtx(tls->ssl, tls);
    wolfSSL_SetEccSignCtx(tls->ssl, tls);
    *out_tls = tls;
    return ERR_OK;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL) {
        return;
    }
    if (tls->sign == SIGN_PENDING) {
        tls->server->options.signer.cancel(tls->server->options.signer.context, &tls->job);
    }
    wolfSSL_free(tls->ssl);
    chain_unuse(tls->chain);
    mem_free(tls);
}

enum err tls_handshake(struct tls *tls, struct tls_io *io)
{
    if (tls->sign == SIGN_PENDING) {
        return ERR_AGAIN;
    }
    tls->io = io;
    const int result = wolfSSL_accept(tls->ssl);

    tls->io = NULL;
    if (result == WOLFSSL_SUCCESS) {
        return ERR_OK;
    }
    const int code = wolfSSL_get_error(tls->ssl, result);

    if (from_wolf(code) == ERR_AGAIN) {
        return ERR_AGAIN;
    }
    FAIL(from_wolf(code), "TLS handshake", code);
}

bool tls_is_parked(const struct tls *tls)
{
    return tls->sign == SIGN_PENDING;
}

enum err tls_read(struct tls *tls, struct tls_io *io, struct buf *out_plain)
{
    for (;;) { /* ends when `in` is used up or out_plain is full */
        const size_t room = num_min(buf_room(out_plain), TLS_RECORD_PLAIN);
        uint8_t *at = NULL;

        if (room == 0) {
            return ERR_LIMIT;
        }
        TRY(buf_reserve(out_plain, room, &at));
        tls->io = io;
        const int got = wolfSSL_read(tls->ssl, at, (int)room);

        tls->io = NULL;
        if (got > 0) {
            buf_commit(out_plain, (size_t)got);
            continue;
        }
        const int code = wolfSSL_get_error(tls->ssl, got);

        if (code == WOLFSSL_ERROR_WANT_READ) {
            return ERR_OK;
        }
        if (from_wolf(code) == ERR_CLOSED) {
            return ERR_CLOSED;
        }
        FAIL(from_wolf(code), "TLS record", code);
    }
}

enum err tls_write(struct tls *tls, struct tls_io *io, struct span plain)
{
    INVARIANT(plain.len > 0 && plain.len <= TLS_RECORD_PLAIN);
    ENSURE(buf_room(io->out) >= TLS_RECORD_ROOM, ERR_RANGE, "no room for a record");
    tls->io = io;
    const int sent = wolfSSL_write(tls->ssl, plain.data, (int)plain.len);

    tls->io = NULL;
    if (sent != (int)plain.len) {
        return tls_error(tls, sent);
    }
    return ERR_OK;
}

void tls_finish(struct tls *tls, struct tls_io *io)
{
    tls->io = io;
    (void)wolfSSL_shutdown(tls->ssl); /* a notice; that the peer's is not there yet is no failure */
    tls->io = NULL;
}

struct tls_info tls_info(const struct tls *tls)
{
    const char *const suite = wolfSSL_get_cipher_name(tls->ssl);
    const char *const group = wolfSSL_get_curve_name(tls->ssl);

    return (struct tls_info){
        .version = wolfSSL_version(tls->ssl) == TLS1_3_VERSION ? 0x0304 : 0x0303,
        .resumed = wolfSSL_session_reused(tls->ssl) == 1,
        .suite = suite == NULL ? "" : suite,
        .group = group == NULL ? "" : group,
    };
}
