/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/nts_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "crypto/siv.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"

#define EXCHANGES_MAX 64
#define COOKIE_BYTES  100 /* number of the exchange(4), number of the cookie(4), zeros */
#define COOKIES_MAX   512
#define NTP           48
#define ROOM          2048
#define LABEL         "EXPORTER-network-time-security"

struct keys {
    uint8_t to_server[SIV_KEY_BYTES];
    uint8_t to_client[SIV_KEY_BYTES];
};

struct nts_server {
    struct nts_server_options options;
    pthread_mutex_t lock; /* of all below */
    struct keys keys[EXCHANGES_MAX];
    unsigned int exchanges;
    unsigned int questions;
    unsigned int cookies; /* handed out */
    bool used[COOKIES_MAX];
    unsigned int old_cookies;
    uint8_t last[ROOM]; /* the answer before */
    size_t last_len;
    pthread_t threads[2];
    int listener, datagrams, end;
    uint16_t key_port, port;
};

/* One packet under way. */
struct packet {
    uint8_t bytes[ROOM];
    size_t len;
};

static void put(struct packet *packet, const void *bytes, size_t len)
{
    memcpy(packet->bytes + packet->len, bytes, len);
    packet->len += len;
}

static void put_u16(struct packet *packet, unsigned int number)
{
    const uint8_t bytes[2] = {(uint8_t)(number >> 8), (uint8_t)number};

    put(packet, bytes, 2);
}

/* --- keys --- */

static void new_cookie(struct nts_server *server, unsigned int exchange, uint8_t out_cookie[COOKIE_BYTES])
{
    memset(out_cookie, 0, COOKIE_BYTES);
    put_u32be(out_cookie, exchange);
    put_u32be(out_cookie + 4, server->cookies);
    server->cookies = (server->cookies + 1) % COOKIES_MAX;
}

static void put_record(struct packet *packet, unsigned int type, const void *body, size_t len)
{
    put_u16(packet, type);
    put_u16(packet, (unsigned int)len);
    put(packet, body, len);
}

static void export_key(WOLFSSL *ssl, uint8_t which, uint8_t out_key[SIV_KEY_BYTES])
{
    const uint8_t context[] = {0, 0, 0, 15, which};

    (void)wolfSSL_export_keying_material(ssl, out_key, SIV_KEY_BYTES, LABEL, strlen(LABEL), context, sizeof(context), 1);
}

static void exchange(struct nts_server *server, WOLFSSL *ssl)
{
    static const uint8_t protocol[] = {0, 0};
    static const uint8_t cipher[] = {0, 15};
    const unsigned int cookies = server->options.cookies == 0 ? 8 : server->options.cookies;
    const uint8_t port[] = {(uint8_t)(server->port >> 8), (uint8_t)server->port};
    uint8_t cookie[COOKIE_BYTES];
    struct packet answer = {.len = 0};
    uint8_t question[256];

    if (wolfSSL_read(ssl, question, sizeof(question)) <= 0) {
        return;
    }
    (void)pthread_mutex_lock(&server->lock);
    const unsigned int number = server->exchanges++ % EXCHANGES_MAX;
    export_key(ssl, 0, server->keys[number].to_server);
    export_key(ssl, 1, server->keys[number].to_client);
    put_record(&answer, 0x8001, protocol, sizeof(protocol));
    put_record(&answer, 0x8004, cipher, sizeof(cipher));
    put_record(&answer, 0x8007, port, sizeof(port));
    if (server->options.host != NULL) {
        put_record(&answer, 0x8006, server->options.host, strlen(server->options.host));
    }
    for (unsigned int i = 0; i < cookies; i++) {
        new_cookie(server, number, cookie);
        put_record(&answer, 5, cookie, sizeof(cookie));
    }
    put_record(&answer, 0x8000, "", 0);
    (void)pthread_mutex_unlock(&server->lock);
    (void)wolfSSL_write(ssl, answer.bytes, (int)answer.len);
    (void)wolfSSL_shutdown(ssl);
}

static void shake_hands(struct nts_server *server, WOLFSSL_CTX *context, int fd)
{
    const struct timeval patience = {.tv_sec = 20};
    char protocol[32] = {0};
    WOLFSSL *const ssl = wolfSSL_new(context);

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)wolfSSL_set_fd(ssl, fd);
    wolfSSL_KeepArrays(ssl);
    if (server->options.protocol != NULL) {
        (void)strncpy(protocol, server->options.protocol, sizeof(protocol) - 1);
        (void)wolfSSL_UseALPN(ssl, protocol, (unsigned int)strlen(protocol), WOLFSSL_ALPN_FAILED_ON_MISMATCH);
    }
    if (wolfSSL_accept(ssl) == WOLFSSL_SUCCESS) {
        exchange(server, ssl);
    }
    wolfSSL_free(ssl);
}

static bool next(const struct nts_server *server, int fd)
{
    struct pollfd waiting[2] = {{.fd = fd, .events = POLLIN}, {.fd = server->end, .events = POLLIN}};

    return poll(waiting, 2, -1) > 0 && waiting[1].revents == 0;
}

static void *serve_keys(void *argument)
{
    struct nts_server *const server = argument;
    WOLFSSL_CTX *const context =
        wolfSSL_CTX_new(server->options.tls12 ? wolfTLSv1_2_server_method() : wolfTLSv1_3_server_method());
    const struct span chain = span_str(server->options.certificate);
    const struct span key = span_str(server->options.key);

    (void)wolfSSL_CTX_use_certificate_chain_buffer(context, chain.data, (long)chain.len);
    (void)wolfSSL_CTX_use_PrivateKey_buffer(context, key.data, (long)key.len, WOLFSSL_FILETYPE_PEM);
    while (next(server, server->listener)) {
        const int fd = accept(server->listener, NULL, NULL);
        shake_hands(server, context, fd);
        (void)close(fd);
    }
    wolfSSL_CTX_free(context);
    return NULL;
}

/* --- the time --- */

/* Of the question, which the firmware has built: number(36), cookie, placeholders, seal. */
struct asked {
    const uint8_t *unique;
    unsigned int exchange;
    unsigned int cookie;
    unsigned int wanted; /* cookies */
    bool sealed_well;
};

static bool read_question(struct nts_server *server, const struct packet *question, struct asked *out_asked)
{
    size_t at = NTP;

    *out_asked = (struct asked){.wanted = 0};
    while (at + 4 <= question->len) {
        const uint8_t *const field = question->bytes + at;
        const unsigned int type = (unsigned int)field[0] << 8 | field[1];
        const size_t len = (size_t)field[2] << 8 | field[3];
        if (len < 4 || len > question->len - at) {
            return false;
        }
        if (type == 0x0104 && len == 36) {
            out_asked->unique = field + 4;
        } else if (type == 0x0204 && len == 4 + COOKIE_BYTES) {
            out_asked->exchange = get_u32be(field + 4);
            out_asked->cookie = get_u32be(field + 8);
            out_asked->wanted++;
        } else if (type == 0x0304 && len == 4 + COOKIE_BYTES) {
            out_asked->wanted++;
        } else if (type == 0x0404 && len == 40 && at + len == question->len) {
            SCOPED_SECRET struct secret *key = NULL;
            uint8_t nothing = 0;
            const struct siv_parts parts = {.part = {span_of(question->bytes, at), span_of(field + 8, 16)}, .count = 2};
            out_asked->sealed_well =
                out_asked->exchange < EXCHANGES_MAX &&
                secret_new_copy(span_array(server->keys[out_asked->exchange].to_server), &key) == ERR_OK &&
                siv_open(key, &parts, span_of(field + 24, 16), &nothing) == ERR_OK;
            fault_clear();
        } else {
            return false;
        }
        at += len;
    }
    return at == question->len && (at == NTP || (out_asked->unique != NULL && out_asked->sealed_well));
}

static void put_time(struct nts_server *server, uint8_t out_timestamp[8])
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    const int64_t ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec + server->options.ahead_ns;
    put_u32be(out_timestamp, (uint32_t)((uint64_t)(ns / 1000000000) + UINT64_C(2208988800)));
    put_u32be(out_timestamp + 4, (uint32_t)(((uint64_t)(ns % 1000000000) << 32) / 1000000000));
}

static void put_header(struct nts_server *server, const struct packet *question, const char *kiss, struct packet *answer)
{
    *answer = (struct packet){.bytes = {0x24, 2, 6, 0xe9}, .len = NTP};
    put_u32be(answer->bytes + 4, 0x10000 / 100);
    put_u32be(answer->bytes + 8, 0x10000 / 1000);
    memcpy(answer->bytes + 24, question->bytes + 40, 8);
    put_time(server, answer->bytes + 32);
    put_time(server, answer->bytes + 40);
    if (kiss != NULL) {
        answer->bytes[0] |= 0xc0;
        answer->bytes[1] = 0;
        memcpy(answer->bytes + 12, kiss, 4);
    }
}

static void put_unique(struct packet *answer, const uint8_t *unique)
{
    put_u16(answer, 0x0104);
    put_u16(answer, 36);
    put(answer, unique, 32);
}

/* With as many new cookies as were asked for. */
static void put_seal(struct nts_server *server, const struct asked *asked, struct packet *answer)
{
    static const uint8_t nonce[16] = {'n', 'o', 'n', 'c', 'e'};
    struct packet plain = {.len = 0};
    uint8_t sealed[ROOM];
    SCOPED_SECRET struct secret *key = NULL;
    const struct siv_parts parts = {.part = {span_of(answer->bytes, answer->len), span_array(nonce)}, .count = 2};

    for (unsigned int i = 0; i < asked->wanted; i++) {
        uint8_t cookie[COOKIE_BYTES];
        new_cookie(server, asked->exchange, cookie);
        put_u16(&plain, 0x0204);
        put_u16(&plain, 4 + COOKIE_BYTES);
        put(&plain, cookie, sizeof(cookie));
    }
    if (secret_new_copy(span_array(server->keys[asked->exchange].to_client), &key) != ERR_OK ||
        siv_seal(key, &parts, span_of(plain.bytes, plain.len), sealed) != ERR_OK) {
        fault_clear();
        return;
    }
    put_u16(answer, 0x0404);
    put_u16(answer, (unsigned int)(4 + 4 + sizeof(nonce) + SIV_TAG_BYTES + plain.len));
    put_u16(answer, sizeof(nonce));
    put_u16(answer, (unsigned int)(SIV_TAG_BYTES + plain.len));
    put(answer, nonce, sizeof(nonce));
    put(answer, sealed, SIV_TAG_BYTES + plain.len);
}

static const char *kiss_of(enum nts_server_answer answer)
{
    switch (answer) {
    case NTS_SERVER_RATE:
        return "RATE";
    case NTS_SERVER_DENY:
    case NTS_SERVER_DENY_UNSEALED:
        return "DENY";
    case NTS_SERVER_KEYS:
    case NTS_SERVER_KEYS_ALWAYS:
    case NTS_SERVER_KEYS_FORGED:
        return "NTSN";
    case NTS_SERVER_RIGHT:
    case NTS_SERVER_SILENT:
    case NTS_SERVER_OTHER_NONCE:
    case NTS_SERVER_OTHER_UNIQUE:
    case NTS_SERVER_REPLAY:
    case NTS_SERVER_CUT:
    case NTS_SERVER_CHANGED:
    case NTS_SERVER_WRONG_TAG:
    case NTS_SERVER_UNSEALED:
    case NTS_SERVER_AFTER_JUNK:
    case NTS_SERVER_JUNK_ONLY:
        break;
    }
    return NULL;
}

static bool is_unsealed(enum nts_server_answer answer)
{
    return answer == NTS_SERVER_UNSEALED || answer == NTS_SERVER_DENY_UNSEALED || answer == NTS_SERVER_KEYS ||
           answer == NTS_SERVER_KEYS_ALWAYS || answer == NTS_SERVER_KEYS_FORGED;
}

static void build(struct nts_server *server, const struct packet *question, const struct asked *asked,
                  struct packet *answer)
{
    static const uint8_t other_unique[32] = {'o', 't', 'h', 'e', 'r'};
    const enum nts_server_answer how = server->options.answer;
    const bool other = how == NTS_SERVER_OTHER_UNIQUE || how == NTS_SERVER_KEYS_FORGED;

    put_header(server, question, kiss_of(how), answer);
    answer->bytes[24] ^= how == NTS_SERVER_OTHER_NONCE ? 1 : 0;
    if (asked->unique != NULL && how != NTS_SERVER_UNSEALED) {
        put_unique(answer, other ? other_unique : asked->unique);
    }
    if (asked->unique != NULL && !is_unsealed(how)) {
        put_seal(server, asked, answer);
    }
    answer->bytes[44] ^= how == NTS_SERVER_CHANGED ? 1 : 0;
    answer->bytes[answer->len - 1] ^= how == NTS_SERVER_WRONG_TAG ? 1 : 0;
    answer->len -= how == NTS_SERVER_CUT ? 1 : 0;
}

static void send_junk(const struct nts_server *server, const struct packet *answer, const struct sockaddr_in *to)
{
    static const uint8_t junk[ROOM + 1] = {0x24, 2};
    struct packet forged = *answer;

    forged.bytes[30] ^= 1;
    for (size_t i = 0; i < 3; i++) {
        (void)sendto(server->datagrams, junk, i * 40, 0, (const struct sockaddr *)to, sizeof(*to));
        (void)sendto(server->datagrams, junk, ROOM + i - 1, 0, (const struct sockaddr *)to, sizeof(*to));
        (void)sendto(server->datagrams, forged.bytes, forged.len, 0, (const struct sockaddr *)to, sizeof(*to));
    }
}

static void answer_one(struct nts_server *server, const struct packet *question, const struct sockaddr_in *from)
{
    struct packet answer;
    struct asked asked;

    server->questions++;
    if (!read_question(server, question, &asked) || server->options.answer == NTS_SERVER_SILENT) {
        return;
    }
    if (asked.unique != NULL) {
        server->old_cookies += server->used[asked.cookie % COOKIES_MAX] ? 1u : 0u;
        server->used[asked.cookie % COOKIES_MAX] = true;
    }
    build(server, question, &asked, &answer);
    if (server->options.answer == NTS_SERVER_KEYS_FORGED) {
        server->options.answer = NTS_SERVER_SILENT;
    }
    if (server->options.answer == NTS_SERVER_KEYS) {
        server->options.answer = NTS_SERVER_RIGHT;
    }
    if (server->options.answer == NTS_SERVER_AFTER_JUNK || server->options.answer == NTS_SERVER_JUNK_ONLY) {
        send_junk(server, &answer, from);
    }
    const bool replay = server->options.answer == NTS_SERVER_REPLAY && server->last_len != 0;
    if (server->options.answer != NTS_SERVER_JUNK_ONLY) {
        (void)sendto(server->datagrams, replay ? server->last : answer.bytes, replay ? server->last_len : answer.len, 0,
                     (const struct sockaddr *)from, sizeof(*from));
    }
    memcpy(server->last, answer.bytes, answer.len);
    server->last_len = answer.len;
}

static void *serve_time(void *argument)
{
    struct nts_server *const server = argument;

    while (next(server, server->datagrams)) {
        struct packet question = {.len = 0};
        struct sockaddr_in from;
        socklen_t from_len = sizeof(from);
        const ssize_t got = recvfrom(server->datagrams, question.bytes, sizeof(question.bytes), 0,
                                     (struct sockaddr *)&from, &from_len);
        if (got >= NTP) {
            question.len = (size_t)got;
            (void)pthread_mutex_lock(&server->lock);
            answer_one(server, &question, &from);
            (void)pthread_mutex_unlock(&server->lock);
        }
    }
    return NULL;
}

/* --- life --- */

static int bound(int type, uint16_t *out_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *out_port = ntohs(address.sin_port);
    return fd;
}

struct nts_server *nts_server_new(const struct nts_server_options *options)
{
    struct nts_server *const server = calloc(1, sizeof(struct nts_server));

    assert_non_null(server);
    server->options = *options;
    assert_int_equal(pthread_mutex_init(&server->lock, NULL), 0);
    server->end = eventfd(0, EFD_CLOEXEC);
    server->listener = bound(SOCK_STREAM, &server->key_port);
    server->datagrams = bound(SOCK_DGRAM, &server->port);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(pthread_create(&server->threads[0], NULL, serve_time, server), 0);
    if (options->certificate != NULL) {
        assert_int_equal(pthread_create(&server->threads[1], NULL, serve_keys, server), 0);
    }
    return server;
}

void nts_server_free(struct nts_server *server)
{
    const uint64_t one = 1;

    if (server == NULL) {
        return;
    }
    assert_int_equal(write(server->end, &one, sizeof(one)), sizeof(one));
    assert_int_equal(pthread_join(server->threads[0], NULL), 0);
    if (server->options.certificate != NULL) {
        assert_int_equal(pthread_join(server->threads[1], NULL), 0);
    }
    (void)close(server->listener);
    (void)close(server->datagrams);
    (void)close(server->end);
    (void)pthread_mutex_destroy(&server->lock);
    free(server);
}

uint16_t nts_server_key_port(const struct nts_server *server)
{
    return server->key_port;
}

uint16_t nts_server_port(const struct nts_server *server)
{
    return server->port;
}

static unsigned int locked(struct nts_server *server, const unsigned int *number)
{
    (void)pthread_mutex_lock(&server->lock);
    const unsigned int now = *number;
    (void)pthread_mutex_unlock(&server->lock);
    return now;
}

void nts_server_do(struct nts_server *server, enum nts_server_answer answer)
{
    (void)pthread_mutex_lock(&server->lock);
    server->options.answer = answer;
    (void)pthread_mutex_unlock(&server->lock);
}

unsigned int nts_server_exchanges(struct nts_server *server)
{
    return locked(server, &server->exchanges);
}

unsigned int nts_server_questions(struct nts_server *server)
{
    return locked(server, &server->questions);
}

unsigned int nts_server_old_cookies(struct nts_server *server)
{
    return locked(server, &server->old_cookies);
}
