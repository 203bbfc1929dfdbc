/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/worker/outbound.h when a courier lives, and yet nothing can be sent to it. */
#include "firmware/worker/outbound.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "hal/base/config.h"
#include "hal/process.h"
#include "hal/sim/sim_clock.h"

static size_t answers;

static void on_done(struct outbound_job *job)
{
    assert_int_equal(job->result, OUTBOUND_TEMPORARY);
    answers++;
}

static void channels(enum msg_channel_kind kind, int out_ends[2], struct msg_channel **out_lower)
{
    assert_int_equal(channel_pair(out_ends), ERR_OK);
    assert_int_equal(channel_set_nonblocking(out_ends[0]), ERR_OK);
    assert_int_equal(channel_set_nonblocking(out_ends[1]), ERR_OK);
    assert_int_equal(msg_channel_new(out_ends[1], kind, MSG_LOWER, out_lower), ERR_OK);
}

static void assert_told_list(struct msg_channel *supervisor, uint32_t list)
{
    struct msg msg;

    assert_int_equal(msg_recv(supervisor, MSG_OPERATIONAL, &msg), ERR_OK);
    assert_int_equal(msg.type, MSG_WORKER_DESTINATION);
    assert_int_equal(msg.as.destination.list, list);
}

static void a_courier_that_cannot_be_told_is_replaced(void **state)
{
    static const uint8_t text[OUTBOUND_MAIL_MAX] = {0};
    struct sim_clock clock;
    struct poller *poller = NULL;
    struct loop *loop = NULL;
    struct outbound_link *link = NULL;
    struct msg_channel *control = NULL;
    struct msg_channel *supervisor = NULL;
    struct msg_channel *courier = NULL;
    int ends[2];
    sim_clock_init(&clock);
    assert_int_equal(poller_new(&poller), ERR_OK);
    assert_int_equal(loop_new(&clock.base, 8, &loop), ERR_OK);
    channels(MSG_TO_WORKER, ends, &control);
    assert_int_equal(msg_channel_new(ends[0], MSG_TO_WORKER, MSG_UPPER, &supervisor), ERR_OK);
    channels(MSG_JOBS, ends, &courier);
    assert_int_equal(outbound_link_new(&clock.base, poller, control, &link), ERR_OK);
    struct outbound_job job = {
        .done = on_done,
        .loop = loop,
        .to = {.kind = OUTBOUND_SMTP, .tls = OUTBOUND_TLS, .port = 465, .host = span_lit("relay.example")},
        .mail = {.from = span_lit("a@b.example"), .to = span_lit("c@d.example"), .text = span_array(text)}};
    const struct outbound outbound = outbound_link_table(link);
    assert_int_equal(outbound.submit(outbound.context, &job), ERR_OK);
    outbound_link_run(link);
    assert_told_list(supervisor, 1);

    assert_int_equal(outbound_link_courier(link, 1, ends[0]), ERR_OK); /* the mail is more than the channel holds */
    assert_int_equal(poller_remove(poller, ends[0]), ERR_OK);          /* and its room cannot be waited for any more */
    outbound_link_run(link);
    sim_clock_advance_ms(&clock, CONFIG_COURIER_CHANGE_MS);
    for (int i = 0; i < 64; i++) {
        struct msg msg;
        if (msg_recv(courier, MSG_OPERATIONAL, &msg) == ERR_OK) {
            outbound_link_run(link);
        }
    }
    outbound_link_run(link);

    assert_told_list(supervisor, 2);
    assert_int_equal(loop_turn(loop, 0), ERR_OK);
    assert_int_equal(answers, 1);
    outbound_link_free(link);
    msg_channel_free(courier);
    msg_channel_free(supervisor);
    msg_channel_free(control);
    loop_free(loop);
    poller_free(poller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_courier_that_cannot_be_told_is_replaced)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
