/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/worker/outbound_reach.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/socket.h"

struct opened {
    unsigned int times;
    struct relay_to to;
};

static void on_open(void *context, const struct relay_to *to, int take_fd)
{
    struct opened *const opened = context;

    opened->times++;
    opened->to = *to;
    socket_close(take_fd);
}

static struct outbound_job job_to(const char *host, uint16_t port)
{
    return (struct outbound_job){
        .to = {.kind = OUTBOUND_SMTP, .tls = OUTBOUND_STARTTLS, .port = port, .host = span_str(host)}};
}

static struct msg way_to(enum msg_reach_kind kind, const char *host, uint32_t port, int *out_end)
{
    struct msg msg = MSG_NEW(MSG_JOB_REACH);
    int ends[2];

    assert_int_equal(socket_pair(SOCKET_PAIR_BYTES, ends), ERR_OK);
    *out_end = ends[0];
    msg.fd = ends[1];
    msg.as.job_reach.kind = (uint32_t)kind;
    msg.as.job_reach.port = port;
    assert_int_equal(MSG_SET(&msg.as.job_reach.host, span_str(host)), ERR_OK);
    return msg;
}

/* What becomes of it; the descriptor never stays here. */
static enum err take_for(const struct outbound_reach *reach, struct outbound_lane *lane, struct msg msg, int end)
{
    uint8_t byte = 0;
    size_t len = 0;

    const enum err err = outbound_reach_take(reach, lane, &msg);
    assert_int_equal(msg.fd, -1);
    assert_int_equal(socket_receive(end, &byte, 1, &len), ERR_CLOSED);
    socket_close(end);
    fault_clear();
    return err;
}

static enum err take(const struct outbound_reach *reach, struct outbound_job *job, struct msg msg, int end)
{
    struct outbound_lane lane = {.number = 1, .job = job};

    return take_for(reach, &lane, msg, end);
}

static void a_way_to_where_the_job_goes_is_made(void **state)
{
    struct opened opened = {.times = 0};
    const struct outbound_reach reach = {.open = on_open, .context = &opened};
    struct outbound_job job = job_to("Mail.example", 587);
    int end = -1;

    const struct msg msg = way_to(MSG_REACH_TCP, "mail.example", 587, &end);
    assert_int_equal(take(&reach, &job, msg, end), ERR_OK);

    assert_int_equal(opened.times, 1);
    assert_int_equal(opened.to.kind, MSG_REACH_TCP);
    assert_int_equal(opened.to.port, 587);
    assert_int_equal(opened.to.life_s, CONFIG_COURIER_MAIL_S);
    assert_true(span_equal(MSG_VIEW(&opened.to.host), span_lit("mail.example")));
}

static void a_way_to_anywhere_else_ends_the_courier(void **state)
{
    struct opened opened = {.times = 0};
    const struct outbound_reach reach = {.open = on_open, .context = &opened};
    struct outbound_job job = job_to("mail.example", 587);
    static const struct {
        enum msg_reach_kind kind;
        const char *host;
        uint32_t port;
    } others[] = {{MSG_REACH_TCP, "mail.example", 588}, {MSG_REACH_TCP, "mail.example", 0},
                  {MSG_REACH_TCP, "mail.exampl", 587},  {MSG_REACH_TCP, "evil.example", 587},
                  {MSG_REACH_TCP, "", 587},             {MSG_REACH_UDP, "mail.example", 587}};

    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        int end = -1;
        const struct msg msg = way_to(others[i].kind, others[i].host, others[i].port, &end);
        assert_int_equal(take(&reach, &job, msg, end), ERR_MALFORMED);
    }

    assert_int_equal(opened.times, 0);
}

static void a_question_for_the_time_gets_datagrams_to_its_server_alone(void **state)
{
    static const struct {
        enum outbound_tls tls;
        enum msg_reach_kind kind;
        const char *host;
        uint32_t port;
        enum err wanted;
    } cases[] = {
        {OUTBOUND_CLEAR, MSG_REACH_UDP, "time.example", 123, ERR_OK},
        {OUTBOUND_CLEAR, MSG_REACH_UDP, "time.example", 124, ERR_MALFORMED},
        {OUTBOUND_CLEAR, MSG_REACH_TCP, "time.example", 123, ERR_MALFORMED},
        {OUTBOUND_TLS, MSG_REACH_TCP, "time.example", 123, ERR_OK},
        {OUTBOUND_TLS, MSG_REACH_TCP, "time.example", 124, ERR_MALFORMED},
        {OUTBOUND_TLS, MSG_REACH_UDP, "time.example", 124, ERR_OK}, /* agreed upon by NTS-KE */
        {OUTBOUND_TLS, MSG_REACH_UDP, "time.example", 0, ERR_MALFORMED},
        {OUTBOUND_TLS, MSG_REACH_UDP, "evil.example", 123, ERR_MALFORMED},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct opened opened = {.times = 0};
        const struct outbound_reach reach = {.open = on_open, .context = &opened};
        struct outbound_job job = job_to("time.example", 123);
        int end = -1;
        job.to.kind = OUTBOUND_TIME;
        job.to.tls = cases[i].tls;
        const struct msg msg = way_to(cases[i].kind, cases[i].host, cases[i].port, &end);
        assert_int_equal(take(&reach, &job, msg, end), cases[i].wanted);
        assert_int_equal(opened.times, cases[i].wanted == ERR_OK ? 1 : 0);
    }
}

static void a_courier_with_ways_of_its_own_gets_none(void **state)
{
    const struct outbound_reach none = {.open = NULL};
    struct outbound_job job = job_to("mail.example", 587);
    int end = -1;

    const struct msg msg = way_to(MSG_REACH_TCP, "mail.example", 587, &end);
    assert_int_equal(take(&none, &job, msg, end), ERR_MALFORMED);
}

static void a_way_for_a_job_that_is_over_is_closed_and_no_offence(void **state)
{
    struct opened opened = {.times = 0};
    const struct outbound_reach reach = {.open = on_open, .context = &opened};
    int end = -1;

    const struct msg msg = way_to(MSG_REACH_TCP, "mail.example", 587, &end);
    assert_int_equal(take(&reach, NULL, msg, end), ERR_OK);
    const struct msg unknown = way_to(MSG_REACH_TCP, "mail.example", 587, &end);
    assert_int_equal(take_for(&reach, NULL, unknown, end), ERR_OK);

    assert_int_equal(opened.times, 0);
}

/* Each is a post to a reactor, and those have their number. */
static void a_courier_that_wants_way_after_way_for_one_job_is_ended(void **state)
{
    struct opened opened = {.times = 0};
    const struct outbound_reach reach = {.open = on_open, .context = &opened};
    struct outbound_job job = job_to("mail.example", 587);
    struct outbound_lane lane = {.number = 1, .job = &job};
    int end = -1;

    for (unsigned int i = 0; i < OUTBOUND_WAYS_MAX; i++) {
        const struct msg msg = way_to(MSG_REACH_TCP, "mail.example", 587, &end);
        assert_int_equal(take_for(&reach, &lane, msg, end), ERR_OK);
    }
    const struct msg more = way_to(MSG_REACH_TCP, "mail.example", 587, &end);
    assert_int_equal(take_for(&reach, &lane, more, end), ERR_MALFORMED);

    assert_int_equal(opened.times, OUTBOUND_WAYS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_way_to_where_the_job_goes_is_made),
        cmocka_unit_test(a_way_to_anywhere_else_ends_the_courier),
        cmocka_unit_test(a_question_for_the_time_gets_datagrams_to_its_server_alone),
        cmocka_unit_test(a_courier_with_ways_of_its_own_gets_none),
        cmocka_unit_test(a_way_for_a_job_that_is_over_is_closed_and_no_offence),
        cmocka_unit_test(a_courier_that_wants_way_after_way_for_one_job_is_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
