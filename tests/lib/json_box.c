/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/json_box.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "hal/base/fault.h"
#include "net/json_out.h"

#define FILE_MAX    65536
#define REGEX_STEPS 1000000

int json_box_set_up(void **state)
{
    static struct json_box box;

    assert_int_equal(arena_new(1 << 16, 1 << 24, &box.arena), ERR_OK);
    assert_int_equal(regex_work_new(box.arena, REGEX_STEPS, &box.work), ERR_OK);
    *state = &box;
    return 0;
}

int json_box_tear_down(void **state)
{
    struct json_box *box = *state;

    arena_free(box->arena);
    fault_clear();
    return 0;
}

const struct json_value *json_box_value(struct json_box *box, const char *text)
{
    const struct json_value *value = NULL;

    if (json_parse(span_str(text), box->arena, &value) != ERR_OK) {
        fail_msg("test JSON: %s", text);
    }
    return value;
}

const struct json_value *json_box_file(struct json_box *box, const char *path)
{
    static char text[FILE_MAX];
    const struct json_value *value = NULL;
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    const size_t len = fread(text, 1, sizeof(text), file);
    assert_true(len < sizeof(text));
    (void)fclose(file); /* only read */
    assert_int_equal(json_parse(span_of(text, len), box->arena, &value), ERR_OK);
    return value;
}

const struct json_value *json_box_many(struct json_box *box, size_t count, const char *each)
{
    SCOPED_BUF struct buf *text = NULL;
    const struct json_value *value = NULL;
    char name[160];
    assert_int_equal(buf_new(1 << 20, &text), ERR_OK);
    assert_int_equal(buf_put_u8(text, '{'), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        const int len = snprintf(name, sizeof(name), "%s\"f%zu\":%s", i == 0 ? "" : ",", i, each);
        assert_int_equal(buf_put(text, span_of(name, (size_t)len)), ERR_OK);
    }
    assert_int_equal(buf_put_u8(text, '}'), ERR_OK);
    assert_int_equal(json_parse(buf_all(text), box->arena, &value), ERR_OK);
    return value;
}

struct schema *json_box_schema(struct json_box *box, const char *definition)
{
    struct schema *schema = NULL;

    if (schema_new(json_box_value(box, definition), SPAN_NONE, &schema_json_matcher, &schema, &box->problem) !=
        ERR_OK) {
        fail_msg("%s: %.*s %s", definition, (int)box->problem.where_len, box->problem.where, box->problem.why);
    }
    return schema;
}

/* Begins a JSON text; kept_text ends it and keeps it in the arena. */
static struct buf *new_text(struct json_out *out)
{
    struct buf *buf = NULL;

    assert_int_equal(buf_new(1 << 20, &buf), ERR_OK);
    json_out_init(out, buf);
    return buf;
}

static struct span kept_text(struct json_box *box, struct json_out *out, struct buf *take_buf)
{
    SCOPED_BUF struct buf *buf = take_buf;
    struct span text = SPAN_NONE;

    assert_int_equal(json_out_finish(out), ERR_OK);
    assert_int_equal(arena_copy(box->arena, buf_all(buf), &text), ERR_OK);
    return text;
}

struct span json_box_shown(struct json_box *box, const struct json_value *value)
{
    struct json_out out;
    struct buf *const buf = new_text(&out);

    json_out_value(&out, value);
    return kept_text(box, &out, buf);
}

struct span json_box_shown_schema(struct json_box *box, const struct schema *schema)
{
    struct json_out out;
    struct buf *const buf = new_text(&out);

    schema_json_write(&out, schema, NULL);
    return kept_text(box, &out, buf);
}

void json_box_assert_text(struct span got, const char *expected)
{
    if (!span_equal(got, span_str(expected))) {
        fail_msg("got %.*s\nexpected %s", (int)got.len, (const char *)got.data, expected);
    }
}
