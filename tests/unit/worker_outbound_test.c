/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/worker/outbound.h between a supervisor and couriers that the test plays, on a clock that the test turns. */
#include "firmware/worker/outbound.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/process.h"
#include "hal/sim/sim_clock.h"
#include "hal/socket.h"

#define ANSWERS_MAX 256

struct asked {
    struct outbound_job job; /* first: done gets it back */
    unsigned int answers;
};

struct fixture {
    struct sim_clock clock;
    struct poller *poller;
    struct msg_channel *control; /* the link's end, and the supervisor's */
    struct msg_channel *supervisor;
    struct msg_channel *courier; /* the courier's end; NULL: none */
    struct loop *loop;
    struct outbound_link *link;
    struct outbound outbound;
    struct msg msg; /* received last */
};

static void on_done(struct outbound_job *job)
{
    ((struct asked *)job)->answers++;
}

static void pair(enum msg_channel_kind kind, struct msg_channel **out_upper, struct msg_channel **out_lower)
{
    int ends[2];

    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[0]), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[1]), ERR_OK);
    assert_int_equal(msg_channel_new(ends[0], kind, MSG_UPPER, out_upper), ERR_OK);
    assert_int_equal(msg_channel_new(ends[1], kind, MSG_LOWER, out_lower), ERR_OK);
}

static int set_up(void **state)
{
    void *memory = NULL;

    assert_int_equal(mem_alloc(sizeof(struct fixture), &memory), ERR_OK);
    struct fixture *const f = memory;
    sim_clock_init(&f->clock);
    pair(MSG_TO_WORKER, &f->supervisor, &f->control);
    assert_int_equal(poller_new(&f->poller), ERR_OK);
    assert_int_equal(loop_new(&f->clock.base, ANSWERS_MAX, &f->loop), ERR_OK);
    assert_int_equal(outbound_link_new(&f->clock.base, f->poller, f->control, &f->link), ERR_OK);
    f->outbound = outbound_link_table(f->link);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;

    fault_clear();
    outbound_link_free(f->link);
    msg_channel_free(f->courier);
    msg_channel_free(f->supervisor);
    msg_channel_free(f->control);
    poller_free(f->poller);
    loop_free(f->loop);
    mem_free(f);
    return 0;
}

/* One turn of the worker, and one of whoever asked. */
static void turn(struct fixture *f)
{
    outbound_link_run(f->link);
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
}

static struct asked mail_for(struct fixture *f, struct span host)
{
    return (struct asked){.job = {.done = on_done,
                                  .loop = f->loop,
                                  .to = {.kind = OUTBOUND_SMTP, .tls = OUTBOUND_STARTTLS, .port = 587, .host = host},
                                  .mail = {.from = span_lit("a@b.example"),
                                           .to = span_lit("c@d.example"),
                                           .user = span_lit("user"),
                                           .password = span_lit("password"),
                                           .text = span_lit("text")}}};
}

static struct asked fetch_for(struct fixture *f, struct span host, struct buf *answer)
{
    return (struct asked){.job = {.done = on_done,
                                  .loop = f->loop,
                                  .to = {.kind = OUTBOUND_HTTPS, .tls = OUTBOUND_TLS, .port = 443, .host = host},
                                  .fetch = {.method = OUTBOUND_GET, .path = span_lit("/keys"), .answer = answer}}};
}

static void submit(struct fixture *f, struct asked *asked)
{
    assert_int_equal(f->outbound.submit(f->outbound.context, &asked->job), ERR_OK);
    turn(f);
}

/* The next message for the supervisor; false: there is none. */
static bool told(struct fixture *f)
{
    const enum err err = msg_recv(f->supervisor, MSG_OPERATIONAL, &f->msg);

    assert_true(err == ERR_OK || err == ERR_AGAIN);
    return err == ERR_OK;
}

static void assert_told(struct fixture *f, uint32_t index, uint32_t count, struct span host)
{
    assert_true(told(f));
    assert_int_equal(f->msg.type, MSG_WORKER_DESTINATION);
    assert_int_equal(f->msg.as.destination.index, index);
    assert_int_equal(f->msg.as.destination.count, count);
    assert_true(span_equal(MSG_VIEW(&f->msg.as.destination.host), host));
}

/* A new courier, for the list that was told last. */
static void start_courier(struct fixture *f, uint32_t list)
{
    int ends[2];

    msg_channel_free(f->courier);
    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[1]), ERR_OK);
    assert_int_equal(msg_channel_new(ends[1], MSG_JOBS, MSG_LOWER, &f->courier), ERR_OK);
    assert_int_equal(outbound_link_courier(f->link, list, ends[0]), ERR_OK);
}

static bool given(struct fixture *f)
{
    const enum err err = msg_recv(f->courier, MSG_OPERATIONAL, &f->msg);

    assert_true(err == ERR_OK || err == ERR_AGAIN);
    return err == ERR_OK;
}

/* Takes the text of a mail that was given; its number. */
static uint64_t take_text(struct fixture *f)
{
    assert_int_equal(f->msg.type, MSG_JOB_MAIL);
    const uint64_t number = f->msg.as.job_mail.job;
    assert_true(given(f));
    assert_int_equal(f->msg.type, MSG_JOB_PART);
    assert_true(f->msg.as.job_part.job == number);
    return number;
}

/* Takes a mail with its text; its number. */
static uint64_t take_mail(struct fixture *f)
{
    assert_true(given(f));
    return take_text(f);
}

static void say_done(struct fixture *f, uint64_t number, enum outbound_result result, uint32_t status)
{
    struct msg done = MSG_NEW(MSG_JOB_DONE);

    done.as.job_done.job = number;
    done.as.job_done.result = (uint32_t)result;
    done.as.job_done.stage = OUTBOUND_AT_END;
    done.as.job_done.status = status;
    assert_int_equal(msg_send(f->courier, &done), ERR_OK);
    turn(f);
}

static void assert_ended(const struct asked *asked, enum outbound_result result, enum outbound_stage stage)
{
    assert_int_equal(asked->answers, 1);
    assert_int_equal(asked->job.result, result);
    assert_int_equal(asked->job.stage, stage);
}

/* A mail that is under way at a courier. */
static uint64_t set_off(struct fixture *f, struct asked *asked)
{
    submit(f, asked);
    while (told(f)) {
    }
    start_courier(f, f->msg.as.destination.list);
    return take_mail(f);
}

static void a_job_makes_the_list_waits_for_its_courier_and_is_answered_on_its_loop(void **state)
{
    struct fixture *const f = *state;
    struct asked asked = mail_for(f, span_lit("relay.example"));

    submit(f, &asked);
    assert_told(f, 0, 1, span_lit("relay.example"));
    assert_int_equal(f->msg.as.destination.kind, OUTBOUND_SMTP);
    assert_int_equal(f->msg.as.destination.tls, OUTBOUND_STARTTLS);
    assert_int_equal(f->msg.as.destination.port, 587);
    const uint32_t list = f->msg.as.destination.list;
    assert_false(told(f));
    start_courier(f, list);
    assert_true(given(f));
    assert_int_equal(f->msg.type, MSG_JOB_MAIL);
    assert_int_equal(f->msg.as.job_mail.destination, 0);
    assert_int_equal(f->msg.as.job_mail.bytes, 4);
    assert_true(span_equal(MSG_VIEW(&f->msg.as.job_mail.password), span_lit("password")));
    const uint64_t number = f->msg.as.job_mail.job;
    assert_true(given(f));
    assert_true(span_equal(MSG_VIEW(&f->msg.as.job_part.bytes), span_lit("text")));
    assert_int_equal(asked.answers, 0);
    say_done(f, number, OUTBOUND_DONE, 250);

    assert_ended(&asked, OUTBOUND_DONE, OUTBOUND_AT_END);
    assert_int_equal(asked.job.status, 250);
    struct asked second = mail_for(f, span_lit("RELAY.example"));
    submit(f, &second);
    assert_false(told(f)); /* the list has it */
    say_done(f, take_mail(f), OUTBOUND_REFUSED, 550);
    assert_ended(&second, OUTBOUND_REFUSED, OUTBOUND_AT_END);
}

static void a_courier_for_an_older_list_gets_no_jobs(void **state)
{
    struct fixture *const f = *state;
    struct asked first = mail_for(f, span_lit("one.example"));
    struct asked second = mail_for(f, span_lit("two.example"));
    submit(f, &first);
    assert_true(told(f));
    const uint32_t list = f->msg.as.destination.list;
    submit(f, &second);
    assert_false(told(f)); /* lists are some time apart */
    sim_clock_advance_ms(&f->clock, CONFIG_COURIER_CHANGE_MS);
    turn(f);
    assert_told(f, 0, 2, span_lit("one.example"));
    assert_told(f, 1, 2, span_lit("two.example"));
    const uint32_t newer = f->msg.as.destination.list;

    start_courier(f, list);
    turn(f);
    assert_false(given(f));
    start_courier(f, newer);

    say_done(f, take_mail(f), OUTBOUND_DONE, 250);
    assert_ended(&first, OUTBOUND_DONE, OUTBOUND_AT_END);
    say_done(f, take_mail(f), OUTBOUND_DONE, 250);
    assert_ended(&second, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static void one_mail_and_one_request_are_under_way_at_a_time(void **state)
{
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *answer = NULL;
    struct asked one = mail_for(f, span_lit("relay.example"));
    struct asked two = mail_for(f, span_lit("relay.example"));
    assert_int_equal(buf_new(OUTBOUND_ANSWER_MAX, &answer), ERR_OK);
    struct asked fetch = fetch_for(f, span_lit("id.example"), answer);
    submit(f, &fetch);
    sim_clock_advance_ms(&f->clock, CONFIG_COURIER_CHANGE_MS);
    submit(f, &two);
    submit(f, &one);
    while (told(f)) {
    }
    start_courier(f, f->msg.as.destination.list);

    const uint64_t mail = take_mail(f);
    assert_true(given(f));
    assert_int_equal(f->msg.type, MSG_JOB_FETCH);
    const uint64_t number = f->msg.as.job_fetch.job;
    assert_false(given(f));
    struct msg part = MSG_NEW(MSG_JOB_ANSWER);
    part.as.job_part.job = number;
    assert_int_equal(MSG_SET(&part.as.job_part.bytes, span_lit("{}")), ERR_OK);
    assert_int_equal(msg_send(f->courier, &part), ERR_OK);
    assert_int_equal(msg_send(f->courier, &part), ERR_OK);
    say_done(f, number, OUTBOUND_DONE, 200);
    assert_ended(&fetch, OUTBOUND_DONE, OUTBOUND_AT_END);
    assert_true(span_equal(buf_all(answer), span_lit("{}{}")));
    say_done(f, mail, OUTBOUND_DONE, 250);
    assert_ended(&two, OUTBOUND_DONE, OUTBOUND_AT_END);
    say_done(f, take_mail(f), OUTBOUND_DONE, 250);
    assert_ended(&one, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static void the_longest_mail_arrives_whole_however_slowly_the_courier_reads(void **state)
{
    struct fixture *const f = *state;
    static uint8_t text[OUTBOUND_MAIL_MAX];
    struct asked asked = mail_for(f, span_lit("relay.example"));
    size_t got = 0;
    asked.job.mail.text = span_array(text);
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (uint8_t)(i % 251);
    }
    submit(f, &asked);
    assert_true(told(f));
    start_courier(f, f->msg.as.destination.list);

    assert_true(given(f));
    const uint64_t number = f->msg.as.job_mail.job;
    while (got < sizeof(text)) {
        assert_true(given(f));
        assert_memory_equal(f->msg.as.job_part.bytes.data, text + got, f->msg.as.job_part.bytes.len);
        got += f->msg.as.job_part.bytes.len;
        turn(f);
    }

    say_done(f, number, OUTBOUND_DONE, 250);
    assert_ended(&asked, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static void a_courier_that_dies_ends_what_it_had_and_the_next_gets_the_rest(void **state)
{
    struct fixture *const f = *state;
    struct asked asked = mail_for(f, span_lit("relay.example"));
    struct asked next = mail_for(f, span_lit("relay.example"));
    (void)set_off(f, &asked);

    submit(f, &next);
    msg_channel_free(f->courier);
    f->courier = NULL;
    turn(f);

    assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    assert_int_equal(next.answers, 0);
    assert_false(told(f)); /* the supervisor knows, and starts another one for the same list */
    start_courier(f, 1);
    say_done(f, take_mail(f), OUTBOUND_DONE, 250);
    assert_ended(&next, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static void the_last_words_of_a_courier_count_when_the_next_one_comes(void **state)
{
    struct fixture *const f = *state;
    struct asked asked = mail_for(f, span_lit("relay.example"));
    struct msg done = MSG_NEW(MSG_JOB_DONE);
    done.as.job_done.job = set_off(f, &asked);
    done.as.job_done.stage = OUTBOUND_AT_END;
    assert_int_equal(msg_send(f->courier, &done), ERR_OK);

    start_courier(f, 1);
    turn(f);

    assert_ended(&asked, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static void what_a_courier_has_at_hand_is_over_when_the_next_one_comes(void **state)
{
    struct fixture *const f = *state;
    struct asked asked = mail_for(f, span_lit("relay.example"));
    struct asked next = mail_for(f, span_lit("relay.example"));
    (void)set_off(f, &asked);
    SCOPED_CHANNEL struct msg_channel *old = TAKE(f->courier); /* not gone, as far as anybody can see */

    start_courier(f, 1);
    submit(f, &next);

    assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    say_done(f, take_mail(f), OUTBOUND_DONE, 250);
    assert_ended(&next, OUTBOUND_DONE, OUTBOUND_AT_END);
    assert_int_equal(msg_recv(old, MSG_OPERATIONAL, &f->msg), ERR_CLOSED);
}

static void a_courier_that_says_what_nobody_asked_is_replaced(void **state)
{
    struct fixture *const f = *state;
    struct asked asked = mail_for(f, span_lit("relay.example"));
    const uint64_t number = set_off(f, &asked);
    sim_clock_advance_ms(&f->clock, CONFIG_COURIER_CHANGE_MS);

    say_done(f, number + 1, OUTBOUND_DONE, 250);

    assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    assert_told(f, 0, 1, span_lit("relay.example"));
    assert_int_equal(f->msg.as.destination.list, 2);
}

static void an_answer_without_end_is_not_taken(void **state)
{
    struct fixture *const f = *state;
    SCOPED_BUF struct buf *answer = NULL;
    static const uint8_t bytes[MSG_PART_MAX] = {0};
    struct msg part = MSG_NEW(MSG_JOB_ANSWER);
    assert_int_equal(buf_new(2 * MSG_PART_MAX, &answer), ERR_OK);
    struct asked asked = fetch_for(f, span_lit("id.example"), answer);
    submit(f, &asked);
    assert_true(told(f));
    start_courier(f, f->msg.as.destination.list);
    assert_true(given(f));
    part.as.job_part.job = f->msg.as.job_fetch.job;
    assert_int_equal(MSG_SET(&part.as.job_part.bytes, span_array(bytes)), ERR_OK);

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(asked.answers, 0);
        assert_int_equal(msg_send(f->courier, &part), ERR_OK);
        turn(f);
    }

    assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
}

static void a_job_ends_when_its_time_is_over_and_its_lane_when_the_courier_has_answered(void **state)
{
    struct fixture *const f = *state;
    struct asked asked = mail_for(f, span_lit("relay.example"));
    struct asked waits = mail_for(f, span_lit("relay.example"));
    const uint64_t number = set_off(f, &asked);
    submit(f, &waits);
    assert_true(outbound_link_wait_ms(f->link) <= CONFIG_COURIER_MAIL_S * 1000 + 1);
    sim_clock_advance_ms(&f->clock, (uint64_t)CONFIG_COURIER_MAIL_S * 1000 - 1);
    turn(f);
    assert_int_equal(asked.answers, 0);

    sim_clock_advance_ms(&f->clock, 1);
    turn(f);

    assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    assert_ended(&waits, OUTBOUND_TEMPORARY, OUTBOUND_AT_QUEUE);
    struct asked later = mail_for(f, span_lit("relay.example"));
    submit(f, &later);
    assert_false(given(f));
    say_done(f, number, OUTBOUND_DONE, 250); /* nobody's any more */
    assert_int_equal(asked.answers, 1);
    say_done(f, take_mail(f), OUTBOUND_DONE, 250);
    assert_ended(&later, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static void what_nobody_names_any_more_is_forgotten(void **state)
{
    struct fixture *const f = *state;
    const uint64_t idle_ms = (uint64_t)CONFIG_COURIER_IDLE_S * 1000;
    struct asked one = mail_for(f, span_lit("one.example"));
    struct asked two = mail_for(f, span_lit("two.example"));
    say_done(f, set_off(f, &one), OUTBOUND_DONE, 250);
    sim_clock_advance_ms(&f->clock, idle_ms - 1);
    turn(f);
    assert_false(told(f));
    assert_int_equal(outbound_link_wait_ms(f->link), 2);

    submit(f, &two);
    assert_told(f, 0, 2, span_lit("one.example"));
    assert_told(f, 1, 2, span_lit("two.example"));
    start_courier(f, f->msg.as.destination.list);
    say_done(f, take_mail(f), OUTBOUND_DONE, 250);
    sim_clock_advance_ms(&f->clock, idle_ms - 1);
    turn(f);
    assert_told(f, 0, 1, span_lit("two.example"));
    sim_clock_advance_ms(&f->clock, CONFIG_COURIER_CHANGE_MS);
    turn(f);

    assert_told(f, 0, 0, SPAN_NONE);
    assert_int_equal(outbound_link_wait_ms(f->link), POLLER_FOREVER);
}

static void nine_at_once_take_turns(void **state)
{
    struct fixture *const f = *state;
    struct asked asked[OUTBOUND_DESTINATIONS_MAX + 1];
    char names[OUTBOUND_DESTINATIONS_MAX + 1][16];
    uint32_t list = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(asked); i++) {
        (void)snprintf(names[i], sizeof(names[i]), "r%zu.example", i);
        asked[i] = mail_for(f, span_str(names[i]));
        assert_int_equal(f->outbound.submit(f->outbound.context, &asked[i].job), ERR_OK);
    }

    for (size_t i = 0; i < ARRAY_LENGTH(asked); i++) {
        sim_clock_advance_ms(&f->clock, CONFIG_COURIER_CHANGE_MS);
        turn(f);
        while (told(f)) {
            list = f->msg.as.destination.list;
        }
        if (f->courier == NULL || !given(f)) { /* the one before has nothing under way: it ends */
            start_courier(f, list);
            assert_true(given(f));
        }
        say_done(f, take_text(f), OUTBOUND_DONE, 250);
        assert_ended(&asked[i], OUTBOUND_DONE, OUTBOUND_AT_END);
    }
}

static void no_more_jobs_than_may_wait_are_taken_in(void **state)
{
    struct fixture *const f = *state;
    struct asked asked[CONFIG_COURIER_JOBS + 1];
    for (size_t i = 0; i < CONFIG_COURIER_JOBS; i++) {
        asked[i] = mail_for(f, span_lit("relay.example"));
        submit(f, &asked[i]);
    }
    asked[CONFIG_COURIER_JOBS] = mail_for(f, span_lit("relay.example"));

    assert_int_equal(f->outbound.submit(f->outbound.context, &asked[CONFIG_COURIER_JOBS].job), ERR_LIMIT);

    assert_true(told(f));
    start_courier(f, f->msg.as.destination.list);
    say_done(f, take_mail(f), OUTBOUND_DONE, 250);
    submit(f, &asked[CONFIG_COURIER_JOBS]);
    outbound_link_stop(f->link);
    sim_clock_advance_ms(&f->clock, 60000);
    turn(f);
    for (size_t i = 0; i < ARRAY_LENGTH(asked); i++) {
        assert_int_equal(asked[i].answers, 1);
    }
}

static void when_the_worker_stops_what_waits_is_answered_and_what_is_under_way_may_end(void **state)
{
    struct fixture *const f = *state;
    struct asked asked = mail_for(f, span_lit("relay.example"));
    struct asked waits = mail_for(f, span_lit("relay.example"));
    struct asked late = mail_for(f, span_lit("relay.example"));
    const uint64_t number = set_off(f, &asked);
    submit(f, &waits);

    outbound_link_stop(f->link);
    turn(f);

    assert_ended(&waits, OUTBOUND_TEMPORARY, OUTBOUND_AT_QUEUE);
    assert_int_equal(asked.answers, 0);
    assert_int_equal(f->outbound.submit(f->outbound.context, &late.job), ERR_CLOSED);
    say_done(f, number, OUTBOUND_DONE, 250);
    assert_ended(&asked, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static void what_does_not_end_in_time_when_the_worker_stops_is_answered_too(void **state)
{
    struct fixture *const f = *state;
    struct asked asked = mail_for(f, span_lit("relay.example"));
    (void)set_off(f, &asked);
    outbound_link_stop(f->link);
    assert_in_range(outbound_link_wait_ms(f->link), 1, 5000);

    sim_clock_advance_ms(&f->clock, 5000); /* less than a worker has */
    turn(f);

    assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
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

#define WITH_LINK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

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
