/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/courier/ntp.h and nts.h: no datagram breaks its readers, none is believed that the server has not sealed, and
 * what the server itself seals breaks nothing either. The first byte says which: odd, the input is a datagram; even, it is
 * what stands under a right seal. */
#include <string.h>

#include "crypto/crypto.h"
#include "crypto/siv.h"
#include "firmware/courier/ntp.h"
#include "firmware/courier/nts.h"
#include "tests/fuzz/fuzz.h"

#define UNIQUE_FIELD "\x01\x04\x00\x24"

static const uint8_t nonce[NTP_NONCE_BYTES] = "nonce!!";
static const uint8_t unique[NTS_UNIQUE_BYTES] = "this is the number of a question";

static struct nts_session *fresh_session(void)
{
    static struct nts_session session;

    if (session.to_client == NULL) {
        FUZZ_CHECK(crypto_start() == ERR_OK);
        FUZZ_CHECK(secret_new_copy(span_lit("a key of thirty-two bytes, as is"), &session.to_client) == ERR_OK);
    }
    session.count = 0;
    return &session;
}

static void check_cookies(const struct nts_session *session)
{
    FUZZ_CHECK(session->count <= NTS_COOKIES_MAX);
    for (size_t i = 0; i < session->count; i++) {
        FUZZ_CHECK(session->cookies[i].len != 0 && session->cookies[i].len <= NTS_COOKIE_MAX);
    }
}

static void read_datagram(struct span datagram)
{
    struct nts_session *const session = fresh_session();
    struct ntp_answer answer;
    struct outbound_reading reading;
    const struct mono_time asked = {1000};
    const struct mono_time came = {UINT64_C(2000000000)};

    if (ntp_answer_read(datagram, nonce, &answer) == ERR_OK && answer.kiss == NTP_NO_KISS &&
        ntp_reading(&answer, asked, came, &reading) == ERR_OK) {
        FUZZ_CHECK(outbound_reading_fits(&reading) && reading.distance_ns < NTP_DISTANCE_NS_MAX);
    }
    (void)nts_is_about(datagram, unique);
    FUZZ_CHECK(nts_open(session, datagram, unique) != ERR_OK && session->count == 0);
}

static void read_sealed(struct span plain)
{
    static uint8_t packet[NTP_BYTES + 4 + NTS_UNIQUE_BYTES + 24 + SIV_TAG_BYTES + NTS_PACKET_MAX];
    struct nts_session *const session = fresh_session();
    const size_t before = NTP_BYTES + 4 + NTS_UNIQUE_BYTES;
    const size_t len = plain.len & ~(size_t)3;
    const size_t sealed = SIV_TAG_BYTES + len;
    const uint8_t head[8] = {4, 4, (uint8_t)((24 + sealed) >> 8), (uint8_t)(24 + sealed), 0, 16,
                             (uint8_t)(sealed >> 8), (uint8_t)sealed};
    const struct siv_parts parts = {.part = {span_of(packet, before), span_of(packet + before + 8, 16)}, .count = 2};

    if (sealed > NTS_PACKET_MAX) {
        return;
    }
    memcpy(packet + NTP_BYTES, UNIQUE_FIELD, 4);
    memcpy(packet + NTP_BYTES + 4, unique, sizeof(unique));
    memcpy(packet + before, head, sizeof(head));
    FUZZ_CHECK(siv_seal(session->to_client, &parts, span_of(plain.data, len), packet + before + 24) == ERR_OK);
    const enum err err = nts_open(session, span_of(packet, before + 24 + sealed), unique);
    FUZZ_CHECK(err == ERR_OK || (err == ERR_MALFORMED && session->count == 0));
    check_cookies(session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    fault_clear();
    if (data[0] % 2 != 0) {
        read_datagram(span_of(data + 1, size - 1));
    } else {
        read_sealed(span_of(data + 1, size - 1));
    }
    fault_clear();
    return 0;
}
