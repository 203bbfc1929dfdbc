/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/base/span.h and the plain values beside it: hal/base/num.h, hal/base/err.h, hal/base/json_value.h. */
#include "hal/base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/json_value.h"
#include "hal/base/num.h"

static void spans_are_equal_only_with_the_same_bytes(void **state)
{
    assert_true(span_equal(span_lit("abc"), span_lit("abc")));
    assert_true(span_equal(SPAN_NONE, span_lit("")));
    assert_false(span_equal(span_lit("abc"), span_lit("abd")));
    assert_false(span_equal(span_lit("abc"), span_lit("ab")));
    assert_false(span_equal(span_lit("abc"), span_lit("ABC")));
}

static void span_equal_nocase_folds_ascii_letters_only(void **state)
{
    assert_true(span_equal_nocase(span_lit("Content-Length"), span_lit("cONTENT-lENGTH")));
    assert_false(span_equal_nocase(span_lit("a"), span_lit("ab")));
    assert_false(span_equal_nocase(span_lit("@"), span_lit("`")));
    assert_false(span_equal_nocase(span_lit("["), span_lit("{")));
}

static void span_compare_orders_by_unsigned_bytes_then_by_length(void **state)
{
    assert_true(span_compare(span_lit("a"), span_lit("b")) < 0);
    assert_true(span_compare(span_lit("\xff"), span_lit("\x01")) > 0);
    assert_true(span_compare(span_lit("ab"), span_lit("abc")) < 0);
    assert_true(span_compare(span_lit("abc"), span_lit("ab")) > 0);
    assert_int_equal(span_compare(SPAN_NONE, SPAN_NONE), 0);
}

static void span_trim_takes_spaces_and_tabs_from_both_ends(void **state)
{
    (void)state;
    assert_true(span_equal(span_trim(span_lit(" \ta b\t ")), span_lit("a b")));
    assert_true(span_equal(span_trim(span_lit("a\n")), span_lit("a\n")));
    assert_int_equal(span_trim(span_lit(" \t ")).len, 0);
    assert_int_equal(span_trim(SPAN_NONE).len, 0);
}

static void span_starts_with_knows_the_whole_prefix(void **state)
{
    assert_true(span_starts_with(span_lit("pk_dev"), span_lit("pk_")));
    assert_true(span_starts_with(span_lit("pk_"), SPAN_NONE));
    assert_false(span_starts_with(span_lit("pk"), span_lit("pk_")));
    assert_false(span_starts_with(span_lit("sk_dev"), span_lit("pk_")));
}

static void span_slice_refuses_to_reach_past_the_end(void **state)
{
    struct span part = SPAN_NONE;

    assert_int_equal(span_slice(span_lit("abcdef"), 2, 4, &part), ERR_OK);
    assert_true(span_equal(part, span_lit("cdef")));
    assert_int_equal(span_slice(span_lit("abcdef"), 2, 5, &part), ERR_RANGE);
    assert_int_equal(span_slice(span_lit("abcdef"), 7, 0, &part), ERR_RANGE);
    assert_int_equal(span_slice(span_lit("abcdef"), 2, SIZE_MAX, &part), ERR_RANGE);
    assert_true(span_equal(part, span_lit("cdef")));
}

static void span_find_gives_the_first_place_or_the_length(void **state)
{
    assert_int_equal(span_find(span_lit("a:b:c"), ':'), 1);
    assert_int_equal(span_find(span_lit("abc"), ':'), 3);
    assert_int_equal(span_find(SPAN_NONE, ':'), 0);
}

static void span_to_u64_reads_digits_up_to_the_maximum(void **state)
{
    uint64_t value = 0;

    assert_int_equal(span_to_u64(span_lit("0"), 10, &value), ERR_OK);
    assert_int_equal(value, 0);
    assert_int_equal(span_to_u64(span_lit("0010"), 10, &value), ERR_OK);
    assert_int_equal(value, 10);
    assert_int_equal(span_to_u64(span_lit("9999999999999999999"), UINT64_MAX, &value), ERR_OK);
    assert_true(value == UINT64_C(9999999999999999999));
}

static void span_to_u64_refuses_what_is_no_number_or_too_large(void **state)
{
    static const char *const wrong[] = {"", " 1", "1 ", "+1", "-1", "0x1", "1.0", "1e3", "10000000000000000000"};
    uint64_t value = 77;

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        assert_int_equal(span_to_u64(span_str(wrong[i]), UINT64_MAX, &value), ERR_MALFORMED);
    }
    assert_int_equal(span_to_u64(span_lit("11"), 10, &value), ERR_RANGE);
    assert_int_equal(value, 77);
}

static void hex_comes_back_as_it_was_written(void **state)
{
    uint8_t bytes[256];
    uint8_t again[256];
    char text[HEX_BYTES(sizeof(bytes))];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)i;
    }

    hex_encode(span_array(bytes), text);

    assert_memory_equal(text, "000102", 6);
    assert_memory_equal(text + 510, "ff", 2);
    assert_int_equal(hex_decode(span_array(text), again, sizeof(again)), ERR_OK);
    assert_memory_equal(bytes, again, sizeof(bytes));
}

static void hex_decode_refuses_other_lengths_and_other_letters(void **state)
{
    uint8_t bytes[2] = {0, 0};

    assert_int_equal(hex_decode(span_lit("aBcD"), bytes, 2), ERR_OK);
    assert_int_equal(bytes[0], 0xab);
    assert_int_equal(hex_decode(span_lit("abc"), bytes, 1), ERR_MALFORMED);
    assert_int_equal(hex_decode(span_lit("abcd"), bytes, 1), ERR_MALFORMED);
    assert_int_equal(hex_decode(span_lit("ab"), bytes, 2), ERR_MALFORMED);
    assert_int_equal(hex_decode(span_lit("0g"), bytes, 1), ERR_MALFORMED);
    assert_int_equal(hex_decode(span_lit("/0"), bytes, 1), ERR_MALFORMED);
    assert_int_equal(hex_decode(span_lit(":0"), bytes, 1), ERR_MALFORMED);
}

static void span_is_utf8_accepts_every_length_of_character(void **state)
{
    assert_true(span_is_utf8(SPAN_NONE));
    assert_true(span_is_utf8(span_lit("plain")));
    assert_true(span_is_utf8(span_lit("\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xef\xbf\xbf \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf")));
    assert_true(span_is_utf8(span_lit("\xed\x9f\xbf\xee\x80\x80"))); /* on both sides of the surrogates */
}

/* Spec: RFC 3629 section 3. */
static void span_is_utf8_looks_at_every_byte_of_a_long_text(void **state)
{
    uint8_t text[20];

    for (size_t place = 0; place < sizeof(text); place++) {
        memset(text, 'a', sizeof(text));
        text[place] = 0x80;
        assert_false(span_is_utf8(span_array(text)));
    }
}

static void span_is_utf8_refuses_overlong_cut_and_impossible_forms(void **state)
{
    static const char *const wrong[] = {
        "\x80",         "\xc2",         "\xc0\xaf",         "\xc1\xbf",         "\xe0\x9f\xbf", "\xe2\x82",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
        "\xc2\x41",     "a\xe2\x28\xa1",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        assert_false(span_is_utf8(span_str(wrong[i])));
    }
}

static void span_from_u64_writes_what_span_to_u64_reads(void **state)
{
    char text[SPAN_U64_TEXT_MAX];
    (void)state;

    assert_true(span_equal(span_from_u64(0, text), span_lit("0")));
    assert_true(span_equal(span_from_u64(1009, text), span_lit("1009")));
    assert_true(span_equal(span_from_u64(UINT64_MAX, text), span_lit("18446744073709551615")));
}

static void span_code_points_counts_characters_and_not_bytes(void **state)
{
    (void)state;

    assert_int_equal(span_code_points(SPAN_NONE), 0);
    assert_int_equal(span_code_points(span_lit("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x91")), 4);
}

static void span_cut_splits_no_character(void **state)
{
    const struct span text = span_lit("a\xe2\x82\xac" "b");
    (void)state;

    assert_true(span_equal(span_cut(text, 5), text));
    assert_true(span_equal(span_cut(text, SIZE_MAX), text));
    assert_true(span_equal(span_cut(text, 4), span_lit("a\xe2\x82\xac")));
    assert_true(span_equal(span_cut(text, 3), span_lit("a")));
    assert_true(span_equal(span_cut(text, 2), span_lit("a")));
    assert_int_equal(span_cut(text, 0).len, 0);
}

static void arithmetic_fails_instead_of_wrapping(void **state)
{
    size_t out = 77;
    uint32_t out32 = 77;

    assert_int_equal(num_add(SIZE_MAX, 1, &out), ERR_RANGE);
    assert_int_equal(num_mul(SIZE_MAX / 2 + 1, 2, &out), ERR_RANGE);
    assert_int_equal(num_sub(1, 2, &out), ERR_RANGE);
    assert_int_equal(num_u32_from_size((size_t)UINT32_MAX + 1, &out32), ERR_RANGE);
    assert_int_equal(out, 77);
    assert_int_equal(out32, 77);
}

static void arithmetic_reaches_its_limits(void **state)
{
    size_t out = 0;
    uint32_t out32 = 0;

    assert_int_equal(num_add(SIZE_MAX - 1, 1, &out), ERR_OK);
    assert_true(out == SIZE_MAX);
    assert_int_equal(num_mul(SIZE_MAX, 1, &out), ERR_OK);
    assert_true(out == SIZE_MAX);
    assert_int_equal(num_mul(SIZE_MAX, 0, &out), ERR_OK);
    assert_int_equal(out, 0);
    assert_int_equal(num_sub(2, 2, &out), ERR_OK);
    assert_int_equal(out, 0);
    assert_int_equal(num_u32_from_size(UINT32_MAX, &out32), ERR_OK);
    assert_true(out32 == UINT32_MAX);
    assert_int_equal(num_min(1, 2), 1);
    assert_int_equal(num_max(1, 2), 2);
}

static void every_error_has_a_name_of_its_own(void **state)
{
    for (int i = 0; i < ERR_COUNT; i++) {
        assert_memory_equal(err_name((enum err)i), "ERR_", 4);
        assert_string_not_equal(err_name((enum err)i), "ERR_UNKNOWN");
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(err_name((enum err)i), err_name((enum err)j));
        }
    }
    assert_string_equal(err_name(ERR_OK), "ERR_OK");
    assert_string_equal(err_name(ERR_BUG), "ERR_BUG");
    assert_string_equal(err_name(ERR_COUNT), "ERR_UNKNOWN");
}

static void json_find_gives_the_member_of_that_name_or_nothing(void **state)
{
    const struct json_member members[] = {
        {span_lit("a"), {.type = JSON_INT, .as.integer = 1}},
        {span_lit("ab"), {.type = JSON_INT, .as.integer = 2}},
    };
    const struct json_value object = {.type = JSON_OBJECT, .as.object = {members, 2}};
    const struct json_value text = {.type = JSON_STRING, .as.text = span_lit("ab")};

    assert_ptr_equal(json_find(&object, span_lit("ab")), &members[1].value);
    assert_null(json_find(&object, span_lit("b")));
    assert_null(json_find(&object, SPAN_NONE));
    assert_null(json_find(&text, span_lit("ab")));
    assert_null(json_find(NULL, span_lit("ab")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_are_equal_only_with_the_same_bytes),
        cmocka_unit_test(span_equal_nocase_folds_ascii_letters_only),
        cmocka_unit_test(span_compare_orders_by_unsigned_bytes_then_by_length),
        cmocka_unit_test(span_starts_with_knows_the_whole_prefix),
        cmocka_unit_test(span_trim_takes_spaces_and_tabs_from_both_ends),
        cmocka_unit_test(span_slice_refuses_to_reach_past_the_end),
        cmocka_unit_test(span_find_gives_the_first_place_or_the_length),
        cmocka_unit_test(span_to_u64_reads_digits_up_to_the_maximum),
        cmocka_unit_test(span_to_u64_refuses_what_is_no_number_or_too_large),
        cmocka_unit_test(hex_comes_back_as_it_was_written),
        cmocka_unit_test(hex_decode_refuses_other_lengths_and_other_letters),
        cmocka_unit_test(span_is_utf8_accepts_every_length_of_character),
        cmocka_unit_test(span_is_utf8_looks_at_every_byte_of_a_long_text),
        cmocka_unit_test(span_is_utf8_refuses_overlong_cut_and_impossible_forms),
        cmocka_unit_test(span_from_u64_writes_what_span_to_u64_reads),
        cmocka_unit_test(span_code_points_counts_characters_and_not_bytes),
        cmocka_unit_test(span_cut_splits_no_character),
        cmocka_unit_test(arithmetic_fails_instead_of_wrapping),
        cmocka_unit_test(arithmetic_reaches_its_limits),
        cmocka_unit_test(every_error_has_a_name_of_its_own),
        cmocka_unit_test(json_find_gives_the_member_of_that_name_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
