/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wolfSSL as a client that may wait: its calls for bytes lead to the way below, whose error is kept, because wolfSSL would
 * tell it in numbers of its own. */
#include "net/tls_client.h"

#include <limits.h>
#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/error-ssl.h>

#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"

static const char suites[] =
    "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256:"
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

#define PROTOCOL_MAX 31
#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END   "-----END CERTIFICATE-----"

struct tls_roots {
    WOLFSSL_CTX *context;
};

struct tls_client {
    WOLFSSL *ssl;
    struct tls_way way;
    enum err broken; /* the way's last error */
    bool connected;
    bool exports;
};

static enum err from_wolf(int code)
{
    switch (code) {
    case WOLFSSL_ERROR_ZERO_RETURN:
    case SOCKET_PEER_CLOSED_E:
    case SOCKET_ERROR_E:
        return ERR_CLOSED;
    case MEMORY_E:
        return ERR_NO_MEMORY;
    case VERSION_ERROR:
    case MATCH_SUITE_ERROR:
    case UNSUPPORTED_SUITE:
    case ECC_CURVE_ERROR:
    case EXT_NOT_ALLOWED:
    case UNKNOWN_ALPN_PROTOCOL_NAME_E:
        return ERR_UNSUPPORTED;
    case DOMAIN_NAME_MISMATCH:
    case VERIFY_CERT_ERROR:
    case ASN_NO_SIGNER_E:
    case ASN_BEFORE_DATE_E:
    case ASN_AFTER_DATE_E:
    case ASN_SIG_CONFIRM_E:
    case ASN_SIG_OID_E:
    case ASN_NAME_INVALID_E:
    case ASN_PATHLEN_INV_E:
    case ASN_PATHLEN_SIZE_E:
    case ASN_SELF_SIGNED_E:
    case ASN_NO_KEYUSAGE:
    case KEYUSAGE_E:
    case KEYUSE_ENCIPHER_E:
    case EXTKEYUSAGE_E:
    case ECC_KEY_SIZE_E:
    case RSA_KEY_SIZE_E:
    case NO_PEER_CERT:
    case NO_PEER_KEY:
    case VERIFY_SIGN_ERROR:
    case VERIFY_MAC_ERROR:
    case DECRYPT_ERROR:
    case VERIFY_FINISHED_ERROR:
    case SIG_VERIFY_E:
    case AES_GCM_AUTH_E:
        return ERR_AUTH;
    default: /* hundreds of codes, all of them about bytes that do not fit */
        return ERR_MALFORMED;
    }
}

static enum err client_error(struct tls_client *client, int result)
{
    const int code = wolfSSL_get_error(client->ssl, result);

    ENSURE(client->broken == ERR_OK, client->broken, "the way of a TLS connection");
    FAIL(from_wolf(code), "TLS", code);
}

/* --- whom to trust --- */

/* The next certificate of a list, and what comes after it; false: there is none. */
static bool next_certificate(struct span *rest, struct span *out_pem)
{
    const struct span begin = span_lit(PEM_BEGIN);
    const struct span end = span_lit(PEM_END);
    size_t from = 0;

    while (from < rest->len && !span_starts_with(span_of(rest->data + from, rest->len - from), begin)) {
        from++;
    }
    for (size_t at = from; at < rest->len; at++) {
        if (span_starts_with(span_of(rest->data + at, rest->len - at), end)) {
            *out_pem = span_of(rest->data + from, at + end.len - from);
            *rest = span_of(rest->data + at + end.len, rest->len - at - end.len);
            return true;
        }
    }
    return false;
}

static enum err load_all(WOLFSSL_CTX *context, enum tls_roots_kind kind, struct span pem)
{
    struct span rest = pem;
    struct span one = SPAN_NONE;
    size_t taken = 0;
    size_t left_out = 0;

    ENSURE(pem.len <= INT_MAX, ERR_MALFORMED, "a list of CAs that is too long");
    while (next_certificate(&rest, &one)) {
        const int result = wolfSSL_CTX_load_verify_buffer(context, one.data, (long)one.len, WOLFSSL_FILETYPE_PEM);
        ENSURE(result != MEMORY_E, ERR_NO_MEMORY, "no memory for a CA");
        ENSURE(result == WOLFSSL_SUCCESS || kind == TLS_ROOTS_SYSTEM, ERR_MALFORMED, "a pinned certificate that cannot be read");
        taken += result == WOLFSSL_SUCCESS ? 1u : 0u;
        left_out += result == WOLFSSL_SUCCESS ? 0u : 1u;
    }
    ENSURE(taken != 0, ERR_MALFORMED, "no certificate");
    if (left_out != 0) {
        LOG(LOG_INFO, "cas_left_out", LOG_NUMBER("taken", taken), LOG_NUMBER("left_out", left_out));
    }
    return ERR_OK;
}

/* The way's errors, as wolfSSL wants them. */
static int io_failed(struct tls_client *client, enum err err)
{
    client->broken = err;
    return err == ERR_CLOSED ? WOLFSSL_CBIO_ERR_CONN_CLOSE : WOLFSSL_CBIO_ERR_GENERAL;
}

static int on_receive(WOLFSSL *ssl, char *buffer, int room, void *context)
{
    struct tls_client *const client = context;
    size_t len = 0;

    (void)ssl; /* the client's */
    if (room <= 0) {
        return WOLFSSL_CBIO_ERR_GENERAL;
    }
    const enum err err = client->way.receive(client->way.context, (uint8_t *)buffer, (size_t)room, &len);
    return err == ERR_OK ? (int)len : io_failed(client, err);
}

static int on_send(WOLFSSL *ssl, char *buffer, int len, void *context)
{
    struct tls_client *const client = context;
    size_t sent = 0;

    (void)ssl; /* as above */
    if (len <= 0) {
        return WOLFSSL_CBIO_ERR_GENERAL;
    }
    const enum err err = client->way.send(client->way.context, span_of(buffer, (size_t)len), &sent);
    return err == ERR_OK ? (int)sent : io_failed(client, err);
}

static enum err set_up(WOLFSSL_CTX *context)
{
    ENSURE(wolfSSL_CTX_SetMinVersion(context, WOLFSSL_TLSV1_2) == WOLFSSL_SUCCESS &&
               wolfSSL_CTX_set_cipher_list(context, suites) == WOLFSSL_SUCCESS,
           ERR_UNSUPPORTED, "the TLS library lacks what we need");
    wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_PEER, NULL);
    (void)wolfSSL_CTX_set_session_cache_mode(context, WOLFSSL_SESS_CACHE_OFF); /* nothing is resumed: the old mode */
    wolfSSL_CTX_SetIORecv(context, on_receive);
    wolfSSL_CTX_SetIOSend(context, on_send);
    return ERR_OK;
}

enum err tls_roots_new(enum tls_roots_kind kind, struct span pem, struct tls_roots **out_roots)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct tls_roots), &memory));
    struct tls_roots *const roots = memory;
    roots->context = wolfSSL_CTX_new(wolfSSLv23_client_method());
    enum err err = roots->context == NULL ? ERR_NO_MEMORY : set_up(roots->context);
    err = err != ERR_OK ? err : load_all(roots->context, kind, pem);
    if (err != ERR_OK) {
        tls_roots_free(roots);
        TRY(err);
    }
    *out_roots = roots;
    return ERR_OK;
}

void tls_roots_free(struct tls_roots *roots)
{
    if (roots == NULL) {
        return;
    }
    wolfSSL_CTX_free(roots->context);
    mem_free(roots);
}

/* --- a connection --- */

static enum err shake_hands(struct tls_client *client, struct span name)
{
    char text[TLS_CLIENT_NAME_MAX + 1] = {0};

    for (size_t i = 0; i < name.len; i++) {
        const uint8_t byte = name.data[i];
        text[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte); /* wolfSSL knows localhost so alone */
    }
    wolfSSL_SetIOReadCtx(client->ssl, client);
    wolfSSL_SetIOWriteCtx(client->ssl, client);
    ENSURE(wolfSSL_check_domain_name(client->ssl, text) == WOLFSSL_SUCCESS, ERR_RANGE, "not a server's name");
    ENSURE(wolfSSL_UseSNI(client->ssl, WOLFSSL_SNI_HOST_NAME, text, (unsigned short)name.len) == WOLFSSL_SUCCESS,
           ERR_NO_MEMORY, "no memory for a name");
    const int result = wolfSSL_connect(client->ssl);
    if (result != WOLFSSL_SUCCESS) {
        return client_error(client, result);
    }
    client->connected = true;
    return ERR_OK;
}

/* Before the handshake. */
static enum err ask_for_protocol(struct tls_client *client, const char *protocol)
{
    char list[PROTOCOL_MAX + 1] = {0};
    const size_t len = strlen(protocol);

    INVARIANT(len <= PROTOCOL_MAX);
    memcpy(list, protocol, len);
    ENSURE(wolfSSL_SetMinVersion(client->ssl, WOLFSSL_TLSV1_3) == WOLFSSL_SUCCESS, ERR_UNSUPPORTED,
           "the TLS library has no TLS 1.3");
    ENSURE(wolfSSL_UseALPN(client->ssl, list, (unsigned int)len, WOLFSSL_ALPN_FAILED_ON_MISMATCH) == WOLFSSL_SUCCESS,
           ERR_NO_MEMORY, "no memory for a protocol");
    wolfSSL_KeepArrays(client->ssl);
    client->exports = true;
    return ERR_OK;
}

/* A server that knows nothing of ALPN leaves it out. */
static enum err check_protocol(struct tls_client *client, const char *protocol)
{
    char *chosen = NULL;
    unsigned short len = 0;

    const int result = wolfSSL_ALPN_GetProtocol(client->ssl, &chosen, &len);
    ENSURE(result == WOLFSSL_SUCCESS && span_equal(span_of(chosen, len), span_str(protocol)), ERR_UNSUPPORTED,
           "a server that does not speak the protocol");
    return ERR_OK;
}

static enum err greet(struct tls_client *client, struct span name, const char *protocol)
{
    ENSURE(client->ssl != NULL, ERR_NO_MEMORY, "no memory for a TLS connection");
    if (protocol == NULL) {
        return shake_hands(client, name);
    }
    TRY(ask_for_protocol(client, protocol));
    TRY(shake_hands(client, name));
    return check_protocol(client, protocol);
}

static enum err make(struct tls_roots *roots, struct span name, const char *protocol, const struct tls_way *way,
                     struct tls_client **out_client)
{
    void *memory = NULL;

    ENSURE(name.len != 0 && name.len <= TLS_CLIENT_NAME_MAX && span_find(name, 0) == name.len, ERR_RANGE,
           "not a server's name");
    TRY(mem_alloc(sizeof(struct tls_client), &memory));
    struct tls_client *const client = memory;
    client->way = *way;
    client->ssl = wolfSSL_new(roots->context);
    const enum err err = greet(client, name, protocol);
    if (err != ERR_OK) {
        tls_client_free(client);
        TRY(err);
    }
    *out_client = client;
    return ERR_OK;
}

enum err tls_client_new(struct tls_roots *roots, struct span name, const struct tls_way *way,
                        struct tls_client **out_client)
{
    return make(roots, name, NULL, way, out_client);
}

enum err tls_client_new_protocol(struct tls_roots *roots, struct span name, const char *protocol,
                                 const struct tls_way *way, struct tls_client **out_client)
{
    return make(roots, name, protocol, way, out_client);
}

enum err tls_client_export(struct tls_client *client, const char *label, struct span context, struct secret *out_key)
{
    ENSURE(client->connected && client->exports, ERR_STATE, "a connection that exports nothing");
    const int result = wolfSSL_export_keying_material(client->ssl, secret_fill(out_key), secret_len(out_key), label,
                                                      strlen(label), context.data, context.len, 1);

    ENSURE(result == WOLFSSL_SUCCESS, ERR_STATE, "a key that could not be exported");
    return ERR_OK;
}

void tls_client_free(struct tls_client *client)
{
    if (client == NULL) {
        return;
    }
    if (client->connected && client->broken == ERR_OK) {
        (void)wolfSSL_shutdown(client->ssl); /* at worst the other side hears nothing */
    }
    wolfSSL_free(client->ssl);
    mem_free(client);
}

enum err tls_client_receive(struct tls_client *client, uint8_t *out_bytes, size_t max, size_t *out_len)
{
    const int got = wolfSSL_read(client->ssl, out_bytes, (int)num_min(max, INT_MAX));

    if (got <= 0) {
        return client_error(client, got);
    }
    *out_len = (size_t)got;
    return ERR_OK;
}

enum err tls_client_send(struct tls_client *client, struct span bytes)
{
    size_t sent = 0;

    while (sent < bytes.len) {
        const int put = wolfSSL_write(client->ssl, bytes.data + sent, (int)num_min(bytes.len - sent, INT_MAX));
        if (put <= 0) {
            return client_error(client, put);
        }
        sent += (size_t)put;
    }
    return ERR_OK;
}
