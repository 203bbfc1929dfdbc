/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two contents cannot be taken for one another, nor for anything else that the key might sign: 1.3 begins with 64
 * spaces and its label; 1.2 with two randoms and a curve that the point must fit. */
#include "firmware/keeper/tls_content.h"

#include "crypto/sign.h"
#include "hal/base/fault.h"

#define LABEL_13 span_lit("TLS 1.3, server CertificateVerify")
#define NAMED_CURVE 3 /* ECCurveType */

/* Groups of TLS 1.2, with the bytes of their public point as it stands in ServerKeyExchange. */
static const struct {
    uint32_t group;
    uint32_t point_bytes;
} groups[] = {{23, 65}, {24, 97}, {29, 32}};

static enum err digest_13(const struct msg *msg, uint8_t out_digest[SHA256_BYTES])
{
    static const uint8_t spaces[64] = "                                                                ";
    static const uint8_t zero[1] = {0};
    const struct span transcript = MSG_VIEW(&msg->as.sign_tls13.transcript);
    struct sha256_stream stream;

    ENSURE(transcript.len == SHA256_BYTES || transcript.len == SHA384_BYTES, ERR_MALFORMED, "length of a transcript");
    sha256_init(&stream);
    sha256_update(&stream, span_array(spaces));
    sha256_update(&stream, LABEL_13);
    sha256_update(&stream, span_array(zero));
    sha256_update(&stream, transcript);
    sha256_final(&stream, out_digest);
    return ERR_OK;
}

static bool point_fits(uint32_t group, struct span point)
{
    for (size_t i = 0; i < ARRAY_LENGTH(groups); i++) {
        if (groups[i].group == group) {
            /* X25519 has no form byte; the others are uncompressed. */
            return point.len == groups[i].point_bytes && (group == 29 || point.data[0] == 4);
        }
    }
    return false;
}

static enum err digest_12(const struct msg *msg, uint8_t out_digest[SHA256_BYTES])
{
    const struct span point = MSG_VIEW(&msg->as.sign_tls12.point);
    const uint32_t group = msg->as.sign_tls12.group;
    struct sha256_stream stream;

    ENSURE(point_fits(group, point), ERR_MALFORMED, "group or point of a key exchange");
    const uint8_t curve[4] = {NAMED_CURVE, (uint8_t)(group >> 8), (uint8_t)group, (uint8_t)point.len};
    sha256_init(&stream);
    sha256_update(&stream, span_array(msg->as.sign_tls12.client_random));
    sha256_update(&stream, span_array(msg->as.sign_tls12.server_random));
    sha256_update(&stream, span_array(curve));
    sha256_update(&stream, point);
    sha256_final(&stream, out_digest);
    return ERR_OK;
}

enum err tls_content_digest(const struct msg *msg, uint8_t out_digest[SHA256_BYTES])
{
    if (msg->type == MSG_SIGN_TLS13) {
        TRY(digest_13(msg, out_digest));
        return ERR_OK;
    }
    ENSURE(msg->type == MSG_SIGN_TLS12, ERR_BUG, "not a request for a signature");
    TRY(digest_12(msg, out_digest));
    return ERR_OK;
}
