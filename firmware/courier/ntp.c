/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A packet:  leap(2 bits) version(3) mode(3), stratum(1), poll(1), precision(1), root delay(4), root dispersion(4),
 * reference id or kiss code(4), then four timestamps of 8 bytes: reference, origin, receive, transmit. A timestamp is
 * seconds since 1900 and their fraction, 32 bits each; short ones have 16 each.
 *
 * Timestamps have no century. Those whose first bit is set are of 1968 to 2036, the others of 2036 to 2104 (RFC 4330,
 * section 3). */
#include "firmware/courier/ntp.h"

#include <stdbool.h>
#include <string.h>

#include "crypto/ct.h"
#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"

#define VERSION         4u
#define MODE_CLIENT     3u
#define MODE_SERVER     4u
#define LEAP_UNKNOWN    3u
#define AT_ROOT_DELAY   4
#define AT_DISPERSION   8
#define AT_REFERENCE_ID 12
#define AT_ORIGIN       24
#define AT_RECEIVE      32
#define AT_TRANSMIT     40

#define NS_PER_S       UINT64_C(1000000000)
#define S_1900_TO_1970 UINT64_C(2208988800)
#define S_PER_ERA      (UINT64_C(1) << 32)
#define FIRST_BIT      UINT32_C(0x80000000)
#define SLACK_NS       UINT64_C(1000000) /* of two clocks that do not run alike, over the seconds of one question */

void ntp_question(const uint8_t nonce[NTP_NONCE_BYTES], uint8_t out_packet[NTP_BYTES])
{
    memset(out_packet, 0, NTP_BYTES);
    out_packet[0] = VERSION << 3 | MODE_CLIENT;
    memcpy(out_packet + AT_TRANSMIT, nonce, NTP_NONCE_BYTES);
}

/* 0 where it is none: all zero is a clock that was never set (RFC 5905, section 6), and not the first instant of 2036's era. */
static uint64_t unix_ns(const uint8_t timestamp[8])
{
    const uint32_t seconds = get_u32be(timestamp);
    const uint64_t fraction = get_u32be(timestamp + 4);
    const uint64_t since_1900 = seconds + ((seconds & FIRST_BIT) != 0 ? 0 : S_PER_ERA);

    /* 1968 and 1969 have no place among instants since 1970. */
    if (since_1900 < S_1900_TO_1970 || (seconds == 0 && fraction == 0)) {
        return 0;
    }
    return (since_1900 - S_1900_TO_1970) * NS_PER_S + (fraction * NS_PER_S >> 32);
}

static uint64_t short_ns(const uint8_t time[4])
{
    return (uint64_t)get_u32be(time) * NS_PER_S >> 16;
}

static enum ntp_kiss kiss_of(struct span code)
{
    static const struct {
        const char *code;
        enum ntp_kiss kiss;
    } known[] = {{"RATE", NTP_KISS_RATE}, {"DENY", NTP_KISS_NEVER}, {"RSTR", NTP_KISS_NEVER}, {"NTSN", NTP_KISS_KEYS}};

    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (span_equal(code, span_str(known[i].code))) {
            return known[i].kiss;
        }
    }
    return NTP_KISS_OTHER;
}

enum err ntp_answer_read(struct span packet, const uint8_t nonce[NTP_NONCE_BYTES], struct ntp_answer *out_answer)
{
    ENSURE(packet.len >= NTP_BYTES, ERR_MALFORMED, "shorter than NTP is");
    const uint8_t *const bytes = packet.data;
    const unsigned int leap = bytes[0] >> 6;

    ENSURE((bytes[0] >> 3 & 7u) == VERSION && (bytes[0] & 7u) == MODE_SERVER, ERR_MALFORMED, "no answer of NTP");
    ENSURE(ct_equal(span_of(bytes + AT_ORIGIN, NTP_NONCE_BYTES), span_of(nonce, NTP_NONCE_BYTES)), ERR_AUTH,
           "the answer to another question");
    struct ntp_answer answer = {
        .stratum = bytes[1],
        .came_ns = unix_ns(bytes + AT_RECEIVE),
        .left_ns = unix_ns(bytes + AT_TRANSMIT),
        .distance_ns = short_ns(bytes + AT_ROOT_DELAY) / 2 + short_ns(bytes + AT_DISPERSION),
    };
    if (answer.stratum == 0) {
        *out_answer = (struct ntp_answer){.kiss = kiss_of(span_of(bytes + AT_REFERENCE_ID, 4))};
        return ERR_OK;
    }
    ENSURE(leap != LEAP_UNKNOWN && answer.stratum <= OUTBOUND_STRATUM_MAX, ERR_STATE, "a server without the time");
    ENSURE(answer.came_ns != 0 && answer.left_ns != 0, ERR_STATE, "a server without a clock");
    ENSURE(answer.distance_ns < NTP_DISTANCE_NS_MAX, ERR_STATE, "a server far from the time");
    *out_answer = answer;
    return ERR_OK;
}

enum err ntp_reading(const struct ntp_answer *answer, struct mono_time asked, struct mono_time came,
                     struct outbound_reading *out_reading)
{
    ENSURE(answer->left_ns >= answer->came_ns && came.ns >= asked.ns, ERR_RANGE, "an answer before its question");
    const uint64_t there_ns = answer->left_ns - answer->came_ns;
    const uint64_t here_ns = came.ns - asked.ns;

    ENSURE(there_ns <= here_ns + SLACK_NS, ERR_RANGE, "a server that took longer than it was waited for");
    const uint64_t delay_ns = here_ns > there_ns ? here_ns - there_ns : 0;
    ENSURE(delay_ns < 2 * NTP_DISTANCE_NS_MAX && delay_ns / 2 + answer->distance_ns < NTP_DISTANCE_NS_MAX, ERR_RANGE,
           "a server that is too far away");
    *out_reading = (struct outbound_reading){
        .unix_ns = answer->left_ns + delay_ns / 2,
        .at = came,
        .delay_ns = delay_ns,
        .distance_ns = delay_ns / 2 + answer->distance_ns,
        .stratum = answer->stratum,
    };
    return ERR_OK;
}
