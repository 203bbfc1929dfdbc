/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/json_out.h: what the writer writes, byte for byte, and that what it writes reads back the same. */
#include "net/json_out.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/json.h"

static int make_buf(void **state)
{
    struct buf *buf = NULL;

    assert_int_equal(buf_new(65536, &buf), ERR_OK);
    *state = buf;
    return 0;
}

static int free_buf(void **state)
{
    buf_free(*state);
    return 0;
}

static void assert_written(struct buf *buf, struct span expected)
{
    if (!span_equal(buf_all(buf), expected)) {
        fail_msg("wrote %.*s", (int)buf_len(buf), (const char *)buf_all(buf).data);
    }
}

static void json_out_writes_compact_objects_and_arrays(void **state)
{
    struct json_out out;

    json_out_init(&out, *state);
    json_out_object(&out);
    json_out_name(&out, span_lit("items"));
    json_out_array(&out);
    json_out_object(&out);
    json_out_object_end(&out);
    json_out_int(&out, -5);
    json_out_null(&out);
    json_out_bool(&out, true);
    json_out_array_end(&out);
    json_out_member_bool(&out, span_lit("hasNext"), true);
    json_out_member_text(&out, span_lit("a"), span_lit("b"));
    json_out_member_int(&out, span_lit("n"), INT64_MIN);
    json_out_member_null(&out, span_lit("z"));
    json_out_member_time(&out, span_lit("t"), (struct wall_time){0});
    json_out_name(&out, span_lit("raw"));
    json_out_raw(&out, span_lit("[1]"));
    json_out_object_end(&out);

    assert_int_equal(json_out_finish(&out), ERR_OK);
    assert_written(*state, span_lit("{\"items\":[{},-5,null,true],\"hasNext\":true,\"a\":\"b\",\"n\":-9223372036854775808,"
                                    "\"z\":null,\"t\":\"1970-01-01T00:00:00.000Z\",\"raw\":[1]}"));
}

static void json_out_leaves_members_out_by_their_names(void **state)
{
    static const char text[] = "{\"a\":1,\"ab\":{\"a\":2},\"b\":[3],\"c\":null,\"\":4}";
    const struct span names[] = {span_lit("b"), span_lit("a"), span_lit("none")};
    const struct json_value *tree = NULL;
    struct arena *arena = NULL;
    struct json_out out;
    assert_int_equal(arena_new(0, 4096, &arena), ERR_OK);
    assert_int_equal(json_parse(span_str(text), arena, &tree), ERR_OK);
    json_out_init(&out, *state);
    json_out_object(&out);

    json_out_members_without(&out, tree, names, 3);

    json_out_member_int(&out, span_lit("b"), 5);
    json_out_object_end(&out);
    assert_int_equal(json_out_finish(&out), ERR_OK);
    assert_written(*state, span_lit("{\"ab\":{\"a\":2},\"c\":null,\"\":4,\"b\":5}"));
    arena_free(arena);
}

static void json_out_escapes_what_rfc_8259_demands_and_no_more(void **state)
{
    static const uint8_t text[] = "\"\\/\b\f\n\r\t\x01\x1f\x7f \xc3\xa9\xe2\x80\xa8";
    struct json_out out;

    json_out_init(&out, *state);
    json_out_array(&out);
    json_out_text(&out, span_of(text, sizeof(text) - 1));
    json_out_text(&out, span_of("\0", 1));
    json_out_array_end(&out);

    assert_written(*state, span_lit("[\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f \xc3\xa9\xe2\x80\xa8\",\"\\u0000\"]"));
}

/* What one byte of text has to become. */
static void expect_byte(uint8_t byte, char out_text[8])
{
    static const char named[] = "\b\f\n\r\t\"\\";
    static const char letters[] = "bfnrt\"\\";
    const char *const found = byte == 0 ? NULL : strchr(named, byte);

    if (found != NULL) {
        snprintf(out_text, 8, "\\%c", letters[found - named]);
    } else if (byte < 0x20) {
        snprintf(out_text, 8, "\\u%04x", byte);
    } else if (byte >= 0x80) {
        snprintf(out_text, 8, "\xef\xbf\xbd");
    } else {
        snprintf(out_text, 8, "%c", byte);
    }
}

static void json_out_finds_any_byte_that_needs_care_at_any_place(void **state)
{
    enum { LEN = 19 }; /* two strides of eight and a rest */
    struct buf *const buf = *state;

    for (unsigned int byte = 0; byte < 256; byte++) {
        for (size_t place = 0; place < LEN; place++) {
            char text[LEN];
            char one[8];
            char expected[64];
            struct json_out out;

            memset(text, 'a' + (char)(byte % 8), LEN);
            text[place] = (char)byte;
            expect_byte((uint8_t)byte, one);
            const int len = snprintf(expected, sizeof(expected), "\"%.*s%s%.*s\"", (int)place, text, one,
                                     (int)(LEN - 1 - place), text + place + 1);
            buf_reset(buf);
            json_out_init(&out, buf);
            json_out_text(&out, span_of(text, LEN));

            assert_int_equal(json_out_finish(&out), ERR_OK);
            assert_written(buf, span_of(expected, (size_t)len));
        }
    }
}

static void json_out_replaces_bytes_that_are_no_utf8(void **state)
{
    struct json_out out;

    json_out_init(&out, *state);
    json_out_text(&out, span_lit("a\xff\xc3z\xe2\x82"));

    assert_written(*state, span_lit("\"a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\""));
}

static void json_out_prints_integral_doubles_as_integers(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {5.0, "5"}, {-0.0, "0"}, {9007199254740992.0, "9007199254740992"}, {-9007199254740992.0, "-9007199254740992"},
        {9007199254740994.0, "9007199254740994"}, {1e20, "1e+20"}, {0.1, "0.1"}, {1.0 / 3.0, "0.3333333333333333"},
        {2.5e-8, "2.5e-08"}, {5e-324, "5e-324"}, {1.7976931348623157e308, "1.7976931348623157e+308"},
        {100.0, "100"}, {123456.789, "123456.789"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct json_out out;

        buf_reset(*state);
        json_out_init(&out, *state);
        json_out_double(&out, cases[i].value);
        assert_written(*state, span_str(cases[i].text));
    }
}

static void json_out_never_writes_a_number_that_json_does_not_have(void **state)
{
    struct json_out out;

    json_out_init(&out, *state);
    json_out_array(&out);
    json_out_double(&out, (double)NAN);
    json_out_double(&out, (double)INFINITY);
    json_out_array_end(&out);

    assert_written(*state, span_lit("[null,null]"));
}

static void json_out_doubles_read_back_the_same(void **state)
{
    SCOPED_ARENA struct arena *arena = NULL;
    uint64_t random = 88172645463325252u;

    assert_int_equal(arena_new(4096, 65536, &arena), ERR_OK);
    for (size_t i = 0; i < 20000; i++) {
        const struct json_value *read = NULL;
        struct json_out out;
        double value = 0;

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        memcpy(&value, &random, sizeof(value));
        if (!isfinite(value)) {
            continue;
        }
        buf_reset(*state);
        json_out_init(&out, *state);
        json_out_double(&out, value);
        arena_reset(arena);
        assert_int_equal(json_parse(buf_all(*state), arena, &read), ERR_OK);
        const double again = read->type == JSON_INT ? (double)read->as.integer : read->as.real;
        assert_memory_equal(&again, &value, sizeof(value));
    }
}

static void json_out_value_writes_a_tree_that_was_parsed(void **state)
{
    static const char text[] = "{\"a\":[1,[2,[]],{\"b\":{}}],\"c\":\"\\\"x\\\"\",\"d\":[true,false,null,1.5],\"e\":{\"f\":[{}]}}";
    SCOPED_ARENA struct arena *arena = NULL;
    const struct json_value *tree = NULL;
    struct json_out out;

    assert_int_equal(arena_new(4096, 65536, &arena), ERR_OK);
    assert_int_equal(json_parse(span_str(text), arena, &tree), ERR_OK);
    json_out_init(&out, *state);
    json_out_value(&out, tree);

    assert_int_equal(json_out_finish(&out), ERR_OK);
    assert_written(*state, span_str(text));
}

static void json_out_value_writes_a_tree_of_the_greatest_depth(void **state)
{
    char text[2 * JSON_DEPTH_MAX];
    SCOPED_ARENA struct arena *arena = NULL;
    const struct json_value *tree = NULL;
    struct json_out out;

    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_int_equal(arena_new(4096, 65536, &arena), ERR_OK);
    assert_int_equal(json_parse(span_of(text, sizeof(text)), arena, &tree), ERR_OK);
    json_out_init(&out, *state);
    json_out_value(&out, tree);

    assert_written(*state, span_of(text, sizeof(text)));
}

static void json_out_finish_tells_of_a_full_buffer(void **state)
{
    SCOPED_BUF struct buf *small = NULL;
    struct json_out out;

    (void)state;
    assert_int_equal(buf_new(8, &small), ERR_OK);
    json_out_init(&out, small);
    json_out_text(&out, span_lit("more than eight"));

    assert_int_equal(json_out_finish(&out), ERR_RANGE);
}

static void json_out_finish_tells_of_an_open_object(void **state)
{
    struct json_out out;

    json_out_init(&out, *state);
    json_out_object(&out);

    assert_int_equal(json_out_finish(&out), ERR_BUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(json_out_writes_compact_objects_and_arrays, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(json_out_leaves_members_out_by_their_names, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(json_out_escapes_what_rfc_8259_demands_and_no_more, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(json_out_finds_any_byte_that_needs_care_at_any_place, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(json_out_replaces_bytes_that_are_no_utf8, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(json_out_prints_integral_doubles_as_integers, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(json_out_never_writes_a_number_that_json_does_not_have, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(json_out_doubles_read_back_the_same, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(json_out_value_writes_a_tree_that_was_parsed, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(json_out_value_writes_a_tree_of_the_greatest_depth, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(json_out_finish_tells_of_a_full_buffer, make_buf, free_buf),
        cmocka_unit_test_setup_teardown(json_out_finish_tells_of_an_open_object, make_buf, free_buf),
    };

    json_seed(1);
    return cmocka_run_group_tests_name("net/json_out", tests, NULL, NULL);
}
