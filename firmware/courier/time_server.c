/* SPDX-License-Identifier: GPL-3.0-or-later */
/* NTS: keys by TLS if there are none -> question with a cookie to the address that gave them -> answer, with new cookies.
 * In clear: the name's addresses, one after the other.
 *
 * Each question is asked up to ASKED times, with another nonce and another cookie, and waited for ANSWER_MS. What comes
 * meanwhile and is not the answer (another nonce, another seal, no packet at all) was sent by nobody we know and changes
 * nothing, but for its count: DATAGRAMS_MAX of it end the wait. A kiss without a seal is believed in clear only, where
 * nothing is better; the one by which a server says that it does not know our cookie cannot be sealed, so it only has
 * the keys fetched again, once in a job. Spec: RFC 5905 section 7.4, RFC 8915 section 5.7. */
#include "firmware/courier/time_server.h"

#include "crypto/siv.h"
#include "firmware/courier/ntp.h"
#include "firmware/courier/nts.h"
#include "firmware/courier/nts_ke.h"
#include "firmware/courier/reach.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/resolve.h"

#define ADDRESSES_MAX 4
#define ASKED         3
#define ANSWER_MS     2000u
#define DATAGRAMS_MAX 32
#define DATAGRAM_MAX  2048

struct time_server {
    struct random *random;
    struct socket_address address; /* of NTP, as long as there are keys */
    struct nts_session session;
};

/* One question, and what is waited with. */
struct question {
    const struct connection_options *options;
    struct nts_session *session; /* NULL: in clear */
    int fd;
    uint8_t nonce[NTP_NONCE_BYTES];
    uint8_t unique[NTS_UNIQUE_BYTES];
    struct mono_time asked;
    struct mono_time until;
    bool keys_unknown; /* somebody says so */
};

/* What came of it. */
struct verdict {
    enum ntp_kiss kiss;
    struct outbound_reading reading;
};

/* --- keys --- */

static void forget_keys(struct time_server *server)
{
    nts_session_done(&server->session);
}

static enum err export_one(struct connection *connection, enum nts_ke_key which, struct secret **out_key)
{
    uint8_t context[NTS_KE_CONTEXT_BYTES];
    SCOPED_SECRET struct secret *key = NULL;

    nts_ke_context(which, context);
    TRY(secret_new(SIV_KEY_BYTES, &key));
    TRY(connection_export(connection, NTS_KE_LABEL, span_array(context), key));
    *out_key = TAKE(key);
    return ERR_OK;
}

static enum err agree(struct time_server *server, struct connection *connection, struct span host)
{
    uint16_t port = 0;

    TRY(nts_ke_run(connection_stream(connection), host, &server->session, &port));
    TRY(export_one(connection, NTS_KE_TO_SERVER, &server->session.to_server));
    TRY(export_one(connection, NTS_KE_TO_CLIENT, &server->session.to_client));
    server->address = connection_peer(connection);
    server->address.port = port;
    return ERR_OK;
}

static enum err fetch_keys(struct time_server *server, const struct connection_options *options,
                           enum outbound_stage *out_stage)
{
    struct connection_options with_protocol = *options;
    struct connection *connection = NULL;

    forget_keys(server);
    with_protocol.protocol = NTS_KE_PROTOCOL;
    TRY(connection_open(&with_protocol, &connection, out_stage));
    *out_stage = OUTBOUND_AT_KEYS;
    const enum err err = agree(server, connection, options->to->host);
    connection_free(connection);
    if (err != ERR_OK) {
        forget_keys(server);
        TRY(err);
    }
    return ERR_OK;
}

/* --- one question --- */

static enum err send_question(struct time_server *server, struct question *question)
{
    SCOPED_BUF struct buf *packet = NULL;
    uint8_t plain[NTP_BYTES];
    size_t sent = 0;

    random_fill(server->random, question->nonce, sizeof(question->nonce));
    ntp_question(question->nonce, plain);
    TRY(buf_new(NTS_PACKET_MAX, &packet));
    if (question->session != NULL) {
        TRY(nts_seal(question->session, server->random, span_array(plain), packet, question->unique));
    } else {
        TRY(buf_put(packet, span_array(plain)));
    }
    const struct mono_time now = hal_clock_mono(question->options->clock);
    question->asked = now;
    question->until.ns = num_min(mono_add_ms(now, ANSWER_MS).ns, question->options->until.ns);
    return socket_send(question->fd, buf_all(packet), &sent);
}

/* Is it the answer? Any error: no, and it came from wherever. */
static enum err read_answer(struct question *question, struct span packet, struct mono_time came,
                            struct verdict *out_verdict)
{
    struct ntp_answer answer;
    struct verdict verdict = {.kiss = NTP_NO_KISS};

    TRY(ntp_answer_read(packet, question->nonce, &answer));
    if (question->session != NULL && answer.kiss == NTP_KISS_KEYS) {
        question->keys_unknown = question->keys_unknown || nts_is_about(packet, question->unique);
        FAIL(ERR_STALE_KEY, "a server that does not know our keys", 0);
    }
    if (question->session != NULL) {
        TRY(nts_open(question->session, packet, question->unique));
    }
    verdict.kiss = answer.kiss;
    if (answer.kiss == NTP_NO_KISS) {
        TRY(ntp_reading(&answer, question->asked, came, &verdict.reading));
        verdict.reading.authenticated = question->session != NULL;
    }
    *out_verdict = verdict;
    return ERR_OK;
}

/* ERR_TIMEOUT, ERR_CLOSED, ERR_IO: nothing more will come. */
static enum err receive(struct question *question, uint8_t datagram[DATAGRAM_MAX], size_t *out_len)
{
    const uint64_t left = mono_ms_between(hal_clock_mono(question->options->clock), question->until);

    ENSURE(left != 0, ERR_TIMEOUT, "no answer of a time server");
    TRY(socket_wait(question->fd, SOCKET_WAIT_READ, (unsigned int)left));
    return socket_receive_datagram(question->fd, datagram, DATAGRAM_MAX, out_len);
}

static enum err wait_for_answer(struct question *question, struct verdict *out_verdict)
{
    uint8_t datagram[DATAGRAM_MAX];

    for (size_t i = 0; i < DATAGRAMS_MAX; i++) {
        size_t len = 0;
        const enum err err = receive(question, datagram, &len);
        if (err == ERR_AGAIN || err == ERR_RANGE) {
            fault_clear();
            continue;
        }
        TRY(err);
        const struct mono_time came = hal_clock_mono(question->options->clock);
        if (read_answer(question, span_of(datagram, len), came, out_verdict) == ERR_OK) {
            return ERR_OK;
        }
        fault_clear(); /* not why the question fails, and there may be more of it than the trail holds */
    }
    FAIL(ERR_TIMEOUT, "much that is no answer", DATAGRAMS_MAX);
}

/* To that address; where the worker connects, to the server by its name and that port. */
static enum err open_way(struct question *question, const struct socket_address *address)
{
    const struct connection_options *const options = question->options;
    const struct reach_to to = {
        .job = options->job,
        .kind = MSG_REACH_UDP,
        .host = options->to->host,
        .port = address->port,
        .wait_ms = (unsigned int)num_min(mono_ms_between(hal_clock_mono(options->clock), options->until), ANSWER_MS),
    };

    return options->reach != NULL ? reach_open(options->reach, &to, &question->fd)
                                  : socket_connect_datagrams(address, &question->fd);
}

/* ERR_STALE_KEY: no answer, but somebody says that the keys are not known there. */
static enum err ask_at(struct time_server *server, struct question *question, const struct socket_address *address,
                       struct verdict *out_verdict)
{
    enum err err = ERR_TIMEOUT;

    TRY(open_way(question, address));
    for (size_t i = 0; i < ASKED && (i == 0 || err == ERR_TIMEOUT) && !question->keys_unknown; i++) {
        err = send_question(server, question);
        err = err == ERR_OK ? wait_for_answer(question, out_verdict) : err;
    }
    socket_close(question->fd);
    ENSURE(err == ERR_OK || !question->keys_unknown, ERR_STALE_KEY, "keys that the server does not know");
    return err;
}

/* --- the two ways --- */

static enum err ask_sealed(struct time_server *server, const struct connection_options *options,
                           struct verdict *out_verdict, enum outbound_stage *out_stage)
{
    enum err err = ERR_STALE_KEY;

    for (unsigned int fetched = 0; err == ERR_STALE_KEY && fetched < 2; fetched++) {
        struct question question = {.options = options, .session = &server->session};
        if (fetched != 0 || server->session.count == 0) {
            TRY(fetch_keys(server, options, out_stage));
        }
        *out_stage = OUTBOUND_AT_ANSWER;
        err = ask_at(server, &question, &server->address, out_verdict);
    }
    if (err != ERR_OK) {
        forget_keys(server); /* perhaps it has moved: the next question looks */
    }
    return err;
}

/* Where the worker connects it resolves, too: there is one address then, of which only the port counts. */
static enum err find_addresses(const struct connection_options *options,
                               struct socket_address out_addresses[ADDRESSES_MAX], size_t *out_count)
{
    if (options->reach != NULL) {
        out_addresses[0] = (struct socket_address){.port = options->to->port};
        *out_count = 1;
        return ERR_OK;
    }
    return resolve_name(options->to->host, options->to->port, ADDRESSES_MAX, out_addresses, out_count);
}

static enum err ask_in_clear(struct time_server *server, const struct connection_options *options,
                             struct verdict *out_verdict, enum outbound_stage *out_stage)
{
    struct socket_address addresses[ADDRESSES_MAX];
    struct question question = {.options = options};
    enum err err = ERR_NOT_FOUND;
    size_t count = 0;

    *out_stage = OUTBOUND_AT_RESOLVE;
    TRY(find_addresses(options, addresses, &count));
    *out_stage = OUTBOUND_AT_ANSWER;
    for (size_t i = 0; i < count && err != ERR_OK; i++) {
        err = ask_at(server, &question, &addresses[i], out_verdict);
    }
    return err;
}

void time_server_ask(struct time_server *server, const struct connection_options *options,
                     struct courier_answer *out_answer, struct outbound_reading *out_reading)
{
    struct verdict verdict = {.kiss = NTP_NO_KISS};
    struct courier_answer answer = {.result = OUTBOUND_TEMPORARY, .stage = OUTBOUND_AT_RESOLVE};
    const enum err err = options->to->tls == OUTBOUND_TLS ? ask_sealed(server, options, &verdict, &answer.stage)
                                                          : ask_in_clear(server, options, &verdict, &answer.stage);

    if (err == ERR_OK && verdict.kiss == NTP_NO_KISS) {
        answer = (struct courier_answer){.result = OUTBOUND_DONE, .stage = OUTBOUND_AT_END};
        *out_reading = verdict.reading;
    } else if (err == ERR_OK && verdict.kiss == NTP_KISS_RATE) {
        answer.stage = OUTBOUND_AT_RATE;
    } else if (err == ERR_OK && verdict.kiss == NTP_KISS_NEVER) {
        answer.result = OUTBOUND_REFUSED;
    }
    *out_answer = answer;
}

/* --- life --- */

enum err time_server_new(struct time_server **out_server)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct time_server), &memory));
    struct time_server *const server = memory;
    const enum err err = random_new(SPAN_NONE, &server->random);
    if (err != ERR_OK) {
        mem_free(server);
        TRY(err);
    }
    *out_server = server;
    return ERR_OK;
}

void time_server_free(struct time_server *server)
{
    if (server == NULL) {
        return;
    }
    forget_keys(server);
    random_free(server->random);
    mem_free(server);
}
