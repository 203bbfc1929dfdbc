/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Schemas: definitions that are taken and refused, changes, column ids, canonical JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "tests/lib/json_box.h"

/* --- definitions --- */

static void schema_takes_flat_and_full_forms_and_prints_the_canonical_one(void **state)
{
    struct json_box *f = *state;
    static const struct {
        const char *definition;
        const char *canonical;
    } cases[] = {
        {"{}", "{\"bsonType\":\"object\",\"required\":[],\"properties\":{}}"},
        {"null", "{\"bsonType\":\"object\",\"required\":[],\"properties\":{}}"},
        {"{\"title\":{\"bsonType\":\"string\"}}",
         "{\"bsonType\":\"object\",\"required\":[],\"properties\":{\"title\":{\"bsonType\":\"string\"}}}"},
        {"{\"title\":{\"type\":\"string\",\"required\":true}}",
         "{\"bsonType\":\"object\",\"required\":[\"title\"],\"properties\":{\"title\":{\"bsonType\":\"string\"}}}"},
        {"{\"bsonType\":\"object\",\"required\":[\"n\"],\"properties\":{\"n\":{\"type\":\"number\",\"min\":1,\"max\":2."
         "5}}}",
         "{\"bsonType\":\"object\",\"required\":[\"n\"],\"properties\":{\"n\":{\"bsonType\":\"double\",\"minimum\":1,"
         "\"maximum\":2.5}}}"},
        {"{\"properties\":{\"a\":{\"type\":\"boolean\"},\"b\":{\"type\":\"long\"},\"c\":{\"type\":\"mixed\"},"
         "\"d\":{\"type\":\"date\"}}}",
         "{\"bsonType\":\"object\",\"required\":[],\"properties\":{\"a\":{\"bsonType\":\"bool\"},\"b\":{\"bsonType\":"
         "\"long\"},"
         "\"c\":{},\"d\":{\"bsonType\":\"date\"}}}"},
        {"{\"author\":{\"type\":\"reference\",\"reference\":\"users\"},\"s\":{\"type\":\"string\",\"minLength\":1,"
         "\"maxLength\":9,\"pattern\":\"^a\",\"enum\":[\"ab\",\"ac\"],\"default\":\"ab\",\"unique\":true,"
         "\"description\":\"d\"}}",
         "{\"bsonType\":\"object\",\"required\":[],\"properties\":{\"author\":{\"bsonType\":\"string\",\"reference\":"
         "\"users\"},"
         "\"s\":{\"bsonType\":\"string\",\"minLength\":1,\"maxLength\":9,\"pattern\":\"^a\",\"enum\":[\"ab\",\"ac\"],"
         "\"default\":\"ab\",\"unique\":true,\"description\":\"d\"}}}"},
        {"{\"o\":{\"type\":\"object\",\"required\":[\"x\"],\"properties\":{\"x\":{\"type\":\"int\"}}},"
         "\"l\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"y\":{\"type\":\"array\",\"items\":"
         "{\"type\":\"string\"}}}}}}",
         "{\"bsonType\":\"object\",\"required\":[],\"properties\":{\"o\":{\"bsonType\":\"object\",\"required\":[\"x\"],"
         "\"properties\":{\"x\":{\"bsonType\":\"int\"}}},\"l\":{\"bsonType\":\"array\",\"items\":{\"bsonType\":"
         "\"object\","
         "\"required\":[],\"properties\":{\"y\":{\"bsonType\":\"array\",\"items\":{\"bsonType\":\"string\"}}}}}}}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        SCOPED_SCHEMA struct schema *schema = json_box_schema(f, cases[i].definition);
        SCOPED_SCHEMA struct schema *again = json_box_schema(f, cases[i].canonical);

        json_box_assert_text(json_box_shown_schema(f, schema), cases[i].canonical);
        json_box_assert_text(json_box_shown_schema(f, again), cases[i].canonical);
    }
}

struct refusal {
    const char *definition;
    const char *where;
};

static void schema_new_names_what_is_wrong(void **state)
{
    struct json_box *f = *state;
    static const struct refusal cases[] = {
        {"[]", ""},
        {"{\"a\":1}", "a"},
        {"{\"a\":{\"type\":\"text\"}}", "a"},
        {"{\"a\":{\"type\":[\"string\"]}}", "a"},
        {"{\"a\":{\"type\":\"string\",\"minlength\":1}}", "a.minlength"},
        {"{\"9a\":{}}", "9a"},
        {"{\"a.b\":{}}", "a.b"},
        {"{\"$a\":{}}", "$a"},
        {"{\"_a\":{}}", "_a"},
        {"{\"id\":{}}", "id"},
        {"{\"createdBy\":{\"type\":\"string\"}}", "createdBy"},
        {"{\"a\":{\"type\":\"string\",\"minLength\":-1}}", "a"},
        {"{\"a\":{\"type\":\"string\",\"minLength\":1.5}}", "a"},
        {"{\"a\":{\"type\":\"string\",\"minLength\":3,\"maxLength\":2}}", "a"},
        {"{\"a\":{\"type\":\"number\",\"minimum\":\"1\"}}", "a"},
        {"{\"a\":{\"type\":\"number\",\"minimum\":2,\"maximum\":1}}", "a"},
        {"{\"a\":{\"type\":\"number\",\"minLength\":1}}", "a"},
        {"{\"a\":{\"type\":\"string\",\"minimum\":1}}", "a"},
        {"{\"a\":{\"type\":\"string\",\"items\":{}}}", "a"},
        {"{\"a\":{\"type\":\"array\",\"properties\":{}}}", "a"},
        {"{\"a\":{\"type\":\"string\",\"pattern\":\"(?=x)\"}}", "a"},
        {"{\"a\":{\"type\":\"string\",\"pattern\":\"\"}}", "a"},
        {"{\"a\":{\"type\":\"string\",\"enum\":[]}}", "a"},
        {"{\"a\":{\"type\":\"string\",\"enum\":\"x\"}}", "a"},
        {"{\"a\":{\"type\":\"string\",\"enum\":[1]}}", "a"},
        {"{\"a\":{\"enum\":[[1]]}}", "a"},
        {"{\"a\":{\"type\":\"string\",\"default\":1}}", "a"},
        {"{\"a\":{\"type\":\"string\",\"maxLength\":1,\"default\":\"xx\"}}", "a"},
        {"{\"a\":{\"type\":\"string\",\"enum\":[\"x\"],\"default\":\"y\"}}", "a"},
        {"{\"a\":{\"type\":\"string\",\"unique\":1}}", "a"},
        {"{\"a\":{\"type\":\"object\",\"unique\":true}}", "a"},
        {"{\"a\":{\"type\":\"object\",\"properties\":{\"b\":{\"type\":\"string\",\"unique\":true}}}}", "a.b"},
        {"{\"a\":{\"type\":\"array\",\"items\":{\"type\":\"nope\"}}}", "a.items"},
        {"{\"a\":{\"type\":\"object\",\"properties\":{\"b\":{\"type\":\"object\",\"properties\":{\"c-d\":{}}}}}}",
         "a.b.c-d"},
        {"{\"a\":{\"type\":\"reference\"}}", "a"},
        {"{\"a\":{\"reference\":\"users\"}}", "a"},
        {"{\"a\":{\"type\":\"string\",\"description\":1}}", "a"},
        {"{\"a\":{\"type\":\"string\",\"required\":\"yes\"}}", "a"},
        {"{\"bsonType\":\"object\",\"required\":[\"b\"],\"properties\":{\"a\":{}}}", ""},
        {"{\"bsonType\":\"array\"}", ""},
        {"{\"bsonType\":\"object\",\"additionalProperties\":false}", "additionalProperties"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct schema *schema = NULL;

        const enum err got =
            schema_new(json_box_value(f, cases[i].definition), SPAN_NONE, &schema_json_matcher, &schema, &f->problem);

        if (got != ERR_MALFORMED ||
            !span_equal(span_of(f->problem.where, f->problem.where_len), span_str(cases[i].where))) {
            fail_msg("%s: %s at \"%.*s\"", cases[i].definition, err_name(got), (int)f->problem.where_len,
                     f->problem.where);
        }
        assert_null(schema);
    }
}

static const struct json_value *nested(struct json_box *f, size_t levels)
{
    SCOPED_BUF struct buf *text = NULL;
    const struct json_value *value = NULL;
    assert_int_equal(buf_new(1 << 16, &text), ERR_OK);
    assert_int_equal(buf_put(text, span_lit("{\"a\":")), ERR_OK);
    for (size_t i = 0; i < levels; i++) {
        assert_int_equal(buf_put(text, span_lit("{\"type\":\"array\",\"items\":")), ERR_OK);
    }
    assert_int_equal(buf_put(text, span_lit("{}")), ERR_OK);
    for (size_t i = 0; i <= levels; i++) {
        assert_int_equal(buf_put(text, span_lit("}")), ERR_OK);
    }
    assert_int_equal(json_parse(buf_all(text), f->arena, &value), ERR_OK);
    return value;
}

static enum err try_schema(struct json_box *f, const struct json_value *definition)
{
    SCOPED_SCHEMA struct schema *schema = NULL;
    return schema_new(definition, SPAN_NONE, &schema_json_matcher, &schema, &f->problem);
}

#define LIST(items) "{\"type\":\"array\",\"items\":" items "}"
#define LISTS       LIST(LIST(LIST(LIST("{}"))))

/* 200 fields of five nodes, the last of six. */
static const struct json_value *more_nodes(struct json_box *f)
{
    const struct json_value *base = json_box_many(f, 199, LISTS);
    const struct json_value *last = json_box_value(f, "{\"z\":" LIST(LISTS) "}");
    void *memory = NULL;
    assert_int_equal(arena_alloc(f->arena, 200 * sizeof(struct json_member) + sizeof(struct json_value), &memory),
                     ERR_OK);
    struct json_value *whole = memory;
    struct json_member *members = (struct json_member *)(whole + 1);
    memcpy(members, base->as.object.members, 199 * sizeof(*members));
    members[199] = last->as.object.members[0];
    *whole = (struct json_value){.type = JSON_OBJECT, .as.object = {members, 200}};
    return whole;
}

static void attack_13_a_schema_is_taken_at_its_limits_and_refused_one_past_them(void **state)
{
    struct json_box *f = *state;

    assert_int_equal(try_schema(f, json_box_many(f, SCHEMA_FIELDS_MAX, "{}")), ERR_OK);
    assert_int_equal(try_schema(f, json_box_many(f, SCHEMA_FIELDS_MAX + 1, "{}")), ERR_MALFORMED);
    assert_int_equal(try_schema(f, nested(f, SCHEMA_DEPTH_MAX)), ERR_OK);
    assert_int_equal(try_schema(f, nested(f, SCHEMA_DEPTH_MAX + 1)), ERR_MALFORMED);
    /* Five nodes a field: 1,000 and 1,005. */
    assert_int_equal(try_schema(f, json_box_many(f, 200, LISTS)), ERR_OK);
    assert_int_equal(try_schema(f, more_nodes(f)), ERR_MALFORMED);
}

static void schema_new_reports_damaged_ids(void **state)
{
    struct json_box *f = *state;
    static const char *const cases[] = {"\x01",
                                        "\x00\x00",
                                        "\x00\x02\x00\x05\x01"
                                        "a",
                                        "\x00\x02\x00\x01\x09"
                                        "a",
                                        "\x00\x02\x00\x00\x01"
                                        "a",
                                        "\x00\x02\x00\x01\x02"
                                        "id"};
    static const size_t lengths[] = {1, 2, 6, 6, 6, 7};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct schema *schema = NULL;
        assert_int_equal(schema_new(json_box_value(f, "{\"a\":{}}"), span_of(cases[i], lengths[i]),
                                    &schema_json_matcher, &schema, &f->problem),
                         ERR_DAMAGED);
        assert_null(schema);
    }
}

static void schema_new_runs_out_of_column_ids_rather_than_reuse_one(void **state)
{
    struct json_box *f = *state;
    const uint8_t last[] = {0xFE, 0xFF};
    const uint8_t none[] = {0xFF, 0x00};
    SCOPED_SCHEMA struct schema *schema = NULL;
    struct schema *refused = NULL;

    assert_int_equal(
        schema_new(json_box_value(f, "{\"a\":{}}"), span_array(last), &schema_json_matcher, &schema, &f->problem),
        ERR_OK);
    assert_int_equal(schema_find(schema, span_lit("a"))->column, SCHEMA_COLUMN_MAX);
    assert_int_equal(
        schema_new(json_box_value(f, "{\"a\":{}}"), span_array(none), &schema_json_matcher, &refused, &f->problem),
        ERR_RANGE);
}

/* --- lookups and names --- */

static void schema_resolve_follows_properties_and_items(void **state)
{
    struct json_box *f = *state;
    SCOPED_SCHEMA struct schema *schema = json_box_schema(
        f,
        "{\"a\":{\"type\":\"object\",\"properties\":{\"b\":{\"type\":\"date\"}}},\"l\":{\"type\":\"array\",\"items\":"
        "{\"type\":\"object\",\"properties\":{\"p\":{\"type\":\"int\"}}}}}");

    assert_int_equal(schema_resolve(schema, span_lit("a.b"))->type, SCHEMA_DATE);
    assert_int_equal(schema_resolve(schema, span_lit("l.0.p"))->type, SCHEMA_INT);
    assert_null(schema_resolve(schema, span_lit("l.p")));
    assert_null(schema_resolve(schema, span_lit("a.b.c")));
    assert_null(schema_resolve(schema, span_lit("x")));
    assert_null(schema_resolve(schema, SPAN_NONE));
    assert_ptr_equal(schema_find_column(schema, 2), schema_find(schema, span_lit("l")));
    assert_null(schema_find_column(schema, 3));
}

static void attack_05_table_names_equal_to_routes_are_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {"data",     "auth",     "users",  "files",   "admin",        "mcp",
                                          "storage",  "health",   "system", "batch",   "openapi.json", "healthz",
                                          "accounts", "sessions", "",       "9a",      "a b",          "a.b",
                                          "_jobs",    "-a",       "a/b",    "\xc3\xa4"};
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        assert_false(schema_table_name_valid(span_str(refused[i]), false));
    }
    assert_true(schema_table_name_valid(span_lit("Users"), false));
    assert_true(schema_table_name_valid(span_lit("posts-2_x"), false));
    assert_true(schema_table_name_valid(span_lit("_jobs"), true));
}

/* --- changes --- */

static enum err apply(struct json_box *f, const struct schema *schema, const char *change, struct schema **out)
{
    return schema_apply_change(schema, json_box_value(f, change), out, &f->problem);
}

static uint16_t column(const struct schema *schema, const char *name)
{
    const struct schema_field *field = schema_find(schema, span_str(name));
    return field == NULL ? 0 : field->column;
}

static void schema_change_adds_updates_removes_and_requires(void **state)
{
    struct json_box *f = *state;
    SCOPED_SCHEMA struct schema *schema =
        json_box_schema(f, "{\"bsonType\":\"object\",\"required\":[\"a\"],\"properties\":{"
                           "\"a\":{\"type\":\"int\"},\"b\":{\"type\":\"int\"},"
                           "\"c\":{\"type\":\"int\"}}}");
    SCOPED_SCHEMA struct schema *next = NULL;

    assert_int_equal(
        apply(f, schema,
              "{\"fieldsToAddOrUpdate\":{\"b\":{\"type\":\"string\"},\"d\":{\"type\":\"bool\"}},"
              "\"fieldsToRemove\":[\"c\"],\"requiredFieldsToAdd\":[\"d\"],\"requiredFieldsToRemove\":[\"a\"]}",
              &next),
        ERR_OK);

    json_box_assert_text(json_box_shown_schema(f, next),
                "{\"bsonType\":\"object\",\"required\":[\"d\"],\"properties\":{\"a\":{\"bsonType\":"
                "\"int\"},\"b\":{\"bsonType\":\"string\"},\"d\":{\"bsonType\":\"bool\"}}}");
    assert_int_equal(column(next, "a"), 1);
    assert_int_equal(column(next, "b"), 2);
    assert_int_equal(column(next, "d"), 4);
}

static void schema_change_never_gives_a_column_id_twice(void **state)
{
    struct json_box *f = *state;
    SCOPED_SCHEMA struct schema *schema = json_box_schema(f, "{\"a\":{},\"b\":{}}");
    SCOPED_SCHEMA struct schema *without = NULL;
    SCOPED_SCHEMA struct schema *again = NULL;
    SCOPED_SCHEMA struct schema *replaced = NULL;
    SCOPED_SCHEMA struct schema *reloaded = NULL;

    assert_int_equal(apply(f, schema, "{\"fieldsToRemove\":[\"b\"]}", &without), ERR_OK);
    assert_int_equal(apply(f, without, "{\"fieldsToAddOrUpdate\":{\"b\":{}}}", &again), ERR_OK);
    assert_int_equal(apply(f, again, "{\"fieldsToRemove\":[\"a\"],\"fieldsToAddOrUpdate\":{\"a\":{}}}", &replaced),
                     ERR_OK);
    assert_int_equal(schema_new(json_box_value(f, "{\"b\":{},\"a\":{}}"), schema_ids(replaced), &schema_json_matcher,
                                &reloaded, &f->problem),
                     ERR_OK);

    assert_int_equal(column(again, "b"), 3);
    assert_int_equal(column(replaced, "a"), 4);
    assert_int_equal(column(reloaded, "a"), 4);
    assert_int_equal(column(reloaded, "b"), 3);
}

static void schema_change_keeps_a_flag_form_field_from_being_required_again(void **state)
{
    struct json_box *f = *state;
    SCOPED_SCHEMA struct schema *schema = json_box_schema(f, "{\"a\":{\"type\":\"int\",\"required\":true}}");
    SCOPED_SCHEMA struct schema *next = NULL;

    assert_int_equal(apply(f, schema, "{\"requiredFieldsToRemove\":[\"a\"]}", &next), ERR_OK);

    assert_false(schema_find(next, span_lit("a"))->required);
}

static void schema_change_refuses_what_it_does_not_know(void **state)
{
    struct json_box *f = *state;
    static const struct refusal cases[] = {
        {"[]", ""},
        {"{\"fields\":{}}", "fields"},
        {"{\"fieldsToRemove\":[\"x\"]}", "x"},
        {"{\"fieldsToRemove\":[\"a\",\"a\"]}", "a"},
        {"{\"fieldsToRemove\":\"a\"}", ""},
        {"{\"fieldsToRemove\":[1]}", ""},
        {"{\"requiredFieldsToAdd\":[\"x\"]}", "x"},
        {"{\"requiredFieldsToRemove\":[\"x\"]}", "x"},
        {"{\"fieldsToAddOrUpdate\":[]}", "fieldsToAddOrUpdate"},
        {"{\"fieldsToAddOrUpdate\":{\"id\":{}}}", "id"},
        {"{\"fieldsToAddOrUpdate\":{\"x\":{\"type\":\"nope\"}}}", "x"},
    };
    SCOPED_SCHEMA struct schema *schema = json_box_schema(f, "{\"a\":{}}");
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct schema *next = NULL;

        const enum err got = apply(f, schema, cases[i].definition, &next);

        if (got != ERR_MALFORMED ||
            !span_equal(span_of(f->problem.where, f->problem.where_len), span_str(cases[i].where))) {
            fail_msg("%s: %s at %.*s", cases[i].definition, err_name(got), (int)f->problem.where_len, f->problem.where);
        }
        assert_null(next);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, json_box_set_up, json_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(schema_takes_flat_and_full_forms_and_prints_the_canonical_one),
        TEST(schema_new_names_what_is_wrong),
        TEST(attack_13_a_schema_is_taken_at_its_limits_and_refused_one_past_them),
        TEST(schema_new_reports_damaged_ids),
        TEST(schema_new_runs_out_of_column_ids_rather_than_reuse_one),
        TEST(schema_resolve_follows_properties_and_items),
        TEST(attack_05_table_names_equal_to_routes_are_refused),
        TEST(schema_change_adds_updates_removes_and_requires),
        TEST(schema_change_never_gives_a_column_id_twice),
        TEST(schema_change_keeps_a_flag_form_field_from_being_required_again),
        TEST(schema_change_refuses_what_it_does_not_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
