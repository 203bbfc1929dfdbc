/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows between JSON and storage: what comes back is what was sent; patches, changed schemas, visibility, damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/row_json.h"
#include "firmware/data/schema_json.h"
#include "hal/base/fault.h"
#include "net/json.h"

#define NOW 1767323045678 /* 2026-01-02T03:04:05.678Z */

struct fixture {
    struct arena *arena;
    struct schema *schema;
    struct buf *out, *other;
    struct rls_bound rls;
};

static const struct row_id row_id = {{0x65, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}};

static const struct json_value *json(struct fixture *f, const char *text)
{
    const struct json_value *value = NULL;
    if (json_parse(span_str(text), f->arena, &value) != ERR_OK) {
        fail_msg("test JSON: %s", text);
    }
    return value;
}

static void use_schema(struct fixture *f, const char *definition)
{
    struct schema_problem problem;
    schema_free(f->schema);
    f->schema = NULL;
    assert_int_equal(schema_new(json(f, definition), SPAN_NONE, &schema_json_matcher, &f->schema, &problem), ERR_OK);
}

static int setup(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof(f));
    assert_int_equal(arena_new(1 << 16, 1 << 24, &f.arena), ERR_OK);
    assert_int_equal(buf_new(ROW_BYTES_MAX, &f.out), ERR_OK);
    assert_int_equal(buf_new(ROW_BYTES_MAX, &f.other), ERR_OK);
    const struct rls_table table = {.name = span_lit("t")};
    const struct rls_who who = {.group = RLS_USER, .id = span_lit("uA")};
    rls_bind(&table, &who, &f.rls);
    use_schema(&f, "{\"b\":{\"type\":\"int\"},\"a\":{\"type\":\"string\"},\"d\":{\"type\":\"date\"}}");
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    schema_free(f->schema);
    buf_free(f->out);
    buf_free(f->other);
    arena_free(f->arena);
    fault_clear();
    return 0;
}

static struct json_value checked(struct fixture *f, const char *body, enum schema_mode mode)
{
    static struct schema_report report;
    const struct schema_check check = {
        .schema = f->schema, .mode = mode, .additional = SCHEMA_EXTRA_ALLOW, .arena = f->arena};
    struct json_value row;
    assert_int_equal(schema_check(&check, json(f, body), &row, &report), ERR_OK);
    return row;
}

static struct row create(struct fixture *f, const char *body)
{
    const struct row_write write = {.arena = f->arena, .schema = f->schema, .now = {NOW}, .out = f->out};
    const struct json_value value = checked(f, body, SCHEMA_CREATE);
    struct span encoded;
    struct row row;
    assert_int_equal(row_json_create(&write, &value, span_lit("uA"), &encoded), ERR_OK);
    assert_int_equal(row_read(row_id, encoded, &row), ERR_OK);
    return row;
}

static struct row update(struct fixture *f, const struct row *stored, const char *body, int64_t now)
{
    const struct row_write write = {.arena = f->arena, .schema = f->schema, .now = {now}, .out = f->other};
    const struct json_value value = checked(f, body, SCHEMA_PATCH);
    struct span encoded;
    struct row row;
    assert_int_equal(row_json_update(&write, stored, &value, &encoded), ERR_OK);
    assert_int_equal(row_read(row_id, encoded, &row), ERR_OK);
    return row;
}

/* The user's fields of the row as JSON, without the system fields around them. */
static struct span shown(struct fixture *f, const struct row *row, const struct row_select *select)
{
    static const char head[] = "{\"id\":\"650102030405060708090a0b\",";
    SCOPED_BUF struct buf *text = NULL;
    struct json_out out;
    struct span copy;
    const struct row_view view = {.schema = f->schema, .rls = &f->rls, .select = select};
    assert_int_equal(buf_new(1 << 22, &text), ERR_OK);
    json_out_init(&out, text);
    assert_int_equal(row_json_write(&out, &view, row), ERR_OK);
    assert_int_equal(json_out_finish(&out), ERR_OK);
    assert_true(span_starts_with(buf_all(text), span_str(head)));
    assert_int_equal(arena_copy(f->arena, buf_all(text), &copy), ERR_OK);
    return span_of(copy.data + sizeof(head) - 1, copy.len - (sizeof(head) - 1));
}

static void assert_shown(struct fixture *f, const struct row *row, const char *fields)
{
    const struct span got = shown(f, row, NULL);
    if (!span_starts_with(got, span_str(fields)) ||
        !span_starts_with(span_of(got.data + strlen(fields), got.len - strlen(fields)),
                          span_lit("\"createdBy\":\"uA\""))) {
        fail_msg("got %.*s\nexpected %s", (int)got.len, (const char *)got.data, fields);
    }
}

static void row_json_gives_back_what_was_sent(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *body;
        const char *fields;
    } cases[] = {
        {"{}", ""},
        {"{\"a\":\"x\",\"b\":5}", "\"b\":5,\"a\":\"x\","},
        {"{\"z\":1,\"y\":null,\"a\":null}", "\"a\":null,\"y\":null,\"z\":1,"},
        {"{\"d\":\"2026-01-02\"}", "\"d\":\"2026-01-02T00:00:00.000Z\","},
        {"{\"x\":{\"q\":[1,2.5,{\"r\":[[],{}]}],\"p\":true},\"b\":1}",
         "\"b\":1,\"x\":{\"q\":[1,2.5,{\"r\":[[],{}]}],\"p\":true},"},
        {"{\"x\":[1e300,-0.1,9007199254740993,\"\\u0001\\\"\",false]}",
         "\"x\":[1e+300,-0.1,9007199254740993,\"\\u0001\\\"\",false],"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct row row = create(f, cases[i].body);
        assert_shown(f, &row, cases[i].fields);
    }
}

static void row_json_create_gives_both_times_and_the_owner(void **state)
{
    struct fixture *f = *state;
    const struct row row = create(f, "{}");
    SCOPED_BUF struct buf *text = NULL;
    struct json_out out;
    assert_int_equal(buf_new(4096, &text), ERR_OK);
    json_out_init(&out, text);

    row_json_write_system(&out, &row);

    assert_int_equal(json_out_finish(&out), ERR_OK);
    assert_true(span_equal(buf_all(text),
                           span_lit("{\"id\":\"650102030405060708090a0b\",\"createdBy\":\"uA\",\"createdAt\":"
                                    "\"2026-01-02T03:04:05.678Z\",\"updatedAt\":\"2026-01-02T03:04:05.678Z\"}")));
}

static void row_json_update_replaces_what_was_sent_and_keeps_the_rest(void **state)
{
    struct fixture *f = *state;
    const struct row row = create(f, "{\"a\":\"x\",\"b\":5,\"m\":{\"n\":1},\"z\":1}");

    const struct row next = update(f, &row, "{\"b\":null,\"m\":[2],\"c\":true}", NOW + 10);

    assert_shown(f, &next, "\"b\":null,\"a\":\"x\",\"c\":true,\"m\":[2],\"z\":1,");
    assert_int_equal(next.created_at.ms, NOW);
    assert_int_equal(next.updated_at.ms, NOW + 10);
}

static void row_json_update_always_moves_the_time_on(void **state)
{
    struct fixture *f = *state;
    const struct row row = create(f, "{}");

    assert_int_equal(update(f, &row, "{}", NOW).updated_at.ms, NOW + 1);
    assert_int_equal(update(f, &row, "{}", NOW - 100000).updated_at.ms, NOW + 1);
    assert_int_equal(update(f, &row, "{}", NOW + 2).updated_at.ms, NOW + 2);
}

static void row_json_finds_a_field_that_was_stored_before_it_was_declared(void **state)
{
    struct fixture *f = *state;
    const struct row row = create(f, "{\"late\":\"x\",\"other\":1}");
    use_schema(f, "{\"b\":{\"type\":\"int\"},\"a\":{\"type\":\"string\"},\"d\":{\"type\":\"date\"},\"late\":{\"type\":"
                  "\"string\"}}");

    assert_shown(f, &row, "\"late\":\"x\",\"other\":1,");
    const struct row next = update(f, &row, "{\"other\":2}", NOW);
    assert_shown(f, &next, "\"late\":\"x\",\"other\":2,");
    struct row_iter iter = row_iter_columns(&next);
    struct row_member member;
    assert_int_equal(row_iter_next(&iter, &member), ERR_OK);
    assert_int_equal(member.column, 4);
    const struct row replaced = update(f, &row, "{\"late\":\"y\"}", NOW);
    assert_shown(f, &replaced, "\"late\":\"y\",\"other\":1,");
}

static void row_json_never_shows_a_column_that_was_removed(void **state)
{
    struct fixture *f = *state;
    struct schema *without = NULL;
    struct schema_problem problem;
    const struct row row = create(f, "{\"a\":\"secret\",\"b\":5}");
    assert_int_equal(schema_apply_change(f->schema, json(f, "{\"fieldsToRemove\":[\"a\"]}"), &without, &problem),
                     ERR_OK);
    schema_free(f->schema);
    f->schema = without;

    assert_shown(f, &row, "\"b\":5,");
    const struct row next = update(f, &row, "{}", NOW);
    assert_shown(f, &next, "\"b\":5,");
    assert_true(next.columns.len < row.columns.len);
}

static void row_json_write_leaves_out_what_was_not_selected(void **state)
{
    struct fixture *f = *state;
    const struct row row = create(f, "{\"a\":\"x\",\"b\":5,\"z\":1}");
    const struct span names[] = {span_lit("z"), span_lit("b"), span_lit("nosuch")};
    const struct row_select some = {.names = names, .count = ARRAY_LENGTH(names)};
    const struct row_select none = {.names = names, .count = 0};

    assert_true(span_starts_with(shown(f, &row, &some), span_lit("\"b\":5,\"z\":1,\"createdBy\"")));
    assert_true(span_starts_with(shown(f, &row, &none), span_lit("\"createdBy\"")));
}

static void row_json_write_says_when_a_row_is_damaged_and_leaves_whole_json(void **state)
{
    struct fixture *f = *state;
    struct row row = create(f, "{\"x\":{\"q\":[1,2,{\"r\":\"a long text at the end\"}]}}");
    const struct row_view view = {.schema = f->schema, .rls = &f->rls};
    const size_t whole = row.columns.len;
    for (size_t len = 1; len < whole; len++) {
        SCOPED_BUF struct buf *text = NULL;
        struct json_out out;
        const struct json_value *parsed = NULL;
        assert_int_equal(buf_new(4096, &text), ERR_OK);
        json_out_init(&out, text);
        row.columns.len = len;

        assert_int_equal(row_json_write(&out, &view, &row), ERR_DAMAGED);

        assert_int_equal(json_out_finish(&out), ERR_OK);
        assert_int_equal(json_parse(buf_all(text), f->arena, &parsed), ERR_OK);
    }
}

static void row_json_create_refuses_what_storage_cannot_take(void **state)
{
    struct fixture *f = *state;
    SCOPED_BUF struct buf *small = NULL;
    SCOPED_ARENA struct arena *tiny = NULL;
    struct row_write write = {.arena = f->arena, .schema = f->schema, .now = {NOW}};
    const struct json_value value =
        checked(f, "{\"a\":\"0123456789012345678901234567890123456789\",\"b\":1}", SCHEMA_CREATE);
    struct span encoded = span_lit("untouched");
    assert_int_equal(buf_new(40, &small), ERR_OK);
    assert_int_equal(arena_new(0, 16, &tiny), ERR_OK);

    write.out = small;
    assert_int_equal(row_json_create(&write, &value, span_lit("uA"), &encoded), ERR_RANGE);
    write.out = f->out;
    write.arena = tiny;
    assert_int_equal(row_json_create(&write, &value, span_lit("uA"), &encoded), ERR_NO_MEMORY);
    assert_true(span_equal(encoded, span_lit("untouched")));
}

/* Names n<from> .. n<to - 1>, each with the value 1. */
static const char *members(int from, int to)
{
    static char text[65536];
    size_t len = 0;

    for (int i = from; i < to; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\"n%d\":1", i == from ? "{" : ",", i);
    }
    (void)snprintf(text + len, sizeof(text) - len, "}");
    return text;
}

static void attack_13_patches_do_not_grow_a_row_beyond_what_a_write_may_walk(void **state)
{
    struct fixture *f = *state;
    struct row_write write = {.arena = f->arena, .schema = f->schema, .now = {NOW}, .out = f->other};
    struct span encoded = SPAN_NONE;
    struct row full;
    const struct row row = create(f, members(0, SCHEMA_MEMBERS_MAX));

    const struct json_value rest = checked(f, members(SCHEMA_MEMBERS_MAX, ROW_JSON_VALUES_MAX), SCHEMA_PATCH);
    assert_int_equal(row_json_update(&write, &row, &rest, &encoded), ERR_OK);
    assert_int_equal(row_read(row_id, encoded, &full), ERR_OK);
    const struct json_value same = checked(f, members(0, 9), SCHEMA_PATCH);
    const struct json_value more = checked(f, members(ROW_JSON_VALUES_MAX, ROW_JSON_VALUES_MAX + 1), SCHEMA_PATCH);
    write.out = f->out;
    assert_int_equal(row_json_update(&write, &full, &more, &encoded), ERR_RANGE);
    assert_int_equal(row_json_update(&write, &full, &same, &encoded), ERR_OK);
}

static void row_json_update_says_when_the_stored_row_is_damaged(void **state)
{
    struct fixture *f = *state;
    struct row row = create(f, "{\"a\":\"x\",\"z\":\"yyyyy\"}");
    const struct row_write write = {.arena = f->arena, .schema = f->schema, .now = {NOW}, .out = f->other};
    const struct json_value patch = checked(f, "{}", SCHEMA_PATCH);
    struct span encoded;
    row.columns.len -= 2;

    assert_int_equal(row_json_update(&write, &row, &patch, &encoded), ERR_DAMAGED);
}

static void policy_and_scopes_are_printed_as_they_were_written(void **state)
{
    struct fixture *f = *state;
    static const char policy_text[] =
        "{\"user\":{\"create\":true,\"read\":false},\"guest\":{},\"self\":{\"list\":true}}";
    static const char security_text[] =
        "{\"rowFilterScope\":\"read\",\"forbiddenRows\":\"404\",\"guestAccess\":\"off\","
        "\"additionalFields\":\"strip\",\"writeResponse\":\"minimal\",\"auditReads\":true,"
        "\"maxRowsPerOwner\":5}";
    SCOPED_BUF struct buf *text = NULL;
    SCOPED_BUF struct buf *scopes = NULL;
    SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
    struct rls_problem problem;
    struct json_out out;
    char whole[512];
    (void)snprintf(whole, sizeof(whole), "{\"permissions\":%s,\"security\":%s}", policy_text, security_text);
    assert_int_equal(rls_compile(json(f, whole), policy_json_text, &policy, &problem), ERR_OK);
    assert_int_equal(buf_new(4096, &text), ERR_OK);
    assert_int_equal(buf_new(4096, &scopes), ERR_OK);
    assert_int_equal(scope_compile(json(f, "[\"a:read\",\"*:*\"]"), scopes), ERR_OK);
    json_out_init(&out, text);

    json_out_array(&out);
    policy_json_write_permissions(&out, policy, POLICY_JSON_DEFAULT);
    policy_json_write_security(&out, policy);
    policy_json_write_permissions(&out, NULL, POLICY_JSON_NULL);
    policy_json_write_security(&out, NULL);
    scope_json_write(&out, buf_all(scopes));
    policy_json_write_permissions(&out, NULL, POLICY_JSON_DEFAULT);
    json_out_array_end(&out);

    char expected[1024];
    (void)snprintf(
        expected, sizeof(expected),
        "[%s,%s,null,{},[\"a:read\",\"*:*\"],{\"admin\":{\"create\":true,\"read\":true,\"update\":true,"
        "\"delete\":true,\"list\":true},\"user\":{\"create\":true,\"read\":true,\"update\":false,\"delete\":false,"
        "\"list\":true},\"guest\":{\"create\":false,\"read\":true,\"update\":false,\"delete\":false,\"list\":true}}]",
        policy_text, security_text);
    assert_int_equal(json_out_finish(&out), ERR_OK);
    assert_true(span_equal(buf_all(text), span_str(expected)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(row_json_gives_back_what_was_sent),
        TEST(row_json_create_gives_both_times_and_the_owner),
        TEST(row_json_update_replaces_what_was_sent_and_keeps_the_rest),
        TEST(row_json_update_always_moves_the_time_on),
        TEST(row_json_finds_a_field_that_was_stored_before_it_was_declared),
        TEST(row_json_never_shows_a_column_that_was_removed),
        TEST(row_json_write_leaves_out_what_was_not_selected),
        TEST(row_json_write_says_when_a_row_is_damaged_and_leaves_whole_json),
        TEST(row_json_create_refuses_what_storage_cannot_take),
        TEST(attack_13_patches_do_not_grow_a_row_beyond_what_a_write_may_walk),
        TEST(row_json_update_says_when_the_stored_row_is_damaged),
        TEST(policy_and_scopes_are_printed_as_they_were_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
