/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/data/filter.h: any JSON as a filter, of a policy or of a client, on any row.
 *
 * Input: one byte (bit 0: of a policy, bit 1: as orFilters, bit 2: the requester owns the row) | filter | 0xFF | row.
 * What must hold: no fault, never more steps than were given, the same answer twice, and nobody without an id fulfils
 * {"x": $userId} or its opposite. */
#include "firmware/data/filter.h"
#include "firmware/data/row_json.h"
#include "firmware/data/schema_json.h"
#include "net/json.h"
#include "tests/fuzz/fuzz.h"

#define STEPS 100000u
#define SCHEMA                                                                                                         \
    "{\"s\":{\"type\":\"string\"},\"n\":{\"type\":\"number\"},\"d\":{\"type\":\"date\"},\"t\":{\"type\":\"array\"}}"

static const struct schema *schema_of_all(void)
{
    static struct schema *schema;
    struct schema_problem problem;
    const struct json_value *definition = NULL;

    if (schema == NULL) {
        FUZZ_CHECK(json_parse(span_lit(SCHEMA), fuzz_arena(), &definition) == ERR_OK);
        FUZZ_CHECK(schema_new(definition, SPAN_NONE, &schema_json_matcher, &schema, &problem) == ERR_OK);
    }
    return schema;
}

/* The row of a JSON object; false if it is none. */
static bool make_row(struct arena *arena, const struct schema *schema, struct span text, struct row *out_row)
{
    static struct buf *out;
    static struct schema_report report;
    const struct json_value *value = NULL;
    struct json_value checked;
    struct span encoded = SPAN_NONE;

    if (out == NULL) {
        FUZZ_CHECK(buf_new(ROW_BYTES_MAX, &out) == ERR_OK);
    }
    const struct row_write write = {.arena = arena, .schema = schema, .now = {1767323045678}, .out = out};
    const struct schema_check check = {
        .schema = schema, .mode = SCHEMA_PATCH, .additional = SCHEMA_EXTRA_ALLOW, .arena = arena};
    return json_parse(text, arena, &value) == ERR_OK && value->type == JSON_OBJECT &&
           schema_check(&check, value, &checked, &report) == ERR_OK &&
           row_json_create(&write, &checked, span_lit("uA"), &encoded) == ERR_OK &&
           row_read((struct row_id){{1}}, encoded, out_row) == ERR_OK;
}

static enum err ask(const struct filter *filter, struct filter_subject *subject, bool *out_match)
{
    regex_work_refill(subject->work, STEPS);
    const enum err err = filter_match(filter, subject, out_match);

    FUZZ_CHECK(err == ERR_OK || err == ERR_BUDGET);
    FUZZ_CHECK(regex_work_left(subject->work) <= STEPS);
    fault_clear();
    return err;
}

static void ask_all(const struct filter *filter, struct filter_subject *subject)
{
    static const char *const users[] = {"", "uA", "$userId"};

    for (size_t i = 0; i < ARRAY_LENGTH(users); i++) {
        bool first = false;
        bool second = false;

        subject->user = span_str(users[i]);
        const enum err err = ask(filter, subject, &first);

        FUZZ_CHECK(ask(filter, subject, &second) == err);
        FUZZ_CHECK(err != ERR_OK || first == second);
    }
}

/* Whatever the row: the comparison with nobody does not hold, and neither does its opposite. */
static void check_nobody(const struct filter_scope *scope, struct filter_subject *subject)
{
    static const char *const filters[] = {"{\"s\":\"$userId\"}", "{\"s\":{\"$ne\":\"$userId\"}}",
                                          "{\"t\":{\"$nin\":[1,\"$userId\"]}}"};

    subject->user = SPAN_NONE;
    for (size_t i = 0; scope->kind == FILTER_OF_POLICY && i < ARRAY_LENGTH(filters); i++) {
        const struct json_value *value = NULL;
        const struct filter *filter = NULL;
        struct filter_problem problem;
        bool match = true;

        FUZZ_CHECK(json_parse(span_str(filters[i]), scope->arena, &value) == ERR_OK);
        FUZZ_CHECK(filter_new(scope, value, NULL, &filter, &problem) == ERR_OK);
        FUZZ_CHECK(ask(filter, subject, &match) == ERR_OK && !match);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct schema *const schema = schema_of_all();
    struct arena *const arena = fuzz_arena();
    const struct rls_table table = {.name = span_lit("t")};
    const struct rls_who who = {.group = RLS_USER, .id = span_lit("uA")};
    const struct json_value *value = NULL;
    const struct filter *filter = NULL;
    struct filter_problem problem;
    struct regex_work *work = NULL;
    struct rls_bound rls;
    struct row row;

    if (size < 1) {
        return 0;
    }
    const struct span rest = span_of(data + 1, size - 1);
    const size_t split = span_find(rest, 0xFF);
    const size_t used = split < rest.len ? split + 1 : split;

    if (json_parse(span_of(rest.data, split), arena, &value) != ERR_OK ||
        !make_row(arena, schema, span_of(rest.data + used, rest.len - used), &row)) {
        return 0;
    }
    rls_bind(&table, &who, &rls);
    FUZZ_CHECK(regex_work_new(arena, STEPS, &work) == ERR_OK);
    const struct filter_scope scope = {.kind = (data[0] & 1u) != 0 ? FILTER_OF_POLICY : FILTER_OF_CLIENT,
                                       .arena = arena,
                                       .schema = schema,
                                       .rls = &rls,
                                       .work = work};
    struct filter_subject subject = {.row = &row, .owns = (data[0] & 4u) != 0, .work = work};
    const bool either = (data[0] & 2u) != 0;
    const enum err err = filter_new(&scope, either ? NULL : value, either ? value : NULL, &filter, &problem);

    FUZZ_CHECK(err == ERR_OK || err == ERR_MALFORMED || err == ERR_NO_MEMORY);
    if (err == ERR_OK) {
        ask_all(filter, &subject);
    }
    check_nobody(&scope, &subject);
    return 0;
}
