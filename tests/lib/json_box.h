/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parsed JSON and schemas for the tests of policies, scopes and schemas: an arena, a matcher's work, and short ways to
 * values in it. What must work stops the test. One thread. */
#ifndef TESTS_LIB_JSON_BOX_H
#define TESTS_LIB_JSON_BOX_H

#include <stddef.h>

#include "firmware/data/regex.h"
#include "firmware/data/schema_json.h"
#include "firmware/schema/schema.h"
#include "hal/base/mem.h"
#include "net/json.h"

struct json_box {
    struct arena *arena;
    struct regex_work *work;
    struct schema_report report;
    struct schema_problem problem;
};

/* For cmocka: set-up and tear-down. */
int json_box_set_up(void **state);
int json_box_tear_down(void **state);

/* The value of a text, of a file below 64 KiB, and {"f0":each,"f1":each,...} with count members. They live as long as the
 * box. */
const struct json_value *json_box_value(struct json_box *box, const char *text);
const struct json_value *json_box_file(struct json_box *box, const char *path);
const struct json_value *json_box_many(struct json_box *box, size_t count, const char *each);

/* The schema that a definition makes. */
struct schema *json_box_schema(struct json_box *box, const char *definition);

/* What a value and a schema look like as JSON; lives as long as the box. */
struct span json_box_shown(struct json_box *box, const struct json_value *value);
struct span json_box_shown_schema(struct json_box *box, const struct schema *schema);
/* Stops the test unless the text is that one, and prints both. */
void json_box_assert_text(struct span got, const char *expected);

#endif
