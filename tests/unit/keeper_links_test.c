/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keeper's side of the worker's channels: what it answers, and that a worker that breaks the rules loses them all. */
#include "firmware/keeper/keeper_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/ct.h"
#include "firmware/keeper/tls_content.h"
#include "firmware/worker/keeper_link.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/process.h"
#include "hal/socket.h"
#include "tests/lib/token_ask.h"
#include "tests/lib/vault_box.h"

#define REACTOR 2 /* number of the first reactor's link */
#define WAIT_MS 20000

struct fixture {
    struct box *box;
    struct keeper *keeper;
    struct msg_channel *supervisor; /* upper end of the control channel */
    struct msg_channel *reactor;    /* the worker's ends */
    struct msg_channel *calls;
    struct msg_channel *notices;
    uint8_t public_key[SIGN_PUBLIC_BYTES];
};

static struct msg_channel *attach(struct fixture *f, enum msg_fd_kind kind, enum msg_channel_kind channel, uint32_t index)
{
    struct msg_channel *lower = NULL;
    struct msg msg = MSG_NEW(MSG_KEEPER_WORKER);
    int ends[2];

    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[1]), ERR_OK);
    assert_int_equal(msg_channel_new(ends[1], channel, MSG_LOWER, &lower), ERR_OK);
    msg.as.with_fd.kind = kind;
    msg.as.with_fd.index = index;
    msg.fd = ends[0];
    assert_int_equal(keeper_links_add(f->keeper, &msg), ERR_OK);
    assert_int_equal(msg.fd, -1);
    return lower;
}

static void make_keeper(struct fixture *f)
{
    void *memory = NULL;
    const struct secret *key = NULL;
    SCOPED_BUF struct buf *der = NULL;
    int ends[2];

    assert_int_equal(mem_alloc(sizeof(struct keeper), &memory), ERR_OK);
    f->keeper = memory;
    f->keeper->clock = &f->box->clock.base;
    f->keeper->vault = f->box->vault;
    f->keeper->state = vault_state(f->box->vault) == BOARD_OPERATIONAL ? MSG_OPERATIONAL : MSG_LOCKED;
    assert_int_equal(poller_new(&f->keeper->poller), ERR_OK);
    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[0]), ERR_OK);
    assert_int_equal(msg_channel_new(ends[0], MSG_TO_KEEPER, MSG_UPPER, &f->supervisor), ERR_OK);
    assert_int_equal(msg_channel_new(ends[1], MSG_TO_KEEPER, MSG_LOWER, &f->keeper->control), ERR_OK);
    assert_int_equal(identity_new(f->keeper->clock, &f->keeper->identity), ERR_OK);
    assert_int_equal(identity_load(f->keeper->identity, f->box->vault), ERR_OK);
    assert_int_equal(tokens_new(f->keeper->clock, &f->keeper->tokens), ERR_OK);
    assert_int_equal(tpm_thread_start(sim_tpm_hal(f->box->tpm), f->box->vault, NULL, &f->keeper->tpm_thread), ERR_OK);
    assert_int_equal(buf_new(X509_DER_MAX, &der), ERR_OK);
    assert_int_equal(vault_identity(f->box->vault, der, &key), ERR_OK);
    assert_int_equal(sign_public(key, f->public_key), ERR_OK);
    keeper_tickets_rotate(f->keeper);
    f->calls = attach(f, MSG_FD_CALLS, MSG_CALLS, 0);
    f->notices = attach(f, MSG_FD_NOTICES, MSG_NOTICES, 1);
    f->reactor = attach(f, MSG_FD_REACTOR, MSG_REACTOR, REACTOR);
}

static void free_keeper(struct fixture *f)
{
    keeper_links_end(f->keeper);
    tpm_thread_end(f->keeper->tpm_thread);
    identity_free(f->keeper->identity);
    tokens_free(f->keeper->tokens);
    msg_channel_free(f->keeper->control);
    poller_free(f->keeper->poller);
    msg_channel_free(f->supervisor);
    msg_channel_free(f->reactor);
    msg_channel_free(f->calls);
    msg_channel_free(f->notices);
    mem_free(f->keeper);
}

static struct fixture *new_fixture(void)
{
    void *box = NULL;
    void *memory = NULL;

    assert_int_equal(make_box(&box), 0);
    assert_int_equal(mem_alloc(sizeof(struct fixture), &memory), ERR_OK);
    struct fixture *f = memory;
    f->box = box;
    return f;
}

static int set_up(void **state)
{
    struct fixture *f = new_fixture();

    (void)provision(f->box);
    make_keeper(f);
    *state = f;
    return 0;
}

/* A PIN is set and was not given. */
static int set_up_locked(void **state)
{
    struct fixture *f = new_fixture();

    assert_int_equal(start_with(f->box, span_lit("1234")), ERR_OK);
    assert_int_equal(start(f->box), ERR_PIN);
    make_keeper(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    void *box = f->box;

    free_keeper(f);
    assert_int_equal(free_box(&box), 0);
    mem_free(f);
    return 0;
}

static void serve(struct fixture *f, size_t link)
{
    keeper_links_serve(f->keeper, &f->keeper->links[link]);
}

static struct msg ask(struct fixture *f, struct msg_channel *from, size_t link, const struct msg *question)
{
    struct msg answer = {0};

    assert_int_equal(msg_send(from, question), ERR_OK);
    serve(f, link);
    assert_int_equal(msg_recv(from, MSG_OPERATIONAL, &answer), ERR_OK);
    return answer;
}

static struct msg request_13(size_t transcript_bytes)
{
    static const uint8_t transcript[SHA384_BYTES] = {1, 2, 3};
    struct msg request = MSG_NEW(MSG_SIGN_TLS13);

    request.as.sign_tls13.request = 42;
    request.as.sign_tls13.certificate = 1;
    assert_int_equal(MSG_SET(&request.as.sign_tls13.transcript, span_of(transcript, transcript_bytes)), ERR_OK);
    return request;
}

static struct msg request_12(uint32_t group, size_t point_bytes, uint8_t form)
{
    uint8_t point[MSG_POINT_MAX] = {form};
    struct msg request = MSG_NEW(MSG_SIGN_TLS12);

    request.as.sign_tls12.request = 42;
    request.as.sign_tls12.certificate = 1;
    request.as.sign_tls12.group = group;
    assert_int_equal(MSG_SET(&request.as.sign_tls12.point, span_of(point, point_bytes)), ERR_OK);
    return request;
}

static void assert_offence(struct fixture *f)
{
    struct msg msg = {0};

    assert_int_equal(msg_recv(f->supervisor, MSG_OPERATIONAL, &msg), ERR_OK);
    assert_int_equal(msg.type, MSG_KEEPER_OFFENCE);
    for (size_t i = 0; i < LINKS_MAX; i++) {
        assert_null(f->keeper->links[i].channel);
    }
    assert_int_equal(msg_recv(f->calls, MSG_OPERATIONAL, &msg), ERR_CLOSED);
    assert_int_equal(msg_recv(f->reactor, MSG_OPERATIONAL, &msg), ERR_CLOSED);
}

static void a_signature_is_about_the_fields_and_verifies(void **state)
{
    struct fixture *f = *state;
    static const uint8_t content[] = "                                                                "
                                     "TLS 1.3, server CertificateVerify";
    const struct msg request = request_13(SHA256_BYTES);
    struct sha256_stream stream;
    uint8_t digest[SHA256_BYTES];

    const struct msg answer = ask(f, f->reactor, REACTOR, &request);

    sha256_init(&stream);
    sha256_update(&stream, span_of(content, sizeof(content))); /* with its NUL: RFC 8446 section 4.4.3 */
    sha256_update(&stream, MSG_VIEW(&request.as.sign_tls13.transcript));
    sha256_final(&stream, digest);
    assert_int_equal(answer.type, MSG_SIGNED);
    assert_int_equal(answer.as.signature.err, ERR_OK);
    assert_true(answer.as.signature.request == 42);
    assert_int_equal(sign_verify_der(f->public_key, span_array(digest), MSG_VIEW(&answer.as.signature.signature),
                                     SIGN_LOW_S),
                     ERR_OK);
}

static void a_signature_of_tls_1_2_binds_randoms_group_and_point(void **state)
{
    struct fixture *f = *state;
    struct msg request = request_12(23, 65, 4);
    uint8_t content[32 + 32 + 4 + 65] = {0};
    uint8_t digest[SHA256_BYTES];
    memset(request.as.sign_tls12.client_random, 0xc1, 32);
    memset(request.as.sign_tls12.server_random, 0x5e, 32);

    const struct msg answer = ask(f, f->reactor, REACTOR, &request);

    memset(content, 0xc1, 32); /* RFC 8422 section 5.4 */
    memset(content + 32, 0x5e, 32);
    memcpy(content + 64, "\x03\x00\x17\x41\x04", 5);
    sha256(span_array(content), digest);
    assert_int_equal(answer.as.signature.err, ERR_OK);
    assert_int_equal(sign_verify_der(f->public_key, span_array(digest), MSG_VIEW(&answer.as.signature.signature),
                                     SIGN_LOW_S),
                     ERR_OK);
}

static void a_certificate_that_is_not_held_is_answered_and_no_offence(void **state)
{
    struct fixture *f = *state;
    struct msg request = request_13(SHA384_BYTES);
    request.as.sign_tls13.certificate = 9;

    const struct msg answer = ask(f, f->reactor, REACTOR, &request);

    assert_int_equal(answer.as.signature.err, ERR_STALE_KEY);
    assert_int_equal(answer.as.signature.signature.len, 0);
}

/* Asks that over the reactor's channel, and makes a new keeper for the next. */
static void assert_ends_in_offence(void **state, const struct msg *question)
{
    struct fixture *f = *state;

    assert_int_equal(msg_send(f->reactor, question), ERR_OK);
    serve(f, REACTOR);
    assert_offence(f);
    assert_int_equal(tear_down(state), 0);
    assert_int_equal(set_up(state), 0);
}

static void fields_of_no_handshake_are_an_offence(void **state)
{
    const struct msg wrong[] = {request_13(31),          request_13(0),          request_12(23, 64, 4),
                                request_12(23, 65, 2),   request_12(24, 65, 4),  request_12(29, 65, 4),
                                request_12(4588, 65, 4), request_12(0, 0, 0)};

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        assert_ends_in_offence(state, &wrong[i]);
    }
}

static void assert_bytes_are_an_offence(struct fixture *f, struct span bytes)
{
    assert_int_equal(channel_send(msg_channel_fd(f->reactor), bytes, NULL, 0), ERR_OK);
    serve(f, REACTOR);
    assert_offence(f);
}

static void bytes_that_are_no_message_are_an_offence(void **state)
{
    assert_bytes_are_an_offence(*state, span_lit("garbage"));
}

static void a_question_about_tables_over_a_reactors_channel_is_an_offence(void **state)
{
    uint8_t bytes[MSG_WIRE_MAX] = {0};
    put_u32be(bytes, MSG_KEY_NEW);

    assert_bytes_are_an_offence(*state, span_of(bytes, msg_size(MSG_KEY_NEW)));
}

static void a_table_key_is_an_offence_while_locked(void **state)
{
    struct fixture *f = *state;
    const struct msg request = MSG_NEW(MSG_KEY_NEW);

    assert_int_equal(msg_send(f->calls, &request), ERR_OK);
    serve(f, 0);

    assert_offence(f);
}

static void table_keys_are_made_opened_and_wrapped_again(void **state)
{
    struct fixture *f = *state;
    struct msg request = MSG_NEW(MSG_KEY_NEW);
    request.as.key_request.table = 300;

    const struct msg made = ask(f, f->calls, 0, &request);
    request.type = MSG_KEY_OPEN;
    request.as.key_request.wrapped = made.as.key.wrapped;
    const struct msg opened = ask(f, f->calls, 0, &request);
    const struct msg begin = MSG_NEW(MSG_ROTATE_BEGIN);
    assert_int_equal(ask(f, f->calls, 0, &begin).as.done.err, ERR_OK);
    const struct msg look = MSG_NEW(MSG_ROTATE_PENDING);
    assert_int_equal(ask(f, f->calls, 0, &look).as.done.pending, 1);
    request.type = MSG_KEY_REWRAP;
    const struct msg again = ask(f, f->calls, 0, &request);
    const struct msg end = MSG_NEW(MSG_ROTATE_END);
    assert_int_equal(ask(f, f->calls, 0, &end).as.done.err, ERR_OK);

    assert_int_equal(made.type, MSG_KEY);
    assert_memory_equal(opened.as.key.key, made.as.key.key, MSG_KEY_BYTES);
    assert_true(ct_is_zero(span_array(again.as.key.key)));
    request.type = MSG_KEY_OPEN;
    const struct msg old = ask(f, f->calls, 0, &request);
    assert_int_equal(old.type, MSG_DONE);
    assert_int_equal(old.as.done.err, ERR_STALE_KEY);
    request.as.key_request.wrapped = again.as.key.wrapped;
    assert_memory_equal(ask(f, f->calls, 0, &request).as.key.key, made.as.key.key, MSG_KEY_BYTES);
    request.as.key_request.table = 301;
    assert_int_equal(ask(f, f->calls, 0, &request).as.done.err, ERR_AUTH);
}


static void attack_09_claims_that_are_none_are_an_offence(void **state)
{
    static const char *const environments[] = {"dev\",\"typ\":\"x", "", "Dev"};

    for (size_t i = 0; i < ARRAY_LENGTH(environments); i++) {
        struct fixture *f = *state;
        const struct msg want_keys = token_ask_about(MSG_TOKEN_KEYS, TOKEN_ENVIRONMENT);
        const struct msg request = token_ask_sign(environments[i]);
        assert_int_equal(ask(f, f->calls, 0, &want_keys).type, MSG_TOKEN_PUBLIC);
        assert_ends_in_offence(state, &request);
    }
}

/* As many as a reactor has under way: no answer may find its channel full. */
static void the_answers_to_all_that_a_reactor_asks_at_once_fit_its_channel(void **state)
{
    struct fixture *f = *state;
    const struct msg want_keys = token_ask_about(MSG_TOKEN_KEYS, TOKEN_ENVIRONMENT);
    const struct msg request = token_ask_sign("dev");
    struct msg answer = {0};
    assert_int_equal(ask(f, f->calls, 0, &want_keys).type, MSG_TOKEN_PUBLIC);

    for (size_t i = 0; i < LINK_SENT_MAX; i++) {
        assert_int_equal(msg_send(f->reactor, &request), ERR_OK);
        serve(f, REACTOR);
    }

    for (size_t i = 0; i < LINK_SENT_MAX; i++) {
        assert_int_equal(msg_recv(f->reactor, MSG_OPERATIONAL, &answer), ERR_OK);
        assert_int_equal(answer.as.token_signed.err, ERR_OK);
    }
}

static void a_new_notices_channel_is_told_certificate_and_ticket_keys(void **state)
{
    struct fixture *f = *state;
    struct msg cert = {0};
    struct msg first = {0};
    struct msg second = {0};

    assert_int_equal(msg_recv(f->notices, MSG_STARTING, &cert), ERR_OK);
    assert_int_equal(msg_recv(f->notices, MSG_STARTING, &first), ERR_OK);
    keeper_tickets_rotate(f->keeper);
    keeper_links_tell_tickets(f->keeper);
    assert_int_equal(msg_recv(f->notices, MSG_OPERATIONAL, &second), ERR_OK);

    assert_int_equal(cert.type, MSG_CERT);
    assert_int_equal(cert.as.cert.number, 1);
    assert_int_equal(first.type, MSG_TICKETS);
    assert_int_equal(first.as.tickets.has_previous, 0);
    assert_int_equal(second.as.tickets.has_previous, 1);
    assert_memory_equal(second.as.tickets.previous_key, first.as.tickets.current_key, MSG_KEY_BYTES);
    assert_memory_not_equal(second.as.tickets.current_key, first.as.tickets.current_key, MSG_KEY_BYTES);
}

static void attack_14_ticket_keys_are_rotated_hourly_and_not_sooner(void **state)
{
    struct fixture *f = *state;
    struct msg cert = {0};
    struct msg told = {0};
    struct msg before = {0};

    assert_int_equal(msg_recv(f->notices, MSG_OPERATIONAL, &cert), ERR_OK);
    assert_int_equal(msg_recv(f->notices, MSG_OPERATIONAL, &before), ERR_OK);
    for (size_t hour = 0; hour < 3; hour++) {
        sim_clock_advance_ms(&f->box->clock, 59 * 60 * UINT64_C(1000));
        keeper_tickets_keep(f->keeper);
        assert_int_equal(msg_recv(f->notices, MSG_OPERATIONAL, &told), ERR_AGAIN);

        sim_clock_advance_ms(&f->box->clock, 60 * UINT64_C(1000));
        keeper_tickets_keep(f->keeper);

        assert_int_equal(msg_recv(f->notices, MSG_OPERATIONAL, &told), ERR_OK);
        assert_int_equal(told.type, MSG_TICKETS);
        assert_int_equal(told.as.tickets.has_previous, 1);
        assert_memory_equal(told.as.tickets.previous_key, before.as.tickets.current_key, MSG_KEY_BYTES);
        assert_memory_equal(told.as.tickets.previous_name, before.as.tickets.current_name, MSG_TICKET_NAME_BYTES);
        assert_memory_not_equal(told.as.tickets.current_key, before.as.tickets.current_key, MSG_KEY_BYTES);
        before = told;
    }
}

static void handshakes_of_before_a_renewal_still_get_their_signature_and_older_ones_do_not(void **state)
{
    struct fixture *f = *state;
    struct msg request = request_13(SHA256_BYTES);
    assert_int_equal(identity_load(f->keeper->identity, f->box->vault), ERR_OK);

    assert_int_equal(ask(f, f->reactor, REACTOR, &request).as.signature.err, ERR_OK);
    assert_int_equal(identity_load(f->keeper->identity, f->box->vault), ERR_OK);
    assert_int_equal(ask(f, f->reactor, REACTOR, &request).as.signature.err, ERR_STALE_KEY);
    request.as.sign_tls13.certificate = 3;
    assert_int_equal(ask(f, f->reactor, REACTOR, &request).as.signature.err, ERR_OK);
    assert_true(identity_count(f->keeper->identity) == 2);
}

static void signatures_beyond_the_rate_are_refused_until_time_passes(void **state)
{
    struct fixture *f = *state;
    struct msg_signature signature;
    const struct msg request = request_13(SHA256_BYTES);
    enum err err = ERR_OK;

    for (size_t i = 0; i < CONFIG_KEEPER_SIGNATURES_PER_S; i++) {
        err = identity_sign(f->keeper->identity, &request, &signature);
        assert_int_equal(err, ERR_OK);
    }
    assert_int_equal(identity_sign(f->keeper->identity, &request, &signature), ERR_LIMIT);
    assert_int_equal(ask(f, f->reactor, REACTOR, &request).as.signature.err, ERR_LIMIT);

    sim_clock_advance_ms(&f->box->clock, 1);
    assert_int_equal(identity_sign(f->keeper->identity, &request, &signature), ERR_OK);
}

static struct msg unlock_request(uint32_t kind, const char *text)
{
    struct msg request = MSG_NEW(MSG_UNLOCK);

    request.as.unlock.request = 7;
    request.as.unlock.kind = kind;
    assert_int_equal(MSG_SET(&request.as.unlock.text, span_str(text)), ERR_OK);
    return request;
}

/* Waits for the TPM thread and gives its answer to whoever asked, as keeper.c does. */
static void finish_try(struct fixture *f)
{
    struct poller_event event;
    struct tpm_job job;
    size_t count = 0;
    SCOPED_POLLER struct poller *poller = NULL;

    assert_int_equal(poller_new(&poller), ERR_OK);
    assert_int_equal(poller_add(poller, tpm_thread_fd(f->keeper->tpm_thread), POLLER_READ, NULL), ERR_OK);
    enum err done = ERR_AGAIN;
    while (done == ERR_AGAIN) { /* readable also when the last result was just taken */
        assert_int_equal(poller_wait(poller, WAIT_MS, &event, 1, &count), ERR_OK);
        assert_int_equal(count, 1);
        done = tpm_thread_done(f->keeper->tpm_thread, &job);
    }
    assert_int_equal(done, ERR_OK);
    keeper_links_answer_unlock(f->keeper, &job);
}

static enum err finish_unlock(struct fixture *f)
{
    struct msg answer = {0};

    finish_try(f);
    assert_int_equal(msg_recv(f->reactor, MSG_LOCKED, &answer), ERR_OK);
    assert_int_equal(answer.type, MSG_UNLOCKED);
    assert_true(answer.as.unlocked.request == 7);
    return (enum err)answer.as.unlocked.err;
}

static void one_try_a_second_unlocks(void **state)
{
    struct fixture *f = *state;
    const struct msg wrong = unlock_request(MSG_UNLOCK_PIN, "0000");
    const struct msg right = unlock_request(MSG_UNLOCK_PIN, "1234");

    assert_int_equal(msg_send(f->reactor, &wrong), ERR_OK);
    serve(f, REACTOR);
    assert_int_equal(finish_unlock(f), ERR_PIN);
    assert_int_equal(ask(f, f->reactor, REACTOR, &right).as.unlocked.err, ERR_LIMIT);
    sim_clock_advance_ms(&f->box->clock, 999);
    assert_int_equal(ask(f, f->reactor, REACTOR, &right).as.unlocked.err, ERR_LIMIT);
    sim_clock_advance_ms(&f->box->clock, 1);
    assert_int_equal(msg_send(f->reactor, &right), ERR_OK);
    serve(f, REACTOR);
    assert_int_equal(finish_unlock(f), ERR_OK);
    assert_int_equal(vault_state(f->box->vault), BOARD_OPERATIONAL);
}

static void the_answer_to_a_worker_that_is_gone_does_not_go_to_its_successor(void **state)
{
    struct fixture *f = *state;
    const struct msg wrong = unlock_request(MSG_UNLOCK_PIN, "0000");
    struct msg answer = {0};
    assert_int_equal(msg_send(f->reactor, &wrong), ERR_OK);
    serve(f, REACTOR);
    msg_channel_free(f->calls);
    msg_channel_free(f->reactor);
    f->calls = attach(f, MSG_FD_CALLS, MSG_CALLS, 0);
    f->reactor = attach(f, MSG_FD_REACTOR, MSG_REACTOR, REACTOR);

    finish_try(f);

    assert_int_equal(msg_recv(f->reactor, MSG_LOCKED, &answer), ERR_AGAIN);
}

static void an_operational_box_is_not_unlocked_and_its_tpm_not_asked(void **state)
{
    struct fixture *f = *state;
    const struct msg request = unlock_request(MSG_UNLOCK_PIN, "1234");
    const size_t calls = sim_tpm_calls(f->box->tpm);

    assert_int_equal(ask(f, f->reactor, REACTOR, &request).as.unlocked.err, ERR_STATE);

    assert_false(tpm_thread_is_busy(f->keeper->tpm_thread));
    assert_int_equal(sim_tpm_calls(f->box->tpm), calls);
}

static void a_reactor_that_ends_leaves_the_other_channels_open(void **state)
{
    struct fixture *f = *state;
    const struct msg look = MSG_NEW(MSG_ROTATE_PENDING);
    struct msg msg = {0};

    msg_channel_free(f->reactor);
    f->reactor = NULL;
    serve(f, REACTOR);

    assert_int_equal(ask(f, f->calls, 0, &look).as.done.err, ERR_OK);
    assert_int_equal(msg_recv(f->supervisor, MSG_OPERATIONAL, &msg), ERR_AGAIN);
}

static void the_channels_of_a_new_worker_end_those_of_the_old_one(void **state)
{
    struct fixture *f = *state;
    struct msg msg = {0};

    struct msg_channel *calls = attach(f, MSG_FD_CALLS, MSG_CALLS, 0);

    assert_int_equal(msg_recv(f->calls, MSG_OPERATIONAL, &msg), ERR_CLOSED);
    assert_int_equal(msg_recv(f->reactor, MSG_OPERATIONAL, &msg), ERR_CLOSED);
    msg_channel_free(calls);
}

#define OPERATIONAL(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define LOCKED(name)      cmocka_unit_test_setup_teardown(name, set_up_locked, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPERATIONAL(a_signature_is_about_the_fields_and_verifies),
        OPERATIONAL(a_signature_of_tls_1_2_binds_randoms_group_and_point),
        OPERATIONAL(a_certificate_that_is_not_held_is_answered_and_no_offence),
        OPERATIONAL(fields_of_no_handshake_are_an_offence),
        OPERATIONAL(bytes_that_are_no_message_are_an_offence),
        OPERATIONAL(a_question_about_tables_over_a_reactors_channel_is_an_offence),
        LOCKED(a_table_key_is_an_offence_while_locked),
        OPERATIONAL(table_keys_are_made_opened_and_wrapped_again),
        OPERATIONAL(attack_09_claims_that_are_none_are_an_offence),
        OPERATIONAL(the_answers_to_all_that_a_reactor_asks_at_once_fit_its_channel),
        OPERATIONAL(a_new_notices_channel_is_told_certificate_and_ticket_keys),
        OPERATIONAL(attack_14_ticket_keys_are_rotated_hourly_and_not_sooner),
        OPERATIONAL(handshakes_of_before_a_renewal_still_get_their_signature_and_older_ones_do_not),
        OPERATIONAL(signatures_beyond_the_rate_are_refused_until_time_passes),
        LOCKED(one_try_a_second_unlocks),
        LOCKED(the_answer_to_a_worker_that_is_gone_does_not_go_to_its_successor),
        OPERATIONAL(an_operational_box_is_not_unlocked_and_its_tpm_not_asked),
        OPERATIONAL(a_reactor_that_ends_leaves_the_other_channels_open),
        OPERATIONAL(the_channels_of_a_new_worker_end_those_of_the_old_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
