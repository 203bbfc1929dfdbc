/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/courier/time_server.h against a server on loopback that answers well, late, forged and not at all. */
#include "firmware/courier/time_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>

#include "crypto/crypto.h"
#include "hal/base/fault.h"
#include "hal/resolve.h"
#include "tests/data/tls_client_known.h"
#include "tests/lib/nts_server.h"

#define NS_PER_S INT64_C(1000000000)
#define AHEAD_NS (3600 * NS_PER_S + 123456789) /* of the servers */
#define NEAR_NS  5000000 /* of the calendar, which is read here in milliseconds */

struct fixture {
    struct nts_server *peer;
    struct time_server *server;
    struct tls_roots *roots;
    struct outbound_destination to;
    uint64_t wait_ms;
    struct courier_answer answer;
    struct outbound_reading reading;
};

static const struct nts_server_options good = {
    .certificate = known_good, .key = known_key, .protocol = "ntske/1", .ahead_ns = AHEAD_NS};

static void start(struct fixture *f, const struct nts_server_options *options)
{
    *f = (struct fixture){.wait_ms = 20000};
    f->peer = nts_server_new(options);
    f->to = (struct outbound_destination){.kind = OUTBOUND_TIME, .tls = OUTBOUND_TLS, .host = span_lit("localhost"),
                                          .port = nts_server_key_port(f->peer)};
    assert_int_equal(time_server_new(&f->server), ERR_OK);
    assert_int_equal(tls_roots_new(TLS_ROOTS_PINNED, span_str(known_ca), &f->roots), ERR_OK);
}

static void start_in_clear(struct fixture *f, enum nts_server_answer answer)
{
    const struct nts_server_options options = {.ahead_ns = AHEAD_NS, .answer = answer};

    start(f, &options);
    f->to.tls = OUTBOUND_CLEAR;
    f->to.port = nts_server_port(f->peer);
}

static void stop(struct fixture *f)
{
    time_server_free(f->server);
    nts_server_free(f->peer);
    tls_roots_free(f->roots);
    fault_clear();
}

static void ask(struct fixture *f)
{
    const struct hal_clock *const clock = hal_clock_system();
    const struct connection_options options = {
        .to = &f->to, .roots = f->roots, .clock = clock, .until = mono_add_ms(hal_clock_mono(clock), f->wait_ms)};

    f->reading = (struct outbound_reading){.stratum = 77};
    time_server_ask(f->server, &options, &f->answer, &f->reading);
    fault_clear();
}

static void assert_told(const struct fixture *f, bool authenticated)
{
    const struct hal_clock *const clock = hal_clock_system();

    assert_int_equal(f->answer.stage, OUTBOUND_AT_END);
    assert_int_equal(f->answer.result, OUTBOUND_DONE);
    const int64_t here = (hal_clock_wall(clock).ms - (int64_t)mono_ms_between(f->reading.at, hal_clock_mono(clock))) * 1000000;
    const int64_t wrong = (int64_t)f->reading.unix_ns - here - AHEAD_NS;
    assert_true(llabs(wrong) <= (int64_t)f->reading.distance_ns + NEAR_NS);
    assert_int_equal(f->reading.stratum, 2);
    assert_true(f->reading.distance_ns >= f->reading.delay_ns / 2 + 5000000);
    assert_true(f->reading.authenticated == authenticated);
}

static void assert_failed(const struct fixture *f, enum outbound_result result, enum outbound_stage stage)
{
    assert_int_equal(f->answer.stage, stage);
    assert_int_equal(f->answer.result, result);
    assert_int_equal(f->reading.stratum, 77);
}

static void the_time_is_told_in_clear(void **state)
{
    struct fixture f;

    start_in_clear(&f, NTS_SERVER_RIGHT);
    ask(&f);
    assert_told(&f, false);
    stop(&f);
}

static void the_time_is_told_over_nts_and_cookies_are_kept(void **state)
{
    struct fixture f;

    start(&f, &good);
    for (unsigned int i = 0; i < 20; i++) {
        ask(&f);
        assert_told(&f, true);
    }
    assert_int_equal(nts_server_exchanges(f.peer), 1);
    assert_int_equal(nts_server_old_cookies(f.peer), 0);
    stop(&f);
}

static void a_server_that_gives_few_cookies_is_asked_for_more(void **state)
{
    struct nts_server_options options = good;
    struct fixture f;

    options.cookies = 1;
    options.host = "LOCALHOST";
    start(&f, &options);
    ask(&f);
    assert_told(&f, true);
    for (unsigned int i = 0; i < 3; i++) { /* cookies of answers that were lost are lost, too */
        nts_server_do(f.peer, NTS_SERVER_AFTER_JUNK);
        ask(&f);
        assert_told(&f, true);
    }
    assert_int_equal(nts_server_exchanges(f.peer), 1);
    stop(&f);
}

/* With keys, and an answer that could be replayed. From here on it is waited as briefly as possible. */
static void start_with_keys(struct fixture *f)
{
    start(f, &good);
    ask(f);
    assert_told(f, true);
    f->wait_ms = 300;
}

/* What comes of a server whose answers are all of that kind. */
static void assert_never_believed(enum nts_server_answer answer)
{
    struct fixture f;

    start_with_keys(&f);
    nts_server_do(f.peer, answer);
    ask(&f);
    assert_failed(&f, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    stop(&f);
}

static void answers_to_other_questions_are_not_believed(void **state)
{
    assert_never_believed(NTS_SERVER_OTHER_NONCE);
    assert_never_believed(NTS_SERVER_OTHER_UNIQUE);
    assert_never_believed(NTS_SERVER_REPLAY);
}

static void answers_without_a_right_seal_are_not_believed(void **state)
{
    assert_never_believed(NTS_SERVER_CUT);
    assert_never_believed(NTS_SERVER_CHANGED);
    assert_never_believed(NTS_SERVER_WRONG_TAG);
    assert_never_believed(NTS_SERVER_UNSEALED);
    assert_never_believed(NTS_SERVER_DENY_UNSEALED);
}

static void silence_and_noise_end_with_the_time(void **state)
{
    assert_never_believed(NTS_SERVER_SILENT);
    assert_never_believed(NTS_SERVER_JUNK_ONLY);
}

static void what_a_question_failed_of_is_not_the_noise_before(void **state)
{
    const struct hal_clock *const clock = hal_clock_system();
    struct fixture f;
    start_in_clear(&f, NTS_SERVER_JUNK_ONLY);
    const struct connection_options options = {.to = &f.to, .clock = clock, .until = mono_add_ms(hal_clock_mono(clock), 300)};

    time_server_ask(f.server, &options, &f.answer, &f.reading);

    assert_int_equal(f.answer.result, OUTBOUND_TEMPORARY);
    assert_true(fault_trail()->count != 0);
    assert_int_equal(fault_trail()->frames[0].err, ERR_TIMEOUT);
    stop(&f);
}

static void the_answer_is_found_among_forged_ones(void **state)
{
    struct nts_server_options options = good;
    struct fixture f;

    options.answer = NTS_SERVER_AFTER_JUNK;
    start(&f, &options);
    ask(&f);
    assert_told(&f, true);
    stop(&f);
    start_in_clear(&f, NTS_SERVER_AFTER_JUNK);
    ask(&f);
    assert_told(&f, false);
    stop(&f);
}

static void forged_answers_in_clear_are_passed_over(void **state)
{
    static const enum nts_server_answer answers[] = {NTS_SERVER_OTHER_NONCE, NTS_SERVER_CUT, NTS_SERVER_JUNK_ONLY};

    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        struct fixture f;
        start_in_clear(&f, answers[i]);
        f.wait_ms = 300;
        ask(&f);
        assert_failed(&f, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
        stop(&f);
    }
}

static void a_question_that_was_lost_is_asked_again(void **state)
{
    struct fixture f;

    start_in_clear(&f, NTS_SERVER_SILENT);
    f.wait_ms = 2500; /* two seconds are waited for each answer */
    ask(&f);
    assert_failed(&f, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    assert_true(nts_server_questions(f.peer) > 1);
    stop(&f);
}

static void kisses_are_obeyed(void **state)
{
    struct fixture f;

    start(&f, &good);
    nts_server_do(f.peer, NTS_SERVER_RATE);
    ask(&f);
    assert_failed(&f, OUTBOUND_TEMPORARY, OUTBOUND_AT_RATE);
    nts_server_do(f.peer, NTS_SERVER_DENY);
    ask(&f);
    assert_failed(&f, OUTBOUND_REFUSED, OUTBOUND_AT_ANSWER);
    nts_server_do(f.peer, NTS_SERVER_RIGHT);
    ask(&f);
    assert_told(&f, true);
    assert_int_equal(nts_server_exchanges(f.peer), 1);
    stop(&f);
    start_in_clear(&f, NTS_SERVER_RATE);
    ask(&f);
    assert_failed(&f, OUTBOUND_TEMPORARY, OUTBOUND_AT_RATE);
    stop(&f);
}

static void keys_that_the_server_does_not_know_are_fetched_again_once(void **state)
{
    struct fixture f;

    start(&f, &good);
    nts_server_do(f.peer, NTS_SERVER_KEYS);
    ask(&f);
    assert_told(&f, true);
    assert_int_equal(nts_server_exchanges(f.peer), 2);
    nts_server_do(f.peer, NTS_SERVER_KEYS_ALWAYS);
    ask(&f);
    assert_failed(&f, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    assert_int_equal(nts_server_exchanges(f.peer), 3);
    stop(&f);
}

static void somebody_else_cannot_have_keys_fetched(void **state)
{
    struct fixture f;

    start_with_keys(&f);
    nts_server_do(f.peer, NTS_SERVER_KEYS_FORGED);
    ask(&f);
    assert_failed(&f, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    assert_int_equal(nts_server_exchanges(f.peer), 1);
    stop(&f);
}

static void assert_no_keys(const struct nts_server_options *options, enum outbound_stage stage)
{
    struct fixture f;

    start(&f, options);
    ask(&f);
    assert_failed(&f, OUTBOUND_TEMPORARY, stage);
    assert_int_equal(nts_server_questions(f.peer), 0);
    stop(&f);
}

static void a_server_that_cannot_be_trusted_is_asked_nothing(void **state)
{
    struct nts_server_options options = good;

    options.certificate = known_expired;
    assert_no_keys(&options, OUTBOUND_AT_TLS);
    options.certificate = known_name_elsewhere;
    assert_no_keys(&options, OUTBOUND_AT_TLS);
}

static void a_server_that_does_not_speak_ntske_over_tls_13_is_asked_nothing(void **state)
{
    struct nts_server_options options = good;

    options.protocol = "http/1.1";
    assert_no_keys(&options, OUTBOUND_AT_TLS);
    options.protocol = NULL;
    assert_no_keys(&options, OUTBOUND_AT_TLS);
    options = good;
    options.tls12 = true;
    assert_no_keys(&options, OUTBOUND_AT_TLS);
}

static void a_server_that_sends_us_elsewhere_is_not_followed(void **state)
{
    struct nts_server_options options = good;

    options.host = "time.example";
    assert_no_keys(&options, OUTBOUND_AT_KEYS);
}

static void who_is_not_there_is_not_reached(void **state)
{
    uint8_t name[RESOLVE_NAME_MAX + 1];
    struct fixture f;

    start(&f, &good);
    memset(name, 'a', sizeof(name));
    f.to.host = span_array(name); /* longer than any */
    ask(&f);
    assert_failed(&f, OUTBOUND_TEMPORARY, OUTBOUND_AT_RESOLVE);
    f.to.tls = OUTBOUND_CLEAR;
    ask(&f);
    assert_failed(&f, OUTBOUND_TEMPORARY, OUTBOUND_AT_RESOLVE);
    f.to.host = span_lit("localhost");
    f.to.port = nts_server_key_port(f.peer); /* nobody listens there with UDP */
    ask(&f);
    assert_failed(&f, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    stop(&f);
}

static int begin(void **state)
{
    (void)signal(SIGPIPE, SIG_IGN); /* as sandbox_begin does */
    return crypto_start() == ERR_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_time_is_told_in_clear),
        cmocka_unit_test(the_time_is_told_over_nts_and_cookies_are_kept),
        cmocka_unit_test(a_server_that_gives_few_cookies_is_asked_for_more),
        cmocka_unit_test(answers_to_other_questions_are_not_believed),
        cmocka_unit_test(answers_without_a_right_seal_are_not_believed),
        cmocka_unit_test(silence_and_noise_end_with_the_time),
        cmocka_unit_test(what_a_question_failed_of_is_not_the_noise_before),
        cmocka_unit_test(the_answer_is_found_among_forged_ones),
        cmocka_unit_test(forged_answers_in_clear_are_passed_over),
        cmocka_unit_test(a_question_that_was_lost_is_asked_again),
        cmocka_unit_test(kisses_are_obeyed),
        cmocka_unit_test(keys_that_the_server_does_not_know_are_fetched_again_once),
        cmocka_unit_test(somebody_else_cannot_have_keys_fetched),
        cmocka_unit_test(a_server_that_cannot_be_trusted_is_asked_nothing),
        cmocka_unit_test(a_server_that_does_not_speak_ntske_over_tls_13_is_asked_nothing),
        cmocka_unit_test(a_server_that_sends_us_elsewhere_is_not_followed),
        cmocka_unit_test(who_is_not_there_is_not_reached),
    };

    return cmocka_run_group_tests(tests, begin, NULL);
}
