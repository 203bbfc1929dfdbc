/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/worker/timekeeper.h against a courier that the test is. */
#include "firmware/worker/timekeeper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/sim/sim_clock.h"

#define S_MS  1000u
#define NS_MS UINT64_C(1000000)
#define BEGIN_MS 100 /* a timer that is due at once is due in the next tick of the loop */

static struct {
    struct sim_clock clock;
    struct loop *loop;
    struct snapshot_cell *cell;
    struct timekeeper *keeper;
    struct network_time settings;
    enum err submits;
    struct outbound_job *jobs[NETWORK_TIME_SERVERS_MAX];
    size_t count; /* of jobs at hand */
    size_t asked; /* so far */
    struct timekeeper_word word;
    size_t told;
    bool drained;
} box;

static enum err submit(void *context, struct outbound_job *job)
{
    assert_null(context);
    assert_int_equal(outbound_job_check(job), ERR_OK);
    if (box.submits == ERR_OK) {
        assert_true(box.count < NETWORK_TIME_SERVERS_MAX);
        box.jobs[box.count++] = job;
        box.asked++;
    }
    return box.submits;
}

static void settings(void *context, struct network_time *out_time)
{
    assert_null(context);
    *out_time = box.settings;
}

static void tell(void *context, const struct timekeeper_word *word)
{
    assert_null(context);
    box.word = *word;
    box.told++;
}

static int make(void **state)
{
    (void)state;
    memset(&box, 0, sizeof(box));
    sim_clock_init(&box.clock);
    assert_int_equal(loop_new(&box.clock.base, 16, &box.loop), ERR_OK);
    assert_int_equal(snapshot_cell_new(1, NULL, &box.cell), ERR_OK);
    const struct timekeeper_options options = {.loop = box.loop,
                                               .clock = &box.clock.base,
                                               .outbound = {.submit = submit},
                                               .settings = settings,
                                               .tell = tell,
                                               .cell = box.cell};
    assert_int_equal(timekeeper_new(&options, &box.keeper), ERR_OK);
    return 0;
}

static void on_drained(void *context)
{
    assert_null(context);
    box.drained = true;
}

static void end_job(size_t at, enum outbound_result result, enum outbound_stage stage)
{
    struct outbound_job *const job = box.jobs[at];

    box.jobs[at] = box.jobs[--box.count];
    job->result = result;
    job->stage = stage;
    job->done(job);
}

static int done(void **state)
{
    (void)state;
    if (!box.drained) {
        timekeeper_drain(box.keeper, on_drained, NULL);
    }
    while (box.count != 0) {
        end_job(0, OUTBOUND_TEMPORARY, OUTBOUND_AT_QUEUE);
    }
    assert_true(box.drained);
    timekeeper_free(box.keeper);
    loop_free(box.loop);
    snapshot_cell_free(box.cell);
    fault_clear();
    return 0;
}

static void turn(uint64_t ms)
{
    sim_clock_advance_ms(&box.clock, ms);
    assert_int_equal(loop_turn(box.loop, 0), ERR_OK);
}

static void set_servers(size_t count)
{
    static const char *const hosts[] = {"a.example", "b.example", "c.example", "d.example"};

    box.settings.count = count;
    for (size_t i = 0; i < count; i++) {
        box.settings.servers[i] = (struct network_time_server){
            .host = span_str(hosts[i]), .port = (uint16_t)(i == 0 ? 4460 : 123), .nts = i == 0};
    }
}

/* The server at `at` of the jobs says that the clock is so much behind. */
static void answer(size_t at, int64_t off_ms)
{
    struct outbound_job *const job = box.jobs[at];

    job->reading = (struct outbound_reading){.unix_ns = (uint64_t)(box.clock.wall.ms + off_ms) * NS_MS,
                                             .at = box.clock.mono,
                                             .distance_ns = 10 * NS_MS,
                                             .stratum = 2,
                                             .authenticated = job->to.tls == OUTBOUND_TLS};
    end_job(at, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static struct api_clock_state state_now(void)
{
    struct api_clock_state now;

    timekeeper_read(box.cell, 0, &now);
    return now;
}

/* How long until somebody is asked again, in steps of a second. */
static uint64_t wait_for_round_s(void)
{
    const size_t before = box.asked;

    for (uint64_t s = 1; s < 4096; s++) {
        turn(S_MS);
        if (box.asked != before) {
            return s;
        }
    }
    fail();
    return 0;
}

static void without_servers_nobody_is_asked(void **state)
{
    (void)state;

    turn(BEGIN_MS);
    turn(3600 * S_MS);

    assert_int_equal(box.asked, 0);
    assert_int_equal(state_now().state, API_CLOCK_OFF);
}

static void servers_are_asked_as_they_are_set(void **state)
{
    (void)state;
    set_servers(2);

    turn(BEGIN_MS);

    assert_int_equal(box.count, 2);
    assert_int_equal(state_now().state, API_CLOCK_WAITING);
    assert_false(state_now().has_reading);
    assert_int_equal(box.jobs[0]->to.kind, OUTBOUND_TIME);
    assert_int_equal(box.jobs[0]->to.tls, OUTBOUND_TLS);
    assert_int_equal(box.jobs[0]->to.port, 4460);
    assert_true(span_equal(box.jobs[0]->to.host, span_lit("a.example")));
    assert_int_equal(box.jobs[1]->to.tls, OUTBOUND_CLEAR);
    assert_int_equal(box.jobs[1]->to.port, 123);
}

static void what_one_server_says_is_told_and_shown(void **state)
{
    (void)state;
    set_servers(1);
    turn(BEGIN_MS);
    sim_clock_advance_ms(&box.clock, 700);
    const struct mono_time at = box.clock.mono;

    answer(0, 5000);

    assert_int_equal(box.told, 1);
    assert_true(box.word.reading.at.ns == at.ns);
    assert_string_equal(box.word.source, "a.example");
    const struct api_clock_state now = state_now();
    assert_int_equal(now.state, API_CLOCK_SYNCHRONIZED);
    assert_true(now.has_reading && now.authenticated);
    assert_string_equal(now.source, "a.example");
    assert_int_equal(now.offset_ms, 5000);
    assert_int_equal(now.error_ms, 15);
    assert_int_equal(now.checked_at.ms, box.clock.wall.ms);
}

static void a_reading_of_an_instant_to_come_is_none(void **state)
{
    (void)state;
    set_servers(1);
    turn(BEGIN_MS);
    box.jobs[0]->reading = (struct outbound_reading){.unix_ns = (uint64_t)box.clock.wall.ms * NS_MS,
                                                     .at = {box.clock.mono.ns + 1},
                                                     .distance_ns = 10 * NS_MS,
                                                     .stratum = 2,
                                                     .authenticated = true};

    end_job(0, OUTBOUND_DONE, OUTBOUND_AT_END);

    assert_int_equal(box.told, 0);
    assert_int_equal(state_now().state, API_CLOCK_UNREACHABLE);
}

static void a_reading_beyond_all_clocks_is_none(void **state)
{
    static const uint64_t far[] = {UINT64_C(1) << 62, UINT64_C(1) << 63, UINT64_MAX};
    (void)state;
    set_servers(1);
    turn(BEGIN_MS);

    for (size_t i = 0; i < ARRAY_LENGTH(far); i++) {
        box.jobs[0]->reading = (struct outbound_reading){
            .unix_ns = far[i], .at = box.clock.mono, .distance_ns = UINT64_MAX, .stratum = 2, .authenticated = true};
        end_job(0, OUTBOUND_DONE, OUTBOUND_AT_END);
        assert_int_equal(state_now().state, API_CLOCK_UNREACHABLE);
        (void)wait_for_round_s();
    }

    assert_int_equal(box.told, 0);
}

static void rounds_are_64_s_apart_and_farther_while_the_clock_is_right(void **state)
{
    static const uint64_t waits_s[] = {64, 128, 256, 512, 1024, 1024};
    (void)state;
    set_servers(1);
    turn(BEGIN_MS);

    for (size_t i = 0; i < ARRAY_LENGTH(waits_s); i++) {
        answer(0, 10);
        assert_in_range(wait_for_round_s(), waits_s[i], waits_s[i] + 5);
    }
    answer(0, 200);
    assert_in_range(wait_for_round_s(), 64, 69);
}

static void servers_that_are_not_reached_are_asked_sooner_at_first(void **state)
{
    static const uint64_t waits_s[] = {16, 32, 64, 128, 256, 512, 1024, 1024};
    (void)state;
    set_servers(1);
    turn(BEGIN_MS);

    for (size_t i = 0; i < ARRAY_LENGTH(waits_s); i++) {
        end_job(0, OUTBOUND_TEMPORARY, OUTBOUND_AT_CONNECT);
        assert_int_equal(state_now().state, API_CLOCK_UNREACHABLE);
        assert_in_range(wait_for_round_s(), waits_s[i], waits_s[i] + 5);
    }
    assert_int_equal(box.told, 0);
}

static void attack_19_a_liar_is_outvoted_and_two_that_differ_tell_nothing(void **state)
{
    (void)state;
    set_servers(4);
    box.settings.servers[0] = box.settings.servers[3];
    box.settings.count = 3; /* none of them with NTS */
    turn(BEGIN_MS);
    answer(0, -86400000);
    answer(0, 20);
    answer(0, 25);
    assert_int_equal(box.told, 1);
    assert_in_range(state_now().offset_ms, 20, 25);

    (void)wait_for_round_s();
    answer(0, -86400000);
    answer(0, 20);
    end_job(0, OUTBOUND_TEMPORARY, OUTBOUND_AT_CONNECT);

    assert_int_equal(box.told, 1);
    assert_int_equal(state_now().state, API_CLOCK_DISAGREEING);
    assert_true(state_now().has_reading); /* the one before */
}

static void readings_of_a_slow_round_are_as_old_as_they_are(void **state)
{
    (void)state;
    set_servers(2);
    turn(BEGIN_MS);
    answer(0, 30000);
    sim_clock_advance_ms(&box.clock, 9000);

    end_job(0, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);

    assert_int_equal(state_now().offset_ms, 30000);
}

/* Servers are asked as often as ever meanwhile, so rounds are no measure. */
static uint64_t wait_for_question_s(const char *host)
{
    for (uint64_t s = 1; s < 20000; s++) {
        turn(S_MS);
        for (size_t i = 0; i < box.count; i++) {
            if (span_equal(box.jobs[i]->to.host, span_str(host))) {
                return s;
            }
        }
        while (box.count != 0) {
            answer(0, 200);
        }
    }
    fail();
    return 0;
}

static void attack_19_a_server_whose_refusal_was_forged_is_asked_again(void **state)
{
    (void)state;
    set_servers(1);
    box.settings.servers[0].nts = false;
    turn(BEGIN_MS);

    end_job(0, OUTBOUND_REFUSED, OUTBOUND_AT_ANSWER);

    assert_in_range(wait_for_question_s("a.example"), 1024, 1024 + 1024 + 5); /* up to a round later */
    answer(0, 0);
    assert_int_equal(state_now().state, API_CLOCK_SYNCHRONIZED);
}

static void one_that_repeats_it_is_left_alone_for_longer_up_to_a_bound(void **state)
{
    static const uint64_t waits_s[] = {1024, 2048, 4096, 8192, 16384, 16384};
    (void)state;
    set_servers(2);
    turn(BEGIN_MS);
    answer(1, 200);

    for (size_t i = 0; i < ARRAY_LENGTH(waits_s); i++) {
        assert_int_equal(box.count, 1);
        end_job(0, OUTBOUND_REFUSED, OUTBOUND_AT_ANSWER);
        assert_in_range(wait_for_question_s("a.example"), waits_s[i], waits_s[i] + 69);
        while (box.count > 1) {
            answer(span_equal(box.jobs[0]->to.host, span_lit("a.example")) ? 1 : 0, 200);
        }
    }
    end_job(0, OUTBOUND_TEMPORARY, OUTBOUND_AT_CONNECT); /* lost: that is no change of its mind */
    (void)wait_for_question_s("a.example");
    end_job(0, OUTBOUND_REFUSED, OUTBOUND_AT_ANSWER);
    assert_in_range(wait_for_question_s("a.example"), 16384, 16384 + 69);

    answer(0, 200);
    (void)wait_for_question_s("a.example");
    end_job(0, OUTBOUND_REFUSED, OUTBOUND_AT_ANSWER);
    assert_in_range(wait_for_question_s("a.example"), 1024, 1024 + 69);
}

static void a_server_that_refuses_gets_no_questions_and_one_that_wants_fewer_gets_fewer(void **state)
{
    (void)state;
    set_servers(3);
    turn(BEGIN_MS);
    end_job(0, OUTBOUND_REFUSED, OUTBOUND_AT_ANSWER); /* a; c takes its place */
    end_job(0, OUTBOUND_TEMPORARY, OUTBOUND_AT_RATE); /* c */
    answer(0, 200);                                   /* b */

    for (int i = 0; i < 4; i++) {
        (void)wait_for_round_s();
        assert_int_equal(box.count, 1);
        assert_true(span_equal(box.jobs[0]->to.host, span_lit("b.example")));
        answer(0, 200);
    }
    (void)wait_for_round_s();
    assert_int_equal(box.count, 2);
    assert_true(span_equal(box.jobs[1]->to.host, span_lit("c.example")));
}

static void other_settings_are_taken_within_seconds_but_after_the_round(void **state)
{
    (void)state;
    set_servers(1);
    turn(BEGIN_MS);
    set_servers(2);
    turn(6 * S_MS);
    assert_int_equal(box.asked, 1);

    answer(0, 0);
    turn(6 * S_MS);
    assert_int_equal(box.count, 2);
    assert_int_equal(state_now().state, API_CLOCK_WAITING);
    answer(0, 0);
    answer(0, 0);
    box.settings.count = 0;
    turn(6 * S_MS);
    assert_int_equal(state_now().state, API_CLOCK_OFF);
    assert_false(state_now().has_reading);
    box.settings.count = 1;
    box.settings.servers[0].port = 4461;
    turn(6 * S_MS);
    assert_int_equal(box.jobs[0]->to.port, 4461);
}

static void a_courier_that_takes_no_jobs_counts_as_out_of_reach(void **state)
{
    (void)state;
    set_servers(2);
    box.submits = ERR_LIMIT;

    turn(BEGIN_MS);
    assert_int_equal(state_now().state, API_CLOCK_UNREACHABLE);
    box.submits = ERR_OK;
    assert_in_range(wait_for_round_s(), 16, 21);
}

static void it_ends_when_the_last_question_is_answered_and_says_nothing_more(void **state)
{
    (void)state;
    set_servers(2);
    turn(BEGIN_MS);

    timekeeper_drain(box.keeper, on_drained, NULL);
    assert_false(box.drained);
    answer(0, 1000);
    assert_false(box.drained);
    answer(0, 1000);

    assert_true(box.drained);
    assert_int_equal(box.told, 0);
    turn(3600 * S_MS);
    assert_int_equal(box.asked, 2);
}

#define WITH_KEEPER(test) cmocka_unit_test_setup_teardown(test, make, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_KEEPER(without_servers_nobody_is_asked),
        WITH_KEEPER(servers_are_asked_as_they_are_set),
        WITH_KEEPER(what_one_server_says_is_told_and_shown),
        WITH_KEEPER(a_reading_of_an_instant_to_come_is_none),
        WITH_KEEPER(a_reading_beyond_all_clocks_is_none),
        WITH_KEEPER(rounds_are_64_s_apart_and_farther_while_the_clock_is_right),
        WITH_KEEPER(servers_that_are_not_reached_are_asked_sooner_at_first),
        WITH_KEEPER(attack_19_a_liar_is_outvoted_and_two_that_differ_tell_nothing),
        WITH_KEEPER(readings_of_a_slow_round_are_as_old_as_they_are),
        WITH_KEEPER(attack_19_a_server_whose_refusal_was_forged_is_asked_again),
        WITH_KEEPER(one_that_repeats_it_is_left_alone_for_longer_up_to_a_bound),
        WITH_KEEPER(a_server_that_refuses_gets_no_questions_and_one_that_wants_fewer_gets_fewer),
        WITH_KEEPER(other_settings_are_taken_within_seconds_but_after_the_round),
        WITH_KEEPER(a_courier_that_takes_no_jobs_counts_as_out_of_reach),
        WITH_KEEPER(it_ends_when_the_last_question_is_answered_and_says_nothing_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
