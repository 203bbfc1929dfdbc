/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a simulation found, as JSON. */
#include "firmware/data/simulate_int.h"

#include "firmware/data/data_int.h"
#include "firmware/data/policy_lint.h"
#include "firmware/data/policy_who.h"
#include "hal/base/fault.h"

static void write_ids(struct json_out *out, const struct simulate_rows *rows)
{
    json_out_array(out);
    for (size_t i = 0; i < rows->count && i < SIMULATE_IDS_MAX; i++) {
        char text[ROW_ID_TEXT_BYTES];
        row_id_format(rows->ids[i], text);
        json_out_text(out, span_array(text));
    }
    json_out_array_end(out);
}

static void write_rows(struct json_out *out, struct span name, const struct simulate_rows *rows)
{
    json_out_name(out, name);
    json_out_object(out);
    json_out_member_int(out, span_lit("rows"), rows->count);
    json_out_name(out, span_lit("ids"));
    write_ids(out, rows);
    json_out_object_end(out);
}

static void write_change(struct json_out *out, enum rls_op op, const struct simulate_change *change)
{
    json_out_name(out, span_str(rls_op_name(op)));
    json_out_object(out);
    json_out_member_int(out, span_lit("before"), change->before);
    json_out_member_int(out, span_lit("after"), change->after);
    write_rows(out, span_lit("newlyAllowed"), &change->allowed);
    write_rows(out, span_lit("newlyDenied"), &change->denied);
    json_out_object_end(out);
}

static bool may_create(const struct data_simulation *simulation, enum simulate_which which)
{
    return rls_decide(&simulation->sides[which].bound, RLS_CREATE).verdict == RLS_ALLOW;
}

static void write_create(struct json_out *out, const struct data_simulation *simulation)
{
    const bool before = may_create(simulation, SIMULATE_STORED);
    const bool after = may_create(simulation, SIMULATE_PROPOSED);

    json_out_name(out, span_lit("create"));
    json_out_object(out);
    json_out_member_bool(out, span_lit("before"), before);
    json_out_member_bool(out, span_lit("after"), after);
    json_out_object_end(out);
}

/* --- columns --- */

struct column_asked {
    const struct data_simulation *simulation;
    bool owner;
    enum rls_access access;
    bool gained; /* or lost */
};

static bool may_use(const struct column_asked *asked, enum simulate_which which, struct span column)
{
    const enum rls_verdict verdict = rls_column(&asked->simulation->sides[which].bound, column, asked->access);

    return verdict == RLS_ALLOW || (verdict == RLS_OWNER && asked->owner);
}

static void write_if_changed(struct json_out *out, const struct column_asked *asked, struct span column)
{
    const bool before = may_use(asked, SIMULATE_STORED, column);
    const bool after = may_use(asked, SIMULATE_PROPOSED, column);

    if (before != after && after == asked->gained) {
        json_out_text(out, column);
    }
}

/* Columns without a rule in either policy cannot change. */
static void write_columns_of(struct json_out *out, const struct column_asked *asked)
{
    const struct rls_policy *stored = asked->simulation->sides[SIMULATE_STORED].policy;
    const struct rls_policy *proposed = asked->simulation->sides[SIMULATE_PROPOSED].policy;

    json_out_array(out);
    for (size_t i = 0; i < rls_column_count(stored); i++) {
        write_if_changed(out, asked, rls_column_name(stored, i));
    }
    for (size_t i = 0; i < rls_column_count(proposed); i++) {
        const struct span column = rls_column_name(proposed, i);
        if (rls_column_rule(stored, column) == RLS_NO_RULE) {
            write_if_changed(out, asked, column);
        }
    }
    json_out_array_end(out);
}

static void write_columns(struct json_out *out, const struct data_simulation *simulation, bool owner)
{
    static const struct {
        const char *name;
        enum rls_access access;
        bool gained;
    } lists[] = {{"newlyReadable", RLS_COLUMN_READ, true},
                 {"newlyHidden", RLS_COLUMN_READ, false},
                 {"newlyWritable", RLS_COLUMN_WRITE, true},
                 {"newlyRefused", RLS_COLUMN_WRITE, false}};

    json_out_name(out, span_lit("columns"));
    json_out_object(out);
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        const struct column_asked asked = {simulation, owner, lists[i].access, lists[i].gained};
        json_out_name(out, span_str(lists[i].name));
        write_columns_of(out, &asked);
    }
    json_out_object_end(out);
}

/* --- the answer --- */

static void write_kind(struct json_out *out, struct data_simulation *simulation, const struct simulate_kind *kind)
{
    simulate_bind(simulation, kind, span_lit(POLICY_WHO_USER));
    json_out_object(out);
    json_out_member_text(out, span_lit("group"), kind->group == RLS_USER ? span_lit("user") : span_lit("guest"));
    admin_write_text(out, span_lit("role"), kind->role);
    json_out_member_bool(out, span_lit("owner"), kind->owner);
    json_out_member_int(out, span_lit("rows"), kind->rows);
    write_create(out, simulation);
    for (unsigned int op = RLS_READ; op < RLS_OPS; op++) {
        write_change(out, (enum rls_op)op, &kind->changes[op]);
    }
    write_columns(out, simulation, kind->owner);
    json_out_object_end(out);
}

static void write_warnings(struct json_out *out, const struct data_simulation *simulation)
{
    const struct catalog_table *table = simulation->table;
    const struct catalog_table proposed = {.record = {.name = table->record.name},
                                           .schema = table->schema,
                                           .policy = simulation->policy,
                                           .filters = simulation->filters,
                                           .indexes = table->indexes,
                                           .index_count = table->index_count};

    json_out_name(out, span_lit("warnings"));
    json_out_array(out);
    policy_lint_write(out, &proposed, simulation->preset);
    json_out_array_end(out);
}

static void write_tests(struct json_out *out, const struct schema_report *failed)
{
    json_out_name(out, span_lit("failedTests"));
    json_out_array(out);
    for (size_t i = 0; i < failed->count; i++) {
        const struct schema_violation *item = &failed->items[i];
        json_out_object(out);
        json_out_member_text(out, span_lit("test"), span_of(item->field, item->field_len));
        json_out_member_text(out, span_lit("reason"), span_of(item->reason, item->reason_len));
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

enum err simulate_write_begin(struct data_simulation *simulation)
{
    struct json_out *out = &simulation->json;
    uint64_t rows = 0;

    TRY(store_count(simulation->snap, simulation->table->store, &rows));
    json_out_init(out, simulation->out);
    json_out_object(out);
    json_out_member_text(out, span_lit("tableId"), simulation->table->record.id);
    json_out_member_text(out, span_lit("tableName"), simulation->table->record.name);
    json_out_name(out, span_lit("sample"));
    json_out_object(out);
    json_out_member_int(out, span_lit("rows"), simulation->sampled);
    json_out_member_int(out, span_lit("of"), (int64_t)rows);
    json_out_member_text(out, span_lit("order"), span_lit("newest first, by id"));
    json_out_object_end(out);
    write_warnings(out, simulation);
    write_tests(out, simulation->failed);
    json_out_name(out, span_lit("requesters"));
    json_out_array(out);
    return ERR_OK;
}

void simulate_write_kind(struct data_simulation *simulation, const struct simulate_kind *kind)
{
    write_kind(&simulation->json, simulation, kind);
}

enum err simulate_write_end(struct data_simulation *simulation)
{
    json_out_array_end(&simulation->json);
    json_out_object_end(&simulation->json);
    return json_out_finish(&simulation->json);
}
