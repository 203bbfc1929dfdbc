/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A record: critical(1 bit) and type(15 bits), length of the body(2), body. A message ends with the record of type 0.
 *
 * A server may name another host for NTP. The courier reaches the hosts of its list and no others, so that must be the host
 * itself; NTP then goes to the address that has answered here. */
#include "firmware/courier/nts_ke.h"

#include "firmware/courier/ntp.h"
#include "hal/base/fault.h"

enum record_type {
    RECORD_END = 0,
    RECORD_PROTOCOL = 1,
    RECORD_ERROR = 2,
    RECORD_WARNING = 3,
    RECORD_CIPHER = 4,
    RECORD_COOKIE = 5,
    RECORD_SERVER = 6,
    RECORD_PORT = 7
};

#define CRITICAL         0x8000u
#define PROTOCOL_NTPV4   0
#define CIPHER_SIV_256   15 /* AEAD_AES_SIV_CMAC_256, which every server has */

void nts_ke_context(enum nts_ke_key key, uint8_t out_context[NTS_KE_CONTEXT_BYTES])
{
    out_context[0] = 0;
    out_context[1] = PROTOCOL_NTPV4;
    out_context[2] = 0;
    out_context[3] = CIPHER_SIV_256;
    out_context[4] = (uint8_t)key;
}

struct record {
    unsigned int type;
    bool critical;
    struct span body;
};

static enum err next_record(struct reader *reader, struct record *out_record)
{
    uint16_t type = 0;
    uint16_t len = 0;
    struct span body = SPAN_NONE;

    TRY(reader_get_u16be(reader, &type));
    TRY(reader_get_u16be(reader, &len));
    TRY(reader_get(reader, len, &body));
    *out_record = (struct record){type & ~CRITICAL, (type & CRITICAL) != 0, body};
    return ERR_OK;
}

enum err nts_ke_is_whole(struct span bytes)
{
    struct reader reader = reader_of(bytes);

    for (size_t i = 0; i < NTS_KE_RECORDS_MAX; i++) {
        struct record record;
        if (next_record(&reader, &record) != ERR_OK) {
            fault_clear();
            return ERR_AGAIN;
        }
        if (record.type == RECORD_END) {
            return ERR_OK;
        }
    }
    FAIL(ERR_MALFORMED, "a message without an end", bytes.len);
}

/* What a message has said so far. */
struct said {
    bool protocol;
    bool cipher;
    bool server;
    bool port;
    uint16_t ntp_port;
};

/* A record that may come once, with one number. */
static enum err read_number(struct span body, bool *said, uint16_t *out_number)
{
    struct reader reader = reader_of(body);

    ENSURE(!*said && body.len == 2, ERR_MALFORMED, "a record that is not one number, once");
    *said = true;
    return reader_get_u16be(&reader, out_number);
}

static enum err read_choice(struct span body, uint16_t wanted, bool *said)
{
    uint16_t number = 0;

    ENSURE(body.len != 0, ERR_UNSUPPORTED, "nothing of what we offered");
    TRY(read_number(body, said, &number));
    ENSURE(number == wanted, ERR_UNSUPPORTED, "not what we offered");
    return ERR_OK;
}

static enum err read_server(struct span body, struct span host, bool *said)
{
    ENSURE(!*said, ERR_MALFORMED, "two servers");
    *said = true;
    ENSURE(span_equal_nocase(body, host), ERR_DENIED, "another host for NTP");
    return ERR_OK;
}

static enum err read_port(struct span body, struct said *said)
{
    TRY(read_number(body, &said->port, &said->ntp_port));
    ENSURE(said->ntp_port != 0, ERR_MALFORMED, "no port");
    return ERR_OK;
}

static enum err read_cookie(struct span body, struct nts_session *session)
{
    ENSURE(body.len != 0 && body.len <= NTS_COOKIE_MAX, ERR_MALFORMED, "length of a cookie");
    return nts_session_add(session, body);
}

static enum err read_record(const struct record *record, struct span host, struct nts_session *session,
                            struct said *said)
{
    switch (record->type) {
    case RECORD_PROTOCOL:
        return read_choice(record->body, PROTOCOL_NTPV4, &said->protocol);
    case RECORD_CIPHER:
        return read_choice(record->body, CIPHER_SIV_256, &said->cipher);
    case RECORD_COOKIE:
        return read_cookie(record->body, session);
    case RECORD_SERVER:
        return read_server(record->body, host, &said->server);
    case RECORD_PORT:
        return read_port(record->body, said);
    case RECORD_ERROR:
    case RECORD_WARNING: /* none is known that could be passed over */
        FAIL(ERR_REFUSED, "an error or a warning of a server", record->type);
    default: /* a number of the wire */
        ENSURE(!record->critical, ERR_UNSUPPORTED, "something critical that we do not know");
        return ERR_OK;
    }
}

enum err nts_ke_read(struct span message, struct span host, struct nts_session *session, uint16_t *out_port)
{
    struct reader reader = reader_of(message);
    struct said said = {.ntp_port = NTP_PORT};

    for (size_t i = 0; i < NTS_KE_RECORDS_MAX; i++) {
        struct record record;
        TRY(next_record(&reader, &record));
        if (record.type == RECORD_END) {
            ENSURE(record.body.len == 0, ERR_MALFORMED, "an end with something in it");
            ENSURE(said.protocol && said.cipher && session->count != 0, ERR_MALFORMED, "a message with nothing in it");
            *out_port = said.ntp_port;
            return ERR_OK;
        }
        TRY(read_record(&record, host, session, &said));
    }
    FAIL(ERR_MALFORMED, "a message without an end", message.len);
}

static const uint8_t question[] = {
    CRITICAL >> 8, RECORD_PROTOCOL, 0, 2, 0, PROTOCOL_NTPV4,
    CRITICAL >> 8, RECORD_CIPHER,   0, 2, 0, CIPHER_SIV_256,
    CRITICAL >> 8, RECORD_END,      0, 0,
};

enum err nts_ke_run(struct stream *stream, struct span host, struct nts_session *session, uint16_t *out_port)
{
    SCOPED_BUF struct buf *in = NULL;
    enum err whole = ERR_AGAIN;

    TRY(buf_new(NTS_KE_ANSWER_MAX, &in));
    TRY(stream_send(stream, span_array(question)));
    while (whole == ERR_AGAIN) {
        TRY(stream_receive(stream, in));
        whole = nts_ke_is_whole(buf_all(in));
    }
    TRY(whole);
    return nts_ke_read(buf_all(in), host, session, out_port);
}
