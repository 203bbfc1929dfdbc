/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scopes of keys: their grammar, their compiled bytes, and what they allow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/rls/scope.h"
#include "hal/base/fault.h"
#include "tests/lib/json_box.h"

static void scope_compile_refuses_what_the_grammar_does_not_have(void **state)
{
    struct json_box *f = *state;
    static const char *const cases[] = {"[]",
                                        "{}",
                                        "\"posts:read\"",
                                        "[1]",
                                        "[\"posts\"]",
                                        "[\"posts:\"]",
                                        "[\":read\"]",
                                        "[\"posts:READ\"]",
                                        "[\"a b:read\"]",
                                        "[\"*a:read\"]",
                                        "[\"a:read:b\"]",
                                        "[\"a:read \"]",
                                        "[\"ok:read\",\"\"]"};
    SCOPED_BUF struct buf *out = NULL;
    assert_int_equal(buf_new(SCOPE_BYTES_MAX, &out), ERR_OK);
    assert_int_equal(buf_put_u8(out, 9), ERR_OK);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (scope_compile(json_box_value(f, cases[i]), out) != ERR_MALFORMED) {
            fail_msg("%s was taken", cases[i]);
        }
        assert_int_equal(buf_len(out), 1);
    }
}

static void scope_compile_takes_sixty_four_scopes_and_not_one_more(void **state)
{
    struct json_box *f = *state;
    SCOPED_BUF struct buf *out = NULL;
    SCOPED_BUF struct buf *text = NULL;
    assert_int_equal(buf_new(SCOPE_BYTES_MAX, &out), ERR_OK);
    assert_int_equal(buf_new(4096, &text), ERR_OK);
    assert_int_equal(buf_put(text, span_lit("[\"a:read\"")), ERR_OK);
    for (size_t i = 1; i < SCOPE_COUNT_MAX; i++) {
        assert_int_equal(buf_put(text, span_lit(",\"a:read\"")), ERR_OK);
    }
    const struct json_value *scopes = NULL;
    assert_int_equal(buf_put_u8(text, ']'), ERR_OK);
    assert_int_equal(json_parse(buf_all(text), f->arena, &scopes), ERR_OK);
    assert_int_equal(scope_compile(scopes, out), ERR_OK);
    buf_truncate(text, buf_len(text) - 1);
    assert_int_equal(buf_put(text, span_lit(",\"a:read\"]")), ERR_OK);
    assert_int_equal(json_parse(buf_all(text), f->arena, &scopes), ERR_OK);
    assert_int_equal(scope_compile(scopes, out), ERR_MALFORMED);
}

static void scope_check_allows_nothing_without_bytes_or_with_damaged_ones(void **state)
{
    struct json_box *f = *state;
    SCOPED_BUF struct buf *out = NULL;
    assert_int_equal(buf_new(SCOPE_BYTES_MAX, &out), ERR_OK);
    assert_int_equal(scope_compile(json_box_value(f, "[\"posts:read\"]"), out), ERR_OK);
    const struct span good = buf_all(out);
    uint8_t copy[16];
    SCOPED_BUF struct buf *unrestricted = NULL;
    assert_int_equal(buf_new(SCOPE_BYTES_MAX, &unrestricted), ERR_OK);
    assert_int_equal(scope_compile(NULL, unrestricted), ERR_OK);
    assert_true(scope_is_null(buf_all(unrestricted)));
    assert_int_equal(scope_check(good, span_lit("posts"), RLS_READ), RLS_ALLOW);

    assert_int_equal(scope_check(SPAN_NONE, span_lit("posts"), RLS_READ), RLS_DENY);
    assert_int_equal(scope_check_all(SPAN_NONE), RLS_DENY);
    for (size_t len = 1; len < good.len; len++) {
        assert_int_equal(scope_check(span_of(good.data, len), span_lit("posts"), RLS_READ), RLS_DENY);
    }
    memcpy(copy, good.data, good.len);
    copy[1] = 7; /* no such operation */
    assert_int_equal(scope_check(span_of(copy, good.len), span_lit("posts"), RLS_READ), RLS_DENY);
    assert_int_equal(scope_check(good, span_lit("posts"), (enum rls_op)9), RLS_DENY);
}

static void scope_check_all_asks_for_everything(void **state)
{
    struct json_box *f = *state;
    static const struct {
        const char *scopes;
        enum rls_verdict verdict;
    } cases[] = {{"null", RLS_ALLOW},
                 {"[\"*:*\"]", RLS_ALLOW},
                 {"[\"*:read\"]", RLS_DENY},
                 {"[\"a:*\"]", RLS_DENY},
                 {"[\"a:*\",\"*:*\"]", RLS_ALLOW}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        SCOPED_BUF struct buf *out = NULL;
        assert_int_equal(buf_new(SCOPE_BYTES_MAX, &out), ERR_OK);
        assert_int_equal(scope_compile(json_box_value(f, cases[i].scopes), out), ERR_OK);
        assert_int_equal(scope_check_all(buf_all(out)), cases[i].verdict);
    }
}

static void scope_next_prints_what_was_compiled(void **state)
{
    struct json_box *f = *state;
    static const char *const expected[] = {"posts:read", "*:list", "a_b-c:*"};
    SCOPED_BUF struct buf *out = NULL;
    char text[SCOPE_TEXT_MAX];
    size_t cursor = 0;
    size_t len = 0;
    size_t count = 0;
    assert_int_equal(buf_new(SCOPE_BYTES_MAX, &out), ERR_OK);
    assert_int_equal(scope_compile(json_box_value(f, "[\"posts:read\",\"*:list\",\"a_b-c:*\"]"), out), ERR_OK);

    while (scope_next(buf_all(out), &cursor, text, &len)) {
        assert_true(count < ARRAY_LENGTH(expected));
        assert_true(span_equal(span_of(text, len), span_str(expected[count])));
        count++;
    }

    assert_int_equal(count, ARRAY_LENGTH(expected));
}

static void scope_compile_reports_a_buffer_that_is_full_and_leaves_it_as_it_was(void **state)
{
    struct json_box *f = *state;
    static const char *const cases[] = {"null", "[\"posts:read\"]"};
    static const size_t lens[] = {1, 8};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        for (size_t room = 0; room <= lens[i]; room++) {
            SCOPED_BUF struct buf *out = NULL;
            assert_int_equal(buf_new(room, &out), ERR_OK);

            const enum err err = scope_compile(json_box_value(f, cases[i]), out);

            assert_int_equal(err, room == lens[i] ? ERR_OK : ERR_RANGE);
            assert_int_equal(buf_len(out), room == lens[i] ? room : 0);
            fault_clear();
        }
    }
}

static void damaged_scopes_allow_nothing_behind_the_damage_and_are_not_printed(void **state)
{
    (void)state;
    /* operation | length | name; the first byte says that a list follows. */
    static const uint8_t bad_op[] = {0x3c, 5, 1, 'a', 0xff, 1, '*'};
    static const uint8_t no_name[] = {0x3c, 1, 0, 0xff, 1, '*'};
    static const uint8_t cut_name[] = {0x3c, 1, 5, 'a'};
    static const uint8_t cut_length[] = {0x3c, 1};
    static const uint8_t no_kind[] = {0x3d, 0xff, 1, '*'};
    static const uint8_t all_and_more[] = {0xa5, 0xff, 1, '*'};
    uint8_t long_name[3 + 65] = {0x3c, 1, 65};
    memset(long_name + 3, 'a', 65);
    const struct span cases[] = {span_array(bad_op),     span_array(no_name), span_array(cut_name),
                                 span_array(cut_length), span_array(no_kind), span_array(all_and_more),
                                 span_array(long_name)};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[SCOPE_TEXT_MAX];
        size_t cursor = 0;
        size_t len = 0;
        assert_int_equal(scope_check(cases[i], span_lit("a"), RLS_READ), RLS_DENY);
        assert_int_equal(scope_check(cases[i], span_of(long_name + 3, 65), RLS_READ), RLS_DENY);
        assert_int_equal(scope_check_all(cases[i]), RLS_DENY);
        assert_false(scope_is_null(cases[i]));
        assert_false(scope_next(cases[i], &cursor, text, &len));
        fault_clear();
    }
    static const uint8_t everything[] = {0x3c, 0xff, 1, '*'};
    static const uint8_t unrestricted[] = {0xa5};
    assert_int_equal(scope_check_all(span_array(everything)), RLS_ALLOW);
    assert_true(scope_is_null(span_array(unrestricted)));
    assert_int_equal(scope_check(span_array(unrestricted), span_lit("a"), RLS_LIST), RLS_ALLOW);
    assert_int_equal(scope_check(span_array(unrestricted), span_lit("a"), (enum rls_op)RLS_OPS), RLS_DENY);
    assert_int_equal(scope_check(span_array(everything), span_lit("a"), (enum rls_op)RLS_OPS), RLS_DENY);
    long_name[2] = 64;
    assert_int_equal(scope_check(span_of(long_name, 3 + 64), span_of(long_name + 3, 64), RLS_READ), RLS_ALLOW);
}

static void scope_check_allows_the_operation_and_the_table_that_were_named(void **state)
{
    struct json_box *f = *state;
    static const struct {
        const char *scopes, *table;
        enum rls_op op;
        enum rls_verdict verdict;
    } cases[] = {
        {"[\"a:read\"]", "a", RLS_READ, RLS_ALLOW},
        {"[\"a:read\"]", "a", RLS_LIST, RLS_ALLOW},
        {"[\"a:read\"]", "a", RLS_CREATE, RLS_DENY},
        {"[\"a:read\"]", "b", RLS_READ, RLS_DENY},
        {"[\"a:read\"]", "ab", RLS_READ, RLS_DENY},
        {"[\"a:list\"]", "a", RLS_READ, RLS_DENY},
        {"[\"a:create\"]", "a", RLS_LIST, RLS_DENY},
        {"[\"a:list\"]", "a", RLS_LIST, RLS_ALLOW},
        {"[\"*:delete\"]", "b", RLS_DELETE, RLS_ALLOW},
        {"[\"*:delete\"]", "b", RLS_UPDATE, RLS_DENY},
        {"[\"a:*\"]", "a", RLS_DELETE, RLS_ALLOW},
        {"[\"a:*\"]", "*", RLS_DELETE, RLS_DENY},
        {"[\"b:*\",\"a:update\"]", "a", RLS_UPDATE, RLS_ALLOW},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        SCOPED_BUF struct buf *out = NULL;
        assert_int_equal(buf_new(SCOPE_BYTES_MAX, &out), ERR_OK);
        assert_int_equal(scope_compile(json_box_value(f, cases[i].scopes), out), ERR_OK);
        assert_int_equal(scope_check(buf_all(out), span_str(cases[i].table), cases[i].op), cases[i].verdict);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, json_box_set_up, json_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(scope_compile_refuses_what_the_grammar_does_not_have),
        TEST(scope_compile_takes_sixty_four_scopes_and_not_one_more),
        TEST(scope_check_allows_nothing_without_bytes_or_with_damaged_ones),
        TEST(scope_check_all_asks_for_everything),
        TEST(scope_next_prints_what_was_compiled),
        TEST(scope_compile_reports_a_buffer_that_is_full_and_leaves_it_as_it_was),
        TEST(damaged_scopes_allow_nothing_behind_the_damage_and_are_not_printed),
        TEST(scope_check_allows_the_operation_and_the_table_that_were_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
