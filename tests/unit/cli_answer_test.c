/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/cli/answer.h"
#include "hal/base/attr.h"
#include "hal/base/fault.h"

/* A box that says a text, so many bytes at once, and then nothing more. */
struct box {
    struct span left;
    size_t piece;
};

static enum err receive(void *context, struct buf *in)
{
    struct box *const box = context;
    const size_t len = box->left.len < box->piece ? box->left.len : box->piece;

    if (len == 0) {
        return ERR_CLOSED;
    }
    const struct span bytes = span_of(box->left.data, len);
    box->left = span_of(box->left.data + len, box->left.len - len);
    return buf_put(in, bytes);
}

static enum err read_text(struct span text, size_t piece, struct buf *in, struct answer *out_answer)
{
    struct box box = {text, piece};
    const struct answer_source source = {receive, &box};

    buf_reset(in);
    return answer_read(&source, in, out_answer);
}

static int setup(void **state)
{
    struct buf *in = NULL;

    assert_int_equal(buf_new(ANSWER_MAX, &in), ERR_OK);
    *state = in;
    return 0;
}

static int teardown(void **state)
{
    buf_free(*state);
    return 0;
}

static void an_answer_is_the_same_in_whatever_pieces_it_comes(void **state)
{
    const struct span text = span_lit("HTTP/1.1 409 Conflict\r\nX-Request-Id: 1\r\ncontent-length:  7 \r\n\r\n{\"a\":1}");

    for (size_t piece = 1; piece <= text.len; piece++) {
        struct answer answer = {.status = 0};
        assert_int_equal(read_text(text, piece, *state, &answer), ERR_OK);
        assert_int_equal(answer.status, 409);
        assert_int_equal(answer.body.len, 7);
        assert_memory_equal(answer.body.data, "{\"a\":1}", 7);
        assert_false(answer.closes);
    }
}

static void an_answer_that_ends_the_connection_says_so(void **state)
{
    struct answer answer = {.status = 0};

    assert_int_equal(
        read_text(span_lit("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n"), 99, *state, &answer), ERR_OK);

    assert_true(answer.closes);
    assert_int_equal(answer.body.len, 0);
}

static void an_answer_that_is_cut_short_is_none(void **state)
{
    const struct span text = span_lit("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
    struct answer answer = {.status = 77};

    for (size_t len = 0; len < text.len; len++) {
        assert_int_equal(read_text(span_of(text.data, len), 5, *state, &answer), ERR_CLOSED);
        fault_clear();
    }
    assert_int_equal(answer.status, 77);
}

static void attack_12_what_can_be_understood_in_two_ways_is_refused(void **state)
{
    static const char *const texts[] = {
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nnothing\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
    };
    struct answer answer = {.status = 0};

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        assert_int_equal(read_text(span_str(texts[i]), 999, *state, &answer), ERR_MALFORMED);
        fault_clear();
    }
}

static void attack_12_a_length_that_is_none_or_too_long_is_refused(void **state)
{
    static const char *const lengths[] = {"", "-1", "x", "262145", "99999999999999999999"};
    struct answer answer = {.status = 0};

    for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
        char text[128] = "HTTP/1.1 200 OK\r\nContent-Length: ";
        memcpy(text + strlen(text), lengths[i], strlen(lengths[i]) + 1);
        memcpy(text + strlen(text), "\r\n\r\n", 5);
        assert_int_equal(read_text(span_str(text), 999, *state, &answer), ERR_RANGE);
        fault_clear();
    }
}

static void attack_12_a_head_without_an_end_is_read_to_its_limit_only(void **state)
{
    static char text[20000];
    struct answer answer = {.status = 0};
    memset(text, 'x', sizeof(text) - 1);

    assert_int_equal(read_text(span_str(text), 1000, *state, &answer), ERR_RANGE);
    fault_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_is_the_same_in_whatever_pieces_it_comes, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_that_ends_the_connection_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_that_is_cut_short_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_12_what_can_be_understood_in_two_ways_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_12_a_length_that_is_none_or_too_long_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_12_a_head_without_an_end_is_read_to_its_limit_only, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
