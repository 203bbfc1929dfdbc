/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/mail/base64.h: the examples of RFC 4648 section 10, and each character of the alphabet. */
#include "firmware/mail/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define OUT_MAX 64

static int set_up(void **state)
{
    struct buf *out = NULL;

    assert_int_equal(buf_new(OUT_MAX, &out), ERR_OK);
    *state = out;
    return 0;
}

static int tear_down(void **state)
{
    buf_free(*state);
    return 0;
}

static void bytes_become_what_the_rfc_says(void **state)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {{"", ""},
                 {"f", "Zg=="},
                 {"fo", "Zm8="},
                 {"foo", "Zm9v"},
                 {"foob", "Zm9vYg=="},
                 {"fooba", "Zm9vYmE="},
                 {"foobar", "Zm9vYmFy"}};
    struct buf *out = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        buf_reset(out);
        assert_int_equal(mail_base64_put(out, span_str(cases[i].bytes)), ERR_OK);
        assert_true(span_equal(buf_all(out), span_str(cases[i].text)));
    }
}

static void each_six_bits_have_their_character(void **state)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct buf *out = *state;
    uint8_t bytes[OUT_MAX / 4 * 3];

    for (size_t i = 0; i < OUT_MAX; i += 4) {
        const uint32_t group = (uint32_t)(i << 18 | (i + 1) << 12 | (i + 2) << 6 | (i + 3));
        bytes[i / 4 * 3] = (uint8_t)(group >> 16);
        bytes[i / 4 * 3 + 1] = (uint8_t)(group >> 8);
        bytes[i / 4 * 3 + 2] = (uint8_t)group;
    }

    assert_int_equal(mail_base64_put(out, span_array(bytes)), ERR_OK);

    assert_true(span_equal(buf_all(out), span_of(alphabet, OUT_MAX)));
}

static void more_than_there_is_room_for_is_refused(void **state)
{
    static const uint8_t bytes[OUT_MAX / 4 * 3 + 1];

    assert_int_equal(mail_base64_put(*state, span_array(bytes)), ERR_RANGE);
    fault_clear();
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(bytes_become_what_the_rfc_says),
        T(each_six_bits_have_their_character),
        T(more_than_there_is_room_for_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
