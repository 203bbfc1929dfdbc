/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/tls_client.h against a server of the same library in a thread, and against bytes that no server should send. */
#include "net/tls_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "crypto/crypto.h"
#include "hal/base/fault.h"
#include "hal/process.h"
#include "hal/socket.h"
#include "hal/trust.h"
#include "tests/data/tls_client_known.h"

#define WAIT_MS 20000

struct server {
    const char *certificate;
    const char *key;
    unsigned int version; /* 0: any */
    struct span raw;      /* if any: only these bytes are sent, and no TLS is spoken */
    bool hangs;           /* says nothing until the other side is gone */
    bool cuts;            /* after the handshake: gone without a farewell */
    const char *protocol; /* of ALPN; NULL: it knows none */
    uint8_t exported[32]; /* its key for label and context below */
    int fd;
};

static const struct server good = {.certificate = known_good, .key = known_key};

static WOLFSSL_METHOD *method_of(unsigned int version)
{
    return version == 0x0304   ? wolfTLSv1_3_server_method()
           : version == 0x0303 ? wolfTLSv1_2_server_method()
                               : wolfSSLv23_server_method();
}

/* Echoes one message, and ends. */
static void speak(struct server *server)
{
    char bytes[64];
    char protocol[32] = {0};
    WOLFSSL_CTX *context = wolfSSL_CTX_new(method_of(server->version));
    const char *const chain = server->certificate;

    (void)wolfSSL_CTX_use_certificate_chain_buffer(context, (const unsigned char *)chain, (long)strlen(chain));
    (void)wolfSSL_CTX_use_PrivateKey_buffer(context, (const unsigned char *)server->key, (long)strlen(server->key),
                                            WOLFSSL_FILETYPE_PEM);
    WOLFSSL *ssl = wolfSSL_new(context);
    (void)wolfSSL_set_fd(ssl, server->fd);
    wolfSSL_KeepArrays(ssl);
    if (server->protocol != NULL) {
        (void)strncpy(protocol, server->protocol, sizeof(protocol) - 1);
        (void)wolfSSL_UseALPN(ssl, protocol, (unsigned int)strlen(protocol), WOLFSSL_ALPN_FAILED_ON_MISMATCH);
    }
    if (wolfSSL_accept(ssl) == WOLFSSL_SUCCESS && !server->cuts) {
        (void)wolfSSL_export_keying_material(ssl, server->exported, sizeof(server->exported), "label", 5,
                                             (const unsigned char *)"context", 7, 1);
        const int got = wolfSSL_read(ssl, bytes, sizeof(bytes));
        if (got > 0 && wolfSSL_write(ssl, bytes, got) == got) {
            (void)wolfSSL_shutdown(ssl);
        }
    }
    wolfSSL_free(ssl);
    wolfSSL_CTX_free(context);
}

static void *serve(void *argument)
{
    struct server *const server = argument;
    char bytes[64];

    if (server->raw.len != 0) {
        (void)send(server->fd, server->raw.data, server->raw.len, MSG_NOSIGNAL);
        (void)shutdown(server->fd, SHUT_WR);
    }
    if (server->raw.len != 0 || server->hangs) {
        while (recv(server->fd, bytes, sizeof(bytes), 0) > 0) {
        }
    } else {
        speak(server);
    }
    (void)close(server->fd);
    return NULL;
}

struct fixture {
    struct server server;
    pthread_t thread;
    int fd;
    unsigned int wait_ms;
    struct tls_roots *roots;
    struct tls_client *client;
};

static enum err way_send(void *context, struct span bytes, size_t *out_sent)
{
    const struct fixture *const f = context;

    TRY(socket_wait(f->fd, SOCKET_WAIT_WRITE, f->wait_ms));
    return socket_send(f->fd, bytes, out_sent);
}

static enum err way_receive(void *context, uint8_t *out_bytes, size_t max, size_t *out_len)
{
    const struct fixture *const f = context;

    TRY(socket_wait(f->fd, SOCKET_WAIT_READ, f->wait_ms));
    return socket_receive(f->fd, out_bytes, max, out_len);
}

static void start(struct fixture *f, const struct server *server, const char *ca)
{
    int ends[2] = {-1, -1};

    *f = (struct fixture){.server = *server, .wait_ms = WAIT_MS};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    f->fd = ends[0];
    f->server.fd = ends[1];
    assert_int_equal(channel_set_nonblocking(f->fd), ERR_OK);
    assert_int_equal(pthread_create(&f->thread, NULL, serve, &f->server), 0);
    assert_int_equal(tls_roots_new(TLS_ROOTS_PINNED, span_str(ca), &f->roots), ERR_OK);
}

static enum err shake_hands(struct fixture *f, const char *name)
{
    const struct tls_way way = {way_send, way_receive, f};

    return tls_client_new(f->roots, span_str(name), &way, &f->client);
}

static void stop(struct fixture *f)
{
    tls_client_free(f->client);
    socket_close(f->fd);
    assert_int_equal(pthread_join(f->thread, NULL), 0);
    tls_roots_free(f->roots);
    fault_clear();
}

/* What comes of greeting this server by this name while this CA is trusted. */
static enum err outcome(const struct server *server, const char *ca, const char *name)
{
    struct fixture f;

    start(&f, server, ca);
    const enum err err = shake_hands(&f, name);
    stop(&f);
    return err;
}

static enum err outcome_of(const char *certificate, const char *name)
{
    const struct server server = {.certificate = certificate, .key = known_key};

    return outcome(&server, known_ca, name);
}

static void bytes_go_there_and_come_back(void **state)
{
    static const unsigned int versions[] = {0x0303, 0x0304};
    uint8_t bytes[64];
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(versions); i++) {
        struct server server = good;
        struct fixture f;
        server.version = versions[i]; /* it speaks no other */
        start(&f, &server, known_ca);

        assert_int_equal(shake_hands(&f, "localhost"), ERR_OK);
        assert_int_equal(tls_client_send(f.client, span_lit("hello")), ERR_OK);
        assert_int_equal(tls_client_receive(f.client, bytes, sizeof(bytes), &len), ERR_OK);

        assert_int_equal(len, 5);
        assert_memory_equal(bytes, "hello", 5);
        assert_int_equal(tls_client_receive(f.client, bytes, sizeof(bytes), &len), ERR_CLOSED);
        stop(&f);
    }
}

static void a_server_with_an_rsa_key_is_trusted_in_both_versions(void **state)
{
    const struct server newer = {.certificate = known_rsa, .key = known_rsa_key, .version = 0x0304};
    const struct server older = {.certificate = known_rsa, .key = known_rsa_key, .version = 0x0303};

    assert_int_equal(outcome(&newer, known_ca, "localhost"), ERR_OK);
    assert_int_equal(outcome(&older, known_ca, "localhost"), ERR_OK);
}

static void names_count_as_rfc_6125_says(void **state)
{
    assert_int_equal(outcome_of(known_good, "relay.example"), ERR_OK);
    assert_int_equal(outcome_of(known_good, "LOCALHOST"), ERR_OK);
    assert_int_equal(outcome_of(known_wildcard, "a.example"), ERR_OK);
    assert_int_equal(outcome_of(known_common_name, "localhost"), ERR_OK);
    assert_int_equal(outcome_of(known_chain, "localhost"), ERR_OK);
}

static void a_certificate_for_another_name_is_refused(void **state)
{
    assert_int_equal(outcome_of(known_good, "relay2.example"), ERR_AUTH);
    assert_int_equal(outcome_of(known_good, "relay.exampl"), ERR_AUTH);
    assert_int_equal(outcome_of(known_good, "a.relay.example"), ERR_AUTH);
    assert_int_equal(outcome_of(known_wildcard, "localhost"), ERR_AUTH);
    assert_int_equal(outcome_of(known_wildcard, "a.example2"), ERR_AUTH);
    assert_int_equal(outcome_of(known_wildcard, "a.b.example"), ERR_AUTH);
    assert_int_equal(outcome_of(known_name_elsewhere, "localhost"), ERR_AUTH);
}

static void a_certificate_out_of_its_time_is_refused(void **state)
{
    assert_int_equal(outcome_of(known_expired, "localhost"), ERR_AUTH);
    assert_int_equal(outcome_of(known_future, "localhost"), ERR_AUTH);
}

static void a_certificate_of_nobody_that_is_trusted_is_refused(void **state)
{
    assert_int_equal(outcome(&good, known_other_ca, "localhost"), ERR_AUTH);
    assert_int_equal(outcome_of(known_self_signed, "localhost"), ERR_AUTH);
    assert_int_equal(outcome_of(known_by_a_leaf, "localhost"), ERR_AUTH);
}

/* The first words of a server: RFC 5246 section 7.4.1.3, without extensions. */
#define HELLO_BYTES 47
static void make_hello(uint8_t out_hello[HELLO_BYTES], uint16_t version, uint16_t suite)
{
    static const uint8_t head[] = {0x16, 0x03, 0x00, 0x00, HELLO_BYTES - 5, 0x02, 0x00, 0x00, HELLO_BYTES - 9, 0x03, 0x00};

    memset(out_hello, 1, HELLO_BYTES); /* a random number as good as any */
    memcpy(out_hello, head, sizeof(head));
    out_hello[2] = (uint8_t)version;
    out_hello[10] = (uint8_t)version;
    out_hello[43] = 0; /* no session */
    out_hello[44] = (uint8_t)(suite >> 8);
    out_hello[45] = (uint8_t)suite;
    out_hello[46] = 0; /* no compression */
}

static void suites_without_forward_secrecy_are_refused(void **state)
{
    static const uint16_t refused[] = {0x003c, 0x009c, 0xc027, 0x0005, 0x0000}; /* AES-CBC, RSA key exchange, RC4, NULL */
    uint8_t hello[HELLO_BYTES];
    const struct server server = {.raw = span_array(hello)};

    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        make_hello(hello, 0x0303, refused[i]);
        assert_int_equal(outcome(&server, known_ca, "localhost"), ERR_UNSUPPORTED);
    }
}

/* In a record of its own version, and in one of TLS 1.2. */
static void an_older_version_is_refused(void **state)
{
    uint8_t hello[HELLO_BYTES];
    const struct server server = {.raw = span_array(hello)};

    for (uint16_t version = 0x0300; version < 0x0303; version++) {
        make_hello(hello, version, 0xc02b);
        assert_int_equal(outcome(&server, known_ca, "localhost"), ERR_UNSUPPORTED);
        hello[2] = 0x03;
        assert_int_equal(outcome(&server, known_ca, "localhost"), ERR_UNSUPPORTED);
    }
}

static void bytes_that_are_no_tls_are_refused(void **state)
{
    static const char *const texts[] = {"220 relay.example ESMTP\r\n", "HTTP/1.1 200 OK\r\n\r\n", "\x16\x03\x03\xff\xff",
                                        "\x15\x03\x03\x00\x02\x02\x28"};

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        const struct server server = {.raw = span_str(texts[i])};
        const enum err err = outcome(&server, known_ca, "localhost");
        assert_true(err == ERR_MALFORMED || err == ERR_UNSUPPORTED || err == ERR_CLOSED);
    }
}

static void a_server_that_is_slow_is_given_up_in_time(void **state)
{
    const struct server server = {.hangs = true};
    struct fixture f;
    start(&f, &server, known_ca);
    f.wait_ms = 30;

    assert_int_equal(shake_hands(&f, "localhost"), ERR_TIMEOUT);

    stop(&f);
}

static void a_connection_that_is_cut_is_no_end_of_what_was_said(void **state)
{
    struct server server = good;
    struct fixture f;
    uint8_t bytes[64];
    size_t len = 0;
    server.cuts = true;
    start(&f, &server, known_ca);

    assert_int_equal(shake_hands(&f, "localhost"), ERR_OK);
    assert_int_equal(tls_client_receive(f.client, bytes, sizeof(bytes), &len), ERR_CLOSED);

    stop(&f);
}

static void a_server_whose_own_certificate_is_pinned_is_trusted_and_no_other(void **state)
{
    const struct server pinned = {.certificate = known_self_signed, .key = known_key};

    assert_int_equal(outcome(&pinned, known_self_signed, "localhost"), ERR_OK);
    assert_int_equal(outcome(&pinned, known_self_signed, "relay.example"), ERR_AUTH);
    assert_int_equal(outcome(&good, known_self_signed, "localhost"), ERR_AUTH);
}

static void of_a_pinned_list_each_must_be_readable(void **state)
{
    struct tls_roots *roots = NULL;
    char both[8192];
    const size_t len = strlen(known_ca);

    assert_int_equal(tls_roots_new(TLS_ROOTS_PINNED, SPAN_NONE, &roots), ERR_MALFORMED);
    assert_int_equal(tls_roots_new(TLS_ROOTS_PINNED, span_lit("no certificate"), &roots), ERR_MALFORMED);
    assert_int_equal(tls_roots_new(TLS_ROOTS_PINNED, span_str(known_key), &roots), ERR_MALFORMED);
    assert_int_equal(tls_roots_new(TLS_ROOTS_PINNED, span_of(known_ca, len - 30), &roots), ERR_MALFORMED);
    memcpy(both, known_ca, len);
    memcpy(both + len, known_good, strlen(known_good));
    both[len + 100] = '!';
    assert_int_equal(tls_roots_new(TLS_ROOTS_PINNED, span_of(both, len + strlen(known_good)), &roots), ERR_MALFORMED);
    assert_null(roots);
    memcpy(both + len, known_other_ca, strlen(known_other_ca));
    assert_int_equal(tls_roots_new(TLS_ROOTS_PINNED, span_of(both, len + strlen(known_other_ca)), &roots), ERR_OK);
    tls_roots_free(roots);
    fault_clear();
}

static void of_the_systems_list_what_cannot_be_read_is_left_out(void **state)
{
    static const char broken[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    struct tls_roots *roots = NULL;
    char list[8192];
    const size_t len = sizeof(broken) - 1;
    memcpy(list, broken, len);
    memcpy(list + len, known_ca, strlen(known_ca));

    assert_int_equal(tls_roots_new(TLS_ROOTS_PINNED, span_of(list, len + strlen(known_ca)), &roots), ERR_MALFORMED);
    assert_int_equal(tls_roots_new(TLS_ROOTS_SYSTEM, span_of(list, len), &roots), ERR_MALFORMED);
    assert_int_equal(tls_roots_new(TLS_ROOTS_SYSTEM, span_of(list, len + strlen(known_ca)), &roots), ERR_OK);

    tls_roots_free(roots);
    fault_clear();
}

static void the_list_of_this_system_can_be_read_and_has_no_ca_of_ours(void **state)
{
    SCOPED_BUF struct buf *pem = NULL;
    struct fixture f;
    start(&f, &good, known_ca);
    tls_roots_free(f.roots);
    assert_int_equal(buf_new(TRUST_PEM_MAX, &pem), ERR_OK);
    assert_int_equal(trust_read(pem), ERR_OK);

    assert_int_equal(tls_roots_new(TLS_ROOTS_SYSTEM, buf_all(pem), &f.roots), ERR_OK);

    assert_int_equal(shake_hands(&f, "localhost"), ERR_AUTH);
    stop(&f);
}

static void a_name_has_its_length_and_no_zero(void **state)
{
    const struct tls_way way = {way_send, way_receive, NULL};
    struct tls_roots *roots = NULL;
    struct tls_client *client = NULL;
    char name[TLS_CLIENT_NAME_MAX + 1];
    memset(name, 'a', sizeof(name));
    assert_int_equal(tls_roots_new(TLS_ROOTS_PINNED, span_str(known_ca), &roots), ERR_OK);

    assert_int_equal(tls_client_new(roots, SPAN_NONE, &way, &client), ERR_RANGE);
    assert_int_equal(tls_client_new(roots, span_array(name), &way, &client), ERR_RANGE);
    assert_int_equal(tls_client_new(roots, span_lit("localhost\0.example"), &way, &client), ERR_RANGE);
    assert_int_equal(tls_client_new(roots, span_lit("192.0.2.1"), &way, &client), ERR_RANGE);
    assert_int_equal(tls_client_new(roots, span_lit("relay"), &way, &client), ERR_RANGE);

    tls_roots_free(roots);
    fault_clear();
}

static int set_up(void **state)
{
    (void)signal(SIGPIPE, SIG_IGN); /* the server's library does not know better */
    return crypto_start() == ERR_OK ? 0 : 1;
}

/* --- protocols and keys --- */

static enum err shake_hands_for(struct fixture *f, const char *protocol)
{
    const struct tls_way way = {way_send, way_receive, f};

    return tls_client_new_protocol(f->roots, span_lit("localhost"), protocol, &way, &f->client);
}

static enum err outcome_for(const struct server *server, const char *protocol)
{
    struct fixture f;

    start(&f, server, known_ca);
    const enum err err = shake_hands_for(&f, protocol);
    stop(&f);
    return err;
}

static void both_sides_export_the_same_key(void **state)
{
    struct server server = good;
    struct fixture f;
    uint8_t bytes[64];
    size_t len = 0;
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_SECRET struct secret *other = NULL;
    server.protocol = "ntske/1";
    start(&f, &server, known_ca);
    assert_int_equal(secret_new(32, &key), ERR_OK);
    assert_int_equal(secret_new(32, &other), ERR_OK);

    assert_int_equal(shake_hands_for(&f, "ntske/1"), ERR_OK);
    assert_int_equal(tls_client_export(f.client, "label", span_lit("context"), key), ERR_OK);
    assert_int_equal(tls_client_export(f.client, "label", span_lit("Context"), other), ERR_OK);

    assert_int_equal(tls_client_send(f.client, span_lit("hello")), ERR_OK); /* the server has exported before it reads */
    assert_int_equal(tls_client_receive(f.client, bytes, sizeof(bytes), &len), ERR_OK);
    stop(&f);
    assert_memory_equal(secret_reveal(key).data, f.server.exported, 32);
    assert_memory_not_equal(secret_reveal(other).data, f.server.exported, 32);
}

static void a_server_that_does_not_choose_the_protocol_is_refused(void **state)
{
    struct server server = good;

    assert_int_equal(outcome_for(&server, "ntske/1"), ERR_UNSUPPORTED);
    server.protocol = "http/1.1";
    assert_int_not_equal(outcome_for(&server, "ntske/1"), ERR_OK);
    server.protocol = "ntske/1";
    assert_int_equal(outcome_for(&server, "ntske/1"), ERR_OK);
}

static void a_protocol_comes_with_tls_13_alone(void **state)
{
    struct server server = good;

    server.protocol = "ntske/1";
    server.version = 0x0303;
    assert_int_not_equal(outcome_for(&server, "ntske/1"), ERR_OK);
}

static void a_connection_without_a_protocol_exports_nothing(void **state)
{
    struct fixture f;
    SCOPED_SECRET struct secret *key = NULL;
    start(&f, &good, known_ca);
    assert_int_equal(secret_new(32, &key), ERR_OK);

    assert_int_equal(shake_hands(&f, "localhost"), ERR_OK);
    assert_int_equal(tls_client_export(f.client, "label", span_lit("context"), key), ERR_STATE);

    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_there_and_come_back),
        cmocka_unit_test(a_server_with_an_rsa_key_is_trusted_in_both_versions),
        cmocka_unit_test(names_count_as_rfc_6125_says),
        cmocka_unit_test(a_certificate_for_another_name_is_refused),
        cmocka_unit_test(a_certificate_out_of_its_time_is_refused),
        cmocka_unit_test(a_certificate_of_nobody_that_is_trusted_is_refused),
        cmocka_unit_test(suites_without_forward_secrecy_are_refused),
        cmocka_unit_test(an_older_version_is_refused),
        cmocka_unit_test(bytes_that_are_no_tls_are_refused),
        cmocka_unit_test(a_server_that_is_slow_is_given_up_in_time),
        cmocka_unit_test(a_connection_that_is_cut_is_no_end_of_what_was_said),
        cmocka_unit_test(a_server_whose_own_certificate_is_pinned_is_trusted_and_no_other),
        cmocka_unit_test(of_a_pinned_list_each_must_be_readable),
        cmocka_unit_test(of_the_systems_list_what_cannot_be_read_is_left_out),
        cmocka_unit_test(the_list_of_this_system_can_be_read_and_has_no_ca_of_ours),
        cmocka_unit_test(a_name_has_its_length_and_no_zero),
        cmocka_unit_test(both_sides_export_the_same_key),
        cmocka_unit_test(a_server_that_does_not_choose_the_protocol_is_refused),
        cmocka_unit_test(a_protocol_comes_with_tls_13_alone),
        cmocka_unit_test(a_connection_without_a_protocol_exports_nothing),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
