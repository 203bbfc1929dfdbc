/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/worker/table_keys.h: an answer belongs to the question before it, also after one that came too late. */
#include "firmware/worker/table_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "hal/base/fault.h"
#include "hal/process.h"

#define WAIT_MS 1 /* for an answer that does not come */

struct fixture {
    struct msg_channel *keeper; /* the other end */
    struct table_keys *keys;
    const struct data_keys *calls;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    struct msg_channel *channel = NULL;
    int ends[2];

    assert_int_equal(crypto_start(), ERR_OK);
    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[0]), ERR_OK);
    assert_int_equal(channel_set_timeout(ends[1], WAIT_MS), ERR_OK);
    assert_int_equal(msg_channel_new(ends[0], MSG_CALLS, MSG_UPPER, &fixture.keeper), ERR_OK);
    assert_int_equal(msg_channel_new(ends[1], MSG_CALLS, MSG_LOWER, &channel), ERR_OK);
    assert_int_equal(table_keys_new(channel, &fixture.keys), ERR_OK);
    fixture.calls = table_keys_view(fixture.keys);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    table_keys_free(f->keys);
    msg_channel_free(f->keeper);
    fault_clear();
    return 0;
}

/* Every byte of the key is the same. */
static void answer_key(struct fixture *f, uint8_t byte)
{
    struct msg msg = MSG_NEW(MSG_KEY);

    memset(msg.as.key.key, byte, sizeof msg.as.key.key);
    assert_int_equal(MSG_SET(&msg.as.key.wrapped, span_of(&byte, 1)), ERR_OK);
    assert_int_equal(msg_send(f->keeper, &msg), ERR_OK);
}

static enum err new_key(struct fixture *f, uint32_t table, uint8_t *out_first)
{
    struct data_wrapped wrapped = {.len = 0};
    struct secret *key = NULL;

    const enum err err = f->calls->new_key(f->calls->context, table, &key, &wrapped);
    *out_first = err == ERR_OK ? wrapped.bytes[0] : 0;
    secret_free(key);
    return err;
}

static void a_late_answer_is_not_taken_for_that_to_the_next_question(void **state)
{
    struct fixture *f = *state;
    uint8_t first = 0;
    assert_int_equal(new_key(f, 7, &first), ERR_TIMEOUT);
    answer_key(f, 7);
    answer_key(f, 8);

    assert_int_equal(new_key(f, 8, &first), ERR_OK);

    assert_int_equal(first, 8);
}

static void nothing_is_asked_while_an_answer_is_owed(void **state)
{
    struct fixture *f = *state;
    struct msg asked = {0};
    uint8_t first = 0;
    assert_int_equal(new_key(f, 7, &first), ERR_TIMEOUT);
    assert_int_equal(new_key(f, 8, &first), ERR_TIMEOUT);

    assert_int_equal(msg_recv(f->keeper, MSG_OPERATIONAL, &asked), ERR_OK);
    assert_int_equal(asked.as.key_request.table, 7);
    assert_int_equal(msg_recv(f->keeper, MSG_OPERATIONAL, &asked), ERR_AGAIN);
    answer_key(f, 7);
    answer_key(f, 9);
    assert_int_equal(new_key(f, 9, &first), ERR_OK);
    assert_int_equal(first, 9);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_late_answer_is_not_taken_for_that_to_the_next_question),
        T(nothing_is_asked_while_an_answer_is_owed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
