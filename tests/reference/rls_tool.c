/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The firmware's evaluator for tests/reference/compare.py: one case in a line of JSON, one line of answers.
 *
 *   {"table":name,"preset":"compat"|"hardened","policy":{...},"who":[{"group","id","roles"}...],"columns":[name...],
 *    "rows":[{"createdBy",...}...]}
 *
 * answers `refused` for a policy that does not compile, else for each requester, with a blank between them,
 *
 *   <operations>/<columns>/<row filters>/<rows>
 *
 * operations  for create, read, update, delete, list: the verdict and the number of the step that decided
 * columns     for each column the verdict for reading and for writing
 * row filters the verdict for each, "-" if row filters do not apply
 * rows        for each row: is it the requester's, and is it there for read, update, delete, list
 *
 * Verdicts: A allow, O own rows, D deny, s deny because it is a system table. --plant <defect> answers as an evaluator
 * would that is wrong in one rule, so that the comparison can be seen to find it. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firmware/rls/rls.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "net/json.h"
#include "net/json_out.h"

#define ARENA_KEPT_BYTES (1u << 18)
#define ARENA_BYTES      (1u << 26)
#define ROLES_MAX        16

enum plant { PLANT_NONE, PLANT_LIST_IS_READ, PLANT_FIRST_ROLE_LOST, PLANT_OWN_COLUMN_FOR_ALL, PLANT_NOBODY_OWNS_EMPTY };

static const char *const plant_names[] = {"", "list-is-read", "first-role-lost", "own-column-for-all", "nobody-owns-empty"};

static const enum rls_op ops[RLS_OPS] = {RLS_CREATE, RLS_READ, RLS_UPDATE, RLS_DELETE, RLS_LIST};

static struct {
    struct arena *arena;
    enum plant plant;
} tool;

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
    for (size_t at = tool.plant == PLANT_FIRST_ROLE_LOST ? 1 : 0; at < given->as.array.count && who.role_count < ROLES_MAX; at++) {
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

static void print_rows(const struct rls_bound *bound, const struct json_value *rows)
{
    for (size_t at = 0; at < rows->as.array.count; at++) {
        const struct span created_by = text_of(member(&rows->as.array.items[at], "createdBy"));
        const bool wrongly = tool.plant == PLANT_NOBODY_OWNS_EMPTY && span_equal(bound->who.id, created_by);

        putchar(rls_owns(&bound->who, created_by) || wrongly ? '1' : '0');
    }
}

/* --- one case --- */

static void answer_for(const struct rls_table *table, const struct json_value *requester, const struct json_value *asked)
{
    static struct rls_bound bound;
    struct span roles[ROLES_MAX];
    const struct rls_who who = read_who(requester, roles);

    rls_bind(table, &who, &bound);
    print_ops(&bound);
    putchar('/');
    print_columns(&bound, member(asked, "columns"));
    putchar('/');
    print_filters(&bound);
    putchar('/');
    print_rows(&bound, member(asked, "rows"));
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
    SCOPED_RLS_POLICY struct rls_policy *policy = policy_of(member(asked, "policy"));
    const bool hardened = span_equal(text_of(member(asked, "preset")), span_lit("hardened"));
    const struct rls_table table = {
        .name = text_of(member(asked, "table")), .policy = policy, .preset = hardened ? RLS_HARDENED : RLS_COMPAT};

    if (policy == NULL) {
        puts("refused");
        return;
    }
    for (size_t at = 0; at < who->as.array.count; at++) {
        if (at > 0) {
            putchar(' ');
        }
        answer_for(&table, &who->as.array.items[at], asked);
    }
    putchar('\n');
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
    json_seed(1);
    must(arena_new(ARENA_KEPT_BYTES, ARENA_BYTES, &tool.arena), "memory");
    while ((len = getline(&line, &room, stdin)) > 0) {
        const struct json_value *asked = NULL;

        must(json_parse(span_of(line, (size_t)len), tool.arena, &asked), "a case");
        answer(asked);
        (void)fflush(stdout); /* who reads sees what is missing */
        arena_reset(tool.arena);
    }
    free(line);
    arena_free(tool.arena);
    return 0;
}
