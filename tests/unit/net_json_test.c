/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/json.h: which texts are JSON, what tree they become, and which bombs are refused. */
#include "net/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ARENA_BYTES ((size_t)16 << 20)

static int make_arena(void **state)
{
    struct arena *arena = NULL;

    assert_int_equal(arena_new(4096, ARENA_BYTES, &arena), ERR_OK);
    *state = arena;
    return 0;
}

static int free_arena(void **state)
{
    arena_free(*state);
    return 0;
}

static const struct json_value *parse_good(void **state, const char *text)
{
    const struct json_value *value = NULL;

    assert_int_equal(json_parse(span_str(text), *state, &value), ERR_OK);
    return value;
}

static void json_parse_reads_every_type(void **state)
{
    const struct json_value *const root =
        parse_good(state, " {\"n\":null,\"t\":true,\"f\":false,\"i\":-12,\"d\":2.5,\"s\":\"a\\u00e9\\uD83D\\uDE00\","
                          "\"a\":[1,[],{}],\"o\":{\"\":0}} ");

    assert_int_equal(root->type, JSON_OBJECT);
    assert_int_equal(root->as.object.count, 8);
    assert_int_equal(json_find(root, span_lit("n"))->type, JSON_NULL);
    assert_true(json_find(root, span_lit("t"))->as.boolean);
    assert_false(json_find(root, span_lit("f"))->as.boolean);
    assert_int_equal(json_find(root, span_lit("i"))->as.integer, -12);
    assert_true(json_find(root, span_lit("d"))->as.real > 2.4 && json_find(root, span_lit("d"))->as.real < 2.6);
    assert_true(span_equal(json_find(root, span_lit("s"))->as.text, span_lit("a\xc3\xa9\xf0\x9f\x98\x80")));
    const struct json_value *const array = json_find(root, span_lit("a"));
    assert_int_equal(array->as.array.count, 3);
    assert_int_equal(array->as.array.items[1].type, JSON_ARRAY);
    assert_int_equal(array->as.array.items[2].type, JSON_OBJECT);
    assert_int_equal(json_find(json_find(root, span_lit("o")), span_lit(""))->as.integer, 0);
}

static void json_parse_keeps_the_order_of_members(void **state)
{
    const struct json_value *const root = parse_good(state, "{\"z\":1,\"a\":2,\"m\":3}");

    assert_true(span_equal(root->as.object.members[0].name, span_lit("z")));
    assert_true(span_equal(root->as.object.members[1].name, span_lit("a")));
    assert_true(span_equal(root->as.object.members[2].name, span_lit("m")));
}

static void json_parse_accepts_any_type_at_the_root(void **state)
{
    assert_int_equal(parse_good(state, "5")->as.integer, 5);
    assert_int_equal(parse_good(state, "\"\"")->type, JSON_STRING);
    assert_int_equal(parse_good(state, "null")->type, JSON_NULL);
}

static void json_parse_reads_integers_to_the_ends_of_int64_and_doubles_beyond(void **state)
{
    assert_true(parse_good(state, "9223372036854775807")->as.integer == INT64_MAX);
    assert_true(parse_good(state, "-9223372036854775808")->as.integer == INT64_MIN);
    assert_int_equal(parse_good(state, "9223372036854775808")->type, JSON_DOUBLE);
    const struct json_value *const low = parse_good(state, "[\"9999999999999999999\",-9223372036854775809]");
    assert_int_equal(low->as.array.items[1].type, JSON_DOUBLE);
    assert_true(span_equal(low->as.array.items[0].as.text, span_lit("9999999999999999999")));
    assert_int_equal(parse_good(state, "1.0")->type, JSON_DOUBLE);
    assert_int_equal(parse_good(state, "1e3")->type, JSON_DOUBLE);
}

static void json_parse_refuses_what_is_not_json(void **state)
{
    static const char *const bad[] = {
        "", " ", "{", "}", "[", "]", "[1,]", "{\"a\":1,}", "{\"a\"}", "{a:1}", "{'a':1}", "[1 2]", "1 2", "{} x",
        "nul", "True", "NaN", "Infinity", "-Infinity", "-", "+1", "01", "1.", ".5", "1e", "1e400", "0x10", "\"a",
        "\"\\x\"", "\"\\u12\"", "\"\n\"", "\"\t\"", "// c\n1", "[1]/**/", "\xef\xbb\xbf{}", "1-2",
        "000000000000000000000000000001", "12345678901234567890-1", "-000000000000000000000000000000",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        const struct json_value *value = NULL;

        if (json_parse(span_str(bad[i]), *state, &value) != ERR_MALFORMED || value != NULL) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
}

static void attack_07_json_parse_refuses_duplicate_keys(void **state)
{
    const struct json_value *value = NULL;

    assert_int_equal(json_parse(span_lit("{\"role\":1,\"role\":2}"), *state, &value), ERR_MALFORMED);
    assert_int_equal(json_parse(span_lit("[{\"a\":{\"b\":1,\"\\u0062\":2}}]"), *state, &value), ERR_MALFORMED);
}

static void json_parse_refuses_nul_lone_surrogates_and_bad_utf8(void **state)
{
    static const struct span bad[] = {
        {(const uint8_t *)"\"\\u0000\"", 8},   {(const uint8_t *)"{\"a\\u0000\":1}", 13},
        {(const uint8_t *)"\"\\uD800\"", 8},   {(const uint8_t *)"\"\\uDC00\"", 8},
        {(const uint8_t *)"\"\\uD800\\u0041\"", 14}, {(const uint8_t *)"\"\xff\"", 3},
        {(const uint8_t *)"\"\xc0\x80\"", 4},  {(const uint8_t *)"\"\xed\xa0\x80\"", 5},
        {(const uint8_t *)"\"\xf4\x90\x80\x80\"", 6}, {(const uint8_t *)"\"a\0b\"", 5},
        {(const uint8_t *)"1\0", 2},           {(const uint8_t *)"\"\xc3\"", 3},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        const struct json_value *value = NULL;

        assert_int_equal(json_parse(bad[i], *state, &value), ERR_MALFORMED);
    }
}

static void attack_13_json_parse_bounds_depth(void **state)
{
    char text[2 * (JSON_DEPTH_MAX + 1)];
    const struct json_value *value = NULL;

    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);

    assert_int_equal(json_parse(span_of(text + 1, 2 * JSON_DEPTH_MAX), *state, &value), ERR_OK);
    assert_int_equal(json_parse(span_of(text, sizeof(text)), *state, &value), ERR_RANGE);
    memset(text, '[', sizeof(text));
    assert_int_equal(json_parse(span_of(text, sizeof(text)), *state, &value), ERR_RANGE);
}

static void attack_13_json_parse_bounds_the_number_of_values(void **state)
{
    static char text[2 * JSON_VALUES_MAX + 8];
    const struct json_value *value = NULL;
    size_t len = 0;

    text[len++] = '[';
    for (size_t i = 0; i < JSON_VALUES_MAX; i++) {
        text[len++] = '1';
        text[len++] = ',';
    }
    text[len - 1] = ']';

    assert_int_equal(json_parse(span_of(text, len), *state, &value), ERR_RANGE); /* one too many: the array counts */
    arena_reset(*state);
    text[len - 3] = ']';
    assert_int_equal(json_parse(span_of(text, len - 2), *state, &value), ERR_OK);
    assert_int_equal(value->as.array.count, JSON_VALUES_MAX - 1);
}

static void json_parse_says_when_the_arena_is_used_up(void **state)
{
    SCOPED_ARENA struct arena *small = NULL;
    const struct json_value *value = NULL;
    static char text[8192];

    (void)state;
    memset(text, 'a', sizeof(text));
    text[0] = '"';
    text[sizeof(text) - 1] = '"';
    assert_int_equal(arena_new(256, 1024, &small), ERR_OK);

    assert_int_equal(json_parse(span_of(text, sizeof(text)), small, &value), ERR_NO_MEMORY);
    assert_null(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(json_parse_reads_every_type, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(json_parse_keeps_the_order_of_members, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(json_parse_accepts_any_type_at_the_root, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(json_parse_reads_integers_to_the_ends_of_int64_and_doubles_beyond, make_arena,
                                        free_arena),
        cmocka_unit_test_setup_teardown(json_parse_refuses_what_is_not_json, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(attack_07_json_parse_refuses_duplicate_keys, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(json_parse_refuses_nul_lone_surrogates_and_bad_utf8, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(attack_13_json_parse_bounds_depth, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(attack_13_json_parse_bounds_the_number_of_values, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(json_parse_says_when_the_arena_is_used_up, make_arena, free_arena),
    };

    json_seed(1);
    return cmocka_run_group_tests_name("net/json", tests, NULL, NULL);
}
