/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/worker/outbound.h: what several requests at once do to each other, above all where a server does not answer. */
#include "firmware/worker/outbound.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "hal/base/config.h"
#include "tests/lib/outbound_box.h"

#define PAUSE_MS ((uint64_t)CONFIG_COURIER_PAUSE_S * 1000)
#define FETCH_MS ((uint64_t)CONFIG_COURIER_FETCH_S * 1000)
#define LONG_MS  (FETCH_MS < 12000 ? FETCH_MS / 4 : 3000) /* what takes so long in vain is followed by a pause */
#define WAITING  (CONFIG_COURIER_JOBS / 4)
#define SERVERS  4

struct lanes {
    struct outbound_box *box;
    struct buf *answer;
};

static struct lanes lanes;

static int set_up(void **state)
{
    assert_int_equal(outbound_box_set_up(state), 0);
    lanes = (struct lanes){.box = *state};
    assert_int_equal(buf_new(OUTBOUND_ANSWER_MAX, &lanes.answer), ERR_OK);
    *state = &lanes;
    return 0;
}

static int tear_down(void **state)
{
    void *box = lanes.box;

    (void)state; /* the same */
    assert_int_equal(outbound_box_tear_down(&box), 0);
    buf_free(lanes.answer);
    return 0;
}

static struct outbound_asked ask(size_t server)
{
    const struct span hosts[SERVERS] = {span_lit("a.example"), span_lit("b.example"), span_lit("c.example"),
                                        span_lit("d.example")};

    return outbound_box_fetch_for(lanes.box, hosts[server], lanes.answer);
}

/* All servers are on the list of a courier, and nothing is under way. */
static void know_all(void)
{
    struct outbound_asked asked[SERVERS];

    for (size_t i = 0; i < SERVERS; i++) {
        asked[i] = ask(i);
        assert_int_equal(lanes.box->outbound.submit(lanes.box->outbound.context, &asked[i].job), ERR_OK);
    }
    outbound_box_turn(lanes.box);
    while (outbound_box_told(lanes.box)) {
    }
    outbound_box_start_courier(lanes.box, lanes.box->msg.as.destination.list);
    for (size_t i = 0; i < SERVERS; i++) {
        assert_true(outbound_box_given(lanes.box));
        outbound_box_say_done(lanes.box, lanes.box->msg.as.job_fetch.job, OUTBOUND_DONE, 200);
        assert_int_equal(asked[i].answers, 1);
    }
}

/* The courier has been given a request for that server; its number. */
static uint64_t take(size_t server)
{
    assert_true(outbound_box_given(lanes.box));
    assert_int_equal(lanes.box->msg.type, MSG_JOB_FETCH);
    assert_int_equal(lanes.box->msg.as.job_fetch.destination, server);
    return lanes.box->msg.as.job_fetch.job;
}

static void say_unreached(uint64_t number, enum outbound_stage stage)
{
    struct msg done = MSG_NEW(MSG_JOB_DONE);

    done.as.job_done.job = number;
    done.as.job_done.result = OUTBOUND_TEMPORARY;
    done.as.job_done.stage = (uint32_t)stage;
    assert_int_equal(msg_send(lanes.box->courier, &done), ERR_OK);
    outbound_box_turn(lanes.box);
}

static void pass(uint64_t ms)
{
    sim_clock_advance_ms(&lanes.box->clock, ms);
    outbound_box_turn(lanes.box);
}

static void three_servers_are_asked_at_once_and_each_by_one(void **state)
{
    struct outbound_box *const f = ((struct lanes *)*state)->box;
    struct outbound_asked a = ask(0);
    struct outbound_asked again = ask(0);
    struct outbound_asked b = ask(1);
    struct outbound_asked c = ask(2);
    struct outbound_asked d = ask(3);
    know_all();

    outbound_box_submit(f, &a);
    outbound_box_submit(f, &again);
    outbound_box_submit(f, &b);
    outbound_box_submit(f, &c);
    outbound_box_submit(f, &d);

    const uint64_t first = take(0);
    const uint64_t second = take(1);
    (void)take(2);
    assert_false(outbound_box_given(f));
    outbound_box_say_done(f, second, OUTBOUND_DONE, 200); /* whose lane the first takes that may go */
    outbound_box_assert_ended(&b, OUTBOUND_DONE, OUTBOUND_AT_END);
    (void)take(3);
    assert_false(outbound_box_given(f));
    outbound_box_say_done(f, first, OUTBOUND_DONE, 200);
    outbound_box_assert_ended(&a, OUTBOUND_DONE, OUTBOUND_AT_END);
    outbound_box_say_done(f, take(0), OUTBOUND_DONE, 200);
    outbound_box_assert_ended(&again, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static void attack_13_a_server_that_does_not_answer_is_left_alone_and_others_are_not(void **state)
{
    struct outbound_box *const f = ((struct lanes *)*state)->box;
    struct outbound_asked first = ask(0);
    struct outbound_asked waits = ask(0);
    struct outbound_asked other = ask(1);
    struct outbound_asked meanwhile = ask(0);
    struct outbound_asked after = ask(0);
    know_all();
    outbound_box_submit(f, &first);
    outbound_box_submit(f, &waits);
    const uint64_t number = take(0);
    pass(LONG_MS);
    assert_int_equal(waits.answers, 0);

    say_unreached(number, OUTBOUND_AT_CONNECT);

    outbound_box_assert_ended(&first, OUTBOUND_TEMPORARY, OUTBOUND_AT_CONNECT);
    outbound_box_assert_ended(&waits, OUTBOUND_TEMPORARY, OUTBOUND_AT_CONNECT);
    pass(PAUSE_MS - 1);
    outbound_box_submit(f, &meanwhile);
    outbound_box_assert_ended(&meanwhile, OUTBOUND_TEMPORARY, OUTBOUND_AT_CONNECT);
    assert_false(outbound_box_given(f));
    outbound_box_submit(f, &other);
    outbound_box_say_done(f, take(1), OUTBOUND_DONE, 200);
    outbound_box_assert_ended(&other, OUTBOUND_DONE, OUTBOUND_AT_END);
    pass(1);
    outbound_box_submit(f, &after);
    outbound_box_say_done(f, take(0), OUTBOUND_DONE, 200);
    outbound_box_assert_ended(&after, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static void what_fails_soon_is_tried_again_at_once(void **state)
{
    struct outbound_box *const f = ((struct lanes *)*state)->box;
    struct outbound_asked first = ask(0);
    struct outbound_asked next = ask(0);
    know_all();
    outbound_box_submit(f, &first);
    const uint64_t number = take(0);
    pass(LONG_MS - 1);

    say_unreached(number, OUTBOUND_AT_CONNECT);
    outbound_box_submit(f, &next);

    outbound_box_say_done(f, take(0), OUTBOUND_DONE, 200);
    outbound_box_assert_ended(&next, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static void a_server_that_answers_is_not_left_alone_whatever_it_says(void **state)
{
    static const enum outbound_result results[] = {OUTBOUND_DONE, OUTBOUND_REFUSED};
    struct outbound_box *const f = ((struct lanes *)*state)->box;
    struct outbound_asked slow[2] = {ask(0), ask(0)};
    struct outbound_asked next = ask(0);
    know_all();

    for (size_t i = 0; i < ARRAY_LENGTH(results); i++) {
        outbound_box_submit(f, &slow[i]);
        const uint64_t number = take(0);
        pass(LONG_MS);
        outbound_box_say_done(f, number, results[i], 200);
    }

    outbound_box_submit(f, &next);
    (void)take(0);
}

static void a_request_that_is_given_up_tells_of_its_server(void **state)
{
    struct outbound_box *const f = ((struct lanes *)*state)->box;
    struct outbound_asked late = ask(0);
    struct outbound_asked next = ask(0);
    struct outbound_asked after = ask(0);
    know_all();
    outbound_box_submit(f, &late);
    const uint64_t number = take(0);

    pass(FETCH_MS);

    outbound_box_assert_ended(&late, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    outbound_box_submit(f, &next);
    outbound_box_assert_ended(&next, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    pass(PAUSE_MS - 1);
    say_unreached(number, OUTBOUND_AT_TLS); /* which is known, and makes it no longer */
    pass(1);
    outbound_box_submit(f, &after);
    (void)take(0);
}

static void a_request_that_hardly_began_tells_of_its_server_when_it_ends(void **state)
{
    struct outbound_box *const f = ((struct lanes *)*state)->box;
    struct outbound_asked slow = ask(0);
    struct outbound_asked late = ask(0);
    struct outbound_asked waits = ask(0);
    know_all();
    outbound_box_submit(f, &slow);
    outbound_box_submit(f, &late);
    const uint64_t first = take(0);
    pass(FETCH_MS - 1);
    outbound_box_say_done(f, first, OUTBOUND_DONE, 200);
    const uint64_t number = take(0);
    pass(1);
    outbound_box_assert_ended(&late, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    outbound_box_submit(f, &waits);
    assert_int_equal(waits.answers, 0);
    assert_false(outbound_box_given(f)); /* one lane, as long as the courier is at it */
    pass(LONG_MS);

    say_unreached(number, OUTBOUND_AT_TLS);

    outbound_box_assert_ended(&waits, OUTBOUND_TEMPORARY, OUTBOUND_AT_TLS);
}

static void a_courier_that_is_gone_takes_what_it_was_waiting_for_along(void **state)
{
    struct outbound_box *const f = ((struct lanes *)*state)->box;
    struct outbound_asked asked = ask(0);
    struct outbound_asked other = ask(1);
    struct outbound_asked meanwhile = ask(0);
    know_all();
    outbound_box_submit(f, &asked);
    (void)take(0);
    pass(LONG_MS);

    outbound_box_start_courier(f, 1);
    outbound_box_turn(f);
    outbound_box_assert_ended(&asked, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    outbound_box_submit(f, &meanwhile);

    outbound_box_assert_ended(&meanwhile, OUTBOUND_TEMPORARY, OUTBOUND_AT_ANSWER);
    outbound_box_submit(f, &other); /* which was not asked for anything */
    outbound_box_say_done(f, take(1), OUTBOUND_DONE, 200);
    outbound_box_assert_ended(&other, OUTBOUND_DONE, OUTBOUND_AT_END);
}

static void attack_13_requests_to_one_server_leave_room_for_those_to_others(void **state)
{
    struct outbound_box *const f = ((struct lanes *)*state)->box;
    struct outbound_asked asked[WAITING + 2];
    struct outbound_asked other = ask(1);
    struct outbound_asked mail = outbound_box_mail_for(f, span_lit("relay.example"));
    know_all();

    for (size_t i = 0; i < ARRAY_LENGTH(asked); i++) {
        asked[i] = ask(0);
        outbound_box_submit(f, &asked[i]);
    }

    (void)take(0);
    for (size_t i = 0; i <= WAITING; i++) {
        assert_int_equal(asked[i].answers, 0);
    }
    outbound_box_assert_ended(&asked[WAITING + 1], OUTBOUND_TEMPORARY, OUTBOUND_AT_QUEUE);
    outbound_box_submit(f, &other);
    outbound_box_say_done(f, take(1), OUTBOUND_DONE, 200);
    outbound_box_submit(f, &mail);
    assert_int_equal(mail.answers, 0);
    outbound_link_stop(f->link);
    outbound_box_turn(f);
}

static void a_relay_is_left_alone_by_nobody_here(void **state)
{
    struct outbound_box *const f = ((struct lanes *)*state)->box;
    struct outbound_asked mail = outbound_box_mail_for(f, span_lit("relay.example"));
    struct outbound_asked next = outbound_box_mail_for(f, span_lit("relay.example"));
    outbound_box_submit(f, &mail);
    assert_true(outbound_box_told(f));
    outbound_box_start_courier(f, f->msg.as.destination.list);
    const uint64_t number = outbound_box_take_mail(f);
    pass(LONG_MS);

    say_unreached(number, OUTBOUND_AT_CONNECT);
    outbound_box_submit(f, &next);

    outbound_box_say_done(f, outbound_box_take_mail(f), OUTBOUND_DONE, 250);
    outbound_box_assert_ended(&next, OUTBOUND_DONE, OUTBOUND_AT_END);
}

#define WITH_LANES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LANES(three_servers_are_asked_at_once_and_each_by_one),
        WITH_LANES(attack_13_a_server_that_does_not_answer_is_left_alone_and_others_are_not),
        WITH_LANES(what_fails_soon_is_tried_again_at_once),
        WITH_LANES(a_server_that_answers_is_not_left_alone_whatever_it_says),
        WITH_LANES(a_request_that_is_given_up_tells_of_its_server),
        WITH_LANES(a_request_that_hardly_began_tells_of_its_server_when_it_ends),
        WITH_LANES(a_courier_that_is_gone_takes_what_it_was_waiting_for_along),
        WITH_LANES(attack_13_requests_to_one_server_leave_room_for_those_to_others),
        WITH_LANES(a_relay_is_left_alone_by_nobody_here),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
