/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/base/buf.h: the maximum holds, a refused call changes nothing, what was written comes back. */
#include "hal/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"

static bool refuse_memory;

void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);

void *__wrap_calloc(size_t count, size_t bytes)
{
    return refuse_memory ? NULL : __real_calloc(count, bytes);
}

/* link: --wrap=calloc */

static int make_buf(void **state)
{
    struct buf *buf = NULL;

    assert_int_equal(buf_new(1000, &buf), ERR_OK);
    *state = buf;
    return 0;
}

static int free_buf(void **state)
{
    refuse_memory = false;
    buf_free(*state);
    fault_clear();
    return 0;
}

static void buf_put_fills_up_to_the_maximum(void **state)
{
    static const uint8_t bytes[1000] = {7};

    assert_int_equal(buf_put(*state, span_of(bytes, 999)), ERR_OK);
    assert_int_equal(buf_room(*state), 1);
    assert_int_equal(buf_put_u8(*state, 9), ERR_OK);

    assert_int_equal(buf_len(*state), 1000);
    assert_int_equal(buf_room(*state), 0);
    assert_int_equal(buf_all(*state).data[999], 9);
}

static void buf_put_refuses_one_byte_past_the_maximum_and_changes_nothing(void **state)
{
    static const uint8_t bytes[1001] = {7};
    assert_int_equal(buf_put(*state, span_of(bytes, 4)), ERR_OK);

    const enum err got = buf_put(*state, span_of(bytes, 997));

    assert_int_equal(got, ERR_RANGE);
    assert_int_equal(buf_len(*state), 4);
    assert_int_equal(buf_room(*state), 996);
}

static void buf_reserve_refuses_a_length_that_would_wrap(void **state)
{
    uint8_t *at = NULL;
    assert_int_equal(buf_put_u8(*state, 1), ERR_OK);

    const enum err got = buf_reserve(*state, SIZE_MAX, &at);

    assert_int_equal(got, ERR_RANGE);
    assert_null(at);
}

static void buf_put_reports_refused_memory_and_keeps_its_content(void **state)
{
    static const uint8_t bytes[600] = {7};
    assert_int_equal(buf_put(*state, span_lit("kept")), ERR_OK);
    refuse_memory = true;

    const enum err got = buf_put(*state, span_array(bytes));

    assert_int_equal(got, ERR_NO_MEMORY);
    assert_true(span_equal(buf_all(*state), span_lit("kept")));
}

static void buf_new_reports_refused_memory(void **state)
{
    struct buf *buf = NULL;
    refuse_memory = true;

    assert_int_equal(buf_new(10, &buf), ERR_NO_MEMORY);

    assert_null(buf);
}

static void numbers_are_written_big_endian(void **state)
{
    static const uint8_t wanted[] = {1, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 8, 9, 10, 11, 12, 13, 14, 15};

    assert_int_equal(buf_put_u8(*state, 1), ERR_OK);
    assert_int_equal(buf_put_u16be(*state, 0x0203), ERR_OK);
    assert_int_equal(buf_put_u32be(*state, 0x04050607), ERR_OK);
    assert_int_equal(buf_put_u64be(*state, 0x08090a0b0c0d0e0f), ERR_OK);

    assert_true(span_equal(buf_all(*state), span_array(wanted)));
}

static void numbers_come_back_as_they_were_put(void **state)
{
    uint8_t u8 = 0;
    uint16_t u16 = 0;
    uint32_t u32 = 0;
    uint64_t u64 = 0;
    assert_int_equal(buf_put_u8(*state, 0xff), ERR_OK);
    assert_int_equal(buf_put_u16be(*state, 0xfffe), ERR_OK);
    assert_int_equal(buf_put_u32be(*state, 0xfffefdfc), ERR_OK);
    assert_int_equal(buf_put_u64be(*state, 0xfffefdfcfbfaf9f8), ERR_OK);

    assert_int_equal(buf_get_u8(*state, &u8), ERR_OK);
    assert_int_equal(buf_get_u16be(*state, &u16), ERR_OK);
    assert_int_equal(buf_get_u32be(*state, &u32), ERR_OK);
    assert_int_equal(buf_get_u64be(*state, &u64), ERR_OK);

    assert_int_equal(u8, 0xff);
    assert_int_equal(u16, 0xfffe);
    assert_int_equal(u32, 0xfffefdfc);
    assert_true(u64 == 0xfffefdfcfbfaf9f8);
    assert_int_equal(buf_unread(*state).len, 0);
}

static void buf_get_refuses_more_than_is_left_and_keeps_the_cursor(void **state)
{
    struct span out = SPAN_NONE;
    uint16_t u16 = 77;
    uint32_t u32 = 77;
    uint64_t u64 = 77;
    assert_int_equal(buf_put_u8(*state, 5), ERR_OK);

    assert_int_equal(buf_get(*state, 2, &out), ERR_MALFORMED);
    assert_int_equal(buf_get_u16be(*state, &u16), ERR_MALFORMED);
    assert_int_equal(buf_get_u32be(*state, &u32), ERR_MALFORMED);
    assert_int_equal(buf_get_u64be(*state, &u64), ERR_MALFORMED);

    assert_null(out.data);
    assert_int_equal(u16, 77);
    assert_int_equal(u32, 77);
    assert_true(u64 == 77);
    assert_int_equal(buf_unread(*state).len, 1);
}

static void buf_get_u8_refuses_an_empty_buffer(void **state)
{
    uint8_t out = 77;

    assert_int_equal(buf_get_u8(*state, &out), ERR_MALFORMED);

    assert_int_equal(out, 77);
}

static void buf_compact_drops_what_was_read(void **state)
{
    struct span out = SPAN_NONE;
    assert_int_equal(buf_put(*state, span_lit("headbody")), ERR_OK);
    assert_int_equal(buf_get(*state, 4, &out), ERR_OK);

    buf_compact(*state);

    assert_true(span_equal(buf_all(*state), span_lit("body")));
    assert_true(span_equal(buf_unread(*state), span_lit("body")));
    assert_int_equal(buf_room(*state), 996);
}

static void buf_compact_leaves_nothing_behind_the_end(void **state)
{
    static const uint8_t nothing[12];
    struct span out = SPAN_NONE;
    assert_int_equal(buf_put(*state, span_lit("a secret, more")), ERR_OK);
    const uint8_t *const memory = buf_all(*state).data;

    assert_int_equal(buf_get(*state, 12, &out), ERR_OK);
    buf_compact(*state);
    assert_memory_equal(memory, "re", 2);
    assert_memory_equal(memory + 2, nothing, 12);
    assert_int_equal(buf_get(*state, 2, &out), ERR_OK);
    buf_compact(*state);

    assert_memory_equal(memory, nothing, 2);
}

static void buf_truncate_moves_the_cursor_back_with_the_end(void **state)
{
    struct span out = SPAN_NONE;
    assert_int_equal(buf_put(*state, span_lit("headbody")), ERR_OK);
    assert_int_equal(buf_get(*state, 6, &out), ERR_OK);

    buf_truncate(*state, 3);

    assert_true(span_equal(buf_all(*state), span_lit("hea")));
    assert_int_equal(buf_unread(*state).len, 0);
}

static void buf_patch_overwrites_four_bytes_inside_the_content_only(void **state)
{
    assert_int_equal(buf_put(*state, span_lit("....tail")), ERR_OK);

    assert_int_equal(buf_patch_u32be(*state, 0, 0x41424344), ERR_OK);
    assert_int_equal(buf_patch_u32be(*state, 4, 0x45464748), ERR_OK);
    assert_int_equal(buf_patch_u32be(*state, 5, 0), ERR_RANGE);
    assert_int_equal(buf_patch_u32be(*state, SIZE_MAX, 0), ERR_RANGE);

    assert_true(span_equal(buf_all(*state), span_lit("ABCDEFGH")));
}

static void buf_wipe_overwrites_and_forgets(void **state)
{
    assert_int_equal(buf_put(*state, span_lit("secret")), ERR_OK);
    const uint8_t *const at = buf_all(*state).data;

    buf_wipe(*state);

    assert_memory_equal(at, "\0\0\0\0\0\0", 6);
    assert_int_equal(buf_len(*state), 0);
}

static void buf_wipe_overwrites_also_what_was_forgotten_or_never_committed(void **state)
{
    uint8_t *reserved = NULL;
    assert_int_equal(buf_put(*state, span_lit("secret")), ERR_OK);
    const uint8_t *const at = buf_all(*state).data;
    buf_truncate(*state, 2);
    assert_int_equal(buf_reserve(*state, 8, &reserved), ERR_OK);
    memset(reserved, 's', 8);
    buf_reset(*state);

    buf_wipe(*state);

    assert_memory_equal(at, "\0\0\0\0\0\0\0\0\0\0", 10);
}

static void buf_shrink_gives_memory_back_only_when_empty(void **state)
{
    assert_int_equal(buf_put(*state, span_lit("kept")), ERR_OK);

    buf_shrink(*state, 0);
    assert_true(span_equal(buf_all(*state), span_lit("kept")));

    buf_reset(*state);
    buf_shrink(*state, 0);
    assert_null(buf_all(*state).data);
    assert_int_equal(buf_put(*state, span_lit("again")), ERR_OK);
    assert_true(span_equal(buf_all(*state), span_lit("again")));
}

static void a_reader_takes_borrowed_bytes_in_order_and_stops_at_their_end(void **state)
{
    struct reader reader = reader_of(span_lit("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"));
    uint8_t u8 = 0;
    uint16_t u16 = 0;
    uint32_t u32 = 0;
    uint64_t u64 = 0;

    assert_int_equal(reader_get_u8(&reader, &u8), ERR_OK);
    assert_int_equal(reader_get_u16be(&reader, &u16), ERR_OK);
    assert_int_equal(reader_get_u32be(&reader, &u32), ERR_OK);
    assert_int_equal(reader_get_u64be(&reader, &u64), ERR_OK);
    assert_int_equal(reader_get_u8(&reader, &u8), ERR_MALFORMED);

    assert_int_equal(u8, 1);
    assert_int_equal(u16, 0x0203);
    assert_int_equal(u32, 0x04050607);
    assert_true(u64 == 0x08090a0b0c0d0e0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(buf_put_fills_up_to_the_maximum, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(buf_put_refuses_one_byte_past_the_maximum_and_changes_nothing, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(buf_reserve_refuses_a_length_that_would_wrap, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(buf_put_reports_refused_memory_and_keeps_its_content, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(buf_new_reports_refused_memory, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(numbers_are_written_big_endian, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(numbers_come_back_as_they_were_put, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(buf_get_refuses_more_than_is_left_and_keeps_the_cursor, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(buf_get_u8_refuses_an_empty_buffer, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(buf_compact_drops_what_was_read, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(buf_compact_leaves_nothing_behind_the_end, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(buf_truncate_moves_the_cursor_back_with_the_end, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(buf_patch_overwrites_four_bytes_inside_the_content_only, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(buf_wipe_overwrites_and_forgets, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(buf_wipe_overwrites_also_what_was_forgotten_or_never_committed, make_buf,
                                        free_buf),
        cmocka_unit_test_setup_teardown(buf_shrink_gives_memory_back_only_when_empty, make_buf, free_buf),
        cmocka_unit_test(a_reader_takes_borrowed_bytes_in_order_and_stops_at_their_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
