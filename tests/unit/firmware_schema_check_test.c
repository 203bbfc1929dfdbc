/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bodies against schemas: what is stored, every rule that a body can break, defaults, patches, undeclared fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/json_box.h"

static enum err check(struct json_box *f, const struct schema *schema, enum schema_mode mode, const char *body,
                      struct json_value *out_row)
{
    const struct schema_check check = {
        .schema = schema, .mode = mode, .additional = SCHEMA_EXTRA_ALLOW, .arena = f->arena, .matcher_work = f->work};
    return schema_check(&check, json_box_value(f, body), out_row, &f->report);
}

static void schema_check_stores_what_the_types_mean(void **state)
{
    struct json_box *f = *state;
    SCOPED_SCHEMA struct schema *schema = json_box_schema(
        f, "{\"s\":{\"type\":\"string\"},\"n\":{\"type\":\"number\"},\"i\":{\"type\":\"int\"},\"b\":{\"type\":"
           "\"boolean\"},"
           "\"d\":{\"type\":\"date\"},\"m\":{},\"o\":{\"type\":\"object\",\"properties\":{\"d\":{\"type\":\"date\"}}},"
           "\"l\":{\"type\":\"array\",\"items\":{\"type\":\"date\"}},\"def\":{\"type\":\"int\",\"default\":7}}");
    static const struct {
        const char *body;
        const char *row;
    } cases[] = {
        {"{}", "{\"def\":7}"},
        {"{\"def\":null}", "{\"def\":null}"},
        {"{\"i\":5.0,\"def\":1}", "{\"i\":5,\"def\":1}"},
        {"{\"i\":9007199254740992,\"def\":1}", "{\"i\":9007199254740992,\"def\":1}"},
        {"{\"n\":1.5,\"s\":\"\",\"b\":false,\"m\":[{\"$x\":1}],\"def\":1}",
         "{\"n\":1.5,\"s\":\"\",\"b\":false,\"m\":[{\"$x\":1}],\"def\":1}"},
        {"{\"d\":\"2026-01-02\",\"def\":1}", "{\"d\":\"2026-01-02T00:00:00.000Z\",\"def\":1}"},
        {"{\"d\":\"2026-01-02T03:04:05+02:00\",\"def\":1}", "{\"d\":\"2026-01-02T01:04:05.000Z\",\"def\":1}"},
        {"{\"o\":{\"d\":\"2026-01-02\",\"x\":1},\"l\":[\"2026-01-02\"],\"def\":1}",
         "{\"o\":{\"d\":\"2026-01-02T00:00:00.000Z\",\"x\":1},\"l\":[\"2026-01-02T00:00:00.000Z\"],\"def\":1}"},
        {"{\"undeclared\":{\"a\":[1]},\"def\":1}", "{\"undeclared\":{\"a\":[1]},\"def\":1}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct json_value row;

        assert_int_equal(check(f, schema, SCHEMA_CREATE, cases[i].body, &row), ERR_OK);

        json_box_assert_text(json_box_shown(f, &row), cases[i].row);
    }
}

#define RULES                                                                                                          \
    "{\"bsonType\":\"object\",\"required\":[\"title\"],\"properties\":{\"title\":{\"type\":\"string\",\"minLength\":"  \
    "2,"                                                                                                               \
    "\"maxLength\":4,\"pattern\":\"^[a-z]+$\",\"enum\":[\"abc\",\"xyz\",\"a1\",\"\xc3\xa4\xc3\xa4\"]},\"n\":{"         \
    "\"type\":"                                                                                                        \
    "\"number\",\"minimum\":1,\"maximum\":10},\"i\":{\"type\":\"int\"},\"b\":{\"type\":\"bool\"},\"d\":{\"type\":"     \
    "\"date\"},"                                                                                                       \
    "\"opt\":{\"type\":\"string\",\"minLength\":2,\"enum\":[\"aa\"],\"pattern\":\"a\"},\"ref\":{\"type\":"             \
    "\"reference\","                                                                                                   \
    "\"reference\":\"t\"},\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"maxLength\":2}},\"o\":{"       \
    "\"type\":"                                                                                                        \
    "\"object\",\"required\":[\"x\"],\"properties\":{\"x\":{\"type\":\"int\",\"maximum\":5}}}}}"

struct violation_case {
    const char *body;
    const char *rule;
    const char *message;
};

static const struct violation_case violations[] = {
    {"{}", "required", "Validation failed: title is required"},
    {"{\"title\":null}", "required", "Validation failed: title is required"},
    {"{\"title\":1}", "type", "Validation failed: title must be a string"},
    {"{\"title\":\"\"}", "minLength", "Validation failed: title must have no fewer characters than 2"},
    {"{\"title\":\"abcde\"}", "maxLength", "Validation failed: title must have no more characters than 4"},
    {"{\"title\":\"a1\"}", "pattern", "Validation failed: title does not match its pattern"},
    {"{\"title\":\"abd\"}", "enum", "Validation failed: title must be one of the allowed values"},
    {"{\"title\":\"abc\",\"n\":0.5}", "minimum", "Validation failed: n must be at least 1"},
    {"{\"title\":\"abc\",\"n\":11}", "maximum", "Validation failed: n must be at most 10"},
    {"{\"title\":\"abc\",\"n\":\"5\"}", "type", "Validation failed: n must be a number"},
    {"{\"title\":\"abc\",\"i\":1.5}", "type", "Validation failed: i must be an integer"},
    {"{\"title\":\"abc\",\"i\":9007199254740993}", "type", NULL},
    {"{\"title\":\"abc\",\"i\":1e300}", "type", "Validation failed: i must be an integer"},
    {"{\"title\":\"abc\",\"b\":\"true\"}", "type", "Validation failed: b must be true or false"},
    {"{\"title\":\"abc\",\"b\":1}", "type", "Validation failed: b must be true or false"},
    {"{\"title\":\"abc\",\"d\":\"2026-02-30\"}", "type", "Validation failed: d must be an ISO 8601 date"},
    {"{\"title\":\"abc\",\"d\":5}", "type", "Validation failed: d must be an ISO 8601 date"},
    {"{\"title\":\"abc\",\"opt\":\"x\"}", "minLength", "Validation failed: opt must have no fewer characters than 2"},
    {"{\"title\":\"abc\",\"ref\":\"\"}", "type", NULL},
    {"{\"title\":\"abc\",\"tags\":\"a\"}", "type", "Validation failed: tags must be an array"},
    {"{\"title\":\"abc\",\"tags\":[\"a\",1]}", "items", "Validation failed: tags.1 must be a string"},
    {"{\"title\":\"abc\",\"tags\":[null]}", "items", "Validation failed: tags.0 must be a string"},
    {"{\"title\":\"abc\",\"tags\":[\"aaa\"]}", "maxLength",
     "Validation failed: tags.0 must have no more characters than 2"},
    {"{\"title\":\"abc\",\"o\":[]}", "type", "Validation failed: o must be an object"},
    {"{\"title\":\"abc\",\"o\":{}}", "required", "Validation failed: o.x is required"},
    {"{\"title\":\"abc\",\"o\":{\"x\":6}}", "maximum", "Validation failed: o.x must be at most 5"},
    {"{\"title\":\"abc\",\"o\":{\"x\":1,\"$y\":1}}", "name",
     "Validation failed: o.$y is not a name that a field can have"},
    {"{\"title\":\"abc\",\"$where\":1}", "name", "Validation failed: $where is not a name that a field can have"},
    {"{\"title\":\"abc\",\"a.b\":1}", "name", "Validation failed: a.b is not a name that a field can have"},
    {"{\"title\":\"abc\",\"\":1}", "name", NULL},
    {"[]", "json", "Validation failed: body must be a JSON object"},
    {"null", "json", "Validation failed: body must be a JSON object"},
};

static void schema_check_names_field_and_rule_of_each_violation(void **state)
{
    struct json_box *f = *state;
    SCOPED_SCHEMA struct schema *schema = json_box_schema(f, RULES);
    for (size_t i = 0; i < ARRAY_LENGTH(violations); i++) {
        struct json_value row = {.type = JSON_BOOL};
        char message[SCHEMA_MESSAGE_MAX];

        const enum err got = check(f, schema, SCHEMA_CREATE, violations[i].body, &row);

        if (got != ERR_MALFORMED || strcmp(schema_rule_name(f->report.items[0].rule), violations[i].rule) != 0) {
            fail_msg("%s: %s %s", violations[i].body, err_name(got),
                     got == ERR_MALFORMED ? schema_rule_name(f->report.items[0].rule) : "");
        }
        const size_t len = schema_violation_message(&f->report.items[0], message);
        if (violations[i].message != NULL) {
            json_box_assert_text(span_of(message, len), violations[i].message);
        }
        assert_int_equal(f->report.count, 1);
        assert_int_equal(row.type, JSON_BOOL);
    }
}

static void schema_check_lets_optional_texts_be_empty_and_optional_fields_be_null(void **state)
{
    struct json_box *f = *state;
    SCOPED_SCHEMA struct schema *schema = json_box_schema(f, RULES);
    struct json_value row;

    assert_int_equal(
        check(f, schema, SCHEMA_CREATE, "{\"title\":\"abc\",\"opt\":\"\",\"n\":null,\"tags\":null,\"o\":null}", &row),
        ERR_OK);

    json_box_assert_text(json_box_shown(f, &row), "{\"title\":\"abc\",\"opt\":\"\",\"n\":null,\"tags\":null,\"o\":null}");
}

static void schema_check_counts_lengths_in_code_points(void **state)
{
    struct json_box *f = *state;
    SCOPED_SCHEMA struct schema *schema =
        json_box_schema(f, "{\"a\":{\"type\":\"string\",\"minLength\":2,\"maxLength\":2}}");
    struct json_value row;

    assert_int_equal(check(f, schema, SCHEMA_CREATE, "{\"a\":\"\xc3\xa4\xf0\x9f\x98\x80\"}", &row), ERR_OK);
    assert_int_equal(check(f, schema, SCHEMA_CREATE, "{\"a\":\"\xc3\xa4\"}", &row), ERR_MALFORMED);
}

static void schema_check_of_a_patch_looks_at_supplied_fields_only(void **state)
{
    struct json_box *f = *state;
    SCOPED_SCHEMA struct schema *schema = json_box_schema(f, RULES);
    struct json_value row;

    assert_int_equal(check(f, schema, SCHEMA_PATCH, "{}", &row), ERR_OK);
    json_box_assert_text(json_box_shown(f, &row), "{}");
    assert_int_equal(check(f, schema, SCHEMA_PATCH, "{\"n\":5}", &row), ERR_OK);
    json_box_assert_text(json_box_shown(f, &row), "{\"n\":5}");
    assert_int_equal(check(f, schema, SCHEMA_PATCH, "{\"title\":null}", &row), ERR_MALFORMED);
    assert_int_equal(check(f, schema, SCHEMA_PATCH, "{\"o\":{}}", &row), ERR_MALFORMED);
    assert_int_equal(f->report.items[0].rule, SCHEMA_RULE_REQUIRED);
}

static void schema_check_reports_at_most_twenty_violations(void **state)
{
    struct json_box *f = *state;
    SCOPED_SCHEMA struct schema *schema = NULL;
    struct json_value row;
    const struct schema_check all = {.mode = SCHEMA_CREATE, .additional = SCHEMA_EXTRA_ALLOW, .arena = f->arena};
    struct schema_check checked = all;
    assert_int_equal(
        schema_new(json_box_many(f, 30, "{\"type\":\"int\"}"), SPAN_NONE, &schema_json_matcher, &schema, &f->problem),
        ERR_OK);
    checked.schema = schema;

    assert_int_equal(schema_check(&checked, json_box_many(f, 30, "\"x\""), &row, &f->report), ERR_MALFORMED);
    assert_int_equal(f->report.count, SCHEMA_VIOLATIONS_MAX);
    assert_int_equal(schema_check(&checked, json_box_many(f, 19, "\"x\""), &row, &f->report), ERR_MALFORMED);
    assert_int_equal(f->report.count, 19);
}

static void attack_07_system_fields_are_dropped_and_undeclared_ones_follow_the_setting(void **state)
{
    struct json_box *f = *state;
    SCOPED_SCHEMA struct schema *schema = json_box_schema(
        f, "{\"a\":{\"type\":\"int\"},\"o\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"int\"}}}}");
    static const struct {
        enum schema_additional additional;
        const char *body;
        const char *row; /* NULL: refused */
    } cases[] = {
        {SCHEMA_EXTRA_REJECT,
         "{\"a\":1,\"id\":\"x\",\"_id\":\"x\",\"createdBy\":\"u\",\"createdAt\":1,\"updatedAt\":1}", "{\"a\":1}"},
        {SCHEMA_EXTRA_ALLOW, "{\"createdBy\":{\"$ne\":1},\"role\":\"admin\",\"__proto__\":{\"x\":1}}",
         "{\"role\":\"admin\",\"__proto__\":{\"x\":1}}"},
        {SCHEMA_EXTRA_STRIP, "{\"a\":1,\"role\":\"admin\",\"o\":{\"x\":1,\"createdBy\":\"u\"}}",
         "{\"a\":1,\"o\":{\"x\":1}}"},
        {SCHEMA_EXTRA_REJECT, "{\"a\":1,\"role\":\"admin\"}", NULL},
        {SCHEMA_EXTRA_REJECT, "{\"o\":{\"x\":1,\"y\":1}}", NULL},
        {SCHEMA_EXTRA_STRIP, "{\"$a\":1}", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct schema_check checked = {
            .schema = schema, .mode = SCHEMA_CREATE, .additional = cases[i].additional, .arena = f->arena};
        struct json_value row;

        const enum err got = schema_check(&checked, json_box_value(f, cases[i].body), &row, &f->report);

        assert_int_equal(got, cases[i].row == NULL ? ERR_MALFORMED : ERR_OK);
        if (cases[i].row != NULL) {
            json_box_assert_text(json_box_shown(f, &row), cases[i].row);
        }
    }
}

static void attack_13_a_body_with_too_many_members_is_refused_at_once(void **state)
{
    struct json_box *f = *state;
    SCOPED_SCHEMA struct schema *schema = json_box_schema(f, "{}");
    const struct schema_check checked = {
        .schema = schema, .mode = SCHEMA_CREATE, .additional = SCHEMA_EXTRA_ALLOW, .arena = f->arena};
    struct json_value row;

    assert_int_equal(schema_check(&checked, json_box_many(f, 2000, "1"), &row, &f->report), ERR_OK);
    assert_int_equal(schema_check(&checked, json_box_many(f, 2001, "1"), &row, &f->report), ERR_MALFORMED);
    assert_int_equal(f->report.items[0].rule, SCHEMA_RULE_JSON);
}

static void schema_check_passes_on_a_used_up_budget_and_a_full_arena(void **state)
{
    struct json_box *f = *state;
    SCOPED_SCHEMA struct schema *schema = json_box_schema(f, "{\"a\":{\"type\":\"string\",\"pattern\":\"(a|b)*c\"}}");
    SCOPED_ARENA struct arena *small = NULL;
    struct json_value row;
    assert_int_equal(arena_new(0, 64, &small), ERR_OK);
    struct schema_check checked = {.schema = schema, .arena = f->arena, .matcher_work = f->work};
    regex_work_refill(f->work, 3);

    assert_int_equal(schema_check(&checked, json_box_value(f, "{\"a\":\"ababababab\"}"), &row, &f->report), ERR_BUDGET);
    checked.arena = small;
    assert_int_equal(schema_check(&checked, json_box_value(f, "{}"), &row, &f->report), ERR_NO_MEMORY);
}

static void schema_violation_path_that_is_too_long_is_cut(void **state)
{
    struct json_box *f = *state;
    SCOPED_SCHEMA struct schema *schema = json_box_schema(f, "{}");
    struct json_value row;
    char body[512];
    (void)snprintf(body, sizeof(body), "{\"$%0300d\":1}", 1);

    assert_int_equal(check(f, schema, SCHEMA_CREATE, body, &row), ERR_MALFORMED);

    assert_int_equal(f->report.items[0].field_len, SCHEMA_WHERE_MAX);
    assert_memory_equal(f->report.items[0].field + SCHEMA_WHERE_MAX - 3, "...", 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, json_box_set_up, json_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(schema_check_stores_what_the_types_mean),
        TEST(schema_check_names_field_and_rule_of_each_violation),
        TEST(schema_check_lets_optional_texts_be_empty_and_optional_fields_be_null),
        TEST(schema_check_counts_lengths_in_code_points),
        TEST(schema_check_of_a_patch_looks_at_supplied_fields_only),
        TEST(schema_check_reports_at_most_twenty_violations),
        TEST(attack_07_system_fields_are_dropped_and_undeclared_ones_follow_the_setting),
        TEST(attack_13_a_body_with_too_many_members_is_refused_at_once),
        TEST(schema_check_passes_on_a_used_up_budget_and_a_full_arena),
        TEST(schema_violation_path_that_is_too_long_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
