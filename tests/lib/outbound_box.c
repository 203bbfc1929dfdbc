/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/outbound_box.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/process.h"

#define ANSWERS_MAX 256

static void on_done(struct outbound_job *job)
{
    ((struct outbound_asked *)job)->answers++;
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

int outbound_box_set_up(void **state)
{
    void *memory = NULL;

    assert_int_equal(mem_alloc(sizeof(struct outbound_box), &memory), ERR_OK);
    struct outbound_box *const f = memory;
    sim_clock_init(&f->clock);
    pair(MSG_TO_WORKER, &f->supervisor, &f->control);
    assert_int_equal(poller_new(&f->poller), ERR_OK);
    assert_int_equal(loop_new(&f->clock.base, ANSWERS_MAX, &f->loop), ERR_OK);
    assert_int_equal(outbound_link_new(&f->clock.base, f->poller, f->control, &f->link), ERR_OK);
    f->outbound = outbound_link_table(f->link);
    *state = f;
    return 0;
}

int outbound_box_tear_down(void **state)
{
    struct outbound_box *const f = *state;

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
void outbound_box_turn(struct outbound_box *f)
{
    outbound_link_run(f->link);
    assert_int_equal(loop_turn(f->loop, 0), ERR_OK);
}

struct outbound_asked outbound_box_mail_for(struct outbound_box *f, struct span host)
{
    return (struct outbound_asked){
        .job = {.done = on_done,
                .loop = f->loop,
                .to = {.kind = OUTBOUND_SMTP, .tls = OUTBOUND_STARTTLS, .port = 587, .host = host},
                .mail = {.from = span_lit("a@b.example"),
                         .to = span_lit("c@d.example"),
                         .user = span_lit("user"),
                         .password = span_lit("password"),
                         .text = span_lit("text")}}};
}

struct outbound_asked outbound_box_fetch_for(struct outbound_box *f, struct span host, struct buf *answer)
{
    return (struct outbound_asked){
        .job = {.done = on_done,
                .loop = f->loop,
                .to = {.kind = OUTBOUND_HTTPS, .tls = OUTBOUND_TLS, .port = 443, .host = host},
                .fetch = {.method = OUTBOUND_GET, .path = span_lit("/keys"), .answer = answer}}};
}

void outbound_box_submit(struct outbound_box *f, struct outbound_asked *asked)
{
    assert_int_equal(f->outbound.submit(f->outbound.context, &asked->job), ERR_OK);
    outbound_box_turn(f);
}

/* The next message for the supervisor; false: there is none. */
bool outbound_box_told(struct outbound_box *f)
{
    const enum err err = msg_recv(f->supervisor, MSG_OPERATIONAL, &f->msg);

    assert_true(err == ERR_OK || err == ERR_AGAIN);
    return err == ERR_OK;
}

void outbound_box_assert_told(struct outbound_box *f, uint32_t index, uint32_t count, struct span host)
{
    assert_true(outbound_box_told(f));
    assert_int_equal(f->msg.type, MSG_WORKER_DESTINATION);
    assert_int_equal(f->msg.as.destination.index, index);
    assert_int_equal(f->msg.as.destination.count, count);
    assert_true(span_equal(MSG_VIEW(&f->msg.as.destination.host), host));
}

/* A new courier, for the list that was told last. */
void outbound_box_start_courier(struct outbound_box *f, uint32_t list)
{
    int ends[2];

    msg_channel_free(f->courier);
    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[1]), ERR_OK);
    assert_int_equal(msg_channel_new(ends[1], MSG_JOBS, MSG_LOWER, &f->courier), ERR_OK);
    assert_int_equal(outbound_link_courier(f->link, list, ends[0]), ERR_OK);
}

bool outbound_box_given(struct outbound_box *f)
{
    const enum err err = msg_recv(f->courier, MSG_OPERATIONAL, &f->msg);

    assert_true(err == ERR_OK || err == ERR_AGAIN);
    return err == ERR_OK;
}

/* Takes the text of a mail that was given; its number. */
uint64_t outbound_box_take_text(struct outbound_box *f)
{
    assert_int_equal(f->msg.type, MSG_JOB_MAIL);
    const uint64_t number = f->msg.as.job_mail.job;
    assert_true(outbound_box_given(f));
    assert_int_equal(f->msg.type, MSG_JOB_PART);
    assert_true(f->msg.as.job_part.job == number);
    return number;
}

/* Takes a mail with its text; its number. */
uint64_t outbound_box_take_mail(struct outbound_box *f)
{
    assert_true(outbound_box_given(f));
    return outbound_box_take_text(f);
}

void outbound_box_say_done(struct outbound_box *f, uint64_t number, enum outbound_result result, uint32_t status)
{
    struct msg done = MSG_NEW(MSG_JOB_DONE);

    done.as.job_done.job = number;
    done.as.job_done.result = (uint32_t)result;
    done.as.job_done.stage = OUTBOUND_AT_END;
    done.as.job_done.status = status;
    assert_int_equal(msg_send(f->courier, &done), ERR_OK);
    outbound_box_turn(f);
}

void outbound_box_assert_ended(const struct outbound_asked *asked, enum outbound_result result,
                               enum outbound_stage stage)
{
    assert_int_equal(asked->answers, 1);
    assert_int_equal(asked->job.result, result);
    assert_int_equal(asked->job.stage, stage);
}
