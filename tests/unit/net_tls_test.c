/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/tls.h against a wolfSSL client, in memory: no socket, no clock, and a signer that answers when the test says so. */
#include "net/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/aead.h"
#include "crypto/crypto.h"
#include "tests/lib/tls_peer.h"

#define ROUNDS 20

struct fixture {
    struct tls_keeper keeper;
    struct secret_slab *slab;
    struct snapshot_cell *cell;
    struct tls_server *server;
    struct tls_waiter waiter;
    size_t resumed;
    struct tls *tls;
    struct tls_peer *peer;
    struct buf *out;   /* from the server, not yet fed to the peer */
    struct buf *plain; /* what the server read */
};

static struct fixture *the_fixture; /* the waiter carries no context of a test */

static void count_resume(struct tls_waiter *waiter)
{
    the_fixture->resumed++;
}

static struct snapshot *ticket_keys(uint8_t current, uint8_t previous)
{
    struct tls_ticket_key keys[2];
    struct snapshot *snapshot = NULL;

    memset(&keys[0], current, sizeof(keys[0]));
    memset(&keys[1], previous, sizeof(keys[1]));
    assert_int_equal(tls_ticket_keys_new(&keys[0], previous == 0 ? NULL : &keys[1], &snapshot), ERR_OK);
    return snapshot;
}

static void open_server(struct fixture *f, struct tls_server **out_server)
{
    const struct tls_server_options options = {
        .signer = tls_keeper_face(&f->keeper),
        .ticket_keys = f->cell,
        .ticket_slot = 0,
        .slab = f->slab,
    };

    assert_int_equal(tls_server_new(&options, out_server), ERR_OK);
    assert_int_equal(tls_server_cert(*out_server, 1, span_str(tls_peer_certificate)), ERR_OK);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *const f = &fixture;

    memset(f, 0, sizeof(*f));
    the_fixture = f;
    tls_keeper_open(&f->keeper);
    assert_int_equal(crypto_slab_new(&f->slab), ERR_OK);
    assert_int_equal(snapshot_cell_new(2, ticket_keys(1, 0), &f->cell), ERR_OK);
    open_server(f, &f->server);
    f->waiter.on_resume = count_resume;
    assert_int_equal(buf_new(1 << 20, &f->out), ERR_OK);
    assert_int_equal(buf_new(1 << 20, &f->plain), ERR_OK);
    *state = f;
    return 0;
}

static void hang_up(struct fixture *f)
{
    tls_free(f->tls);
    f->tls = NULL;
    tls_peer_free(f->peer);
    f->peer = NULL;
    buf_reset(f->out);
    buf_reset(f->plain);
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;

    hang_up(f);
    buf_free(f->out);
    buf_free(f->plain);
    tls_server_free(f->server);
    snapshot_cell_free(f->cell);
    secret_slab_free(f->slab);
    tls_keeper_close(&f->keeper);
    return 0;
}

static void call(struct fixture *f, const struct tls_peer_options *options)
{
    f->peer = tls_peer_new(options);
    assert_int_equal(tls_new(f->server, &f->waiter, &f->tls), ERR_OK);
}

/* Carries what the peer has sent to the server and back, once. */
static enum err serve(struct fixture *f)
{
    struct tls_io io = {.in = buf_unread(tls_peer_out(f->peer)), .out = f->out};
    const enum err err = tls_handshake(f->tls, &io);

    assert_true(err != ERR_AGAIN || io.in.len == 0);
    buf_reset(tls_peer_out(f->peer));
    tls_peer_feed(f->peer, buf_all(f->out));
    buf_reset(f->out);
    return err;
}

/* The whole handshake; the keeper answers one round after it was asked. */
static enum err shake_hands(struct fixture *f)
{
    enum err server = ERR_AGAIN;
    int client = 1;

    for (size_t i = 0; i < ROUNDS && (client != 0 || server != ERR_OK); i++) {
        client = tls_peer_connect(f->peer);
        if (f->keeper.job != NULL) {
            assert_true(tls_is_parked(f->tls));
            tls_keeper_answer(&f->keeper);
        }
        if (server == ERR_AGAIN) {
            server = serve(f);
        }
        if (client < 0 || (server != ERR_OK && server != ERR_AGAIN)) {
            return server == ERR_AGAIN || server == ERR_OK ? ERR_CLOSED : server;
        }
    }
    return client == 0 ? server : ERR_AGAIN;
}

/* A byte each way. */
static void assert_talks(struct fixture *f)
{
    SCOPED_BUF struct buf *answer = NULL;
    struct tls_io io = {.in = SPAN_NONE, .out = f->out};

    assert_int_equal(buf_new(65536, &answer), ERR_OK);
    tls_peer_write(f->peer, span_lit("ping"));
    io.in = buf_unread(tls_peer_out(f->peer));
    assert_int_equal(tls_read(f->tls, &io, f->plain), ERR_OK);
    buf_reset(tls_peer_out(f->peer));
    assert_true(span_equal(buf_all(f->plain), span_lit("ping")));
    assert_int_equal(tls_write(f->tls, &io, span_lit("pong")), ERR_OK);
    tls_peer_feed(f->peer, buf_all(f->out));
    buf_reset(f->out);
    assert_true(tls_peer_read(f->peer, answer));
    assert_true(span_equal(buf_all(answer), span_lit("pong")));
    buf_reset(f->plain);
}

static void tls_13_handshake_parks_for_the_signature_and_finishes(void **state)
{
    struct fixture *const f = *state;

    call(f, &(struct tls_peer_options){.version = 0x0304, .protocol = "http/1.1", .server_name = "localhost"});
    assert_int_equal(tls_peer_connect(f->peer), 1);
    assert_int_equal(serve(f), ERR_AGAIN);
    assert_true(tls_is_parked(f->tls));
    assert_int_equal(serve(f), ERR_AGAIN); /* parked: nothing moves without the answer */
    assert_int_equal(f->keeper.started, 1);
    assert_int_equal(f->keeper.last.kind, TLS_SIGN_13);
    tls_keeper_answer(&f->keeper);
    assert_int_equal(f->resumed, 1);

    assert_int_equal(shake_hands(f), ERR_OK);
    assert_int_equal(tls_info(f->tls).version, 0x0304);
    assert_false(tls_info(f->tls).resumed);
    assert_talks(f);
}

static void tls_12_handshake_parks_for_the_signature_and_finishes(void **state)
{
    struct fixture *const f = *state;

    call(f, &(struct tls_peer_options){.version = 0x0303, .protocol = "http/1.1"});

    assert_int_equal(shake_hands(f), ERR_OK);
    assert_int_equal(f->keeper.started, 1);
    assert_int_equal(f->keeper.last.kind, TLS_SIGN_12);
    assert_int_equal(tls_info(f->tls).version, 0x0303);
    assert_talks(f);
}

static void tls_handshakes_use_each_group_that_is_offered(void **state)
{
    static const struct {
        unsigned int version;
        const char *group;
        uint16_t signed_group;
    } cases[] = {
        {0x0304, "X25519MLKEM768", 0}, {0x0304, "X25519", 0}, {0x0304, "P-256", 0}, {0x0304, "P-384", 0},
        {0x0303, "X25519", 29},        {0x0303, "P-256", 23}, {0x0303, "P-384", 24},
    };
    struct fixture *const f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        call(f, &(struct tls_peer_options){.version = cases[i].version, .groups = cases[i].group});
        const enum err err = shake_hands(f);

        if (err != ERR_OK) {
            fail_msg("%x %s: %s", cases[i].version, cases[i].group, err_name(err));
        }
        assert_int_equal(f->keeper.last.group, cases[i].signed_group);
        assert_talks(f);
        hang_up(f);
    }
}

static void tls_handshakes_use_each_suite(void **state)
{
    static const struct {
        unsigned int version;
        const char *suite;
    } cases[] = {
        {0x0304, "TLS13-AES128-GCM-SHA256"},        {0x0304, "TLS13-AES256-GCM-SHA384"},
        {0x0304, "TLS13-CHACHA20-POLY1305-SHA256"}, {0x0303, "ECDHE-ECDSA-AES128-GCM-SHA256"},
        {0x0303, "ECDHE-ECDSA-AES256-GCM-SHA384"},  {0x0303, "ECDHE-ECDSA-CHACHA20-POLY1305"},
    };
    struct fixture *const f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        call(f, &(struct tls_peer_options){.version = cases[i].version, .suites = cases[i].suite});
        const enum err err = shake_hands(f);

        if (err != ERR_OK) {
            fail_msg("%s: %s", cases[i].suite, err_name(err));
        }
        assert_talks(f);
        hang_up(f);
    }
}

static void attack_14_tls_refuses_other_groups_protocols_and_garbage(void **state)
{
    struct fixture *const f = *state;

    call(f, &(struct tls_peer_options){.version = 0x0304, .groups = "P-521"});
    assert_int_not_equal(shake_hands(f), ERR_OK);
    hang_up(f);
    call(f, &(struct tls_peer_options){.version = 0x0304, .protocol = "h2"});
    assert_int_equal(shake_hands(f), ERR_UNSUPPORTED);
    hang_up(f);
    call(f, &(struct tls_peer_options){.version = 0x0304});
    struct tls_io io = {.in = span_lit("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), .out = f->out};
    assert_int_not_equal(tls_handshake(f->tls, &io), ERR_AGAIN);
}

/* A ClientHello of TLS 1.1 as an old client sends it: version 3.2, no supported_versions. */
static void attack_14_tls_refuses_a_hello_of_tls_11(void **state)
{
    static const uint8_t body[] = {
        0x16, 0x03, 0x01, 0x00, 0x39, 0x01, 0x00, 0x00, 0x35, 0x03, 0x02, 1,    2,    3,    4,    5,
        6,    7,    8,    9,    10,   11,   12,   13,   14,   15,   16,   17,   18,   19,   20,   21,
        22,   23,   24,   25,   26,   27,   28,   29,   30,   31,   32,   0x00, 0x00, 0x04, 0xc0, 0x2b,
        0xc0, 0x2c, 0x01, 0x00, 0x00, 0x08, 0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17};
    struct fixture *const f = *state;
    struct tls_io io = {.in = span_array(body), .out = f->out};

    assert_int_equal(tls_new(f->server, &f->waiter, &f->tls), ERR_OK);

    assert_int_equal(tls_handshake(f->tls, &io), ERR_UNSUPPORTED);
    assert_true(buf_len(f->out) >= 7);
    assert_int_equal(buf_all(f->out).data[0], 21); /* an alert */
    assert_int_equal(buf_all(f->out).data[6], 70); /* protocol_version */
}

static void tls_a_wrong_signature_never_leaves_the_process(void **state)
{
    static const unsigned int versions[] = {0x0304, 0x0303};
    struct fixture *const f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(versions); i++) {
        call(f, &(struct tls_peer_options){.version = versions[i]});
        assert_int_equal(tls_peer_connect(f->peer), 1);
        assert_int_equal(serve(f), ERR_AGAIN);
        tls_keeper_answer_wrong(&f->keeper);

        assert_int_equal(serve(f), ERR_AUTH);
        assert_int_not_equal(tls_peer_connect(f->peer), 0);
        hang_up(f);
    }
}

static void tls_a_signer_that_fails_ends_the_handshake(void **state)
{
    struct fixture *const f = *state;

    call(f, &(struct tls_peer_options){.version = 0x0304});
    assert_int_equal(tls_peer_connect(f->peer), 1);
    assert_int_equal(serve(f), ERR_AGAIN);
    tls_keeper_fail(&f->keeper, ERR_LIMIT);

    assert_int_equal(serve(f), ERR_STATE);
}

static void tls_free_cancels_a_signature_under_way(void **state)
{
    struct fixture *const f = *state;

    call(f, &(struct tls_peer_options){.version = 0x0304});
    assert_int_equal(tls_peer_connect(f->peer), 1);
    assert_int_equal(serve(f), ERR_AGAIN);
    hang_up(f);

    assert_int_equal(f->keeper.cancelled, 1);
    assert_null(f->keeper.job);
}

/* Shakes hands and hands the ticket over. */
static void get_ticket(struct fixture *f, unsigned int version)
{
    call(f, &(struct tls_peer_options){.version = version});
    assert_int_equal(shake_hands(f), ERR_OK);
    assert_talks(f); /* the client reads its ticket */
}

static enum err resume_with(struct fixture *f, struct tls_server *server, unsigned int version, struct tls_peer *old)
{
    tls_free(f->tls);
    f->tls = NULL;
    f->peer = tls_peer_new(&(struct tls_peer_options){.version = version, .resume = old});
    assert_int_equal(tls_new(server, &f->waiter, &f->tls), ERR_OK);
    return shake_hands(f);
}

static void tls_sessions_follow_from_each_other_without_a_failure(void **state)
{
    struct fixture *const f = *state;
    size_t full = 0;

    snapshot_publish(f->cell, ticket_keys(1, 0));
    get_ticket(f, 0x0304);
    for (size_t i = 0; i < 300; i++) { /* more than the 256 tickets that one byte counts */
        struct tls_peer *const before = f->peer;

        assert_int_equal(resume_with(f, f->server, 0x0304, before), ERR_OK);
        full += tls_peer_resumed(f->peer) ? 0 : 1;
        assert_talks(f);
        tls_peer_free(before);
    }
    assert_int_equal(full, 1);
    hang_up(f);
}

static void attack_14_tls_tickets_open_at_another_reactor_and_until_the_second_rotation(void **state)
{
    static const unsigned int versions[] = {0x0304, 0x0303};
    struct fixture *const f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(versions); i++) {
        struct tls_server *other = NULL;
        const struct tls_server_options options = {
            .signer = tls_keeper_face(&f->keeper), .ticket_keys = f->cell, .ticket_slot = 1, .slab = f->slab};

        snapshot_publish(f->cell, ticket_keys(1, 0));
        get_ticket(f, versions[i]);
        struct tls_peer *const first = f->peer;
        assert_int_equal(tls_server_new(&options, &other), ERR_OK);
        assert_int_equal(tls_server_cert(other, 1, span_str(tls_peer_certificate)), ERR_OK);
        const size_t signatures = f->keeper.started;

        snapshot_publish(f->cell, ticket_keys(2, 1));
        assert_int_equal(resume_with(f, other, versions[i], first), ERR_OK);
        assert_true(tls_peer_resumed(f->peer));
        assert_true(tls_info(f->tls).resumed);
        assert_int_equal(f->keeper.started, signatures);
        assert_talks(f);
        tls_peer_free(f->peer);

        snapshot_publish(f->cell, ticket_keys(3, 2));
        assert_int_equal(resume_with(f, other, versions[i], first), ERR_OK);
        assert_false(tls_peer_resumed(f->peer));
        assert_int_equal(f->keeper.started, signatures + 1);
        assert_talks(f);

        hang_up(f);
        tls_peer_free(first);
        tls_server_free(other);
    }
}

/* psk_dhe_ke alone: RFC 8446 section 4.2.9. */
static void attack_14_tls_no_session_is_resumed_without_a_new_key_exchange(void **state)
{
    struct fixture *const f = *state;

    snapshot_publish(f->cell, ticket_keys(1, 0));
    get_ticket(f, 0x0304);
    struct tls_peer *const first = f->peer;
    assert_int_equal(resume_with(f, f->server, 0x0304, first), ERR_OK);
    assert_true(tls_info(f->tls).resumed);
    assert_string_not_equal(tls_info(f->tls).group, "");
    hang_up(f);

    f->peer = tls_peer_new(&(struct tls_peer_options){.version = 0x0304, .resume = first, .psk_ke = true});
    assert_int_equal(tls_new(f->server, &f->waiter, &f->tls), ERR_OK);
    assert_int_not_equal(shake_hands(f), ERR_OK);
    hang_up(f);
    tls_peer_free(first);
}

static void tls_without_ticket_keys_serves_without_tickets(void **state)
{
    static const unsigned int versions[] = {0x0304, 0x0303};
    struct fixture *const f = *state;
    struct snapshot_cell *empty = NULL;
    struct tls_server *server = NULL;

    assert_int_equal(snapshot_cell_new(1, NULL, &empty), ERR_OK);
    const struct tls_server_options options = {
        .signer = tls_keeper_face(&f->keeper), .ticket_keys = empty, .slab = f->slab};
    assert_int_equal(tls_server_new(&options, &server), ERR_OK);
    assert_int_equal(tls_server_cert(server, 1, span_str(tls_peer_certificate)), ERR_OK);

    for (size_t i = 0; i < ARRAY_LENGTH(versions); i++) {
        f->peer = tls_peer_new(&(struct tls_peer_options){.version = versions[i]});
        assert_int_equal(tls_new(server, &f->waiter, &f->tls), ERR_OK);
        assert_int_equal(shake_hands(f), ERR_OK);
        assert_talks(f);
        hang_up(f);
    }
    tls_server_free(server);
    snapshot_cell_free(empty);
}

static void tls_server_cert_swaps_the_chain_under_open_connections(void **state)
{
    struct fixture *const f = *state;

    call(f, &(struct tls_peer_options){.version = 0x0304});
    assert_int_equal(tls_peer_connect(f->peer), 1);
    assert_int_equal(serve(f), ERR_AGAIN); /* parked with the old one */
    assert_int_equal(f->keeper.last.certificate, 1);
    assert_int_equal(tls_server_cert(f->server, 2, span_str(tls_peer_certificate)), ERR_OK);
    tls_keeper_answer(&f->keeper);
    assert_int_equal(shake_hands(f), ERR_OK);
    assert_talks(f);
    hang_up(f);

    call(f, &(struct tls_peer_options){.version = 0x0303});
    assert_int_equal(shake_hands(f), ERR_OK);
    assert_int_equal(f->keeper.last.certificate, 2);
}

static void tls_server_cert_refuses_what_is_no_p256_chain(void **state)
{
    struct fixture *const f = *state;

    assert_int_equal(tls_server_cert(f->server, 1, span_lit("")), ERR_MALFORMED);
    assert_int_equal(tls_server_cert(f->server, 1, span_lit("-----BEGIN CERTIFICATE-----\nAAAA\n")), ERR_MALFORMED);
    call(f, &(struct tls_peer_options){.version = 0x0304}); /* the old one stays */
    assert_int_equal(shake_hands(f), ERR_OK);
}

static void tls_new_without_a_certificate_is_refused(void **state)
{
    struct fixture *const f = *state;
    const struct tls_server_options options = {.signer = tls_keeper_face(&f->keeper), .slab = f->slab};
    struct tls_server *bare = NULL;
    struct tls *tls = NULL;

    assert_int_equal(tls_server_new(&options, &bare), ERR_OK);
    assert_int_equal(tls_new(bare, &f->waiter, &tls), ERR_STATE);
    tls_server_free(bare);
}

static void tls_read_tells_of_the_end_and_of_a_changed_record(void **state)
{
    struct fixture *const f = *state;

    call(f, &(struct tls_peer_options){.version = 0x0304});
    assert_int_equal(shake_hands(f), ERR_OK);
    assert_talks(f);
    tls_peer_write(f->peer, span_lit("ping"));
    const struct span sent = buf_unread(tls_peer_out(f->peer));
    uint8_t record[256];
    assert_true(sent.len <= sizeof(record));
    memcpy(record, sent.data, sent.len);
    record[sent.len - 1] ^= 1;
    struct tls_io io = {.in = span_of(record, sent.len), .out = f->out};

    assert_int_equal(tls_read(f->tls, &io, f->plain), ERR_AUTH);
    assert_int_equal(buf_len(f->plain), 0);
}

static void tls_records_carry_up_to_16_kib(void **state)
{
    static uint8_t body[TLS_RECORD_PLAIN];
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *answer = NULL;
    struct tls_io io = {.in = SPAN_NONE, .out = f->out};

    assert_int_equal(buf_new(65536, &answer), ERR_OK);
    call(f, &(struct tls_peer_options){.version = 0x0304});
    assert_int_equal(shake_hands(f), ERR_OK);
    assert_int_equal(tls_write(f->tls, &io, span_array(body)), ERR_OK);
    assert_true(buf_len(f->out) <= TLS_RECORD_ROOM);
    tls_peer_feed(f->peer, buf_all(f->out));
    assert_true(tls_peer_read(f->peer, answer));
    assert_int_equal(buf_len(answer), sizeof(body));
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(tls_13_handshake_parks_for_the_signature_and_finishes),
        FIXTURE_TEST(tls_12_handshake_parks_for_the_signature_and_finishes),
        FIXTURE_TEST(tls_handshakes_use_each_group_that_is_offered),
        FIXTURE_TEST(tls_handshakes_use_each_suite),
        FIXTURE_TEST(attack_14_tls_refuses_other_groups_protocols_and_garbage),
        FIXTURE_TEST(attack_14_tls_refuses_a_hello_of_tls_11),
        FIXTURE_TEST(tls_a_wrong_signature_never_leaves_the_process),
        FIXTURE_TEST(tls_a_signer_that_fails_ends_the_handshake),
        FIXTURE_TEST(tls_free_cancels_a_signature_under_way),
        FIXTURE_TEST(attack_14_tls_tickets_open_at_another_reactor_and_until_the_second_rotation),
        FIXTURE_TEST(attack_14_tls_no_session_is_resumed_without_a_new_key_exchange),
        FIXTURE_TEST(tls_sessions_follow_from_each_other_without_a_failure),
        FIXTURE_TEST(tls_without_ticket_keys_serves_without_tickets),
        FIXTURE_TEST(tls_server_cert_swaps_the_chain_under_open_connections),
        FIXTURE_TEST(tls_server_cert_refuses_what_is_no_p256_chain),
        FIXTURE_TEST(tls_new_without_a_certificate_is_refused),
        FIXTURE_TEST(tls_read_tells_of_the_end_and_of_a_changed_record),
        FIXTURE_TEST(tls_records_carry_up_to_16_kib),
    };

    if (crypto_start() != ERR_OK) {
        return 1;
    }
    return cmocka_run_group_tests_name("net/tls", tests, NULL, NULL);
}
