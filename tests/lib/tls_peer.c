/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Everything here fails loudly: a fixture that does not work is not a test that fails. */
#include "tests/lib/tls_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "crypto/hash.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"

#define WIRE_MAX ((size_t)1 << 22)

const char tls_peer_certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBbDCCAROgAwIBAgIBATAKBggqhkjOPQQDAjAXMRUwEwYDVQQDDAxyb3dsb2Nr\n"
    "IHRlc3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBcxFTATBgNV\n"
    "BAMMDHJvd2xvY2sgdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFlE6KSY\n"
    "OWOsU1THbbJQPoMIiDZlftCdTE77dKKEXP88xOJhW3OmqZjIgOEOWzDCMeVWc5c3\n"
    "9AWWuGi+QQvYbtajTjBMMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAAATAPBgNV\n"
    "HRMBAf8EBTADAQH/MB0GA1UdDgQWBBR9zBtQ1+BzbgTw6vqDCRlJ6gfmKzAKBggq\n"
    "hkjOPQQDAgNHADBEAiBP0ItxFwvDSabcKZsPYjjELhtTPLguNJVjKG3qfzHiEgIg\n"
    "PVbiNFqK7xGKtG0MAh8IyQpW/VS/w/HE+qnb2XxYYW4=\n"
    "-----END CERTIFICATE-----\n";

static const char private_scalar[] = "18c7950cd718dbdacfa933dd695f2eaeb9d9c448545dac1b5dabce7f6af9cffd";

/* --- the keeper --- */

void tls_keeper_open(struct tls_keeper *keeper)
{
    SCOPED_SECRET struct secret *key = NULL;
    uint8_t scalar[SIGN_PRIVATE_BYTES];

    *keeper = (struct tls_keeper){0};
    assert_int_equal(hex_decode(span_str(private_scalar), scalar, sizeof(scalar)), ERR_OK);
    assert_int_equal(secret_new_copy(span_array(scalar), &key), ERR_OK);
    assert_int_equal(random_new(SPAN_NONE, &keeper->random), ERR_OK);
    assert_int_equal(signer_new(key, keeper->random, &keeper->signer), ERR_OK);
}

void tls_keeper_close(struct tls_keeper *keeper)
{
    signer_free(keeper->signer);
    random_free(keeper->random);
}

static enum err start(void *context, struct tls_sign_job *job)
{
    struct tls_keeper *const keeper = context;

    keeper->started++;
    keeper->job = job;
    keeper->last = job->request;
    return ERR_OK;
}

static void cancel(void *context, struct tls_sign_job *job)
{
    struct tls_keeper *const keeper = context;

    assert_ptr_equal(keeper->job, job);
    keeper->cancelled++;
    keeper->job = NULL;
}

struct tls_signer tls_keeper_face(struct tls_keeper *keeper)
{
    return (struct tls_signer){.start = start, .cancel = cancel, .context = keeper};
}

/* Content and digest from the fields alone, written apart from net/tls.c. */
static void digest_from_fields(const struct tls_sign_request *request, uint8_t out_digest[SHA256_BYTES])
{
    SCOPED_BUF struct buf *content = NULL;
    enum err err = buf_new(512, &content);

    if (request->kind == TLS_SIGN_13) {
        for (size_t i = 0; i < 64 && err == ERR_OK; i++) {
            err = buf_put_u8(content, 0x20);
        }
        err = err != ERR_OK ? err : buf_put(content, span_lit("TLS 1.3, server CertificateVerify"));
        err = err != ERR_OK ? err : buf_put_u8(content, 0);
        err = err != ERR_OK ? err
                            : buf_put(content, span_of(request->transcript,
                                                       request->transcript_hash == TLS_SHA256 ? 32 : 48));
    } else {
        err = err != ERR_OK ? err : buf_put(content, span_array(request->client_random));
        err = err != ERR_OK ? err : buf_put(content, span_array(request->server_random));
        err = err != ERR_OK ? err : buf_put_u8(content, 3);
        err = err != ERR_OK ? err : buf_put_u16be(content, request->group);
        err = err != ERR_OK ? err : buf_put_u8(content, (uint8_t)request->point_bytes);
        err = err != ERR_OK ? err : buf_put(content, span_of(request->point, request->point_bytes));
    }
    assert_int_equal(err, ERR_OK);
    sha256(buf_all(content), out_digest);
}

static void answer(struct tls_keeper *keeper, uint8_t flip)
{
    struct tls_sign_job *const job = keeper->job;
    uint8_t digest[SHA256_BYTES];
    uint8_t signature[SIGN_DER_MAX];
    size_t len = 0;

    assert_non_null(job);
    keeper->job = NULL;
    digest_from_fields(&job->request, digest);
    digest[0] ^= flip;
    assert_int_equal(signer_sign_der(keeper->signer, span_array(digest), signature, &len), ERR_OK);
    tls_sign_answer(job, ERR_OK, span_of(signature, len));
}

void tls_keeper_answer(struct tls_keeper *keeper)
{
    answer(keeper, 0);
}

void tls_keeper_answer_wrong(struct tls_keeper *keeper)
{
    answer(keeper, 1);
}

void tls_keeper_fail(struct tls_keeper *keeper, enum err err)
{
    struct tls_sign_job *const job = keeper->job;

    keeper->job = NULL;
    tls_sign_answer(job, err, SPAN_NONE);
}

/* --- the client --- */

struct tls_peer {
    WOLFSSL_CTX *context;
    WOLFSSL *ssl;
    struct buf *in;
    struct buf *out;
};

static int give(WOLFSSL *ssl, char *buffer, int room, void *context)
{
    struct tls_peer *const peer = context;
    struct span bytes = SPAN_NONE;
    const size_t len = num_min((size_t)room, buf_unread(peer->in).len);

    if (len == 0) {
        return WOLFSSL_CBIO_ERR_WANT_READ;
    }
    assert_int_equal(buf_get(peer->in, len, &bytes), ERR_OK);
    memcpy(buffer, bytes.data, len);
    if (buf_unread(peer->in).len == 0) {
        buf_reset(peer->in);
    }
    return (int)len;
}

static int take(WOLFSSL *ssl, char *buffer, int len, void *context)
{
    struct tls_peer *const peer = context;

    assert_int_equal(buf_put(peer->out, span_of(buffer, (size_t)len)), ERR_OK);
    return len;
}

static WOLFSSL_METHOD *method_of(unsigned int version)
{
    return version == 0x0304 ? wolfTLSv1_3_client_method()
           : version == 0x0303 ? wolfTLSv1_2_client_method() : wolfSSLv23_client_method();
}

static int group_of(const char *name)
{
    return strcmp(name, "X25519MLKEM768") == 0 ? WOLFSSL_X25519MLKEM768
           : strcmp(name, "X25519") == 0       ? WOLFSSL_ECC_X25519
           : strcmp(name, "P-256") == 0        ? WOLFSSL_ECC_SECP256R1
           : strcmp(name, "P-384") == 0        ? WOLFSSL_ECC_SECP384R1
                                               : WOLFSSL_ECC_SECP521R1;
}

static void choose_group(struct tls_peer *peer, const struct tls_peer_options *options)
{
    int group = group_of(options->groups);

    assert_int_equal(wolfSSL_set_groups(peer->ssl, &group, 1), WOLFSSL_SUCCESS);
    if (options->version != 0x0303) {
        const int result = wolfSSL_UseKeyShare(peer->ssl, (word16)group);

        assert_int_equal(result, WOLFSSL_SUCCESS);
    }
}

struct tls_peer *tls_peer_new(const struct tls_peer_options *options)
{
    void *memory = NULL;

    assert_int_equal(mem_alloc(sizeof(struct tls_peer), &memory), ERR_OK);
    struct tls_peer *const peer = memory;

    assert_int_equal(buf_new(WIRE_MAX, &peer->in), ERR_OK);
    assert_int_equal(buf_new(WIRE_MAX, &peer->out), ERR_OK);
    assert_int_equal(wolfSSL_Init(), WOLFSSL_SUCCESS);
    peer->context = wolfSSL_CTX_new(method_of(options->version));
    assert_non_null(peer->context);
    assert_int_equal(wolfSSL_CTX_load_verify_buffer(peer->context, (const unsigned char *)tls_peer_certificate,
                                                    (long)strlen(tls_peer_certificate), WOLFSSL_FILETYPE_PEM),
                     WOLFSSL_SUCCESS);
    wolfSSL_CTX_SetIORecv(peer->context, give);
    wolfSSL_CTX_SetIOSend(peer->context, take);
    if (options->suites != NULL) {
        assert_int_equal(wolfSSL_CTX_set_cipher_list(peer->context, options->suites), WOLFSSL_SUCCESS);
    }
    assert_int_equal(wolfSSL_CTX_UseSessionTicket(peer->context), WOLFSSL_SUCCESS);
    peer->ssl = wolfSSL_new(peer->context);
    assert_non_null(peer->ssl);
    wolfSSL_SetIOReadCtx(peer->ssl, peer);
    wolfSSL_SetIOWriteCtx(peer->ssl, peer);
    if (options->groups != NULL) {
        choose_group(peer, options);
    }
    if (options->psk_ke) {
        assert_int_equal(wolfSSL_no_dhe_psk(peer->ssl), 0);
    }
    if (options->protocol != NULL) {
        char name[32];

        (void)snprintf(name, sizeof(name), "%s", options->protocol);
        assert_int_equal(wolfSSL_UseALPN(peer->ssl, name, (unsigned int)strlen(name), WOLFSSL_ALPN_FAILED_ON_MISMATCH),
                         WOLFSSL_SUCCESS);
    }
    if (options->server_name != NULL) {
        assert_int_equal(wolfSSL_UseSNI(peer->ssl, WOLFSSL_SNI_HOST_NAME, options->server_name,
                                        (unsigned short)strlen(options->server_name)), WOLFSSL_SUCCESS);
    }
    if (options->resume != NULL) {
        WOLFSSL_SESSION *const session = wolfSSL_get1_session(options->resume->ssl);

        assert_non_null(session);
        assert_int_equal(wolfSSL_set_session(peer->ssl, session), WOLFSSL_SUCCESS);
        wolfSSL_SESSION_free(session);
    }
    return peer;
}

void tls_peer_free(struct tls_peer *peer)
{
    if (peer == NULL) {
        return;
    }
    wolfSSL_free(peer->ssl);
    wolfSSL_CTX_free(peer->context);
    buf_free(peer->in);
    buf_free(peer->out);
    mem_free(peer);
}

struct buf *tls_peer_out(struct tls_peer *peer)
{
    return peer->out;
}

void tls_peer_feed(struct tls_peer *peer, struct span bytes)
{
    assert_int_equal(buf_put(peer->in, bytes), ERR_OK);
}

int tls_peer_connect(struct tls_peer *peer)
{
    int code = 0;

    for (int i = 0; i < 100; i++) { /* WC_PENDING_E: its own key exchange may be told to come again */
        const int result = wolfSSL_connect(peer->ssl);

        if (result == WOLFSSL_SUCCESS) {
            return 0;
        }
        code = wolfSSL_get_error(peer->ssl, result);
        if (code != WC_PENDING_E) {
            break;
        }
    }
    return code == WOLFSSL_ERROR_WANT_READ ? 1 : code < 0 ? code : -code;
}

bool tls_peer_read(struct tls_peer *peer, struct buf *out_plain)
{
    uint8_t bytes[4096];
    int got = 0;

    do {
        got = wolfSSL_read(peer->ssl, bytes, (int)sizeof(bytes));
        if (got > 0) {
            assert_int_equal(buf_put(out_plain, span_of(bytes, (size_t)got)), ERR_OK);
        }
    } while (got > 0);
    return wolfSSL_get_error(peer->ssl, got) == WOLFSSL_ERROR_WANT_READ;
}

void tls_peer_write(struct tls_peer *peer, struct span plain)
{
    assert_int_equal(wolfSSL_write(peer->ssl, plain.data, (int)plain.len), (int)plain.len);
}

bool tls_peer_resumed(struct tls_peer *peer)
{
    return wolfSSL_session_reused(peer->ssl) == 1;
}

unsigned int tls_peer_version(struct tls_peer *peer)
{
    return wolfSSL_version(peer->ssl) == TLS1_3_VERSION ? 0x0304 : 0x0303;
}
