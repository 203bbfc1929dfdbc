/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/worker/outbound.h: questions for the time, and couriers that answer them as they should and as they may not. */
#include "firmware/worker/outbound.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "firmware/worker/outbound_list.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "tests/lib/outbound_box.h"

#define TIME_MS ((uint64_t)CONFIG_COURIER_TIME_S * 1000)
#define IDLE_MS ((uint64_t)CONFIG_COURIER_IDLE_S * 1000)

static void on_done(struct outbound_job *job)
{
    struct outbound_asked *const asked = (void *)job;

    asked->answers++;
}

static struct outbound_asked question_for(struct outbound_box *f, struct span host, enum outbound_tls tls)
{
    return (struct outbound_asked){.job = {.done = on_done,
                                           .loop = f->loop,
                                           .to = {.kind = OUTBOUND_TIME, .tls = tls, .port = 4460, .host = host},
                                           .reading = {.stratum = 77}}};
}

/* Asked, and given to a courier; its number. */
static uint64_t give(struct outbound_box *f, struct outbound_asked *asked)
{
    outbound_box_submit(f, asked);
    assert_true(outbound_box_told(f));
    assert_int_equal(f->msg.as.destination.kind, OUTBOUND_TIME);
    outbound_box_start_courier(f, f->msg.as.destination.list);
    assert_true(outbound_box_given(f));
    assert_int_equal(f->msg.type, MSG_JOB_TIME);
    assert_int_equal(f->msg.as.job_time.destination, 0);
    return f->msg.as.job_time.job;
}

static struct msg reading_of(uint64_t number)
{
    struct msg msg = MSG_NEW(MSG_JOB_READING);

    msg.as.job_reading.job = number;
    msg.as.job_reading.unix_ns = UINT64_C(1795521600123456789);
    msg.as.job_reading.at_ns = 42;
    msg.as.job_reading.delay_ns = 30;
    msg.as.job_reading.distance_ns = 20;
    msg.as.job_reading.stratum = 2;
    return msg;
}

static void say(struct outbound_box *f, struct msg msg)
{
    assert_int_equal(msg_send(f->courier, &msg), ERR_OK);
    outbound_box_turn(f);
}

static void assert_reading_arrives(struct outbound_box *f, enum outbound_tls tls, bool authenticated)
{
    struct outbound_asked asked = question_for(f, span_lit("time.example"), tls);
    const uint64_t number = give(f, &asked);

    say(f, reading_of(number));
    assert_int_equal(asked.answers, 0);
    outbound_box_say_done(f, number, OUTBOUND_DONE, 0);

    assert_int_equal(asked.answers, 1);
    assert_int_equal(asked.job.result, OUTBOUND_DONE);
    assert_true(asked.job.reading.unix_ns == UINT64_C(1795521600123456789));
    assert_true(asked.job.reading.at.ns == 42);
    assert_true(asked.job.reading.delay_ns == 30);
    assert_true(asked.job.reading.distance_ns == 20);
    assert_int_equal(asked.job.reading.stratum, 2);
    assert_true(asked.job.reading.authenticated == authenticated);
}

static void a_reading_over_nts_is_authenticated(void **state)
{
    assert_reading_arrives(*state, OUTBOUND_TLS, true);
}

static void a_reading_in_clear_is_not(void **state)
{
    assert_reading_arrives(*state, OUTBOUND_CLEAR, false);
}

static void all_time_servers_are_asked_at_once(void **state)
{
    struct outbound_box *const f = *state;
    const struct span hosts[] = {span_lit("a.example"), span_lit("b.example"), span_lit("c.example"),
                                 span_lit("d.example"), span_lit("e.example")};
    struct outbound_asked asked[ARRAY_LENGTH(hosts)];
    uint64_t first = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++) {
        asked[i] = question_for(f, hosts[i], OUTBOUND_TLS);
        assert_int_equal(f->outbound.submit(f->outbound.context, &asked[i].job), ERR_OK);
    }
    outbound_box_turn(f);
    while (outbound_box_told(f)) {
        first = f->msg.as.destination.list;
    }
    outbound_box_start_courier(f, (uint32_t)first);

    for (size_t i = 0; i < OUTBOUND_TIMES; i++) {
        assert_true(outbound_box_given(f));
        assert_int_equal(f->msg.type, MSG_JOB_TIME);
        first = i == 0 ? f->msg.as.job_time.job : first;
    }
    assert_false(outbound_box_given(f));
    say(f, reading_of(first));
    outbound_box_say_done(f, first, OUTBOUND_DONE, 0);
    assert_true(outbound_box_given(f)); /* the fifth has a lane now */
    sim_clock_advance_ms(&f->clock, TIME_MS);
    outbound_box_turn(f);
    for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++) {
        assert_int_equal(asked[i].answers, 1);
    }
}

static void a_question_ends_with_its_time(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked asked = question_for(f, span_lit("time.example"), OUTBOUND_TLS);
    const uint64_t number = give(f, &asked);

    sim_clock_advance_ms(&f->clock, TIME_MS - 1);
    outbound_box_turn(f);
    assert_int_equal(asked.answers, 0);
    sim_clock_advance_ms(&f->clock, 1);
    outbound_box_turn(f);
    outbound_box_assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    say(f, reading_of(number)); /* too late, and no offence */
    outbound_box_say_done(f, number, OUTBOUND_DONE, 0);
    assert_int_equal(asked.job.reading.stratum, 77);
}

/* The link drops a courier that says such a thing, and asks for another. */
static void assert_offence(struct outbound_box *f, struct msg msg)
{
    say(f, msg);
    sim_clock_advance_ms(&f->clock, CONFIG_COURIER_CHANGE_MS);
    outbound_box_turn(f);
    assert_true(outbound_box_told(f));
}

static void a_reading_that_is_none_is_an_offence(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked asked = question_for(f, span_lit("time.example"), OUTBOUND_TLS);
    struct msg msg = reading_of(give(f, &asked));

    msg.as.job_reading.stratum = 0;
    assert_offence(f, msg);
    outbound_box_assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    assert_int_equal(asked.job.reading.stratum, 77);
}

static void a_reading_at_the_beginning_of_1970_is_an_offence(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked asked = question_for(f, span_lit("time.example"), OUTBOUND_TLS);
    struct msg msg = reading_of(give(f, &asked));

    msg.as.job_reading.unix_ns = 0;
    assert_offence(f, msg);
    outbound_box_assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
}

static void a_reading_for_nobody_is_an_offence(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked asked = question_for(f, span_lit("time.example"), OUTBOUND_TLS);

    assert_offence(f, reading_of(give(f, &asked) + 1));
    outbound_box_assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
}

static void a_second_reading_is_an_offence(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked asked = question_for(f, span_lit("time.example"), OUTBOUND_TLS);
    const struct msg msg = reading_of(give(f, &asked));

    say(f, msg);
    assert_offence(f, msg);
    outbound_box_assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
}

static void success_without_a_reading_is_an_offence(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked asked = question_for(f, span_lit("time.example"), OUTBOUND_TLS);
    struct msg done = MSG_NEW(MSG_JOB_DONE);

    done.as.job_done.job = give(f, &asked);
    done.as.job_done.result = OUTBOUND_DONE;
    done.as.job_done.stage = OUTBOUND_AT_END;
    assert_offence(f, done);
    outbound_box_assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
}

static void a_reading_in_answer_to_a_mail_is_an_offence(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked asked = outbound_box_mail_for(f, span_lit("a.example"));

    outbound_box_submit(f, &asked);
    assert_true(outbound_box_told(f));
    outbound_box_start_courier(f, f->msg.as.destination.list);
    assert_offence(f, reading_of(outbound_box_take_mail(f)));
    outbound_box_assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
}

/* With its courier the keys would go that were agreed with it. */
static void a_time_server_stays_on_the_list_from_one_question_to_the_next(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked asked = question_for(f, span_lit("time.example"), OUTBOUND_TLS);
    const uint64_t number = give(f, &asked);
    say(f, reading_of(number));
    outbound_box_say_done(f, number, OUTBOUND_DONE, 0);

    sim_clock_advance_ms(&f->clock, OUTBOUND_LIST_TIME_IDLE_MS - 1);
    outbound_box_turn(f);
    assert_true(IDLE_MS < OUTBOUND_LIST_TIME_IDLE_MS);
    assert_false(outbound_box_told(f));
    sim_clock_advance_ms(&f->clock, 1);
    outbound_box_turn(f);
    assert_true(outbound_box_told(f));
    assert_int_equal(f->msg.as.destination.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, outbound_box_set_up, outbound_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reading_over_nts_is_authenticated),
        TEST(a_reading_in_clear_is_not),
        TEST(all_time_servers_are_asked_at_once),
        TEST(a_question_ends_with_its_time),
        TEST(a_reading_that_is_none_is_an_offence),
        TEST(a_reading_at_the_beginning_of_1970_is_an_offence),
        TEST(a_reading_for_nobody_is_an_offence),
        TEST(a_second_reading_is_an_offence),
        TEST(success_without_a_reading_is_an_offence),
        TEST(a_reading_in_answer_to_a_mail_is_an_offence),
        TEST(a_time_server_stays_on_the_list_from_one_question_to_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
