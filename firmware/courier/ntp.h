/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The 48 bytes of NTP version 4, as a client sends and reads them, and what time it is by two of them. Pure.
 *
 * The question says nothing about us: all fields are zero but the version, the mode, and the transmit timestamp, which is
 * random and comes back as the origin timestamp. Whoever did not see the question cannot answer it.
 * Spec: RFC 5905 sections 6, 7.3, 7.4 and 8; draft-ietf-ntp-data-minimization section 2. */
#ifndef FIRMWARE_COURIER_NTP_H
#define FIRMWARE_COURIER_NTP_H

#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/base/time.h"
#include "net/outbound.h"

#define NTP_PORT        123
#define NTP_BYTES       48
#define NTP_NONCE_BYTES 8
#define NTP_DISTANCE_NS_MAX UINT64_C(1500000000) /* farther from the time it is no use: ntpd's limit, RFC 5905 has 1 s */

/* Why a server answers without the time: the kiss code. */
enum ntp_kiss {
    NTP_NO_KISS,
    NTP_KISS_RATE,  /* ask less often */
    NTP_KISS_NEVER, /* DENY, RSTR: do not ask again */
    NTP_KISS_KEYS,  /* NTSN: it does not know the cookie */
    NTP_KISS_OTHER
};

struct ntp_answer {
    enum ntp_kiss kiss; /* other than NTP_NO_KISS: the rest means nothing */
    uint32_t stratum;
    uint64_t came_ns; /* when the question came there and when the answer left, since 1970 */
    uint64_t left_ns;
    uint64_t distance_ns; /* of the server from the source of its time: half the root delay and the root dispersion */
};

void ntp_question(const uint8_t nonce[NTP_NONCE_BYTES], uint8_t out_packet[NTP_BYTES]);

/* Reads the front of a packet. What it says about time is checked here; whether it comes from the server is not.
 *   ERR_MALFORMED  no answer of a server of version 4
 *   ERR_AUTH       the answer to another question
 *   ERR_STATE      the server does not know the time itself, or only to NTP_DISTANCE_NS_MAX */
enum err ntp_answer_read(struct span packet, const uint8_t nonce[NTP_NONCE_BYTES], struct ntp_answer *out_answer)
    MUST_USE;

/* What time it was when the answer came. authenticated is left false.
 * ERR_RANGE: the server took longer than it was waited for, or the way there and back is too long for the time to mean
 * anything (NTP_DISTANCE_NS_MAX in all). */
enum err ntp_reading(const struct ntp_answer *answer, struct mono_time asked, struct mono_time came,
                     struct outbound_reading *out_reading) MUST_USE;

#endif
