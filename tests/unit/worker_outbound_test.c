/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/worker/outbound.h between a supervisor and couriers that the test plays, on a clock that the test turns. */
#include "firmware/worker/outbound.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/process.h"
#include "hal/socket.h"
#include "tests/lib/outbound_box.h"

/* A mail that is under way at a courier. */
static uint64_t set_off(struct outbound_box *f, struct outbound_asked *asked)
{
    outbound_box_submit(f, asked);
    while (outbound_box_told(f)) {
    }
    outbound_box_start_courier(f, f->msg.as.destination.list);
    return outbound_box_take_mail(f);
}

static void a_job_makes_the_list_waits_for_its_courier_and_is_answered_on_its_loop(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked asked = outbound_box_mail_for(f, span_lit("relay.example"));

    outbound_box_submit(f, &asked);
    outbound_box_assert_told(f, 0, 1, span_lit("relay.example"));
    assert_int_equal(f->msg.as.destination.kind, OUTBOUND_SMTP);
    assert_int_equal(f->msg.as.destination.tls, OUTBOUND_STARTTLS);
    assert_int_equal(f->msg.as.destination.port, 587);
    const uint32_t list = f->msg.as.destination.list;
    assert_false(outbound_box_told(f));
    outbound_box_start_courier(f, list);
    assert_true(outbound_box_given(f));
    assert_int_equal(f->msg.type, MSG_JOB_MAIL);
    assert_int_equal(f->msg.as.job_mail.destination, 0);
    assert_int_equal(f->msg.as.job_mail.bytes, 4);
    assert_true(span_equal(MSG_VIEW(&f->msg.as.job_mail.password), span_lit("password")));
    const uint64_t number = f->msg.as.job_mail.job;
    assert_true(outbound_box_given(f));
    assert_true(span_equal(MSG_VIEW(&f->msg.as.job_part.bytes), span_lit("text")));
    assert_int_equal(asked.answers, 0);
    outbound_box_say_done(f, number, OUTBOUND_DONE, 250);

    outbound_box_assert_ended(&asked, OUTBOUND_DONE, OUTBOUND_AT_END);
    assert_int_equal(asked.job.status, 250);
    struct outbound_asked second = outbound_box_mail_for(f, span_lit("RELAY.example"));
    outbound_box_submit(f, &second);
    assert_false(outbound_box_told(f)); /* the list has it */
    outbound_box_say_done(f, outbound_box_take_mail(f), OUTBOUND_REFUSED, 550);
    outbound_box_assert_ended(&second, OUTBOUND_REFUSED, OUTBOUND_AT_END);
}

static void a_courier_for_an_older_list_gets_no_jobs(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked first = outbound_box_mail_for(f, span_lit("one.example"));
    struct outbound_asked second = outbound_box_mail_for(f, span_lit("two.example"));
    outbound_box_submit(f, &first);
    assert_true(outbound_box_told(f));
    const uint32_t list = f->msg.as.destination.list;
    outbound_box_submit(f, &second);
    assert_false(outbound_box_told(f)); /* lists are some time apart */
    sim_clock_advance_ms(&f->clock, CONFIG_COURIER_CHANGE_MS);
    outbound_box_turn(f);
    outbound_box_assert_told(f, 0, 2, span_lit("one.example"));
    outbound_box_assert_told(f, 1, 2, span_lit("two.example"));
    const uint32_t newer = f->msg.as.destination.list;

    outbound_box_start_courier(f, list);
    outbound_box_turn(f);
    assert_false(outbound_box_given(f));
    outbound_box_start_courier(f, newer);

    outbound_box_say_done(f, outbound_box_take_mail(f), OUTBOUND_DONE, 250);
    outbound_box_assert_ended(&first, OUTBOUND_DONE, OUTBOUND_AT_END);
    outbound_box_say_done(f, outbound_box_take_mail(f), OUTBOUND_DONE, 250);
    outbound_box_assert_ended(&second, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static void one_mail_and_one_request_are_under_way_at_a_time(void **state)
{
    struct outbound_box *const f = *state;
    SCOPED_BUF struct buf *answer = NULL;
    struct outbound_asked one = outbound_box_mail_for(f, span_lit("relay.example"));
    struct outbound_asked two = outbound_box_mail_for(f, span_lit("relay.example"));
    assert_int_equal(buf_new(OUTBOUND_ANSWER_MAX, &answer), ERR_OK);
    struct outbound_asked fetch = outbound_box_fetch_for(f, span_lit("id.example"), answer);
    outbound_box_submit(f, &fetch);
    sim_clock_advance_ms(&f->clock, CONFIG_COURIER_CHANGE_MS);
    outbound_box_submit(f, &two);
    outbound_box_submit(f, &one);
    while (outbound_box_told(f)) {
    }
    outbound_box_start_courier(f, f->msg.as.destination.list);

    const uint64_t mail = outbound_box_take_mail(f);
    assert_true(outbound_box_given(f));
    assert_int_equal(f->msg.type, MSG_JOB_FETCH);
    const uint64_t number = f->msg.as.job_fetch.job;
    assert_false(outbound_box_given(f));
    struct msg part = MSG_NEW(MSG_JOB_ANSWER);
    part.as.job_part.job = number;
    assert_int_equal(MSG_SET(&part.as.job_part.bytes, span_lit("{}")), ERR_OK);
    assert_int_equal(msg_send(f->courier, &part), ERR_OK);
    assert_int_equal(msg_send(f->courier, &part), ERR_OK);
    outbound_box_say_done(f, number, OUTBOUND_DONE, 200);
    outbound_box_assert_ended(&fetch, OUTBOUND_DONE, OUTBOUND_AT_END);
    assert_true(span_equal(buf_all(answer), span_lit("{}{}")));
    outbound_box_say_done(f, mail, OUTBOUND_DONE, 250);
    outbound_box_assert_ended(&two, OUTBOUND_DONE, OUTBOUND_AT_END);
    outbound_box_say_done(f, outbound_box_take_mail(f), OUTBOUND_DONE, 250);
    outbound_box_assert_ended(&one, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static void the_longest_mail_arrives_whole_however_slowly_the_courier_reads(void **state)
{
    struct outbound_box *const f = *state;
    static uint8_t text[OUTBOUND_MAIL_MAX];
    struct outbound_asked asked = outbound_box_mail_for(f, span_lit("relay.example"));
    size_t got = 0;
    asked.job.mail.text = span_array(text);
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (uint8_t)(i % 251);
    }
    outbound_box_submit(f, &asked);
    assert_true(outbound_box_told(f));
    outbound_box_start_courier(f, f->msg.as.destination.list);

    assert_true(outbound_box_given(f));
    const uint64_t number = f->msg.as.job_mail.job;
    while (got < sizeof(text)) {
        assert_true(outbound_box_given(f));
        assert_memory_equal(f->msg.as.job_part.bytes.data, text + got, f->msg.as.job_part.bytes.len);
        got += f->msg.as.job_part.bytes.len;
        outbound_box_turn(f);
    }

    outbound_box_say_done(f, number, OUTBOUND_DONE, 250);
    outbound_box_assert_ended(&asked, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static void a_courier_that_dies_ends_what_it_had_and_the_next_gets_the_rest(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked asked = outbound_box_mail_for(f, span_lit("relay.example"));
    struct outbound_asked next = outbound_box_mail_for(f, span_lit("relay.example"));
    (void)set_off(f, &asked);

    outbound_box_submit(f, &next);
    msg_channel_free(f->courier);
    f->courier = NULL;
    outbound_box_turn(f);

    outbound_box_assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    assert_int_equal(next.answers, 0);
    assert_false(outbound_box_told(f)); /* the supervisor knows, and starts another one for the same list */
    outbound_box_start_courier(f, 1);
    outbound_box_say_done(f, outbound_box_take_mail(f), OUTBOUND_DONE, 250);
    outbound_box_assert_ended(&next, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static void the_last_words_of_a_courier_count_when_the_next_one_comes(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked asked = outbound_box_mail_for(f, span_lit("relay.example"));
    struct msg done = MSG_NEW(MSG_JOB_DONE);
    done.as.job_done.job = set_off(f, &asked);
    done.as.job_done.stage = OUTBOUND_AT_END;
    assert_int_equal(msg_send(f->courier, &done), ERR_OK);

    outbound_box_start_courier(f, 1);
    outbound_box_turn(f);

    outbound_box_assert_ended(&asked, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static void what_a_courier_has_at_hand_is_over_when_the_next_one_comes(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked asked = outbound_box_mail_for(f, span_lit("relay.example"));
    struct outbound_asked next = outbound_box_mail_for(f, span_lit("relay.example"));
    (void)set_off(f, &asked);
    SCOPED_CHANNEL struct msg_channel *old = TAKE(f->courier); /* not gone, as far as anybody can see */

    outbound_box_start_courier(f, 1);
    outbound_box_submit(f, &next);

    outbound_box_assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    outbound_box_say_done(f, outbound_box_take_mail(f), OUTBOUND_DONE, 250);
    outbound_box_assert_ended(&next, OUTBOUND_DONE, OUTBOUND_AT_END);
    assert_int_equal(msg_recv(old, MSG_OPERATIONAL, &f->msg), ERR_CLOSED);
}

static void a_courier_that_says_what_nobody_asked_is_replaced(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked asked = outbound_box_mail_for(f, span_lit("relay.example"));
    const uint64_t number = set_off(f, &asked);
    sim_clock_advance_ms(&f->clock, CONFIG_COURIER_CHANGE_MS);

    outbound_box_say_done(f, number + 1, OUTBOUND_DONE, 250);

    outbound_box_assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    outbound_box_assert_told(f, 0, 1, span_lit("relay.example"));
    assert_int_equal(f->msg.as.destination.list, 2);
}

static void an_answer_without_end_is_not_taken(void **state)
{
    struct outbound_box *const f = *state;
    SCOPED_BUF struct buf *answer = NULL;
    static const uint8_t bytes[MSG_PART_MAX] = {0};
    struct msg part = MSG_NEW(MSG_JOB_ANSWER);
    assert_int_equal(buf_new(2 * MSG_PART_MAX, &answer), ERR_OK);
    struct outbound_asked asked = outbound_box_fetch_for(f, span_lit("id.example"), answer);
    outbound_box_submit(f, &asked);
    assert_true(outbound_box_told(f));
    outbound_box_start_courier(f, f->msg.as.destination.list);
    assert_true(outbound_box_given(f));
    part.as.job_part.job = f->msg.as.job_fetch.job;
    assert_int_equal(MSG_SET(&part.as.job_part.bytes, span_array(bytes)), ERR_OK);

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(asked.answers, 0);
        assert_int_equal(msg_send(f->courier, &part), ERR_OK);
        outbound_box_turn(f);
    }

    outbound_box_assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
}

static void a_job_ends_when_its_time_is_over_and_its_lane_when_the_courier_has_answered(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked asked = outbound_box_mail_for(f, span_lit("relay.example"));
    struct outbound_asked waits = outbound_box_mail_for(f, span_lit("relay.example"));
    const uint64_t number = set_off(f, &asked);
    outbound_box_submit(f, &waits);
    assert_true(outbound_link_wait_ms(f->link) <= CONFIG_COURIER_MAIL_S * 1000 + 1);
    sim_clock_advance_ms(&f->clock, (uint64_t)CONFIG_COURIER_MAIL_S * 1000 - 1);
    outbound_box_turn(f);
    assert_int_equal(asked.answers, 0);

    sim_clock_advance_ms(&f->clock, 1);
    outbound_box_turn(f);

    outbound_box_assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    outbound_box_assert_ended(&waits, OUTBOUND_TEMPORARY, OUTBOUND_AT_QUEUE);
    struct outbound_asked later = outbound_box_mail_for(f, span_lit("relay.example"));
    outbound_box_submit(f, &later);
    assert_false(outbound_box_given(f));
    outbound_box_say_done(f, number, OUTBOUND_DONE, 250); /* nobody's any more */
    assert_int_equal(asked.answers, 1);
    outbound_box_say_done(f, outbound_box_take_mail(f), OUTBOUND_DONE, 250);
    outbound_box_assert_ended(&later, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static void what_nobody_names_any_more_is_forgotten(void **state)
{
    struct outbound_box *const f = *state;
    const uint64_t idle_ms = (uint64_t)CONFIG_COURIER_IDLE_S * 1000;
    struct outbound_asked one = outbound_box_mail_for(f, span_lit("one.example"));
    struct outbound_asked two = outbound_box_mail_for(f, span_lit("two.example"));
    outbound_box_say_done(f, set_off(f, &one), OUTBOUND_DONE, 250);
    sim_clock_advance_ms(&f->clock, idle_ms - 1);
    outbound_box_turn(f);
    assert_false(outbound_box_told(f));
    assert_int_equal(outbound_link_wait_ms(f->link), 2);

    outbound_box_submit(f, &two);
    outbound_box_assert_told(f, 0, 2, span_lit("one.example"));
    outbound_box_assert_told(f, 1, 2, span_lit("two.example"));
    outbound_box_start_courier(f, f->msg.as.destination.list);
    outbound_box_say_done(f, outbound_box_take_mail(f), OUTBOUND_DONE, 250);
    sim_clock_advance_ms(&f->clock, idle_ms - 1);
    outbound_box_turn(f);
    outbound_box_assert_told(f, 0, 1, span_lit("two.example"));
    sim_clock_advance_ms(&f->clock, CONFIG_COURIER_CHANGE_MS);
    outbound_box_turn(f);

    outbound_box_assert_told(f, 0, 0, SPAN_NONE);
    assert_int_equal(outbound_link_wait_ms(f->link), POLLER_FOREVER);
}

static void nine_at_once_take_turns(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked asked[OUTBOUND_DESTINATIONS_MAX + 1];
    char names[OUTBOUND_DESTINATIONS_MAX + 1][16];
    uint32_t list = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(asked); i++) {
        (void)snprintf(names[i], sizeof(names[i]), "r%zu.example", i);
        asked[i] = outbound_box_mail_for(f, span_str(names[i]));
        assert_int_equal(f->outbound.submit(f->outbound.context, &asked[i].job), ERR_OK);
    }

    for (size_t i = 0; i < ARRAY_LENGTH(asked); i++) {
        sim_clock_advance_ms(&f->clock, CONFIG_COURIER_CHANGE_MS);
        outbound_box_turn(f);
        while (outbound_box_told(f)) {
            list = f->msg.as.destination.list;
        }
        if (f->courier == NULL || !outbound_box_given(f)) { /* the one before has nothing under way: it ends */
            outbound_box_start_courier(f, list);
            assert_true(outbound_box_given(f));
        }
        outbound_box_say_done(f, outbound_box_take_text(f), OUTBOUND_DONE, 250);
        outbound_box_assert_ended(&asked[i], OUTBOUND_DONE, OUTBOUND_AT_END);
    }
}

static void no_more_jobs_than_may_wait_are_taken_in(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked asked[CONFIG_COURIER_JOBS + 1];
    for (size_t i = 0; i < CONFIG_COURIER_JOBS; i++) {
        asked[i] = outbound_box_mail_for(f, span_lit("relay.example"));
        outbound_box_submit(f, &asked[i]);
    }
    asked[CONFIG_COURIER_JOBS] = outbound_box_mail_for(f, span_lit("relay.example"));

    assert_int_equal(f->outbound.submit(f->outbound.context, &asked[CONFIG_COURIER_JOBS].job), ERR_LIMIT);

    assert_true(outbound_box_told(f));
    outbound_box_start_courier(f, f->msg.as.destination.list);
    outbound_box_say_done(f, outbound_box_take_mail(f), OUTBOUND_DONE, 250);
    outbound_box_submit(f, &asked[CONFIG_COURIER_JOBS]);
    outbound_link_stop(f->link);
    sim_clock_advance_ms(&f->clock, 60000);
    outbound_box_turn(f);
    for (size_t i = 0; i < ARRAY_LENGTH(asked); i++) {
        assert_int_equal(asked[i].answers, 1);
    }
}

static void when_the_worker_stops_what_waits_is_answered_and_what_is_under_way_may_end(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked asked = outbound_box_mail_for(f, span_lit("relay.example"));
    struct outbound_asked waits = outbound_box_mail_for(f, span_lit("relay.example"));
    struct outbound_asked late = outbound_box_mail_for(f, span_lit("relay.example"));
    const uint64_t number = set_off(f, &asked);
    outbound_box_submit(f, &waits);

    outbound_link_stop(f->link);
    outbound_box_turn(f);

    outbound_box_assert_ended(&waits, OUTBOUND_TEMPORARY, OUTBOUND_AT_QUEUE);
    assert_int_equal(asked.answers, 0);
    assert_int_equal(f->outbound.submit(f->outbound.context, &late.job), ERR_CLOSED);
    outbound_box_say_done(f, number, OUTBOUND_DONE, 250);
    outbound_box_assert_ended(&asked, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static void what_does_not_end_in_time_when_the_worker_stops_is_answered_too(void **state)
{
    struct outbound_box *const f = *state;
    struct outbound_asked asked = outbound_box_mail_for(f, span_lit("relay.example"));
    (void)set_off(f, &asked);
    outbound_link_stop(f->link);
    assert_in_range(outbound_link_wait_ms(f->link), 1, 5000);

    sim_clock_advance_ms(&f->clock, 5000); /* less than a worker has */
    outbound_box_turn(f);

    outbound_box_assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
}

static void a_worker_without_a_link_does_nothing(void **state)
{
    int ends[2];
    assert_int_equal(channel_pair(ends), ERR_OK);

    outbound_link_run(NULL);
    outbound_link_stop(NULL);
    outbound_link_free(NULL);
    assert_int_equal(outbound_link_wait_ms(NULL), POLLER_FOREVER);
    assert_int_equal(outbound_link_courier(NULL, 1, ends[0]), ERR_STATE);

    socket_close(ends[1]);
    fault_clear();
}

#define WITH_LINK(test) cmocka_unit_test_setup_teardown(test, outbound_box_set_up, outbound_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LINK(a_job_makes_the_list_waits_for_its_courier_and_is_answered_on_its_loop),
        WITH_LINK(a_courier_for_an_older_list_gets_no_jobs),
        WITH_LINK(one_mail_and_one_request_are_under_way_at_a_time),
        WITH_LINK(the_longest_mail_arrives_whole_however_slowly_the_courier_reads),
        WITH_LINK(a_courier_that_dies_ends_what_it_had_and_the_next_gets_the_rest),
        WITH_LINK(the_last_words_of_a_courier_count_when_the_next_one_comes),
        WITH_LINK(what_a_courier_has_at_hand_is_over_when_the_next_one_comes),
        WITH_LINK(a_courier_that_says_what_nobody_asked_is_replaced),
        WITH_LINK(an_answer_without_end_is_not_taken),
        WITH_LINK(a_job_ends_when_its_time_is_over_and_its_lane_when_the_courier_has_answered),
        WITH_LINK(what_nobody_names_any_more_is_forgotten),
        WITH_LINK(nine_at_once_take_turns),
        WITH_LINK(no_more_jobs_than_may_wait_are_taken_in),
        WITH_LINK(when_the_worker_stops_what_waits_is_answered_and_what_is_under_way_may_end),
        WITH_LINK(what_does_not_end_in_time_when_the_worker_stops_is_answered_too),
        cmocka_unit_test(a_worker_without_a_link_does_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
