/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The firmware's evaluator for tests/reference/compare.py: one case in a line of JSON, one line of answers.
 *
 *   {"table":name,"preset":"compat"|"hardened","policy":{...},"who":[{"group","id","roles"}...],"columns":[name...],
 *    "rows":[{"createdBy",...}...],"asked":[andFilters...]}
 *
 * answers `refused` for a policy that cannot be saved, else for each requester, with a blank between them,
 *
 *   <operations>/<columns>/<row filters>/<rows>/<filters>
 *
 * operations  for create, read, update, delete, list: the verdict and the number of the step that decided
 * columns     for each column the verdict for reading and for writing
 * row filters the verdict for each, "-" if row filters do not apply
 * rows        for each row: is it the requester's; is it there for read, update, delete, list; may it be written as it is;
 *             and for each column, does an answer with the row have it
 * filters     for each the rows for which it holds, or D where it may not be asked
 *
 * Verdicts: A allow, O own rows, D deny, s deny because it is a system table. Everything is asked of the functions that a
 * request meets, on rows as they are stored, under a policy that was stored and read back. --plant <defect> answers as an
 * evaluator would that is wrong in one rule, so that the comparison can be seen to find it. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firmware/data/filter.h"
#include "firmware/data/policy_filters.h"
#include "firmware/data/regex.h"
#include "firmware/data/row_gate.h"
#include "firmware/data/row_json.h"
#include "firmware/data/schema_json.h"
#include "firmware/rls/rls.h"
#include "firmware/schema/schema.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "net/json.h"
#include "net/json_out.h"
#include "storage/row.h"

#define ARENA_KEPT_BYTES (1u << 18)
#define ARENA_BYTES      (1u << 26)
#define ROLES_MAX        16
#define ROWS_MAX         8
#define ROW_BYTES        4096
#define REGEX_STEPS      1000000

enum plant { PLANT_NONE, PLANT_LIST_IS_READ, PLANT_FIRST_ROLE_LOST, PLANT_OWN_COLUMN_FOR_ALL, PLANT_NOBODY_OWNS_EMPTY };

static const char *const plant_names[] = {"", "list-is-read", "first-role-lost", "own-column-for-all",
                                          "nobody-owns-empty"};

static const enum rls_op ops[RLS_OPS] = {RLS_CREATE, RLS_READ, RLS_UPDATE, RLS_DELETE, RLS_LIST};

static struct {
    enum plant plant;
    struct arena *arena;      /* of one case */
    struct arena *kept;       /* of the run */
    struct schema *schema;    /* declares nothing */
    struct regex_work *work;  /* for row filters */
    struct regex_work *spent; /* for what clients ask */
    struct buf *encoded[ROWS_MAX];
    struct row rows[ROWS_MAX]; /* views of them */
    size_t row_count;
    struct buf *text;
} tool;

/* What one requester meets. */
struct meeting {
    const struct rls_bound *bound;
    const struct policy_filters *filters;
    const struct json_value *asked; /* the case */
};

static void must(enum err err, const char *what)
{
    if (err != ERR_OK) {
        fprintf(stderr, "%s: %s\n", what, err_name(err));
        exit(1);
    }
}

static const struct json_value *member(const struct json_value *object, const char *name)
{
    const struct json_value *value = json_find(object, span_str(name));

    must(value == NULL ? ERR_NOT_FOUND : ERR_OK, name);
    return value;
}

static struct span text_of(const struct json_value *value)
{
    return value->type == JSON_STRING ? value->as.text : SPAN_NONE;
}

static char letter(enum rls_verdict verdict)
{
    return verdict == RLS_ALLOW ? 'A' : verdict == RLS_OWNER ? 'O' : 'D';
}

static enum err write_json(struct buf *out, const struct json_value *value)
{
    struct json_out json;

    json_out_init(&json, out);
    json_out_value(&json, value);
    return json_out_finish(&json);
}

/* --- one requester --- */

static struct rls_who read_who(const struct json_value *value, struct span roles[ROLES_MAX])
{
    const struct span group = text_of(member(value, "group"));
    const struct json_value *given = member(value, "roles");
    struct rls_who who = {.group = RLS_GUEST, .id = text_of(member(value, "id")), .roles = roles};

    if (span_equal(group, span_lit("user"))) {
        who.group = RLS_USER;
    } else if (span_equal(group, span_lit("admin"))) {
        who.group = RLS_ADMIN;
    }
    for (size_t at = tool.plant == PLANT_FIRST_ROLE_LOST ? 1 : 0;
         at < given->as.array.count && who.role_count < ROLES_MAX; at++) {
        roles[who.role_count++] = text_of(&given->as.array.items[at]);
    }
    return who;
}

static void print_ops(const struct rls_bound *bound)
{
    for (size_t at = 0; at < RLS_OPS; at++) {
        const bool mixed_up = tool.plant == PLANT_LIST_IS_READ && ops[at] == RLS_LIST;
        const struct rls_decision decision = rls_decide(bound, mixed_up ? RLS_READ : ops[at]);
        const bool system = decision.verdict == RLS_DENY && decision.reason == RLS_REASON_SYSTEM_TABLE;

        printf("%c%u", system ? 's' : letter(decision.verdict), (unsigned)decision.step);
    }
}

static void print_columns(const struct rls_bound *bound, const struct json_value *columns)
{
    for (size_t at = 0; at < columns->as.array.count; at++) {
        const struct span name = text_of(&columns->as.array.items[at]);
        enum rls_verdict read = rls_column(bound, name, RLS_COLUMN_READ);

        must(rls_column(bound, name, RLS_COLUMN_QUERY) == read ? ERR_OK : ERR_STATE, "a query is not as a read");
        if (tool.plant == PLANT_OWN_COLUMN_FOR_ALL && read == RLS_OWNER) {
            read = RLS_ALLOW;
        }
        printf("%c%c", letter(read), letter(rls_column(bound, name, RLS_COLUMN_WRITE)));
    }
}

static void print_filters(const struct rls_bound *bound)
{
    const size_t count = rls_filter_count(bound->table.policy);
    const bool apply = rls_filters_apply(bound);

    for (size_t at = 0; at < count; at++) {
        putchar(apply ? letter(rls_filter(bound, at)) : '-');
    }
}

/* --- rows --- */

static void encode_row(const struct json_value *row)
{
    const size_t at = tool.row_count++;
    const struct row_id id = {{(uint8_t)at}};
    const struct row_write write = {
        .arena = tool.arena, .schema = tool.schema, .now = {1767323045678}, .out = tool.encoded[at]};
    struct span encoded = SPAN_NONE;
    struct json_member *members = NULL;
    struct json_value body = {.type = JSON_OBJECT};

    must(arena_alloc_array(tool.arena, row->as.object.count, sizeof(*members), (void **)&members), "memory");
    for (size_t i = 0; i < row->as.object.count; i++) {
        if (!span_equal(row->as.object.members[i].name, span_lit("createdBy"))) {
            members[body.as.object.count++] = row->as.object.members[i];
        }
    }
    body.as.object.members = members;
    must(row_json_create(&write, &body, text_of(member(row, "createdBy")), &encoded), "a row");
    must(row_read(id, encoded, &tool.rows[at]), "a stored row");
}

static void print_reach(const struct meeting *meeting, const struct row *row)
{
    for (size_t at = 1; at < RLS_OPS; at++) {
        const struct row_gate_input input = {.bound = meeting->bound,
                                             .filters = meeting->filters,
                                             .op = ops[at],
                                             .verdict = rls_decide(meeting->bound, ops[at]).verdict,
                                             .work = tool.work};
        const struct row_gate gate = row_gate_of(&input);
        bool passes = false;

        if (gate.verdict != RLS_DENY) {
            must(row_gate_passes(&gate, row, &passes), "a gate");
        }
        putchar(passes ? '1' : '0');
    }
}

static void print_shown(const struct meeting *meeting, const struct row *row)
{
    const struct row_view view = {.schema = tool.schema, .rls = meeting->bound};
    const struct json_value *columns = member(meeting->asked, "columns");
    const struct json_value *shown = NULL;
    struct json_out out;

    buf_reset(tool.text);
    json_out_init(&out, tool.text);
    must(row_json_write(&out, &view, row), "a row as JSON");
    must(json_out_finish(&out), "room");
    must(json_parse(buf_all(tool.text), tool.arena, &shown), "JSON of a row");
    for (size_t at = 0; at < columns->as.array.count; at++) {
        putchar(json_find(shown, text_of(&columns->as.array.items[at])) != NULL ? '1' : '0');
    }
}

static void print_rows(const struct meeting *meeting)
{
    const struct json_value *rows = member(meeting->asked, "rows");

    for (size_t at = 0; at < tool.row_count; at++) {
        const struct row *row = &tool.rows[at];
        const bool wrongly =
            tool.plant == PLANT_NOBODY_OWNS_EMPTY && span_equal(meeting->bound->who.id, row->created_by);
        const bool owns = rls_owns(&meeting->bound->who, row->created_by) || wrongly;

        putchar(owns ? '1' : '0');
        print_reach(meeting, row);
        putchar(row_gate_writable(meeting->bound, &rows->as.array.items[at], owns) ? '1' : '0');
        print_shown(meeting, row);
    }
}

/* --- what clients ask --- */

static void print_asked(const struct meeting *meeting)
{
    const struct json_value *asked = member(meeting->asked, "asked");
    const struct filter_scope scope = {.kind = FILTER_OF_CLIENT,
                                       .arena = tool.arena,
                                       .schema = tool.schema,
                                       .rls = meeting->bound,
                                       .work = tool.spent};

    for (size_t at = 0; at < asked->as.array.count; at++) {
        const struct filter *filter = NULL;
        struct filter_problem problem;
        const enum err made = filter_new(&scope, &asked->as.array.items[at], NULL, &filter, &problem);

        must(made == ERR_OK || made == ERR_DENIED ? ERR_OK : made, "a filter that is asked");
        fault_clear();
        if (made == ERR_DENIED) {
            putchar('D');
            continue;
        }
        for (size_t i = 0; i < tool.row_count; i++) {
            const struct filter_subject subject = {.row = &tool.rows[i],
                                                   .owns = rls_owns(&meeting->bound->who, tool.rows[i].created_by),
                                                   .work = tool.spent};
            bool match = false;

            must(filter_match(filter, &subject, &match), "a filter on a row");
            putchar(match ? '1' : '0');
        }
    }
}

/* --- one case --- */

static void answer_for(const struct rls_table *table, const struct policy_filters *filters,
                       const struct json_value *requester, const struct json_value *asked)
{
    static struct rls_bound bound;
    struct span roles[ROLES_MAX];
    const struct rls_who who = read_who(requester, roles);
    const struct meeting meeting = {.bound = &bound, .filters = filters, .asked = asked};

    rls_bind(table, &who, &bound);
    print_ops(&bound);
    putchar('/');
    print_columns(&bound, member(asked, "columns"));
    putchar('/');
    print_filters(&bound);
    putchar('/');
    print_rows(&meeting);
    putchar('/');
    print_asked(&meeting);
}

/* The policy as it would be after a restart: compiled, stored, read back. NULL: it does not compile. */
static struct rls_policy *policy_of(const struct json_value *source)
{
    SCOPED_RLS_POLICY struct rls_policy *compiled = NULL;
    SCOPED_BUF struct buf *stored = NULL;
    struct rls_policy *policy = NULL;
    struct rls_problem problem;

    if (rls_compile(source, write_json, &compiled, &problem) != ERR_OK) {
        fault_clear();
        return NULL;
    }
    must(buf_new(RLS_POLICY_BYTES, &stored), "memory");
    must(rls_policy_encode(compiled, stored), "a policy that compiles can be stored");
    must(rls_policy_decode(buf_all(stored), &policy), "a stored policy can be read");
    return policy;
}

static void answer(const struct json_value *asked)
{
    const struct json_value *who = member(asked, "who");
    const struct json_value *rows = member(asked, "rows");
    SCOPED_RLS_POLICY struct rls_policy *policy = policy_of(member(asked, "policy"));
    SCOPED_POLICY_FILTERS struct policy_filters *filters = NULL;
    const bool hardened = span_equal(text_of(member(asked, "preset")), span_lit("hardened"));
    const struct rls_table table = {
        .name = text_of(member(asked, "table")), .policy = policy, .preset = hardened ? RLS_HARDENED : RLS_COMPAT};
    struct rls_problem problem;

    if (policy == NULL || policy_filters_new(policy, tool.schema, &filters, &problem) != ERR_OK) {
        fault_clear();
        puts("refused");
        return;
    }
    regex_work_refill(tool.spent, REGEX_STEPS);
    must(rows->as.array.count <= ROWS_MAX ? ERR_OK : ERR_RANGE, "rows of a case");
    tool.row_count = 0;
    for (size_t at = 0; at < rows->as.array.count; at++) {
        encode_row(&rows->as.array.items[at]);
    }
    for (size_t at = 0; at < who->as.array.count; at++) {
        if (at > 0) {
            putchar(' ');
        }
        answer_for(&table, filters, &who->as.array.items[at], asked);
    }
    putchar('\n');
}

static void set_up(void)
{
    struct schema_problem problem;

    json_seed(1);
    must(arena_new(ARENA_KEPT_BYTES, ARENA_BYTES, &tool.arena), "memory");
    must(arena_new(ARENA_KEPT_BYTES, ARENA_BYTES, &tool.kept), "memory");
    must(regex_work_new(tool.kept, REGEX_STEPS, &tool.work), "memory");
    must(regex_work_new(tool.kept, REGEX_STEPS, &tool.spent), "memory");
    must(schema_new(NULL, SPAN_NONE, &schema_json_matcher, &tool.schema, &problem), "a schema");
    must(buf_new(ROW_BYTES, &tool.text), "memory");
    for (size_t at = 0; at < ROWS_MAX; at++) {
        must(buf_new(ROW_BYTES_MAX, &tool.encoded[at]), "memory");
    }
}

static void tear_down(void)
{
    for (size_t at = 0; at < ROWS_MAX; at++) {
        buf_free(tool.encoded[at]);
    }
    buf_free(tool.text);
    schema_free(tool.schema);
    arena_free(tool.kept);
    arena_free(tool.arena);
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len = 0;

    for (size_t at = 1; at < sizeof(plant_names) / sizeof(plant_names[0]); at++) {
        if (argc == 3 && strcmp(argv[1], "--plant") == 0 && strcmp(argv[2], plant_names[at]) == 0) {
            tool.plant = (enum plant)at;
        }
    }
    if (argc != 1 && tool.plant == PLANT_NONE) {
        fputs("rls_tool [--plant <defect>]\n", stderr);
        return 2;
    }
    set_up();
    while ((len = getline(&line, &room, stdin)) > 0) {
        const struct json_value *asked = NULL;

        must(json_parse(span_of(line, (size_t)len), tool.arena, &asked), "a case");
        answer(asked);
        (void)fflush(stdout); /* who reads sees what is missing */
        arena_reset(tool.arena);
    }
    free(line);
    tear_down();
    return 0;
}
