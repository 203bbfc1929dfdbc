/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Filters and search on stored rows: the meaning of every operator, what is refused, and the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/filter.h"
#include "firmware/data/row_json.h"
#include "firmware/data/schema_json.h"
#include "firmware/data/value.h"
#include "hal/base/fault.h"
#include "net/json.h"

#define STEPS 1000000

/* One schema for all: a text, a number, a date, a list, an object; everything else is undeclared. */
#define SCHEMA                                                                                                         \
    "{\"s\":{\"type\":\"string\"},\"n\":{\"type\":\"number\"},\"d\":{\"type\":\"date\"},\"tags\":{\"type\":\"array\"}" \
    ","                                                                                                                \
    "\"dates\":{\"type\":\"array\",\"items\":{\"type\":\"date\"}},\"o\":{\"type\":\"object\",\"properties\":{\"at\":"  \
    "{\"type\":\"date\"}}}}"

struct fixture {
    struct arena *arena;
    struct schema *schema;
    struct buf *buf;
    struct rls_bound rls;
    struct filter_scope scope;
    struct filter_problem problem;
};

static const struct json_value *json(struct fixture *f, const char *text)
{
    const struct json_value *value = NULL;
    if (json_parse(span_str(text), f->arena, &value) != ERR_OK) {
        fail_msg("test JSON: %s", text);
    }
    return value;
}

static int setup(void **state)
{
    static struct fixture f;
    struct schema_problem problem;
    memset(&f, 0, sizeof(f));
    assert_int_equal(arena_new(1 << 16, 1 << 26, &f.arena), ERR_OK);
    assert_int_equal(buf_new(ROW_BYTES_MAX, &f.buf), ERR_OK);
    assert_int_equal(schema_new(json(&f, SCHEMA), SPAN_NONE, &schema_json_matcher, &f.schema, &problem), ERR_OK);
    const struct rls_table table = {.name = span_lit("t")};
    const struct rls_who who = {.group = RLS_USER, .id = span_lit("uA")};
    rls_bind(&table, &who, &f.rls);
    f.scope = (struct filter_scope){.arena = f.arena, .schema = f.schema, .rls = &f.rls};
    assert_int_equal(regex_work_new(f.arena, STEPS, &f.scope.work), ERR_OK);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    schema_free(f->schema);
    buf_free(f->buf);
    arena_free(f->arena);
    fault_clear();
    return 0;
}

static struct row row_of_value(struct fixture *f, const struct json_value *body)
{
    static const struct row_id id = {{0x65, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}};
    const struct row_write write = {.arena = f->arena, .schema = f->schema, .now = {1767323045678}, .out = f->buf};
    const struct schema_check check = {
        .schema = f->schema, .mode = SCHEMA_CREATE, .additional = SCHEMA_EXTRA_ALLOW, .arena = f->arena};
    static struct schema_report report;
    struct json_value checked;
    struct span encoded;
    struct row row;
    assert_int_equal(schema_check(&check, body, &checked, &report), ERR_OK);
    assert_int_equal(row_json_create(&write, &checked, span_lit("uA"), &encoded), ERR_OK);
    assert_int_equal(row_read(id, encoded, &row), ERR_OK);
    return row;
}

static struct row row_of(struct fixture *f, const char *body)
{
    return row_of_value(f, json(f, body));
}

static enum err compile(struct fixture *f, const char *and_filters, const char *or_filters, const struct filter **out)
{
    return filter_new(&f->scope, and_filters == NULL ? NULL : json(f, and_filters),
                      or_filters == NULL ? NULL : json(f, or_filters), out, &f->problem);
}

/* On a row that is not owned, paid for by the fixture's work. */
static enum err ask(struct fixture *f, const struct filter *filter, const struct row *row, bool *out_match)
{
    const struct filter_subject subject = {.row = row, .work = f->scope.work};
    return filter_match(filter, &subject, out_match);
}

static bool matches(struct fixture *f, const char *and_filters, const char *or_filters, const char *body)
{
    const struct filter *filter = NULL;
    const struct row row = row_of(f, body);
    bool match = false;
    if (compile(f, and_filters, or_filters, &filter) != ERR_OK) {
        fail_msg("%s: %.*s %s", and_filters, (int)f->problem.field_len, f->problem.field, f->problem.why);
    }
    assert_int_equal(ask(f, filter, &row, &match), ERR_OK);
    return match;
}

struct match_case {
    const char *filter;
    const char *row;
    bool match;
};

/* clang-format off */
static const struct match_case semantics[] = {
    /* equality */
    {"{}", "{}", true}, {"{\"s\":\"a\"}", "{\"s\":\"a\"}", true}, {"{\"s\":\"a\"}", "{\"s\":\"A\"}", false},
    {"{\"s\":\"a\"}", "{}", false}, {"{\"s\":{\"$eq\":\"a\"}}", "{\"s\":\"a\"}", true}, {"{\"s\":null}", "{}", true},
    {"{\"s\":null}", "{\"s\":null}", true}, {"{\"s\":null}", "{\"s\":\"\"}", false}, {"{\"s\":{\"$eq\":null}}", "{}", true},
    {"{\"n\":18}", "{\"n\":18}", true}, {"{\"n\":18.0}", "{\"n\":18}", true}, {"{\"n\":1.5}", "{\"n\":1.5}", true},
    {"{\"x\":9007199254740993}", "{\"x\":9007199254740993}", true}, {"{\"x\":9007199254740992.0}", "{\"x\":9007199254740993}", false},
    {"{\"x\":true}", "{\"x\":true}", true}, {"{\"x\":true}", "{\"x\":1}", false}, {"{\"x\":false}", "{}", false},
    {"{\"unknown\":1}", "{\"s\":\"a\"}", false}, {"{\"unknown\":null}", "{\"s\":\"a\"}", true},
    /* not equal */
    {"{\"s\":{\"$ne\":\"a\"}}", "{\"s\":\"b\"}", true}, {"{\"s\":{\"$ne\":\"a\"}}", "{\"s\":\"a\"}", false},
    {"{\"s\":{\"$ne\":\"a\"}}", "{}", true}, {"{\"s\":{\"$ne\":null}}", "{}", false}, {"{\"s\":{\"$ne\":null}}", "{\"s\":\"a\"}", true},
    /* order */
    {"{\"n\":{\"$gt\":5}}", "{\"n\":6}", true}, {"{\"n\":{\"$gt\":5}}", "{\"n\":5}", false}, {"{\"n\":{\"$gte\":5}}", "{\"n\":5}", true},
    {"{\"n\":{\"$lt\":5}}", "{\"n\":4.5}", true}, {"{\"n\":{\"$lt\":5}}", "{\"n\":5}", false}, {"{\"n\":{\"$lte\":5}}", "{\"n\":5}", true},
    {"{\"n\":{\"$gt\":5}}", "{}", false}, {"{\"n\":{\"$lt\":5}}", "{}", false}, {"{\"n\":{\"$lt\":5}}", "{\"n\":null}", false},
    {"{\"x\":{\"$gt\":5}}", "{\"x\":\"6\"}", false}, {"{\"x\":{\"$lt\":\"b\"}}", "{\"x\":\"a\"}", true}, {"{\"x\":{\"$lt\":\"b\"}}", "{\"x\":1}", false},
    {"{\"x\":{\"$gt\":false}}", "{\"x\":true}", true}, {"{\"n\":{\"$gte\":1,\"$lt\":3}}", "{\"n\":2}", true},
    {"{\"n\":{\"$gte\":1,\"$lt\":3}}", "{\"n\":3}", false},
    /* sets */
    {"{\"n\":{\"$in\":[3,1,2]}}", "{\"n\":2}", true}, {"{\"n\":{\"$in\":[3,1]}}", "{\"n\":2}", false}, {"{\"n\":{\"$in\":[]}}", "{\"n\":2}", false},
    {"{\"n\":{\"$in\":[null]}}", "{}", true}, {"{\"n\":{\"$in\":[1,\"a\",null,true]}}", "{\"n\":null}", true},
    {"{\"x\":{\"$in\":[1,\"a\",null,true]}}", "{\"x\":\"a\"}", true}, {"{\"x\":{\"$in\":[1,\"a\",true]}}", "{\"x\":true}", true},
    {"{\"x\":{\"$in\":[1,\"a\",true]}}", "{\"x\":false}", false}, {"{\"n\":{\"$nin\":[1,2]}}", "{\"n\":3}", true},
    {"{\"n\":{\"$nin\":[1,2]}}", "{\"n\":2}", false}, {"{\"n\":{\"$nin\":[1,2]}}", "{}", true}, {"{\"n\":{\"$nin\":[null]}}", "{}", false},
    {"{\"n\":{\"$nin\":[]}}", "{\"n\":2}", true}, {"{\"x\":{\"$in\":[\"\"]}}", "{\"x\":{}}", false}, {"{\"x\":{\"$in\":[\"\"]}}", "{\"x\":[]}", false},
    /* texts */
    {"{\"s\":{\"$regex\":\"b+\"}}", "{\"s\":\"abbc\"}", true}, {"{\"s\":{\"$regex\":\"B+\"}}", "{\"s\":\"abbc\"}", false},
    {"{\"s\":{\"$regex\":\"B+\",\"$options\":\"i\"}}", "{\"s\":\"abbc\"}", true}, {"{\"s\":{\"$regex\":\"^b\"}}", "{\"s\":\"abbc\"}", false},
    {"{\"x\":{\"$regex\":\"5\"}}", "{\"x\":5}", false}, {"{\"x\":{\"$regex\":\"\"}}", "{}", false},
    {"{\"s\":{\"$contains\":\"BB\"}}", "{\"s\":\"abbc\"}", true}, {"{\"s\":{\"$contains\":\"x\"}}", "{\"s\":\"abbc\"}", false},
    {"{\"s\":{\"$contains\":\"aab\"}}", "{\"s\":\"aaab\"}", true}, {"{\"s\":{\"$contains\":\"abac\"}}", "{\"s\":\"ababac\"}", true},
    {"{\"x\":{\"$contains\":\"5\"}}", "{\"x\":5}", false}, {"{\"s\":{\"$contains\":\"\xc3\x84\"}}", "{\"s\":\"\xc3\xa4\"}", true},
    /* presence */
    {"{\"s\":{\"$exists\":true}}", "{\"s\":null}", true}, {"{\"s\":{\"$exists\":true}}", "{}", false},
    {"{\"s\":{\"$exists\":false}}", "{}", true}, {"{\"s\":{\"$exists\":false}}", "{\"s\":null}", false},
    {"{\"tags\":{\"$exists\":false}}", "{\"tags\":[1]}", false},
    /* lists */
    {"{\"tags\":\"a\"}", "{\"tags\":[\"b\",\"a\"]}", true}, {"{\"tags\":\"a\"}", "{\"tags\":[\"b\"]}", false}, {"{\"tags\":\"a\"}", "{\"tags\":[]}", false},
    {"{\"tags\":[\"a\",\"b\"]}", "{\"tags\":[\"a\",\"b\"]}", true}, {"{\"tags\":[\"a\",\"b\"]}", "{\"tags\":[\"b\",\"a\"]}", false},
    {"{\"tags\":[\"a\"]}", "{\"tags\":[\"a\",\"b\"]}", false}, {"{\"tags\":[\"a\",\"b\"]}", "{\"tags\":[\"a\"]}", false},
    {"{\"tags\":[1]}", "{\"tags\":[[1],2]}", true}, {"{\"tags\":{\"$ne\":\"a\"}}", "{\"tags\":[\"a\",\"b\"]}", false},
    {"{\"tags\":{\"$ne\":\"c\"}}", "{\"tags\":[\"a\",\"b\"]}", true}, {"{\"tags\":{\"$gt\":5}}", "{\"tags\":[1,6]}", true},
    {"{\"tags\":{\"$gt\":5}}", "{\"tags\":[1,\"6\"]}", false}, {"{\"tags\":{\"$gt\":5,\"$lt\":3}}", "{\"tags\":[1,6]}", true},
    {"{\"tags\":{\"$in\":[7,6]}}", "{\"tags\":[1,6]}", true}, {"{\"tags\":{\"$nin\":[7,6]}}", "{\"tags\":[1,6]}", false},
    {"{\"tags\":{\"$nin\":[7]}}", "{\"tags\":[1,6]}", true}, {"{\"tags\":{\"$regex\":\"^b\"}}", "{\"tags\":[\"a\",\"bc\"]}", true},
    {"{\"tags\":null}", "{\"tags\":[1,null]}", true}, {"{\"tags\":null}", "{\"tags\":[]}", false}, {"{\"tags.1\":\"b\"}", "{\"tags\":[\"a\",\"b\"]}", true},
    {"{\"tags.2\":{\"$exists\":false}}", "{\"tags\":[\"a\",\"b\"]}", true}, {"{\"tags.x\":1}", "{\"tags\":[{\"x\":1}]}", false},
    {"{\"tags.0.x\":1}", "{\"tags\":[{\"x\":1}]}", true},
    /* objects */
    {"{\"o\":{\"a\":1,\"b\":{\"c\":2}}}", "{\"o\":{\"b\":{\"c\":2},\"a\":1}}", true}, {"{\"o\":{\"a\":1}}", "{\"o\":{\"a\":1,\"b\":2}}", false},
    {"{\"o\":{\"a\":1,\"b\":2}}", "{\"o\":{\"a\":1}}", false}, {"{\"o\":{}}", "{\"o\":{}}", true}, {"{\"x\":{}}", "{\"x\":[]}", false},
    {"{\"o.a\":1}", "{\"o\":{\"a\":1}}", true}, {"{\"o.a.b\":1}", "{\"o\":{\"a\":1}}", false},
    {"{\"x.y.z\":5}", "{\"x\":{\"y\":{\"z\":5}}}", true}, {"{\"o\":{\"a\":[1,{\"b\":null}]}}", "{\"o\":{\"a\":[1,{\"b\":null}]}}", true},
    /* dates */
    {"{\"d\":\"2026-01-02T00:00:00Z\"}", "{\"d\":\"2026-01-02\"}", true}, {"{\"d\":{\"$gt\":\"2026-01-01\"}}", "{\"d\":\"2026-01-02\"}", true},
    {"{\"d\":{\"$lt\":\"2026-01-02T01:00:00+02:00\"}}", "{\"d\":\"2026-01-01\"}", true}, {"{\"d\":{\"$in\":[\"2026-01-02\",null]}}", "{\"d\":\"2026-01-02\"}", true},
    {"{\"d\":5}", "{\"d\":\"2026-01-02\"}", false}, {"{\"dates\":\"2026-01-02\"}", "{\"dates\":[\"2026-01-02\"]}", true},
    {"{\"dates\":[\"2026-01-02\"]}", "{\"dates\":[\"2026-01-02\"]}", true}, {"{\"o.at\":{\"$gte\":\"2026-01-02\"}}", "{\"o\":{\"at\":\"2026-01-02\"}}", true},
    {"{\"x\":\"2026-01-02\"}", "{\"x\":\"2026-01-02\"}", true}, {"{\"createdAt\":{\"$gt\":\"2026-01-02\"}}", "{}", true},
    {"{\"updatedAt\":\"2026-01-02T03:04:05.678Z\"}", "{}", true}, {"{\"createdAt\":{\"$lt\":\"2026-01-02\"}}", "{}", false},
    /* system fields */
    {"{\"createdBy\":\"uA\"}", "{}", true}, {"{\"createdBy\":{\"$ne\":\"uA\"}}", "{}", false}, {"{\"createdBy\":\"$userId\"}", "{}", false},
    {"{\"id\":\"65010203040506070809" "0a0b\"}", "{}", true}, {"{\"id\":{\"$gt\":\"65\"}}", "{}", true}, {"{\"id\":\"x\"}", "{}", false},
    {"{\"id.x\":{\"$exists\":true}}", "{}", false},
    /* several fields are ANDed */
    {"{\"s\":\"a\",\"n\":1}", "{\"s\":\"a\",\"n\":1}", true}, {"{\"s\":\"a\",\"n\":1}", "{\"s\":\"a\",\"n\":2}", false},
};
/* clang-format on */

static void filter_match_means_what_the_contract_says(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(semantics); i++) {
        const struct match_case *c = &semantics[i];
        if (matches(f, c->filter, NULL, c->row) != c->match) {
            fail_msg("%s on %s", c->filter, c->row);
        }
    }
}

static void filter_match_joins_and_filters_and_or_filters(void **state)
{
    struct fixture *f = *state;
    const char *row = "{\"s\":\"a\",\"n\":1}";

    assert_true(matches(f, NULL, "{\"s\":\"x\",\"n\":1}", row));
    assert_false(matches(f, NULL, "{\"s\":\"x\",\"n\":2}", row));
    assert_true(matches(f, NULL, "[{\"s\":\"a\",\"n\":2},{\"s\":\"a\",\"n\":1}]", row));
    assert_false(matches(f, NULL, "[{\"s\":\"a\",\"n\":2},{\"s\":\"b\",\"n\":1}]", row));
    assert_true(matches(f, NULL, "{\"n\":{\"$gt\":0,\"$lt\":2},\"s\":\"x\"}", row));
    assert_false(matches(f, "{\"s\":\"b\"}", "{\"n\":1}", row));
    assert_true(matches(f, "{\"s\":\"a\"}", "{\"n\":1}", row));
    assert_true(matches(f, NULL, "{}", row));
    assert_true(matches(f, NULL, "[]", row));
}

struct refusal {
    const char *and_filters;
    const char *or_filters;
};

static void attack_08_filter_new_refuses_operators_and_shapes_it_does_not_know(void **state)
{
    struct fixture *f = *state;
    static const struct refusal cases[] = {
        {"[]", NULL},
        {"5", NULL},
        {"null", NULL},
        {NULL, "5"},
        {NULL, "[5]"},
        {NULL, "[[{}]]"},
        {"{\"$or\":[{\"s\":1}]}", NULL},
        {"{\"$where\":\"1\"}", NULL},
        {"{\"$and\":[]}", NULL},
        {"{\"s\":{\"$where\":\"1\"}}", NULL},
        {"{\"s\":{\"$not\":{\"$eq\":1}}}", NULL},
        {"{\"s\":{\"x\":{\"$gt\":1}}}", NULL},
        {"{\"s\":[{\"$gt\":1}]}", NULL},
        {"{\"s\":{\"$eq\":{\"$gt\":1}}}", NULL},
        {"{\"s\":{\"$ne\":{\"x\":[{\"$x\":1}]}}}", NULL},
        {"{\"s\":{\"$expr\":1}}", NULL},
        {"{\"s\":{\"$gt\":1,\"x\":2}}", NULL},
        {"{\"s\":{\"x\":2,\"$gt\":1}}", NULL},
        {"{\"s\":{\"$EQ\":1}}", NULL},
        {"{\"s\":{\"$options\":\"i\"}}", NULL},
        {"{\"s\":{\"$regex\":\"a\",\"$options\":\"x\"}}", NULL},
        {"{\"s\":{\"$regex\":\"a\",\"$options\":1}}", NULL},
        {"{\"s\":{\"$regex\":1}}", NULL},
        {"{\"s\":{\"$regex\":\"(?=a)\"}}", NULL},
        {"{\"s\":{\"$regex\":\"(\"}}", NULL},
        {"{\"s\":{\"$in\":1}}", NULL},
        {"{\"s\":{\"$in\":[[1]]}}", NULL},
        {"{\"s\":{\"$nin\":[{}]}}", NULL},
        {"{\"s\":{\"$exists\":1}}", NULL},
        {"{\"s\":{\"$exists\":\"true\"}}", NULL},
        {"{\"s\":{\"$gt\":null}}", NULL},
        {"{\"s\":{\"$gt\":[1]}}", NULL},
        {"{\"s\":{\"$lte\":{\"a\":1}}}", NULL},
        {"{\"s\":{\"$contains\":1}}", NULL},
        {"{\"d\":\"yesterday\"}", NULL},
        {"{\"d\":{\"$gt\":\"2026-13-01\"}}", NULL},
        {"{\"d\":{\"$in\":[\"x\"]}}", NULL},
        {"{\"createdAt\":\"x\"}", NULL},
        {"{\"_id\":1}", NULL},
        {"{\"\":1}", NULL},
        {"{\"a..b\":1}", NULL},
        {"{\"a.\":1}", NULL},
        {"{\".a\":1}", NULL},
        {"{\"9a\":1}", NULL},
        {"{\"a-b\":1}", NULL},
        {"{\"a.$b\":1}", NULL},
        {"{\"\xc3\xa4\":1}", NULL},
        {"{\"a b\":1}", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct filter *filter = NULL;
        f->problem.why = NULL;

        const enum err got = compile(f, cases[i].and_filters, cases[i].or_filters, &filter);

        if (got != ERR_MALFORMED || f->problem.why == NULL) {
            fail_msg("%s %s: %s", cases[i].and_filters, cases[i].or_filters, err_name(got));
        }
        assert_null(filter);
    }
}

/* The formats of the tests below come in as arguments. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

/* `before`, then `each` count times with commas between, then `after`. */
static const char *repeated(struct fixture *f, const char *before, const char *each, size_t count, const char *after)
{
    SCOPED_BUF struct buf *text = NULL;
    struct span copy;
    char item[256];
    assert_int_equal(buf_new(1 << 20, &text), ERR_OK);
    assert_int_equal(buf_put(text, span_str(before)), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        const int len = snprintf(item, sizeof(item), each, i);
        assert_int_equal(buf_put(text, i == 0 ? SPAN_NONE : span_lit(",")), ERR_OK);
        assert_int_equal(buf_put(text, span_of(item, (size_t)len)), ERR_OK);
    }
    assert_int_equal(buf_put(text, span_str(after)), ERR_OK);
    assert_int_equal(buf_put_u8(text, 0), ERR_OK);
    assert_int_equal(arena_copy(f->arena, buf_all(text), &copy), ERR_OK);
    return (const char *)copy.data;
}

static void attack_13_filters_are_taken_at_each_limit_and_refused_one_past_it(void **state)
{
    struct fixture *f = *state;
    const struct filter *filter = NULL;
    char name[300];
    char text[400];

    assert_int_equal(compile(f, repeated(f, "{", "\"f%zu\":1", 64, "}"), NULL, &filter), ERR_OK);
    assert_int_equal(compile(f, repeated(f, "{", "\"f%zu\":1", 65, "}"), NULL, &filter), ERR_MALFORMED);
    assert_int_equal(
        compile(f, repeated(f, "{", "\"f%zu\":1", 32, "}"), repeated(f, "{", "\"f%zu\":1", 32, "}"), &filter), ERR_OK);
    assert_int_equal(
        compile(f, repeated(f, "{", "\"f%zu\":1", 32, "}"), repeated(f, "{", "\"f%zu\":1", 33, "}"), &filter),
        ERR_MALFORMED);
    assert_int_equal(compile(f, repeated(f, "{\"n\":{\"$in\":[", "%zu", 500, "]}}"), NULL, &filter), ERR_OK);
    assert_int_equal(compile(f, repeated(f, "{\"n\":{\"$in\":[", "%zu", 501, "]}}"), NULL, &filter), ERR_MALFORMED);
    assert_int_equal(compile(f, NULL, repeated(f, "[", "{}", 64, "]"), &filter), ERR_OK);
    assert_int_equal(compile(f, NULL, repeated(f, "[", "{}", 65, "]"), &filter), ERR_MALFORMED);
    assert_int_equal(compile(f, "{\"x\":{\"a\":{\"b\":[1]}}}", NULL, &filter), ERR_OK);
    assert_int_equal(compile(f, "{\"x\":{\"a\":{\"b\":[[]]}}}", NULL, &filter), ERR_MALFORMED);
    assert_int_equal(compile(f, NULL, "[{\"x\":{\"$in\":[1]}}]", &filter), ERR_OK);
    memset(name, 'a', sizeof(name));
    (void)snprintf(text, sizeof(text), "{\"%.255s\":1}", name);
    assert_int_equal(compile(f, text, NULL, &filter), ERR_OK);
    (void)snprintf(text, sizeof(text), "{\"%.256s\":1}", name);
    assert_int_equal(compile(f, text, NULL, &filter), ERR_MALFORMED);
}

static void attack_13_elements_of_lists_are_paid_for_from_the_budget(void **state)
{
    struct fixture *f = *state;
    const struct filter *filter = NULL;
    const struct row row = row_of(f, repeated(f, "{\"tags\":[", "%zu", 1000, "]}"));
    bool match = true;
    assert_int_equal(compile(f, "{\"tags\":-1}", NULL, &filter), ERR_OK);
    regex_work_refill(f->scope.work, 1000);
    assert_int_equal(ask(f, filter, &row, &match), ERR_OK);
    assert_false(match);
    regex_work_refill(f->scope.work, 999);

    assert_int_equal(ask(f, filter, &row, &match), ERR_BUDGET);
}

static void attack_13_text_that_is_looked_through_is_paid_for_from_the_budget(void **state)
{
    struct fixture *f = *state;
    const struct filter *filter = NULL;
    const struct search *search = NULL;
    const struct row row = row_of(f, repeated(f, "{\"s\":\"", "%zu", 1000, "\"}")); /* 3,889 bytes */
    bool match = true;
    assert_int_equal(compile(f, "{\"s\":{\"$contains\":\"zz\"}}", NULL, &filter), ERR_OK);
    assert_int_equal(search_new(&f->scope, span_lit("zz"), NULL, &search, &f->problem), ERR_OK);

    regex_work_refill(f->scope.work, 244);
    assert_int_equal(ask(f, filter, &row, &match), ERR_OK);
    assert_false(match);
    assert_int_equal(regex_work_left(f->scope.work), 0);
    regex_work_refill(f->scope.work, 243);
    assert_int_equal(ask(f, filter, &row, &match), ERR_BUDGET);

    regex_work_refill(f->scope.work, 244);
    assert_int_equal(search_match(search, &row, false, &match), ERR_OK);
    assert_int_equal(regex_work_left(f->scope.work), 0);
    regex_work_refill(f->scope.work, 243);
    assert_int_equal(search_match(search, &row, false, &match), ERR_BUDGET);
}

static void attack_13_texts_in_a_list_are_paid_for_one_by_one(void **state)
{
    struct fixture *f = *state;
    const struct search *search = NULL;
    const struct row row = row_of(f, repeated(f, "{\"tags\":[", "\"%zu\"", 1000, "]}"));
    bool match = true;
    assert_int_equal(search_new(&f->scope, span_lit("zz"), NULL, &search, &f->problem), ERR_OK);

    regex_work_refill(f->scope.work, 2000);
    assert_int_equal(search_match(search, &row, false, &match), ERR_OK);
    assert_false(match);
    regex_work_refill(f->scope.work, 1999);
    assert_int_equal(search_match(search, &row, false, &match), ERR_BUDGET);
}

/* 100 objects of 400 members each, against one of 400 that differs in its last: each member is looked for among 400. */
static void attack_13_members_of_objects_are_paid_for_from_the_budget(void **state)
{
    struct fixture *f = *state;
    const char *const object = repeated(f, "{", "\"m%zu\":1", 400, "}");
    const struct filter *filter = NULL;
    SCOPED_BUF struct buf *text = NULL;
    bool match = true;
    assert_int_equal(buf_new(1 << 20, &text), ERR_OK);
    assert_int_equal(buf_put(text, span_lit("{\"tags\":[1")), ERR_OK);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(buf_put(text, span_lit(",")), ERR_OK);
        assert_int_equal(buf_put(text, span_str(object)), ERR_OK);
    }
    assert_int_equal(buf_put(text, span_array("]}")), ERR_OK); /* and its NUL */
    const struct row row = row_of(f, (const char *)buf_all(text).data);
    buf_reset(text);
    assert_int_equal(buf_put(text, span_lit("{\"tags\":")), ERR_OK);
    assert_int_equal(buf_put(text, span_of((const uint8_t *)object, strlen(object) - 2)), ERR_OK);
    assert_int_equal(buf_put(text, span_array("2}}")), ERR_OK);
    assert_int_equal(compile(f, (const char *)buf_all(text).data, NULL, &filter), ERR_OK);

    regex_work_refill(f->scope.work, STEPS);
    assert_int_equal(ask(f, filter, &row, &match), ERR_BUDGET);
}

/* Every clause walks through the whole object. */
static void attack_13_a_dotted_name_is_paid_for_by_the_size_of_its_column(void **state)
{
    struct fixture *f = *state;
    const struct filter *filter = NULL;
    const struct row row = row_of(f, repeated(f, "{\"s\":\"left of it\",\"x\":{", "\"m%zu\":1", 20000, "}}"));
    const struct row_field column = {.name = span_lit("x")};
    struct row_value value;
    bool match = true;
    assert_int_equal(compile(f, "{\"x.z\":1}", NULL, &filter), ERR_OK);
    assert_int_equal(row_find(&row, &column, NULL, &value), ERR_OK);

    regex_work_refill(f->scope.work, value.bytes.len / 64);
    assert_int_equal(ask(f, filter, &row, &match), ERR_BUDGET);
    regex_work_refill(f->scope.work, value.bytes.len / 64 + 1);
    assert_int_equal(ask(f, filter, &row, &match), ERR_OK);
}

static void attack_02_cells_beside_the_one_that_is_asked_about_cost_nothing(void **state)
{
    struct fixture *f = *state;
    const struct filter *filter = NULL;
    const struct row row = row_of(f, repeated(f, "{\"x\":{\"z\":1},\"y\":{", "\"m%zu\":1", 20000, "}}"));
    bool match = false;
    assert_int_equal(compile(f, "{\"x.z\":1}", NULL, &filter), ERR_OK);
    regex_work_refill(f->scope.work, 1);

    assert_int_equal(ask(f, filter, &row, &match), ERR_OK);

    assert_true(match);
}

static void filter_new_reports_an_arena_that_is_used_up(void **state)
{
    struct fixture *f = *state;
    SCOPED_ARENA struct arena *small = NULL;
    const struct filter *filter = NULL;
    const struct search *search = NULL;
    const struct json_value *and_filters = json(f, "{\"s\":1}");
    assert_int_equal(arena_new(0, 64, &small), ERR_OK);
    f->scope.arena = small;

    assert_int_equal(filter_new(&f->scope, and_filters, NULL, &filter, &f->problem), ERR_NO_MEMORY);
    assert_int_equal(search_new(&f->scope, span_lit("x"), NULL, &search, &f->problem), ERR_NO_MEMORY);
}

static void filter_match_says_when_a_row_is_damaged(void **state)
{
    struct fixture *f = *state;
    const struct filter *filter = NULL;
    const struct search *search = NULL;
    struct row row = row_of(f, "{\"s\":\"abcdef\",\"tags\":[1,2,3]}");
    bool match = false;
    assert_int_equal(compile(f, "{\"tags\":9}", NULL, &filter), ERR_OK);
    assert_int_equal(search_new(&f->scope, span_lit("x"), NULL, &search, &f->problem), ERR_OK);
    row.columns.len -= 3;

    assert_int_equal(ask(f, filter, &row, &match), ERR_DAMAGED);
    assert_int_equal(search_match(search, &row, false, &match), ERR_DAMAGED);
}

/* --- search --- */

static bool finds(struct fixture *f, const char *text, const char *field, const char *body)
{
    const struct search *search = NULL;
    struct row_field where;
    bool match = false;
    if (field != NULL) {
        assert_int_equal(filter_field(f->schema, span_str(field), &where), ERR_OK);
    }
    const struct row row = row_of(f, body);
    assert_int_equal(search_new(&f->scope, span_str(text), field == NULL ? NULL : &where, &search, &f->problem),
                     ERR_OK);
    assert_int_equal(search_match(search, &row, false, &match), ERR_OK);
    return match;
}

static void search_finds_texts_in_any_field_and_in_lists_whatever_their_case(void **state)
{
    struct fixture *f = *state;

    assert_true(finds(f, "ELL", NULL, "{\"s\":\"Hello\"}"));
    assert_true(finds(f, "ell", NULL, "{\"undeclared\":\"HELLO\"}"));
    assert_true(finds(f, "ell", NULL, "{\"tags\":[1,\"hello\"]}"));
    assert_false(finds(f, "ell", NULL, "{\"o\":{\"a\":\"hello\"}}"));
    assert_false(finds(f, "5", NULL, "{\"n\":5}"));
    assert_false(finds(f, "uA", NULL, "{\"s\":\"x\"}")); /* createdBy is not searched */
    assert_true(finds(f, "ell", "s", "{\"s\":\"hello\"}"));
    assert_false(finds(f, "ell", "s", "{\"undeclared\":\"hello\"}"));
    assert_true(finds(f, "ell", "o.a", "{\"o\":{\"a\":\"hello\"}}"));
    assert_true(finds(f, "\xe2\x82\xac", "s", "{\"s\":\"5 \xe2\x82\xac\"}"));
}

static void search_takes_256_bytes_and_not_one_more(void **state)
{
    struct fixture *f = *state;
    const struct search *search = NULL;
    char text[257];
    memset(text, 'a', sizeof(text));

    assert_int_equal(search_new(&f->scope, span_of(text, 256), NULL, &search, &f->problem), ERR_OK);
    assert_int_equal(search_new(&f->scope, span_of(text, 257), NULL, &search, &f->problem), ERR_MALFORMED);
    assert_int_equal(search_new(&f->scope, SPAN_NONE, NULL, &search, &f->problem), ERR_MALFORMED);
}

/* --- order --- */

static void value_compare_sorts_types_and_values_as_the_contract_says(void **state)
{
    struct fixture *f = *state;
    static const char *const ascending[] = {"{}",
                                            "{\"x\":-1e300}",
                                            "{\"x\":-9223372036854775808}",
                                            "{\"x\":-1}",
                                            "{\"x\":0.5}",
                                            "{\"x\":1}",
                                            "{\"x\":1.5}",
                                            "{\"x\":9007199254740992}",
                                            "{\"x\":9007199254740993}",
                                            "{\"x\":9223372036854775807}",
                                            "{\"x\":9.3e18}",
                                            "{\"x\":\"\"}",
                                            "{\"x\":\"A\"}",
                                            "{\"x\":\"a\"}",
                                            "{\"x\":\"aa\"}",
                                            "{\"x\":\"\xc3\xa4\"}",
                                            "{\"x\":{}}",
                                            "{\"x\":[]}",
                                            "{\"x\":false}",
                                            "{\"x\":true}",
                                            "{\"d\":\"2026-01-02\"}"};
    struct row_value values[ARRAY_LENGTH(ascending)];
    for (size_t i = 0; i < ARRAY_LENGTH(ascending); i++) {
        struct row row = row_of(f, ascending[i]);
        struct row_field field;
        struct span copy;
        assert_int_equal(arena_copy(f->arena, row.encoded, &copy), ERR_OK);
        assert_int_equal(row_read(row.id, copy, &row), ERR_OK);
        const bool date = strncmp(ascending[i], "{\"d\"", 4) == 0;
        assert_int_equal(filter_field(f->schema, date ? span_lit("d") : span_lit("x"), &field), ERR_OK);
        assert_int_equal(row_find(&row, &field, NULL, &values[i]), ERR_OK);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(ascending); i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(ascending); j++) {
            const int order = value_compare(&values[i], &values[j]);
            if ((i < j) != (order < 0) || (i == j) != (order == 0)) {
                fail_msg("%s against %s: %d", ascending[i], ascending[j], order);
            }
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(filter_match_means_what_the_contract_says),
        TEST(filter_match_joins_and_filters_and_or_filters),
        TEST(attack_08_filter_new_refuses_operators_and_shapes_it_does_not_know),
        TEST(attack_13_filters_are_taken_at_each_limit_and_refused_one_past_it),
        TEST(attack_13_elements_of_lists_are_paid_for_from_the_budget),
        TEST(attack_13_text_that_is_looked_through_is_paid_for_from_the_budget),
        TEST(attack_13_texts_in_a_list_are_paid_for_one_by_one),
        TEST(attack_13_members_of_objects_are_paid_for_from_the_budget),
        TEST(attack_13_a_dotted_name_is_paid_for_by_the_size_of_its_column),
        TEST(attack_02_cells_beside_the_one_that_is_asked_about_cost_nothing),
        TEST(filter_new_reports_an_arena_that_is_used_up),
        TEST(filter_match_says_when_a_row_is_damaged),
        TEST(search_finds_texts_in_any_field_and_in_lists_whatever_their_case),
        TEST(search_takes_256_bytes_and_not_one_more),
        TEST(value_compare_sorts_types_and_values_as_the_contract_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
