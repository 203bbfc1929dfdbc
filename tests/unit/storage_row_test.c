/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "storage/row.h"
#include "storage/row_int.h"

#define COLUMN(id_)  ((struct row_key){.column = (id_)})
#define EXTRA(name_) ((struct row_key){.column = ROW_COLUMN_EXTRA, .name = span_lit(name_)})
#define NAMED(name_) ((struct row_key){.name = span_lit(name_)})
#define ELEMENT      ((struct row_key){.column = ROW_COLUMN_NONE})

static const struct row_id some_id = {{0x65, 0x53, 0xf1, 0x00, 0, 0, 1, 9, 8, 7, 6, 5}};

static int setup(void **state)
{
    struct buf *buf = NULL;

    assert_int_equal(buf_new(ROW_BYTES_MAX, &buf), ERR_OK);
    *state = buf;
    return 0;
}

static int teardown(void **state)
{
    buf_free(*state);
    return 0;
}

static void begin(struct row_builder *builder, struct buf *buf)
{
    assert_int_equal(row_build_begin(builder, buf, (struct wall_time){1000}, (struct wall_time){-2},
                                     span_lit("0b0b0b0b-1111-4222-8333-444444444444")),
                     ERR_OK);
}

/* A row with a value of every type, one nested two deep, and two extras. */
static struct span build_all(struct buf *buf)
{
    struct row_builder b;
    struct span encoded = SPAN_NONE;

    begin(&b, buf);
    assert_int_equal(row_build_null(&b, COLUMN(1)), ERR_OK);
    assert_int_equal(row_build_bool(&b, COLUMN(2), true), ERR_OK);
    assert_int_equal(row_build_int(&b, COLUMN(3), INT64_MIN), ERR_OK);
    assert_int_equal(row_build_double(&b, COLUMN(4), -0.5), ERR_OK);
    assert_int_equal(row_build_string(&b, COLUMN(5), span_lit("words")), ERR_OK);
    assert_int_equal(row_build_date(&b, COLUMN(6), (struct wall_time){-86400000}), ERR_OK);
    assert_int_equal(row_build_open_object(&b, COLUMN(7)), ERR_OK);
    assert_int_equal(row_build_open_array(&b, NAMED("list")), ERR_OK);
    assert_int_equal(row_build_int(&b, ELEMENT, 11), ERR_OK);
    assert_int_equal(row_build_open_object(&b, ELEMENT), ERR_OK);
    assert_int_equal(row_build_string(&b, NAMED("deep"), span_lit("found")), ERR_OK);
    assert_int_equal(row_build_close(&b), ERR_OK);
    assert_int_equal(row_build_close(&b), ERR_OK);
    assert_int_equal(row_build_bool(&b, NAMED("2"), false), ERR_OK);
    assert_int_equal(row_build_close(&b), ERR_OK);
    assert_int_equal(row_build_int(&b, EXTRA("alpha"), INT64_MAX), ERR_OK);
    assert_int_equal(row_build_int(&b, EXTRA("beta"), 0), ERR_OK);
    assert_int_equal(row_build_end(&b, &encoded), ERR_OK);
    return encoded;
}

static struct row_value find(struct span encoded, uint16_t column, const char *name, const char *path)
{
    const struct row_field field = {column, span_str(name), span_str(path)};
    struct row row;
    struct row_value value = {.type = ROW_MISSING};

    assert_int_equal(row_read(some_id, encoded, &row), ERR_OK);
    assert_int_equal(row_find(&row, &field, NULL, &value), ERR_OK);
    return value;
}

static void every_type_reads_as_it_was_built(void **state)
{
    const struct span row = build_all(*state);

    assert_int_equal(find(row, 1, "", "").type, ROW_NULL);
    assert_true(find(row, 2, "", "").boolean);
    assert_int_equal(find(row, 3, "", "").integer, INT64_MIN);
    assert_true(fabs(find(row, 4, "", "").number + 0.5) < DBL_EPSILON);
    assert_true(span_equal(find(row, 5, "", "").bytes, span_lit("words")));
    assert_int_equal(find(row, 6, "", "").date.ms, -86400000);
    assert_int_equal(find(row, 7, "", "").type, ROW_OBJECT);
    assert_int_equal(find(row, ROW_COLUMN_NONE, "alpha", "").integer, INT64_MAX);
    assert_int_equal(find(row, 8, "", "").type, ROW_MISSING);
}

static void the_header_holds_both_times_and_the_creator(void **state)
{
    struct row row;

    assert_int_equal(row_read(some_id, build_all(*state), &row), ERR_OK);

    assert_int_equal(row.created_at.ms, 1000);
    assert_int_equal(row.updated_at.ms, -2);
    assert_true(span_equal(row.created_by, span_lit("0b0b0b0b-1111-4222-8333-444444444444")));
}

static void system_fields_are_found_by_their_column(void **state)
{
    const struct span encoded = build_all(*state);
    const struct row_field id = {.column = ROW_COLUMN_ID};
    struct row_value value = {.type = ROW_MISSING};
    char text[ROW_ID_TEXT_BYTES];
    struct row row;

    assert_int_equal(row_read(some_id, encoded, &row), ERR_OK);
    assert_int_equal(row_find(&row, &id, text, &value), ERR_OK);
    assert_true(span_equal(value.bytes, span_lit("6553f1000000010908070605")));
    assert_int_equal(find(encoded, ROW_COLUMN_ID, "", "").type, ROW_MISSING); /* without room for its digits */
    assert_int_equal(find(encoded, ROW_COLUMN_CREATED_AT, "", "").date.ms, 1000);
    assert_int_equal(find(encoded, ROW_COLUMN_UPDATED_AT, "", "").date.ms, -2);
    assert_int_equal(find(encoded, ROW_COLUMN_CREATED_BY, "", "").bytes.len, 36);
}

static void a_row_of_nobody_has_an_empty_creator_and_not_none(void **state)
{
    struct row_builder b;
    struct span encoded = SPAN_NONE;

    assert_int_equal(row_build_begin(&b, *state, (struct wall_time){1}, (struct wall_time){1}, SPAN_NONE), ERR_OK);
    assert_int_equal(row_build_end(&b, &encoded), ERR_OK);

    const struct row_value creator = find(encoded, ROW_COLUMN_CREATED_BY, "", "");

    assert_int_equal(creator.type, ROW_STRING);
    assert_int_equal(creator.bytes.len, 0);
}

static void a_path_leads_through_objects_and_arrays(void **state)
{
    const struct span row = build_all(*state);

    assert_true(span_equal(find(row, 7, "", "list.1.deep").bytes, span_lit("found")));
    assert_int_equal(find(row, 7, "", "list.0").integer, 11);
    assert_int_equal(find(row, 7, "", "2").type, ROW_BOOL); /* a number names a member of an object */
    assert_int_equal(find(row, 7, "", "list.2").type, ROW_MISSING);
    assert_int_equal(find(row, 7, "", "list.x").type, ROW_MISSING);
    assert_int_equal(find(row, 7, "", "list.99999999999999999999").type, ROW_MISSING);
    assert_int_equal(find(row, 5, "", "0").type, ROW_MISSING); /* nothing inside a string */
    assert_int_equal(find(row, 7, "", "list..deep").type, ROW_MISSING);
}

static void a_column_declared_later_is_found_under_its_old_name(void **state)
{
    const struct span row = build_all(*state);

    assert_int_equal(find(row, 40, "beta", "").type, ROW_INT);
    assert_int_equal(find(row, 40, "gamma", "").type, ROW_MISSING);
}

static void the_iterator_gives_columns_in_order_and_ends(void **state)
{
    static const uint16_t columns[] = {1, 2, 3, 4, 5, 6, 7, ROW_COLUMN_EXTRA, ROW_COLUMN_EXTRA};
    struct row row;
    struct row_member member;

    assert_int_equal(row_read(some_id, build_all(*state), &row), ERR_OK);
    struct row_iter iter = row_iter_columns(&row);
    for (size_t at = 0; at < ARRAY_LENGTH(columns); at++) {
        assert_int_equal(row_iter_next(&iter, &member), ERR_OK);
        assert_int_equal(member.column, columns[at]);
    }
    assert_true(span_equal(member.name, span_lit("beta")));
    assert_int_equal(row_iter_next(&iter, &member), ERR_NOT_FOUND);
}

static void a_copied_value_is_equal_nested_ones_whole(void **state)
{
    const struct span row = build_all(*state);
    const struct row_value object = find(row, 7, "", "");
    struct buf *other = NULL;
    struct row_builder b;
    struct span copied = SPAN_NONE;

    assert_int_equal(buf_new(ROW_BYTES_MAX, &other), ERR_OK);
    begin(&b, other);
    assert_int_equal(row_build_value(&b, COLUMN(9), &object), ERR_OK);
    assert_int_equal(row_build_end(&b, &copied), ERR_OK);

    assert_true(span_equal(find(copied, 9, "", "list.1.deep").bytes, span_lit("found")));
    buf_free(other);
}

static void columns_out_of_order_are_refused(void **state)
{
    struct row_builder b;

    begin(&b, *state);
    assert_int_equal(row_build_null(&b, COLUMN(5)), ERR_OK);
    assert_int_equal(row_build_null(&b, COLUMN(5)), ERR_STATE);
    assert_int_equal(row_build_null(&b, COLUMN(4)), ERR_STATE);
    assert_int_equal(row_build_null(&b, COLUMN(ROW_COLUMN_CREATED_BY)), ERR_STATE);
    assert_int_equal(row_build_null(&b, COLUMN(0)), ERR_STATE);
    assert_int_equal(row_build_null(&b, EXTRA("m")), ERR_OK);
    assert_int_equal(row_build_null(&b, EXTRA("m")), ERR_STATE);
    assert_int_equal(row_build_null(&b, EXTRA("ab")), ERR_STATE);
    assert_int_equal(row_build_null(&b, COLUMN(6)), ERR_STATE);
    assert_int_equal(row_build_null(&b, EXTRA("ma")), ERR_OK);
}

static void nesting_stops_at_its_depth(void **state)
{
    struct row_builder b;
    struct span encoded = SPAN_NONE;

    begin(&b, *state);
    for (size_t depth = 0; depth < ROW_DEPTH_MAX; depth++) {
        assert_int_equal(row_build_open_array(&b, depth == 0 ? COLUMN(1) : ELEMENT), ERR_OK);
    }
    assert_int_equal(row_build_open_array(&b, ELEMENT), ERR_RANGE);
    assert_int_equal(row_build_end(&b, &encoded), ERR_STATE);
    for (size_t depth = 0; depth < ROW_DEPTH_MAX; depth++) {
        assert_int_equal(row_build_close(&b), ERR_OK);
    }
    assert_int_equal(row_build_close(&b), ERR_STATE);
    assert_int_equal(row_build_end(&b, &encoded), ERR_OK);
}

static void what_does_not_fit_is_refused(void **state)
{
    static uint8_t large[ROW_BYTES_MAX];
    struct row_builder b;

    assert_int_equal(row_build_begin(&b, *state, (struct wall_time){0}, (struct wall_time){0},
                                     span_of(large, ROW_CREATED_BY_MAX + 1)),
                     ERR_RANGE);
    begin(&b, *state);
    assert_int_equal(row_build_string(&b, COLUMN(1), span_of(large, ROW_BYTES_MAX)), ERR_RANGE);
    begin(&b, *state);
    const struct row_key named = {.column = ROW_COLUMN_EXTRA, .name = span_of(large, ROW_NAME_MAX + 1)};
    assert_int_equal(row_build_null(&b, named), ERR_RANGE);
    begin(&b, *state);
    assert_int_equal(row_build_double(&b, COLUMN(1), (double)INFINITY), ERR_RANGE);
}

/* Reads everything that can be reached, the way a filter and the JSON writer do. */
static void read_everything(struct span encoded)
{
    static const struct row_field fields[] = {
        {.column = 7, .path = {(const uint8_t *)"list.1.deep", 11}},
        {.column = 300, .name = {(const uint8_t *)"beta", 4}},
    };
    struct row_iter stack[ROW_DEPTH_MAX + 1];
    struct row_member member;
    struct row_value value;
    struct row row;
    size_t depth = 0;

    if (row_read(some_id, encoded, &row) != ERR_OK) {
        return;
    }
    for (size_t at = 0; at < ARRAY_LENGTH(fields); at++) {
        const enum err err = row_find(&row, &fields[at], NULL, &value);
        assert_true(err == ERR_OK || err == ERR_DAMAGED);
    }
    stack[0] = row_iter_columns(&row);
    for (size_t steps = 0; steps < 10000; steps++) {
        const enum err err = row_iter_next(&stack[depth], &member);
        assert_true(err == ERR_OK || err == ERR_DAMAGED || err == ERR_NOT_FOUND);
        if (err == ERR_OK && depth < ROW_DEPTH_MAX) {
            depth++;
            stack[depth] = row_iter_of(&member.value);
        } else if (err != ERR_OK && depth == 0) {
            return;
        } else if (err != ERR_OK) {
            depth--;
        }
    }
}

/* Every length and every changed byte, each in memory of exactly its size so that the sanitizer sees a step too far. */
static void hostile_bytes_are_never_read_past_their_end(void **state)
{
    const struct span row = build_all(*state);

    for (size_t len = 0; len <= row.len; len++) {
        for (size_t at = 0; at < len; at++) {
            for (unsigned int change = 0; change < 3; change++) {
                static const uint8_t values[] = {0x00, 0x7f, 0xff};
                uint8_t *copy = malloc(len);
                memcpy(copy, row.data, len);
                copy[at] = values[change];
                read_everything(span_of(copy, len));
                free(copy);
            }
        }
    }
    fault_clear();
}

/* Columns before the one asked for are passed in the quickest way that their kind and length allow. */
static void a_column_is_found_behind_texts_and_numbers_of_every_length(void **state)
{
    static const uint8_t letters[300] = {'t'};
    const struct row_field wanted = {.column = 4};

    for (size_t len = 0; len <= sizeof letters; len++) {
        struct row_builder b;
        struct row_value value = {0};
        struct span encoded = SPAN_NONE;
        struct row row;
        begin(&b, *state);
        assert_int_equal(row_build_int(&b, COLUMN(1), (int64_t)len - 150), ERR_OK);
        assert_int_equal(row_build_string(&b, COLUMN(2), span_of(letters, len)), ERR_OK);
        assert_int_equal(row_build_bool(&b, COLUMN(3), true), ERR_OK);
        assert_int_equal(row_build_string(&b, COLUMN(4), span_lit("found")), ERR_OK);
        assert_int_equal(row_build_end(&b, &encoded), ERR_OK);
        assert_int_equal(row_read(some_id, encoded, &row), ERR_OK);

        assert_int_equal(row_find(&row, &wanted, NULL, &value), ERR_OK);

        assert_int_equal(value.type, ROW_STRING);
        assert_true(span_equal(value.bytes, span_lit("found")));
    }
}

/* Bytes that nobody else's lie behind: what is read past them is found. */
static enum err find_in_copy(struct span bytes, uint16_t column, enum row_type *out_type)
{
    uint8_t *copy = malloc(bytes.len);
    const struct row_field wanted = {.column = column};
    struct row_value value = {.type = ROW_MISSING};
    struct row row;

    assert_non_null(copy);
    memcpy(copy, bytes.data, bytes.len);
    assert_int_equal(row_read(some_id, span_of(copy, bytes.len), &row), ERR_OK);
    const enum err err = row_find(&row, &wanted, NULL, &value);
    *out_type = value.type;
    for (size_t at = 0; err == ERR_OK && value.type == ROW_STRING && at < value.bytes.len; at++) {
        assert_int_equal(value.bytes.data[at], 't');
    }
    free(copy);
    fault_clear();
    return err;
}

static void attack_20_a_row_cut_anywhere_gives_no_column_that_is_not_whole(void **state)
{
    static const uint8_t letters[] = {'t', 't', 't', 't', 't'};
    struct row_builder b;
    struct span encoded = SPAN_NONE;
    struct row row;
    begin(&b, *state);
    assert_int_equal(row_build_int(&b, COLUMN(1), 5), ERR_OK);
    assert_int_equal(row_build_string(&b, COLUMN(2), span_array(letters)), ERR_OK);
    assert_int_equal(row_build_string(&b, COLUMN(3), span_array(letters)), ERR_OK);
    assert_int_equal(row_build_end(&b, &encoded), ERR_OK);
    assert_int_equal(row_read(some_id, encoded, &row), ERR_OK);
    const size_t columns = encoded.len - row.columns.len;
    static const size_t ends[] = {0, 4, 13, 22}; /* of the columns */

    for (size_t left = 0; left <= row.columns.len; left++) {
        for (uint16_t column = 1; column <= 3; column++) {
            enum row_type type = ROW_MISSING;
            const enum err err = find_in_copy(span_of(encoded.data, columns + left), column, &type);
            const bool whole = left >= ends[column];
            const bool between = left == ends[0] || left == ends[1] || left == ends[2];
            assert_int_equal(err, whole || between ? ERR_OK : ERR_DAMAGED);
            assert_int_equal(type, whole ? (column == 1 ? ROW_INT : ROW_STRING) : ROW_MISSING);
        }
    }
}

static void the_name_of_an_extra_is_not_taken_for_columns(void **state)
{
    static uint8_t name[ROW_TAG_STRING * 256 + 9];
    const struct row_key extra = {.column = ROW_COLUMN_EXTRA, .name = span_array(name)};
    struct row_builder b;
    struct span encoded = SPAN_NONE;
    enum row_type type = ROW_STRING;
    for (size_t at = 0; at < sizeof(name); at++) { /* column 7, an integer, again and again */
        static const uint8_t column[] = {0, 7, ROW_TAG_INT, 2};
        name[at] = column[(at + 3) % sizeof(column)];
    }
    begin(&b, *state);
    assert_int_equal(row_build_int(&b, extra, 1), ERR_OK);
    assert_int_equal(row_build_end(&b, &encoded), ERR_OK);

    assert_int_equal(find_in_copy(encoded, 7, &type), ERR_OK);

    assert_int_equal(type, ROW_MISSING);
}

static void bytes_of_another_version_are_told_apart(void **state)
{
    const struct span encoded = build_all(*state);
    uint8_t copy[256];
    struct row row;

    memcpy(copy, encoded.data, encoded.len);
    copy[0] = 2;
    assert_int_equal(row_read(some_id, span_of(copy, encoded.len), &row), ERR_VERSION);
    assert_int_equal(row_read(some_id, span_of(encoded.data, 10), &row), ERR_DAMAGED);
    assert_int_equal(row_read(some_id, SPAN_NONE, &row), ERR_DAMAGED);
}

static void a_number_longer_than_it_need_be_is_damage(void **state UNUSED)
{
    static const uint8_t shortest[] = {1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 4, 0x05};
    static const uint8_t longer[] = {1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 4, 0x85, 0x00};
    const struct row_field field = {.column = 1};
    struct row_value value = {0};
    struct row row;

    assert_int_equal(row_read(some_id, span_array(shortest), &row), ERR_OK);
    assert_int_equal(row_find(&row, &field, NULL, &value), ERR_OK);
    assert_int_equal(value.integer, -3);
    assert_int_equal(row_read(some_id, span_array(longer), &row), ERR_OK);
    assert_int_equal(row_find(&row, &field, NULL, &value), ERR_DAMAGED);
}

static void a_row_id_reads_only_as_24_lower_case_digits(void **state UNUSED)
{
    struct row_id id;
    char text[ROW_ID_TEXT_BYTES];

    assert_int_equal(row_id_parse(span_lit("6553f1000000010908070605"), &id), ERR_OK);
    assert_true(row_id_equal(id, some_id));
    row_id_format(id, text);
    assert_memory_equal(text, "6553f1000000010908070605", ROW_ID_TEXT_BYTES);
    assert_int_equal(row_id_parse(span_lit("6553F1000000010908070605"), &id), ERR_MALFORMED);
    assert_int_equal(row_id_parse(span_lit("6553f100000001090807060"), &id), ERR_MALFORMED);
    assert_int_equal(row_id_parse(span_lit("6553f10000000109080706051"), &id), ERR_MALFORMED);
    assert_int_equal(row_id_parse(span_lit("6553f100000001090807060g"), &id), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_type_reads_as_it_was_built, setup, teardown),
        cmocka_unit_test_setup_teardown(the_header_holds_both_times_and_the_creator, setup, teardown),
        cmocka_unit_test_setup_teardown(system_fields_are_found_by_their_column, setup, teardown),
        cmocka_unit_test_setup_teardown(a_row_of_nobody_has_an_empty_creator_and_not_none, setup, teardown),
        cmocka_unit_test_setup_teardown(a_path_leads_through_objects_and_arrays, setup, teardown),
        cmocka_unit_test_setup_teardown(a_column_declared_later_is_found_under_its_old_name, setup, teardown),
        cmocka_unit_test_setup_teardown(the_iterator_gives_columns_in_order_and_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copied_value_is_equal_nested_ones_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(columns_out_of_order_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(nesting_stops_at_its_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_bytes_are_never_read_past_their_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_column_is_found_behind_texts_and_numbers_of_every_length, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_20_a_row_cut_anywhere_gives_no_column_that_is_not_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(the_name_of_an_extra_is_not_taken_for_columns, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_of_another_version_are_told_apart, setup, teardown),
        cmocka_unit_test(a_number_longer_than_it_need_be_is_damage),
        cmocka_unit_test(a_row_id_reads_only_as_24_lower_case_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
