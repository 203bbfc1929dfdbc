/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/msg.h: what is not in the table, in its size, on its channel, in its time or in its range is refused. */
#include "firmware/msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/process.h"

struct pair {
    struct msg_channel *upper;
    struct msg_channel *lower;
};

static void make_pair(enum msg_channel_kind kind, struct pair *out_pair)
{
    int ends[2];

    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[0]), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[1]), ERR_OK);
    assert_int_equal(msg_channel_new(ends[0], kind, MSG_UPPER, &out_pair->upper), ERR_OK);
    assert_int_equal(msg_channel_new(ends[1], kind, MSG_LOWER, &out_pair->lower), ERR_OK);
}

static void free_pair(struct pair *pair)
{
    fault_clear();
    msg_channel_free(pair->upper);
    msg_channel_free(pair->lower);
}

/* Bytes as no sender of ours would write them. */
static void send_raw(const struct msg_channel *channel, const void *bytes, size_t len)
{
    assert_int_equal(send(msg_channel_fd(channel), bytes, len, 0), (ssize_t)len);
}

static void msg_recv_gives_every_field_back(void **state)
{
    struct pair pair;
    struct msg sent = MSG_NEW(MSG_SIGN_TLS12);
    struct msg got = {0};
    make_pair(MSG_REACTOR, &pair);
    sent.as.sign_tls12.request = UINT64_C(0x1122334455667788);
    sent.as.sign_tls12.certificate = 7;
    memset(sent.as.sign_tls12.client_random, 0xaa, 32);
    memset(sent.as.sign_tls12.server_random, 0xbb, 32);
    sent.as.sign_tls12.group = 23;
    assert_int_equal(MSG_SET(&sent.as.sign_tls12.point, span_lit("point")), ERR_OK);

    assert_int_equal(msg_send(pair.lower, &sent), ERR_OK);
    assert_int_equal(msg_recv(pair.upper, MSG_OPERATIONAL, &got), ERR_OK);

    assert_int_equal(got.type, MSG_SIGN_TLS12);
    assert_int_equal(got.fd, -1);
    assert_true(got.as.sign_tls12.request == UINT64_C(0x1122334455667788));
    assert_int_equal(got.as.sign_tls12.certificate, 7);
    assert_memory_equal(got.as.sign_tls12.client_random, sent.as.sign_tls12.client_random, 32);
    assert_memory_equal(got.as.sign_tls12.server_random, sent.as.sign_tls12.server_random, 32);
    assert_int_equal(got.as.sign_tls12.group, 23);
    assert_int_equal(got.as.sign_tls12.point.len, 5);
    assert_memory_equal(got.as.sign_tls12.point.data, "point", 5);
    free_pair(&pair);
}

static void every_message_has_one_size_below_the_maximum(void **state)
{
    for (int type = 0; type < MSG_TYPE_COUNT; type++) {
        assert_true(msg_size((enum msg_type)type) >= 4);
        assert_true(msg_size((enum msg_type)type) <= MSG_WIRE_MAX);
    }
}

static void msg_recv_refuses_an_unknown_type(void **state)
{
    struct pair pair;
    struct msg got = {0};
    uint8_t bytes[4];
    make_pair(MSG_REACTOR, &pair);

    put_u32be(bytes, MSG_TYPE_COUNT);
    send_raw(pair.lower, bytes, sizeof(bytes));
    assert_int_equal(msg_recv(pair.upper, MSG_OPERATIONAL, &got), ERR_MALFORMED);

    put_u32be(bytes, UINT32_MAX);
    send_raw(pair.lower, bytes, sizeof(bytes));
    assert_int_equal(msg_recv(pair.upper, MSG_OPERATIONAL, &got), ERR_MALFORMED);
    free_pair(&pair);
}

static void msg_recv_refuses_every_other_size(void **state)
{
    struct pair pair;
    struct msg got = {0};
    uint8_t bytes[2 * MSG_WIRE_MAX] = {0};
    const size_t size = msg_size(MSG_SIGN_TLS13);
    make_pair(MSG_REACTOR, &pair);
    put_u32be(bytes, MSG_SIGN_TLS13);

    for (size_t len = 1; len < size; len++) {
        send_raw(pair.lower, bytes, len);
        assert_int_equal(msg_recv(pair.upper, MSG_OPERATIONAL, &got), ERR_MALFORMED);
    }
    send_raw(pair.lower, bytes, size + 1);
    assert_int_equal(msg_recv(pair.upper, MSG_OPERATIONAL, &got), ERR_MALFORMED);
    send_raw(pair.lower, bytes, sizeof(bytes));
    assert_int_equal(msg_recv(pair.upper, MSG_OPERATIONAL, &got), ERR_MALFORMED);
    send_raw(pair.lower, bytes, size);
    assert_int_equal(msg_recv(pair.upper, MSG_OPERATIONAL, &got), ERR_OK);
    free_pair(&pair);
}

static void msg_recv_refuses_a_message_of_another_channel_or_direction(void **state)
{
    struct pair pair;
    struct msg got = {0};
    uint8_t bytes[MSG_WIRE_MAX] = {0};
    make_pair(MSG_REACTOR, &pair);

    for (int type = 0; type < MSG_TYPE_COUNT; type++) {
        if (type == MSG_SIGN_TLS13 || type == MSG_SIGN_TLS12 || type == MSG_UNLOCK || type == MSG_TOKEN_SIGN ||
            type == MSG_PEPPER) {
            continue;
        }
        put_u32be(bytes, (uint32_t)type);
        send_raw(pair.lower, bytes, msg_size((enum msg_type)type));
        assert_int_equal(msg_recv(pair.upper, MSG_OPERATIONAL, &got), ERR_MALFORMED);
    }
    free_pair(&pair);
}

static void msg_recv_refuses_what_is_out_of_time(void **state)
{
    static const enum msg_state refused[] = {MSG_STARTING, MSG_LOCKED, MSG_STOPPING};
    struct pair pair;
    struct msg sent = MSG_NEW(MSG_KEY_NEW);
    struct msg got = {0};
    make_pair(MSG_CALLS, &pair);

    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        assert_int_equal(msg_send(pair.lower, &sent), ERR_OK);
        assert_int_equal(msg_recv(pair.upper, refused[i], &got), ERR_STATE);
    }
    assert_int_equal(msg_send(pair.lower, &sent), ERR_OK);
    assert_int_equal(msg_recv(pair.upper, MSG_OPERATIONAL, &got), ERR_OK);
    free_pair(&pair);
}

static void msg_recv_refuses_numbers_and_texts_out_of_range(void **state)
{
    struct pair pair;
    struct msg got = {0};
    uint8_t bytes[MSG_WIRE_MAX] = {0};
    const size_t size = msg_size(MSG_UNLOCK);
    make_pair(MSG_REACTOR, &pair);
    put_u32be(bytes, MSG_UNLOCK); /* then request(8) kind(4) length(4) text */

    put_u32be(bytes + 12, MSG_UNLOCK_KINDS);
    send_raw(pair.lower, bytes, size);
    assert_int_equal(msg_recv(pair.upper, MSG_LOCKED, &got), ERR_MALFORMED);

    put_u32be(bytes + 12, 0);
    put_u32be(bytes + 16, MSG_RECOVERY_MAX + 1);
    send_raw(pair.lower, bytes, size);
    assert_int_equal(msg_recv(pair.upper, MSG_LOCKED, &got), ERR_MALFORMED);

    put_u32be(bytes + 16, 3);
    bytes[20 + 3] = 'x'; /* behind the text */
    send_raw(pair.lower, bytes, size);
    assert_int_equal(msg_recv(pair.upper, MSG_LOCKED, &got), ERR_MALFORMED);

    bytes[20 + 3] = 0;
    send_raw(pair.lower, bytes, size);
    assert_int_equal(msg_recv(pair.upper, MSG_LOCKED, &got), ERR_OK);
    free_pair(&pair);
}

static void msg_recv_passes_a_descriptor_only_where_the_table_says_so(void **state)
{
    struct pair pair;
    struct msg sent = MSG_NEW(MSG_KEEPER_WORKER);
    struct msg got = {0};
    uint8_t bytes[MSG_WIRE_MAX] = {0};
    int extra[2];
    make_pair(MSG_TO_KEEPER, &pair);
    assert_int_equal(channel_pair(extra), ERR_OK);

    assert_int_equal(msg_send(pair.upper, &sent), ERR_BUG); /* without one */
    put_u32be(bytes, MSG_KEEPER_WORKER);
    send_raw(pair.upper, bytes, msg_size(MSG_KEEPER_WORKER));
    assert_int_equal(msg_recv(pair.lower, MSG_OPERATIONAL, &got), ERR_MALFORMED);

    put_u32be(bytes, MSG_KEEPER_STOP);
    assert_int_equal(channel_send(msg_channel_fd(pair.upper), span_of(bytes, msg_size(MSG_KEEPER_STOP)), extra, 1),
                     ERR_OK);
    assert_int_equal(msg_recv(pair.lower, MSG_OPERATIONAL, &got), ERR_MALFORMED);

    sent.fd = extra[0];
    assert_int_equal(msg_send(pair.upper, &sent), ERR_OK);
    assert_int_equal(msg_recv(pair.lower, MSG_OPERATIONAL, &got), ERR_OK);
    assert_true(got.fd >= 0 && got.fd != extra[0]);
    assert_int_equal(close(got.fd), 0);
    assert_int_equal(close(extra[0]) | close(extra[1]), 0);
    free_pair(&pair);
}

static void msg_recv_tells_nothing_from_the_end(void **state)
{
    struct pair pair;
    struct msg got = {0};
    make_pair(MSG_NOTICES, &pair);

    assert_int_equal(msg_recv(pair.lower, MSG_OPERATIONAL, &got), ERR_AGAIN);
    msg_channel_free(pair.upper);
    pair.upper = NULL;
    assert_int_equal(msg_recv(pair.lower, MSG_OPERATIONAL, &got), ERR_CLOSED);
    free_pair(&pair);
}

static void msg_send_refuses_what_this_end_may_not_send(void **state)
{
    struct pair pair;
    const struct msg key = MSG_NEW(MSG_KEY);
    const struct msg sign = MSG_NEW(MSG_SIGN_TLS13);
    struct msg wide = MSG_NEW(MSG_DONE);
    make_pair(MSG_CALLS, &pair);
    wide.as.done.pending = 2;

    assert_int_equal(msg_send(pair.lower, &key), ERR_BUG);
    assert_int_equal(msg_send(pair.lower, &sign), ERR_BUG);
    assert_int_equal(msg_send(pair.upper, &wide), ERR_BUG);
    free_pair(&pair);
}

static void msg_set_refuses_what_does_not_fit(void **state)
{
    struct msg_pin pin = {0};
    const uint8_t bytes[MSG_PIN_MAX + 1] = {0};

    assert_int_equal(MSG_SET(&pin, span_of(bytes, MSG_PIN_MAX)), ERR_OK);
    assert_int_equal(pin.len, MSG_PIN_MAX);
    assert_int_equal(MSG_SET(&pin, span_array(bytes)), ERR_RANGE);
    assert_int_equal(pin.len, MSG_PIN_MAX);
    fault_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(msg_recv_gives_every_field_back),
        cmocka_unit_test(every_message_has_one_size_below_the_maximum),
        cmocka_unit_test(msg_recv_refuses_an_unknown_type),
        cmocka_unit_test(msg_recv_refuses_every_other_size),
        cmocka_unit_test(msg_recv_refuses_a_message_of_another_channel_or_direction),
        cmocka_unit_test(msg_recv_refuses_what_is_out_of_time),
        cmocka_unit_test(msg_recv_refuses_numbers_and_texts_out_of_range),
        cmocka_unit_test(msg_recv_passes_a_descriptor_only_where_the_table_says_so),
        cmocka_unit_test(msg_recv_tells_nothing_from_the_end),
        cmocka_unit_test(msg_send_refuses_what_this_end_may_not_send),
        cmocka_unit_test(msg_set_refuses_what_does_not_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
