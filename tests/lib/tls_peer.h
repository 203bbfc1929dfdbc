/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The other side of net/tls.h: a wolfSSL client between two buffers, and a keeper of one P-256 key that signs from the
 * fields of a request when it is told to. */
#ifndef TESTS_LIB_TLS_PEER_H
#define TESTS_LIB_TLS_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include "crypto/random.h"
#include "crypto/sign.h"
#include "hal/base/buf.h"
#include "net/tls.h"

/* A self-signed certificate for localhost, 2020 to 2120; its key is in tls_peer.c. */
extern const char tls_peer_certificate[];

struct tls_keeper {
    struct random *random;
    struct signer *signer;
    struct tls_sign_job *job; /* waits for tls_keeper_answer; NULL: none */
    struct tls_sign_request last;
    size_t started;
    size_t cancelled;
};

void tls_keeper_open(struct tls_keeper *keeper);
void tls_keeper_close(struct tls_keeper *keeper);
struct tls_signer tls_keeper_face(struct tls_keeper *keeper);

/* Signs what waits. With wrong, something else. */
void tls_keeper_answer(struct tls_keeper *keeper);
void tls_keeper_answer_wrong(struct tls_keeper *keeper);
void tls_keeper_fail(struct tls_keeper *keeper, enum err err);

struct tls_peer_options {
    unsigned int version;  /* 0x0304, 0x0303, 0x0302; 0: any */
    const char *groups;    /* "X25519MLKEM768", ...; NULL: the library's */
    const char *protocol;  /* ALPN; NULL: none */
    const char *suites;    /* NULL: the library's */
    const char *server_name;
    struct tls_peer *resume; /* takes over its session */
    bool psk_ke;             /* 1.3: would resume without a key exchange, and in no other way */
};

struct tls_peer;

struct tls_peer *tls_peer_new(const struct tls_peer_options *options);
void tls_peer_free(struct tls_peer *peer);

/* What it wants to send, and where what it receives is put. */
struct buf *tls_peer_out(struct tls_peer *peer);
void tls_peer_feed(struct tls_peer *peer, struct span bytes);

/* Goes on with the handshake: 0 done, 1 wants more, negative: the library's code. */
int tls_peer_connect(struct tls_peer *peer);

/* The plaintext that has arrived, appended; false after the other side's end or an error. */
bool tls_peer_read(struct tls_peer *peer, struct buf *out_plain);
void tls_peer_write(struct tls_peer *peer, struct span plain);
bool tls_peer_resumed(struct tls_peer *peer);
unsigned int tls_peer_version(struct tls_peer *peer);

#endif
