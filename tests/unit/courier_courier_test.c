/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The courier as a process, in its sandbox; the test is its supervisor, and a hostile worker. What it does with a relay is
 * in courier_smtp_test.c and tests/blackbox/test_auth_relay.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/sockios.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "firmware/courier/courier.h"
#include "firmware/msg.h"
#include "hal/base/fault.h"
#include "hal/board.h"
#include "hal/clock.h"
#include "hal/process.h"
#include "hal/sandbox.h"
#include "hal/socket.h"
#include "tests/data/tls_client_known.h"
#include "tests/lib/nts_server.h"

#define WAIT_MS 20000

struct fixture {
    pid_t pid;
    struct msg_channel *control;
    struct msg_channel *jobs;
    int listener; /* refuses everybody, and keeps its port */
    uint16_t port;
    bool inside;  /* the worker connects for it */
    bool small;   /* what the courier can say before the worker has to read is little, */
    int jobs_end; /* and this is its end of the channel, to see how much it has said; -1 otherwise */
    struct nts_server *time; /* NULL: the list has none */
    struct msg in;
};

NO_RETURN static void be_courier(int control)
{
    const int high_control = fcntl(control, F_DUPFD, 100);

    (void)alarm(60); /* one that does not end where it should */
    if (dup2(high_control, COURIER_FD_CONTROL) < 0 || syscall(SYS_close_range, COURIER_FD_CONTROL + 1, ~0U, 0U) != 0) {
        _exit(3);
    }
    if (geteuid() == 0 && sandbox_drop_user(board_desc.supervisor_uid, board_desc.supervisor_gid) != ERR_OK) {
        _exit(3); /* as the supervisor does before it starts one */
    }
    _exit(courier_run() == ERR_OK ? 0 : 1);
}

static struct msg destination(const struct fixture *f, enum outbound_kind kind, uint32_t index)
{
    struct msg msg = MSG_NEW(MSG_COURIER_DESTINATION);

    msg.as.destination.list = 1;
    msg.as.destination.index = index;
    msg.as.destination.count = f->time == NULL ? 2 : 4;
    msg.as.destination.kind = (uint32_t)kind;
    msg.as.destination.tls = OUTBOUND_TLS;
    msg.as.destination.port = f->port;
    assert_int_equal(MSG_SET(&msg.as.destination.host, span_lit("localhost")), ERR_OK);
    return msg;
}

static void say(struct msg_channel *channel, enum msg_type type)
{
    const struct msg msg = MSG_NEW(type);

    assert_int_equal(msg_send(channel, &msg), ERR_OK);
}

static int start(void **state)
{
    static struct fixture fixture;
    struct fixture *const f = &fixture;
    const struct socket_listen loopback = {.address = {.family = SOCKET_IPV4, .ip = {127, 0, 0, 1}}, .backlog = 1};
    struct socket_address bound = {.port = 0};
    int ends[2];

    *f = (struct fixture){.pid = 0, .jobs_end = -1};
    assert_int_equal(socket_listen(&loopback, &f->listener, &bound), ERR_OK);
    f->port = bound.port;
    socket_refuse(f->listener);
    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(channel_set_timeout(ends[0], WAIT_MS), ERR_OK);
    f->pid = fork();
    if (f->pid == 0) {
        be_courier(ends[1]);
    }
    assert_true(f->pid > 0);
    socket_close(ends[1]);
    assert_int_equal(msg_channel_new(ends[0], MSG_TO_COURIER, MSG_UPPER, &f->control), ERR_OK);
    *state = f;
    return 0;
}

/* The same one in clear and over NTS. */
static void give_time_servers(struct fixture *f)
{
    struct msg msg = destination(f, OUTBOUND_TIME, 2);
    struct msg ca = MSG_NEW(MSG_COURIER_DESTINATION_CA);

    msg.as.destination.tls = OUTBOUND_CLEAR;
    msg.as.destination.port = nts_server_port(f->time);
    assert_int_equal(msg_send(f->control, &msg), ERR_OK);
    msg = destination(f, OUTBOUND_TIME, 3);
    msg.as.destination.port = nts_server_key_port(f->time);
    assert_int_equal(msg_send(f->control, &msg), ERR_OK);
    assert_int_equal(MSG_SET(&ca.as.part, span_str(known_ca)), ERR_OK);
    assert_int_equal(msg_send(f->control, &ca), ERR_OK);
}

/* One relay and one server, whose CA is pinned, and the channel of the worker. */
static void give_list(struct fixture *f)
{
    struct msg msg = destination(f, OUTBOUND_SMTP, 0);
    struct msg ca = MSG_NEW(MSG_COURIER_DESTINATION_CA);
    int ends[2];

    assert_int_equal(MSG_SET(&ca.as.part, span_str(known_ca)), ERR_OK);
    assert_int_equal(msg_send(f->control, &msg), ERR_OK);
    assert_int_equal(msg_send(f->control, &ca), ERR_OK);
    msg = destination(f, OUTBOUND_HTTPS, 1);
    assert_int_equal(msg_send(f->control, &msg), ERR_OK);
    assert_int_equal(msg_send(f->control, &ca), ERR_OK);
    if (f->time != NULL) {
        give_time_servers(f);
    }
    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(channel_set_timeout(ends[0], WAIT_MS), ERR_OK);
    if (f->small) {
        const int bytes = 1; /* the kernel makes it the least there is */
        assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
        f->jobs_end = dup(ends[1]);
    }
    msg = MSG_NEW(MSG_COURIER_START);
    msg.as.courier_start = f->inside ? 1 : 0;
    msg.fd = ends[1];
    assert_int_equal(msg_send(f->control, &msg), ERR_OK);
    socket_close(ends[1]);
    assert_int_equal(msg_channel_new(ends[0], MSG_JOBS, MSG_UPPER, &f->jobs), ERR_OK);
}

static void get_ready(struct fixture *f)
{
    give_list(f);
    assert_int_equal(msg_recv(f->control, MSG_STARTING, &f->in), ERR_OK);
    assert_int_equal(f->in.type, MSG_COURIER_READY);
}

static void assert_ends_with(struct fixture *f, int wanted)
{
    int status = 0;

    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    f->pid = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), wanted);
}

static int stop(void **state)
{
    struct fixture *const f = *state;

    if (f->pid != 0) {
        (void)kill(f->pid, SIGKILL);
        (void)waitpid(f->pid, NULL, 0);
    }
    msg_channel_free(f->control);
    msg_channel_free(f->jobs);
    socket_close(f->jobs_end);
    socket_close(f->listener);
    nts_server_free(f->time);
    fault_clear();
    return 0;
}

static struct msg mail(uint64_t number, uint32_t to, uint32_t bytes)
{
    struct msg msg = MSG_NEW(MSG_JOB_MAIL);

    msg.as.job_mail.job = number;
    msg.as.job_mail.destination = to;
    msg.as.job_mail.bytes = bytes;
    assert_int_equal(MSG_SET(&msg.as.job_mail.from, span_lit("a@b.example")), ERR_OK);
    assert_int_equal(MSG_SET(&msg.as.job_mail.to, span_lit("c@d.example")), ERR_OK);
    return msg;
}

static struct msg request(uint64_t number, uint32_t to, uint32_t bytes)
{
    struct msg msg = MSG_NEW(MSG_JOB_FETCH);

    msg.as.job_fetch.job = number;
    msg.as.job_fetch.destination = to;
    msg.as.job_fetch.bytes = bytes;
    msg.as.job_fetch.method = OUTBOUND_POST;
    assert_int_equal(MSG_SET(&msg.as.job_fetch.path, span_lit("/")), ERR_OK);
    return msg;
}

static struct msg part(uint64_t number, size_t bytes)
{
    static const uint8_t text[MSG_PART_MAX] = {'x'};
    struct msg msg = MSG_NEW(MSG_JOB_PART);

    msg.as.job_part.job = number;
    assert_int_equal(MSG_SET(&msg.as.job_part.bytes, span_of(text, bytes)), ERR_OK);
    return msg;
}

static void assert_answered(struct fixture *f, uint64_t number)
{
    assert_int_equal(msg_recv(f->jobs, MSG_OPERATIONAL, &f->in), ERR_OK);
    assert_int_equal(f->in.type, MSG_JOB_DONE);
    assert_true(f->in.as.job_done.job == number);
    assert_int_equal(f->in.as.job_done.result, OUTBOUND_TEMPORARY);
    assert_int_equal(f->in.as.job_done.stage, OUTBOUND_AT_CONNECT);
}

static void jobs_of_both_kinds_are_answered_and_then_the_next(void **state)
{
    struct fixture *const f = *state;
    struct msg fetch = MSG_NEW(MSG_JOB_FETCH);
    fetch.as.job_fetch.job = 8;
    fetch.as.job_fetch.destination = 1;
    assert_int_equal(MSG_SET(&fetch.as.job_fetch.path, span_lit("/")), ERR_OK);
    get_ready(f);

    for (uint64_t number = 10; number < 12; number++) {
        const struct msg begin = mail(number, 0, MSG_PART_MAX + 1);
        const struct msg first = part(number, MSG_PART_MAX);
        const struct msg last = part(number, 1);
        assert_int_equal(msg_send(f->jobs, &begin), ERR_OK);
        assert_int_equal(msg_send(f->jobs, &first), ERR_OK);
        assert_int_equal(msg_send(f->jobs, &last), ERR_OK);
        assert_answered(f, number);
    }
    assert_int_equal(msg_send(f->jobs, &fetch), ERR_OK);
    assert_answered(f, 8);
    say(f->control, MSG_COURIER_ASK);
    assert_int_equal(msg_recv(f->control, MSG_OPERATIONAL, &f->in), ERR_OK);
    assert_int_equal(f->in.type, MSG_COURIER_ANSWER);
    say(f->control, MSG_COURIER_STOP);
    assert_ends_with(f, 0);
}

static void requests_are_collected_side_by_side(void **state)
{
    struct fixture *const f = *state;
    unsigned int seen = 0;
    get_ready(f);

    for (uint64_t number = 0; number < OUTBOUND_FETCHES; number++) {
        const struct msg begin = request(number, 1, 2);
        assert_int_equal(msg_send(f->jobs, &begin), ERR_OK);
    }
    for (uint64_t i = 0; i < 2 * (uint64_t)OUTBOUND_FETCHES; i++) {
        const struct msg more = part(i % OUTBOUND_FETCHES, 1);
        assert_int_equal(msg_send(f->jobs, &more), ERR_OK);
    }

    for (size_t i = 0; i < OUTBOUND_FETCHES; i++) {
        assert_int_equal(msg_recv(f->jobs, MSG_OPERATIONAL, &f->in), ERR_OK);
        assert_int_equal(f->in.type, MSG_JOB_DONE);
        seen |= 1u << f->in.as.job_done.job;
    }
    assert_int_equal(seen, (1u << OUTBOUND_FETCHES) - 1);
    say(f->control, MSG_COURIER_STOP);
    assert_ends_with(f, 0);
}

static int start_inside(void **state)
{
    const int err = start(state);

    ((struct fixture *)*state)->inside = true;
    return err;
}

/* The worker's end of the way that the courier asks for. */
static int take_way(struct fixture *f, uint64_t job)
{
    assert_int_equal(msg_recv(f->jobs, MSG_OPERATIONAL, &f->in), ERR_OK);
    assert_int_equal(f->in.type, MSG_JOB_REACH);
    assert_true(f->in.as.job_reach.job == job);
    assert_int_equal(f->in.as.job_reach.kind, MSG_REACH_TCP);
    assert_int_equal(f->in.as.job_reach.port, f->port);
    assert_true(span_equal(MSG_VIEW(&f->in.as.job_reach.host), span_lit("localhost")));
    return f->in.fd;
}

static void assert_ended_at(struct fixture *f, uint64_t job, enum outbound_stage stage)
{
    assert_int_equal(msg_recv(f->jobs, MSG_OPERATIONAL, &f->in), ERR_OK);
    assert_int_equal(f->in.type, MSG_JOB_DONE);
    assert_true(f->in.as.job_done.job == job);
    assert_int_equal(f->in.as.job_done.result, OUTBOUND_TEMPORARY);
    assert_int_equal(f->in.as.job_done.stage, stage);
}

static void inside_it_asks_the_worker_for_each_connection(void **state)
{
    struct fixture *const f = *state;
    static const struct {
        uint8_t word; /* 0: closed without one */
        enum outbound_stage stage;
    } ways[] = {{MSG_REACHED_NO_NAME, OUTBOUND_AT_RESOLVE}, {MSG_REACHED_NOBODY, OUTBOUND_AT_CONNECT},
                {0, OUTBOUND_AT_CONNECT},                   {0x55, OUTBOUND_AT_CONNECT},
                {MSG_REACHED, OUTBOUND_AT_TLS}};
    get_ready(f);

    for (uint64_t i = 0; i < ARRAY_LENGTH(ways); i++) {
        const struct msg begin = request(20 + i, 1, 0);
        size_t sent = 0;
        assert_int_equal(msg_send(f->jobs, &begin), ERR_OK);
        const int way = take_way(f, 20 + i);
        if (ways[i].word != 0) {
            assert_int_equal(socket_send(way, span_of(&ways[i].word, 1), &sent), ERR_OK);
        }
        if (ways[i].word == MSG_REACHED) { /* its first words, and then nobody */
            uint8_t hello[1];
            assert_int_equal(socket_wait(way, SOCKET_WAIT_READ, WAIT_MS), ERR_OK);
            assert_int_equal(socket_receive(way, hello, 1, &sent), ERR_OK);
            assert_int_equal(hello[0], 22); /* a handshake of TLS */
        }
        socket_close(way);
        assert_ended_at(f, 20 + i, ways[i].stage);
    }

    say(f->control, MSG_COURIER_STOP);
    assert_ends_with(f, 0);
}

static void one_request_more_than_there_are_lanes_ends_it(void **state)
{
    struct fixture *const f = *state;
    get_ready(f);

    for (uint64_t number = 0; number < OUTBOUND_FETCHES; number++) {
        const struct msg begin = request(number, 1, 2);
        assert_int_equal(msg_send(f->jobs, &begin), ERR_OK);
    }
    say(f->control, MSG_COURIER_ASK);
    assert_int_equal(msg_recv(f->control, MSG_OPERATIONAL, &f->in), ERR_OK);
    const struct msg more = request(9, 1, 2);
    assert_int_equal(msg_send(f->jobs, &more), ERR_OK);

    assert_ends_with(f, 1);
}

/* False: it is gone. */
static bool is_alive(struct fixture *f)
{
    const struct msg ask = MSG_NEW(MSG_COURIER_ASK);
    const bool alive = msg_send(f->control, &ask) == ERR_OK && msg_recv(f->control, MSG_OPERATIONAL, &f->in) == ERR_OK;

    fault_clear();
    return alive;
}

static int unread_bytes(const struct fixture *f)
{
    int bytes = 0;

    assert_int_equal(ioctl(f->jobs_end, SIOCOUTQ, &bytes), 0);
    return bytes;
}

/* The worker lives and takes no answers: it would wait for them, and for a lane, for ever. */
static void it_ends_when_it_cannot_answer(void **state)
{
    struct fixture *const f = *state;
    bool alive = true;
    f->small = true;
    get_ready(f);

    for (uint64_t number = 1; alive; number++) {
        const struct msg job = mail(number, 0, 0);
        const int before = unread_bytes(f);
        assert_int_equal(msg_send(f->jobs, &job), ERR_OK);
        while (alive && unread_bytes(f) == before) {
            alive = is_alive(f);
        }
    }

    assert_ends_with(f, 1);
}

static struct msg time_question(uint64_t number, uint32_t to)
{
    struct msg msg = MSG_NEW(MSG_JOB_TIME);

    msg.as.job_time.job = number;
    msg.as.job_time.destination = to;
    return msg;
}

/* Shut in as it is. */
static void it_asks_time_servers_what_time_it_is(void **state)
{
    static const struct nts_server_options options = {
        .certificate = known_good, .key = known_key, .protocol = "ntske/1", .ahead_ns = INT64_C(3600000000000)};
    struct fixture *const f = *state;
    f->time = nts_server_new(&options);
    get_ready(f);

    for (uint32_t i = 0; i < 6; i++) { /* in clear and over NTS by turns */
        const struct msg job = time_question(i + 1, 2 + i % 2);
        assert_int_equal(msg_send(f->jobs, &job), ERR_OK);
        assert_int_equal(msg_recv(f->jobs, MSG_OPERATIONAL, &f->in), ERR_OK);
        assert_int_equal(f->in.type, MSG_JOB_READING);
        assert_true(f->in.as.job_reading.job == i + 1);
        assert_int_equal(f->in.as.job_reading.stratum, 2);
        const uint64_t ahead_ms = f->in.as.job_reading.unix_ns / 1000000 - (uint64_t)hal_clock_wall(hal_clock_system()).ms;
        assert_in_range(ahead_ms, 3590000, 3610000);
        assert_int_equal(msg_recv(f->jobs, MSG_OPERATIONAL, &f->in), ERR_OK);
        assert_int_equal(f->in.type, MSG_JOB_DONE);
        assert_true(f->in.as.job_done.job == i + 1);
        assert_int_equal(f->in.as.job_done.result, OUTBOUND_DONE);
    }

    assert_int_equal(nts_server_exchanges(f->time), 1);
    say(f->control, MSG_COURIER_STOP);
    assert_ends_with(f, 0);
}

/* Each ends the process. */
static void send_and_see_the_end(struct fixture *f, const struct msg *first, const struct msg *second)
{
    get_ready(f);
    assert_int_equal(msg_send(f->jobs, first), ERR_OK);
    if (second != NULL && msg_send(f->jobs, second) != ERR_OK) {
        fault_clear(); /* gone after the first already */
    }
    assert_ends_with(f, 1);
}

static void a_job_for_nobody_on_the_list_or_of_another_kind_ends_it(void **state)
{
    const struct msg jobs[] = {mail(1, 2, 1), time_question(1, 1), mail(1, 1, 1)};

    for (size_t i = 0; i < ARRAY_LENGTH(jobs); i++) {
        send_and_see_the_end(*state, &jobs[i], NULL);
        assert_int_equal(stop(state), 0);
        assert_int_equal(start(state), 0);
    }
}

static void two_questions_at_once_for_one_time_server_end_it(void **state)
{
    static const struct nts_server_options options = {
        .certificate = known_good, .key = known_key, .protocol = "ntske/1", .answer = NTS_SERVER_SILENT};
    struct fixture *const f = *state;
    const struct msg jobs[] = {time_question(1, 3), time_question(2, 3)};
    f->time = nts_server_new(&options);

    send_and_see_the_end(f, &jobs[0], &jobs[1]);
}

static void a_second_job_before_the_first_is_complete_ends_it(void **state)
{
    const struct msg first = mail(1, 0, 2);
    const struct msg second = mail(2, 0, 2);

    send_and_see_the_end(*state, &first, &second);
}

static void more_of_a_job_than_was_said_ends_it(void **state)
{
    const struct msg job = mail(1, 0, 5);
    const struct msg more = part(1, 6);

    send_and_see_the_end(*state, &job, &more);
}

static void a_part_of_another_job_ends_it(void **state)
{
    const struct msg job = mail(1, 0, 5);
    const struct msg other = part(2, 5);

    send_and_see_the_end(*state, &job, &other);
}

static void a_list_out_of_order_ends_it(void **state)
{
    struct fixture *const f = *state;
    const struct msg second = destination(f, OUTBOUND_SMTP, 1);

    assert_int_equal(msg_send(f->control, &second), ERR_OK);
    assert_ends_with(f, 1);
}

static void a_destination_that_does_not_fit_ends_it(void **state)
{
    struct fixture *const f = *state;
    struct msg msg = destination(f, OUTBOUND_HTTPS, 0);
    msg.as.destination.tls = OUTBOUND_STARTTLS;

    assert_int_equal(msg_send(f->control, &msg), ERR_OK);
    assert_ends_with(f, 1);
}

/* It would wait for 20 s, and whoever has a job for the next one with it. */
static void a_request_under_way_does_not_keep_it_for_long(void **state)
{
    struct fixture *const f = *state;
    const struct socket_listen silent = {.address = {.family = SOCKET_IPV4, .ip = {127, 0, 0, 1}}, .backlog = 1};
    const struct msg job = request(1, 1, 0);
    struct socket_address bound = {.port = 0};
    socket_close(f->listener);
    assert_int_equal(socket_listen(&silent, &f->listener, &bound), ERR_OK); /* takes connections, and says nothing */
    f->port = bound.port;
    get_ready(f);
    assert_int_equal(msg_send(f->jobs, &job), ERR_OK);
    assert_true(is_alive(f)); /* and has taken it: messages of both channels are read in one turn */
    const struct mono_time before = hal_clock_mono(hal_clock_system());

    say(f->control, MSG_COURIER_STOP);
    assert_ends_with(f, 0);

    assert_in_range(mono_ms_between(before, hal_clock_mono(hal_clock_system())), 2900, 15000);
}

static void it_ends_with_its_supervisor(void **state)
{
    struct fixture *const f = *state;
    get_ready(f);

    msg_channel_free(f->control);
    f->control = NULL;

    assert_ends_with(f, 1);
}

static void it_waits_for_its_supervisors_word_when_the_worker_is_gone(void **state)
{
    struct fixture *const f = *state;
    get_ready(f);
    msg_channel_free(f->jobs);
    f->jobs = NULL;

    say(f->control, MSG_COURIER_ASK);
    assert_int_equal(msg_recv(f->control, MSG_OPERATIONAL, &f->in), ERR_OK);
    say(f->control, MSG_COURIER_STOP);

    assert_ends_with(f, 0);
}

static void a_worker_that_goes_before_its_answer_is_no_failure(void **state)
{
    struct fixture *const f = *state;
    const struct msg job = mail(1, 0, 0);
    get_ready(f);

    assert_int_equal(msg_send(f->jobs, &job), ERR_OK);
    msg_channel_free(f->jobs);
    f->jobs = NULL;
    assert_true(is_alive(f));
    say(f->control, MSG_COURIER_STOP);

    assert_ends_with(f, 0);
}

#define WITH_COURIER(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_COURIER(jobs_of_both_kinds_are_answered_and_then_the_next),
        WITH_COURIER(requests_are_collected_side_by_side),
        cmocka_unit_test_setup_teardown(inside_it_asks_the_worker_for_each_connection, start_inside, stop),
        WITH_COURIER(one_request_more_than_there_are_lanes_ends_it),
        WITH_COURIER(it_ends_when_it_cannot_answer),
        WITH_COURIER(it_asks_time_servers_what_time_it_is),
        WITH_COURIER(a_job_for_nobody_on_the_list_or_of_another_kind_ends_it),
        WITH_COURIER(two_questions_at_once_for_one_time_server_end_it),
        WITH_COURIER(a_second_job_before_the_first_is_complete_ends_it),
        WITH_COURIER(more_of_a_job_than_was_said_ends_it),
        WITH_COURIER(a_part_of_another_job_ends_it),
        WITH_COURIER(a_list_out_of_order_ends_it),
        WITH_COURIER(a_destination_that_does_not_fit_ends_it),
        WITH_COURIER(a_request_under_way_does_not_keep_it_for_long),
        WITH_COURIER(it_ends_with_its_supervisor),
        WITH_COURIER(it_waits_for_its_supervisors_word_when_the_worker_is_gone),
        WITH_COURIER(a_worker_that_goes_before_its_answer_is_no_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
