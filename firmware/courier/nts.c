/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A field: type(2), length(2) with these four bytes, body, zeros up to a multiple of four.
 * The seal: length of the nonce(2), length of the sealed bytes(2), nonce and sealed bytes, each with zeros up to a multiple of
 * four. Sealed are fields of the same form; authenticated with them is all that stands before the seal, from the first byte
 * of the packet on. */
#include "firmware/courier/nts.h"

#include <string.h>

#include "crypto/ct.h"
#include "crypto/siv.h"
#include "firmware/courier/ntp.h"
#include "hal/base/fault.h"
#include "hal/base/num.h"

enum field_type {
    FIELD_UNIQUE = 0x0104,
    FIELD_COOKIE = 0x0204,
    FIELD_PLACEHOLDER = 0x0304,
    FIELD_SEAL = 0x0404
};

#define HEAD_BYTES  4
#define NONCE_BYTES 16
#define FIELDS_MAX  32 /* of one packet; ours have ten */
#define SEAL_BYTES  (HEAD_BYTES + 4 + NONCE_BYTES + SIV_TAG_BYTES)

static size_t padded(size_t len)
{
    return (len + 3) & ~(size_t)3;
}

/* --- sessions --- */

void nts_session_done(struct nts_session *session)
{
    secret_free(session->to_server);
    secret_free(session->to_client);
    *session = (struct nts_session){.count = 0};
}

enum err nts_session_add(struct nts_session *session, struct span cookie)
{
    ENSURE(cookie.len != 0 && cookie.len <= NTS_COOKIE_MAX, ERR_RANGE, "a cookie that is empty or too long");
    if (session->count == NTS_COOKIES_MAX) {
        return ERR_OK;
    }
    struct nts_cookie *const place = &session->cookies[session->count++];

    place->len = cookie.len;
    memcpy(place->bytes, cookie.data, cookie.len);
    return ERR_OK;
}

/* --- questions --- */

static enum err put_padding(struct buf *packet, size_t len)
{
    static const uint8_t zeros[4] = {0};

    return buf_put(packet, span_of(zeros, padded(len) - len));
}

static enum err put_field(struct buf *packet, enum field_type type, struct span body)
{
    TRY(buf_put_u16be(packet, (uint16_t)type));
    TRY(buf_put_u16be(packet, (uint16_t)(HEAD_BYTES + padded(body.len))));
    TRY(buf_put(packet, body));
    return put_padding(packet, body.len);
}

/* As many as bring the session back to NTS_COOKIES_MAX, if the packet holds them: the answer must not be the longer one. */
static enum err put_placeholders(struct buf *packet, size_t missing, size_t len)
{
    static const uint8_t zeros[NTS_COOKIE_MAX] = {0};

    for (size_t i = 0; i < missing; i++) {
        if (buf_room(packet) < HEAD_BYTES + padded(len) + SEAL_BYTES) {
            return ERR_OK;
        }
        TRY(put_field(packet, FIELD_PLACEHOLDER, span_of(zeros, len)));
    }
    return ERR_OK;
}

static enum err put_seal(struct buf *packet, const struct secret *key, struct random *random)
{
    uint8_t nonce[NONCE_BYTES];
    uint8_t tag[SIV_TAG_BYTES];

    random_fill(random, nonce, sizeof(nonce));
    const struct siv_parts parts = {.part = {buf_all(packet), span_array(nonce)}, .count = 2};
    TRY(siv_seal(key, &parts, SPAN_NONE, tag));
    TRY(buf_put_u16be(packet, FIELD_SEAL));
    TRY(buf_put_u16be(packet, SEAL_BYTES));
    TRY(buf_put_u16be(packet, NONCE_BYTES));
    TRY(buf_put_u16be(packet, SIV_TAG_BYTES));
    TRY(buf_put(packet, span_array(nonce)));
    return buf_put(packet, span_array(tag));
}

enum err nts_seal(struct nts_session *session, struct random *random, struct span question, struct buf *packet,
                  uint8_t out_unique[NTS_UNIQUE_BYTES])
{
    uint8_t unique[NTS_UNIQUE_BYTES];

    ENSURE(session->to_server != NULL && session->count != 0, ERR_NOT_FOUND, "no cookie is left");
    struct nts_cookie cookie = session->cookies[--session->count];
    random_fill(random, unique, sizeof(unique));
    TRY(buf_put(packet, question));
    TRY(put_field(packet, FIELD_UNIQUE, span_array(unique)));
    TRY(put_field(packet, FIELD_COOKIE, span_of(cookie.bytes, cookie.len)));
    TRY(put_placeholders(packet, NTS_COOKIES_MAX - 1 - session->count, cookie.len));
    TRY(put_seal(packet, session->to_server, random));
    memcpy(out_unique, unique, sizeof(unique));
    return ERR_OK;
}

/* --- answers --- */

struct field {
    uint16_t type;
    struct span body; /* with its padding: how much of it that is, only the type can tell */
};

static enum err next_field(struct reader *reader, struct field *out_field)
{
    uint16_t type = 0;
    uint16_t len = 0;
    struct span body = SPAN_NONE;

    TRY(reader_get_u16be(reader, &type));
    TRY(reader_get_u16be(reader, &len));
    ENSURE(len >= HEAD_BYTES && len % 4 == 0, ERR_MALFORMED, "length of a field");
    TRY(reader_get(reader, (size_t)len - HEAD_BYTES, &body));
    *out_field = (struct field){type, body};
    return ERR_OK;
}

/* What stands before the seal, and the seal's body. */
struct envelope {
    struct span before; /* from the first byte of the packet on */
    struct span unique; /* empty: there is none */
    struct span seal;   /* NULL: there is none */
};

static enum err find_fields(struct span packet, struct envelope *out_envelope)
{
    struct reader reader = reader_of(packet);
    struct span header = SPAN_NONE;
    struct envelope found = {.before = SPAN_NONE};

    TRY(reader_get(&reader, NTP_BYTES, &header));
    for (size_t i = 0; reader.rest.len != 0; i++) {
        struct field field = {0, SPAN_NONE};
        const size_t at = packet.len - reader.rest.len;
        ENSURE(i < FIELDS_MAX, ERR_MALFORMED, "more fields than a packet has");
        TRY(next_field(&reader, &field));
        if (field.type == FIELD_SEAL) {
            found.before = span_of(packet.data, at);
            found.seal = field.body;
            break;
        }
        if (field.type == FIELD_UNIQUE) {
            ENSURE(found.unique.len == 0 && field.body.len != 0, ERR_MALFORMED, "two numbers of one question");
            found.unique = field.body;
        }
    }
    *out_envelope = found;
    return ERR_OK;
}

static bool is_number(struct span unique, const uint8_t wanted[NTS_UNIQUE_BYTES])
{
    return ct_equal(unique, span_of(wanted, NTS_UNIQUE_BYTES));
}

bool nts_is_about(struct span packet, const uint8_t unique[NTS_UNIQUE_BYTES])
{
    struct envelope envelope;

    if (find_fields(packet, &envelope) != ERR_OK) {
        fault_clear();
        return false;
    }
    return is_number(envelope.unique, unique);
}

static enum err open_seal(const struct secret *key, const struct envelope *envelope, uint8_t plain[NTS_PACKET_MAX],
                          size_t *out_len)
{
    struct reader reader = reader_of(envelope->seal);
    uint16_t nonce_len = 0;
    uint16_t sealed_len = 0;
    struct span nonce = SPAN_NONE;
    struct span sealed = SPAN_NONE;

    TRY(reader_get_u16be(&reader, &nonce_len));
    TRY(reader_get_u16be(&reader, &sealed_len));
    TRY(reader_get(&reader, padded(nonce_len), &nonce));
    TRY(reader_get(&reader, padded(sealed_len), &sealed));
    ENSURE(nonce_len != 0 && sealed_len >= SIV_TAG_BYTES && sealed_len <= NTS_PACKET_MAX, ERR_MALFORMED,
           "lengths in a seal");
    const struct siv_parts parts = {.part = {envelope->before, span_of(nonce.data, nonce_len)}, .count = 2};
    TRY(siv_open(key, &parts, span_of(sealed.data, sealed_len), plain));
    *out_len = (size_t)sealed_len - SIV_TAG_BYTES;
    return ERR_OK;
}

/* The fields within. All are read before one is taken. */
static enum err take_cookies(struct nts_session *session, struct span plain)
{
    struct reader reader = reader_of(plain);
    struct span cookies[NTS_COOKIES_MAX];
    size_t count = 0;

    for (size_t i = 0; reader.rest.len != 0; i++) {
        struct field field = {0, SPAN_NONE};
        ENSURE(i < FIELDS_MAX, ERR_MALFORMED, "more fields than a packet has");
        TRY(next_field(&reader, &field));
        if (field.type == FIELD_COOKIE && count < NTS_COOKIES_MAX) {
            ENSURE(field.body.len != 0 && field.body.len <= NTS_COOKIE_MAX, ERR_MALFORMED, "length of a cookie");
            cookies[count++] = field.body;
        }
    }
    for (size_t i = 0; i < count; i++) {
        TRY(nts_session_add(session, cookies[i]));
    }
    return ERR_OK;
}

enum err nts_open(struct nts_session *session, struct span packet, const uint8_t unique[NTS_UNIQUE_BYTES])
{
    uint8_t plain[NTS_PACKET_MAX];
    struct envelope envelope;
    size_t len = 0;

    ENSURE(session->to_client != NULL, ERR_STATE, "an answer without keys");
    TRY(find_fields(packet, &envelope));
    ENSURE(envelope.unique.len != 0 && envelope.seal.data != NULL, ERR_MALFORMED, "an answer without number or seal");
    ENSURE(is_number(envelope.unique, unique), ERR_AUTH, "the answer to another question");
    TRY(open_seal(session->to_client, &envelope, plain, &len));
    return take_cookies(session, span_of(plain, len));
}
