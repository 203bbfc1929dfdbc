/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A time server on loopback, in two threads: NTS-KE over TLS 1.3, and NTP over UDP, sealed or in clear. It does what a test
 * tells it to. It shares the cipher and the packet of a session with the firmware (crypto/siv.h), not the reading of one. */
#ifndef TESTS_LIB_NTS_SERVER_H
#define TESTS_LIB_NTS_SERVER_H

#include <stdbool.h>
#include <stdint.h>

struct nts_server;

/* What becomes of each answer. */
enum nts_server_answer {
    NTS_SERVER_RIGHT,
    NTS_SERVER_SILENT,
    NTS_SERVER_OTHER_NONCE,
    NTS_SERVER_OTHER_UNIQUE, /* sealed well, about another question */
    NTS_SERVER_REPLAY,       /* the answer to the question before; the first one is answered well */
    NTS_SERVER_CUT,          /* without its last byte */
    NTS_SERVER_CHANGED,      /* the transmit timestamp, after sealing */
    NTS_SERVER_WRONG_TAG,
    NTS_SERVER_UNSEALED,     /* as an answer in clear */
    NTS_SERVER_RATE,         /* kisses, sealed where NTS is spoken */
    NTS_SERVER_DENY,
    NTS_SERVER_DENY_UNSEALED,
    NTS_SERVER_KEYS,         /* NTSN: the cookie is not known; once, then RIGHT */
    NTS_SERVER_KEYS_ALWAYS,
    NTS_SERVER_KEYS_FORGED,  /* NTSN without the number of the question, then silence */
    NTS_SERVER_AFTER_JUNK,   /* RIGHT, after datagrams that are none, forged and empty ones among them */
    NTS_SERVER_JUNK_ONLY
};

struct nts_server_options {
    const char *certificate; /* PEM; NULL: NTP in clear alone */
    const char *key;
    const char *protocol;    /* of ALPN; NULL: it knows none */
    bool tls12;
    const char *host;        /* it says that NTP is there; NULL: it does not */
    int64_t ahead_ns;        /* of this machine's calendar */
    unsigned int cookies;    /* with the keys; 0: 8 */
    enum nts_server_answer answer;
};

struct nts_server *nts_server_new(const struct nts_server_options *options);
void nts_server_free(struct nts_server *server);

/* Of NTS-KE, and of NTP. */
uint16_t nts_server_key_port(const struct nts_server *server);
uint16_t nts_server_port(const struct nts_server *server);

void nts_server_do(struct nts_server *server, enum nts_server_answer answer);

/* How many handshakes with their exchange, questions, and cookies that came for the second time, so far. */
unsigned int nts_server_exchanges(struct nts_server *server);
unsigned int nts_server_questions(struct nts_server *server);
unsigned int nts_server_old_cookies(struct nts_server *server);

#endif
