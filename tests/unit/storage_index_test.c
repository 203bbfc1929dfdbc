/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "storage/index_int.h"
#include "storage/table_int.h"

#define INT(value_)                                                                                                    \
    {                                                                                                                  \
        .type = ROW_INT, .integer = (value_)                                                                           \
    }
#define DOUBLE(value_)                                                                                                 \
    {                                                                                                                  \
        .type = ROW_DOUBLE, .number = (value_)                                                                         \
    }
#define STRING(text_)                                                                                                  \
    {                                                                                                                  \
        .type = ROW_STRING, .bytes = {(const uint8_t *)(text_), sizeof(text_) - 1 }                                    \
    }
#define DATE(ms_)                                                                                                      \
    {                                                                                                                  \
        .type = ROW_DATE, .date = { ms_ }                                                                              \
    }
#define BOOL(value_)                                                                                                   \
    {                                                                                                                  \
        .type = ROW_BOOL, .boolean = (value_)                                                                          \
    }

/* Contract 4.3, lowest first; values in one row of the table are equal. */
static const struct row_value ascending[][2] = {
    {{.type = ROW_MISSING}, {.type = ROW_NULL}},
    {DOUBLE(-1.7e308), DOUBLE(-1.7e308)},
    {INT(INT64_MIN), DOUBLE(-9223372036854775808.0)},
    {INT(INT64_MIN + 1), INT(INT64_MIN + 1)},
    {INT(-9007199254740993), INT(-9007199254740993)},
    {INT(-9007199254740992), DOUBLE(-9007199254740992.0)},
    {INT(-1), DOUBLE(-1.0)},
    {DOUBLE(-0.5), DOUBLE(-0.5)},
    {INT(0), DOUBLE(-0.0)},
    {DOUBLE(5e-324), DOUBLE(5e-324)},
    {INT(2), DOUBLE(2.0)},
    {DOUBLE(2.5), DOUBLE(2.5)},
    {INT(10), DOUBLE(10.0)},
    {INT(9007199254740992), DOUBLE(9007199254740992.0)},
    {INT(9007199254740993), INT(9007199254740993)},
    {INT(INT64_MAX - 1), INT(INT64_MAX - 1)},
    {INT(INT64_MAX), INT(INT64_MAX)},
    {DOUBLE(9223372036854775808.0), DOUBLE(9223372036854775808.0)},
    {DOUBLE(1.7e308), DOUBLE(1.7e308)},
    {STRING(""), STRING("")},
    {STRING("\0"), STRING("\0")},
    {STRING("\0\xff"), STRING("\0\xff")},
    {STRING("10"), STRING("10")},
    {STRING("9"), STRING("9")},
    {STRING("a"), STRING("a")},
    {STRING("a\0b"), STRING("a\0b")},
    {STRING("ab"), STRING("ab")},
    {STRING("b"), STRING("b")},
    {STRING("\xc3\xa9"), STRING("\xc3\xa9")},
    {{.type = ROW_OBJECT}, {.type = ROW_OBJECT}},
    {{.type = ROW_ARRAY}, {.type = ROW_ARRAY}},
    {BOOL(false), BOOL(false)},
    {BOOL(true), BOOL(true)},
    {DATE(INT64_MIN), DATE(INT64_MIN)},
    {DATE(-1), DATE(-1)},
    {DATE(0), DATE(0)},
    {DATE(1700000000000), DATE(1700000000000)},
};

static struct buf *encode(const struct row_value *value, bool descending)
{
    struct buf *buf = NULL;

    assert_int_equal(buf_new(4096, &buf), ERR_OK);
    assert_int_equal(index_tuple_put(buf, value, descending), ERR_OK);
    return buf;
}

static int compare(const struct row_value *a, const struct row_value *b, bool descending)
{
    SCOPED_BUF struct buf *left = encode(a, descending);
    SCOPED_BUF struct buf *right = encode(b, descending);

    const int order = span_compare(buf_all(left), buf_all(right));
    return order < 0 ? -1 : order > 0;
}

static void values_are_ordered_as_the_contract_orders_them(void **state UNUSED)
{
    for (size_t a = 0; a < ARRAY_LENGTH(ascending); a++) {
        for (size_t b = 0; b < ARRAY_LENGTH(ascending); b++) {
            const int expected = a < b ? -1 : a > b;
            assert_int_equal(compare(&ascending[a][0], &ascending[b][1], false), expected);
            assert_int_equal(compare(&ascending[a][1], &ascending[b][0], true), -expected);
        }
    }
}

static void no_value_is_the_beginning_of_another(void **state UNUSED)
{
    for (size_t a = 0; a < ARRAY_LENGTH(ascending); a++) {
        for (size_t b = 0; b < ARRAY_LENGTH(ascending); b++) {
            SCOPED_BUF struct buf *left = encode(&ascending[a][0], false);
            SCOPED_BUF struct buf *right = encode(&ascending[b][0], false);
            assert_true(a == b || !span_starts_with(buf_all(left), buf_all(right)));
        }
    }
}

static void an_entry_reads_as_it_was_written(void **state UNUSED)
{
    static uint8_t tuple[INDEX_TUPLE_MAX];
    const struct row_id row = {{1, 2, 3}};

    for (size_t len = 1; len <= sizeof(tuple); len++) {
        uint8_t plain[INDEX_PLAIN_MAX];
        struct index_entry entry;
        tuple[len - 1] = (uint8_t)len;
        if (len > INDEX_PREFIX_MAX && len < INDEX_TUPLE_MAX) {
            continue; /* no tuple is stored in so many bytes */
        }

        const size_t written = index_plain_write(span_of(tuple, len), row, plain);

        assert_int_equal(written % 16, 0);
        assert_int_equal(index_plain_read(span_of(plain, written), &entry), ERR_OK);
        assert_true(span_equal(entry.tuple, span_of(tuple, len)));
        assert_true(row_id_equal(entry.row, row));
        assert_int_equal(entry.truncated, len > INDEX_PREFIX_MAX);
    }
}

static void an_entry_of_a_length_that_is_never_stored_is_refused(void **state UNUSED)
{
    static uint8_t tuple[INDEX_TUPLE_MAX];
    const struct row_id row = {{1, 2, 3}};
    uint8_t plain[INDEX_PLAIN_MAX];
    struct index_entry entry;

    for (size_t len = INDEX_PREFIX_MAX + 1; len < INDEX_TUPLE_MAX; len++) {
        const size_t written = index_plain_write(span_of(tuple, len), row, plain);
        assert_int_equal(index_plain_read(span_of(plain, written), &entry), ERR_DAMAGED);
    }
    fault_clear();
}

static void an_entry_cut_short_is_refused(void **state UNUSED)
{
    const struct row_id row = {{1, 2, 3}};
    uint8_t plain[INDEX_PLAIN_MAX];
    struct index_entry entry;
    (void)index_plain_write(span_lit("tuple"), row, plain);

    for (size_t len = 0; len < 2 + 5 + ROW_ID_BYTES; len++) {
        assert_int_equal(index_plain_read(span_of(plain, len), &entry), ERR_DAMAGED);
    }
    fault_clear();
}

static void keys_of_different_indexes_are_ordered_without_opening_them(void **state UNUSED)
{
    const uint8_t low[40] = {0, 0, 0, 1, 0xff};
    const uint8_t high[40] = {0, 0, 1, 0, 0x00};
    struct index_context context = {.index = {9}};

    index_enter(&context);
    assert_true(index_compare_keys(span_array(low), span_array(high)) < 0);
    assert_true(index_compare_keys(span_array(high), span_array(low)) > 0);
    assert_int_equal(index_leave(&context, ERR_OK), ERR_OK);
}

static void a_key_that_does_not_open_poisons_the_context(void **state UNUSED)
{
    const uint8_t key[20] = {0, 0, 0, 9, 1}; /* too short to be sealed */
    uint8_t search[INDEX_SEARCH_MAX];
    struct index_context context = {.index = {9}};
    const size_t len = index_search_key(context.index, span_lit("x"), NULL, search);

    index_enter(&context);
    (void)index_compare_keys(span_of(search, len), span_array(key));
    assert_int_equal(index_leave(&context, ERR_OK), ERR_DAMAGED);
    fault_clear();
}

static void a_search_key_lies_before_the_entries_of_its_tuple(void **state UNUSED)
{
    const struct row_id first = {{0}};
    uint8_t tuple[INDEX_SEARCH_MAX];
    uint8_t entry[INDEX_SEARCH_MAX];
    const struct table table = {.id = {300}};
    struct index_context context = {.table = &table, .index = {9}};
    const size_t tuple_len = index_search_key(context.index, span_lit("tuple"), NULL, tuple);
    const size_t entry_len = index_search_key(context.index, span_lit("tuple"), &first, entry);

    index_enter(&context);
    assert_true(index_compare_keys(span_of(tuple, tuple_len), span_of(entry, entry_len)) < 0);
    assert_int_equal(index_leave(&context, ERR_OK), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_ordered_as_the_contract_orders_them),
        cmocka_unit_test(no_value_is_the_beginning_of_another),
        cmocka_unit_test(an_entry_reads_as_it_was_written),
        cmocka_unit_test(an_entry_of_a_length_that_is_never_stored_is_refused),
        cmocka_unit_test(an_entry_cut_short_is_refused),
        cmocka_unit_test(keys_of_different_indexes_are_ordered_without_opening_them),
        cmocka_unit_test(a_key_that_does_not_open_poisons_the_context),
        cmocka_unit_test(a_search_key_lies_before_the_entries_of_its_tuple),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
