/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A list, slice by slice.
 *
 *   in id order   SCAN: rows come in the order of the answer; those before the page are passed, those of the page are
 *                 written at once; then only counting goes on, unless the exact counters know the total
 *   sorted        SCAN: the best rows up to the end of the page are kept; at the end of the table WRITE fetches those of
 *                 the page. If memory did not hold them all, the next SCAN begins behind the last one kept
 *
 * The store hands out a row only after `condition` has said that the requester may see it and that the query means it:
 * counting, skipping and sorting come after that, so they cannot tell about other rows. */
#include "firmware/data/list.h"

#include "firmware/data/data_int.h"
#include "firmware/data/read_log.h"
#include "firmware/data/row_json.h"
#include "firmware/data/top_rows.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"

enum state { LIST_SCAN, LIST_WRITE, LIST_PAGES, LIST_DONE };

struct list_query {
    struct list_input input;
    struct json_out json;
    enum state state;
    enum err failed; /* what every further call answers */
    bool total_known;
    bool first_pass;
    uint64_t total;
    uint64_t passed;      /* rows before the page that were passed, or kept in earlier passes */
    uint64_t written;     /* rows of the page */
    struct top_rows *top; /* sorted lists only */
    size_t top_count;
    size_t top_next;
    struct index_id owner_index;
    struct row_value owner;
};

/* The one predicate of the list: the requester's gate (owner, row filters) AND filter AND search. The scan of an owner's
 * list is over their index entries already; asking the row as well means that no entry, however it came there, can show
 * another's row. */
static enum err condition(void *context, const struct row *row, bool *out_take)
{
    const struct list_query *query = context;
    const struct plan *plan = query->input.plan;
    if (query->input.rows != NULL) {
        const struct list_rows *rows = query->input.rows;
        *out_take = true;
        return rows->take == NULL ? ERR_OK : rows->take(rows->context, row, out_take);
    }
    const bool owns = rls_owns(&plan->rls->who, row->created_by);
    bool take = false;
    TRY(row_gate_passes(plan->gate, row, &take));
    if (take && plan->filter != NULL) {
        const struct filter_subject subject = {.row = row, .owns = owns, .work = plan->work};
        TRY(filter_match(plan->filter, &subject, &take));
    }
    if (take && plan->search != NULL) {
        TRY(search_match(plan->search, row, owns, &take));
    }
    *out_take = take;
    return ERR_OK;
}

static bool is_sorted(const struct plan *plan)
{
    return plan->sort.column != ROW_COLUMN_ID;
}

static enum err begin_scan(struct list_query *query)
{
    const struct plan *plan = query->input.plan;
    struct store_scan scan = {.table = query->input.table,
                              .backward = plan->descending && !is_sorted(plan),
                              .filter = condition,
                              .filter_context = query};
    if (plan->by_owner) {
        scan.index = query->owner_index;
        scan.equal = &query->owner;
        scan.equal_count = 1;
    }
    query->state = LIST_SCAN;
    return store_scan_begin(query->input.snap, &scan);
}

static bool has_conditions(const struct list_input *input)
{
    if (input->rows != NULL) {
        return input->rows->take != NULL;
    }
    return input->plan->filter != NULL || input->plan->search != NULL || row_gate_filters(input->plan->gate);
}

/* The exact counters, where the plan has no condition but the owner: they know nothing of row filters. */
static enum err find_total(struct list_query *query)
{
    const struct list_input *input = &query->input;
    if (input->plan->no_rows) {
        query->total_known = true;
        return ERR_OK;
    }
    if (has_conditions(input)) {
        return ERR_OK;
    }
    query->total_known = true;
    if (input->plan->by_owner) {
        return store_count_owned(input->snap, input->table, input->plan->rls->who.id, &query->total);
    }
    return store_count(input->snap, input->table, &query->total);
}

static enum err find_owner_index(struct list_query *query)
{
    const struct store_index *indexes = NULL;
    size_t count = 0;
    TRY(store_indexes(query->input.snap, query->input.table, &indexes, &count));
    ENSURE(count > 0, ERR_DAMAGED, "a table without its index of owners");
    query->owner_index = indexes[0].id;
    if (query->input.plan->by_owner) {
        query->owner = (struct row_value){.type = ROW_STRING, .bytes = query->input.plan->rls->who.id};
    }
    return ERR_OK;
}

static enum err prepare(struct list_query *query)
{
    const struct plan *plan = query->input.plan;
    ENSURE(!plan->by_owner || plan->rls->who.id.len > 0, ERR_BUG, "an owner's list without an owner");
    TRY(find_owner_index(query));
    TRY(find_total(query));
    if (query->total_known && plan->skip >= query->total) {
        query->state = LIST_PAGES;
        return ERR_OK;
    }
    if (is_sorted(plan)) {
        TRY(top_rows_new(plan->skip + plan->limit, CONFIG_DATA_SORT_BYTES, plan->descending, &query->top));
    }
    return begin_scan(query);
}

enum err list_query_new(const struct list_input *input, struct list_query **out_query)
{
    SCOPED_LIST struct list_query *query = NULL;
    void *memory = NULL;
    TRY(mem_alloc(sizeof(*query), &memory));
    query = memory;
    query->input = *input;
    query->first_pass = true;
    TRY(prepare(query));
    json_out_init(&query->json, input->out);
    json_out_object(&query->json);
    json_out_name(&query->json, span_lit("items"));
    json_out_array(&query->json);
    *out_query = TAKE(query);
    return ERR_OK;
}

void list_query_free(struct list_query *query)
{
    if (query != NULL) {
        top_rows_free(query->top);
        mem_free(query);
    }
}

static enum err write_row(struct list_query *query, const struct row *row)
{
    const struct plan *plan = query->input.plan;
    const struct list_rows *rows = query->input.rows;
    const struct row_view view = {
        .schema = plan->schema, .column_rules = plan->column_rules, .rls = plan->rls, .select = &plan->select};
    TRY(rows == NULL ? row_json_write(&query->json, &view, row) : rows->write(rows->context, &query->json, row));
    ENSURE(query->json.err == ERR_OK, query->json.err, "the list does not fit the response");
    if (rows == NULL) {
        read_log_row(plan->rls, row);
    }
    query->written++;
    return ERR_OK;
}

/* A row of a list in id order. */
static enum err take_in_order(struct list_query *query, const struct row *row)
{
    const struct plan *plan = query->input.plan;
    if (query->passed < plan->skip) {
        query->passed++;
        return ERR_OK;
    }
    if (query->written < plan->limit) {
        TRY(write_row(query, row));
    }
    if (query->written == plan->limit && query->total_known) {
        query->state = LIST_PAGES;
    }
    return ERR_OK;
}

static enum err take_to_sort(struct list_query *query, const struct row *row)
{
    struct row_value key;
    TRY(row_find(row, &query->input.plan->sort, NULL, &key));
    return top_rows_offer(query->top, row->id, &key);
}

static enum err take_row(struct list_query *query, const struct row *row)
{
    if (!query->total_known && query->first_pass) {
        query->total++;
    }
    return is_sorted(query->input.plan) ? take_to_sort(query, row) : take_in_order(query, row);
}

/* The table is at its end. */
static void end_scan(struct list_query *query)
{
    query->first_pass = false;
    query->state = LIST_PAGES;
    if (is_sorted(query->input.plan) && query->total > query->input.plan->skip) {
        query->top_count = top_rows_sort(query->top);
        query->top_next = 0;
        query->state = LIST_WRITE;
    }
}

static enum err step_scan(struct list_query *query, struct store_budget *budget)
{
    struct row row;
    const enum err err = store_scan_next(query->input.snap, budget, &row);
    if (err == ERR_NOT_FOUND) {
        end_scan(query);
        return ERR_OK;
    }
    if (err != ERR_OK) {
        return err;
    }
    return take_row(query, &row);
}

/* All that was kept is used: enough, or another pass. */
static enum err end_write(struct list_query *query)
{
    const struct plan *plan = query->input.plan;
    const uint64_t rest = query->total - query->passed - query->written;
    if (query->written == plan->limit || rest == 0 || query->top_count == 0) {
        query->state = LIST_PAGES;
        return ERR_OK;
    }
    top_rows_next_pass(query->top);
    return begin_scan(query);
}

static enum err step_write(struct list_query *query, struct store_budget *budget)
{
    const struct plan *plan = query->input.plan;
    struct row row;
    if (query->top_next == query->top_count || query->written == plan->limit) {
        return end_write(query);
    }
    const uint64_t before = plan->skip - query->passed;
    const size_t left = query->top_count - query->top_next;
    if (before > 0) {
        const size_t jump = before < left ? (size_t)before : left;
        query->passed += jump;
        query->top_next += jump;
        return ERR_OK;
    }
    if (budget->steps == 0) {
        return ERR_AGAIN;
    }
    budget->steps--;
    TRY(store_get(query->input.snap, query->input.table, top_rows_id(query->top, query->top_next), &row));
    query->top_next++;
    return write_row(query, &row);
}

static enum err write_pages(struct list_query *query)
{
    const struct plan *plan = query->input.plan;
    json_out_array_end(&query->json);
    data_write_pagination(&query->json, (struct data_page){plan->page, plan->limit}, query->total);
    json_out_object_end(&query->json);
    query->state = LIST_DONE;
    return json_out_finish(&query->json);
}

static enum err step_once(struct list_query *query, struct store_budget *budget)
{
    switch (query->state) {
    case LIST_SCAN:
        return step_scan(query, budget);
    case LIST_WRITE:
        return step_write(query, budget);
    case LIST_PAGES:
        return write_pages(query);
    case LIST_DONE:
        return ERR_OK;
    }
    FAIL(ERR_BUG, "a list in no state", query->state);
}

enum err list_query_step(struct list_query *query, struct store_budget *budget)
{
    TRY(query->failed);
    while (query->state != LIST_DONE) {
        const enum err err = step_once(query, budget);
        if (err == ERR_AGAIN) {
            return err; /* a pause is no fault */
        }
        query->failed = err;
        TRY(err);
    }
    return ERR_OK;
}
