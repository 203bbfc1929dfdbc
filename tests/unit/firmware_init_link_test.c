/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/init_link.h: the requests to who has root, and everything else that could be sent to it. */
#include "firmware/init_link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/base/span.h"
#include "hal/process.h"
#include "hal/socket.h"

static int ends[2]; /* the supervisor's, the first process's */
static struct init_time asked;

static int make(void **state)
{
    (void)state;
    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[0]), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[1]), ERR_OK);
    return 0;
}

static int done(void **state)
{
    (void)state;
    socket_close(ends[0]);
    socket_close(ends[1]);
    fault_clear();
    return 0;
}

static void requests_without_a_time_arrive_as_they_were_sent(void **state)
{
    static const enum init_request requests[] = {INIT_MAP_VOLUME, INIT_RESTART};

    for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
        enum init_request got = (enum init_request)0;

        assert_int_equal(init_link_ask(ends[0], requests[i]), ERR_OK);
        assert_int_equal(init_link_hear(ends[1], &got, &asked), ERR_OK);
        assert_int_equal(got, requests[i]);
    }
}

static void a_time_arrives_whole_with_its_request(void **state)
{
    const struct init_time time = {.unix_ns = UINT64_C(0x0102030405060708), .at = {UINT64_C(0x1112131415161718)}};
    enum init_request got = INIT_RESTART;

    assert_int_equal(init_link_ask_time(ends[0], &time), ERR_OK);
    assert_int_equal(init_link_hear(ends[1], &got, &asked), ERR_OK);

    assert_int_equal(got, INIT_SET_CLOCK);
    assert_true(asked.unix_ns == time.unix_ns && asked.at.ns == time.at.ns);
}

static void a_time_of_another_size_or_with_another_request_is_refused(void **state)
{
    uint8_t bytes[24] = {0, 0, 0, INIT_SET_CLOCK};

    for (size_t len = 4; len <= sizeof(bytes); len++) {
        for (uint8_t word = INIT_MAP_VOLUME; word <= INIT_SET_CLOCK; word++) {
            enum init_request request = (enum init_request)0;
            asked.unix_ns = 7;
            bytes[3] = word;
            if (len == (word == INIT_SET_CLOCK ? 20 : 4)) {
                continue; /* is one */
            }

            assert_int_equal(channel_send(ends[0], span_of(bytes, len), NULL, 0), ERR_OK);
            assert_int_equal(init_link_hear(ends[1], &request, &asked), ERR_MALFORMED);

            assert_int_equal(request, 0);
            assert_int_equal(asked.unix_ns, 7);
        }
    }
}

static void every_code_of_an_error_is_an_answer(void **state)
{
    for (enum err code = ERR_OK; code < ERR_COUNT; code++) {
        enum err got = ERR_BUG;

        assert_int_equal(init_link_answer(ends[1], code), ERR_OK);
        assert_int_equal(init_link_take(ends[0], &got), ERR_OK);
        assert_int_equal(got, code);
    }
}

static void what_is_of_another_form_is_refused_at_both_ends(void **state)
{
    static const struct {
        uint8_t bytes[8];
        size_t len;
    } bad[] = {
        {{1}, 1}, {{0, 0, 1}, 3}, {{0, 0, 0, 1, 0}, 5}, {{0, 0, 0, 1, 0, 0, 0, 2}, 8}, {{1, 0, 0, 0}, 4},
        {{0xff, 0xff, 0xff, 0xff}, 4}, {{0, 0, 0, 0x80}, 4},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        enum init_request request = INIT_RESTART;
        enum err answer = ERR_BUG;
        const struct span message = span_of(bad[i].bytes, bad[i].len);

        assert_int_equal(channel_send(ends[0], message, NULL, 0), ERR_OK);
        assert_int_equal(init_link_hear(ends[1], &request, &asked), ERR_MALFORMED);
        assert_int_equal(channel_send(ends[1], message, NULL, 0), ERR_OK);
        assert_int_equal(init_link_take(ends[0], &answer), ERR_MALFORMED);
        assert_int_equal(request, INIT_RESTART);
        assert_int_equal(answer, ERR_BUG);
    }
}

static void numbers_beside_the_requests_are_none(void **state)
{
    static const uint8_t others[] = {0, 4, 5, 255};

    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        const uint8_t bytes[4] = {0, 0, 0, others[i]};
        enum init_request request = INIT_MAP_VOLUME;

        assert_int_equal(channel_send(ends[0], span_array(bytes), NULL, 0), ERR_OK);
        assert_int_equal(init_link_hear(ends[1], &request, &asked), ERR_MALFORMED);
    }
}

static void a_descriptor_with_a_request_is_refused_and_not_kept(void **state)
{
    static const uint8_t bytes[4] = {0, 0, 0, INIT_MAP_VOLUME};
    enum init_request request = INIT_RESTART;
    const int given[] = {ends[0]};
    int before[2];
    int after[2];
    assert_int_equal(channel_pair(before), ERR_OK);
    socket_close(before[0]);
    socket_close(before[1]);

    assert_int_equal(channel_send(ends[0], span_array(bytes), given, 1), ERR_OK);
    assert_int_equal(init_link_hear(ends[1], &request, &asked), ERR_MALFORMED);

    assert_int_equal(channel_pair(after), ERR_OK); /* takes the numbers that were free before */
    assert_int_equal(after[0], before[0]);
    socket_close(after[0]);
    socket_close(after[1]);
}

static void nothing_there_and_nobody_there_are_told_apart(void **state)
{
    enum init_request request = INIT_MAP_VOLUME;
    enum err answer = ERR_BUG;

    assert_int_equal(init_link_hear(ends[1], &request, &asked), ERR_AGAIN);
    assert_int_equal(init_link_take(ends[0], &answer), ERR_AGAIN);
    socket_close(ends[0]);
    ends[0] = -1;
    assert_int_equal(init_link_hear(ends[1], &request, &asked), ERR_CLOSED);
    assert_int_equal(init_link_answer(ends[1], ERR_OK), ERR_CLOSED);
}

#define WITH_LINK(test) cmocka_unit_test_setup_teardown(test, make, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LINK(requests_without_a_time_arrive_as_they_were_sent),
        WITH_LINK(a_time_arrives_whole_with_its_request),
        WITH_LINK(a_time_of_another_size_or_with_another_request_is_refused),
        WITH_LINK(every_code_of_an_error_is_an_answer),
        WITH_LINK(what_is_of_another_form_is_refused_at_both_ends),
        WITH_LINK(numbers_beside_the_requests_are_none),
        WITH_LINK(a_descriptor_with_a_request_is_refused_and_not_kept),
        WITH_LINK(nothing_there_and_nobody_there_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
